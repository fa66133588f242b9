/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who answers a world's choices.
 *
 * A choice is known by its site, its entity and how often that pair has asked before. The files of
 * the simulator keep that count in the object that decides; for everybody else (tl_choose) it is
 * kept here. From these three the strategy computes, looks up or reads the answer; an answer other
 * than 0 goes into the event hash and, if wanted, into the list that becomes a script.
 *
 * Asking counts also while faults are switched off: a script made in one phase of a run stays valid
 * when the other phases change.
 */
#ifndef TL_SIM_CHOICE_H
#define TL_SIM_CHOICE_H

#include <twinloop/alloc.h>
#include <twinloop/world.h>
#include "sim/sites.h"

/* A site in one world. */
struct tl_choice_site {
    uint64_t hash; /* of its name */
    char *name;    /* a copy, for sites of a scenario */
    enum tl_site_kind kind;
    uint32_t odds;
    bool plain; /* every answer is 0, as things are: see judge() in choice_sites.c */
};

/* How often a pair of site and entity has asked. */
struct tl_choice_draws {
    uint64_t pair; /* hash of both; 0: empty */
    uint32_t count;
};

struct tl_choices {
    const tl_allocator *allocator;
    enum tl_strategy strategy;
    uint64_t seed; /* spread over all bits */
    bool quiet;    /* FAULT, SIZE and MAGNITUDE answer 0 */
    bool keep;
    uint64_t decisions; /* how many choices there were */
    void (*on_choice)(void *arg, const tl_site *site, const struct tl_script_entry *choice);
    void *on_choice_arg;

    struct tl_choice_site sites[TL_SIM_SITES_COUNT]; /* the simulator's, by their numbers */
    struct tl_choice_site *more_sites;               /* the scenario's */
    size_t more_count;
    size_t more_capacity;

    struct tl_choice_draws *draws; /* a hash table with open addressing */
    size_t draws_count;
    size_t draws_capacity; /* a power of two; 0: no table yet */

    const struct tl_script_entry *script;
    size_t script_count;
    size_t script_used;
    uint32_t *script_index; /* a hash table of places in script, from 1 */
    bool *script_asked;     /* by place in script */
    size_t script_capacity;

    const uint8_t *bytes;
    size_t bytes_left;

    struct tl_script_entry *kept;
    size_t kept_count;
    size_t kept_capacity;
};

int tl_choices_init(struct tl_choices *choices, const struct tl_world_options *options,
                    const tl_allocator *allocator);

/* As init, with the memory there is. After a failure it may only be finished. */
int tl_choices_reset(struct tl_choices *choices, const struct tl_world_options *options);
void tl_choices_finish(struct tl_choices *choices);

/* tl_choose for the simulator's own sites; *draws is the pair's count, kept by the caller. */
uint32_t tl_choices_ask(tl_world *world, enum tl_sim_site at, uint64_t entity, uint32_t *draws,
                        uint32_t bound);

/* --- Sites (choice_sites.c) --- */

/* The simulator's sites as every run begins with them; what is asked of options comes first. */
void tl_choices_begin_sites(struct tl_choices *choices);

/* The site of this name; NULL: there is none. */
struct tl_choice_site *tl_choices_find_site(struct tl_choices *choices, const char *name);

/* Adds a site of the scenario; NULL when memory is out. */
struct tl_choice_site *tl_choices_add_site(struct tl_choices *choices, const tl_site *site);

/* Forgets the scenario's. */
void tl_choices_drop_sites(struct tl_choices *choices);

#endif
