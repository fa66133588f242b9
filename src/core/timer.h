/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A loop's timers behind four functions: add, cancel, next, expire. Whatever order they keep
 * inside, they answer in the order of (deadline, sequence).
 */
#ifndef TL_CORE_TIMER_H
#define TL_CORE_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <twinloop/timer.h>
#include "core/far_timers.h"
#include "core/ready.h"

/* Who has a ticket: a running timer, nobody any more (NULL), or the next free ticket, by the low
 * bit. */
union tl_timer_ticket {
    struct tl_timer *timer;
    uintptr_t next_free;
};

struct tl_timers {
    struct tl_timer_entry *near; /* a 4-ary heap: deadlines before horizon */
    size_t near_count;
    tl_time horizon;
    bool has_horizon;               /* if not, every deadline is near */
    struct tl_far_timers far;       /* deadlines from horizon on, in no order */
    union tl_timer_ticket *tickets; /* by number */
    uint32_t tickets_count;         /* that have been in use, the highest first to be free */
    uint32_t free_ticket;           /* 1 + the first free one below tickets_count; 0: none */
    size_t capacity;                /* of near, of far and of tickets */
    size_t running;                 /* timers */
    size_t dead;                    /* entries whose timer has been stopped or moved forward */
    uint64_t sequence;              /* the next timer's turn among equal deadlines */
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

/* Removes every timer whose deadline is at most now and queues it, in order. */
void tl_timers_expire(struct tl_timers *timers, tl_time now, struct tl_ready_queue *queue);

/* A running timer, whichever; NULL when there is none. For the end: from then on timers may only be
 * cancelled. */
struct tl_timer *tl_timers_any(struct tl_timers *timers);

/* Forgets every timer and frees what they took. */
void tl_timers_finish(struct tl_timers *timers);

#endif
