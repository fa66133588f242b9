/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a sock_ operation. One that succeeds or fails at once lives on its caller's stack;
 * one that waits is copied, hangs on its side of the descriptor, and is the canceller of its
 * future. It ends by an outcome, by its future's end, by the descriptor's, or by the loop's.
 *
 *     started --name--> resolving --found--.
 *        |                 ^--------------`v
 *        `--tries--> over, or waiting <-- tries
 */
#include "core/sock.h"

#include <errno.h>

#include "core/alloc.h"

/* The descriptor forgets it; what is left is memory and a reference. */
static void detach(struct tl_sock_op *op)
{
    op->fd->side[op->direction].op = NULL;
    (void)tl_fd_update(op->fd);
    tl_fd_done(op->fd);
    tl_future_set_canceller(op->future, NULL, NULL);
}

static void free_op(struct tl_sock_op *op)
{
    tl_future *future = op->future;
    if (op->lookup != NULL)
        tl_lookup_give_up(op->lookup);
    tl_file_sender_finish(&op->file);
    tl_free(op);
    tl_future_unref(future);
}

/* Tells the future how it ended; value is taken. */
static void settle(struct tl_sock_op *op, int code, tl_value value)
{
    if (code == 0) {
        if (tl_future_set_result(op->future, value) < 0) /* the program has finished it itself */
            tl_value_finish(&value);
    } else if (op->explain != NULL) {
        op->explain(op, code);
    } else {
        (void)tl_future_set_exception(op->future, code, NULL);
    }
}

void tl_sock_op_ready(struct tl_sock_op *op)
{
    tl_value value = tl_value_none();
    int r = op->attempt(op, &value);
    if (r == TL_SOCK_WAIT)
        return;
    detach(op);
    settle(op, r, value);
    free_op(op);
}

void tl_sock_op_fail(struct tl_sock_op *op, int code)
{
    detach(op);
    settle(op, code, tl_value_none());
    free_op(op);
}

void tl_sock_op_abandon(struct tl_sock_op *op)
{
    tl_future_set_canceller(op->future, NULL, NULL);
    tl_file_sender_abandon(&op->file);
    free_op(op);
}

/* The future is not pending any more. */
static void call_off(void *arg)
{
    struct tl_sock_op *op = arg;
    detach(op);
    free_op(op);
}

/* Hangs a copy of it on its side: 0 with the copy in *ret, or an error with nothing left behind. */
static int keep(const struct tl_sock_op *op, struct tl_sock_op **ret)
{
    struct tl_sock_op *waiting = tl_alloc(sizeof *waiting);
    if (waiting == NULL)
        return -ENOMEM;
    *waiting = *op;
    waiting->fd->side[op->direction].op = waiting;
    int r = tl_fd_update(waiting->fd);
    if (r < 0) {
        waiting->fd->side[op->direction].op = NULL;
        (void)tl_fd_update(waiting->fd);
        tl_free(waiting);
        return r;
    }
    tl_future_ref(waiting->future);
    tl_future_set_canceller(waiting->future, call_off, waiting);
    *ret = waiting;
    return 0;
}

static void try_first(struct tl_sock_op *op)
{
    tl_value value = tl_value_none();
    struct tl_sock_op *kept;
    int r = op->attempt(op, &value);
    if (r == TL_SOCK_WAIT) {
        r = keep(op, &kept);
        if (r == 0)
            return;
    }
    tl_fd_done(op->fd);
    settle(op, r, value);
    tl_file_sender_finish(&op->file);
}

/* An operation that cannot begin. */
static tl_future *failed(tl_loop *loop, int code, tl_socket socket)
{
    tl_future *future = tl_loop_create_future(loop);
    if (!tl_future_done(future))
        tl_fd_fail(future, code, socket);
    return future;
}

/* Its future; pending if it can begin, and then op has it and the descriptor. */
static tl_future *begin(tl_loop *loop, tl_socket socket, struct tl_sock_op *op)
{
    int r = tl_fd_get(loop, socket, &op->fd);
    if (r < 0)
        return failed(loop, r, socket);
    const struct tl_fd_side *side = &op->fd->side[op->direction];
    tl_future *future;
    if (loop->debug && op->fd->blocking)
        future = tl_loop_failed_future(loop, -EINVAL, "the socket must be non-blocking");
    else if (side->op != NULL || side->callback != NULL)
        future = failed(loop, -EBUSY, socket);
    else
        future = tl_loop_create_future(loop);
    if (tl_future_done(future)) /* also when memory is out */
        tl_fd_done(op->fd);
    op->future = future;
    return future;
}

tl_future *tl_sock_op_start(tl_loop *loop, tl_socket socket, struct tl_sock_op *op)
{
    tl_future *future = begin(loop, socket, op);
    if (!tl_future_done(future))
        try_first(op);
    return future;
}

/* --- Looking up first ------------------------------------------------------------------------- */

static void found(void *arg, int result, struct tl_query *query)
{
    struct tl_sock_op *op = arg;
    tl_value value = tl_value_none();
    op->lookup = NULL;
    op->resolving = false;
    if (result == 0 && query->infos_count == 0)
        result = TL_EAI_NODATA;
    if (result < 0) {
        detach(op);
        tl_lookup_fail(op->future, result, query);
        free_op(op);
        return;
    }
    op->addr = query->infos[0].addr;
    int r = op->attempt(op, &value);
    if (r == TL_SOCK_WAIT) {
        r = tl_fd_update(op->fd);
        if (r == 0)
            return;
    }
    detach(op);
    settle(op, r, value);
    free_op(op);
}

/* Asks for the addresses of the query: 0, or an error with nothing left behind. */
static int look_up(struct tl_sock_op *op, const struct tl_query *query)
{
    struct tl_sock_op *kept = NULL;
    op->resolving = true;
    int r = keep(op, &kept);
    if (r < 0)
        return r;
    r = tl_lookup_start(op->fd->loop, query, found, kept, &kept->lookup);
    if (r == 0)
        return 0;
    kept->fd->side[kept->direction].op = NULL;
    tl_future_set_canceller(kept->future, NULL, NULL);
    free_op(kept);
    return r;
}

/* What the socket can be connected to: 0, or why it cannot be by name. */
static int get_hints(const struct tl_fd *fd, tl_addrinfo_hints *ret, const char **ret_message)
{
    struct tl_kernel *kernel = fd->loop->kernel;
    tl_addr name;
    int r = kernel->ops->address(kernel, fd->watch.fd, TL_ADDRESS_LOCAL, &name);
    if (r < 0)
        return r;
    *ret_message = "a socket of the Unix domain has a path, no host and port";
    if (name.family != TL_FAMILY_INET && name.family != TL_FAMILY_INET6)
        return -EINVAL;
    *ret = (tl_addrinfo_hints){
        .family = name.family,
        .type = fd->kind == TL_ADOPTED_DATAGRAM ? TL_DATAGRAM : TL_STREAM,
    };
    return 0;
}

tl_future *tl_sock_op_start_named(tl_loop *loop, tl_socket socket, struct tl_sock_op *op,
                                  const char *host, const char *service)
{
    tl_future *future = begin(loop, socket, op);
    struct tl_query query = {.host = host, .service = service};
    struct tl_addresses addresses = {0};
    const char *message = NULL;
    if (tl_future_done(future))
        return future;
    int r = get_hints(op->fd, &query.hints, &message);
    if (r == 0) {
        message = "the port is not a number from 0 to 65535, nor a name";
        r = tl_addresses_numeric(&addresses, host, service, &query.hints);
    }
    if (r > 0) {
        op->addr = addresses.one.addr;
        try_first(op);
        return future;
    }
    if (r == 0) {
        r = look_up(op, &query);
        message = r == TL_ESTATE ? "Executor shutdown has been called" : NULL;
    }
    if (r < 0) {
        tl_fd_done(op->fd);
        (void)tl_future_set_exception(future, r, message);
    }
    return future;
}
