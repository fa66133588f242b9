/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the programs reached: how often each operation answered what, on the real kernel. A game
 * whose every move is refused agrees easily; this table tells.
 */
#ifndef TL_TESTS_FIDELITY_STATS_H
#define TL_TESTS_FIDELITY_STATS_H

#include "tests/fidelity/run.h"

enum { ERRNO_MAX = 160 };

struct stats {
    unsigned long skipped[OP_KINDS];
    unsigned long none[OP_KINDS]; /* 0 */
    unsigned long some[OP_KINDS]; /* bytes, fewer than were asked for */
    unsigned long all[OP_KINDS];  /* all of them */
    unsigned long errors[OP_KINDS][ERRNO_MAX];
};

/* Adds a program's answers; several processes may share the counts. */
void stats_count(struct stats *stats, const struct program *program,
                 const struct transcript *transcript);

void stats_print(FILE *file, const struct stats *stats);

#endif
