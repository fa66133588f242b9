/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A loop's timers, in the order that timer_order.c keeps; and the embeddable timer on top of them.
 *
 * A timer that is moved to a later deadline stays where it is: its entry's sequence is then not the
 * timer's own, which is noticed when the entry surfaces, and only then it gets its new place. So an
 * idle timeout that is pushed on with every message costs two stores. A timer that is moved to an
 * earlier deadline gets a new entry, and the old one is dead.
 *
 * Timers that are due are taken out one by one, while their callbacks run, so whatever a callback
 * does to another timer takes effect. What callbacks start for a time that has passed must wait for
 * the next round: it is set aside when it surfaces, behind the entries, where there is room for it
 * because it was one of them.
 */
#include "core/timer_order.h"

#include <assert.h>
#include <errno.h>

#include "core/alloc.h"
#include "core/loop.h"

static struct tl_timer_entry pop(struct tl_timer_near *near)
{
    near->count--;
    return near->run[near->first++];
}

/* The first entry whose timer runs; NULL: none but what is set aside. */
static inline struct tl_timer_entry *front(struct tl_timers *timers)
{
    struct tl_timer_near *near = timers->near;
    for (;;) {
        if (near->count == 0) {
            tl_timer_order_refill(timers);
            if (near->count == 0)
                return NULL;
        }
        struct tl_timer_entry *entry = &near->run[near->first];
        if (tl_timer_cell_live(timers, entry->cell))
            return entry;
        (void)pop(near);
    }
}

static inline int reserve(struct tl_timers *timers)
{
    return timers->live + timers->dead < timers->capacity ? 0 : tl_timer_order_grow(timers);
}

/* Keeps what is of no more use within bounds. */
static inline void tidy(struct tl_timers *timers)
{
    if (timers->live == 0)
        tl_timer_order_clear(timers);
    else if (timers->capacity > TL_TIMER_CAPACITY_KEPT && timers->live < timers->capacity / 8)
        tl_timer_order_shrink(timers);
    else if (timers->dead > timers->live + TL_TIMER_DEAD_KEPT)
        tl_timer_order_compact(timers);
}

/* --- The four --------------------------------------------------------------------------------- */

/* Lets go of a timer's entry, wherever that is. */
static inline void kill_entry(struct tl_timers *timers, struct tl_timer *timer)
{
    timers->cells[timer->slot - 1].timer = NULL;
    timers->live--;
    timers->dead++;
}

/* Moves a running timer to a later deadline, or the same; false: that is not what is wanted. */
static inline bool move_later(struct tl_timers *timers, struct tl_timer *timer, tl_time when)
{
    if (timer->slot == 0 || when < timer->when)
        return false;
    timer->when = when;
    timer->sequence = timers->sequence++;
    return true;
}

/* As tl_timers_add, for what is not such a move. */
static __attribute__((noinline)) int add(struct tl_timers *timers, struct tl_timer *timer,
                                         tl_time when)
{
    int r = reserve(timers);
    if (r < 0)
        return r;
    if (timer->slot != 0)
        kill_entry(timers, timer);
    uint32_t cell = tl_timer_cell_take(timers);
    timers->cells[cell].timer = timer;
    timers->live++;
    timer->slot = cell + 1;
    timer->when = when;
    timer->sequence = timers->sequence++;
    tl_timer_order_put(timers, (struct tl_timer_key){when, timer->sequence}, cell);
    return 0;
}

int tl_timers_add(struct tl_timers *timers, struct tl_timer *timer, tl_time when)
{
    return move_later(timers, timer, when) ? 0 : add(timers, timer, when);
}

void tl_timers_cancel(struct tl_timers *timers, struct tl_timer *timer)
{
    assert(timer->slot != 0 && "only a running timer is cancelled");
    kill_entry(timers, timer);
    timer->slot = 0;
    if (timers->live == 0)
        tl_timer_order_clear(timers);
}

tl_time tl_timers_next(struct tl_timers *timers)
{
    return timers->live != 0 ? front(timers)->key.when : TL_TIME_NEVER;
}

static void set_aside(struct tl_timers *timers)
{
    timers->late++;
    timers->entries[timers->capacity - timers->late] = pop(timers->near);
}

static void put_back(struct tl_timers *timers)
{
    while (timers->late > 0) {
        struct tl_timer_entry entry = timers->entries[timers->capacity - timers->late];
        timers->late--;
        tl_timer_order_put(timers, entry.key, entry.cell);
    }
}

/* The first entry with a deadline of at most now and a sequence below turn, for which it is time;
 * NULL: none. Entries before it that are not in their place are put there. */
static inline struct tl_timer_entry *front_due(struct tl_timers *timers, tl_time now, uint64_t turn)
{
    while (timers->live > 0) {
        struct tl_timer_entry *entry = front(timers);
        if (entry == NULL || entry->key.when > now || entry->key.when == TL_TIME_NEVER)
            return NULL;
        const struct tl_timer *timer = timers->cells[entry->cell].timer;
        if (entry->key.sequence >= turn) {
            set_aside(timers);
        } else if (entry->key.sequence != timer->sequence) {
            uint32_t cell = pop(timers->near).cell;
            tl_timer_order_put(timers, (struct tl_timer_key){timer->when, timer->sequence}, cell);
        } else {
            return entry;
        }
    }
    return NULL;
}

struct tl_timer *tl_timers_expire(struct tl_timers *timers, tl_time now, uint64_t turn)
{
    const struct tl_timer_entry *entry = front_due(timers, now, turn);
    if (entry == NULL) {
        put_back(timers);
        tidy(timers);
        return NULL;
    }
    struct tl_timer *timer = timers->cells[entry->cell].timer;
    tl_timer_cell_release(timers, pop(timers->near).cell);
    timers->live--;
    timer->slot = 0;
    return timer;
}

struct tl_timer *tl_timers_take(struct tl_timers *timers)
{
    if (timers->live == 0)
        return NULL;
    struct tl_timer *timer = timers->cells[front(timers)->cell].timer;
    tl_timers_cancel(timers, timer);
    return timer;
}

void tl_timers_finish(struct tl_timers *timers)
{
    while (tl_timers_take(timers) != NULL)
        continue;
    tl_free(timers->near);
    tl_free(timers->entries);
    tl_free(timers->cells);
    *timers = (struct tl_timers){0};
}

/* --- The embeddable timer --------------------------------------------------------------------- */

void tl_timer_init(struct tl_timer *timer, tl_loop *loop, tl_callback callback, void *arg)
{
    *timer = (struct tl_timer){.callback = callback, .arg = arg, .loop = loop};
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
}

bool tl_timer_active(const struct tl_timer *timer)
{
    return timer->slot != 0;
}
