/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of the program `twinloop`: one function per command, each in a file of its own.
 */
#ifndef TL_TOOL_TOOL_H
#define TL_TOOL_TOOL_H

#include <twinloop/trace.h>

/* Exit codes, as everywhere in Twinloop. */
enum {
    EXIT_HELD = 0,
    EXIT_USAGE = 2, /* also: input that cannot be read */
    EXIT_CRASHED = 3,
    EXIT_DIVERGED = 8,
};

/* A command gets its arguments from its own name on, and returns the exit code; TOOL_USAGE when
 * they made no sense. */
enum { TOOL_USAGE = -1 };

int tool_dump(int argc, char **argv);
int tool_stat(int argc, char **argv);
int tool_replay(int argc, char **argv);

/* Opens a trace, or says in one line why it cannot be: NULL. */
tl_trace_reader *tool_open(const char *path);

/* Says what is wrong with a trace in one line, with the place. Returns EXIT_USAGE. */
int tool_complain(const char *path, const struct tl_trace_problem *problem);

/* The end of a command that has shown a trace: says what was found wrong with it first, if
 * anything, and closes it. problem is what the command came across itself; its message is empty
 * when that was nothing. The exit code. */
int tool_close(const char *path, tl_trace_reader *reader, const struct tl_trace_problem *problem);

/* Reads a decimal number. False when text is none. */
bool tool_number(const char *text, unsigned long *ret);

#endif
