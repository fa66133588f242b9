/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the process of a run tells the process that watches it, through a pipe.
 *
 * A message is a head and a body, written with one write, so that what was told before a crash
 * arrives. The run's process tells the sites, parameters and choices as they are met (when it is
 * asked to) and the result last; a result that never came is a crash. Both ends are one program on
 * one machine, so the bytes are those in memory.
 */
#ifndef TL_EXPLORE_TELL_H
#define TL_EXPLORE_TELL_H

#include "explore/outcome.h"

enum tl_told {
    TL_TOLD_SEED = 1,  /* which seed the next result is of; a worker's */
    TL_TOLD_SITE,      /* a site was met for the first time */
    TL_TOLD_PARAMETER, /* a scenario parameter was drawn */
    TL_TOLD_CHOICE,    /* an answer other than 0 was given */
    TL_TOLD_COUNTS,    /* how often a site was asked; after the run */
    TL_TOLD_RESULT,
};

/* One message, as heard. Which members are set depends on what. */
struct tl_heard {
    enum tl_told what;
    uint64_t seed;                 /* SEED */
    uint64_t site;                 /* SITE, COUNTS: tl_entity(0, name, 0) */
    uint32_t kind;                 /* SITE: enum tl_site_kind */
    uint32_t value;                /* PARAMETER */
    uint64_t asked;                /* COUNTS */
    uint64_t others;               /* COUNTS: how often the answer was not 0 */
    struct tl_script_entry choice; /* CHOICE */
    struct tl_run_result *result;  /* RESULT: the listener's, filled */
    char name[TL_LINE_MAX];        /* SITE, PARAMETER */
};

/* Each returns 0 or what write said. */
int tl_tell_seed(int fd, uint64_t seed);
int tl_tell_site(int fd, uint64_t site, const tl_site *known);
int tl_tell_parameter(int fd, const char *name, uint32_t value);
int tl_tell_choice(int fd, const struct tl_script_entry *choice);
int tl_tell_counts(int fd, uint64_t site, uint64_t asked, uint64_t others);
int tl_tell_result(int fd, const struct tl_run_result *result);

/* Takes the next message off data[0, len): how many bytes it had, 0 when no whole one is left.
 * heard must have result set; it is filled by a RESULT. */
size_t tl_hear(const uint8_t *data, size_t len, struct tl_heard *heard);

#endif
