/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fibers: a function on a stack of its own that can be left and entered again.
 *
 * The bare mechanism, without an opinion on scheduling: simulated processes and tasks run on it.
 * Stacks come from mmap, with a guard below each, and are kept for reuse by a pool that the owner
 * passes in. Sanitizers are told of every switch, and LeakSanitizer of suspended stacks as roots.
 */
#ifndef TL_CORE_FIBER_H
#define TL_CORE_FIBER_H

#include <stdbool.h>
#include <stddef.h>

struct tl_fiber;
struct tl_fiber_pool;

/* How a stack's overflow is found. */
enum tl_fiber_guard {
    TL_FIBER_GUARD_INSTALLED, /* it faults; the mapping stays whole */
    TL_FIBER_GUARD_PROTECTED, /* it faults; for the first 16,000 stacks of a pool */
    TL_FIBER_GUARD_WATCHED,   /* tl_fiber_overflowed sees it */
};

/* A pool of stacks of so many bytes, rounded up to 64 KiB; a few hundred are the library's. Each
 * gets the best guard that the system has to give. NULL when memory is out. */
struct tl_fiber_pool *tl_fiber_pool_new(size_t stack_size);

/* The same with no better guard than this. */
struct tl_fiber_pool *tl_fiber_pool_new_guarded(size_t stack_size, enum tl_fiber_guard guard);

/* Its fibers go with it, wherever they are: none may be running. NULL is allowed. */
void tl_fiber_pool_free(struct tl_fiber_pool *pool);

/* Enough for most functions: 64 KiB, or 256 KiB where AddressSanitizer makes frames larger. */
size_t tl_fiber_default_stack_size(void);

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

/* Whether it has grown out of its stack, without a guard that stopped it, since the last call.
 * Asked after each time that it was resumed; one branch where there is a guard. */
bool tl_fiber_overflowed(struct tl_fiber *fiber);

/* Whether this address is in the fiber's guard. May be called in a signal handler. */
bool tl_fiber_guards(const struct tl_fiber *fiber, const void *address);

#endif
