/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inline requests; see split.h. A cursor over the line, and one function per way of quoting.
 */
#include "split.h"

#include <string.h>

struct cursor {
    const char *line;
    size_t len;
    size_t position;
    struct kv_buffer *words;
};

/* The character at an offset from the cursor, or -1 behind the end. */
static int peek(const struct cursor *c, size_t offset)
{
    return c->len - c->position > offset ? (unsigned char)c->line[c->position + offset] : -1;
}

static void put(struct cursor *c, char byte)
{
    kv_buffer_append(c->words, &byte, 1);
}

static bool is_blank(int c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static int hex_digit(int c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that "\xHH" at the cursor stands for, or -1 where that is not what stands there. */
static int hex_escape(const struct cursor *c)
{
    int high = hex_digit(peek(c, 2)), low = hex_digit(peek(c, 3));
    bool there = peek(c, 0) == '\\' && peek(c, 1) == 'x' && high >= 0 && low >= 0;
    return there ? 16 * high + low : -1;
}

/* What a backslash and c stand for between double quotes. */
static char unescape(char c)
{
    static const char names[] = "nrtba", meanings[] = "\n\r\t\b\a";
    const char *found = c != '\0' ? strchr(names, c) : NULL;
    return found != NULL ? meanings[found - names] : c;
}

/* A closing quote is the end of its word. */
static bool close_quote(struct cursor *c)
{
    c->position++;
    return peek(c, 0) < 0 || is_blank(peek(c, 0));
}

/* The cursor is behind the opening quote. */
static bool double_quoted(struct cursor *c)
{
    for (;;) {
        int here = peek(c, 0), next = peek(c, 1), byte = hex_escape(c);
        if (here < 0)
            return false;
        if (here == '"')
            return close_quote(c);
        if (byte >= 0) {
            put(c, (char)byte);
            c->position += 4;
        } else if (here == '\\' && next >= 0) {
            put(c, unescape((char)next));
            c->position += 2;
        } else {
            put(c, (char)here);
            c->position++;
        }
    }
}

static bool single_quoted(struct cursor *c)
{
    for (;;) {
        int here = peek(c, 0);
        if (here < 0)
            return false;
        if (here == '\'')
            return close_quote(c);
        if (here == '\\' && peek(c, 1) == '\'') {
            here = '\'';
            c->position++;
        }
        put(c, (char)here);
        c->position++;
    }
}

enum kv_split_result kv_split_next(const char *line, size_t len, size_t *position,
                                   struct kv_buffer *words)
{
    struct cursor c = {.line = line, .len = len, .position = *position, .words = words};
    bool balanced = true, done = false;
    while (is_blank(peek(&c, 0)))
        c.position++;
    if (peek(&c, 0) < 0)
        return KV_SPLIT_END;
    while (!done) {
        int here = peek(&c, 0);
        done = true;
        if (here == '"' || here == '\'') {
            c.position++;
            balanced = here == '"' ? double_quoted(&c) : single_quoted(&c);
        } else if (here >= 0 && here != '\v' && here != '\f' && is_blank(here)) {
            break;
        } else if (here >= 0) {
            put(&c, (char)here);
            c.position++;
            done = false;
        }
    }
    *position = c.position;
    return balanced ? KV_SPLIT_WORD : KV_SPLIT_UNBALANCED;
}
