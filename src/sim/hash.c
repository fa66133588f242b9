/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folding and printing of hashed events.
 *
 * The number of choices made so far is part of every event, so that a run which only asked for one
 * plain answer more is seen to differ at its next event.
 */
#include "sim/hash.h"

#include <inttypes.h>
#include <string.h>
#include <twinloop/error.h>

#include "sim/kernel.h"
#include "sim/mix.h"
#include "sim/process.h"
#include "sim/world.h"

static const char *const kind_names[TL_KIND_COUNT] = {
#define TL_OP(number, NAME, name, object, arg0, arg1, arg2, arg3, blob) [number] = #name,
#define TL_EVENT(number, NAME, name, object, value) [number] = #name,
#include "trace/ops.def"
    [TL_KIND_CHOICE] = "choice", [TL_KIND_START] = "start",       [TL_KIND_EXIT] = "exit",
    [TL_KIND_KILLED] = "killed", [TL_KIND_CALLBACK] = "callback", [TL_KIND_OBSERVED] = "observed",
};

/* A result as every machine has it. */
static int64_t portable(int64_t result)
{
    return result < 0 ? -(int64_t)tl_err_index((int)result) : result;
}

/* "sequence time process kind object result aux content actor choices": all that is hashed, as
 * tl_world_options.words has it. */
static void print_words(const tl_world *world, const struct tl_event_words *words, const char *who)
{
    fprintf(world->hash.words, "%" PRIu64 " %" PRId64 " %s %s%s%s %" PRIu32 " ", world->hash.events,
            world->now, who, kind_names[words->kind], words->name != NULL ? ":" : "",
            words->name != NULL ? words->name : "", words->object);
    if (words->result < 0)
        fprintf(world->hash.words, "%s", tl_err_name((int)words->result));
    else
        fprintf(world->hash.words, "%" PRId64, words->result);
    fprintf(world->hash.words, " %" PRIx64 " %016" PRIx64 " %" PRIx64 " %" PRIu64 "\n", words->aux,
            words->content, words->actor, world->choices.decisions);
}

/* A line for people: "0.000210000 client read #2 -> 64". */
static void print_log(const tl_world *world, const struct tl_event_words *words, const char *who)
{
    FILE *log = world->hash.log;
    fprintf(log, "%" PRId64 ".%09" PRId64 " %s %s", world->now / TL_SECOND, world->now % TL_SECOND,
            who, kind_names[words->kind]);
    if (words->name != NULL)
        fprintf(log, " %s", words->name);
    if (words->object != 0)
        fprintf(log, " #%" PRIu32, words->object);
    if (words->result < 0)
        fprintf(log, " -> %s\n", tl_err_name((int)words->result));
    else
        fprintf(log, " -> %" PRId64 "\n", words->result);
}

static void print(const tl_world *world, const struct tl_event_words *words)
{
    const tl_process *process = world->current;
    const char *who = words->who;
    if (who == NULL)
        who = process != NULL ? process->name : "-";
    if (world->hash.words != NULL)
        print_words(world, words, who);
    if (world->hash.log != NULL)
        print_log(world, words, who);
}

/* The words of an event that decide its hash. All in registers: this is done for every event. */
static inline void fold(tl_world *world, unsigned kind, uint32_t object, uint64_t actor,
                        int64_t result, uint64_t aux, uint64_t content)
{
    struct tl_event_hash *hash = &world->hash;
    uint64_t lane = hash->schedule ^ ((uint64_t)object << 8 | kind);
    lane = tl_fold(lane, (uint64_t)portable(result) ^ TL_MIX_PI);
    lane = tl_fold(lane ^ (uint64_t)world->now, actor ^ TL_MIX_E);
    lane = tl_fold(lane ^ aux, world->choices.decisions ^ TL_MIX_PHI);
    hash->schedule = lane;
    if (content != 0)
        hash->content = tl_fold(hash->content ^ content, actor ^ TL_MIX_ROOT);
    hash->events++;
}

static bool printed(const struct tl_event_hash *hash)
{
    return hash->words != NULL || hash->log != NULL;
}

void tl_event_hash_add(tl_world *world, const struct tl_event_words *words)
{
    fold(world, words->kind, words->object, words->actor, words->result, words->aux,
         words->content);
    if (printed(&world->hash))
        print(world, words);
}

static __attribute__((noinline)) void print_note(const struct tl_sim_kernel *kernel, unsigned kind,
                                                 uint32_t object, int64_t result, uint64_t aux,
                                                 uint64_t content)
{
    const struct tl_event_words words = {
        .kind = kind,
        .object = object,
        .actor = kernel->process->entity,
        .who = kernel->process->name,
        .result = result,
        .aux = aux,
        .content = content,
    };
    print(kernel->process->world, &words);
}

void tl_sim_note(struct tl_sim_kernel *kernel, unsigned kind, uint32_t object, int64_t result,
                 uint64_t aux, uint64_t content)
{
    const tl_process *process = kernel->process;
    tl_world *world = process->world;
    fold(world, kind, object, process->entity, result, aux, content);
    if (printed(&world->hash))
        print_note(kernel, kind, object, result, aux, content);
}

/* --- What a scenario sees of it --------------------------------------------------------------- */

void tl_world_hashes(const tl_world *world, uint64_t *ret_schedule, uint64_t *ret_content)
{
    *ret_schedule = world->hash.schedule;
    *ret_content = world->hash.content;
}

uint64_t tl_world_events(const tl_world *world)
{
    return world->hash.events;
}

void tl_world_observe(tl_world *world, const char *what, uint64_t word)
{
    struct tl_event_words words = {
        .kind = TL_KIND_OBSERVED,
        .name = what,
        .actor = tl_mix_bytes(what, strlen(what)),
        .aux = word,
    };
    tl_event_hash_add(world, &words);
}
