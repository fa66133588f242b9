/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libuv at the tasks of bench/loop.h. What call_soon does is an idle handle here, all of which run
 * in every iteration; LOOP_ASYNC=1 in the environment has uv_async_send instead, its only way to
 * have one callback run once.
 */
#include "loop.h"

#include <uv.h>

static uv_loop_t loop;
static uint64_t left;

static void make_loop(void)
{
    check("uv_loop_init", uv_loop_init(&loop));
}

static void close_one(uv_handle_t *handle, void *arg)
{
    (void)arg;
    uv_close(handle, NULL);
}

static void free_loop(void)
{
    uv_walk(&loop, close_one, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    check("uv_loop_close", uv_loop_close(&loop));
}

/* --- call_soon -------------------------------------------------------------------------------- */

static void idle_again(uv_idle_t *handle)
{
    if (left == 0)
        uv_stop(handle->loop);
    else
        left--;
}

static void async_again(uv_async_t *handle)
{
    if (left == 0) {
        uv_stop(handle->loop);
        return;
    }
    left--;
    uv_async_send(handle);
}

static void soon(uint64_t in_flight, uint64_t count)
{
    static uv_idle_t idle[IN_FLIGHT_MAX];
    static uv_async_t async[IN_FLIGHT_MAX];
    make_loop();
    left = count;
    for (uint64_t i = 0; i < in_flight; i++) {
        if (getenv("LOOP_ASYNC") != NULL) {
            check("uv_async_init", uv_async_init(&loop, &async[i], async_again));
            uv_async_send(&async[i]);
        } else {
            uv_idle_init(&loop, &idle[i]);
            uv_idle_start(&idle[i], idle_again);
        }
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    free_loop();
}

/* --- Timers ----------------------------------------------------------------------------------- */

static void fired(uv_timer_t *timer)
{
    if (--left == 0)
        uv_stop(timer->loop);
}

static void timers(uint64_t count)
{
    uv_timer_t *timer = loop_array(count, sizeof *timer);
    struct loop_parts parts = {.count = count};
    make_loop();
    left = count;
    parts.start = cpu_ns();
    for (uint64_t i = 0; i < count; i++) {
        uv_timer_init(&loop, &timer[i]);
        uv_timer_start(&timer[i], fired, loop_deadline_us() / 1000, 0);
    }
    parts.started = cpu_ns();
    for (uint64_t i = 0; i < count; i++)
        if (loop_random(2) == 0) {
            uv_timer_stop(&timer[i]);
            left--;
        }
    parts.cancelled = cpu_ns();
    loop_let_pass();
    uv_run(&loop, UV_RUN_DEFAULT);
    loop_timers_done(&parts);
    free_loop();
    free(timer);
}

struct idle {
    uv_idle_t idle;
    uv_timer_t *timer;
    uint32_t *order;
    uint64_t timers;
    uint64_t at;    /* in that order */
    uint64_t moved; /* how often any was */
};

static void move(uv_idle_t *handle)
{
    struct idle *idle = (struct idle *)handle;
    for (int i = 0; i < MOVES_PER_TURN; i++, idle->moved++) {
        uv_timer_start(&idle->timer[idle->order[idle->at]], fired,
                       IDLE_TIMEOUT_S * 1000 + idle->moved / 1000, 0);
        if (++idle->at == idle->timers)
            idle->at = 0;
    }
    if (left <= MOVES_PER_TURN)
        uv_stop(handle->loop);
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
        uv_timer_init(&loop, &idle.timer[i]);
        uv_timer_start(&idle.timer[i], fired, IDLE_TIMEOUT_S * 1000, 0);
    }
    uv_idle_init(&loop, &idle.idle);
    uv_idle_start(&idle.idle, move);
    uv_run(&loop, UV_RUN_DEFAULT);
    free_loop();
    free(idle.order);
    free(idle.timer);
}

/* --- Loops ------------------------------------------------------------------------------------ */

static void loops(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        make_loop();
        check("uv_loop_close", uv_loop_close(&loop));
    }
}

int main(int argc, char **argv)
{
    const struct loop_contender contender = {soon, timers, later, loops};
    return loop_main(argc, argv, &contender);
}
