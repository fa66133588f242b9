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
 * timer's own; that is noticed when the entry surfaces, and only then does it get its new place. So
 * an idle timeout that is pushed on with every message costs a store. One that is moved forward
 * gets a new entry. TL_TIME_NEVER has none.
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
    CAPACITY_KEPT = 4096, /* memory for more is given back when no timer runs */
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

/* There is room. */
static uint32_t take_ticket(struct tl_timers *timers, struct tl_timer *timer)
{
    uint32_t ticket = timers->tickets_count;
    if (timers->free_ticket != 0) {
        ticket = timers->free_ticket - 1;
        timers->free_ticket = (uint32_t)(timers->tickets[ticket].next_free >> 1);
    } else {
        timers->tickets_count++;
    }
    timers->tickets[ticket].timer = timer;
    return ticket;
}

/* No entry has it any more. */
static void free_ticket(struct tl_timers *timers, uint32_t ticket)
{
    timers->tickets[ticket].next_free = (uintptr_t)timers->free_ticket << 1 | 1;
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
    if (timers->tickets[entry->ticket].timer != NULL)
        return true;
    bury(timers, entry->ticket);
    return false;
}

static void take(void *arg, const struct tl_timer_entry *entry)
{
    struct tl_timers *timers = arg;
    /* It will be looked at when it surfaces, which is soon. */
    __builtin_prefetch(&timers->tickets[entry->ticket].timer->sequence);
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
    tl_free(timers->tickets);
    *timers = (struct tl_timers){.sequence = timers->sequence};
}

/* No timer runs, so no entry is worth anything. */
static void reset(struct tl_timers *timers)
{
    if (timers->capacity > CAPACITY_KEPT) {
        tl_timers_finish(timers);
        return;
    }
    tl_far_timers_clear(&timers->far);
    timers->near_count = 0;
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
    timers->tickets[ticket].timer = NULL;
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

/* The entry at the top was earlier than its timer's deadline. */
static void move_top(struct tl_timers *timers, struct tl_timer *timer)
{
    pop_near(timers);
    enter(timers, timer);
}

/* The timer that is next, whose entry is at the top of the heap then; NULL when there is none. */
static struct tl_timer *settle_top(struct tl_timers *timers)
{
    for (;;) {
        if (timers->near_count == 0) {
            if (timers->far.count == 0)
                return NULL;
            timers->horizon = tl_far_timers_take(&timers->far, keep, take, timers);
            timers->has_horizon = timers->horizon != TL_TIME_NEVER;
            continue;
        }
        const struct tl_timer_entry *top = &timers->near[0];
        struct tl_timer *timer = timers->tickets[top->ticket].timer;
        if (timer == NULL) {
            bury(timers, top->ticket);
            pop_near(timers);
        } else if (timer->sequence != top->sequence) {
            move_top(timers, timer);
        } else {
            return timer;
        }
    }
}

tl_time tl_timers_next(struct tl_timers *timers)
{
    const struct tl_timer *timer = settle_top(timers);
    return timer != NULL ? timer->when : TL_TIME_NEVER;
}

void tl_timers_expire(struct tl_timers *timers, tl_time now, struct tl_ready_queue *queue)
{
    struct tl_timer *timer;
    while ((timer = settle_top(timers)) != NULL && timer->when <= now) {
        free_ticket(timers, timer->slot - 1);
        pop_near(timers);
        timer->slot = 0;
        tl_ready_queue_push(queue, &timer->ready);
        if (--timers->running == 0)
            reset(timers);
    }
}

struct tl_timer *tl_timers_any(struct tl_timers *timers)
{
    for (; timers->tickets_count > 0; timers->tickets_count--) {
        const union tl_timer_ticket *last = &timers->tickets[timers->tickets_count - 1];
        if (last->timer != NULL && (last->next_free & 1) == 0)
            return last->timer;
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
    int r = tl_timers_add(&timer->loop->timers, timer, when);
    if (r < 0)
        return r;
    tl_ready_remove(&timer->ready);
    return 0;
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
