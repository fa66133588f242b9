/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UDP sockets: their life, their names, and what poll sees of them.
 */
#include "sim/datagram.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sim/endpoint.h"
#include "sim/option.h"
#include "sim/world.h"

/* --- Life ------------------------------------------------------------------------------------- */

struct tl_datagram_socket *tl_datagram_socket_new(tl_host *host, uint8_t family, uint64_t entity)
{
    tl_world *world = host->world;
    struct tl_datagram_socket *socket = tl_pool_get(&world->datagram_sockets);
    if (socket == NULL)
        return NULL;
    memset(socket, 0, sizeof *socket);
    if (tl_agenda_event_init(&world->agenda, &socket->event, tl_datagram_fired) < 0) {
        tl_pool_put(&world->datagram_sockets, socket);
        return NULL;
    }
    tl_ready_item_init(&socket->descriptor.item, TL_READY_DESCRIPTOR, entity);
    socket->descriptor.ops = &tl_datagram_ops;
    socket->descriptor.fd = -1;
    socket->host = host;
    socket->family = family;
    socket->local_ip = tl_ip_any(family);
    tl_list_push(&world->datagrams, &socket->place);
    return socket;
}

static void socket_free(struct tl_datagram_socket *socket)
{
    tl_world *world = tl_datagram_world(socket);
    tl_list_remove(&socket->place);
    tl_agenda_event_finish(&world->agenda, &socket->event);
    tl_datagram_let_go(socket);
    tl_datagrams_drop(&world->datagram_pools, &socket->flight);
    tl_datagrams_drop(&world->datagram_pools, &socket->unread);
    tl_pool_put(&world->datagram_sockets, socket);
}

void tl_datagram_socket_release(struct tl_datagram_socket *socket)
{
    if (socket->descriptor.kernel == NULL && socket->flight.head == NULL)
        socket_free(socket);
}

void tl_datagram_sockets_drop(tl_world *world)
{
    while (!tl_list_empty(&world->datagrams))
        socket_free(tl_listed(world->datagrams.next, struct tl_datagram_socket, place));
}

static void datagram_close(struct tl_descriptor *descriptor)
{
    struct tl_datagram_socket *socket = tl_datagram_socket_of(descriptor);
    tl_datagram_let_go(socket);
    tl_datagrams_drop(&tl_datagram_world(socket)->datagram_pools, &socket->unread);
    tl_datagram_socket_release(socket);
}

/* --- Names ------------------------------------------------------------------------------------ */

static int check_bind_address(const struct tl_datagram_socket *socket, const tl_addr *addr,
                              const struct tl_ip *ip)
{
    bool v6 = socket->family == TL_FAMILY_INET6;
    bool bound = socket->port != NULL;
    if (addr->family != socket->family)
        return tl_ip_wrong_family(socket->family, addr);
    if (v6 && (bound || (tl_ip_is_v4(ip) && socket->v6only)))
        return -EINVAL;
    int r = tl_host_check_local(socket->host, addr, false);
    return r == 0 && bound ? -EINVAL : r;
}

static int datagram_bind(struct tl_descriptor *descriptor, const tl_addr *addr)
{
    struct tl_datagram_socket *socket = tl_datagram_socket_of(descriptor);
    struct tl_ip ip = tl_ip_from(addr);
    int r = check_bind_address(socket, addr, &ip);
    if (r < 0)
        return r;
    socket->local_ip = ip;
    r = tl_datagram_hold(socket, addr->port);
    if (r < 0) {
        socket->local_ip = tl_ip_any(socket->family); /* whatever address it kept from before */
        return r;
    }
    /* What was chosen once is, for Linux, for as long as the socket lives. */
    socket->port_locked = socket->port_locked || addr->port != 0;
    socket->address_locked = socket->address_locked || tl_ip_is_chosen(&ip, addr->family);
    if (!tl_ip_is_any(&ip) && !tl_ip_is_v4(&ip))
        socket->v6only = true; /* as Linux has it, for good */
    return 0;
}

/* Also of a socket that is not connected: what it was given and did not ask for is taken back. */
static void disconnect(struct tl_datagram_socket *socket)
{
    socket->connected = false;
    socket->peer_port = 0;
    tl_datagram_changed(socket);
    if (!socket->address_locked)
        socket->local_ip = tl_ip_any(socket->family);
    if (!socket->port_locked)
        tl_datagram_let_go(socket);
}

static int datagram_connect(struct tl_descriptor *descriptor, const tl_addr *addr)
{
    struct tl_datagram_socket *socket = tl_datagram_socket_of(descriptor);
    struct tl_ip dest;
    struct tl_ip source;
    if (addr->family == TL_FAMILY_NONE) {
        disconnect(socket);
        return 0;
    }
    int r = socket->port == NULL ? tl_datagram_hold(socket, 0) : 0;
    bool other = socket->family == TL_FAMILY_INET6 && addr->family == TL_FAMILY_INET;
    if (r == 0 && other && socket->v6only)
        r = -EAFNOSUPPORT;
    if (r == 0 && addr->family == TL_FAMILY_INET6)
        r = tl_host_check_scope(addr, true);
    if (r == 0)
        r = tl_datagram_find_route(socket, addr, &dest, &source);
    if (r < 0)
        return r;
    if (tl_ip_is_any(&socket->local_ip))
        socket->local_ip = source;
    socket->connected = true;
    tl_datagram_changed(socket);
    socket->peer_ip = dest;
    socket->peer_port = addr->port;
    return 0;
}

static int datagram_address(struct tl_descriptor *descriptor, enum tl_address_side side,
                            tl_addr *ret)
{
    const struct tl_datagram_socket *socket = tl_datagram_socket_of(descriptor);
    if (side == TL_ADDRESS_LOCAL) {
        *ret = tl_ip_to(&socket->local_ip, socket->local_port, socket->family);
        return 0;
    }
    if (side != TL_ADDRESS_PEER)
        return -EINVAL;
    if (!socket->connected || socket->peer_port == 0)
        return -ENOTCONN;
    *ret = tl_ip_to(&socket->peer_ip, socket->peer_port, socket->family);
    return 0;
}

/* --- Ending, and what UDP has not ------------------------------------------------------------- */

static int datagram_shutdown(struct tl_descriptor *descriptor, uint8_t halves)
{
    struct tl_datagram_socket *socket = tl_datagram_socket_of(descriptor);
    /* Also of a socket that is not connected, which is told off for it nonetheless. */
    socket->shut |= halves;
    tl_descriptor_touch(descriptor);
    return socket->connected ? 0 : -ENOTCONN;
}

static int datagram_listen(struct tl_descriptor *descriptor, int backlog)
{
    (void)descriptor;
    (void)backlog;
    return -EOPNOTSUPP;
}

static int datagram_accept(struct tl_descriptor *descriptor, struct tl_descriptor **ret,
                           tl_addr *ret_peer)
{
    (void)descriptor;
    (void)ret;
    (void)ret_peer;
    return -EOPNOTSUPP;
}

/* --- Options ---------------------------------------------------------------------------------- */

int tl_datagram_take_error(struct tl_datagram_socket *socket)
{
    int error = socket->error;
    socket->error = 0;
    return error;
}

static int datagram_option(struct tl_descriptor *descriptor, enum tl_option option, const int *set,
                           int *ret)
{
    struct tl_datagram_socket *socket = tl_datagram_socket_of(descriptor);
    const struct tl_option_places places = {
        .flags =
            {
                [TL_OPTION_REUSEADDR] = &socket->reuse_address,
                [TL_OPTION_REUSEPORT] = &socket->reuse_port,
                [TL_OPTION_V6ONLY] = &socket->v6only,
                [TL_OPTION_KEEPALIVE] = &socket->keepalive,
                [TL_OPTION_BROADCAST] = &socket->broadcast,
            },
        .send_room = &socket->send_room,
        .receive_room = &socket->receive_room,
        .error = &socket->error,
        .family = socket->family,
        .bound = socket->port != NULL,
    };
    if (set != NULL)
        tl_datagram_changed(socket);
    return tl_option(&places, option, set, ret);
}

/* --- For poll and for people ------------------------------------------------------------------ */

static uint32_t readiness(const struct tl_descriptor *descriptor)
{
    const struct tl_datagram_socket *socket =
        tl_listed(descriptor, struct tl_datagram_socket, descriptor);
    uint32_t ready = 0;
    if (socket->unread.head != NULL || socket->shut & TL_SHUT_READ)
        ready |= TL_READABLE;
    if (socket->shut == TL_SHUT_BOTH)
        ready |= TL_HANGUP;
    if (descriptor->item.wanted & TL_WRITABLE &&
        socket->busy_until <= tl_datagram_world(socket)->now)
        ready |= TL_WRITABLE;
    if (socket->error != 0)
        ready |= TL_FAULT;
    return ready;
}

static void describe(const struct tl_descriptor *descriptor, char *text, size_t size)
{
    const struct tl_datagram_socket *socket =
        tl_listed(descriptor, struct tl_datagram_socket, descriptor);
    char local_text[TL_ADDR_TEXT_MAX];
    char peer_text[TL_ADDR_TEXT_MAX] = "anybody";
    tl_addr local = tl_ip_to(&socket->local_ip, socket->local_port, socket->family);
    tl_addr peer = tl_ip_to(&socket->peer_ip, socket->peer_port, socket->family);
    tl_addr_format(&local, local_text, sizeof local_text);
    if (socket->connected)
        tl_addr_format(&peer, peer_text, sizeof peer_text);
    snprintf(text, size, "datagrams %s - %s, %u unread, %u sent and not arrived", local_text,
             peer_text, socket->unread.count, socket->flight.count);
}

static const struct tl_socket_ops socket_ops = {
    .bind = datagram_bind,
    .listen = datagram_listen,
    .accept = datagram_accept,
    .connect = datagram_connect,
    .shutdown = datagram_shutdown,
    .option = datagram_option,
    .address = datagram_address,
};

static enum tl_adopted_kind kind(const struct tl_descriptor *descriptor)
{
    (void)descriptor;
    return TL_ADOPTED_DATAGRAM;
}

const struct tl_descriptor_ops tl_datagram_ops = {
    .socket = &socket_ops,
    .kind = kind,
    .readiness = readiness,
    .read = tl_datagram_read,
    .write = tl_datagram_write,
    .write_pages = tl_datagram_write_pages,
    .close = datagram_close,
    .describe = describe,
};
