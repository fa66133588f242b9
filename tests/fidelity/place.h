/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The places of a run: each operation as a call on the kernel, and what is known of each place in
 * the world that it is in.
 */
#ifndef TL_TESTS_FIDELITY_PLACE_H
#define TL_TESTS_FIDELITY_PLACE_H

#include "tests/fidelity/flow.h"
#include "tests/fidelity/run.h"

enum { FLOWS_MAX = 2 * OPS_MAX };

struct place {
    int fd;           /* -1: empty */
    uint8_t sort;     /* enum sort */
    uint8_t watched;  /* TL_READABLE | TL_WRITABLE */
    bool listening;   /* as far as its calls tell */
    bool shares;      /* SO_REUSEPORT */
    bool port_used;   /* there has been a connection to or from where it is bound */
    tl_addr local;    /* where it is or was bound; family TL_FAMILY_NONE: nowhere yet */
    size_t send_room; /* what surely fits: the least that was ever set */
    struct flow *out; /* what it writes */
    struct flow *in;  /* what it reads */
    uint8_t ready;    /* by the last look */
};

/* A connection that nobody has accepted. */
struct waiting {
    tl_addr client;
    tl_addr target;
    struct flow *out; /* of the client */
    struct flow *in;
    bool over;
};

struct run {
    const struct manner *manner;
    struct tl_kernel *kernel;
    struct tl_kernel *clock; /* simulated: lets time pass */
    tl_time settle;
    tl_addr loopback; /* this run's own */
    uint32_t unique;
    bool reading_out; /* the program is over */
    uint32_t op;      /* the index of the operation under way */
    struct place places[PLACES];
    struct flow flows[FLOWS_MAX];
    unsigned flows_count;
    struct waiting waiting[OPS_MAX];
    unsigned waiting_count;
};

/* How much is where, by what the real kernel says. */
struct stillness {
    bool moving; /* bytes that must arrive have not left yet */
    int out[PLACES];
    int in[PLACES];
    uint8_t ready[PLACES];
};

static inline bool sort_is_datagram(uint8_t sort)
{
    return sort == SORT_UDP || sort == SORT_UDP6;
}

/* Does one operation, or skips it. */
void place_do(struct run *run, const struct op *op, struct answer *answer);

void place_read(struct run *run, const struct op *op, struct answer *answer);
void place_write(struct run *run, const struct op *op, struct answer *answer);

/* Whether the operation's bytes are moved; transfer.c. */
struct stillness places_stillness(struct run *run);

/* What poll says of each place, READY_NONE for an empty one. */
void places_look(struct run *run, uint8_t ready[PLACES]);

#endif
