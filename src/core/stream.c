/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stream transports: their life, and reading.
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
 * connection_made and connection_lost have no place of their own in the ready queue: each borrows
 * the watch's, of which nothing is wanted before the former nor after the latter is due.
 * A stream that is closed before its connection_made (by its server) gets both, in order.
 *
 * The loop cannot be closed while it runs, so inside a callback from the loop the stream stays,
 * whatever the callback does.
 */
#include "core/stream.h"

#include <assert.h>
#include <errno.h>

#include "core/alloc.h"
#include "core/protocol.h"
#include "core/self.h"
#include "core/sendfile.h"

/* One readiness is read this often at most, and only while the buffer comes back full. */
enum { READS_MAX = 4 };

static bool reading(const struct tl_stream *stream)
{
    return (stream->watch.wanted & TL_READABLE) != 0;
}

/* --- The end --- */

/* The last steps: nothing refers to the stream any more but those who hold a reference. */
static void leave(struct tl_stream *stream, bool abandoned)
{
    tl_transport *transport = &stream->transport;
    tl_protocol *protocol = transport->protocol;
    struct tl_stream_owner *owner = stream->owner;
    transport->protocol = NULL;
    stream->owner = NULL;
    tl_live_remove(&stream->live);
    tl_protocol_unhold(protocol);
    if (owner != NULL)
        owner->lost(owner, abandoned);
    tl_transport_unref(transport);
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

/* Before the descriptor is closed: the names become known to whoever will still ask. */
static void latch(struct tl_stream *stream)
{
    tl_transport *transport = &stream->transport;
    if (transport->object.refs > 1 && tl_stream_type(stream)->has_names)
        tl_extra_info_latch(&stream->info, &transport->info, transport->loop->kernel,
                            stream->watch.fd);
}

void tl_stream_finish(struct tl_stream *stream)
{
    tl_transport *transport = &stream->transport;
    tl_loop *loop = transport->loop;
    const struct tl_protocol_ops *ops = transport->protocol->ops;
    const tl_error error = {.code = transport->error, .message = tl_strerror(transport->error)};
    assert(transport->made && transport->phase != TL_TRANSPORT_ENDED && stream->flow.size == 0);

    transport->phase = TL_TRANSPORT_ENDED;
    if (ops->connection_lost != NULL)
        ops->connection_lost(transport->protocol, error.code < 0 ? &error : NULL);
    /* asyncio: the descriptor is closed after connection_lost, and names are known afterwards. */
    latch(stream);
    tl_watch_close(&stream->watch, loop);
    leave(stream, false);
}

static void lost(void *arg)
{
    tl_stream_finish(arg);
}

static void queue_lost(struct tl_stream *stream)
{
    struct tl_ready *place = &stream->watch.place;
    assert(stream->watch.wanted == 0 && !tl_ready_queued(place) && "the watch's place is free");
    place->callback = lost;
    tl_loop_queue(stream->transport.loop, place);
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
    if (!transport->made)
        return; /* the place is still connection_made's, which goes on from here */
    (void)tl_watch_want(&stream->watch, transport->loop, 0);
    queue_lost(stream);
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

/* --- Reading --- */

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

static void read_nothing(struct tl_stream *stream, int result)
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

static inline ssize_t read_to(struct tl_stream *stream, struct tl_message *message)
{
    struct tl_kernel *kernel = stream->transport.loop->kernel;
    return kernel->ops->read(kernel, stream->watch.fd, message, 1);
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

static inline struct tl_piece *incoming(const struct tl_stream *stream)
{
    return &stream->transport.loop->incoming;
}

/* Reads once for a streaming protocol; whether there may well be more, and it is wanted. */
static inline __attribute__((always_inline)) bool receive_data(struct tl_stream *stream)
{
    tl_protocol *protocol = stream->transport.protocol;
    if (incoming(stream)->bytes.iov_base == NULL && !make_buffer(stream->transport.loop)) {
        tl_stream_end(stream, -ENOMEM);
        return false;
    }
    ssize_t len = read_to(stream, &incoming(stream)->message);
    if (len <= 0) {
        receive_nothing(stream, (int)len);
        return false;
    }
    if (protocol->ops->data_received != NULL) {
        tl_protocol_hold(protocol);
        int r =
            protocol->ops->data_received(protocol, incoming(stream)->bytes.iov_base, (size_t)len);
        if (r < 0)
            failed(stream, protocol, "Fatal error: protocol.data_received() call failed.", r);
        tl_protocol_unhold(protocol);
    }
    return len == TL_READ_BUFFER_SIZE && reading(stream);
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

/* As receive_data, with the protocol held by the caller. */
static inline bool receive_into(struct tl_stream *stream, tl_protocol *protocol)
{
    struct tl_piece *piece = &stream->transport.loop->offered;
    if (!get_buffer(stream, protocol, piece))
        return false;
    ssize_t len = read_to(stream, &piece->message);
    if (len <= 0) {
        receive_nothing(stream, (int)len);
        return false;
    }
    bool filled = (size_t)len == piece->bytes.iov_len;
    int r = protocol->ops->buffer_updated(protocol, (size_t)len);
    if (r < 0)
        failed(stream, protocol, "Fatal error: protocol.buffer_updated() call failed.", r);
    return filled && reading(stream);
}

static inline __attribute__((always_inline)) bool receive_buffered(struct tl_stream *stream)
{
    tl_protocol *protocol = stream->transport.protocol;
    tl_protocol_hold(protocol);
    bool more = receive_into(stream, protocol);
    tl_protocol_unhold(protocol);
    return more;
}

static inline bool is_buffered(const struct tl_stream *stream)
{
    return stream->transport.protocol->ops->kind == TL_PROTOCOL_BUFFERED;
}

static bool receive(struct tl_stream *stream)
{
    return is_buffered(stream) ? receive_buffered(stream) : receive_data(stream);
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

/* A buffered protocol's, and all that there is. */
static __attribute__((noinline)) void ready_buffered(struct tl_stream *stream)
{
    if (receive_buffered(stream))
        read_rounds(stream, READS_MAX - 1);
}

/* The hot path: a peer that keeps up, and a short message. */
void tl_stream_ready(void *arg)
{
    struct tl_stream *stream = arg;
    if (stream->watch.ready != TL_READABLE)
        ready_to_write(stream);
    else if (is_buffered(stream))
        ready_buffered(stream);
    else if (receive_data(stream))
        read_rounds(stream, READS_MAX - 1);
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
    tl_transport *transport = &stream->transport;
    tl_protocol *protocol = transport->protocol;
    bool closed_before = transport->phase == TL_TRANSPORT_ENDING;
    transport->made = true;
    stream->watch.place.callback = tl_stream_type(stream)->ready;
    tl_protocol_hold(protocol);
    int r = 0;
    if (protocol->ops->connection_made != NULL)
        r = protocol->ops->connection_made(protocol, transport);
    if (r < 0)
        tl_loop_report(transport->loop, "Exception in callback protocol.connection_made()", r,
                       protocol, transport);
    tl_protocol_unhold(protocol);
    if (closed_before)
        queue_lost(stream);
    else
        start_reading(stream);
    if (stream->owner != NULL && stream->owner->made != NULL)
        stream->owner->made(stream->owner, stream);
}

static const tl_value *stream_extra_info(tl_transport *transport, const char *name)
{
    struct tl_stream *stream = tl_stream_of(transport);
    struct tl_kernel *kernel = stream->watch.fd >= 0 ? transport->loop->kernel : NULL;
    return tl_extra_info_get(&stream->info, &transport->info, name, kernel, stream->watch.fd);
}

struct tl_flow *tl_stream_flow(tl_transport *transport)
{
    return &tl_stream_of(transport)->flow;
}

void tl_stream_destroy(tl_object *object)
{
    tl_transport *transport = tl_container_of(object, tl_transport, object);
    struct tl_stream *stream = tl_stream_of(transport);
    tl_loop *loop = transport->loop;
    assert(transport->phase == TL_TRANSPORT_ENDED && "the loop holds it until then");
    tl_extra_info_finish(&stream->info, transport->info);
    tl_free(stream);
    tl_loop_unref(loop);
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
    .read_nothing = read_nothing,
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
    tl_protocol *protocol = factory(farg);
    if (protocol == NULL)
        return -ENOMEM;
    tl_protocol_hold(protocol);
    int r = -EINVAL;
    if (!type->transport.accepts(protocol))
        goto fail;
    struct tl_stream *stream = stream_new(type, loop, fd, protocol, peer, owner);
    r = -ENOMEM;
    if (stream == NULL)
        goto fail;
    *ret = stream;
    return 0;

fail:
    tl_protocol_unhold(protocol);
    return r;
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
