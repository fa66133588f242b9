/* SPDX-License-Identifier: Apache-2.0 */
/* A loop by itself: Twinloop. See loop.h. */
#include "loop.h"

#include <stdbool.h>
#include <twinloop.h>

static tl_loop *loop;
static uint64_t left;

static void again(void *arg)
{
    tl_handle *handle;
    if (left-- == 0) {
        tl_loop_stop(loop);
        return;
    }
    /* With its handle, as a program that may want to cancel it has it. */
    check("tl_loop_call_soon", tl_loop_call_soon(loop, again, arg, &handle));
    tl_handle_unref(handle);
}

static void callbacks(const char *name, uint64_t count, int under_way)
{
    left = count;
    for (int i = 0; i < under_way; i++)
        check("tl_loop_call_soon", tl_loop_call_soon(loop, again, NULL, NULL));
    int64_t start = cpu_ns();
    check("tl_loop_run_forever", tl_loop_run_forever(loop));
    loop_sample(name, start, (double)count);
    left = 0;
    tl_loop_free(loop);
    check("tl_new_event_loop", tl_new_event_loop(&loop));
}

static void fired(void *arg)
{
    (void)arg;
    if (--left == 0)
        tl_loop_stop(loop);
}

static void timers(void)
{
    struct tl_timer *timer = loop_memory(sizeof *timer);
    left = TIMERS / 2;
    int64_t start = cpu_ns();
    tl_time now = tl_loop_time(loop);
    for (int i = 0; i < TIMERS; i++) {
        tl_timer_init(&timer[i], loop, fired, NULL);
        check("tl_timer_start",
              tl_timer_start(&timer[i], now + loop_deadline_us() * TL_MICROSECOND));
    }
    for (int i = 0; i < TIMERS; i += 2)
        tl_timer_stop(&timer[i]);
    loop_await_deadlines();
    check("tl_loop_run_forever", tl_loop_run_forever(loop));
    loop_sample(LOOP_TIMERS, start, TIMERS);
    free(timer);
}

static void moved(void)
{
    static struct tl_timer timer[MOVED_TIMERS];
    tl_time when = tl_loop_time(loop) + 3600 * TL_SECOND;
    for (int i = 0; i < MOVED_TIMERS; i++) {
        tl_timer_init(&timer[i], loop, fired, NULL);
        check("tl_timer_start", tl_timer_start(&timer[i], when));
    }
    int64_t start = cpu_ns();
    for (int i = 0; i < MOVES; i++)
        (void)tl_timer_start(&timer[i % MOVED_TIMERS], when + i);
    loop_sample(LOOP_MOVED, start, MOVES);
    for (int i = 0; i < MOVED_TIMERS; i++)
        tl_timer_stop(&timer[i]);
}

static void life(void)
{
    int64_t start = cpu_ns();
    for (int i = 0; i < LIVES; i++) {
        tl_loop *one;
        check("tl_new_event_loop", tl_new_event_loop(&one));
        tl_loop_free(one);
    }
    loop_sample(LOOP_LIFE, start, LIVES);
}

int main(void)
{
    check("tl_new_event_loop", tl_new_event_loop(&loop));
    callbacks(LOOP_CALLBACKS_MANY, CALLBACKS_MANY, UNDER_WAY);
    callbacks(LOOP_CALLBACKS_ONE, CALLBACKS_ONE, 1);
    timers();
    moved();
    tl_loop_free(loop);
    life();
    return 0;
}
