/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A loop by itself: libuv. A callback that is to be called soon is an uv_idle handle. See loop.h.
 */
#include "loop.h"

#include <uv.h>

static uv_loop_t loop;
static uint64_t left;

static void idle_again(uv_idle_t *idle)
{
    (void)idle;
    if (--left == 0)
        uv_stop(&loop);
}

static void callbacks(const char *name, uint64_t count, int under_way)
{
    static uv_idle_t idles[UNDER_WAY];
    left = count;
    for (int i = 0; i < under_way; i++) {
        uv_idle_init(&loop, &idles[i]);
        uv_idle_start(&idles[i], idle_again);
    }
    int64_t start = cpu_ns();
    uv_run(&loop, UV_RUN_DEFAULT);
    loop_sample(name, start, (double)count);
    for (int i = 0; i < under_way; i++)
        uv_close((uv_handle_t *)&idles[i], NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
}

static void fired(uv_timer_t *timer)
{
    (void)timer;
    left--;
}

static void timers(void)
{
    uv_timer_t *timer = loop_memory(sizeof *timer);
    left = TIMERS / 2;
    int64_t start = cpu_ns();
    uv_update_time(&loop);
    for (int i = 0; i < TIMERS; i++) {
        uv_timer_init(&loop, &timer[i]);
        uv_timer_start(&timer[i], fired, loop_deadline_us() / 1000, 0);
    }
    for (int i = 0; i < TIMERS; i += 2)
        uv_timer_stop(&timer[i]);
    loop_await_deadlines();
    uv_run(&loop, UV_RUN_DEFAULT);
    loop_sample(LOOP_TIMERS, start, TIMERS);
    for (int i = 0; i < TIMERS; i++)
        uv_close((uv_handle_t *)&timer[i], NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    free(timer);
}

static void moved(void)
{
    static uv_timer_t timer[MOVED_TIMERS];
    for (int i = 0; i < MOVED_TIMERS; i++) {
        uv_timer_init(&loop, &timer[i]);
        uv_timer_start(&timer[i], fired, 3600000, 0);
    }
    int64_t start = cpu_ns();
    for (int i = 0; i < MOVES; i++)
        uv_timer_start(&timer[i % MOVED_TIMERS], fired, 3600000 + (uint64_t)i / 1000, 0);
    loop_sample(LOOP_MOVED, start, MOVES);
    for (int i = 0; i < MOVED_TIMERS; i++)
        uv_close((uv_handle_t *)&timer[i], NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
}

static void life(void)
{
    int64_t start = cpu_ns();
    for (int i = 0; i < LIVES; i++) {
        uv_loop_t one;
        check("uv_loop_init", uv_loop_init(&one));
        check("uv_loop_close", uv_loop_close(&one));
    }
    loop_sample(LOOP_LIFE, start, LIVES);
}

int main(void)
{
    check("uv_loop_init", uv_loop_init(&loop));
    callbacks(LOOP_CALLBACKS_MANY, CALLBACKS_MANY, UNDER_WAY);
    callbacks(LOOP_CALLBACKS_ONE, CALLBACKS_ONE, 1);
    timers();
    moved();
    uv_loop_close(&loop);
    life();
    return 0;
}
