/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trace files for tests; see traces.h.
 */
#include "support/traces.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "trace/print.h"
#include "trace/reader.h"

int trace_file_set_up(void **state)
{
    const char *folder = getenv("TMPDIR");
    struct trace_file *file = calloc(1, sizeof *file);

    if (file == NULL)
        return -1;
    snprintf(file->path, sizeof file->path, "%s/twinloop-trace-XXXXXX",
             folder != NULL && *folder != '\0' ? folder : "/tmp");
    int fd = mkstemp(file->path);
    if (fd < 0) {
        free(file);
        return -1;
    }
    close(fd);
    *state = file;
    return 0;
}

int trace_file_tear_down(void **state)
{
    struct trace_file *file = *state;

    unlink(file->path);
    free(file);
    return 0;
}

uint8_t *trace_file_read(const char *path, size_t *ret_size)
{
    FILE *file = fopen(path, "re");
    uint8_t *data;

    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    size_t size = (size_t)ftell(file);
    rewind(file);
    data = malloc(size + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, size, file), size);
    fclose(file);
    *ret_size = size;
    return data;
}

void trace_file_write(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    if (size > 0)
        assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

struct tl_kernel *trace_record(struct tl_kernel *inner, const char *path,
                               const struct tl_record_options *options, tl_trace_writer **ret)
{
    struct tl_kernel *recorder;

    assert_non_null(inner);
    assert_int_equal(tl_trace_writer_open(path, options, ret), 0);
    assert_int_equal(tl_record_kernel_new(inner, *ret, &recorder), 0);
    return recorder;
}

void trace_record_session(const char *path, const struct tl_record_options *options,
                          struct transcript *transcript)
{
    tl_trace_writer *writer;
    struct tl_kernel *kernel = trace_record(toy_kernel_new(), path, options, &writer);

    session_run(kernel, NULL, transcript);
    kernel->ops->destroy(kernel);
    assert_int_equal(tl_trace_writer_close(writer), 0);
}

tl_trace_reader *trace_open(const char *path)
{
    struct tl_trace_problem problem = {0};
    tl_trace_reader *reader;

    int r = tl_trace_reader_open(path, &reader, &problem);
    if (r < 0)
        fail_msg("%s: %s at byte %llu: %s", path, tl_err_name(r),
                 (unsigned long long)problem.offset, problem.message);
    return reader;
}

char *trace_text(const char *path, unsigned stream, bool clocks)
{
    tl_trace_reader *reader = trace_open(path);
    struct tl_trace_cursor cursor;
    struct tl_trace_event event;
    char line[4096], *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    assert_in_range(stream, 0, reader->streams_count - 1);
    tl_trace_cursor_init(&cursor, reader, stream);
    for (;;) {
        int r = tl_trace_cursor_next(&cursor, &event);
        if (r == 0)
            break;
        assert_int_equal(r, 1);
        if (clocks || (event.kind != TL_TRACE_NOW && event.kind != TL_TRACE_WALL))
            fprintf(out, "%llu %s\n", (unsigned long long)event.number,
                    tl_trace_format_event(&event, TL_SIDE_TRACE, 40, line, sizeof line));
    }
    tl_trace_cursor_finish(&cursor);
    tl_trace_reader_close(reader);
    fclose(out);
    return text;
}
