/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stream transports: reading.
 *
 * A stream that is read from wants the watch's reader from connection_made on, until it is paused,
 * closed or at its end. For each readiness a protocol is given what one read brings; only when that
 * comes back full is there another, and not for ever, since others wait for their turn.
 *
 * The way of a short message to a streaming protocol is the hot path of every server: it is one
 * function, tl_stream_ready, and whatever happens more rarely is kept out of it by a call.
 */
#include <errno.h>

#include "core/alloc.h"
#include "core/protocol.h"
#include "core/self.h"
#include "core/stream.h"

/* One readiness is read this often at most, and only while the buffer comes back full. */
enum { READS_MAX = 4 };

static bool reading(const struct tl_stream *stream)
{
    return (stream->watch.wanted & TL_READABLE) != 0;
}

/* A callback of the protocol has returned an error: that ends the connection. */
static __attribute__((noinline)) void failed(struct tl_stream *stream, tl_protocol *protocol,
                                             const char *message, int error)
{
    tl_loop_report(stream->transport.loop, message, error, protocol, &stream->transport);
    tl_stream_end(stream, error);
}

/* get_buffer has failed, or has succeeded without room for a single byte. */
static __attribute__((noinline)) void no_buffer(struct tl_stream *stream, tl_protocol *protocol,
                                                int code)
{
    const tl_error error = {
        .code = code < 0 ? code : TL_EPROTOCOL,
        .message = code < 0 ? tl_strerror(code) : "get_buffer() returned an empty buffer",
    };
    const tl_exc_context context = {
        .message = "Fatal error: protocol.get_buffer() call failed.",
        .exception = &error,
        .protocol = protocol,
        .source_traceback = tl_transport_origin(&stream->transport),
        .transport = &stream->transport,
    };
    tl_loop_call_exception_handler(stream->transport.loop, &context);
    tl_stream_end(stream, error.code);
}

static void receive_eof(struct tl_stream *stream)
{
    tl_transport *transport = &stream->transport;
    tl_protocol *protocol = transport->protocol;
    int keep_open = 0;
    transport->eof_received = true;
    tl_watch_drop(&stream->watch, transport->loop, TL_READABLE);
    tl_protocol_hold(protocol);
    if (protocol->ops->eof_received != NULL)
        keep_open = protocol->ops->eof_received(protocol);
    if (keep_open < 0)
        failed(stream, protocol, "Fatal error: protocol.eof_received() call failed.", keep_open);
    else if (keep_open == 0)
        tl_transport_close(transport);
    tl_protocol_unhold(protocol);
}

void tl_stream_read_nothing(struct tl_stream *stream, int result)
{
    if (result == 0)
        receive_eof(stream);
    else
        tl_stream_end(stream, result);
}

/* What read said when it gave no bytes. */
static __attribute__((noinline)) void receive_nothing(struct tl_stream *stream, int result)
{
    if (result != -EAGAIN)
        tl_stream_type(stream)->read_nothing(stream, result);
}

static inline ssize_t read_to(tl_loop *loop, const struct tl_stream *stream, struct tl_piece *piece)
{
    struct tl_kernel *kernel = loop->kernel;
    return kernel->ops->read(kernel, stream->watch.fd, &piece->message, 1);
}

/* The first read of this thread: makes its buffer. Whether there is one now. */
static __attribute__((noinline)) bool make_buffer(tl_loop *loop)
{
    struct tl_thread *self = tl_thread_self();
    if (self->read_buffer == NULL)
        self->read_buffer = tl_alloc(TL_READ_BUFFER_SIZE);
    loop->incoming.bytes = (struct iovec){self->read_buffer, TL_READ_BUFFER_SIZE};
    return self->read_buffer != NULL;
}

/* Gives a streaming protocol the first bytes of the buffer. */
static inline void give_data(struct tl_stream *stream, tl_protocol *protocol, size_t len)
{
    if (protocol->ops->data_received == NULL)
        return;
    tl_protocol_hold(protocol);
    const void *data = stream->transport.loop->incoming.bytes.iov_base;
    int r = protocol->ops->data_received(protocol, data, len);
    if (r < 0)
        failed(stream, protocol, "Fatal error: protocol.data_received() call failed.", r);
    tl_protocol_unhold(protocol);
}

/* Reads once for the stream's protocol, which is a streaming one; whether there may well be more,
 * and it is wanted. */
static inline __attribute__((always_inline)) bool receive_data(struct tl_stream *stream,
                                                               tl_protocol *protocol)
{
    tl_loop *loop = stream->transport.loop;
    if (loop->incoming.bytes.iov_base == NULL && !make_buffer(loop)) {
        tl_stream_end(stream, -ENOMEM);
        return false;
    }
    ssize_t len = read_to(loop, stream, &loop->incoming);
    if (len <= 0) {
        receive_nothing(stream, (int)len);
        return false;
    }
    /* Looked at first, so that the length need not be kept. */
    if (__builtin_expect(len == TL_READ_BUFFER_SIZE, false)) {
        give_data(stream, protocol, TL_READ_BUFFER_SIZE);
        return reading(stream);
    }
    give_data(stream, protocol, (size_t)len);
    return false;
}

/* Asks a buffered protocol where to read to, which goes into the loop's piece; whether it is worth
 * reading. */
static inline bool get_buffer(struct tl_stream *stream, tl_protocol *protocol,
                              struct tl_piece *piece)
{
    piece->bytes = (struct iovec){NULL, 0};
    int r = protocol->ops->get_buffer(protocol, -1, &piece->bytes.iov_base, &piece->bytes.iov_len);
    if (r < 0 || piece->bytes.iov_base == NULL || piece->bytes.iov_len == 0) {
        no_buffer(stream, protocol, r);
        return false;
    }
    /* It may have paused, closed or put another protocol in its place. */
    return reading(stream) && stream->transport.protocol == protocol;
}

/* Tells a buffered protocol how much has come. */
static inline void tell_updated(struct tl_stream *stream, tl_protocol *protocol, size_t len)
{
    int r = protocol->ops->buffer_updated(protocol, len);
    if (r < 0)
        failed(stream, protocol, "Fatal error: protocol.buffer_updated() call failed.", r);
}

/* Reads to where a buffered protocol wants it. How much has come; nothing to be told is 0. */
static inline size_t read_offered(tl_loop *loop, struct tl_stream *stream, tl_protocol *protocol)
{
    if (!get_buffer(stream, protocol, &loop->offered))
        return 0;
    ssize_t len = read_to(loop, stream, &loop->offered);
    if (len > 0)
        return (size_t)len;
    receive_nothing(stream, (int)len);
    return 0;
}

/* The rest of receive_buffered when the buffer is full. */
static __attribute__((noinline)) bool receive_full(struct tl_stream *stream, tl_protocol *protocol)
{
    tell_updated(stream, protocol, stream->transport.loop->offered.bytes.iov_len);
    bool more = reading(stream);
    tl_protocol_unhold(protocol);
    return more;
}

/* As receive_data, for a buffered one. */
static inline __attribute__((always_inline)) bool receive_buffered(struct tl_stream *stream,
                                                                   tl_protocol *protocol)
{
    tl_loop *loop = stream->transport.loop;
    tl_protocol_hold(protocol);
    size_t len = read_offered(loop, stream, protocol);
    if (len > 0) {
        if (len == loop->offered.bytes.iov_len)
            return receive_full(stream, protocol);
        tell_updated(stream, protocol, len);
    }
    tl_protocol_unhold(protocol);
    return false;
}

static inline bool is_buffered(const tl_protocol *protocol)
{
    return protocol->ops->kind == TL_PROTOCOL_BUFFERED;
}

static bool receive(struct tl_stream *stream)
{
    tl_protocol *protocol = stream->transport.protocol;
    return is_buffered(protocol) ? receive_buffered(stream, protocol)
                                 : receive_data(stream, protocol);
}

/* Up to so many rounds. The protocol, and with it the way it reads, may change between two. */
static __attribute__((noinline)) void read_rounds(struct tl_stream *stream, int count)
{
    while (count > 0 && receive(stream))
        count--;
}

static __attribute__((noinline)) void ready_to_write(struct tl_stream *stream)
{
    if ((stream->watch.ready & TL_READABLE) != 0)
        read_rounds(stream, READS_MAX);
    /* Unless reading has put an end to that. */
    if ((stream->watch.ready & TL_WRITABLE) != 0)
        tl_stream_writable(stream);
}

/* All that there is for a buffered protocol, and for a streaming one. */
static __attribute__((noinline)) void ready_buffered(struct tl_stream *stream,
                                                     tl_protocol *protocol)
{
    if (receive_buffered(stream, protocol))
        read_rounds(stream, READS_MAX - 1);
}

static __attribute__((noinline)) void ready_data(struct tl_stream *stream, tl_protocol *protocol)
{
    if (receive_data(stream, protocol))
        read_rounds(stream, READS_MAX - 1);
}

/* The hot path: a peer that keeps up, and a short message. */
void tl_stream_ready(void *arg)
{
    struct tl_stream *stream = arg;
    tl_protocol *protocol = stream->transport.protocol;
    if (stream->watch.ready != TL_READABLE)
        ready_to_write(stream);
    else if (is_buffered(protocol))
        ready_buffered(stream, protocol);
    else
        ready_data(stream, protocol);
}

int tl_stream_pause_reading(tl_transport *transport)
{
    struct tl_stream *stream = tl_stream_of(transport);
    transport->reading_paused = true;
    tl_watch_drop(&stream->watch, transport->loop, TL_READABLE);
    return 0;
}

int tl_stream_resume_reading(tl_transport *transport)
{
    struct tl_stream *stream = tl_stream_of(transport);
    if (!transport->reading_paused)
        return 0;
    /* asyncio would meet the end-of-file again here: it is delivered once. */
    if (!transport->eof_received && !transport->sending_file) {
        int r = tl_watch_add(&stream->watch, transport->loop, TL_READABLE);
        if (r < 0)
            return r;
    }
    transport->reading_paused = false;
    return 0;
}
