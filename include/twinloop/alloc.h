/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory. Everything the library allocates goes through one allocator, so that a program can count
 * it, take it from an arena, or refuse the n-th request and see what happens (which is how the
 * library is tested). The default is the C library's.
 */
#ifndef TWINLOOP_ALLOC_H
#define TWINLOOP_ALLOC_H

#include <stddef.h>

typedef struct tl_allocator {
    /* realloc's contract in one function: ptr NULL allocates, size 0 frees and returns NULL, a
     * failed request returns NULL and leaves ptr alone. Memory is aligned for any type. May be
     * called on any thread that uses the library. */
    void *(*realloc)(void *ctx, void *ptr, size_t size);
    void *ctx;
} tl_allocator;

/* Replaces the allocator of this process; NULL restores the C library's. To be called before
 * anything of the library is in use: what one allocator gave must not reach another. The struct is
 * copied. */
void tl_set_allocator(const tl_allocator *allocator);

/* The allocator in force. */
const tl_allocator *tl_get_allocator(void);

#endif
