/* SPDX-License-Identifier: Apache-2.0 */
/*
 * create_server: from hosts and a port to bound sockets.
 *
 * Everything that can fail does so inside the call: what was made is closed again and the future
 * comes back failed. A server that has its sockets announces itself one iteration later.
 */
#include <errno.h>

#include "core/net.h"
#include "core/server.h"
#include "core/tls.h"

enum { BACKLOG_DEFAULT = 100, ADDRESSES_PER_HOST = 2 };

/* What create_server was asked for. */
struct request {
    const char *const *hosts;
    size_t hosts_count;
    uint16_t port;
    tl_server_opts opts;
};

static bool is_every_interface(const char *host)
{
    return host == NULL || host[0] == '\0';
}

/* The address number index (below hosts_count * ADDRESSES_PER_HOST): every host has one, and every
 * interface two. 1; 0: there is none with this number; -EINVAL for what is no address. */
static int request_address(const struct request *request, size_t index, tl_addr *ret)
{
    static const char *const every[ADDRESSES_PER_HOST] = {"0.0.0.0", "::"};
    const char *host = request->hosts[index / ADDRESSES_PER_HOST];
    size_t nth = index % ADDRESSES_PER_HOST;
    if (is_every_interface(host))
        host = every[nth];
    else if (nth > 0)
        return 0;
    int r = tl_addr_parse(host, request->port, ret);
    return r < 0 ? r : 1;
}

/* Whether an address is the same as one with a lower number. */
static bool is_repeated(const struct request *request, size_t index, const tl_addr *addr)
{
    tl_addr earlier;
    for (size_t i = 0; i < index; i++)
        if (request_address(request, i, &earlier) > 0 && tl_addr_equal(&earlier, addr))
            return true;
    return false;
}

/* Switches an option on. */
static int set_option(struct tl_kernel *kernel, int fd, enum tl_option option)
{
    const int on = 1;
    return kernel->ops->option(kernel, fd, option, &on, NULL);
}

static int prepare(struct tl_kernel *kernel, int fd, const tl_addr *addr,
                   const tl_server_opts *opts)
{
    int r = 0;
    if (!opts->no_reuse_address)
        r = set_option(kernel, fd, TL_OPTION_REUSEADDR);
    if (r == 0 && opts->reuse_port)
        r = set_option(kernel, fd, TL_OPTION_REUSEPORT);
    /* asyncio: so that both families can have the same port. */
    if (r == 0 && addr->family == TL_FAMILY_INET6)
        r = set_option(kernel, fd, TL_OPTION_V6ONLY);
    /* asyncio turns Nagle's algorithm off for every connection: they inherit it from here. */
    if (r == 0)
        (void)set_option(kernel, fd, TL_OPTION_NODELAY);
    return r;
}

static int fail(tl_future *future, int code, const char *what, const tl_addr *addr)
{
    char text[TL_ADDR_TEXT_MAX];
    (void)tl_future_fail(future, code, "error while attempting to %s address %s: %s", what,
                         tl_addr_format(addr, text, sizeof text), tl_strerror(code));
    return code;
}

/* Makes one listener, or fails the future. 0, also for a family that this host does not have; then
 * *skipped says why. */
static int add_listener(tl_server *server, const tl_addr *addr, const tl_server_opts *opts,
                        tl_future *future, int *skipped)
{
    struct tl_kernel *kernel = server->loop->kernel;
    tl_addr bound;
    int fd = kernel->ops->socket(kernel, (enum tl_family)addr->family, TL_STREAM);
    if (fd == -EAFNOSUPPORT || fd == -EPROTONOSUPPORT) {
        *skipped = fd;
        return 0;
    }
    if (fd < 0)
        return fail(future, fd, "make a socket for", addr);
    int r = prepare(kernel, fd, addr, opts);
    if (r < 0) {
        (void)fail(future, r, "prepare a socket for", addr);
        goto close;
    }
    r = kernel->ops->bind(kernel, fd, addr);
    if (r == 0)
        r = kernel->ops->address(kernel, fd, TL_ADDRESS_LOCAL, &bound);
    if (r < 0) {
        (void)fail(future, r, "bind on", addr);
        goto close;
    }
    tl_server_add_listener(server, fd, &bound);
    return 0;

close:
    (void)kernel->ops->close(kernel, fd);
    return r;
}

/* Makes every listener, or fails the future. */
static int add_listeners(tl_server *server, const struct request *request, tl_future *future)
{
    int skipped = -EADDRNOTAVAIL;
    for (size_t i = 0; i < request->hosts_count * ADDRESSES_PER_HOST; i++) {
        tl_addr addr;
        int r = request_address(request, i, &addr);
        if (r < 0) {
            (void)tl_future_fail(future, r, "\"%s\" is not a numeric address",
                                 request->hosts[i / ADDRESSES_PER_HOST]);
            return r;
        }
        if (r == 0 || is_repeated(request, i, &addr))
            continue;
        r = add_listener(server, &addr, &request->opts, future, &skipped);
        if (r < 0)
            return r;
    }
    if (server->listeners_count > 0)
        return 0;
    (void)tl_future_set_exception(future, skipped,
                                  "none of the addresses is of a family that "
                                  "this host has");
    return skipped;
}

/* Fills the server, or fails the future. */
static int serve(tl_server *server, const struct request *request, tl_future *future)
{
    const tl_addr *failed;
    int r = add_listeners(server, request, future);
    if (r < 0 || request->opts.defer_serving)
        return r;
    r = tl_server_listen(server, &failed);
    return r < 0 ? fail(future, r, "listen on", failed) : 0;
}

/* 0, or an error that the future has been failed with. */
static int check(const tl_loop *loop, tl_protocol_factory factory, const char *port,
                 struct request *request, tl_future *future)
{
    const char *message = NULL;
    int r = 0;
    if (!tl_loop_open(loop))
        r = TL_ECLOSED;
    else if (factory == NULL || (request->hosts == NULL && request->hosts_count > 0))
        r = -EINVAL;
    else if (request->opts.backlog < 0)
        r = -EINVAL, message = "the backlog is negative";
    else if (tl_port_parse(port, &request->port) < 0)
        r = -EINVAL, message = "the port is not a decimal number from 0 to 65535";
    if (r < 0)
        (void)tl_future_set_exception(future, r, message);
    else
        r = tl_tls_refuse(&request->opts.tls, TL_TLS_SERVER, NULL, future);
    return r;
}

tl_future *tl_loop_create_server(tl_loop *loop, tl_protocol_factory factory, void *farg,
                                 const char *const *hosts, size_t hosts_count, const char *port,
                                 const tl_server_opts *opts)
{
    static const char *const every_interface[] = {NULL};
    struct request request = {.hosts = hosts, .hosts_count = hosts_count};
    if (loop == NULL)
        return NULL;
    tl_future *future = tl_loop_create_future(loop);
    if (tl_future_done(future))
        return future;
    if (opts != NULL)
        request.opts = *opts;
    if (check(loop, factory, port, &request, future) < 0)
        return future;
    if (hosts_count == 0) {
        request.hosts = every_interface;
        request.hosts_count = 1;
    }
    tl_server *server = tl_server_new(loop, request.hosts_count * ADDRESSES_PER_HOST);
    if (server == NULL) {
        (void)tl_future_set_exception(future, -ENOMEM, NULL);
        return future;
    }
    server->factory = factory;
    server->farg = farg;
    server->backlog = request.opts.backlog != 0 ? request.opts.backlog : BACKLOG_DEFAULT;
    if (serve(server, &request, future) < 0)
        tl_server_close(server);
    else
        tl_server_announce(server, future);
    return future;
}
