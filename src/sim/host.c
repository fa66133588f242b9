/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hosts: each has a name, an address of its own or one of each family, and the loopback addresses.
 */
#include "sim/host.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "sim/file.h"
#include "sim/names.h"
#include "sim/world.h"

tl_host *tl_world_find_host(tl_world *world, const char *name)
{
    for (tl_host *host = world->hosts; host != NULL; host = host->next)
        if (strcmp(host->name, name) == 0)
            return host;
    return NULL;
}

static tl_host *find_address(const tl_world *world, const struct tl_ip *ip)
{
    for (tl_host *host = world->hosts; host != NULL; host = host->next)
        if (tl_host_owns(host, ip))
            return host;
    return NULL;
}

/* --- Adding ----------------------------------------------------------------------------------- */

/* The next address of 10.0.0.0/8 that no host has. */
static int next_address(tl_world *world, struct tl_ip *ret)
{
    while (world->next_address < 0xfffffe) {
        unsigned number = ++world->next_address;
        struct tl_ip ip =
            tl_ip_v4(10, (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number);
        if (find_address(world, &ip) == NULL) {
            *ret = ip;
            return 0;
        }
    }
    return -EADDRNOTAVAIL;
}

/* An address that a host could have, and none has. */
static int free_address(const tl_world *world, const char *address, struct tl_ip *ret)
{
    tl_addr addr;
    int r = tl_addr_parse(address, 0, &addr);
    if (r < 0)
        return r;
    if (addr.family != TL_FAMILY_INET && addr.family != TL_FAMILY_INET6)
        return -EINVAL;
    struct tl_ip ip = tl_ip_from(&addr);
    if (tl_ip_is_any(&ip) || tl_ip_is_loopback(&ip) || tl_ip_is_many(&ip) || tl_ip_needs_scope(&ip))
        return -EINVAL;
    if (find_address(world, &ip) != NULL)
        return -EADDRINUSE;
    *ret = ip;
    return 0;
}

static char *put_byte(char *at, uint8_t byte)
{
    if (byte >= 100)
        *at++ = (char)('0' + byte / 100);
    if (byte >= 10)
        *at++ = (char)('0' + byte / 10 % 10);
    *at++ = (char)('0' + byte % 10);
    return at;
}

/* "10.0.0.1", without printf, which would take as long as all else that a host needs. */
static void format_v4(const uint8_t bytes[4], char *text)
{
    for (int i = 0; i < 4; i++) {
        text = put_byte(text, bytes[i]);
        *text++ = i < 3 ? '.' : '\0';
    }
}

/* "fd00::1": the address without the brackets and the port that tl_addr_format adds. */
static void format_v6(const tl_addr *addr, char *ret, size_t size)
{
    char text[TL_ADDR_TEXT_MAX];
    tl_addr_format(addr, text, sizeof text);
    snprintf(ret, size, "%.*s", (int)strcspn(text + 1, "]"), text + 1);
}

static void format_address(tl_host *host)
{
    bool v4 = tl_ip_is_v4(&host->ip);
    tl_addr addr = tl_ip_to(&host->ip, 0, v4 ? TL_FAMILY_INET : TL_FAMILY_INET6);
    if (v4)
        format_v4(addr.data, host->text);
    else
        format_v6(&addr, host->text, sizeof host->text);
}

tl_host *tl_world_add_host(tl_world *world, const char *name, const char *address)
{
    struct tl_ip ip;
    if (world == NULL || name == NULL || tl_world_find_host(world, name) != NULL)
        return NULL;
    if ((address != NULL ? free_address(world, address, &ip) : next_address(world, &ip)) < 0)
        return NULL;
    size_t size = strlen(name) + 1;
    tl_host *host = tl_allocator_calloc(&world->allocator, sizeof *host + size);
    if (host == NULL)
        return NULL;
    host->name = memcpy(host + 1, name, size);
    host->world = world;
    host->ip = ip;
    host->entity = tl_entity(0, name, 0);
    tl_list_init(&host->unix_names);
    format_address(host);
    *world->hosts_end = host;
    world->hosts_end = &host->next;
    return host;
}

int tl_host_add_address(tl_host *host, const char *address)
{
    struct tl_ip ip;
    if (host == NULL || address == NULL)
        return -EINVAL;
    int r = free_address(host->world, address, &ip);
    if (r < 0)
        return r;
    if (host->has_other || tl_ip_is_v4(&ip) == tl_ip_is_v4(&host->ip))
        return -EEXIST;
    host->other = ip;
    host->has_other = true;
    return 0;
}

void tl_hosts_reset(tl_world *world)
{
    for (tl_host *host = world->hosts; host != NULL; host = host->next) {
        assert(host->ports.count == 0 && host->datagram_ports.count == 0);
        host->processes_count = 0;
        tl_files_drop(host);
        host->ports.next_ephemeral = 0;
        host->next_unix_name = 0;
        host->datagram_ports.next_ephemeral = 0;
    }
}

void tl_hosts_finish(tl_world *world)
{
    tl_host *next_host;
    for (tl_host *host = world->hosts; host != NULL; host = next_host) {
        next_host = host->next;
        tl_files_drop(host);
        tl_allocator_free(&world->allocator, host->ports.buckets);
        tl_allocator_free(&world->allocator, host->datagram_ports.buckets);
        tl_allocator_free(&world->allocator, host);
    }
    struct tl_link *next_link;
    for (struct tl_link *link = world->links; link != NULL; link = next_link) {
        next_link = link->next;
        tl_allocator_free(&world->allocator, link);
    }
    tl_names_finish(world);
    world->hosts = NULL;
    world->hosts_end = &world->hosts;
    world->links = NULL;
    world->next_address = 0;
}

/* --- Asking ----------------------------------------------------------------------------------- */

const char *tl_host_name(const tl_host *host)
{
    return host->name;
}

const char *tl_host_address(const tl_host *host)
{
    return host->text;
}

const struct tl_ip *tl_host_own(const tl_host *host, bool v4)
{
    if (tl_ip_is_v4(&host->ip) == v4)
        return &host->ip;
    return host->has_other ? &host->other : NULL;
}

bool tl_host_owns(const tl_host *host, const struct tl_ip *ip)
{
    return tl_ip_equal(ip, &host->ip) || (host->has_other && tl_ip_equal(ip, &host->other));
}

tl_host *tl_host_find(tl_host *host, const struct tl_ip *ip)
{
    if (tl_ip_is_loopback(ip) || tl_host_owns(host, ip))
        return host;
    return find_address(host->world, ip);
}

bool tl_host_has(const tl_host *host, const struct tl_ip *ip)
{
    return tl_ip_is_any(ip) || tl_ip_is_loopback(ip) || tl_host_owns(host, ip);
}

int tl_host_check_local(const tl_host *host, const tl_addr *addr, bool stream)
{
    struct tl_ip ip = tl_ip_from(addr);
    bool many = tl_ip_is_many(&ip) || tl_ip_is_broadcast(&ip);
    if (many && stream && !tl_ip_is_v4(&ip))
        return -EINVAL;
    if (tl_ip_needs_scope(&ip) && addr->scope == 0)
        return -EINVAL;
    if (tl_ip_needs_scope(&ip) && addr->scope > TL_INTERFACE_NETWORK)
        return -ENODEV;
    return many || tl_host_has(host, &ip) ? 0 : -EADDRNOTAVAIL;
}

/* --- Routes ----------------------------------------------------------------------------------- */

static const struct tl_ip loopback6 = {{[15] = 1}};

/* Whether what a socket is bound to is an address to send from. */
static bool is_own(const struct tl_ip *local)
{
    return !tl_ip_is_any(local) && !tl_ip_is_many(local) && !tl_ip_is_broadcast(local);
}

struct tl_ip tl_host_destination(const struct tl_ip *local, const tl_addr *addr)
{
    struct tl_ip ip = tl_ip_from(addr);
    if (!tl_ip_is_any(&ip))
        return ip;
    if (tl_ip_is_v4(&ip) && tl_ip_is_v4(local) && is_own(local))
        return *local;
    return tl_ip_is_v4(&ip) || tl_ip_is_v4(local) ? tl_ip_v4(127, 0, 0, 1) : loopback6;
}

int tl_host_check_scope(const tl_addr *addr, bool connect)
{
    struct tl_ip ip = tl_ip_from(addr);
    if (!tl_ip_needs_scope(&ip) || addr->scope == TL_INTERFACE_NETWORK)
        return 0;
    if (addr->scope == 0)
        return connect ? -EINVAL : 0;
    return -ENETUNREACH;
}

bool tl_host_confines(const tl_host *host, const struct tl_ip *source, const struct tl_ip *ip)
{
    return tl_ip_is_loopback(source) && !tl_ip_is_many(ip) && !tl_host_has(host, ip);
}

int tl_host_source(const tl_host *host, const struct tl_ip *local, const struct tl_ip *ip,
                   struct tl_ip *ret)
{
    if (tl_ip_is_v4(local) && !tl_ip_is_v4(ip))
        return -EAFNOSUPPORT;
    if (is_own(local))
        *ret = *local;
    else if (tl_ip_is_loopback(ip))
        *ret = tl_ip_is_v4(ip) ? tl_ip_v4(127, 0, 0, 1) : loopback6;
    else if (tl_host_own(host, tl_ip_is_v4(ip)) != NULL)
        *ret = *tl_host_own(host, tl_ip_is_v4(ip));
    else
        return -ENETUNREACH;
    return tl_ip_is_v4(ret) == tl_ip_is_v4(ip) ? 0 : -ENETUNREACH;
}
