/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening a trace: the walk over its chunks; see reader.h.
 *
 * The walk accepts what a crash leaves behind. A chunk that is damaged or cut short is skipped: the
 * walk goes on at the next marker behind it, and the first such place becomes the reader's problem.
 * Only a file whose beginning is not that of a trace, or that needs something this version does not
 * know, is refused.
 */
#include "trace/reader.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "trace/decode.h"
#include "trace/file.h"

enum {
    BLOCK_SIZE = 64 * 1024, /* also what a header takes at most */
    DAMAGES_MAX = 100,      /* damaged places after which the rest is not looked at */
};

/* The walk. */
struct walk {
    tl_trace_reader *reader;
    uint64_t offset;
    unsigned damages;
    uint8_t block[BLOCK_SIZE]; /* after look: the beginning of the chunk */
};

/* --- Problems --- */

static __attribute__((format(printf, 3, 4))) void set_problem(struct tl_trace_problem *problem,
                                                              uint64_t offset, const char *format,
                                                              ...)
{
    va_list args;

    problem->offset = offset;
    va_start(args, format);
    (void)vsnprintf(problem->message, sizeof problem->message, format, args);
    va_end(args);
}

/* Something is missing here. */
static void damage(struct walk *walk, uint64_t offset, const char *what)
{
    tl_trace_reader *reader = walk->reader;

    walk->damages++;
    if (!reader->torn)
        set_problem(&reader->problem, offset, "%s", what);
    reader->torn = true;
}

/* The file cannot be read at all. */
static int refuse(struct walk *walk, uint64_t offset, const char *what)
{
    set_problem(&walk->reader->problem, offset, "%s", what);
    return TL_ETRACE;
}

/* --- Facts --- */

static void keep_text(const struct tl_trace_item *value, char *text)
{
    size_t len = value->number < TL_FACT_MAX - 1 ? (size_t)value->number : TL_FACT_MAX - 1;

    if (value->type != TL_ITEM_TEXT)
        return;
    for (size_t i = 0; i < len; i++)
        text[i] = value->bytes[i] >= ' ' && value->bytes[i] <= '~' ? (char)value->bytes[i] : '?';
    text[len] = '\0';
}

static void keep_number(const struct tl_trace_item *value, int64_t *number)
{
    if (value->type == TL_ITEM_INT)
        *number = value->integer;
}

/* Of a version, [major, minor], the second number. */
static void keep_minor(const struct tl_trace_item *value, int64_t *minor)
{
    const uint8_t *p = value->bytes;
    struct tl_trace_item item;

    if (value->type != TL_ITEM_ARRAY || value->number != 2)
        return;
    if (tl_trace_next_item(&p, value->bytes + value->integer, &item) &&
        tl_trace_next_item(&p, value->bytes + value->integer, &item))
        keep_number(&item, minor);
}

static void header_fact(const struct tl_trace_item *key, const struct tl_trace_item *value,
                        void *arg)
{
    tl_trace_reader *reader = arg;

    if (tl_trace_item_is(key, "library"))
        keep_text(value, reader->library);
    else if (tl_trace_item_is(key, "program"))
        keep_text(value, reader->program);
    else if (tl_trace_item_is(key, "output"))
        keep_text(value, reader->output);
    else if (tl_trace_item_is(key, "format"))
        keep_minor(value, &reader->minor);
}

static void stream_fact(const struct tl_trace_item *key, const struct tl_trace_item *value,
                        void *arg)
{
    struct tl_trace_stream *stream = arg;

    if (tl_trace_item_is(key, "kernel"))
        keep_text(value, stream->kernel);
    else if (tl_trace_item_is(key, "thread"))
        keep_text(value, stream->thread);
    else if (tl_trace_item_is(key, "now"))
        keep_number(value, &stream->now);
    else if (tl_trace_item_is(key, "wall"))
        keep_number(value, &stream->wall);
}

struct end_facts {
    int64_t streams;
    int64_t chunks;
};

static void end_fact(const struct tl_trace_item *key, const struct tl_trace_item *value, void *arg)
{
    struct end_facts *facts = arg;

    if (tl_trace_item_is(key, "streams"))
        keep_number(value, &facts->streams);
    else if (tl_trace_item_is(key, "chunks"))
        keep_number(value, &facts->chunks);
}

/* --- Chunks --- */

static bool room(tl_trace_reader *reader, void **array, size_t *capacity, size_t needed,
                 size_t size)
{
    size_t larger = *capacity != 0 ? *capacity : 16;

    if (needed <= *capacity)
        return true;
    while (larger < needed)
        larger *= 2;
    void *moved = tl_allocator_realloc(&reader->allocator, *array, larger * size);
    if (moved == NULL)
        return false;
    memset((char *)moved + *capacity * size, 0, (larger - *capacity) * size);
    *array = moved;
    *capacity = larger;
    return true;
}

/* Sees to it that there is a stream of that number. */
static int enter_stream(tl_trace_reader *reader, unsigned index)
{
    if (index < reader->streams_count)
        return 0;
    if (!room(reader, (void **)&reader->streams, &reader->streams_capacity, index + 1,
              sizeof *reader->streams))
        return -ENOMEM;
    reader->streams_count = index + 1;
    return 0;
}

static int take_stream(struct walk *walk, const struct tl_chunk *chunk, const uint8_t *p)
{
    tl_trace_reader *reader = walk->reader;

    int r = enter_stream(reader, chunk->stream);
    if (r < 0)
        return r;
    struct tl_trace_stream *stream = &reader->streams[chunk->stream];
    if (stream->known)
        damage(walk, walk->offset, "a stream begins twice");
    if (!tl_trace_each_fact(&p, p + chunk->length, stream_fact, stream))
        damage(walk, walk->offset, "a stream's header that cannot be understood");
    stream->known = true;
    return 0;
}

static int take_events(struct walk *walk, const struct tl_chunk *chunk)
{
    tl_trace_reader *reader = walk->reader;

    int r = enter_stream(reader, chunk->stream);
    if (r < 0)
        return r;
    if (!room(reader, (void **)&reader->places, &reader->places_capacity, reader->places_count + 1,
              sizeof *reader->places))
        return -ENOMEM;
    struct tl_trace_stream *stream = &reader->streams[chunk->stream];
    reader->places[reader->places_count++] = (struct tl_trace_place){
        .offset = walk->offset,
        .first = chunk->first,
        .length = chunk->length,
    };
    if (stream->last != 0)
        reader->places[stream->last - 1].next = (uint32_t)reader->places_count;
    else
        stream->first = (uint32_t)reader->places_count;
    stream->last = (uint32_t)reader->places_count;
    return 0;
}

static void take_end(struct walk *walk, const struct tl_chunk *chunk, const uint8_t *p)
{
    tl_trace_reader *reader = walk->reader;
    struct end_facts facts = {-1, -1};

    reader->ended = true;
    if (!tl_trace_each_fact(&p, p + chunk->length, end_fact, &facts))
        damage(walk, walk->offset, "an end mark that cannot be understood");
    else if (facts.streams != (int64_t)reader->streams_count ||
             facts.chunks != (int64_t)reader->chunks)
        damage(walk, walk->offset, "the end mark counts other chunks than there are");
}

/* What comes from here on is not looked at. */
static void give_up(struct walk *walk)
{
    walk->reader->lost += walk->reader->size - walk->offset;
    walk->offset = walk->reader->size;
}

/* A whole chunk. The payload is in memory when it is small. */
static int take_chunk(struct walk *walk, const struct tl_chunk *chunk, const uint8_t *payload)
{
    int r = 0;

    switch (chunk->kind) {
    case TL_CHUNK_STREAM:
        r = take_stream(walk, chunk, payload);
        break;
    case TL_CHUNK_EVENTS:
        r = take_events(walk, chunk);
        break;
    case TL_CHUNK_END:
        take_end(walk, chunk, payload);
        break;
    default:
        if (chunk->flags & TL_CHUNK_CRITICAL)
            return refuse(walk, walk->offset, "a chunk of a kind that this version does not know");
        walk->reader->skipped++;
    }
    walk->reader->chunks++;
    return r;
}

/* --- The walk --- */

static int64_t read_at(struct walk *walk, void *data, size_t len, uint64_t offset)
{
    return tl_trace_file_read(walk->reader->fd, data, len, offset);
}

/* Whether the size bytes at the walk's place are followed by the tail that belongs to them. 1, 0,
 * or what reading said. What fits into walk->block is there afterwards. */
static int check(struct walk *walk, uint64_t size)
{
    uint8_t tail[TL_CHUNK_TAIL_SIZE];
    uint32_t checksum = 0;

    for (uint64_t done = 0; done < size;) {
        size_t part = size - done < BLOCK_SIZE ? (size_t)(size - done) : BLOCK_SIZE;
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
static int look(struct walk *walk, struct tl_chunk *ret, const char **ret_why)
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
    if (is_header(ret) && size > BLOCK_SIZE)
        return 0;
    *ret_why = "a chunk with a wrong checksum";
    return check(walk, size);
}

/* Moves the walk behind zeros, which may fill up the end of a file. */
static int skip_zeros(struct walk *walk)
{
    for (;;) {
        int64_t n = read_at(walk, walk->block, BLOCK_SIZE, walk->offset);
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
static int resync(struct walk *walk)
{
    tl_trace_reader *reader = walk->reader;
    uint64_t from = walk->offset;

    walk->offset++;
    for (;;) {
        int64_t n = read_at(walk, walk->block, BLOCK_SIZE, walk->offset);
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

/* Takes the chunk at the walk's place, or gets past what is there instead. */
static int step(struct walk *walk)
{
    struct tl_chunk chunk;
    const char *why;

    int r = look(walk, &chunk, &why);
    if (r < 0)
        return r;
    if (r == 0) {
        damage(walk, walk->offset, why);
        if (walk->damages < DAMAGES_MAX)
            return resync(walk);
        give_up(walk);
        return 0;
    }
    if (walk->reader->ended || chunk.kind == TL_CHUNK_HEADER) {
        damage(walk, walk->offset, "another trace begins here");
        give_up(walk);
        return 0;
    }
    if (chunk.major != TL_FORMAT_MAJOR)
        return refuse(walk, walk->offset, "a chunk of another version of the format");
    r = take_chunk(walk, &chunk, walk->block + TL_CHUNK_HEAD_SIZE);
    walk->offset += TL_CHUNK_HEAD_SIZE + (uint64_t)chunk.length + TL_CHUNK_TAIL_SIZE;
    return r;
}

/* --- The beginning --- */

static int take_header(struct walk *walk, const struct tl_chunk *chunk, const uint8_t *p)
{
    const uint8_t *end = p + chunk->length;
    struct tl_trace_item tag;

    walk->reader->chunks++;
    if (tl_trace_next_item(&p, end, &tag) && tag.type == TL_ITEM_TAG &&
        tl_trace_each_fact(&p, end, header_fact, walk->reader))
        return 0;
    return refuse(walk, 0, "a header that cannot be understood");
}

static int begin(struct walk *walk)
{
    tl_trace_reader *reader = walk->reader;
    uint8_t head[TL_CHUNK_HEAD_SIZE];
    struct tl_chunk chunk;
    const char *why;

    int64_t n = read_at(walk, head, sizeof head, 0);
    if (n < 0)
        return (int)n;
    if (n == 0)
        return refuse(walk, 0, "the file is empty");
    size_t begun = n < TL_CHUNK_MARK_SIZE ? (size_t)n : TL_CHUNK_MARK_SIZE;
    if (memcmp(head, tl_chunk_mark, begun) != 0)
        return refuse(walk, 0, "this is no trace");
    if (n == sizeof head && tl_chunk_get_head(head, &chunk) && chunk.major != TL_FORMAT_MAJOR) {
        set_problem(&reader->problem, 0,
                    "a trace of format version %u, where this reads version %d", chunk.major,
                    TL_FORMAT_MAJOR);
        return TL_ETRACE;
    }
    int r = look(walk, &chunk, &why);
    if (r < 0)
        return r;
    if (r == 0)
        return refuse(walk, 0, why);
    if (chunk.kind != TL_CHUNK_HEADER)
        return refuse(walk, 0, "the file does not begin with a trace's header");
    walk->offset = TL_CHUNK_HEAD_SIZE + (uint64_t)chunk.length + TL_CHUNK_TAIL_SIZE;
    return take_header(walk, &chunk, walk->block + TL_CHUNK_HEAD_SIZE);
}

static int walk_all(struct walk *walk)
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
        damage(walk, reader->size, "the file ends without an end mark");
    return r;
}

/* --- Opening and closing --- */

static int open_books(tl_trace_reader *reader)
{
    size_t count = reader->streams_count;
    struct tl_trace_books *books = tl_allocator_calloc(&reader->allocator, sizeof *books);

    if (books == NULL)
        return -ENOMEM;
    pthread_mutex_init(&books->mutex, NULL);
    reader->books = books;
    books->ends = tl_allocator_calloc(&reader->allocator, count * sizeof *books->ends);
    books->matched = tl_allocator_calloc(&reader->allocator, count * sizeof *books->matched);
    books->counts = tl_allocator_calloc(&reader->allocator, count * sizeof *books->counts);
    return books->ends != NULL && books->matched != NULL && books->counts != NULL ? 0 : -ENOMEM;
}

static int open_and_walk(tl_trace_reader *reader, const char *path)
{
    int r = tl_trace_file_open(path, &reader->size);
    if (r < 0)
        return r;
    reader->fd = r;
    struct walk *walk = tl_allocator_alloc(&reader->allocator, sizeof *walk);
    if (walk == NULL)
        return -ENOMEM;
    walk->reader = reader;
    walk->offset = 0;
    walk->damages = 0;
    r = walk_all(walk);
    tl_allocator_free(&reader->allocator, walk);
    return r < 0 ? r : open_books(reader);
}

int tl_trace_reader_open(const char *path, tl_trace_reader **ret,
                         struct tl_trace_problem *ret_problem)
{
    if (path == NULL || ret == NULL)
        return -EINVAL;
    tl_trace_reader *reader = tl_calloc(sizeof *reader);
    if (reader == NULL)
        return -ENOMEM;
    reader->allocator = *tl_get_allocator();
    reader->fd = -1;
    int r = open_and_walk(reader, path);
    if (r == 0) {
        *ret = reader;
        return 0;
    }
    if (r != TL_ETRACE)
        set_problem(&reader->problem, 0, "%s", r == -EINVAL ? "this is no file" : tl_strerror(r));
    if (ret_problem != NULL)
        *ret_problem = reader->problem;
    tl_trace_reader_close(reader);
    return r;
}

void tl_trace_reader_close(tl_trace_reader *reader)
{
    if (reader == NULL)
        return;
    tl_allocator allocator = reader->allocator;
    if (reader->fd >= 0)
        (void)tl_trace_file_close(reader->fd);
    if (reader->books != NULL) {
        pthread_mutex_destroy(&reader->books->mutex);
        tl_allocator_free(&allocator, reader->books->ends);
        tl_allocator_free(&allocator, reader->books->matched);
        tl_allocator_free(&allocator, reader->books->counts);
        tl_allocator_free(&allocator, reader->books);
    }
    tl_allocator_free(&allocator, reader->places);
    tl_allocator_free(&allocator, reader->streams);
    tl_allocator_free(&allocator, reader);
}

bool tl_trace_reader_torn(const tl_trace_reader *reader, struct tl_trace_problem *ret_problem)
{
    if (reader->torn && ret_problem != NULL)
        *ret_problem = reader->problem;
    return reader->torn;
}
