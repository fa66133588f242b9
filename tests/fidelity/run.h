/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running a program in one world, and what came of it.
 */
#ifndef TL_TESTS_FIDELITY_RUN_H
#define TL_TESTS_FIDELITY_RUN_H

#include <twinloop/kernel.h>

#include "tests/fidelity/program.h"

/* Which kernel, and how it is asked. */
struct manner {
    bool real;
    bool patient; /* real: after each operation, wait until nothing moves */
    bool whole;   /* reads and writes go on until they have all, or are told to stop */
    bool hurried; /* simulated: after an operation little time passes, or none */
    bool chances; /* simulated: choices by the seed, faults off; else every choice is 0 */
    uint64_t seed;
};

enum { READY_NONE = 0xff }; /* the place is empty */

/* What one operation answered, and how the places were afterwards. */
struct answer {
    bool skipped;
    bool amount_loose;           /* READ, CLOSE: bytes may be on the writer's side */
    bool beyond;                 /* from here on buffers' sizes decide everything */
    bool room_loose;             /* WRITE: more than surely fits */
    bool either;                 /* WRITE: refused, and there may be two reasons */
    int64_t result;              /* 0, bytes, or a negative errno */
    size_t before;               /* READ, CLOSE: bytes written and not read by then */
    char note[64];               /* an address, a value, how a whole read ended */
    uint8_t ready[PLACES];       /* TL_READABLE ...; READY_NONE */
    uint8_t ready_loose[PLACES]; /* of these, what the buffers' sizes decide */
    const char *broken;          /* what cannot be, whatever the other world says; NULL: nothing */
};

/* One answer for each operation, then one for reading out what is left. */
struct transcript {
    struct answer answers[OPS_MAX + 1];
    size_t count;
};

void run_program(const struct program *program, const struct manner *manner,
                 struct transcript *ret);

/* Frees what runs have kept for the next ones. */
void run_finish(void);

/* --- compare.c --- */

/* The first answer that cannot be, whatever another world says, or -1. */
int find_broken(const struct transcript *transcript);

/* The first answer in which two transcripts disagree, or -1. */
int compare_transcripts(const struct program *program, const struct transcript *real,
                        const struct transcript *sim);

/* Both transcripts side by side, up to the answer in which they disagree. */
void print_comparison(FILE *file, const struct program *program, const struct transcript *real,
                      const struct transcript *sim, int until);

/* --- shrink.c --- */

/* How a program is judged: plainly, or by many seeds. */
struct trial {
    unsigned seeds; /* 0: one call is one call, and every choice is 0 */
    uint64_t seed;  /* the first of them */
};

/* Runs the program in both worlds. Returns the first answer in which they disagree every time, with
 * the transcripts of the last time, or -1. ret_unsteady counts disagreements that did not stay. */
int try_program(const struct program *program, const struct trial *trial, struct transcript *real,
                struct transcript *sim, unsigned *ret_unsteady);

/* Deletes operations for as long as the program disagrees without them. */
void shrink_program(struct program *program, const struct trial *trial);

#endif
