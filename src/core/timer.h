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

struct tl_timer_near;
struct tl_timer_entry;
union tl_timer_cell;

/* All zero: no timers, and no memory. */
struct tl_timers {
    struct tl_timer_near *near;     /* the first entries, in order; NULL: nothing is allocated */
    struct tl_timer_entry *entries; /* the others */
    union tl_timer_cell *cells;     /* each timer's place; a timer knows its own */
    uint32_t far;                   /* how many others */
    uint32_t late;                  /* entries at the very end, for after this round of expire */
    uint32_t capacity;              /* of entries, and of cells */
    uint32_t live;                  /* timers that run */
    uint32_t dead;                  /* entries whose timer was stopped */
    uint32_t cells_used;            /* from here on no cell was ever used */
    uint32_t cells_free;            /* 1 + the first one that is used no more */
    uint64_t sequence;              /* the next timer's turn among equal deadlines */
    uint64_t random;                /* for choosing pivots; nothing that is seen depends on it */
};

/* Adds a stopped timer, or moves a running one, to when. 0 or -ENOMEM, and then nothing has
 * changed. A move to a later deadline, or to the same, cannot fail. */
int tl_timers_add(struct tl_timers *timers, struct tl_timer *timer, tl_time when);

/* Removes a running timer. Allocates nothing. */
void tl_timers_cancel(struct tl_timers *timers, struct tl_timer *timer);

/* Whether no timer runs: then there is nothing to ask the others for. */
static inline bool tl_timers_empty(const struct tl_timers *timers)
{
    return timers->live == 0;
}

/* No timer is due before that: the earliest deadline, or TL_TIME_NEVER; earlier than that while a
 * timer that was moved later has not come up where it was before. */
tl_time tl_timers_next(struct tl_timers *timers);

/* Removes and returns the first timer whose deadline is at most now, of those that were started
 * before turn; NULL when there is none. To be called, with the same now and turn, until then:
 * timers that are started in between wait for that. */
struct tl_timer *tl_timers_expire(struct tl_timers *timers, tl_time now, uint64_t turn);

/* Removes and returns some running timer; NULL when there is none. */
struct tl_timer *tl_timers_take(struct tl_timers *timers);

/* Forgets every timer and frees the memory. */
void tl_timers_finish(struct tl_timers *timers);

#endif
