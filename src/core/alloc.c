/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one place where the library gets memory: the allocator of the process that asks, which is the
 * C library's unless the program set another.
 */
#include "core/alloc.h"

#include <stdlib.h>
#include <string.h>

#include "core/self.h"

static void *libc_realloc(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    return realloc(ptr, size);
}

static const tl_allocator libc_allocator = {.realloc = libc_realloc, .ctx = NULL};

const tl_allocator *tl_get_allocator(void)
{
    const tl_allocator *allocator = &tl_thread_self()->context->allocator;
    return allocator->realloc != NULL ? allocator : &libc_allocator;
}

void tl_set_allocator(const tl_allocator *allocator)
{
    tl_thread_self()->context->allocator = allocator != NULL ? *allocator : (tl_allocator){0};
}

void *tl_allocator_alloc(const tl_allocator *allocator, size_t size)
{
    return allocator->realloc(allocator->ctx, NULL, size != 0 ? size : 1);
}

void *tl_allocator_calloc(const tl_allocator *allocator, size_t size)
{
    void *ptr = tl_allocator_alloc(allocator, size);
    if (ptr != NULL)
        memset(ptr, 0, size);
    return ptr;
}

void *tl_allocator_realloc(const tl_allocator *allocator, void *ptr, size_t size)
{
    return allocator->realloc(allocator->ctx, ptr, size != 0 ? size : 1);
}

void tl_allocator_free(const tl_allocator *allocator, void *ptr)
{
    if (ptr != NULL)
        (void)allocator->realloc(allocator->ctx, ptr, 0);
}

void *tl_alloc(size_t size)
{
    return tl_allocator_alloc(tl_get_allocator(), size);
}

void *tl_calloc(size_t size)
{
    return tl_allocator_calloc(tl_get_allocator(), size);
}

void *tl_realloc(void *ptr, size_t size)
{
    return tl_allocator_realloc(tl_get_allocator(), ptr, size);
}

void tl_free(void *ptr)
{
    tl_allocator_free(tl_get_allocator(), ptr);
}
