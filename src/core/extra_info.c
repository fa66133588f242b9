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

void tl_extra_info_init(union tl_extra_info *info, const tl_addr *addr)
{
    static const uint8_t nobody[16];
    *info = (union tl_extra_info){.peer = {.family = TL_FAMILY_NONE}};
    if (addr == NULL || (addr->family != TL_FAMILY_INET && addr->family != TL_FAMILY_INET6))
        return;
    if (memcmp(addr->data, nobody, sizeof nobody) == 0)
        return;
    info->peer.family = addr->family;
    info->peer.port = addr->port;
    info->peer.scope = addr->scope;
    memcpy(info->peer.data, addr->data, sizeof info->peer.data);
}

static void name_set(struct tl_name *name)
{
    name->value = tl_value_pointer(&name->addr, NULL);
}

static struct tl_names *spell_out(union tl_extra_info *info, bool *named)
{
    if (*named)
        return info->names;
    struct tl_names *names = tl_calloc(sizeof *names);
    if (names == NULL)
        return NULL;
    const struct tl_compact_addr *peer = &info->peer;
    if (peer->family != TL_FAMILY_NONE) {
        names->peer.addr =
            (tl_addr){.family = peer->family, .port = peer->port, .scope = peer->scope};
        memcpy(names->peer.addr.data, peer->data, sizeof peer->data);
        name_set(&names->peer);
    }
    info->names = names;
    *named = true;
    return names;
}

static void ask(struct tl_name *name, enum tl_address_side side, struct tl_kernel *kernel, int fd)
{
    if (name->value.kind == TL_VALUE_NONE && kernel != NULL &&
        kernel->ops->address(kernel, fd, side, &name->addr) == 0)
        name_set(name);
}

const tl_value *tl_extra_info_get(union tl_extra_info *info, bool *named, const char *name,
                                  struct tl_kernel *kernel, int fd)
{
    bool socket = strcmp(name, "socket") == 0;
    bool own = strcmp(name, "sockname") == 0;
    if (!socket && !own && strcmp(name, "peername") != 0)
        return NULL;
    struct tl_names *names = spell_out(info, named);
    if (names == NULL)
        return NULL;
    if (socket) {
        names->socket = tl_value_int(fd);
        return &names->socket;
    }
    struct tl_name *asked = own ? &names->own : &names->peer;
    ask(asked, own ? TL_ADDRESS_LOCAL : TL_ADDRESS_PEER, kernel, fd);
    return asked->value.kind != TL_VALUE_NONE ? &asked->value : NULL;
}

void tl_extra_info_latch(union tl_extra_info *info, bool *named, struct tl_kernel *kernel, int fd)
{
    struct tl_names *names = spell_out(info, named);
    if (names == NULL)
        return;
    ask(&names->own, TL_ADDRESS_LOCAL, kernel, fd);
    ask(&names->peer, TL_ADDRESS_PEER, kernel, fd);
}

void tl_extra_info_finish(union tl_extra_info *info, bool named)
{
    if (named)
        tl_free(info->names);
}
