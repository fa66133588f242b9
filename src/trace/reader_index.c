/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index of a trace: the facts that headers state, and where each stream's chunks of events are.
 */
#include "trace/reader_walk.h"

#include <errno.h>
#include <string.h>

#include "core/alloc.h"
#include "trace/decode.h"

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

static int take_stream(struct tl_trace_walk *walk, const struct tl_chunk *chunk, const uint8_t *p)
{
    tl_trace_reader *reader = walk->reader;

    int r = enter_stream(reader, chunk->stream);
    if (r < 0)
        return r;
    struct tl_trace_stream *stream = &reader->streams[chunk->stream];
    if (stream->known)
        tl_trace_walk_damage(walk, walk->offset, "a stream begins twice");
    if (!tl_trace_each_fact(&p, p + chunk->length, stream_fact, stream))
        tl_trace_walk_damage(walk, walk->offset, "a stream's header that cannot be understood");
    stream->known = true;
    return 0;
}

static int take_events(struct tl_trace_walk *walk, const struct tl_chunk *chunk)
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

static void take_end(struct tl_trace_walk *walk, const struct tl_chunk *chunk, const uint8_t *p)
{
    tl_trace_reader *reader = walk->reader;
    struct end_facts facts = {-1, -1};

    reader->ended = true;
    if (!tl_trace_each_fact(&p, p + chunk->length, end_fact, &facts))
        tl_trace_walk_damage(walk, walk->offset, "an end mark that cannot be understood");
    else if (facts.streams != (int64_t)reader->streams_count ||
             facts.chunks != (int64_t)reader->chunks)
        tl_trace_walk_damage(walk, walk->offset, "the end mark counts other chunks than there are");
}

/* A whole chunk. The payload is in memory when it is small. */
int tl_trace_take_chunk(struct tl_trace_walk *walk, const struct tl_chunk *chunk,
                        const uint8_t *payload)
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
            return tl_trace_walk_refuse(walk, walk->offset,
                                        "a chunk of a kind that this version does not know");
        walk->reader->skipped++;
    }
    walk->reader->chunks++;
    return r;
}

int tl_trace_take_header(struct tl_trace_walk *walk, const struct tl_chunk *chunk, const uint8_t *p)
{
    const uint8_t *end = p + chunk->length;
    struct tl_trace_item tag;

    walk->reader->chunks++;
    if (tl_trace_next_item(&p, end, &tag) && tag.type == TL_ITEM_TAG &&
        tl_trace_each_fact(&p, end, header_fact, walk->reader))
        return 0;
    return tl_trace_walk_refuse(walk, 0, "a header that cannot be understood");
}
