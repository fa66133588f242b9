/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The traffic of an end of a connection: all that goes to it. Bytes that its peer has written and
 * could not send yet, what is on its way, what it has not read, and a handshake that is not over.
 *
 * Most ends of most connections are idle, so this is no part of theirs: an end borrows it from its
 * world when something is sent to it, and it is taken back as soon as there is nothing in it. What
 * was taken back last is lent first: a few of them serve many connections, and stay in the cache.
 *
 * Lending never fails, so that a FIN or a reset can always be sent: whoever makes an end reserves a
 * part for it, and a place in the agenda. What is reserved is memory, but memory that nobody has
 * written to before it is lent, so that an operating system need not find it.
 */
#ifndef TL_SIM_TRAFFIC_H
#define TL_SIM_TRAFFIC_H

#include <stdbool.h>
#include <stdint.h>
#include <twinloop/alloc.h>
#include <twinloop/value.h>
#include <twinloop/world.h>
#include "core/poison.h"
#include "sim/agenda.h"
#include "sim/list.h"
#include "sim/segment.h"

struct tl_endpoint;

/* What is sent besides bytes, by the names of TCP. */
enum tl_flag {
    TL_FLAG_ACK, /* the last step of the handshake */
    TL_FLAG_FIN,
    TL_FLAG_RST,
    TL_FLAGS,
};

struct tl_traffic {
    union {
        struct tl_endpoint *endpoint; /* whose it is */
        struct tl_traffic *next;      /* of those to be lent */
    };
    tl_time last_arrival;           /* nothing sent later arrives earlier */
    struct tl_agenda_event arrival; /* of the next; in SYN_SENT, the next of the handshake */

    /* Bytes, in the order of their way. */
    struct tl_segment_queue unsent; /* held back until there is room */
    struct tl_segment_queue flight;
    struct tl_segment_queue unread;

    struct tl_endpoint *listener; /* whose child the end is, until it is accepted */
    uint8_t flags;                /* a bit for each that is on its way */
    uint8_t handshake;            /* enum tl_handshake */
    uint8_t syn_tries;            /* SYNs that got lost */

    /* From here on, nothing that bytes need. */
    tl_time flag_at[TL_FLAGS]; /* when it is there */
    struct tl_list place;      /* in the listener's half_open or queue */
    tl_time syn_at;            /* when connect was called */
};

static inline bool tl_traffic_has(const struct tl_traffic *traffic, enum tl_flag flag)
{
    return (traffic->flags >> flag & 1) != 0;
}

enum { TL_TRAFFIC_SLABS = 26 };

/* All parts of a world. A slab is twice as large as the one before. */
struct tl_traffics {
    struct tl_traffic *slabs[TL_TRAFFIC_SLABS];
    unsigned slabs_count;
    unsigned capacity;       /* parts that the slabs have room for */
    unsigned reserved;       /* ends that may need one: not more than capacity */
    unsigned made;           /* parts that were ever lent: the first ones */
    struct tl_traffic *free; /* those of them that are not lent now */
};

/* Gives all memory back; nobody has a part. A no-op for zeroed parts. */
void tl_traffics_finish(struct tl_traffics *traffics, const tl_allocator *allocator);

/* Sets a part aside for one end more, and a place in the agenda for its arrival. 0 or -ENOMEM. */
int tl_traffic_reserve(tl_world *world);

/* Takes that back from an end, which has no part. */
void tl_traffic_unreserve(tl_world *world);

/* The next part that was never lent; there is one for each end that has reserved one. */
struct tl_traffic *tl_traffic_make(struct tl_traffics *traffics);

/* Lends a part, in which there is nothing. */
static inline struct tl_traffic *tl_traffic_lend(struct tl_traffics *traffics)
{
    struct tl_traffic *traffic = traffics->free;
    if (traffic == NULL)
        return tl_traffic_make(traffics);
    TL_UNPOISON(traffic, sizeof *traffic);
    traffics->free = traffic->next;
    return traffic;
}

/* Takes a part back, in which there is nothing. */
static inline void tl_traffic_take_back(struct tl_traffics *traffics, struct tl_traffic *traffic)
{
    traffic->next = traffics->free;
    traffics->free = traffic;
    TL_POISON(traffic, sizeof *traffic);
}

/* Drops whatever is in an end's part and takes it back; a no-op for an end that has none. */
void tl_traffic_drop(struct tl_endpoint *endpoint);

#endif
