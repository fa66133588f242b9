/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A loop by itself: libev. A callback that is to be called soon is an ev_idle watcher; one of them
 * costs a look at the kernel each time. See loop.h.
 */
#include "loop.h"

#include <ev.h>
#include <string.h>

static struct ev_loop *loop;
static uint64_t left;

static void again(struct ev_loop *l, ev_timer *watcher, int events)
{
    (void)events;
    if (left == 0)
        return;
    left--;
    ev_feed_event(l, watcher, EV_TIMER);
}

static void callbacks_many(void)
{
    static ev_timer watchers[UNDER_WAY];
    left = CALLBACKS_MANY;
    for (int i = 0; i < UNDER_WAY; i++) {
        ev_timer_init(&watchers[i], again, 0, 0);
        ev_feed_event(loop, &watchers[i], EV_TIMER);
    }
    int64_t start = cpu_ns();
    ev_invoke_pending(loop); /* also what it feeds meanwhile */
    loop_sample(LOOP_CALLBACKS_MANY, start, CALLBACKS_MANY);
}

static void idle_again(struct ev_loop *l, ev_idle *watcher, int events)
{
    (void)events;
    if (--left == 0) {
        ev_idle_stop(l, watcher);
        ev_break(l, EVBREAK_ALL);
    }
}

static void callbacks_one(void)
{
    ev_idle idle;
    left = CALLBACKS_ONE;
    ev_idle_init(&idle, idle_again);
    ev_idle_start(loop, &idle);
    int64_t start = cpu_ns();
    ev_run(loop, 0);
    loop_sample(LOOP_CALLBACKS_ONE, start, CALLBACKS_ONE);
}

static void fired(struct ev_loop *l, ev_timer *watcher, int events)
{
    (void)watcher;
    (void)events;
    if (--left == 0)
        ev_break(l, EVBREAK_ALL);
}

static void timers(void)
{
    ev_timer *timer = loop_memory(sizeof *timer);
    left = TIMERS / 2;
    int64_t start = cpu_ns();
    ev_now_update(loop);
    for (int i = 0; i < TIMERS; i++) {
        ev_timer_init(&timer[i], fired, loop_deadline_us() * 1e-6, 0);
        ev_timer_start(loop, &timer[i]);
    }
    for (int i = 0; i < TIMERS; i += 2)
        ev_timer_stop(loop, &timer[i]);
    loop_await_deadlines();
    ev_run(loop, 0);
    loop_sample(LOOP_TIMERS, start, TIMERS);
    free(timer);
}

static void moved(void)
{
    static ev_timer timer[MOVED_TIMERS];
    for (int i = 0; i < MOVED_TIMERS; i++) {
        ev_timer_init(&timer[i], fired, 0, 3600);
        ev_timer_again(loop, &timer[i]);
    }
    int64_t start = cpu_ns();
    for (int i = 0; i < MOVES; i++) {
        ev_timer *one = &timer[i % MOVED_TIMERS];
        one->repeat = 3600 + i * 1e-9;
        ev_timer_again(loop, one);
    }
    loop_sample(LOOP_MOVED, start, MOVES);
    for (int i = 0; i < MOVED_TIMERS; i++)
        ev_timer_stop(loop, &timer[i]);
}

static void life(void)
{
    int64_t start = cpu_ns();
    for (int i = 0; i < LIVES; i++)
        ev_loop_destroy(ev_loop_new(EVBACKEND_EPOLL));
    loop_sample(LOOP_LIFE, start, LIVES);
}

int main(void)
{
    loop = ev_loop_new(EVBACKEND_EPOLL);
    callbacks_many();
    ev_loop_destroy(loop);
    loop = ev_loop_new(EVBACKEND_EPOLL);
    callbacks_one();
    timers();
    moved();
    ev_loop_destroy(loop);
    life();
    return 0;
}
