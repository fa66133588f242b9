/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The deadlines of a store's keys; see deadlines.h. Four children per node keep the heap of a
 * million keys ten levels deep.
 */
#include "deadlines.h"

#include "store.h"

#include <errno.h>
#include <stdlib.h>

enum { ARITY = 4, HEAP_MIN = 16 };

void kv_deadlines_finish(struct kv_deadlines *deadlines)
{
    free(deadlines->heap);
    *deadlines = (struct kv_deadlines){0};
}

int kv_deadlines_reserve(struct kv_deadlines *deadlines)
{
    if (deadlines->count < deadlines->capacity)
        return 0;
    size_t capacity = deadlines->capacity > 0 ? deadlines->capacity * 2 : HEAP_MIN;
    struct kv_deadline *heap = realloc(deadlines->heap, capacity * sizeof *heap);
    if (heap == NULL)
        return -ENOMEM;
    deadlines->heap = heap;
    deadlines->capacity = capacity;
    return 0;
}

static void place(struct kv_deadlines *deadlines, size_t index, struct kv_deadline deadline)
{
    deadlines->heap[index] = deadline;
    deadline.entry->place = index + 1;
}

/* Moves what lies above index down until the deadline fits there: where that is. */
static size_t sift_up(struct kv_deadlines *deadlines, size_t index, tl_time when)
{
    while (index > 0 && when < deadlines->heap[(index - 1) / ARITY].when) {
        place(deadlines, index, deadlines->heap[(index - 1) / ARITY]);
        index = (index - 1) / ARITY;
    }
    return index;
}

/* Moves what lies below index up until the deadline fits there: where that is. */
static size_t sift_down(struct kv_deadlines *deadlines, size_t index, tl_time when)
{
    const struct kv_deadline *heap = deadlines->heap;
    for (;;) {
        size_t least = index * ARITY + 1, end = least + ARITY;
        for (size_t child = least + 1; child < end && child < deadlines->count; child++)
            if (heap[child].when < heap[least].when)
                least = child;
        if (least >= deadlines->count || heap[least].when >= when)
            return index;
        place(deadlines, index, heap[least]);
        index = least;
    }
}

void kv_deadlines_put(struct kv_deadlines *deadlines, struct kv_entry *entry, tl_time when)
{
    size_t index = entry->place > 0 ? entry->place - 1 : deadlines->count++;
    index = sift_up(deadlines, index, when);
    index = sift_down(deadlines, index, when);
    place(deadlines, index, (struct kv_deadline){when, entry});
}

void kv_deadlines_remove(struct kv_deadlines *deadlines, struct kv_entry *entry)
{
    if (entry->place == 0)
        return;
    size_t index = entry->place - 1;
    struct kv_deadline last = deadlines->heap[--deadlines->count];
    entry->place = 0;
    if (last.entry == entry)
        return;
    index = sift_up(deadlines, index, last.when);
    index = sift_down(deadlines, index, last.when);
    place(deadlines, index, last);
}
