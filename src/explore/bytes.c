/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing array of bytes, and a ring that keeps the end of a text.
 */
#include "explore/bytes.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "core/alloc.h"

int tl_bytes_append(struct tl_bytes *bytes, const void *data, size_t len)
{
    if (len > bytes->size - bytes->len) {
        size_t size = bytes->size == 0 ? 256 : bytes->size;
        while (size - bytes->len < len)
            size *= 2;
        uint8_t *grown = tl_realloc(bytes->data, size);
        if (grown == NULL)
            return -ENOMEM;
        bytes->data = grown;
        bytes->size = size;
    }
    if (len > 0)
        memcpy(bytes->data + bytes->len, data, len);
    bytes->len += len;
    return 0;
}

void tl_bytes_finish(struct tl_bytes *bytes)
{
    tl_free(bytes->data);
    *bytes = (struct tl_bytes){0};
}

int tl_tail_append(struct tl_tail *tail, const void *text, size_t len)
{
    const char *from = text;
    if (tail->ring == NULL && len > 0) {
        tail->ring = tl_alloc(TL_TAIL_SIZE);
        if (tail->ring == NULL)
            return -ENOMEM;
    }
    while (len > 0) {
        size_t place = tail->total % TL_TAIL_SIZE;
        size_t part = len < TL_TAIL_SIZE - place ? len : TL_TAIL_SIZE - place;
        memcpy(tail->ring + place, from, part);
        tail->total += part;
        from += part;
        len -= part;
    }
    return 0;
}

void tl_tail_finish(struct tl_tail *tail)
{
    tl_free(tail->ring);
    *tail = (struct tl_tail){0};
}

static char byte_at(const struct tl_tail *tail, uint64_t place)
{
    return tail->ring[place % TL_TAIL_SIZE];
}

/* Where the last lines_max lines begin. */
static uint64_t first_place(const struct tl_tail *tail, unsigned lines_max)
{
    uint64_t oldest = tail->total > TL_TAIL_SIZE ? tail->total - TL_TAIL_SIZE : 0;
    uint64_t place = tail->total;
    unsigned lines = 0;
    while (place > oldest) {
        bool ends_line = byte_at(tail, place - 1) == '\n';
        if (ends_line && place != tail->total && ++lines == lines_max)
            return place;
        place--;
    }
    /* The ring begins in the middle of a line: leave that piece out, if there is a next line. */
    if (oldest > 0)
        for (uint64_t next = oldest; next + 1 < tail->total; next++)
            if (byte_at(tail, next) == '\n')
                return next + 1;
    return oldest;
}

char *tl_tail_lines(const struct tl_tail *tail, unsigned lines_max, size_t *ret_len)
{
    char cut[64] = "";
    uint64_t first = first_place(tail, lines_max);
    if (first > 0)
        snprintf(cut, sizeof cut, "(%llu bytes before this are left out)\n",
                 (unsigned long long)first);
    size_t cut_len = strlen(cut);
    size_t len = (size_t)(tail->total - first);
    char *text = tl_alloc(cut_len + len + 1);
    if (text == NULL)
        return NULL;
    memcpy(text, cut, cut_len);
    for (size_t i = 0; i < len; i++)
        text[cut_len + i] = byte_at(tail, first + i);
    text[cut_len + len] = '\0';
    *ret_len = cut_len + len;
    return text;
}
