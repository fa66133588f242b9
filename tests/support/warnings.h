/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the library logs as warnings, counted. Other lines of the log go nowhere meanwhile.
 */
#ifndef TL_TESTS_WARNINGS_H
#define TL_TESTS_WARNINGS_H

struct warnings {
    int count;
    char last[96];
};

/* Counts from 0 on, until warnings_stop. */
void warnings_start(struct warnings *warnings);
void warnings_stop(void);

#endif
