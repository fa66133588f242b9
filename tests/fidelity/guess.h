/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the generator guesses of the program that it writes: what each place will hold, when binds,
 * connects and accepts succeed. The guess only steers.
 */
#ifndef TL_TESTS_FIDELITY_GUESS_H
#define TL_TESTS_FIDELITY_GUESS_H

#include "tests/fidelity/program.h"

/* What a place is guessed to hold. */
enum guess {
    GUESS_EMPTY,
    GUESS_FRESH,
    GUESS_LISTENING,
    GUESS_CONNECTED,
    GUESS_DATAGRAM,
    GUESS_READS,  /* a pipe's end */
    GUESS_WRITES, /* the other one */
    GUESS_FILE,
};

struct generator {
    uint64_t state;
    struct program *program;
    uint8_t guesses[PLACES]; /* enum guess */
    uint8_t sorts[PLACES];   /* enum sort */
    uint8_t waiting[PLACES]; /* connections to be accepted there */
    uint8_t peers[PLACES];   /* who reads what it writes; a client: its listener, until accepted */
    bool unread[PLACES];     /* somebody has written to it */
    uint8_t family;          /* what most of its sockets are: enum sort */
    bool large;              /* it moves large amounts */
    bool files;              /* it is about files and paths */
    bool paths[PATHS];       /* something is there */
};

static inline bool sort_has_datagrams(uint8_t sort)
{
    return sort == SORT_UDP || sort == SORT_UDP6 || sort == SORT_UNIX_DATAGRAM;
}

static inline bool sort_has_paths(uint8_t sort)
{
    return sort == SORT_UNIX || sort == SORT_UNIX_DATAGRAM;
}

/* A number below bound. */
uint32_t guess_draw(struct generator *generator, uint32_t bound);

/* A place that is guessed to hold this, any place when none does. */
uint8_t guess_find(struct generator *generator, enum guess guess);
uint8_t guess_find_open(struct generator *generator);
uint8_t guess_find_unread(struct generator *generator);

/* A path where something is as a rule, or where nothing is. */
uint8_t guess_find_path(struct generator *generator, bool taken);

/* Whether sockets of one sort can connect to those of the other. */
bool guess_reaches(uint8_t from, uint8_t to);

/* Whether the operation may well do something, as far as can be guessed. */
bool guess_is_sensible(const struct generator *generator, const struct op *op);

/* What there is after an operation, if it does what it should. */
void guess_after(struct generator *generator, const struct op *op);

#endif
