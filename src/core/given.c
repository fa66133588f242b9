/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Given descriptors, and what is made of stream sockets that the program made, bound, connected or
 * accepted by itself: connect_accepted_socket, and the socks of create_connection and
 * create_server.
 */
#include "core/given.h"

#include <errno.h>
#include <twinloop/sock.h>

#include "core/opening.h"
#include "core/server.h"
#include "core/tls.h"

/* A socket that listens is one of streams too: that nothing comes of it, its first read will say.
 * */
#define STREAM_KINDS (1u << TL_ADOPTED_STREAM | 1u << TL_ADOPTED_LISTENER)

const struct tl_given_rule tl_given_stream = {STREAM_KINDS, TL_FAMILY_NONE,
                                              "A Stream Socket was expected"};
const struct tl_given_rule tl_given_unix_stream = {STREAM_KINDS, TL_FAMILY_UNIX,
                                                   "A UNIX Domain Stream Socket was expected"};

/* --- Claiming --------------------------------------------------------------------------------- */

static bool suits(const struct tl_fd *fd, const struct tl_given_rule *rule)
{
    struct tl_kernel *kernel = fd->loop->kernel;
    tl_addr local;
    if ((rule->kinds >> fd->kind & 1) == 0)
        return false;
    if (rule->family == TL_FAMILY_NONE)
        return true;
    return kernel->ops->address(kernel, fd->watch.fd, TL_ADDRESS_LOCAL, &local) == 0 &&
           local.family == rule->family;
}

/* Judges it and sets its mode: 0 or an error. */
static int prepare(struct tl_fd *fd, const struct tl_given_rule *rule)
{
    struct tl_kernel *kernel = fd->loop->kernel;
    const int on = 1;
    int r = 0;
    if (!suits(fd, rule))
        return -EINVAL;
    if (fd->side[TL_READING].op != NULL || fd->side[TL_WRITING].op != NULL)
        return -EBUSY;
    if (fd->blocking)
        r = kernel->ops->option(kernel, fd->watch.fd, TL_OPTION_NONBLOCK, &on, NULL);
    if (r == 0)
        fd->blocking = false;
    return r;
}

int tl_given_claim(tl_loop *loop, tl_socket socket, const struct tl_given_rule *rule,
                   tl_future *future, struct tl_fd **ret)
{
    struct tl_fd *fd;
    int r = tl_fd_get(loop, socket, &fd);
    if (r < 0) {
        tl_fd_fail(future, r, socket);
        return r;
    }
    r = prepare(fd, rule);
    if (r < 0) {
        if (r == -EINVAL)
            (void)tl_future_set_exception(future, r, rule->why);
        else
            tl_fd_fail(future, r, socket);
        tl_fd_done(fd);
        return r;
    }
    tl_fd_quieten(fd);
    fd->claimed = true;
    *ret = fd;
    return 0;
}

void tl_given_unclaim(struct tl_fd *fd)
{
    fd->claimed = false;
    tl_fd_done(fd);
}

/* --- Connections ------------------------------------------------------------------------------ */

void tl_given_connect(tl_loop *loop, tl_protocol_factory factory, void *farg, tl_socket socket,
                      const struct tl_given_rule *rule, tl_future *future)
{
    struct tl_kernel *kernel = loop->kernel;
    struct tl_fd *given;
    const int on = 1;
    if (tl_given_claim(loop, socket, rule, future, &given) < 0)
        return;
    struct tl_opening *opening = tl_opening_new(loop, future);
    if (opening == NULL) {
        tl_given_unclaim(given);
        (void)tl_future_set_exception(future, -ENOMEM, NULL);
        return;
    }
    /* Only TCP has it, and every other kind of stream may say so. */
    (void)kernel->ops->option(kernel, socket.fd, TL_OPTION_NODELAY, &on, NULL);
    tl_opening_later(opening, &tl_stream_socket_type, socket.fd, given, factory, farg);
}

tl_future *tl_loop_connect_accepted_socket(tl_loop *loop, tl_protocol_factory factory, void *farg,
                                           tl_socket socket, const tl_tls_opts *tls)
{
    if (loop == NULL)
        return NULL;
    tl_future *future = tl_loop_create_future(loop);
    if (tl_future_done(future))
        return future;
    if (!tl_loop_open(loop) || factory == NULL)
        (void)tl_future_set_exception(future, factory == NULL ? -EINVAL : TL_ECLOSED, NULL);
    else if (tl_tls_refuse(tls, TL_TLS_SERVER, NULL, future) == 0)
        tl_given_connect(loop, factory, farg, socket, &tl_given_stream, future);
    return future;
}

/* --- Servers ---------------------------------------------------------------------------------- */

/* Makes the socket the server's listener; 0, or an error and it is the program's again. */
static int serve_on(tl_server *server, struct tl_fd *given, bool defer)
{
    struct tl_kernel *kernel = server->loop->kernel;
    const tl_addr *failed;
    tl_addr bound;
    int r = kernel->ops->address(kernel, given->watch.fd, TL_ADDRESS_LOCAL, &bound);
    if (r < 0)
        return r;
    server->given = true;
    tl_server_add_listener(server, given->watch.fd, &bound);
    r = defer ? 0 : tl_server_listen(server, &failed);
    if (r < 0)
        server->listeners_count = 0; /* not to be closed */
    else
        tl_fd_give_up(given);
    return r;
}

void tl_given_serve(const struct tl_listen_request *request, tl_socket socket,
                    const struct tl_given_rule *rule, tl_future *future)
{
    struct tl_fd *given;
    if (tl_given_claim(request->loop, socket, rule, future, &given) < 0)
        return;
    tl_server *server = tl_server_new(request, 1);
    int r = server != NULL ? serve_on(server, given, request->opts.defer_serving) : -ENOMEM;
    if (r == 0) {
        tl_server_announce(server, future);
        return;
    }
    (void)tl_future_set_exception(future, r, NULL);
    tl_given_unclaim(given);
    tl_server_close(server);
}
