/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stream transports, at random: both ends of a connection do anything at any time, from callbacks
 * and between them, and the rules that always hold are checked at every step.
 *
 *     connection_made first, connection_lost last, each once; nothing in between after it
 *     pause_writing and resume_writing by turns, beginning with a pause; a pause only above the
 *         high water mark
 *     no data, buffer or end while reading is paused, after closing, or after the end
 *     bytes arrive in order, without a gap; all of them, unless an end was cut short
 *     an end that nobody cut short is told no error
 *     each callback goes to the protocol of now, and an old one is released exactly once
 *     an error that a reading callback returns is what connection_lost is told, unless the
 *         exception handler has aborted meanwhile
 *
 * Protocols are allocated one by one and freed by their release, so that a sanitizer sees whoever
 * uses one afterwards. What is done follows from a number, so that a replay does the same.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <twinloop/sim.h>
#include <cmocka.h>
#include "support/random.h"
#include "support/scene.h"

enum { RUNS = 40, FAULTY_RUNS = 200, STEPS = 60, BUFFER_SIZE = 5000, PIECE_MAX = 40000 };

struct play;

/* One end. Its protocols are streaming and buffered ones by turns. */
struct end {
    struct play *play;
    tl_protocol *protocol;   /* the transport's of now */
    tl_transport *transport; /* NULL before connection_made and in connection_lost */
    uint64_t random;
    int steps;       /* that it still takes */
    size_t sent;     /* bytes that write took */
    size_t received; /* of the other's */
    bool made;
    bool lost;
    bool paused; /* pause_writing */
    bool silent; /* pause_reading */
    bool eof;    /* the other's */
    bool ended;  /* write_eof */
    bool closed;
    bool aborted;
    int failed; /* an error that a callback has returned, and that ended it */
    int code;   /* connection_lost's */
    int held;   /* protocols that are not released */
    char buffer[BUFFER_SIZE];
};

struct actor {
    tl_protocol protocol;
    struct end *end;
};

struct play {
    struct scene scene;
    struct stingy stingy;
    int pauses;
    int failures;       /* that are still to be reported */
    struct end ends[2]; /* the client, the server */
};

static uint32_t draw(struct end *end, uint32_t bound)
{
    return draw_from(&end->random, bound);
}

/* The end of a protocol that is called; it must be the one of now. */
static struct end *end_of(tl_protocol *protocol)
{
    struct end *end = tl_container_of(protocol, struct actor, protocol)->end;
    assert_ptr_equal(end->protocol, protocol);
    return end;
}

static tl_protocol *new_protocol(struct end *end);

/* --- What an end does --- */

static void write_some(struct end *end)
{
    char *bytes = malloc(PIECE_MAX);
    size_t len = draw(end, 4) == 0 ? draw(end, PIECE_MAX) : draw(end, 100);
    size_t cut = len > 0 ? draw(end, (uint32_t)len) : 0;
    const tl_buf bufs[] = {{bytes, cut}, {NULL, 0}, {bytes + cut, len - cut}};
    assert_non_null(bytes);
    for (size_t i = 0; i < len; i++)
        bytes[i] = pattern_byte(end->sent + i);
    bool allowed = !end->closed && !end->ended && !tl_transport_is_closing(end->transport);
    size_t before = end->sent;
    end->sent += len; /* it may pause inside, and write more */
    int r = draw(end, 2) == 0 ? tl_transport_write(end->transport, bytes, len)
                              : tl_transport_writelines(end->transport, bufs, 3);
    free(bytes);
    if (!allowed) {
        assert_int_equal(r, end->closed || end->aborted || tl_transport_is_closing(end->transport)
                                ? TL_ECLOSED
                                : TL_ESTATE);
        end->sent = before;
        return;
    }
    assert_int_equal(r, 0);
}

static void set_limits(struct end *end)
{
    ssize_t high = draw(end, 3) == 0 ? 0 : (ssize_t)draw(end, 100000);
    if (!tl_transport_is_closing(end->transport))
        assert_int_equal(tl_transport_set_write_buffer_limits(end->transport, high, TL_UNSET), 0);
}

static void toggle_reading(struct end *end)
{
    if (tl_transport_is_closing(end->transport))
        return;
    int r = end->silent ? tl_transport_resume_reading(end->transport)
                        : tl_transport_pause_reading(end->transport);
    assert_int_equal(r, 0);
    end->silent = !end->silent;
    assert_int_equal(tl_transport_is_reading(end->transport), !end->silent);
}

static void change_protocol(struct end *end)
{
    tl_protocol *next = new_protocol(end);
    end->protocol = next;
    assert_int_equal(tl_transport_set_protocol(end->transport, next), 0);
    assert_ptr_equal(tl_transport_get_protocol(end->transport), next);
}

static void finish(struct end *end)
{
    switch (draw(end, 8)) {
    case 0:
        end->aborted = true;
        tl_transport_abort(end->transport);
        break;
    case 1:
    case 2:
        end->closed = true;
        tl_transport_close(end->transport);
        break;
    default:
        if (tl_transport_write_eof(end->transport) == 0)
            end->ended = true;
    }
}

static void step(struct end *end)
{
    if (end->transport == NULL || end->steps == 0)
        return;
    end->steps--;
    switch (draw(end, 20)) {
    case 0:
    case 1:
        set_limits(end);
        break;
    case 2:
    case 3:
    case 4:
        toggle_reading(end);
        break;
    case 5:
    case 6:
        change_protocol(end);
        break;
    case 7:
        if (draw(end, 3) == 0)
            finish(end);
        break;
    default:
        write_some(end);
    }
}

static int maybe_step(struct end *end)
{
    struct end *other = &end->play->ends[end == &end->play->ends[0] ? 1 : 0];
    const tl_protocol *called = end->protocol;
    if (draw(end, 2) == 0)
        step(draw(end, 4) == 0 ? other : end);
    assert_true(called->holds > 0); /* also if it has replaced itself */
    if (end->steps == 0 || draw(end, 100) > 0)
        return 0;
    end->play->failures++;
    return -EPROTO;
}

/* As above, in a callback whose error ends the connection, unless that has ended already. */
static int maybe_fail(struct end *end)
{
    int r = maybe_step(end);
    /* Who has closed in it may still be flushing, and drops what is queued. */
    if (r < 0 && !end->aborted &&
        (!tl_transport_is_closing(end->transport) ||
         tl_transport_get_write_buffer_size(end->transport) > 0))
        end->failed = r;
    return r;
}

/* Between callbacks; the last step lets go of everything that could keep the connection. */
static void tick(void *arg)
{
    struct end *end = arg;
    if (end->lost)
        return;
    if (end->transport != NULL && end->steps > 0)
        step(end);
    if (end->transport != NULL && end->steps == 0) {
        if (end->silent)
            toggle_reading(end);
        if (end->transport != NULL && !end->aborted && !end->closed) {
            end->closed = end->eof;
            if (end->eof)
                tl_transport_close(end->transport);
            else if (tl_transport_write_eof(end->transport) == 0)
                end->ended = true;
        }
    }
    (void)tl_loop_call_later(end->play->scene.loop, 50 * TL_MICROSECOND, tick, end, NULL);
}

/* --- What an end is told --- */

static int on_made(tl_protocol *protocol, tl_transport *transport)
{
    struct end *end = end_of(protocol);
    assert_false(end->made);
    end->made = true;
    end->transport = transport;
    int r = maybe_step(end);
    tick(end);
    return r;
}

static void on_lost(tl_protocol *protocol, const tl_error *exc)
{
    struct end *end = end_of(protocol);
    struct scene *scene = &end->play->scene;
    assert_true(end->made && !end->lost);
    assert_int_equal(tl_transport_get_write_buffer_size(end->transport), 0);
    end->lost = true;
    end->code = exc != NULL ? exc->code : 0;
    if (end->failed != 0)
        assert_int_equal(end->code, end->failed);
    end->transport = NULL;
    if (++scene->lost == 2)
        tl_loop_stop(scene->loop);
}

static int on_pause(tl_protocol *protocol)
{
    struct end *end = end_of(protocol);
    size_t low, high;
    assert_true(end->made && !end->lost && !end->paused);
    tl_transport_get_write_buffer_limits(end->transport, &low, &high);
    assert_true(tl_transport_get_write_buffer_size(end->transport) > high);
    end->paused = true;
    end->play->pauses++;
    return maybe_step(end);
}

static int on_resume(tl_protocol *protocol)
{
    struct end *end = end_of(protocol);
    size_t low, high;
    assert_true(end->made && !end->lost && end->paused && !end->aborted);
    tl_transport_get_write_buffer_limits(end->transport, &low, &high);
    assert_true(tl_transport_get_write_buffer_size(end->transport) <= low);
    end->paused = false;
    return maybe_step(end);
}

static void check_reading(const struct end *end)
{
    assert_true(end->made && !end->lost && !end->silent && !end->eof && !end->closed &&
                !end->aborted && end->failed == 0);
}

static void check_bytes(struct end *end, const char *data, size_t len)
{
    check_reading(end);
    assert_true(len > 0);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(data[i], pattern_byte(end->received + i));
    end->received += len;
}

static int on_data(tl_protocol *protocol, const void *data, size_t len)
{
    struct end *end = end_of(protocol);
    check_bytes(end, data, len);
    return maybe_fail(end);
}

static int on_get_buffer(tl_protocol *protocol, ssize_t hint, void **ret_buffer, size_t *ret_len)
{
    struct end *end = end_of(protocol);
    assert_int_equal(hint, -1);
    check_reading(end);
    *ret_buffer = end->buffer;
    *ret_len = 1 + draw(end, BUFFER_SIZE);
    return draw(end, 8) == 0 ? maybe_fail(end) : 0;
}

static int on_updated(tl_protocol *protocol, size_t len)
{
    struct end *end = end_of(protocol);
    check_bytes(end, end->buffer, len);
    return maybe_fail(end);
}

static int on_eof(tl_protocol *protocol)
{
    struct end *end = end_of(protocol);
    check_reading(end);
    end->eof = true;
    int r = maybe_fail(end);
    if (r < 0)
        return r;
    if (draw(end, 2) == 0)
        return 1;
    end->closed = true;
    return 0;
}

static void on_release(tl_protocol *protocol)
{
    struct actor *actor = tl_container_of(protocol, struct actor, protocol);
    assert_true(actor->end->held > 0 && protocol->holds == 0);
    actor->end->held--;
    free(actor);
}

static const struct tl_protocol_ops stream_ops = {
    .kind = TL_PROTOCOL_STREAM,
    .connection_made = on_made,
    .connection_lost = on_lost,
    .pause_writing = on_pause,
    .resume_writing = on_resume,
    .data_received = on_data,
    .eof_received = on_eof,
    .release = on_release,
};

static const struct tl_protocol_ops buffered_ops = {
    .kind = TL_PROTOCOL_BUFFERED,
    .connection_made = on_made,
    .connection_lost = on_lost,
    .pause_writing = on_pause,
    .resume_writing = on_resume,
    .get_buffer = on_get_buffer,
    .buffer_updated = on_updated,
    .eof_received = on_eof,
    .release = on_release,
};

static tl_protocol *new_protocol(struct end *end)
{
    struct actor *actor = malloc(sizeof *actor);
    assert_non_null(actor);
    actor->end = end;
    actor->protocol = TL_PROTOCOL_INIT(draw(end, 2) == 0 ? &stream_ops : &buffered_ops);
    end->held++;
    return &actor->protocol;
}

/* --- A run --- */

static tl_protocol *end_start(struct end *end)
{
    end->protocol = new_protocol(end);
    return end->protocol;
}

static tl_protocol *client_factory(void *arg)
{
    return end_start(&tl_container_of((struct scene *)arg, struct play, scene)->ends[0]);
}

static tl_protocol *server_factory(void *arg)
{
    return end_start(&tl_container_of((struct scene *)arg, struct play, scene)->ends[1]);
}

static void end_init(struct end *end, struct play *play, uint64_t random)
{
    memset(end, 0, sizeof *end);
    end->play = play;
    end->random = random;
    end->steps = STEPS;
}

/* What one end sent and the other got, when both are lost. */
static void check_whole(const struct end *sender, const struct end *receiver)
{
    assert_int_equal(sender->play->failures, 0);
    bool cut = sender->aborted || sender->code != 0 || receiver->aborted || receiver->code != 0;
    assert_true(receiver->received <= sender->sent);
    assert_true(sender->held == 0 && receiver->held == 0);
    if (receiver->eof && !cut)
        assert_int_equal(receiver->received, sender->sent);
}

/* Reports are of what the callbacks have returned; who is told of one may well abort. */
static void on_exception(tl_loop *loop, const tl_exc_context *context, void *arg)
{
    struct play *play = arg;
    struct end *end = &play->ends[context->transport == play->ends[0].transport ? 0 : 1];
    (void)loop;
    assert_non_null(context->exception);
    assert_int_equal(context->exception->code, -EPROTO);
    assert_ptr_equal(context->transport, end->transport);
    play->failures--;
    if (draw(end, 3) > 0)
        return;
    end->failed = 0;
    end->aborted = true;
    tl_transport_abort(end->transport);
}

static void play_init(struct play *play, uint64_t number)
{
    tl_loop_set_exception_handler(play->scene.loop, on_exception, play);
    play->failures = 0;
    play->pauses = 0;
    play->stingy.writes = number;
    end_init(&play->ends[0], play, 2 * number + 1);
    end_init(&play->ends[1], play, 2 * number + 2);
}

/* How often writing was paused. */
static int run(struct contract *contract, uint64_t number)
{
    static struct play play;
    struct scene *scene = &play.scene;
    scene_open(scene, contract);
    play_init(&play, number);
    kernel_patch_apply(&play.stingy.patch, tl_loop_kernel(scene->loop));
    play.stingy.patch.ops.write = stingy_write;
    scene_serve(scene, server_factory);
    tl_future_detach(tl_loop_create_connection(scene->loop, client_factory, scene, "127.0.0.1",
                                               scene->port, NULL));
    scene_run(scene);
    scene_close(scene);
    assert_string_equal(scene->errors, "");
    check_whole(&play.ends[0], &play.ends[1]);
    check_whole(&play.ends[1], &play.ends[0]);
    return play.pauses;
}

static void anything_at_any_time(struct contract *contract)
{
    int pauses = 0;
    for (uint64_t number = 0; number < RUNS; number++)
        pauses += run(contract, number);
    assert_true(pauses > RUNS); /* it is no test of flow control otherwise */
}

/* --- Worlds in which anything goes wrong --- */

/* Serves on the loop of a scene, if the world lets it. */
static int serve_faulty(struct scene *scene)
{
    tl_value value = tl_value_none();
    tl_addr address;
    const char *const hosts[] = {"127.0.0.1"};
    tl_server_close(scene->server);
    tl_server_unref(scene->server);
    scene->server = NULL;
    tl_future *future =
        tl_loop_create_server(scene->loop, server_factory, scene, hosts, 1, "0", NULL);
    int r = tl_loop_run_until_complete(scene->loop, future, &value);
    if (r < 0)
        return r;
    scene->server = tl_server_ref(tl_value_server(&value));
    tl_value_finish(&value);
    r = tl_server_address(scene->server, 0, &address);
    (void)snprintf(scene->port, sizeof scene->port, "%u", address.port);
    return r;
}

/* A connection whose other end was never accepted is lost as well. */
static void give_up(void *arg)
{
    struct play *play = arg;
    if (play->ends[1].made)
        return;
    if (play->ends[0].transport != NULL) {
        play->ends[0].aborted = true;
        tl_transport_abort(play->ends[0].transport);
    }
    tl_loop_stop(play->scene.loop);
}

/* Whether there was a connection at all. */
static bool run_faulty(uint64_t seed)
{
    static struct play play;
    const struct tl_world_options options = {.seed = seed};
    struct scene *scene = &play.scene;
    struct tl_kernel *kernel;
    tl_loop *loop;
    tl_value value = tl_value_none();
    assert_int_equal(tl_sim_kernel_new(&options, &kernel), 0);
    assert_int_equal(tl_loop_new(kernel, &loop), 0);
    int r = scene_open_on(scene, loop);
    play_init(&play, seed);
    if (r == 0)
        r = serve_faulty(scene);
    if (r == 0)
        r = tl_loop_run_until_complete(
            loop,
            tl_loop_create_connection(loop, client_factory, scene, "127.0.0.1", scene->port, NULL),
            &value);
    tl_value_finish(&value);
    bool connected = r == 0;
    if (connected)
        (void)tl_loop_call_later(loop, 60 * TL_SECOND, give_up, &play, NULL);
    if (connected && scene->lost < 2)
        assert_int_equal(tl_loop_run_forever(loop), 0);
    scene_close(scene);
    check_whole(&play.ends[0], &play.ends[1]);
    check_whole(&play.ends[1], &play.ends[0]);
    return connected && play.ends[1].made;
}

/* Segments are cut and late, reads and writes are short, connections are reset. */
static void anything_in_a_faulty_world(struct contract *contract)
{
    int connected = 0;
    (void)contract;
    for (uint64_t seed = 0; seed < FAULTY_RUNS; seed++)
        connected += run_faulty(seed);
    assert_true(connected > FAULTY_RUNS / 2);
}

static const struct contract_case cases[] = {
    CONTRACT(anything_at_any_time),
    CONTRACT_ONLY(anything_in_a_faulty_world, CONTRACT_SIM),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "stream_random", cases, sizeof cases / sizeof *cases);
}
