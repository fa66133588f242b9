/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing a trace: the file that recorders share, and the buffer that each of them fills.
 *
 * A tl_trace_out is one stream's buffer. It belongs to the recorder's thread and is filled without
 * locks; a chunk is one write to the file, made under the writer's lock when the buffer is full,
 * once a second when a loop goes to sleep, and at the end. What fails to be written is never the
 * program's problem: the stream goes dead, and the writer keeps the first error for
 * tl_trace_writer_close.
 *
 * A chunk is only written by the process that opened the file. A forked child has copies of
 * everything here and a descriptor of the same file; it may go through all the motions and nothing
 * comes of them.
 */
#ifndef TL_TRACE_WRITER_H
#define TL_TRACE_WRITER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <twinloop/alloc.h>
#include <twinloop/trace.h>
#include <twinloop/value.h>

struct tl_trace_out {
    uint8_t *p;     /* where the next event goes */
    uint8_t *limit; /* up to here an event without a blob fits behind p */
    tl_time now;    /* the last readings of the clocks */
    tl_time wall;
    uint64_t number;    /* of the next event */
    uint64_t first;     /* of the first event in the buffer */
    tl_time flush_next; /* now, from which on a loop that goes to sleep has its buffer written */
    uint8_t *data;      /* the chunk: room for a head, the events, room for a tail */
    size_t capacity;
    uint16_t stream;
    bool dead; /* what is put is forgotten */
    tl_trace_writer *writer;
    struct tl_trace_out *next; /* in the writer's list */
};

/* What a stream's header says. */
struct tl_trace_stream_facts {
    const char *kernel;
    const char *thread;
    tl_time now;
    tl_time wall;
};

/* Begins a stream of the writer, which is kept alive by it. 0, -ENOMEM, -EOVERFLOW when there are
 * too many. */
int tl_trace_out_init(struct tl_trace_out *out, tl_trace_writer *writer,
                      const struct tl_trace_stream_facts *facts);

/* Writes what is left and gives the writer up. */
void tl_trace_out_finish(struct tl_trace_out *out);

/* Whether output is to be kept in full. */
bool tl_trace_writer_full_output(const tl_trace_writer *writer);

/* The allocator that lives as long as the writer. */
const tl_allocator *tl_trace_writer_allocator(const tl_trace_writer *writer);

/* Empties the buffer, and sees to it that an event with a blob of that size fits. NULL when it does
 * not, which ends the recording; never for size 0. */
uint8_t *tl_trace_out_room(struct tl_trace_out *out, size_t size);

/* Writes what is in the buffer, now. */
void tl_trace_out_flush(struct tl_trace_out *out);

/* Stops recording because of an error. */
void tl_trace_out_fail(struct tl_trace_out *out, int error);

/* Whether there is room behind p for an event with a blob of size bytes. An event larger than the
 * buffer leaves p beyond the limit. */
static inline bool tl_trace_out_fits(const struct tl_trace_out *out, size_t size)
{
    return __builtin_expect(out->limit - out->p >= (ptrdiff_t)size, 1);
}

/* Where an event without a blob may be put. What was put is kept by tl_trace_out_end. A stream that
 * is dead takes it too, and forgets it. */
static inline uint8_t *tl_trace_out_begin(struct tl_trace_out *out)
{
    if (!tl_trace_out_fits(out, 0))
        (void)tl_trace_out_room(out, 0);
    return out->p;
}

/* The same for an event with a blob of size bytes. NULL when there is no room to be had. */
static inline uint8_t *tl_trace_out_begin_blob(struct tl_trace_out *out, size_t size)
{
    return tl_trace_out_fits(out, size) ? out->p : tl_trace_out_room(out, size);
}

/* Keeps an event that ends at p. */
static inline void tl_trace_out_end(struct tl_trace_out *out, uint8_t *p)
{
    out->p = p;
    out->number++;
}

/* Keeps what ends at p and is no event: the reading of a clock. */
static inline void tl_trace_out_end_clock(struct tl_trace_out *out, uint8_t *p)
{
    out->p = p;
}

/* To be called when the loop is about to sleep: a process that is killed then leaves a useful
 * trace. Ten times in a row, and once a second on average. */
void tl_trace_out_flush_rarely(struct tl_trace_out *out);

static inline void tl_trace_out_sleep(struct tl_trace_out *out)
{
    if (out->now >= out->flush_next)
        tl_trace_out_flush_rarely(out);
}

#endif
