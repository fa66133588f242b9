/* SPDX-License-Identifier: Apache-2.0 */
/*
 * create_unix_connection, and the names of Unix-domain sockets.
 *
 * The socket is connected when the call returns, or never will be; what is left is the opening of
 * the transport, which waits for its turn.
 */
#include "core/unix.h"

#include <errno.h>
#include <string.h>

#include "core/given.h"
#include "core/log.h"
#include "core/opening.h"
#include "core/tls.h"

/* --- Names --- */

int tl_addr_unix(const char *name, size_t len, tl_addr *ret)
{
    tl_addr addr = {.family = TL_FAMILY_UNIX};
    if (name == NULL || len == 0 || ret == NULL)
        return -EINVAL;
    bool abstract = name[0] == '\0';
    if (!abstract && memchr(name, '\0', len) != NULL)
        return -EINVAL;
    /* A path is ended by a NUL, for which there must be room. */
    if (len > sizeof addr.data - !abstract)
        return -ENAMETOOLONG;
    addr.len = (uint8_t)len;
    memcpy(addr.data, name, len);
    *ret = addr;
    return 0;
}

int tl_unix_address(const char *path, size_t len, tl_future *future, tl_addr *ret)
{
    const char *message = "no path was specified";
    int r = tl_addr_unix(path, len, ret);
    if (r == -ENAMETOOLONG)
        message = "AF_UNIX path too long";
    else if (path != NULL && len > 0)
        message = "embedded null byte";
    if (r < 0)
        (void)tl_future_set_exception(future, r, message);
    return r;
}

/* --- Connections --- */

/* The judgement on the arguments but the name, in asyncio's order; as tl_unix_address. */
static int check(tl_loop *loop, tl_protocol_factory factory, const char *path,
                 const tl_connection_opts *opts, tl_future *future)
{
    const char *message = NULL;
    int r = 0;
    if (!tl_loop_open(loop))
        r = TL_ECLOSED;
    else if (factory == NULL)
        r = -EINVAL;
    else if (opts != NULL && tl_tls_refuse(&opts->tls, TL_TLS_CLIENT, NULL, future) < 0)
        return -EINVAL;
    else if (path != NULL && opts != NULL && opts->sock != NULL)
        r = -EINVAL, message = "path and sock can not be specified at the same time";
    else if (opts != NULL && (opts->local_host != NULL || opts->local_port != 0))
        r = -EINVAL, message = "a Unix-domain socket has no local host or port";
    if (r < 0)
        (void)tl_future_set_exception(future, r, message);
    return r;
}

/* A connected socket, or an error that the future has been failed with. */
static int connect_to(tl_loop *loop, const tl_addr *addr, tl_future *future)
{
    struct tl_kernel *kernel = loop->kernel;
    char text[TL_ADDR_TEXT_MAX];
    int fd = kernel->ops->socket(kernel, TL_FAMILY_UNIX, TL_STREAM);
    if (fd < 0) {
        (void)tl_future_set_exception(future, fd, NULL);
        return fd;
    }
    int r = kernel->ops->connect(kernel, fd, addr);
    if (r == 0)
        return fd;
    (void)tl_future_fail(future, r, "Connect call failed %s: %s",
                         tl_addr_format(addr, text, sizeof text), tl_strerror(r));
    (void)kernel->ops->close(kernel, fd);
    return r;
}

tl_future *tl_loop_create_unix_connection(tl_loop *loop, tl_protocol_factory factory, void *farg,
                                          const char *path, size_t path_len,
                                          const tl_connection_opts *opts)
{
    tl_addr addr;
    if (loop == NULL)
        return NULL;
    tl_future *future = tl_loop_create_future(loop);
    if (tl_future_done(future))
        return future;
    if (check(loop, factory, path, opts, future) < 0)
        return future;
    if (opts != NULL && opts->sock != NULL) {
        tl_given_connect(loop, factory, farg, *opts->sock, &tl_given_unix_stream, future);
        return future;
    }
    if (tl_unix_address(path, path_len, future, &addr) < 0)
        return future;
    struct tl_opening *opening = tl_opening_new(loop, future);
    if (opening == NULL) {
        (void)tl_future_set_exception(future, -ENOMEM, NULL);
        return future;
    }
    int fd = connect_to(loop, &addr, future);
    if (fd >= 0)
        tl_opening_later(opening, &tl_stream_socket_type, fd, NULL, factory, farg);
    else
        tl_opening_free(opening);
    return future;
}

/* --- Sockets that were left --- */

/* A path of an address, as a string. */
struct path {
    char text[sizeof((tl_addr *)NULL)->data + 1];
};

static struct path path_of(const tl_addr *addr)
{
    struct path path = {{0}};
    memcpy(path.text, addr->data, addr->len);
    return path;
}

/* asyncio: whatever else goes wrong here is logged, and bind will say what matters. */
void tl_unix_remove_socket(struct tl_kernel *kernel, const tl_addr *addr)
{
    struct path path;
    struct tl_stat status;
    if (addr->len == 0 || tl_unix_is_abstract(addr))
        return;
    path = path_of(addr);
    int r = kernel->ops->stat(kernel, path.text, &status);
    if (r == 0 && status.kind == TL_ADOPTED_SOCKET)
        r = kernel->ops->unlink(kernel, path.text);
    if (r < 0 && r != -ENOENT)
        tl_log(TL_LOG_ERROR, "Unable to check or remove stale UNIX socket '%s': %s", path.text,
               tl_strerror(r));
}
