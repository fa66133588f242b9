/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fiber's record, and what debugging tools are told of it.
 *
 * The record lies at the top of the fiber's stack, in the page that the first frames use anyway, so
 * a suspended fiber that does little costs one page. The record stays when the stack goes back to
 * its pool. Known to fiber.c and fiber_pool.c, and to tasks, which switch often.
 *
 * Debugging tools follow a program by its stack and have to be told of every switch: the functions
 * here do that, and nothing at all in a build without such tools.
 */
#ifndef TL_CORE_FIBER_RECORD_H
#define TL_CORE_FIBER_RECORD_H

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/fiber.h"
#include "core/fiber_switch.h"

#if defined(__SANITIZE_ADDRESS__)
#define TOLD_ADDRESS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TOLD_ADDRESS 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define TOLD_THREAD 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TOLD_THREAD 1
#endif
#endif
#if defined(__has_include) && !defined(NVALGRIND)
#if __has_include(<valgrind/valgrind.h>)
#define TOLD_VALGRIND 1
#endif
#endif

#ifdef TOLD_ADDRESS
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif
#ifdef TOLD_THREAD
#include <sanitizer/tsan_interface.h>
#endif
#ifdef TOLD_VALGRIND
#include <valgrind/valgrind.h> /* check: allowed, optional: the build does without it */
#endif

struct tl_fiber {
    struct tl_fiber_place own;    /* where it stopped, while it does not run */
    struct tl_fiber_place caller; /* where who resumed it waits, while it runs */
    bool finished;
    bool watched; /* nothing faults below its stack: what lies there is looked at instead */
    bool used;    /* between tl_fiber_new and tl_fiber_free */
    struct tl_fiber_pool *pool;
    struct tl_fiber *next_free;
    char *stack; /* the lowest usable byte */
    size_t stack_size;
    void (*entry)(void *arg);
    void *arg;
#ifdef TOLD_ADDRESS
    void *fake_stack; /* what the sanitizer keeps of it while it does not run */
    void *caller_fake_stack;
    const void *caller_stack;
    size_t caller_stack_size;
#endif
#ifdef TOLD_THREAD
    void *tsan_fiber;
    void *tsan_caller;
#endif
#ifdef TOLD_VALGRIND
    unsigned valgrind_id;
#endif
};

static inline void tell_created(struct tl_fiber *fiber)
{
#ifdef TOLD_ADDRESS
    /* What an abandoned fiber's functions poisoned is nobody's any more. */
    __asan_unpoison_memory_region(fiber->stack, fiber->stack_size);
    __lsan_register_root_region(fiber->stack, fiber->stack_size);
    fiber->fake_stack = NULL;
#endif
#ifdef TOLD_THREAD
    fiber->tsan_fiber = __tsan_create_fiber(0);
#endif
#ifdef TOLD_VALGRIND
    fiber->valgrind_id = VALGRIND_STACK_REGISTER(fiber->stack, fiber->stack + fiber->stack_size);
#endif
    (void)fiber;
}

static inline void tell_gone(struct tl_fiber *fiber)
{
#ifdef TOLD_ADDRESS
    __lsan_unregister_root_region(fiber->stack, fiber->stack_size);
    __asan_unpoison_memory_region(fiber->stack, fiber->stack_size);
#endif
#ifdef TOLD_THREAD
    __tsan_destroy_fiber(fiber->tsan_fiber);
#endif
#ifdef TOLD_VALGRIND
    VALGRIND_STACK_DEREGISTER(fiber->valgrind_id);
#endif
    (void)fiber;
}

/* On the caller's stack, around a switch into the fiber. */
static inline void tell_entering(struct tl_fiber *fiber)
{
#ifdef TOLD_ADDRESS
    __sanitizer_start_switch_fiber(&fiber->caller_fake_stack, fiber->stack, fiber->stack_size);
#endif
#ifdef TOLD_THREAD
    fiber->tsan_caller = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(fiber->tsan_fiber, 0);
#endif
    (void)fiber;
}

static inline void tell_back(struct tl_fiber *fiber)
{
#ifdef TOLD_ADDRESS
    __sanitizer_finish_switch_fiber(fiber->caller_fake_stack, NULL, NULL);
#endif
    (void)fiber;
}

/* On the fiber's stack, around a switch out of it. */
static inline void tell_leaving(struct tl_fiber *fiber)
{
#ifdef TOLD_ADDRESS
    __sanitizer_start_switch_fiber(fiber->finished ? NULL : &fiber->fake_stack, fiber->caller_stack,
                                   fiber->caller_stack_size);
#endif
#ifdef TOLD_THREAD
    __tsan_switch_to_fiber(fiber->tsan_caller, 0);
#endif
    (void)fiber;
}

static inline void tell_entered(struct tl_fiber *fiber)
{
#ifdef TOLD_ADDRESS
    __sanitizer_finish_switch_fiber(fiber->fake_stack, &fiber->caller_stack,
                                    &fiber->caller_stack_size);
#endif
    (void)fiber;
}

/* tl_fiber_resume and tl_fiber_suspend, for who calls them all the time. errno is the
 * operating-system thread's, so it is kept over a switch by hand. */
static inline void tl_fiber_enter(struct tl_fiber *fiber)
{
    assert(!fiber->finished);
    int saved = errno;
    tell_entering(fiber);
    tl_fiber_switch(&fiber->caller, &fiber->own);
    tell_back(fiber);
    errno = saved;
}

static inline void tl_fiber_leave(struct tl_fiber *fiber)
{
    int saved = errno;
    tell_leaving(fiber);
    tl_fiber_switch(&fiber->own, &fiber->caller);
    tell_entered(fiber);
    errno = saved;
}

/* For fiber.c, from fiber_pool.c: a stack with its record, or NULL when memory is out; and back. */
struct tl_fiber *tl_fiber_pool_take(struct tl_fiber_pool *pool);
void tl_fiber_pool_give(struct tl_fiber *fiber);

#endif
