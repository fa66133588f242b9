/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agenda: everything that will happen in a world, in order of time, and at one instant in the
 * order in which it was added.
 *
 * An event is embedded in the object that it happens to. It takes a place in the agenda when it is
 * initialised, which can fail, so adding it never does and allocates nothing. What is inside can be
 * replaced: the world uses these functions alone.
 */
#ifndef TL_SIM_AGENDA_H
#define TL_SIM_AGENDA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <twinloop/alloc.h>
#include <twinloop/value.h>

#include "sim/list.h"

struct tl_agenda_event {
    union {
        size_t index;        /* in the heap, of one that is near */
        struct tl_list link; /* in its slot of the wheel, of one that is far */
    };
    uint64_t turn;                               /* among those of one time; 0: not added */
    tl_time time;                                /* until the horizon: it is near, else far */
    void (*fire)(struct tl_agenda_event *event); /* called once its time has come */
};

struct tl_agenda_entry {
    tl_time time;
    uint64_t turn;
    struct tl_agenda_event *event;
};

struct tl_agenda_wheel;

struct tl_agenda {
    const tl_allocator *allocator;
    struct tl_agenda_entry *entries; /* a 4-ary heap of those that are near */
    struct tl_agenda_wheel *wheel;   /* of those that are far; NULL in a small agenda */
    size_t near;                     /* how many: 0 only in an empty agenda */
    size_t count;                    /* near and far */
    size_t near_max;                 /* more, and the horizon may be moved closer */
    size_t capacity;
    size_t reserved; /* events that are initialised */
    uint64_t turn;   /* the last event's */
    tl_time horizon;
};

void tl_agenda_init(struct tl_agenda *agenda, const tl_allocator *allocator);
void tl_agenda_finish(struct tl_agenda *agenda);

/* Takes a place for one event more, whichever that will be, and gives one back. 0 or -ENOMEM. */
int tl_agenda_reserve(struct tl_agenda *agenda);
void tl_agenda_unreserve(struct tl_agenda *agenda);

/* Makes an event that may be added as long as there is a reserved place for it. */
void tl_agenda_event_prepare(struct tl_agenda_event *event,
                             void (*fire)(struct tl_agenda_event *event));

/* Takes a place for an event and prepares it. 0 or -ENOMEM, and then the event is as if zeroed. */
int tl_agenda_event_init(struct tl_agenda *agenda, struct tl_agenda_event *event,
                         void (*fire)(struct tl_agenda_event *event));

/* Cancels an initialised event and gives its place back; a no-op for a zeroed one. */
void tl_agenda_event_finish(struct tl_agenda *agenda, struct tl_agenda_event *event);

/* Has the event fire at time, which is not negative, after those already there; one that is added
 * already moves. */
void tl_agenda_add(struct tl_agenda *agenda, struct tl_agenda_event *event, tl_time time);

/* A no-op for an event that is not added. */
void tl_agenda_cancel(struct tl_agenda *agenda, struct tl_agenda_event *event);

static inline bool tl_agenda_added(const struct tl_agenda_event *event)
{
    return event->turn != 0;
}

/* The time of the first event; TL_TIME_NEVER when there is none. */
static inline tl_time tl_agenda_next(const struct tl_agenda *agenda)
{
    return agenda->count > 0 ? agenda->entries[0].time : TL_TIME_NEVER;
}

/* The first event; NULL when there is none. */
static inline const struct tl_agenda_event *tl_agenda_first(const struct tl_agenda *agenda)
{
    return agenda->count > 0 ? agenda->entries[0].event : NULL;
}

/* Takes out the first event, of which there must be one. */
struct tl_agenda_event *tl_agenda_pop(struct tl_agenda *agenda);

#endif
