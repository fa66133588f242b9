/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagram transports: sending.
 *
 * While nothing is queued a datagram goes straight to the kernel; one that the kernel does not take
 * is copied to the queue and the watch's writer wanted, and from then on datagrams join the queue
 * until the writer has emptied it. With batch_sends every datagram joins the queue, which is
 * emptied at the end of the iteration by as few calls as it takes.
 *
 * What the kernel says against a datagram concerns that one alone: the protocol is told at once and
 * the datagram dropped.
 */
#include <assert.h>
#include <errno.h>

#include "core/datagram.h"

/* Datagrams handed to the kernel at once. */
enum { MESSAGES = 16 };

/* Keeps a datagram for later, and sees to it that there will be a later. */
static int queue_datagram(struct tl_datagram_transport *datagram, const void *data, size_t len,
                          const tl_addr *addr)
{
    tl_loop *loop = datagram->transport.loop;
    bool first = tl_send_queue_empty(&datagram->queue);
    if (!datagram->plan.batch_sends) {
        int r = tl_watch_add(&datagram->watch, loop, TL_WRITABLE);
        if (r < 0)
            return r;
    }
    int r = tl_send_queue_append(&datagram->queue, data, len, addr);
    if (r < 0) {
        if (first)
            tl_watch_drop(&datagram->watch, loop, TL_WRITABLE);
        return r;
    }
    datagram->flow.size += len + TL_DATAGRAM_OVERHEAD;
    if (datagram->plan.batch_sends && datagram->flushing)
        tl_loop_queue(loop, &datagram->batch);
    else if (datagram->plan.batch_sends)
        tl_loop_queue_last(loop, &datagram->batch);
    tl_flow_grown(&datagram->transport, &datagram->flow);
    return 0;
}

/* Tells the protocol, inside the program's own call. */
static void send_failed(struct tl_datagram_transport *datagram, int error)
{
    tl_transport_ref(&datagram->transport);
    tl_datagram_transport_failed(datagram, error);
    tl_transport_unref(&datagram->transport);
}

static int send_now(struct tl_datagram_transport *datagram, const void *data, size_t len,
                    const tl_addr *addr)
{
    struct tl_kernel *kernel = datagram->transport.loop->kernel;
    struct iovec iov = {(void *)data, len};
    struct tl_message message = {.iov = &iov, .iov_count = 1, .addr = (tl_addr *)addr};
    ssize_t n = kernel->ops->write(kernel, datagram->watch.fd, &message, 1);
    if (n >= 0)
        return 0;
    if (n == -EAGAIN)
        return queue_datagram(datagram, data, len, addr);
    send_failed(datagram, (int)n);
    return 0;
}

/* Where a datagram goes: *addr as the kernel is to be told. */
static int find_destination(const struct tl_datagram_transport *datagram, const tl_addr **addr)
{
    const struct tl_datagram_plan *plan = &datagram->plan;
    if (*addr != NULL && (*addr)->family == TL_FAMILY_NONE)
        *addr = NULL;
    if (plan->remote.family == TL_FAMILY_NONE)
        return *addr != NULL ? 0 : -EDESTADDRREQ;
    if (*addr != NULL && !tl_addr_equal(*addr, &plan->remote))
        return -EINVAL;
    *addr = plan->connected ? NULL : &plan->remote;
    return 0;
}

static bool is_datagram(const tl_transport *transport)
{
    return transport->object.type == &tl_datagram_transport_type.object;
}

int tl_datagram_transport_sendto(tl_transport *transport, const void *data, size_t len,
                                 const tl_addr *addr)
{
    if (transport == NULL || (data == NULL && len > 0))
        return -EINVAL;
    if (!is_datagram(transport))
        return -EOPNOTSUPP;
    struct tl_datagram_transport *datagram = tl_datagram_transport_of(transport);
    /* asyncio attempts this on an unconnected endpoint; here closing is the same for all. */
    if (transport->phase != TL_TRANSPORT_OPEN || !tl_loop_open(transport->loop)) {
        tl_transport_ignore_write(transport, "socket.send() raised exception.");
        return TL_ECLOSED;
    }
    int r = find_destination(datagram, &addr);
    if (r < 0)
        return r;
    if (datagram->flow.size == 0 && !datagram->plan.batch_sends)
        return send_now(datagram, data, len, addr);
    return queue_datagram(datagram, data, len, addr);
}

void tl_datagram_transport_abort(tl_transport *transport)
{
    if (transport != NULL && is_datagram(transport))
        tl_transport_abort(transport);
}

/* --- Flushing --- */

static void drop_first(struct tl_datagram_transport *datagram, size_t count)
{
    size_t bytes = tl_send_queue_consume(&datagram->queue, count);
    datagram->flow.size -= bytes + count * TL_DATAGRAM_OVERHEAD;
}

/* Sends from the queue until it is empty or the kernel takes no more: 0, or what it said against
 * the first that is left. */
static int send_queued(struct tl_datagram_transport *datagram)
{
    struct tl_kernel *kernel = datagram->transport.loop->kernel;
    struct tl_message messages[MESSAGES];
    struct iovec iov[MESSAGES];
    while (datagram->flow.size > 0) {
        size_t count = tl_send_queue_gather(&datagram->queue, messages, iov, MESSAGES);
        ssize_t n = kernel->ops->write(kernel, datagram->watch.fd, messages, count);
        if (n < 0)
            return n == -EAGAIN ? 0 : (int)n;
        drop_first(datagram, count == 1 ? 1 : (size_t)n);
    }
    return 0;
}

/* The writer is wanted while something is left, and only then; an end that waited for that comes.
 */
static void settle(struct tl_datagram_transport *datagram)
{
    tl_transport *transport = &datagram->transport;
    if (datagram->flow.size > 0) {
        int r = tl_watch_add(&datagram->watch, transport->loop, TL_WRITABLE);
        if (r < 0)
            tl_datagram_transport_end(datagram, r);
        return;
    }
    tl_watch_drop(&datagram->watch, transport->loop, TL_WRITABLE);
    /* asyncio: here connection_lost is called at once, being in the loop already. */
    if (transport->phase == TL_TRANSPORT_FLUSHING)
        tl_datagram_transport_finish(datagram);
}

void tl_datagram_transport_flush(struct tl_datagram_transport *datagram)
{
    tl_ready_remove(&datagram->batch);
    datagram->flushing = true;
    int r = send_queued(datagram);
    /* asyncio: an error ends this round; the others wait until the socket is writable again. */
    if (r < 0) {
        drop_first(datagram, 1);
        tl_datagram_transport_failed(datagram, r);
    }
    if (datagram->transport.phase < TL_TRANSPORT_ENDING)
        tl_flow_shrunk(&datagram->transport, &datagram->flow);
    datagram->flushing = false;
    /* The callbacks may have sent again, closed or aborted. */
    if (datagram->transport.phase < TL_TRANSPORT_ENDING)
        settle(datagram);
}
