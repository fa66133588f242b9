/* SPDX-License-Identifier: Apache-2.0 */
/*
 * create_connection: from a name to the opening of a transport.
 *
 *     RESOLVING --> CONNECTING --one attempt won--> the opening goes on
 *         |             |
 *         `--error, cancel
 *
 * RESOLVING is asking for the host's addresses, then for those to bind to; what is numeric needs no
 * asking, and a connection to a numeric address is CONNECTING before the call returns. Then a race
 * of attempts (race.c) ends with a connected socket, or with nothing but errors.
 *
 * A connection in the making frees itself. It is in the loop's list, and its future's canceller,
 * until the race is over.
 */
#include "core/connect.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "core/given.h"
#include "core/tls.h"

/* What was needed to get a connected socket. */
static void let_go(struct tl_connecting *connecting)
{
    if (connecting->lookup != NULL)
        tl_lookup_give_up(connecting->lookup);
    connecting->lookup = NULL;
    tl_race_stop(connecting);
    tl_addresses_finish(&connecting->addresses);
    tl_addresses_finish(&connecting->locals);
    tl_connect_errors_finish(&connecting->errors);
    tl_free(connecting->attempts);
    connecting->attempts = NULL;
    connecting->first.connecting = NULL;
    connecting->begun = 0;
}

/* It is over; what there still is of it goes. */
static void connecting_free(struct tl_connecting *connecting)
{
    tl_loop *loop = connecting->loop;
    tl_future *future = connecting->future;
    struct tl_opening *opening = connecting->opening;
    tl_live_remove(&connecting->live);
    let_go(connecting);
    tl_free(connecting);
    tl_opening_free(opening);
    tl_future_unref(future);
    tl_loop_unref(loop);
}

static void abandon(struct tl_live *live)
{
    struct tl_connecting *connecting = tl_container_of(live, struct tl_connecting, live);
    tl_future_set_canceller(connecting->future, NULL, NULL);
    connecting_free(connecting);
}

static void fail(struct tl_connecting *connecting, int code, const char *message)
{
    tl_future_set_canceller(connecting->future, NULL, NULL);
    (void)tl_future_set_exception(connecting->future, code, message);
    connecting_free(connecting);
}

/* --- The race is over ------------------------------------------------------------------------- */

void tl_connecting_won(struct tl_connecting *connecting, struct tl_attempt *attempt)
{
    struct tl_kernel *kernel = connecting->loop->kernel;
    struct tl_opening *opening = connecting->opening;
    const int on = 1;
    const tl_addr peer = attempt->info->addr;
    int fd = attempt->watch.fd;
    attempt->watch.fd = -1;
    connecting->opening = NULL;
    let_go(connecting);
    (void)kernel->ops->option(kernel, fd, TL_OPTION_NODELAY, &on, NULL);
    if (tl_opening_start(opening, &tl_stream_socket_type, fd, connecting->factory, connecting->farg,
                         &peer) < 0)
        (void)kernel->ops->close(kernel, fd);
    connecting_free(connecting);
}

void tl_connecting_lost(struct tl_connecting *connecting)
{
    tl_future_set_canceller(connecting->future, NULL, NULL);
    tl_connect_errors_tell(&connecting->errors, connecting->future, connecting->all_errors);
    connecting_free(connecting);
}

/* --- CONNECTING ------------------------------------------------------------------------------- */

static void begin(struct tl_connecting *connecting)
{
    int r = 0;
    if (connecting->interleave > 0)
        r = tl_race_interleave(&connecting->addresses, (size_t)connecting->interleave);
    if (r < 0)
        fail(connecting, r, NULL);
    else
        tl_race_start(connecting);
}

/* --- RESOLVING -------------------------------------------------------------------------------- */

static void look_up(struct tl_connecting *connecting, const char *host, const char *service,
                    tl_lookup_callback callback)
{
    const struct tl_query query = {.host = host, .service = service, .hints = connecting->hints};
    int r = tl_lookup_start(connecting->loop, &query, callback, connecting, &connecting->lookup);
    if (r < 0)
        fail(connecting, r, r == TL_ESTATE ? "Executor shutdown has been called" : NULL);
}

/* Takes what was found: true if it is of use. */
static bool take(struct tl_connecting *connecting, int result, struct tl_query *query,
                 struct tl_addresses *ret)
{
    connecting->lookup = NULL;
    if (result == 0)
        result = tl_addresses_take(ret, query);
    if (result == 0)
        return true;
    tl_future_set_canceller(connecting->future, NULL, NULL);
    tl_lookup_fail(connecting->future, result, query);
    connecting_free(connecting);
    return false;
}

static void local_found(void *arg, int result, struct tl_query *query)
{
    struct tl_connecting *connecting = arg;
    if (take(connecting, result, query, &connecting->locals))
        begin(connecting);
}

static void resolve_local(struct tl_connecting *connecting)
{
    const char *host = connecting->local_host[0] != '\0' ? connecting->local_host : NULL;
    int r = 1;
    if (connecting->binds)
        r = tl_addresses_numeric(&connecting->locals, host, connecting->local_port,
                                 &connecting->hints);
    if (r == 0)
        look_up(connecting, host, connecting->local_port, local_found);
    else
        begin(connecting);
}

static void host_found(void *arg, int result, struct tl_query *query)
{
    struct tl_connecting *connecting = arg;
    if (take(connecting, result, query, &connecting->addresses))
        resolve_local(connecting);
}

/* --- Making one ------------------------------------------------------------------------------- */

static void cancel(void *arg)
{
    connecting_free(arg);
}

static struct tl_connecting *connecting_new(tl_loop *loop, tl_future *future,
                                            const tl_connection_opts *opts)
{
    const char *local_host = opts->local_host != NULL ? opts->local_host : "";
    size_t size = strlen(local_host) + 1;
    struct tl_connecting *connecting = tl_calloc(sizeof *connecting + size);
    struct tl_opening *opening = tl_opening_new(loop, future);
    if (connecting == NULL || opening == NULL) {
        tl_free(connecting);
        tl_opening_free(opening);
        return NULL;
    }
    connecting->loop = tl_loop_ref(loop);
    connecting->future = tl_future_ref(future);
    connecting->opening = opening;
    connecting->hints = (tl_addrinfo_hints){.family = opts->family,
                                            .type = TL_STREAM,
                                            .protocol = opts->protocol,
                                            .flags = opts->flags};
    connecting->stagger = opts->happy_eyeballs_delay;
    connecting->interleave = opts->interleave;
    if (connecting->interleave == 0 && connecting->stagger > 0)
        connecting->interleave = 1;
    connecting->all_errors = opts->all_errors;
    connecting->binds = opts->local_host != NULL || opts->local_port != 0;
    memcpy(connecting->local_host, local_host, size);
    (void)snprintf(connecting->local_port, sizeof connecting->local_port, "%u",
                   (unsigned)opts->local_port);
    tl_live_add(&connecting->live, loop, abandon);
    return connecting;
}

/* What is wrong with the arguments, in asyncio's order: an error that the future has been failed
 * with, or 0. */
static int check(const tl_loop *loop, tl_protocol_factory factory, const char *host,
                 const char *port, const tl_connection_opts *opts, tl_future *future)
{
    const char *message = NULL;
    int r = 0;
    if (!tl_loop_open(loop))
        r = TL_ECLOSED;
    else if (factory == NULL)
        r = -EINVAL;
    else if (tl_tls_refuse(&opts->tls, TL_TLS_CLIENT, host, future) < 0)
        return -EINVAL;
    else if ((host != NULL || port != NULL) && opts->sock != NULL)
        r = -EINVAL, message = "host/port and sock can not be specified at the same time";
    else if (host == NULL && port == NULL && opts->sock == NULL)
        r = -EINVAL, message = "host and port was not specified and no sock specified";
    else if (opts->happy_eyeballs_delay < 0)
        r = -EINVAL, message = "the happy eyeballs delay is negative";
    if (r < 0)
        (void)tl_future_set_exception(future, r, message);
    return r;
}

static void start(struct tl_connecting *connecting, const char *host, const char *port)
{
    int r = tl_addresses_numeric(&connecting->addresses, host, port, &connecting->hints);
    tl_future_set_canceller(connecting->future, cancel, connecting);
    if (r < 0)
        fail(connecting, r, "the port is not a number from 0 to 65535, nor a name");
    else if (r == 0)
        look_up(connecting, host, port, host_found);
    else
        resolve_local(connecting);
}

tl_future *tl_loop_create_connection(tl_loop *loop, tl_protocol_factory factory, void *farg,
                                     const char *host, const char *port,
                                     const tl_connection_opts *opts)
{
    static const tl_connection_opts defaults;
    if (loop == NULL)
        return NULL;
    tl_future *future = tl_loop_create_future(loop);
    if (tl_future_done(future))
        return future;
    if (opts == NULL)
        opts = &defaults;
    if (check(loop, factory, host, port, opts, future) < 0)
        return future;
    if (opts->sock != NULL) {
        tl_given_connect(loop, factory, farg, *opts->sock, &tl_given_stream, future);
        return future;
    }
    struct tl_connecting *connecting = connecting_new(loop, future, opts);
    if (connecting == NULL) {
        (void)tl_future_set_exception(future, -ENOMEM, NULL);
        return future;
    }
    connecting->factory = factory;
    connecting->farg = farg;
    start(connecting, host, port);
    return future;
}
