/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stacks: where they come from, and what keeps one from growing into the next.
 *
 * A pool maps slabs with room for many stacks and carves one off when none is free, so memory is
 * touched only for as many as were in use at once. What was given back last is taken first.
 *
 * Below each stack lies a guard. Where the system has guards that do not split a mapping (Linux
 * 6.13) there are as many as stacks; else each costs two of the process's mappings, of which there
 * are 65,530, so only the first stacks of a pool get one. The rest have the same distance to the
 * next stack, left empty, and who resumes them asks tl_fiber_overflowed whether it still is.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "core/alloc.h"
#include "core/fiber_record.h"

enum {
    GUARD_SIZE = 4096 * 16, /* a multiple of every processor's page size */
    SLAB_STACKS_MIN = 4,
    SLAB_STACKS_MAX = 1024,
    PROTECTED_MAX = 16000,
    CANARY_SIZE = 256,           /* what is looked at below a stack without a guard */
    MADVISE_GUARD_INSTALL = 102, /* Linux 6.13; older headers do not name it */
};

struct slab {
    struct slab *next; /* the one before */
    char *memory;
    size_t size;
    size_t stacks; /* how many it has room for */
    size_t carved;
};

struct tl_fiber_pool {
    tl_allocator allocator;
    enum tl_fiber_guard guard; /* what the next stack gets */
    size_t stack_size;         /* the record at the top included */
    size_t slab_stacks;        /* how many stacks the next slab has room for */
    size_t protected;
    struct slab *slabs; /* the last one first */
    struct tl_fiber *free;
};

static size_t round_up(size_t size, size_t unit)
{
    return (size + unit - 1) / unit * unit;
}

/* --- Pools ------------------------------------------------------------------------------------ */

struct tl_fiber_pool *tl_fiber_pool_new_guarded(size_t stack_size, enum tl_fiber_guard guard)
{
    struct tl_fiber_pool *pool = tl_calloc(sizeof *pool);
    if (pool == NULL)
        return NULL;
    pool->allocator = *tl_get_allocator();
    pool->guard = guard;
    pool->stack_size = round_up(stack_size, GUARD_SIZE);
    pool->slab_stacks = SLAB_STACKS_MIN;
    return pool;
}

struct tl_fiber_pool *tl_fiber_pool_new(size_t stack_size)
{
    return tl_fiber_pool_new_guarded(stack_size, TL_FIBER_GUARD_INSTALLED);
}

size_t tl_fiber_default_stack_size(void)
{
#ifdef TOLD_ADDRESS
    return 256 << 10;
#else
    return 64 << 10;
#endif
}

static char *place_of(const struct tl_fiber_pool *pool, const struct slab *slab, size_t i)
{
    return slab->memory + i * (GUARD_SIZE + pool->stack_size);
}

static struct tl_fiber *record_at(const struct tl_fiber_pool *pool, char *place)
{
    uintptr_t top = (uintptr_t)place + GUARD_SIZE + pool->stack_size;
    return (struct tl_fiber *)((top - sizeof(struct tl_fiber)) & ~(uintptr_t)63);
}

static void slab_free(struct tl_fiber_pool *pool, struct slab *slab)
{
    for (size_t i = 0; i < slab->carved; i++) {
        struct tl_fiber *fiber = record_at(pool, place_of(pool, slab, i));
        if (fiber->used)
            tell_gone(fiber);
    }
    munmap(slab->memory, slab->size);
    tl_allocator_free(&pool->allocator, slab);
}

void tl_fiber_pool_free(struct tl_fiber_pool *pool)
{
    if (pool == NULL)
        return;
    struct slab *next;
    for (struct slab *slab = pool->slabs; slab != NULL; slab = next) {
        next = slab->next;
        slab_free(pool, slab);
    }
    tl_allocator allocator = pool->allocator;
    tl_allocator_free(&allocator, pool);
}

/* --- Carving ---------------------------------------------------------------------------------- */

/* Maps a slab, larger than the one before up to a limit. */
static struct slab *add_slab(struct tl_fiber_pool *pool)
{
    struct slab *slab = tl_allocator_calloc(&pool->allocator, sizeof *slab);
    if (slab == NULL)
        return NULL;
    slab->stacks = pool->slab_stacks;
    slab->size = (GUARD_SIZE + pool->stack_size) * slab->stacks;
    slab->memory = mmap(NULL, slab->size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (slab->memory == MAP_FAILED) {
        tl_allocator_free(&pool->allocator, slab);
        return NULL;
    }
    /* Without it a touched page may become a huge one, of which every stack then has its share. */
    (void)madvise(slab->memory, slab->size, MADV_NOHUGEPAGE);
    slab->next = pool->slabs;
    pool->slabs = slab;
    if (pool->slab_stacks < SLAB_STACKS_MAX)
        pool->slab_stacks *= 2;
    return slab;
}

/* Whether touching the memory faults from now on. */
static bool set_guard(struct tl_fiber_pool *pool, char *memory)
{
    if (pool->guard == TL_FIBER_GUARD_INSTALLED) {
        if (madvise(memory, GUARD_SIZE, MADVISE_GUARD_INSTALL) == 0)
            return true;
        pool->guard = TL_FIBER_GUARD_PROTECTED;
    }
    if (pool->guard == TL_FIBER_GUARD_PROTECTED) {
        if (pool->protected < PROTECTED_MAX && mprotect(memory, GUARD_SIZE, PROT_NONE) == 0) {
            pool->protected ++;
            return true;
        }
        pool->guard = TL_FIBER_GUARD_WATCHED;
    }
    return false;
}

static struct tl_fiber *carve(struct tl_fiber_pool *pool)
{
    struct slab *slab = pool->slabs;
    if (slab == NULL || slab->carved == slab->stacks)
        slab = add_slab(pool);
    if (slab == NULL)
        return NULL;
    char *place = place_of(pool, slab, slab->carved++);
    struct tl_fiber *fiber = record_at(pool, place);
    fiber->pool = pool;
    fiber->stack = place + GUARD_SIZE;
    fiber->stack_size = (size_t)((char *)fiber - fiber->stack);
    fiber->watched = !set_guard(pool, place);
    return fiber;
}

struct tl_fiber *tl_fiber_pool_take(struct tl_fiber_pool *pool)
{
    struct tl_fiber *fiber = pool->free;
    if (fiber != NULL)
        pool->free = fiber->next_free;
    else
        fiber = carve(pool);
    if (fiber != NULL)
        fiber->used = true;
    return fiber;
}

void tl_fiber_pool_give(struct tl_fiber *fiber)
{
    struct tl_fiber_pool *pool = fiber->pool;
    fiber->used = false;
    fiber->next_free = pool->free;
    pool->free = fiber;
}

/* --- Overflows -------------------------------------------------------------------------------- */

bool tl_fiber_guards(const struct tl_fiber *fiber, const void *address)
{
    const char *at = address;
    return !fiber->watched && at >= fiber->stack - GUARD_SIZE && at < fiber->stack;
}

bool tl_fiber_overflowed(struct tl_fiber *fiber)
{
    if (!fiber->watched)
        return false;
    char *canary = fiber->stack - CANARY_SIZE;
    size_t i = 0;
    while (i < CANARY_SIZE && canary[i] == 0)
        i++;
    if (i == CANARY_SIZE)
        return false;
    memset(canary, 0, CANARY_SIZE);
    return true;
}
