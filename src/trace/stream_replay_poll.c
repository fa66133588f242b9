/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stream replayer's poll: when the next step of the script is taken; see stream_replay.c.
 *
 * A poll that has something to tell tells it. One that would wait goes on with the script: first
 * time passes, up to the next recorded instant that concerns the program, then the next input is
 * given (stream_replay_give.c), with what came together with it then.
 */
#include <errno.h>
#include "trace/stream_replay.h"

enum {
    SPINS_MAX = 1000,      /* polls that do not wait before time goes on all the same */
    OVERTIME_MAX = 100000, /* waits beyond the script's end */
};

/* So much earlier than the recorded program's next timer one has to be, to be none of those that
 * the recorded program had: readings of the clock may be taken elsewhere now. */
#define TIMER_SLACK TL_MILLISECOND

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
    struct tl_post *post;
    int n = 0;

    while (n < count && (post = tl_replay_posts_take(&replay->posts, is_added, replay)) != NULL)
        events[n++] = (struct tl_event){.token = post, .kind = TL_EVENT_POSTED};
    n += tl_play_collect_children(replay, events + n, count - n);
    return n + tl_play_collect_ready(replay, events + n, count - n);
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
        return tl_play_is_enabled(replay, step->value);
    if (step->kind == TL_STEP_ANSWER)
        return step->request->taken;
    if (step->kind == TL_STEP_CHILD)
        return step->child->taken && step->child->killed >= step->caused;
    if (peer == NULL)
        return true;
    if (step->kind == TL_STEP_CONNECTED && peer->handle != NULL && !peer->handle->connecting)
        return false; /* it has not tried once more */
    return peer->taken && (peer->produced >= step->output || peer->handle == NULL) &&
           is_caused(peer->partner, step);
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
    (void)tl_play_give(replay, pass(replay), &none);
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
    if (deadline == INT64_MAX && replay->script.stuck)
        return TL_EDEADLOCK;
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
        int r = tl_play_give(replay, pass(replay), &events[n]);
        if (r < 0)
            tl_play_take_back(events, n);
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
        int n = tl_play_give(replay, pass(replay), events);
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
