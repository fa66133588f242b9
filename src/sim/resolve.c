/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queries: what a process asks its host's resolver, until it is answered.
 *
 *     asked --the servers' time is over--> due --poll--> answered
 *       `-------------- cancel ------------'
 *
 * How long the servers take, whether they answer, and which of a name's equally good addresses they
 * name first are choices. What a name stands for is looked up when the answer is handed out.
 */
#include <errno.h>
#include <string.h>

#include "core/alloc.h"
#include "sim/kernel.h"
#include "sim/mix.h"
#include "sim/names.h"

#define LOCAL_TIME (10 * TL_MICROSECOND) /* nobody is asked */
#define REMOTE_TIME TL_MILLISECOND
#define PATIENCE (10 * TL_SECOND) /* with servers that do not answer */

enum { TURNS = 8 };

/* Answers of the site resolve.failed. */
enum { ANSWERED, TRY_AGAIN, NO_NAME, FAILURES };

struct lookup {
    struct tl_list place; /* in its kernel's lookups or resolved */
    struct tl_agenda_event event;
    struct tl_sim_kernel *kernel;
    struct tl_query *query;
    uint64_t id;
    uint64_t ordinal; /* among its kernel's, from 1 */
    uint32_t turn;
    uint32_t failure;
    uint32_t draws[3];
    uint32_t order_draws;
};

static void lookup_free(struct lookup *lookup)
{
    tl_world *world = tl_sim_kernel_of(lookup->kernel);
    tl_list_remove(&lookup->place);
    tl_agenda_event_finish(&world->agenda, &lookup->event);
    tl_allocator_free(&world->allocator, lookup);
}

static void lookup_due(struct tl_agenda_event *event)
{
    struct lookup *lookup = tl_listed(event, struct lookup, event);
    struct tl_sim_kernel *kernel = lookup->kernel;
    tl_list_remove(&lookup->place);
    tl_list_push(&kernel->resolved, &lookup->place);
    tl_ready_touch(kernel, &kernel->names);
}

/* --- Asking ----------------------------------------------------------------------------------- */

static void start(struct lookup *lookup)
{
    tl_world *world = tl_sim_kernel_of(lookup->kernel);
    bool local = tl_names_local(lookup->query);
    tl_time takes = LOCAL_TIME;
    if (!local) {
        lookup->failure =
            tl_choices_ask(world, TL_AT_RESOLVE_FAILED, lookup->id, &lookup->draws[0], FAILURES);
        lookup->turn =
            tl_choices_ask(world, TL_AT_RESOLVE_ORDER, lookup->id, &lookup->draws[1], TURNS);
        takes = REMOTE_TIME + tl_magnitude(tl_choices_ask(world, TL_AT_RESOLVE_DELAY, lookup->id,
                                                          &lookup->draws[2], TL_MAGNITUDES));
    }
    if (lookup->failure == TRY_AGAIN)
        takes = PATIENCE;
    tl_agenda_add(&world->agenda, &lookup->event, world->now + takes);
}

static int ask(struct tl_sim_kernel *kernel, struct tl_query *query)
{
    tl_world *world = tl_sim_kernel_of(kernel);
    struct lookup *lookup = tl_allocator_calloc(&world->allocator, sizeof *lookup);
    if (lookup == NULL || tl_agenda_event_init(&world->agenda, &lookup->event, lookup_due) < 0) {
        tl_allocator_free(&world->allocator, lookup);
        return -ENOMEM;
    }
    lookup->kernel = kernel;
    lookup->query = query;
    lookup->id = tl_entity(kernel->entity, "lookup", kernel->lookups_count++);
    lookup->ordinal = kernel->lookups_count;
    tl_list_push(&kernel->lookups, &lookup->place);
    query->request.owner = lookup;
    start(lookup);
    return 0;
}

static uint64_t hash_text(uint64_t seed, const char *text)
{
    return text != NULL ? tl_mix(seed, tl_mix_bytes(text, strlen(text))) : tl_mix(seed, 0);
}

static uint64_t hash_query(const struct tl_query *query)
{
    const tl_addrinfo_hints *hints = &query->hints;
    if (query->kind == TL_QUERY_NAMES)
        return tl_mix(query->flags, tl_sim_hash_address(&query->addr));
    uint64_t word = tl_mix((uint64_t)hints->family << 32 | (uint32_t)hints->type,
                           (uint64_t)hints->protocol << 32 | hints->flags);
    return hash_text(hash_text(word, query->host), query->service);
}

int tl_sim_resolve(struct tl_kernel *kernel, struct tl_query *query)
{
    struct tl_sim_kernel *self = (struct tl_sim_kernel *)kernel;
    uint64_t question = hash_query(query);
    int r = ask(self, query);
    tl_sim_note(self, query->kind == TL_QUERY_ADDRESSES ? TL_KIND_RESOLVE : TL_KIND_NAME_OF, 0, r,
                question, 0);
    return r;
}

/* --- Giving up -------------------------------------------------------------------------------- */

static struct lookup *find(struct tl_list *list, const struct tl_request *request)
{
    for (struct tl_list *at = list->next; at != list; at = at->next) {
        struct lookup *lookup = tl_listed(at, struct lookup, place);
        if (&lookup->query->request == request)
            return lookup;
    }
    return NULL;
}

bool tl_sim_resolve_cancel(struct tl_sim_kernel *kernel, struct tl_request *request)
{
    struct lookup *lookup = find(&kernel->lookups, request);
    if (lookup == NULL)
        lookup = find(&kernel->resolved, request);
    if (lookup == NULL)
        return false;
    tl_sim_note(kernel, TL_KIND_CANCEL, 0, 0, lookup->ordinal, 1);
    request->owner = NULL;
    lookup_free(lookup);
    return true;
}

void tl_resolve_drop(struct tl_sim_kernel *kernel)
{
    while (!tl_list_empty(&kernel->lookups))
        lookup_free(tl_listed(kernel->lookups.next, struct lookup, place));
    while (!tl_list_empty(&kernel->resolved))
        lookup_free(tl_listed(kernel->resolved.next, struct lookup, place));
}

/* --- Answering -------------------------------------------------------------------------------- */

static uint64_t hash_answer(const struct tl_query *query)
{
    uint64_t word = 0;
    if (query->result < 0)
        return 0;
    if (query->kind == TL_QUERY_NAMES)
        return hash_text(hash_text(0, query->names->host), query->names->service);
    for (size_t i = 0; i < query->infos_count; i++)
        word = tl_mix(tl_mix(word, tl_sim_hash_address(&query->infos[i].addr)),
                      (uint64_t)query->infos[i].type);
    return word;
}

static struct tl_event answer(struct lookup *lookup)
{
    struct tl_sim_kernel *kernel = lookup->kernel;
    struct tl_query *query = lookup->query;
    if (lookup->failure == TRY_AGAIN)
        query->result = TL_EAI_AGAIN;
    else if (lookup->failure == NO_NAME)
        query->result = TL_EAI_NONAME;
    else
        tl_names_answer(kernel->process->host, query, lookup->turn);
    tl_sim_note(kernel, query->kind == TL_QUERY_ADDRESSES ? TL_KIND_ADDRESSES : TL_KIND_NAMES, 0,
                query->result, tl_mix(lookup->ordinal, hash_answer(query)), 0);
    query->request.owner = NULL;
    lookup_free(lookup);
    return (struct tl_event){.token = query, .kind = TL_EVENT_RESOLVED};
}

int tl_resolve_emit(struct tl_sim_kernel *kernel, struct tl_event *events, int count)
{
    int n = 0;
    while (n < count && !tl_list_empty(&kernel->resolved))
        events[n++] = answer(tl_listed(kernel->resolved.next, struct lookup, place));
    return n;
}
