/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Twinloop at the tasks of bench/loop.h: call_soon with its handle asked for, embedded timers.
 */
#include "loop.h"

#include <twinloop.h>

static tl_loop *loop;

static void make_loop(void)
{
    check("tl_new_event_loop", tl_new_event_loop(&loop));
}

static void run(void)
{
    check("tl_loop_run_forever", tl_loop_run_forever(loop));
    tl_loop_free(loop);
}

/* --- call_soon -------------------------------------------------------------------------------- */

static uint64_t left;

static void again(void *arg)
{
    tl_handle *handle;
    if (left == 0) {
        tl_loop_stop(loop);
        return;
    }
    left--;
    check("tl_loop_call_soon", tl_loop_call_soon(loop, again, arg, &handle));
    tl_handle_unref(handle);
}

static void soon(uint64_t in_flight, uint64_t count)
{
    make_loop();
    left = count;
    for (uint64_t i = 0; i < in_flight; i++)
        check("tl_loop_call_soon", tl_loop_call_soon(loop, again, NULL, NULL));
    run();
}

/* --- Timers ----------------------------------------------------------------------------------- */

static void fired(void *arg)
{
    (void)arg;
    if (--left == 0)
        tl_loop_stop(loop);
}

static void timers(uint64_t count)
{
    struct tl_timer *timer = loop_array(count, sizeof *timer);
    struct loop_parts parts = {.count = count};
    make_loop();
    tl_time now = tl_loop_time(loop);
    left = count;
    parts.start = cpu_ns();
    for (uint64_t i = 0; i < count; i++) {
        tl_timer_init(&timer[i], loop, fired, NULL);
        check("tl_timer_start",
              tl_timer_start(&timer[i], now + loop_deadline_us() * TL_MICROSECOND));
    }
    parts.started = cpu_ns();
    for (uint64_t i = 0; i < count; i++)
        if (loop_random(2) == 0) {
            tl_timer_stop(&timer[i]);
            left--;
        }
    parts.cancelled = cpu_ns();
    loop_let_pass();
    check("tl_loop_run_forever", tl_loop_run_forever(loop));
    loop_timers_done(&parts);
    tl_loop_free(loop);
    free(timer);
}

struct idle {
    struct tl_timer *timer;
    uint32_t *order;
    uint64_t timers;
    uint64_t at;    /* in that order */
    uint64_t moved; /* how often any was */
};

static void move(void *arg)
{
    struct idle *idle = arg;
    tl_time when = tl_loop_iteration_time(loop) + IDLE_TIMEOUT_S * TL_SECOND;
    for (int i = 0; i < MOVES_PER_TURN; i++, idle->moved++) {
        check("tl_timer_start", tl_timer_start(&idle->timer[idle->order[idle->at]],
                                               when + (tl_time)idle->moved * TL_MICROSECOND));
        if (++idle->at == idle->timers)
            idle->at = 0;
    }
    if (left <= MOVES_PER_TURN) {
        tl_loop_stop(loop);
        return;
    }
    left -= MOVES_PER_TURN;
    check("tl_loop_call_soon", tl_loop_call_soon(loop, move, idle, NULL));
}

static void later(uint64_t count, uint64_t moves)
{
    struct idle idle = {.timer = loop_array(count, sizeof *idle.timer),
                        .order = loop_order(count),
                        .timers = count};
    make_loop();
    left = moves;
    for (uint64_t i = 0; i < count; i++) {
        tl_timer_init(&idle.timer[i], loop, fired, NULL);
        check("tl_timer_start",
              tl_timer_start(&idle.timer[i], tl_loop_time(loop) + IDLE_TIMEOUT_S * TL_SECOND));
    }
    check("tl_loop_call_soon", tl_loop_call_soon(loop, move, &idle, NULL));
    run();
    free(idle.order);
    free(idle.timer);
}

/* --- Loops ------------------------------------------------------------------------------------ */

static void loops(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        make_loop();
        tl_loop_free(loop);
    }
}

int main(int argc, char **argv)
{
    const struct loop_contender contender = {soon, timers, later, loops};
    return loop_main(argc, argv, &contender);
}
