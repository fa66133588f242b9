/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fibers: a function on a stack of its own that can be left and entered again.
 *
 * The bare mechanism, without an opinion on scheduling: simulated processes run on it, and tasks
 * will. Stacks come from mmap with a guard page below and are kept for reuse by a pool that the
 * owner passes in. Sanitizers are told of every switch, and LeakSanitizer of suspended stacks as
 * roots.
 */
#ifndef TL_CORE_FIBER_H
#define TL_CORE_FIBER_H

#include <stdbool.h>
#include <stddef.h>

struct tl_fiber;

/* The stack that a fiber was entered from, and pools of stacks. */
struct tl_fiber_pool;

struct tl_fiber_pool *tl_fiber_pool_new(size_t stack_size); /* NULL when memory is out */
void tl_fiber_pool_free(struct tl_fiber_pool *pool); /* its fibers must be gone; NULL is allowed */

/* A fiber that will run entry(arg) when first resumed. NULL when memory is out. */
struct tl_fiber *tl_fiber_new(struct tl_fiber_pool *pool, void (*entry)(void *arg), void *arg);

/* Runs it until it suspends or its entry returns; called on any other stack of the thread. */
void tl_fiber_resume(struct tl_fiber *fiber);

/* Goes back to who resumed the running fiber; returns when it is resumed again. */
void tl_fiber_suspend(struct tl_fiber *fiber);

/* Whether entry has returned. */
bool tl_fiber_finished(const struct tl_fiber *fiber);

/* Gives its stack back; a fiber that is suspended is simply abandoned. Not from itself. NULL is
 * allowed. */
void tl_fiber_free(struct tl_fiber *fiber);

#endif
