/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the entries that become a run are put in order: each goes to the place that its number, as a
 * share of all that occur, would have among evenly spread ones, and then neighbours are compared.
 * For deadlines that are spread at all this takes the same few steps for every entry, and hardly a
 * branch that the processor cannot foresee. Where they are not, what is left of it is a plain
 * insertion sort, and of few entries at that.
 */
#include "core/timer_order.h"

enum { PLACES_LOG2 = 7, PLACES = 1 << PLACES_LOG2 };

_Static_assert(TL_TIMER_RUN_FILL <= UINT8_MAX, "a count of entries fits into a byte");

/* The numbers are the deadlines or, where those are all the same, the turns. */
struct scale {
    bool turns;
    uint64_t least;
    unsigned shift; /* of the distance from the least, to get a place */
};

static inline uint64_t number(const struct scale *scale, const struct tl_timer_entry *entry)
{
    return scale->turns ? entry->key.sequence : (uint64_t)entry->key.when;
}

/* Finds the least number; how far it is from there to the greatest. */
static uint64_t measure(struct scale *scale, const struct tl_timer_entry *entries, uint32_t count)
{
    int64_t least = INT64_MAX, greatest = INT64_MIN;
    for (uint32_t i = 0; i < count; i++) {
        int64_t n = (int64_t)number(scale, &entries[i]);
        least = n < least ? n : least;
        greatest = n > greatest ? n : greatest;
    }
    scale->least = (uint64_t)least;
    return (uint64_t)greatest - (uint64_t)least;
}

static struct scale scale_of(const struct tl_timer_entry *entries, uint32_t count)
{
    struct scale scale = {.turns = false};
    uint64_t range = measure(&scale, entries, count);
    if (range == 0) {
        scale.turns = true;
        range = measure(&scale, entries, count);
    }
    if (range >= PLACES)
        scale.shift = 64 - PLACES_LOG2 - (unsigned)__builtin_clzll(range);
    return scale;
}

static inline uint32_t place(const struct scale *scale, const struct tl_timer_entry *entry)
{
    return (uint32_t)((number(scale, entry) - scale->least) >> scale->shift);
}

static void insertion_sort(struct tl_timer_entry *entries, uint32_t count)
{
    for (uint32_t n = 1; n < count; n++) {
        struct tl_timer_entry entry = entries[n];
        uint32_t i = n;
        for (; i > 0 && tl_timer_before(entry.key, entries[i - 1].key); i--)
            entries[i] = entries[i - 1];
        if (i < n)
            entries[i] = entry;
    }
}

void tl_timer_sort(struct tl_timer_entry *to, const struct tl_timer_entry *from, uint32_t count)
{
    if (count == 0)
        return;
    struct scale scale = scale_of(from, count);
    uint8_t next[PLACES + 1] = {
        0}; /* of each place: how many come before it, or are there by now */
    for (uint32_t i = 0; i < count; i++)
        next[place(&scale, &from[i]) + 1]++;
    for (uint32_t i = 1; i < PLACES; i++)
        next[i] = (uint8_t)(next[i] + next[i - 1]);
    for (uint32_t i = 0; i < count; i++)
        to[next[place(&scale, &from[i])]++] = from[i];
    insertion_sort(to, count);
}
