/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `twinloop dump`: a trace as text, one line per event, stream after stream.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "tool/tool.h"
#include "trace/print.h"
#include "trace/reader.h"

#define LINE_MAX_SIZE 65536
#define ALL_STREAMS ULONG_MAX

struct dump {
    const char *path;
    tl_trace_reader *reader;
    unsigned long stream; /* or ALL_STREAMS */
    unsigned long bytes;
    bool clocks;
    struct tl_trace_problem problem; /* the first that a cursor came across */
};

static void print_head(const tl_trace_reader *reader)
{
    char wall[40];

    printf("# trace format %d.%lld, %s%s%s, output as %s\n", TL_FORMAT_MAJOR,
           (long long)reader->minor, reader->library, *reader->program != '\0' ? ", program " : "",
           reader->program, reader->output);
    for (size_t i = 0; i < reader->streams_count; i++) {
        const struct tl_trace_stream *stream = &reader->streams[i];
        if (stream->known)
            printf("# stream %zu: kernel %s, thread %s, began %s s after 1970\n", i, stream->kernel,
                   stream->thread, tl_trace_format_time(stream->wall, wall, sizeof wall));
    }
}

static void print_event(const struct dump *dump, unsigned stream,
                        const struct tl_trace_event *event)
{
    static char text[LINE_MAX_SIZE];
    char time[40];
    tl_time since = (tl_time)((uint64_t)event->time - (uint64_t)dump->reader->streams[stream].now);

    printf("%u %6llu %14s  %s\n", stream, (unsigned long long)event->number,
           tl_trace_format_time(since, time, sizeof time),
           tl_trace_format_event(event, TL_SIDE_TRACE, dump->bytes, text, sizeof text));
}

static void dump_stream(struct dump *dump, unsigned stream)
{
    struct tl_trace_cursor cursor;
    struct tl_trace_event event;
    int r;

    tl_trace_cursor_init(&cursor, dump->reader, stream);
    while ((r = tl_trace_cursor_next(&cursor, &event)) != 0 && r != -ENOMEM) {
        if (r == 1) {
            bool clock = event.kind == TL_TRACE_NOW || event.kind == TL_TRACE_WALL;
            if (!clock || dump->clocks)
                print_event(dump, stream, &event);
            continue;
        }
        /* What is behind the gap is still worth seeing. */
        printf("%u %6llu %14s  -- byte %llu: %s\n", stream, (unsigned long long)cursor.number, "",
               (unsigned long long)cursor.problem.offset, cursor.problem.message);
        if (r == TL_ETRACE && dump->problem.message[0] == '\0')
            dump->problem = cursor.problem;
    }
    if (r == -ENOMEM)
        fputs("twinloop: out of memory\n", stderr);
    tl_trace_cursor_finish(&cursor);
}

static bool parse(struct dump *dump, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *next = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--clocks") == 0)
            dump->clocks = true;
        else if (strcmp(argv[i], "--stream") == 0 && tool_number(next, &dump->stream))
            i++;
        else if (strcmp(argv[i], "--bytes") == 0 && tool_number(next, &dump->bytes))
            i++;
        else if (argv[i][0] == '-' || dump->path != NULL)
            return false;
        else
            dump->path = argv[i];
    }
    return dump->path != NULL;
}

int tool_dump(int argc, char **argv)
{
    struct dump dump = {.stream = ALL_STREAMS, .bytes = 32};

    if (!parse(&dump, argc, argv))
        return TOOL_USAGE;
    dump.reader = tool_open(dump.path);
    if (dump.reader == NULL)
        return EXIT_USAGE;
    if (dump.stream != ALL_STREAMS && dump.stream >= dump.reader->streams_count) {
        fprintf(stderr, "twinloop: %s: there is no stream %lu\n", dump.path, dump.stream);
        tl_trace_reader_close(dump.reader);
        return EXIT_USAGE;
    }
    print_head(dump.reader);
    for (unsigned i = 0; i < dump.reader->streams_count; i++)
        if (dump.stream == ALL_STREAMS || dump.stream == i)
            dump_stream(&dump, i);
    return tool_close(dump.path, dump.reader, &dump.problem);
}
