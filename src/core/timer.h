/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A loop's timers behind a few functions: add, cancel, next, expire and due. Whatever order they
 * keep inside, they answer in the order of (deadline, sequence).
 */
#ifndef TL_CORE_TIMER_H
#define TL_CORE_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <twinloop/timer.h>
#include "core/far_timers.h"
#include "core/ready.h"

struct tl_timers {
    struct tl_timer_entry *near; /* a 4-ary heap: deadlines before horizon */
    size_t near_count;
    tl_time horizon;
    bool has_horizon;         /* if not, every deadline is near */
    struct tl_far_timers far; /* deadlines from horizon on, in no order */
    uint32_t *due;            /* the tickets of what expire has found, in order */
    size_t due_next;          /* the first one that has not been given out */
    size_t due_count;
    uintptr_t *tickets;     /* by number: whose each is; see timer.c */
    uint32_t tickets_count; /* that have been in use */
    uint32_t free_ticket;   /* 1 + the first free one below tickets_count; 0: none */
    size_t capacity;        /* of near, far, due and tickets */
    size_t running;         /* timers */
    size_t dead;            /* entries whose timer has been stopped or moved forward */
    uint64_t sequence;      /* the next timer's turn among equal deadlines */
};

/* Adds a stopped timer, or moves a running one, to when. 0 or -ENOMEM. */
int tl_timers_add(struct tl_timers *timers, struct tl_timer *timer, tl_time when);

/* Removes a running timer. */
void tl_timers_cancel(struct tl_timers *timers, struct tl_timer *timer);

/* Whether no timer runs: then there is nothing to ask the others for. */
static inline bool tl_timers_empty(const struct tl_timers *timers)
{
    return timers->running == 0;
}

/* The earliest deadline, or TL_TIME_NEVER. */
tl_time tl_timers_next(struct tl_timers *timers);

/* Finds every timer whose deadline is at most now. They still run, and can be stopped and moved,
 * until due gives them out. */
void tl_timers_expire(struct tl_timers *timers, tl_time now);

/* The next timer of those that expire has found, which is stopped thereby; NULL when there is none
 * left. */
struct tl_timer *tl_timers_due(struct tl_timers *timers);

/* A running timer, whichever; NULL when there is none. For the end: from then on timers may only be
 * cancelled. */
struct tl_timer *tl_timers_any(struct tl_timers *timers);

/* Forgets every timer and frees what they took. */
void tl_timers_finish(struct tl_timers *timers);

#endif
