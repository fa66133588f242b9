/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runner's one look at the real clock: for the progress line, the rate, and how long a seed may
 * take. Nothing that a run does depends on it.
 */
#ifndef TL_EXPLORE_REAL_TIME_H
#define TL_EXPLORE_REAL_TIME_H

#include <stdint.h>

/* Monotonic nanoseconds from anywhere. Never called while a world runs. */
int64_t tl_real_time(void);

#endif
