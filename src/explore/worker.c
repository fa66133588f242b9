/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workers: starting one, and being one.
 */
#include "explore/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "core/alloc.h"
#include "explore/jobs.h"
#include "explore/layout.h"
#include "explore/run_once.h"
#include "explore/tell.h"
#include "explore/verdict.h"

/* --- Starting one ----------------------------------------------------------------------------- */

static int keep_over_exec(int fd)
{
    return fd < 0 || fcntl(fd, F_SETFD, 0) == 0 ? 0 : -errno;
}

int tl_worker_exec(const struct tl_runner *runner, const struct tl_worker_task *task)
{
    char seeds[64], layout[40], fd[24], words[24], seed_time[40];
    const char *debug = runner->options.debug ? "--debug" : NULL;
    const char *own[] = {"worker", seeds, layout, fd, words, seed_time, debug, NULL};
    size_t own_count = sizeof own / sizeof *own;

    snprintf(seeds, sizeof seeds, "--seeds=%llu:%llu", (unsigned long long)task->seeds.first,
             (unsigned long long)task->seeds.last);
    snprintf(layout, sizeof layout, "--layout=%llu", (unsigned long long)task->layout);
    snprintf(fd, sizeof fd, "--fd=%d", task->fd);
    snprintf(words, sizeof words, "--words=%d", task->words < 0 ? 0 : task->words);
    snprintf(seed_time, sizeof seed_time, "--seed-time=%lldms",
             (long long)((runner->options.seed_time_max + TL_MILLISECOND - 1) / TL_MILLISECOND));

    const char **argv = tl_alloc((runner->prefix_count + own_count) * sizeof *argv);
    if (argv == NULL)
        return -ENOMEM;
    memcpy(argv, runner->prefix, runner->prefix_count * sizeof *argv);
    memcpy(argv + runner->prefix_count, own, sizeof own);
    int r = tl_layout_environment(task->layout);
    if (r == 0)
        r = keep_over_exec(task->fd);
    if (r == 0)
        r = keep_over_exec(task->words);
    if (r == 0) {
        execv("/proc/self/exe", (char *const *)argv);
        r = -errno;
    }
    tl_free(argv);
    return r;
}

/* --- Being one -------------------------------------------------------------------------------- */

struct worker {
    const struct tl_runner *runner;
    uint64_t next;
    bool exhausted;
    struct tl_verdict *verdict;
    int error;
};

static bool next(void *arg, uint64_t *ret_item)
{
    struct worker *worker = arg;
    if (worker->exhausted)
        return false;
    *ret_item = worker->next;
    worker->exhausted = worker->next++ == worker->runner->options.seeds.last;
    return true;
}

static int work(void *arg, uint64_t item, int fd)
{
    const struct worker *worker = arg;
    struct tl_run_plan plan = {
        .scenario = worker->runner->scenario,
        .options = {.seed = item, .envp = tl_runner_environment(worker->runner->options.debug)},
        .fd = fd,
    };
    if (worker->runner->options.words != 0) {
        plan.options.words = fdopen((int)worker->runner->options.words, "w");
        if (plan.options.words == NULL)
            return TL_EXIT_USAGE;
        setvbuf(plan.options.words, NULL, _IOLBF, BUFSIZ); /* as far as it came, should it crash */
    }
    tl_run_once(&plan, &worker->verdict->result);
    return 0;
}

static bool done(void *arg, const struct tl_job_result *ended)
{
    struct worker *worker = arg;
    int fd = (int)worker->runner->options.fd;
    int r = tl_verdict_reach(worker->verdict, ended, worker->runner->options.seed_time_max);
    if (r == 0)
        r = tl_tell_seed(fd, ended->item);
    if (r == 0)
        r = tl_tell_result(fd, &worker->verdict->result);
    worker->error = r;
    return r == 0;
}

static int run_seeds(void *arg)
{
    static const struct tl_jobs_ops ops = {.next = next, .work = work, .done = done};
    struct worker *worker = arg;
    struct tl_jobs_options options = {
        .jobs = 1,
        .item_time_max = worker->runner->options.seed_time_max,
        .capture = true,
    };
    int r = tl_jobs_run(&options, &ops, worker);
    return worker->error != 0 ? worker->error : r;
}

int tl_command_worker(const struct tl_runner *runner)
{
    struct worker worker = {.runner = runner, .next = runner->options.seeds.first};
    if (fcntl((int)runner->options.fd, F_SETFD, FD_CLOEXEC) < 0)
        return TL_EXIT_USAGE; /* called by hand */
    worker.verdict = tl_calloc(sizeof *worker.verdict);
    if (worker.verdict == NULL)
        return TL_EXIT_USAGE;
    int r = tl_layout_call(runner->options.layout, run_seeds, &worker);
    tl_verdict_finish(worker.verdict);
    tl_free(worker.verdict);
    return r == 0 ? 0 : TL_EXIT_USAGE;
}
