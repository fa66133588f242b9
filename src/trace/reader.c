/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening and closing a trace; see reader.h.
 */
#include "trace/reader.h"

#include <errno.h>

#include "core/alloc.h"
#include "trace/file.h"
#include "trace/reader_walk.h"

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
    struct tl_trace_walk *walk = tl_allocator_alloc(&reader->allocator, sizeof *walk);
    if (walk == NULL)
        return -ENOMEM;
    walk->reader = reader;
    walk->offset = 0;
    walk->damages = 0;
    r = tl_trace_walk(walk);
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
        tl_trace_set_problem(&reader->problem, 0, "%s",
                             r == -EINVAL ? "this is no file" : tl_strerror(r));
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
