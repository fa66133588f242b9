/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagram transports: their life, and receiving. Their phases are those of a stream (stream.c),
 * without the ends that a peer can bring about: only the program closes a datagram transport, or a
 * kernel that says something that is no errno.
 *
 * A transport is one allocation, whose one initial reference is the loop's, given up after
 * connection_lost has returned and the descriptor is closed, or when the loop is closed under it.
 */
#include "core/datagram.h"

#include <assert.h>
#include <errno.h>

#include "core/inbox.h"
#include "core/protocol.h"

enum {
    RECEIVED_MAX = 64, /* datagrams for one readiness, one callback each */
    ERRNO_MAX = 4095,  /* codes beyond are the library's own */
};

/* --- The end --- */

static void leave(struct tl_datagram_transport *datagram)
{
    struct tl_datagram_owner *owner = datagram->owner;
    datagram->owner = NULL;
    tl_transport_leave(&datagram->transport, &datagram->live);
    if (owner != NULL)
        owner->made(owner, true);
    tl_transport_unref(&datagram->transport);
}

static void drop_queued(struct tl_datagram_transport *datagram)
{
    tl_ready_remove(&datagram->batch);
    tl_send_queue_clear(&datagram->queue);
    datagram->flow.size = 0;
}

static void abandon(struct tl_live *live)
{
    struct tl_datagram_transport *datagram =
        tl_container_of(live, struct tl_datagram_transport, live);
    datagram->transport.phase = TL_TRANSPORT_ENDED;
    tl_watch_close(&datagram->watch, datagram->transport.loop);
    drop_queued(datagram);
    leave(datagram);
}

tl_transport *tl_datagram_transport_living(struct tl_live *live)
{
    if (live->abandon != abandon)
        return NULL;
    return &tl_container_of(live, struct tl_datagram_transport, live)->transport;
}

void tl_datagrams_closing(tl_loop *loop)
{
    for (struct tl_live *live = loop->live.next; live != &loop->live; live = live->next) {
        if (live->abandon != abandon)
            continue;
        struct tl_datagram_transport *datagram =
            tl_container_of(live, struct tl_datagram_transport, live);
        tl_transport_latch(&datagram->transport, &datagram->watch, &datagram->info);
        datagram->transport.phase = TL_TRANSPORT_ENDED;
    }
}

void tl_datagram_transport_finish(struct tl_datagram_transport *datagram)
{
    assert(datagram->flow.size == 0);
    drop_queued(datagram);
    tl_transport_lost(&datagram->transport);
    /* asyncio: the descriptor is closed after connection_lost, and names are known afterwards. */
    tl_transport_latch(&datagram->transport, &datagram->watch, &datagram->info);
    tl_watch_close(&datagram->watch, datagram->transport.loop);
    leave(datagram);
}

static void lost(void *arg)
{
    tl_datagram_transport_finish(arg);
}

void tl_datagram_transport_end(struct tl_datagram_transport *datagram, int error)
{
    tl_transport *transport = &datagram->transport;
    if (transport->phase >= TL_TRANSPORT_ENDING)
        return;
    transport->phase = TL_TRANSPORT_ENDING;
    transport->error = error;
    drop_queued(datagram);
    tl_transport_ending(transport, &datagram->watch, lost);
}

static void datagram_abort(tl_transport *transport)
{
    tl_datagram_transport_end(tl_datagram_transport_of(transport), 0);
}

static void datagram_close(tl_transport *transport)
{
    struct tl_datagram_transport *datagram = tl_datagram_transport_of(transport);
    if (datagram->flow.size == 0) {
        tl_datagram_transport_end(datagram, 0);
        return;
    }
    transport->phase = TL_TRANSPORT_FLUSHING;
    tl_watch_drop(&datagram->watch, transport->loop, TL_READABLE);
}

/* --- Receiving --- */

void tl_datagram_transport_failed(struct tl_datagram_transport *datagram, int error)
{
    tl_transport *transport = &datagram->transport;
    tl_protocol *protocol = transport->protocol;
    const tl_error exc = {.code = error, .message = tl_strerror(error)};
    if (error < -ERRNO_MAX) {
        tl_datagram_transport_end(datagram, error);
        return;
    }
    if (protocol->ops->error_received == NULL)
        return;
    tl_protocol_hold(protocol);
    int r = protocol->ops->error_received(protocol, &exc);
    if (r < 0)
        tl_loop_report(transport->loop, "Exception in callback protocol.error_received()", r,
                       protocol, transport);
    tl_protocol_unhold(protocol);
}

/* The sender, as a protocol sees it: a unix socket without a name is nobody. */
static const tl_addr *source_of(const struct tl_message *message)
{
    const tl_addr *addr = message->addr;
    bool nobody =
        addr->family == TL_FAMILY_NONE || (addr->family == TL_FAMILY_UNIX && addr->len == 0);
    return nobody ? NULL : addr;
}

static inline void deliver(struct tl_datagram_transport *datagram, const struct tl_message *message)
{
    tl_protocol *protocol = datagram->transport.protocol;
    if (__builtin_expect(message->truncated, 0)) {
        tl_datagram_transport_failed(datagram, -EMSGSIZE);
        return;
    }
    if (protocol->ops->datagram_received == NULL)
        return;
    tl_protocol_hold(protocol);
    int r = protocol->ops->datagram_received(protocol, message->iov->iov_base, message->len,
                                             source_of(message));
    /* asyncio: nothing but a report; the transport stays open. */
    if (r < 0)
        tl_loop_report(datagram->transport.loop,
                       "Exception in callback protocol.datagram_received()", r, protocol,
                       &datagram->transport);
    tl_protocol_unhold(protocol);
}

static inline bool reading(const struct tl_datagram_transport *datagram)
{
    return (datagram->watch.wanted & TL_READABLE) != 0;
}

/* Reads up to count datagrams and delivers them; whether there may well be more, and they are
 * wanted. What was read and is not wanted any more, because of a close, is dropped. */
static bool receive(struct tl_datagram_transport *datagram, struct tl_message *messages,
                    size_t count)
{
    struct tl_kernel *kernel = datagram->transport.loop->kernel;
    ssize_t n = kernel->ops->read(kernel, datagram->watch.fd, messages, count);
    if (n < 0) {
        if (n != -EAGAIN)
            tl_datagram_transport_failed(datagram, (int)n);
        return false;
    }
    size_t received = count == 1 ? 1 : (size_t)n;
    for (size_t i = 0; i < received && reading(datagram); i++)
        deliver(datagram, &messages[i]);
    return received == count && reading(datagram);
}

static void read_rounds(struct tl_datagram_transport *datagram)
{
    struct tl_inbox *inbox =
        tl_loop_inbox(datagram->transport.loop, (enum tl_family)datagram->plan.family);
    if (inbox == NULL) {
        tl_datagram_transport_end(datagram, -ENOMEM);
        return;
    }
    size_t most;
    struct tl_message *messages = tl_inbox_messages(inbox, &most);
    if (most > datagram->plan.read_batch)
        most = datagram->plan.read_batch;
    for (size_t left = RECEIVED_MAX; left > 0;) {
        size_t count = left < most ? left : most;
        if (!receive(datagram, messages, count))
            return;
        left -= count;
    }
}

static void ready(void *arg)
{
    struct tl_datagram_transport *datagram = arg;
    if ((datagram->watch.ready & TL_READABLE) != 0)
        read_rounds(datagram);
    /* Unless reading has put an end to that. */
    if ((datagram->watch.ready & TL_WRITABLE) != 0)
        tl_datagram_transport_flush(datagram);
}

/* --- The beginning --- */

static void start_reading(struct tl_datagram_transport *datagram)
{
    tl_transport *transport = &datagram->transport;
    if (transport->phase != TL_TRANSPORT_OPEN)
        return;
    int r = tl_watch_add(&datagram->watch, transport->loop, TL_READABLE);
    if (r < 0)
        tl_datagram_transport_end(datagram, r);
}

/* asyncio: connection_made, then the reader, then the creator's waiter. */
static void made(void *arg)
{
    struct tl_datagram_transport *datagram = arg;
    if (tl_transport_made(&datagram->transport, &datagram->watch, ready))
        tl_transport_queue_lost(&datagram->transport, &datagram->watch, lost);
    else
        start_reading(datagram);
    struct tl_datagram_owner *owner = datagram->owner;
    datagram->owner = NULL;
    if (owner != NULL)
        owner->made(owner, false);
}

static const tl_value *datagram_extra_info(tl_transport *transport, const char *name)
{
    struct tl_datagram_transport *datagram = tl_datagram_transport_of(transport);
    return tl_transport_name(transport, &datagram->watch, &datagram->info, name);
}

static struct tl_flow *datagram_flow(tl_transport *transport)
{
    return &tl_datagram_transport_of(transport)->flow;
}

static bool accepts(const tl_protocol *protocol)
{
    return protocol->ops != NULL && protocol->ops->kind == TL_PROTOCOL_DATAGRAM;
}

static int no_write(tl_transport *transport, const void *data, size_t len)
{
    (void)transport;
    (void)data;
    (void)len;
    return -EOPNOTSUPP;
}

static void datagram_destroy(tl_object *object)
{
    tl_transport *transport = tl_container_of(object, tl_transport, object);
    tl_transport_free(transport, &tl_datagram_transport_of(transport)->info);
}

const struct tl_transport_type tl_datagram_transport_type = {
    .object = {.name = "datagram transport", .destroy = datagram_destroy},
    .size = sizeof(struct tl_datagram_transport),
    .accepts = accepts,
    .close = datagram_close,
    .abort = datagram_abort,
    .extra_info = datagram_extra_info,
    .write = no_write,
    .flow = datagram_flow,
};

static void send_batch(void *arg)
{
    tl_datagram_transport_flush(arg);
}

static struct tl_datagram_transport *transport_new(tl_loop *loop, int fd, tl_protocol *protocol,
                                                   const struct tl_datagram_plan *plan,
                                                   struct tl_datagram_owner *owner)
{
    tl_transport *transport = tl_transport_alloc(&tl_datagram_transport_type, loop, owner->origin);
    if (transport == NULL)
        return NULL;
    struct tl_datagram_transport *datagram = tl_datagram_transport_of(transport);
    transport->protocol = protocol;
    datagram->owner = owner;
    datagram->plan = *plan;
    datagram->queue.keep = plan->batch_sends;
    tl_watch_init(&datagram->watch, fd, made, datagram);
    tl_ready_init(&datagram->batch, send_batch, datagram);
    tl_flow_init(&datagram->flow);
    transport->info = tl_extra_info_init(&datagram->info, plan->connected ? &plan->remote : NULL);
    tl_live_add(&datagram->live, loop, abandon);
    tl_loop_queue(loop, &datagram->watch.place);
    return datagram;
}

int tl_datagram_transport_open(tl_loop *loop, int fd, tl_protocol_factory factory, void *farg,
                               const struct tl_datagram_plan *plan, struct tl_datagram_owner *owner,
                               struct tl_datagram_transport **ret)
{
    tl_protocol *protocol;
    int r = tl_transport_protocol(&tl_datagram_transport_type, factory, farg, &protocol);
    if (r < 0)
        return r;
    /* The factory is the program's code, and the loop need not run. */
    bool open = tl_loop_open(loop);
    struct tl_datagram_transport *datagram =
        open ? transport_new(loop, fd, protocol, plan, owner) : NULL;
    if (datagram == NULL) {
        tl_protocol_unhold(protocol);
        return open ? -ENOMEM : TL_ECLOSED;
    }
    *ret = datagram;
    return 0;
}
