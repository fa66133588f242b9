/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lookups inside the core: what getaddrinfo, getnameinfo and the helpers that connect and listen
 * share.
 */
#ifndef TL_CORE_RESOLVE_H
#define TL_CORE_RESOLVE_H

#include <twinloop/resolve.h>
#include "core/loop.h"

struct tl_lookup;

/* The answer, from the loop's dispatch: a result, and if that is 0 what the query was answered,
 * which callback may take out of the query. The lookup is over when it returns. */
typedef void (*tl_lookup_callback)(void *arg, int result, struct tl_query *query);

/* Asks the kernel; the strings are copied. 0, with what gives it up in *ret; or an error, and
 * callback is not called. Not called either when the loop is closed first. */
int tl_lookup_start(tl_loop *loop, const struct tl_query *query, tl_lookup_callback callback,
                    void *arg, struct tl_lookup **ret);

/* Nobody wants the answer any more: callback is not called. Not from within it. */
void tl_lookup_give_up(struct tl_lookup *lookup);

/* A query's event has come. */
void tl_lookups_deliver(tl_loop *loop, struct tl_query *query);

/* Gives up the lookups of a closed loop, whose kernel is gone. */
void tl_lookups_drop(tl_loop *loop);

/* --- Addresses to connect to or to listen on --- */

/* In one place when there is only one. */
struct tl_addresses {
    tl_addrinfo *infos; /* one, or a block of its own; NULL: none yet */
    size_t count;
    tl_addrinfo one;
};

/* asyncio: what is numeric is not looked up. 1 with the address in *ret when host and service are;
 * 0 when the resolver has to be asked; -EINVAL for a port that is none. Without a service the port
 * is 0. */
int tl_addresses_numeric(struct tl_addresses *ret, const char *host, const char *service,
                         const tl_addrinfo_hints *hints);

/* Takes a query's answers. 0, or TL_EAI_NODATA when there are none. */
int tl_addresses_take(struct tl_addresses *ret, struct tl_query *query);

void tl_addresses_finish(struct tl_addresses *addresses);

/* Fails a future because a name could not be looked up. */
void tl_lookup_fail(tl_future *future, int code, const struct tl_query *query);

#endif
