/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replies, for a client: where each ends in what has come, however it was cut.
 *
 * A reply is handed out as its bytes, arrays with all that is in them; what they mean is for the
 * caller to say.
 */
#ifndef EXAMPLES_KV_ANSWERS_H
#define EXAMPLES_KV_ANSWERS_H

#include "buffer.h"

#include <stddef.h>
#include <stdint.h>

/* Embedded in what uses it; zero-initialised is ready to be fed. */
struct kv_answers {
    struct kv_buffer bytes; /* fed and not yet dropped */
    size_t begin;           /* where the current reply begins */
    size_t position;        /* where its next element begins */
    size_t scanned;         /* up to here that element's line was found to have no end */
    uint64_t elements_left; /* of the reply; 0: it has not begun */
};

void kv_answers_finish(struct kv_answers *answers);

/* Adds bytes; what was handed out before is no longer valid. 0 or -ENOMEM. */
int kv_answers_feed(struct kv_answers *answers, const void *data, size_t len);

/* The next whole reply: 1 with its bytes, 0 when there is none, -EPROTO when what came is none. */
int kv_answers_next(struct kv_answers *answers, const char **ret, size_t *ret_len);

#endif
