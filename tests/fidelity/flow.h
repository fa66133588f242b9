/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flows: the bytes that go one way between two places, counted and recognised in each world.
 *
 * A flow's bytes are a stretch of one long pattern, so a reader can tell whether it got the next
 * ones. How much of a flow is in which kernel buffer depends on the sizes of headers and pages, so
 * what is compared depends on how full it is:
 *
 *   - as long as what is under way fits the first window of any receiver, reads are exact;
 *   - more than that makes a flow crowded until it is empty: then a read gives something, exact is
 *     only that bytes come in order and none is lost;
 *   - more than the send buffer makes it flooded too: then a write may take all, some or nothing.
 *
 * Pipes and Unix-domain sockets have no network under them: they are never crowded, and the kernels
 * agree to the byte on what they hold. Unless writes are cut: then their slots and messages are
 * other ones, and they too are flooded by more than surely fits.
 */
#ifndef TL_TESTS_FIDELITY_FLOW_H
#define TL_TESTS_FIDELITY_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ROOM_DEFAULT = 200000, /* what surely fits a send buffer that nobody has set */
    READ_EXACT = 16000,    /* what surely arrives: half of the least window */
};

struct flow {
    size_t written;
    size_t read;
    size_t room; /* what surely fits the send buffer */
    uint32_t key;
    bool network; /* may be crowded */
    bool bounded; /* may be flooded */
    bool crowded;
    bool flooded;
    bool ended;  /* its writer has said that no more comes */
    bool closed; /* its writer reads no more */
};

static inline size_t flow_under_way(const struct flow *flow)
{
    return flow->written - flow->read;
}

/* Whether the worlds may hold different amounts of it. */
static inline bool flow_is_uncertain(const struct flow *flow)
{
    return flow->crowded || flow->flooded;
}

/* The next bytes to be written; at most 200,000 of them. */
const unsigned char *flow_next_written(const struct flow *flow);

/* Whether these are the next ones to be read. */
bool flow_is_next(const struct flow *flow, const unsigned char *bytes, size_t len);

/* Counts what a write took of what was asked. */
void flow_wrote(struct flow *flow, size_t asked, size_t taken);

void flow_did_read(struct flow *flow, size_t len);

#endif
