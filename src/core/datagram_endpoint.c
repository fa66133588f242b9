/* SPDX-License-Identifier: Apache-2.0 */
/*
 * create_datagram_endpoint: from the arguments to the transport.
 *
 *     arguments --names--> looked up --> the socket --> the transport --connection_made--> done
 *         |  `---addresses---------------^                ^
 *         `------a given socket---------------------------'
 *
 * Nothing here has to be waited for but names (datagram_names.c) and connection_made. Until the
 * latter the making of an endpoint holds its future, whose canceller it is, and is the owner of the
 * transport; then it frees itself.
 */
#include <errno.h>

#include "core/alloc.h"
#include "core/datagram_endpoint.h"
#include "core/future.h"
#include "core/given.h"
#include "core/pair.h"

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

/* --- A new socket --- */

void tl_datagram_endpoint_make(const struct tl_datagram_request *request)
{
    struct tl_kernel *kernel = request->loop->kernel;
    struct tl_datagram_plan plan;
    int fd = tl_datagram_socket(request, &plan);
    if (fd < 0)
        return;
    bool made =
        open_transport(request->loop, fd, request->factory, request->farg, &plan, request->future);
    /* Unless the factory has closed the loop, and so everything that was its. */
    if (!made && tl_loop_open(request->loop))
        (void)kernel->ops->close(kernel, fd);
}

static bool has_names(const tl_datagram_opts *opts)
{
    return opts->local_host != NULL || opts->local_port != NULL || opts->remote_host != NULL ||
           opts->remote_port != NULL;
}

static bool is_family(int family, bool named)
{
    return family == TL_FAMILY_INET || family == TL_FAMILY_INET6 ||
           (family == TL_FAMILY_UNIX && !named) || (family == TL_FAMILY_NONE && named);
}

/* Why these arguments do not fit together; NULL when they do. */
static const char *check(const tl_addr *local, const tl_addr *remote, const tl_datagram_opts *opts)
{
    bool named = has_names(opts);
    const tl_addr *addrs[] = {local, remote};
    if ((local != NULL && (opts->local_host != NULL || opts->local_port != NULL)) ||
        (remote != NULL && (opts->remote_host != NULL || opts->remote_port != NULL)))
        return "a side of the endpoint has either an address or a host and port";
    for (int i = 0; i < 2; i++)
        if (addrs[i] != NULL && !is_family(addrs[i]->family, false))
            return "unexpected address family";
    if (local == NULL && remote == NULL && !is_family((int)opts->family, named))
        return "unexpected address family";
    if (opts->read_batch > TL_DATAGRAM_READ_BATCH_MAX)
        return "read_batch is too large";
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
    struct tl_datagram_request request = {
        .loop = loop,
        .future = future,
        .factory = factory,
        .farg = farg,
        .family = opts->family,
        .reuse_port = opts->reuse_port,
        .allow_broadcast = opts->allow_broadcast,
        .plan = plan_for(opts),
    };
    const char *complaint = check(local, remote, opts);
    if (complaint != NULL) {
        (void)tl_future_set_exception(future, -EINVAL, complaint);
    } else if (has_names(opts)) {
        tl_datagram_names_start(&request, local, remote, opts);
    } else {
        tl_datagram_side_set(&request.local, local);
        tl_datagram_side_set(&request.remote, remote);
        tl_datagram_endpoint_make(&request);
    }
}

/* --- A given socket --- */

/* Why these options cannot go with a socket; NULL: they can. */
static const char *check_given(const tl_addr *local, const tl_addr *remote,
                               const tl_datagram_opts *opts)
{
    if (local != NULL || remote != NULL || has_names(opts) || opts->flags != 0 ||
        opts->family != TL_FAMILY_NONE || opts->reuse_port || opts->allow_broadcast)
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
