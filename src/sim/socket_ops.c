/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operations of the simulated kernel on sockets: each finds its object, has it do the work, and
 * hashes what came of it.
 */
#include <errno.h>

#include "sim/datagram.h"
#include "sim/endpoint.h"
#include "sim/kernel.h"
#include "sim/mix.h"
#include "sim/unix.h"

static int get_socket(struct tl_sim_kernel *kernel, int fd, struct tl_descriptor **ret)
{
    struct tl_descriptor *descriptor = tl_sim_descriptor(kernel, fd);
    if (descriptor == NULL)
        return -EBADF;
    if (descriptor->ops->socket == NULL)
        return -ENOTSOCK;
    *ret = descriptor;
    return 0;
}

/* The same, for a call with an address; one that is none is refused before anybody looks at it. */
static int get_socket_for(struct tl_sim_kernel *kernel, int fd, const tl_addr *addr,
                          struct tl_descriptor **ret)
{
    int r = get_socket(kernel, fd, ret);
    return r < 0 ? r : tl_ip_check(addr);
}

uint64_t tl_sim_hash_address(const tl_addr *addr)
{
    uint64_t head = (uint64_t)addr->family << 48 | (uint64_t)addr->port << 32 | addr->scope;
    if (addr->family != TL_FAMILY_UNIX) /* 16 bytes at most: nearly every message has one */
        return tl_mix(head, tl_mix(tl_load(addr->data), tl_load(addr->data + 8)));
    return tl_mix(head, tl_mix_bytes(addr->data, sizeof addr->data));
}

/* NULL when memory is out. */
static struct tl_descriptor *new_socket(tl_host *host, enum tl_family family,
                                        enum tl_socket_type type, uint64_t entity)
{
    if (family == TL_FAMILY_UNIX) {
        struct tl_unix *socket =
            type == TL_DATAGRAM ? tl_unix_datagram_new(host, entity) : tl_unix_new(host, entity);
        return socket != NULL ? &socket->descriptor : NULL;
    }
    if (type == TL_DATAGRAM) {
        struct tl_datagram_socket *socket = tl_datagram_socket_new(host, (uint8_t)family, entity);
        return socket != NULL ? &socket->descriptor : NULL;
    }
    struct tl_endpoint *endpoint = tl_endpoint_new(host, (uint8_t)family, entity);
    return endpoint != NULL ? &endpoint->descriptor : NULL;
}

static int make_socket(struct tl_sim_kernel *kernel, enum tl_family family,
                       enum tl_socket_type type)
{
    tl_process *process = kernel->process;
    if (family != TL_FAMILY_INET && family != TL_FAMILY_INET6 && family != TL_FAMILY_UNIX)
        return -EAFNOSUPPORT;
    if (type != TL_STREAM && type != TL_DATAGRAM)
        return -EINVAL;
    if (tl_sim_refuses_descriptor(process))
        return -EMFILE;
    int fd = tl_fds_next(&process->fds, &process->world->allocator);
    if (fd < 0)
        return fd;
    uint64_t entity = tl_entity(process->entity, "object", process->objects + 1);
    struct tl_descriptor *descriptor = new_socket(process->host, family, type, entity);
    if (descriptor == NULL)
        return -ENOMEM;
    tl_sim_give(kernel, fd, descriptor);
    return fd;
}

int tl_sim_socket(struct tl_kernel *kernel, enum tl_family family, enum tl_socket_type type)
{
    int fd = make_socket(tl_sim(kernel), family, type);
    tl_sim_note(tl_sim(kernel), TL_KIND_SOCKET, tl_sim_ordinal(tl_sim(kernel), fd), fd < 0 ? fd : 0,
                (uint64_t)family << 8 | type, 0);
    return fd;
}

int tl_sim_bind(struct tl_kernel *kernel, int fd, const tl_addr *addr)
{
    struct tl_descriptor *socket;
    int r = get_socket_for(tl_sim(kernel), fd, addr, &socket);
    if (r == 0)
        r = socket->ops->socket->bind(socket, addr);
    tl_sim_note(tl_sim(kernel), TL_KIND_BIND, tl_sim_ordinal(tl_sim(kernel), fd), r,
                tl_sim_hash_address(addr), 0);
    return r;
}

int tl_sim_listen(struct tl_kernel *kernel, int fd, int backlog)
{
    struct tl_descriptor *socket;
    int r = get_socket(tl_sim(kernel), fd, &socket);
    if (r == 0)
        r = socket->ops->socket->listen(socket, backlog);
    tl_sim_note(tl_sim(kernel), TL_KIND_LISTEN, tl_sim_ordinal(tl_sim(kernel), fd), r,
                (uint64_t)backlog, 0);
    return r;
}

/* Linux takes the number before it looks for a connection. */
static int accept_one(struct tl_sim_kernel *kernel, struct tl_descriptor *listener,
                      tl_addr *ret_peer)
{
    tl_process *process = kernel->process;
    struct tl_descriptor *child;
    int fd = tl_fds_next(&process->fds, &process->world->allocator);
    if (fd < 0)
        return fd;
    if (listener->ops->readiness(listener) & TL_READABLE && tl_sim_refuses_descriptor(process))
        return -EMFILE;
    int r = listener->ops->socket->accept(listener, &child, ret_peer);
    if (r < 0)
        return r;
    tl_sim_give(kernel, fd, child);
    return fd;
}

int tl_sim_accept(struct tl_kernel *kernel, int fd, tl_addr *ret_peer)
{
    struct tl_descriptor *listener;
    tl_addr peer = {0};
    int r = get_socket(tl_sim(kernel), fd, &listener);
    if (r == 0)
        r = accept_one(tl_sim(kernel), listener, &peer);
    tl_sim_note(tl_sim(kernel), TL_KIND_ACCEPT, tl_sim_ordinal(tl_sim(kernel), fd), r < 0 ? r : 0,
                r >= 0 ? tl_mix(tl_sim_ordinal(tl_sim(kernel), r), tl_sim_hash_address(&peer)) : 0,
                0);
    if (r >= 0 && ret_peer != NULL)
        *ret_peer = peer;
    return r;
}

int tl_sim_connect(struct tl_kernel *kernel, int fd, const tl_addr *addr)
{
    struct tl_descriptor *socket;
    int r = get_socket_for(tl_sim(kernel), fd, addr, &socket);
    /* The end of a connection of datagrams. */
    if (r == -EAFNOSUPPORT && addr->family == TL_FAMILY_NONE &&
        socket->ops->kind(socket) == TL_ADOPTED_DATAGRAM)
        r = 0;
    if (r == 0)
        r = socket->ops->socket->connect(socket, addr);
    tl_sim_note(tl_sim(kernel), TL_KIND_CONNECT, tl_sim_ordinal(tl_sim(kernel), fd), r,
                tl_sim_hash_address(addr), 0);
    return r;
}

int tl_sim_shutdown(struct tl_kernel *kernel, int fd, enum tl_shutdown how)
{
    static const uint8_t halves[] = {
        [TL_SHUTDOWN_READ] = TL_SHUT_READ,
        [TL_SHUTDOWN_WRITE] = TL_SHUT_WRITE,
        [TL_SHUTDOWN_BOTH] = TL_SHUT_BOTH,
    };
    struct tl_descriptor *socket;
    int r = get_socket(tl_sim(kernel), fd, &socket);
    if (r == 0 && (unsigned)how > TL_SHUTDOWN_BOTH)
        r = -EINVAL;
    if (r == 0)
        r = socket->ops->socket->shutdown(socket, halves[how]);
    tl_sim_note(tl_sim(kernel), TL_KIND_SHUTDOWN, tl_sim_ordinal(tl_sim(kernel), fd), r, how, 0);
    return r;
}

/* Nothing here ever blocks, but a program may ask. */
static int nonblock(struct tl_sim_kernel *kernel, int fd, int *ret)
{
    if (tl_sim_descriptor(kernel, fd) == NULL)
        return -EBADF;
    if (ret != NULL)
        *ret = 1;
    return 0;
}

static int do_option(struct tl_sim_kernel *kernel, int fd, enum tl_option option, const int *set,
                     int *ret)
{
    struct tl_descriptor *socket;
    if (option == TL_OPTION_NONBLOCK)
        return nonblock(kernel, fd, ret);
    int r = get_socket(kernel, fd, &socket);
    return r == 0 ? socket->ops->socket->option(socket, option, set, ret) : r;
}

int tl_sim_option(struct tl_kernel *kernel, int fd, enum tl_option option, const int *set, int *ret)
{
    int r = do_option(tl_sim(kernel), fd, option, set, ret);
    uint64_t value = 0;
    if (r == 0 && ret != NULL)
        value = option == TL_OPTION_ERROR ? tl_err_index(-*ret) : (uint64_t)*ret;
    tl_sim_note(tl_sim(kernel), TL_KIND_OPTION, tl_sim_ordinal(tl_sim(kernel), fd), r,
                (uint64_t)option << 32 | value, 0);
    return r;
}

int tl_sim_address(struct tl_kernel *kernel, int fd, enum tl_address_side side, tl_addr *ret)
{
    struct tl_descriptor *socket;
    int r = get_socket(tl_sim(kernel), fd, &socket);
    if (r == 0)
        r = socket->ops->socket->address(socket, side, ret);
    tl_sim_note(tl_sim(kernel), TL_KIND_ADDRESS, tl_sim_ordinal(tl_sim(kernel), fd), r,
                r == 0 ? tl_sim_hash_address(ret) : 0, 0);
    return r;
}
