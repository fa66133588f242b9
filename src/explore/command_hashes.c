/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command hashes: one line per seed, in the order of the seeds, with the two lanes of its event
 * hash. Two builds that print the same lines run the same way.
 */
#include <errno.h>
#include <stdio.h>
#include <twinloop/error.h>
#include "core/alloc.h"
#include "explore/jobs.h"
#include "explore/run_once.h"
#include "explore/runner.h"
#include "explore/verdict.h"

struct listing {
    const struct tl_runner *runner;
    uint64_t next;
    bool exhausted;
    struct tl_verdict *verdict;
    int error;
};

static bool next(void *arg, uint64_t *ret_item)
{
    struct listing *listing = arg;
    if (listing->exhausted)
        return false;
    *ret_item = listing->next;
    listing->exhausted = listing->next++ == listing->runner->options.seeds.last;
    return true;
}

static int work(void *arg, uint64_t item, int fd)
{
    const struct listing *listing = arg;
    struct tl_run_plan plan = {
        .scenario = listing->runner->scenario,
        .options = {.seed = item, .envp = tl_runner_environment(listing->runner->options.debug)},
        .fd = fd,
    };
    tl_run_once(&plan, &listing->verdict->result);
    return 0;
}

static bool done(void *arg, const struct tl_job_result *ended)
{
    struct listing *listing = arg;
    const struct tl_run_result *result = &listing->verdict->result;
    listing->error =
        tl_verdict_reach(listing->verdict, ended, listing->runner->options.seed_time_max);
    if (listing->error < 0)
        return false;
    if (result->complete)
        printf("%llu %016llx %016llx %s\n", (unsigned long long)ended->item,
               (unsigned long long)result->schedule, (unsigned long long)result->content,
               tl_outcome_name(result->outcome));
    else
        printf("%llu - - %s\n", (unsigned long long)ended->item, tl_outcome_name(result->outcome));
    return true;
}

int tl_command_hashes(const struct tl_runner *runner)
{
    static const struct tl_jobs_ops ops = {.next = next, .work = work, .done = done};
    struct listing listing = {.runner = runner, .next = runner->options.seeds.first};
    struct tl_jobs_options options = {
        .jobs = (unsigned)runner->options.jobs,
        .item_time_max = runner->options.seed_time_max,
        .capture = true,
    };
    listing.verdict = tl_calloc(sizeof *listing.verdict);
    int r = listing.verdict == NULL ? -ENOMEM : tl_jobs_run(&options, &ops, &listing);
    if (listing.error != 0)
        r = listing.error;
    if (r < 0 && r != -EINTR)
        fprintf(stderr, "%s: hashes: %s\n", runner->invocation, tl_strerror(r));
    if (listing.verdict != NULL)
        tl_verdict_finish(listing.verdict);
    tl_free(listing.verdict);
    return r == 0 ? 0 : r == -EINTR ? TL_EXIT_INTERRUPTED : TL_EXIT_USAGE;
}
