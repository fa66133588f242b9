/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agenda as a 4-ary heap of small entries, apart from the events: comparisons stay within the
 * array, and four children share a cache line or two.
 *
 * The array grows when events are initialised and never shrinks; its entries know their events and
 * each event knows its slot, so cancelling costs no search.
 */
#include "sim/agenda.h"

#include <assert.h>
#include <errno.h>

#include "core/alloc.h"

enum { CHILDREN = 4, CAPACITY_MIN = 32 };

void tl_agenda_init(struct tl_agenda *agenda, const tl_allocator *allocator)
{
    *agenda = (struct tl_agenda){.allocator = allocator};
}

void tl_agenda_finish(struct tl_agenda *agenda)
{
    tl_allocator_free(agenda->allocator, agenda->entries);
    agenda->entries = NULL;
}

static int reserve(struct tl_agenda *agenda)
{
    if (agenda->reserved < agenda->capacity)
        return 0;
    size_t capacity = agenda->capacity > 0 ? 2 * agenda->capacity : CAPACITY_MIN;
    struct tl_agenda_entry *entries =
        tl_allocator_realloc(agenda->allocator, agenda->entries, capacity * sizeof *entries);
    if (entries == NULL)
        return -ENOMEM;
    agenda->entries = entries;
    agenda->capacity = capacity;
    return 0;
}

int tl_agenda_event_init(struct tl_agenda *agenda, struct tl_agenda_event *event,
                         void (*fire)(struct tl_agenda_event *event))
{
    *event = (struct tl_agenda_event){0};
    int r = reserve(agenda);
    if (r < 0)
        return r;
    agenda->reserved++;
    event->fire = fire;
    return 0;
}

void tl_agenda_event_finish(struct tl_agenda *agenda, struct tl_agenda_event *event)
{
    if (event->fire == NULL)
        return;
    tl_agenda_cancel(agenda, event);
    event->fire = NULL;
    agenda->reserved--;
}

/* --- The heap --------------------------------------------------------------------------------- */

static bool before(const struct tl_agenda_entry *a, const struct tl_agenda_entry *b)
{
    return a->time != b->time ? a->time < b->time : a->turn < b->turn;
}

static void put(struct tl_agenda *agenda, size_t index, struct tl_agenda_entry entry)
{
    agenda->entries[index] = entry;
    entry.event->slot = index + 1;
}

/* Finds the place for entry from the hole at index upwards. */
static void sift_up(struct tl_agenda *agenda, size_t index, struct tl_agenda_entry entry)
{
    while (index > 0) {
        size_t parent = (index - 1) / CHILDREN;
        if (!before(&entry, &agenda->entries[parent]))
            break;
        put(agenda, index, agenda->entries[parent]);
        index = parent;
    }
    put(agenda, index, entry);
}

static size_t first_child(const struct tl_agenda *agenda, size_t index)
{
    size_t child = index * CHILDREN + 1;
    size_t end = child + CHILDREN < agenda->count ? child + CHILDREN : agenda->count;
    size_t first = child;
    for (child++; child < end; child++)
        if (before(&agenda->entries[child], &agenda->entries[first]))
            first = child;
    return first;
}

/* The same downwards. */
static void sift_down(struct tl_agenda *agenda, size_t index, struct tl_agenda_entry entry)
{
    while (index * CHILDREN + 1 < agenda->count) {
        size_t child = first_child(agenda, index);
        if (!before(&agenda->entries[child], &entry))
            break;
        put(agenda, index, agenda->entries[child]);
        index = child;
    }
    put(agenda, index, entry);
}

void tl_agenda_add(struct tl_agenda *agenda, struct tl_agenda_event *event, tl_time time)
{
    assert(event->fire != NULL && "an event is initialised before it is added");
    tl_agenda_cancel(agenda, event);
    assert(agenda->count < agenda->capacity && "each initialised event has a place");
    struct tl_agenda_entry entry = {.time = time, .turn = agenda->turn++, .event = event};
    sift_up(agenda, agenda->count++, entry);
}

static void remove_at(struct tl_agenda *agenda, size_t index)
{
    agenda->entries[index].event->slot = 0;
    agenda->count--;
    if (index == agenda->count)
        return;
    struct tl_agenda_entry last = agenda->entries[agenda->count];
    if (index > 0 && before(&last, &agenda->entries[(index - 1) / CHILDREN]))
        sift_up(agenda, index, last);
    else
        sift_down(agenda, index, last);
}

void tl_agenda_cancel(struct tl_agenda *agenda, struct tl_agenda_event *event)
{
    if (event->slot != 0)
        remove_at(agenda, event->slot - 1);
}

struct tl_agenda_event *tl_agenda_pop(struct tl_agenda *agenda)
{
    assert(agenda->count > 0);
    struct tl_agenda_event *event = agenda->entries[0].event;
    remove_at(agenda, 0);
    return event;
}
