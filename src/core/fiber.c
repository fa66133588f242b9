/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fibers: who runs on which stack. Stacks come from fiber_pool.c, the switch itself from
 * fiber_switch.h.
 */
#include "core/fiber_record.h"

/* The first function on a new stack. */
static void run(void *arg)
{
    struct tl_fiber *fiber = arg;
    tell_entered(fiber);
    fiber->entry(fiber->arg);
    fiber->finished = true;
    tell_leaving(fiber);
    tl_fiber_switch(&fiber->own, &fiber->caller);
    assert(false && "a finished fiber is not resumed");
}

struct tl_fiber *tl_fiber_new(struct tl_fiber_pool *pool, void (*entry)(void *arg), void *arg)
{
    struct tl_fiber *fiber = tl_fiber_pool_take(pool);
    if (fiber == NULL)
        return NULL;
    fiber->entry = entry;
    fiber->arg = arg;
    fiber->finished = false;
    tell_created(fiber);
    tl_fiber_prepare(&fiber->own, fiber->stack, fiber->stack_size, run, fiber);
    return fiber;
}

void tl_fiber_resume(struct tl_fiber *fiber)
{
    tl_fiber_enter(fiber);
}

void tl_fiber_suspend(struct tl_fiber *fiber)
{
    tl_fiber_leave(fiber);
}

bool tl_fiber_finished(const struct tl_fiber *fiber)
{
    return fiber->finished;
}

void tl_fiber_free(struct tl_fiber *fiber)
{
    if (fiber == NULL)
        return;
    tell_gone(fiber);
    tl_fiber_pool_give(fiber);
}
