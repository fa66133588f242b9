/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Far deadlines: entries that nobody will look at for a while, kept in no order but by buckets of
 * time, each of which is handed out as a whole when its time has come.
 *
 *     handed out |  bucket  |  bucket  | ... |  bucket  |  beyond
 *                ^ start, where the horizon is      ^ end
 *
 * The buckets span what was beyond when the last of them had been handed out, in equal widths. What
 * is added later goes to its bucket, or beyond. Adding is a store at the end of a list of chunks,
 * and an entry is moved twice in its life at most, save when deadlines are spread very unevenly.
 *
 * Only timer.c uses this. Memory is reserved by it beforehand, so nothing else can fail.
 */
#ifndef TL_CORE_FAR_TIMERS_H
#define TL_CORE_FAR_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <twinloop/value.h>

/* A deadline, its turn among equal ones, and whose it is (a ticket that timer.c knows). */
struct tl_timer_entry {
    tl_time when;
    uint64_t sequence;
    uint32_t ticket;
};

enum { TL_FAR_CHUNK = 12, TL_FAR_BUCKETS = 1024 };

/* Some entries of a bucket, member by member, for that takes no padding; the next chunk by number.
 */
struct tl_far_chunk {
    uint32_t next; /* 0: none */
    uint32_t count;
    tl_time when[TL_FAR_CHUNK];
    uint64_t sequence[TL_FAR_CHUNK];
    uint32_t ticket[TL_FAR_CHUNK];
};

struct tl_far_timers {
    struct tl_far_chunk *chunks; /* number 0 is none */
    uint32_t chunks_used;        /* the highest number in use */
    uint32_t free_chunk;         /* of those below; 0: none */
    size_t count;                /* entries in all */

    tl_time start;      /* of the first bucket that has not been handed out */
    tl_time end;        /* of the last bucket */
    tl_time width;      /* of a bucket */
    uint32_t bucket;    /* the first one not handed out; TL_FAR_BUCKETS: none */
    uint32_t *buckets;  /* each one's first chunk */
    uint32_t beyond;    /* likewise, of what is behind the last bucket */
    tl_time beyond_min; /* bounds of the deadlines there */
    tl_time beyond_max;
};

/* Makes room for capacity entries. 0 or -ENOMEM. */
int tl_far_timers_reserve(struct tl_far_timers *far, size_t capacity);

void tl_far_timers_finish(struct tl_far_timers *far);

/* Adds an entry that is not before the horizon, and not TL_TIME_NEVER. */
void tl_far_timers_add(struct tl_far_timers *far, const struct tl_timer_entry *entry);

/* Calls keep(arg, entry) for every entry, and drops those for which it says no. */
void tl_far_timers_filter(struct tl_far_timers *far,
                          bool (*keep)(void *arg, const struct tl_timer_entry *entry), void *arg);

/* Hands out the entries of the earliest time: take(arg, entry) for each, none of which is behind
 * any that stays. Returns the deadline before which nothing is left: the new horizon. There must be
 * entries, and take must not add any here. keep as in filter. */
tl_time tl_far_timers_take(struct tl_far_timers *far,
                           bool (*keep)(void *arg, const struct tl_timer_entry *entry),
                           void (*take)(void *arg, const struct tl_timer_entry *entry), void *arg);

/* Forgets every entry. */
void tl_far_timers_clear(struct tl_far_timers *far);

#endif
