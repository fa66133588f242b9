/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program's sockets in a stream replay, and which recorded one each of them is; see
 * stream_replay.c. Which file one is says stream_replay_files.c, which pipe or descriptor made
 * elsewhere stream_replay_given.c.
 *
 * A socket is matched when it first says something of itself: by the address that it is bound to,
 * or connects to (stream_replay_connect.c), taking the oldest recorded one of that address which is
 * still free. What a bind meets is asked by the address alone. A listener for whose address there
 * is none takes the oldest one that is free, until one comes that has the right address; a datagram
 * socket that sends without being bound does the same. One that is none of them is a socket to
 * which nothing ever happens.
 */
#include <errno.h>
#include "trace/stream_replay.h"

/* --- Matching --- */

void tl_play_attach(struct tl_play_handle *handle, struct tl_play_peer *peer)
{
    if (handle->peer != NULL) { /* it was another one for too little reason */
        handle->peer->handle = NULL;
        handle->peer->taken = false;
    }
    peer->taken = true;
    peer->handle = handle;
    handle->peer = peer;
}

bool tl_play_is_given(const struct tl_play_handle *handle)
{
    return handle->peer != NULL && handle->peer->given;
}

/* The oldest free peer of the handle's type with that address bound. A stream socket may still
 * become a listener or connect, so one that came to nothing does as well. */
static struct tl_play_peer *find_bound(const struct tl_stream_replay *replay,
                                       const struct tl_play_handle *handle, const tl_addr *addr)
{
    for (size_t i = 0; i < replay->script.peers_count; i++) {
        struct tl_play_peer *peer = replay->script.peers[i];
        if (peer->type == handle->type && !peer->given && (!peer->taken || peer->by_order) &&
            peer->bound.family != TL_FAMILY_NONE && tl_addr_equal(&peer->bound, addr))
            return peer;
    }
    return NULL;
}

/* The oldest free peer with a role. */
static struct tl_play_peer *find_by_order(const struct tl_stream_replay *replay,
                                          enum tl_play_role role)
{
    for (size_t i = 0; i < replay->script.peers_count; i++) {
        struct tl_play_peer *peer = replay->script.peers[i];
        if (peer->role == role && !peer->taken && !peer->given)
            return peer;
    }
    return NULL;
}

void tl_play_take_datagram(struct tl_stream_replay *replay, struct tl_play_handle *handle)
{
    struct tl_play_peer *peer =
        handle->peer == NULL ? find_by_order(replay, TL_PEER_DATAGRAM) : NULL;

    if (peer == NULL)
        return;
    tl_play_attach(handle, peer);
    tl_play_update(replay, handle);
}

/* --- The operations --- */

int tl_play_socket(struct tl_kernel *kernel, enum tl_family family, enum tl_socket_type type)
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);

    if (replay->fate != 0)
        return replay->fate;
    struct tl_play_handle *handle = tl_play_new_handle(replay, family, type);
    return handle != NULL ? handle->fd : -ENOMEM;
}

/* What the next recorded bind to that address met; 0 where there is none. */
static int ask_bind(struct tl_stream_replay *replay, const tl_addr *addr)
{
    tl_trace_pack_begin(&replay->pack);
    tl_trace_pack_addr(&replay->pack, addr);
    if (replay->pack.failed)
        return -ENOMEM;
    struct tl_play_question *question = tl_play_script_question(
        &replay->script, TL_TRACE_BIND, 0, replay->pack.data, replay->pack.len);
    return question != NULL ? (int)tl_play_take_told(question)->result : 0;
}

int tl_play_bind(struct tl_kernel *kernel, int fd, const tl_addr *addr)
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);
    struct tl_play_handle *handle = tl_play_socket_of(replay, fd);

    if (replay->fate != 0 || handle == NULL)
        return tl_play_no_socket(replay, fd);
    if (handle->bound.family != TL_FAMILY_NONE)
        return -EINVAL;
    int r = ask_bind(replay, addr);
    if (r < 0)
        return r;
    struct tl_play_peer *peer =
        tl_play_is_given(handle) ? handle->peer : find_bound(replay, handle, addr);
    if (peer != NULL && peer != handle->peer) {
        if (peer->by_order && peer->handle != NULL)
            peer->handle->peer = NULL;
        peer->by_order = false;
        tl_play_attach(handle, peer);
    }
    handle->bound = *addr;
    tl_play_update(replay, handle);
    return 0;
}

int tl_play_listen(struct tl_kernel *kernel, int fd, int backlog)
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);
    struct tl_play_handle *handle = tl_play_socket_of(replay, fd);

    (void)backlog;
    if (replay->fate != 0 || handle == NULL)
        return tl_play_no_socket(replay, fd);
    if (handle->type != TL_STREAM)
        return -EOPNOTSUPP;
    if (handle->remote.family != TL_FAMILY_NONE)
        return -EINVAL;
    if (!tl_play_is_given(handle) &&
        (handle->peer == NULL || handle->peer->role != TL_PEER_LISTENER)) {
        struct tl_play_peer *peer = find_by_order(replay, TL_PEER_LISTENER);
        if (peer != NULL) {
            tl_play_attach(handle, peer);
            peer->by_order = true;
        }
    }
    if (handle->peer != NULL &&
        (handle->peer->role == TL_PEER_LISTENER || tl_play_is_given(handle)) &&
        handle->peer->listen_result < 0)
        return handle->peer->listen_result;
    handle->listening = true;
    tl_play_update(replay, handle);
    return 0;
}

int tl_play_accept(struct tl_kernel *kernel, int fd, tl_addr *ret_peer)
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);
    struct tl_play_handle *listener = tl_play_socket_of(replay, fd);

    if (replay->fate != 0 || listener == NULL)
        return tl_play_no_socket(replay, fd);
    if (!listener->listening)
        return -EINVAL;
    if (listener->peer != NULL && listener->peer->queue == NULL)
        listener->peer->stirred = 0;
    if (listener->peer == NULL || listener->peer->queue == NULL) {
        tl_play_update(replay, listener);
        return -EAGAIN;
    }
    struct tl_play_peer *peer = listener->peer->queue->other;
    if (listener->peer->role != TL_PEER_LISTENER)
        return -EAGAIN;
    struct tl_play_handle *handle = NULL;
    if (peer != NULL && (handle = tl_play_new_handle(replay, listener->family, TL_STREAM)) == NULL)
        return -ENOMEM;
    struct tl_play_step *step = tl_play_unqueue(listener->peer);
    tl_play_update(replay, listener);
    if (peer == NULL)
        return (int)step->value;
    tl_play_attach(handle, peer);
    if (ret_peer != NULL)
        *ret_peer = peer->remote;
    return handle->fd;
}

int tl_play_shutdown(struct tl_kernel *kernel, int fd, enum tl_shutdown how)
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);
    struct tl_play_handle *handle = tl_play_socket_of(replay, fd);

    if (replay->fate != 0 || handle == NULL)
        return tl_play_no_socket(replay, fd);
    if (handle->type == TL_STREAM && (handle->peer == NULL || !handle->peer->established))
        return -ENOTCONN;
    if (handle->peer != NULL && handle->peer->shutdown_result < 0)
        return handle->peer->shutdown_result;
    if (how != TL_SHUTDOWN_WRITE)
        handle->shut_read = true;
    if (how != TL_SHUTDOWN_READ && !handle->shut_write && handle->type == TL_STREAM) {
        handle->shut_write = true;
        int r = tl_play_compare_end(replay, handle->peer, "the program ends its output");
        if (r < 0)
            return r;
    }
    tl_play_update(replay, handle);
    return 0;
}

/* The error that a connection met, which is told once; 0 for none. */
static int take_error(struct tl_stream_replay *replay, struct tl_play_handle *handle)
{
    int error = handle->peer != NULL ? handle->peer->error : 0;

    if (error != 0) {
        handle->peer->error = 0;
        tl_play_update(replay, handle);
    }
    return error;
}

int tl_play_option(struct tl_kernel *kernel, int fd, enum tl_option option, const int *set,
                   int *ret)
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);
    struct tl_play_handle *handle = option == TL_OPTION_NONBLOCK ? tl_play_handle_of(replay, fd)
                                                                 : tl_play_socket_of(replay, fd);

    if (replay->fate != 0 || handle == NULL)
        return tl_play_no_socket(replay, fd);
    if ((unsigned)option >= TL_OPTION_COUNT)
        return -ENOPROTOOPT;
    bool known = handle->peer != NULL && handle->peer->options[option].known;
    if (known && handle->peer->options[option].result < 0)
        return handle->peer->options[option].result;
    if (set != NULL) {
        handle->options[option].set = true;
        handle->options[option].value = *set;
    }
    if (ret == NULL)
        return 0;
    if (option == TL_OPTION_ERROR)
        *ret = -take_error(replay, handle);
    else if (known)
        *ret = handle->peer->options[option].value;
    else
        *ret = handle->options[option].set ? handle->options[option].value : 0;
    return 0;
}

int tl_play_address(struct tl_kernel *kernel, int fd, enum tl_address_side side, tl_addr *ret)
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);
    struct tl_play_handle *handle = tl_play_socket_of(replay, fd);

    if (replay->fate != 0 || handle == NULL)
        return tl_play_no_socket(replay, fd);
    const struct tl_play_peer *peer = handle->peer;
    if (peer != NULL && peer->names[side].known) {
        *ret = peer->names[side].addr;
        return peer->names[side].result;
    }
    if (side == TL_ADDRESS_PEER) {
        *ret = peer != NULL && peer->role == TL_PEER_ACCEPTED ? peer->remote : handle->remote;
        return ret->family != TL_FAMILY_NONE ? 0 : -ENOTCONN;
    }
    /* The recorded program did not ask: as far as it is known. */
    *ret = handle->bound;
    if (peer != NULL && peer->role == TL_PEER_ACCEPTED)
        *ret = peer->listener->names[TL_ADDRESS_LOCAL].known
                   ? peer->listener->names[TL_ADDRESS_LOCAL].addr
                   : peer->listener->bound;
    if (ret->family == TL_FAMILY_NONE)
        *ret = (tl_addr){.family = handle->family};
    return 0;
}
