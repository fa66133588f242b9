/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The progress line: how far a sweep is, how fast, how many failures, how much longer.
 *
 * On a terminal one line of standard error is rewritten in place; elsewhere a line is written every
 * few seconds. Whoever prints something else calls tl_progress_clear first.
 */
#ifndef TL_EXPLORE_PROGRESS_H
#define TL_EXPLORE_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct tl_progress {
    FILE *out;
    bool terminal;    /* out can be rewritten */
    bool shown;       /* a line is on the terminal */
    uint64_t total;   /* seeds; UINT64_MAX: as many as there is time for */
    int64_t started;  /* real time */
    int64_t time_max; /* how long the sweep may take; 0: as long as it takes */
    int64_t next;     /* when to write next */
    uint64_t done;
    uint64_t failures;
};

void tl_progress_start(struct tl_progress *progress, FILE *out, uint64_t total, int64_t time_max);

/* Writes if it is time to. */
void tl_progress_tick(struct tl_progress *progress);

/* Real time since the start. */
int64_t tl_progress_elapsed(const struct tl_progress *progress);

/* Takes the line off the terminal. */
void tl_progress_clear(struct tl_progress *progress);

/* The line's text at a time after the start, cut to fit. */
void tl_progress_format(const struct tl_progress *progress, int64_t elapsed, char *text,
                        size_t size);

/* Items per second, rounded down. */
uint64_t tl_rate(uint64_t items, int64_t elapsed);

/* "8.1 s", "3 min 20 s", "2 h 5 min". */
void tl_format_duration(int64_t duration, char *text, size_t size);

#endif
