/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replies, as RESP2 writes them; see reply.h. A client that pipelines commands uses kv_reply_array
 * and kv_reply_bulk as well: a request is an array of bulks.
 */
#include "reply.h"

#include "number.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ERROR_MAX 512 /* characters of an error's text, more than any of ours has */

static void append_header(struct kv_buffer *reply, char type, int64_t number)
{
    char line[1 + KV_NUMBER_MAX + 2];
    size_t len = 1 + kv_number_format(number, line + 1);
    line[0] = type;
    line[len++] = '\r';
    line[len++] = '\n';
    kv_buffer_append(reply, line, len);
}

void kv_reply_status(struct kv_buffer *reply, const char *text)
{
    kv_buffer_append(reply, "+", 1);
    kv_buffer_append_text(reply, text);
    kv_buffer_append(reply, "\r\n", 2);
}

static bool is_newline(char c)
{
    return c == '\r' || c == '\n';
}

void kv_reply_error(struct kv_buffer *reply, const char *format, ...)
{
    char text[ERROR_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t len = strlen(text);
    while (len > 0 && is_newline(text[len - 1]))
        len--;
    for (size_t i = 0; i < len; i++)
        if (is_newline(text[i]))
            text[i] = ' ';
    kv_buffer_append(reply, "-", 1);
    kv_buffer_append(reply, text, len);
    kv_buffer_append(reply, "\r\n", 2);
}

void kv_reply_integer(struct kv_buffer *reply, int64_t number)
{
    append_header(reply, ':', number);
}

void kv_reply_bulk(struct kv_buffer *reply, const void *data, size_t len)
{
    append_header(reply, '$', (int64_t)len);
    kv_buffer_append(reply, data, len);
    kv_buffer_append(reply, "\r\n", 2);
}

void kv_reply_text(struct kv_buffer *reply, const char *text)
{
    kv_reply_bulk(reply, text, strlen(text));
}

void kv_reply_nil(struct kv_buffer *reply)
{
    kv_buffer_append(reply, "$-1\r\n", 5);
}

void kv_reply_nil_array(struct kv_buffer *reply)
{
    kv_buffer_append(reply, "*-1\r\n", 5);
}

void kv_reply_array(struct kv_buffer *reply, size_t count)
{
    append_header(reply, '*', (int64_t)count);
}
