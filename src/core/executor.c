/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Executors: whose threads run which loop's jobs.
 *
 * The threads are the kernel's of the loop that uses the executor, so there is one such loop at a
 * time: from the first job until it is closed, or the executor shut down. Whoever has the executor
 * holds it, and each of its jobs does; the loop only knows it. So the threads end with the last
 * job at the latest, or with the loop.
 */
#include "core/executor.h"

#include <errno.h>
#include <string.h>

#include "core/alloc.h"

/* --- Life ------------------------------------------------------------------------------------- */

static void executor_destroy(tl_object *object);

static const struct tl_object_type executor_type = {
    .name = "executor",
    .destroy = executor_destroy,
};

tl_executor *tl_thread_pool_executor_new(unsigned max_workers, const char *name_prefix)
{
    tl_executor *executor = tl_calloc(sizeof *executor);
    if (executor == NULL)
        return NULL;
    tl_object_init(&executor->object, &executor_type);
    executor->workers.max = max_workers;
    if (name_prefix != NULL) {
        size_t len = strnlen(name_prefix, sizeof executor->workers.name - 1);
        memcpy(executor->workers.name, name_prefix, len);
    }
    tl_waiters_init(&executor->waiters);
    return executor;
}

tl_executor *tl_executor_ref(tl_executor *executor)
{
    tl_object_ref(&executor->object);
    return executor;
}

void tl_executor_unref(tl_executor *executor)
{
    if (executor != NULL)
        tl_object_unref(&executor->object);
}

/* --- The loop that uses it -------------------------------------------------------------------- */

static void leave(tl_executor *executor)
{
    tl_live_remove(&executor->live);
    executor->loop = NULL;
    executor->workers.owner = NULL;
}

/* Ends the threads, which have nothing to do. */
static void end_threads(tl_executor *executor)
{
    if (executor->loop == NULL)
        return;
    struct tl_kernel *kernel = executor->loop->kernel;
    (void)kernel->ops->retire(kernel, &executor->workers);
    leave(executor);
}

static void executor_destroy(tl_object *object)
{
    tl_executor *executor = tl_container_of(object, tl_executor, object);
    end_threads(executor);
    tl_free(executor);
}

/* The kernel is about to be destroyed, and the threads with it. */
static void abandon(struct tl_live *live)
{
    tl_executor *executor = tl_container_of(live, tl_executor, live);
    leave(executor);
    tl_waiters_drop(&executor->waiters);
}

/* asyncio: the default executor is made when it is first needed. */
static int choose(tl_loop *loop, tl_executor **executor, const char **ret_why)
{
    if (*executor != NULL)
        return 0;
    if (loop->default_executor_shut) {
        *ret_why = "Executor shutdown has been called";
        return TL_ESTATE;
    }
    if (loop->default_executor == NULL)
        loop->default_executor = tl_thread_pool_executor_new(0, NULL);
    *executor = loop->default_executor;
    return *executor != NULL ? 0 : -ENOMEM;
}

int tl_executor_use(tl_loop *loop, tl_executor *executor, tl_executor **ret, const char **ret_why)
{
    int r = choose(loop, &executor, ret_why);
    if (r < 0)
        return r;
    if (executor->shut) {
        *ret_why = "cannot schedule new futures after shutdown";
        return TL_ESTATE;
    }
    if (executor->loop != NULL && executor->loop != loop) {
        *ret_why = "another loop uses this executor";
        return -EBUSY;
    }
    if (executor->loop == NULL) {
        executor->loop = loop;
        tl_live_add(&executor->live, loop, abandon);
    }
    *ret = executor;
    return 0;
}

/* --- Shutting down ---------------------------------------------------------------------------- */

static void finish_shutdown(tl_executor *executor)
{
    if (!executor->shut || executor->jobs > 0)
        return;
    end_threads(executor);
    tl_waiters_finish(&executor->waiters);
}

void tl_executor_job_over(tl_executor *executor)
{
    executor->jobs--;
    finish_shutdown(executor);
    tl_executor_unref(executor);
}

tl_future *tl_executor_shutdown(tl_executor *executor, tl_loop *loop)
{
    if (executor == NULL || loop == NULL)
        return NULL;
    if (executor->loop != NULL && executor->loop != loop)
        return tl_loop_failed_future(loop, -EBUSY, "another loop uses this executor");
    executor->shut = true;
    tl_future *future = tl_waiters_add(&executor->waiters, loop);
    finish_shutdown(executor);
    return future;
}

/* --- The default executor --------------------------------------------------------------------- */

int tl_loop_set_default_executor(tl_loop *loop, tl_executor *executor)
{
    if (loop == NULL || executor == NULL)
        return -EINVAL;
    tl_executor_ref(executor);
    tl_executor_unref(loop->default_executor);
    loop->default_executor = executor;
    return 0;
}

tl_future *tl_loop_shutdown_default_executor(tl_loop *loop)
{
    if (loop == NULL)
        return NULL;
    loop->default_executor_shut = true;
    if (loop->default_executor != NULL)
        return tl_executor_shutdown(loop->default_executor, loop);
    if (!tl_loop_open(loop))
        return tl_loop_failed_future(loop, TL_ECLOSED, NULL);
    tl_future *future = tl_loop_create_future(loop);
    (void)tl_future_set_result(future, tl_value_none());
    return future;
}

void tl_executor_close_loop(tl_loop *loop)
{
    tl_jobs_drop(loop);
    tl_executor *executor = loop->default_executor;
    loop->default_executor = NULL;
    loop->default_executor_shut = true;
    if (executor != NULL)
        executor->shut = true;
    tl_executor_unref(executor);
}
