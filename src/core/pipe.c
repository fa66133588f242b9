/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connect_read_pipe and connect_write_pipe: streams that go one way.
 *
 * They are streams with a few members of their type's table of their own; what those do not replace
 * (when callbacks come, flow control, the end) is as in stream.c and stream_write.c. A transport
 * for writing watches whether it could read: that it never wants to is how it learns that the peer
 * has gone.
 */
#include <errno.h>
#include <string.h>
#include <twinloop/pipe.h>

#include "core/given.h"
#include "core/opening.h"
#include "core/protocol.h"

struct pipe {
    struct tl_stream stream;
    tl_value value; /* what is told as "pipe" */
};

static const tl_value *pipe_extra_info(tl_transport *transport, const char *name)
{
    struct pipe *pipe = tl_container_of(tl_stream_of(transport), struct pipe, stream);
    if (strcmp(name, "pipe") != 0)
        return NULL;
    pipe->value = tl_value_int(pipe->stream.watch.fd);
    return &pipe->value;
}

/* --- Reading --- */

/* asyncio: two callbacks, between which nothing can come. */
static void ended(void *arg)
{
    struct tl_stream *stream = arg;
    tl_transport *transport = &stream->transport;
    tl_protocol *protocol = transport->protocol;
    tl_protocol_hold(protocol);
    int r = 0;
    if (protocol->ops->eof_received != NULL)
        r = protocol->ops->eof_received(protocol);
    if (r < 0)
        tl_loop_report(transport->loop, "Exception in callback protocol.eof_received()", r,
                       protocol, transport);
    tl_protocol_unhold(protocol);
    tl_stream_finish(stream);
}

static void read_nothing(struct tl_stream *stream, int result)
{
    tl_transport *transport = &stream->transport;
    /* asyncio: EIO is what a terminal says when its other side has gone. */
    if (result < 0 && result != -EIO)
        tl_loop_report(transport->loop, "Fatal read error on pipe transport", result,
                       transport->protocol, transport);
    tl_stream_end(stream, result);
    if (result < 0)
        return;
    transport->eof_received = true;
    stream->watch.place.callback = ended;
}

static int read_pipe_write(tl_transport *transport, const void *data, size_t len)
{
    (void)transport;
    (void)data;
    (void)len;
    return -EOPNOTSUPP;
}

static const struct tl_stream_type read_pipe_type = {
    .transport =
        {
            .object = {.name = "transport", .destroy = tl_stream_destroy},
            .size = sizeof(struct pipe),
            .accepts = tl_protocol_reads_stream,
            .close = tl_stream_close,
            .abort = tl_stream_abort,
            .extra_info = pipe_extra_info,
            .pause_reading = tl_stream_pause_reading,
            .resume_reading = tl_stream_resume_reading,
            .write = read_pipe_write,
        },
    .watches = true,
    .ready = tl_stream_ready,
    .read_nothing = read_nothing,
};

/* --- Writing --- */

static bool accepts_any(const tl_protocol *protocol)
{
    return protocol->ops != NULL;
}

static void write_ready(void *arg)
{
    struct tl_stream *stream = arg;
    /* asyncio: BrokenPipeError if something is left to be written. */
    if ((stream->watch.ready & TL_READABLE) != 0)
        tl_stream_end(stream, stream->flow.size > 0 ? -EPIPE : 0);
    else
        tl_stream_writable(stream);
}

/* Unlike a socket's, the reading side goes on being watched while the queue is flushed. */
static void write_pipe_close(tl_transport *transport)
{
    struct tl_stream *stream = tl_stream_of(transport);
    if (stream->flow.size == 0)
        tl_stream_end(stream, 0);
    else
        transport->phase = TL_TRANSPORT_FLUSHING;
}

static int write_pipe_write_eof(tl_transport *transport)
{
    write_pipe_close(transport);
    return 0;
}

#define WRITE_PIPE                                                                                 \
    .transport =                                                                                   \
        {                                                                                          \
            .object = {.name = "transport", .destroy = tl_stream_destroy},                         \
            .size = sizeof(struct pipe),                                                           \
            .accepts = accepts_any,                                                                \
            .close = write_pipe_close,                                                             \
            .abort = tl_stream_abort,                                                              \
            .extra_info = pipe_extra_info,                                                         \
            .write = tl_stream_write,                                                              \
            .writelines = tl_stream_writelines,                                                    \
            .write_eof = write_pipe_write_eof,                                                     \
            .flow = tl_stream_flow,                                                                \
    },                                                                                             \
    .ready = write_ready, .late = "pipe closed by peer or os.write(pipe, data) raised exception."

static const struct tl_stream_type write_pipe_type = {WRITE_PIPE, .watches = true};
static const struct tl_stream_type write_device_type = {WRITE_PIPE};

/* --- Connecting --- */

/* What can be read and written as a pipe can. */
static const struct tl_given_rule pipes = {
    1u << TL_ADOPTED_CHARDEV | 1u << TL_ADOPTED_FIFO | 1u << TL_ADOPTED_STREAM |
        1u << TL_ADOPTED_LISTENER | 1u << TL_ADOPTED_DATAGRAM | 1u << TL_ADOPTED_SOCKET,
    TL_FAMILY_NONE, "Pipe transport is for pipes/sockets only."};

static const struct tl_stream_type *type_for(bool writes, const struct tl_fd *fd)
{
    if (!writes)
        return &read_pipe_type;
    return fd->kind == TL_ADOPTED_CHARDEV ? &write_device_type : &write_pipe_type;
}

static tl_future *connect_pipe(tl_loop *loop, tl_protocol_factory factory, void *farg, int number,
                               bool writes)
{
    struct tl_fd *given;
    if (loop == NULL)
        return NULL;
    tl_future *future = tl_loop_create_future(loop);
    if (tl_future_done(future))
        return future;
    if (!tl_loop_open(loop) || factory == NULL) {
        (void)tl_future_set_exception(future, factory == NULL ? -EINVAL : TL_ECLOSED, NULL);
        return future;
    }
    if (tl_given_claim(loop, (tl_socket){number}, &pipes, future, &given) < 0)
        return future;
    struct tl_opening *opening = tl_opening_new(loop, future);
    if (opening == NULL) {
        tl_given_unclaim(given);
        (void)tl_future_set_exception(future, -ENOMEM, NULL);
    } else {
        tl_opening_later(opening, type_for(writes, given), number, given, factory, farg);
    }
    return future;
}

tl_future *tl_loop_connect_read_pipe(tl_loop *loop, tl_protocol_factory factory, void *farg, int fd)
{
    return connect_pipe(loop, factory, farg, fd, false);
}

tl_future *tl_loop_connect_write_pipe(tl_loop *loop, tl_protocol_factory factory, void *farg,
                                      int fd)
{
    return connect_pipe(loop, factory, farg, fd, true);
}
