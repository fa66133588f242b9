/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replies, as RESP2 writes them: each call appends one element to a buffer.
 */
#ifndef EXAMPLES_KV_REPLY_H
#define EXAMPLES_KV_REPLY_H

#include "buffer.h"

#include <stdint.h>

void kv_reply_status(struct kv_buffer *reply, const char *text); /* +text */

/* -text, with every CR and LF in it turned into a blank and those at its end left out. */
void kv_reply_error(struct kv_buffer *reply, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

void kv_reply_integer(struct kv_buffer *reply, int64_t number);            /* :number */
void kv_reply_bulk(struct kv_buffer *reply, const void *data, size_t len); /* $len */
void kv_reply_text(struct kv_buffer *reply, const char *text);             /* as a bulk */
void kv_reply_nil(struct kv_buffer *reply);                                /* $-1 */
void kv_reply_nil_array(struct kv_buffer *reply);                          /* *-1 */
void kv_reply_array(struct kv_buffer *reply, size_t count); /* *count: the elements follow */

#endif
