/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls on a socket that move no bytes: bind, listen, accept, shutdown, options, names, close.
 */
#include <errno.h>

#include "core/alloc.h"
#include "sim/buffer.h"
#include "sim/endpoint.h"
#include "sim/option.h"
#include "sim/world.h"

enum { BACKLOG_MAX = 4096 };

/* --- Bound and listening ---------------------------------------------------------------------- */

static int check_bind_address(const struct tl_endpoint *endpoint, const tl_addr *addr,
                              const struct tl_ip *ip)
{
    bool v6 = endpoint->family == TL_FAMILY_INET6;
    bool bound = endpoint->state != TL_TCP_CLOSED || endpoint->port != NULL;
    if (addr->family != endpoint->family)
        return tl_ip_wrong_family(endpoint->family, addr);
    if (v6 && (bound || (tl_ip_is_v4(ip) && endpoint->v6only)))
        return -EINVAL;
    int r = tl_host_check_local(endpoint->host, addr, true);
    return r == 0 && bound ? -EINVAL : r;
}

/* Binds to a port that was asked for, or to one that is free. */
static int hold_port(struct tl_endpoint *endpoint, uint16_t number)
{
    int picked = number;
    if (number == 0)
        picked = tl_port_pick(&endpoint->host->ports);
    else if (tl_port_conflicts(endpoint, number))
        return -EADDRINUSE;
    if (picked < 0)
        return picked;
    return tl_port_hold(endpoint, (uint16_t)picked);
}

static int endpoint_bind(struct tl_descriptor *descriptor, const tl_addr *addr)
{
    struct tl_endpoint *endpoint = tl_endpoint_of(descriptor);
    struct tl_ip ip = tl_ip_from(addr);
    int r = check_bind_address(endpoint, addr, &ip);
    if (r < 0)
        return r;
    endpoint->local_ip = ip;
    r = hold_port(endpoint, addr->port);
    if (r < 0) {
        endpoint->local_ip = tl_ip_any(endpoint->family); /* whatever address it kept from before */
        return r;
    }
    endpoint->port_locked = addr->port != 0;
    /* An address that was chosen once is, for Linux, for as long as the socket lives. */
    endpoint->address_locked = endpoint->address_locked || tl_ip_is_chosen(&ip, addr->family);
    if (!tl_ip_is_any(&ip) && !tl_ip_is_v4(&ip))
        endpoint->v6only = true; /* as Linux has it, for good */
    return 0;
}

static int make_listening(struct tl_endpoint *endpoint)
{
    struct tl_listening *listening =
        tl_allocator_calloc(&tl_endpoint_world(endpoint)->allocator, sizeof *listening);
    if (listening == NULL)
        return -ENOMEM;
    listening->endpoint = endpoint;
    tl_list_init(&listening->half_open);
    tl_list_init(&listening->queue);
    endpoint->listening = listening;
    return 0;
}

static int endpoint_listen(struct tl_descriptor *descriptor, int backlog)
{
    struct tl_endpoint *endpoint = tl_endpoint_of(descriptor);
    bool possible = endpoint->state == TL_TCP_CLOSED || endpoint->state == TL_TCP_LISTENING;
    if (endpoint->connect_state != TL_UNCONNECTED || !possible)
        return -EINVAL;
    if (endpoint->listening == NULL && make_listening(endpoint) < 0)
        return -ENOMEM;
    endpoint->listening->backlog = backlog >= 0 && backlog < BACKLOG_MAX ? backlog : BACKLOG_MAX;
    if (endpoint->state == TL_TCP_LISTENING)
        return 0;
    if (endpoint->port == NULL) {
        int r = hold_port(endpoint, 0);
        if (r < 0)
            return r;
    } else if (tl_port_conflicts(endpoint, endpoint->local_port)) {
        return -EADDRINUSE;
    }
    endpoint->state = TL_TCP_LISTENING;
    tl_list_push(&endpoint->port->listeners, &endpoint->listening->place);
    return 0;
}

void tl_endpoint_leave_listener(struct tl_endpoint *child)
{
    struct tl_endpoint *listener = tl_endpoint_listener(child);
    if (listener == NULL)
        return;
    tl_list_remove(&child->traffic->place);
    listener->listening->children--;
    child->traffic->listener = NULL;
}

/* Takes the first connection out of the queue, if there is one. */
static struct tl_endpoint *next_child(struct tl_endpoint *listener)
{
    struct tl_list *queue = &listener->listening->queue;
    if (tl_list_empty(queue))
        return NULL;
    struct tl_endpoint *child = tl_listed(queue->next, struct tl_traffic, place)->endpoint;
    tl_endpoint_leave_listener(child);
    tl_traffic_settle(child);
    return child;
}

/* The world finishes a connection that nobody will accept. */
static void drop_child(struct tl_endpoint *child)
{
    if (child->state != TL_TCP_CLOSED) {
        tl_endpoint_set_closed(child);
        tl_travel_reset(child);
    }
    tl_endpoint_release(child);
}

static void stop_listening(struct tl_endpoint *listener)
{
    struct tl_list *half_open = &listener->listening->half_open;
    struct tl_endpoint *child;
    tl_list_remove(&listener->listening->place);
    while ((child = next_child(listener)) != NULL)
        drop_child(child);
    /* Half open ones are refused when the handshake's last step arrives. */
    while (!tl_list_empty(half_open)) {
        child = tl_listed(half_open->next, struct tl_traffic, place)->endpoint;
        tl_endpoint_leave_listener(child);
        tl_endpoint_release(child);
    }
}

static int endpoint_accept(struct tl_descriptor *descriptor, struct tl_descriptor **ret,
                           tl_addr *ret_peer)
{
    struct tl_endpoint *listener = tl_endpoint_of(descriptor);
    if (listener->state != TL_TCP_LISTENING)
        return -EINVAL;
    if (tl_list_empty(&listener->listening->queue))
        return -EAGAIN;
    bool aborted = tl_choices_ask(tl_endpoint_world(listener), TL_AT_ACCEPT_ABORTED,
                                  descriptor->item.id, &listener->listening->accept_draws, 2) != 0;
    struct tl_endpoint *child = next_child(listener);
    if (aborted) {
        drop_child(child);
        return -ECONNABORTED;
    }
    *ret = &child->descriptor;
    *ret_peer = tl_ip_to(&child->peer_ip, child->peer_port, child->family);
    return 0;
}

/* --- Ending ----------------------------------------------------------------------------------- */

/* An end that parts drops what it could not send; what its peer could not send stays the peer's. */
static void divide_unsent(struct tl_endpoint *endpoint, struct tl_endpoint *peer)
{
    struct tl_segment_queue *unsent = &tl_endpoint_traffic(peer)->unsent;
    tl_segments_drop(&tl_endpoint_world(peer)->segments, unsent);
    if (endpoint->traffic != NULL) {
        *unsent = endpoint->traffic->unsent;
        endpoint->traffic->unsent = (struct tl_segment_queue){0};
    }
    tl_traffic_settle(peer);
}

/* Parts an end from its peer: whatever was on its way here is lost. A half open peer is gone. */
static void part(struct tl_endpoint *endpoint)
{
    struct tl_endpoint *peer = endpoint->peer;
    if (peer != NULL)
        divide_unsent(endpoint, peer);
    tl_traffic_drop(endpoint);
    endpoint->fin_wanted = false;
    if (peer == NULL)
        return;
    endpoint->peer = NULL;
    peer->peer = NULL;
    if (peer == endpoint)
        return;
    if (peer->state == TL_TCP_SYN_RECEIVED)
        tl_endpoint_leave_listener(peer);
    tl_endpoint_release(peer);
}

void tl_endpoint_disconnect(struct tl_endpoint *endpoint)
{
    part(endpoint);
    /* A port that was picked after it had closed stays. */
    if (endpoint->state != TL_TCP_CLOSED && !endpoint->port_locked)
        tl_port_release(endpoint);
    endpoint->state = TL_TCP_CLOSED;
    endpoint->connect_state = TL_UNCONNECTED;
    endpoint->shut = 0;
    endpoint->error = 0;
    endpoint->fin_received = false;
    endpoint->peer_port = 0;
    if (!endpoint->address_locked)
        endpoint->local_ip = tl_ip_any(endpoint->family);
}

void tl_endpoint_finish_sending(struct tl_endpoint *endpoint)
{
    if (endpoint->state == TL_TCP_ESTABLISHED)
        endpoint->state = TL_TCP_FIN_WAIT;
    else if (endpoint->state == TL_TCP_CLOSE_WAIT)
        endpoint->state = TL_TCP_CLOSING;
    else
        return;
    endpoint->fin_wanted = true;
    tl_travel_send(endpoint);
}

static int endpoint_shutdown(struct tl_descriptor *descriptor, uint8_t halves)
{
    struct tl_endpoint *endpoint = tl_endpoint_of(descriptor);
    int r = 0;
    if (endpoint->connect_state == TL_CONNECTING)
        endpoint->connect_state =
            endpoint->state == TL_TCP_CLOSED ? TL_DISCONNECTING : TL_CONNECTED;
    if (endpoint->state == TL_TCP_LISTENING) {
        if (halves & TL_SHUT_READ) {
            stop_listening(endpoint);
            tl_endpoint_disconnect(endpoint);
        }
    } else if (endpoint->state == TL_TCP_SYN_SENT) {
        tl_endpoint_disconnect(endpoint);
        endpoint->error = -ECONNRESET;
    } else {
        r = endpoint->state == TL_TCP_CLOSED ? -ENOTCONN : 0;
        endpoint->shut |= halves;
        if (halves & TL_SHUT_WRITE)
            tl_endpoint_finish_sending(endpoint);
    }
    tl_endpoint_touch(endpoint);
    return r;
}

/* Closes one end of a connection. What it has not read is lost, and the peer is told so. */
static void close_connection(struct tl_endpoint *endpoint)
{
    bool unread = tl_endpoint_unread(endpoint) > 0;
    if (unread)
        tl_segments_drop(&tl_endpoint_world(endpoint)->segments, &endpoint->traffic->unread);
    endpoint->shut = TL_SHUT_BOTH;
    if (endpoint->state == TL_TCP_CLOSED)
        return;
    if (unread) {
        tl_endpoint_set_closed(endpoint);
        tl_travel_reset(endpoint);
    } else {
        tl_endpoint_finish_sending(endpoint);
    }
}

void tl_endpoint_close(struct tl_endpoint *endpoint)
{
    if (endpoint->state == TL_TCP_LISTENING)
        stop_listening(endpoint);
    if (endpoint->state == TL_TCP_LISTENING || endpoint->state == TL_TCP_SYN_SENT)
        tl_endpoint_disconnect(endpoint);
    else if (endpoint->peer != NULL)
        close_connection(endpoint);
    endpoint->port_locked = false;
    if (endpoint->state == TL_TCP_CLOSED)
        tl_port_release(endpoint);
    tl_endpoint_release(endpoint);
}

/* --- Options and names ------------------------------------------------------------------------ */

static int endpoint_option(struct tl_descriptor *descriptor, enum tl_option option, const int *set,
                           int *ret)
{
    struct tl_endpoint *endpoint = tl_endpoint_of(descriptor);
    const struct tl_option_places places = {
        .flags =
            {
                [TL_OPTION_REUSEADDR] = &endpoint->reuse_address,
                [TL_OPTION_REUSEPORT] = &endpoint->reuse_port,
                [TL_OPTION_V6ONLY] = &endpoint->v6only,
                [TL_OPTION_NODELAY] = &endpoint->nodelay,
                [TL_OPTION_KEEPALIVE] = &endpoint->keepalive,
                [TL_OPTION_BROADCAST] = &endpoint->broadcast,
            },
        .send_room = &endpoint->send_room,
        .receive_room = &endpoint->receive_room,
        .error = &endpoint->error,
        .family = endpoint->family,
        .bound = endpoint->port != NULL,
    };
    return tl_option(&places, option, set, ret);
}

static int endpoint_address(struct tl_descriptor *descriptor, enum tl_address_side side,
                            tl_addr *ret)
{
    const struct tl_endpoint *endpoint = tl_endpoint_of(descriptor);
    if (side == TL_ADDRESS_LOCAL) {
        *ret = tl_ip_to(&endpoint->local_ip, endpoint->local_port, endpoint->family);
        return 0;
    }
    if (side != TL_ADDRESS_PEER)
        return -EINVAL;
    if (endpoint->peer_port == 0 || endpoint->state == TL_TCP_CLOSED ||
        endpoint->state == TL_TCP_SYN_SENT)
        return -ENOTCONN;
    *ret = tl_ip_to(&endpoint->peer_ip, endpoint->peer_port, endpoint->family);
    return 0;
}

const struct tl_socket_ops tl_endpoint_socket_ops = {
    .bind = endpoint_bind,
    .listen = endpoint_listen,
    .accept = endpoint_accept,
    .connect = tl_endpoint_connect,
    .shutdown = endpoint_shutdown,
    .option = endpoint_option,
    .address = endpoint_address,
};
