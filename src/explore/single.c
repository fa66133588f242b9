/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One run that is watched.
 *
 * It is a pool of one item, so that a crash and the time limit are handled in one place. Under a
 * debugger it runs in the process that is debugged.
 */
#include "explore/single.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "explore/jobs.h"

struct job {
    const struct tl_single *single;
    struct tl_verdict *verdict;
    bool started;
    int error;
};

static bool next(void *arg, uint64_t *ret_item)
{
    struct job *job = arg;
    if (job->started)
        return false;
    job->started = true;
    *ret_item = 0;
    return true;
}

static int work(void *arg, uint64_t item, int fd)
{
    struct job *job = arg;
    struct tl_run_plan plan = job->single->plan;
    (void)item;
    plan.fd = fd;
    tl_run_once(&plan, &job->verdict->result);
    /* The choices of an earlier verdict are not this process's to leak. */
    tl_verdict_finish(job->verdict);
    if (!job->verdict->result.clean) { /* what is left is no leak */
        (void)fflush(NULL);
        _exit(0);
    }
    return 0;
}

static bool done(void *arg, const struct tl_job_result *ended)
{
    struct job *job = arg;
    job->error = tl_verdict_reach(job->verdict, ended, job->single->time_max);
    return true;
}

static const struct tl_jobs_ops ops = {.next = next, .work = work, .done = done};

int tl_single_run(const struct tl_single *single, struct tl_verdict *verdict)
{
    struct job job = {.single = single, .verdict = verdict};
    struct tl_jobs_options options = {
        .jobs = 1,
        .item_time_max = single->time_max,
        .capture = single->capture,
        .ordinary_exit = !single->capture,
    };
    if (single->here) {
        struct tl_run_plan plan = single->plan;
        plan.fd = -1;
        tl_run_once(&plan, &verdict->result);
        return 0;
    }
    int r = tl_jobs_run(&options, &ops, &job);
    return r < 0 ? r : job.error;
}

const char *tl_format_time(int64_t time, char *text, size_t size)
{
    snprintf(text, size, "%lld.%09lld s", (long long)(time / TL_SECOND),
             (long long)(time % TL_SECOND));
    return text;
}

void tl_print_configuration(const struct tl_run_plan *plan,
                            const struct tl_configuration *configuration)
{
    printf("%s: seed %llu, strategy %s%s%s%s\n", plan->scenario->name,
           (unsigned long long)plan->options.seed,
           plan->options.strategy == TL_STRATEGY_SCRIPT ? "script" : "seed",
           plan->options.envp != NULL ? ", debug" : "", configuration->len > 0 ? ", " : "",
           configuration->text);
    (void)fflush(stdout);
}

void tl_print_lines(const char *prefix, const char *text)
{
    while (*text != '\0') {
        int len = (int)strcspn(text, "\n");
        printf("%s%.*s\n", prefix, len, text);
        text += len;
        if (*text == '\n')
            text++;
    }
}

void tl_single_print(const struct tl_single *single, const struct tl_verdict *verdict)
{
    const struct tl_run_result *result = &verdict->result;
    unsigned long long seed = (unsigned long long)single->plan.options.seed;
    char time[48], headline[TL_REPORT_MAX];
    if (result->outcome != TL_OUTCOME_HELD) {
        printf("FAILED seed %llu: %s\n", seed,
               tl_result_headline(result, headline, sizeof headline));
        tl_print_lines("", tl_result_details(result));
    }
    if (result->complete)
        printf("%s after %s of virtual time, %llu events\nhashes: schedule %016llx, content "
               "%016llx\n",
               tl_outcome_name(result->outcome), tl_format_time(result->time, time, sizeof time),
               (unsigned long long)result->events, (unsigned long long)result->schedule,
               (unsigned long long)result->content);
}

bool tl_is_traced(void)
{
    char line[256];
    bool traced = false;
    FILE *file = fopen("/proc/self/status", "re");
    if (file == NULL)
        return false;
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "TracerPid:", 10) == 0)
            traced = strtol(line + 10, NULL, 10) != 0;
    (void)fclose(file);
    return traced;
}
