/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cursors over a stream's events; see reader.h.
 */
#include <errno.h>
#include <string.h>
#include "core/alloc.h"
#include "trace/decode.h"
#include "trace/file.h"
#include "trace/reader.h"

void tl_trace_cursor_init(struct tl_trace_cursor *cursor, const tl_trace_reader *reader,
                          unsigned index)
{
    const struct tl_trace_stream *stream = &reader->streams[index];

    *cursor = (struct tl_trace_cursor){
        .reader = reader,
        .place = stream->first,
        .now = stream->now,
        .wall = stream->wall,
    };
}

void tl_trace_cursor_finish(struct tl_trace_cursor *cursor)
{
    tl_allocator_free(&cursor->reader->allocator, cursor->data);
    cursor->data = NULL;
}

static int fail(struct tl_trace_cursor *cursor, uint64_t offset, const char *what)
{
    cursor->problem.offset = offset;
    (void)snprintf(cursor->problem.message, sizeof cursor->problem.message, "%s", what);
    return TL_ETRACE;
}

/* Reads the next chunk: 1, 0 when there is none. */
static int load(struct tl_trace_cursor *cursor)
{
    const tl_trace_reader *reader = cursor->reader;

    cursor->p = cursor->end = NULL;
    if (cursor->place == 0)
        return 0;
    const struct tl_trace_place *place = &reader->places[cursor->place - 1];
    if (place->first != cursor->number) {
        uint64_t expected = cursor->number;
        cursor->number = place->first;
        (void)fail(cursor, place->offset,
                   place->first > expected ? "events before this chunk are lost"
                                           : "a chunk of events that were there before");
        return TL_EOUTOFREACH;
    }
    if (cursor->data == NULL || place->length > cursor->capacity) {
        uint8_t *data = tl_allocator_realloc(&reader->allocator, cursor->data, place->length);
        if (data == NULL)
            return -ENOMEM;
        cursor->data = data;
        cursor->capacity = place->length;
    }
    cursor->place = place->next;
    cursor->offset = place->offset + TL_CHUNK_HEAD_SIZE;
    int64_t n = tl_trace_file_read(reader->fd, cursor->data, place->length, cursor->offset);
    if (n < place->length)
        return fail(cursor, cursor->offset, "a chunk that cannot be read any more");
    cursor->p = cursor->data;
    cursor->end = cursor->data + place->length;
    return 1;
}

/* The sum of two numbers that a broken trace may have chosen. */
static tl_time advance(tl_time time, int64_t by)
{
    return (tl_time)((uint64_t)time + (uint64_t)by);
}

int tl_trace_cursor_next(struct tl_trace_cursor *cursor, struct tl_trace_event *ret)
{
    while (cursor->p == cursor->end) {
        int r = load(cursor);
        if (r != 1)
            return r;
    }
    if (!tl_trace_next_event(&cursor->p, cursor->end, ret)) {
        uint64_t offset = cursor->offset + (uint64_t)(cursor->p - cursor->data);
        cursor->p = cursor->end;
        return fail(cursor, offset, "an event that cannot be understood");
    }
    ret->number = cursor->number;
    if (ret->kind == TL_TRACE_NOW)
        cursor->now = advance(cursor->now, ret->result);
    else if (ret->kind == TL_TRACE_WALL)
        cursor->wall = advance(cursor->wall, ret->result);
    else
        cursor->number++;
    ret->time = cursor->now;
    return 1;
}
