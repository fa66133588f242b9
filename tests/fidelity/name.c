/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names: the addresses of a run, in words that are the same in both worlds, and who has them.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <twinloop/unix.h>

#include "tests/fidelity/place.h"

/* --- In words --------------------------------------------------------------------------------- */

static const unsigned char mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

/* Whether it is an address of IPv4 in IPv6's clothes. */
static bool is_mapped(const tl_addr *addr)
{
    return addr->family == TL_FAMILY_INET6 &&
           memcmp(addr->data, mapped_prefix, sizeof mapped_prefix) == 0;
}

static const char *host_text(const struct run *run, const tl_addr *addr)
{
    static const unsigned char none[16];
    static const unsigned char first[16] = {127, 0, 0, 1};
    static const unsigned char first6[16] = {[15] = 1};
    if (addr->family == TL_FAMILY_UNIX)
        return addr->len == 0 ? "unnamed" : "name";
    if (memcmp(addr->data, none, 16) == 0)
        return "any";
    if (memcmp(addr->data, run->loopback.data, 16) == 0)
        return "loopback";
    if (memcmp(addr->data, first, 16) == 0)
        return "127.0.0.1";
    if (is_mapped(addr) && memcmp(addr->data + 12, first, 4) == 0)
        return "::ffff:127.0.0.1";
    if (is_mapped(addr) && memcmp(addr->data + 12, run->loopback.data, 4) == 0)
        return "mapped";
    return memcmp(addr->data, first6, 16) == 0 ? "::1" : "elsewhere";
}

bool name_same(const tl_addr *one, const tl_addr *two)
{
    if (one->family == TL_FAMILY_UNIX)
        return tl_addr_equal(one, two);
    return two->family != TL_FAMILY_UNIX && two->family != TL_FAMILY_NONE && one->port == two->port;
}

void name_note(const struct run *run, uint8_t sort, const tl_addr *addr, char *note, size_t size)
{
    const char *host = host_text(run, addr);
    bool no_door = addr->family == TL_FAMILY_UNIX ? addr->len == 0 : addr->port == 0;
    if (no_door) {
        snprintf(note, size, " %d %s", addr->family, host);
        return;
    }
    for (int i = 0; i < PLACES; i++) {
        const struct place *place = &run->places[i];
        if (sort_is_datagram(place->sort) == sort_is_datagram(sort) &&
            name_same(addr, &place->local)) {
            snprintf(note, size, " %d %s @%d", addr->family, host, i);
            return;
        }
    }
    snprintf(note, size, " %d %s of nobody", addr->family, host);
}

/* Whether this is a path: the name of a file. */
static bool is_path(const tl_addr *addr)
{
    return addr->family == TL_FAMILY_UNIX && addr->len > 0 && addr->data[0] != '\0';
}

/* The file that a path leads to; 0: nowhere. */
static uint64_t file_at(struct run *run, const tl_addr *addr)
{
    char path[sizeof addr->data + 1] = {0};
    struct tl_stat status = {0};
    memcpy(path, addr->data, addr->len);
    return run->kernel->ops->stat(run->kernel, path, &status) < 0 ? 0 : status.identity;
}

void name_learn(struct run *run, int index)
{
    struct place *place = &run->places[index];
    tl_addr addr;
    if (place->fd < 0 ||
        run->kernel->ops->address(run->kernel, place->fd, TL_ADDRESS_LOCAL, &addr) < 0)
        return;
    if (addr.family == TL_FAMILY_UNIX ? addr.len > 0 : addr.port != 0)
        place->local = addr;
    if (is_path(&addr) && place->file == 0)
        place->file = file_at(run, &addr);
}

/* --- To bind and connect to ------------------------------------------------------------------- */

/* Who is everywhere is on this run's loopback for sockets of IPv4, also when it is of IPv6. */
bool name_of(const struct run *run, const struct op *op, tl_addr *ret)
{
    static const unsigned char none[16];
    uint8_t sort = run->places[op->place].sort;
    if (op->other >= PATH) {
        struct path path = path_of(run, op->other);
        return tl_addr_unix(path.text, strlen(path.text), ret) == 0;
    }
    *ret = run->places[op->other].local;
    bool any = (ret->family == TL_FAMILY_INET || ret->family == TL_FAMILY_INET6) &&
               memcmp(ret->data, none, 16) == 0;
    if ((any || is_mapped(ret)) && (sort == SORT_TCP || sort == SORT_UDP)) {
        uint16_t port = ret->port;
        *ret = run->loopback;
        ret->port = port;
    }
    return ret->family != TL_FAMILY_NONE;
}

tl_addr name_fresh(const struct run *run, const struct op *op, uint8_t sort)
{
    tl_addr addr = run->loopback;
    if ((sort == SORT_TCP6 || sort == SORT_UDP6) && op->what == BIND_MAPPED) {
        addr.family = TL_FAMILY_INET6;
        memmove(addr.data + sizeof mapped_prefix, addr.data, 4);
        memcpy(addr.data, mapped_prefix, sizeof mapped_prefix);
    } else if (sort == SORT_TCP6 || sort == SORT_UDP6) {
        static const char *const hosts[BINDS] = {
            [BIND_ANY] = "::", [BIND_SCOPED] = "::1%7", [BIND_MAPPED_ANY] = "::ffff:0.0.0.0"};
        const char *host = hosts[op->what];
        int r = tl_addr_parse(host != NULL ? host : "::1", 0, &addr);
        assert(r == 0);
        (void)r;
    } else if (sort_is_unix(sort) && op->what == BIND_ANY) {
        addr = (tl_addr){.family = TL_FAMILY_UNIX}; /* the system picks one */
    } else if (sort_is_unix(sort)) {
        addr = (tl_addr){.family = TL_FAMILY_UNIX, .len = 32};
        snprintf((char *)addr.data + 1, sizeof addr.data - 1, "fidelity-%08x-%02u", run->unique,
                 run->op);
    } else if (op->what == BIND_ANY) {
        memset(addr.data, 0, sizeof addr.data);
    } else if (op->what == BIND_EVERYBODY) {
        memset(addr.data + 1, 255, 3);
    }
    return addr;
}

int name_listener(struct run *run, const tl_addr *addr)
{
    uint64_t file = is_path(addr) ? file_at(run, addr) : 0;
    for (int i = 0; i < PLACES; i++) {
        const struct place *place = &run->places[i];
        if (place->fd < 0 || place->sort != SORT_UNIX || !place->listening)
            continue;
        if (is_path(addr) ? place->file == file : tl_addr_equal(addr, &place->local))
            return i;
    }
    return -1;
}
