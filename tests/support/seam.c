/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steps of seam.h.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <twinloop/error.h>
#include <cmocka.h>
#include "support/seam.h"

/* --- Waiting --- */

struct tl_event seam_event(struct tl_kernel *kernel)
{
    tl_time end = kernel->ops->now(kernel) + SEAM_PATIENCE;
    struct tl_event event;
    int count = 0;

    while (count == 0) {
        if (kernel->ops->now(kernel) >= end)
            fail_msg("nothing happened");
        count = kernel->ops->poll(kernel, SEAM_PATIENCE, &event, 1);
    }
    if (count != 1)
        fail_msg("poll: %s", tl_strerror(count));
    return event;
}

void seam_expect_nothing(struct tl_kernel *kernel, tl_time timeout)
{
    tl_time now = kernel->ops->now(kernel);
    tl_time end = now + timeout;
    struct tl_event event;

    for (;;) {
        assert_int_equal(kernel->ops->poll(kernel, end - now, &event, 1), 0);
        now = kernel->ops->now(kernel);
        if (now >= end)
            return;
    }
}

unsigned seam_await(struct tl_kernel *kernel, int fd, unsigned events)
{
    static char token;
    unsigned wanted = events | TL_HANGUP | TL_FAULT;
    unsigned ready = 0;

    assert_int_equal(kernel->ops->watch(kernel, fd, events, &token), 0);
    while ((ready & wanted) == 0) {
        struct tl_event event = seam_event(kernel);
        assert_int_equal(event.kind, TL_EVENT_FD);
        assert_ptr_equal(event.token, &token);
        ready = event.ready;
    }
    assert_int_equal(kernel->ops->watch(kernel, fd, 0, NULL), 0);
    return ready;
}

/* --- Connections --- */

int seam_listen(struct tl_kernel *kernel, int backlog, tl_addr *ret_addr)
{
    tl_addr any;
    int fd = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);

    assert_true(fd >= 0);
    assert_int_equal(tl_addr_parse("127.0.0.1", 0, &any), 0);
    assert_int_equal(kernel->ops->bind(kernel, fd, &any), 0);
    assert_int_equal(kernel->ops->listen(kernel, fd, backlog), 0);
    assert_int_equal(kernel->ops->address(kernel, fd, TL_ADDRESS_LOCAL, ret_addr), 0);
    return fd;
}

int seam_start_connect(struct tl_kernel *kernel, const tl_addr *addr)
{
    int fd = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);

    assert_true(fd >= 0);
    int r = kernel->ops->connect(kernel, fd, addr);
    if (r != 0)
        assert_int_equal(r, -EINPROGRESS);
    return fd;
}

int seam_finish_connect(struct tl_kernel *kernel, int fd)
{
    int error = -1;

    seam_await(kernel, fd, TL_WRITABLE);
    assert_int_equal(kernel->ops->option(kernel, fd, TL_OPTION_ERROR, NULL, &error), 0);
    return -error;
}

int seam_accept(struct tl_kernel *kernel, int listener, tl_addr *ret_peer)
{
    tl_addr peer;
    int fd;

    seam_await(kernel, listener, TL_READABLE);
    fd = kernel->ops->accept(kernel, listener, ret_peer != NULL ? ret_peer : &peer);
    if (fd < 0)
        fail_msg("accept: %s", tl_strerror(fd));
    return fd;
}

void seam_connection(struct tl_kernel *kernel, int ret[2])
{
    tl_addr addr;
    int listener = seam_listen(kernel, 1, &addr);

    ret[0] = seam_start_connect(kernel, &addr);
    ret[1] = seam_accept(kernel, listener, NULL);
    assert_int_equal(seam_finish_connect(kernel, ret[0]), 0);
    seam_close(kernel, listener);
}

void seam_close(struct tl_kernel *kernel, int fd)
{
    assert_int_equal(kernel->ops->close(kernel, fd), 0);
}

/* --- Bytes --- */

ssize_t seam_read(struct tl_kernel *kernel, int fd, void *data, size_t len)
{
    struct iovec iov = {.iov_base = data, .iov_len = len};
    struct tl_message message = {.iov = &iov, .iov_count = 1};

    return kernel->ops->read(kernel, fd, &message, 1);
}

ssize_t seam_write(struct tl_kernel *kernel, int fd, const void *data, size_t len)
{
    struct iovec iov = {.iov_base = (void *)data, .iov_len = len};
    struct tl_message message = {.iov = &iov, .iov_count = 1};

    return kernel->ops->write(kernel, fd, &message, 1);
}

size_t seam_read_all(struct tl_kernel *kernel, int fd, void *data, size_t len)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = seam_read(kernel, fd, (char *)data + done, len - done);
        if (n == 0)
            break;
        if (n == -EAGAIN) {
            seam_await(kernel, fd, TL_READABLE);
            continue;
        }
        if (n < 0)
            fail_msg("read: %s", tl_strerror((int)n));
        done += (size_t)n;
    }
    return done;
}

void seam_write_all(struct tl_kernel *kernel, int fd, const void *data, size_t len)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = seam_write(kernel, fd, (const char *)data + done, len - done);
        if (n == -EAGAIN) {
            seam_await(kernel, fd, TL_WRITABLE);
            continue;
        }
        if (n < 0)
            fail_msg("write: %s", tl_strerror((int)n));
        done += (size_t)n;
    }
}

ssize_t seam_read_error(struct tl_kernel *kernel, int fd)
{
    char data[4096];

    for (;;) {
        ssize_t n = seam_read(kernel, fd, data, sizeof data);
        if (n == 0 || (n < 0 && n != -EAGAIN))
            return n;
        if (n == -EAGAIN)
            seam_await(kernel, fd, TL_READABLE);
    }
}
