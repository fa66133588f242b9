/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stackful coroutines: a function on a stack of its own that can be left and entered again.
 *
 * The bare mechanism, without an opinion on scheduling: simulated processes run on it, and tasks
 * will. Stacks come from mmap with a guard page below and are kept for reuse by a pool that the
 * owner passes in. Sanitizers are told of every switch, and LeakSanitizer of suspended stacks as
 * roots.
 */
#ifndef TL_CORE_CORO_H
#define TL_CORE_CORO_H

#include <stdbool.h>
#include <stddef.h>

struct tl_coro;

/* The stack that a coroutine was entered from, and pools of stacks. */
struct tl_coro_pool;

struct tl_coro_pool *tl_coro_pool_new(size_t stack_size); /* NULL when memory is out */
void tl_coro_pool_free(
    struct tl_coro_pool *pool); /* its coroutines must be gone; NULL is allowed */

/* A coroutine that will run entry(arg) when first resumed. NULL when memory is out. */
struct tl_coro *tl_coro_new(struct tl_coro_pool *pool, void (*entry)(void *arg), void *arg);

/* Runs it until it suspends or its entry returns; called on any other stack of the thread. */
void tl_coro_resume(struct tl_coro *coro);

/* Goes back to who resumed the running coroutine; returns when it is resumed again. */
void tl_coro_suspend(struct tl_coro *coro);

/* Whether entry has returned. */
bool tl_coro_finished(const struct tl_coro *coro);

/* Gives its stack back; a coroutine that is suspended is simply abandoned. Not from itself. NULL is
 * allowed. */
void tl_coro_free(struct tl_coro *coro);

#endif
