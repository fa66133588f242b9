/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pipe transports, at random: a writer and a reader of one pipe do anything at any time, from
 * callbacks, from the exception handler and between them, and the rules that always hold are
 * checked at every step.
 *
 *     connection_made first, connection_lost last, each once; nothing in between after it
 *     each callback goes to the protocol of now, and an old one is released exactly once
 *     pause_writing and resume_writing by turns, beginning with a pause; a pause only above the
 *         high water mark, a resume only at most at the low one
 *     no data or buffer while reading is paused, after closing, or after the end
 *     bytes arrive in order; all of them before an end that nobody cut short
 *     an error that a reading callback returns is what connection_lost is told
 *     when the loop is closed under them, every call says so, from a release too
 *
 * Protocols are allocated one by one and freed by their release, so that a sanitizer sees whoever
 * uses one afterwards. What is done follows from a number, so that a replay does the same.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "support/random.h"
#include "support/scene.h"

enum { RUNS = 60, STEPS = 60, BUFFER_SIZE = 5000, PIECE_MAX = 40000, PIECES = 200 };

struct play;

/* One end of the pipe. */
struct end {
    struct play *play;
    tl_protocol *protocol;   /* the transport's of now */
    tl_transport *transport; /* a reference, from connection_made to the end of the run */
    bool writes;
    uint64_t random;
    int steps;     /* that it still takes */
    int protocols; /* that are not released */
    size_t sent;   /* bytes that write took */
    size_t received;
    bool made;
    bool lost;
    bool paused; /* pause_writing */
    bool silent; /* pause_reading */
    bool eof;
    bool closed; /* by a call of the program's, before anything else has ended it */
    bool aborted;
    int failed; /* an error that a callback has returned, and that ended it */
    int code;   /* connection_lost's */
    char buffer[BUFFER_SIZE];
};

struct actor {
    tl_protocol protocol;
    struct end *end;
};

struct play {
    struct stingy stingy;
    tl_loop *loop;
    struct ladder *ladder; /* or NULL: no allocation fails */
    tl_timer_handle *guard;
    int pauses;
    int failures;
    int cut; /* ticks until the loop is stopped; 0: it is not */
    bool closing;
    struct end reader;
    struct end writer;
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
    assert_true(end->made && !end->lost);
    return end;
}

static tl_protocol *new_protocol(struct end *end);

/* --- What an end does --- */

/* Up to PIECES pieces, many of them of nothing. */
static int write_pieces(struct end *end, const char *bytes, size_t len)
{
    tl_buf bufs[PIECES];
    size_t n = 0;
    for (size_t at = 0; n < PIECES; n++) {
        size_t most = len - at;
        size_t piece = n + 1 == PIECES ? most : draw(end, (uint32_t)most / 20 + 2);
        if (piece > most)
            piece = most;
        bufs[n] = (tl_buf){piece > 0 ? bytes + at : NULL, piece};
        at += piece;
    }
    return tl_transport_writelines(end->transport, bufs, n);
}

static void write_some(struct end *end)
{
    char *bytes = malloc(PIECE_MAX);
    size_t len = draw(end, 4) == 0 ? draw(end, PIECE_MAX) : draw(end, 100);
    assert_non_null(bytes);
    for (size_t i = 0; i < len; i++)
        bytes[i] = pattern_byte(end->sent + i);
    bool allowed = !tl_transport_is_closing(end->transport);
    if (allowed)
        end->sent += len; /* it may pause inside, and write more */
    int r = draw(end, 2) == 0 ? tl_transport_write(end->transport, bytes, len)
                              : write_pieces(end, bytes, len);
    free(bytes);
    if (allowed && r == -ENOMEM) {
        assert_non_null(end->play->ladder);
        assert_true(tl_transport_is_closing(end->transport));
        return;
    }
    assert_int_equal(r, allowed ? 0 : TL_ECLOSED);
}

static void set_limits(struct end *end)
{
    ssize_t high = draw(end, 3) == 0 ? 0 : (ssize_t)draw(end, 100000);
    ssize_t low = draw(end, 2) == 0 ? TL_UNSET : (ssize_t)draw(end, (uint32_t)high + 1);
    bool allowed = !tl_transport_is_closing(end->transport);
    int r = tl_transport_set_write_buffer_limits(end->transport, high, low);
    assert_int_equal(r, allowed ? 0 : TL_ECLOSED);
}

static void toggle_reading(struct end *end)
{
    bool allowed = !tl_transport_is_closing(end->transport);
    int r = end->silent ? tl_transport_resume_reading(end->transport)
                        : tl_transport_pause_reading(end->transport);
    assert_int_equal(r, allowed ? 0 : TL_ECLOSED);
    end->silent = end->silent != allowed;
    assert_int_equal(tl_transport_is_reading(end->transport), allowed && !end->silent);
}

static void change_protocol(struct end *end)
{
    tl_protocol *old = end->protocol;
    tl_protocol *next = new_protocol(end);
    end->protocol = next;
    int r = tl_transport_set_protocol(end->transport, next);
    if (r < 0) { /* it was not taken */
        assert_true(end->lost);
        next->ops->release(next);
        end->protocol = old;
    }
    if (!end->lost)
        assert_ptr_equal(tl_transport_get_protocol(end->transport), next);
}

static void finish(struct end *end)
{
    bool open = !tl_transport_is_closing(end->transport);
    if (draw(end, 4) == 0) {
        /* Who is flushing may still abort; a reader's end goes on as it was. */
        end->aborted = end->aborted || open || end->writes;
        tl_transport_abort(end->transport);
        assert_int_equal(tl_transport_get_write_buffer_size(end->transport), 0);
    } else if (end->writes && draw(end, 2) == 0) {
        end->closed = end->closed || open;
        assert_int_equal(tl_transport_write_eof(end->transport), open ? 0 : TL_ECLOSED);
    } else {
        end->closed = end->closed || open;
        tl_transport_close(end->transport);
    }
    assert_true(tl_transport_is_closing(end->transport));
}

static void step(struct end *end)
{
    if (end->transport == NULL || end->steps == 0)
        return;
    end->steps--;
    switch (draw(end, 20)) {
    case 0:
    case 1:
    case 2:
        change_protocol(end);
        break;
    case 3:
        if (draw(end, 3) == 0)
            finish(end);
        break;
    case 4:
    case 5:
    case 6:
        if (end->writes)
            set_limits(end);
        else
            toggle_reading(end);
        break;
    default:
        if (end->writes)
            write_some(end);
        else
            toggle_reading(end);
    }
}

/* In a callback, of which the other end may be the victim; what that answers, which is an error now
 * and then. */
static int maybe_step(struct end *end)
{
    struct end *other = end->writes ? &end->play->reader : &end->play->writer;
    const tl_protocol *called = end->protocol;
    for (uint32_t n = draw(end, 3); n > 0; n--)
        step(draw(end, 4) == 0 ? other : end);
    assert_true(called->holds > 0); /* also if it has replaced itself */
    if (end->steps == 0 || draw(end, 60) > 0)
        return 0;
    end->play->failures++;
    return -EPROTO;
}

/* As above, in a callback whose error ends the connection, unless that has ended already. */
static int maybe_fail(struct end *end)
{
    int r = maybe_step(end);
    if (r < 0 && !tl_transport_is_closing(end->transport))
        end->failed = r;
    return r;
}

/* Between callbacks; the last step lets go of everything that could keep the connection. */
static void tick(void *arg)
{
    struct end *end = arg;
    if (end->play->cut > 0 && --end->play->cut == 0)
        tl_loop_stop(end->play->loop);
    if (end->lost)
        return;
    if (end->transport != NULL) {
        step(end);
        if (end->steps == 0 && end->writes && !tl_transport_is_closing(end->transport)) {
            end->closed = true;
            tl_transport_close(end->transport);
        }
        if (end->steps == 0 && end->silent && !tl_transport_is_closing(end->transport))
            toggle_reading(end);
    }
    while (tl_loop_call_later(end->play->loop, 50 * TL_MICROSECOND, tick, end, NULL) < 0)
        ladder_disarm(end->play->ladder);
}

/* --- What an end is told --- */

static int on_made(tl_protocol *protocol, tl_transport *transport)
{
    struct end *end = tl_container_of(protocol, struct actor, protocol)->end;
    assert_false(end->made);
    end->made = true;
    end->transport = tl_transport_ref(transport);
    if (end->play->ladder != NULL && end->play->reader.made && end->play->writer.made)
        ladder_arm(end->play->ladder);
    return maybe_step(end);
}

static void on_lost(tl_protocol *protocol, const tl_error *exc)
{
    struct end *end = end_of(protocol);
    assert_int_equal(tl_transport_get_write_buffer_size(end->transport), 0);
    end->lost = true;
    end->code = exc != NULL ? exc->code : 0;
    for (end->steps = 5; end->steps > 0;)
        step(end); /* and is refused */
    if (end->play->reader.lost && end->play->writer.lost)
        tl_loop_stop(end->play->loop);
}

static int on_pause(tl_protocol *protocol)
{
    struct end *end = end_of(protocol);
    size_t low, high;
    assert_false(end->paused);
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
    assert_true(end->paused && !end->aborted);
    tl_transport_get_write_buffer_limits(end->transport, &low, &high);
    assert_true(tl_transport_get_write_buffer_size(end->transport) <= low);
    end->paused = false;
    return maybe_step(end);
}

static void check_reading(const struct end *end)
{
    assert_true(!end->writes && !end->silent && !end->eof && !end->closed && !end->aborted);
    assert_int_equal(end->failed, 0);
}

static int take_bytes(struct end *end, const char *data, size_t len)
{
    check_reading(end);
    assert_true(len > 0);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(data[i], pattern_byte(end->received + i));
    end->received += len;
    return maybe_fail(end);
}

static int on_data(tl_protocol *protocol, const void *data, size_t len)
{
    return take_bytes(end_of(protocol), data, len);
}

static int on_get_buffer(tl_protocol *protocol, ssize_t hint, void **ret_buffer, size_t *ret_len)
{
    struct end *end = end_of(protocol);
    assert_int_equal(hint, -1);
    check_reading(end);
    *ret_buffer = end->buffer;
    *ret_len = 1 + draw(end, BUFFER_SIZE);
    return draw(end, 4) == 0 ? maybe_fail(end) : 0;
}

static int on_updated(tl_protocol *protocol, size_t len)
{
    struct end *end = end_of(protocol);
    return take_bytes(end, end->buffer, len);
}

/* It is closing by now; its answer means nothing. */
static int on_eof(tl_protocol *protocol)
{
    struct end *end = end_of(protocol);
    check_reading(end);
    assert_true(tl_transport_is_closing(end->transport));
    end->eof = true;
    int r = maybe_step(end);
    return r < 0 ? r : (int)draw(end, 2);
}

/* Whatever is done to an end whose loop is closed. */
static void check_closed(struct end *end)
{
    tl_transport *transport = end->transport;
    static tl_protocol none;
    if (transport == NULL)
        return;
    tl_transport_close(transport);
    tl_transport_abort(transport);
    assert_true(tl_transport_is_closing(transport));
    assert_int_equal(tl_transport_set_protocol(transport, &none), TL_ECLOSED);
    assert_int_equal(tl_transport_pause_reading(transport), TL_ECLOSED);
    assert_int_equal(tl_transport_write_eof(transport), TL_ECLOSED);
    assert_int_equal(tl_transport_write(transport, "x", 1), end->writes ? TL_ECLOSED : -EOPNOTSUPP);
    assert_non_null(tl_transport_get_extra_info(transport, "pipe", NULL));
}

static void on_release(tl_protocol *protocol)
{
    struct actor *actor = tl_container_of(protocol, struct actor, protocol);
    struct play *play = actor->end->play;
    assert_int_equal(protocol->holds, 0);
    actor->end->protocols--;
    free(actor);
    if (play->closing && tl_loop_is_closed(play->loop)) {
        check_closed(&play->reader);
        check_closed(&play->writer);
    }
}

#define COMMON_OPS                                                                                 \
    .connection_made = on_made, .connection_lost = on_lost, .pause_writing = on_pause,             \
    .resume_writing = on_resume, .eof_received = on_eof, .release = on_release

static const struct tl_protocol_ops stream_ops = {
    .kind = TL_PROTOCOL_STREAM, COMMON_OPS, .data_received = on_data};
static const struct tl_protocol_ops buffered_ops = {.kind = TL_PROTOCOL_BUFFERED,
                                                    COMMON_OPS,
                                                    .get_buffer = on_get_buffer,
                                                    .buffer_updated = on_updated};
static const struct tl_protocol_ops datagram_ops = {.kind = TL_PROTOCOL_DATAGRAM, COMMON_OPS};

/* A writer's may be of any kind. */
static tl_protocol *new_protocol(struct end *end)
{
    static const struct tl_protocol_ops *const kinds[] = {&stream_ops, &buffered_ops,
                                                          &datagram_ops};
    struct actor *actor = malloc(sizeof *actor);
    assert_non_null(actor);
    actor->end = end;
    actor->protocol = TL_PROTOCOL_INIT(kinds[draw(end, end->writes ? 3 : 2)]);
    end->protocols++;
    return &actor->protocol;
}

static tl_protocol *factory(void *arg)
{
    struct end *end = arg;
    end->protocol = new_protocol(end);
    return end->protocol;
}

/* --- A run --- */

/* Reports are of what the callbacks have returned; who is told of one may well abort. */
static void on_exception(tl_loop *loop, const tl_exc_context *context, void *arg)
{
    struct play *play = arg;
    struct end *end = context->transport == play->reader.transport ? &play->reader : &play->writer;
    (void)loop;
    if (context->exception == NULL) { /* debug mode tells that it is left open */
        assert_int_equal(play->cut, 0);
        step(&play->reader);
        step(&play->writer);
        return;
    }
    assert_int_equal(context->exception->code, -EPROTO);
    play->failures--;
    if (draw(end, 3) > 0)
        return;
    bool open = !tl_transport_is_closing(end->transport);
    if (open)
        end->failed = 0;
    end->aborted = end->aborted || open || end->writes;
    tl_transport_abort(end->transport);
}

static void too_long(void *arg)
{
    (void)arg;
    fail_msg("a run does not end");
}

static void end_init(struct end *end, struct play *play, uint64_t random)
{
    memset(end, 0, sizeof *end);
    end->play = play;
    end->random = random;
    end->steps = STEPS;
    end->writes = end == &play->writer;
}

/* Asks an end that is over, and lets it go. */
static void end_finish(struct end *end)
{
    assert_int_equal(end->protocols, 0);
    if (end->transport == NULL)
        return;
    assert_null(tl_transport_get_protocol(end->transport));
    assert_int_equal(tl_transport_get_extra_info(end->transport, "pipe", NULL)->integer, -1);
    if (end->lost && end->failed != 0 && !end->aborted)
        assert_int_equal(end->code, end->failed);
    tl_transport_close(end->transport);
    tl_transport_abort(end->transport);
    tl_transport_unref(end->transport);
}

static void check_whole(const struct end *writer, const struct end *reader)
{
    assert_true(reader->received <= writer->sent);
    if (reader->eof && !writer->aborted && writer->code == 0)
        assert_int_equal(reader->received, writer->sent);
}

static int run(struct contract *contract, enum tl_pipe_kind kind, uint64_t number)
{
    static struct play play;
    tl_socket sockets[2];
    play = (struct play){
        .stingy.writes = number, .loop = contract_loop(contract), .ladder = contract->ladder};
    if (number % 4 == 3)
        play.cut = (int)(number % 50) + 1;
    tl_loop_set_debug(play.loop, number % 8 == 3);
    end_init(&play.reader, &play, 2 * number + 1);
    end_init(&play.writer, &play, 2 * number + 2);
    tl_loop_set_exception_handler(play.loop, on_exception, &play);
    kernel_patch_apply(&play.stingy.patch, tl_loop_kernel(play.loop));
    play.stingy.patch.ops.write = stingy_write;
    assert_int_equal(kind == TL_PIPE_ONE_WAY ? tl_pipe_open(play.loop, &sockets[0], &sockets[1])
                                             : tl_socket_pair(play.loop, &sockets[0], &sockets[1]),
                     0);
    tl_future_detach(tl_loop_connect_read_pipe(play.loop, factory, &play.reader, sockets[0].fd));
    tl_future_detach(tl_loop_connect_write_pipe(play.loop, factory, &play.writer, sockets[1].fd));
    tick(&play.reader);
    tick(&play.writer);
    assert_int_equal(tl_loop_call_later(play.loop, 60 * TL_SECOND, too_long, NULL, &play.guard), 0);
    assert_int_equal(tl_loop_run_forever(play.loop), 0);
    tl_timer_handle_cancel(play.guard);
    tl_timer_handle_unref(play.guard);
    if (play.ladder != NULL)
        ladder_disarm(play.ladder);
    assert_int_equal(play.failures, 0);
    check_whole(&play.writer, &play.reader);
    play.closing = true;
    assert_int_equal(tl_loop_close(play.loop), 0);
    tl_loop_free(play.loop);
    end_finish(&play.reader);
    end_finish(&play.writer);
    return play.pauses;
}

static void runs(struct contract *contract, enum tl_pipe_kind kind)
{
    int pauses = 0;
    for (uint64_t number = 0; number < RUNS; number++)
        pauses += run(contract, kind, number);
    assert_true(pauses > RUNS / 3); /* it is no test of flow control otherwise */
}

static void anything_at_any_time(struct contract *contract)
{
    runs(contract, TL_PIPE_ONE_WAY);
}

static void anything_at_any_time_on_a_pair(struct contract *contract)
{
    runs(contract, TL_PIPE_STREAM_PAIR);
}

static void any_allocation_may_fail(struct contract *contract)
{
    (void)run(contract, TL_PIPE_ONE_WAY, 1);
}

static const struct contract_case cases[] = {
    CONTRACT(anything_at_any_time),
    CONTRACT(anything_at_any_time_on_a_pair),
    CONTRACT_LADDER(any_allocation_may_fail, 4),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "pipe_random", cases, sizeof cases / sizeof *cases);
}
