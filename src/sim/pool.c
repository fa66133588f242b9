/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slabs of a pool: a header, then the objects one after the other.
 */
#include "sim/pool.h"

#include "core/alloc.h"

struct tl_pool_slab {
    struct tl_pool_slab *next;
    size_t unused; /* keeps the objects aligned */
};

void tl_pool_init(struct tl_pool *pool, const tl_allocator *allocator, size_t object_size,
                  size_t slab_count)
{
    *pool = (struct tl_pool){
        .allocator = allocator,
        .object_size = (object_size + 15) / 16 * 16,
        .slab_count = slab_count,
    };
}

void tl_pool_finish(struct tl_pool *pool)
{
    struct tl_pool_slab *next;
    for (struct tl_pool_slab *slab = pool->slabs; slab != NULL; slab = next) {
        next = slab->next;
        TL_UNPOISON(slab + 1, pool->slab_count * pool->object_size);
        tl_allocator_free(pool->allocator, slab);
    }
    pool->slabs = NULL;
    pool->free = NULL;
}

void *tl_pool_grow(struct tl_pool *pool)
{
    size_t size = sizeof(struct tl_pool_slab) + pool->slab_count * pool->object_size;
    struct tl_pool_slab *slab = tl_allocator_alloc(pool->allocator, size);
    if (slab == NULL)
        return NULL;
    slab->next = pool->slabs;
    pool->slabs = slab;
    char *objects = (char *)(slab + 1);
    for (size_t i = pool->slab_count; i-- > 1;)
        tl_pool_put(pool, objects + i * pool->object_size);
    return objects;
}
