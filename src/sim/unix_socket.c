/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls on a Unix-domain socket that move no bytes: bind, listen, connect, accept, shutdown,
 * options, names, close.
 */
#include <errno.h>

#include "sim/buffer.h"
#include "sim/choice.h"
#include "sim/kernel.h"
#include "sim/unix.h"

enum { BACKLOG_MAX = 4096 };

/* --- Bound, listening, connected -------------------------------------------------------------- */

static int unix_bind(struct tl_descriptor *descriptor, const tl_addr *addr)
{
    return tl_unix_name_take(tl_unix_of(descriptor), addr);
}

static int unix_listen(struct tl_descriptor *descriptor, int backlog)
{
    struct tl_unix *socket = tl_unix_of(descriptor);
    if (!socket->bound || socket->state == TL_UNIX_CONNECTED)
        return -EINVAL;
    socket->backlog = (unsigned)backlog < BACKLOG_MAX ? (unsigned)backlog : BACKLOG_MAX;
    socket->state = TL_UNIX_LISTENING;
    tl_descriptor_touch(descriptor);
    return 0;
}

/* Makes the listener's end of a connection and puts it into the queue. */
static int add_child(struct tl_unix *listener, struct tl_unix *client)
{
    uint64_t entity = tl_entity(client->descriptor.item.id, "peer", 0);
    struct tl_unix *child = tl_unix_new(listener->host, entity);
    if (child == NULL)
        return -ENOMEM;
    child->bound = true;
    child->name = listener->name;
    child->listener = listener;
    tl_list_push(&listener->queue, &child->turn);
    listener->waiting++;
    tl_unix_join(client, child);
    return 0;
}

static int unix_connect(struct tl_descriptor *descriptor, const tl_addr *addr)
{
    struct tl_unix *client = tl_unix_of(descriptor);
    struct tl_unix *listener;
    int r = tl_unix_name_find(client, addr, &listener);
    if (r < 0)
        return r;
    if (listener->state != TL_UNIX_LISTENING || listener->shut & TL_SHUT_READ)
        return -ECONNREFUSED;
    if (listener->waiting > listener->backlog)
        return -EAGAIN;
    if (client->state != TL_UNIX_CLOSED)
        return client->state == TL_UNIX_CONNECTED ? -EISCONN : -EINVAL;
    r = add_child(listener, client);
    if (r < 0)
        return r;
    tl_descriptor_touch(&listener->descriptor);
    tl_descriptor_touch(descriptor);
    return 0;
}

/* Takes the first connection out of the queue, if there is one. */
static struct tl_unix *next_child(struct tl_unix *listener)
{
    struct tl_list *turn = tl_list_pop(&listener->queue);
    if (turn == NULL)
        return NULL;
    struct tl_unix *child = tl_listed(turn, struct tl_unix, turn);
    child->listener = NULL;
    listener->waiting--;
    return child;
}

static int unix_accept(struct tl_descriptor *descriptor, struct tl_descriptor **ret,
                       tl_addr *ret_peer)
{
    struct tl_unix *listener = tl_unix_of(descriptor);
    if (listener->state != TL_UNIX_LISTENING)
        return -EINVAL;
    struct tl_unix *child = next_child(listener);
    if (child == NULL)
        return -EAGAIN;
    *ret = &child->descriptor;
    *ret_peer = child->peer != NULL ? child->peer->name : child->peer_name;
    return 0;
}

/* --- Ending ----------------------------------------------------------------------------------- */

static int unix_shutdown(struct tl_descriptor *descriptor, enum tl_shutdown how)
{
    static const uint8_t halves[][2] = {
        [TL_SHUTDOWN_READ] = {TL_SHUT_READ, TL_SHUT_WRITE},
        [TL_SHUTDOWN_WRITE] = {TL_SHUT_WRITE, TL_SHUT_READ},
        [TL_SHUTDOWN_BOTH] = {TL_SHUT_BOTH, TL_SHUT_BOTH},
    };
    struct tl_unix *socket = tl_unix_of(descriptor);
    if ((unsigned)how > TL_SHUTDOWN_BOTH)
        return -EINVAL;
    socket->shut |= halves[how][0];
    tl_descriptor_touch(descriptor);
    if (socket->peer != NULL) {
        socket->peer->shut |= halves[how][1];
        tl_descriptor_touch(&socket->peer->descriptor);
    }
    return 0;
}

void tl_unix_close(struct tl_descriptor *descriptor)
{
    struct tl_unix *socket = tl_unix_of(descriptor);
    struct tl_unix *child;
    tl_unix_name_leave(socket);
    tl_unix_part(socket, false);
    while ((child = next_child(socket)) != NULL) {
        tl_unix_part(child, true);
        tl_unix_free(child);
    }
    tl_unix_free(socket);
}

/* --- Options and names ------------------------------------------------------------------------ */

static bool *flag_of(struct tl_unix *socket, enum tl_option option)
{
    switch (option) {
    case TL_OPTION_REUSEADDR:
        return &socket->reuse_address;
    case TL_OPTION_KEEPALIVE:
        return &socket->keepalive;
    case TL_OPTION_BROADCAST:
        return &socket->broadcast;
    default:
        return NULL;
    }
}

static int set_option(struct tl_unix *socket, enum tl_option option, int value)
{
    bool *flag = flag_of(socket, option);
    if (flag != NULL) {
        *flag = value != 0;
        return 0;
    }
    switch (option) {
    case TL_OPTION_SNDBUF:
        tl_buffer_set(&socket->send_room, value, TL_SEND_BUFFER_MIN);
        tl_descriptor_touch(&socket->descriptor);
        return 0;
    case TL_OPTION_RCVBUF:
        tl_buffer_set(&socket->receive_room, value, TL_RECEIVE_BUFFER_MIN);
        return 0;
    case TL_OPTION_NODELAY:
    case TL_OPTION_V6ONLY:
        return -EOPNOTSUPP;
    case TL_OPTION_REUSEPORT:
        return value != 0 ? -EOPNOTSUPP : 0;
    default:
        return -ENOPROTOOPT;
    }
}

static int get_option(struct tl_unix *socket, enum tl_option option, int *ret)
{
    const bool *flag = flag_of(socket, option);
    if (flag != NULL) {
        *ret = *flag;
        return 0;
    }
    switch (option) {
    case TL_OPTION_ERROR:
        *ret = -socket->error;
        socket->error = 0;
        return 0;
    case TL_OPTION_SNDBUF:
        *ret = tl_buffer_get(socket->send_room);
        return 0;
    case TL_OPTION_RCVBUF:
        *ret = tl_buffer_get(socket->receive_room);
        return 0;
    case TL_OPTION_REUSEPORT:
        *ret = 0;
        return 0;
    case TL_OPTION_NODELAY:
    case TL_OPTION_V6ONLY:
        return -EOPNOTSUPP;
    default:
        return -ENOPROTOOPT;
    }
}

static int unix_option(struct tl_descriptor *descriptor, enum tl_option option, const int *set,
                       int *ret)
{
    struct tl_unix *socket = tl_unix_of(descriptor);
    int r = 0;
    if (set != NULL)
        r = set_option(socket, option, *set);
    if (r == 0 && ret != NULL)
        r = get_option(socket, option, ret);
    return r;
}

static int unix_address(struct tl_descriptor *descriptor, enum tl_address_side side, tl_addr *ret)
{
    const struct tl_unix *socket = tl_unix_of(descriptor);
    if (side == TL_ADDRESS_LOCAL) {
        *ret = socket->name;
        return 0;
    }
    if (side != TL_ADDRESS_PEER)
        return -EINVAL;
    if (socket->state != TL_UNIX_CONNECTED)
        return -ENOTCONN;
    *ret = socket->peer != NULL ? socket->peer->name : socket->peer_name;
    return 0;
}

const struct tl_socket_ops tl_unix_socket_ops = {
    .bind = unix_bind,
    .listen = unix_listen,
    .accept = unix_accept,
    .connect = unix_connect,
    .shutdown = unix_shutdown,
    .option = unix_option,
    .address = unix_address,
};
