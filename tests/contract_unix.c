/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seam itself, part four: Unix-domain stream sockets. Names, connecting, and the ways in which
 * a connection ends, each with the errno that Linux gives.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <twinloop/error.h>
#include <unistd.h>
#include <cmocka.h>
#include "support/contract.h"
#include "support/seam.h"

/* --- Steps ------------------------------------------------------------------------------------ */

/* An abstract name that is this program's own, and the same in every run of a body. */
static tl_addr named(const char *name)
{
    tl_addr addr = {.family = TL_FAMILY_UNIX};
    int len = snprintf((char *)addr.data + 1, sizeof addr.data - 1, "twinloop-%d-%s", (int)getpid(),
                       name);

    addr.len = (uint8_t)(1 + len);
    return addr;
}

static const tl_addr nobody = {.family = TL_FAMILY_UNIX};

static int new_socket(struct tl_kernel *kernel)
{
    int fd = kernel->ops->socket(kernel, TL_FAMILY_UNIX, TL_STREAM);

    assert_true(fd >= 0);
    return fd;
}

static int listener_at(struct tl_kernel *kernel, const tl_addr *addr, int backlog)
{
    int fd = new_socket(kernel);

    assert_int_equal(kernel->ops->bind(kernel, fd, addr), 0);
    assert_int_equal(kernel->ops->listen(kernel, fd, backlog), 0);
    return fd;
}

static int connect_to(struct tl_kernel *kernel, const tl_addr *addr)
{
    int fd = new_socket(kernel);

    assert_int_equal(kernel->ops->connect(kernel, fd, addr), 0);
    return fd;
}

static int connect_error(struct tl_kernel *kernel, const tl_addr *addr)
{
    int fd = new_socket(kernel);
    int r = kernel->ops->connect(kernel, fd, addr);

    seam_close(kernel, fd);
    return r;
}

static tl_addr address(struct tl_kernel *kernel, int fd, enum tl_address_side side)
{
    tl_addr addr;

    assert_int_equal(kernel->ops->address(kernel, fd, side, &addr), 0);
    return addr;
}

#define assert_address(kernel, fd, side, expected)                                                 \
    do {                                                                                           \
        tl_addr found = address(kernel, fd, side);                                                 \
        assert_true(tl_addr_equal(&found, expected));                                              \
    } while (0)

/* What poll says of it at this moment. */
static unsigned ready(struct tl_kernel *kernel, int fd)
{
    static char token;
    struct tl_event event = {.ready = 0};

    assert_int_equal(kernel->ops->watch(kernel, fd, TL_READABLE | TL_WRITABLE, &token), 0);
    int count = kernel->ops->poll(kernel, 0, &event, 1);
    assert_true(count == 0 || (count == 1 && event.token == &token));
    assert_int_equal(kernel->ops->watch(kernel, fd, 0, NULL), 0);
    return count > 0 ? event.ready : 0;
}

static int pending_error(struct tl_kernel *kernel, int fd)
{
    int error = -1;

    assert_int_equal(kernel->ops->option(kernel, fd, TL_OPTION_ERROR, NULL, &error), 0);
    return -error;
}

/* --- Connecting ------------------------------------------------------------------------------- */

static void a_connection_is_made_at_once(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr where = named("echo");
    tl_addr peer;
    char data[8];
    int listener = listener_at(kernel, &where, 5);

    assert_int_equal(ready(kernel, listener), 0);
    assert_int_equal(kernel->ops->accept(kernel, listener, &peer), -EAGAIN);
    int client = connect_to(kernel, &where);
    assert_int_equal(ready(kernel, client), TL_WRITABLE);
    /* It can be used before it is accepted. */
    seam_write_all(kernel, client, "ping", 4);
    assert_int_equal(ready(kernel, listener), TL_READABLE);
    int server = kernel->ops->accept(kernel, listener, &peer);
    assert_true(server >= 0);
    assert_true(tl_addr_equal(&peer, &nobody));
    assert_int_equal(seam_read_all(kernel, server, data, 4), 4);
    assert_memory_equal(data, "ping", 4);
    seam_write_all(kernel, server, "pong", 4);
    assert_int_equal(seam_read_all(kernel, client, data, 4), 4);
    assert_memory_equal(data, "pong", 4);
    kernel->ops->destroy(kernel);
}

static void each_side_knows_the_names(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr where = named("server");
    tl_addr mine = named("client");
    tl_addr peer;
    int listener = listener_at(kernel, &where, 5);
    int client = new_socket(kernel);

    assert_address(kernel, client, TL_ADDRESS_LOCAL, &nobody);
    assert_int_equal(kernel->ops->address(kernel, client, TL_ADDRESS_PEER, &peer), -ENOTCONN);
    assert_int_equal(kernel->ops->bind(kernel, client, &mine), 0);
    assert_int_equal(kernel->ops->connect(kernel, client, &where), 0);
    int server = kernel->ops->accept(kernel, listener, &peer);
    assert_true(server >= 0);
    assert_true(tl_addr_equal(&peer, &mine));
    assert_address(kernel, listener, TL_ADDRESS_LOCAL, &where);
    assert_address(kernel, client, TL_ADDRESS_LOCAL, &mine);
    assert_address(kernel, client, TL_ADDRESS_PEER, &where);
    assert_address(kernel, server, TL_ADDRESS_LOCAL, &where);
    assert_address(kernel, server, TL_ADDRESS_PEER, &mine);
    /* Also when the other side has gone. */
    seam_close(kernel, client);
    assert_address(kernel, server, TL_ADDRESS_PEER, &mine);
    kernel->ops->destroy(kernel);
}

static void who_connects_may_be_named_later(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr where = named("server");
    tl_addr mine = named("client");
    tl_addr peer;
    int listener = listener_at(kernel, &where, 5);
    int client = connect_to(kernel, &where);
    int server = kernel->ops->accept(kernel, listener, &peer);

    assert_true(server >= 0);
    assert_int_equal(kernel->ops->bind(kernel, client, &mine), 0);
    assert_address(kernel, server, TL_ADDRESS_PEER, &mine);
    assert_int_equal(kernel->ops->listen(kernel, client, 1), -EINVAL);
    assert_int_equal(kernel->ops->listen(kernel, server, 1), -EINVAL);
    assert_int_equal(kernel->ops->bind(kernel, server, &nobody), 0);
    kernel->ops->destroy(kernel);
}

static void nobody_listens(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr where = named("none");
    tl_addr inet;

    assert_int_equal(tl_addr_parse("127.0.0.1", 1, &inet), 0);
    assert_int_equal(connect_error(kernel, &where), -ECONNREFUSED);
    assert_int_equal(connect_error(kernel, &nobody), -EINVAL);
    assert_int_equal(connect_error(kernel, &inet), -EINVAL);
    int bound = new_socket(kernel);
    assert_int_equal(kernel->ops->bind(kernel, bound, &where), 0);
    assert_int_equal(connect_error(kernel, &where), -ECONNREFUSED);
    assert_int_equal(kernel->ops->listen(kernel, bound, 1), 0);
    assert_int_equal(connect_error(kernel, &where), 0);
    seam_close(kernel, bound);
    assert_int_equal(connect_error(kernel, &where), -ECONNREFUSED);
    kernel->ops->destroy(kernel);
}

/* After an error the socket can be used for another attempt. */
static void a_full_queue_takes_no_more(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr where = named("full");
    tl_addr peer;
    int listener = listener_at(kernel, &where, 1);

    connect_to(kernel, &where);
    connect_to(kernel, &where);
    int third = new_socket(kernel);
    assert_int_equal(kernel->ops->connect(kernel, third, &where), -EAGAIN);
    assert_int_equal(ready(kernel, third), TL_WRITABLE | TL_HANGUP);
    assert_true(kernel->ops->accept(kernel, listener, &peer) >= 0);
    assert_int_equal(kernel->ops->connect(kernel, third, &where), 0);
    assert_int_equal(connect_error(kernel, &where), -EAGAIN);
    /* A longer one does at once. */
    assert_int_equal(kernel->ops->listen(kernel, listener, 2), 0);
    connect_to(kernel, &where);
    kernel->ops->destroy(kernel);
}

static void a_socket_connects_once(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr where = named("once");
    tl_addr elsewhere = named("elsewhere");
    int listener = listener_at(kernel, &where, 5);
    int client = connect_to(kernel, &where);

    assert_int_equal(kernel->ops->connect(kernel, client, &where), -EISCONN);
    assert_int_equal(kernel->ops->connect(kernel, client, &elsewhere), -ECONNREFUSED);
    assert_int_equal(kernel->ops->connect(kernel, listener, &where), -EINVAL);
    seam_close(kernel, listener);
    kernel->ops->destroy(kernel);
}

/* --- Names ------------------------------------------------------------------------------------ */

static void a_name_is_taken_once(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr where = named("taken");
    tl_addr longer = named("taken ");
    tl_addr inet;
    int first = new_socket(kernel);
    int second = new_socket(kernel);

    assert_int_equal(tl_addr_parse("127.0.0.1", 0, &inet), 0);
    assert_int_equal(kernel->ops->bind(kernel, first, &inet), -EINVAL);
    assert_int_equal(kernel->ops->bind(kernel, first, &where), 0);
    assert_int_equal(kernel->ops->bind(kernel, second, &where), -EADDRINUSE);
    assert_int_equal(kernel->ops->bind(kernel, second, &longer), 0);
    assert_int_equal(kernel->ops->bind(kernel, first, &where), -EINVAL);
    seam_close(kernel, first);
    assert_int_equal(kernel->ops->bind(kernel, second, &where), -EINVAL);
    first = new_socket(kernel);
    assert_int_equal(kernel->ops->bind(kernel, first, &where), 0);
    kernel->ops->destroy(kernel);
}

static void a_name_may_be_made_up(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int first = new_socket(kernel);
    int second = new_socket(kernel);

    assert_int_equal(kernel->ops->listen(kernel, first, 1), -EINVAL);
    assert_int_equal(kernel->ops->bind(kernel, first, &nobody), 0);
    assert_int_equal(kernel->ops->bind(kernel, second, &nobody), 0);
    tl_addr one = address(kernel, first, TL_ADDRESS_LOCAL);
    tl_addr two = address(kernel, second, TL_ADDRESS_LOCAL);
    assert_int_equal(one.len, 6);
    assert_int_equal(one.data[0], '\0');
    assert_false(tl_addr_equal(&one, &two));
    assert_int_equal(kernel->ops->listen(kernel, first, 1), 0);
    connect_to(kernel, &one);
    kernel->ops->destroy(kernel);
}

/* --- What is not connected -------------------------------------------------------------------- */

static void a_fresh_socket(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int fd = new_socket(kernel);
    tl_addr peer;
    char data[1];

    assert_int_equal(ready(kernel, fd), TL_WRITABLE | TL_HANGUP);
    assert_int_equal(seam_read(kernel, fd, data, 1), -EINVAL);
    assert_int_equal(seam_write(kernel, fd, "x", 1), -ENOTCONN);
    assert_int_equal(seam_write(kernel, fd, "", 0), -ENOTCONN);
    assert_int_equal(kernel->ops->accept(kernel, fd, &peer), -EINVAL);
    assert_int_equal(kernel->ops->shutdown(kernel, fd, TL_SHUTDOWN_WRITE), 0);
    assert_int_equal(seam_write(kernel, fd, "x", 1), -ENOTCONN);
    assert_int_equal(ready(kernel, fd), TL_WRITABLE | TL_HANGUP);
    kernel->ops->destroy(kernel);
}

static void a_listener(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr where = named("listener");
    int fd = listener_at(kernel, &where, 1);
    char data[1];

    assert_int_equal(ready(kernel, fd), 0);
    assert_int_equal(seam_read(kernel, fd, data, 1), -EINVAL);
    assert_int_equal(seam_write(kernel, fd, "x", 1), -ENOTCONN);
    assert_int_equal(kernel->ops->listen(kernel, fd, 1), 0);
    kernel->ops->destroy(kernel);
}

/* --- Ends ------------------------------------------------------------------------------------- */

static void what_waits_when_a_listener_closes_is_reset(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr where = named("closing");
    int listener = listener_at(kernel, &where, 5);
    int client = connect_to(kernel, &where);
    char data[1];

    seam_close(kernel, listener);
    assert_int_equal(ready(kernel, client), TL_READABLE | TL_WRITABLE | TL_HANGUP | TL_FAULT);
    assert_int_equal(seam_write(kernel, client, "x", 1), -EPIPE);
    assert_int_equal(pending_error(kernel, client), -ECONNRESET);
    assert_int_equal(seam_read(kernel, client, data, 1), 0);
    assert_int_equal(kernel->ops->connect(kernel, client, &where), -ECONNREFUSED);
    kernel->ops->destroy(kernel);
}

static void a_listener_that_is_shut_down(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr where = named("shut");
    tl_addr peer;
    int listener = listener_at(kernel, &where, 5);

    connect_to(kernel, &where);
    assert_int_equal(kernel->ops->shutdown(kernel, listener, TL_SHUTDOWN_READ), 0);
    assert_int_equal(ready(kernel, listener), TL_READABLE);
    assert_int_equal(connect_error(kernel, &where), -ECONNREFUSED);
    /* What had come can be accepted. */
    assert_true(kernel->ops->accept(kernel, listener, &peer) >= 0);
    assert_int_equal(ready(kernel, listener), TL_READABLE);
    assert_int_equal(kernel->ops->accept(kernel, listener, &peer), -EAGAIN);
    kernel->ops->destroy(kernel);
}

static void a_client_goes_before_it_is_accepted(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr where = named("gone");
    tl_addr mine = named("mine");
    tl_addr peer;
    char data[8];
    int listener = listener_at(kernel, &where, 5);
    int client = new_socket(kernel);

    assert_int_equal(kernel->ops->bind(kernel, client, &mine), 0);
    assert_int_equal(kernel->ops->connect(kernel, client, &where), 0);
    assert_int_equal(seam_write(kernel, client, "bye", 3), 3);
    seam_close(kernel, client);
    int server = kernel->ops->accept(kernel, listener, &peer);
    assert_true(server >= 0);
    assert_true(tl_addr_equal(&peer, &mine));
    assert_int_equal(seam_read_all(kernel, server, data, sizeof data), 3);
    assert_memory_equal(data, "bye", 3);
    assert_int_equal(seam_write(kernel, server, "x", 1), -EPIPE);
    kernel->ops->destroy(kernel);
}

/* --- Options ---------------------------------------------------------------------------------- */

static void options_are_those_of_a_socket(struct contract *contract)
{
    static const struct {
        enum tl_option option;
        int set; /* the result of setting it to 1 */
        int get; /* what it is then; negative: the error */
    } expected[] = {
        {TL_OPTION_REUSEADDR, 0, 1},
        {TL_OPTION_KEEPALIVE, 0, 1},
        {TL_OPTION_BROADCAST, 0, 1},
        {TL_OPTION_NODELAY, -EOPNOTSUPP, -EOPNOTSUPP},
        {TL_OPTION_V6ONLY, -EOPNOTSUPP, -EOPNOTSUPP},
        {TL_OPTION_ERROR, -ENOPROTOOPT, 0},
        {TL_OPTION_SNDBUF, 0, 4608},
        {TL_OPTION_RCVBUF, 0, 2304},
    };
    struct tl_kernel *kernel = contract_kernel(contract);
    int fd = new_socket(kernel);

    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        int one = 1;
        int value = 0;
        enum tl_option option = expected[i].option;
        assert_int_equal(kernel->ops->option(kernel, fd, option, &one, NULL), expected[i].set);
        int r = kernel->ops->option(kernel, fd, option, NULL, &value);
        assert_int_equal(r < 0 ? r : value, expected[i].get);
    }
    kernel->ops->destroy(kernel);
}

static void a_small_send_buffer_fills_early(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int fds[2];
    int size = 1;
    char data[4096] = {0};
    size_t sent = 0;
    ssize_t n;

    assert_int_equal(kernel->ops->pipe(kernel, TL_PIPE_STREAM_PAIR, fds), 0);
    assert_int_equal(kernel->ops->option(kernel, fds[0], TL_OPTION_SNDBUF, &size, NULL), 0);
    while ((n = seam_write(kernel, fds[0], data, sizeof data)) > 0)
        sent += (size_t)n;
    assert_int_equal(n, -EAGAIN);
    assert_in_range(sent, 1, 8192);
    kernel->ops->destroy(kernel);
}

static void memory_runs_out(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr where = named("ladder");
    tl_addr peer;

    ladder_arm(contract->ladder);
    int listener = kernel->ops->socket(kernel, TL_FAMILY_UNIX, TL_STREAM);
    int client = kernel->ops->socket(kernel, TL_FAMILY_UNIX, TL_STREAM);
    if (listener >= 0 && client >= 0) {
        assert_int_equal(kernel->ops->bind(kernel, listener, &where), 0);
        assert_int_equal(kernel->ops->listen(kernel, listener, 1), 0);
        int r = kernel->ops->connect(kernel, client, &where);
        int server = kernel->ops->accept(kernel, listener, &peer);
        assert_true(r == 0 || r == -ENOMEM);
        assert_true(server >= 0 || server == -ENOMEM || (r < 0 && server == -EAGAIN));
    }
    ladder_disarm(contract->ladder);
    kernel->ops->destroy(kernel);
}

static const struct contract_case cases[] = {
    CONTRACT(a_connection_is_made_at_once),
    CONTRACT(each_side_knows_the_names),
    CONTRACT(who_connects_may_be_named_later),
    CONTRACT(nobody_listens),
    CONTRACT(a_full_queue_takes_no_more),
    CONTRACT(a_socket_connects_once),
    CONTRACT(a_name_is_taken_once),
    CONTRACT(a_name_may_be_made_up),
    CONTRACT(a_fresh_socket),
    CONTRACT(a_listener),
    CONTRACT(what_waits_when_a_listener_closes_is_reset),
    CONTRACT(a_listener_that_is_shut_down),
    CONTRACT(a_client_goes_before_it_is_accepted),
    CONTRACT(options_are_those_of_a_socket),
    CONTRACT(a_small_send_buffer_fills_early),
    CONTRACT_LADDER(memory_runs_out, 1),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "unix", cases, sizeof cases / sizeof *cases);
}
