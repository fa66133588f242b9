/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Comparing the hashed streams of two runs, line by line.
 */
#ifndef TL_EXPLORE_WORDS_H
#define TL_EXPLORE_WORDS_H

#include <stdbool.h>
#include <stdio.h>

/* Reads both files from where they stand. If they differ, prints the number of the first differing
 * line (lines are events, counted from 1), a few lines before it and both versions to out, and
 * returns true. */
bool tl_words_compare(FILE *first, FILE *second, FILE *out);

#endif
