/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Far deadlines in chunks, and buckets of chunks; see far_timers.h.
 *
 * When the buckets are used up, what is beyond is spread over new ones. A bucket that has got very
 * full gets finer buckets of its own: all the later ones go beyond, which only links their chunks.
 * So the width fits the deadlines whatever their spread, and nothing has to be tuned.
 *
 * A list of chunks has at most one chunk that is not full, except beyond, where each break-up of a
 * full bucket can leave as many as there are buckets. Break-ups can be nested seven deep, for each
 * divides a width by the number of buckets; that bounds the chunks that are needed.
 */
#include "core/far_timers.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "core/alloc.h"

enum {
    FULL = 4096, /* entries of a bucket that had better be divided */
    PARTIAL_CHUNKS = 8 * TL_FAR_BUCKETS,
};

/* --- Memory ----------------------------------------------------------------------------------- */

int tl_far_timers_reserve(struct tl_far_timers *far, size_t capacity)
{
    size_t chunks = capacity / TL_FAR_CHUNK + PARTIAL_CHUNKS + 1;
    if (far->buckets == NULL) {
        far->buckets = tl_calloc(TL_FAR_BUCKETS * sizeof *far->buckets);
        if (far->buckets == NULL)
            return -ENOMEM;
        far->bucket = TL_FAR_BUCKETS;
    }
    void *grown = tl_realloc(far->chunks, chunks * sizeof *far->chunks);
    if (grown == NULL)
        return -ENOMEM;
    far->chunks = grown;
    return 0;
}

void tl_far_timers_finish(struct tl_far_timers *far)
{
    tl_free(far->chunks);
    tl_free(far->buckets);
    *far = (struct tl_far_timers){0};
}

void tl_far_timers_clear(struct tl_far_timers *far)
{
    if (far->chunks_used == 0)
        return;
    memset(far->buckets, 0, TL_FAR_BUCKETS * sizeof *far->buckets);
    far->bucket = TL_FAR_BUCKETS;
    far->chunks_used = 0;
    far->free_chunk = 0;
    far->beyond = 0;
    far->count = 0;
}

/* --- Lists of chunks -------------------------------------------------------------------------- */

static uint32_t new_chunk(struct tl_far_timers *far, uint32_t next)
{
    uint32_t chunk = far->free_chunk;
    if (chunk != 0)
        far->free_chunk = far->chunks[chunk].next;
    else
        chunk = ++far->chunks_used;
    far->chunks[chunk].next = next;
    far->chunks[chunk].count = 0;
    return chunk;
}

static void free_chunk(struct tl_far_timers *far, uint32_t chunk)
{
    far->chunks[chunk].next = far->free_chunk;
    far->free_chunk = chunk;
}

static struct tl_timer_entry get(const struct tl_far_chunk *chunk, uint32_t i)
{
    return (struct tl_timer_entry){chunk->when[i], chunk->sequence[i], chunk->ticket[i]};
}

static void put(struct tl_far_chunk *chunk, uint32_t i, const struct tl_timer_entry *entry)
{
    chunk->when[i] = entry->when;
    chunk->sequence[i] = entry->sequence;
    chunk->ticket[i] = entry->ticket;
}

/* The chunk that is filled comes first. */
static void push(struct tl_far_timers *far, uint32_t *list, const struct tl_timer_entry *entry)
{
    if (*list == 0 || far->chunks[*list].count == TL_FAR_CHUNK)
        *list = new_chunk(far, *list);
    struct tl_far_chunk *chunk = &far->chunks[*list];
    put(chunk, chunk->count++, entry);
    far->count++;
}

static void push_beyond(struct tl_far_timers *far, const struct tl_timer_entry *entry)
{
    if (far->beyond == 0 || entry->when < far->beyond_min)
        far->beyond_min = entry->when;
    if (far->beyond == 0 || entry->when > far->beyond_max)
        far->beyond_max = entry->when;
    push(far, &far->beyond, entry);
}

/* How far b is behind a; unsigned, so that no difference overflows. */
static uint64_t distance(tl_time a, tl_time b)
{
    return (uint64_t)b - (uint64_t)a;
}

void tl_far_timers_add(struct tl_far_timers *far, const struct tl_timer_entry *entry)
{
    if (far->bucket == TL_FAR_BUCKETS || entry->when >= far->end) {
        push_beyond(far, entry);
        return;
    }
    uint64_t index = distance(far->start, entry->when) / (uint64_t)far->width;
    push(far, &far->buckets[far->bucket + (uint32_t)index], entry);
}

/* --- Dropping what is dead -------------------------------------------------------------------- */

static void filter_list(struct tl_far_timers *far, uint32_t *link,
                        bool (*keep)(void *arg, const struct tl_timer_entry *entry), void *arg)
{
    while (*link != 0) {
        struct tl_far_chunk *chunk = &far->chunks[*link];
        uint32_t kept = 0;
        for (uint32_t i = 0; i < chunk->count; i++) {
            struct tl_timer_entry entry = get(chunk, i);
            if (keep(arg, &entry))
                put(chunk, kept++, &entry);
        }
        far->count -= chunk->count - kept;
        chunk->count = kept;
        if (kept > 0) {
            link = &chunk->next;
            continue;
        }
        uint32_t empty = *link;
        *link = chunk->next;
        free_chunk(far, empty);
    }
}

/* Puts a list's entries into as few chunks as there can be. */
static void pack_list(struct tl_far_timers *far, uint32_t *list)
{
    uint32_t chunk = *list;
    *list = 0;
    while (chunk != 0) {
        struct tl_far_chunk copy = far->chunks[chunk];
        free_chunk(far, chunk);
        far->count -= copy.count;
        for (uint32_t i = 0; i < copy.count; i++) {
            struct tl_timer_entry entry = get(&copy, i);
            push(far, list, &entry);
        }
        chunk = copy.next;
    }
}

void tl_far_timers_filter(struct tl_far_timers *far,
                          bool (*keep)(void *arg, const struct tl_timer_entry *entry), void *arg)
{
    for (uint32_t bucket = far->bucket; bucket < TL_FAR_BUCKETS; bucket++) {
        filter_list(far, &far->buckets[bucket], keep, arg);
        pack_list(far, &far->buckets[bucket]);
    }
    filter_list(far, &far->beyond, keep, arg);
    pack_list(far, &far->beyond);
}

/* --- Handing out ------------------------------------------------------------------------------ */

/* Spreads a list over all buckets, which are empty, from start to end. */
static void spread(struct tl_far_timers *far, uint32_t list, tl_time start, tl_time end,
                   bool (*keep)(void *arg, const struct tl_timer_entry *entry), void *arg)
{
    far->start = start;
    far->end = end;
    far->width = (tl_time)(distance(start, end) / TL_FAR_BUCKETS + 1);
    far->bucket = 0;
    while (list != 0) {
        struct tl_far_chunk copy = far->chunks[list];
        free_chunk(far, list);
        far->count -= copy.count;
        for (uint32_t i = 0; i < copy.count; i++) {
            struct tl_timer_entry entry = get(&copy, i);
            if (keep(arg, &entry))
                tl_far_timers_add(far, &entry);
        }
        list = copy.next;
    }
}

static void spread_beyond(struct tl_far_timers *far,
                          bool (*keep)(void *arg, const struct tl_timer_entry *entry), void *arg)
{
    uint32_t list = far->beyond;
    far->beyond = 0;
    spread(far, list, far->beyond_min, far->beyond_max + 1, keep, arg);
}

static bool is_full(const struct tl_far_timers *far, uint32_t list)
{
    size_t entries = 0;
    for (; list != 0 && entries <= FULL; list = far->chunks[list].next)
        entries += far->chunks[list].count;
    return entries > FULL;
}

/* Links a list before what is beyond, whose bounds are seen to by divide. */
static void link_beyond(struct tl_far_timers *far, uint32_t list)
{
    uint32_t last = list;
    if (list == 0)
        return;
    while (far->chunks[last].next != 0)
        last = far->chunks[last].next;
    far->chunks[last].next = far->beyond;
    far->beyond = list;
}

/* Where the first bucket ends. */
static tl_time bucket_end(const struct tl_far_timers *far)
{
    uint64_t left = distance(far->start, far->end);
    return left <= (uint64_t)far->width ? far->end : far->start + far->width;
}

/* The first bucket is over. */
static void next_bucket(struct tl_far_timers *far)
{
    far->start = bucket_end(far);
    far->bucket = far->start < far->end ? far->bucket + 1 : TL_FAR_BUCKETS;
}

/* Divides the first bucket, which is full, and puts the later ones beyond. */
static void divide(struct tl_far_timers *far,
                   bool (*keep)(void *arg, const struct tl_timer_entry *entry), void *arg)
{
    tl_time end = bucket_end(far);
    uint32_t list = far->buckets[far->bucket];
    if (far->beyond == 0)
        far->beyond_max = end;
    if (far->end - 1 > far->beyond_max)
        far->beyond_max = far->end - 1;
    far->beyond_min = end;
    for (uint32_t bucket = far->bucket; bucket < TL_FAR_BUCKETS; bucket++) {
        if (bucket > far->bucket)
            link_beyond(far, far->buckets[bucket]);
        far->buckets[bucket] = 0;
    }
    spread(far, list, far->start, end, keep, arg);
}

/* Goes on to the first bucket that has something and is not too full. */
static void find_bucket(struct tl_far_timers *far,
                        bool (*keep)(void *arg, const struct tl_timer_entry *entry), void *arg)
{
    while (far->count > 0) {
        if (far->bucket == TL_FAR_BUCKETS) {
            spread_beyond(far, keep, arg);
        } else if (far->buckets[far->bucket] == 0) {
            next_bucket(far);
        } else if (far->width > 1 && is_full(far, far->buckets[far->bucket])) {
            divide(far, keep, arg);
        } else {
            return;
        }
    }
}

tl_time tl_far_timers_take(struct tl_far_timers *far,
                           bool (*keep)(void *arg, const struct tl_timer_entry *entry),
                           void (*take)(void *arg, const struct tl_timer_entry *entry), void *arg)
{
    assert(far->count > 0);
    find_bucket(far, keep, arg);
    if (far->count == 0) { /* all were dropped */
        tl_far_timers_clear(far);
        return TL_TIME_NEVER;
    }
    uint32_t list = far->buckets[far->bucket];
    far->buckets[far->bucket] = 0;
    next_bucket(far);
    while (list != 0) {
        const struct tl_far_chunk *chunk = &far->chunks[list];
        uint32_t next = chunk->next;
        for (uint32_t i = 0; i < chunk->count; i++) {
            struct tl_timer_entry entry = get(chunk, i);
            take(arg, &entry);
        }
        far->count -= chunk->count;
        free_chunk(far, list);
        list = next;
    }
    if (far->count > 0)
        return far->start;
    tl_far_timers_clear(far);
    return TL_TIME_NEVER;
}
