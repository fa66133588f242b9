/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stacks of a loop's tasks.
 *
 * Each loop has a pool, made when its first task begins and freed with the loop, which every task
 * holds. A simulated process that is killed frees nothing itself, and stacks are not in its
 * allocator's blocks; so the process's context has a list of them.
 */
#include <errno.h>

#include "core/self.h"
#include "core/task.h"

enum { SMALLEST = 16 << 10, LARGEST = 1 << 30 };

int tl_loop_set_task_stack_size(tl_loop *loop, size_t size)
{
    if (loop == NULL || size < SMALLEST || size > LARGEST)
        return -EINVAL;
    if (loop->task_stacks.pool != NULL)
        return TL_ESTATE;
    loop->task_stack_size = size;
    return 0;
}

static struct tl_fiber_pool *make_pool(tl_loop *loop)
{
    struct tl_task_stacks *stacks = &loop->task_stacks;
    struct tl_context *context = tl_thread_self()->context;
    size_t size = loop->task_stack_size;
    stacks->pool = tl_fiber_pool_new(size != 0 ? size : tl_fiber_default_stack_size());
    if (stacks->pool == NULL)
        return NULL;
    context->ops->lock(context);
    stacks->next = context->task_stacks;
    stacks->link = &context->task_stacks;
    if (stacks->next != NULL)
        stacks->next->link = &stacks->next;
    context->task_stacks = stacks;
    context->ops->unlock(context);
    return stacks->pool;
}

struct tl_fiber_pool *tl_task_pool(tl_loop *loop)
{
    struct tl_fiber_pool *pool = loop->task_stacks.pool;
    return pool != NULL ? pool : make_pool(loop);
}

void tl_task_pool_free(tl_loop *loop)
{
    struct tl_task_stacks *stacks = &loop->task_stacks;
    struct tl_context *context = tl_thread_self()->context;
    if (stacks->pool == NULL)
        return;
    context->ops->lock(context);
    *stacks->link = stacks->next;
    if (stacks->next != NULL)
        stacks->next->link = stacks->link;
    context->ops->unlock(context);
    tl_fiber_pool_free(stacks->pool);
    stacks->pool = NULL;
}

void tl_task_pools_drop(struct tl_context *context)
{
    struct tl_task_stacks *next;
    for (struct tl_task_stacks *stacks = context->task_stacks; stacks != NULL; stacks = next) {
        next = stacks->next;
        tl_fiber_pool_free(stacks->pool);
    }
    context->task_stacks = NULL;
}
