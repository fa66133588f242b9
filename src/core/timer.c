/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timers: near deadlines in a heap, far ones in buckets (far_timers.c), and the embeddable timer on
 * top of them.
 *
 * An entry holds the key and a ticket, which leads to the timer. So entries move without touching
 * the timers, which are scattered over memory, and a timer that is stopped only has its name taken
 * out of its ticket: the entry is dead, and is dropped when it surfaces, or when more entries are
 * dead than not (asyncio: cancelled timers are not kept when they are many).
 *
 * A timer that is moved to a later deadline keeps its entry, whose key is then earlier than the
 * timer's own. Its ticket says so, and when the entry surfaces it gets its new place. So an idle
 * timeout that is pushed on with every message costs a store. One that is moved forward gets a new
 * entry. TL_TIME_NEVER has none.
 *
 * What has expired waits in a list of tickets for its turn in the batch, so a timer's memory is
 * fetched once, when it runs, and ahead of time.
 *
 * With few timers all are near. When they become many the heap is poured into the far buckets, and
 * from then on the heap holds what is before the horizon, the end of the bucket that was handed out
 * last. Order is total: no two entries have the same sequence.
 */
#include "core/timer.h"

#include <assert.h>
#include <errno.h>

#include "core/alloc.h"
#include "core/loop.h"

enum {
    ARITY = 4,
    CAPACITY_MIN = 16,
    NEAR_MAX = 512,       /* more than that in the heap, and far ones are told apart */
    DEAD_MAX = 100,       /* asyncio: fewer dead entries are no trouble */
    CAPACITY_KEPT = 4096, /* memory for more is given back when a quarter would have done */
};

/* --- The heap --------------------------------------------------------------------------------- */

static bool entry_before(const struct tl_timer_entry *a, const struct tl_timer_entry *b)
{
    if (a->when != b->when)
        return a->when < b->when;
    return a->sequence < b->sequence;
}

static void sift_up(struct tl_timers *timers, size_t index, struct tl_timer_entry entry)
{
    struct tl_timer_entry *near = timers->near;
    while (index > 0) {
        size_t parent = (index - 1) / ARITY;
        if (!entry_before(&entry, &near[parent]))
            break;
        near[index] = near[parent];
        index = parent;
    }
    near[index] = entry;
}

static void sift_down(struct tl_timers *timers, size_t index, struct tl_timer_entry entry)
{
    struct tl_timer_entry *near = timers->near;
    for (;;) {
        size_t first = index * ARITY + 1;
        if (first >= timers->near_count)
            break;
        size_t end = first + ARITY < timers->near_count ? first + ARITY : timers->near_count;
        size_t least = first;
        for (size_t child = first + 1; child < end; child++)
            if (entry_before(&near[child], &near[least]))
                least = child;
        if (!entry_before(&near[least], &entry))
            break;
        near[index] = near[least];
        index = least;
    }
    near[index] = entry;
}

static void push_near(struct tl_timers *timers, const struct tl_timer_entry *entry)
{
    sift_up(timers, timers->near_count++, *entry);
}

static void pop_near(struct tl_timers *timers)
{
    struct tl_timer_entry last = timers->near[--timers->near_count];
    if (timers->near_count > 0)
        sift_down(timers, 0, last);
}

/* --- Tickets ---------------------------------------------------------------------------------- */

/* What a ticket says: the address of a running timer, with the second bit set when it was moved to
 * a later deadline; 0 when its timer left it; or, with the first bit set, the next free one. */
#define FREE ((uintptr_t)1)
#define MOVED ((uintptr_t)2)

static struct tl_timer *timer_of(uintptr_t ticket)
{
    return (struct tl_timer *)(ticket & ~MOVED);
}

/* There is room. */
static uint32_t take_ticket(struct tl_timers *timers, struct tl_timer *timer)
{
    uint32_t ticket = timers->tickets_count;
    if (timers->free_ticket != 0) {
        ticket = timers->free_ticket - 1;
        timers->free_ticket = (uint32_t)(timers->tickets[ticket] >> 1);
    } else {
        timers->tickets_count++;
    }
    timers->tickets[ticket] = (uintptr_t)timer;
    timer->moved = false;
    return ticket;
}

/* No entry has it any more. */
static void free_ticket(struct tl_timers *timers, uint32_t ticket)
{
    timers->tickets[ticket] = (uintptr_t)timers->free_ticket << 1 | FREE;
    timers->free_ticket = ticket + 1;
}

/* Drops an entry that is dead. */
static void bury(struct tl_timers *timers, uint32_t ticket)
{
    free_ticket(timers, ticket);
    timers->dead--;
}

/* For far_timers.c. */
static bool keep(void *arg, const struct tl_timer_entry *entry)
{
    struct tl_timers *timers = arg;
    if (timers->tickets[entry->ticket] != 0)
        return true;
    bury(timers, entry->ticket);
    return false;
}

static void take(void *arg, const struct tl_timer_entry *entry)
{
    struct tl_timers *timers = arg;
    __builtin_prefetch(&timers->tickets[entry->ticket]); /* it will surface soon */
    push_near(timers, entry);
}

/* --- Memory ----------------------------------------------------------------------------------- */

static int grow(struct tl_timers *timers)
{
    size_t capacity = timers->capacity != 0 ? timers->capacity * 2 : CAPACITY_MIN;
    if (capacity > UINT32_MAX / 2)
        return -ENOMEM;
    void *near = tl_realloc(timers->near, capacity * sizeof *timers->near);
    if (near == NULL)
        return -ENOMEM;
    timers->near = near;
    void *tickets = tl_realloc(timers->tickets, capacity * sizeof *timers->tickets);
    if (tickets == NULL)
        return -ENOMEM;
    timers->tickets = tickets;
    void *due = tl_realloc(timers->due, capacity * sizeof *timers->due);
    if (due == NULL)
        return -ENOMEM;
    timers->due = due;
    if (capacity > NEAR_MAX && tl_far_timers_reserve(&timers->far, capacity) < 0)
        return -ENOMEM;
    timers->capacity = capacity;
    return 0;
}

/* Makes room for an entry and its ticket. */
static int reserve(struct tl_timers *timers)
{
    if (timers->free_ticket != 0 || timers->tickets_count < timers->capacity)
        return 0;
    return grow(timers);
}

void tl_timers_finish(struct tl_timers *timers)
{
    tl_far_timers_finish(&timers->far);
    tl_free(timers->near);
    tl_free(timers->due);
    tl_free(timers->tickets);
    *timers = (struct tl_timers){.sequence = timers->sequence};
}

/* No timer runs, so no entry is worth anything. */
static void reset(struct tl_timers *timers)
{
    if (timers->capacity > CAPACITY_KEPT && timers->tickets_count < timers->capacity / 4) {
        tl_timers_finish(timers);
        return;
    }
    tl_far_timers_clear(&timers->far);
    timers->near_count = 0;
    timers->due_next = 0;
    timers->due_count = 0;
    timers->tickets_count = 0;
    timers->free_ticket = 0;
    timers->dead = 0;
    timers->has_horizon = false;
}

/* --- Entries ---------------------------------------------------------------------------------- */

static void pour_out(struct tl_timers *timers)
{
    for (size_t i = 0; i < timers->near_count; i++)
        tl_far_timers_add(&timers->far, &timers->near[i]);
    timers->near_count = 0;
    timers->has_horizon = true;
    timers->horizon = INT64_MIN;
}

/* There is room. */
static void add_entry(struct tl_timers *timers, const struct tl_timer_entry *entry)
{
    if (timers->has_horizon && entry->when >= timers->horizon) {
        tl_far_timers_add(&timers->far, entry);
        return;
    }
    push_near(timers, entry);
    if (timers->near_count > NEAR_MAX && !timers->has_horizon)
        pour_out(timers);
}

/* Gives a running timer an entry for its deadline, if it has one. */
static void enter(struct tl_timers *timers, struct tl_timer *timer)
{
    timer->surfaces = timer->when;
    if (timer->when == TL_TIME_NEVER)
        return;
    add_entry(timers, &(struct tl_timer_entry){timer->when, timer->sequence, timer->slot - 1});
}

/* The timer's entry, if it has one, is dead. */
static void leave(struct tl_timers *timers, struct tl_timer *timer)
{
    uint32_t ticket = timer->slot - 1;
    if (timer->surfaces == TL_TIME_NEVER) {
        free_ticket(timers, ticket);
        return;
    }
    timers->tickets[ticket] = 0;
    timers->dead++;
}

static void drop_dead(struct tl_timers *timers)
{
    size_t kept = 0;
    for (size_t i = 0; i < timers->near_count; i++)
        if (keep(timers, &timers->near[i]))
            timers->near[kept++] = timers->near[i];
    timers->near_count = 0;
    for (size_t i = 0; i < kept; i++)
        push_near(timers, &(struct tl_timer_entry){timers->near[i].when, timers->near[i].sequence,
                                                   timers->near[i].ticket});
    if (timers->far.count > 0)
        tl_far_timers_filter(&timers->far, keep, timers);
}

int tl_timers_add(struct tl_timers *timers, struct tl_timer *timer, tl_time when)
{
    /* The pattern of an idle timeout: the entry stays where it is. */
    if (timer->slot != 0 && when >= timer->surfaces) {
        timer->when = when;
        timer->sequence = timers->sequence++;
        if (!timer->moved) {
            timer->moved = true;
            timers->tickets[timer->slot - 1] |= MOVED;
        }
        return 0;
    }
    if (timers->dead > DEAD_MAX && timers->dead > timers->running)
        drop_dead(timers);
    int r = reserve(timers);
    if (r < 0)
        return r;
    if (timer->slot != 0)
        leave(timers, timer);
    else
        timers->running++;
    timer->when = when;
    timer->sequence = timers->sequence++;
    timer->slot = take_ticket(timers, timer) + 1;
    enter(timers, timer);
    return 0;
}

void tl_timers_cancel(struct tl_timers *timers, struct tl_timer *timer)
{
    assert(timer->slot != 0 && "only a running timer is cancelled");
    leave(timers, timer);
    timer->slot = 0;
    if (--timers->running == 0)
        reset(timers);
}

/* An entry has surfaced before its timer's deadline. */
static void move(struct tl_timers *timers, uint32_t ticket)
{
    struct tl_timer *timer = timer_of(timers->tickets[ticket]);
    timers->tickets[ticket] = (uintptr_t)timer;
    timer->moved = false;
    enter(timers, timer);
}

/* The entry of the timer that is next, at the top of the heap; NULL when there is none. */
static const struct tl_timer_entry *settle_top(struct tl_timers *timers)
{
    for (;;) {
        if (timers->near_count == 0) {
            if (timers->far.count == 0)
                return NULL;
            timers->horizon = tl_far_timers_take(&timers->far, keep, take, timers);
            timers->has_horizon = timers->horizon != TL_TIME_NEVER;
            continue;
        }
        uint32_t number = timers->near[0].ticket;
        uintptr_t ticket = timers->tickets[number];
        if (ticket != 0 && (ticket & MOVED) == 0)
            return &timers->near[0];
        pop_near(timers);
        if (ticket == 0)
            bury(timers, number);
        else
            move(timers, number);
    }
}

tl_time tl_timers_next(struct tl_timers *timers)
{
    const struct tl_timer_entry *top = settle_top(timers);
    return top != NULL ? top->when : TL_TIME_NEVER;
}

void tl_timers_expire(struct tl_timers *timers, tl_time now)
{
    const struct tl_timer_entry *top;
    while ((top = settle_top(timers)) != NULL && top->when <= now) {
        timers->due[timers->due_count++] = top->ticket;
        pop_near(timers);
    }
}

/* Has the memory fetched that is needed in a while: first the ticket, then the timer. */
static inline void look_ahead(const struct tl_timers *timers)
{
    enum { TICKETS_AHEAD = 32, TIMERS_AHEAD = 16 };
    size_t next = timers->due_next;
    if (next + TICKETS_AHEAD < timers->due_count)
        __builtin_prefetch(&timers->tickets[timers->due[next + TICKETS_AHEAD]]);
    if (next + TIMERS_AHEAD < timers->due_count) {
        /* As an address only: of a dead ticket it is nobody's, which does no harm. */
        uintptr_t timer = timers->tickets[timers->due[next + TIMERS_AHEAD]];
        __builtin_prefetch((const void *)timer);
        __builtin_prefetch((const void *)(timer + offsetof(struct tl_timer, slot)));
    }
}

struct tl_timer *tl_timers_due(struct tl_timers *timers)
{
    while (timers->due_next < timers->due_count) {
        look_ahead(timers);
        uint32_t number = timers->due[timers->due_next++];
        uintptr_t ticket = timers->tickets[number];
        if (ticket == 0) {
            bury(timers, number);
        } else if ((ticket & MOVED) != 0) {
            move(timers, number);
        } else {
            struct tl_timer *timer = timer_of(ticket);
            free_ticket(timers, number);
            timer->slot = 0;
            if (--timers->running == 0)
                reset(timers);
            return timer;
        }
    }
    timers->due_next = 0;
    timers->due_count = 0;
    return NULL;
}

struct tl_timer *tl_timers_any(struct tl_timers *timers)
{
    for (; timers->tickets_count > 0; timers->tickets_count--) {
        uintptr_t last = timers->tickets[timers->tickets_count - 1];
        if (last != 0 && (last & FREE) == 0)
            return timer_of(last);
    }
    return NULL;
}

/* --- The embeddable timer --------------------------------------------------------------------- */

void tl_timer_init(struct tl_timer *timer, tl_loop *loop, tl_callback callback, void *arg)
{
    *timer = (struct tl_timer){.loop = loop};
    tl_ready_init(&timer->ready, callback, arg);
}

int tl_timer_start(struct tl_timer *timer, tl_time when)
{
    if (!tl_loop_open(timer->loop))
        return TL_ECLOSED;
    return tl_timers_add(&timer->loop->timers, timer, when);
}

void tl_timer_stop(struct tl_timer *timer)
{
    if (timer->slot != 0)
        tl_timers_cancel(&timer->loop->timers, timer);
    tl_ready_remove(&timer->ready);
}

bool tl_timer_active(const struct tl_timer *timer)
{
    return timer->slot != 0 || tl_ready_queued(&timer->ready);
}
