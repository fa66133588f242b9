/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unix-domain sockets of datagrams.
 *
 * Nothing travels and nothing is lost: a datagram is in the receiver's queue when write returns.
 * Instead writers wait, for two things: their own send buffer, which a datagram costs until it is
 * read, and a receiver whose queue is full, unless the two are connected to each other. Who is
 * connected knows of the latter and is called writable again when the queue has room; who is not
 * only hears EAGAIN.
 *
 * Being connected is one-sided here: a socket has a peer, and that one a list of those whose peer
 * it is. A socket that is closed stays in the world while something it sent is unread.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sim/buffer.h"
#include "sim/iov.h"
#include "sim/kernel.h"
#include "sim/mix.h"
#include "sim/unix.h"

enum {
    QUEUE_MAX = 10,    /* net.unix.max_dgram_qlen: with one more it is full */
    LEN_RESERVE = 32,  /* a datagram is this much shorter than the send buffer at most */
    HEAD_MAX = 16064,  /* bytes that one keeps outside of pages, unless it has too many */
    PAGES_MAX = 69632, /* bytes in pages */
};

/* What comes in front of a datagram's bytes. */
struct head {
    struct tl_unix *sender;
    uint32_t charge;
};

static const struct tl_descriptor_ops unix_datagram_ops;

static struct tl_datagram_pools *pools_of(const struct tl_unix *socket)
{
    return &tl_unix_world(socket)->datagram_pools;
}

/* --- Life ------------------------------------------------------------------------------------- */

struct tl_unix *tl_unix_datagram_new(tl_host *host, uint64_t entity)
{
    struct tl_unix *socket = tl_unix_new(host, entity);
    if (socket == NULL)
        return NULL;
    socket->descriptor.ops = &unix_datagram_ops;
    socket->datagrams = true;
    tl_list_init(&socket->senders);
    return socket;
}

static void release(struct tl_unix *socket)
{
    if (socket->descriptor.kernel == NULL && socket->charged == 0)
        tl_unix_free(socket);
}

/* Takes out the first datagram of a queue; its sender's buffer has that much more room. */
static struct tl_datagram *take_out(struct tl_unix *socket, struct head *ret)
{
    struct tl_datagram *datagram = tl_datagram_pop(&socket->packets);
    memcpy(ret, datagram->data, sizeof *ret);
    ret->sender->charged -= ret->charge;
    tl_descriptor_touch(&ret->sender->descriptor);
    return datagram;
}

/* Those who are connected to a socket look again whether it has room for them. */
static void touch_senders(struct tl_unix *socket)
{
    for (struct tl_list *at = socket->senders.next; at != &socket->senders; at = at->next)
        tl_descriptor_touch(&tl_listed(at, struct tl_unix, sends)->descriptor);
}

static void drop_unread(struct tl_unix *socket)
{
    struct head head;
    while (socket->packets.head != NULL) {
        tl_datagram_free(pools_of(socket), take_out(socket, &head));
        if (head.sender != socket)
            release(head.sender);
    }
}

/* Parts from a peer, which may have gone: what is unread is lost, and if there was something and
 * the peer had been connected to this socket in turn, it is told. */
static void part(struct tl_unix *socket)
{
    struct tl_unix *peer = socket->peer;
    if (socket->packets.head == NULL)
        return;
    drop_unread(socket);
    touch_senders(socket);
    if (peer == NULL || peer->peer != socket || peer == socket)
        return;
    peer->error = -ECONNRESET;
    tl_descriptor_touch(&peer->descriptor);
}

static void forget_peer(struct tl_unix *socket)
{
    tl_list_remove(&socket->sends);
    socket->peer = NULL;
    socket->state = TL_UNIX_CLOSED;
}

/* The last datagram goes with its reader; those who are connected to it find out when they send. */
static void datagram_close(struct tl_descriptor *descriptor)
{
    struct tl_unix *socket = tl_unix_of(descriptor);
    struct tl_list *place;
    tl_unix_name_leave(socket);
    while ((place = tl_list_pop(&socket->senders)) != NULL) {
        struct tl_unix *sender = tl_listed(place, struct tl_unix, sends);
        sender->peer = NULL;
        sender->peer_name = socket->name;
        tl_descriptor_touch(&sender->descriptor);
    }
    forget_peer(socket);
    drop_unread(socket);
    release(socket);
}

/* --- Names and connections -------------------------------------------------------------------- */

static int datagram_bind(struct tl_descriptor *descriptor, const tl_addr *addr)
{
    return tl_unix_socket_ops.bind(descriptor, addr);
}

/* Whether a socket may send to another: one that is connected hears its peer alone. */
static bool may_send(const struct tl_unix *socket, const struct tl_unix *target)
{
    return target->state != TL_UNIX_CONNECTED || target->peer == socket;
}

static int find_target(const struct tl_unix *socket, const tl_addr *addr, struct tl_unix **ret)
{
    int r = tl_unix_name_find(socket, addr, ret);
    if (r < 0)
        return r;
    return may_send(socket, *ret) ? 0 : -EPERM;
}

static int datagram_connect(struct tl_descriptor *descriptor, const tl_addr *addr)
{
    struct tl_unix *socket = tl_unix_of(descriptor);
    struct tl_unix *target = NULL;
    int r = addr->family != TL_FAMILY_NONE ? find_target(socket, addr, &target) : 0;
    if (r < 0)
        return r;
    if (socket->state == TL_UNIX_CONNECTED && (target == NULL || socket->peer != target))
        part(socket);
    forget_peer(socket);
    tl_descriptor_touch(descriptor);
    if (target == NULL)
        return 0;
    socket->state = TL_UNIX_CONNECTED;
    socket->peer = target;
    tl_list_push(&target->senders, &socket->sends);
    return 0;
}

static int datagram_address(struct tl_descriptor *descriptor, enum tl_address_side side,
                            tl_addr *ret)
{
    return tl_unix_socket_ops.address(descriptor, side, ret);
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

/* Unlike a stream's end, this is nobody else's business. */
static int datagram_shutdown(struct tl_descriptor *descriptor, uint8_t halves)
{
    tl_unix_of(descriptor)->shut |= halves;
    tl_descriptor_touch(descriptor);
    return 0;
}

static int datagram_option(struct tl_descriptor *descriptor, enum tl_option option, const int *set,
                           int *ret)
{
    return tl_unix_socket_ops.option(descriptor, option, set, ret);
}

static int take_error(struct tl_unix *socket)
{
    int error = socket->error;
    socket->error = 0;
    return error;
}

/* --- Reading ---------------------------------------------------------------------------------- */

/* Copies as much of a datagram as fits. */
static void scatter(const struct tl_datagram *datagram, struct tl_message *message)
{
    struct tl_iov_cursor cursor = {.iov = message->iov};
    size_t len = datagram->len - sizeof(struct head);
    size_t room = tl_iov_total(message);
    message->len = len < room ? len : room;
    message->truncated = len > room;
    tl_iov_scatter(&cursor, datagram->data + sizeof(struct head), message->len);
}

static void read_one(struct tl_unix *socket, struct tl_message *message)
{
    struct head head;
    struct tl_datagram *datagram = take_out(socket, &head);
    scatter(datagram, message);
    /* The name that it has by now; without one, of no family. */
    if (message->addr != NULL)
        *message->addr = head.sender->bound ? head.sender->name : (tl_addr){0};
    tl_datagram_free(pools_of(socket), datagram);
    if (head.sender != socket)
        release(head.sender);
}

static ssize_t datagram_read(struct tl_descriptor *descriptor, struct tl_message *messages,
                             size_t count)
{
    struct tl_unix *socket = tl_unix_of(descriptor);
    size_t n = 0;
    if (count == 0)
        return -EINVAL;
    if (socket->error != 0)
        return take_error(socket);
    for (; n < count && socket->packets.head != NULL; n++)
        read_one(socket, &messages[n]);
    if (n == 0)
        return -EAGAIN;
    touch_senders(socket);
    return count == 1 ? (ssize_t)messages[0].len : (ssize_t)n;
}

/* --- Writing ---------------------------------------------------------------------------------- */

static uint32_t send_buffer(const struct tl_unix *socket)
{
    return (uint32_t)tl_buffer_get(socket->send_room);
}

/* Whether a receiver has as much as it takes from this sender. */
static bool is_full(const struct tl_unix *socket, const struct tl_unix *target)
{
    return target != socket && target->peer != socket && target->packets.count > QUEUE_MAX;
}

/* What this socket itself has against sending so much to addr. Only then is asked whether there is
 * anybody to send to, as Linux does after 6.12. */
static int check_sender(struct tl_unix *socket, const tl_addr *addr, size_t len)
{
    int r = addr != NULL ? tl_ip_check(addr) : 0;
    if (r < 0)
        return r;
    if (addr != NULL && (addr->family != TL_FAMILY_UNIX || addr->len == 0))
        return -EINVAL;
    if (len > send_buffer(socket) - LEN_RESERVE)
        return -EMSGSIZE;
    if (socket->error != 0)
        return take_error(socket);
    if (socket->shut & TL_SHUT_WRITE)
        return -EPIPE;
    return socket->charged >= send_buffer(socket) ? -EAGAIN : 0;
}

/* Who gets what is sent to addr, or to the peer, and has room for it. */
static int find_receiver(struct tl_unix *socket, const tl_addr *addr, struct tl_unix **ret)
{
    struct tl_unix *target = socket->peer;
    if (addr == NULL && socket->state != TL_UNIX_CONNECTED)
        return -ENOTCONN;
    int r = addr != NULL ? find_target(socket, addr, &target) : 0;
    if (r < 0)
        return r;
    if (target == NULL) { /* the peer has gone: told once */
        part(socket);
        forget_peer(socket);
        return -ECONNREFUSED;
    }
    if (!may_send(socket, target))
        return -EPERM;
    if (target->shut & TL_SHUT_READ)
        return -EPIPE;
    if (is_full(socket, target))
        return -EAGAIN;
    *ret = target;
    return 0;
}

static uint32_t cost(uint32_t len)
{
    uint32_t paged = len > HEAD_MAX ? len - HEAD_MAX : 0;
    return tl_unix_cost(len, paged < PAGES_MAX ? paged : PAGES_MAX);
}

/* A datagram for the queue; NULL when memory is out. */
static struct tl_datagram *make(struct tl_unix *socket, const struct tl_message *message,
                                size_t len)
{
    struct head head = {.sender = socket, .charge = cost((uint32_t)len)};
    struct tl_datagram *datagram = tl_datagram_new(pools_of(socket), (uint32_t)(sizeof head + len));
    if (datagram == NULL)
        return NULL;
    memcpy(datagram->data, &head, sizeof head);
    struct tl_iov_cursor cursor = {.iov = message->iov};
    tl_iov_gather(&cursor, datagram->data + sizeof head, len);
    socket->charged += head.charge;
    return datagram;
}

static int write_one(struct tl_unix *socket, struct tl_message *message, uint64_t *content)
{
    struct tl_unix *target = NULL;
    size_t len = tl_iov_total(message);
    int r = check_sender(socket, message->addr, len);
    if (r == 0)
        r = find_receiver(socket, message->addr, &target);
    if (r < 0)
        return r;
    struct tl_datagram *datagram = make(socket, message, len);
    if (datagram == NULL)
        return -ENOBUFS;
    *content = tl_mix(*content, tl_mix_bytes(datagram->data + sizeof(struct head), len));
    tl_datagram_push(&target->packets, datagram);
    tl_descriptor_touch(&target->descriptor);
    message->len = len;
    return 0;
}

static ssize_t datagram_write(struct tl_descriptor *descriptor, struct tl_message *messages,
                              size_t count, uint64_t *ret_content)
{
    struct tl_unix *socket = tl_unix_of(descriptor);
    int r = -EINVAL;
    size_t n = 0;
    for (; n < count; n++) {
        r = write_one(socket, &messages[n], ret_content);
        if (r < 0)
            break;
    }
    if (n == 0)
        return r;
    return count == 1 ? (ssize_t)messages[0].len : (ssize_t)n;
}

/* --- For poll and for people ------------------------------------------------------------------ */

static uint32_t readiness(const struct tl_descriptor *descriptor)
{
    const struct tl_unix *socket = tl_listed(descriptor, const struct tl_unix, descriptor);
    uint32_t ready = 0;
    if (socket->error != 0)
        ready |= TL_FAULT;
    if (socket->shut == TL_SHUT_BOTH)
        ready |= TL_HANGUP;
    if (socket->shut & TL_SHUT_READ || socket->packets.head != NULL)
        ready |= TL_READABLE;
    /* Linux counts one more than what is charged. */
    if (4 * (socket->charged + 1) <= send_buffer(socket) &&
        (socket->peer == NULL || !is_full(socket, socket->peer)))
        ready |= TL_WRITABLE;
    return ready;
}

static void describe(const struct tl_descriptor *descriptor, char *text, size_t size)
{
    const struct tl_unix *socket = tl_listed(descriptor, const struct tl_unix, descriptor);
    char own_text[TL_ADDR_TEXT_MAX];
    char peer_text[TL_ADDR_TEXT_MAX] = "anybody";
    tl_addr_format(&socket->name, own_text, sizeof own_text);
    if (socket->peer != NULL)
        tl_addr_format(&socket->peer->name, peer_text, sizeof peer_text);
    snprintf(text, size, "datagrams %s - %s, %u unread", own_text, peer_text,
             socket->packets.count);
}

static enum tl_adopted_kind kind(const struct tl_descriptor *descriptor)
{
    (void)descriptor;
    return TL_ADOPTED_DATAGRAM;
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

static const struct tl_descriptor_ops unix_datagram_ops = {
    .socket = &socket_ops,
    .kind = kind,
    .readiness = readiness,
    .read = datagram_read,
    .write = datagram_write,
    .close = datagram_close,
    .describe = describe,
};
