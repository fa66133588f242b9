/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From how a process ended to how its run went.
 *
 * A verdict collects what a run's process told before it ended (tell.h), and decides the outcome: a
 * process that ended before it told a result has crashed, and so has one that ended badly after it.
 */
#ifndef TL_EXPLORE_VERDICT_H
#define TL_EXPLORE_VERDICT_H

#include "explore/configuration.h"
#include "explore/jobs.h"
#include "explore/outcome.h"
#include "explore/sites.h"

/* Zero is empty; about 60 KiB. */
struct tl_verdict {
    struct tl_run_result result;
    struct tl_configuration configuration;
    struct tl_sites sites;
    struct tl_script_entry *choices; /* of tl_alloc: the answers other than 0, if they were told */
    size_t choices_count;
    size_t choices_size;
};

/* Fills *verdict, an empty or a used one, from one item of a pool. time_max is the pool's limit,
 * for the sentence about it. 0 or -ENOMEM. */
int tl_verdict_reach(struct tl_verdict *verdict, const struct tl_job_result *ended,
                     int64_t time_max);

void tl_verdict_finish(struct tl_verdict *verdict);

/* Replaces *result's outcome and report by those of a process that ended like that. */
void tl_result_crashed(struct tl_run_result *result, const struct tl_job_result *ended,
                       int64_t time_max);

#endif
