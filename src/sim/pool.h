/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pool of objects of one size: memory comes in slabs and is given back all at once.
 *
 * What is given back is handed out again first, so in a steady state nothing is allocated. Objects
 * are not initialised. The address sanitizer finds who uses one that was given back.
 */
#ifndef TL_SIM_POOL_H
#define TL_SIM_POOL_H

#include <stddef.h>
#include <twinloop/alloc.h>
#include "core/poison.h"

struct tl_pool_slab;

struct tl_pool {
    const tl_allocator *allocator;
    size_t object_size; /* a multiple of 16 */
    size_t slab_count;  /* objects in a slab */
    struct tl_pool_slab *slabs;
    void *free; /* each begins with the address of the next */
};

void tl_pool_init(struct tl_pool *pool, const tl_allocator *allocator, size_t object_size,
                  size_t slab_count);

/* Gives every slab back, also under objects in use. */
void tl_pool_finish(struct tl_pool *pool);

/* Adds a slab to an empty pool and hands out its first object; NULL when memory is out. */
void *tl_pool_grow(struct tl_pool *pool);

static inline void *tl_pool_get(struct tl_pool *pool)
{
    void *object = pool->free;
    if (object == NULL)
        return tl_pool_grow(pool);
    TL_UNPOISON(object, pool->object_size);
    pool->free = *(void **)object;
    return object;
}

static inline void tl_pool_put(struct tl_pool *pool, void *object)
{
    *(void **)object = pool->free;
    pool->free = object;
    TL_POISON(object, pool->object_size);
}

#endif
