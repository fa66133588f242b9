/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One attempt to connect: a socket, bound to a local address if there is to be one, that becomes
 * writable when it is known how the attempt went.
 *
 * asyncio: of the local addresses the first one of the same family that binds is taken; those that
 * did not bind are noted although another one did, and tell of themselves if the attempt then
 * fails.
 */
#include <errno.h>

#include "core/connect.h"

enum { PROTOCOL_TCP = 6 };

static void note(struct tl_attempt *attempt, enum tl_connect_step step, int code,
                 const tl_addr *addr)
{
    struct tl_connecting *connecting = attempt->connecting;
    const struct tl_connect_error error = {
        .attempt = (size_t)(attempt->info - connecting->addresses.infos),
        .step = step,
        .code = code,
        .addr = *addr,
    };
    tl_connect_errors_add(&connecting->errors, &error);
}

void tl_attempt_stop(struct tl_attempt *attempt)
{
    if (attempt->connecting != NULL)
        tl_watch_close(&attempt->watch, attempt->connecting->loop);
}

/* Closes the socket again, since this went wrong. */
static int fail(struct tl_attempt *attempt, enum tl_connect_step step, int code)
{
    note(attempt, step, code, &attempt->info->addr);
    tl_attempt_stop(attempt);
    return code;
}

/* The socket has become writable, or had connected at once. */
static void connected(void *arg)
{
    struct tl_attempt *attempt = arg;
    tl_loop *loop = attempt->connecting->loop;
    int error = 0;
    tl_watch_drop(&attempt->watch, loop, TL_WRITABLE);
    int r =
        loop->kernel->ops->option(loop->kernel, attempt->watch.fd, TL_OPTION_ERROR, NULL, &error);
    if (r == 0)
        r = -error;
    if (r < 0)
        r = fail(attempt, TL_STEP_CONNECT, r);
    tl_race_ended(attempt, r);
}

/* 0, or an error that has been noted. */
static int bind_local(struct tl_attempt *attempt)
{
    const struct tl_addresses *locals = &attempt->connecting->locals;
    const tl_addr *addr = &attempt->info->addr;
    struct tl_kernel *kernel = attempt->connecting->loop->kernel;
    int r = 0;
    for (size_t i = 0; i < locals->count; i++) {
        const tl_addr *local = &locals->infos[i].addr;
        if (local->family != addr->family)
            continue;
        r = kernel->ops->bind(kernel, attempt->watch.fd, local);
        if (r == 0)
            return 0;
        note(attempt, TL_STEP_BIND, r, local);
    }
    if (r == 0) {
        r = -EADDRNOTAVAIL;
        note(attempt, TL_STEP_NO_LOCAL, r, addr);
    }
    tl_attempt_stop(attempt);
    return r;
}

static int begin(struct tl_attempt *attempt)
{
    tl_loop *loop = attempt->connecting->loop;
    int r = loop->kernel->ops->connect(loop->kernel, attempt->watch.fd, &attempt->info->addr);
    if (r == 0)
        tl_loop_queue(loop, &attempt->watch.place);
    else if (r == -EINPROGRESS)
        r = tl_watch_add(&attempt->watch, loop, TL_WRITABLE);
    return r < 0 ? fail(attempt, TL_STEP_CONNECT, r) : 0;
}

static int make_socket(struct tl_kernel *kernel, const tl_addrinfo *info)
{
    if (info->protocol != 0 && info->protocol != PROTOCOL_TCP)
        return -EPROTONOSUPPORT; /* no kernel of ours has another one */
    return kernel->ops->socket(kernel, (enum tl_family)info->addr.family, TL_STREAM);
}

int tl_attempt_start(struct tl_attempt *attempt, struct tl_connecting *connecting,
                     const tl_addrinfo *info)
{
    attempt->connecting = connecting;
    attempt->info = info;
    int fd = make_socket(connecting->loop->kernel, info);
    tl_watch_init(&attempt->watch, fd < 0 ? -1 : fd, connected, attempt);
    if (fd < 0) {
        note(attempt, TL_STEP_SOCKET, fd, &info->addr);
        return fd;
    }
    int r = connecting->binds ? bind_local(attempt) : 0;
    return r < 0 ? r : begin(attempt);
}
