/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Giving the program an input in a stream replay, when its turn has come; see stream_replay.c.
 *
 * What is for a descriptor is put where the program will read or accept it, and shows as readiness;
 * what is not is an event of its own.
 */
#include <errno.h>
#include "core/post.h"
#include "trace/stream_replay.h"

/* A readiness that poll tells with the next events it collects. */
static int give_to_peer(struct tl_stream_replay *replay, struct tl_play_step *step)
{
    struct tl_play_peer *peer = step->peer;

    switch (step->kind) {
    case TL_STEP_CONNECTED:
        peer->established = step->value == 0;
        peer->broken = step->value != 0;
        peer->error = (int)step->value;
        if (peer->handle != NULL)
            peer->handle->connecting = false;
        break;
    case TL_STEP_END:
        peer->ended = true;
        break;
    case TL_STEP_ERROR:
        peer->broken = peer->type == TL_STREAM;
        peer->error = (int)step->value;
        break;
    case TL_STEP_ROOM:
        peer->block++;
        break;
    case TL_STEP_STIR:
        peer->stirred = (unsigned)step->value;
        break;
    default:
        if (peer->taken && peer->handle == NULL)
            replay->counts.unused++; /* the program has closed it */
        else
            tl_play_queue(peer, step);
        break;
    }
    if (peer->handle != NULL)
        tl_play_update(replay, peer->handle);
    return 0;
}

static bool is_due(const struct tl_post *post, void *arg)
{
    const struct tl_play_step *step = arg;

    return tl_replay_is_producer(post->producer, step->data, step->len);
}

static int give_post(struct tl_stream_replay *replay, struct tl_play_step *step,
                     struct tl_event *ret)
{
    tl_replay_jobs_run_poster(replay->jobs, step->data, step->len);
    struct tl_post *post = tl_replay_posts_await(&replay->posts, is_due, step);

    if (post == NULL)
        return tl_play_diverge(replay,
                               "diverged: event %llu is a post by \"%.*s\", and no thread of the "
                               "program of that name has posted\n",
                               (unsigned long long)step->number, (int)step->len,
                               (const char *)step->data);
    *ret = (struct tl_event){.token = post, .kind = TL_EVENT_POSTED};
    return 1;
}

static int give_message(const struct tl_play_step *step, struct tl_event *ret)
{
    struct tl_post *post = tl_post_new_message((uint32_t)step->value, step->data, step->len);

    if (post == NULL)
        return -ENOMEM;
    *ret = (struct tl_event){.token = post, .kind = TL_EVENT_POSTED};
    return 1;
}

bool tl_play_is_enabled(const struct tl_stream_replay *replay, int64_t signum)
{
    return signum >= 0 && signum < 64 && (replay->signals >> signum & 1) != 0;
}

static int give_signal(struct tl_stream_replay *replay, const struct tl_play_step *step,
                       struct tl_event *ret)
{
    if (!tl_play_is_enabled(replay, step->value)) {
        replay->counts.unused++;
        return 0;
    }
    *ret = (struct tl_event){.kind = TL_EVENT_SIGNAL, .value = step->value};
    return 1;
}

static int give_answer(struct tl_stream_replay *replay, const struct tl_play_step *step,
                       struct tl_event *ret)
{
    struct tl_play_request *request = step->request;

    request->due = true;
    if (request->asker == NULL) {
        if (request->taken)
            replay->counts.unused++; /* called off */
        return 0;
    }
    int r = tl_play_answer(replay, request, ret);
    return r < 0 ? r : 1;
}

int tl_play_give(struct tl_stream_replay *replay, struct tl_play_step *step, struct tl_event *ret)
{
    replay->counts.inputs += step->kind != TL_STEP_STIR;
    switch (step->kind) {
    case TL_STEP_SIGNAL:
        return give_signal(replay, step, ret);
    case TL_STEP_POSTED:
        return give_post(replay, step, ret);
    case TL_STEP_MESSAGE:
        return give_message(step, ret);
    case TL_STEP_ANSWER:
        return give_answer(replay, step, ret);
    case TL_STEP_CHILD:
        tl_play_end_child(replay, step->child, step->value);
        return 0;
    default:
        return step->peer != NULL ? give_to_peer(replay, step) : 0;
    }
}

void tl_play_take_back(const struct tl_event *events, int count)
{
    for (int i = 0; i < count; i++)
        if (events[i].kind == TL_EVENT_POSTED)
            tl_post_release(events[i].token);
}
