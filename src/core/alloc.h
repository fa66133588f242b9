/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The core's own side of twinloop/alloc.h: how its files ask for memory.
 */
#ifndef TL_CORE_ALLOC_H
#define TL_CORE_ALLOC_H

#include <stddef.h>
#include <twinloop/alloc.h>

/* From this process's allocator. NULL when memory is out. */
void *tl_alloc(size_t size);
void *tl_calloc(size_t size); /* zeroed */
void *tl_realloc(void *ptr, size_t size);
void tl_free(void *ptr); /* NULL is allowed */

/* From a given allocator, for what outlives the process that asks (the simulator's own objects). */
void *tl_allocator_alloc(const tl_allocator *allocator, size_t size);
void *tl_allocator_calloc(const tl_allocator *allocator, size_t size);
void *tl_allocator_realloc(const tl_allocator *allocator, void *ptr, size_t size);
void tl_allocator_free(const tl_allocator *allocator, void *ptr);

#endif
