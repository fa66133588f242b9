/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The world's table of names.
 *
 * It holds what a scenario has added, each from an instant on; what is in force is worked out when
 * somebody asks. Besides, every host is known by its own name, unless the table has it, and knows
 * itself as "localhost".
 */
#include "sim/names.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "core/alloc.h"
#include "sim/world.h"

/* --- The table -------------------------------------------------------------------------------- */

int tl_world_name_add(tl_world *world, const char *name, const char *address, tl_time from)
{
    tl_addr addr = {.family = TL_FAMILY_INET};
    if (world == NULL || name == NULL || name[0] == '\0')
        return -EINVAL;
    int r = address != NULL ? tl_addr_parse(address, 0, &addr) : 0;
    if (r < 0)
        return r;
    size_t size = strlen(name) + 1;
    struct tl_name_record *record = tl_allocator_calloc(&world->allocator, sizeof *record + size);
    if (record == NULL)
        return -ENOMEM;
    memcpy(record->name, name, size);
    record->from = from;
    record->cleared = address == NULL;
    record->ip = tl_ip_from(&addr);
    struct tl_name_record **at = &world->names;
    while (*at != NULL && (*at)->from <= from)
        at = &(*at)->next;
    record->next = *at;
    *at = record;
    return 0;
}

void tl_names_finish(tl_world *world)
{
    while (world->names != NULL) {
        struct tl_name_record *record = world->names;
        world->names = record->next;
        tl_allocator_free(&world->allocator, record);
    }
}

/* --- Asking ----------------------------------------------------------------------------------- */

static void add(struct tl_name_entry *entry, const struct tl_ip *ip)
{
    if (entry->count < TL_NAME_ADDRESSES_MAX)
        entry->ips[entry->count++] = *ip;
}

/* Whether the table has anything to say about the name at present. */
static bool find_record(const tl_world *world, const char *name, struct tl_name_entry *ret)
{
    const struct tl_name_record *record = world->names;
    bool found = false;
    for (; record != NULL && record->from <= world->now; record = record->next) {
        if (strcasecmp(record->name, name) != 0)
            continue;
        found = true;
        ret->name = record->name;
        if (record->cleared)
            ret->count = 0;
        else
            add(ret, &record->ip);
    }
    return found;
}

static const tl_host *find_host(const tl_world *world, const char *name)
{
    for (const tl_host *host = world->hosts; host != NULL; host = host->next)
        if (strcasecmp(host->name, name) == 0)
            return host;
    return NULL;
}

bool tl_names_find(const tl_host *host, const char *name, struct tl_name_entry *ret)
{
    static const struct tl_ip loopback6 = {{[15] = 1}};
    const struct tl_ip loopback = tl_ip_v4(127, 0, 0, 1);
    ret->count = 0;
    if (find_record(host->world, name, ret))
        return ret->count > 0;
    if (strcasecmp(name, "localhost") == 0) {
        ret->name = "localhost";
        add(ret, &loopback6);
        add(ret, &loopback);
        return true;
    }
    const tl_host *named = find_host(host->world, name);
    if (named == NULL)
        return false;
    ret->name = named->name;
    add(ret, &named->ip);
    if (named->has_other)
        add(ret, &named->other);
    return true;
}

static const char *record_of(const tl_world *world, const struct tl_ip *ip)
{
    const struct tl_name_record *record = world->names;
    for (; record != NULL && record->from <= world->now; record = record->next) {
        struct tl_name_entry entry = {.count = 0};
        if (record->cleared || !tl_ip_equal(&record->ip, ip))
            continue;
        (void)find_record(world, record->name, &entry);
        for (size_t i = 0; i < entry.count; i++)
            if (tl_ip_equal(&entry.ips[i], ip))
                return record->name;
    }
    return NULL;
}

const char *tl_names_of(const tl_host *host, const struct tl_ip *ip)
{
    const char *name = record_of(host->world, ip);
    if (name != NULL)
        return name;
    if (tl_ip_is_loopback(ip))
        return "localhost";
    for (const tl_host *at = host->world->hosts; at != NULL; at = at->next)
        if (tl_host_owns(at, ip))
            return at->name;
    return NULL;
}
