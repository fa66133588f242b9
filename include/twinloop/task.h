/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tasks: functions that wait in the middle (asyncio Task; Python's "Coroutines and Tasks" page).
 *
 * A coroutine is a function and its argument. A task runs one on a stack of its own, so that
 * tl_await can stop it anywhere, however many calls deep, and let the loop go on:
 *
 *     static int fetch(void *arg, tl_value *ret)
 *     {
 *         struct fetch *fetch = arg;
 *         int r = tl_await(tl_loop_sock_sendall(fetch->loop, fetch->socket, ...), NULL);
 *         return r < 0 ? r : tl_await(tl_loop_sock_recv(fetch->loop, fetch->socket, 100), ret);
 *     }
 *
 *     const tl_coro coro = {fetch, arg, free};
 *     tl_loop_create_task(loop, &coro, NULL, &task);
 *     tl_loop_run_until_complete(loop, tl_task_future(task), &value);
 *
 * A task is a future: the same object with the same count, seen through tl_task_future, whose
 * result is what the coroutine returned. Whatever takes a future takes a task (run_until_complete,
 * tl_gather, tl_wait_for, tl_shield, tl_future_detach), and tl_await takes whatever is a future
 * (tl_await(tl_sleep(loop, TL_SECOND), NULL)). What a future can do a task can, but nobody else can
 * finish it: tl_future_set_result and tl_future_set_exception say TL_ESTATE.
 *
 * Nothing runs inside the call that caused it. A task's first step, and each step after a wait, is
 * queued as tl_loop_call_soon does, so tasks begin in the order in which they were made.
 *
 * Ownership. The loop holds a task until it is done; the program needs a reference only if it wants
 * the outcome. When the last reference of a failed task goes and nobody fetched its error, the
 * exception handler hears "Task exception was never retrieved". When a loop is closed under a task
 * that is not done, the task never will be: its stack is given back there and then, its coroutine
 * disposed of, and with its last reference the handler hears "Task was destroyed but it is
 * pending!".
 *
 * Memory. Nothing unwinds a stack in C: when a task is left in the middle, what only its local
 * variables knew is lost, be it memory, descriptors or references (the future that it waits for
 * excepted). So end tasks before the loop: tl_loop_cancel_tasks, and run it until they are done.
 * What must be given back whatever happens belongs into what arg refers to, for dispose is called
 * in every case.
 *
 * Stacks are 64 KiB (256 KiB under AddressSanitizer) unless tl_loop_set_task_stack_size says
 * otherwise, and kept by the loop for the next task. A suspended task that did little costs one
 * page of its stack and about half a kilobyte. Below each stack lies a guard of 64 KiB which no
 * access survives: a task that outgrows its stack ends the program by SIGSEGV at the very
 * instruction, as any stack overflow does, and tl_report_stack_overflows makes it say which task it
 * was. Where Linux is older than 6.13 that holds for the first 16,000 stacks of a loop, for each
 * costs two of the process's mappings. Stacks beyond those are looked at after each step: one that
 * was outgrown is reported to the exception handler as "Task outgrew its stack", and the task goes
 * on.
 *
 * errno, and the floating-point modes that fesetround and feenableexcept set, are each task's own.
 */
#ifndef TWINLOOP_TASK_H
#define TWINLOOP_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <twinloop/future.h>
#include <twinloop/value.h>

/* A coroutine, copied by whoever is given one. run returns 0, with the result in *ret if there is
 * one, or a negative error, by which the task fails; -ECANCELED means that it was cancelled.
 * dispose, which may be NULL, is called exactly once when run will not be called or has returned:
 * on the loop's thread, outside the task. */
typedef struct tl_coro {
    int (*run)(void *arg, tl_value *ret);
    void *arg;
    void (*dispose)(void *arg);
} tl_coro;

typedef struct tl_task tl_task;

/* --- Making tasks --- */

/* Row loop.create_task. Takes the coroutine, also when it fails: then it is disposed of before the
 * call returns. name is copied; NULL stands for "Task-1", "Task-2", and so on in this loop. ret may
 * be NULL. 0, TL_ECLOSED, -EINVAL, -ENOMEM, or what the task factory said. */
int tl_loop_create_task(tl_loop *loop, const tl_coro *coro, const char *name, tl_task **ret);

/* Makes the task: takes the coroutine, whatever it returns, and stores the caller's reference. */
typedef int (*tl_task_factory)(tl_loop *loop, const tl_coro *coro, void *arg, tl_task **ret);

/* Row loop.set_task_factory. From now on create_task has its tasks made by factory(..., arg, ...)
 * and names them afterwards. NULL restores the default, which is tl_task_new. 0 or -EINVAL. */
int tl_loop_set_task_factory(tl_loop *loop, tl_task_factory factory, void *arg);

/* Row loop.get_task_factory. The factory that was set, with its arg if ret_arg is not NULL; NULL
 * when the default is in force. */
tl_task_factory tl_loop_get_task_factory(const tl_loop *loop, void **ret_arg);

/* The default factory, for others to build on: a task with a default name, its first step queued.
 * As tl_loop_create_task. */
int tl_task_new(tl_loop *loop, const tl_coro *coro, tl_task **ret);

/* For factories that refuse: disposes of a coroutine that will not run. */
static inline void tl_coro_dispose(const tl_coro *coro)
{
    if (coro->dispose != NULL)
        coro->dispose(coro->arg);
}

/* How much stack the loop's tasks get, in bytes, rounded up to 64 KiB. 0; TL_ESTATE once a task of
 * the loop has run; -EINVAL below 16 KiB or above 1 GiB. */
int tl_loop_set_task_stack_size(tl_loop *loop, size_t size);

/* --- Waiting --- */

/* Suspends the running task until the future is done. Takes the future, whatever it returns. 0 with
 * the result moved into *ret (NULL drops it); the future's error; -ECANCELED when the future or the
 * task was cancelled. A future that is done is answered at once, without a turn of the loop.
 *
 * TL_ENOTASK outside a task, in a plain callback say; -EINVAL for NULL or a future of another loop;
 * -EDEADLK when a task waits for itself. */
int tl_await(tl_future *future, tl_value *ret);

/* All that is known about the error that the running task's last tl_await returned, if it was a
 * future's; else NULL. Valid until its next tl_await. A coroutine that returns the same code fails
 * with this error, its sentence and causes included. */
const tl_error *tl_await_error(void);

/* --- Tasks --- */

tl_task *tl_task_ref(tl_task *task);
void tl_task_unref(tl_task *task); /* NULL is allowed */

/* The task as a future: the same object, no reference of its own. NULL for NULL. */
tl_future *tl_task_future(tl_task *task);

/* The other way round; NULL when the future is no task. */
tl_task *tl_future_task(tl_future *future);

/* As tl_await of the task: takes the reference. */
static inline int tl_await_task(tl_task *task, tl_value *ret)
{
    return tl_await(tl_task_future(task), ret);
}

/* The task that is running on this thread, borrowed; NULL outside of one. */
tl_task *tl_task_current(void);

/* The name, valid until it is set again. set_name copies: 0, -EINVAL, -ENOMEM. */
const char *tl_task_get_name(tl_task *task);
int tl_task_set_name(tl_task *task, const char *name);

/* Asks the task to end: whatever it waits for is cancelled, and its tl_await returns -ECANCELED; if
 * it does not wait, its next tl_await that would wait does. A task that has not begun never does.
 * The task may go on all the same, and may be asked again. Tasks that wait for each other in a
 * circle are released by it. False when the task is done or its loop is closed. */
bool tl_task_cancel(tl_task *task);

/* How many requests to cancel there were, less those taken back. uncancel takes one back, which
 * changes nothing but the count, and returns what is left. */
unsigned tl_task_cancelling(const tl_task *task);
unsigned tl_task_uncancel(tl_task *task);

/* Cancels every task of the loop but the one that is running; how many there were. For the end of a
 * program: call it, then run the loop until they are done. */
size_t tl_loop_cancel_tasks(tl_loop *loop);

/* Opt-in, for a program as a whole and for this thread: from now on a task that outgrows its stack
 * is named on standard error before the signal takes its course. Installs a handler of SIGSEGV and
 * SIGBUS in front of what is there, and a stack for it to run on, unless this thread has one.
 * To be called on each thread that runs a loop. 0 or a negative error. */
int tl_report_stack_overflows(void);

#endif
