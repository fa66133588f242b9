/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table of sites by hash. There are a few dozen, so it is searched from the front.
 */
#include "explore/sites.h"

#include <stdio.h>

struct tl_seen_site *tl_sites_find(struct tl_sites *sites, uint64_t site, bool *ret_new)
{
    bool is_new = false;
    size_t i = 0;
    while (i < sites->count && sites->each[i].site != site)
        i++;
    if (i == TL_SITES_MAX)
        return NULL;
    if (i == sites->count) {
        sites->each[sites->count++] = (struct tl_seen_site){.site = site};
        is_new = true;
    }
    if (ret_new != NULL)
        *ret_new = is_new;
    return &sites->each[i];
}

const char *tl_sites_name(const struct tl_sites *sites, uint64_t site, char *text, size_t size)
{
    for (size_t i = 0; i < sites->count; i++)
        if (sites->each[i].site == site && sites->each[i].name[0] != '\0')
            return sites->each[i].name;
    for (size_t i = 0; tl_sim_sites[i] != NULL; i++)
        if (tl_entity(0, tl_sim_sites[i]->name, 0) == site)
            return tl_sim_sites[i]->name;
    snprintf(text, size, "0x%016llx", (unsigned long long)site);
    return text;
}

const char *tl_site_kind_name(uint32_t kind)
{
    static const char *const names[] = {
        [TL_SITE_ORDER] = "order",         [TL_SITE_FAULT] = "fault", [TL_SITE_SIZE] = "size",
        [TL_SITE_MAGNITUDE] = "magnitude", [TL_SITE_USER] = "user",
    };
    return kind < sizeof names / sizeof *names ? names[kind] : "unknown";
}
