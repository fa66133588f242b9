/* SPDX-License-Identifier: Apache-2.0 */
/* A loop by itself: libevent, with event_active for callbacks. See loop.h. */
#include "loop.h"

#include <event2/event.h>

static struct event_base *base;
static uint64_t left;

static void again(evutil_socket_t fd, short events, void *arg)
{
    (void)fd;
    (void)events;
    if (left-- == 0)
        event_base_loopbreak(base);
    else
        event_active(*(struct event **)arg, EV_TIMEOUT, 0);
}

static void callbacks(const char *name, uint64_t count, int under_way)
{
    static struct event *events[UNDER_WAY];
    left = count;
    for (int i = 0; i < under_way; i++) {
        events[i] = event_new(base, -1, 0, again, &events[i]);
        event_active(events[i], EV_TIMEOUT, 0);
    }
    int64_t start = cpu_ns();
    event_base_dispatch(base);
    loop_sample(name, start, (double)count);
    for (int i = 0; i < under_way; i++)
        event_free(events[i]);
}

static void fired(evutil_socket_t fd, short events, void *arg)
{
    (void)fd;
    (void)events;
    (void)arg;
    if (--left == 0)
        event_base_loopbreak(base);
}

static struct event *event_at(char *memory, int i)
{
    return (struct event *)(memory + (size_t)i * event_get_struct_event_size());
}

static void timers(void)
{
    char *memory = loop_memory(event_get_struct_event_size());
    left = TIMERS / 2;
    int64_t start = cpu_ns();
    for (int i = 0; i < TIMERS; i++) {
        struct timeval wait = {.tv_usec = loop_deadline_us()};
        event_assign(event_at(memory, i), base, -1, 0, fired, NULL);
        event_add(event_at(memory, i), &wait);
    }
    for (int i = 0; i < TIMERS; i += 2)
        event_del(event_at(memory, i));
    loop_await_deadlines();
    event_base_dispatch(base);
    loop_sample(LOOP_TIMERS, start, TIMERS);
    free(memory);
}

static void moved(void)
{
    char *memory = calloc(MOVED_TIMERS, event_get_struct_event_size());
    struct timeval wait = {.tv_sec = 3600};
    for (int i = 0; i < MOVED_TIMERS; i++) {
        event_assign(event_at(memory, i), base, -1, 0, fired, NULL);
        event_add(event_at(memory, i), &wait);
    }
    int64_t start = cpu_ns();
    for (int i = 0; i < MOVES; i++) {
        wait.tv_usec = i % 1000000;
        event_add(event_at(memory, i % MOVED_TIMERS), &wait);
    }
    loop_sample(LOOP_MOVED, start, MOVES);
    for (int i = 0; i < MOVED_TIMERS; i++)
        event_del(event_at(memory, i));
    free(memory);
}

static void life(void)
{
    int64_t start = cpu_ns();
    for (int i = 0; i < LIVES; i++)
        event_base_free(event_base_new());
    loop_sample(LOOP_LIFE, start, LIVES);
}

int main(void)
{
    base = event_base_new();
    callbacks(LOOP_CALLBACKS_MANY, CALLBACKS_MANY, UNDER_WAY);
    event_base_free(base);
    base = event_base_new();
    timers();
    moved();
    event_base_free(base);
    life();
    return 0;
}
