/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timers: a 4-ary heap of {deadline, sequence, timer}, and the embeddable timer on top of it.
 *
 * The heap's entries hold the key, so comparing does not touch the timers. A timer that is moved to
 * a later deadline is left where it is: the entry's key is then earlier than the timer's own
 * deadline, which is noticed when the entry surfaces, and only then is it sifted to its new place.
 * So an idle timeout that is pushed on with every message costs a store. A timer moved to an
 * earlier deadline is sifted at once.
 *
 * Order is total: no two entries have the same sequence.
 */
#include "core/timer.h"

#include <assert.h>
#include <errno.h>

#include "core/alloc.h"
#include "core/loop.h"

enum { ARITY = 4, CAPACITY_MIN = 16 };

static bool entry_before(const struct tl_timer_entry *a, const struct tl_timer_entry *b)
{
    if (a->when != b->when)
        return a->when < b->when;
    return a->sequence < b->sequence;
}

static void place(struct tl_timers *timers, size_t index, struct tl_timer_entry entry)
{
    timers->entries[index] = entry;
    entry.timer->slot = (uint32_t)index + 1;
}

static void sift_up(struct tl_timers *timers, size_t index, struct tl_timer_entry entry)
{
    while (index > 0) {
        size_t parent = (index - 1) / ARITY;
        if (!entry_before(&entry, &timers->entries[parent]))
            break;
        place(timers, index, timers->entries[parent]);
        index = parent;
    }
    place(timers, index, entry);
}

static void sift_down(struct tl_timers *timers, size_t index, struct tl_timer_entry entry)
{
    for (;;) {
        size_t first = index * ARITY + 1;
        if (first >= timers->count)
            break;
        size_t end = first + ARITY < timers->count ? first + ARITY : timers->count;
        size_t least = first;
        for (size_t child = first + 1; child < end; child++)
            if (entry_before(&timers->entries[child], &timers->entries[least]))
                least = child;
        if (!entry_before(&timers->entries[least], &entry))
            break;
        place(timers, index, timers->entries[least]);
        index = least;
    }
    place(timers, index, entry);
}

/* Takes the entry at index out of the heap; its timer is stopped. */
static void remove_at(struct tl_timers *timers, size_t index)
{
    timers->entries[index].timer->slot = 0;
    struct tl_timer_entry last = timers->entries[--timers->count];
    if (index == timers->count)
        return;
    if (index > 0 && entry_before(&last, &timers->entries[(index - 1) / ARITY]))
        sift_up(timers, index, last);
    else
        sift_down(timers, index, last);
}

static int reserve(struct tl_timers *timers)
{
    if (timers->count < timers->capacity)
        return 0;
    size_t capacity = timers->capacity != 0 ? timers->capacity * 2 : CAPACITY_MIN;
    if (capacity > UINT32_MAX - 1)
        return -ENOMEM;
    void *entries = tl_realloc(timers->entries, capacity * sizeof *timers->entries);
    if (entries == NULL)
        return -ENOMEM;
    timers->entries = entries;
    timers->capacity = capacity;
    return 0;
}

int tl_timers_add(struct tl_timers *timers, struct tl_timer *timer, tl_time when)
{
    if (timer->slot == 0) {
        int r = reserve(timers);
        if (r < 0)
            return r;
        timer->when = when;
        timer->sequence = timers->sequence++;
        sift_up(timers, timers->count++, (struct tl_timer_entry){when, timer->sequence, timer});
        return 0;
    }
    struct tl_timer_entry *entry = &timers->entries[timer->slot - 1];
    timer->when = when;
    timer->sequence = timers->sequence++;
    if (when < entry->when)
        sift_up(timers, timer->slot - 1, (struct tl_timer_entry){when, timer->sequence, timer});
    return 0;
}

void tl_timers_cancel(struct tl_timers *timers, struct tl_timer *timer)
{
    assert(timer->slot != 0 && "only a running timer is cancelled");
    remove_at(timers, timer->slot - 1);
}

/* Brings moved timers to their places until the entry at the top stands where its timer belongs. */
static struct tl_timer_entry *settle_top(struct tl_timers *timers)
{
    while (timers->count > 0) {
        struct tl_timer_entry *top = &timers->entries[0];
        struct tl_timer *timer = top->timer;
        if (top->when == timer->when && top->sequence == timer->sequence)
            return top;
        sift_down(timers, 0, (struct tl_timer_entry){timer->when, timer->sequence, timer});
    }
    return NULL;
}

tl_time tl_timers_next(struct tl_timers *timers)
{
    const struct tl_timer_entry *top = settle_top(timers);
    return top != NULL ? top->when : TL_TIME_NEVER;
}

void tl_timers_expire(struct tl_timers *timers, tl_time now, struct tl_ready_queue *queue)
{
    for (;;) {
        struct tl_timer_entry *top = settle_top(timers);
        if (top == NULL || top->when > now || top->when == TL_TIME_NEVER)
            return;
        struct tl_timer *timer = top->timer;
        remove_at(timers, 0);
        tl_ready_queue_push(queue, &timer->ready);
    }
}

void tl_timers_finish(struct tl_timers *timers)
{
    for (size_t i = 0; i < timers->count; i++)
        timers->entries[i].timer->slot = 0;
    tl_free(timers->entries);
    *timers = (struct tl_timers){0};
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
