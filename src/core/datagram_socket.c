/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket of a datagram endpoint: from the addresses of its two sides to a descriptor.
 *
 * A socket has one family, so the addresses are grouped by theirs, in the order in which families
 * first come up: local addresses, then remote ones. A family that lacks an address on a wanted side
 * is left out. The others are tried in turn, each with its first addresses, which the resolver
 * thinks best; the first socket that can be bound and connected is the endpoint's, and when none
 * can, the first one's error is what is told.
 */
#include <errno.h>

#include "core/datagram_endpoint.h"
#include "core/future.h"
#include "core/unix.h"

void tl_datagram_side_set(struct tl_datagram_side *side, const tl_addr *addr)
{
    side->wanted = addr != NULL;
    side->addresses = (struct tl_addresses){0};
    if (addr == NULL)
        return;
    side->addresses.one.addr = *addr;
    side->addresses.infos = &side->addresses.one;
    side->addresses.count = 1;
}

/* --- One family ------------------------------------------------------------------------------- */

/* What a family is tried with; NULL: nothing on that side. */
struct group {
    enum tl_family family;
    const tl_addr *local;
    const tl_addr *remote;
};

/* What the kernel said against it. */
struct trouble {
    int code; /* 0: none yet */
    const char *action;
    const tl_addr *addr; /* that action is about; NULL: none */
};

static int trouble(struct trouble *trouble, int code, const char *action, const tl_addr *addr)
{
    if (trouble->code == 0)
        *trouble = (struct trouble){code, action, addr};
    return code;
}

static int set_options(const struct tl_datagram_request *request, int fd)
{
    struct tl_kernel *kernel = request->loop->kernel;
    const int on = 1;
    int r = 0;
    if (request->reuse_port)
        r = kernel->ops->option(kernel, fd, TL_OPTION_REUSEPORT, &on, NULL);
    if (r == 0 && request->allow_broadcast)
        r = kernel->ops->option(kernel, fd, TL_OPTION_BROADCAST, &on, NULL);
    return r;
}

/* asyncio: who may broadcast is not connected, or would not hear the answers. */
static bool connects(const struct tl_datagram_request *request)
{
    return request->remote.wanted && !request->allow_broadcast;
}

/* Options, bind, connect: 0, or an error that first knows. */
static int prepare(const struct tl_datagram_request *request, const struct group *group, int fd,
                   struct trouble *first)
{
    struct tl_kernel *kernel = request->loop->kernel;
    int r = set_options(request, fd);
    if (r < 0)
        return trouble(first, r, NULL, NULL);
    if (group->local != NULL && group->family == TL_FAMILY_UNIX)
        tl_unix_remove_socket(kernel, group->local);
    if (group->local != NULL)
        r = kernel->ops->bind(kernel, fd, group->local);
    if (r < 0)
        return trouble(first, r, "bind on", group->local);
    if (connects(request))
        r = kernel->ops->connect(kernel, fd, group->remote);
    return r < 0 ? trouble(first, r, "connect to", group->remote) : 0;
}

static int try(const struct tl_datagram_request *request, const struct group *group,
               struct trouble *first)
{
    struct tl_kernel *kernel = request->loop->kernel;
    int fd = kernel->ops->socket(kernel, group->family, TL_DATAGRAM);
    if (fd < 0)
        return trouble(first, fd, NULL, NULL);
    int r = prepare(request, group, fd, first);
    if (r == 0)
        return fd;
    (void)kernel->ops->close(kernel, fd);
    return r;
}

/* --- All of them ------------------------------------------------------------------------------ */

/* The first address of a family; NULL: there is none. */
static const tl_addr *first_of(const struct tl_datagram_side *side, enum tl_family family)
{
    for (size_t i = 0; i < side->addresses.count; i++)
        if (side->addresses.infos[i].addr.family == family)
            return &side->addresses.infos[i].addr;
    return NULL;
}

/* What a family would be tried with; false when a side lacks it. */
static bool get_group(const struct tl_datagram_request *request, enum tl_family family,
                      struct group *ret)
{
    *ret = (struct group){
        .family = family,
        .local = first_of(&request->local, family),
        .remote = first_of(&request->remote, family),
    };
    return (ret->local != NULL || !request->local.wanted) &&
           (ret->remote != NULL || !request->remote.wanted) &&
           (request->family == TL_FAMILY_NONE || request->family == family);
}

/* The family of the address in this place, of all addresses of both sides; TL_FAMILY_NONE after the
 * last one. Without any address there is one family, the one asked for. */
static enum tl_family family_at(const struct tl_datagram_request *request, size_t place)
{
    const struct tl_addresses *local = &request->local.addresses;
    const struct tl_addresses *remote = &request->remote.addresses;
    if (!request->local.wanted && !request->remote.wanted)
        return place == 0 ? request->family : TL_FAMILY_NONE;
    if (place < local->count)
        return (enum tl_family)local->infos[place].addr.family;
    place -= local->count;
    return place < remote->count ? (enum tl_family)remote->infos[place].addr.family
                                 : TL_FAMILY_NONE;
}

static void fail(tl_future *future, const struct trouble *trouble)
{
    char text[TL_ADDR_TEXT_MAX];
    if (trouble->code == 0)
        (void)tl_future_set_exception(
            future, -EINVAL,
            "can not get address information: the addresses are of different families");
    else if (trouble->addr == NULL)
        (void)tl_future_set_exception(future, trouble->code, NULL);
    else
        (void)tl_future_fail(future, trouble->code, "error while attempting to %s address %s: %s",
                             trouble->action, tl_addr_format(trouble->addr, text, sizeof text),
                             tl_strerror(trouble->code));
}

int tl_datagram_socket(const struct tl_datagram_request *request, struct tl_datagram_plan *ret)
{
    struct trouble first = {0};
    unsigned tried = 0; /* a bit for each family */
    enum tl_family family;
    struct group group;
    int fd = -EINVAL;
    for (size_t place = 0; (family = family_at(request, place)) != TL_FAMILY_NONE; place++) {
        if ((tried & 1u << family) != 0)
            continue;
        tried |= 1u << family;
        if (!get_group(request, family, &group))
            continue;
        fd = try(request, &group, &first);
        if (fd < 0)
            continue;
        *ret = request->plan;
        ret->family = (uint8_t)family;
        ret->connected = connects(request);
        if (group.remote != NULL)
            ret->remote = *group.remote;
        return fd;
    }
    fail(request->future, &first);
    return fd;
}
