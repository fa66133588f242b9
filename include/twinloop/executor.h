/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Executors: functions that may block, run on threads beside the loop (Python's "Executing code in
 * thread or process pools").
 *
 * An executor is a pool of threads, started as jobs want them and reused, that lives with the
 * loop which uses it: a loop at a time, on that loop's thread alone. Jobs begin in the order in
 * which they were given. A job is run with no loop running on its thread; it must not touch what
 * the loop uses meanwhile, nor wait for the loop or for another job. What it may call of this
 * library is tl_loop_call_soon_threadsafe, whose callbacks run before the job's future is done, and
 * what makes values.
 *
 * In the simulator and in a replay there are no threads: a job runs in one piece on the loop's, at
 * its end, and its duration is virtual time. A job that runs a loop of its own there, and would
 * wait for ever, is reported as "executor deadlock" by its number.
 *
 * Closing a loop drops the jobs that have not begun, and waits for those that have, since what they
 * use is the program's memory.
 */
#ifndef TWINLOOP_EXECUTOR_H
#define TWINLOOP_EXECUTOR_H

#include <stddef.h>
#include <twinloop/future.h>
#include <twinloop/loop.h>
#include <twinloop/value.h>

typedef struct tl_executor tl_executor;

/* A pool of at most max_workers threads (0: 4 more than there are processors, at most 32), which
 * are called name_prefix (its first 15 bytes; NULL: "tl-worker"). NULL when memory is out. */
tl_executor *tl_thread_pool_executor_new(unsigned max_workers, const char *name_prefix);

tl_executor *tl_executor_ref(tl_executor *executor);

/* The last reference ends the threads, once the jobs are over. NULL is allowed. */
void tl_executor_unref(tl_executor *executor);

/* concurrent.futures' Executor.shutdown. From now on the executor takes no jobs; those it has, it
 * runs. The future, one of loop, is done when the last of them is over: who does not want to wait
 * detaches it. May be repeated. */
tl_future *tl_executor_shutdown(tl_executor *executor, tl_loop *loop);

/* A function for another thread. 0, or a negative code that the future fails with. *ret is none,
 * and may be set to the result, which is moved to the loop's thread; an object of the loop is not
 * touched on this one. */
typedef int (*tl_job_fn)(void *arg, tl_value *ret);

/* A job. Zero is the default of every member but fn. */
typedef struct tl_job {
    tl_job_fn fn;
    void *arg;

    /* Where fn leaves what it finds out: out_len bytes, which are recorded and, in a replay, copied
     * back where fn is not run again. The result of such a job is none or a number. With out NULL
     * the job is pure: a replay runs it again and must find the same. */
    void *out;
    size_t out_len;

    /* release(arg) is called exactly once, on the loop's thread, when fn and the library will not
     * touch arg and out any more: it has returned or will never be called. A cancelled job may
     * still run, so this is the place to free them. NULL: nothing is to be done. */
    void (*release)(void *arg);
} tl_job;

/* Row loop.run_in_executor. Has fn(arg) run by the executor (NULL: the loop's default one, which is
 * made when it is first needed). The future has its result. Cancelling the future succeeds at once:
 * a job that has not begun never runs; one that has goes on, and its result is dropped. Fails with
 * TL_ECLOSED; TL_ESTATE after a shutdown of that executor; -EBUSY for an executor that another loop
 * uses; -EINVAL; -ENOMEM; -EAGAIN when no thread can be had. */
tl_future *tl_loop_run_in_executor(tl_loop *loop, tl_executor *executor, tl_job_fn fn, void *arg);

/* The same for a job with more to it; the struct is copied. When the future has failed at once, the
 * job has been released. */
tl_future *tl_loop_run_job(tl_loop *loop, tl_executor *executor, const tl_job *job);

/* Row loop.set_default_executor. Makes executor, of which it takes a reference of its own, the one
 * that NULL stands for. The one before is not shut down. 0, or -EINVAL for NULL. */
int tl_loop_set_default_executor(tl_loop *loop, tl_executor *executor);

/* loop.shutdown_default_executor(). From now on NULL is refused as an executor ("Executor shutdown
 * has been called"), for good; others are not. The future is done when the default executor's jobs
 * are over, at once if there is none. May be repeated. */
tl_future *tl_loop_shutdown_default_executor(tl_loop *loop);

#endif
