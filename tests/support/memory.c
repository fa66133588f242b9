/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The counting allocator: see memory.h.
 */
#include "support/memory.h"

#include <stdlib.h>
#include <twinloop/alloc.h>

static void *counting_realloc(void *ctx, void *ptr, size_t size)
{
    struct memory *memory = ctx;

    if (size == 0) {
        memory->blocks -= ptr != NULL;
        free(ptr);
        return NULL;
    }
    memory->requests++;
    memory->blocks += ptr == NULL;
    return realloc(ptr, size);
}

void memory_install(struct memory *memory)
{
    memory->requests = memory->blocks = 0;
    tl_set_allocator(&(tl_allocator){.realloc = counting_realloc, .ctx = memory});
}

void memory_remove(void)
{
    tl_set_allocator(NULL);
}
