/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names of a socket: kept compactly, spelled out when asked for, asked of the kernel at most
 * once each, and latched before the descriptor is closed.
 */
#include "core/extra_info.h"

#include <string.h>
#include <twinloop/kernel.h>

#include "core/alloc.h"

/* One side's address as a value. */
struct tl_name {
    tl_value value; /* none: not known */
    tl_addr addr;
};

struct tl_names {
    tl_value socket;
    struct tl_name own;
    struct tl_name peer;
};

struct tl_inet6_peer {
    uint32_t scope;
    uint16_t port;
    uint8_t data[16];
};

enum tl_extra_info_kind tl_extra_info_init(union tl_extra_info *info, const tl_addr *addr)
{
    static const uint8_t nobody[16];
    if (addr == NULL || memcmp(addr->data, nobody, sizeof nobody) == 0)
        return TL_EXTRA_INFO_NONE;
    if (addr->family == TL_FAMILY_INET) {
        memcpy(info->inet.data, addr->data, sizeof info->inet.data);
        info->inet.port = addr->port;
        return TL_EXTRA_INFO_INET;
    }
    if (addr->family != TL_FAMILY_INET6)
        return TL_EXTRA_INFO_NONE;
    info->inet6 = tl_alloc(sizeof *info->inet6);
    if (info->inet6 == NULL)
        return TL_EXTRA_INFO_NONE;
    *info->inet6 = (struct tl_inet6_peer){.scope = addr->scope, .port = addr->port};
    memcpy(info->inet6->data, addr->data, sizeof info->inet6->data);
    return TL_EXTRA_INFO_INET6;
}

static void name_set(struct tl_name *name)
{
    name->value = tl_value_pointer(&name->addr, NULL);
}

/* Writes out the peer that is kept. */
static void name_peer(struct tl_name *name, const union tl_extra_info *info, uint8_t kind)
{
    if (kind == TL_EXTRA_INFO_INET) {
        name->addr = (tl_addr){.family = TL_FAMILY_INET, .port = info->inet.port};
        memcpy(name->addr.data, info->inet.data, sizeof info->inet.data);
        name_set(name);
    } else if (kind == TL_EXTRA_INFO_INET6) {
        const struct tl_inet6_peer *peer = info->inet6;
        name->addr = (tl_addr){.family = TL_FAMILY_INET6, .port = peer->port, .scope = peer->scope};
        memcpy(name->addr.data, peer->data, sizeof peer->data);
        name_set(name);
    }
}

static struct tl_names *spell_out(union tl_extra_info *info, uint8_t *kind)
{
    if (*kind == TL_EXTRA_INFO_NAMES)
        return info->names;
    struct tl_names *names = tl_calloc(sizeof *names);
    if (names == NULL)
        return NULL;
    name_peer(&names->peer, info, *kind);
    tl_extra_info_finish(info, *kind);
    info->names = names;
    *kind = TL_EXTRA_INFO_NAMES;
    return names;
}

static void ask(struct tl_name *name, enum tl_address_side side, struct tl_kernel *kernel, int fd)
{
    if (name->value.kind == TL_VALUE_NONE && kernel != NULL &&
        kernel->ops->address(kernel, fd, side, &name->addr) == 0)
        name_set(name);
}

/* asyncio: a name that is known and has no value is None, not the default. */
static const tl_value none = {.kind = TL_VALUE_NONE};

const tl_value *tl_extra_info_get(union tl_extra_info *info, uint8_t *kind, const char *name,
                                  struct tl_kernel *kernel, int fd)
{
    bool socket = strcmp(name, "socket") == 0;
    bool own = strcmp(name, "sockname") == 0;
    if (!socket && !own && strcmp(name, "peername") != 0)
        return NULL;
    struct tl_names *names = spell_out(info, kind);
    if (names == NULL)
        return &none;
    if (socket) {
        names->socket = tl_value_int(fd);
        return &names->socket;
    }
    struct tl_name *asked = own ? &names->own : &names->peer;
    ask(asked, own ? TL_ADDRESS_LOCAL : TL_ADDRESS_PEER, kernel, fd);
    return &asked->value;
}

void tl_extra_info_latch(union tl_extra_info *info, uint8_t *kind, struct tl_kernel *kernel, int fd)
{
    struct tl_names *names = spell_out(info, kind);
    if (names == NULL)
        return;
    ask(&names->own, TL_ADDRESS_LOCAL, kernel, fd);
    ask(&names->peer, TL_ADDRESS_PEER, kernel, fd);
}

void tl_extra_info_finish(union tl_extra_info *info, uint8_t kind)
{
    if (kind == TL_EXTRA_INFO_INET6)
        tl_free(info->inet6);
    else if (kind == TL_EXTRA_INFO_NAMES)
        tl_free(info->names);
}
