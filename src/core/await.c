/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting in a task.
 *
 * A task that waits has a registration with the future, embedded in the task, so waiting allocates
 * nothing. The future's end queues the registration, as any done-callback, and its turn is the
 * task's next step.
 */
#include <errno.h>

#include "core/fiber_record.h"
#include "core/self.h"
#include "core/task.h"

static void wake(tl_future *future, void *arg)
{
    (void)future;
    tl_task_resume(arg);
}

void tl_task_stop_waiting(tl_task *task)
{
    if (task->awaiting != NULL)
        tl_future_detach_callback(&task->waiter);
    task->awaiting = NULL;
}

/* Until the future is done, or the task was released from waiting for it. The reference stays the
 * caller's, which the task knows in case that the caller never gets there. */
static void wait(tl_task *task, tl_future *future)
{
    task->awaiting = future;
    tl_future_attach(future, &task->waiter, wake, task);
    /* asyncio: who was asked to end before waiting cancels what it was going to wait for. */
    if (task->must_cancel && tl_future_cancel(future))
        task->must_cancel = false;
    tl_fiber_leave(task->fiber);
    task->awaiting = NULL;
}

static int check(const tl_task *task, const tl_future *future)
{
    if (future == NULL)
        return -EINVAL;
    if (task == NULL)
        return TL_ENOTASK;
    if (future->loop != task->future.loop)
        return -EINVAL;
    return future == &task->future ? -EDEADLK : 0;
}

/* What the task is told, and the end of its reference to the future. */
static int take_outcome(tl_task *task, tl_future *future, tl_value *ret)
{
    tl_value value = tl_value_none();
    int r = tl_future_result(future, &value);
    if (future->state == TL_FUTURE_FAILED)
        task->failed = future;
    else
        tl_future_unref(future);
    if (r == 0 && ret != NULL)
        *ret = value;
    else
        tl_value_finish(&value);
    return r;
}

static void forget_error(tl_task *task)
{
    tl_future *failed = task->failed;
    task->failed = NULL;
    tl_future_unref(failed);
}

int tl_await(tl_future *future, tl_value *ret)
{
    tl_task *task = tl_task_current();
    int r = check(task, future);
    if (task != NULL)
        forget_error(task);
    if (r < 0) {
        tl_future_unref(future);
        return r;
    }
    bool told = false;
    if (!tl_future_done(future)) {
        wait(task, future);
        told = task->must_cancel;
        task->must_cancel = false;
    }
    if (!told)
        return take_outcome(task, future, ret);
    /* asyncio: being asked to end comes before whatever the future has come to. */
    (void)tl_future_result(future, NULL);
    tl_future_unref(future);
    return -ECANCELED;
}

const tl_error *tl_await_error(void)
{
    const tl_task *task = tl_task_current();
    return task != NULL && task->failed != NULL ? &task->failed->error : NULL;
}
