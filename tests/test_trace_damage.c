/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of files that are no traces, or not whole ones, or have been tampered with: they are
 * read as far as they make sense, and nothing that can be in a file does any harm.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <twinloop/trace.h>
#include <cmocka.h>
#include "support/toy_kernel.h"
#include "support/traces.h"
#include "trace/format.h"
#include "trace/print.h"
#include "trace/reader.h"
#include "trace/replay.h"
#include "trace/stream_replay.h"

static const char *path_of(void **state)
{
    return ((struct trace_file *)*state)->path;
}

/* --- Files that are not what they should be --- */

static void assert_refused(const char *path, int error, uint64_t offset, const char *message)
{
    tl_trace_reader *reader = NULL;
    struct tl_trace_problem problem = {.offset = 77};

    assert_int_equal(tl_trace_reader_open(path, &reader, &problem), error);
    assert_null(reader);
    assert_string_equal(problem.message, message);
    assert_int_equal(problem.offset, offset);
    assert_int_equal(tl_trace_reader_open(path, &reader, NULL), error);
}

static void files_that_are_no_traces(void **state)
{
    const char *path = path_of(state);

    assert_refused("/nowhere/trace", -ENOENT, 0, "No such file or directory");
    assert_refused("/tmp", -EINVAL, 0, "this is no file");
    assert_refused("/dev/zero", -EINVAL, 0, "this is no file");
    trace_file_write(path, "", 0);
    assert_refused(path, TL_ETRACE, 0, "the file is empty");
    trace_file_write(path, "GIF89a", 6);
    assert_refused(path, TL_ETRACE, 0, "this is no trace");
    trace_file_write(path, "\x85\x48TWI", 5);
    assert_refused(path, TL_ETRACE, 0, "the file ends within a chunk's head");
}

/* A trace in memory, to be changed. */
struct bytes {
    uint8_t *data;
    size_t size;
};

static void record(struct bytes *bytes, const char *path)
{
    static struct transcript transcript;

    trace_record_session(path, NULL, &transcript);
    bytes->data = trace_file_read(path, &bytes->size);
}

static struct tl_chunk chunk_at(const struct bytes *bytes, size_t offset)
{
    struct tl_chunk chunk;

    assert_true(offset + TL_CHUNK_HEAD_SIZE <= bytes->size);
    assert_true(tl_chunk_get_head(bytes->data + offset, &chunk));
    return chunk;
}

static size_t chunk_size(const struct tl_chunk *chunk)
{
    return TL_CHUNK_HEAD_SIZE + chunk->length + TL_CHUNK_TAIL_SIZE;
}

/* The offset of the first chunk of a kind. */
static size_t find_chunk(const struct bytes *bytes, enum tl_chunk_kind kind)
{
    size_t offset = 0;

    for (;;) {
        struct tl_chunk chunk = chunk_at(bytes, offset);
        if (chunk.kind == kind)
            return offset;
        offset += chunk_size(&chunk);
    }
}

/* Changes a chunk's head and makes its checksum right again. */
static void rewrite(struct bytes *bytes, size_t offset, const struct tl_chunk *chunk)
{
    size_t size = TL_CHUNK_HEAD_SIZE + chunk->length;

    tl_chunk_put_head(bytes->data + offset, chunk);
    tl_chunk_put_tail(bytes->data + offset + size,
                      tl_chunk_checksum(0, bytes->data + offset, size));
}

static void other_versions_and_kinds(void **state)
{
    const char *path = path_of(state);
    struct bytes bytes;

    record(&bytes, path);
    struct tl_chunk header = chunk_at(&bytes, 0), changed = header;
    changed.major = 2;
    rewrite(&bytes, 0, &changed);
    trace_file_write(path, bytes.data, bytes.size);
    assert_refused(path, TL_ETRACE, 0, "a trace of format version 2, where this reads version 1");
    changed = header;
    changed.kind = TL_CHUNK_STREAM;
    rewrite(&bytes, 0, &changed);
    trace_file_write(path, bytes.data, bytes.size);
    assert_refused(path, TL_ETRACE, 0, "the file does not begin with a trace's header");
    rewrite(&bytes, 0, &header);

    /* A kind that is not known, for reading a must and not. */
    size_t offset = find_chunk(&bytes, TL_CHUNK_END);
    struct tl_chunk end = chunk_at(&bytes, offset);
    changed = end;
    changed.kind = 99;
    changed.flags = TL_CHUNK_CRITICAL;
    rewrite(&bytes, offset, &changed);
    trace_file_write(path, bytes.data, bytes.size);
    assert_refused(path, TL_ETRACE, offset, "a chunk of a kind that this version does not know");
    changed.flags = 0;
    rewrite(&bytes, offset, &changed);
    trace_file_write(path, bytes.data, bytes.size);
    tl_trace_reader *reader = trace_open(path);
    assert_int_equal(reader->skipped, 1);
    assert_true(tl_trace_reader_torn(reader, NULL));
    tl_trace_reader_close(reader);

    offset = find_chunk(&bytes, TL_CHUNK_EVENTS);
    changed = chunk_at(&bytes, offset);
    changed.major = 3;
    rewrite(&bytes, offset, &changed);
    trace_file_write(path, bytes.data, bytes.size);
    assert_refused(path, TL_ETRACE, offset, "a chunk of another version of the format");
    free(bytes.data);
}

static void assert_torn(const char *path, uint64_t offset, const char *message)
{
    struct tl_trace_problem problem;
    tl_trace_reader *reader = trace_open(path);

    assert_true(tl_trace_reader_torn(reader, &problem));
    assert_string_equal(problem.message, message);
    assert_int_equal(problem.offset, offset);
    tl_trace_reader_close(reader);
}

static void tails_that_are_torn_or_padded(void **state)
{
    const char *path = path_of(state);
    struct bytes bytes;

    record(&bytes, path);
    size_t end = find_chunk(&bytes, TL_CHUNK_END), events = find_chunk(&bytes, TL_CHUNK_EVENTS);
    bytes.data = realloc(bytes.data, bytes.size + 100000);
    assert_non_null(bytes.data);
    memset(bytes.data + bytes.size, 0, 100000);

    /* Zeros are nothing. */
    trace_file_write(path, bytes.data, bytes.size + 100000);
    tl_trace_reader *reader = trace_open(path);
    assert_false(tl_trace_reader_torn(reader, NULL));
    tl_trace_reader_close(reader);

    trace_file_write(path, bytes.data, end);
    assert_torn(path, end, "the file ends without an end mark");
    trace_file_write(path, bytes.data, end + 5);
    assert_torn(path, end, "the file ends within a chunk's head");
    trace_file_write(path, bytes.data, end + 40);
    assert_torn(path, end, "the file ends within a chunk");
    trace_file_write(path, bytes.data, events + 100);
    assert_torn(path, events, "the file ends within a chunk");
    bytes.data[bytes.size + 3] = 1;
    trace_file_write(path, bytes.data, bytes.size + 100000);
    assert_torn(path, bytes.size + 3, "what is no chunk");
    memcpy(bytes.data + bytes.size, bytes.data, bytes.size);
    trace_file_write(path, bytes.data, 2 * bytes.size);
    assert_torn(path, bytes.size, "another trace begins here");
    free(bytes.data);
}

/* A trace of several chunks, the third of events damaged: what is around it is still there. */
static void damage_in_the_middle(void **state)
{
    static uint8_t large[240000];
    const char *path = path_of(state);
    struct bytes bytes;
    tl_trace_writer *writer;
    struct tl_kernel *kernel = trace_record(toy_kernel_new(), path, NULL, &writer);
    int file = kernel->ops->open(kernel, "/file", TL_OPEN_READ, 0);

    for (int i = 0; i < 20; i++)
        (void)kernel->ops->pread(kernel, file, large, sizeof large, i);
    kernel->ops->destroy(kernel);
    assert_int_equal(tl_trace_writer_close(writer), 0);
    bytes.data = trace_file_read(path, &bytes.size);
    tl_trace_reader *reader = trace_open(path);
    assert_in_range(reader->places_count, 8, 12);
    struct tl_trace_place place = reader->places[2], next = reader->places[3];
    tl_trace_reader_close(reader);
    bytes.data[place.offset + 1000] ^= 4;
    trace_file_write(path, bytes.data, bytes.size);
    assert_torn(path, place.offset, "a chunk with a wrong checksum");

    reader = trace_open(path);
    assert_int_equal(reader->lost, next.offset - place.offset);
    struct tl_trace_cursor cursor;
    struct tl_trace_event event;
    uint64_t number = 0;
    int r, gaps = 0;
    tl_trace_cursor_init(&cursor, reader, 0);
    while ((r = tl_trace_cursor_next(&cursor, &event)) != 0) {
        if (r == TL_EOUTOFREACH) {
            gaps++;
            assert_int_equal(number, place.first);
            number = next.first;
            continue;
        }
        assert_int_equal(r, 1);
        assert_int_equal(event.number, number++);
    }
    assert_int_equal(gaps, 1);
    assert_int_equal(number, 22);
    tl_trace_cursor_finish(&cursor);
    tl_trace_reader_close(reader);

    /* A whole chunk may be missing without any damage to be seen. */
    memmove(bytes.data + place.offset, bytes.data + next.offset, bytes.size - next.offset);
    bytes.size -= next.offset - place.offset;
    trace_file_write(path, bytes.data, bytes.size);
    assert_torn(path, find_chunk(&bytes, TL_CHUNK_END),
                "the end mark counts other chunks than there are");
    free(bytes.data);
}

/* A chunk whose checksum is right and whose contents are not. The replay must not pass for one that
 * simply came to the end of a torn trace. */
static void events_that_make_no_sense(void **state)
{
    static struct transcript transcript;
    const char *path = path_of(state), *report;
    struct tl_trace_problem problem;
    struct bytes bytes;
    char expected[64];

    record(&bytes, path);
    size_t offset = find_chunk(&bytes, TL_CHUNK_EVENTS);
    struct tl_chunk chunk = chunk_at(&bytes, offset);
    bytes.data[offset + TL_CHUNK_HEAD_SIZE + 1] = 0x17 + 0x18; /* no row, nor a number */
    rewrite(&bytes, offset, &chunk);
    trace_file_write(path, bytes.data, bytes.size);

    tl_trace_reader *reader = trace_open(path);
    assert_false(tl_trace_reader_torn(reader, &problem));
    struct tl_kernel *kernel;
    assert_int_equal(tl_replay_kernel_new(reader, 0, &kernel), 0);
    session_run(kernel, NULL, &transcript);
    kernel->ops->destroy(kernel);
    assert_int_equal(tl_replay_result(reader, &report), TL_REPLAY_DIVERGED);
    snprintf(expected, sizeof expected,
             "the trace cannot be replayed: byte %zu: ", offset + TL_CHUNK_HEAD_SIZE);
    assert_non_null(strstr(report, expected));
    tl_trace_reader_close(reader);
    free(bytes.data);
}

/* --- Anything at all --- */

static void dump(const tl_trace_reader *reader, unsigned stream)
{
    struct tl_trace_cursor cursor;
    struct tl_trace_event event;
    char line[512];
    int r;

    tl_trace_cursor_init(&cursor, reader, stream);
    while ((r = tl_trace_cursor_next(&cursor, &event)) != 0)
        if (r == 1)
            tl_trace_format_event(&event, TL_SIDE_TRACE, 100, line, sizeof line);
    tl_trace_cursor_finish(&cursor);
}

/* The same as a script, which may go wrong at any place, but has an end. */
static void play(tl_trace_reader *reader, struct transcript *transcript)
{
    struct tl_kernel *kernel;

    if (tl_stream_replay_kernel_new(reader, 0, &kernel) < 0)
        return;
    tl_stream_replay_kernel_set_patience(kernel, 0);
    session_run(kernel, NULL, transcript);
    kernel->ops->destroy(kernel);
}

/* Reads, prints and replays what may be a trace. Whether it was a whole one. */
static bool survives(const char *path)
{
    static struct transcript transcript;
    struct tl_trace_problem problem;
    tl_trace_reader *reader;

    int r = tl_trace_reader_open(path, &reader, &problem);
    if (r < 0) {
        assert_true(problem.message[0] != '\0');
        return false;
    }
    bool torn = tl_trace_reader_torn(reader, &problem);
    for (unsigned i = 0; i < reader->streams_count && i < 3; i++)
        dump(reader, i);
    struct tl_kernel *kernel;
    if (tl_replay_kernel_new(reader, 0, &kernel) == 0) {
        tl_replay_kernel_set_patience(kernel, 0); /* the session posts at once or not at all */
        session_run(kernel, NULL, &transcript);
        kernel->ops->destroy(kernel);
    }
    enum tl_replay_end end = tl_replay_result(reader, NULL);
    play(reader, &transcript);
    tl_trace_reader_close(reader);
    return !torn && end == TL_REPLAY_COMPLETE;
}

static void cut_at_every_byte(void **state)
{
    const char *path = path_of(state);
    struct bytes bytes;

    record(&bytes, path);
    assert_true(survives(path));
    for (size_t size = 0; size < bytes.size; size++) {
        trace_file_write(path, bytes.data, size);
        assert_false(survives(path));
    }
    free(bytes.data);
}

static void a_flip_of_every_byte(void **state)
{
    static const uint8_t masks[] = {0x01, 0x80, 0xff};
    const char *path = path_of(state);
    struct bytes bytes;

    record(&bytes, path);
    for (size_t at = 0; at < bytes.size; at++) {
        uint8_t mask = masks[at % 3];
        bytes.data[at] ^= mask;
        trace_file_write(path, bytes.data, bytes.size);
        if (survives(path))
            fail_msg("byte %zu is not what it was, and nobody noticed", at);
        bytes.data[at] ^= mask;
    }
    free(bytes.data);
}

/* What a checksum does not find: a writer with other ideas. */
static void a_flip_of_every_byte_under_its_checksum(void **state)
{
    static const uint8_t masks[] = {0x01, 0x80, 0xff, 0x40};
    const char *path = path_of(state);
    struct bytes bytes;
    size_t offset = 0;

    record(&bytes, path);
    while (offset < bytes.size) {
        struct tl_chunk chunk = chunk_at(&bytes, offset);
        for (size_t i = 0; i < chunk.length; i++) {
            uint8_t mask = masks[i % 4];
            bytes.data[offset + TL_CHUNK_HEAD_SIZE + i] ^= mask;
            rewrite(&bytes, offset, &chunk);
            trace_file_write(path, bytes.data, bytes.size);
            (void)survives(path);
            bytes.data[offset + TL_CHUNK_HEAD_SIZE + i] ^= mask;
        }
        rewrite(&bytes, offset, &chunk);
        offset += chunk_size(&chunk);
    }
    trace_file_write(path, bytes.data, bytes.size);
    assert_true(survives(path));
    free(bytes.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRACE_TEST(files_that_are_no_traces),
        TRACE_TEST(other_versions_and_kinds),
        TRACE_TEST(tails_that_are_torn_or_padded),
        TRACE_TEST(damage_in_the_middle),
        TRACE_TEST(events_that_make_no_sense),
        TRACE_TEST(cut_at_every_byte),
        TRACE_TEST(a_flip_of_every_byte),
        TRACE_TEST(a_flip_of_every_byte_under_its_checksum),
    };
    int rc = cmocka_run_group_tests_name("trace damage", tests, NULL, NULL);

    return !!rc;
}
