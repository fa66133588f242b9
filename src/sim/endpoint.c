/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a socket, and what poll and reports see of it.
 */
#include "sim/endpoint.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "sim/world.h"

struct tl_endpoint *tl_endpoint_new(tl_host *host, uint8_t family, uint64_t entity)
{
    tl_world *world = host->world;
    struct tl_endpoint *endpoint = tl_pool_get(&world->endpoints);
    if (endpoint == NULL)
        return NULL;
    memset(endpoint, 0, sizeof *endpoint);
    if (tl_traffic_reserve(world) < 0) {
        tl_pool_put(&world->endpoints, endpoint);
        return NULL;
    }
    tl_ready_item_init(&endpoint->descriptor.item, TL_READY_DESCRIPTOR, entity);
    endpoint->descriptor.ops = &tl_endpoint_ops;
    endpoint->descriptor.fd = -1;
    endpoint->host = host;
    endpoint->family = family;
    endpoint->local_ip = family == TL_FAMILY_INET ? tl_ip_v4(0, 0, 0, 0) : (struct tl_ip){{0}};
    tl_list_push(&world->sockets, &endpoint->place);
    return endpoint;
}

static void endpoint_free(struct tl_endpoint *endpoint)
{
    tl_world *world = tl_endpoint_world(endpoint);
    assert(tl_endpoint_children(endpoint) == 0);
    tl_list_remove(&endpoint->place);
    tl_traffic_drop(endpoint);
    tl_traffic_unreserve(world);
    tl_port_release(endpoint);
    tl_allocator_free(&world->allocator, endpoint->listening);
    tl_pool_put(&world->endpoints, endpoint);
}

void tl_endpoint_release(struct tl_endpoint *endpoint)
{
    struct tl_endpoint *peer = endpoint->peer;
    if (!tl_endpoint_orphaned(endpoint) || (peer != NULL && !tl_endpoint_orphaned(peer)))
        return;
    endpoint_free(endpoint);
    if (peer != NULL && peer != endpoint)
        endpoint_free(peer);
}

void tl_endpoints_drop(tl_world *world)
{
    while (!tl_list_empty(&world->sockets))
        endpoint_free(tl_listed(world->sockets.next, struct tl_endpoint, place));
}

void tl_endpoint_set_closed(struct tl_endpoint *endpoint)
{
    endpoint->state = TL_TCP_CLOSED;
    endpoint->shut = TL_SHUT_BOTH;
    if (!endpoint->port_locked)
        tl_port_release(endpoint);
}

int tl_endpoint_take_error(struct tl_endpoint *endpoint)
{
    int error = endpoint->error;
    endpoint->error = 0;
    return error;
}

/* --- For poll and for people ------------------------------------------------------------------ */

static uint32_t readiness(const struct tl_descriptor *descriptor)
{
    const struct tl_endpoint *endpoint = tl_listed(descriptor, struct tl_endpoint, descriptor);
    uint32_t ready = 0;
    if (endpoint->state == TL_TCP_LISTENING)
        return tl_list_empty(&endpoint->listening->queue) ? 0 : TL_READABLE;
    if (endpoint->shut == TL_SHUT_BOTH || endpoint->state == TL_TCP_CLOSED)
        ready |= TL_HANGUP;
    if (endpoint->shut & TL_SHUT_READ)
        ready |= TL_READABLE;
    if (endpoint->state != TL_TCP_SYN_SENT && endpoint->state != TL_TCP_SYN_RECEIVED) {
        if (tl_endpoint_unread(endpoint) > 0) {
            __builtin_prefetch(endpoint->traffic->unread.head);
            ready |= TL_READABLE;
        }
        if (descriptor->item.wanted & TL_WRITABLE &&
            (endpoint->shut & TL_SHUT_WRITE || tl_endpoint_writable(endpoint)))
            ready |= TL_WRITABLE;
    }
    if (endpoint->error != 0)
        ready |= TL_FAULT;
    return ready;
}

static const char *const state_names[] = {
    [TL_TCP_CLOSED] = "closed",
    [TL_TCP_LISTENING] = "listening",
    [TL_TCP_SYN_SENT] = "connecting",
    [TL_TCP_SYN_RECEIVED] = "half open",
    [TL_TCP_ESTABLISHED] = "established",
    [TL_TCP_FIN_WAIT] = "shut down",
    [TL_TCP_CLOSE_WAIT] = "shut down by the peer",
    [TL_TCP_CLOSING] = "shut down by both",
};

/* Bytes that an end has written and its peer has not received. */
static uint32_t not_arrived(const struct tl_endpoint *endpoint)
{
    const struct tl_traffic *traffic = endpoint->peer != NULL ? endpoint->peer->traffic : NULL;
    return traffic != NULL ? traffic->unsent.bytes + traffic->flight.bytes : 0;
}

static void describe(const struct tl_descriptor *descriptor, char *text, size_t size)
{
    const struct tl_endpoint *endpoint = tl_listed(descriptor, struct tl_endpoint, descriptor);
    char local_text[TL_ADDR_TEXT_MAX];
    char peer_text[TL_ADDR_TEXT_MAX];
    tl_addr local = tl_ip_to(&endpoint->local_ip, endpoint->local_port, endpoint->family);
    tl_addr remote = tl_ip_to(&endpoint->peer_ip, endpoint->peer_port, endpoint->family);
    tl_addr_format(&local, local_text, sizeof local_text);
    tl_addr_format(&remote, peer_text, sizeof peer_text);
    if (endpoint->state == TL_TCP_LISTENING)
        snprintf(text, size, "listener on %s, %u connections waiting", local_text,
                 tl_endpoint_children(endpoint));
    else
        snprintf(text, size, "stream %s - %s, %s, %u bytes unread, %u not arrived", local_text,
                 endpoint->peer_port != 0 ? peer_text : "nobody", state_names[endpoint->state],
                 tl_endpoint_unread(endpoint), not_arrived(endpoint));
}

static void close_descriptor(struct tl_descriptor *descriptor)
{
    tl_endpoint_close(tl_endpoint_of(descriptor));
}

static enum tl_adopted_kind kind(const struct tl_descriptor *descriptor)
{
    const struct tl_endpoint *endpoint =
        tl_listed(descriptor, const struct tl_endpoint, descriptor);
    return endpoint->state == TL_TCP_LISTENING ? TL_ADOPTED_LISTENER : TL_ADOPTED_STREAM;
}

const struct tl_descriptor_ops tl_endpoint_ops = {
    .socket = &tl_endpoint_socket_ops,
    .kind = kind,
    .readiness = readiness,
    .read = tl_endpoint_read,
    .write = tl_endpoint_write,
    .close = close_descriptor,
    .describe = describe,
};
