/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runner's words on the command line: numbers, ranges of seeds, times. Pure functions; each
 * returns 0, or -EINVAL with the output untouched. What was expected is the caller's to say, in the
 * words below.
 */
#ifndef TL_EXPLORE_PARSE_H
#define TL_EXPLORE_PARSE_H

#include <stdint.h>

/* Seeds first to last, both inclusive: "1:1000" is a thousand seeds. */
struct tl_seeds {
    uint64_t first;
    uint64_t last; /* at least first */
};

#define TL_EXPECT_NUMBER "a whole number"
#define TL_EXPECT_SEEDS "A:B with A not above B, such as 1:1000 for a thousand seeds"
#define TL_EXPECT_DURATION "a number and a unit, such as 500ms, 60s, 5m or 2h"

/* Decimal, or hexadecimal after 0x. Nothing before, nothing after. */
int tl_parse_number(const char *text, uint64_t *ret);

/* "A:B", or "A" for that one seed. */
int tl_parse_seeds(const char *text, struct tl_seeds *ret);

/* "500ms", "60s", "5m", "2h"; more than nothing. Nanoseconds. */
int tl_parse_duration(const char *text, int64_t *ret);

/* How many seeds; UINT64_MAX when a uint64_t cannot say. */
uint64_t tl_seeds_count(const struct tl_seeds *seeds);

#endif
