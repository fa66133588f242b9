/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a connection: three steps, each a link's latency apart.
 *
 * The SYN arrives at a listener, which makes the other end half open; the answer makes this end
 * established; its acknowledgement puts the other end into the listener's queue. A SYN that nobody
 * answers is sent again after 1, 2, 4 ... seconds, and after 127 seconds connect has timed out.
 *
 * Where nobody listens a SYN may meet one that goes the other way: two sockets that connect to each
 * other, or one that connects to itself. Then there is no third step, and each end is established
 * when its own SYN is answered.
 */
#include <errno.h>

#include "sim/endpoint.h"
#include "sim/world.h"

enum { SYN_TRIES_MAX = 7 };

static void handshake_add(struct tl_endpoint *endpoint, enum tl_handshake handshake, tl_time time)
{
    struct tl_traffic *traffic = tl_endpoint_traffic(endpoint);
    traffic->handshake = (uint8_t)handshake;
    tl_agenda_add(&tl_endpoint_world(endpoint)->agenda, &traffic->arrival, time);
}

/* When something that is sent at an instant is there: the latency, or more. */
static tl_time one_way(struct tl_endpoint *endpoint, tl_time sent)
{
    uint32_t longer = tl_endpoint_ask(endpoint, TL_AT_LINK_DELAY, TL_DRAW_DELAY, TL_MAGNITUDES);
    return sent + endpoint->latency + tl_magnitude(longer);
}

/* --- Starting --------------------------------------------------------------------------------- */

static int check_address(const struct tl_endpoint *endpoint, const tl_addr *addr)
{
    return addr->family == endpoint->family ? 0 : tl_ip_wrong_family(endpoint->family, addr);
}

static int bind_for_connect(struct tl_endpoint *endpoint)
{
    if (endpoint->port != NULL)
        return 0;
    int number = tl_port_pick(&endpoint->host->ports);
    if (number < 0)
        return -EADDRNOTAVAIL;
    return tl_port_hold(endpoint, (uint16_t)number);
}

static int start(struct tl_endpoint *endpoint, const tl_addr *addr)
{
    int r = check_address(endpoint, addr);
    if (r < 0)
        return r;
    struct tl_ip ip = tl_host_destination(&endpoint->local_ip, addr);
    if (tl_ip_is_v4(&ip) && endpoint->family == TL_FAMILY_INET6 && endpoint->v6only)
        return -ENETUNREACH;
    if (tl_ip_is_many(&ip) || tl_ip_is_broadcast(&ip))
        return -ENETUNREACH;
    struct tl_ip source;
    r = tl_host_check_scope(addr, true);
    if (r == 0)
        r = tl_host_source(endpoint->host, &endpoint->local_ip, &ip, &source);
    if (r < 0)
        return r;
    bool confined = tl_host_confines(endpoint->host, &source, &ip);
    if (confined && tl_ip_is_v4(&ip))
        return -EINVAL;
    r = bind_for_connect(endpoint);
    if (r < 0)
        return r;
    tl_world *world = tl_endpoint_world(endpoint);
    tl_host *target = tl_host_find(endpoint->host, &ip);
    struct tl_link link =
        tl_link_between(world, endpoint->host, target != NULL ? target : endpoint->host);
    endpoint->local_ip = source;
    endpoint->peer_ip = ip;
    endpoint->peer_port = addr->port;
    endpoint->latency = link.latency;
    endpoint->link_room = link.buffer_bytes;
    endpoint->state = TL_TCP_SYN_SENT;
    endpoint->error = 0;
    endpoint->fin_received = false;
    struct tl_traffic *traffic = tl_endpoint_traffic(endpoint);
    traffic->syn_at = world->now;
    traffic->syn_tries = 0;
    bool lost = tl_endpoint_ask(endpoint, TL_AT_CONNECT_TIMEOUT, TL_DRAW_CONNECT, 2) != 0;
    if (target == NULL || confined || lost)
        handshake_add(endpoint, TL_SYN_TIMED_OUT,
                      world->now + ((1 << SYN_TRIES_MAX) - 1) * TL_SECOND);
    else
        handshake_add(endpoint, TL_SYN_ARRIVES, one_way(endpoint, world->now));
    return 0;
}

int tl_endpoint_connect(struct tl_descriptor *descriptor, const tl_addr *addr)
{
    struct tl_endpoint *endpoint = tl_endpoint_of(descriptor);
    int r;
    if (endpoint->connect_state == TL_DISCONNECTING)
        return -EINVAL;
    if (endpoint->connect_state == TL_CONNECTED)
        return -EISCONN;
    if (endpoint->connect_state == TL_UNCONNECTED) {
        if (endpoint->state != TL_TCP_CLOSED)
            return -EISCONN;
        r = start(endpoint, addr);
        if (r < 0)
            return r;
        endpoint->connect_state = TL_CONNECTING;
        return -EINPROGRESS;
    }
    if (endpoint->state == TL_TCP_SYN_SENT)
        return -EALREADY;
    if (endpoint->state == TL_TCP_CLOSED) {
        r = tl_endpoint_take_error(endpoint);
        tl_endpoint_disconnect(endpoint);
        return r < 0 ? r : -ECONNABORTED;
    }
    endpoint->connect_state = TL_CONNECTED;
    return 0;
}

/* --- The listening side ----------------------------------------------------------------------- */

/* The other end of a connection that is being made; NULL when memory is out. */
static struct tl_endpoint *make_child(struct tl_endpoint *client, struct tl_endpoint *listener)
{
    uint64_t entity = tl_entity(client->descriptor.item.id, "peer", 0);
    struct tl_endpoint *child = tl_endpoint_new(listener->host, listener->family, entity);
    if (child == NULL)
        return NULL;
    child->local_ip = client->peer_ip;
    child->peer_ip = client->local_ip;
    child->peer_port = client->local_port;
    if (tl_port_hold(child, listener->local_port) < 0) {
        tl_endpoint_release(child);
        return NULL;
    }
    child->state = TL_TCP_SYN_RECEIVED;
    child->connect_state = TL_CONNECTED;
    child->latency = client->latency;
    child->link_room = client->link_room;
    child->send_room = listener->send_room;
    child->receive_room = listener->receive_room;
    child->reuse_address = listener->reuse_address;
    child->reuse_port = listener->reuse_port;
    child->v6only = listener->v6only;
    child->nodelay = listener->nodelay;
    child->keepalive = listener->keepalive;
    child->broadcast = listener->broadcast;
    child->shut = listener->shut;
    struct tl_traffic *traffic = tl_endpoint_traffic(child);
    traffic->listener = listener;
    tl_list_push(&listener->listening->half_open, &traffic->place);
    listener->listening->children++;
    child->peer = client;
    client->peer = child;
    return child;
}

/* Nobody has answered: once more, unless that was the last. */
static void syn_lost(struct tl_endpoint *client)
{
    struct tl_traffic *traffic = client->traffic;
    unsigned tries = ++traffic->syn_tries;
    tl_time again = traffic->syn_at + ((1 << tries) - 1) * TL_SECOND;
    if (tries < SYN_TRIES_MAX)
        handshake_add(client, TL_SYN_ARRIVES, one_way(client, again));
    else
        handshake_add(client, TL_SYN_TIMED_OUT, again);
}

/* Whether a SYN of client's is what the other one waits for in its place. */
static bool is_meant(const struct tl_endpoint *other, const struct tl_endpoint *client)
{
    return other->state == TL_TCP_SYN_SENT && other->peer == NULL &&
           other->peer_port == client->local_port &&
           tl_ip_equal(&other->local_ip, &client->peer_ip) &&
           tl_ip_equal(&other->peer_ip, &client->local_ip);
}

/* Whom client meets half-way: who connects to where it connects from; NULL: nobody. */
static struct tl_endpoint *find_other(const struct tl_endpoint *client, tl_host *target)
{
    const struct tl_port *port = tl_port_find(&target->ports, client->peer_port);
    if (client->peer != NULL)
        return client->peer; /* whose SYN was here first */
    if (port == NULL)
        return NULL;
    for (struct tl_list *at = port->holders.next; at != &port->holders; at = at->next) {
        struct tl_endpoint *other = tl_listed(at, struct tl_endpoint, holder);
        if (is_meant(other, client))
            return other;
    }
    return NULL;
}

static bool meets_itself(const struct tl_endpoint *client, const tl_host *target)
{
    return target == client->host && is_meant(client, client);
}

/* The other end of client's connection is somebody who connects too. */
static void meet(struct tl_endpoint *client, struct tl_endpoint *other)
{
    client->peer = other;
    other->peer = client;
}

static void syn_arrives(struct tl_endpoint *client)
{
    tl_time now = tl_endpoint_world(client)->now;
    tl_host *target = tl_host_find(client->host, &client->peer_ip);
    struct tl_endpoint *listener = NULL;
    struct tl_endpoint *other = NULL;
    if (meets_itself(client, target))
        other = client;
    else
        listener = tl_port_listener(target, &client->peer_ip, client->peer_port);
    if (other == NULL && listener == NULL)
        other = find_other(client, target);
    if (other != NULL)
        meet(client, other);
    if (other == NULL && listener == NULL)
        handshake_add(client, TL_SYN_REFUSED, now + client->latency);
    else if (other == NULL &&
             (listener->listening->children > (unsigned)listener->listening->backlog ||
              make_child(client, listener) == NULL))
        syn_lost(client);
    else
        handshake_add(client, TL_SYN_ANSWERED, one_way(client, now));
}

void tl_handshake_acknowledged(struct tl_endpoint *child)
{
    struct tl_endpoint *listener = tl_endpoint_listener(child);
    child->state = TL_TCP_ESTABLISHED;
    if (listener == NULL) {
        tl_endpoint_set_closed(child); /* it has gone meanwhile */
        tl_travel_reset(child);
        return;
    }
    tl_list_remove(&child->traffic->place);
    tl_list_push(&listener->listening->queue, &child->traffic->place);
    tl_endpoint_touch(listener);
    /* A listener that was shut down before it listened has children that are. */
    if (child->shut & TL_SHUT_WRITE)
        tl_endpoint_finish_sending(child);
}

/* --- The connecting side ---------------------------------------------------------------------- */

/* Who had met it half-way is told. */
static void fail(struct tl_endpoint *client, int error)
{
    client->error = error;
    tl_endpoint_set_closed(client);
    if (client->peer != NULL)
        tl_travel_reset(client);
}

static void answered(struct tl_endpoint *client)
{
    struct tl_endpoint *peer = client->peer;
    if (peer == NULL) { /* it met somebody who has gone since */
        fail(client, -ECONNRESET);
        return;
    }
    client->state = TL_TCP_ESTABLISHED;
    if (peer->state == TL_TCP_SYN_RECEIVED) {
        tl_travel_flag(client, TL_FLAG_ACK);
        tl_travel_schedule(peer);
    } else if (client->shut & TL_SHUT_WRITE) {
        tl_endpoint_finish_sending(client); /* as a child's listener may have shut down before */
    }
    tl_travel_schedule(client); /* a reset may have come right behind the answer */
}

void tl_handshake_fired(struct tl_endpoint *endpoint)
{
    switch ((enum tl_handshake)endpoint->traffic->handshake) {
    case TL_SYN_ARRIVES:
        syn_arrives(endpoint);
        return;
    case TL_SYN_ANSWERED:
        answered(endpoint);
        break;
    case TL_SYN_REFUSED:
        fail(endpoint, -ECONNREFUSED);
        break;
    case TL_SYN_TIMED_OUT:
        fail(endpoint, -ETIMEDOUT);
        break;
    }
    tl_endpoint_touch(endpoint);
}
