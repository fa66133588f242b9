/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of each event of a trace in a script; see stream_replay_script.h.
 *
 * An input stands where the recorded program took it: at its read or accept, not at the readiness
 * before. That is the order in which it can have had effects, and it does not depend on how many
 * descriptors a poll reported. Room to write and the end of a connect are told by readiness alone,
 * and stand there.
 *
 * This file has what all of them share, what is about no descriptor, and which event goes where:
 * those of sockets to stream_replay_load_sockets.c, those of files to stream_replay_load_files.c,
 * pipes and what was made elsewhere to stream_replay_load_given.c, those of children to
 * stream_replay_load_children.c.
 */
#include <errno.h>
#include <string.h>
#include "trace/stream_replay_script.h"

/* --- Parts --- */

struct tl_play_peer *tl_play_script_peer(const struct tl_play_script *script, uint64_t ordinal)
{
    return ordinal > 0 && ordinal <= script->peers_count ? script->peers[ordinal - 1] : NULL;
}

struct tl_play_peer *tl_play_script_add_peer(struct tl_play_script *script, uint64_t ordinal,
                                             int *r)
{
    *r = ordinal == script->peers_count + 1 ? 0 : -ENOTSUP;
    if (*r == 0)
        *r = tl_play_script_reserve(script, &script->peers, script->peers_count,
                                    &script->peers_capacity, sizeof(struct tl_play_peer *));
    if (*r < 0)
        return NULL;
    struct tl_play_peer *peer = tl_play_script_alloc(script, sizeof *peer);
    if (peer == NULL) {
        *r = -ENOMEM;
        return NULL;
    }
    peer->ordinal = ordinal;
    peer->queue_tail = &peer->queue;
    peer->hash = (struct tl_trace_hash)TL_TRACE_HASH_INIT;
    peer->instead = (struct tl_trace_hash)TL_TRACE_HASH_INIT;
    script->peers[script->peers_count++] = peer;
    return peer;
}

struct tl_play_step *tl_play_script_add_step(struct tl_play_script *script,
                                             const struct tl_trace_event *event,
                                             enum tl_play_kind kind, struct tl_play_peer *peer)
{
    if (tl_play_script_reserve(script, &script->steps, script->steps_count, &script->steps_capacity,
                               sizeof *script->steps) < 0)
        return NULL;
    struct tl_play_step *step = &script->steps[script->steps_count++];
    *step = (struct tl_play_step){
        .number = event->number,
        .kind = kind,
        .peer = peer,
        .output = peer != NULL ? peer->total : 0,
        .caused = peer != NULL && peer->partner != NULL ? peer->partner->total : 0,
        .nows = script->nows_count,
        .walls = script->walls_count,
    };
    return step;
}

int tl_play_script_add_value(struct tl_play_script *script, const struct tl_trace_event *event,
                             enum tl_play_kind kind, struct tl_play_peer *peer, int64_t value)
{
    struct tl_play_step *step = tl_play_script_add_step(script, event, kind, peer);

    if (step == NULL)
        return -ENOMEM;
    step->value = value;
    return 0;
}

int tl_play_script_keep(struct tl_play_script *script, const void *data, size_t len,
                        const uint8_t **ret)
{
    uint8_t *copy = tl_play_script_alloc(script, len > 0 ? len : 1);

    if (copy == NULL)
        return -ENOMEM;
    if (len > 0)
        memcpy(copy, data, len);
    *ret = copy;
    return 0;
}

int tl_play_script_add_data(struct tl_play_script *script, const struct tl_trace_event *event,
                            enum tl_play_kind kind, struct tl_play_peer *peer, int64_t value)
{
    const uint8_t *data;
    int r = tl_play_script_keep(script, event->blob, event->blob_len, &data);
    struct tl_play_step *step = r == 0 ? tl_play_script_add_step(script, event, kind, peer) : NULL;

    if (step == NULL)
        return -ENOMEM;
    step->data = data;
    step->len = event->blob_len;
    step->value = value;
    return 0;
}

int tl_play_script_add_error(struct tl_play_script *script, const struct tl_trace_event *event,
                             struct tl_play_peer *peer, int64_t error)
{
    int r = tl_play_script_add_value(script, event, TL_STEP_ERROR, peer, error);

    if (r < 0 || peer->type != TL_STREAM)
        return r;
    peer->reset = true;
    return tl_play_script_block(script, peer);
}

/* --- Requests and facts --- */

static int keep_event(struct tl_play_script *script, const struct tl_trace_event *event,
                      struct tl_trace_event *ret)
{
    *ret = *event;
    return tl_play_script_keep(script, event->blob, event->blob_len, &ret->blob);
}

static int take_request(struct tl_play_script *script, const struct tl_trace_event *event)
{
    if (event->result < 0)
        return 0; /* as for sockets */
    if (event->object != script->requests_count + 1)
        return -ENOTSUP;
    int r = tl_play_script_reserve(script, &script->requests, script->requests_count,
                                   &script->requests_capacity, sizeof(struct tl_play_request *));
    struct tl_play_request *request = tl_play_script_alloc(script, sizeof *request);
    if (r < 0 || request == NULL)
        return -ENOMEM;
    script->requests[script->requests_count++] = request;
    return keep_event(script, event, &request->event);
}

static int take_answer(struct tl_play_script *script, const struct tl_trace_event *event)
{
    if (event->object == 0 || event->object > script->requests_count)
        return -ENOTSUP;
    struct tl_play_request *request = script->requests[event->object - 1];
    if ((event->kind == TL_TRACE_WORKED) != (request->event.kind == TL_TRACE_WORK))
        return -ENOTSUP;
    request->answer_kind = event->kind;
    request->result = event->arg[0];
    request->answer_len = event->blob_len;
    int r = tl_play_script_keep(script, event->blob, event->blob_len, &request->answer);
    if (r == 0)
        r = tl_play_script_add_value(script, event, TL_STEP_ANSWER, NULL, 0);
    if (r == 0)
        script->steps[script->steps_count - 1].request = request;
    return r;
}

static int take_fact(struct tl_play_script *script, const struct tl_trace_event *event)
{
    if (event->kind == TL_TRACE_INFO && event->arg[0] == TL_INFO_PID) {
        if (script->pid < 0)
            script->pid = event->result;
        return 0;
    }
    int r = tl_play_script_reserve(script, &script->facts, script->facts_count,
                                   &script->facts_capacity, sizeof *script->facts);
    if (r < 0)
        return r;
    struct tl_play_fact *fact = &script->facts[script->facts_count++];
    fact->used = false;
    return keep_event(script, event, &fact->event);
}

/* --- Waiting --- */

static int take_poll(struct tl_play_script *script, const struct tl_trace_event *event)
{
    const struct tl_play_step *last =
        script->steps_count > 0 ? &script->steps[script->steps_count - 1] : NULL;
    bool waited = event->arg[0] != 0;
    tl_time until;

    script->stuck = event->result == TL_EDEADLOCK;

    /* Polls between which nobody looked at the clock are one. */
    if (last != NULL && last->kind == TL_STEP_INSTANT && last->nows == script->nows_count) {
        waited |= last->waited;
        script->steps_count--;
    }
    if (event->arg[0] < 0 || __builtin_add_overflow(event->time, event->arg[0], &until))
        until = INT64_MAX;
    until = until > 0 ? until : 0;
    int r = tl_play_script_add_value(script, event, TL_STEP_INSTANT, NULL, until);
    if (r == 0)
        script->steps[script->steps_count - 1].waited = waited;
    return r;
}

/* --- Every event --- */

/* What is about no descriptor. */
static int take_other(struct tl_play_script *script, const struct tl_trace_event *event)
{
    switch (event->kind) {
    case TL_TRACE_ENTROPY:
    case TL_TRACE_INFO:
        return take_fact(script, event);
    case TL_TRACE_RESOLVE:
    case TL_TRACE_NAME_OF:
    case TL_TRACE_WORK:
        return take_request(script, event);
    case TL_TRACE_WORKED:
    case TL_TRACE_RESOLVED:
    case TL_TRACE_ADDRESSES:
    case TL_TRACE_NAMES:
        return take_answer(script, event);
    case TL_TRACE_POSTED:
        return tl_play_script_add_data(script, event, TL_STEP_POSTED, NULL, event->arg[0]);
    case TL_TRACE_MESSAGE:
        return tl_play_script_add_data(script, event, TL_STEP_MESSAGE, NULL, event->arg[0]);
    case TL_TRACE_SIGNALLED:
        return tl_play_script_add_value(script, event, TL_STEP_SIGNAL, NULL, event->arg[0]);
    case TL_TRACE_SIGNAL:
        return event->arg[1] == 0 || tl_play_script_tell(script, event, event->arg[0], NULL) != NULL
                   ? 0
                   : -ENOMEM;
    case TL_TRACE_SPAWN:
    case TL_TRACE_KILL:
    case TL_TRACE_ADOPT_CHILD:
    case TL_TRACE_RELEASE_CHILD:
    case TL_TRACE_CHILD:
        return tl_play_script_take_child(script, event);
    case TL_TRACE_DESTROY:
        script->closed = true;
        return 0;
    default:
        return -ENOTSUP;
    }
}

int tl_play_script_take(struct tl_play_script *script, const struct tl_trace_event *event)
{
    switch (event->kind) {
    case TL_TRACE_WATCH:
        tl_play_script_take_watch(script, event);
        return 0;
    case TL_TRACE_CANCEL:
    case TL_TRACE_RETIRE:
    case TL_TRACE_NOTE:
        return 0; /* nothing that the world answers */
    case TL_TRACE_POLL:
        return take_poll(script, event);
    case TL_TRACE_SOCKET:
        return tl_play_script_take_socket(script, event);
    case TL_TRACE_PIPE:
        return tl_play_script_take_pipe(script, event);
    case TL_TRACE_ADOPT:
        return tl_play_script_take_adopt(script, event);
    case TL_TRACE_BIND:
    case TL_TRACE_LISTEN:
    case TL_TRACE_ACCEPT:
    case TL_TRACE_CONNECT:
    case TL_TRACE_SHUTDOWN:
    case TL_TRACE_CLOSE:
    case TL_TRACE_RELEASE:
    case TL_TRACE_OPTION:
    case TL_TRACE_ADDRESS:
    case TL_TRACE_READ:
    case TL_TRACE_WRITE:
        return tl_play_script_take_socket_event(script, event);
    case TL_TRACE_OPEN:
    case TL_TRACE_STAT:
    case TL_TRACE_UNLINK:
    case TL_TRACE_RENAME:
    case TL_TRACE_PREAD:
    case TL_TRACE_PWRITE:
    case TL_TRACE_FSYNC:
    case TL_TRACE_SENDFILE:
        return tl_play_script_take_file(script, event);
    case TL_TRACE_FD:
        return tl_play_script_take_ready(script, event);
    default:
        return take_other(script, event);
    }
}
