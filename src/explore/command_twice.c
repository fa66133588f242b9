/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command twice: whether a run depends on anything but its seed.
 *
 * The seeds are cut into chunks, and each chunk is run by a pair of workers (worker.h) that agree
 * on nothing but the program: so 1,000 seeds cost a few dozen executions, and yet each seed runs in
 * two processes with other addresses, another environment and another heap. Should the two differ,
 * the seed is run by such a pair again, with the hashed stream written down, to find the first
 * event that differs.
 *
 * Item number 2 c + lane of the jobs is a lane of chunk c; its layout has that number too.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <twinloop/error.h>
#include <unistd.h>
#include "core/alloc.h"
#include "explore/jobs.h"
#include "explore/progress.h"
#include "explore/runner.h"
#include "explore/tell.h"
#include "explore/verdict.h"
#include "explore/words.h"
#include "explore/worker.h"

#define CHUNK_MAX 64
#define TRIES 8 /* to see a difference again */

/* What one worker said of one seed: a result without the text. */
struct half {
    uint64_t seed;
    struct tl_run_result result;
};

struct twice {
    const struct tl_runner *runner;
    uint64_t chunk;  /* seeds in one */
    uint64_t chunks; /* there are */
    uint64_t next;   /* item */
    struct tl_progress progress;
    struct half *first; /* CHUNK_MAX: what the first worker of the chunk said */
    struct tl_run_result *second;
    uint64_t failures_alike; /* seeds that failed in the same way twice */
    int error;
};

static struct tl_seeds seeds_of(const struct twice *twice, uint64_t chunk)
{
    struct tl_seeds all = twice->runner->options.seeds;
    uint64_t first = all.first + chunk * twice->chunk;
    uint64_t rest = all.last - first;
    return (struct tl_seeds){first, rest < twice->chunk ? all.last : first + twice->chunk - 1};
}

static uint64_t layout_of(const struct twice *twice, uint64_t item)
{
    return 2 * twice->runner->options.layout + item;
}

/* The programs' reports are cut: what matters is whether they are the same run. */
static size_t hear_half(const uint8_t *data, size_t len, uint64_t *ret_seed,
                        struct tl_run_result *ret)
{
    struct tl_heard heard = {.result = ret};
    size_t at = 0, part;
    while ((part = tl_hear(data + at, len - at, &heard)) > 0) {
        at += part;
        if (heard.what == TL_TOLD_SEED)
            *ret_seed = heard.seed;
        if (heard.what == TL_TOLD_RESULT)
            return at;
    }
    return 0;
}

/* A worker that did not do its work is no finding about the seeds. */
static int worker_failed(const struct twice *twice, const struct tl_job_result *ended)
{
    if (!ended->timed_out && WIFEXITED(ended->status) && WEXITSTATUS(ended->status) == 0)
        return 0;
    fprintf(stderr, "%s: twice: a worker process ended early (status %d)\n%s",
            twice->runner->invocation, ended->status, ended->output);
    return -EIO;
}

/* --- One seed again, to find the first event that differs ------------------------------------- */

struct retry {
    const struct twice *twice;
    uint64_t seed;
    uint64_t layout; /* of the first lane */
    FILE *words[2];
    uint64_t next;
    int error;
};

static bool retry_next(void *arg, uint64_t *ret_item)
{
    struct retry *retry = arg;
    *ret_item = retry->next;
    return retry->next++ < 2;
}

static int retry_work(void *arg, uint64_t item, int fd)
{
    const struct retry *retry = arg;
    struct tl_worker_task task = {
        .seeds = {retry->seed, retry->seed},
        .layout = retry->layout + item,
        .fd = fd,
        .words = fileno(retry->words[item]),
    };
    (void)tl_worker_exec(retry->twice->runner, &task);
    return TL_EXIT_USAGE;
}

static bool retry_done(void *arg, const struct tl_job_result *ended)
{
    struct retry *retry = arg;
    retry->error = worker_failed(retry->twice, ended);
    return retry->error == 0;
}

/* Empties both files and lets both lanes write them. */
static int write_words(struct retry *retry)
{
    static const struct tl_jobs_ops ops = {
        .next = retry_next,
        .work = retry_work,
        .done = retry_done,
    };
    struct tl_jobs_options options = {.jobs = 2, .capture = true};
    for (int i = 0; i < 2; i++) {
        rewind(retry->words[i]);
        if (ftruncate(fileno(retry->words[i]), 0) < 0)
            return -errno;
    }
    retry->next = 0;
    int r = tl_jobs_run(&options, &ops, retry);
    return retry->error != 0 ? retry->error : r;
}

static int find_difference(const struct twice *twice, uint64_t seed, uint64_t layout)
{
    struct retry retry = {.twice = twice, .seed = seed, .layout = layout};
    bool found = false;
    int r = 0;
    retry.words[0] = tmpfile();
    retry.words[1] = tmpfile();
    if (retry.words[0] == NULL || retry.words[1] == NULL)
        r = -errno;
    for (int i = 0; i < TRIES && r == 0 && !found; i++) {
        r = write_words(&retry);
        if (r < 0)
            break;
        rewind(retry.words[0]);
        rewind(retry.words[1]);
        found = tl_words_compare(retry.words[0], retry.words[1], stdout);
    }
    if (r == 0 && !found)
        printf("  run %d times more, it did not differ again\n", TRIES);
    for (int i = 0; i < 2; i++)
        if (retry.words[i] != NULL)
            (void)fclose(retry.words[i]);
    return r;
}

/* --- Comparing -------------------------------------------------------------------------------- */

static void print_half(const char *which, const struct tl_run_result *result)
{
    char summary[TL_LINE_MAX];
    printf("  %-5s %s", which, tl_outcome_name(result->outcome));
    if (result->complete)
        printf(", %llu events, schedule %016llx, content %016llx",
               (unsigned long long)result->events, (unsigned long long)result->schedule,
               (unsigned long long)result->content);
    if (result->report[0] != '\0')
        printf(": %s", tl_result_summary(result, summary, sizeof summary));
    printf("\n");
}

static int report_difference(struct twice *twice, uint64_t item, const struct half *first,
                             const struct tl_run_result *second, const char *what)
{
    uint64_t layout = layout_of(twice, item - 1);
    int r = 0;
    twice->progress.failures++;
    tl_progress_clear(&twice->progress);
    printf("NOT DETERMINISTIC seed %llu: the %s differs\n", (unsigned long long)first->seed, what);
    if (twice->progress.failures <= twice->runner->options.show) {
        print_half("one", &first->result);
        print_half("other", second);
        (void)fflush(stdout);
        r = find_difference(twice, first->seed, layout);
    }
    printf("reproduce: %s twice%s --seeds %llu:%llu --layout %llu\n", twice->runner->invocation,
           tl_runner_debug_words(twice->runner->options.debug), (unsigned long long)first->seed,
           (unsigned long long)first->seed, (unsigned long long)(layout / 2));
    (void)fflush(stdout);
    return r;
}

static int compare_one(struct twice *twice, uint64_t item, const struct half *first, uint64_t seed,
                       const struct tl_run_result *second)
{
    const char *what;
    if (seed != first->seed)
        return -EIO;
    twice->progress.done++;
    if (!tl_result_same(&first->result, second, &what))
        return report_difference(twice, item, first, second, what);
    twice->failures_alike += second->outcome != TL_OUTCOME_HELD;
    return 0;
}

/* The first lane of a chunk is kept, the second one compared with it. */
static int take_lane(struct twice *twice, const struct tl_job_result *ended)
{
    struct tl_seeds seeds = seeds_of(twice, ended->item / 2);
    uint64_t count = tl_seeds_count(&seeds), seed = 0;
    size_t at = 0;
    int r = worker_failed(twice, ended);
    for (uint64_t i = 0; i < count && r == 0; i++) {
        struct half *first = &twice->first[i];
        bool is_first = ended->item % 2 == 0;
        struct tl_run_result *result = is_first ? &first->result : twice->second;
        size_t len = hear_half(ended->data + at, ended->data_len - at, &seed, result);
        at += len;
        if (len == 0 || seed != seeds.first + i)
            r = -EIO;
        else if (is_first)
            first->seed = seed;
        else
            r = compare_one(twice, ended->item, first, seed, result);
    }
    return r;
}

/* --- The jobs --------------------------------------------------------------------------------- */

static bool next(void *arg, uint64_t *ret_item)
{
    struct twice *twice = arg;
    if (twice->next == 2 * twice->chunks)
        return false;
    *ret_item = twice->next++;
    return true;
}

static int work(void *arg, uint64_t item, int fd)
{
    const struct twice *twice = arg;
    struct tl_worker_task task = {
        .seeds = seeds_of(twice, item / 2),
        .layout = layout_of(twice, item),
        .fd = fd,
        .words = -1,
    };
    int r = tl_worker_exec(twice->runner, &task);
    fprintf(stderr, "the program could not be executed again: %s\n", tl_strerror(r));
    return TL_EXIT_USAGE;
}

static bool done(void *arg, const struct tl_job_result *ended)
{
    struct twice *twice = arg;
    twice->error = take_lane(twice, ended);
    return twice->error == 0 &&
           !(twice->runner->options.stop_at_first && twice->progress.failures > 0);
}

static void tick(void *arg)
{
    struct twice *twice = arg;
    tl_progress_tick(&twice->progress);
}

/* Small enough that every processor has several and layouts vary, large enough that executing the
 * program is not what takes the time. */
static void cut_into_chunks(struct twice *twice)
{
    uint64_t count = tl_seeds_count(&twice->runner->options.seeds);
    uint64_t chunk = count / (4 * twice->runner->options.jobs);
    twice->chunk = chunk < 1 ? 1 : chunk > CHUNK_MAX ? CHUNK_MAX : chunk;
    twice->chunks = count / twice->chunk + (count % twice->chunk != 0);
}

static int run_twice(struct twice *twice)
{
    static const struct tl_jobs_ops ops = {.next = next, .work = work, .done = done, .tick = tick};
    const struct tl_runner *runner = twice->runner;
    struct tl_jobs_options options = {.jobs = (unsigned)runner->options.jobs, .capture = true};
    char duration[32];

    cut_into_chunks(twice);
    tl_progress_start(&twice->progress, stderr, tl_seeds_count(&runner->options.seeds), 0);
    int r = tl_jobs_run(&options, &ops, twice);
    if (twice->error != 0)
        r = twice->error;
    int64_t elapsed = tl_progress_elapsed(&twice->progress);
    tl_progress_clear(&twice->progress);
    tl_format_duration(elapsed, duration, sizeof duration);
    printf("%s: %llu seeds twice: %llu differed", runner->scenario->name,
           (unsigned long long)twice->progress.done, (unsigned long long)twice->progress.failures);
    if (twice->failures_alike > 0)
        printf(", %llu failed in the same way both times",
               (unsigned long long)twice->failures_alike);
    printf("; %s, %llu seeds/s\n", duration,
           (unsigned long long)tl_rate(twice->progress.done, elapsed));
    if (twice->progress.failures > 0)
        return TL_OUTCOME_NOT_DETERMINISTIC;
    if (r < 0 && r != -EINTR)
        fprintf(stderr, "%s: twice: %s\n", runner->invocation, tl_strerror(r));
    return r == 0 ? 0 : r == -EINTR ? TL_EXIT_INTERRUPTED : TL_OUTCOME_CRASHED;
}

int tl_command_twice(const struct tl_runner *runner)
{
    struct twice twice = {.runner = runner};
    int code = TL_EXIT_USAGE;
    twice.first = tl_calloc(CHUNK_MAX * sizeof *twice.first);
    twice.second = tl_calloc(sizeof *twice.second);
    if (twice.first != NULL && twice.second != NULL)
        code = run_twice(&twice);
    else
        fprintf(stderr, "%s: twice: out of memory\n", runner->invocation);
    tl_free(twice.first);
    tl_free(twice.second);
    return code;
}
