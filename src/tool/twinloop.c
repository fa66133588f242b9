/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program `twinloop`: looks at traces, and replays them with the program that made them.
 *
 * This file picks the command and has what the commands share.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <twinloop/version.h>
#include "tool/tool.h"
#include "trace/format.h"

static const struct command {
    const char *name;
    const char *arguments;
    const char *summary;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"dump", "[--stream N] [--clocks] [--bytes N] TRACE", "prints a trace, one line per event",
     tool_dump},
    {"stat", "TRACE", "says what is in a trace, and what is missing", tool_stat},
    {"replay", "[--stream] TRACE -- PROGRAM [ARGUMENT...]", "runs a program again on its recording",
     tool_replay},
};

enum { COMMANDS_COUNT = sizeof commands / sizeof *commands };

static void print_usage(FILE *to)
{
    fputs("usage: twinloop COMMAND ...\n\n", to);
    for (int i = 0; i < COMMANDS_COUNT; i++)
        fprintf(to, "  twinloop %s %s\n      %s\n", commands[i].name, commands[i].arguments,
                commands[i].summary);
    fputs("  twinloop --help | --version\n\n"
          "dump: --stream N shows one stream (a stream is a loop), --clocks also what the clocks\n"
          "answered, --bytes N how much of the data (32). Columns: stream, number of the event in\n"
          "it, seconds since the stream began, the event.\n"
          "replay: PROGRAM must be linked with libtwinloop-sim. With --stream it may ask other\n"
          "things than were recorded; what each connection is sent has to be the same.\n"
          "Exit codes: 0 all is well, 2 usage or unreadable input, 3 the program crashed,\n"
          "8 the replay diverged.\n",
          to);
}

tl_trace_reader *tool_open(const char *path)
{
    struct tl_trace_problem problem;
    tl_trace_reader *reader;

    if (tl_trace_reader_open(path, &reader, &problem) == 0)
        return reader;
    (void)tool_complain(path, &problem);
    return NULL;
}

int tool_complain(const char *path, const struct tl_trace_problem *problem)
{
    fflush(stdout);
    fprintf(stderr, "twinloop: %s: byte %llu: %s\n", path, (unsigned long long)problem->offset,
            problem->message);
    return EXIT_USAGE;
}

int tool_close(const char *path, tl_trace_reader *reader, const struct tl_trace_problem *problem)
{
    struct tl_trace_problem torn;
    int status = EXIT_HELD;

    if (problem->message[0] != '\0')
        status = tool_complain(path, problem);
    else if (tl_trace_reader_torn(reader, &torn))
        status = tool_complain(path, &torn);
    tl_trace_reader_close(reader);
    return status;
}

bool tool_number(const char *text, unsigned long *ret)
{
    char *end;

    if (text == NULL || *text < '0' || *text > '9')
        return false;
    errno = 0;
    *ret = strtoul(text, &end, 10);
    return errno == 0 && *end == '\0';
}

static int finish(int status)
{
    if (status == TOOL_USAGE) {
        print_usage(stderr);
        return EXIT_USAGE;
    }
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("twinloop: standard output");
        return EXIT_USAGE;
    }
    return status;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";

    if (argc == 2 && strcmp(name, "--help") == 0) {
        print_usage(stdout);
        return finish(EXIT_HELD);
    }
    if (argc == 2 && strcmp(name, "--version") == 0) {
        printf("twinloop %s, trace format %d.%d\n", TL_VERSION, TL_FORMAT_MAJOR, TL_FORMAT_MINOR);
        return finish(EXIT_HELD);
    }
    for (int i = 0; i < COMMANDS_COUNT; i++)
        if (strcmp(name, commands[i].name) == 0)
            return finish(commands[i].run(argc - 1, argv + 1));
    if (*name != '\0')
        fprintf(stderr, "twinloop: there is no command '%s'\n", name);
    return finish(TOOL_USAGE);
}
