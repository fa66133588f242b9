/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cursors over a stream's events, and the books on replays; see reader.h.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include "core/alloc.h"
#include "trace/decode.h"
#include "trace/file.h"
#include "trace/reader.h"

/* --- Cursors --- */

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

/* --- The books --- */

void tl_trace_reader_note(const tl_trace_reader *reader, unsigned index, enum tl_replay_end end,
                          const char *report)
{
    struct tl_trace_books *books = reader->books;
    bool first = false;

    pthread_mutex_lock(&books->mutex);
    if (index < reader->streams_count) {
        books->ends[index] = end;
        if (end == TL_REPLAY_RUNNING)
            atomic_store_explicit(&books->matched[index], 0, memory_order_relaxed);
    }
    if (report != NULL && !books->diverged) {
        first = true;
        books->diverged = true;
        (void)snprintf(books->report, sizeof books->report, "%s", report);
    }
    pthread_mutex_unlock(&books->mutex);
    if (first && books->notify != NULL)
        books->notify(reader);
}

void tl_trace_reader_matched(const tl_trace_reader *reader, unsigned index)
{
    atomic_fetch_add_explicit(&reader->books->matched[index], 1, memory_order_relaxed);
}

/* Whether all events of a stream have been matched, and its loop simply was not closed: neither in
 * the replay nor when it was recorded. */
static bool ran_out(const tl_trace_reader *reader, unsigned index)
{
    uint64_t matched = atomic_load_explicit(&reader->books->matched[index], memory_order_relaxed);
    struct tl_trace_cursor cursor;
    struct tl_trace_event event;

    if (matched == 0)
        return false;
    tl_trace_cursor_init(&cursor, reader, index);
    int r;
    do
        r = tl_trace_cursor_next(&cursor, &event);
    while (r == 1 && cursor.number <= matched);
    tl_trace_cursor_finish(&cursor);
    return r != 1;
}

static enum tl_replay_end end_of(const tl_trace_reader *reader, unsigned index)
{
    enum tl_replay_end end = reader->books->ends[index];

    return end == TL_REPLAY_RUNNING && ran_out(reader, index) ? TL_REPLAY_SHORT : end;
}

static enum tl_replay_end sum_up(const tl_trace_reader *reader)
{
    struct tl_trace_books *books = reader->books;
    enum tl_replay_end all = TL_REPLAY_COMPLETE;
    uint64_t total = 0;
    size_t len = 0;

    for (unsigned i = 0; i < reader->streams_count; i++) {
        enum tl_replay_end end = end_of(reader, i);
        uint64_t matched = atomic_load_explicit(&books->matched[i], memory_order_relaxed);
        total += matched;
        if (end == TL_REPLAY_COMPLETE)
            continue;
        if (end == TL_REPLAY_RUNNING || all == TL_REPLAY_COMPLETE)
            all = end;
        if (len < sizeof books->report)
            len += (size_t)snprintf(books->report + len, sizeof books->report - len,
                                    "stream %u: %" PRIu64 " events matched, %s\n", i, matched,
                                    end == TL_REPLAY_SHORT ? "and the trace says no more"
                                                           : "more are in the trace");
    }
    if (all == TL_REPLAY_COMPLETE)
        (void)snprintf(books->report, sizeof books->report, "all %" PRIu64 " events matched\n",
                       total);
    return all;
}

enum tl_replay_end tl_replay_result(const tl_trace_reader *reader, const char **ret_report)
{
    struct tl_trace_books *books = reader->books;

    pthread_mutex_lock(&books->mutex);
    enum tl_replay_end end = books->diverged ? TL_REPLAY_DIVERGED : sum_up(reader);
    pthread_mutex_unlock(&books->mutex);
    if (ret_report != NULL)
        *ret_report = books->report;
    return end;
}
