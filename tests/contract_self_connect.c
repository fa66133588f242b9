/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seam itself: a TCP socket that connects to where it is bound is connected to itself, which a
 * client does by chance when its server is away and the port that is picked for it is the server's.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "support/contract.h"
#include "support/seam.h"
#include "support/seam_datagram.h"

/* A stream bound to a free port of 127.0.0.1, and where. */
static int bound(struct tl_kernel *kernel, tl_addr *ret)
{
    int fd = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
    tl_addr addr = seam_numeric("127.0.0.1", 0);

    assert_int_equal(kernel->ops->bind(kernel, fd, &addr), 0);
    assert_int_equal(kernel->ops->address(kernel, fd, TL_ADDRESS_LOCAL, ret), 0);
    return fd;
}

static int connected(struct tl_kernel *kernel, tl_addr *ret)
{
    int fd = bound(kernel, ret);

    assert_int_equal(kernel->ops->connect(kernel, fd, ret), -EINPROGRESS);
    assert_int_equal(seam_finish_connect(kernel, fd), 0);
    return fd;
}

static void what_it_writes_it_reads(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr addr, peer;
    char data[16];
    int fd = connected(kernel, &addr);

    assert_int_equal(kernel->ops->address(kernel, fd, TL_ADDRESS_PEER, &peer), 0);
    assert_true(tl_addr_equal(&addr, &peer));
    seam_write_all(kernel, fd, "hello", 5);
    assert_int_equal(seam_read_all(kernel, fd, data, 5), 5);
    assert_memory_equal(data, "hello", 5);
    assert_int_equal(seam_read(kernel, fd, data, sizeof data), -EAGAIN);
    kernel->ops->destroy(kernel);
}

static void ending_one_half_ends_both(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr addr;
    char data[16];
    int fd = connected(kernel, &addr);

    seam_write_all(kernel, fd, "last", 4);
    assert_int_equal(kernel->ops->shutdown(kernel, fd, TL_SHUTDOWN_WRITE), 0);
    assert_int_equal(seam_read_all(kernel, fd, data, sizeof data), 4);
    assert_int_equal(seam_read(kernel, fd, data, sizeof data), 0);
    assert_int_equal(seam_write(kernel, fd, "x", 1), -EPIPE);
    assert_int_equal(kernel->ops->shutdown(kernel, fd, TL_SHUTDOWN_READ), -ENOTCONN);
    kernel->ops->destroy(kernel);
}

static void it_may_have_shut_down_before(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr addr;
    int fd = bound(kernel, &addr);

    assert_int_equal(kernel->ops->shutdown(kernel, fd, TL_SHUTDOWN_WRITE), -ENOTCONN);
    assert_int_equal(kernel->ops->connect(kernel, fd, &addr), -EINPROGRESS);
    assert_int_equal(seam_read_error(kernel, fd), 0);
    assert_int_equal(seam_write(kernel, fd, "x", 1), -EPIPE);
    kernel->ops->destroy(kernel);
}

static void closing_leaves_nothing(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr addr;
    int fd = connected(kernel, &addr);

    seam_write_all(kernel, fd, "unread", 6);
    seam_close(kernel, fd);
    fd = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
    assert_int_equal(kernel->ops->bind(kernel, fd, &addr), 0);
    assert_int_equal(kernel->ops->connect(kernel, fd, &addr), -EINPROGRESS);
    assert_int_equal(seam_finish_connect(kernel, fd), 0);
    seam_close(kernel, connected(kernel, &addr));
    (void)connected(kernel, &addr); /* the kernel closes it */
    kernel->ops->destroy(kernel);
}

static const struct contract_case cases[] = {
    CONTRACT(what_it_writes_it_reads),
    CONTRACT(ending_one_half_ends_both),
    CONTRACT(it_may_have_shut_down_before),
    CONTRACT(closing_leaves_nothing),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "self_connect", cases, sizeof cases / sizeof *cases);
}
