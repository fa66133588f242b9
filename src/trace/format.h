/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container of a trace: chunks with a fixed-width head and a checksum, one after the other.
 *
 * Every chunk is one well-formed CBOR item, so the file is a CBOR sequence; because each head has
 * the same width, it is written by filling in a template and found again by its marker after
 * damage. docs/trace-format.md is the specification. What is in here is used by the writer, by the
 * reader and by tests that break traces on purpose; it knows nothing of events.
 */
#ifndef TL_TRACE_FORMAT_H
#define TL_TRACE_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A reader refuses another major version; minor versions add keys, rows, kinds of chunks and
 * arguments: from 1 on a lookup says what is empty, where before that was the same as missing. */
#define TL_FORMAT_MAJOR 1
#define TL_FORMAT_MINOR 1

enum tl_chunk_kind {
    TL_CHUNK_HEADER = 1, /* what the file is; the first chunk, and only the first */
    TL_CHUNK_STREAM = 2, /* what a stream is; before the stream's events */
    TL_CHUNK_EVENTS = 3, /* a run of a stream's events */
    TL_CHUNK_END = 4,    /* the file is whole; the last chunk */
};

enum {
    TL_CHUNK_CRITICAL = 1, /* flag: who does not know the kind must not read the file */
};

enum {
    TL_CHUNK_HEAD_SIZE = 29, /* what comes before the payload */
    TL_CHUNK_TAIL_SIZE = 5,  /* the checksum behind it */
    TL_CHUNK_MARK_SIZE = 11, /* the bytes that every head begins with */
    TL_STREAMS_MAX = 65536,  /* a stream's number has 16 bits of the head */
};

#define TL_EVENTS_MAX ((uint64_t)1 << 48) /* and an event's 48 */

/* What a head says. */
struct tl_chunk {
    uint16_t kind;
    uint8_t flags;
    uint8_t major;
    uint16_t stream;
    uint64_t first;  /* EVENTS: the number of the chunk's first event in its stream */
    uint32_t length; /* bytes of payload */
};

/* The bytes that every head begins with. */
extern const uint8_t tl_chunk_mark[TL_CHUNK_MARK_SIZE];

/* Fills in the TL_CHUNK_HEAD_SIZE bytes at head. */
void tl_chunk_put_head(uint8_t *head, const struct tl_chunk *chunk);

/* Reads the TL_CHUNK_HEAD_SIZE bytes at head. False when they are no head. */
bool tl_chunk_get_head(const uint8_t *head, struct tl_chunk *ret);

/* The checksum of a run of bytes, going on from the one of what was before it (0: nothing). */
uint32_t tl_chunk_checksum(uint32_t before, const uint8_t *data, size_t len);

/* Fills in the TL_CHUNK_TAIL_SIZE bytes at tail. */
void tl_chunk_put_tail(uint8_t *tail, uint32_t checksum);

/* Whether they are a tail with this checksum. */
bool tl_chunk_check_tail(const uint8_t *tail, uint32_t checksum);

#endif
