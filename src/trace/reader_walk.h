/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk over the chunks of a trace that is being opened, and what they are taken for.
 *
 * The walk (reader_walk.c) finds whole chunks and gets past what is none; what a chunk says becomes
 * part of the reader's index (reader_index.c). Both note what is wrong with the file.
 */
#ifndef TL_TRACE_READER_WALK_H
#define TL_TRACE_READER_WALK_H

#include "trace/format.h"
#include "trace/reader.h"

enum { TL_WALK_BLOCK = 64 * 1024 /* also what a header takes at most */ };

struct tl_trace_walk {
    tl_trace_reader *reader;
    uint64_t offset;
    unsigned damages;
    uint8_t block[TL_WALK_BLOCK]; /* after a look: the beginning of the chunk */
};

/* Reads all of the reader's file. 0; TL_ETRACE with the reader's problem, where the file cannot be
 * read at all; -ENOMEM, or what reading the file said. */
int tl_trace_walk(struct tl_trace_walk *walk);

/* Something is missing here. */
void tl_trace_walk_damage(struct tl_trace_walk *walk, uint64_t offset, const char *what);

/* The file cannot be read at all: TL_ETRACE. */
int tl_trace_walk_refuse(struct tl_trace_walk *walk, uint64_t offset, const char *what);

__attribute__((format(printf, 3, 4))) void tl_trace_set_problem(struct tl_trace_problem *problem,
                                                                uint64_t offset, const char *format,
                                                                ...);

/* Takes the chunk at the walk's place: the header, with which a trace begins, or any other. The
 * payload is in memory when the chunk is small. 0, TL_ETRACE, or -ENOMEM. */
int tl_trace_take_header(struct tl_trace_walk *walk, const struct tl_chunk *chunk,
                         const uint8_t *payload);
int tl_trace_take_chunk(struct tl_trace_walk *walk, const struct tl_chunk *chunk,
                        const uint8_t *payload);

#endif
