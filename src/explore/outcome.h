/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How one run went, as every command of the runner handles it; and how to say it.
 */
#ifndef TL_EXPLORE_OUTCOME_H
#define TL_EXPLORE_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <twinloop/world.h>

#define TL_REPORT_MAX 16384

/* Fits a name or a sentence of the runner's. */
#define TL_LINE_MAX 256

struct tl_run_result {
    enum tl_outcome outcome;
    bool complete;     /* the members below are known: the process lived to tell them */
    tl_time time;      /* virtual, since the world began */
    uint64_t events;   /* hashed */
    uint64_t schedule; /* the two lanes of the hash */
    uint64_t content;
    bool clean;      /* not told: every process ended by itself, so nothing is left allocated */
    uint64_t unused; /* script entries that no choice asked for */
    char report[TL_REPORT_MAX]; /* several lines, the first a summary; "" when nothing went wrong */
};

#define TL_OUTCOMES_COUNT 9 /* one more than the largest */

/* "held", "failed", "stuck", ...: one word for tables and files. */
const char *tl_outcome_name(enum tl_outcome outcome);

/* The outcome with that name. 0 or -EINVAL. */
int tl_outcome_parse(const char *name, enum tl_outcome *ret);

/* The report's first line, cut to fit; returns text. */
const char *tl_result_summary(const struct tl_run_result *result, char *text, size_t size);

/* The outcome and the summary in one line, cut to fit, where the summary does not begin with the
 * outcome anyway; returns text. */
const char *tl_result_headline(const struct tl_run_result *result, char *text, size_t size);

/* The report without its first line; "" when there is no more. */
const char *tl_result_details(const struct tl_run_result *result);

/* Whether two runs were the same as far as determinism goes; if not, *ret_what names the first
 * thing that differed. */
bool tl_result_same(const struct tl_run_result *a, const struct tl_run_result *b,
                    const char **ret_what);

#endif
