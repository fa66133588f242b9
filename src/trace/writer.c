/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writer of a trace and the buffers of its streams; see writer.h.
 *
 * A writer is counted: once for who opened it, once for every stream. The opener's close ends the
 * file; streams that live on after that write nothing more and only keep the memory.
 */
#include "trace/writer.h"

#include <errno.h>
#include <string.h>
#include <twinloop/version.h>

#include "core/alloc.h"
#include "core/log.h"
#include "trace/encode.h"
#include "trace/event.h"
#include "trace/file.h"
#include "trace/format.h"

enum {
    BUFFER_SIZE = 512 * 1024,
    NAME_MAX_KEPT = 256, /* bytes of a name that headers keep */
    FACTS_MAX = 1024,    /* bytes that a header's payload takes at most */
    FLUSH_BURST = 10,    /* see FLUSH_INTERVAL */
};

/* How often a loop that goes to sleep has its buffer written: on average, and in a row. */
#define FLUSH_INTERVAL TL_SECOND

struct tl_trace_writer {
    tl_allocator allocator;          /* the opener's */
    struct tl_trace_process process; /* the one that opened the file */
    bool regular;                    /* the file is one */
    bool full_output;
    pthread_mutex_t mutex; /* guards what follows */
    unsigned refs;
    int fd;    /* -1 once closed */
    int error; /* the first one */
    bool error_logged;
    unsigned streams;
    uint64_t size; /* of the file, up to the last whole chunk */
    uint64_t chunks;
    uint64_t events;
    struct tl_trace_out *outs; /* the streams that live */
};

/* --- Chunks --- */

/* In a forked child the lock may be held by a thread that exists only in the parent. */
static bool lock(tl_trace_writer *writer)
{
    if (!tl_trace_process_is_same(&writer->process))
        return false;
    pthread_mutex_lock(&writer->mutex);
    return true;
}

static void unlock(tl_trace_writer *writer)
{
    bool log = writer->error != 0 && !writer->error_logged;
    int error = writer->error;

    writer->error_logged |= log;
    pthread_mutex_unlock(&writer->mutex);
    if (log)
        tl_log(TL_LOG_ERROR, "recording has stopped: %s", tl_strerror(error));
}

/* Completes the chunk whose payload of length bytes is in its place behind the head, and writes it.
 * With the lock held. */
static int put_chunk(tl_trace_writer *writer, uint8_t *data, const struct tl_chunk *chunk)
{
    size_t size = TL_CHUNK_HEAD_SIZE + (size_t)chunk->length;

    if (writer->error != 0)
        return writer->error;
    if (writer->fd < 0)
        return TL_ECLOSED;
    tl_chunk_put_head(data, chunk);
    tl_chunk_put_tail(data + size, tl_chunk_checksum(0, data, size));
    size += TL_CHUNK_TAIL_SIZE;
    writer->error = tl_trace_file_write(writer->fd, writer->regular, data, size);
    if (writer->error != 0) {
        tl_trace_file_cut(writer->fd, writer->size);
        return writer->error;
    }
    writer->size += size;
    writer->chunks++;
    return 0;
}

/* --- Headers --- */

/* A name for people: cut, and what is not plain ASCII replaced, since CBOR's text must be UTF-8. */
static uint8_t *put_name(uint8_t *p, const char *key, const char *name)
{
    char text[NAME_MAX_KEPT];
    size_t len = strnlen(name, sizeof text);

    for (size_t i = 0; i < len; i++)
        text[i] = name[i] >= ' ' && name[i] <= '~' ? name[i] : '?';
    p = tl_put_text(p, key);
    return tl_put_string(p, TL_CBOR_TEXT, text, len);
}

static uint8_t *put_number(uint8_t *p, const char *key, int64_t number)
{
    return tl_put_int(tl_put_text(p, key), number);
}

static int put_map(tl_trace_writer *writer, uint8_t *data, uint8_t *end, enum tl_chunk_kind kind,
                   unsigned stream)
{
    struct tl_chunk chunk = {
        .kind = kind,
        .flags = kind == TL_CHUNK_END ? 0 : TL_CHUNK_CRITICAL,
        .major = TL_FORMAT_MAJOR,
        .stream = (uint16_t)stream,
        .length = (uint32_t)(end - data - TL_CHUNK_HEAD_SIZE),
    };
    return put_chunk(writer, data, &chunk);
}

static int put_header(tl_trace_writer *writer, const char *program)
{
    uint8_t data[TL_CHUNK_HEAD_SIZE + FACTS_MAX + TL_CHUNK_TAIL_SIZE];
    uint8_t *p = data + TL_CHUNK_HEAD_SIZE;

    p = tl_put_head(p, TL_CBOR_TAG, 55799); /* "this is CBOR" */
    p = tl_put_head(p, TL_CBOR_MAP, program != NULL ? 4 : 3);
    p = tl_put_text(p, "format");
    p = tl_put_head(p, TL_CBOR_ARRAY, 2);
    p = tl_put_int(p, TL_FORMAT_MAJOR);
    p = tl_put_int(p, TL_FORMAT_MINOR);
    p = put_name(p, "library", "twinloop " TL_VERSION);
    p = put_name(p, "output", writer->full_output ? "full" : "hash");
    if (program != NULL)
        p = put_name(p, "program", program);
    return put_map(writer, data, p, TL_CHUNK_HEADER, 0);
}

static int put_stream(tl_trace_writer *writer, unsigned stream,
                      const struct tl_trace_stream_facts *facts)
{
    uint8_t data[TL_CHUNK_HEAD_SIZE + FACTS_MAX + TL_CHUNK_TAIL_SIZE];
    uint8_t *p = data + TL_CHUNK_HEAD_SIZE;

    p = tl_put_head(p, TL_CBOR_MAP, 4);
    p = put_name(p, "kernel", facts->kernel);
    p = put_name(p, "thread", facts->thread);
    p = put_number(p, "now", facts->now);
    p = put_number(p, "wall", facts->wall);
    return put_map(writer, data, p, TL_CHUNK_STREAM, stream);
}

static int put_end(tl_trace_writer *writer)
{
    uint8_t data[TL_CHUNK_HEAD_SIZE + FACTS_MAX + TL_CHUNK_TAIL_SIZE];
    uint8_t *p = data + TL_CHUNK_HEAD_SIZE;

    p = tl_put_head(p, TL_CBOR_MAP, 3);
    p = put_number(p, "streams", writer->streams);
    p = put_number(p, "chunks", (int64_t)writer->chunks);
    p = put_number(p, "events", (int64_t)writer->events);
    return put_map(writer, data, p, TL_CHUNK_END, 0);
}

/* --- The writer --- */

int tl_trace_writer_open(const char *path, const struct tl_record_options *options,
                         tl_trace_writer **ret)
{
    static const struct tl_record_options defaults = {0};

    if (options == NULL)
        options = &defaults;
    if (path == NULL)
        return -EINVAL;
    tl_trace_writer *writer = tl_calloc(sizeof *writer);
    if (writer == NULL)
        return -ENOMEM;
    writer->allocator = *tl_get_allocator();
    writer->full_output = options->full_output;
    writer->refs = 1;
    writer->error_logged = true; /* until there is somebody who does not get the error */
    int r = tl_trace_file_create(path);
    if (r < 0)
        goto fail;
    writer->fd = r;
    writer->regular = tl_trace_file_is_regular(writer->fd);
    tl_trace_process_begin(&writer->process);
    pthread_mutex_init(&writer->mutex, NULL);
    r = put_header(writer, options->program);
    if (r < 0) {
        (void)tl_trace_file_close(writer->fd);
        tl_trace_process_end(&writer->process);
        pthread_mutex_destroy(&writer->mutex);
        goto fail;
    }
    writer->error_logged = false;
    *ret = writer;
    return 0;

fail:
    tl_free(writer);
    return r;
}

/* Gives the lock up, where it was taken. */
static void unref(tl_trace_writer *writer, bool locked)
{
    bool last = --writer->refs == 0;

    if (locked)
        unlock(writer);
    if (!last)
        return;
    tl_allocator allocator = writer->allocator;
    tl_trace_process_end(&writer->process);
    pthread_mutex_destroy(&writer->mutex);
    tl_allocator_free(&allocator, writer);
}

static int flush_locked(struct tl_trace_out *out);

int tl_trace_writer_close(tl_trace_writer *writer)
{
    if (writer == NULL)
        return 0;
    bool locked = lock(writer);
    if (locked) {
        for (struct tl_trace_out *out = writer->outs; out != NULL; out = out->next)
            (void)flush_locked(out);
        (void)put_end(writer);
    }
    int r = tl_trace_file_close(writer->fd);
    writer->fd = -1;
    if (writer->error == 0)
        writer->error = r;
    r = writer->error;
    unref(writer, locked);
    return r;
}

bool tl_trace_writer_full_output(const tl_trace_writer *writer)
{
    return writer->full_output;
}

const tl_allocator *tl_trace_writer_allocator(const tl_trace_writer *writer)
{
    return &writer->allocator;
}

/* --- Streams --- */

static void start_chunk(struct tl_trace_out *out)
{
    out->first = out->number;
    out->p = out->data + TL_CHUNK_HEAD_SIZE;
    out->limit = out->data + BUFFER_SIZE - TL_CHUNK_TAIL_SIZE - TL_TRACE_EVENT_MAX;
}

static void die(struct tl_trace_out *out)
{
    start_chunk(out);
    out->flush_next = TL_TIME_NEVER;
    out->dead = true;
}

int tl_trace_out_init(struct tl_trace_out *out, tl_trace_writer *writer,
                      const struct tl_trace_stream_facts *facts)
{
    *out = (struct tl_trace_out){.writer = writer, .now = facts->now, .wall = facts->wall};
    out->capacity = BUFFER_SIZE;
    out->data = tl_allocator_alloc(&writer->allocator, out->capacity);
    if (out->data == NULL)
        return -ENOMEM;
    start_chunk(out);
    out->flush_next = facts->now - (FLUSH_BURST - 1) * FLUSH_INTERVAL;
    if (!lock(writer)) {
        writer->refs++;
        die(out);
        return 0;
    }
    int r = writer->streams < TL_STREAMS_MAX ? 0 : -EOVERFLOW;
    if (r == 0) {
        out->stream = (uint16_t)writer->streams++;
        out->next = writer->outs;
        writer->outs = out;
        writer->refs++;
        if (put_stream(writer, out->stream, facts) < 0)
            die(out);
    }
    unlock(writer);
    if (r < 0)
        tl_allocator_free(&writer->allocator, out->data);
    return r;
}

/* With the lock held. */
static int flush_locked(struct tl_trace_out *out)
{
    struct tl_chunk chunk = {
        .kind = TL_CHUNK_EVENTS,
        .flags = TL_CHUNK_CRITICAL,
        .major = TL_FORMAT_MAJOR,
        .stream = out->stream,
        .first = out->first,
        .length = (uint32_t)(out->p - out->data - TL_CHUNK_HEAD_SIZE),
    };
    if (out->dead || chunk.length == 0)
        return 0;
    int r = put_chunk(out->writer, out->data, &chunk);
    if (r == 0)
        out->writer->events += out->number - out->first;
    start_chunk(out);
    return r;
}

void tl_trace_out_flush(struct tl_trace_out *out)
{
    if (out->dead) {
        start_chunk(out);
        return;
    }
    bool ours = lock(out->writer);
    if (!ours || flush_locked(out) < 0)
        die(out);
    if (ours)
        unlock(out->writer);
}

void tl_trace_out_finish(struct tl_trace_out *out)
{
    tl_trace_writer *writer = out->writer;

    tl_trace_out_flush(out);
    bool locked = lock(writer);
    struct tl_trace_out **link = &writer->outs;
    while (*link != NULL && *link != out)
        link = &(*link)->next;
    if (*link != NULL)
        *link = out->next;
    tl_allocator_free(&writer->allocator, out->data);
    unref(writer, locked);
}

void tl_trace_out_fail(struct tl_trace_out *out, int error)
{
    bool ours = lock(out->writer);

    if (ours && out->writer->error == 0)
        out->writer->error = error;
    die(out);
    if (ours)
        unlock(out->writer);
}

static int grow(struct tl_trace_out *out, size_t needed)
{
    if (needed > UINT32_MAX)
        return -EFBIG;
    uint8_t *data = tl_allocator_realloc(&out->writer->allocator, out->data, needed);
    if (data == NULL)
        return -ENOMEM;
    out->data = data;
    out->capacity = needed;
    start_chunk(out);
    return 0;
}

uint8_t *tl_trace_out_room(struct tl_trace_out *out, size_t size)
{
    size_t needed = TL_CHUNK_HEAD_SIZE + TL_TRACE_EVENT_MAX + size + TL_CHUNK_TAIL_SIZE;

    tl_trace_out_flush(out);
    if (needed <= out->capacity)
        return out->p;
    int r = out->dead ? 0 : grow(out, needed);
    if (r < 0)
        tl_trace_out_fail(out, r);
    return out->dead ? NULL : out->p;
}

void tl_trace_out_flush_rarely(struct tl_trace_out *out)
{
    tl_time earliest = out->now - (FLUSH_BURST - 1) * FLUSH_INTERVAL;

    if (out->number == out->first)
        return;
    out->flush_next = (out->flush_next > earliest ? out->flush_next : earliest) + FLUSH_INTERVAL;
    tl_trace_out_flush(out);
}
