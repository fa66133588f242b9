/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop.sendfile: a file sent over a stream transport.
 *
 * For as long as it lasts the sendfile has the stream's watch: readiness comes here. Nothing is
 * read; what was queued before goes first, then the file. The transport says by sending_file that
 * the watch's argument is the sendfile and not the stream, and refuses writes, so the queue stays
 * empty. It ends in one place, let_go, which gives the watch back and has reading go on: by the
 * outcome, by its future's end, or because the stream is over (tl_sendfile_end). A loop that is
 * closed forgets it.
 */
#include "core/sendfile.h"

#include <errno.h>

#include "core/alloc.h"
#include "core/stream.h"

/* What asyncio reads at a time for a transport. */
enum { PIECE_SIZE = 16 * 1024 };

struct sendfile {
    struct tl_file_sender sender;
    struct tl_stream *stream; /* a reference */
    tl_future *future;        /* a reference */
};

static struct sendfile *sendfile_of(const struct tl_stream *stream)
{
    return stream->watch.place.arg;
}

/* --- The end ---------------------------------------------------------------------------------- */

static void give_watch_back(struct tl_stream *stream)
{
    stream->transport.sending_file = false;
    stream->watch.place.callback = tl_stream_ready;
    stream->watch.place.arg = stream;
}

/* The stream goes on as if nothing had been, unless it is over. */
static void go_on(struct tl_stream *stream)
{
    if (stream->transport.phase != TL_TRANSPORT_OPEN)
        return;
    if (stream->flow.size == 0)
        tl_watch_drop(&stream->watch, stream->transport.loop, TL_WRITABLE);
    tl_stream_go_on(stream);
}

/* The caller holds the transport; the future is the caller's from here on. */
static tl_future *let_go(struct tl_stream *stream)
{
    struct sendfile *sendfile = sendfile_of(stream);
    tl_future *future = sendfile->future;
    tl_future_set_canceller(future, NULL, NULL);
    give_watch_back(stream);
    tl_file_sender_finish(&sendfile->sender);
    tl_free(sendfile);
    go_on(stream);
    return future;
}

static void fail(tl_future *future, int error)
{
    if (error == TL_ECLOSED)
        (void)tl_future_set_exception(future, error, "Transport is closing");
    else
        (void)tl_future_set_exception(future, error, NULL);
    tl_future_unref(future);
}

void tl_sendfile_end(struct tl_stream *stream, int error)
{
    fail(let_go(stream), error < 0 ? error : TL_ECLOSED);
    tl_transport_unref(&stream->transport);
}

void tl_sendfile_abandon(struct tl_stream *stream)
{
    struct sendfile *sendfile = sendfile_of(stream);
    tl_future_set_canceller(sendfile->future, NULL, NULL);
    tl_future_unref(sendfile->future);
    tl_file_sender_abandon(&sendfile->sender);
    tl_free(sendfile);
    give_watch_back(stream);
    tl_transport_unref(&stream->transport);
}

/* The future is not pending any more. */
static void call_off(void *arg)
{
    struct tl_stream *stream = arg;
    tl_future_unref(let_go(stream));
    tl_transport_unref(&stream->transport);
}

/* --- On its way ------------------------------------------------------------------------------- */

static void succeed(struct tl_stream *stream, int64_t sent)
{
    tl_future *future = let_go(stream);
    (void)tl_future_set_result(future, tl_value_int(sent));
    tl_future_unref(future);
    tl_transport_unref(&stream->transport);
}

/* Sends what the socket takes. The sendfile may be over afterwards, and the stream freed memory. */
static void send_some(struct tl_stream *stream)
{
    struct sendfile *sendfile = sendfile_of(stream);
    tl_loop *loop = stream->transport.loop;
    int r = tl_file_send(&sendfile->sender, loop, stream->watch.fd);
    if (r == TL_FILE_SEND_WAIT)
        r = tl_watch_add(&stream->watch, loop, TL_WRITABLE);
    else if (r == 0) {
        succeed(stream, sendfile->sender.sent);
        return;
    }
    if (r == 0)
        return;
    if (tl_file_send_lost(r))
        tl_stream_end(stream, r);
    else
        tl_sendfile_end(stream, r);
}

/* The watch's callback. What was queued before goes first. */
static void writable(void *arg)
{
    struct sendfile *sendfile = arg;
    struct tl_stream *stream = sendfile->stream;
    tl_transport *transport = tl_transport_ref(&stream->transport);
    if (stream->flow.size > 0)
        tl_stream_writable(stream);
    /* The program has been told to resume writing, and may have done anything. */
    if (transport->sending_file && sendfile_of(stream) == sendfile && stream->flow.size == 0)
        send_some(stream);
    tl_transport_unref(transport);
}

/* --- The beginning ---------------------------------------------------------------------------- */

/* Why this transport cannot send a file now; 0 when it can. */
static int refusal(const tl_loop *loop, const tl_transport *transport, const char **ret_message)
{
    *ret_message = NULL;
    if (transport == NULL || transport->loop != loop)
        return -EINVAL;
    if (!tl_loop_open(loop))
        return TL_ECLOSED;
    *ret_message = "Transport is closing";
    if (transport->phase != TL_TRANSPORT_OPEN)
        return TL_ECLOSED;
    *ret_message = "sendfile is not supported for transport";
    if (!tl_transport_type(transport)->sends_files)
        return -EOPNOTSUPP;
    *ret_message = "Cannot send a file before connection_made() or after write_eof()";
    if (transport->output != TL_OUTPUT_OPEN || !transport->made)
        return TL_ESTATE;
    *ret_message = "sendfile is in progress";
    return transport->sending_file ? -EBUSY : 0;
}

/* Takes the stream's watch. Nothing is read until it is given back. */
static void take_watch(struct tl_stream *stream, struct sendfile *sendfile)
{
    tl_watch_drop(&stream->watch, stream->transport.loop, TL_READABLE);
    stream->transport.sending_file = true;
    stream->watch.place.callback = writable;
    stream->watch.place.arg = sendfile;
}

tl_future *tl_loop_sendfile(tl_loop *loop, tl_transport *transport, int file, int64_t offset,
                            int64_t count, bool fallback)
{
    const char *message;
    if (loop == NULL)
        return NULL;
    int r = refusal(loop, transport, &message);
    if (r < 0)
        return tl_loop_failed_future(loop, r, message);
    struct tl_file_sender sender;
    r = tl_file_sender_init(&sender, file, offset, count, fallback, PIECE_SIZE);
    if (r < 0)
        return tl_loop_failed_future(
            loop, r, offset < 0 ? "offset must not be negative" : "count must be positive");
    struct sendfile *sendfile = tl_alloc(sizeof *sendfile);
    tl_future *future = tl_loop_create_future(loop);
    if (sendfile == NULL || tl_future_done(future)) {
        tl_free(sendfile);
        if (!tl_future_done(future))
            (void)tl_future_set_exception(future, -ENOMEM, NULL);
        return future;
    }
    tl_transport_ref(transport);
    struct tl_stream *stream = tl_stream_of(transport);
    *sendfile =
        (struct sendfile){.sender = sender, .stream = stream, .future = tl_future_ref(future)};
    take_watch(stream, sendfile);
    tl_future_set_canceller(future, call_off, stream);
    /* Also while it waits: its number must not come to mean another file. */
    r = tl_file_sender_hold(&sendfile->sender, loop);
    if (r < 0)
        tl_sendfile_end(stream, r);
    else if (stream->flow.size == 0)
        send_some(stream);
    return future;
}
