/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of sockets in a script; see stream_replay_load.c.
 *
 * Each socket that was made or accepted is a peer. What was read from it becomes steps, what was
 * written to it marks of its output, and what was asked of it is kept to be answered again.
 */
#include <errno.h>
#include <string.h>
#include "trace/pack.h"
#include "trace/stream_replay_script.h"

static bool take_addr(const struct tl_trace_event *event, tl_addr *ret)
{
    const uint8_t *p = event->blob;

    return tl_trace_unpack_addr(&p, event->blob + event->blob_len, ret);
}

/* --- Making sockets --- */

int tl_play_script_take_socket(struct tl_play_script *script, const struct tl_trace_event *event)
{
    int r;

    if (event->result < 0) /* the program may find that it has more luck now */
        return 0;
    struct tl_play_peer *peer = tl_play_script_add_peer(script, event->object, &r);
    if (peer == NULL)
        return r;
    peer->family = (uint8_t)event->arg[0];
    peer->type = (uint8_t)event->arg[1];
    peer->role = event->arg[1] == TL_DATAGRAM ? TL_PEER_DATAGRAM : TL_PEER_NONE;
    return 0;
}

static int take_listen(const struct tl_trace_event *event, struct tl_play_peer *peer)
{
    peer->listen_result = (int)event->result;
    if (peer->role != TL_PEER_NONE && peer->role != TL_PEER_LISTENER)
        return event->result < 0 ? 0 : -ENOTSUP;
    peer->role = TL_PEER_LISTENER;
    return 0;
}

static int take_accept(struct tl_play_script *script, const struct tl_trace_event *event,
                       struct tl_play_peer *listener)
{
    int r;

    listener->unread = 0;
    if (event->result == -EAGAIN)
        return 0;
    if (event->result < 0)
        return tl_play_script_add_value(script, event, TL_STEP_ACCEPT, listener, event->result);
    struct tl_play_peer *peer = tl_play_script_add_peer(script, (uint64_t)event->arg[0], &r);
    if (peer == NULL)
        return r;
    peer->role = TL_PEER_ACCEPTED;
    peer->family = listener->family;
    peer->type = TL_STREAM;
    peer->listener = listener;
    peer->established = true;
    if (!take_addr(event, &peer->remote))
        return -ENOTSUP;
    struct tl_play_step *step = tl_play_script_add_step(script, event, TL_STEP_ACCEPT, listener);
    if (step == NULL)
        return -ENOMEM;
    step->other = peer;
    return 0;
}

/* What a bind to an address meets is asked by the address, whichever socket it is for. */
static int take_bind(struct tl_play_script *script, const struct tl_trace_event *event,
                     struct tl_play_peer *peer)
{
    if (peer->bound.family != TL_FAMILY_NONE)
        return event->result < 0 ? 0 : -ENOTSUP; /* it is bound already, as the replay knows */
    if (tl_play_script_tell(script, event, 0, NULL) == NULL)
        return -ENOMEM;
    return event->result < 0 || take_addr(event, &peer->bound) ? 0 : -ENOTSUP;
}

static int take_address(const struct tl_trace_event *event, struct tl_play_peer *peer)
{
    if (event->arg[0] < 0 || event->arg[0] > 1 || peer->names[event->arg[0]].known)
        return 0;
    peer->names[event->arg[0]].known = true;
    peer->names[event->arg[0]].result = (int)event->result;
    return event->result < 0 || take_addr(event, &peer->names[event->arg[0]].addr) ? 0 : -ENOTSUP;
}

static int take_option(struct tl_play_script *script, const struct tl_trace_event *event,
                       struct tl_play_peer *peer)
{
    int64_t option = event->arg[0];

    if (option < 0 || option >= TL_OPTION_COUNT)
        return -ENOTSUP;
    if (option == TL_OPTION_ERROR) {
        int64_t error = event->result == 0 ? tl_trace_result_in(event->arg[3]) : 0;
        if (peer->connected != 0 && !peer->asked) {
            script->steps[peer->connected - 1].value = error;
            peer->asked = true;
            peer->reset |= error != 0;
            return 0;
        }
        return error != 0 ? tl_play_script_add_error(script, event, peer, error) : 0;
    }
    if ((event->arg[1] & 2 || event->result < 0) && !peer->options[option].known) {
        peer->options[option].known = true;
        peer->options[option].result = (int)event->result;
        peer->options[option].value = (int)event->arg[3];
    }
    return 0;
}

/* --- Readiness --- */

int tl_play_script_take_ready(struct tl_play_script *script, const struct tl_trace_event *event)
{
    struct tl_play_peer *peer = tl_play_script_peer(script, event->object);
    bool writable = event->arg[0] & (TL_WRITABLE | TL_FAULT | TL_HANGUP);

    if (peer == NULL)
        return 0;
    peer->unread |= (unsigned)event->arg[0] & (TL_READABLE | TL_FAULT | TL_HANGUP);
    if (!writable)
        return 0;
    if (peer->role == TL_PEER_OUTGOING && peer->attempt->result == -EINPROGRESS &&
        peer->connected == 0) {
        int r = tl_play_script_add_value(script, event, TL_STEP_CONNECTED, peer, 0);
        peer->connected = script->steps_count;
        return r;
    }
    /* Of a connection that has ended it tells that no room is needed. */
    if (!peer->blocked || event->arg[0] & (TL_FAULT | TL_HANGUP))
        return 0;
    peer->blocked = false;
    peer->unsure = false;
    return tl_play_script_add_value(script, event, TL_STEP_ROOM, peer, 0);
}

/* --- Bytes --- */

static int take_messages(struct tl_play_script *script, const struct tl_trace_event *event,
                         struct tl_play_peer *peer)
{
    const uint8_t *p = event->blob, *end = p + event->blob_len;
    int64_t count = event->arg[1] == 1 ? 1 : event->result;

    for (int64_t i = 0; i < count; i++) {
        tl_addr *addr = tl_play_script_alloc(script, sizeof *addr);
        struct tl_trace_event part = *event;
        bool truncated;
        if (addr == NULL)
            return -ENOMEM;
        if (!tl_trace_unpack_message(&p, end, addr, &truncated, &part.blob, &part.blob_len))
            return -ENOTSUP;
        int r = tl_play_script_add_data(script, &part, TL_STEP_DATAGRAM, peer, truncated);
        if (r < 0)
            return r;
        script->steps[script->steps_count - 1].addr = addr;
    }
    return 0;
}

static int take_read(struct tl_play_script *script, const struct tl_trace_event *event,
                     struct tl_play_peer *peer)
{
    bool packed = event->arg[2] != 0;

    peer->unread = 0;
    if (event->result == -EAGAIN)
        return 0;
    if (event->result < 0)
        return tl_play_script_add_error(script, event, peer, event->result);
    if (peer->type == TL_DATAGRAM)
        return packed ? take_messages(script, event, peer)
                      : tl_play_script_add_data(script, event, TL_STEP_DATAGRAM, peer, 0);
    if (packed)
        return -ENOTSUP;
    if (event->result == 0 && event->arg[0] == 0)
        return 0; /* there was room for nothing */
    return event->result == 0 ? tl_play_script_add_value(script, event, TL_STEP_END, peer, 0)
                              : tl_play_script_add_data(script, event, TL_STEP_BYTES, peer, 0);
}

int tl_play_script_add_mark(struct tl_play_script *script, const struct tl_trace_event *event,
                            struct tl_play_peer *peer, size_t len)
{
    int r = tl_play_script_reserve(script, &peer->marks, peer->marks_count, &peer->marks_capacity,
                                   sizeof *peer->marks);
    if (r < 0)
        return r;
    struct tl_play_mark *mark = &peer->marks[peer->marks_count];
    if (__builtin_add_overflow(peer->total, len, &peer->total))
        return -ENOTSUP;
    *mark = (struct tl_play_mark){
        .number = event->number,
        .end = peer->total,
        .hash = event->blob_hash,
        .len = event->blob_len,
        .packed = event->arg[2] != 0,
        .error = event->result < 0 ? (int)event->result : 0,
    };
    if (event->blob_is == TL_BLOB_BYTES)
        r = tl_play_script_keep(script, event->blob, event->blob_len, &mark->bytes);
    if (r == 0)
        peer->marks_count++;
    return r;
}

/* A write of datagrams. Their lengths are not known where only a hash is: offsets then count
 * messages, each as one. */
static int take_sent(struct tl_play_script *script, const struct tl_trace_event *event,
                     struct tl_play_peer *peer)
{
    return tl_play_script_add_mark(script, event, peer,
                                   event->result < 0    ? 0
                                   : event->arg[1] == 1 ? 1
                                                        : (size_t)event->result);
}

int tl_play_script_block(struct tl_play_script *script, struct tl_play_peer *peer)
{
    if (peer->blocked)
        return 0;
    int r = tl_play_script_reserve(script, &peer->blocks, peer->blocks_count,
                                   &peer->blocks_capacity, sizeof *peer->blocks);
    if (r < 0)
        return r;
    peer->blocks[peer->blocks_count++] = peer->total;
    peer->blocked = true;
    return 0;
}

/* There was room again, which nobody told; or there had been room all the time. */
int tl_play_script_unblock(struct tl_play_script *script, const struct tl_trace_event *event,
                           struct tl_play_peer *peer)
{
    if (!peer->blocked)
        return 0;
    peer->blocked = false;
    if (!peer->unsure)
        return tl_play_script_add_value(script, event, TL_STEP_ROOM, peer, 0);
    peer->unsure = false;
    peer->blocks_count--;
    return 0;
}

static int take_write(struct tl_play_script *script, const struct tl_trace_event *event,
                      struct tl_play_peer *peer)
{
    int r = 0;

    if (peer->type == TL_DATAGRAM)
        return take_sent(script, event, peer);
    if (event->arg[2] != 0 || (event->blob_is == TL_BLOB_BYTES && event->result > 0 &&
                               event->blob_len != (uint64_t)event->result))
        return -ENOTSUP;
    if (event->result < 0 && event->result != -EAGAIN)
        return tl_play_script_add_error(script, event, peer, event->result);
    if (event->result > 0)
        r = tl_play_script_unblock(script, event, peer);
    if (r == 0 && event->result > 0)
        r = tl_play_script_add_mark(script, event, peer, (size_t)event->result);
    peer->unsure = peer->unsure && event->result != -EAGAIN;
    return r < 0 || event->result >= event->arg[0] ? r : tl_play_script_block(script, peer);
}

/* --- Every event --- */

/* What the program was told and never looked at may be why it has closed a connection. */
static int take_close(struct tl_play_script *script, const struct tl_trace_event *event,
                      struct tl_play_peer *peer)
{
    peer->closed = true;
    return peer->unread != 0
               ? tl_play_script_add_value(script, event, TL_STEP_STIR, peer, peer->unread)
               : 0;
}

/* Whether the operation was refused for what the descriptor is, which the replay knows. */
static bool is_no_socket_for(const struct tl_trace_event *event, const struct tl_play_peer *peer)
{
    if (peer->role != TL_PEER_PIPE && peer->role != TL_PEER_FILE)
        return false;
    return event->result == -ENOTSOCK ||
           (event->result == -EBADF &&
            (peer->no_read ? event->kind == TL_TRACE_READ
                           : peer->no_write && event->kind == TL_TRACE_WRITE));
}

/* Whether it was refused for moving several messages by what is no socket of datagrams. */
static bool is_many_for_one(const struct tl_trace_event *event, const struct tl_play_peer *peer)
{
    bool moves = event->kind == TL_TRACE_READ || event->kind == TL_TRACE_WRITE;

    return moves && peer->type != TL_DATAGRAM && event->arg[1] != 1 && event->result == -EINVAL;
}

int tl_play_script_take_socket_event(struct tl_play_script *script,
                                     const struct tl_trace_event *event)
{
    struct tl_play_peer *peer = tl_play_script_peer(script, event->object);

    if (peer == NULL)
        return 0; /* of what was no descriptor */
    if (is_no_socket_for(event, peer) || is_many_for_one(event, peer))
        return 0;
    if (peer->role == TL_PEER_FILE &&
        (event->kind == TL_TRACE_READ || event->kind == TL_TRACE_WRITE))
        return tl_play_script_take_file(script, event);
    if (peer->role == TL_PEER_FILE && event->kind != TL_TRACE_CLOSE &&
        event->kind != TL_TRACE_RELEASE)
        return event->result < 0 ? 0 : -ENOTSUP;
    switch (event->kind) {
    case TL_TRACE_BIND:
        return take_bind(script, event, peer);
    case TL_TRACE_LISTEN:
        return take_listen(event, peer);
    case TL_TRACE_ACCEPT:
        return peer->role == TL_PEER_LISTENER ? take_accept(script, event, peer) : 0;
    case TL_TRACE_CONNECT:
        return tl_play_script_take_connect(script, event, peer);
    case TL_TRACE_SHUTDOWN:
        peer->closed |= event->result == 0 && event->arg[0] != TL_SHUTDOWN_READ;
        peer->reset |= event->result < 0 && peer->type == TL_STREAM;
        if (event->result < 0)
            peer->shutdown_result = (int)event->result;
        return 0;
    case TL_TRACE_CLOSE:
    case TL_TRACE_RELEASE:
        return take_close(script, event, peer);
    case TL_TRACE_OPTION:
        return take_option(script, event, peer);
    case TL_TRACE_ADDRESS:
        return take_address(event, peer);
    case TL_TRACE_READ:
        return peer->role != TL_PEER_LISTENER ? take_read(script, event, peer) : 0;
    default:
        return peer->role != TL_PEER_LISTENER ? take_write(script, event, peer) : 0;
    }
}
