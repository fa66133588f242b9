/* SPDX-License-Identifier: Apache-2.0 */
/*
 * create_unix_server: from a name to a bound socket.
 *
 * As in create_server everything that can fail does so inside the call, and a server that has its
 * socket announces itself one iteration later.
 */
#include <errno.h>
#include <string.h>

#include "core/given.h"
#include "core/server.h"
#include "core/tls.h"
#include "core/unix.h"

static int fail(tl_future *future, int code, const char *what, const tl_addr *addr)
{
    char text[TL_ADDR_TEXT_MAX];
    const char *name = tl_addr_format(addr, text, sizeof text);
    if (code == -EADDRINUSE)
        return tl_future_fail(future, code, "Address '%s' is already in use",
                              name + strlen("unix:"));
    return tl_future_fail(future, code, "error while attempting to %s on address %s: %s", what,
                          name, tl_strerror(code));
}

/* Makes the listener, or fails the future. */
static int add_listener(tl_server *server, const tl_addr *addr, tl_future *future)
{
    struct tl_kernel *kernel = server->loop->kernel;
    int fd = kernel->ops->socket(kernel, TL_FAMILY_UNIX, TL_STREAM);
    if (fd < 0) {
        (void)tl_future_set_exception(future, fd, NULL);
        return fd;
    }
    tl_unix_remove_socket(kernel, addr);
    int r = kernel->ops->bind(kernel, fd, addr);
    if (r < 0) {
        (void)fail(future, r, "bind", addr);
        (void)kernel->ops->close(kernel, fd);
        return r;
    }
    tl_server_add_listener(server, fd, addr);
    return 0;
}

/* Fills the server, or fails the future. */
static int serve(tl_server *server, const tl_addr *addr, bool defer, tl_future *future)
{
    const tl_addr *failed;
    int r = add_listener(server, addr, future);
    if (r < 0 || defer)
        return r;
    r = tl_server_listen(server, &failed);
    if (r < 0)
        (void)fail(future, r, "listen", failed);
    return r;
}

/* The judgement on the arguments but the name. 0, or an error that the future has been failed with.
 */
static int check(const struct tl_listen_request *request, const char *path, tl_future *future)
{
    const tl_server_opts *opts = &request->opts;
    const char *message = NULL;
    int r = 0;
    if (!tl_loop_open(request->loop))
        r = TL_ECLOSED;
    else if (request->factory == NULL)
        r = -EINVAL;
    else if (tl_tls_refuse(&opts->tls, TL_TLS_SERVER, NULL, future) < 0)
        return -EINVAL;
    else if (path != NULL && opts->sock != NULL)
        r = -EINVAL, message = "path and sock can not be specified at the same time";
    else if (opts->backlog < 0)
        r = -EINVAL, message = "the backlog is negative";
    else if (opts->reuse_port)
        r = -EINVAL, message = "a Unix-domain socket has no port to reuse";
    if (r < 0)
        (void)tl_future_set_exception(future, r, message);
    return r;
}

tl_future *tl_loop_create_unix_server(tl_loop *loop, tl_protocol_factory factory, void *farg,
                                      const char *path, size_t path_len, const tl_server_opts *opts)
{
    struct tl_listen_request request = {.loop = loop, .factory = factory, .farg = farg};
    tl_addr addr;
    if (loop == NULL)
        return NULL;
    if (opts != NULL)
        request.opts = *opts;
    tl_future *future = tl_loop_create_future(loop);
    if (tl_future_done(future))
        return future;
    if (check(&request, path, future) < 0)
        return future;
    if (request.opts.sock != NULL) {
        tl_given_serve(&request, *request.opts.sock, &tl_given_unix_stream, future);
        return future;
    }
    if (tl_unix_address(path, path_len, future, &addr) < 0)
        return future;
    tl_server *server = tl_server_new(&request, 1);
    if (server == NULL) {
        (void)tl_future_set_exception(future, -ENOMEM, NULL);
        return future;
    }
    if (serve(server, &addr, request.opts.defer_serving, future) < 0)
        tl_server_close(server);
    else
        tl_server_announce(server, future);
    return future;
}
