/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inline requests: a line of words, as a person types it into telnet.
 *
 * Words are separated by blanks. "..." and '...' keep blanks together; inside the former \n \r \t
 * \b \a \xHH and \" mean what they do in C, inside the latter only \' is special. What follows a
 * closing quote must be a blank.
 */
#ifndef EXAMPLES_KV_SPLIT_H
#define EXAMPLES_KV_SPLIT_H

#include "buffer.h"

enum kv_split_result {
    KV_SPLIT_WORD,
    KV_SPLIT_END,
    KV_SPLIT_UNBALANCED, /* a quote is not closed, or followed by something */
};

/* Appends the next word of the line to words and moves *position behind it. A failure of words is
 * for the caller to see. */
enum kv_split_result kv_split_next(const char *line, size_t len, size_t *position,
                                   struct kv_buffer *words);

#endif
