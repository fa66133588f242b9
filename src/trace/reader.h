/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A trace that has been opened: its index of chunks, and cursors that walk over its events.
 *
 * Opening reads the file once, checks every checksum and notes where the chunks of each stream are;
 * the events themselves are decoded by cursors, which hold one chunk in memory at a time. Several
 * cursors may be used at once, on several threads. The reader also keeps the books on the replays
 * that are made from it.
 */
#ifndef TL_TRACE_READER_H
#define TL_TRACE_READER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <twinloop/alloc.h>
#include <twinloop/trace.h>
#include "trace/event.h"
#include "trace/format.h"

enum {
    TL_FACT_MAX = 64,     /* bytes of a header's text that are kept, with a NUL */
    TL_REPORT_MAX = 2048, /* bytes of a report, with its NUL */
};

/* A chunk of events, in the order of the file. */
struct tl_trace_place {
    uint64_t offset; /* of the chunk's head */
    uint64_t first;  /* event */
    uint32_t length; /* of the payload */
    uint32_t next;   /* 1 + the index of the stream's next one; 0: none */
};

struct tl_trace_stream {
    bool known; /* its header was read */
    char kernel[TL_FACT_MAX];
    char thread[TL_FACT_MAX];
    tl_time now;
    tl_time wall;
    uint32_t first; /* 1 + the index of its first chunk of events; 0: none */
    uint32_t last;
};

/* How the replays of a reader stand. Written by replay kernels, each for its stream. */
struct tl_trace_books {
    pthread_mutex_t mutex;
    enum tl_replay_end *ends;  /* by stream */
    _Atomic uint64_t *matched; /* how many events of each stream */
    bool diverged;             /* report tells of the first divergence, */
    bool refused;              /* or of what a stream replay could not play */
    bool by_stream;            /* they are stream replays: counts by stream, not matched, tells */
    struct tl_stream_replay_counts *counts;
    char report[TL_REPORT_MAX];
    void (*notify)(const tl_trace_reader *reader); /* after a divergence; NULL: nobody */
};

struct tl_trace_reader {
    tl_allocator allocator;
    int fd;
    uint64_t size;
    char library[TL_FACT_MAX];
    char program[TL_FACT_MAX];
    char output[TL_FACT_MAX];
    int64_t minor;
    struct tl_trace_place *places;
    size_t places_count;
    size_t places_capacity;
    struct tl_trace_stream *streams;
    size_t streams_count;
    size_t streams_capacity;
    uint64_t chunks;  /* that were whole, of any kind */
    uint64_t skipped; /* of a kind that this version does not know */
    bool ended;       /* there is an end mark */
    bool torn;        /* something is missing: problem says what was found first */
    struct tl_trace_problem problem;
    uint64_t lost; /* bytes that belong to no whole chunk */
    struct tl_trace_books *books;
};

/* A walk over the events of one stream. */
struct tl_trace_cursor {
    const tl_trace_reader *reader;
    uint32_t place; /* 1 + the index of the chunk that comes next; 0: none */
    uint8_t *data;  /* the payload of the chunk at hand */
    size_t capacity;
    const uint8_t *p;
    const uint8_t *end;
    uint64_t offset; /* of the payload in the file */
    uint64_t number; /* of the next event */
    tl_time now;     /* the last readings */
    tl_time wall;
    struct tl_trace_problem problem; /* when next has failed */
};

/* Begins before the first event of stream number index. */
void tl_trace_cursor_init(struct tl_trace_cursor *cursor, const tl_trace_reader *reader,
                          unsigned index);
void tl_trace_cursor_finish(struct tl_trace_cursor *cursor);

/* The next event, or reading of a clock (kind TL_TRACE_NOW or TL_TRACE_WALL, with the number of the
 * event that follows): 1. 0 at the end. TL_EOUTOFREACH once where events are lost: the next call
 * goes on behind the gap. TL_ETRACE where the chunk cannot be understood or read: the next call
 * goes on with the next chunk. -ENOMEM, and the next call tries again. The blob is valid until the
 * next call. */
int tl_trace_cursor_next(struct tl_trace_cursor *cursor, struct tl_trace_event *ret);

/* Notes how a stream's replay stands. A report, which only a divergence has, is kept if it is the
 * first; index may then be beyond the last stream. */
void tl_trace_reader_note(const tl_trace_reader *reader, unsigned index, enum tl_replay_end end,
                          const char *report);

/* Says what a stream replay has done so far. */
void tl_trace_reader_count(const tl_trace_reader *reader, unsigned index,
                           const struct tl_stream_replay_counts *counts);

/* Counts an event that was matched. */
void tl_trace_reader_matched(const tl_trace_reader *reader, unsigned index);

#endif
