/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagram transports, at random: three endpoints send to each other and do anything at any time,
 * from callbacks, from the exception handler and between them, on a kernel that takes datagrams as
 * it pleases. The rules that always hold are checked at every step.
 *
 *     connection_made first, connection_lost last, each once; nothing in between after it
 *     each callback goes to the protocol of now, and an old one is released exactly once
 *     pause_writing and resume_writing by turns, beginning with a pause; a pause only above the
 *         high water mark, a resume only at most at the low one
 *     datagrams are offered to the kernel in order, each until it is taken or refused
 *     what the kernel refuses is told error_received before anything else is asked of it
 *     what was queued when an endpoint was closed is sent; when it was aborted, nothing more is
 *     the buffer's size is 0 exactly when everything has been taken or refused
 *     no datagram after closing; each arrives once at most, and whole
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
#include "support/party.h"
#include "support/random.h"
#include "support/scene.h"

enum { RUNS = 60, STEPS = 40, LEN_MAX = 600, ENDS = 3 };

struct play;

/* What every datagram begins with. */
struct label {
    uint32_t sender;
    uint32_t number;
};

/* An endpoint. The first is connected to the third, the others to nobody. */
struct end {
    struct play *play;
    tl_protocol *protocol;   /* the transport's of now */
    tl_transport *transport; /* a reference, from connection_made to the end of the run */
    int fd;
    tl_addr addr;
    bool connected;
    uint64_t random;
    int steps;           /* that it still takes */
    int protocols;       /* that are not released */
    uint32_t sent;       /* datagrams that sendto took */
    uint32_t offered;    /* of these, taken or refused by the kernel */
    uint32_t next[ENDS]; /* the number that is expected next of each sender, at least */
    int refused;         /* what error_received is due for; 0: nothing */
    bool made;
    bool lost;
    bool paused;
    bool closed;
    bool aborted;
    bool broken; /* by what is no errno */
    int code;    /* connection_lost's */
};

struct actor {
    tl_protocol protocol;
    struct end *end;
};

struct play {
    struct kernel_patch patch;
    tl_loop *loop;
    struct ladder *ladder; /* or NULL: no allocation fails */
    tl_timer_handle *guard;
    uint64_t random; /* the kernel's */
    int pauses;
    int failures;
    int refusals;
    uint32_t received;
    int cut; /* ticks until the loop is stopped; 0: it is not */
    bool closing;
    struct end ends[ENDS];
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

/* --- The kernel --- */

static struct end *end_with(struct play *play, int fd)
{
    for (int i = 0; i < ENDS; i++)
        if (play->ends[i].made && play->ends[i].fd == fd)
            return &play->ends[i];
    return NULL;
}

/* Now and then something other than what was asked for; 0: nothing. */
static int refuse(struct play *play, struct end *end)
{
    static const int errors[] = {-ECONNREFUSED, -ENOBUFS, -EHOSTUNREACH, TL_ESTATE};
    if (draw_from(&play->random, 40) > 0)
        return 0;
    int error = errors[draw_from(&play->random, 20) == 0 ? 3 : draw_from(&play->random, 3)];
    assert_int_equal(end->refused, 0);
    if (error == TL_ESTATE)
        end->broken = true;
    else
        end->refused = error;
    play->refusals++;
    return error;
}

static uint32_t number_of(const struct tl_message *message)
{
    struct label label;
    assert_true(message->iov->iov_len >= sizeof label);
    memcpy(&label, message->iov->iov_base, sizeof label);
    return label.number;
}

/* Takes some of what it is given, or nothing, or refuses the first. */
static ssize_t some_write(struct tl_kernel *kernel, int fd, struct tl_message *messages,
                          size_t count)
{
    struct play *play = tl_container_of(kernel_patch(kernel), struct play, patch);
    struct end *end = end_with(play, fd);
    if (end == NULL)
        return play->patch.inner->write(kernel, fd, messages, count);
    assert_true(!end->aborted && !end->lost && !end->broken);
    assert_int_equal(end->refused, 0);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(number_of(&messages[i]), end->offered + i);
    if (draw_from(&play->random, 3) > 0)
        return -EAGAIN;
    int error = refuse(play, end);
    size_t n = 1 + draw_from(&play->random, (uint32_t)count);
    size_t taken = 0;
    while (error == 0 && taken < n) {
        ssize_t r = play->patch.inner->write(kernel, fd, &messages[taken], 1);
        if (r >= 0)
            taken++;
        else if (taken > 0 || r == -EAGAIN)
            break;
        else /* the other may be over, and memory out */
            end->refused = error = (int)r;
    }
    if (taken == 0 && error == 0)
        return -EAGAIN; /* the other is full */
    end->offered += (uint32_t)taken + (error != 0);
    if (error != 0)
        return error;
    return count == 1 ? (ssize_t)messages[0].iov->iov_len : (ssize_t)taken;
}

static ssize_t some_read(struct tl_kernel *kernel, int fd, struct tl_message *messages,
                         size_t count)
{
    struct play *play = tl_container_of(kernel_patch(kernel), struct play, patch);
    struct end *end = end_with(play, fd);
    int error = end != NULL ? refuse(play, end) : 0;
    if (error != 0)
        return error;
    ssize_t r = play->patch.inner->read(kernel, fd, messages, count);
    if (end != NULL && r < 0 && r != -EAGAIN)
        end->refused = (int)r;
    return r;
}

/* --- What an end does --- */

static void send_one(struct end *end)
{
    struct play *play = end->play;
    struct end *to = &play->ends[end->connected ? ENDS - 1 : draw(end, ENDS)];
    unsigned char *bytes = malloc(LEN_MAX);
    size_t len = sizeof(struct label) + draw(end, LEN_MAX - sizeof(struct label));
    bool open = !tl_transport_is_closing(end->transport);
    assert_non_null(bytes);
    memset(bytes, (int)(end->sent & 0xff), len);
    const struct label label = {(uint32_t)(end - play->ends), end->sent};
    memcpy(bytes, &label, sizeof label);
    end->sent += open; /* it may pause inside, or be told an error, and send more */
    int r = tl_datagram_transport_sendto(end->transport, bytes, len,
                                         end->connected && draw(end, 2) == 0 ? NULL : &to->addr);
    free(bytes);
    if (open && r == -ENOMEM) {
        assert_non_null(play->ladder);
        assert_int_equal(--end->sent, label.number);
        return;
    }
    assert_int_equal(r, open ? 0 : TL_ECLOSED);
}

/* What is refused for its arguments changes nothing. */
static void send_nowhere(struct end *end)
{
    if (tl_transport_is_closing(end->transport))
        return;
    if (end->connected)
        assert_int_equal(
            tl_datagram_transport_sendto(end->transport, "x", 1, &end->play->ends[1].addr),
            -EINVAL);
    else
        assert_int_equal(tl_datagram_transport_sendto(end->transport, "x", 1, NULL), -EDESTADDRREQ);
}

static void set_limits(struct end *end)
{
    ssize_t high = draw(end, 3) == 0 ? 0 : (ssize_t)draw(end, 4000);
    ssize_t low = draw(end, 2) == 0 ? TL_UNSET : (ssize_t)draw(end, (uint32_t)high + 1);
    bool open = !tl_transport_is_closing(end->transport);
    int r = tl_transport_set_write_buffer_limits(end->transport, high, low);
    assert_int_equal(r, open ? 0 : TL_ECLOSED);
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

static void abort_it(struct end *end)
{
    end->aborted = true;
    if (draw(end, 2) == 0)
        tl_transport_abort(end->transport);
    else
        tl_datagram_transport_abort(end->transport);
    assert_int_equal(tl_transport_get_write_buffer_size(end->transport), 0);
    assert_true(tl_transport_is_closing(end->transport));
}

static void close_it(struct end *end)
{
    end->closed = true;
    tl_transport_close(end->transport);
    assert_true(tl_transport_is_closing(end->transport));
}

static void step(struct end *end)
{
    if (end->transport == NULL || end->steps == 0)
        return;
    end->steps--;
    switch (draw(end, 16)) {
    case 0:
        change_protocol(end);
        break;
    case 2:
        if (draw(end, 6) == 0)
            abort_it(end);
        else if (draw(end, 3) == 0)
            close_it(end);
        break;
    case 3:
        set_limits(end);
        break;
    case 5:
        send_nowhere(end);
        break;
    default:
        send_one(end);
    }
}

/* In a callback, of which another may be the victim; what that answers, an error now and then. */
static int maybe_step(struct end *end)
{
    const tl_protocol *called = end->protocol;
    for (uint32_t n = draw(end, 3); n > 0; n--)
        step(draw(end, 4) == 0 ? &end->play->ends[draw(end, ENDS)] : end);
    assert_true(called->holds > 0); /* also if it has replaced itself */
    if (end->steps == 0 || draw(end, 60) > 0)
        return 0;
    end->play->failures++;
    return -EPROTO;
}

static void check_size(const struct end *end)
{
    /* Want of memory ends it as well. */
    if (end->play->ladder != NULL && tl_transport_is_closing(end->transport))
        return;
    bool over = end->lost || end->aborted || end->broken || end->offered == end->sent;
    assert_int_equal(tl_transport_get_write_buffer_size(end->transport) == 0, over);
}

/* Between callbacks. */
static void tick(void *arg)
{
    struct end *end = arg;
    if (end->play->cut > 0 && --end->play->cut == 0)
        tl_loop_stop(end->play->loop);
    if (end->lost)
        return;
    if (end->transport != NULL) {
        check_size(end);
        step(end);
        check_size(end);
        if (end->steps == 0)
            close_it(end);
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
    end->fd = (int)tl_transport_get_extra_info(transport, "socket", NULL)->integer;
    end->addr = *(const tl_addr *)tl_transport_get_extra_info(transport, "sockname", NULL)->pointer;
    return end == &end->play->ends[0] ? maybe_step(end) : 0;
}

static void on_lost(tl_protocol *protocol, const tl_error *exc)
{
    struct end *end = end_of(protocol);
    struct play *play = end->play;
    assert_int_equal(end->refused, 0);
    end->lost = true;
    end->code = exc != NULL ? exc->code : 0;
    if (!end->aborted && !end->broken && end->code == 0)
        assert_int_equal(end->offered, end->sent);
    check_size(end);
    for (end->steps = 5; end->steps > 0;)
        step(end); /* and is refused */
    for (int i = 0; i < ENDS; i++)
        if (!play->ends[i].lost)
            return;
    tl_loop_stop(play->loop);
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
    assert_true(end->paused && !end->aborted && !end->broken);
    tl_transport_get_write_buffer_limits(end->transport, &low, &high);
    assert_true(tl_transport_get_write_buffer_size(end->transport) <= low);
    end->paused = false;
    return maybe_step(end);
}

static int on_datagram(tl_protocol *protocol, const void *data, size_t len, const tl_addr *from)
{
    struct end *end = end_of(protocol);
    const unsigned char *bytes = data;
    struct label label;
    assert_true(!end->closed && !end->aborted && !end->broken);
    assert_int_equal(end->refused, 0);
    assert_true(len >= sizeof label);
    memcpy(&label, data, sizeof label);
    assert_true(label.sender < ENDS && label.number >= end->next[label.sender]);
    end->next[label.sender] = label.number + 1;
    for (size_t i = sizeof label; i < len; i++)
        assert_int_equal(bytes[i], label.number & 0xff);
    assert_true(tl_addr_equal(from, &end->play->ends[label.sender].addr));
    end->play->received++;
    return maybe_step(end);
}

static int on_error(tl_protocol *protocol, const tl_error *exc)
{
    struct end *end = end_of(protocol);
    assert_int_equal(exc->code, end->refused);
    end->refused = 0;
    return maybe_step(end);
}

/* Whatever is done to an end whose loop is closed. */
static void check_closed(struct end *end)
{
    static tl_protocol none;
    tl_transport *transport = end->transport;
    tl_transport_close(transport);
    tl_datagram_transport_abort(transport);
    assert_true(tl_transport_is_closing(transport));
    assert_int_equal(tl_transport_set_protocol(transport, &none), TL_ECLOSED);
    assert_int_equal(tl_transport_set_write_buffer_limits(transport, 1, 1), TL_ECLOSED);
    assert_int_equal(tl_datagram_transport_sendto(transport, "x", 1, &end->addr), TL_ECLOSED);
    const tl_value *name = tl_transport_get_extra_info(transport, "sockname", NULL);
    assert_true(tl_addr_equal(name->pointer, &end->addr));
}

static void on_release(tl_protocol *protocol)
{
    struct actor *actor = tl_container_of(protocol, struct actor, protocol);
    struct play *play = actor->end->play;
    assert_int_equal(protocol->holds, 0);
    actor->end->protocols--;
    free(actor);
    for (int i = 0; i < ENDS && play->closing && tl_loop_is_closed(play->loop); i++)
        check_closed(&play->ends[i]);
}

static const struct tl_protocol_ops ops = {
    .kind = TL_PROTOCOL_DATAGRAM,
    .connection_made = on_made,
    .connection_lost = on_lost,
    .pause_writing = on_pause,
    .resume_writing = on_resume,
    .datagram_received = on_datagram,
    .error_received = on_error,
    .release = on_release,
};

static tl_protocol *new_protocol(struct end *end)
{
    struct actor *actor = malloc(sizeof *actor);
    assert_non_null(actor);
    actor->end = end;
    actor->protocol = TL_PROTOCOL_INIT(&ops);
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
    (void)loop;
    if (context->exception == NULL) { /* debug mode tells that it is left open */
        for (int i = 0; i < ENDS; i++)
            step(&play->ends[i]);
        return;
    }
    assert_int_equal(context->exception->code, -EPROTO);
    play->failures--;
    for (int i = 0; i < ENDS; i++)
        if (play->ends[i].transport == context->transport && draw(&play->ends[i], 6) == 0)
            abort_it(&play->ends[i]);
}

static void too_long(void *arg)
{
    (void)arg;
    fail_msg("a run does not end");
}

static void end_open(struct play *play, int index, uint64_t number, const tl_addr *local)
{
    struct end *end = &play->ends[index];
    end->play = play;
    end->random = ENDS * number + (uint64_t)index;
    end->connected = index == 0;
    end->steps = STEPS;
    bool batch = draw(end, 2) == 0;
    const tl_datagram_opts opts = {.batch_sends = batch, .read_batch = draw(end, 3) == 0};
    tl_future *future = tl_loop_create_datagram_endpoint(
        play->loop, factory, end, local, end->connected ? &play->ends[ENDS - 1].addr : NULL, &opts);
    assert_int_equal(tl_loop_run_until_complete(play->loop, future, NULL), 0);
}

/* Asks an end that is over, and lets it go. */
static void end_finish(struct end *end)
{
    assert_int_equal(end->protocols, 0);
    assert_null(tl_transport_get_protocol(end->transport));
    const tl_value *name = tl_transport_get_extra_info(end->transport, "sockname", NULL);
    assert_true(tl_addr_equal(name->pointer, &end->addr));
    assert_int_equal(tl_transport_get_extra_info(end->transport, "socket", NULL)->integer, -1);
    if (end->play->ladder == NULL || end->code != -ENOMEM)
        assert_int_equal(end->code, end->broken && end->code != 0 ? TL_ESTATE : 0);
    tl_transport_close(end->transport);
    tl_datagram_transport_abort(end->transport);
    tl_transport_unref(end->transport);
}

/* Opened from the last to the first, which is connected to that. */
static void run(struct contract *contract, struct play *play, uint64_t number, tl_addr local)
{
    memset(play->ends, 0, sizeof play->ends);
    play->random = number;
    play->cut = number % 4 == 3 ? (int)(number % 70) + 3 : 0;
    play->closing = false;
    play->failures = 0;
    play->ladder = contract->ladder;
    play->loop = contract_loop(contract);
    tl_loop_set_debug(play->loop, number % 8 == 3);
    tl_loop_set_exception_handler(play->loop, on_exception, play);
    kernel_patch_apply(&play->patch, tl_loop_kernel(play->loop));
    play->patch.ops.write = some_write;
    play->patch.ops.read = some_read;
    for (int i = ENDS - 1; i >= 0; i--)
        end_open(play, i, number, &local);
    assert_int_equal(tl_loop_call_later(play->loop, 60 * TL_SECOND, too_long, NULL, &play->guard),
                     0);
    if (play->ladder != NULL)
        ladder_arm(play->ladder);
    for (int i = 0; i < ENDS; i++)
        tick(&play->ends[i]);
    assert_int_equal(tl_loop_run_forever(play->loop), 0);
    tl_timer_handle_cancel(play->guard);
    tl_timer_handle_unref(play->guard);
    if (play->ladder != NULL)
        ladder_disarm(play->ladder);
    assert_int_equal(play->failures, 0);
    play->closing = true;
    assert_int_equal(tl_loop_close(play->loop), 0);
    tl_loop_free(play->loop);
    for (int i = 0; i < ENDS; i++)
        end_finish(&play->ends[i]);
}

static void runs(struct contract *contract, tl_addr local)
{
    static struct play play;
    memset(&play, 0, sizeof play);
    for (uint64_t number = 0; number < RUNS; number++)
        run(contract, &play, number, local);
    /* It is no test otherwise. */
    assert_true(play.pauses > RUNS && play.refusals > RUNS / 3 && play.received > RUNS);
}

static void anything_at_any_time(struct contract *contract)
{
    runs(contract, numeric("127.0.0.1", 0));
}

static void anything_among_unix_sockets(struct contract *contract)
{
    runs(contract, (tl_addr){.family = TL_FAMILY_UNIX});
}

static void any_allocation_may_fail(struct contract *contract)
{
    static struct play play;
    memset(&play, 0, sizeof play);
    run(contract, &play, 1, numeric("127.0.0.1", 0));
}

static const struct contract_case cases[] = {
    CONTRACT(anything_at_any_time),
    CONTRACT(anything_among_unix_sockets),
    CONTRACT_LADDER(any_allocation_may_fail, 4),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "datagram_random", cases, sizeof cases / sizeof *cases);
}
