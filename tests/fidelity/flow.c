/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pattern and the counts of flow.h.
 */
#include "tests/fidelity/flow.h"

#include <string.h>

#include "tests/fidelity/program.h"

enum { PERIOD = 4093 }; /* a prime: no buffer's size is a multiple */

static unsigned char pattern[PERIOD + SIZE_MAX_BYTES];

static const unsigned char *pattern_at(const struct flow *flow, size_t position)
{
    if (pattern[1] == 0) {
        uint32_t state = 1;
        for (size_t i = 0; i < PERIOD; i++) {
            state = state * 1664525 + 1013904223;
            pattern[i] = (unsigned char)(state >> 24 | 1);
        }
        for (size_t i = PERIOD; i < sizeof pattern; i++)
            pattern[i] = pattern[i - PERIOD];
    }
    return pattern + (position + (size_t)flow->key * 97) % PERIOD;
}

const unsigned char *flow_next_written(const struct flow *flow)
{
    return pattern_at(flow, flow->written);
}

bool flow_is_next(const struct flow *flow, const unsigned char *bytes, size_t len)
{
    return len <= flow_under_way(flow) && memcmp(pattern_at(flow, flow->read), bytes, len) == 0;
}

void flow_wrote(struct flow *flow, size_t asked, size_t taken)
{
    size_t before = flow_under_way(flow);
    flow->written += taken;
    if (flow->network && flow_under_way(flow) > READ_EXACT)
        flow->crowded = true;
    if (flow->bounded && before + asked > flow->room)
        flow->flooded = true;
}

void flow_did_read(struct flow *flow, size_t len)
{
    flow->read += len;
    if (flow_under_way(flow) == 0)
        flow->crowded = flow->flooded = false;
}
