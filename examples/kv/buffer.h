/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A buffer of bytes that grows.
 *
 * Embedded in what uses it; zero-initialised is empty. A request for memory that fails is
 * remembered: later appends do nothing, so that a reply of many pieces is checked once, at its end.
 */
#ifndef EXAMPLES_KV_BUFFER_H
#define EXAMPLES_KV_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

#define KV_BUFFER_MAX ((size_t)1 << 31) /* bytes: more is as if memory had run out */

struct kv_buffer {
    char *data;
    size_t len;      /* bytes in use */
    size_t capacity; /* bytes there is room for */
    bool failed;     /* memory ran out: what is there is not all there should be */
};

/* Frees the memory and makes the buffer empty. */
void kv_buffer_finish(struct kv_buffer *buffer);

/* Empties it, also of a failure; keeps at most keep_max bytes of memory for the next use. */
void kv_buffer_clear(struct kv_buffer *buffer, size_t keep_max);

/* Room for len more bytes at data + len: false, with the buffer failed, if there is none. */
bool kv_buffer_reserve(struct kv_buffer *buffer, size_t len);

void kv_buffer_append(struct kv_buffer *buffer, const void *data, size_t len);
void kv_buffer_append_text(struct kv_buffer *buffer, const char *text); /* without its NUL */

/* Removes len bytes at the front. */
void kv_buffer_drop(struct kv_buffer *buffer, size_t len);

#endif
