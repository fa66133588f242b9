/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the resolver is asked: getaddrinfo or getnameinfo, with our flags and addresses in its
 * numbers; and what it answers, in ours.
 */
#include "real/lookup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "core/alloc.h"
#include "core/text.h"
#include "real/real.h"
#include "real/resolve.h"

enum { HOST_MAX = 1025, SERVICE_MAX = 32 }; /* of the names, with their NULs */

/* --- Asking ----------------------------------------------------------------------------------- */

struct tl_real_lookup *tl_real_lookup_new(struct tl_query *query)
{
    bool of_addresses = query->kind == TL_QUERY_ADDRESSES;
    size_t room = of_addresses ? tl_text_size(query->host) + tl_text_size(query->service)
                               : (size_t)HOST_MAX + SERVICE_MAX;
    struct tl_real_lookup *lookup = calloc(1, sizeof *lookup + room);
    char *at;

    if (lookup == NULL)
        return NULL;
    lookup->query = query;
    lookup->of_addresses = of_addresses;
    at = lookup->text;
    if (of_addresses) {
        lookup->host = tl_text_keep(query->host, &at);
        lookup->service = tl_text_keep(query->service, &at);
        lookup->hints.ai_family = tl_real_resolve_family(query->hints.family);
        lookup->hints.ai_socktype = tl_real_resolve_type(query->hints.type);
        lookup->hints.ai_protocol = query->hints.protocol;
        lookup->hints.ai_flags = tl_real_ai_flags(query->hints.flags);
    } else {
        lookup->names = at;
        lookup->flags = tl_real_ni_flags(query->flags);
        if (query->addr.family == TL_FAMILY_UNIX || /* whose names libc makes up */
            tl_real_addr_encode(&query->addr, &lookup->addr, &lookup->addr_len) < 0)
            lookup->addr_len = 0;
    }
    return lookup;
}

void tl_real_lookup_ask(struct tl_real_lookup *lookup)
{
    errno = 0;
    if (lookup->of_addresses)
        lookup->code = getaddrinfo(lookup->host, lookup->service, &lookup->hints, &lookup->answers);
    else
        lookup->code =
            getnameinfo((const struct sockaddr *)&lookup->addr, lookup->addr_len, lookup->names,
                        HOST_MAX, lookup->names + HOST_MAX, SERVICE_MAX, lookup->flags);
    lookup->error = errno;
    if (lookup->code != 0)
        lookup->answers = NULL;
}

void tl_real_lookup_free(struct tl_real_lookup *lookup)
{
    if (lookup->answers != NULL)
        freeaddrinfo(lookup->answers);
    free(lookup);
}

/* --- Answers ---------------------------------------------------------------------------------- */

static void fill(tl_addrinfo *info, const struct addrinfo *answer)
{
    struct sockaddr_storage storage = {0};

    memcpy(&storage, answer->ai_addr, answer->ai_addrlen);
    *info = (tl_addrinfo){
        .type = tl_real_resolved_type(answer->ai_socktype),
        .protocol = answer->ai_protocol,
        .canonname = "",
    };
    tl_real_addr_decode(&storage, answer->ai_addrlen, &info->addr);
}

/* The list, and behind it the one name that there may be. */
static int give_addresses(const struct tl_real_lookup *lookup, struct tl_query *query)
{
    size_t count = 0;
    const char *name = lookup->answers != NULL ? lookup->answers->ai_canonname : NULL;

    for (const struct addrinfo *at = lookup->answers; at != NULL; at = at->ai_next)
        count++;
    tl_addrinfo *infos = tl_alloc(count * sizeof *infos + tl_text_size(name));
    if (infos == NULL)
        return TL_EAI_MEMORY;
    query->infos = infos;
    query->infos_count = count;
    for (const struct addrinfo *at = lookup->answers; at != NULL; at = at->ai_next)
        fill(infos++, at);
    if (name != NULL)
        query->infos->canonname = memcpy(infos, name, tl_text_size(name));
    return 0;
}

static int give_names(const struct tl_real_lookup *lookup, struct tl_query *query)
{
    size_t host = tl_text_size(lookup->names), service = tl_text_size(lookup->names + HOST_MAX);
    tl_nameinfo *names = tl_alloc(sizeof *names + host + service);

    if (names == NULL)
        return TL_EAI_MEMORY;
    char *at = (char *)(names + 1);
    names->host = memcpy(at, lookup->names, host);
    names->service = memcpy(at + host, lookup->names + HOST_MAX, service);
    query->names = names;
    return 0;
}

void tl_real_lookup_answer(const struct tl_real_lookup *lookup, struct tl_query *query)
{
    query->result = tl_real_resolve_code(lookup->code, lookup->error);
    if (query->result < 0)
        return;
    query->result =
        lookup->of_addresses ? give_addresses(lookup, query) : give_names(lookup, query);
}
