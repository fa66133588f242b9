/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reproducer files: one failing run, as the answers other than 0 that it was given.
 *
 * A text of lines, so that it can be read, compared and edited:
 *
 *     twinloop-script 1 library 0.1.0 scenario echo seed 123 strategy seed
 *     outcome stuck
 *     summary nothing can wake client/client
 *     debug
 *     run events 1234 schedule 0x0123456789abcdef content 0x0123456789abcdef
 *     choice stream.segment 0x00000000000000a7 3 17
 *     end 1
 *
 * A choice is a site (its name, or 0x and its hash), an entity, how often that pair had asked
 * before, and the answer. `debug` is there when the loops were in debug mode. `run` is left out
 * when the run did not live to tell. `end` repeats the number of choices, so that a file that was
 * cut is not taken for a whole one. Empty lines and lines that start with # are skipped.
 */
#ifndef TL_EXPLORE_SCRIPT_H
#define TL_EXPLORE_SCRIPT_H

#include <stdio.h>
#include "explore/outcome.h"
#include "explore/sites.h"

#define TL_SCRIPT_VERSION 1

struct tl_script {
    char library[32];
    char scenario[TL_LINE_MAX];
    char summary[TL_LINE_MAX];
    uint64_t seed;
    bool debug; /* --debug was given */
    enum tl_outcome outcome;
    bool complete; /* the next three are known */
    uint64_t events;
    uint64_t schedule;
    uint64_t content;
    struct tl_script_entry *entries; /* of tl_alloc */
    size_t count;
};

/* Why a script was refused: a line of the file (0: the file as a whole) and one sentence. */
struct tl_script_problem {
    unsigned line;
    char message[TL_LINE_MAX];
};

/* sites gives the names. 0 or -EIO. */
int tl_script_write(FILE *file, const struct tl_script *script, const struct tl_sites *sites);

/* Writes directory/NAME-SEED.script whole: under another name first, then renamed. Makes the
 * directory, and those above it, if need be. ret_path gets the path. 0 or a negative error. */
int tl_script_save(const char *directory, const struct tl_script *script,
                   const struct tl_sites *sites, char *ret_path, size_t size);

/* 0, and the caller finishes *ret; -EINVAL with *ret_problem filled; -ENOMEM likewise. */
int tl_script_read(FILE *file, struct tl_script *ret, struct tl_script_problem *ret_problem);

void tl_script_finish(struct tl_script *script);

#endif
