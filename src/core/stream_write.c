/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stream transports: writing.
 *
 * While nothing is queued a write goes straight to the kernel; what the kernel does not take is
 * copied to the queue and the watch's writer wanted, and from then on writes join the queue until
 * the writer has emptied it. So the kernel's registration never changes for a peer that keeps up,
 * and
 *
 *     the writer is wanted exactly while the queue is not empty.
 *
 * pause_writing is the program's code inside the program's own write, so it is the last thing a
 * write does. resume_writing comes from the writer, which looks again at what it left behind.
 */
#include <assert.h>
#include <errno.h>
#include <limits.h>

#include "core/stream.h"

/* Pieces handed to the kernel at once. */
enum { IOV_COUNT = 64 };

static ssize_t write_pieces(struct tl_stream *stream, struct iovec *iov, size_t count)
{
    struct tl_kernel *kernel = stream->transport.loop->kernel;
    struct tl_message message = {.iov = iov, .iov_count = count};
    return kernel->ops->write(kernel, stream->watch.fd, &message, 1);
}

/* What tl_stream_write is writing. */
static inline const struct iovec *outgoing(const struct tl_stream *stream)
{
    return &stream->transport.loop->outgoing.bytes;
}

/* A stream of a closed loop is not OPEN: see tl_streams_closing. Put like this it is one look at
 * all three, which are neighbours. */
static inline bool may_write(const tl_transport *transport)
{
    bool barred = transport->phase != TL_TRANSPORT_OPEN || transport->output != TL_OUTPUT_OPEN ||
                  transport->sending_file;
    return !barred;
}

/* A write that may not be made, of something or of nothing. Why it may not. */
static __attribute__((noinline)) int refuse(tl_transport *transport, bool something)
{
    const struct tl_stream *stream = tl_stream_of(transport);
    if (transport->phase == TL_TRANSPORT_OPEN)
        return transport->output == TL_OUTPUT_OPEN ? -EBUSY : TL_ESTATE;
    if (something)
        tl_transport_ignore_write(transport, tl_stream_type(stream)->late);
    return TL_ECLOSED;
}

/* --- Queueing --- */

/* Adds to the queue and wants the writer; what cannot be kept ends the connection, since the bytes
 * before it may have gone. */
static int queue_bytes(struct tl_stream *stream, const void *data, size_t len)
{
    int r = tl_write_queue_append(&stream->queue, data, len);
    if (r < 0)
        goto fail;
    stream->flow.size += len;
    r = tl_watch_add(&stream->watch, stream->transport.loop, TL_WRITABLE);
    if (r < 0)
        goto fail;
    return 0;

fail:
    tl_stream_end(stream, r);
    return r;
}

/* What is left of the outgoing piece once the kernel took sent bytes of it. */
static __attribute__((noinline)) int write_rest(struct tl_stream *stream, ssize_t sent)
{
    const struct iovec bytes = *outgoing(stream);
    if (sent < 0 && sent != -EAGAIN) {
        tl_stream_end(stream, (int)sent);
        return 0; /* asyncio: an error of the connection is connection_lost's to tell */
    }
    size_t skip = sent > 0 ? (size_t)sent : 0;
    int r = queue_bytes(stream, (const char *)bytes.iov_base + skip, bytes.iov_len - skip);
    if (r < 0)
        return r;
    tl_flow_grown(&stream->transport, &stream->flow);
    return 0;
}

int tl_stream_write(tl_transport *transport, const void *data, size_t len)
{
    struct tl_stream *stream = tl_stream_of(transport);
    tl_loop *loop = transport->loop;
    if (!may_write(transport))
        return refuse(transport, len > 0);
    if (len == 0)
        return 0;
    struct tl_kernel *kernel = loop->kernel;
    loop->outgoing.bytes = (struct iovec){(void *)data, len};
    if (stream->flow.size != 0)
        return write_rest(stream, 0);
    ssize_t sent = kernel->ops->write(kernel, stream->watch.fd, &loop->outgoing.message, 1);
    return sent == (ssize_t)outgoing(stream)->iov_len ? 0 : write_rest(stream, sent);
}

/* --- Several pieces --- */

/* Where a gathered write stands: skip bytes of bufs[0] have gone. */
struct pieces {
    const tl_buf *bufs;
    size_t count;
    size_t skip;
};

static void pieces_skip(struct pieces *pieces, size_t len)
{
    while (pieces->count > 0 && len >= pieces->bufs->len - pieces->skip) {
        len -= pieces->bufs->len - pieces->skip;
        pieces->bufs++;
        pieces->count--;
        pieces->skip = 0;
    }
    pieces->skip += len;
}

static bool pieces_left(struct pieces *pieces)
{
    pieces_skip(pieces, 0);
    return pieces->count > 0;
}

/* Fills up to IOV_COUNT iovecs and sets *ret_len to their sum; empty pieces are left out. */
static size_t pieces_gather(const struct pieces *pieces, struct iovec *iov, size_t *ret_len)
{
    size_t n = 0;
    size_t skip = pieces->skip;
    *ret_len = 0;
    for (size_t i = 0; i < pieces->count && n < IOV_COUNT; i++, skip = 0) {
        size_t len = pieces->bufs[i].len - skip;
        if (len == 0)
            continue;
        iov[n++] = (struct iovec){(char *)pieces->bufs[i].data + skip, len};
        *ret_len += len;
    }
    return n;
}

/* Writes as much as the kernel takes. 1 when that is everything, 0 when something is left, or an
 * error of the connection. */
static int pieces_send(struct pieces *pieces, struct tl_stream *stream)
{
    for (;;) {
        struct iovec iov[IOV_COUNT];
        size_t len;
        size_t n = pieces_gather(pieces, iov, &len);
        if (n == 0)
            return 1;
        ssize_t sent = write_pieces(stream, iov, n);
        if (sent < 0)
            return sent == -EAGAIN ? 0 : (int)sent;
        pieces_skip(pieces, (size_t)sent);
        if ((size_t)sent < len)
            return 0;
    }
}

static int pieces_queue(const struct pieces *pieces, struct tl_stream *stream)
{
    size_t skip = pieces->skip;
    for (size_t i = 0; i < pieces->count; i++, skip = 0) {
        if (pieces->bufs[i].len == skip)
            continue;
        int r = queue_bytes(stream, (const char *)pieces->bufs[i].data + skip,
                            pieces->bufs[i].len - skip);
        if (r < 0)
            return r;
    }
    return 0;
}

int tl_stream_writelines(tl_transport *transport, const tl_buf *bufs, size_t count)
{
    struct tl_stream *stream = tl_stream_of(transport);
    struct pieces pieces = {.bufs = bufs, .count = count};
    if (!may_write(transport))
        return refuse(transport, pieces_left(&pieces));
    if (stream->flow.size == 0) {
        int r = pieces_send(&pieces, stream);
        if (r < 0)
            tl_stream_end(stream, r);
        if (r != 0)
            return 0;
    }
    int r = pieces_queue(&pieces, stream);
    if (r < 0)
        return r;
    tl_flow_grown(transport, &stream->flow);
    return 0;
}

/* --- End-of-file --- */

/* The connection has gone before its end was sent: the kernel knows how, if nobody was told. */
static int why_not_connected(const struct tl_stream *stream)
{
    struct tl_kernel *kernel = stream->transport.loop->kernel;
    int error = 0;
    int r = kernel->ops->option(kernel, stream->watch.fd, TL_OPTION_ERROR, NULL, &error);
    return r == 0 && error != 0 ? -error : -ENOTCONN;
}

void tl_stream_send_eof(struct tl_stream *stream)
{
    tl_transport *transport = &stream->transport;
    struct tl_kernel *kernel = transport->loop->kernel;
    transport->output = TL_OUTPUT_EOF_SENT;
    int r = kernel->ops->shutdown(kernel, stream->watch.fd, TL_SHUTDOWN_WRITE);
    if (r < 0)
        tl_stream_end(stream, r == -ENOTCONN ? why_not_connected(stream) : r);
}

int tl_stream_write_eof(tl_transport *transport)
{
    struct tl_stream *stream = tl_stream_of(transport);
    if (transport->output != TL_OUTPUT_OPEN)
        return 0;
    transport->output = TL_OUTPUT_EOF_QUEUED;
    if (stream->flow.size == 0 && !transport->sending_file)
        tl_stream_send_eof(stream);
    return 0;
}

/* --- Flushing --- */

/* The queue is empty and the protocol knows. If a file is to follow, the writer stays wanted: it is
 * the sendfile's from its next turn on. */
static void flushed(struct tl_stream *stream)
{
    tl_transport *transport = &stream->transport;
    if (transport->sending_file)
        return;
    tl_watch_drop(&stream->watch, transport->loop, TL_WRITABLE);
    /* asyncio: here connection_lost is called at once, being in the loop already. */
    if (transport->phase == TL_TRANSPORT_FLUSHING)
        tl_stream_finish(stream);
    else if (transport->output == TL_OUTPUT_EOF_QUEUED)
        tl_stream_send_eof(stream);
}

void tl_stream_writable(struct tl_stream *stream)
{
    struct iovec iov[IOV_COUNT];
    assert(stream->flow.size > 0 && "the writer is wanted while something is queued");
    size_t count = tl_write_queue_gather(&stream->queue, iov, IOV_COUNT);
    ssize_t sent = write_pieces(stream, iov, count);
    if (sent == -EAGAIN)
        return;
    if (sent < 0) {
        tl_stream_end(stream, (int)sent);
        return;
    }
    tl_write_queue_consume(&stream->queue, (size_t)sent);
    stream->flow.size -= (size_t)sent;
    tl_flow_shrunk(&stream->transport, &stream->flow);
    /* resume_writing may have written again, closed or aborted. */
    if (stream->flow.size == 0 && stream->transport.phase < TL_TRANSPORT_ENDING)
        flushed(stream);
}
