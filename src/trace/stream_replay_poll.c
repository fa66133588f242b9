/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stream replayer's poll: when the next step of the script is taken; see stream_replay.c.
 */
#include <errno.h>
#include <string.h>
#include "core/post.h"
#include "trace/stream_replay.h"

enum {
    SPINS_MAX = 1000,      /* polls that do not wait before time goes on all the same */
    OVERTIME_MAX = 100000, /* waits beyond the script's end */
};

/* So much earlier than the recorded program's next timer one has to be, to be none of those that
 * the recorded program had: readings of the clock may be taken elsewhere now. */
#define TIMER_SLACK TL_MILLISECOND

/* --- Readiness --- */

static unsigned readiness(const struct tl_play_handle *handle)
{
    const struct tl_play_peer *peer = handle->peer;

    if (handle->type == TL_DATAGRAM && peer == NULL)
        return TL_WRITABLE;
    if (handle->type == TL_DATAGRAM)
        return TL_WRITABLE | peer->stirred |
               (peer->queue != NULL || peer->error != 0 ? TL_READABLE : 0);
    if (peer == NULL || handle->connecting)
        return 0;
    if (handle->listening)
        return peer->stirred | (peer->queue != NULL ? TL_READABLE : 0);
    if (peer->broken)
        return TL_READABLE | TL_WRITABLE | TL_HANGUP | (peer->error != 0 ? TL_FAULT : 0);
    if (!peer->established)
        return 0;
    bool room = peer->block >= peer->blocks_count || peer->produced < peer->blocks[peer->block];
    bool end = peer->ended || handle->shut_read;
    bool hung_up = peer->ended && (handle->shut_write || handle->pipe);
    return (peer->queue != NULL || end ? TL_READABLE : 0) |
           (room && !peer->no_write ? TL_WRITABLE : 0) | peer->stirred | (hung_up ? TL_HANGUP : 0);
}

static unsigned news_of(const struct tl_play_handle *handle)
{
    return handle->interest != 0 ? readiness(handle) & (handle->interest | TL_HANGUP | TL_FAULT)
                                 : 0;
}

static void unlink_ready(struct tl_play_handle *handle)
{
    handle->prev->next = handle->next;
    handle->next->prev = handle->prev;
    handle->queued = false;
}

static void link_ready(struct tl_stream_replay *replay, struct tl_play_handle *handle)
{
    struct tl_play_handle *head = &replay->ready;

    handle->prev = head->prev;
    handle->next = head;
    head->prev->next = handle;
    head->prev = handle;
    handle->queued = true;
}

void tl_play_update(struct tl_stream_replay *replay, struct tl_play_handle *handle)
{
    bool news = news_of(handle) != 0;

    if (news && !handle->queued)
        link_ready(replay, handle);
    else if (!news && handle->queued)
        unlink_ready(handle);
}

int tl_play_watch(struct tl_kernel *kernel, int fd, unsigned events, void *token)
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);
    struct tl_play_handle *handle = tl_play_handle_of(replay, fd);

    if (replay->fate != 0 || handle == NULL)
        return replay->fate != 0 ? replay->fate : -EBADF;
    if (events != 0 && handle->peer != NULL && handle->peer->no_watch)
        return -EPERM;
    handle->interest = events;
    handle->token = token;
    tl_play_update(replay, handle);
    return 0;
}

/* --- What the program gets without a step --- */

/* A post by a thread that did not post in the recorded program, or not so often. */
static bool is_added(const struct tl_post *post, void *arg)
{
    const struct tl_stream_replay *replay = arg;

    for (size_t i = replay->step; i < replay->script.steps_count; i++) {
        const struct tl_play_step *step = &replay->script.steps[i];
        if (step->kind == TL_STEP_POSTED &&
            tl_replay_is_producer(post->producer, step->data, step->len))
            return false;
    }
    return true;
}

/* Everything that is there to be told: how many events. */
static int collect(struct tl_stream_replay *replay, struct tl_event *events, int count)
{
    struct tl_play_handle *last = replay->ready.prev;
    struct tl_post *post;
    int n = 0;

    while (n < count && (post = tl_replay_posts_take(&replay->posts, is_added, replay)) != NULL)
        events[n++] = (struct tl_event){.token = post, .kind = TL_EVENT_POSTED};
    n += tl_play_collect_children(replay, events + n, count - n);
    for (bool more = last != &replay->ready; more && n < count;) {
        struct tl_play_handle *handle = replay->ready.next;
        more = handle != last;
        events[n++] = (struct tl_event){
            .token = handle->token, .kind = TL_EVENT_FD, .ready = news_of(handle)};
        unlink_ready(handle); /* to the end, so that everybody's turn comes */
        link_ready(replay, handle);
    }
    return n;
}

/* --- Giving a step --- */

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

static bool is_enabled(const struct tl_stream_replay *replay, int64_t signum)
{
    return signum >= 0 && signum < 64 && (replay->signals >> signum & 1) != 0;
}

static int give_signal(struct tl_stream_replay *replay, const struct tl_play_step *step,
                       struct tl_event *ret)
{
    if (!is_enabled(replay, step->value)) {
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

/* Gives an input: how many events that is by itself, or an error. */
static int give(struct tl_stream_replay *replay, struct tl_play_step *step, struct tl_event *ret)
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

/* Nobody will see these events. */
static void take_back(const struct tl_event *events, int count)
{
    for (int i = 0; i < count; i++)
        if (events[i].kind == TL_EVENT_POSTED)
            tl_post_release(events[i].token);
}

/* --- When --- */

/* Whether the program, where it has the other end of a pair itself, has done with that what led to
 * this input. */
static bool is_caused(const struct tl_play_peer *partner, const struct tl_play_step *step)
{
    if (partner == NULL || !partner->taken || partner->handle == NULL)
        return true;
    return partner->produced >= step->caused &&
           (step->kind != TL_STEP_END || partner->handle->shut_write);
}

/* Whether the program has done what the recorded one had done when it took this input. */
static bool is_time(const struct tl_stream_replay *replay, const struct tl_play_step *step)
{
    const struct tl_play_peer *peer = step->peer;

    if (step->kind == TL_STEP_SIGNAL)
        return is_enabled(replay, step->value);
    if (step->kind == TL_STEP_ANSWER)
        return step->request->taken;
    if (step->kind == TL_STEP_CHILD)
        return step->child->taken && step->child->killed >= step->caused;
    return peer == NULL ||
           (peer->taken && (peer->produced >= step->output || peer->handle == NULL) &&
            is_caused(peer->partner, step));
}

/* The step passes: the clocks may go on as far as to the next one. */
static struct tl_play_step *pass(struct tl_stream_replay *replay)
{
    struct tl_play_script *script = &replay->script;
    struct tl_play_step *step = &script->steps[replay->step++];
    const struct tl_play_step *next =
        replay->step < script->steps_count ? &script->steps[replay->step] : NULL;

    /* What was read before it has been. Only between a poll and its first input the program may
     * still look at the clock: it takes both at once. */
    bool first =
        step->kind != TL_STEP_INSTANT && replay->step > 1 && step[-1].kind == TL_STEP_INSTANT;
    if (!first && replay->nows < step->nows) {
        replay->nows = step->nows;
        if (replay->now < script->nows[step->nows - 1])
            replay->now = script->nows[step->nows - 1];
    }
    if (!first && replay->walls < step->walls) {
        replay->walls = step->walls;
        replay->wall = script->walls[step->walls - 1];
        replay->wall_now = replay->now;
    }
    replay->nows_limit = next != NULL ? next->nows : script->nows_count;
    replay->walls_limit = next != NULL ? next->walls : script->walls_count;
    tl_play_passed(replay);
    return step;
}

/* Steps that the recorded program took without having waited. */
void tl_play_give_at_once(struct tl_stream_replay *replay, const struct tl_play_peer *peer)
{
    const struct tl_play_script *script = &replay->script;
    size_t next = replay->step;
    struct tl_event none;

    while (next < script->steps_count && script->steps[next].kind == TL_STEP_INSTANT &&
           !script->steps[next].waited)
        next++;
    if (next == script->steps_count || script->steps[next].peer != peer ||
        script->steps[next].kind == TL_STEP_INSTANT || !is_time(replay, &script->steps[next]))
        return;
    while (replay->step < next)
        (void)pass(replay);
    (void)give(replay, pass(replay), &none);
}

static void move_clock(struct tl_stream_replay *replay, tl_time now)
{
    while (replay->nows < replay->nows_limit && replay->script.nows[replay->nows] <= now)
        replay->nows++;
    if (replay->now < now)
        replay->now = now;
}

/* The script is at its end, and the program waits: 0 when it is for a time, which then has come, or
 * a job that the recorded program had called off, which then is run. */
static int wait_on(struct tl_stream_replay *replay, tl_time deadline, struct tl_event *ret)
{
    if (!replay->script.closed)
        return tl_play_run_out(replay);
    if (replay->jobs != NULL)
        return tl_play_answer_added(replay, &replay->jobs, ret);
    if (deadline == INT64_MAX || replay->overtime++ >= OVERTIME_MAX)
        return tl_play_diverge(
            replay, "diverged: the program waits for more, where the recorded one had ended\n");
    move_clock(replay, deadline);
    return 0;
}

/* Takes the recorded instants that come next, until one at which the program has something to do by
 * itself: true. False in front of an input, or at the end. */
static bool let_time_pass(struct tl_stream_replay *replay, tl_time deadline)
{
    const struct tl_play_script *script = &replay->script;

    while (replay->step < script->steps_count &&
           script->steps[replay->step].kind == TL_STEP_INSTANT) {
        const struct tl_play_step *step = &script->steps[replay->step];
        const struct tl_play_step *next = replay->step + 1 < script->steps_count ? step + 1 : NULL;
        size_t limit = next != NULL ? next->nows : script->nows_count;
        tl_time instant = step->nows < limit ? script->nows[step->nows] : replay->now;
        if (deadline < instant && deadline < step->value - TIMER_SLACK) {
            move_clock(replay, deadline); /* a timer that the recorded program did not have */
            return true;
        }
        (void)pass(replay);
        /* An input of the same poll comes before the timers that are due. */
        if (deadline <= instant &&
            (next == NULL || next->kind == TL_STEP_INSTANT || !is_time(replay, next)))
            return true;
    }
    return false;
}

/* What came with an input that was given, which is n events by itself: what the recorded program
 * has read from the same connection right behind it, or what else the same poll had told that is
 * about no connection. How many events that makes, or an error. */
static int give_more(struct tl_stream_replay *replay, int n, struct tl_event *events, int count)
{
    const struct tl_play_script *script = &replay->script;

    while (n >= 0 && n < count && replay->step < script->steps_count) {
        struct tl_play_step *step = &script->steps[replay->step];
        bool bytes = step->kind == TL_STEP_BYTES || step->kind == TL_STEP_END;
        if (step->kind == TL_STEP_INSTANT || (!bytes && step->peer != NULL) ||
            step[-1].peer != step->peer || !is_time(replay, step))
            break;
        int r = give(replay, pass(replay), &events[n]);
        if (r < 0)
            take_back(events, n);
        n = r < 0 ? r : n + r;
    }
    return n;
}

/* The next input has to wait for what the program is still to send: whether a timer of its own
 * comes first, which then is due. One that is set for a little later may: what was sent at once
 * then may be sent from a timer now. */
static bool let_timer_come(struct tl_stream_replay *replay, tl_time deadline)
{
    const tl_time *nows = replay->script.nows;
    size_t limit = replay->nows_limit;
    tl_time last = limit > 0 && nows[limit - 1] > 0 ? nows[limit - 1] : 0;

    if (deadline - TIMER_SLACK >= last)
        return false;
    move_clock(replay, deadline < last ? last : deadline);
    return true;
}

/* The program would wait until deadline: goes on with the script until there is something to tell
 * it. How many events, or an error. */
static int play(struct tl_stream_replay *replay, tl_time deadline, struct tl_event *events,
                int count)
{
    for (;;) {
        if (replay->added != NULL) {
            int n = tl_play_answer_added(replay, &replay->added, events);
            return n < 0 ? n : n + collect(replay, events + n, count - n);
        }
        if (let_time_pass(replay, deadline))
            return 0;
        if (replay->step == replay->script.steps_count)
            return wait_on(replay, deadline, events);
        if (!is_time(replay, &replay->script.steps[replay->step])) {
            if (let_timer_come(replay, deadline))
                return 0;
            replay->counts.early++;
        }
        int n = give(replay, pass(replay), events);
        n = give_more(replay, n, events, count);
        if (n >= 0)
            n += collect(replay, events + n, count - n);
        if (n != 0)
            return n;
    }
}

int tl_play_poll(struct tl_kernel *kernel, tl_time timeout, struct tl_event *events, int count)
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);
    tl_time deadline;

    if (replay->fate != 0)
        return replay->fate;
    if (count < 1)
        return -EINVAL;
    int n = collect(replay, events, count);
    if (n > 0)
        return n;
    if (timeout == 0 && ++replay->spins < SPINS_MAX)
        return 0;
    replay->spins = 0;
    if (timeout < 0 || __builtin_add_overflow(replay->now, timeout, &deadline))
        deadline = INT64_MAX;
    return play(replay, deadline, events, count);
}
