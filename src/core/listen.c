/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listening: from addresses to the bound sockets of a server.
 *
 * Everything that can fail does so inside the call: what was made is closed again and the future
 * is failed. A server that has its sockets announces itself one iteration later.
 */
#include "core/listen.h"

#include <errno.h>

#include "core/net.h"

/* Whether an address is the same as an earlier one. */
static bool is_repeated(const tl_addr *addrs, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (tl_addr_equal(&addrs[i], &addrs[index]))
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

/* A host with IPv6 has these two, so one that has not has turned IPv6 off. */
static bool is_every_hosts(const tl_addr *addr)
{
    static const tl_addr any = {.family = TL_FAMILY_INET6};
    static const tl_addr loopback = {.family = TL_FAMILY_INET6, .data = {[15] = 1}};
    tl_addr portless = *addr;
    portless.port = 0;
    return tl_addr_equal(&portless, &any) || tl_addr_equal(&portless, &loopback);
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
    if (r == -EADDRNOTAVAIL && is_every_hosts(addr)) {
        *skipped = r;
        (void)kernel->ops->close(kernel, fd);
        return 0;
    }
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
static int add_listeners(tl_server *server, const tl_addr *addrs, size_t count,
                         const tl_server_opts *opts, tl_future *future)
{
    int skipped = -EADDRNOTAVAIL;
    for (size_t i = 0; i < count; i++) {
        if (is_repeated(addrs, i))
            continue;
        int r = add_listener(server, &addrs[i], opts, future, &skipped);
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
static int serve(tl_server *server, const tl_addr *addrs, size_t count, const tl_server_opts *opts,
                 tl_future *future)
{
    const tl_addr *failed;
    int r = add_listeners(server, addrs, count, opts, future);
    if (r < 0 || opts->defer_serving)
        return r;
    r = tl_server_listen(server, &failed);
    return r < 0 ? fail(future, r, "listen on", failed) : 0;
}

void tl_listen(const struct tl_listen_request *request, const tl_addr *addrs, size_t count,
               tl_future *future)
{
    const tl_server_opts *opts = &request->opts;
    tl_server *server = tl_server_new(request, count);
    if (server == NULL) {
        (void)tl_future_set_exception(future, -ENOMEM, NULL);
        return;
    }
    if (serve(server, addrs, count, opts, future) < 0)
        tl_server_close(server);
    else
        tl_server_announce(server, future);
}
