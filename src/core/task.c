/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A task's life: made, begun, over; or lost with its loop.
 *
 * Making a task queues its first step, which takes a stack and runs the coroutine on it. What wakes
 * it later is in await.c, what ends it early in task_cancel.c. The loop holds a task through its
 * list of what can act, from its making until it is over.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "core/debug.h"
#include "core/fiber_record.h"
#include "core/self.h"
#include "core/task.h"

/* --- The end ---------------------------------------------------------------------------------- */

static void dispose(tl_task *task)
{
    tl_coro coro = task->coro;
    task->coro.dispose = NULL;
    tl_coro_dispose(&coro);
}

static void fail(tl_task *task, int code)
{
    tl_future *failed = task->failed;
    if (failed != NULL && failed->error.code == code)
        (void)tl_future_set_error(&task->future, &failed->error);
    else
        (void)tl_future_set_exception(&task->future, code, NULL);
}

/* With a code, and task->value. Gives up the loop's reference. */
static void end(tl_task *task, int code)
{
    dispose(task);
    tl_live_remove(&task->live);
    task->future.sealed = false;
    /* asyncio: a task that was asked to end and has a result has been cancelled. */
    if (code >= 0 && task->must_cancel)
        code = -ECANCELED;
    if (code >= 0) {
        (void)tl_future_set_result(&task->future, tl_value_take(&task->value));
    } else {
        tl_value_finish(&task->value);
        if (code == -ECANCELED)
            tl_future_set_cancelled(&task->future);
        else
            fail(task, code);
    }
    tl_future *failed = task->failed;
    task->failed = NULL;
    tl_future_unref(failed);
    tl_task_unref(task);
}

/* The loop is closed under it. */
static void abandon(struct tl_live *live)
{
    tl_task *task = tl_container_of(live, tl_task, live);
    tl_future *awaited = task->awaiting, *failed = task->failed;
    tl_live_remove(live);
    tl_ready_remove(&task->ready);
    tl_task_stop_waiting(task);
    tl_fiber_free(task->fiber);
    task->fiber = NULL;
    task->failed = NULL;
    dispose(task);
    tl_future_unref(awaited);
    tl_future_unref(failed);
    tl_task_unref(task);
}

tl_task *tl_task_of_live(struct tl_live *live)
{
    return live->abandon == abandon ? tl_container_of(live, tl_task, live) : NULL;
}

static void task_destroy(tl_object *object)
{
    tl_task *task = tl_container_of(object, tl_task, future.object);
    if (!tl_future_done(&task->future) && !task->reported) {
        const tl_exc_context context = {
            .message = "Task was destroyed but it is pending!",
            .task = task,
            .source_traceback = task->future.created,
        };
        object->refs = 1; /* the handler may look at it, and even take a reference */
        task->reported = true;
        tl_loop_call_exception_handler(task->future.loop, &context);
        if (--object->refs != 0)
            return;
    }
    tl_future_destroy(object);
}

static void finish(tl_future *future)
{
    tl_free(tl_task_of(future)->name);
}

static bool cancel(tl_future *future)
{
    return tl_task_cancel(tl_task_of(future));
}

static const struct tl_future_type task_type = {
    .object = {.name = "task", .destroy = task_destroy},
    .never_retrieved = "Task exception was never retrieved",
    .cancel = cancel,
    .finish = finish,
};

/* --- Steps ------------------------------------------------------------------------------------ */

/* On the task's stack. */
static void run(void *arg)
{
    tl_task *task = arg;
    task->code = task->coro.run(task->coro.arg, &task->value);
}

static void report_overflow(tl_task *task)
{
    const tl_exc_context context = {
        .message = "Task outgrew its stack",
        .task = task,
        .source_traceback = task->future.created,
    };
    tl_loop_call_exception_handler(task->future.loop, &context);
}

void tl_task_resume(tl_task *task)
{
    struct tl_thread *self = tl_thread_self();
    self->task = task;
    tl_fiber_enter(task->fiber);
    self->task = NULL;
    if (tl_fiber_overflowed(task->fiber))
        report_overflow(task);
    if (!tl_fiber_finished(task->fiber))
        return;
    tl_fiber_free(task->fiber);
    task->fiber = NULL;
    end(task, task->code);
}

static void step(void *arg)
{
    tl_task *task = arg;
    if (task->fiber == NULL) {
        struct tl_fiber_pool *pool = NULL;
        if (task->must_cancel) {
            end(task, -ECANCELED);
            return;
        }
        pool = tl_task_pool(task->future.loop);
        if (pool != NULL)
            task->fiber = tl_fiber_new(pool, run, task);
        if (task->fiber == NULL) {
            end(task, -ENOMEM);
            return;
        }
    }
    tl_task_resume(task);
}

/* --- Making ----------------------------------------------------------------------------------- */

static int check(const tl_loop *loop, const tl_coro *coro)
{
    if (loop == NULL || coro->run == NULL)
        return -EINVAL;
    if (!tl_loop_open(loop))
        return TL_ECLOSED;
    return loop->debug && tl_debug_wrong_thread(loop) ? TL_ETHREAD : 0;
}

/* The loop's reference; NULL when memory is out. */
static tl_task *make(tl_loop *loop, const tl_coro *coro)
{
    tl_task *task = tl_alloc(sizeof *task);
    if (task == NULL)
        return NULL;
    memset((char *)task + sizeof task->future, 0, sizeof *task - sizeof task->future);
    tl_future_init(&task->future, loop, &task_type);
    task->future.sealed = true;
    task->coro = *coro;
    tl_live_add(&task->live, loop, abandon);
    tl_ready_init(&task->ready, step, task);
    tl_loop_queue(loop, &task->ready);
    return task;
}

static int refuse(const tl_coro *coro, int code)
{
    tl_coro_dispose(coro);
    return code;
}

/* With a name that it takes, or with the next number. */
static int new_task(tl_loop *loop, const tl_coro *coro, char *name, tl_task **ret)
{
    tl_task *task = make(loop, coro);
    if (task == NULL)
        return refuse(coro, -ENOMEM);
    task->name = name;
    if (name == NULL)
        task->number = ++loop->tasks_numbered;
    if (ret != NULL)
        *ret = tl_task_ref(task);
    return 0;
}

int tl_task_new(tl_loop *loop, const tl_coro *coro, tl_task **ret)
{
    if (coro == NULL)
        return -EINVAL;
    int r = check(loop, coro);
    return r < 0 ? refuse(coro, r) : new_task(loop, coro, NULL, ret);
}

/* Memory for a name, if there is one. */
static int copy_name(const char *name, char **ret)
{
    *ret = NULL;
    if (name == NULL)
        return 0;
    *ret = tl_alloc(strlen(name) + 1);
    if (*ret == NULL)
        return -ENOMEM;
    strcpy(*ret, name);
    return 0;
}

static void replace_name(tl_task *task, char *name)
{
    tl_free(task->name);
    task->name = name;
}

static int new_by_factory(tl_loop *loop, const tl_coro *coro, char *name, tl_task **ret)
{
    tl_task *task = NULL;
    int r = loop->task_factory(loop, coro, loop->task_factory_arg, &task);
    if (r >= 0 && task == NULL)
        r = -EINVAL;
    if (r < 0)
        return r;
    if (name != NULL)
        replace_name(task, name);
    if (ret != NULL)
        *ret = task;
    else
        tl_task_unref(task);
    return 0;
}

int tl_loop_create_task(tl_loop *loop, const tl_coro *coro, const char *name, tl_task **ret)
{
    char *copy = NULL;
    if (coro == NULL)
        return -EINVAL;
    int r = check(loop, coro);
    if (r == 0)
        r = copy_name(name, &copy);
    if (r < 0)
        return refuse(coro, r);
    r = loop->task_factory != NULL ? new_by_factory(loop, coro, copy, ret)
                                   : new_task(loop, coro, copy, ret);
    if (r < 0)
        tl_free(copy);
    return r;
}

int tl_loop_set_task_factory(tl_loop *loop, tl_task_factory factory, void *arg)
{
    if (loop == NULL)
        return -EINVAL;
    loop->task_factory = factory;
    loop->task_factory_arg = factory != NULL ? arg : NULL;
    return 0;
}

tl_task_factory tl_loop_get_task_factory(const tl_loop *loop, void **ret_arg)
{
    if (ret_arg != NULL)
        *ret_arg = loop->task_factory_arg;
    return loop->task_factory;
}

/* --- Asking ----------------------------------------------------------------------------------- */

tl_task *tl_task_ref(tl_task *task)
{
    tl_object_ref(&task->future.object);
    return task;
}

void tl_task_unref(tl_task *task)
{
    if (task != NULL)
        tl_object_unref(&task->future.object);
}

tl_future *tl_task_future(tl_task *task)
{
    return task != NULL ? &task->future : NULL;
}

tl_task *tl_future_task(tl_future *future)
{
    bool is_task = future != NULL && tl_future_type(future) == &task_type;
    return is_task ? tl_task_of(future) : NULL;
}

tl_task *tl_task_current(void)
{
    return tl_thread_self()->task;
}

const char *tl_task_get_name(tl_task *task)
{
    if (task->name != NULL)
        return task->name;
    (void)snprintf(task->number_name, sizeof task->number_name, "Task-%llu",
                   (unsigned long long)task->number);
    return task->number_name;
}

int tl_task_set_name(tl_task *task, const char *name)
{
    char *copy;
    if (task == NULL || name == NULL)
        return -EINVAL;
    int r = copy_name(name, &copy);
    if (r == 0)
        replace_name(task, copy);
    return r;
}
