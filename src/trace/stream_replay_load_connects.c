/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of connects in a script; see stream_replay_load.c.
 *
 * A stream socket may try more than once. Each attempt is kept with what its connect answered. How
 * one that took its time has ended is a step, where that was told first: by readiness, or by
 * another connect. What was wrong with it is told behind that, by the socket's pending error or,
 * again, by another connect.
 */
#include <errno.h>
#include "trace/pack.h"
#include "trace/stream_replay_script.h"

/* Whether the attempt may still turn out either way. */
static bool is_pending(const struct tl_play_peer *peer)
{
    return peer->attempt->result == -EINPROGRESS && !peer->asked;
}

static bool has_failed(const struct tl_play_script *script, const struct tl_play_peer *peer)
{
    int result = peer->attempt->result;

    if (result != -EINPROGRESS)
        return result < 0;
    return peer->asked && script->steps[peer->connected - 1].value != 0;
}

static int begin(struct tl_play_script *script, const struct tl_trace_event *event,
                 struct tl_play_peer *peer, const tl_addr *addr)
{
    struct tl_play_attempt *attempt = tl_play_script_alloc(script, sizeof *attempt);

    if (attempt == NULL)
        return -ENOMEM;
    attempt->addr = *addr;
    attempt->result = (int)event->result;
    if (peer->attempt != NULL)
        peer->attempt->next = attempt;
    else
        peer->attempts = attempt;
    peer->attempt = attempt;
    peer->remote = *addr;
    peer->connected = 0;
    peer->asked = false;
    peer->reset = false;
    return 0;
}

/* A connect tells how the attempt before it has ended. */
static int finish(struct tl_play_script *script, const struct tl_trace_event *event,
                  struct tl_play_peer *peer)
{
    if (peer->connected == 0) {
        int r = tl_play_script_add_value(script, event, TL_STEP_CONNECTED, peer, 0);
        if (r < 0)
            return r;
        peer->connected = script->steps_count;
    }
    script->steps[peer->connected - 1].value = event->result;
    peer->asked = true;
    peer->reset |= event->result != 0;
    return 0;
}

/* A connect of a socket that has tried. */
static int take_other(struct tl_play_script *script, const struct tl_trace_event *event,
                      struct tl_play_peer *peer, const tl_addr *addr)
{
    if (event->result == -EALREADY || event->result == -EISCONN)
        return 0; /* as the replay knows */
    if (is_pending(peer))
        return event->result == -EINPROGRESS ? 0 : finish(script, event, peer);
    if (!has_failed(script, peer))
        return 0;
    if (event->result == -ECONNABORTED && peer->attempt->result == -EINPROGRESS)
        return 0; /* that had been told by something else */
    return begin(script, event, peer, addr);
}

int tl_play_script_take_connect(struct tl_play_script *script, const struct tl_trace_event *event,
                                struct tl_play_peer *peer)
{
    const uint8_t *p = event->blob;
    tl_addr addr;

    if (!tl_trace_unpack_addr(&p, p + event->blob_len, &addr))
        return -ENOTSUP;
    if (peer->type == TL_DATAGRAM) {
        peer->connect_result = (int)event->result;
        peer->remote = addr;
        return 0;
    }
    peer->unread = 0; /* it looks at what it was told */
    if (peer->role == TL_PEER_OUTGOING)
        return take_other(script, event, peer, &addr);
    if (peer->role != TL_PEER_NONE)
        return event->result < 0 && event->result != -EINPROGRESS ? 0 : -ENOTSUP;
    peer->role = TL_PEER_OUTGOING;
    peer->established = event->result == 0;
    return begin(script, event, peer, &addr);
}
