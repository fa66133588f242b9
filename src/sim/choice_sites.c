/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sites of one world: the simulator's own, with the odds that a scenario gave them, and those
 * that the scenario itself has asked at.
 *
 * What is known of a site without looking at the choice, its hash and whether its every answer is
 * 0, is worked out before anybody asks, since sites are asked for each message.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "core/alloc.h"
#include "sim/choice.h"
#include "sim/world.h"

/* --- Which of them are plain ------------------------------------------------------------------ */

/* Kinds of sites, a bit for each. */
struct kinds {
    unsigned plain;          /* whose every answer is 0 */
    unsigned plain_unlikely; /* whose every answer is 0 if the odds are */
};

#define KIND(kind) (1u << (kind))

static struct kinds plain_kinds(const struct tl_choices *choices)
{
    const unsigned faults = KIND(TL_SITE_FAULT);
    struct kinds kinds = {0};
    if (choices->quiet)
        kinds.plain = faults | KIND(TL_SITE_SIZE) | KIND(TL_SITE_MAGNITUDE);
    kinds.plain_unlikely = kinds.plain;
    if (choices->strategy == TL_STRATEGY_SEED)
        kinds.plain_unlikely = ~KIND(TL_SITE_USER);
    if (choices->strategy == TL_STRATEGY_BYTES)
        kinds.plain_unlikely |= faults; /* it takes no byte */
    return kinds;
}

/* Whether a site's every answer is known, which is so for most that are asked for each message.
 * Called whenever one of its reasons changes. */
static void judge(struct tl_choice_site *site, struct kinds kinds)
{
    unsigned plain = site->odds == 0 ? kinds.plain_unlikely : kinds.plain;
    site->plain = (plain & KIND(site->kind)) != 0;
}

static void judge_all(struct tl_choices *choices)
{
    struct kinds kinds = plain_kinds(choices);
    for (size_t i = 0; i < TL_SIM_SITES_COUNT; i++)
        judge(&choices->sites[i], kinds);
    for (size_t i = 0; i < choices->more_count; i++)
        judge(&choices->more_sites[i], kinds);
}

/* --- The simulator's and the scenario's ------------------------------------------------------- */

static void describe(struct tl_choice_site *ret, const tl_site *site)
{
    *ret = (struct tl_choice_site){
        .hash = tl_entity(0, site->name, 0),
        .name = (char *)site->name,
        .kind = site->kind,
        .odds = site->odds,
    };
}

/* The simulator's sites as every run begins with them. Their hashes are the same in all worlds of
 * the process, and are computed for the first of them. */
static struct tl_choice_site sim_sites[TL_SIM_SITES_COUNT];

static void describe_sim_sites(void)
{
    for (size_t i = 0; i < TL_SIM_SITES_COUNT; i++)
        describe(&sim_sites[i], tl_sim_sites[i]);
}

void tl_choices_begin_sites(struct tl_choices *choices)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, describe_sim_sites);
    memcpy(choices->sites, sim_sites, sizeof sim_sites);
    judge_all(choices);
}

struct tl_choice_site *tl_choices_add_site(struct tl_choices *choices, const tl_site *site)
{
    if (choices->more_count == choices->more_capacity) {
        size_t capacity = choices->more_capacity + 10;
        struct tl_choice_site *sites =
            tl_allocator_realloc(choices->allocator, choices->more_sites, capacity * sizeof *sites);
        if (sites == NULL)
            return NULL;
        choices->more_sites = sites;
        choices->more_capacity = capacity;
    }
    size_t size = strlen(site->name) + 1;
    char *name = tl_allocator_alloc(choices->allocator, size);
    if (name == NULL)
        return NULL;
    struct tl_choice_site *added = &choices->more_sites[choices->more_count++];
    describe(added, site);
    added->name = memcpy(name, site->name, size);
    judge(added, plain_kinds(choices));
    return added;
}

void tl_choices_drop_sites(struct tl_choices *choices)
{
    while (choices->more_count > 0)
        tl_allocator_free(choices->allocator, choices->more_sites[--choices->more_count].name);
}

static struct tl_choice_site *find_among(struct tl_choice_site *sites, size_t count, uint64_t hash)
{
    for (size_t i = 0; i < count; i++)
        if (sites[i].hash == hash)
            return &sites[i];
    return NULL;
}

struct tl_choice_site *tl_choices_find_site(struct tl_choices *choices, const char *name)
{
    uint64_t hash = tl_entity(0, name, 0);
    struct tl_choice_site *site = find_among(choices->sites, TL_SIM_SITES_COUNT, hash);
    return site != NULL ? site : find_among(choices->more_sites, choices->more_count, hash);
}

/* --- What a scenario changes ------------------------------------------------------------------ */

int tl_world_set_odds(tl_world *world, const char *site_name, uint32_t odds)
{
    if (world == NULL || site_name == NULL)
        return -EINVAL;
    struct tl_choice_site *site = tl_choices_find_site(&world->choices, site_name);
    if (site == NULL)
        return -ENOENT;
    site->odds = odds;
    judge(site, plain_kinds(&world->choices));
    return 0;
}

void tl_world_set_faults(tl_world *world, bool on)
{
    world->choices.quiet = !on;
    judge_all(&world->choices);
}
