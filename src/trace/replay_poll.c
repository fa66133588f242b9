/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The replayer's poll, and the posts that it waits for; see replay.c.
 *
 * What poll answers is in the trace: the poll itself with the number of its events, then the
 * events. A descriptor's readiness, a signal, a child's end are simply told. A job without a
 * declared result is run when its end is due, on this thread and outside the loop; any job already
 * when something that it posted is due. Where the trace has a callback's post by a thread, the
 * program's own has to make it again, and is waited for. A message is made from the trace.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "core/alloc.h"
#include "core/post.h"
#include "trace/replay.h"

/* Stands for a token that is NULL where a NULL says that a descriptor is not watched. */
static char no_token;

int tl_replay_watch(struct tl_kernel *kernel, int fd, unsigned events, void *token)
{
    struct tl_replay *replay = tl_replay_of(kernel);
    struct tl_trace_object *object = tl_trace_objects_find(&replay->fds, (uint64_t)(int64_t)fd);
    struct tl_trace_event asked = {
        .kind = TL_TRACE_WATCH,
        .object = object != NULL ? object->ordinal : 0,
        .arg = {events},
    };

    int r = (int)tl_replay_result_of(replay, &asked);
    if (object != NULL && events == 0)
        object->token = NULL; /* whatever a broken trace says of it: it may be gone now */
    else if (object != NULL && r == 0)
        object->token = token != NULL ? token : &no_token;
    return r;
}

int tl_replay_post(struct tl_kernel *kernel, struct tl_post *post)
{
    tl_replay_posts_add(&tl_replay_of(kernel)->posts, post);
    return 0;
}

/* --- Events --- */

/* An object that the trace's event names: NULL after a broken trace has ended the replay. */
static struct tl_trace_object *object_of(struct tl_replay *replay, struct tl_trace_objects *objects)
{
    struct tl_trace_object *object =
        tl_trace_objects_search(objects, TL_BY_ORDINAL, replay->item.object);

    if (object == NULL)
        (void)tl_replay_diverge(replay, NULL, "an event of what is not there");
    return object;
}

static int give_fd(struct tl_replay *replay, struct tl_event *ret)
{
    struct tl_trace_object *object = object_of(replay, &replay->fds);

    if (object == NULL)
        return replay->fate;
    if (object->token == NULL)
        return tl_replay_diverge(replay, NULL, "the readiness of what is not watched");
    if (object->key < TL_REPLAY_FD_BASE && replay->told == 0) {
        replay->told = object->ordinal;
        replay->told_at = replay->item.number;
    }
    *ret = (struct tl_event){
        .token = object->token != &no_token ? object->token : NULL,
        .kind = TL_EVENT_FD,
        .ready = (uint32_t)replay->item.arg[0],
    };
    return 0;
}

static bool is_due(const struct tl_post *post, void *arg)
{
    const struct tl_trace_event *event = arg;

    return post->ordinal == (uint64_t)event->arg[0] &&
           tl_replay_is_producer(post->producer, event->blob, event->blob_len);
}

static int give_post(struct tl_replay *replay, struct tl_event *ret)
{
    tl_replay_jobs_run_poster(replay->jobs, replay->item.blob, replay->item.blob_len);
    struct tl_post *post = tl_replay_posts_await(&replay->posts, is_due, &replay->item);

    if (post == NULL)
        return tl_replay_diverge(replay, NULL, "no thread of the program has posted this");
    *ret = (struct tl_event){.token = post, .kind = TL_EVENT_POSTED};
    return 0;
}

static int give_message(struct tl_replay *replay, struct tl_event *ret)
{
    const struct tl_trace_event *event = &replay->item;
    struct tl_post *post =
        tl_post_new_message((uint32_t)event->arg[0], event->blob, event->blob_len);

    if (post == NULL)
        return -ENOMEM;
    *ret = (struct tl_event){.token = post, .kind = TL_EVENT_POSTED};
    return 0;
}

static int give_work(struct tl_replay *replay, struct tl_event *ret)
{
    struct tl_trace_object *object = object_of(replay, &replay->requests);

    if (object == NULL)
        return replay->fate;
    struct tl_work *work = object->token;
    if (work->request.owner != &replay->jobs)
        return tl_replay_diverge(replay, NULL, "the end of a job that is none");
    size_t len = work->out != NULL ? work->out_len : 0;
    if (replay->item.blob_len != len)
        return tl_replay_diverge(replay, NULL, "a job's result has room for %zu bytes", len);
    tl_trace_objects_remove(&replay->requests, object);
    if (work->out == NULL)
        tl_replay_job_run(&work->request);
    (void)tl_replay_job_take(&work->request);
    if (len > 0)
        memcpy(work->out, replay->item.blob, len);
    *ret = (struct tl_event){.token = work, .kind = TL_EVENT_WORK};
    return 0;
}

static int give_resolved(struct tl_replay *replay, struct tl_event *ret)
{
    struct tl_trace_object *object = object_of(replay, &replay->requests);

    if (object == NULL)
        return replay->fate;
    struct tl_query *query = object->token;
    int result = (int)tl_trace_result_in(replay->item.arg[0]);
    int r = result > 0 ? -EINVAL : 0;
    if (query->request.owner == &replay->jobs)
        return tl_replay_diverge(replay, NULL, "an answer to what is no lookup");
    if (result == 0)
        r = tl_trace_unpack_answer(replay->item.blob, replay->item.blob_len,
                                   replay->item.kind == TL_TRACE_RESOLVED, query);
    if (r == -EINVAL)
        return tl_replay_diverge(replay, NULL, "an answer that cannot be understood");
    if (r < 0)
        return r;
    query->result = result;
    tl_trace_objects_remove(&replay->requests, object);
    *ret = (struct tl_event){.token = query, .kind = TL_EVENT_RESOLVED};
    return 0;
}

static int give_child(struct tl_replay *replay, struct tl_event *ret)
{
    struct tl_trace_object *object = object_of(replay, &replay->children);

    if (object == NULL)
        return replay->fate;
    *ret = (struct tl_event){
        .token = object->token, .kind = TL_EVENT_CHILD, .value = replay->item.arg[0]};
    tl_trace_objects_remove(&replay->children, object);
    return 0;
}

/* Gives the next event of the trace. */
static int give(struct tl_replay *replay, struct tl_event *ret)
{
    int r = tl_replay_peek(replay);

    if (r < 0)
        return r;
    switch (replay->item.kind) {
    case TL_TRACE_FD:
        r = give_fd(replay, ret);
        break;
    case TL_TRACE_POSTED:
        r = give_post(replay, ret);
        break;
    case TL_TRACE_MESSAGE:
        r = give_message(replay, ret);
        break;
    case TL_TRACE_WORKED:
        r = give_work(replay, ret);
        break;
    case TL_TRACE_SIGNALLED:
        *ret = (struct tl_event){.kind = TL_EVENT_SIGNAL, .value = replay->item.arg[0]};
        break;
    case TL_TRACE_CHILD:
        r = give_child(replay, ret);
        break;
    case TL_TRACE_RESOLVED:
    case TL_TRACE_ADDRESSES:
    case TL_TRACE_NAMES:
        r = give_resolved(replay, ret);
        break;
    default:
        r = tl_replay_diverge(replay, NULL, "an operation among poll's events");
    }
    if (r == 0)
        tl_replay_take(replay);
    return r;
}

/* --- Poll --- */

/* Nobody will see these events. */
static void take_back(struct tl_event *events, int count)
{
    for (int i = 0; i < count; i++)
        if (events[i].kind == TL_EVENT_POSTED)
            tl_post_release(events[i].token);
}

int tl_replay_poll(struct tl_kernel *kernel, tl_time timeout, struct tl_event *events, int count)
{
    struct tl_replay *replay = tl_replay_of(kernel);
    struct tl_trace_event asked = {.kind = TL_TRACE_POLL, .arg = {timeout}};

    if (replay->told != 0 && replay->opaque_at == 0)
        replay->opaque_at = replay->told_at;
    replay->told = 0;
    int64_t n = tl_replay_result_of(replay, &asked);
    if (n > count)
        return tl_replay_diverge(replay, &asked, "more events than there is room for");
    for (int i = 0; i < n; i++) {
        int r = give(replay, &events[i]);
        if (r < 0 && i > 0 && r == TL_EOUTOFREACH)
            return i;
        if (r < 0) {
            take_back(events, i);
            return r;
        }
    }
    return (int)n;
}
