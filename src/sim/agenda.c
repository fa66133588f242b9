/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agenda in two parts, divided by a horizon: events until then are near, in a heap; later ones
 * are far, in a wheel.
 *
 *     now        horizon                                                the end of time
 *      |-- heap --|- 256 slots of 1 us -|- 256 of 262 us -|- 256 of 67 ms -|- ... -|
 *
 * The heap knows the order. It is 4-ary, of small entries apart from the events, so that comparing
 * stays within the array; entries know their events and events their index, so that cancelling
 * costs no search.
 *
 * The wheel only knows roughly when: a slot is a list in any order. Cut a time into digits of
 * eight bits, the last ten bits aside: the level of an event is the highest digit in which it
 * differs from the horizon, its slot there is the value of that digit. So slots of a lower level
 * are all earlier than those of a higher one, and on one level the lower digit is earlier.
 *
 * When nothing is near, the horizon advances into the first slot, whose events are inserted anew:
 * into the heap, or on lower levels. An event moves a few times at most, and the heap remains as
 * small as a cache likes it, however many events are pending.
 *
 * A small agenda needs no wheel: its horizon is the end of time. When more than NEAR_MAX events are
 * near, twice as many as when the horizon last moved, and most of all, the horizon retreats to the
 * first, and everything is inserted anew. That is how the wheel starts; later it helps when the
 * horizon was far ahead of what is added now. At least a quarter of what then moves was added since
 * the last time, so it costs an event a constant.
 *
 * Memory is taken when events are initialised, and kept: the array has a place for each of them, as
 * all may be near; the wheel comes with the first that a small agenda has no place for.
 */
#include "sim/agenda.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "core/alloc.h"

enum {
    CHILDREN = 4,
    CAPACITY_MIN = 32,
    NEAR_MAX = 512,
    GRAIN_BITS = 10, /* no slot is finer */
    DIGIT_BITS = 8,
    DIGITS = 1 << DIGIT_BITS,
    LEVELS = (63 - GRAIN_BITS + DIGIT_BITS - 1) / DIGIT_BITS, /* a time has 63 bits */
    WORD_BITS = 64,
    WORDS = LEVELS * DIGITS / WORD_BITS,
};

struct tl_agenda_wheel {
    uint64_t used[WORDS];                  /* a bit for each slot; those without are not set up */
    struct tl_list slots[LEVELS * DIGITS]; /* by level, then digit */
};

void tl_agenda_init(struct tl_agenda *agenda, const tl_allocator *allocator)
{
    *agenda =
        (struct tl_agenda){.allocator = allocator, .near_max = NEAR_MAX, .horizon = TL_TIME_NEVER};
}

void tl_agenda_finish(struct tl_agenda *agenda)
{
    tl_allocator_free(agenda->allocator, agenda->wheel);
    tl_allocator_free(agenda->allocator, agenda->entries);
    agenda->wheel = NULL;
    agenda->entries = NULL;
}

static int make_wheel(struct tl_agenda *agenda)
{
    struct tl_agenda_wheel *wheel = tl_allocator_alloc(agenda->allocator, sizeof *wheel);
    if (wheel == NULL)
        return -ENOMEM;
    memset(wheel->used, 0, sizeof wheel->used);
    agenda->wheel = wheel;
    return 0;
}

static int grow(struct tl_agenda *agenda)
{
    size_t capacity = agenda->capacity > 0 ? 2 * agenda->capacity : CAPACITY_MIN;
    struct tl_agenda_entry *entries =
        tl_allocator_realloc(agenda->allocator, agenda->entries, capacity * sizeof *entries);
    if (entries == NULL)
        return -ENOMEM;
    agenda->entries = entries;
    agenda->capacity = capacity;
    return 0;
}

int tl_agenda_reserve(struct tl_agenda *agenda)
{
    if (agenda->reserved == NEAR_MAX && agenda->wheel == NULL && make_wheel(agenda) < 0)
        return -ENOMEM;
    if (agenda->reserved == agenda->capacity && grow(agenda) < 0)
        return -ENOMEM;
    agenda->reserved++;
    return 0;
}

void tl_agenda_unreserve(struct tl_agenda *agenda)
{
    assert(agenda->reserved > 0);
    agenda->reserved--;
}

void tl_agenda_event_prepare(struct tl_agenda_event *event,
                             void (*fire)(struct tl_agenda_event *event))
{
    *event = (struct tl_agenda_event){.fire = fire};
}

int tl_agenda_event_init(struct tl_agenda *agenda, struct tl_agenda_event *event,
                         void (*fire)(struct tl_agenda_event *event))
{
    int r = tl_agenda_reserve(agenda);
    tl_agenda_event_prepare(event, r == 0 ? fire : NULL);
    return r;
}

void tl_agenda_event_finish(struct tl_agenda *agenda, struct tl_agenda_event *event)
{
    if (event->fire == NULL)
        return;
    tl_agenda_cancel(agenda, event);
    event->fire = NULL;
    tl_agenda_unreserve(agenda);
}

/* --- Near: the heap --------------------------------------------------------------------------- */

static bool before(const struct tl_agenda_entry *a, const struct tl_agenda_entry *b)
{
    return a->time != b->time ? a->time < b->time : a->turn < b->turn;
}

static void put(struct tl_agenda *agenda, size_t index, struct tl_agenda_entry entry)
{
    agenda->entries[index] = entry;
    entry.event->index = index;
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
    size_t end = child + CHILDREN < agenda->near ? child + CHILDREN : agenda->near;
    size_t first = child;
    for (child++; child < end; child++)
        if (before(&agenda->entries[child], &agenda->entries[first]))
            first = child;
    return first;
}

/* The same downwards. */
static void sift_down(struct tl_agenda *agenda, size_t index, struct tl_agenda_entry entry)
{
    while (index * CHILDREN + 1 < agenda->near) {
        size_t child = first_child(agenda, index);
        if (!before(&agenda->entries[child], &entry))
            break;
        put(agenda, index, agenda->entries[child]);
        index = child;
    }
    put(agenda, index, entry);
}

static void add_near(struct tl_agenda *agenda, struct tl_agenda_event *event)
{
    assert(agenda->near < agenda->capacity && "each initialised event has a place");
    struct tl_agenda_entry entry = {.time = event->time, .turn = event->turn, .event = event};
    sift_up(agenda, agenda->near++, entry);
}

static void remove_near(struct tl_agenda *agenda, size_t index)
{
    agenda->near--;
    if (index == agenda->near)
        return;
    struct tl_agenda_entry last = agenda->entries[agenda->near];
    if (index > 0 && before(&last, &agenda->entries[(index - 1) / CHILDREN]))
        sift_up(agenda, index, last);
    else
        sift_down(agenda, index, last);
}

/* --- Far: the wheel --------------------------------------------------------------------------- */

static unsigned shift_of(unsigned level)
{
    return GRAIN_BITS + level * DIGIT_BITS;
}

static void add_far(struct tl_agenda *agenda, struct tl_agenda_event *event)
{
    struct tl_agenda_wheel *wheel = agenda->wheel;
    uint64_t time = (uint64_t)event->time;
    unsigned highest = 63 - (unsigned)__builtin_clzll(time ^ (uint64_t)agenda->horizon);
    assert(highest >= GRAIN_BITS && "a horizon ends with a grain");
    unsigned level = (highest - GRAIN_BITS) / DIGIT_BITS;
    size_t slot = level * DIGITS + (time >> shift_of(level)) % DIGITS;
    uint64_t bit = UINT64_C(1) << slot % WORD_BITS;
    if ((wheel->used[slot / WORD_BITS] & bit) == 0) {
        wheel->used[slot / WORD_BITS] |= bit;
        tl_list_init(&wheel->slots[slot]);
    }
    tl_list_push(&wheel->slots[slot], &event->link);
}

/* Moves the events of the first used slot of a word to a list; none, if they were cancelled. */
static size_t take_slot(struct tl_agenda_wheel *wheel, size_t word, struct tl_list *list)
{
    size_t slot = word * WORD_BITS + (size_t)__builtin_ctzll(wheel->used[word]);
    wheel->used[word] &= wheel->used[word] - 1;
    tl_list_move_front(&wheel->slots[slot], list);
    return slot;
}

/* The same with the first slot that has events, of which there must be one. Returns its level. */
static unsigned take_first_slot(struct tl_agenda_wheel *wheel, struct tl_list *list)
{
    size_t word = 0, slot = 0;
    while (tl_list_empty(list)) {
        while (wheel->used[word] == 0)
            word++;
        slot = take_slot(wheel, word, list);
    }
    return (unsigned)(slot / DIGITS);
}

/* --- The horizon ------------------------------------------------------------------------------ */

static void insert(struct tl_agenda *agenda, struct tl_agenda_event *event)
{
    if (event->time <= agenda->horizon)
        add_near(agenda, event);
    else
        add_far(agenda, event);
}

static struct tl_agenda_event *linked(struct tl_list *link)
{
    return tl_listed(link, struct tl_agenda_event, link);
}

/* For a list that is not empty. Events are apart in memory, and the way to each leads through the
 * one before: from both ends, the processor fetches two at a time. */
static void insert_all(struct tl_agenda *agenda, struct tl_list *list)
{
    struct tl_list *front = list->next, *back = list->prev, *first, *last;
    for (;;) {
        first = front;
        front = first->next;
        insert(agenda, linked(first));
        if (first == back)
            return;
        last = back;
        back = last->prev;
        insert(agenda, linked(last));
        if (last == front)
            return;
    }
}

/* The end of the grain that a time is in. */
static tl_time grain_end(tl_time time)
{
    return time | ((1 << GRAIN_BITS) - 1);
}

/* Inserts everything from a list, and sets how many may be near before a retreat. */
static void move_horizon(struct tl_agenda *agenda, tl_time horizon, struct tl_list *list)
{
    agenda->horizon = horizon;
    agenda->near = 0;
    insert_all(agenda, list);
    agenda->near_max = agenda->near > NEAR_MAX / 2 ? 2 * agenda->near : NEAR_MAX;
}

/* After each change: something is near, unless there is nothing. An event that is alone in its slot
 * is the next; else the horizon moves to the beginning of the slot. */
static void advance(struct tl_agenda *agenda)
{
    while (agenda->near == 0 && agenda->count > 0) {
        struct tl_list list;
        tl_list_init(&list);
        unsigned level = take_first_slot(agenda->wheel, &list);
        tl_time time = linked(list.next)->time;
        if (list.next != list.prev)
            time = time >> shift_of(level) << shift_of(level);
        move_horizon(agenda, grain_end(time), &list);
    }
}

/* Brings the horizon back to the first event. */
static void retreat(struct tl_agenda *agenda)
{
    tl_time horizon = grain_end(agenda->entries[0].time);
    if (horizon == agenda->horizon)
        return;
    struct tl_list all;
    tl_list_init(&all);
    for (size_t word = 0; word < WORDS; word++)
        while (agenda->wheel->used[word] != 0)
            take_slot(agenda->wheel, word, &all);
    for (size_t i = 0; i < agenda->near; i++)
        tl_list_push(&all, &agenda->entries[i].event->link);
    move_horizon(agenda, horizon, &all);
}

/* --- Adding and taking out -------------------------------------------------------------------- */

static void take_out(struct tl_agenda *agenda, struct tl_agenda_event *event)
{
    if (event->time <= agenda->horizon)
        remove_near(agenda, event->index);
    else
        tl_list_remove(&event->link);
    event->turn = 0;
    agenda->count--;
}

void tl_agenda_add(struct tl_agenda *agenda, struct tl_agenda_event *event, tl_time time)
{
    assert(event->fire != NULL && "an event is initialised before it is added");
    assert(time >= 0);
    if (tl_agenda_added(event))
        take_out(agenda, event);
    event->time = time;
    event->turn = ++agenda->turn;
    insert(agenda, event);
    agenda->count++;
    if (agenda->near > agenda->near_max && agenda->near > agenda->count / 2)
        retreat(agenda);
    advance(agenda);
}

void tl_agenda_cancel(struct tl_agenda *agenda, struct tl_agenda_event *event)
{
    if (!tl_agenda_added(event))
        return;
    take_out(agenda, event);
    advance(agenda);
}

struct tl_agenda_event *tl_agenda_pop(struct tl_agenda *agenda)
{
    assert(agenda->count > 0);
    struct tl_agenda_event *event = agenda->entries[0].event;
    remove_near(agenda, 0);
    event->turn = 0;
    agenda->count--;
    advance(agenda);
    __builtin_prefetch(agenda->entries[0].event); /* the next to be taken out, likely */
    return event;
}
