/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Choices: counts and the three strategies.
 *
 * The seed strategy stores nothing: an answer is a mix of the seed with the choice's identity, so
 * one choice more or less in a run leaves all others as they were.
 */
#include "sim/choice.h"

#include <errno.h>
#include <string.h>

#include "core/alloc.h"
#include "sim/hash.h"
#include "sim/mix.h"
#include "sim/world.h"

uint64_t tl_entity(uint64_t parent, const char *name, uint64_t ordinal)
{
    return tl_mix(tl_mix(parent, tl_mix_bytes(name, strlen(name))), ordinal);
}

/* --- Scripts ---------------------------------------------------------------------------------- */

static uint64_t script_key(uint64_t site, uint64_t entity, uint32_t draw)
{
    return tl_mix(tl_mix(site, entity), draw);
}

/* The place of the entry in the index, or where it would be. */
static size_t script_slot(const struct tl_choices *choices, uint64_t site, uint64_t entity,
                          uint32_t draw)
{
    size_t mask = choices->script_capacity - 1;
    size_t slot = script_key(site, entity, draw) & mask;
    for (; choices->script_index[slot] != 0; slot = (slot + 1) & mask) {
        const struct tl_script_entry *entry = &choices->script[choices->script_index[slot] - 1];
        if (entry->site == site && entry->entity == entity && entry->draw == draw)
            break;
    }
    return slot;
}

static int index_script(struct tl_choices *choices)
{
    size_t capacity = 16;
    while (capacity < 2 * choices->script_count)
        capacity *= 2;
    choices->script_capacity = capacity;
    choices->script_index =
        tl_allocator_calloc(choices->allocator, capacity * sizeof *choices->script_index);
    choices->script_asked =
        tl_allocator_calloc(choices->allocator, choices->script_count * sizeof(bool));
    if (choices->script_index == NULL || choices->script_asked == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < choices->script_count; i++) {
        const struct tl_script_entry *entry = &choices->script[i];
        size_t slot = script_slot(choices, entry->site, entry->entity, entry->draw);
        choices->script_index[slot] = (uint32_t)i + 1;
    }
    return 0;
}

static uint32_t from_script(struct tl_choices *choices, const struct tl_choice_site *site,
                            uint64_t entity, uint32_t draw, uint32_t bound)
{
    uint32_t place = choices->script_index[script_slot(choices, site->hash, entity, draw)];
    if (place == 0)
        return 0;
    if (!choices->script_asked[place - 1]) {
        choices->script_asked[place - 1] = true;
        choices->script_used++;
    }
    uint32_t answer = choices->script[place - 1].answer;
    return answer < bound ? answer : bound - 1;
}

size_t tl_world_script_unused(const tl_world *world)
{
    return world->choices.script_count - world->choices.script_used;
}

/* --- The other strategies --------------------------------------------------------------------- */

static inline uint32_t from_seed(const struct tl_choices *choices,
                                 const struct tl_choice_site *site, uint64_t entity, uint32_t draw,
                                 uint32_t bound)
{
    uint64_t word = tl_scramble(tl_mix(tl_mix(choices->seed ^ site->hash, entity), draw));
    uint64_t high = word >> 32;
    if (site->kind == TL_SITE_USER)
        return (uint32_t)(high * bound >> 32);
    if ((word & 0xffff) >= site->odds)
        return 0;
    return 1 + (uint32_t)(high * (bound - 1) >> 32);
}

/* As many bytes as the bound has, lowest first. */
static uint32_t from_bytes(struct tl_choices *choices, uint32_t bound)
{
    uint32_t value = 0;
    for (unsigned shift = 0; shift < 32 && (bound - 1) >> shift != 0; shift += 8) {
        if (choices->bytes_left == 0)
            break;
        value |= (uint32_t)*choices->bytes << shift;
        choices->bytes++;
        choices->bytes_left--;
    }
    return value % bound;
}

/* --- Asking ----------------------------------------------------------------------------------- */

static uint32_t find_answer(struct tl_choices *choices, const struct tl_choice_site *site,
                            uint64_t entity, uint32_t draw, uint32_t bound)
{
    if (site->plain)
        return 0;
    switch (choices->strategy) {
    case TL_STRATEGY_SCRIPT:
        return from_script(choices, site, entity, draw, bound);
    case TL_STRATEGY_BYTES:
        return from_bytes(choices, bound);
    case TL_STRATEGY_SEED:
        break;
    }
    return from_seed(choices, site, entity, draw, bound);
}

static int keep_answer(struct tl_choices *choices, const struct tl_script_entry *entry)
{
    if (choices->kept_count == choices->kept_capacity) {
        size_t capacity = choices->kept_capacity > 0 ? 2 * choices->kept_capacity : 64;
        struct tl_script_entry *kept =
            tl_allocator_realloc(choices->allocator, choices->kept, capacity * sizeof *kept);
        if (kept == NULL)
            return -ENOMEM;
        choices->kept = kept;
        choices->kept_capacity = capacity;
    }
    choices->kept[choices->kept_count++] = *entry;
    return 0;
}

/* What becomes of an answer other than 0, which it returns. */
static __attribute__((noinline)) uint32_t note_answer(tl_world *world,
                                                      const struct tl_choice_site *site,
                                                      uint64_t entity, uint32_t draw,
                                                      uint32_t answer)
{
    const struct tl_event_words words = {
        .kind = TL_KIND_CHOICE,
        .name = site->name,
        .actor = entity,
        .result = answer,
        .aux = site->hash ^ draw,
    };
    tl_event_hash_add(world, &words);
    if (world->choices.keep) {
        const struct tl_script_entry entry = {
            .site = site->hash, .entity = entity, .draw = draw, .answer = answer};
        if (keep_answer(&world->choices, &entry) < 0)
            tl_world_fail(world, "no memory to remember the choices");
    }
    return answer;
}

/* known is what the asker calls the site; its odds may have been replaced in this world. */
static uint32_t ask(tl_world *world, const struct tl_choice_site *site, const tl_site *known,
                    uint64_t entity, uint32_t draw, uint32_t bound)
{
    struct tl_choices *choices = &world->choices;
    uint32_t answer = find_answer(choices, site, entity, draw, bound);
    if (choices->on_choice != NULL) {
        const struct tl_script_entry entry = {
            .site = site->hash, .entity = entity, .draw = draw, .answer = answer};
        choices->on_choice(choices->on_choice_arg, known, &entry);
    }
    return answer != 0 ? note_answer(world, site, entity, draw, answer) : 0;
}

uint32_t tl_choices_ask(tl_world *world, enum tl_sim_site at, uint64_t entity, uint32_t *draws,
                        uint32_t bound)
{
    if (bound < 2)
        return 0;
    struct tl_choices *choices = &world->choices;
    const struct tl_choice_site *site = &choices->sites[at];
    uint32_t draw = (*draws)++;
    choices->decisions++;
    if (choices->strategy != TL_STRATEGY_SEED || choices->on_choice != NULL)
        return ask(world, site, tl_sim_sites[at], entity, draw, bound);
    /* A 0 of a seed, which nobody is told of, is what nearly all of them are. */
    uint32_t answer = site->plain ? 0 : from_seed(choices, site, entity, draw, bound);
    return answer != 0 ? note_answer(world, site, entity, draw, answer) : 0;
}

/* --- Counts of the scenario's own choices ----------------------------------------------------- */

static size_t draws_slot(const struct tl_choices *choices, uint64_t pair)
{
    size_t mask = choices->draws_capacity - 1;
    size_t slot = pair & mask;
    while (choices->draws[slot].pair != 0 && choices->draws[slot].pair != pair)
        slot = (slot + 1) & mask;
    return slot;
}

static int grow_draws(struct tl_choices *choices)
{
    struct tl_choices old = *choices;
    size_t capacity = old.draws_capacity > 0 ? 2 * old.draws_capacity : 64;
    choices->draws = tl_allocator_calloc(choices->allocator, capacity * sizeof *choices->draws);
    if (choices->draws == NULL) {
        choices->draws = old.draws;
        return -ENOMEM;
    }
    choices->draws_capacity = capacity;
    for (size_t i = 0; i < old.draws_capacity; i++)
        if (old.draws[i].pair != 0)
            choices->draws[draws_slot(choices, old.draws[i].pair)] = old.draws[i];
    tl_allocator_free(choices->allocator, old.draws);
    return 0;
}

/* Counts one more draw of a pair and returns how many there were before; negative: no memory. */
static int64_t count_draw(struct tl_choices *choices, uint64_t site, uint64_t entity)
{
    uint64_t pair = tl_mix(site, entity);
    if (pair == 0)
        pair = 1;
    if (4 * (choices->draws_count + 1) > 3 * choices->draws_capacity) {
        int r = grow_draws(choices);
        if (r < 0)
            return r;
    }
    struct tl_choice_draws *draws = &choices->draws[draws_slot(choices, pair)];
    if (draws->pair == 0) {
        draws->pair = pair;
        choices->draws_count++;
    }
    return draws->count++;
}

uint32_t tl_choose(tl_world *world, const tl_site *site, uint64_t entity, uint32_t bound)
{
    if (bound < 2)
        return 0;
    struct tl_choices *choices = &world->choices;
    struct tl_choice_site *own = tl_choices_find_site(choices, site->name);
    if (own == NULL)
        own = tl_choices_add_site(choices, site);
    int64_t draw = own != NULL ? count_draw(choices, own->hash, entity) : -ENOMEM;
    if (draw < 0) {
        tl_world_fail(world, "no memory for the choice %s", site->name);
        return 0;
    }
    choices->decisions++;
    return ask(world, own, site, entity, (uint32_t)draw, bound);
}

uint32_t tl_choose_among(tl_world *world, const tl_site *site, const uint64_t *ids, uint32_t count)
{
    /* The decision is that of the first in line: whether somebody overtakes it. */
    return count < 2 ? 0 : tl_choose(world, site, ids[0], count);
}

/* --- Life ------------------------------------------------------------------------------------- */

/* Everything but what is kept between runs. */
static int set_up(struct tl_choices *choices, const struct tl_world_options *options)
{
    choices->strategy = options->strategy;
    choices->seed = tl_scramble(tl_mix(options->seed, TL_MIX_PHI));
    choices->quiet = options->quiet;
    choices->keep = options->keep_choices;
    choices->on_choice = options->on_choice;
    choices->on_choice_arg = options->on_choice_arg;
    choices->bytes = options->bytes;
    choices->bytes_left = options->bytes_count;
    tl_choices_begin_sites(choices);
    if (options->strategy != TL_STRATEGY_SCRIPT)
        return 0;
    choices->script = options->script;
    choices->script_count = options->script_count;
    return index_script(choices);
}

int tl_choices_init(struct tl_choices *choices, const struct tl_world_options *options,
                    const tl_allocator *allocator)
{
    *choices = (struct tl_choices){.allocator = allocator};
    return set_up(choices, options);
}

/* What one run leaves: sites of its own, the index of its script. */
static void drop_run(struct tl_choices *choices)
{
    tl_choices_drop_sites(choices);
    tl_allocator_free(choices->allocator, choices->script_index);
    tl_allocator_free(choices->allocator, choices->script_asked);
    choices->script_index = NULL;
    choices->script_asked = NULL;
}

int tl_choices_reset(struct tl_choices *choices, const struct tl_world_options *options)
{
    drop_run(choices);
    if (choices->draws_count > 0)
        memset(choices->draws, 0, choices->draws_capacity * sizeof *choices->draws);
    choices->draws_count = 0;
    choices->decisions = 0;
    choices->kept_count = 0;
    choices->script_count = 0;
    choices->script_used = 0;
    return set_up(choices, options);
}

void tl_choices_finish(struct tl_choices *choices)
{
    drop_run(choices);
    tl_allocator_free(choices->allocator, choices->more_sites);
    tl_allocator_free(choices->allocator, choices->draws);
    tl_allocator_free(choices->allocator, choices->kept);
}

const struct tl_script_entry *tl_world_script(const tl_world *world, size_t *ret_count)
{
    *ret_count = world->choices.kept_count;
    return world->choices.kept;
}
