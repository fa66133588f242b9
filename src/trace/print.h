/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events for people: one line each.
 */
#ifndef TL_TRACE_PRINT_H
#define TL_TRACE_PRINT_H

#include <stdbool.h>
#include <stddef.h>
#include "trace/event.h"

/* How much of an event is known. */
enum tl_trace_side {
    TL_SIDE_TRACE,   /* all of it */
    TL_SIDE_PROGRAM, /* what the program asked, without the answer */
};

/* Writes an event's name and fields, "read fd 4 room=65536 count=1 -> 5 data=\"hello\"", cut to
 * fit. Of a blob the first blob_max bytes are shown. Returns text. */
const char *tl_trace_format_event(const struct tl_trace_event *event, enum tl_trace_side side,
                                  size_t blob_max, char *text, size_t size);

/* Writes the first max bytes of data in quotes, what does not print escaped, with dots behind it
 * when there are more. Returns text. */
const char *tl_trace_format_bytes(const void *data, size_t len, size_t max, char *text,
                                  size_t size);

/* Writes a time as seconds with nine decimals, "-0.000000001". Returns text. */
const char *tl_trace_format_time(tl_time time, char *text, size_t size);

#endif
