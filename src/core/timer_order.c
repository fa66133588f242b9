/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How timers are kept in order: see timer_order.h. Entries are put in, runs are got out, and the
 * memory for both follows the number of timers up and down.
 */
#include "core/timer_order.h"

#include <errno.h>
#include <string.h>

#include "core/alloc.h"

enum {
    RUN_MAX = TL_TIMER_RUN_MAX,
    RUN_FILL = TL_TIMER_RUN_FILL,
    CHUNKS_MAX = TL_TIMER_CHUNKS_MAX,
    BLOCK = 32, /* entries that are looked at together */
    CAPACITY_MIN = 16,
    AHEAD = 16, /* memory is asked for so many entries before it is needed */
};

static const struct tl_timer_key LEAST = {INT64_MIN, 0};

/* --- Putting entries in ----------------------------------------------------------------------- */

/* Has room for one chunk more. */
static void make_chunk_room(struct tl_timer_near *near)
{
    if (near->chunks < CHUNKS_MAX)
        return;
    near->chunk[0].least = near->chunk[1].least;
    memmove(&near->chunk[1], &near->chunk[2], (CHUNKS_MAX - 2) * sizeof near->chunk[0]);
    near->chunks--;
}

/* Makes the run a chunk. */
static __attribute__((noinline)) void spill(struct tl_timers *timers)
{
    struct tl_timer_near *near = timers->near;
    make_chunk_room(near);
    near->chunk[near->chunks++] = (struct tl_timer_chunk){LEAST, timers->far};
    memcpy(&timers->entries[timers->far], &near->run[near->first],
           near->count * sizeof near->run[0]);
    timers->far += near->count;
    near->count = 0;
}

/* Entries are handed over in pieces, in registers. */
static void put_in_chunk(struct tl_timers *timers, uint32_t index, struct tl_timer_key key,
                         uint32_t cell)
{
    struct tl_timer_near *near = timers->near;
    uint32_t hole = timers->far++;
    for (uint32_t i = near->chunks - 1; i > index; i--) {
        uint32_t start = near->chunk[i].start++;
        timers->entries[hole] = timers->entries[start];
        hole = start;
    }
    timers->entries[hole] = (struct tl_timer_entry){key, cell};
}

/* Puts an entry into the first half of the run, which has room at its start. */
static inline void put_in_front(struct tl_timer_near *near, struct tl_timer_key key, uint32_t cell)
{
    struct tl_timer_entry *run = &near->run[--near->first];
    uint32_t last = near->count++;
    uint32_t i = 0;
    for (; i < last && tl_timer_before(run[i + 1].key, key); i++)
        run[i] = run[i + 1];
    run[i] = (struct tl_timer_entry){key, cell};
}

/* The run has room. Entries move away to the side where there are fewer, so that among timers of
 * which some are due soon and many later, the latter stay. */
static inline void put_in_run(struct tl_timer_near *near, struct tl_timer_key key, uint32_t cell)
{
    struct tl_timer_entry *run = &near->run[near->first];
    if (near->first > 0 && near->count > 0 && tl_timer_before(key, run[near->count / 2].key)) {
        put_in_front(near, key, cell);
        return;
    }
    if (near->first + near->count == RUN_MAX) {
        memmove(near->run, run, near->count * sizeof near->run[0]);
        near->first = 0;
        run = near->run;
    }
    uint32_t i = near->count++;
    for (; i > 0 && tl_timer_before(key, run[i - 1].key); i--)
        run[i] = run[i - 1];
    run[i] = (struct tl_timer_entry){key, cell};
}

/* There is room for one entry more. */
void tl_timer_order_put(struct tl_timers *timers, struct tl_timer_key key, uint32_t cell)
{
    struct tl_timer_near *near = timers->near;
    for (uint32_t i = 0; i < near->chunks; i++) /* the farthest first: that is usual */
        if (!tl_timer_before(key, near->chunk[i].least)) {
            put_in_chunk(timers, i, key, cell);
            return;
        }
    if (near->count == RUN_MAX) {
        spill(timers);
        put_in_chunk(timers, near->chunks - 1, key, cell);
        return;
    }
    put_in_run(near, key, cell);
}

/* --- Taking entries out ----------------------------------------------------------------------- */

static uint32_t draw(struct tl_timers *timers, uint32_t bound)
{
    timers->random = timers->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((timers->random >> 32) * bound >> 32);
}

static struct tl_timer_key middle(struct tl_timer_key a, struct tl_timer_key b,
                                  struct tl_timer_key c)
{
    if (tl_timer_before(b, a)) {
        struct tl_timer_key swap = a;
        a = b;
        b = swap;
    }
    return tl_timer_before(c, a) ? a : tl_timer_before(c, b) ? c : b;
}

/* The median of one key out of each third, so it is neither the least nor the greatest of all. */
static struct tl_timer_key median_of_3(struct tl_timers *timers, uint32_t start, uint32_t third)
{
    const struct tl_timer_entry *entries = &timers->entries[start];
    return middle(entries[draw(timers, third)].key, entries[third + draw(timers, third)].key,
                  entries[2 * third + draw(timers, third)].key);
}

static struct tl_timer_key pivot(struct tl_timers *timers, uint32_t start, uint32_t count)
{
    uint32_t third = count / 3;
    if (count < 8 * RUN_MAX)
        return median_of_3(timers, start, third);
    return middle(median_of_3(timers, start, third / 3),
                  median_of_3(timers, start + third, third / 3),
                  median_of_3(timers, start + 2 * third, third / 3));
}

static inline void swap(struct tl_timer_entry *a, struct tl_timer_entry *b)
{
    struct tl_timer_entry entry = *a;
    *a = *b;
    *b = entry;
}

/* Puts entries with keys below key behind the others; how many the others are. Entries on the wrong
 * side are first listed, a block from each end, and then swapped: so no branch depends on a key. */
static uint32_t partition(struct tl_timer_entry *entries, uint32_t count, struct tl_timer_key key)
{
    uint8_t low[BLOCK], high[BLOCK]; /* distances from the ends */
    uint32_t lows = 0, highs = 0;
    uint32_t start = 0, end = count;
    while (end - start > 2 * BLOCK) {
        if (lows == 0)
            for (uint32_t i = 0; i < BLOCK; i++) {
                low[lows] = (uint8_t)i;
                lows += tl_timer_before(entries[start + i].key, key);
            }
        if (highs == 0)
            for (uint32_t i = 0; i < BLOCK; i++) {
                high[highs] = (uint8_t)i;
                highs += !tl_timer_before(entries[end - 1 - i].key, key);
            }
        while (lows > 0 && highs > 0)
            swap(&entries[start + low[--lows]], &entries[end - 1 - high[--highs]]);
        start += lows == 0 ? BLOCK : 0;
        end -= highs == 0 ? BLOCK : 0;
    }
    for (uint32_t i = start; i < end; i++)
        if (!tl_timer_before(entries[i].key, key))
            swap(&entries[i], &entries[start++]);
    return start;
}

/* Makes two of the nearest chunk, which is not small. */
static void split(struct tl_timers *timers)
{
    struct tl_timer_near *near = timers->near;
    make_chunk_room(near);
    struct tl_timer_chunk *chunk = &near->chunk[near->chunks - 1];
    uint32_t count = timers->far - chunk->start;
    struct tl_timer_key key = pivot(timers, chunk->start, count);
    uint32_t farther = partition(&timers->entries[chunk->start], count, key);
    chunk[1] = (struct tl_timer_chunk){chunk->least, chunk->start + farther};
    chunk->least = key;
    near->chunks++;
}

/* Copies the live ones among count entries to where to points, which may be where they are; how
 * many they are. Half of them may be dead, in no order, so no branch depends on it. */
static uint32_t copy_live(struct tl_timers *timers, struct tl_timer_entry *to,
                          const struct tl_timer_entry *from, uint32_t count)
{
    uint32_t copied = 0;
    uintptr_t free = timers->cells_free;
    for (uint32_t i = 0; i < count; i++) {
        if (i + AHEAD < count)
            __builtin_prefetch(&timers->cells[from[i + AHEAD].cell]);
        struct tl_timer_entry entry = from[i];
        union tl_timer_cell *cell = &timers->cells[entry.cell];
        bool live = cell->timer != NULL;
        cell->next_free = live ? cell->next_free : free;
        free = live ? free : entry.cell + 1;
        to[copied] = entry;
        copied += live;
    }
    timers->cells_free = (uint32_t)free;
    timers->dead -= count - copied;
    return copied;
}

/* Makes the nearest chunk the run, which is empty. The timers themselves are asked for from memory
 * by now: both ends, for they may lie in two cache lines. */
static void sort_nearest(struct tl_timers *timers)
{
    struct tl_timer_near *near = timers->near;
    uint32_t start = near->chunk[--near->chunks].start;
    struct tl_timer_entry *entries = &timers->entries[start];
    uint32_t count = copy_live(timers, entries, entries, timers->far - start);
    tl_timer_sort(near->run, entries, count);
    for (uint32_t i = 0; i < count; i++) {
        struct tl_timer *timer = timers->cells[near->run[i].cell].timer;
        __builtin_prefetch(&timer->callback, 1);
        __builtin_prefetch(&timer->slot, 1);
    }
    near->first = 0;
    near->count = count;
    timers->far = start;
}

/* Drops all dead entries. */
void tl_timer_order_compact(struct tl_timers *timers)
{
    struct tl_timer_near *near = timers->near;
    near->count = copy_live(timers, near->run, &near->run[near->first], near->count);
    near->first = 0;
    uint32_t far = 0;
    for (uint32_t i = 0; i < near->chunks; i++) {
        uint32_t start = near->chunk[i].start;
        uint32_t end = i + 1 < near->chunks ? near->chunk[i + 1].start : timers->far;
        near->chunk[i].start = far;
        far += copy_live(timers, &timers->entries[far], &timers->entries[start], end - start);
    }
    timers->far = far;
}

/* Gets a run together, unless there is nothing. */
void tl_timer_order_refill(struct tl_timers *timers)
{
    struct tl_timer_near *near = timers->near;
    if (timers->dead > timers->far / 4)
        tl_timer_order_compact(timers);
    while (near->count == 0 && near->chunks > 0) {
        if (timers->far - near->chunk[near->chunks - 1].start > RUN_FILL)
            split(timers);
        else
            sort_nearest(timers);
    }
}

/* --- Memory ----------------------------------------------------------------------------------- */

static int resize(struct tl_timers *timers, uint32_t capacity)
{
    void *entries = tl_realloc(timers->entries, capacity * sizeof *timers->entries);
    if (entries == NULL)
        return -ENOMEM;
    timers->entries = entries;
    void *cells = tl_realloc(timers->cells, capacity * sizeof *timers->cells);
    if (cells == NULL)
        return -ENOMEM;
    timers->cells = cells;
    memcpy(&timers->entries[capacity - timers->late],
           &timers->entries[timers->capacity - timers->late],
           timers->late * sizeof timers->entries[0]);
    timers->capacity = capacity;
    return 0;
}

/* Makes room for an entry more, where there is none. */
int tl_timer_order_grow(struct tl_timers *timers)
{
    if (timers->near == NULL) {
        timers->near = tl_alloc(sizeof *timers->near);
        if (timers->near == NULL)
            return -ENOMEM;
        timers->near->count = 0;
        timers->near->first = 0;
        timers->near->chunks = 0;
    }
    if (timers->dead > timers->live) {
        tl_timer_order_compact(timers);
        if (timers->live + timers->dead < timers->capacity)
            return 0;
    }
    if (timers->capacity >= UINT32_MAX / 2)
        return -ENOMEM;
    return resize(timers, timers->capacity != 0 ? 2 * timers->capacity : CAPACITY_MIN);
}

/* Gives every live timer of count entries a new cell. */
static void renumber(struct tl_timers *timers, union tl_timer_cell *cells,
                     struct tl_timer_entry *entries, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct tl_timer *timer = timers->cells[entries[i].cell].timer;
        entries[i].cell = timers->cells_used++;
        cells[entries[i].cell].timer = timer;
        timer->slot = timers->cells_used;
    }
}

/* Gives memory back, of which there was once use for much more. */
void tl_timer_order_shrink(struct tl_timers *timers)
{
    struct tl_timer_near *near = timers->near;
    uint32_t capacity = timers->capacity / 4;
    union tl_timer_cell *cells = tl_alloc(capacity * sizeof *cells);
    if (cells == NULL)
        return;
    tl_timer_order_compact(timers);
    timers->cells_used = 0;
    timers->cells_free = 0;
    renumber(timers, cells, &near->run[near->first], near->count);
    renumber(timers, cells, timers->entries, timers->far);
    tl_free(timers->cells);
    timers->cells = cells;
    timers->capacity = capacity;
    void *entries = tl_realloc(timers->entries, capacity * sizeof *timers->entries);
    if (entries != NULL)
        timers->entries = entries;
}

/* No timer runs any more: every cell and every place is free. */
void tl_timer_order_clear(struct tl_timers *timers)
{
    if (timers->near == NULL)
        return;
    timers->near->count = 0;
    timers->near->first = 0;
    timers->near->chunks = 0;
    timers->far = 0;
    timers->late = 0;
    timers->dead = 0;
    timers->cells_used = 0;
    timers->cells_free = 0;
    if (timers->capacity > TL_TIMER_CAPACITY_KEPT) {
        tl_free(timers->entries);
        tl_free(timers->cells);
        timers->entries = NULL;
        timers->cells = NULL;
        timers->capacity = 0;
    }
}
