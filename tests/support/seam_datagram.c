/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small steps with sockets of datagrams; see seam_datagram.h.
 */
#include "support/seam_datagram.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "support/seam.h"

tl_addr seam_numeric(const char *host, uint16_t port)
{
    tl_addr addr;

    assert_int_equal(tl_addr_parse(host, port, &addr), 0);
    return addr;
}

int seam_datagrams(struct tl_kernel *kernel, enum tl_family family)
{
    int fd = kernel->ops->socket(kernel, family, TL_DATAGRAM);

    assert_true(fd >= 0);
    return fd;
}

tl_addr seam_name(struct tl_kernel *kernel, int fd)
{
    tl_addr addr;

    assert_int_equal(kernel->ops->address(kernel, fd, TL_ADDRESS_LOCAL, &addr), 0);
    return addr;
}

void seam_set(struct tl_kernel *kernel, int fd, enum tl_option option, int value)
{
    assert_int_equal(kernel->ops->option(kernel, fd, option, &value, NULL), 0);
}

int seam_error(struct tl_kernel *kernel, int fd)
{
    int error = -1;

    assert_int_equal(kernel->ops->option(kernel, fd, TL_OPTION_ERROR, NULL, &error), 0);
    return error;
}

int seam_bound(struct tl_kernel *kernel, const char *host, tl_addr *ret)
{
    tl_addr addr = seam_numeric(host, 0);
    int fd = seam_datagrams(kernel, (enum tl_family)addr.family);

    assert_int_equal(kernel->ops->bind(kernel, fd, &addr), 0);
    *ret = seam_name(kernel, fd);
    return fd;
}

tl_addr seam_deserted(struct tl_kernel *kernel)
{
    tl_addr addr;

    seam_close(kernel, seam_bound(kernel, "127.0.0.1", &addr));
    return addr;
}

ssize_t seam_send(struct tl_kernel *kernel, int fd, const void *data, size_t len,
                  const tl_addr *addr)
{
    struct iovec iov = {(void *)data, len};
    tl_addr to = addr != NULL ? *addr : (tl_addr){0};
    struct tl_message message = {
        .iov = &iov, .iov_count = 1, .addr = addr != NULL ? &to : NULL, .len = 99};

    ssize_t n = kernel->ops->write(kernel, fd, &message, 1);
    if (n >= 0)
        assert_int_equal(message.len, n);
    return n;
}

ssize_t seam_receive(struct tl_kernel *kernel, int fd, void *data, size_t len, tl_addr *ret_from,
                     unsigned *ret_truncated)
{
    struct iovec iov = {data, len};
    struct tl_message message = {.iov = &iov, .iov_count = 1, .addr = ret_from, .len = 99};

    ssize_t n = kernel->ops->read(kernel, fd, &message, 1);
    if (n >= 0)
        assert_int_equal(message.len, n);
    if (n >= 0 && ret_truncated != NULL)
        *ret_truncated = message.truncated;
    return n;
}

void seam_expect(struct tl_kernel *kernel, int fd, const char *text, const tl_addr *from)
{
    char data[100];
    tl_addr source;
    unsigned truncated;

    assert_int_equal(seam_await(kernel, fd, TL_READABLE), TL_READABLE);
    ssize_t n = seam_receive(kernel, fd, data, sizeof data, &source, &truncated);
    assert_int_equal(n, strlen(text));
    assert_memory_equal(data, text, (size_t)n);
    assert_int_equal(truncated, 0);
    if (from != NULL)
        assert_true(tl_addr_equal(&source, from));
}

void seam_expect_no_datagram(struct tl_kernel *kernel, int fd)
{
    char data[10];

    assert_int_equal(seam_receive(kernel, fd, data, sizeof data, NULL, NULL), -EAGAIN);
}
