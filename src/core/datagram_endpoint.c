/* SPDX-License-Identifier: Apache-2.0 */
/*
 * create_datagram_endpoint: from the arguments to the transport.
 *
 * Nothing here has to be waited for but connection_made. Until that the making of an endpoint holds
 * its future, whose canceller it is, and is the owner of the transport; then it frees itself.
 */
#include <errno.h>

#include "core/alloc.h"
#include "core/datagram.h"
#include "core/future.h"
#include "core/given.h"
#include "core/pair.h"
#include "core/unix.h"

struct making {
    struct tl_datagram_owner owner;
    struct tl_datagram_transport *datagram; /* owned until it is made */
    tl_loop *loop;                          /* a reference */
    tl_future *future;                      /* a reference */
    tl_pair *pair;                          /* the result */
};

static void making_free(struct making *making)
{
    tl_loop *loop = making->loop;
    tl_future *future = making->future;
    tl_pair *pair = making->pair;
    tl_future_set_canceller(future, NULL, NULL);
    tl_free(making);
    tl_pair_free(pair);
    tl_future_unref(future);
    tl_loop_unref(loop);
}

/* connection_made has returned; or, abandoned, the loop was closed before. */
static void made(struct tl_datagram_owner *owner, bool abandoned)
{
    struct making *making = tl_container_of(owner, struct making, owner);
    if (!abandoned) {
        tl_value value = tl_value_from_pair(making->pair);
        making->pair = NULL;
        /* Fails only when the program has finished the future itself. */
        if (tl_future_set_result(making->future, value) < 0)
            tl_value_finish(&value);
    }
    making_free(making);
}

static void cancel(void *arg)
{
    struct making *making = arg;
    making->datagram->owner = NULL;
    tl_transport_close(&making->datagram->transport);
    making_free(making);
}

static struct making *making_new(tl_loop *loop, tl_future *future)
{
    struct making *making = tl_calloc(sizeof *making);
    tl_pair *pair = tl_pair_new();
    if (making == NULL || pair == NULL) {
        tl_free(making);
        tl_pair_free(pair);
        return NULL;
    }
    making->owner = (struct tl_datagram_owner){.made = made, .origin = future->created};
    making->loop = tl_loop_ref(loop);
    making->future = tl_future_ref(future);
    making->pair = pair;
    return making;
}

/* Makes the transport of a socket; whether it did, else the future has been failed. */
static bool open_transport(tl_loop *loop, int fd, tl_protocol_factory factory, void *farg,
                           const struct tl_datagram_plan *plan, tl_future *future)
{
    struct making *making = making_new(loop, future);
    int r = -ENOMEM;
    if (making != NULL)
        r = tl_datagram_transport_open(loop, fd, factory, farg, plan, &making->owner,
                                       &making->datagram);
    if (r < 0) {
        (void)tl_future_set_exception(future, r, NULL);
        if (making != NULL)
            making_free(making);
        return false;
    }
    tl_transport *transport = &making->datagram->transport;
    tl_pair_fill(making->pair, transport);
    tl_future_set_canceller(future, cancel, making);
    return true;
}

/* --- The socket --- */

/* Fails the future with what the kernel said of an address. */
static int fail(tl_future *future, int code, const char *action, const tl_addr *addr)
{
    char text[TL_ADDR_TEXT_MAX];
    (void)tl_future_fail(future, code, "error while attempting to %s address %s: %s", action,
                         tl_addr_format(addr, text, sizeof text), tl_strerror(code));
    return code;
}

static int set_options(struct tl_kernel *kernel, int fd, const tl_datagram_opts *opts,
                       tl_future *future)
{
    const int on = 1;
    int r = 0;
    if (opts->reuse_port)
        r = kernel->ops->option(kernel, fd, TL_OPTION_REUSEPORT, &on, NULL);
    if (r == 0 && opts->allow_broadcast)
        r = kernel->ops->option(kernel, fd, TL_OPTION_BROADCAST, &on, NULL);
    if (r < 0)
        (void)tl_future_set_exception(future, r, NULL);
    return r;
}

/* A socket as it was asked for; negative when the future has been failed. */
static int make_socket(tl_loop *loop, enum tl_family family, const tl_addr *local,
                       const tl_addr *remote, const tl_datagram_opts *opts, tl_future *future)
{
    struct tl_kernel *kernel = loop->kernel;
    int fd = kernel->ops->socket(kernel, family, TL_DATAGRAM);
    if (fd < 0) {
        (void)tl_future_set_exception(future, fd, NULL);
        return fd;
    }
    int r = set_options(kernel, fd, opts, future);
    if (r == 0 && local != NULL && family == TL_FAMILY_UNIX)
        tl_unix_remove_socket(kernel, local);
    if (r == 0 && local != NULL) {
        r = kernel->ops->bind(kernel, fd, local);
        if (r < 0)
            fail(future, r, "bind on", local);
    }
    /* asyncio: who may broadcast is not connected, or would not hear the answers. */
    if (r == 0 && remote != NULL && !opts->allow_broadcast) {
        r = kernel->ops->connect(kernel, fd, remote);
        if (r < 0)
            fail(future, r, "connect to", remote);
    }
    if (r == 0)
        return fd;
    (void)kernel->ops->close(kernel, fd);
    return r;
}

/* --- A new socket --- */

/* Why these arguments do not fit together; NULL when they do. */
static const char *check(const tl_addr *local, const tl_addr *remote, const tl_datagram_opts *opts,
                         enum tl_family *ret_family)
{
    enum tl_family family = opts->family;
    const tl_addr *addrs[] = {local, remote};
    for (int i = 0; i < 2; i++) {
        if (addrs[i] == NULL)
            continue;
        if (family == TL_FAMILY_NONE)
            family = (enum tl_family)addrs[i]->family;
        if (addrs[i]->family != family)
            return "can not get address information: the addresses are of different families";
    }
    if (family != TL_FAMILY_INET && family != TL_FAMILY_INET6 && family != TL_FAMILY_UNIX)
        return "unexpected address family";
    if (opts->read_batch > TL_DATAGRAM_READ_BATCH_MAX)
        return "read_batch is too large";
    *ret_family = family;
    return NULL;
}

static struct tl_datagram_plan plan_for(const tl_datagram_opts *opts)
{
    return (struct tl_datagram_plan){
        .batch_sends = opts->batch_sends,
        .read_batch = opts->read_batch > 0 ? (uint8_t)opts->read_batch : TL_DATAGRAM_READ_BATCH_MAX,
    };
}

static void create(tl_loop *loop, tl_protocol_factory factory, void *farg, const tl_addr *local,
                   const tl_addr *remote, const tl_datagram_opts *opts, tl_future *future)
{
    enum tl_family family;
    const char *complaint = check(local, remote, opts, &family);
    if (complaint != NULL) {
        (void)tl_future_set_exception(future, -EINVAL, complaint);
        return;
    }
    int fd = make_socket(loop, family, local, remote, opts, future);
    if (fd < 0)
        return;
    struct tl_kernel *kernel = loop->kernel;
    struct tl_datagram_plan plan = plan_for(opts);
    plan.family = (uint8_t)family;
    plan.connected = remote != NULL && !opts->allow_broadcast;
    if (remote != NULL)
        plan.remote = *remote;
    bool made = open_transport(loop, fd, factory, farg, &plan, future);
    /* Unless the factory has closed the loop, and so everything that was its. */
    if (!made && tl_loop_open(loop))
        (void)kernel->ops->close(kernel, fd);
}

/* --- A given socket --- */

/* Why these options cannot go with a socket; NULL: they can. */
static const char *check_given(const tl_addr *local, const tl_addr *remote,
                               const tl_datagram_opts *opts)
{
    if (local != NULL || remote != NULL || opts->family != TL_FAMILY_NONE || opts->reuse_port ||
        opts->allow_broadcast)
        return "socket modifier arguments can not be used when sock is specified";
    return opts->read_batch > TL_DATAGRAM_READ_BATCH_MAX ? "read_batch is too large" : NULL;
}

static const struct tl_given_rule datagrams = {1u << TL_ADOPTED_DATAGRAM, TL_FAMILY_NONE,
                                               "A socket of datagrams was expected"};

/* asyncio: the remote address is fixed only if the socket is connected. It stays the program's
 * until there is a transport. */
static void create_given(tl_loop *loop, tl_protocol_factory factory, void *farg,
                         const tl_datagram_opts *opts, tl_future *future)
{
    struct tl_kernel *kernel = loop->kernel;
    tl_socket socket = *opts->sock;
    tl_addr local;
    struct tl_datagram_plan plan = plan_for(opts);
    struct tl_fd *given;
    if (tl_given_claim(loop, socket, &datagrams, future, &given) < 0)
        return;
    if (kernel->ops->address(kernel, socket.fd, TL_ADDRESS_LOCAL, &local) == 0)
        plan.family = local.family;
    plan.connected = kernel->ops->address(kernel, socket.fd, TL_ADDRESS_PEER, &plan.remote) == 0;
    if (!plan.connected)
        plan.remote = (tl_addr){.family = TL_FAMILY_NONE};
    if (open_transport(loop, socket.fd, factory, farg, &plan, future))
        tl_fd_give_up(given);
    else if (tl_loop_open(loop))
        tl_given_unclaim(given);
}

/* --- The call --- */

tl_future *tl_loop_create_datagram_endpoint(tl_loop *loop, tl_protocol_factory factory, void *farg,
                                            const tl_addr *local, const tl_addr *remote,
                                            const tl_datagram_opts *opts)
{
    static const tl_datagram_opts defaults;
    if (opts == NULL)
        opts = &defaults;
    if (loop == NULL)
        return NULL;
    tl_future *future = tl_loop_create_future(loop);
    if (tl_future_done(future))
        return future;
    if (!tl_loop_open(loop) || factory == NULL)
        (void)tl_future_set_exception(future, factory == NULL ? -EINVAL : TL_ECLOSED, NULL);
    else if (opts->sock == NULL)
        create(loop, factory, farg, local, remote, opts, future);
    else if (check_given(local, remote, opts) != NULL)
        (void)tl_future_set_exception(future, -EINVAL, check_given(local, remote, opts));
    else
        create_given(loop, factory, farg, opts, future);
    return future;
}
