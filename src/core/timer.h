/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A loop's timers behind four functions: add, cancel, next, expire. Whatever order they keep
 * inside, they answer in the order of (deadline, sequence).
 */
#ifndef TL_CORE_TIMER_H
#define TL_CORE_TIMER_H

#include <stddef.h>
#include <stdint.h>
#include <twinloop/timer.h>
#include "core/ready.h"

struct tl_timer_entry {
    tl_time when; /* the key: at most the timer's own deadline */
    uint64_t sequence;
    struct tl_timer *timer;
};

/* A 4-ary heap of entries; a timer knows its slot. */
struct tl_timers {
    struct tl_timer_entry *entries;
    size_t count;
    size_t capacity;
    uint64_t sequence; /* the next timer's turn among equal deadlines */
};

/* Adds a stopped timer, or moves a running one, to when. 0 or -ENOMEM. */
int tl_timers_add(struct tl_timers *timers, struct tl_timer *timer, tl_time when);

/* Removes a running timer. */
void tl_timers_cancel(struct tl_timers *timers, struct tl_timer *timer);

/* Whether no timer runs: then there is nothing to ask the others for. */
static inline bool tl_timers_empty(const struct tl_timers *timers)
{
    return timers->count == 0;
}

/* The earliest deadline, or TL_TIME_NEVER. */
tl_time tl_timers_next(struct tl_timers *timers);

/* Removes every timer whose deadline is at most now and queues it, in order. */
void tl_timers_expire(struct tl_timers *timers, tl_time now, struct tl_ready_queue *queue);

/* Forgets every timer and frees the heap. */
void tl_timers_finish(struct tl_timers *timers);

#endif
