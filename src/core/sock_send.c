/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sock_sendall, sock_sendto, sock_connect: what each tries.
 */
#include <errno.h>

#include "core/sock.h"

/* Writes len bytes from data: how many were taken, or a negative error. */
static ssize_t write_once(struct tl_sock_op *op, char *data, size_t len, tl_addr *addr)
{
    struct tl_kernel *kernel = op->fd->loop->kernel;
    struct iovec iov = {.iov_base = data, .iov_len = len};
    struct tl_message message = {.iov = &iov, .iov_count = 1, .addr = addr};
    return kernel->ops->write(kernel, op->fd->watch.fd, &message, 1);
}

static int send_all(struct tl_sock_op *op, tl_value *ret)
{
    (void)ret;
    while (op->done < op->len) {
        ssize_t n = write_once(op, (char *)op->buf + op->done, op->len - op->done, NULL);
        if (n < 0)
            return n == -EAGAIN ? TL_SOCK_WAIT : (int)n;
        op->done += (size_t)n;
    }
    return 0;
}

tl_future *tl_loop_sock_sendall(tl_loop *loop, tl_socket socket, const void *data, size_t len)
{
    struct tl_sock_op op = {
        .attempt = send_all, .direction = TL_WRITING, .buf = (void *)data, .len = len};
    if (loop == NULL)
        return NULL;
    if (data == NULL && len > 0)
        return tl_loop_failed_future(loop, -EINVAL, NULL);
    return tl_sock_op_start(loop, socket, &op);
}

static int send_to(struct tl_sock_op *op, tl_value *ret)
{
    ssize_t n = write_once(op, op->buf, op->len, &op->addr);
    if (n < 0)
        return n == -EAGAIN ? TL_SOCK_WAIT : (int)n;
    *ret = tl_value_int(n);
    return 0;
}

tl_future *tl_loop_sock_sendto(tl_loop *loop, tl_socket socket, const void *data, size_t len,
                               const tl_addr *addr)
{
    struct tl_sock_op op = {
        .attempt = send_to, .direction = TL_WRITING, .buf = (void *)data, .len = len};
    if (loop == NULL)
        return NULL;
    if ((data == NULL && len > 0) || addr == NULL)
        return tl_loop_failed_future(loop, -EINVAL, NULL);
    op.addr = *addr;
    return tl_sock_op_start(loop, socket, &op);
}

/* An attempt that a cancelled sock_connect has left under way is waited for like one's own. */
static int connect_once(struct tl_sock_op *op, tl_value *ret)
{
    struct tl_kernel *kernel = op->fd->loop->kernel;
    int fd = op->fd->watch.fd, error = 0;
    (void)ret;
    if (!op->begun) {
        op->begun = true;
        int r = kernel->ops->connect(kernel, fd, &op->addr);
        return r == -EINPROGRESS || r == -EALREADY ? TL_SOCK_WAIT : r;
    }
    int r = kernel->ops->option(kernel, fd, TL_OPTION_ERROR, NULL, &error);
    return r < 0 ? r : -error;
}

static void explain_connect(struct tl_sock_op *op, int code)
{
    char text[TL_ADDR_TEXT_MAX];
    (void)tl_future_fail(op->future, code, "Connect call failed %s: %s",
                         tl_addr_format(&op->addr, text, sizeof text), tl_strerror(code));
}

tl_future *tl_loop_sock_connect(tl_loop *loop, tl_socket socket, const tl_addr *addr)
{
    struct tl_sock_op op = {
        .attempt = connect_once, .explain = explain_connect, .direction = TL_WRITING};
    if (loop == NULL)
        return NULL;
    if (addr == NULL)
        return tl_loop_failed_future(loop, -EINVAL, NULL);
    op.addr = *addr;
    return tl_sock_op_start(loop, socket, &op);
}

tl_future *tl_loop_sock_connect_host(tl_loop *loop, tl_socket socket, const char *host,
                                     const char *port)
{
    struct tl_sock_op op = {
        .attempt = connect_once, .explain = explain_connect, .direction = TL_WRITING};
    if (loop == NULL)
        return NULL;
    if (host == NULL && port == NULL)
        return tl_loop_failed_future(loop, -EINVAL, "host and port was not specified");
    return tl_sock_op_start_named(loop, socket, &op, host, port);
}
