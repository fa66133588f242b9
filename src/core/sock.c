/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a sock_ operation. One that succeeds or fails at once lives on its caller's stack;
 * one that waits is copied, hangs on its side of the descriptor, and is the canceller of its
 * future. It ends by an outcome, by its future's end, by the descriptor's, or by the loop's.
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

/* 0, or an error with nothing left behind. */
static int wait_for_ready(const struct tl_sock_op *op)
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
    return 0;
}

static void try_first(struct tl_sock_op *op)
{
    tl_value value = tl_value_none();
    int r = op->attempt(op, &value);
    if (r == TL_SOCK_WAIT) {
        r = wait_for_ready(op);
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

tl_future *tl_sock_op_start(tl_loop *loop, tl_socket socket, struct tl_sock_op *op)
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
    if (tl_future_done(future)) { /* also when memory is out */
        tl_fd_done(op->fd);
        return future;
    }
    op->future = future;
    try_first(op);
    return future;
}
