/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connecting in a stream replay, and which recorded connection that makes; see stream_replay.c.
 *
 * The first connect to an address takes the oldest recorded socket that connected there and is
 * free. One socket may try again, as systems have it: each attempt is answered as the next recorded
 * one of that socket, and when there is none as the first of the next socket that is free. One that
 * takes its time has ended when its step was given, which another connect may be the first to see.
 */
#include <errno.h>
#include "trace/stream_replay.h"

/* --- Matching --- */

/* Whether a recorded socket still connects to that address. */
static bool connects_to(const struct tl_play_peer *peer, const tl_addr *addr)
{
    if (peer->type == TL_DATAGRAM)
        return tl_addr_equal(&peer->remote, addr);
    return peer->attempts != NULL && tl_addr_equal(&peer->attempts->addr, addr);
}

/* Whether a recorded socket may be the handle's: a stream that the program has closed may go on as
 * another one, as long as there are attempts of it left. */
static bool is_free(const struct tl_play_peer *peer, const struct tl_play_handle *handle)
{
    bool left = peer->role == TL_PEER_OUTGOING && peer->handle == NULL && peer->attempts != NULL;

    return !peer->taken || peer == handle->peer || left;
}

/* Whether it never will be anybody's again. */
static bool is_done(const struct tl_play_peer *peer)
{
    switch (peer->role) {
    case TL_PEER_OUTGOING:
        return peer->given || peer->attempts == NULL;
    case TL_PEER_DATAGRAM:
        return peer->given || peer->taken;
    default:
        return true;
    }
}

/* The oldest free peer of the handle's type that does. */
static struct tl_play_peer *find_connected(struct tl_stream_replay *replay,
                                           const struct tl_play_handle *handle, const tl_addr *addr)
{
    bool before = true;

    for (size_t i = replay->outgoing; i < replay->script.peers_count; i++) {
        struct tl_play_peer *peer = replay->script.peers[i];
        bool waits = (peer->role == TL_PEER_OUTGOING || peer->role == TL_PEER_DATAGRAM) &&
                     !peer->given && is_free(peer, handle);
        before = before && is_done(peer);
        if (before)
            replay->outgoing = i + 1;
        if (waits && peer->type == handle->type && connects_to(peer, addr))
            return peer;
    }
    return NULL;
}

/* Which recorded socket answers a connect. */
static struct tl_play_peer *find_peer(struct tl_stream_replay *replay,
                                      const struct tl_play_handle *handle, const tl_addr *addr)
{
    struct tl_play_peer *own = handle->peer;
    bool goes_on = own != NULL && own->role == TL_PEER_OUTGOING && connects_to(own, addr);

    if (goes_on || tl_play_is_given(handle)) /* it is the one that it is */
        return goes_on ? own : NULL;
    return find_connected(replay, handle, addr);
}

/* --- Streams --- */

static int too_many_connects(struct tl_stream_replay *replay, const tl_addr *addr)
{
    char text[TL_ADDR_TEXT_MAX];

    return tl_play_diverge(replay,
                           "diverged: the program connects to %s more often than the trace\n",
                           tl_addr_format(addr, text, sizeof text));
}

/* What a connect of a socket answers that has tried. One that failed may try again behind that. */
static int ask_attempt(struct tl_stream_replay *replay, struct tl_play_handle *handle)
{
    struct tl_play_peer *peer = handle->peer;

    if (handle->connecting)
        tl_play_give_at_once(replay, peer);
    if (handle->connecting)
        return -EALREADY;
    if (peer->established) {
        bool told = handle->connected;
        handle->connected = true;
        return told ? -EISCONN : 0;
    }
    int error = peer->error != 0 ? peer->error : -ECONNABORTED;
    peer->error = 0;
    peer->broken = false;
    handle->remote = (tl_addr){.family = TL_FAMILY_NONE};
    tl_play_update(replay, handle);
    return error;
}

/* Lets the socket be another recorded one; the one that it has been, if it has tried as that, is
 * not free again. */
static void take_peer(struct tl_play_handle *handle, struct tl_play_peer *peer)
{
    if (handle->tried) {
        handle->peer->handle = NULL;
        handle->peer = NULL;
    }
    if (peer->taken && peer->handle == NULL) { /* how the last attempt ended is past */
        peer->broken = false;
        peer->error = 0;
    }
    tl_play_attach(handle, peer);
    handle->tried = true;
}

static bool is_refusal(const struct tl_play_attempt *attempt, const tl_addr *addr)
{
    return attempt->result < 0 && attempt->result != -EINPROGRESS &&
           tl_addr_equal(&attempt->addr, addr);
}

static int connect_stream(struct tl_stream_replay *replay, struct tl_play_handle *handle,
                          const tl_addr *addr)
{
    if (handle->remote.family != TL_FAMILY_NONE)
        return ask_attempt(replay, handle);
    struct tl_play_peer *peer = find_peer(replay, handle, addr);
    if (peer == NULL && handle->tried && handle->peer != NULL &&
        is_refusal(handle->peer->attempt, addr))
        return handle->peer->attempt->result; /* what was refused last is so ever after */
    if (peer == NULL)
        return too_many_connects(replay, addr);
    take_peer(handle, peer);
    int r = peer->attempts->result;
    bool refused = is_refusal(peer->attempts, addr);
    peer->attempts = peer->attempts->next;
    if (refused)
        return r;
    peer->remote = handle->remote = *addr;
    peer->established |= r == 0;
    handle->connected = r == 0;
    handle->connecting = !peer->established && !peer->broken;
    tl_play_update(replay, handle);
    return r;
}

/* --- Datagrams --- */

/* A datagram socket only says where it sends to from now on. */
static int connect_datagram(struct tl_stream_replay *replay, struct tl_play_handle *handle,
                            const tl_addr *addr)
{
    if (handle->peer == NULL) {
        struct tl_play_peer *peer = find_connected(replay, handle, addr);
        if (peer != NULL)
            tl_play_attach(handle, peer);
        tl_play_update(replay, handle);
    }
    handle->remote = *addr;
    return handle->peer != NULL && tl_addr_equal(&handle->peer->remote, addr)
               ? handle->peer->connect_result
               : 0;
}

int tl_play_connect(struct tl_kernel *kernel, int fd, const tl_addr *addr)
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);
    struct tl_play_handle *handle = tl_play_socket_of(replay, fd);

    if (replay->fate != 0 || handle == NULL)
        return tl_play_no_socket(replay, fd);
    return handle->type == TL_DATAGRAM ? connect_datagram(replay, handle, addr)
                                       : connect_stream(replay, handle, addr);
}
