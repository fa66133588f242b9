/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes that arrive in pieces: all of them, or the last of them.
 *
 * tl_bytes keeps everything it is given (what a process reports); tl_tail keeps the end of an
 * endless text in a fixed amount of memory (what a process prints). Both belong to who embeds them
 * and use the library's allocator.
 */
#ifndef TL_EXPLORE_BYTES_H
#define TL_EXPLORE_BYTES_H

#include <stddef.h>
#include <stdint.h>

/* Zero is empty. */
struct tl_bytes {
    uint8_t *data;
    size_t len;
    size_t size; /* allocated */
};

int tl_bytes_append(struct tl_bytes *bytes, const void *data, size_t len); /* 0 or -ENOMEM */
void tl_bytes_finish(struct tl_bytes *bytes);                              /* frees; empty again */

#define TL_TAIL_SIZE 16384

/* A ring. Zero is empty. */
struct tl_tail {
    char *ring;     /* TL_TAIL_SIZE bytes, allocated with the first text */
    uint64_t total; /* bytes ever added */
};

int tl_tail_append(struct tl_tail *tail, const void *text, size_t len); /* 0 or -ENOMEM */
void tl_tail_finish(struct tl_tail *tail);

/* The last lines_max lines at most, oldest first, ended by a NUL: a new string of tl_alloc, with
 * *ret_len its length. What was cut off in front is told in a first line of its own. NULL when
 * memory is out; "" when nothing was added. */
char *tl_tail_lines(const struct tl_tail *tail, unsigned lines_max, size_t *ret_len);

#endif
