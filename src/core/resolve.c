/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lookups: from a question to the kernel's resolver to the callback that wants the answer.
 *
 *     asked --event--> answered --queued--> told: over
 *       `---given up------^-----------------^
 *
 * A lookup belongs to its loop from the question until it is over. The kernel has its query
 * meanwhile; one that is given up and that the kernel does not let go of stays until its event has
 * come, and nobody is told.
 */
#include "core/resolve.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "core/alloc.h"
#include "core/future.h"
#include "core/log.h"
#include "core/net.h"
#include "core/text.h"

struct tl_lookup {
    struct tl_query query;
    struct tl_lookup *next; /* among its loop's */
    struct tl_lookup **link;
    struct tl_ready told;
    tl_loop *loop;
    tl_lookup_callback callback; /* NULL: given up */
    void *arg;
    bool answered; /* the query is not the kernel's any more */
    bool timed;    /* debug mode: how long it took is to be logged */
    tl_time began;
    char text[]; /* host, service */
};

/* --- Life ------------------------------------------------------------------------------------- */

static void lookup_free(struct tl_lookup *lookup)
{
    tl_ready_remove(&lookup->told);
    *lookup->link = lookup->next;
    if (lookup->next != NULL)
        lookup->next->link = lookup->link;
    tl_free(lookup->query.infos);
    tl_free(lookup->query.names);
    tl_free(lookup);
}

static void log_time(struct tl_lookup *lookup)
{
    const struct tl_query *query = &lookup->query;
    tl_loop *loop = lookup->loop;
    tl_time took = tl_loop_time(loop) - lookup->began;
    bool slow = took >= loop->slow_callback_duration;
    bool of_addresses = query->kind == TL_QUERY_ADDRESSES;
    char text[TL_ADDR_TEXT_MAX];
    tl_log(slow ? TL_LOG_INFO : TL_LOG_DEBUG,
           "Getting %s of %s%s%s took %" PRId64 ".%03" PRId64 " ms: %s",
           of_addresses ? "the addresses" : "the names",
           of_addresses ? (query->host != NULL ? query->host : "no host")
                        : tl_addr_format(&query->addr, text, sizeof text),
           query->service != NULL ? ", service " : "", query->service != NULL ? query->service : "",
           took / TL_MILLISECOND, took / TL_MICROSECOND % 1000,
           query->result < 0 ? tl_strerror(query->result) : "found");
}

static void tell(void *arg)
{
    struct tl_lookup *lookup = arg;
    if (lookup->timed)
        log_time(lookup);
    lookup->callback(lookup->arg, lookup->query.result, &lookup->query);
    lookup_free(lookup);
}

void tl_lookups_deliver(tl_loop *loop, struct tl_query *query)
{
    struct tl_lookup *lookup = tl_container_of(query, struct tl_lookup, query);
    lookup->answered = true;
    if (lookup->callback == NULL)
        lookup_free(lookup);
    else
        tl_loop_queue(loop, &lookup->told);
}

void tl_lookup_give_up(struct tl_lookup *lookup)
{
    struct tl_kernel *kernel = lookup->loop->kernel;
    lookup->callback = NULL;
    if (!lookup->answered && kernel != NULL)
        lookup->answered = kernel->ops->cancel(kernel, &lookup->query.request) == 0;
    if (lookup->answered)
        lookup_free(lookup);
}

void tl_lookups_drop(tl_loop *loop)
{
    while (loop->lookups != NULL)
        lookup_free(loop->lookups);
}

/* --- Asking ----------------------------------------------------------------------------------- */

static struct tl_lookup *lookup_new(tl_loop *loop, const struct tl_query *query)
{
    size_t room = tl_text_size(query->host) + tl_text_size(query->service);
    struct tl_lookup *lookup = tl_calloc(sizeof *lookup + room);
    if (lookup == NULL)
        return NULL;
    char *at = lookup->text;
    lookup->loop = loop;
    lookup->query = *query;
    lookup->query.host = tl_text_keep(query->host, &at);
    lookup->query.service = tl_text_keep(query->service, &at);
    lookup->timed = loop->debug;
    if (lookup->timed)
        lookup->began = tl_loop_time(loop);
    tl_ready_init(&lookup->told, tell, lookup);
    return lookup;
}

int tl_lookup_start(tl_loop *loop, const struct tl_query *query, tl_lookup_callback callback,
                    void *arg, struct tl_lookup **ret)
{
    /* asyncio: the default executor does it, so that has to be there. */
    if (loop->default_executor_shut)
        return TL_ESTATE;
    struct tl_lookup *lookup = lookup_new(loop, query);
    if (lookup == NULL)
        return -ENOMEM;
    int r = loop->kernel->ops->resolve(loop->kernel, &lookup->query);
    if (r < 0) {
        tl_free(lookup);
        return r;
    }
    lookup->callback = callback;
    lookup->arg = arg;
    lookup->next = loop->lookups;
    lookup->link = &loop->lookups;
    if (lookup->next != NULL)
        lookup->next->link = &lookup->next;
    loop->lookups = lookup;
    *ret = lookup;
    return 0;
}

void tl_lookup_fail(tl_future *future, int code, const struct tl_query *query)
{
    if (query->host == NULL && query->service == NULL)
        (void)tl_future_set_exception(future, code, NULL);
    else
        (void)tl_future_fail(future, code, "looking up \"%s\", service \"%s\": %s",
                             query->host != NULL ? query->host : "",
                             query->service != NULL ? query->service : "", tl_strerror(code));
}

/* --- Addresses -------------------------------------------------------------------------------- */

enum { PROTOCOL_TCP = 6, PROTOCOL_UDP = 17 };

static bool all_digits(const char *text)
{
    return text[strspn(text, "0123456789")] == '\0';
}

/* 1 with the number; 0 for a name; -EINVAL for a number that is no port. */
static int numeric_port(const char *service, uint16_t *ret)
{
    *ret = 0;
    if (service == NULL || service[0] == '\0')
        return 1;
    if (!all_digits(service))
        return 0;
    int r = tl_port_parse(service, ret);
    return r < 0 ? r : 1;
}

int tl_addresses_numeric(struct tl_addresses *ret, const char *host, const char *service,
                         const tl_addrinfo_hints *hints)
{
    int protocol = hints->protocol;
    tl_addr addr;
    uint16_t port;
    int r = numeric_port(service, &port);
    if (r <= 0)
        return r;
    if (host == NULL || strchr(host, '%') != NULL || tl_addr_parse(host, port, &addr) < 0)
        return 0;
    if (hints->family != TL_FAMILY_NONE && hints->family != addr.family)
        return 0;
    if (protocol != 0 && protocol != PROTOCOL_TCP && protocol != PROTOCOL_UDP)
        return 0;
    ret->one = (tl_addrinfo){
        .addr = addr,
        .type = hints->type,
        .protocol = hints->type == TL_STREAM ? PROTOCOL_TCP : PROTOCOL_UDP,
        .canonname = "",
    };
    ret->infos = &ret->one;
    ret->count = 1;
    return 1;
}

int tl_addresses_take(struct tl_addresses *ret, struct tl_query *query)
{
    ret->infos = query->infos;
    ret->count = query->infos_count;
    query->infos = NULL;
    return ret->count > 0 ? 0 : TL_EAI_NODATA;
}

void tl_addresses_finish(struct tl_addresses *addresses)
{
    if (addresses->infos != &addresses->one)
        tl_free(addresses->infos);
    addresses->infos = NULL;
    addresses->count = 0;
}
