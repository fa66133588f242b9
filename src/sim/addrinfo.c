/* SPDX-License-Identifier: Apache-2.0 */
/*
 * getaddrinfo and getnameinfo as the C library on Linux answers them, on the world's names.
 *
 * Arguments are checked in its order and refused with its codes; a list has for each address, best
 * first, an entry for every type of socket that the hints allow.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/alloc.h"
#include "sim/names.h"
#include "sim/world.h"

enum {
    AI_FLAGS = 127,
    NI_FLAGS = 31,
    PORT_UNKNOWN = -1,
    TYPES = 3,
    HOST_MAX = 64,
    UNREACHABLE = 4, /* added to the rank of an address */
};

/* --- What is asked for ------------------------------------------------------------------------ */

/* The types of sockets there are, in the C library's order. */
static const struct type {
    int type;
    int protocol; /* 0: any */
} types[TYPES] = {{TL_STREAM, IPPROTO_TCP}, {TL_DATAGRAM, IPPROTO_UDP}, {TL_RAW, 0}};

/* What the answers are to be for. */
struct wanted {
    struct {
        int type;
        int protocol;
        uint16_t port;
    } sockets[TYPES];
    size_t count;
};

static bool allows(const tl_addrinfo_hints *hints, const struct type *type)
{
    return (hints->type == 0 || hints->type == type->type) &&
           (hints->protocol == 0 || type->protocol == 0 || hints->protocol == type->protocol);
}

/* A port by number, or PORT_UNKNOWN. Numbers that are too large are cut, as the C library does. */
static int port_number(const char *service)
{
    char *end;
    int number = (int)strtoul(service, &end, 10);
    return *end == '\0' && number >= 0 ? number & UINT16_MAX : PORT_UNKNOWN;
}

/* The port for one type of socket, or PORT_UNKNOWN. */
static int port_for(const char *service, int number, const struct type *type)
{
    if (service == NULL || number != PORT_UNKNOWN)
        return service == NULL ? 0 : number;
    if (type->type == TL_RAW)
        return PORT_UNKNOWN;
    int port = tl_service_port(service, type->type == TL_DATAGRAM);
    return port < 0 ? PORT_UNKNOWN : port;
}

/* Which types of sockets with which ports. 0 or TL_EAI_*. */
static int want_sockets(const tl_addrinfo_hints *hints, const char *service, int number,
                        struct wanted *ret)
{
    bool any = hints->type == 0 && hints->protocol == 0;
    bool known = false;
    ret->count = 0;
    for (unsigned i = 0; i < TYPES && (any || !known); i++) {
        if (!allows(hints, &types[i]))
            continue;
        known = true;
        if (service != NULL && !any && types[i].type == TL_RAW)
            return TL_EAI_SERVICE;
        int port = port_for(service, number, &types[i]);
        if (port == PORT_UNKNOWN)
            continue;
        ret->sockets[ret->count].type = types[i].type;
        ret->sockets[ret->count].protocol =
            types[i].protocol != 0 ? types[i].protocol : hints->protocol;
        ret->sockets[ret->count++].port = (uint16_t)port;
    }
    if (!known)
        return hints->type != 0 ? TL_EAI_SOCKTYPE : TL_EAI_SERVICE;
    return ret->count > 0 ? 0 : TL_EAI_SERVICE;
}

/* --- Addresses -------------------------------------------------------------------------------- */

/* The addresses of an answer. */
struct found {
    struct tl_ip ips[TL_NAME_ADDRESSES_MAX];
    size_t count;
    uint32_t scope;
    bool mapped; /* IPv4 is to be shown as IPv6 */
    const char *canonname;
    char text[HOST_MAX];
};

static bool wants_family(const tl_addrinfo_hints *hints, bool v4)
{
    return hints->family == TL_FAMILY_NONE || (hints->family == TL_FAMILY_INET) == v4;
}

static void find_nobody(const tl_addrinfo_hints *hints, struct found *ret)
{
    bool passive = (hints->flags & TL_AI_PASSIVE) != 0;
    const struct tl_ip v4 = passive ? tl_ip_v4(0, 0, 0, 0) : tl_ip_v4(127, 0, 0, 1);
    const struct tl_ip v6 = {{[15] = passive ? 0 : 1}};
    if (passive && wants_family(hints, true))
        ret->ips[ret->count++] = v4;
    if (wants_family(hints, false))
        ret->ips[ret->count++] = v6;
    if (!passive && wants_family(hints, true))
        ret->ips[ret->count++] = v4;
}

/* Digits and dots in any of the forms of old: "127.0.0.1", "127.1". */
static bool parse_inet(const char *host, struct tl_ip *ret)
{
    struct in_addr addr;
    if (strspn(host, "0123456789abcdefxABCDEFX.") != strlen(host) || inet_aton(host, &addr) == 0)
        return false;
    *ret = tl_ip_v4(0, 0, 0, 0);
    memcpy(ret->bytes + 12, &addr, sizeof addr);
    return true;
}

static const char *const interfaces[] = {
    [TL_INTERFACE_LOOPBACK] = "lo",
    [TL_INTERFACE_NETWORK] = "eth0",
};

/* An interface may be named where it tells addresses apart, by its number anywhere. */
static bool parse_scope(const struct tl_ip *ip, const char *text, uint32_t *ret)
{
    for (uint32_t i = TL_INTERFACE_LOOPBACK; tl_ip_needs_scope(ip) && i <= TL_INTERFACE_NETWORK;
         i++) {
        if (strcmp(text, interfaces[i]) == 0) {
            *ret = i;
            return true;
        }
    }
    size_t digits = strspn(text, "0123456789");
    unsigned long number = strtoul(text, NULL, 10);
    if (digits == 0 || text[digits] != '\0' || number > UINT32_MAX)
        return false;
    *ret = (uint32_t)number;
    return true;
}

static bool parse_inet6(const char *host, struct tl_ip *ret, uint32_t *ret_scope)
{
    char digits[HOST_MAX];
    size_t len = strcspn(host, "%");
    if (len >= sizeof digits)
        return false;
    memcpy(digits, host, len);
    digits[len] = '\0';
    if (inet_pton(AF_INET6, digits, ret->bytes) != 1)
        return false;
    return host[len] == '\0' || parse_scope(ret, host + len + 1, ret_scope);
}

/* A numeric host: 1, or TL_EAI_*; 0 when it is a name. */
static int find_number(const tl_addrinfo_hints *hints, const char *host, struct found *ret)
{
    bool v4 = parse_inet(host, &ret->ips[0]);
    bool v6 = !v4 && parse_inet6(host, &ret->ips[0], &ret->scope);
    if (!v4 && !v6)
        return 0;
    if (v6 && hints->family == TL_FAMILY_INET && tl_ip_is_v4(&ret->ips[0])) {
        v4 = true; /* IPv4 in IPv6's clothes, which it takes off */
        ret->scope = 0;
    }
    ret->mapped = !v4 || hints->family == TL_FAMILY_INET6;
    bool allowed =
        v4 && ret->mapped ? (hints->flags & TL_AI_V4MAPPED) != 0 : wants_family(hints, v4);
    if (!allowed)
        return TL_EAI_ADDRFAMILY;
    ret->count = 1;
    ret->canonname = host;
    return 1;
}

/* Lower is better, as RFC 6724 has it with its default table. */
static unsigned rank(const tl_host *host, const struct tl_ip *ip)
{
    bool v4 = tl_ip_is_v4(ip);
    bool loopback = tl_ip_is_loopback(ip);
    unsigned within = v4 ? 2 : loopback ? 0 : 1;
    bool reachable = loopback || tl_host_own(host, v4) != NULL;
    return within + (reachable ? 0 : UNREACHABLE);
}

/* Best first; equally good ones in their turn. */
static void sort(const tl_host *host, struct tl_ip *ips, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct tl_ip ip = ips[i];
        size_t at = i;
        for (; at > 0 && rank(host, &ips[at - 1]) > rank(host, &ip); at--)
            ips[at] = ips[at - 1];
        ips[at] = ip;
    }
}

/* Adds what the name has of a family. */
static void take(const struct tl_name_entry *entry, bool v4, uint32_t turn, struct found *ret)
{
    for (size_t i = 0; i < entry->count; i++) {
        const struct tl_ip *ip = &entry->ips[(i + turn) % entry->count];
        if (tl_ip_is_v4(ip) == v4)
            ret->ips[ret->count++] = *ip;
    }
}

static int find_name(tl_host *host, const tl_addrinfo_hints *hints, const char *name, uint32_t turn,
                     struct found *ret)
{
    struct tl_name_entry entry;
    bool configured = (hints->flags & TL_AI_ADDRCONFIG) != 0;
    bool v4 = wants_family(hints, true) && (!configured || tl_host_own(host, true) != NULL);
    bool v6 = wants_family(hints, false) && (!configured || tl_host_own(host, false) != NULL);
    if ((!v4 && !v6) || !tl_names_find(host, name, &entry))
        return TL_EAI_NONAME;
    if (v6)
        take(&entry, false, turn, ret);
    if (v4)
        take(&entry, true, turn, ret);
    if (hints->family == TL_FAMILY_INET6 && (hints->flags & TL_AI_V4MAPPED) &&
        (ret->count == 0 || (hints->flags & TL_AI_ALL)))
        take(&entry, true, turn, ret);
    ret->mapped = hints->family == TL_FAMILY_INET6;
    sort(host, ret->ips, ret->count);
    ret->canonname = entry.name;
    return ret->count > 0 ? 0 : TL_EAI_NODATA;
}

/* What is asked for, or NULL: to the C library a star is none, of hosts and of services. */
static const char *none_if_star(const char *name)
{
    return name != NULL && strcmp(name, "*") == 0 ? NULL : name;
}

static int find(tl_host *host, const struct tl_query *query, uint32_t turn, struct found *ret)
{
    const tl_addrinfo_hints *hints = &query->hints;
    ret->count = 0;
    ret->scope = 0;
    ret->mapped = false;
    ret->canonname = "";
    if (none_if_star(query->host) == NULL) {
        find_nobody(hints, ret);
        return 0;
    }
    int r = find_number(hints, query->host, ret);
    if (r != 0)
        return r < 0 ? r : 0;
    if (hints->flags & TL_AI_NUMERICHOST)
        return TL_EAI_NONAME;
    return find_name(host, hints, query->host, turn, ret);
}

/* --- getaddrinfo ------------------------------------------------------------------------------ */

/* Whether a service is a number, though perhaps none that a port can have. */
static bool is_number(const char *service)
{
    char *end;
    (void)strtoul(service, &end, 10);
    return *end == '\0';
}

static int check(const struct tl_query *query, const char *service)
{
    const tl_addrinfo_hints *hints = &query->hints;
    const char *host = none_if_star(query->host);
    if (host == NULL && service == NULL)
        return TL_EAI_NONAME;
    if ((hints->flags & ~(unsigned)AI_FLAGS) != 0 ||
        ((hints->flags & TL_AI_CANONNAME) && host == NULL))
        return TL_EAI_BADFLAGS;
    if (hints->family != TL_FAMILY_NONE && hints->family != TL_FAMILY_INET &&
        hints->family != TL_FAMILY_INET6)
        return TL_EAI_FAMILY;
    if (service != NULL && !is_number(service) && (hints->flags & TL_AI_NUMERICSERV))
        return TL_EAI_NONAME;
    return 0;
}

/* One block with the list, and behind it the canonical name. */
static int fill(struct tl_query *query, const struct found *found, const struct wanted *wanted)
{
    size_t count = found->count * wanted->count;
    bool named = (query->hints.flags & TL_AI_CANONNAME) != 0;
    size_t name_size = named ? strlen(found->canonname) + 1 : 0;
    tl_addrinfo *infos = tl_alloc(count * sizeof *infos + name_size);
    if (infos == NULL)
        return TL_EAI_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const struct tl_ip *ip = &found->ips[i / wanted->count];
        size_t at = i % wanted->count;
        bool v4 = tl_ip_is_v4(ip) && !found->mapped;
        infos[i] = (tl_addrinfo){
            .addr = tl_ip_to(ip, wanted->sockets[at].port, v4 ? TL_FAMILY_INET : TL_FAMILY_INET6),
            .type = wanted->sockets[at].type,
            .protocol = wanted->sockets[at].protocol,
            .canonname = "",
        };
        infos[i].addr.scope = found->scope;
    }
    if (named && count > 0)
        infos->canonname = memcpy(infos + count, found->canonname, name_size);
    query->infos = infos;
    query->infos_count = count;
    return 0;
}

static int answer_addresses(tl_host *host, struct tl_query *query, uint32_t turn)
{
    const char *service = none_if_star(query->service);
    struct found found = {.count = 0};
    struct wanted wanted = {.count = 0};
    int r = check(query, service);
    if (service != NULL && service[0] == '\0')
        service = NULL;
    int number = service != NULL ? port_number(service) : 0;
    if (r == 0)
        r = want_sockets(&query->hints, service, number, &wanted);
    if (r == 0)
        r = find(host, query, turn, &found);
    return r < 0 ? r : fill(query, &found, &wanted);
}

/* --- getnameinfo ------------------------------------------------------------------------------ */

/* Whether the C library calls an address's interface by name: of fe80::/10 and ff02::/16, not of
 * ff01::/16. */
static bool shows_interface(const struct tl_ip *ip)
{
    return tl_ip_needs_scope(ip) && (ip->bytes[0] == 0xfe || (ip->bytes[1] & 0x0f) == 2);
}

static void number_text(const tl_addr *addr, char *text, size_t size)
{
    char digits[INET6_ADDRSTRLEN] = "";
    bool v4 = addr->family == TL_FAMILY_INET;
    (void)inet_ntop(v4 ? AF_INET : AF_INET6, addr->data, digits, sizeof digits);
    struct tl_ip ip = tl_ip_from(addr);
    if (v4 || addr->scope == 0)
        (void)snprintf(text, size, "%s", digits);
    else if (shows_interface(&ip) && addr->scope <= TL_INTERFACE_NETWORK)
        (void)snprintf(text, size, "%s%%%s", digits, interfaces[addr->scope]);
    else
        (void)snprintf(text, size, "%s%%%u", digits, (unsigned)addr->scope);
}

static int answer_names(const tl_host *host, struct tl_query *query)
{
    const tl_addr *addr = &query->addr;
    char host_text[HOST_MAX], service_text[8];
    if ((query->flags & ~(unsigned)NI_FLAGS) != 0)
        return TL_EAI_BADFLAGS;
    if (addr->family != TL_FAMILY_INET && addr->family != TL_FAMILY_INET6)
        return TL_EAI_FAMILY;
    struct tl_ip ip = tl_ip_from(addr);
    const char *name = query->flags & TL_NI_NUMERICHOST ? NULL : tl_names_of(host, &ip);
    if (name == NULL && (query->flags & TL_NI_NAMEREQD))
        return TL_EAI_NONAME;
    number_text(addr, host_text, sizeof host_text);
    name = name != NULL ? name : host_text;
    const char *service = query->flags & TL_NI_NUMERICSERV
                              ? NULL
                              : tl_service_name(addr->port, (query->flags & TL_NI_DGRAM) != 0);
    (void)snprintf(service_text, sizeof service_text, "%u", (unsigned)addr->port);
    service = service != NULL ? service : service_text;
    size_t name_size = strlen(name) + 1;
    size_t service_size = strlen(service) + 1;
    tl_nameinfo *names = tl_alloc(sizeof *names + name_size + service_size);
    if (names == NULL)
        return TL_EAI_MEMORY;
    char *at = (char *)(names + 1);
    names->host = memcpy(at, name, name_size);
    names->service = memcpy(at + name_size, service, service_size);
    query->names = names;
    return 0;
}

/* --- Both ------------------------------------------------------------------------------------- */

void tl_names_answer(tl_host *host, struct tl_query *query, uint32_t turn)
{
    query->result = query->kind == TL_QUERY_ADDRESSES ? answer_addresses(host, query, turn)
                                                      : answer_names(host, query);
}

bool tl_names_local(const struct tl_query *query)
{
    struct found found;
    if (query->kind == TL_QUERY_NAMES)
        return (query->flags & TL_NI_NUMERICHOST) != 0;
    return none_if_star(query->host) == NULL || (query->hints.flags & TL_AI_NUMERICHOST) != 0 ||
           strcasecmp(query->host, "localhost") == 0 ||
           find_number(&query->hints, query->host, &found) != 0;
}
