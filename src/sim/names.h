/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names: the world's table of them, and what a resolver on a host makes of it.
 */
#ifndef TL_SIM_NAMES_H
#define TL_SIM_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <twinloop/kernel.h>
#include "sim/host.h"

/* From an instant on a name has an address more, or none of those that it had. */
struct tl_name_record {
    struct tl_name_record *next; /* in the order of the instants, then of adding */
    tl_time from;
    bool cleared; /* none; ip is of no meaning */
    struct tl_ip ip;
    char name[];
};

enum { TL_NAME_ADDRESSES_MAX = 32 };

/* What a name stands for at present. */
struct tl_name_entry {
    const char *name; /* as it is spelled in the table */
    struct tl_ip ips[TL_NAME_ADDRESSES_MAX];
    size_t count;
};

/* Looks a name up; false when nobody has it. Of more addresses than there is room for the rest is
 * left out. */
bool tl_names_find(const tl_host *host, const char *name, struct tl_name_entry *ret);

/* The name of an address, or NULL. */
const char *tl_names_of(const tl_host *host, const struct tl_ip *ip);

void tl_names_finish(tl_world *world);

/* --- Services (services.c) --- */

/* The port of a service for "tcp" or "udp"; -ENOENT. */
int tl_service_port(const char *name, bool udp);

/* The name of a port's service, or NULL. */
const char *tl_service_name(uint16_t port, bool udp);

/* --- getaddrinfo and getnameinfo (addrinfo.c) --- */

/* Answers a query on a host. turn: which of the addresses that are equally good comes first. */
void tl_names_answer(tl_host *host, struct tl_query *query, uint32_t turn);

/* Whether a query can be answered without asking anybody. */
bool tl_names_local(const struct tl_query *query);

#endif
