/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls on a Unix-domain socket that move no bytes: bind, listen, connect, accept, shutdown,
 * options, names, close.
 */
#include <errno.h>

#include "sim/choice.h"
#include "sim/kernel.h"
#include "sim/option.h"
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

/* What one end does not read any more the other does not write. */
static uint8_t other_halves(uint8_t halves)
{
    return (halves & TL_SHUT_READ ? TL_SHUT_WRITE : 0) |
           (halves & TL_SHUT_WRITE ? TL_SHUT_READ : 0);
}

static int unix_shutdown(struct tl_descriptor *descriptor, uint8_t halves)
{
    struct tl_unix *socket = tl_unix_of(descriptor);
    socket->shut |= halves;
    tl_descriptor_touch(descriptor);
    if (socket->peer != NULL) {
        socket->peer->shut |= other_halves(halves);
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

static int unix_option(struct tl_descriptor *descriptor, enum tl_option option, const int *set,
                       int *ret)
{
    struct tl_unix *socket = tl_unix_of(descriptor);
    const struct tl_option_places places = {
        .flags =
            {
                [TL_OPTION_REUSEADDR] = &socket->reuse_address,
                [TL_OPTION_KEEPALIVE] = &socket->keepalive,
                [TL_OPTION_BROADCAST] = &socket->broadcast,
            },
        .send_room = &socket->send_room,
        .receive_room = &socket->receive_room,
        .error = &socket->error,
        .family = TL_FAMILY_UNIX,
    };
    int r = tl_option(&places, option, set, ret);
    if (set != NULL && option == TL_OPTION_SNDBUF)
        tl_descriptor_touch(descriptor);
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
