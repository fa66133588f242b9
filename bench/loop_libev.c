/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libev at the tasks of bench/loop.h. What call_soon does is ev_feed_event here, which runs what
 * its callbacks feed before the next look at the descriptors; LOOP_IDLE=1 in the environment has
 * idle watchers instead, which all run in every iteration.
 */
#include "loop.h"

#include <ev.h>

static struct ev_loop *loop;
static uint64_t left;

static void make_loop(void)
{
    loop = ev_loop_new(EVBACKEND_EPOLL);
    check("ev_loop_new", loop != NULL ? 0 : -1);
}

static void run(void)
{
    ev_run(loop, 0);
    ev_loop_destroy(loop);
}

/* --- call_soon -------------------------------------------------------------------------------- */

static void again(struct ev_loop *l, ev_timer *watcher, int events)
{
    if (left == 0) {
        ev_break(l, EVBREAK_ALL);
        return;
    }
    left--;
    ev_feed_event(l, watcher, events);
}

static void idle_again(struct ev_loop *l, ev_idle *watcher, int events)
{
    (void)watcher;
    (void)events;
    if (left == 0)
        ev_break(l, EVBREAK_ALL);
    else
        left--;
}

static void soon(uint64_t in_flight, uint64_t count)
{
    static ev_timer fed[IN_FLIGHT_MAX];
    static ev_idle idle[IN_FLIGHT_MAX];
    make_loop();
    left = count;
    for (uint64_t i = 0; i < in_flight; i++) {
        if (getenv("LOOP_IDLE") != NULL) {
            ev_idle_init(&idle[i], idle_again);
            ev_idle_start(loop, &idle[i]);
        } else {
            ev_init(&fed[i], again);
            ev_ref(loop);
            ev_feed_event(loop, &fed[i], EV_CUSTOM);
        }
    }
    run();
}

/* --- Timers ----------------------------------------------------------------------------------- */

static void fired(struct ev_loop *l, ev_timer *timer, int events)
{
    (void)timer;
    (void)events;
    if (--left == 0)
        ev_break(l, EVBREAK_ALL);
}

static void timers(uint64_t count)
{
    ev_timer *timer = loop_array(count, sizeof *timer);
    struct loop_parts parts = {.count = count};
    make_loop();
    left = count;
    parts.start = cpu_ns();
    for (uint64_t i = 0; i < count; i++) {
        ev_timer_init(&timer[i], fired, loop_deadline_us() / 1e6, 0);
        ev_timer_start(loop, &timer[i]);
    }
    parts.started = cpu_ns();
    for (uint64_t i = 0; i < count; i++)
        if (loop_random(2) == 0) {
            ev_timer_stop(loop, &timer[i]);
            left--;
        }
    parts.cancelled = cpu_ns();
    loop_let_pass();
    ev_run(loop, 0);
    loop_timers_done(&parts);
    ev_loop_destroy(loop);
    free(timer);
}

struct idle {
    ev_idle idle;
    ev_timer *timer;
    uint32_t *order;
    uint64_t timers;
    uint64_t at;    /* in that order */
    uint64_t moved; /* how often any was */
};

static void move(struct ev_loop *l, ev_idle *watcher, int events)
{
    struct idle *idle = (struct idle *)watcher;
    (void)events;
    for (int i = 0; i < MOVES_PER_TURN; i++, idle->moved++) {
        ev_timer *timer = &idle->timer[idle->order[idle->at]];
        timer->repeat = IDLE_TIMEOUT_S + idle->moved * 1e-6;
        ev_timer_again(l, timer);
        if (++idle->at == idle->timers)
            idle->at = 0;
    }
    if (left <= MOVES_PER_TURN)
        ev_break(l, EVBREAK_ALL);
    else
        left -= MOVES_PER_TURN;
}

static void later(uint64_t count, uint64_t moves)
{
    struct idle idle = {.timer = loop_array(count, sizeof *idle.timer),
                        .order = loop_order(count),
                        .timers = count};
    make_loop();
    left = moves;
    for (uint64_t i = 0; i < count; i++) {
        ev_timer_init(&idle.timer[i], fired, 0, IDLE_TIMEOUT_S);
        ev_timer_again(loop, &idle.timer[i]);
    }
    ev_idle_init(&idle.idle, move);
    ev_idle_start(loop, &idle.idle);
    run();
    free(idle.order);
    free(idle.timer);
}

/* --- Loops ------------------------------------------------------------------------------------ */

static void loops(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        make_loop();
        ev_loop_destroy(loop);
    }
}

int main(int argc, char **argv)
{
    const struct loop_contender contender = {soon, timers, later, loops};
    return loop_main(argc, argv, &contender);
}
