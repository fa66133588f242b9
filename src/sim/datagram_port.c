/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who a datagram is for: UDP's ports, how sockets share them, and routes.
 *
 * Of the sockets that hold a port, a datagram is for the one that fits best: one that is connected
 * to its sender before one that is not, one bound to its destination before one bound to every
 * address. Of equals the last that was bound has it, but those that share the port by SO_REUSEPORT
 * divide the senders among them.
 */
#include <errno.h>

#include "sim/datagram.h"
#include "sim/world.h"

enum { WINDOW = 8 };

/* --- Holding ---------------------------------------------------------------------------------- */

static bool conflicts(const struct tl_datagram_socket *socket, uint16_t number)
{
    const struct tl_port *port = tl_port_find(&socket->host->datagram_ports, number);
    if (port == NULL)
        return false;
    for (struct tl_list *at = port->holders.next; at != &port->holders; at = at->next) {
        const struct tl_datagram_socket *other = tl_listed(at, struct tl_datagram_socket, holder);
        bool shared = (socket->reuse_address && other->reuse_address) ||
                      (socket->reuse_port && other->reuse_port);
        if (!shared &&
            tl_ip_overlap(&socket->local_ip, socket->v6only, &other->local_ip, other->v6only))
            return true;
    }
    return false;
}

int tl_datagram_hold(struct tl_datagram_socket *socket, uint16_t number)
{
    tl_host *host = socket->host;
    int picked = number;
    if (number == 0)
        picked = tl_port_pick(&host->datagram_ports);
    else if (conflicts(socket, number))
        return -EADDRINUSE;
    if (picked < 0)
        return number == 0 ? -EAGAIN : picked; /* as Linux tells that no port is free */
    struct tl_port *port = tl_port_get(host, &host->datagram_ports, (uint16_t)picked);
    if (port == NULL)
        return -ENOMEM;
    socket->port = port;
    socket->local_port = (uint16_t)picked;
    tl_list_push(&port->holders, &socket->holder);
    tl_datagram_changed(socket);
    return 0;
}

void tl_datagram_let_go(struct tl_datagram_socket *socket)
{
    if (socket->port == NULL)
        return;
    tl_list_remove(&socket->holder);
    tl_datagram_changed(socket);
    tl_port_put(socket->host, &socket->host->datagram_ports, socket->port);
    socket->port = NULL;
    socket->local_port = 0;
}

/* --- Routes ----------------------------------------------------------------------------------- */

int tl_datagram_find_route(const struct tl_datagram_socket *socket, const tl_addr *addr,
                           struct tl_ip *ret_dest, struct tl_ip *ret_source)
{
    bool v6 = socket->family == TL_FAMILY_INET6;
    if (addr->family != socket->family && !(v6 && addr->family == TL_FAMILY_INET))
        return tl_ip_wrong_family(socket->family, addr);
    struct tl_ip dest = tl_host_destination(&socket->local_ip, addr);
    if (tl_ip_is_v4(&dest) && v6 && socket->v6only)
        return -ENETUNREACH;
    int r = tl_host_check_scope(addr, false);
    if (r < 0)
        return r;
    /* To IPv4 who has an address of IPv6 from an earlier connect sends from its host's. */
    struct tl_ip local = socket->local_ip;
    if (tl_ip_is_v4(&dest) && !tl_ip_is_v4(&local))
        local = tl_ip_v4(0, 0, 0, 0);
    r = tl_host_source(socket->host, &local, &dest, ret_source);
    if (r < 0)
        return r;
    if (tl_ip_is_broadcast(&dest) && !socket->broadcast)
        return -EACCES;
    if (tl_ip_is_v4(&dest) && tl_host_confines(socket->host, ret_source, &dest))
        return -EINVAL;
    *ret_dest = dest;
    return 0;
}

/* --- Receivers -------------------------------------------------------------------------------- */

/* How well a socket fits a datagram: 0 is not at all. */
static unsigned fit(const struct tl_datagram_socket *socket, const struct tl_datagram *datagram)
{
    bool v4 = tl_ip_is_v4(&datagram->dest);
    unsigned fits = socket->family == TL_FAMILY_INET ? 2 : 1;
    if (v4 ? socket->family == TL_FAMILY_INET6 && socket->v6only : socket->family == TL_FAMILY_INET)
        return 0;
    if (tl_ip_equal(&socket->local_ip, &datagram->dest))
        fits += 8;
    else if (!tl_ip_is_any(&socket->local_ip) || (tl_ip_is_v4(&socket->local_ip) && !v4))
        return 0;
    if (!socket->connected)
        return fits;
    bool from_peer = tl_ip_equal(&socket->peer_ip, &datagram->source) &&
                     socket->peer_port == datagram->source_port;
    return from_peer ? fits + 4 : 0;
}

/* Which of n sockets that share a port gets what this socket sends: always the same. */
static uint32_t share_of(struct tl_datagram_socket *sender, uint32_t n)
{
    if (!sender->share_drawn) {
        sender->share_drawn = true;
        sender->share = tl_datagram_ask(sender, TL_AT_DATAGRAM_SHARE, TL_DATAGRAM_SHARE, WINDOW);
    }
    return sender->share % n;
}

static struct tl_datagram_socket *find_receiver(struct tl_datagram_socket *sender,
                                                const struct tl_datagram *datagram)
{
    const struct tl_port *port =
        tl_port_find(&datagram->target->datagram_ports, datagram->dest_port);
    struct tl_datagram_socket *window[WINDOW];
    struct tl_datagram_socket *last = NULL;
    uint32_t held = 0;
    unsigned best = 1;
    if (port == NULL)
        return NULL;
    for (struct tl_list *at = port->holders.next; at != &port->holders; at = at->next) {
        struct tl_datagram_socket *socket = tl_listed(at, struct tl_datagram_socket, holder);
        unsigned fits = fit(socket, datagram);
        if (fits < best)
            continue;
        if (fits > best)
            held = 0;
        best = fits;
        last = socket;
        if (socket->reuse_port && !socket->connected && held < WINDOW)
            window[held++] = socket;
    }
    if (last == NULL || held < 2 || !last->reuse_port)
        return last;
    return window[share_of(sender, held)];
}

/* Nearly everything goes where the last did. */
struct tl_datagram_socket *tl_datagram_receiver(struct tl_datagram_socket *sender,
                                                const struct tl_datagram *datagram)
{
    struct tl_datagram_route *last = &sender->last_route;
    uint64_t changes = datagram->target->datagram_changes;
    bool same =
        last->receiver != NULL && last->target == datagram->target && last->changes == changes &&
        last->dest_port == datagram->dest_port && last->source_port == datagram->source_port &&
        tl_ip_equal(&last->dest, &datagram->dest) && tl_ip_equal(&last->source, &datagram->source);
    if (!same)
        *last = (struct tl_datagram_route){
            .receiver = find_receiver(sender, datagram),
            .target = datagram->target,
            .changes = changes,
            .source = datagram->source,
            .dest = datagram->dest,
            .source_port = datagram->source_port,
            .dest_port = datagram->dest_port,
        };
    return last->receiver;
}

struct tl_datagram_socket *tl_datagram_next_receiver(const struct tl_datagram *datagram,
                                                     struct tl_datagram_socket *at)
{
    const struct tl_port *port =
        tl_port_find(&datagram->target->datagram_ports, datagram->dest_port);
    if (port == NULL)
        return NULL;
    struct tl_list *next = at != NULL ? at->holder.next : port->holders.next;
    for (; next != &port->holders; next = next->next) {
        struct tl_datagram_socket *socket = tl_listed(next, struct tl_datagram_socket, holder);
        if (fit(socket, datagram) > 0)
            return socket;
    }
    return NULL;
}
