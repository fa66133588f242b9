/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking tasks to end.
 *
 * A task that waits for a task passes the request on, and so does that one, down to the one that
 * waits for something else or runs. The way down is walked, not called, for chains of tasks are
 * longer than stacks are deep.
 */
#include <errno.h>

#include "core/self.h"
#include "core/task.h"

/* The task to which a request to end this one goes on at once; or NULL. */
static tl_task *next(const tl_task *task)
{
    tl_task *inner = tl_future_task(task->awaiting);
    return inner != NULL && !tl_future_done(&inner->future) ? inner : NULL;
}

/* Whether tasks wait for each other in a circle, down from here. One of the two that walk is twice
 * as fast: in a circle it comes from behind. */
static bool goes_round(const tl_task *task)
{
    const tl_task *slow = task, *fast = task;
    for (;;) {
        fast = next(fast);
        if (fast == NULL)
            return false;
        fast = next(fast);
        if (fast == NULL)
            return false;
        slow = next(slow);
        if (slow == fast)
            return true;
    }
}

/* Nobody else will ever wake it. */
static void release(tl_task *task)
{
    task->must_cancel = true;
    tl_task_stop_waiting(task);
    tl_loop_queue(task->future.loop, &task->ready);
}

bool tl_task_cancel(tl_task *task)
{
    if (task == NULL || tl_future_done(&task->future) || !tl_loop_open(task->future.loop))
        return false;
    if (goes_round(task)) {
        task->cancelling++;
        release(task);
        return true;
    }
    task->cancelling++;
    for (tl_task *inner = next(task); inner != NULL; inner = next(task)) {
        task = inner;
        task->cancelling++;
    }
    /* asyncio: what does not let itself be cancelled leaves the request for the next step. */
    if (task->awaiting == NULL || !tl_future_cancel(task->awaiting))
        task->must_cancel = true;
    return true;
}

unsigned tl_task_cancelling(const tl_task *task)
{
    return task->cancelling;
}

unsigned tl_task_uncancel(tl_task *task)
{
    if (task->cancelling > 0)
        task->cancelling--;
    return task->cancelling;
}

/* --- All of a loop's -------------------------------------------------------------------------- */

static void cursor_abandon(struct tl_live *live)
{
    tl_live_remove(live);
}

static void place_after(struct tl_live *cursor, struct tl_live *live)
{
    tl_live_remove(cursor);
    cursor->prev = live;
    cursor->next = live->next;
    cursor->next->prev = cursor;
    live->next = cursor;
}

size_t tl_loop_cancel_tasks(tl_loop *loop)
{
    size_t count = 0;
    if (loop == NULL || !tl_loop_open(loop))
        return 0;
    /* Cancelling may take anything out of the list; a place of our own stays. */
    struct tl_live cursor = {.abandon = cursor_abandon};
    for (struct tl_live *live = loop->live.next; live != &loop->live; live = cursor.next) {
        tl_task *task = tl_task_of_live(live);
        place_after(&cursor, live);
        if (task != NULL && task != tl_task_current() && tl_task_cancel(task))
            count++;
    }
    tl_live_remove(&cursor);
    return count;
}
