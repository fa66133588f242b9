/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A buffer of bytes that grows; see buffer.h. Doubling keeps the bytes copied while it grows below
 * the bytes appended.
 */
#include "buffer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY_MIN 256

void kv_buffer_finish(struct kv_buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct kv_buffer){0};
}

void kv_buffer_clear(struct kv_buffer *buffer, size_t keep_max)
{
    buffer->len = 0;
    buffer->failed = false;
    if (buffer->capacity > keep_max)
        kv_buffer_finish(buffer);
}

bool kv_buffer_reserve(struct kv_buffer *buffer, size_t len)
{
    if (buffer->failed)
        return false;
    if (buffer->capacity - buffer->len >= len)
        return true;
    char *data = NULL;
    size_t capacity = buffer->capacity * 2;
    if (capacity < CAPACITY_MIN)
        capacity = CAPACITY_MIN;
    if (len <= KV_BUFFER_MAX && buffer->len + len <= KV_BUFFER_MAX) {
        if (capacity < buffer->len + len)
            capacity = buffer->len + len;
        data = realloc(buffer->data, capacity);
    }
    if (data == NULL) {
        buffer->failed = true;
        return false;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

void kv_buffer_append(struct kv_buffer *buffer, const void *data, size_t len)
{
    if (len == 0 || !kv_buffer_reserve(buffer, len))
        return;
    memcpy(buffer->data + buffer->len, data, len);
    buffer->len += len;
}

void kv_buffer_append_text(struct kv_buffer *buffer, const char *text)
{
    kv_buffer_append(buffer, text, strlen(text));
}

void kv_buffer_drop(struct kv_buffer *buffer, size_t len)
{
    assert(len <= buffer->len);
    if (len > 0 && len < buffer->len)
        memmove(buffer->data, buffer->data + len, buffer->len - len);
    buffer->len -= len;
}
