/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order that a loop's timers are kept in, for timer.c, timer_order.c and timer_sort.c: an array
 * that is sorted from the front, and only as far as it is needed.
 *
 * The first few entries are a run in order. All others are in chunks without order inside, every
 * key of a chunk below those of the next farther one. They lie in one array, the farthest first, as
 * a stack: when the run is used up the nearest chunk is split, again and again, until it is small
 * enough to be sorted in one go (timer_sort.c) and be the next run. So the timers that are due next
 * lie side by side, moving entries is sequential, and a timer that is stopped in time is hardly
 * ever sorted. A new entry that falls into a chunk goes to its end, for which each nearer chunk
 * moves one entry; one that falls into a full run turns this into a chunk. Splitting needs no
 * memory, so nothing but a start can fail. Pivots are random (the median of some), which makes
 * n log n as good as certain.
 *
 * An entry has a key {deadline, sequence}, unlike all others, and the number of a cell, which
 * points at the timer. Moving entries touches no timers; stopping a timer clears its cell. The dead
 * entry goes when it surfaces; when they are many, all go at once.
 */
#ifndef TL_CORE_TIMER_ORDER_H
#define TL_CORE_TIMER_ORDER_H

#include "core/timer.h"

enum {
    TL_TIMER_RUN_MAX = 128,        /* entries of the run */
    TL_TIMER_RUN_FILL = 96,        /* a chunk of so many becomes a run */
    TL_TIMER_CHUNKS_MAX = 32,      /* beyond that the farthest are one */
    TL_TIMER_CAPACITY_KEPT = 1024, /* memory for so many is not worth giving back */
    TL_TIMER_DEAD_KEPT = 64,       /* nor are so many dead entries worth looking for */
};

struct tl_timer_key {
    tl_time when;
    uint64_t sequence;
};

struct tl_timer_entry {
    struct tl_timer_key key;
    uint32_t cell;
};

union tl_timer_cell {
    struct tl_timer *timer; /* NULL: stopped */
    uintptr_t next_free;    /* of an unused cell: 1 + the next one */
};

struct tl_timer_chunk {
    struct tl_timer_key least; /* no key is below it */
    uint32_t start;            /* its first entry; it ends where the next nearer one starts */
};

struct tl_timer_near {
    uint32_t first; /* of the run */
    uint32_t count;
    uint32_t chunks; /* the last one is the nearest */
    struct tl_timer_entry run[TL_TIMER_RUN_MAX];
    struct tl_timer_chunk chunk[TL_TIMER_CHUNKS_MAX];
};

/* The key as one number, with the deadline on top. */
static inline __int128 tl_timer_rank(struct tl_timer_key key)
{
    return (__int128)(((unsigned __int128)(uint64_t)key.when << 64) | key.sequence);
}

/* Without branches: splitting asks this of keys in no order. */
static inline bool tl_timer_before(struct tl_timer_key a, struct tl_timer_key b)
{
    return tl_timer_rank(a) < tl_timer_rank(b);
}

/* Copies count entries, at most TL_TIMER_RUN_FILL, to somewhere else, in order. In timer_sort.c. */
void tl_timer_sort(struct tl_timer_entry *to, const struct tl_timer_entry *from, uint32_t count);

/* Puts an entry, for which there is room, where it belongs. */
void tl_timer_order_put(struct tl_timers *timers, struct tl_timer_key key, uint32_t cell);

/* Gets a run together, unless there is nothing. */
void tl_timer_order_refill(struct tl_timers *timers);

/* Drops all dead entries. */
void tl_timer_order_compact(struct tl_timers *timers);

/* Makes room for an entry more, where there is none. 0 or -ENOMEM. */
int tl_timer_order_grow(struct tl_timers *timers);

/* Gives memory back, of which there was once use for much more. */
void tl_timer_order_shrink(struct tl_timers *timers);

/* No timer runs any more: every cell and every place is free. */
void tl_timer_order_clear(struct tl_timers *timers);

static inline uint32_t tl_timer_cell_take(struct tl_timers *timers)
{
    uint32_t cell = timers->cells_free;
    if (cell == 0)
        return timers->cells_used++;
    timers->cells_free = (uint32_t)timers->cells[cell - 1].next_free;
    return cell - 1;
}

static inline void tl_timer_cell_release(struct tl_timers *timers, uint32_t cell)
{
    timers->cells[cell].next_free = timers->cells_free;
    timers->cells_free = cell + 1;
}

/* For an entry that leaves: whether its timer runs. If not, it is forgotten. */
static inline bool tl_timer_cell_live(struct tl_timers *timers, uint32_t cell)
{
    if (timers->cells[cell].timer != NULL)
        return true;
    tl_timer_cell_release(timers, cell);
    timers->dead--;
    return false;
}

#endif
