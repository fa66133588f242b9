/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `twinloop stat`: how much is in a trace, of what, and what is missing.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "tool/tool.h"
#include "trace/print.h"
#include "trace/reader.h"

struct counts {
    uint64_t events;
    uint64_t of[TL_TRACE_KINDS];
    uint64_t bytes_in;
    uint64_t bytes_out;
    tl_time last;
    bool closed; /* the last event says so */
};

static void count(struct counts *counts, const struct tl_trace_event *event)
{
    counts->last = event->time;
    if (event->kind == TL_TRACE_NOW || event->kind == TL_TRACE_WALL)
        return;
    counts->events++;
    counts->of[event->kind]++;
    counts->closed = event->kind == TL_TRACE_DESTROY;
    if (event->kind == TL_TRACE_READ)
        counts->bytes_in += event->blob_len;
    if (event->kind == TL_TRACE_WRITE && event->result > 0 && event->arg[1] == 1)
        counts->bytes_out += (uint64_t)event->result;
}

static void print_instant(tl_time wall)
{
    time_t seconds = (time_t)(wall / TL_SECOND);
    struct tm utc;
    char text[40];

    if (gmtime_r(&seconds, &utc) != NULL && strftime(text, sizeof text, "%F %T", &utc) > 0)
        printf(", began %s UTC", text);
}

static void print_counts(const struct counts *counts)
{
    int column = 0;

    for (int kind = 0; kind < TL_TRACE_KINDS; kind++)
        if (counts->of[kind] != 0)
            printf("%s  %-10s%9llu", column++ % 4 == 0 ? "\n  " : "", tl_trace_rows[kind].name,
                   (unsigned long long)counts->of[kind]);
    putchar('\n');
}

static void print_stream(const struct tl_trace_stream *stream, unsigned index)
{
    printf("stream %u: ", index);
    if (!stream->known) {
        puts("its header is lost");
        return;
    }
    printf("kernel %s, thread %s", stream->kernel, stream->thread);
    print_instant(stream->wall);
    putchar('\n');
}

/* Counts a stream's events and says which are lost. */
static void walk(const tl_trace_reader *reader, unsigned index, struct counts *counts,
                 struct tl_trace_problem *problem)
{
    struct tl_trace_cursor cursor;
    struct tl_trace_event event;
    uint64_t expected = 0;
    int r;

    tl_trace_cursor_init(&cursor, reader, index);
    while ((r = tl_trace_cursor_next(&cursor, &event)) != 0 && r != -ENOMEM) {
        if (r == 1)
            count(counts, &event);
        else if (r == TL_EOUTOFREACH)
            printf("  events from %llu to %llu are lost, before byte %llu\n",
                   (unsigned long long)expected, (unsigned long long)cursor.number - 1,
                   (unsigned long long)cursor.problem.offset);
        else if (problem->message[0] == '\0')
            *problem = cursor.problem;
        expected = cursor.number;
    }
    if (r == -ENOMEM)
        fputs("twinloop: out of memory\n", stderr);
    tl_trace_cursor_finish(&cursor);
}

static void stat_stream(const tl_trace_reader *reader, unsigned index,
                        struct tl_trace_problem *problem)
{
    const struct tl_trace_stream *stream = &reader->streams[index];
    struct counts counts = {.last = stream->now};
    char text[40];

    print_stream(stream, index);
    walk(reader, index, &counts, problem);
    tl_time span = (tl_time)((uint64_t)counts.last - (uint64_t)stream->now);
    printf("  %llu events in %s s, %llu bytes in, %llu bytes out, %s",
           (unsigned long long)counts.events, tl_trace_format_time(span, text, sizeof text),
           (unsigned long long)counts.bytes_in, (unsigned long long)counts.bytes_out,
           counts.closed ? "closed" : "not closed");
    print_counts(&counts);
}

static void print_file(const tl_trace_reader *reader)
{
    printf("format %d.%lld, written by %s%s%s, output as %s\n", TL_FORMAT_MAJOR,
           (long long)reader->minor, reader->library, *reader->program != '\0' ? " in " : "",
           reader->program, reader->output);
    printf("%llu bytes, %llu chunks, %zu streams\n", (unsigned long long)reader->size,
           (unsigned long long)reader->chunks, reader->streams_count);
    if (reader->skipped != 0)
        printf("%llu chunks of kinds that this version does not know\n",
               (unsigned long long)reader->skipped);
    if (reader->lost != 0)
        printf("%llu bytes are damaged\n", (unsigned long long)reader->lost);
}

int tool_stat(int argc, char **argv)
{
    struct tl_trace_problem problem = {0};

    if (argc != 2 || argv[1][0] == '-')
        return TOOL_USAGE;
    tl_trace_reader *reader = tool_open(argv[1]);
    if (reader == NULL)
        return EXIT_USAGE;
    print_file(reader);
    for (unsigned i = 0; i < reader->streams_count; i++)
        stat_stream(reader, i, &problem);
    return tool_close(argv[1], reader, &problem);
}
