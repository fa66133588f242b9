/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libevent at the tasks of bench/loop.h. What call_soon does is event_active here; an event that
 * its own callback makes active runs before the next look at the descriptors.
 */
#include "loop.h"

#include <event2/event.h>
#include <event2/event_struct.h>

static struct event_base *base;
static uint64_t left;

static void make_base(void)
{
    base = event_base_new();
    check("event_base_new", base != NULL ? 0 : -1);
}

static void run(void)
{
    check("event_base_loop", event_base_loop(base, EVLOOP_NO_EXIT_ON_EMPTY));
    event_base_free(base);
}

/* --- call_soon -------------------------------------------------------------------------------- */

static void again(evutil_socket_t fd, short events, void *arg)
{
    struct event *event = arg;
    (void)fd;
    (void)events;
    if (left == 0) {
        event_base_loopbreak(base);
        return;
    }
    left--;
    event_active(event, EV_TIMEOUT, 0);
}

static void soon(uint64_t in_flight, uint64_t count)
{
    static struct event event[IN_FLIGHT_MAX];
    make_base();
    left = count;
    for (uint64_t i = 0; i < in_flight; i++) {
        event_assign(&event[i], base, -1, 0, again, &event[i]);
        event_active(&event[i], EV_TIMEOUT, 0);
    }
    run();
}

/* --- Timers ----------------------------------------------------------------------------------- */

static void fired(evutil_socket_t fd, short events, void *arg)
{
    (void)fd;
    (void)events;
    (void)arg;
    if (--left == 0)
        event_base_loopbreak(base);
}

static void timers(uint64_t count)
{
    struct event *timer = loop_array(count, sizeof *timer);
    struct loop_parts parts = {.count = count};
    make_base();
    left = count;
    parts.start = cpu_ns();
    for (uint64_t i = 0; i < count; i++) {
        struct timeval t = {.tv_usec = loop_deadline_us()};
        event_assign(&timer[i], base, -1, 0, fired, NULL);
        event_add(&timer[i], &t);
    }
    parts.started = cpu_ns();
    for (uint64_t i = 0; i < count; i++)
        if (loop_random(2) == 0) {
            event_del(&timer[i]);
            left--;
        }
    parts.cancelled = cpu_ns();
    loop_let_pass();
    event_base_loop(base, 0);
    loop_timers_done(&parts);
    event_base_free(base);
    free(timer);
}

struct idle {
    struct event event;
    struct event *timer;
    uint32_t *order;
    uint64_t timers;
    uint64_t at;    /* in that order */
    uint64_t moved; /* how often any was */
};

static void move(evutil_socket_t fd, short events, void *arg)
{
    const struct timeval no_time = {0};
    struct idle *idle = arg;
    (void)fd;
    (void)events;
    for (int i = 0; i < MOVES_PER_TURN; i++, idle->moved++) {
        struct timeval timeout = {.tv_sec = IDLE_TIMEOUT_S + idle->moved / 1000000,
                                  .tv_usec = idle->moved % 1000000};
        event_add(&idle->timer[idle->order[idle->at]], &timeout);
        if (++idle->at == idle->timers)
            idle->at = 0;
    }
    if (left <= MOVES_PER_TURN) {
        event_base_loopbreak(base);
        return;
    }
    left -= MOVES_PER_TURN;
    event_add(&idle->event, &no_time);
}

static void later(uint64_t count, uint64_t moves)
{
    const struct timeval no_time = {0};
    const struct timeval timeout = {.tv_sec = IDLE_TIMEOUT_S};
    struct idle idle = {.timer = loop_array(count, sizeof *idle.timer),
                        .order = loop_order(count),
                        .timers = count};
    make_base();
    left = moves;
    for (uint64_t i = 0; i < count; i++) {
        event_assign(&idle.timer[i], base, -1, 0, fired, NULL);
        event_add(&idle.timer[i], &timeout);
    }
    event_assign(&idle.event, base, -1, 0, move, &idle);
    event_add(&idle.event, &no_time);
    run();
    free(idle.order);
    free(idle.timer);
}

/* --- Loops ------------------------------------------------------------------------------------ */

static void loops(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        make_base();
        event_base_free(base);
    }
}

int main(int argc, char **argv)
{
    const struct loop_contender contender = {soon, timers, later, loops};
    return loop_main(argc, argv, &contender);
}
