/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What debug mode holds against sockets of the sock_ operations: that they would wait in the
 * system. Only sockets made elsewhere can, so the bodies run on the real kernel and its replay.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <twinloop.h>
#include <unistd.h>
#include <cmocka.h>
#include "support/contract.h"

static void expect_done(tl_future *future, int code)
{
    assert_true(tl_future_done(future));
    assert_int_equal(tl_future_result(future, NULL), code);
    tl_future_unref(future);
}

/* Debug mode alone asks. */
static void a_blocking_socket_is_refused(struct contract *contract)
{
    tl_loop *loop = contract_loop(contract);
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    tl_loop_set_debug(loop, true);
    tl_future *future = tl_loop_sock_recv(loop, (tl_socket){fds[0]}, 1);
    assert_string_equal(tl_future_exception(future)->message, "the socket must be non-blocking");
    expect_done(future, -EINVAL);
    tl_loop_set_debug(loop, false);
    future = tl_loop_sock_recv(loop, (tl_socket){fds[0]}, 1);
    assert_false(tl_future_done(future));
    tl_future_unref(future);
    assert_int_equal(tl_loop_close(loop), 0);
    tl_loop_free(loop);
    close(fds[0]);
    close(fds[1]);
}

static void one_that_blocks_no_more_is_not(struct contract *contract)
{
    tl_loop *loop = contract_loop(contract);
    tl_socket socket;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    tl_loop_set_debug(loop, true);
    assert_int_equal(tl_socket_adopt(loop, fds[0], &socket), 0);
    expect_done(tl_loop_sock_recv(loop, socket, 1), -EINVAL);
    assert_int_equal(tl_socket_set_option(loop, socket, TL_OPTION_NONBLOCK, 1), 0);
    tl_future *future = tl_loop_sock_recv(loop, socket, 1);
    assert_false(tl_future_done(future));
    assert_true(tl_future_cancel(future));
    tl_future_unref(future);
    assert_int_equal(tl_socket_set_option(loop, socket, TL_OPTION_NONBLOCK, 0), 0);
    expect_done(tl_loop_sock_recv(loop, socket, 1), -EINVAL);
    assert_int_equal(tl_loop_close(loop), 0);
    tl_loop_free(loop);
    close(fds[0]);
    close(fds[1]);
}

static const struct contract_case cases[] = {
    CONTRACT_ONLY(a_blocking_socket_is_refused, CONTRACT_REAL | CONTRACT_REPLAY_REAL),
    CONTRACT_ONLY(one_that_blocks_no_more_is_not, CONTRACT_REAL | CONTRACT_REPLAY_REAL),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "sock_blocking", cases, sizeof cases / sizeof cases[0]);
}
