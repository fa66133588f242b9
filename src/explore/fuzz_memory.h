/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for one input after the other: an allocator whose blocks are kept by size when they are
 * freed, and that knows how many are in use.
 *
 * Asking and giving back cost a few instructions, where a sanitizer's malloc takes as long as a
 * whole small input. The sanitizer still finds who uses a block beyond its end or after it was
 * freed: both are poisoned, and of each size the block that was freed first is reused first.
 */
#ifndef TL_EXPLORE_FUZZ_MEMORY_H
#define TL_EXPLORE_FUZZ_MEMORY_H

#include <stddef.h>
#include <twinloop/alloc.h>

enum { TL_FUZZ_MEMORY_SIZES = 64, TL_FUZZ_MEMORY_STEP = 64 };

struct tl_fuzz_block;
struct tl_fuzz_chunk;

/* Freed blocks of one size, the oldest first. */
struct tl_fuzz_blocks {
    struct tl_fuzz_block *head;
    struct tl_fuzz_block *tail;
};

struct tl_fuzz_memory {
    const tl_allocator *outer; /* whose memory it divides up */
    struct tl_fuzz_chunk *chunks;
    size_t chunk_left; /* bytes of the first one not handed out yet */
    size_t in_use;     /* blocks */
    struct tl_fuzz_blocks freed[TL_FUZZ_MEMORY_SIZES];
};

void tl_fuzz_memory_init(struct tl_fuzz_memory *memory, const tl_allocator *outer);

/* Gives everything back but what is larger than any kept size, which must have been freed. */
void tl_fuzz_memory_finish(struct tl_fuzz_memory *memory);

/* The allocator; valid while memory stays where it is. */
tl_allocator tl_fuzz_memory_allocator(struct tl_fuzz_memory *memory);

#endif
