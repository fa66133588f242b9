/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk over a trace's chunks.
 *
 * It accepts what a crash leaves behind. A chunk that is damaged or cut short is skipped: the walk
 * goes on at the next marker behind it, and the first such place becomes the reader's problem. Only
 * a file whose beginning is not that of a trace, or that needs something this version does not
 * know, is refused.
 */
#include "trace/reader_walk.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "trace/file.h"

/* Damaged places after which the rest is not looked at. */
enum { DAMAGES_MAX = 100 };

/* --- Problems --- */

void tl_trace_set_problem(struct tl_trace_problem *problem, uint64_t offset, const char *format,
                          ...)
{
    va_list args;

    problem->offset = offset;
    va_start(args, format);
    (void)vsnprintf(problem->message, sizeof problem->message, format, args);
    va_end(args);
}

void tl_trace_walk_damage(struct tl_trace_walk *walk, uint64_t offset, const char *what)
{
    tl_trace_reader *reader = walk->reader;

    walk->damages++;
    if (!reader->torn)
        tl_trace_set_problem(&reader->problem, offset, "%s", what);
    reader->torn = true;
}

int tl_trace_walk_refuse(struct tl_trace_walk *walk, uint64_t offset, const char *what)
{
    tl_trace_set_problem(&walk->reader->problem, offset, "%s", what);
    return TL_ETRACE;
}

/* --- The walk --- */

static int64_t read_at(struct tl_trace_walk *walk, void *data, size_t len, uint64_t offset)
{
    return tl_trace_file_read(walk->reader->fd, data, len, offset);
}

/* Whether the size bytes at the walk's place are followed by the tail that belongs to them. 1, 0,
 * or what reading said. What fits into walk->block is there afterwards. */
static int check(struct tl_trace_walk *walk, uint64_t size)
{
    uint8_t tail[TL_CHUNK_TAIL_SIZE];
    uint32_t checksum = 0;

    for (uint64_t done = 0; done < size;) {
        size_t part = size - done < TL_WALK_BLOCK ? (size_t)(size - done) : TL_WALK_BLOCK;
        int64_t n = read_at(walk, walk->block, part, walk->offset + done);
        if (n < 0)
            return (int)n;
        if ((size_t)n < part)
            return 0;
        checksum = tl_chunk_checksum(checksum, walk->block, part);
        done += part;
    }
    int64_t n = read_at(walk, tail, sizeof tail, walk->offset + size);
    if (n < 0)
        return (int)n;
    return n == sizeof tail && tl_chunk_check_tail(tail, checksum);
}

/* Whether a chunk's payload is looked at here, and must therefore be small. */
static bool is_header(const struct tl_chunk *chunk)
{
    return chunk->kind == TL_CHUNK_HEADER || chunk->kind == TL_CHUNK_STREAM ||
           chunk->kind == TL_CHUNK_END;
}

/* Looks at the walk's place. 1 with the chunk that is there, 0 when there is none and *ret_why says
 * what is wrong, or an error. */
static int look(struct tl_trace_walk *walk, struct tl_chunk *ret, const char **ret_why)
{
    uint8_t head[TL_CHUNK_HEAD_SIZE];
    uint64_t left = walk->reader->size - walk->offset;

    int64_t n = read_at(walk, head, sizeof head, walk->offset);
    if (n < 0)
        return (int)n;
    *ret_why = "the file ends within a chunk's head";
    if (n < (int64_t)sizeof head) {
        size_t begun = n < TL_CHUNK_MARK_SIZE ? (size_t)n : TL_CHUNK_MARK_SIZE;
        if (memcmp(head, tl_chunk_mark, begun) != 0)
            *ret_why = "what is no chunk";
        return 0;
    }
    *ret_why = "what is no chunk";
    if (!tl_chunk_get_head(head, ret))
        return 0;
    uint64_t size = TL_CHUNK_HEAD_SIZE + (uint64_t)ret->length;
    *ret_why = "the file ends within a chunk";
    if (size + TL_CHUNK_TAIL_SIZE > left)
        return 0;
    *ret_why = "a header that is larger than headers are";
    if (is_header(ret) && size > TL_WALK_BLOCK)
        return 0;
    *ret_why = "a chunk with a wrong checksum";
    return check(walk, size);
}

/* Moves the walk behind zeros, which may fill up the end of a file. */
static int skip_zeros(struct tl_trace_walk *walk)
{
    for (;;) {
        int64_t n = read_at(walk, walk->block, TL_WALK_BLOCK, walk->offset);
        if (n <= 0)
            return (int)n;
        for (int64_t i = 0; i < n; i++)
            if (walk->block[i] != 0) {
                walk->offset += (uint64_t)i;
                return 0;
            }
        walk->offset += (uint64_t)n;
    }
}

/* Moves the walk from a place where no chunk is to the next marker, or the end. */
static int resync(struct tl_trace_walk *walk)
{
    tl_trace_reader *reader = walk->reader;
    uint64_t from = walk->offset;

    walk->offset++;
    for (;;) {
        int64_t n = read_at(walk, walk->block, TL_WALK_BLOCK, walk->offset);
        if (n < 0)
            return (int)n;
        if (n < TL_CHUNK_MARK_SIZE) {
            walk->offset = reader->size;
            break;
        }
        const uint8_t *found = memmem(walk->block, (size_t)n, tl_chunk_mark, TL_CHUNK_MARK_SIZE);
        if (found != NULL) {
            walk->offset += (uint64_t)(found - walk->block);
            break;
        }
        walk->offset += (uint64_t)n - (TL_CHUNK_MARK_SIZE - 1);
    }
    reader->lost += walk->offset - from;
    return 0;
}

/* What comes from here on is not looked at. */
static void give_up(struct tl_trace_walk *walk)
{
    walk->reader->lost += walk->reader->size - walk->offset;
    walk->offset = walk->reader->size;
}

/* Takes the chunk at the walk's place, or gets past what is there instead. */
static int step(struct tl_trace_walk *walk)
{
    struct tl_chunk chunk;
    const char *why;

    int r = look(walk, &chunk, &why);
    if (r < 0)
        return r;
    if (r == 0) {
        tl_trace_walk_damage(walk, walk->offset, why);
        if (walk->damages < DAMAGES_MAX)
            return resync(walk);
        give_up(walk);
        return 0;
    }
    if (walk->reader->ended || chunk.kind == TL_CHUNK_HEADER) {
        tl_trace_walk_damage(walk, walk->offset, "another trace begins here");
        give_up(walk);
        return 0;
    }
    if (chunk.major != TL_FORMAT_MAJOR)
        return tl_trace_walk_refuse(walk, walk->offset, "a chunk of another version of the format");
    r = tl_trace_take_chunk(walk, &chunk, walk->block + TL_CHUNK_HEAD_SIZE);
    walk->offset += TL_CHUNK_HEAD_SIZE + (uint64_t)chunk.length + TL_CHUNK_TAIL_SIZE;
    return r;
}

/* --- The beginning --- */

static int begin(struct tl_trace_walk *walk)
{
    tl_trace_reader *reader = walk->reader;
    uint8_t head[TL_CHUNK_HEAD_SIZE];
    struct tl_chunk chunk;
    const char *why;

    int64_t n = read_at(walk, head, sizeof head, 0);
    if (n < 0)
        return (int)n;
    if (n == 0)
        return tl_trace_walk_refuse(walk, 0, "the file is empty");
    size_t begun = n < TL_CHUNK_MARK_SIZE ? (size_t)n : TL_CHUNK_MARK_SIZE;
    if (memcmp(head, tl_chunk_mark, begun) != 0)
        return tl_trace_walk_refuse(walk, 0, "this is no trace");
    if (n == sizeof head && tl_chunk_get_head(head, &chunk) && chunk.major != TL_FORMAT_MAJOR) {
        tl_trace_set_problem(&reader->problem, 0,
                             "a trace of format version %u, where this reads version %d",
                             chunk.major, TL_FORMAT_MAJOR);
        return TL_ETRACE;
    }
    int r = look(walk, &chunk, &why);
    if (r < 0)
        return r;
    if (r == 0)
        return tl_trace_walk_refuse(walk, 0, why);
    if (chunk.kind != TL_CHUNK_HEADER)
        return tl_trace_walk_refuse(walk, 0, "the file does not begin with a trace's header");
    walk->offset = TL_CHUNK_HEAD_SIZE + (uint64_t)chunk.length + TL_CHUNK_TAIL_SIZE;
    return tl_trace_take_header(walk, &chunk, walk->block + TL_CHUNK_HEAD_SIZE);
}

int tl_trace_walk(struct tl_trace_walk *walk)
{
    tl_trace_reader *reader = walk->reader;

    int r = begin(walk);
    while (r == 0) {
        r = skip_zeros(walk);
        if (r < 0 || walk->offset >= reader->size)
            break;
        r = step(walk);
    }
    if (r == 0 && !reader->ended)
        tl_trace_walk_damage(walk, reader->size, "the file ends without an end mark");
    return r;
}
