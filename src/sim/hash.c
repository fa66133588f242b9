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

void tl_event_hash_add(tl_world *world, const struct tl_event_words *words)
{
    struct tl_event_hash *hash = &world->hash;
    uint64_t lane = hash->schedule ^ ((uint64_t)words->object << 8 | words->kind);
    lane = tl_fold(lane, (uint64_t)portable(words->result) ^ TL_MIX_PI);
    lane = tl_fold(lane ^ (uint64_t)world->now, words->actor ^ TL_MIX_E);
    lane = tl_fold(lane ^ words->aux, world->choices.decisions ^ TL_MIX_PHI);
    hash->schedule = lane;
    if (words->content != 0)
        hash->content = tl_fold(hash->content ^ words->content, words->actor ^ TL_MIX_ROOT);
    hash->events++;
    if (hash->words != NULL || hash->log != NULL)
        print(world, words);
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
