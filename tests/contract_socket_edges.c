/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seam itself, part three: what few programs do on purpose with a socket. Each body is what
 * Linux does, found by hand or by random programs (tests/fidelity), and holds on every kernel.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <twinloop/error.h>
#include <cmocka.h>
#include "support/contract.h"
#include "support/seam.h"

static int open_socket(struct tl_kernel *kernel, enum tl_family family, enum tl_socket_type type)
{
    int fd = kernel->ops->socket(kernel, family, type);

    assert_true(fd >= 0);
    return fd;
}

static int stream(struct tl_kernel *kernel)
{
    return open_socket(kernel, TL_FAMILY_INET, TL_STREAM);
}

/* Binds to a free port of a numeric address; returns where that is. */
static tl_addr bind_to(struct tl_kernel *kernel, int fd, const char *host)
{
    tl_addr addr;

    assert_int_equal(tl_addr_parse(host, 0, &addr), 0);
    assert_int_equal(kernel->ops->bind(kernel, fd, &addr), 0);
    assert_int_equal(kernel->ops->address(kernel, fd, TL_ADDRESS_LOCAL, &addr), 0);
    return addr;
}

static void set(struct tl_kernel *kernel, int fd, enum tl_option option, int value)
{
    assert_int_equal(kernel->ops->option(kernel, fd, option, &value, NULL), 0);
}

static int get(struct tl_kernel *kernel, int fd, enum tl_option option)
{
    int value = -1;

    assert_int_equal(kernel->ops->option(kernel, fd, option, NULL, &value), 0);
    return value;
}

static void shut(struct tl_kernel *kernel, int fd, enum tl_shutdown how, int expected)
{
    assert_int_equal(kernel->ops->shutdown(kernel, fd, how), expected);
}

/* Waits until fd has all of these, whatever else it has. */
static unsigned await_all(struct tl_kernel *kernel, int fd, unsigned ready)
{
    static char token;
    unsigned got = 0;

    assert_int_equal(kernel->ops->watch(kernel, fd, TL_READABLE | TL_WRITABLE, &token), 0);
    while ((got & ready) != ready)
        got = seam_event(kernel).ready;
    assert_int_equal(kernel->ops->watch(kernel, fd, 0, NULL), 0);
    return got;
}

/* --- Before there is a connection --- */

static void a_fresh_socket_is_writable_and_hung_up(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int fd = stream(kernel);
    tl_addr addr;

    assert_int_equal(await_all(kernel, fd, TL_HANGUP), TL_WRITABLE | TL_HANGUP);
    assert_int_equal(kernel->ops->address(kernel, fd, TL_ADDRESS_LOCAL, &addr), 0);
    assert_int_equal(addr.port, 0);
    bind_to(kernel, fd, "127.0.0.1");
    assert_int_equal(await_all(kernel, fd, TL_HANGUP), TL_WRITABLE | TL_HANGUP);
    kernel->ops->destroy(kernel);
}

static void a_full_backlog_holds_one_more_than_it_says(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr where;
    int token, listener = seam_listen(kernel, 1, &where);

    for (int i = 0; i < 2; i++)
        assert_int_equal(seam_finish_connect(kernel, seam_start_connect(kernel, &where)), 0);
    int third = seam_start_connect(kernel, &where);
    assert_int_equal(kernel->ops->watch(kernel, third, TL_WRITABLE, &token), 0);
    seam_expect_nothing(kernel, 20 * TL_MILLISECOND);
    assert_int_equal(kernel->ops->connect(kernel, third, &where), -EALREADY);
    assert_int_equal(seam_write(kernel, third, "x", 1), -EAGAIN);
    assert_int_equal(get(kernel, third, TL_OPTION_ERROR), 0);
    seam_accept(kernel, listener, NULL);
    seam_accept(kernel, listener, NULL);
    kernel->ops->destroy(kernel);
}

/* Tried again after 1, 2, 4 ... seconds: what a program sees of it is one error, late. */
static void a_host_that_is_not_there_times_out(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_time start = kernel->ops->now(kernel);
    struct tl_event event;
    tl_addr nowhere;
    int token;

    assert_int_equal(tl_addr_parse("10.255.0.1", 80, &nowhere), 0);
    int fd = seam_start_connect(kernel, &nowhere);
    assert_int_equal(kernel->ops->watch(kernel, fd, TL_WRITABLE, &token), 0);
    assert_int_equal(kernel->ops->poll(kernel, 1000 * TL_SECOND, &event, 1), 1);
    assert_int_equal(kernel->ops->now(kernel) - start, 127 * TL_SECOND);
    assert_int_equal(event.ready & (TL_WRITABLE | TL_FAULT), TL_WRITABLE | TL_FAULT);
    assert_int_equal(get(kernel, fd, TL_OPTION_ERROR), ETIMEDOUT);
    kernel->ops->destroy(kernel);
}

static void a_socket_that_was_refused_may_try_again(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr where, local;
    int listener = seam_listen(kernel, 1, &where), other = seam_listen(kernel, 1, &local);

    seam_close(kernel, listener);
    int fd = seam_start_connect(kernel, &where);
    unsigned ready = await_all(kernel, fd, TL_FAULT);
    assert_int_equal(ready, TL_READABLE | TL_WRITABLE | TL_HANGUP | TL_FAULT);
    assert_int_equal(get(kernel, fd, TL_OPTION_ERROR), ECONNREFUSED);
    assert_int_equal(kernel->ops->connect(kernel, fd, &local), -ECONNABORTED);
    assert_int_equal(kernel->ops->connect(kernel, fd, &local), -EINPROGRESS);
    assert_int_equal(seam_finish_connect(kernel, fd), 0);
    seam_accept(kernel, other, NULL);
    kernel->ops->destroy(kernel);
}

static void children_are_what_their_listener_was(struct contract *contract)
{
    static const enum tl_option switches[] = {TL_OPTION_REUSEADDR, TL_OPTION_REUSEPORT,
                                              TL_OPTION_NODELAY, TL_OPTION_KEEPALIVE,
                                              TL_OPTION_BROADCAST};
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr where;
    int listener = seam_listen(kernel, 1, &where);

    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++)
        set(kernel, listener, switches[i], 1);
    set(kernel, listener, TL_OPTION_SNDBUF, 65536);
    seam_start_connect(kernel, &where);
    int child = seam_accept(kernel, listener, NULL);
    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++)
        assert_int_equal(get(kernel, child, switches[i]), 1);
    assert_int_equal(get(kernel, child, TL_OPTION_SNDBUF), 131072);
    kernel->ops->destroy(kernel);
}

static void who_shuts_down_before_it_listens_has_children_that_have(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int listener = stream(kernel);
    tl_addr where = bind_to(kernel, listener, "127.0.0.1");

    shut(kernel, listener, TL_SHUTDOWN_WRITE, -ENOTCONN);
    assert_int_equal(kernel->ops->listen(kernel, listener, 1), 0);
    int client = seam_start_connect(kernel, &where);
    int child = seam_accept(kernel, listener, NULL);
    assert_int_equal(seam_write(kernel, child, "x", 1), -EPIPE);
    assert_int_equal(seam_read_error(kernel, client), 0);
    seam_write_all(kernel, client, "y", 1);
    char byte;
    assert_int_equal(seam_read_all(kernel, child, &byte, 1), 1);
    kernel->ops->destroy(kernel);
}

/* --- Ports --- */

static void a_port_is_bound_twice_by_who_reuses_it_until_one_listens(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int one = stream(kernel), two = stream(kernel), three = stream(kernel);

    set(kernel, one, TL_OPTION_REUSEADDR, 1);
    set(kernel, two, TL_OPTION_REUSEADDR, 1);
    tl_addr where = bind_to(kernel, one, "127.0.0.1");
    assert_int_equal(kernel->ops->bind(kernel, three, &where), -EADDRINUSE);
    assert_int_equal(kernel->ops->bind(kernel, two, &where), 0);
    assert_int_equal(kernel->ops->listen(kernel, one, 1), 0);
    assert_int_equal(kernel->ops->listen(kernel, two, 1), -EADDRINUSE);
    seam_close(kernel, one);
    assert_int_equal(kernel->ops->listen(kernel, two, 1), 0);
    kernel->ops->destroy(kernel);
}

static void a_port_is_listened_on_twice_by_who_shares_it(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int one = stream(kernel), two = stream(kernel), three = stream(kernel);

    set(kernel, one, TL_OPTION_REUSEPORT, 1);
    set(kernel, two, TL_OPTION_REUSEPORT, 1);
    tl_addr where = bind_to(kernel, one, "127.0.0.1");
    assert_int_equal(kernel->ops->listen(kernel, one, 1), 0);
    assert_int_equal(kernel->ops->bind(kernel, three, &where), -EADDRINUSE);
    assert_int_equal(kernel->ops->bind(kernel, two, &where), 0);
    assert_int_equal(kernel->ops->listen(kernel, two, 1), 0);
    assert_int_equal(seam_finish_connect(kernel, seam_start_connect(kernel, &where)), 0);
    kernel->ops->destroy(kernel);
}

/* The side that closes first leaves the connection behind for a minute, or does not: who reuses the
 * address cannot tell. */
static void a_servers_port_is_free_again_for_who_reuses_it(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr where;
    int listener = stream(kernel);

    set(kernel, listener, TL_OPTION_REUSEADDR, 1);
    where = bind_to(kernel, listener, "127.0.0.1");
    assert_int_equal(kernel->ops->listen(kernel, listener, 1), 0);
    int client = seam_start_connect(kernel, &where);
    int server = seam_accept(kernel, listener, NULL);
    seam_close(kernel, server);
    seam_close(kernel, listener);
    assert_int_equal(seam_read_error(kernel, client), 0);
    seam_close(kernel, client);
    listener = stream(kernel);
    set(kernel, listener, TL_OPTION_REUSEADDR, 1);
    assert_int_equal(kernel->ops->bind(kernel, listener, &where), 0);
    assert_int_equal(kernel->ops->listen(kernel, listener, 1), 0);
    assert_int_equal(seam_finish_connect(kernel, seam_start_connect(kernel, &where)), 0);
    kernel->ops->destroy(kernel);
}

static void an_address_of_six_is_for_six_alone(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int one = open_socket(kernel, TL_FAMILY_INET6, TL_STREAM);
    int any = open_socket(kernel, TL_FAMILY_INET6, TL_STREAM);
    int datagrams = open_socket(kernel, TL_FAMILY_INET6, TL_DATAGRAM);
    tl_addr four;

    bind_to(kernel, one, "::1");
    assert_int_equal(get(kernel, one, TL_OPTION_V6ONLY), 1);
    bind_to(kernel, any, "::");
    assert_int_equal(get(kernel, any, TL_OPTION_V6ONLY), 0);
    bind_to(kernel, datagrams, "::1");
    assert_int_equal(get(kernel, datagrams, TL_OPTION_V6ONLY), 1);
    assert_int_equal(tl_addr_parse("127.0.0.1", 9, &four), 0);
    assert_int_equal(kernel->ops->connect(kernel, datagrams, &four), -EAFNOSUPPORT);
    kernel->ops->destroy(kernel);
}

/* --- Halves --- */

static void both_halves_end_in_either_order(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr addr;
    int fds[2];

    for (int first = 0; first < 2; first++) {
        seam_connection(kernel, fds);
        int one = fds[first], two = fds[1 - first];
        shut(kernel, one, TL_SHUTDOWN_WRITE, 0);
        assert_int_equal(await_all(kernel, two, TL_READABLE), TL_READABLE | TL_WRITABLE);
        shut(kernel, two, TL_SHUTDOWN_WRITE, 0);
        await_all(kernel, one, TL_READABLE | TL_WRITABLE | TL_HANGUP);
        await_all(kernel, two, TL_READABLE | TL_WRITABLE | TL_HANGUP);
        assert_int_equal(seam_read_error(kernel, one), 0);
        assert_int_equal(seam_read_error(kernel, two), 0);
        assert_int_equal(kernel->ops->address(kernel, two, TL_ADDRESS_PEER, &addr), -ENOTCONN);
        shut(kernel, two, TL_SHUTDOWN_BOTH, -ENOTCONN);
        seam_close(kernel, one);
        seam_close(kernel, two);
    }
    kernel->ops->destroy(kernel);
}

static void who_shuts_down_reading_gets_what_still_comes(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    char data[8];
    int fds[2];

    seam_connection(kernel, fds);
    seam_write_all(kernel, fds[0], "one", 3);
    seam_await(kernel, fds[1], TL_READABLE);
    shut(kernel, fds[1], TL_SHUTDOWN_READ, 0);
    assert_int_equal(seam_read(kernel, fds[1], data, 8), 3);
    assert_int_equal(seam_read(kernel, fds[1], data, 8), 0);
    seam_write_all(kernel, fds[0], "two", 3);
    ssize_t n = 0;
    while (n == 0) {
        seam_expect_nothing(kernel, TL_MILLISECOND);
        n = seam_read(kernel, fds[1], data, 8);
    }
    assert_int_equal(n, 3);
    seam_write_all(kernel, fds[1], "back", 4);
    assert_int_equal(seam_read_all(kernel, fds[0], data, 4), 4);
    kernel->ops->destroy(kernel);
}

/* --- Resets --- */

static void what_came_before_a_reset_is_read_then_the_error_once(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    char data[8];
    int fds[2];

    seam_connection(kernel, fds);
    seam_write_all(kernel, fds[0], "unread", 6);
    seam_write_all(kernel, fds[1], "last", 4);
    seam_await(kernel, fds[0], TL_READABLE);
    seam_await(kernel, fds[1], TL_READABLE);
    seam_close(kernel, fds[1]);
    await_all(kernel, fds[0], TL_READABLE | TL_WRITABLE | TL_HANGUP | TL_FAULT);
    assert_int_equal(seam_read(kernel, fds[0], data, 8), 4);
    assert_memory_equal(data, "last", 4);
    assert_int_equal(seam_read(kernel, fds[0], data, 8), -ECONNRESET);
    assert_int_equal(seam_read(kernel, fds[0], data, 8), 0);
    assert_int_equal(seam_read(kernel, fds[0], data, 8), 0);
    kernel->ops->destroy(kernel);
}

static void asking_for_the_error_takes_it(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    char byte;
    int fds[2];

    seam_connection(kernel, fds);
    seam_write_all(kernel, fds[0], "unread", 6);
    seam_await(kernel, fds[1], TL_READABLE);
    seam_close(kernel, fds[1]);
    await_all(kernel, fds[0], TL_FAULT);
    assert_int_equal(get(kernel, fds[0], TL_OPTION_ERROR), ECONNRESET);
    assert_int_equal(get(kernel, fds[0], TL_OPTION_ERROR), 0);
    assert_int_equal(await_all(kernel, fds[0], TL_HANGUP), TL_READABLE | TL_WRITABLE | TL_HANGUP);
    assert_int_equal(seam_read(kernel, fds[0], &byte, 1), 0);
    assert_int_equal(seam_write(kernel, fds[0], "x", 1), -EPIPE);
    kernel->ops->destroy(kernel);
}

/* After the peer's FIN a reset is the answer to a write, and the error is EPIPE, not ECONNRESET. */
static void a_reset_after_the_end_is_epipe(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int fds[2];

    seam_connection(kernel, fds);
    seam_close(kernel, fds[0]);
    assert_int_equal(seam_read_error(kernel, fds[1]), 0);
    assert_int_equal(seam_write(kernel, fds[1], "x", 1), 1);
    await_all(kernel, fds[1], TL_HANGUP | TL_FAULT);
    assert_int_equal(get(kernel, fds[1], TL_OPTION_ERROR), EPIPE);
    assert_int_equal(seam_write(kernel, fds[1], "x", 1), -EPIPE);
    kernel->ops->destroy(kernel);
}

/* --- Room --- */

/* Writes until nothing more is taken, also not a little later; returns how much that was. */
static size_t write_until_full(struct tl_kernel *kernel, int fd)
{
    static char block[16384];
    struct tl_event event;
    size_t written = 0;
    ssize_t n;
    int token;

    assert_int_equal(kernel->ops->watch(kernel, fd, TL_WRITABLE, &token), 0);
    do {
        while ((n = seam_write(kernel, fd, block, sizeof block)) > 0)
            written += (size_t)n;
        assert_int_equal(n, -EAGAIN);
    } while (kernel->ops->poll(kernel, 2 * TL_MILLISECOND, &event, 1) > 0);
    assert_int_equal(kernel->ops->watch(kernel, fd, 0, NULL), 0);
    return written;
}

static void who_is_writable_has_a_third_of_the_buffer_free(struct contract *contract)
{
    enum { ROOM = 65536 };
    struct tl_kernel *kernel = contract_kernel(contract);
    static char block[ROOM];
    struct tl_event event;
    tl_addr where;
    int token, listener = stream(kernel);

    set(kernel, listener, TL_OPTION_RCVBUF, ROOM);
    where = bind_to(kernel, listener, "127.0.0.1");
    assert_int_equal(kernel->ops->listen(kernel, listener, 1), 0);
    int client = stream(kernel);
    set(kernel, client, TL_OPTION_SNDBUF, ROOM);
    assert_int_equal(kernel->ops->connect(kernel, client, &where), -EINPROGRESS);
    int server = seam_accept(kernel, listener, NULL);
    assert_int_equal(seam_finish_connect(kernel, client), 0);
    assert_true(write_until_full(kernel, client) >= ROOM);
    assert_int_equal(kernel->ops->watch(kernel, client, TL_WRITABLE, &token), 0);
    while (kernel->ops->poll(kernel, TL_MILLISECOND, &event, 1) == 0)
        seam_read_all(kernel, server, block, 1000);
    assert_true(seam_write(kernel, client, block, ROOM) >= ROOM / 3);
    kernel->ops->destroy(kernel);
}

/* --- Other kinds of socket --- */

static void datagrams_are_shut_down_unconnected_too(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int fd = open_socket(kernel, TL_FAMILY_INET, TL_DATAGRAM);
    tl_addr where = bind_to(kernel, fd, "127.0.0.1");

    shut(kernel, fd, TL_SHUTDOWN_READ, -ENOTCONN);
    assert_int_equal(await_all(kernel, fd, TL_READABLE), TL_READABLE | TL_WRITABLE);
    shut(kernel, fd, TL_SHUTDOWN_WRITE, -ENOTCONN);
    await_all(kernel, fd, TL_READABLE | TL_WRITABLE | TL_HANGUP);
    struct iovec iov = {"x", 1};
    struct tl_message message = {.iov = &iov, .iov_count = 1, .addr = &where};
    assert_int_equal(kernel->ops->write(kernel, fd, &message, 1), -EPIPE);
    kernel->ops->destroy(kernel);
}

static void each_family_of_datagrams_has_its_own_errors(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    static const char long_one[70000];
    int four = open_socket(kernel, TL_FAMILY_INET, TL_DATAGRAM);
    int six = open_socket(kernel, TL_FAMILY_INET6, TL_DATAGRAM);
    int value;

    assert_int_equal(seam_write(kernel, four, long_one, sizeof long_one), -EMSGSIZE);
    assert_int_equal(seam_write(kernel, six, long_one, sizeof long_one), -EDESTADDRREQ);
    assert_int_equal(kernel->ops->option(kernel, four, TL_OPTION_NODELAY, NULL, &value),
                     -EOPNOTSUPP);
    assert_int_equal(kernel->ops->option(kernel, six, TL_OPTION_NODELAY, NULL, &value),
                     -ENOPROTOOPT);
    kernel->ops->destroy(kernel);
}

static void a_unix_client_may_have_shut_down_before_it_connects(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int listener = open_socket(kernel, TL_FAMILY_UNIX, TL_STREAM);
    int client = open_socket(kernel, TL_FAMILY_UNIX, TL_STREAM);
    tl_addr made_up = {.family = TL_FAMILY_UNIX}, where;
    char byte;

    assert_int_equal(kernel->ops->bind(kernel, listener, &made_up), 0);
    assert_int_equal(kernel->ops->address(kernel, listener, TL_ADDRESS_LOCAL, &where), 0);
    assert_int_equal(kernel->ops->listen(kernel, listener, 1), 0);
    shut(kernel, client, TL_SHUTDOWN_READ, 0);
    assert_int_equal(kernel->ops->connect(kernel, client, &where), 0);
    int server = seam_accept(kernel, listener, NULL);
    assert_int_equal(seam_write(kernel, server, "x", 1), -EPIPE);
    assert_int_equal(seam_write(kernel, client, "y", 1), 1);
    assert_int_equal(seam_read_all(kernel, server, &byte, 1), 1);
    kernel->ops->destroy(kernel);
}

/* A pair is writable while less than a quarter of the send buffer is charged: not at a quarter,
 * which these messages cost to the byte, with their heads and pages. */
static void a_quarter_of_a_pairs_buffer_is_too_much(struct contract *contract)
{
    static const size_t sizes[] = {4096, 30000, 4097, 10000};
    static const char block[30000];
    struct tl_kernel *kernel = contract_kernel(contract);
    int fds[2], token;

    assert_int_equal(kernel->ops->pipe(kernel, TL_PIPE_STREAM_PAIR, fds), 0);
    set(kernel, fds[0], TL_OPTION_SNDBUF, 106496);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        seam_await(kernel, fds[0], TL_WRITABLE);
        seam_write_all(kernel, fds[0], block, sizes[i]);
    }
    assert_int_equal(kernel->ops->watch(kernel, fds[0], TL_WRITABLE, &token), 0);
    seam_expect_nothing(kernel, TL_MILLISECOND);
    kernel->ops->destroy(kernel);
}

int main(int argc, char **argv)
{
    static const struct contract_case cases[] = {
        CONTRACT(a_fresh_socket_is_writable_and_hung_up),
        CONTRACT(a_full_backlog_holds_one_more_than_it_says),
        CONTRACT_ONLY(a_host_that_is_not_there_times_out, CONTRACT_SIM | CONTRACT_REPLAY_SIM),
        CONTRACT(a_socket_that_was_refused_may_try_again),
        CONTRACT(children_are_what_their_listener_was),
        CONTRACT(who_shuts_down_before_it_listens_has_children_that_have),
        CONTRACT(a_port_is_bound_twice_by_who_reuses_it_until_one_listens),
        CONTRACT(a_port_is_listened_on_twice_by_who_shares_it),
        CONTRACT(a_servers_port_is_free_again_for_who_reuses_it),
        CONTRACT(an_address_of_six_is_for_six_alone),
        CONTRACT(both_halves_end_in_either_order),
        CONTRACT(who_shuts_down_reading_gets_what_still_comes),
        CONTRACT(what_came_before_a_reset_is_read_then_the_error_once),
        CONTRACT(asking_for_the_error_takes_it),
        CONTRACT(a_reset_after_the_end_is_epipe),
        CONTRACT(who_is_writable_has_a_third_of_the_buffer_free),
        CONTRACT(datagrams_are_shut_down_unconnected_too),
        CONTRACT(each_family_of_datagrams_has_its_own_errors),
        CONTRACT(a_quarter_of_a_pairs_buffer_is_too_much),
        CONTRACT(a_unix_client_may_have_shut_down_before_it_connects),
    };

    return contract_main(argc, argv, "socket_edges", cases, sizeof cases / sizeof *cases);
}
