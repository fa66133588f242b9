/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The books on the replays of a trace: how each stream's stands, and what is told of all of them;
 * see reader.h.
 */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include "trace/reader.h"

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
        books->refused = end == TL_REPLAY_REFUSED;
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

static struct tl_stream_replay_counts sum_counts(const tl_trace_reader *reader)
{
    struct tl_stream_replay_counts all = {0};

    for (unsigned i = 0; i < reader->streams_count; i++) {
        const struct tl_stream_replay_counts *counts = &reader->books->counts[i];
        all.inputs += counts->inputs;
        all.output += counts->output;
        all.early += counts->early;
        all.unused += counts->unused;
    }
    return all;
}

/* What a stream replay has done, in words. */
static size_t put_counts(const struct tl_stream_replay_counts *counts, char *text, size_t size)
{
    int len = snprintf(text, size,
                       "%" PRIu64 " inputs given (%" PRIu64 " early, %" PRIu64 " unused), %" PRIu64
                       " bytes of output as recorded",
                       counts->inputs, counts->early, counts->unused, counts->output);

    return (size_t)len < size ? (size_t)len : size;
}

static size_t put_stream(const struct tl_trace_books *books, unsigned index, enum tl_replay_end end,
                         char *text, size_t size)
{
    uint64_t matched = atomic_load_explicit(&books->matched[index], memory_order_relaxed);
    size_t len = (size_t)snprintf(text, size, "stream %u: ", index);

    if (books->by_stream && len < size)
        len += put_counts(&books->counts[index], text + len, size - len);
    else if (len < size)
        len += (size_t)snprintf(text + len, size - len, "%" PRIu64 " events matched", matched);
    if (len < size)
        len += (size_t)snprintf(text + len, size - len, ", %s\n",
                                end == TL_REPLAY_SHORT ? "and the trace says no more"
                                                       : "more are in the trace");
    return len;
}

static void put_total(const tl_trace_reader *reader, char *text, size_t size)
{
    struct tl_trace_books *books = reader->books;
    struct tl_stream_replay_counts all = sum_counts(reader);
    uint64_t total = 0;

    for (unsigned i = 0; i < reader->streams_count; i++)
        total += atomic_load_explicit(&books->matched[i], memory_order_relaxed);
    if (!books->by_stream) {
        (void)snprintf(text, size, "all %" PRIu64 " events matched\n", total);
        return;
    }
    size_t len = put_counts(&all, text, size);
    if (len < size)
        (void)snprintf(text + len, size - len, "\n");
}

static enum tl_replay_end sum_up(const tl_trace_reader *reader)
{
    struct tl_trace_books *books = reader->books;
    enum tl_replay_end all = TL_REPLAY_COMPLETE;
    size_t len = 0;

    for (unsigned i = 0; i < reader->streams_count; i++) {
        enum tl_replay_end end = end_of(reader, i);
        if (end == TL_REPLAY_COMPLETE)
            continue;
        if (end == TL_REPLAY_RUNNING || all == TL_REPLAY_COMPLETE)
            all = end;
        if (len < sizeof books->report)
            len += put_stream(books, i, end, books->report + len, sizeof books->report - len);
    }
    if (all == TL_REPLAY_COMPLETE)
        put_total(reader, books->report, sizeof books->report);
    return all;
}

enum tl_replay_end tl_replay_result(const tl_trace_reader *reader, const char **ret_report)
{
    struct tl_trace_books *books = reader->books;
    enum tl_replay_end end;

    pthread_mutex_lock(&books->mutex);
    if (books->diverged)
        end = books->refused ? TL_REPLAY_REFUSED : TL_REPLAY_DIVERGED;
    else
        end = sum_up(reader);
    pthread_mutex_unlock(&books->mutex);
    if (ret_report != NULL)
        *ret_report = books->report;
    return end;
}

void tl_trace_reader_count(const tl_trace_reader *reader, unsigned index,
                           const struct tl_stream_replay_counts *counts)
{
    struct tl_trace_books *books = reader->books;

    pthread_mutex_lock(&books->mutex);
    books->by_stream = true;
    books->counts[index] = *counts;
    pthread_mutex_unlock(&books->mutex);
}

void tl_stream_replay_count(const tl_trace_reader *reader, struct tl_stream_replay_counts *ret)
{
    struct tl_trace_books *books = reader->books;

    pthread_mutex_lock(&books->mutex);
    *ret = sum_counts(reader);
    pthread_mutex_unlock(&books->mutex);
}
