/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stream transports: their life.
 *
 *                      close, nothing queued; abort; an error
 *                  ,----------------------------------------------.
 *                  |                                              v
 *     open --> OPEN --close--> FLUSHING --abort; an error----> ENDING
 *                                  |                              | from the loop:
 *                                  | all is written:              | connection_lost
 *                                  `------connection_lost-----> ENDED
 *
 * A stream is one allocation. It is made with connection_made queued, by tl_stream_open, and its
 * one initial reference is the loop's, given up by leave: after connection_lost has returned and
 * the descriptor is closed, or when the loop is closed under it (abandon), which goes to ENDED from
 * anywhere. connection_lost is called in one place, tl_stream_finish, exactly once.
 *
 * Where these two wait in the ready queue, and the other steps that datagrams take too, is
 * transport_life.h's. A stream that is closed before its connection_made (by its server) gets both,
 * in order.
 *
 * The loop cannot be closed while it runs, so inside a callback from the loop the stream stays,
 * whatever the callback does.
 */
#include "core/stream.h"

#include <assert.h>
#include <errno.h>

#include "core/protocol.h"
#include "core/sendfile.h"

/* --- The end --- */

/* The last steps: nothing refers to the stream any more but those who hold a reference. */
static void leave(struct tl_stream *stream, bool abandoned)
{
    struct tl_stream_owner *owner = stream->owner;
    stream->owner = NULL;
    tl_transport_leave(&stream->transport, &stream->live);
    if (owner != NULL)
        owner->lost(owner, abandoned);
    tl_transport_unref(&stream->transport);
}

static void abandon(struct tl_live *live)
{
    struct tl_stream *stream = tl_container_of(live, struct tl_stream, live);
    stream->transport.phase = TL_TRANSPORT_ENDED;
    if (stream->transport.sending_file)
        tl_sendfile_abandon(stream);
    tl_watch_close(&stream->watch, stream->transport.loop);
    tl_write_queue_clear(&stream->queue);
    stream->flow.size = 0;
    leave(stream, true);
}

static void latch(struct tl_stream *stream)
{
    if (tl_stream_type(stream)->has_names)
        tl_transport_latch(&stream->transport, &stream->watch, &stream->info);
}

void tl_stream_finish(struct tl_stream *stream)
{
    assert(stream->flow.size == 0);
    tl_transport_lost(&stream->transport);
    /* asyncio: the descriptor is closed after connection_lost, and names are known afterwards. */
    latch(stream);
    tl_watch_close(&stream->watch, stream->transport.loop);
    leave(stream, false);
}

static void lost(void *arg)
{
    tl_stream_finish(arg);
}

void tl_stream_end(struct tl_stream *stream, int error)
{
    tl_transport *transport = &stream->transport;
    if (transport->phase >= TL_TRANSPORT_ENDING)
        return;
    transport->phase = TL_TRANSPORT_ENDING;
    transport->error = error;
    if (transport->sending_file)
        tl_sendfile_end(stream, error);
    tl_write_queue_clear(&stream->queue);
    stream->flow.size = 0;
    tl_transport_ending(transport, &stream->watch, lost);
}

void tl_stream_abort(tl_transport *transport)
{
    tl_stream_end(tl_stream_of(transport), 0);
}

void tl_stream_close(tl_transport *transport)
{
    struct tl_stream *stream = tl_stream_of(transport);
    if (stream->flow.size == 0) {
        tl_stream_end(stream, 0);
        return;
    }
    transport->phase = TL_TRANSPORT_FLUSHING;
    if (transport->sending_file)
        tl_sendfile_end(stream, 0);
    tl_watch_drop(&stream->watch, transport->loop, TL_READABLE);
}

/* --- The beginning --- */

static void start_reading(struct tl_stream *stream)
{
    tl_transport *transport = &stream->transport;
    if (transport->phase != TL_TRANSPORT_OPEN || transport->reading_paused ||
        transport->eof_received || transport->sending_file || !tl_stream_type(stream)->watches)
        return;
    int r = tl_watch_add(&stream->watch, transport->loop, TL_READABLE);
    if (r < 0)
        tl_stream_end(stream, r);
}

void tl_stream_go_on(struct tl_stream *stream)
{
    if (stream->transport.made)
        start_reading(stream);
    if (stream->transport.output == TL_OUTPUT_EOF_QUEUED && stream->flow.size == 0)
        tl_stream_send_eof(stream);
}

/* asyncio: connection_made, then the reader, then the creator's waiter; three callbacks there, one
 * here, since nothing can come between them. */
static void made(void *arg)
{
    struct tl_stream *stream = arg;
    if (tl_transport_made(&stream->transport, &stream->watch, tl_stream_type(stream)->ready))
        tl_transport_queue_lost(&stream->transport, &stream->watch, lost);
    else
        start_reading(stream);
    if (stream->owner != NULL && stream->owner->made != NULL)
        stream->owner->made(stream->owner, stream);
}

static const tl_value *stream_extra_info(tl_transport *transport, const char *name)
{
    struct tl_stream *stream = tl_stream_of(transport);
    return tl_transport_name(transport, &stream->watch, &stream->info, name);
}

struct tl_flow *tl_stream_flow(tl_transport *transport)
{
    return &tl_stream_of(transport)->flow;
}

void tl_stream_destroy(tl_object *object)
{
    tl_transport *transport = tl_container_of(object, tl_transport, object);
    tl_transport_free(transport, &tl_stream_of(transport)->info);
}

const struct tl_stream_type tl_stream_socket_type = {
    .transport =
        {
            .object = {.name = "transport", .destroy = tl_stream_destroy},
            .size = sizeof(struct tl_stream),
            .accepts = tl_protocol_reads_stream,
            .close = tl_stream_close,
            .abort = tl_stream_abort,
            .extra_info = stream_extra_info,
            .pause_reading = tl_stream_pause_reading,
            .resume_reading = tl_stream_resume_reading,
            .write = tl_stream_write,
            .writelines = tl_stream_writelines,
            .write_eof = tl_stream_write_eof,
            .flow = tl_stream_flow,
            .sends_files = true,
        },
    .late = "socket.send() raised exception.",
    .has_names = true,
    .watches = true,
    .ready = tl_stream_ready,
    .read_nothing = tl_stream_read_nothing,
};

static struct tl_stream *stream_new(const struct tl_stream_type *type, tl_loop *loop, int fd,
                                    tl_protocol *protocol, const tl_addr *peer,
                                    struct tl_stream_owner *owner)
{
    tl_transport *transport =
        tl_transport_alloc(&type->transport, loop, owner != NULL ? owner->origin : NULL);
    if (transport == NULL)
        return NULL;
    struct tl_stream *stream = tl_stream_of(transport);
    transport->protocol = protocol;
    stream->owner = owner;
    tl_watch_init(&stream->watch, fd, made, stream);
    tl_flow_init(&stream->flow);
    transport->info = tl_extra_info_init(&stream->info, peer);
    tl_live_add(&stream->live, loop, abandon);
    tl_loop_queue(loop, &stream->watch.place);
    return stream;
}

int tl_stream_open_as(const struct tl_stream_type *type, tl_loop *loop, int fd,
                      tl_protocol_factory factory, void *farg, const tl_addr *peer,
                      struct tl_stream_owner *owner, struct tl_stream **ret)
{
    tl_protocol *protocol;
    int r = tl_transport_protocol(&type->transport, factory, farg, &protocol);
    if (r < 0)
        return r;
    struct tl_stream *stream = stream_new(type, loop, fd, protocol, peer, owner);
    if (stream == NULL) {
        tl_protocol_unhold(protocol);
        return -ENOMEM;
    }
    *ret = stream;
    return 0;
}

void tl_stream_each(tl_loop *loop, const struct tl_stream_owner *owner,
                    void (*act)(tl_transport *transport))
{
    for (struct tl_live *live = loop->live.next; live != &loop->live; live = live->next) {
        if (live->abandon != abandon)
            continue;
        struct tl_stream *stream = tl_container_of(live, struct tl_stream, live);
        if (stream->owner == owner)
            act(&stream->transport);
    }
}

void tl_streams_closing(tl_loop *loop)
{
    for (struct tl_live *live = loop->live.next; live != &loop->live; live = live->next) {
        if (live->abandon != abandon)
            continue;
        struct tl_stream *stream = tl_container_of(live, struct tl_stream, live);
        latch(stream);
        stream->transport.phase = TL_TRANSPORT_ENDED;
    }
}

tl_transport *tl_stream_living(struct tl_live *live)
{
    if (live->abandon != abandon)
        return NULL;
    return &tl_container_of(live, struct tl_stream, live)->transport;
}
