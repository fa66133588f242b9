/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stream transports, every state: what each call does in each callback, while the queue is flushed
 * and while connection_lost is due. Closing and aborting inside callbacks is in
 * contract_stream_end.c.
 *
 * A client lives through every callback there is, on a kernel that takes little at a time, so that
 * a short sentence fills the queue; in one of its callbacks it makes one call, and its log says
 * what the call returned and how life went on.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "support/patch.h"
#include "support/scene.h"

#define SENTENCE "a sentence longer than that"

enum where {
    IN_MADE,
    IN_PAUSE,
    IN_RESUME,
    IN_DATA,
    IN_EOF,
    IN_LOST,
    IN_BUFFER,
    IN_UPDATED,
    PLACES
};

struct trial {
    struct scene scene;
    struct kernel_patch patch;
    int writes;
    enum where where;
    int (*act)(struct side *side);
    bool acted;
    bool answered; /* by the peer */
    bool go;       /* later is to be started when it has */
    struct later later;
    struct side next; /* the client's next protocol */
    enum tl_protocol_kind next_kind;
};

static struct trial *trial_of(struct side *side)
{
    return tl_container_of(side->scene, struct trial, scene);
}

/* Every other write finds no room; the rest take a few bytes of the first piece. */
static ssize_t little_write(struct tl_kernel *kernel, int fd, struct tl_message *messages,
                            size_t count)
{
    struct trial *trial = tl_container_of(kernel_patch(kernel), struct trial, patch);
    if (trial->writes++ % 2 == 0)
        return -EAGAIN;
    struct iovec iov = messages[0].iov[0];
    if (iov.iov_len > 7)
        iov.iov_len = 7;
    struct tl_message message = {.iov = &iov, .iov_count = 1};
    return trial->patch.inner->write(kernel, fd, &message, count);
}

/* --- The client --- */

static int act_if(struct side *side, enum where where)
{
    struct trial *trial = trial_of(side);
    if (trial->where != where || trial->acted)
        return 0;
    trial->acted = true;
    return trial->act(side);
}

static int trial_made(struct side *side)
{
    (void)tl_transport_set_write_buffer_limits(side->transport, 10, 0);
    int r = act_if(side, IN_MADE);
    (void)tl_transport_write(side->transport, SENTENCE, sizeof SENTENCE - 1);
    return r;
}

static int trial_pause(struct side *side)
{
    return act_if(side, IN_PAUSE);
}

static int trial_resume(struct side *side)
{
    return act_if(side, IN_RESUME);
}

static int trial_data(struct side *side, const char *data, size_t len)
{
    (void)data;
    (void)len;
    /* However the bytes were cut. */
    return side->received == 5 ? act_if(side, IN_DATA) : 0;
}

static int trial_eof(struct side *side)
{
    return act_if(side, IN_EOF);
}

static int trial_lost(struct side *side, int code)
{
    (void)code;
    return act_if(side, IN_LOST);
}

static int trial_buffer(struct side *side, void **ret_buffer, size_t *ret_len)
{
    *ret_buffer = side->buffer;
    *ret_len = sizeof side->buffer;
    return act_if(side, IN_BUFFER);
}

static int trial_updated(struct side *side, size_t len)
{
    side->received += len;
    if (side->received < 5)
        return 0;
    side_log(side, "updated");
    return act_if(side, IN_UPDATED);
}

static const struct hooks trial_hooks = {
    .made = trial_made,
    .pause = trial_pause,
    .resume = trial_resume,
    .data = trial_data,
    .eof = trial_eof,
    .lost = trial_lost,
};

static const struct hooks buffered_trial_hooks = {
    .made = trial_made,
    .pause = trial_pause,
    .resume = trial_resume,
    .eof = trial_eof,
    .lost = trial_lost,
    .get_buffer = trial_buffer,
    .updated = trial_updated,
};

/* --- The peer: hello and the end once the sentence has come, or the client's end --- */

static int answer(struct side *side)
{
    struct trial *trial = trial_of(side);
    if (trial->answered)
        return 0;
    trial->answered = true;
    if (trial->go)
        later_start(&trial->later);
    return hook_write_hello_and_eof(side);
}

static int peer_data(struct side *side, const char *data, size_t len)
{
    (void)data;
    (void)len;
    return side->received >= sizeof SENTENCE - 1 ? answer(side) : 0;
}

/* --- Trying --- */

static void resume_later(struct side *side)
{
    if (side->transport == NULL)
        return;
    side_log(side, "go");
    (void)tl_transport_resume_reading(side->transport);
}

static void prepare(struct trial *trial, struct contract *contract, bool buffered)
{
    struct scene *scene = &trial->scene;
    memset(trial, 0, sizeof *trial);
    scene_open(scene, contract);
    kernel_patch_apply(&trial->patch, tl_loop_kernel(scene->loop));
    trial->patch.ops.write = little_write;
    trial->later = (struct later){.turns = 10, .side = &scene->client, .callback = resume_later};
    side_init(&scene->client, scene, buffered ? TL_PROTOCOL_BUFFERED : TL_PROTOCOL_STREAM,
              buffered ? &buffered_trial_hooks : &trial_hooks);
    scene->peer.hooks = (struct hooks){.data = peer_data, .eof = answer};
    scene->peer.quiet = true;
}

static void play(struct trial *trial)
{
    struct scene *scene = &trial->scene;
    scene_play(scene);
    scene_close(scene);
    assert_true(trial->acted);
    assert_string_equal(scene->errors, "");
    assert_true(scene->client.is_released);
    assert_true(scene->peer.is_lost && scene->peer.is_released);
}

/* Makes the call in every callback in turn; the logs are in the order of enum where. */
static void try_everywhere(struct contract *contract, int (*act)(struct side *),
                           const char *const logs[PLACES])
{
    static struct trial trial;
    for (int where = 0; where < PLACES; where++) {
        prepare(&trial, contract, where == IN_BUFFER || where == IN_UPDATED);
        trial.where = (enum where)where;
        trial.act = act;
        play(&trial);
        assert_log(&trial.scene.client, logs[where]);
    }
}

static int act_write(struct side *side)
{
    side_log(side, "%s", tl_err_name(tl_transport_write(side->transport, "+", 1)));
    return 0;
}

static void write_in_every_callback(struct contract *contract)
{
    static const char *const logs[PLACES] = {
        [IN_MADE] = "made OK pause resume data(hello) eof lost released",
        [IN_PAUSE] = "made pause OK resume data(hello) eof lost released",
        [IN_RESUME] = "made pause resume OK data(hello) eof lost released",
        [IN_DATA] = "made pause resume data(hello) OK eof lost released",
        [IN_EOF] = "made pause resume data(hello) eof OK lost released",
        [IN_LOST] = "made pause resume data(hello) eof lost TL_ECLOSED released",
        [IN_BUFFER] = "made pause resume OK updated eof lost released",
        [IN_UPDATED] = "made pause resume updated OK eof lost released",
    };
    try_everywhere(contract, act_write, logs);
}

static int act_write_eof(struct side *side)
{
    side_log(side, "%s", tl_err_name(tl_transport_write_eof(side->transport)));
    return 0;
}

/* In connection_made it comes before the sentence, which is refused then. */
static void write_eof_in_every_callback(struct contract *contract)
{
    static const char *const logs[PLACES] = {
        [IN_MADE] = "made OK data(hello) eof lost released",
        [IN_PAUSE] = "made pause OK resume data(hello) eof lost released",
        [IN_RESUME] = "made pause resume OK data(hello) eof lost released",
        [IN_DATA] = "made pause resume data(hello) OK eof lost released",
        [IN_EOF] = "made pause resume data(hello) eof OK lost released",
        [IN_LOST] = "made pause resume data(hello) eof lost TL_ECLOSED released",
        [IN_BUFFER] = "made pause resume OK updated eof lost released",
        [IN_UPDATED] = "made pause resume updated OK eof lost released",
    };
    try_everywhere(contract, act_write_eof, logs);
}

static int act_pause(struct side *side)
{
    struct trial *trial = trial_of(side);
    side_log(side, "%s", tl_err_name(tl_transport_pause_reading(side->transport)));
    side_log(side, tl_transport_is_reading(side->transport) ? "reading" : "silent");
    if (trial->answered)
        later_start(&trial->later);
    trial->go = true;
    return 0;
}

/* Nothing is read, the end included, until reading is resumed some time after the peer has spoken.
 * What is written goes on. */
static void pause_reading_in_every_callback(struct contract *contract)
{
    static const char *const logs[PLACES] = {
        [IN_MADE] = "made OK silent pause resume go data(hello) eof lost released",
        [IN_PAUSE] = "made pause OK silent resume go data(hello) eof lost released",
        [IN_RESUME] = "made pause resume OK silent go data(hello) eof lost released",
        [IN_DATA] = "made pause resume data(hello) OK silent go eof lost released",
        [IN_EOF] = "made pause resume data(hello) eof OK silent lost released",
        [IN_LOST] = "made pause resume data(hello) eof lost TL_ECLOSED silent released",
        [IN_BUFFER] = "made pause resume OK silent go updated eof lost released",
        [IN_UPDATED] = "made pause resume updated OK silent go eof lost released",
    };
    try_everywhere(contract, act_pause, logs);
}

static int act_resume(struct side *side)
{
    side_log(side, "%s", tl_err_name(tl_transport_resume_reading(side->transport)));
    side_log(side, tl_transport_is_reading(side->transport) ? "reading" : "silent");
    return 0;
}

static void resume_reading_without_a_pause(struct contract *contract)
{
    static const char *const logs[PLACES] = {
        [IN_MADE] = "made OK reading pause resume data(hello) eof lost released",
        [IN_PAUSE] = "made pause OK reading resume data(hello) eof lost released",
        [IN_RESUME] = "made pause resume OK reading data(hello) eof lost released",
        [IN_DATA] = "made pause resume data(hello) OK reading eof lost released",
        [IN_EOF] = "made pause resume data(hello) eof OK reading lost released",
        [IN_LOST] = "made pause resume data(hello) eof lost TL_ECLOSED silent released",
        [IN_BUFFER] = "made pause resume OK reading updated eof lost released",
        [IN_UPDATED] = "made pause resume updated OK reading eof lost released",
    };
    try_everywhere(contract, act_resume, logs);
}

/* --- Changing protocols --- */

static int act_set_protocol(struct side *side)
{
    struct trial *trial = trial_of(side);
    side_init(&trial->next, side->scene, trial->next_kind, NULL);
    trial->next.transport = side->transport;
    int r = tl_transport_set_protocol(side->transport, &trial->next.protocol);
    side_log(side, "%s", tl_err_name(r));
    return 0;
}

static void change_everywhere(struct contract *contract, enum tl_protocol_kind kind)
{
    static const struct {
        const char *client;
        const char *next;
    } logs[PLACES] = {
        [IN_MADE] = {"made OK released", "pause resume data(hello) eof lost released"},
        [IN_PAUSE] = {"made pause OK released", "resume data(hello) eof lost released"},
        [IN_RESUME] = {"made pause resume OK released", "data(hello) eof lost released"},
        [IN_DATA] = {"made pause resume data(hello) OK released", "eof lost released"},
        [IN_EOF] = {"made pause resume data(hello) eof OK released", "lost released"},
        [IN_LOST] = {"made pause resume data(hello) eof lost TL_ECLOSED released", ""},
        [IN_BUFFER] = {"made pause resume OK released", "data(hello) eof lost released"},
        [IN_UPDATED] = {"made pause resume updated OK released", "eof lost released"},
    };
    static struct trial trial;
    for (int where = 0; where < PLACES; where++) {
        prepare(&trial, contract, where == IN_BUFFER || where == IN_UPDATED);
        trial.where = (enum where)where;
        trial.act = act_set_protocol;
        trial.next_kind = kind;
        play(&trial);
        assert_log(&trial.scene.client, logs[where].client);
        assert_log(&trial.next, logs[where].next);
    }
}

/* asyncio: the next one is told of what comes, and of nothing that has been. */
static void set_protocol_in_every_callback(struct contract *contract)
{
    change_everywhere(contract, TL_PROTOCOL_STREAM);
}

static void set_protocol_to_a_buffered_one_in_every_callback(struct contract *contract)
{
    change_everywhere(contract, TL_PROTOCOL_BUFFERED);
}

/* --- Closing: between close and connection_lost --- */

static void call_everything(struct side *side)
{
    static const tl_buf piece = {"x", 1};
    struct trial *trial = trial_of(side);
    tl_transport *transport = side->transport;
    side_log(side, "%s", tl_err_name(tl_transport_write(transport, "x", 1)));
    side_log(side, "%s", tl_err_name(tl_transport_writelines(transport, &piece, 1)));
    side_log(side, "%s", tl_err_name(tl_transport_write_eof(transport)));
    side_log(side, "%s", tl_err_name(tl_transport_pause_reading(transport)));
    side_log(side, "%s", tl_err_name(tl_transport_resume_reading(transport)));
    side_log(side, "%s", tl_err_name(tl_transport_set_write_buffer_limits(transport, 1, 1)));
    side_log(side, "%d%d%d", tl_transport_is_closing(transport), tl_transport_is_reading(transport),
             tl_transport_can_write_eof(transport));
    side_log(side, tl_transport_get_protocol(transport) == &side->protocol ? "mine" : "other");
    (void)act_set_protocol(side);
    side_log(side,
             tl_transport_get_protocol(transport) == &trial->next.protocol ? "next" : "other");
    trial->acted = true;
}

#define CLOSING "TL_ECLOSED TL_ECLOSED TL_ECLOSED TL_ECLOSED TL_ECLOSED TL_ECLOSED 101 mine OK next"

static int write_close_and_call(struct side *side)
{
    (void)tl_transport_set_write_buffer_limits(side->transport, 10, 0);
    int r = tl_transport_write(side->transport, SENTENCE, sizeof SENTENCE - 1);
    tl_transport_close(side->transport);
    call_everything(side);
    return r;
}

/* Nothing works any more, save giving the rest of its life to another protocol. */
static void calls_while_flushing(struct contract *contract)
{
    static struct trial trial;
    prepare(&trial, contract, false);
    trial.scene.client.hooks = (struct hooks){.made = write_close_and_call};
    play(&trial);
    assert_log(&trial.scene.client, "made pause " CLOSING " released");
    assert_log(&trial.next, "resume lost released");
    assert_log(&trial.scene.peer, "made eof lost released");
    assert_int_equal(trial.scene.peer.received, sizeof SENTENCE - 1);
}

static int close_and_call(struct side *side)
{
    tl_transport_close(side->transport);
    call_everything(side);
    return 0;
}

static int abort_and_call(struct side *side)
{
    (void)tl_transport_write(side->transport, SENTENCE, sizeof SENTENCE - 1);
    tl_transport_abort(side->transport);
    side_log(side, "%zu", tl_transport_get_write_buffer_size(side->transport));
    call_everything(side);
    return 0;
}

static void calls_while_connection_lost_is_due(struct contract *contract)
{
    static struct trial trial;
    prepare(&trial, contract, false);
    trial.scene.client.hooks = (struct hooks){.made = close_and_call};
    play(&trial);
    assert_log(&trial.scene.client, "made " CLOSING " released");
    assert_log(&trial.next, "lost released");
    prepare(&trial, contract, false);
    trial.scene.client.hooks = (struct hooks){.made = abort_and_call};
    play(&trial);
    assert_log(&trial.scene.client, "made 0 " CLOSING " released");
    assert_log(&trial.next, "lost released");
}

/* close, then write_eof and close again in resume_writing: the end is sent once, by closing. */
static int close_again(struct side *side)
{
    (void)act_write_eof(side);
    tl_transport_close(side->transport);
    return 0;
}

static int write_eof_and_close(struct side *side)
{
    (void)tl_transport_set_write_buffer_limits(side->transport, 10, 0);
    int r = tl_transport_write(side->transport, SENTENCE, sizeof SENTENCE - 1);
    (void)act_write_eof(side);
    tl_transport_close(side->transport);
    trial_of(side)->acted = true;
    return r;
}

static void write_eof_then_close_writes_everything(struct contract *contract)
{
    static struct trial trial;
    prepare(&trial, contract, false);
    trial.scene.client.hooks = (struct hooks){.made = write_eof_and_close, .resume = close_again};
    play(&trial);
    assert_log(&trial.scene.client, "made pause OK resume TL_ECLOSED lost released");
    assert_log(&trial.scene.peer, "made eof lost released");
    assert_int_equal(trial.scene.peer.received, sizeof SENTENCE - 1);
}

static const struct contract_case cases[] = {
    CONTRACT(write_in_every_callback),
    CONTRACT(write_eof_in_every_callback),
    CONTRACT(pause_reading_in_every_callback),
    CONTRACT(resume_reading_without_a_pause),
    CONTRACT(set_protocol_in_every_callback),
    CONTRACT(set_protocol_to_a_buffered_one_in_every_callback),
    CONTRACT(calls_while_flushing),
    CONTRACT(calls_while_connection_lost_is_due),
    CONTRACT(write_eof_then_close_writes_everything),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "stream_state", cases, sizeof cases / sizeof *cases);
}
