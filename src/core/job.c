/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs: run_in_executor, from the call to the future's result.
 *
 *     given to the kernel --run on a worker--> its event --queued--> over: result, release
 *         `--called off by the future's cancel--------------^
 *
 * A job belongs to the loop's list from the call until it is over. Meanwhile its worker alone
 * touches what run fills in; the loop looks at it when the event has come, or after the kernel,
 * which waits for the workers, was destroyed. Values are memory of the process's allocator and
 * belong to no thread, so a result is moved by assignment.
 *
 * Where the program declared an out-buffer, what the kernel records is not that but an outcome: the
 * code, a number, and a copy of the buffer. It is copied back in every world, so a replay, which
 * only fills the outcome, goes no other way.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "core/executor.h"
#include "core/future.h"

/* What a job with an out-buffer comes to: recorded byte by byte, so nothing between the members. */
struct outcome {
    int32_t code;
    int32_t kind; /* enum tl_value_kind of the result */
    int64_t number;
    unsigned char out[];
};

struct tl_executor_job {
    struct tl_work work;
    struct tl_executor_job *next; /* among its loop's */
    struct tl_executor_job **link;
    struct tl_ready over;
    tl_loop *loop;
    tl_executor *executor; /* a reference */
    tl_future *future;     /* a reference; NULL: it was cancelled */
    tl_job job;
    bool ended; /* not the kernel's any more */
    bool called_off;

    /* The worker's until then. */
    bool ran;
    int code;
    tl_value result;
    struct outcome outcome;
};

/* --- On the worker ---------------------------------------------------------------------------- */

static void run(struct tl_work *work)
{
    struct tl_executor_job *job = tl_container_of(work, struct tl_executor_job, work);
    tl_value result = tl_value_none();
    int code = job->job.fn(job->job.arg, &result);
    job->code = code;
    job->result = result;
    job->ran = true;
    if (job->job.out == NULL)
        return;
    job->outcome.code = code;
    job->outcome.kind = (int32_t)result.kind;
    job->outcome.number = result.kind == TL_VALUE_INT ? result.integer : 0;
    if (job->job.out_len > 0)
        memcpy(job->outcome.out, job->job.out, job->job.out_len);
}

/* --- The end ---------------------------------------------------------------------------------- */

static void job_free(struct tl_executor_job *job)
{
    tl_loop *loop = job->loop;
    *job->link = job->next;
    if (job->next != NULL)
        job->next->link = job->link;
    else
        loop->jobs_end = job->link;
    if (job->ran)
        tl_value_finish(&job->result);
    if (job->job.release != NULL)
        job->job.release(job->job.arg);
    tl_future_unref(job->future);
    tl_executor_job_over(job->executor);
    tl_free(job);
}

/* Takes what the job came to from its outcome. */
static int restore(struct tl_executor_job *job)
{
    const struct outcome *outcome = &job->outcome;
    if (job->job.out_len > 0)
        memcpy(job->job.out, outcome->out, job->job.out_len);
    if (outcome->code < 0)
        return outcome->code;
    if (outcome->kind != TL_VALUE_NONE && outcome->kind != TL_VALUE_INT)
        return -EINVAL;
    tl_value_finish(&job->result);
    if (outcome->kind == TL_VALUE_INT)
        job->result = tl_value_int(outcome->number);
    return 0;
}

static void settle(tl_future *future, int code, tl_value *result)
{
    if (code < 0) {
        (void)tl_future_set_exception(future, code, NULL);
        return;
    }
    /* Fails only when the program has finished the future itself. */
    if (tl_future_set_result(future, *result) == 0)
        *result = tl_value_none();
}

/* asyncio: a job's result is handed over by a callback of the loop. */
static void over(void *arg)
{
    struct tl_executor_job *job = arg;
    int code = job->code;
    if (!job->called_off && job->job.out != NULL)
        code = restore(job);
    if (job->future != NULL)
        settle(job->future, code, &job->result);
    job_free(job);
}

void tl_jobs_deliver(tl_loop *loop, struct tl_work *work)
{
    struct tl_executor_job *job = tl_container_of(work, struct tl_executor_job, work);
    job->ended = true;
    tl_loop_queue(loop, &job->over);
}

/* asyncio: cancelling always succeeds at once; whether the job still runs is another matter. */
static void cancel(void *arg)
{
    struct tl_executor_job *job = arg;
    tl_loop *loop = job->loop;
    struct tl_kernel *kernel = loop->kernel;
    if (kernel != NULL && !job->ended && kernel->ops->cancel(kernel, &job->work.request) == 0) {
        job->ended = true;
        job->called_off = true;
        tl_loop_queue(loop, &job->over);
    }
    tl_future *future = job->future;
    job->future = NULL;
    tl_future_unref(future);
}

void tl_jobs_drop(tl_loop *loop)
{
    while (loop->jobs != NULL) {
        struct tl_executor_job *job = loop->jobs;
        if (job->future != NULL)
            tl_future_set_canceller(job->future, NULL, NULL);
        tl_ready_remove(&job->over);
        job_free(job);
    }
}

/* --- The beginning ---------------------------------------------------------------------------- */

static struct tl_executor_job *job_new(tl_loop *loop, tl_executor *executor, const tl_job *what)
{
    struct tl_executor_job *job = tl_calloc(sizeof *job + what->out_len);
    if (job == NULL)
        return NULL;
    job->loop = loop;
    job->executor = executor;
    job->job = *what;
    job->work = (struct tl_work){.workers = &executor->workers, .run = run};
    if (what->out != NULL) {
        job->work.out = &job->outcome;
        job->work.out_len = sizeof job->outcome + what->out_len;
    }
    snprintf(job->work.name, sizeof job->work.name, "job %" PRIu32, ++loop->jobs_made);
    tl_ready_init(&job->over, over, job);
    return job;
}

/* It is the kernel's now: everybody holds whom they need. */
static void job_given(struct tl_executor_job *job, tl_future *future)
{
    tl_loop *loop = job->loop;
    tl_executor_ref(job->executor);
    job->executor->jobs++;
    job->future = tl_future_ref(future);
    tl_future_set_canceller(future, cancel, job);
    job->link = loop->jobs_end;
    *loop->jobs_end = job;
    loop->jobs_end = &job->next;
}

static int give(tl_loop *loop, tl_executor *executor, const tl_job *what, tl_future *future,
                const char **ret_why)
{
    if (!tl_loop_open(loop))
        return TL_ECLOSED;
    if (what->fn == NULL || (what->out == NULL && what->out_len > 0))
        return -EINVAL;
    int r = tl_executor_use(loop, executor, &executor, ret_why);
    if (r < 0)
        return r;
    struct tl_executor_job *job = job_new(loop, executor, what);
    if (job == NULL)
        return -ENOMEM;
    r = loop->kernel->ops->work(loop->kernel, &job->work);
    if (r < 0) {
        tl_free(job);
        return r;
    }
    job_given(job, future);
    return 0;
}

tl_future *tl_loop_run_job(tl_loop *loop, tl_executor *executor, const tl_job *job)
{
    if (loop == NULL || job == NULL)
        return NULL;
    const char *why = NULL;
    tl_future *future = tl_loop_create_future(loop);
    if (!tl_future_done(future)) {
        int r = give(loop, executor, job, future, &why);
        if (r == 0)
            return future;
        (void)tl_future_set_exception(future, r, why);
    }
    if (job->release != NULL)
        job->release(job->arg);
    return future;
}

tl_future *tl_loop_run_in_executor(tl_loop *loop, tl_executor *executor, tl_job_fn fn, void *arg)
{
    return tl_loop_run_job(loop, executor, &(tl_job){.fn = fn, .arg = arg});
}
