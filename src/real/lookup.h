/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One lookup of names or addresses: what the C library's resolver is asked, and what it answers.
 *
 * It owns a copy of what it was asked, since whoever asked may give it up while a thread is inside
 * the resolver. That copy is memory of the C library, as its answers are: the program's allocator
 * need not outlive the kernel, and such a lookup may.
 */
#ifndef TL_REAL_LOOKUP_H
#define TL_REAL_LOOKUP_H

#include <netdb.h>
#include <stdbool.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <twinloop/kernel.h>

TAILQ_HEAD(tl_lookup_list, tl_lookup);

struct tl_lookup {
    TAILQ_ENTRY(tl_lookup) place;
    struct tl_lookup_list *list; /* the one that it is in; NULL: none */
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
    char *names; /* host and service, each with room for the longest; in text */

    char text[];
};

/* In no list yet; NULL when memory is out. */
struct tl_lookup *tl_lookup_new(struct tl_real_resolver *resolver, struct tl_query *query);

/* It must be in no list. */
void tl_lookup_free(struct tl_lookup *lookup);

/* Asks the resolver, which takes as long as it takes. */
void tl_lookup_ask(struct tl_lookup *lookup);

/* Fills in what the query is to be told, from memory of the library's allocator. */
void tl_lookup_answer(const struct tl_lookup *lookup, struct tl_query *query);

#endif
