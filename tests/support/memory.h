/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An allocator that counts, for tests of what is asked for and what is left: the C library's, put
 * in place of the process's. Several threads may use it at once.
 *
 * Tests that want memory to run out use the ladder (ladder.h) instead.
 */
#ifndef TL_TESTS_MEMORY_H
#define TL_TESTS_MEMORY_H

#include <stdatomic.h>

struct memory {
    atomic_long requests; /* for a block, or for another size of one */
    atomic_long blocks;   /* that are out */
};

/* Counts from 0. To be called before anything of the library is in use. */
void memory_install(struct memory *memory);

/* Back to the C library's. */
void memory_remove(void);

#endif
