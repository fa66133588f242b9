/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading and writing datagrams, one or several in a call. The order of checks is that of Linux,
 * since it decides which of two errors a program sees.
 */
#include <errno.h>

#include "sim/buffer.h"
#include "sim/datagram.h"
#include "sim/endpoint.h"
#include "sim/iov.h"
#include "sim/mix.h"
#include "sim/world.h"

enum {
    LEN_MAX = 65507,    /* of what fits a packet of IPv4 */
    LEN_MAX_V6 = 65527, /* and of IPv6 */
    LEN_BELIEVABLE = 65535,
};

/* --- Reading ---------------------------------------------------------------------------------- */

/* Copies as much of a datagram as fits, and says what it is. */
static void take(const struct tl_datagram_socket *socket, const struct tl_datagram *datagram,
                 struct tl_message *message)
{
    struct tl_iov_cursor cursor = {.iov = message->iov};
    size_t room = tl_iov_total(message);
    message->len = datagram->len < room ? datagram->len : room;
    message->truncated = datagram->len > room;
    tl_iov_scatter(&cursor, datagram->data, message->len);
    if (message->addr != NULL)
        *message->addr = tl_ip_to(&datagram->source, datagram->source_port, socket->family);
}

/* Linux reads a batch at a time, and gives room back when one has been read, or a quarter of the
 * receive buffer. Whenever it does, all that is there by then is the next batch. */
static void give_room_back(struct tl_datagram_socket *socket, uint32_t cost)
{
    uint32_t room = (uint32_t)tl_buffer_get(socket->receive_room);
    socket->owed += cost;
    socket->batch--;
    if (socket->batch > 0 && socket->owed < room / 4)
        return;
    socket->owed = 0;
    socket->batch = socket->unread.count;
}

ssize_t tl_datagram_read(struct tl_descriptor *descriptor, struct tl_message *messages,
                         size_t count)
{
    struct tl_datagram_socket *socket = tl_datagram_socket_of(descriptor);
    struct tl_datagram_pools *pools = &tl_datagram_world(socket)->datagram_pools;
    size_t n = 0;
    if (count == 0)
        return -EINVAL;
    if (socket->error != 0)
        return tl_datagram_take_error(socket);
    for (; n < count && socket->unread.head != NULL; n++) {
        if (socket->batch == 0)
            socket->batch = socket->unread.count;
        struct tl_datagram *datagram = tl_datagram_pop(&socket->unread);
        give_room_back(socket, tl_datagram_cost(datagram));
        take(socket, datagram, &messages[n]);
        tl_datagram_free(pools, datagram);
    }
    if (n == 0)
        return -EAGAIN;
    return count == 1 ? (ssize_t)messages[0].len : (ssize_t)n;
}

/* --- Writing ---------------------------------------------------------------------------------- */

/* Where a message goes and comes from. */
struct route {
    struct tl_ip dest;
    struct tl_ip source;
    uint16_t port;
};

static int find_route(const struct tl_datagram_socket *socket, const tl_addr *addr,
                      struct route *ret)
{
    if (addr == NULL) {
        if (!socket->connected)
            return -EDESTADDRREQ;
        *ret = (struct route){socket->peer_ip, socket->local_ip, socket->peer_port};
        if (tl_ip_is_v4(&ret->dest) == tl_ip_is_v4(&ret->source))
            return 0;
        tl_addr peer = tl_ip_to(&socket->peer_ip, socket->peer_port, socket->family);
        return tl_datagram_find_route(socket, &peer, &ret->dest, &ret->source);
    }
    bool v6 = socket->family == TL_FAMILY_INET6;
    *ret = (struct route){.port = addr->port};
    if (addr->family != socket->family && !(v6 && addr->family == TL_FAMILY_INET))
        return v6 && tl_ip_check(addr) == 0 ? -EINVAL : tl_ip_wrong_family(socket->family, addr);
    if (addr->port == 0)
        return -EINVAL;
    return tl_datagram_find_route(socket, addr, &ret->dest, &ret->source);
}

/* Whether a datagram of len bytes may leave now, and to where. */
static int may_write(struct tl_datagram_socket *socket, const tl_addr *addr, size_t len,
                     struct route *ret)
{
    if (socket->port == NULL) {
        int r = tl_datagram_hold(socket, 0);
        if (r < 0)
            return r;
    }
    if (socket->family == TL_FAMILY_INET && len > LEN_BELIEVABLE)
        return -EMSGSIZE;
    int r = find_route(socket, addr, ret);
    if (r < 0)
        return r;
    if (len > (tl_ip_is_v4(&ret->dest) ? LEN_MAX : LEN_MAX_V6))
        return -EMSGSIZE;
    if (socket->error != 0)
        return tl_datagram_take_error(socket);
    if (socket->shut & TL_SHUT_WRITE)
        return -EPIPE;
    return socket->busy_until > tl_datagram_world(socket)->now ? -EAGAIN : 0;
}

static int write_one(struct tl_datagram_socket *socket, struct tl_message *message, bool paged,
                     uint64_t *content)
{
    struct route route;
    struct tl_iov_cursor cursor = {.iov = message->iov};
    size_t len = tl_iov_total(message);
    int r = may_write(socket, message->addr, len, &route);
    if (r < 0)
        return r;
    struct tl_datagram *datagram =
        tl_datagram_new(&tl_datagram_world(socket)->datagram_pools, (uint32_t)len);
    if (datagram == NULL)
        return -ENOBUFS;
    datagram->source = route.source;
    datagram->source_port = socket->local_port;
    datagram->dest = route.dest;
    datagram->dest_port = route.port;
    datagram->to_many = tl_ip_is_broadcast(&route.dest);
    datagram->paged = paged;
    tl_iov_gather(&cursor, datagram->data, len);
    *content = tl_mix(*content, tl_mix_bytes(datagram->data, len));
    tl_datagram_send(socket, datagram);
    message->len = len;
    return 0;
}

/* An error after the first message is not told: who goes on from where this ended meets it. */
ssize_t tl_datagram_write(struct tl_descriptor *descriptor, struct tl_message *messages,
                          size_t count, uint64_t *ret_content)
{
    struct tl_datagram_socket *socket = tl_datagram_socket_of(descriptor);
    int r = -EINVAL;
    size_t n = 0;
    for (; n < count; n++) {
        r = write_one(socket, &messages[n], false, ret_content);
        if (r < 0)
            break;
    }
    if (n == 0)
        return r;
    return count == 1 ? (ssize_t)messages[0].len : (ssize_t)n;
}

/* What is sent of a file is one datagram. */
ssize_t tl_datagram_write_pages(struct tl_descriptor *descriptor, const struct iovec *bytes,
                                size_t place, uint64_t *ret_content)
{
    struct iovec iov = *bytes;
    struct tl_message message = {.iov = &iov, .iov_count = 1};
    (void)place;
    int r = write_one(tl_datagram_socket_of(descriptor), &message, true, ret_content);
    return r < 0 ? r : (ssize_t)message.len;
}
