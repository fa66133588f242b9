/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The allocation ladder: runs a scenario again and again, failing its first allocation, then its
 * second, and so on, until it runs through without meeting a failure. Whatever step failed, nothing
 * may be left allocated afterwards.
 *
 *     static void scenario(void *arg);
 *     ...
 *     struct ladder ladder;
 *     ladder_install(&ladder);
 *     ... what must not fail: kernels, loops ...
 *     ladder_climb(&ladder, scenario, arg);
 *     ladder_remove(&ladder);
 *
 * The scenario calls ladder_arm when allocations may begin to fail; it must cope with an error from
 * every call after that, and leave nothing behind.
 */
#ifndef TL_TESTS_LADDER_H
#define TL_TESTS_LADDER_H

#include <stdbool.h>
#include <stddef.h>
#include <twinloop/alloc.h>

struct ladder {
    size_t live;  /* allocations that have not been freed */
    size_t asked; /* requests since the ladder was armed */
    size_t rung;  /* the request that fails; 0: none does */
    bool sticky;  /* and every later one */
    bool armed;
    bool hit;     /* one has failed */
    size_t rungs; /* how many there were, once climbed */
};

/* Puts a counting allocator in place. Nothing of the library may be in use. */
void ladder_install(struct ladder *ladder);
void ladder_remove(struct ladder *ladder);

/* From here on requests count, until disarmed. */
void ladder_arm(struct ladder *ladder);
void ladder_disarm(struct ladder *ladder);

/* Runs scenario(arg) once for every request it makes, and then once more; first with one request
 * failing, then with all from that one on. Fails the test if anything is left allocated. */
void ladder_climb(struct ladder *ladder, void (*scenario)(void *arg), void *arg);

#endif
