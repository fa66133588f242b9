/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command explore: many seeds, each in a process of its own.
 *
 * Seeds are reported in their order, so what is printed does not depend on how many run at a time.
 * A run under a seed stores no choices; a failure is therefore run once more, told what to answer
 * by the same seed and telling each answer as it goes, and that becomes the reproducer file. Only
 * the first failures are shown and kept that way; each later one has its two lines.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <twinloop/error.h>
#include <twinloop/version.h>
#include "core/alloc.h"
#include "explore/jobs.h"
#include "explore/progress.h"
#include "explore/quote.h"
#include "explore/runner.h"
#include "explore/script.h"
#include "explore/single.h"

struct sweep {
    const struct tl_runner *runner;
    uint64_t next;
    bool exhausted;
    bool out_of_time;
    struct tl_progress progress;
    uint64_t outcomes[TL_OUTCOMES_COUNT]; /* seeds by outcome */
    enum tl_outcome worst;                /* of the first seed that failed */
    struct tl_verdict *verdict;           /* of the seed that is looked at */
    struct tl_verdict *again;             /* of its second run */
    int error;
};

static bool next(void *arg, uint64_t *ret_item)
{
    struct sweep *sweep = arg;
    int64_t time_max = sweep->runner->options.time_max;
    if (sweep->exhausted)
        return false;
    if (time_max > 0 && tl_progress_elapsed(&sweep->progress) >= time_max) {
        sweep->out_of_time = true;
        return false;
    }
    *ret_item = sweep->next;
    sweep->exhausted = sweep->next++ == sweep->runner->options.seeds.last;
    return true;
}

static struct tl_run_plan plan_of(const struct sweep *sweep, uint64_t seed)
{
    return (struct tl_run_plan){
        .scenario = sweep->runner->scenario,
        .options = {.seed = seed, .envp = tl_runner_environment(sweep->runner->options.debug)},
    };
}

static int work(void *arg, uint64_t item, int fd)
{
    struct sweep *sweep = arg;
    struct tl_run_plan plan = plan_of(sweep, item);
    plan.fd = fd;
    tl_run_once(&plan, &sweep->verdict->result);
    return 0;
}

/* --- A failure -------------------------------------------------------------------------------- */

/* Runs the seed again, telling everything. A second run that goes otherwise is worth a word. */
static int run_again(struct sweep *sweep, uint64_t seed)
{
    struct tl_single single = {
        .plan = plan_of(sweep, seed),
        .time_max = sweep->runner->options.seed_time_max,
        .capture = true,
    };
    const char *what;
    single.plan.tell_sites = true;
    single.plan.tell_choices = true;
    int r = tl_single_run(&single, sweep->again);
    if (r == 0 && !tl_result_same(&sweep->verdict->result, &sweep->again->result, &what))
        printf("  run again, it went otherwise (%s): see the command twice\n", what);
    return r;
}

static int save_script(const struct sweep *sweep, uint64_t seed, char *path, size_t size)
{
    const struct tl_verdict *again = sweep->again;
    struct tl_script script = {
        .library = TL_VERSION,
        .seed = seed,
        .debug = sweep->runner->options.debug,
        .outcome = again->result.outcome,
        .complete = again->result.complete,
        .events = again->result.events,
        .schedule = again->result.schedule,
        .content = again->result.content,
        .entries = again->choices,
        .count = again->choices_count,
    };
    snprintf(script.scenario, sizeof script.scenario, "%s", sweep->runner->scenario->name);
    tl_result_summary(&again->result, script.summary, sizeof script.summary);
    return tl_script_save(sweep->runner->options.failures, &script, &again->sites, path, size);
}

static int show_failure(struct sweep *sweep, const struct tl_job_result *ended)
{
    const struct tl_runner *runner = sweep->runner;
    const struct tl_run_result *result = &sweep->verdict->result;
    char path[PATH_MAX], time[48];

    tl_print_lines("", tl_result_details(result));
    int r = run_again(sweep, ended->item);
    if (r < 0)
        return r;
    if (sweep->again->configuration.len > 0)
        printf("  parameters: %s\n", sweep->again->configuration.text);
    if (result->complete)
        printf("  after %s of virtual time, %llu events\n",
               tl_format_time(result->time, time, sizeof time), (unsigned long long)result->events);
    if (ended->output_len > 0) {
        printf("  it printed:\n");
        tl_print_lines("  | ", ended->output);
    }
    r = save_script(sweep, ended->item, path, sizeof path);
    if (r == 0)
        tl_print_command("replay", runner->invocation, "replay", path);
    else
        fprintf(stderr, "%s: no file for replay could be written to %s: %s\n", runner->invocation,
                runner->options.failures, tl_strerror(r));
    return r == -ENOMEM ? r : 0;
}

static int report_failure(struct sweep *sweep, const struct tl_job_result *ended)
{
    const struct tl_runner *runner = sweep->runner;
    const struct tl_run_result *result = &sweep->verdict->result;
    char headline[TL_LINE_MAX];
    int r = 0;
    if (sweep->progress.failures++ == 0)
        sweep->worst = result->outcome;
    tl_progress_clear(&sweep->progress);
    printf("FAILED seed %llu: %s\n", (unsigned long long)ended->item,
           tl_result_headline(result, headline, sizeof headline));
    if (sweep->progress.failures <= runner->options.show)
        r = show_failure(sweep, ended);
    printf("reproduce: %s run%s --seed %llu\n", runner->invocation,
           tl_runner_debug_words(runner->options.debug), (unsigned long long)ended->item);
    (void)fflush(stdout);
    return r;
}

static bool done(void *arg, const struct tl_job_result *ended)
{
    struct sweep *sweep = arg;
    const struct tl_runner *runner = sweep->runner;
    int r = tl_verdict_reach(sweep->verdict, ended, runner->options.seed_time_max);
    if (r == 0) {
        enum tl_outcome outcome = sweep->verdict->result.outcome;
        sweep->progress.done++;
        sweep->outcomes[outcome < TL_OUTCOMES_COUNT ? outcome : TL_OUTCOME_FAILED]++;
        if (outcome != TL_OUTCOME_HELD)
            r = report_failure(sweep, ended);
    }
    sweep->error = r;
    return r == 0 && !(runner->options.stop_at_first && sweep->progress.failures > 0);
}

static void tick(void *arg)
{
    struct sweep *sweep = arg;
    tl_progress_tick(&sweep->progress);
}

/* --- The whole -------------------------------------------------------------------------------- */

static void print_summary(struct sweep *sweep, int r)
{
    char duration[32];
    const struct tl_progress *progress = &sweep->progress;
    int64_t elapsed = tl_progress_elapsed(progress);
    tl_format_duration(elapsed, duration, sizeof duration);
    tl_progress_clear(&sweep->progress);
    printf("%llu seeds from %llu:", (unsigned long long)progress->done,
           (unsigned long long)sweep->runner->options.seeds.first);
    for (unsigned i = 0; i < TL_OUTCOMES_COUNT; i++)
        if (i == TL_OUTCOME_HELD || sweep->outcomes[i] > 0)
            printf("%s %llu %s", i == TL_OUTCOME_HELD ? "" : ",",
                   (unsigned long long)sweep->outcomes[i], tl_outcome_name((enum tl_outcome)i));
    printf("; %s, %llu seeds/s%s\n", duration, (unsigned long long)tl_rate(progress->done, elapsed),
           r == -EINTR          ? "; interrupted"
           : r == -ECANCELED    ? "; stopped at the first failure"
           : sweep->out_of_time ? "; out of time"
                                : "");
}

static int explore(struct sweep *sweep)
{
    static const struct tl_jobs_ops ops = {.next = next, .work = work, .done = done, .tick = tick};
    const struct tl_runner *runner = sweep->runner;
    struct tl_jobs_options options = {
        .jobs = (unsigned)runner->options.jobs,
        .item_time_max = runner->options.seed_time_max,
        .capture = true,
    };
    uint64_t total = tl_seeds_count(&runner->options.seeds);
    printf("%s: seeds from %llu", runner->scenario->name,
           (unsigned long long)runner->options.seeds.first);
    if (runner->options.seeds.last != UINT64_MAX)
        printf(" to %llu", (unsigned long long)runner->options.seeds.last);
    printf(", strategy seed%s\n", runner->options.debug ? ", debug" : "");
    (void)fflush(stdout);
    tl_progress_start(&sweep->progress, stderr, total, runner->options.time_max);
    int r = tl_jobs_run(&options, &ops, sweep);
    if (sweep->error != 0)
        r = sweep->error;
    print_summary(sweep, r);
    if (r == -EINTR)
        return sweep->worst != TL_OUTCOME_HELD ? (int)sweep->worst : TL_EXIT_INTERRUPTED;
    if (r < 0 && r != -ECANCELED) {
        fprintf(stderr, "%s: explore: %s\n", runner->invocation, tl_strerror(r));
        return TL_EXIT_USAGE;
    }
    return (int)sweep->worst;
}

int tl_command_explore(const struct tl_runner *runner)
{
    struct sweep sweep = {.runner = runner, .next = runner->options.seeds.first};
    int code = TL_EXIT_USAGE;
    sweep.verdict = tl_calloc(sizeof *sweep.verdict);
    sweep.again = tl_calloc(sizeof *sweep.again);
    if (sweep.verdict != NULL && sweep.again != NULL)
        code = explore(&sweep);
    else
        fprintf(stderr, "%s: explore: out of memory\n", runner->invocation);
    if (sweep.verdict != NULL)
        tl_verdict_finish(sweep.verdict);
    if (sweep.again != NULL)
        tl_verdict_finish(sweep.again);
    tl_free(sweep.verdict);
    tl_free(sweep.again);
    return code;
}
