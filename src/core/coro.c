/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Coroutines: who runs on which stack, and where stacks come from.
 *
 * A pool maps slabs of equal stacks and keeps the stacks that are not in use in a list, last given
 * back first. The lowest page of each is a guard: touching it faults, so an overflow is found where
 * it happens. Guards are installed without splitting the mapping where the system can do that, else
 * by protection. The coroutine's own record lies at the top of its stack, so making one allocates
 * nothing as long as the pool has a stack left.
 *
 * Debugging tools follow a program by its stack and have to be told of every switch: the functions
 * between the two rulers do that, and nothing at all in a build without such tools.
 */
#include "core/coro.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>

#include "core/alloc.h"
#include "core/coro_switch.h"

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

struct tl_coro {
    struct tl_coro_place own;    /* where it stopped, while it does not run */
    struct tl_coro_place caller; /* where who resumed it waits, while it runs */
    struct tl_coro_pool *pool;
    struct tl_coro *next_free;
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
    void *fiber;
    void *caller_fiber;
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

struct tl_coro_pool {
    tl_allocator allocator;
    size_t stack_size;  /* usable bytes, the record at the top included */
    size_t slab_stacks; /* how many stacks the next slab has */
    struct slab *slabs;
    struct tl_coro *free;
};

/* --- What tools are told ---------------------------------------------------------------------- */

static void tell_created(struct tl_coro *coro)
{
#ifdef TOLD_ADDRESS
    /* What an abandoned coroutine's functions poisoned is nobody's any more. */
    __asan_unpoison_memory_region(coro->stack, coro->stack_size);
    __lsan_register_root_region(coro->stack, coro->stack_size);
    coro->fake_stack = NULL;
#endif
#ifdef TOLD_THREAD
    coro->fiber = __tsan_create_fiber(0);
#endif
#ifdef TOLD_VALGRIND
    coro->valgrind_id = VALGRIND_STACK_REGISTER(coro->stack, coro->stack + coro->stack_size);
#endif
    (void)coro;
}

static void tell_gone(struct tl_coro *coro)
{
#ifdef TOLD_ADDRESS
    __lsan_unregister_root_region(coro->stack, coro->stack_size);
    __asan_unpoison_memory_region(coro->stack, coro->stack_size);
#endif
#ifdef TOLD_THREAD
    __tsan_destroy_fiber(coro->fiber);
#endif
#ifdef TOLD_VALGRIND
    VALGRIND_STACK_DEREGISTER(coro->valgrind_id);
#endif
    (void)coro;
}

/* On the caller's stack, around a switch into the coroutine. */
static inline void tell_entering(struct tl_coro *coro)
{
#ifdef TOLD_ADDRESS
    __sanitizer_start_switch_fiber(&coro->caller_fake_stack, coro->stack, coro->stack_size);
#endif
#ifdef TOLD_THREAD
    coro->caller_fiber = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(coro->fiber, 0);
#endif
    (void)coro;
}

static inline void tell_back(struct tl_coro *coro)
{
#ifdef TOLD_ADDRESS
    __sanitizer_finish_switch_fiber(coro->caller_fake_stack, NULL, NULL);
#endif
    (void)coro;
}

/* On the coroutine's stack, around a switch out of it. */
static inline void tell_leaving(struct tl_coro *coro)
{
#ifdef TOLD_ADDRESS
    __sanitizer_start_switch_fiber(coro->finished ? NULL : &coro->fake_stack, coro->caller_stack,
                                   coro->caller_stack_size);
#endif
#ifdef TOLD_THREAD
    __tsan_switch_to_fiber(coro->caller_fiber, 0);
#endif
    (void)coro;
}

static inline void tell_entered(struct tl_coro *coro)
{
#ifdef TOLD_ADDRESS
    __sanitizer_finish_switch_fiber(coro->fake_stack, &coro->caller_stack,
                                    &coro->caller_stack_size);
#endif
    (void)coro;
}

/* --- Stacks ----------------------------------------------------------------------------------- */

static size_t round_up(size_t size, size_t unit)
{
    return (size + unit - 1) / unit * unit;
}

struct tl_coro_pool *tl_coro_pool_new(size_t stack_size)
{
    struct tl_coro_pool *pool = tl_calloc(sizeof *pool);
    if (pool == NULL)
        return NULL;
    pool->allocator = *tl_get_allocator();
    pool->stack_size = round_up(stack_size + sizeof(struct tl_coro), GUARD_SIZE);
    pool->slab_stacks = 1;
    return pool;
}

void tl_coro_pool_free(struct tl_coro_pool *pool)
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

static void add_stack(struct tl_coro_pool *pool, char *stack)
{
    struct tl_coro *coro = (struct tl_coro *)(stack + pool->stack_size) - 1;
    coro = (struct tl_coro *)((uintptr_t)coro & ~(uintptr_t)15);
    coro->pool = pool;
    coro->stack = stack;
    coro->stack_size = (size_t)((char *)coro - stack);
    coro->next_free = pool->free;
    pool->free = coro;
}

/* Maps a slab, larger than the one before up to a limit. */
static int add_slab(struct tl_coro_pool *pool)
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

/* --- Coroutines ------------------------------------------------------------------------------- */

/* The first function on a new stack. */
static void run(void *arg)
{
    struct tl_coro *coro = arg;
    tell_entered(coro);
    coro->entry(coro->arg);
    coro->finished = true;
    tell_leaving(coro);
    tl_coro_switch(&coro->own, &coro->caller);
    assert(false && "a finished coroutine is not resumed");
}

struct tl_coro *tl_coro_new(struct tl_coro_pool *pool, void (*entry)(void *arg), void *arg)
{
    if (pool->free == NULL && add_slab(pool) < 0)
        return NULL;
    struct tl_coro *coro = pool->free;
    pool->free = coro->next_free;
    coro->next_free = NULL;
    coro->entry = entry;
    coro->arg = arg;
    coro->finished = false;
    tell_created(coro);
    tl_coro_prepare(&coro->own, coro->stack, coro->stack_size, run, coro);
    return coro;
}

void tl_coro_resume(struct tl_coro *coro)
{
    assert(!coro->finished);
    int saved = errno;
    tell_entering(coro);
    tl_coro_switch(&coro->caller, &coro->own);
    tell_back(coro);
    errno = saved;
}

void tl_coro_suspend(struct tl_coro *coro)
{
    int saved = errno;
    tell_leaving(coro);
    tl_coro_switch(&coro->own, &coro->caller);
    tell_entered(coro);
    errno = saved;
}

bool tl_coro_finished(const struct tl_coro *coro)
{
    return coro->finished;
}

void tl_coro_free(struct tl_coro *coro)
{
    if (coro == NULL)
        return;
    tell_gone(coro);
    coro->next_free = coro->pool->free;
    coro->pool->free = coro;
}
