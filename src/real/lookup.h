/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One question for the C library's resolver, which blocks, and what it says: asked on a thread,
 * with a query's words in a copy, and answered into the query on the loop's thread.
 *
 * A lookup may outlive its query and its kernel, so it is memory of the C library, as what the
 * resolver answers is: the program's allocator need not be there any more.
 */
#ifndef TL_REAL_LOOKUP_H
#define TL_REAL_LOOKUP_H

#include <netdb.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <twinloop/kernel.h>

TAILQ_HEAD(tl_real_lookups, tl_real_lookup);

struct tl_real_lookup {
    /* The resolver's (resolve.c). */
    TAILQ_ENTRY(tl_real_lookup) place;
    struct tl_real_lookups *list; /* the one that it is in */
    struct tl_real_resolver *resolver;
    struct tl_query *query; /* NULL: given up */

    bool of_addresses;
    const char *host; /* in text, or NULL */
    const char *service;
    struct addrinfo hints;
    struct sockaddr_storage addr;
    unsigned addr_len;
    int flags;

    int code;  /* EAI_* */
    int error; /* EAI_SYSTEM's errno */
    struct addrinfo *answers;
    char *names; /* the host and the service that were found; in text */

    char text[];
};

/* A lookup of what a query asks, in no list; NULL when memory is out. */
struct tl_real_lookup *tl_real_lookup_new(struct tl_query *query);

/* Frees one that is in no list. */
void tl_real_lookup_free(struct tl_real_lookup *lookup);

/* Blocks until the resolver has answered. On any thread. */
void tl_real_lookup_ask(struct tl_real_lookup *lookup);

/* Fills in the query with what the resolver has answered. */
void tl_real_lookup_answer(const struct tl_real_lookup *lookup, struct tl_query *query);

#endif
