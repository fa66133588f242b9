/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sites that a run has met: how often each was asked, and what it is called.
 */
#ifndef TL_EXPLORE_SITES_H
#define TL_EXPLORE_SITES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "explore/outcome.h"

#define TL_SITES_MAX 256

struct tl_seen_site {
    uint64_t site;   /* tl_entity(0, name, 0) */
    uint64_t asked;  /* how often */
    uint64_t others; /* how often the answer was not 0 */
    uint32_t kind;   /* enum tl_site_kind */
    char name[96];   /* "" while unknown; a longer one is not kept */
};

/* In the order in which they were met. Zero is empty. */
struct tl_sites {
    struct tl_seen_site each[TL_SITES_MAX];
    size_t count;
};

/* The site with that hash, added if need be; NULL when there is no more room. ret_new may be NULL.
 */
struct tl_seen_site *tl_sites_find(struct tl_sites *sites, uint64_t site, bool *ret_new);

/* What a site is called: its name if it has been met or is the simulator's own, else its hash in
 * hexadecimal, in text; returns one of the two. */
const char *tl_sites_name(const struct tl_sites *sites, uint64_t site, char *text, size_t size);

/* "order", "fault", "size", "magnitude", "user". */
const char *tl_site_kind_name(uint32_t kind);

#endif
