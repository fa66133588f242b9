/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fibers: who runs on which stack, and where stacks come from.
 *
 * A pool maps slabs of equal stacks and keeps the stacks that are not in use in a list, last given
 * back first. The lowest page of each is a guard: touching it faults, so an overflow is found where
 * it happens. Guards are installed without splitting the mapping where the system can do that, else
 * by protection. The fiber's own record lies at the top of its stack, so making one allocates
 * nothing as long as the pool has a stack left.
 *
 * Debugging tools follow a program by its stack and have to be told of every switch: the functions
 * between the two rulers do that, and nothing at all in a build without such tools.
 */
#include "core/fiber.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>

#include "core/alloc.h"
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

enum {
    GUARD_SIZE = 4096 * 16, /* a multiple of every processor's page size */
    SLAB_STACKS_MAX = 16,
    MADVISE_GUARD_INSTALL = 102, /* Linux 6.13; older headers do not name it */
};

struct tl_fiber {
    struct tl_fiber_place own;    /* where it stopped, while it does not run */
    struct tl_fiber_place caller; /* where who resumed it waits, while it runs */
    struct tl_fiber_pool *pool;
    struct tl_fiber *next_free;
    char *stack; /* the lowest usable byte */
    size_t stack_size;
    void (*entry)(void *arg);
    void *arg;
    bool finished;
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

struct slab {
    struct slab *next;
    char *memory;
    size_t size;
};

struct tl_fiber_pool {
    tl_allocator allocator;
    size_t stack_size;  /* usable bytes, the record at the top included */
    size_t slab_stacks; /* how many stacks the next slab has */
    struct slab *slabs;
    struct tl_fiber *free;
};

/* --- What tools are told ---------------------------------------------------------------------- */

static void tell_created(struct tl_fiber *fiber)
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

static void tell_gone(struct tl_fiber *fiber)
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

/* --- Stacks ----------------------------------------------------------------------------------- */

static size_t round_up(size_t size, size_t unit)
{
    return (size + unit - 1) / unit * unit;
}

struct tl_fiber_pool *tl_fiber_pool_new(size_t stack_size)
{
    struct tl_fiber_pool *pool = tl_calloc(sizeof *pool);
    if (pool == NULL)
        return NULL;
    pool->allocator = *tl_get_allocator();
    pool->stack_size = round_up(stack_size + sizeof(struct tl_fiber), GUARD_SIZE);
    pool->slab_stacks = 1;
    return pool;
}

void tl_fiber_pool_free(struct tl_fiber_pool *pool)
{
    if (pool == NULL)
        return;
    struct slab *next;
    for (struct slab *slab = pool->slabs; slab != NULL; slab = next) {
        next = slab->next;
        munmap(slab->memory, slab->size);
        tl_allocator_free(&pool->allocator, slab);
    }
    tl_allocator allocator = pool->allocator;
    tl_allocator_free(&allocator, pool);
}

static int guard(char *memory)
{
    if (madvise(memory, GUARD_SIZE, MADVISE_GUARD_INSTALL) == 0)
        return 0;
    return mprotect(memory, GUARD_SIZE, PROT_NONE) == 0 ? 0 : -ENOMEM;
}

static void add_stack(struct tl_fiber_pool *pool, char *stack)
{
    struct tl_fiber *fiber = (struct tl_fiber *)(stack + pool->stack_size) - 1;
    fiber = (struct tl_fiber *)((uintptr_t)fiber & ~(uintptr_t)15);
    fiber->pool = pool;
    fiber->stack = stack;
    fiber->stack_size = (size_t)((char *)fiber - stack);
    fiber->next_free = pool->free;
    pool->free = fiber;
}

/* Maps a slab, larger than the one before up to a limit. */
static int add_slab(struct tl_fiber_pool *pool)
{
    size_t place = GUARD_SIZE + pool->stack_size;
    struct slab *slab = tl_allocator_alloc(&pool->allocator, sizeof *slab);
    if (slab == NULL)
        return -ENOMEM;
    slab->size = place * pool->slab_stacks;
    slab->memory = mmap(NULL, slab->size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (slab->memory == MAP_FAILED)
        goto fail_map;
    for (size_t i = 0; i < pool->slab_stacks; i++)
        if (guard(slab->memory + i * place) < 0)
            goto fail_guard;
    for (size_t i = pool->slab_stacks; i-- > 0;)
        add_stack(pool, slab->memory + i * place + GUARD_SIZE);
    slab->next = pool->slabs;
    pool->slabs = slab;
    if (pool->slab_stacks < SLAB_STACKS_MAX)
        pool->slab_stacks *= 2;
    return 0;

fail_guard:
    munmap(slab->memory, slab->size);
fail_map:
    tl_allocator_free(&pool->allocator, slab);
    return -ENOMEM;
}

/* --- Fibers ------------------------------------------------------------------------------- */

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
    if (pool->free == NULL && add_slab(pool) < 0)
        return NULL;
    struct tl_fiber *fiber = pool->free;
    pool->free = fiber->next_free;
    fiber->next_free = NULL;
    fiber->entry = entry;
    fiber->arg = arg;
    fiber->finished = false;
    tell_created(fiber);
    tl_fiber_prepare(&fiber->own, fiber->stack, fiber->stack_size, run, fiber);
    return fiber;
}

void tl_fiber_resume(struct tl_fiber *fiber)
{
    assert(!fiber->finished);
    int saved = errno;
    tell_entering(fiber);
    tl_fiber_switch(&fiber->caller, &fiber->own);
    tell_back(fiber);
    errno = saved;
}

void tl_fiber_suspend(struct tl_fiber *fiber)
{
    int saved = errno;
    tell_leaving(fiber);
    tl_fiber_switch(&fiber->own, &fiber->caller);
    tell_entered(fiber);
    errno = saved;
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
    fiber->next_free = fiber->pool->free;
    fiber->pool->free = fiber;
}
