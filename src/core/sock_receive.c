/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sock_recv, sock_recv_into, sock_recvfrom, sock_recvfrom_into, sock_accept: what each tries.
 */
#include <errno.h>

#include "core/alloc.h"
#include "core/sock.h"

/* One read of up to op->len bytes into buf: how many, or a negative error. */
static ssize_t read_once(struct tl_sock_op *op, void *buf, struct tl_message *message)
{
    struct tl_kernel *kernel = op->fd->loop->kernel;
    struct iovec iov = {.iov_base = buf, .iov_len = op->len};
    message->iov = &iov;
    message->iov_count = 1;
    ssize_t n = kernel->ops->read(kernel, op->fd->watch.fd, message, 1);
    message->iov = NULL;
    return n;
}

/* --- Bytes ------------------------------------------------------------------------------------ */

/* Memory for len bytes, of which there may be none. */
static void *room_for(size_t len)
{
    return tl_alloc(len > 0 ? len : 1);
}

/* asyncio: who wants no bytes has them, without a look at the socket. */
static int nothing_wanted(tl_value *ret, tl_value value)
{
    *ret = value;
    return 0;
}

static int recv_bytes(struct tl_sock_op *op, tl_value *ret)
{
    struct tl_message message = {0};
    if (op->len == 0)
        return nothing_wanted(ret, (tl_value){.kind = TL_VALUE_BYTES});
    void *buf = tl_alloc(op->len);
    if (buf == NULL)
        return -ENOMEM;
    ssize_t n = read_once(op, buf, &message);
    if (n <= 0) {
        tl_free(buf);
        buf = NULL;
    }
    if (n == -EAGAIN)
        return TL_SOCK_WAIT;
    if (n < 0)
        return (int)n;
    if (buf != NULL && (size_t)n < op->len) {
        void *shrunk = tl_realloc(buf, (size_t)n);
        buf = shrunk != NULL ? shrunk : buf;
    }
    *ret = (tl_value){.kind = TL_VALUE_BYTES, .data = buf, .len = (size_t)n};
    return 0;
}

static int recv_into(struct tl_sock_op *op, tl_value *ret)
{
    struct tl_message message = {0};
    if (op->len == 0)
        return nothing_wanted(ret, tl_value_int(0));
    ssize_t n = read_once(op, op->buf, &message);
    if (n == -EAGAIN)
        return TL_SOCK_WAIT;
    if (n < 0)
        return (int)n;
    *ret = tl_value_int(n);
    return 0;
}

tl_future *tl_loop_sock_recv(tl_loop *loop, tl_socket socket, size_t count)
{
    struct tl_sock_op op = {.attempt = recv_bytes, .direction = TL_READING, .len = count};
    return loop != NULL ? tl_sock_op_start(loop, socket, &op) : NULL;
}

tl_future *tl_loop_sock_recv_into(tl_loop *loop, tl_socket socket, void *buf, size_t len)
{
    struct tl_sock_op op = {.attempt = recv_into, .direction = TL_READING, .buf = buf, .len = len};
    if (loop == NULL)
        return NULL;
    if (buf == NULL && len > 0)
        return tl_loop_failed_future(loop, -EINVAL, NULL);
    return tl_sock_op_start(loop, socket, &op);
}

/* --- With where they came from ---------------------------------------------------------------- */

struct received {
    tl_received public; /* first: what the value points to */
    void *owned;        /* data, if it is the value's */
};

static void received_free(void *pointer)
{
    struct received *received = pointer;
    tl_free(received->owned);
    tl_free(received);
}

const tl_received *tl_value_received(const tl_value *value)
{
    if (value == NULL || value->kind != TL_VALUE_POINTER || value->free_fn != received_free)
        return NULL;
    return value->pointer;
}

static int recv_from(struct tl_sock_op *op, tl_value *ret)
{
    struct received *received = tl_calloc(sizeof *received);
    if (received == NULL)
        return -ENOMEM;
    void *buf = op->buf;
    if (buf == NULL)
        buf = received->owned = room_for(op->len);
    struct tl_message message = {.addr = &received->public.from};
    ssize_t n = buf == NULL ? -ENOMEM : read_once(op, buf, &message);
    if (n < 0) {
        received_free(received);
        return n == -EAGAIN ? TL_SOCK_WAIT : (int)n;
    }
    received->public.data = buf;
    received->public.len = (size_t)n;
    received->public.truncated = message.truncated != 0;
    *ret = tl_value_pointer(received, received_free);
    return 0;
}

tl_future *tl_loop_sock_recvfrom(tl_loop *loop, tl_socket socket, size_t count)
{
    struct tl_sock_op op = {.attempt = recv_from, .direction = TL_READING, .len = count};
    return loop != NULL ? tl_sock_op_start(loop, socket, &op) : NULL;
}

tl_future *tl_loop_sock_recvfrom_into(tl_loop *loop, tl_socket socket, void *buf, size_t len)
{
    struct tl_sock_op op = {.attempt = recv_from, .direction = TL_READING, .buf = buf, .len = len};
    if (loop == NULL)
        return NULL;
    if (buf == NULL)
        return tl_loop_failed_future(loop, -EINVAL, NULL);
    return tl_sock_op_start(loop, socket, &op);
}

/* --- Connections ------------------------------------------------------------------------------ */

struct accepted {
    tl_accepted public;
    tl_loop *loop; /* a reference */
};

/* Nobody has taken it. */
static void accepted_free(void *pointer)
{
    struct accepted *accepted = pointer;
    tl_loop *loop = accepted->loop;
    if (accepted->public.socket.fd >= 0 && tl_loop_open(loop))
        (void)tl_socket_close(loop, accepted->public.socket);
    tl_free(accepted);
    tl_loop_unref(loop);
}

int tl_value_take_accepted(tl_value *value, tl_accepted *ret)
{
    if (value == NULL || ret == NULL || value->kind != TL_VALUE_POINTER ||
        value->free_fn != accepted_free)
        return -EINVAL;
    struct accepted *accepted = value->pointer;
    *ret = accepted->public;
    accepted->public.socket.fd = -1;
    tl_value_finish(value);
    return 0;
}

static int accept_one(struct tl_sock_op *op, tl_value *ret)
{
    tl_loop *loop = op->fd->loop;
    struct accepted *accepted = tl_calloc(sizeof *accepted);
    if (accepted == NULL)
        return -ENOMEM;
    int fd = loop->kernel->ops->accept(loop->kernel, op->fd->watch.fd, &accepted->public.addr);
    int r = fd < 0 ? fd : tl_fd_add(loop, fd, TL_ADOPTED_STREAM, op->future->created);
    if (r < 0) {
        tl_free(accepted);
        return r == -EAGAIN ? TL_SOCK_WAIT : r;
    }
    accepted->public.socket.fd = fd;
    accepted->loop = tl_loop_ref(loop);
    *ret = tl_value_pointer(accepted, accepted_free);
    return 0;
}

tl_future *tl_loop_sock_accept(tl_loop *loop, tl_socket socket)
{
    struct tl_sock_op op = {.attempt = accept_one, .direction = TL_READING};
    return loop != NULL ? tl_sock_op_start(loop, socket, &op) : NULL;
}
