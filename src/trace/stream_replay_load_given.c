/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of pipes and of descriptors made elsewhere in a script; see stream_replay_load.c.
 *
 * They are peers like sockets, and answers to a question without a name, in turn: that is how the
 * program's find out which they are.
 */
#include <errno.h>
#include "trace/pack.h"
#include "trace/stream_replay_script.h"

/* One end of a pipe or socket pair. */
static struct tl_play_peer *add_end(struct tl_play_script *script, uint64_t ordinal, bool pipe,
                                    int *r)
{
    struct tl_play_peer *peer = tl_play_script_add_peer(script, ordinal, r);

    if (peer == NULL)
        return NULL;
    peer->role = pipe ? TL_PEER_PIPE : TL_PEER_GIVEN;
    peer->type = TL_STREAM;
    peer->family = pipe ? TL_FAMILY_NONE : TL_FAMILY_UNIX;
    peer->remote.family = peer->family;
    peer->given = true;
    peer->established = true;
    return peer;
}

int tl_play_script_take_pipe(struct tl_play_script *script, const struct tl_trace_event *event)
{
    bool pipe = event->arg[0] == TL_PIPE_ONE_WAY;
    int r;

    if (event->result < 0)
        return tl_play_script_tell(script, event, event->arg[0], NULL) != NULL ? 0 : -ENOMEM;
    struct tl_play_peer *first = add_end(script, event->object, pipe, &r);
    struct tl_play_peer *second =
        first != NULL ? add_end(script, (uint64_t)event->arg[1], pipe, &r) : NULL;
    if (second == NULL)
        return r;
    first->partner = second;
    second->partner = first;
    first->no_write = pipe;
    second->no_read = pipe;
    struct tl_play_told *told = tl_play_script_tell(script, event, event->arg[0], first);
    if (told == NULL)
        return -ENOMEM;
    told->other = second;
    return 0;
}

void tl_play_script_take_watch(struct tl_play_script *script, const struct tl_trace_event *event)
{
    if (event->result != -EPERM)
        return;
    struct tl_play_peer *peer = tl_play_script_peer(script, event->object);
    if (peer != NULL && peer->role == TL_PEER_PIPE)
        peer->no_watch = true;
}

/* What it is by what was found when it was looked at. */
static int take_kind(struct tl_play_script *script, struct tl_play_peer *peer)
{
    const struct tl_adopted *found = &peer->adopted;

    peer->type = TL_STREAM;
    peer->family = found->local.family;
    switch (found->kind) {
    case TL_ADOPTED_STREAM:
        peer->established = found->peer.family != TL_FAMILY_NONE;
        peer->role = peer->established ? TL_PEER_GIVEN : TL_PEER_NONE;
        break;
    case TL_ADOPTED_LISTENER:
        peer->role = TL_PEER_LISTENER;
        peer->bound = found->local;
        break;
    case TL_ADOPTED_DATAGRAM:
        peer->role = TL_PEER_DATAGRAM;
        peer->type = TL_DATAGRAM;
        peer->bound = found->local;
        break;
    case TL_ADOPTED_FILE:
        return tl_play_script_make_file(script, peer, TL_OPEN_READ | TL_OPEN_WRITE, TL_PLAY_STOOD);
    default:
        peer->role = TL_PEER_PIPE;
        peer->established = true;
        break;
    }
    if (peer->role == TL_PEER_NONE || peer->role == TL_PEER_PIPE)
        return 0;
    peer->remote = found->peer;
    peer->names[TL_ADDRESS_LOCAL].known = true;
    peer->names[TL_ADDRESS_LOCAL].addr = found->local;
    return 0;
}

int tl_play_script_take_adopt(struct tl_play_script *script, const struct tl_trace_event *event)
{
    const uint8_t *p = event->blob, *end = p + event->blob_len;
    struct tl_trace_event asked = *event;
    int r;

    asked.blob_len = 0; /* it is an answer */
    if (event->result == -EEXIST)
        return 0; /* the replay knows that itself */
    if (event->result < 0)
        return tl_play_script_tell(script, &asked, 0, NULL) != NULL ? 0 : -ENOMEM;
    struct tl_play_peer *peer = tl_play_script_add_peer(script, event->object, &r);
    if (peer == NULL)
        return r;
    peer->given = true;
    peer->elsewhere = true;
    peer->adopted.kind = (uint32_t)event->arg[0];
    peer->adopted.nonblocking = event->arg[1] != 0;
    if (!tl_trace_unpack_addr(&p, end, &peer->adopted.local) ||
        !tl_trace_unpack_addr(&p, end, &peer->adopted.peer))
        return -ENOTSUP;
    r = take_kind(script, peer);
    if (r < 0)
        return r;
    return tl_play_script_tell(script, &asked, 0, peer) != NULL ? 0 : -ENOMEM;
}
