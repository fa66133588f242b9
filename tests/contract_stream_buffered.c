/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stream transports with buffered protocols: when a buffer is asked for, that the kernel reads
 * straight into it, how often one readiness is read, and what get_buffer may not do. Small and
 * large transfers, and get_buffer's plain failures, are in contract_stream.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "support/patch.h"
#include "support/scene.h"

/* A kernel whose reads into the peer's buffer are looked at. */
struct watching {
    struct scene scene;
    struct kernel_patch patch;
    size_t reads;    /* into the buffer, since the last poll that came before one */
    size_t most;     /* of reads */
    size_t direct;   /* all reads into the buffer */
    size_t refusals; /* of them, the next that find nothing */
};

static bool is_buffer(struct watching *watching, const struct iovec *iov)
{
    struct side *peer = &watching->scene.peer;
    return iov->iov_base == peer->buffer;
}

static ssize_t watching_read(struct tl_kernel *kernel, int fd, struct tl_message *messages,
                             size_t count)
{
    struct watching *watching = tl_container_of(kernel_patch(kernel), struct watching, patch);
    if (count == 1 && messages[0].iov_count == 1 && is_buffer(watching, messages[0].iov)) {
        watching->direct++;
        if (++watching->reads > watching->most)
            watching->most = watching->reads;
        if (watching->refusals > 0) {
            watching->refusals--;
            return -EAGAIN;
        }
    }
    return watching->patch.inner->read(kernel, fd, messages, count);
}

static int watching_poll(struct tl_kernel *kernel, tl_time timeout, struct tl_event *events,
                         int count)
{
    struct watching *watching = tl_container_of(kernel_patch(kernel), struct watching, patch);
    watching->reads = 0;
    return watching->patch.inner->poll(kernel, timeout, events, count);
}

/* A client that says hello and ends; a buffered peer. */
static void prepare(struct watching *watching, struct contract *contract, struct hooks hooks)
{
    struct scene *scene = &watching->scene;
    memset(watching, 0, sizeof *watching);
    scene_open(scene, contract);
    kernel_patch_apply(&watching->patch, tl_loop_kernel(scene->loop));
    watching->patch.ops.read = watching_read;
    watching->patch.ops.poll = watching_poll;
    side_init(&scene->peer, scene, TL_PROTOCOL_BUFFERED, &hooks);
    scene->client.hooks.made = hook_write_hello_and_eof;
}

static void play(struct watching *watching)
{
    scene_play(&watching->scene);
    scene_close(&watching->scene);
}

/* --- Where the bytes go --- */

static int logged_buffer(struct side *side, void **ret_buffer, size_t *ret_len)
{
    side_log(side, "buffer");
    *ret_buffer = side->buffer;
    *ret_len = side->buffer_size != 0 ? side->buffer_size : sizeof side->buffer;
    return 0;
}

static int logged_update(struct side *side, size_t len)
{
    side->received += len;
    side_log(side, "%.*s", (int)len, side->buffer);
    return 0;
}

/* One buffer for what has come, and one for the end, which only the read into it can find. */
static void a_buffer_is_asked_for_before_every_read(struct contract *contract)
{
    static struct watching watching;
    prepare(&watching, contract,
            (struct hooks){.get_buffer = logged_buffer, .updated = logged_update});
    play(&watching);
    assert_log(&watching.scene.peer, "made buffer hello buffer eof lost released");
    assert_int_equal(watching.direct, 2);
}

/* asyncio: get_buffer may be followed by nothing. */
static void a_buffer_may_be_asked_for_in_vain(struct contract *contract)
{
    static struct watching watching;
    prepare(&watching, contract,
            (struct hooks){.get_buffer = logged_buffer, .updated = logged_update});
    watching.refusals = 2;
    play(&watching);
    assert_log(&watching.scene.peer, "made buffer buffer buffer hello buffer eof lost released");
}

static int write_bytes(struct side *side)
{
    int r = tl_transport_write(side->transport, "0123456789", 10);
    return r < 0 ? r : tl_transport_write_eof(side->transport);
}

/* Ten bytes at one byte a buffer, four buffers a readiness; the last finds the end. */
static void a_full_buffer_is_followed_by_at_most_three_more(struct contract *contract)
{
    static struct watching watching;
    prepare(&watching, contract, (struct hooks){.updated = logged_update});
    watching.scene.client.hooks.made = write_bytes;
    watching.scene.peer.buffer_size = 1;
    play(&watching);
    assert_log(&watching.scene.peer, "made 0 1 2 3 4 5 6 7 8 9 eof lost released");
    assert_int_equal(watching.direct, 11);
    assert_true(watching.most <= 4);
}

/* Paused until everything has come, so that the rounds are whole. */
static void resume_quietly(struct side *side)
{
    (void)tl_transport_resume_reading(side->transport);
}

static int pause_for_a_while(struct side *side)
{
    (void)hook_later(side);
    return tl_transport_pause_reading(side->transport);
}

static void four_rounds_when_all_is_there(struct contract *contract)
{
    static struct watching watching;
    struct later later = {.turns = 20, .side = &watching.scene.peer, .callback = resume_quietly};
    prepare(&watching, contract,
            (struct hooks){.made = pause_for_a_while, .updated = logged_update});
    watching.scene.client.hooks.made = write_bytes;
    watching.scene.peer.buffer_size = 1;
    watching.scene.peer.user = &later;
    play(&watching);
    assert_log(&watching.scene.peer, "made 0 1 2 3 4 5 6 7 8 9 eof lost released");
    assert_int_equal(watching.most, 4);
}

/* --- In between --- */

static void resume(struct side *side)
{
    side_log(side, "go");
    (void)tl_transport_resume_reading(side->transport);
}

static int pause_at_second(struct side *side, size_t len)
{
    (void)logged_update(side, len);
    if (side->received != 2)
        return 0;
    (void)tl_transport_pause_reading(side->transport);
    later_start(side->user);
    return 0;
}

static void pausing_ends_the_rounds(struct contract *contract)
{
    static struct watching watching;
    struct later later = {.turns = 5, .side = &watching.scene.peer, .callback = resume};
    prepare(&watching, contract, (struct hooks){.updated = pause_at_second});
    watching.scene.peer.buffer_size = 1;
    watching.scene.peer.user = &later;
    play(&watching);
    assert_log(&watching.scene.peer, "made h e go l l o eof lost released");
}

static int close_at_second(struct side *side, size_t len)
{
    (void)logged_update(side, len);
    if (side->received == 2)
        tl_transport_close(side->transport);
    return 0;
}

static void closing_ends_the_rounds(struct contract *contract)
{
    static struct watching watching;
    prepare(&watching, contract, (struct hooks){.updated = close_at_second});
    watching.scene.peer.buffer_size = 1;
    play(&watching);
    assert_log(&watching.scene.peer, "made h e lost released");
    assert_int_equal(watching.direct, 2);
}

static int pause_in_get_buffer(struct side *side, void **ret_buffer, size_t *ret_len)
{
    if (side->count++ == 1) {
        (void)tl_transport_pause_reading(side->transport);
        later_start(side->user);
    }
    return logged_buffer(side, ret_buffer, ret_len);
}

/* The buffer it then gave is not read to: the next is asked for when reading is resumed. */
static void pausing_in_get_buffer_reads_nothing(struct contract *contract)
{
    static struct watching watching;
    struct later later = {.turns = 5, .side = &watching.scene.peer, .callback = resume};
    prepare(&watching, contract,
            (struct hooks){.get_buffer = pause_in_get_buffer, .updated = logged_update});
    watching.scene.peer.user = &later;
    watching.scene.peer.buffer_size = 3;
    play(&watching);
    assert_log(&watching.scene.peer,
               "made buffer hel buffer go buffer lo buffer eof lost released");
}

static int hand_over_at_second(struct side *side, size_t len)
{
    (void)logged_update(side, len);
    if (side->received == 2) {
        struct side *next = side->user;
        next->transport = side->transport;
        return tl_transport_set_protocol(side->transport, &next->protocol);
    }
    return 0;
}

/* The rounds go on with the new protocol, in its own way. */
static void the_kind_changes_between_rounds(struct contract *contract)
{
    static struct watching watching;
    static struct side next;
    prepare(&watching, contract, (struct hooks){.updated = hand_over_at_second});
    side_init(&next, &watching.scene, TL_PROTOCOL_STREAM, NULL);
    watching.scene.peer.buffer_size = 1;
    watching.scene.peer.user = &next;
    play(&watching);
    assert_log(&watching.scene.peer, "made h e released");
    assert_log(&next, "data(llo) eof lost released");
}

/* --- What goes wrong --- */

static const struct {
    const char *name;
    size_t len;
    bool null;
} empties[] = {{"no length", 0, false}, {"no buffer", 5, true}, {"neither", 0, true}};

static int empty_buffer(struct side *side, void **ret_buffer, size_t *ret_len)
{
    *ret_buffer = empties[side->count].null ? NULL : side->buffer;
    *ret_len = empties[side->count].len;
    return 0;
}

static void note_message(tl_loop *loop, const tl_exc_context *context, void *arg)
{
    struct watching *watching = arg;
    struct side *peer = &watching->scene.peer;
    (void)loop;
    assert_ptr_equal(context->protocol, &peer->protocol);
    assert_ptr_equal(context->transport, peer->transport);
    side_log(peer, "[%s %s]", context->message, context->exception->message);
}

static void an_empty_buffer_is_fatal(struct contract *contract)
{
    static struct watching watching;
    for (size_t i = 0; i < sizeof empties / sizeof *empties; i++) {
        prepare(&watching, contract, (struct hooks){.get_buffer = empty_buffer});
        (void)tl_loop_set_exception_handler(watching.scene.loop, note_message, &watching);
        watching.scene.peer.count = (int)i;
        play(&watching);
        assert_log(&watching.scene.peer,
                   "made [Fatal error: protocol.get_buffer() call failed. get_buffer() returned an "
                   "empty buffer] lost(TL_EPROTOCOL) released");
        assert_int_equal(watching.direct, 0);
    }
}

static int one_byte(struct side *side, void **ret_buffer, size_t *ret_len)
{
    *ret_buffer = side->buffer;
    *ret_len = 1;
    return 0;
}

static int abort_now(struct side *side, size_t len)
{
    (void)len;
    tl_transport_abort(side->transport);
    return 0;
}

/* The client takes one byte of five and aborts: what is unread makes that a reset, which is met by
 * a read that a buffer was asked for. */
static void a_reset_is_met_by_a_read(struct contract *contract)
{
    static struct watching watching;
    prepare(&watching, contract,
            (struct hooks){.made = hook_write_hello, .get_buffer = logged_buffer});
    side_init(&watching.scene.client, &watching.scene, TL_PROTOCOL_BUFFERED,
              &(struct hooks){.get_buffer = one_byte, .updated = abort_now});
    play(&watching);
    assert_log(&watching.scene.peer, "made buffer lost(ECONNRESET) released");
    assert_string_equal(watching.scene.errors, "");
}

static const struct contract_case cases[] = {
    CONTRACT(a_buffer_is_asked_for_before_every_read),
    CONTRACT(a_buffer_may_be_asked_for_in_vain),
    CONTRACT(a_full_buffer_is_followed_by_at_most_three_more),
    CONTRACT(four_rounds_when_all_is_there),
    CONTRACT(pausing_ends_the_rounds),
    CONTRACT(closing_ends_the_rounds),
    CONTRACT(pausing_in_get_buffer_reads_nothing),
    CONTRACT(the_kind_changes_between_rounds),
    CONTRACT(an_empty_buffer_is_fatal),
    CONTRACT(a_reset_is_met_by_a_read),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "stream_buffered", cases, sizeof cases / sizeof *cases);
}
