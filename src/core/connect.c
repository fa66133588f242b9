/* SPDX-License-Identifier: Apache-2.0 */
/*
 * create_connection: one attempt to connect, from the socket to the opening of the transport.
 *
 * An attempt is made by tl_loop_create_connection and frees itself. It is in the loop's list, owns
 * the socket and is its future's canceller until the socket is connected; then the opening goes on.
 */
#include <errno.h>

#include "core/alloc.h"
#include "core/net.h"
#include "core/opening.h"
#include "core/tls.h"
#include "core/watch.h"

struct attempt {
    struct tl_live live;
    struct tl_watch watch;      /* the socket */
    tl_loop *loop;              /* a reference */
    tl_future *future;          /* a reference */
    struct tl_opening *opening; /* what comes then */
    tl_protocol_factory factory;
    void *farg;
    tl_addr addr;
};

static void attempt_free(struct attempt *attempt)
{
    tl_loop *loop = attempt->loop;
    tl_future *future = attempt->future;
    struct tl_opening *opening = attempt->opening;
    tl_live_remove(&attempt->live);
    tl_watch_close(&attempt->watch, loop);
    tl_free(attempt);
    tl_opening_free(opening);
    tl_future_unref(future);
    tl_loop_unref(loop);
}

static void abandon(struct tl_live *live)
{
    struct attempt *attempt = tl_container_of(live, struct attempt, live);
    tl_future_set_canceller(attempt->future, NULL, NULL);
    attempt_free(attempt);
}

static void open_transport(struct attempt *attempt)
{
    struct tl_kernel *kernel = attempt->loop->kernel;
    struct tl_opening *opening = attempt->opening;
    const int on = 1;
    int fd = attempt->watch.fd;
    (void)kernel->ops->option(kernel, fd, TL_OPTION_NODELAY, &on, NULL);
    attempt->opening = NULL;
    if (tl_opening_start(opening, &tl_stream_socket_type, fd, attempt->factory, attempt->farg,
                         &attempt->addr) == 0)
        attempt->watch.fd = -1; /* the transport has it */
    attempt_free(attempt);
}

static void fail(struct attempt *attempt, int code)
{
    char text[TL_ADDR_TEXT_MAX];
    tl_future_set_canceller(attempt->future, NULL, NULL);
    (void)tl_future_fail(attempt->future, code, "Connect call failed %s: %s",
                         tl_addr_format(&attempt->addr, text, sizeof text), tl_strerror(code));
    attempt_free(attempt);
}

static void cancel_connecting(void *arg)
{
    attempt_free(arg);
}

/* The socket has become writable, or had connected at once. */
static void connected(void *arg)
{
    struct attempt *attempt = arg;
    struct tl_kernel *kernel = attempt->loop->kernel;
    int error = 0;
    tl_watch_drop(&attempt->watch, attempt->loop, TL_WRITABLE);
    int r = kernel->ops->option(kernel, attempt->watch.fd, TL_OPTION_ERROR, NULL, &error);
    if (r == 0)
        r = -error;
    if (r < 0)
        fail(attempt, r);
    else
        open_transport(attempt);
}

static void start(struct attempt *attempt)
{
    struct tl_kernel *kernel = attempt->loop->kernel;
    int r = kernel->ops->connect(kernel, attempt->watch.fd, &attempt->addr);
    if (r == 0)
        tl_loop_queue(attempt->loop, &attempt->watch.place);
    else if (r == -EINPROGRESS)
        r = tl_watch_add(&attempt->watch, attempt->loop, TL_WRITABLE);
    if (r < 0)
        fail(attempt, r);
    else
        tl_future_set_canceller(attempt->future, cancel_connecting, attempt);
}

/* --- Making one --- */

static struct attempt *attempt_new(tl_loop *loop, int fd, const tl_addr *addr, tl_future *future)
{
    struct attempt *attempt = tl_calloc(sizeof *attempt);
    struct tl_opening *opening = tl_opening_new(loop, future);
    if (attempt == NULL || opening == NULL) {
        tl_free(attempt);
        tl_opening_free(opening);
        return NULL;
    }
    attempt->loop = tl_loop_ref(loop);
    attempt->future = tl_future_ref(future);
    attempt->opening = opening;
    attempt->addr = *addr;
    tl_watch_init(&attempt->watch, fd, connected, attempt);
    tl_live_add(&attempt->live, loop, abandon);
    return attempt;
}

/* 0, or an error that the future has been failed with. */
static int bind_local(struct tl_kernel *kernel, int fd, const tl_addr *addr, tl_future *future)
{
    char text[TL_ADDR_TEXT_MAX];
    if (addr->family == TL_FAMILY_NONE)
        return 0;
    int r = kernel->ops->bind(kernel, fd, addr);
    if (r < 0)
        (void)tl_future_fail(future, r, "error while attempting to bind on address %s: %s",
                             tl_addr_format(addr, text, sizeof text), tl_strerror(r));
    return r;
}

/* Makes the attempt and its socket, or fails the future; NULL then. */
static struct attempt *prepare(tl_loop *loop, const tl_addr *addr, const tl_addr *local,
                               tl_future *future)
{
    struct tl_kernel *kernel = loop->kernel;
    int fd = kernel->ops->socket(kernel, (enum tl_family)addr->family, TL_STREAM);
    if (fd < 0) {
        (void)tl_future_set_exception(future, fd, NULL);
        return NULL;
    }
    if (bind_local(kernel, fd, local, future) < 0)
        goto close;
    struct attempt *attempt = attempt_new(loop, fd, addr, future);
    if (attempt != NULL)
        return attempt;
    (void)tl_future_set_exception(future, -ENOMEM, NULL);

close:
    (void)kernel->ops->close(kernel, fd);
    return NULL;
}

/* Understands the arguments. 0, or an error that the future has been failed with. */
static int parse(const char *host, const char *port, const tl_connection_opts *opts, tl_addr *addr,
                 tl_addr *local, tl_future *future)
{
    const char *local_host = opts != NULL ? opts->local_host : NULL;
    uint16_t number;
    int r = tl_port_parse(port, &number);
    if (r < 0) {
        (void)tl_future_set_exception(future, r,
                                      "the port is not a decimal number from 0 to 65535");
        return r;
    }
    host = host != NULL ? host : "127.0.0.1";
    r = tl_addr_parse(host, number, addr);
    if (r == 0 && local_host != NULL) {
        host = local_host;
        r = tl_addr_parse(host, opts->local_port, local);
    }
    if (r < 0) {
        (void)tl_future_fail(future, r, "\"%s\" is not a numeric address", host);
        return r;
    }
    if (local_host != NULL && local->family != addr->family) {
        r = -EADDRNOTAVAIL;
        (void)tl_future_fail(future, r, "no matching local address: \"%s\" is of another family",
                             local_host);
    }
    return r;
}

tl_future *tl_loop_create_connection(tl_loop *loop, tl_protocol_factory factory, void *farg,
                                     const char *host, const char *port,
                                     const tl_connection_opts *opts)
{
    tl_addr addr;
    tl_addr local = {.family = TL_FAMILY_NONE};
    if (loop == NULL)
        return NULL;
    tl_future *future = tl_loop_create_future(loop);
    if (tl_future_done(future))
        return future;
    if (!tl_loop_open(loop) || factory == NULL) {
        (void)tl_future_set_exception(future, factory == NULL ? -EINVAL : TL_ECLOSED, NULL);
        return future;
    }
    if (opts != NULL && tl_tls_refuse(&opts->tls, TL_TLS_CLIENT, host, future) < 0)
        return future;
    if (parse(host, port, opts, &addr, &local, future) < 0)
        return future;
    struct attempt *attempt = prepare(loop, &addr, &local, future);
    if (attempt == NULL)
        return future;
    attempt->factory = factory;
    attempt->farg = farg;
    start(attempt);
    return future;
}
