/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seam itself, part two: stream sockets. Connecting, accepting, reading and writing, and the
 * ways in which a connection ends, each with the errno that Linux gives.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <twinloop/error.h>
#include <cmocka.h>
#include "support/contract.h"
#include "support/seam.h"

#define loopback(port) numeric("127.0.0.1", port)

static tl_addr numeric(const char *host, uint16_t port)
{
    tl_addr addr;

    assert_int_equal(tl_addr_parse(host, port, &addr), 0);
    return addr;
}

static tl_addr address(struct tl_kernel *kernel, int fd, enum tl_address_side side)
{
    tl_addr addr;

    assert_int_equal(kernel->ops->address(kernel, fd, side, &addr), 0);
    return addr;
}

/* --- Names --- */

static void both_sides_know_both_addresses(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr where, peer;
    int listener = seam_listen(kernel, 5, &where);

    assert_int_equal(where.family, TL_FAMILY_INET);
    assert_int_not_equal(where.port, 0);
    int client = seam_start_connect(kernel, &where);
    int server = seam_accept(kernel, listener, &peer);
    assert_int_equal(seam_finish_connect(kernel, client), 0);

    tl_addr client_local = address(kernel, client, TL_ADDRESS_LOCAL);
    tl_addr client_peer = address(kernel, client, TL_ADDRESS_PEER);
    tl_addr server_local = address(kernel, server, TL_ADDRESS_LOCAL);
    tl_addr server_peer = address(kernel, server, TL_ADDRESS_PEER);
    assert_true(tl_addr_equal(&client_peer, &where));
    assert_true(tl_addr_equal(&server_local, &where));
    assert_true(tl_addr_equal(&server_peer, &client_local));
    assert_true(tl_addr_equal(&peer, &client_local));
    assert_int_not_equal(client_local.port, where.port);
    assert_int_equal(kernel->ops->address(kernel, listener, TL_ADDRESS_PEER, &peer), -ENOTCONN);
    kernel->ops->destroy(kernel);
}

static void port_zero_is_a_free_port_each_time(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr one, two;

    seam_listen(kernel, 1, &one);
    seam_listen(kernel, 1, &two);
    assert_int_not_equal(one.port, 0);
    assert_int_not_equal(two.port, 0);
    assert_int_not_equal(one.port, two.port);
    kernel->ops->destroy(kernel);
}

static void a_port_in_use_is_refused(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr where;
    int one = 1;

    int listener = seam_listen(kernel, 1, &where);
    int fd = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
    assert_int_equal(kernel->ops->bind(kernel, fd, &where), -EADDRINUSE);
    /* SO_REUSEADDR is for ports that linger, not for ports that are listened on. */
    assert_int_equal(kernel->ops->option(kernel, fd, TL_OPTION_REUSEADDR, &one, NULL), 0);
    assert_int_equal(kernel->ops->bind(kernel, fd, &where), -EADDRINUSE);
    seam_close(kernel, listener);
    assert_int_equal(kernel->ops->bind(kernel, fd, &where), 0);
    assert_int_equal(kernel->ops->bind(kernel, fd, &where), -EINVAL);
    kernel->ops->destroy(kernel);
}

static void a_foreign_address_cannot_be_bound(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr foreign = numeric("192.0.2.1", 0);
    int fd = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);

    assert_int_equal(kernel->ops->bind(kernel, fd, &foreign), -EADDRNOTAVAIL);
    kernel->ops->destroy(kernel);
}

static void bound_clients_keep_their_port(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr where, any = loopback(0);
    int listener = seam_listen(kernel, 1, &where);

    int client = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
    assert_int_equal(kernel->ops->bind(kernel, client, &any), 0);
    tl_addr mine = address(kernel, client, TL_ADDRESS_LOCAL);
    assert_int_not_equal(mine.port, 0);
    int r = kernel->ops->connect(kernel, client, &where);
    assert_true(r == 0 || r == -EINPROGRESS);
    tl_addr peer;
    seam_accept(kernel, listener, &peer);
    assert_true(tl_addr_equal(&peer, &mine));
    kernel->ops->destroy(kernel);
}

static void options_are_kept(struct contract *contract)
{
    static const enum tl_option switches[] = {TL_OPTION_REUSEADDR, TL_OPTION_REUSEPORT,
                                              TL_OPTION_NODELAY, TL_OPTION_KEEPALIVE};
    struct tl_kernel *kernel = contract_kernel(contract);
    int fd = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
    int on = 1, off = 0, got = -1;

    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++) {
        enum tl_option option = switches[i];
        assert_int_equal(kernel->ops->option(kernel, fd, option, NULL, &got), 0);
        assert_int_equal(got, 0);
        assert_int_equal(kernel->ops->option(kernel, fd, option, &on, &got), 0);
        assert_int_not_equal(got, 0);
        assert_int_equal(kernel->ops->option(kernel, fd, option, &off, NULL), 0);
        assert_int_equal(kernel->ops->option(kernel, fd, option, NULL, &got), 0);
        assert_int_equal(got, 0);
    }
    int size = 32768;
    assert_int_equal(kernel->ops->option(kernel, fd, TL_OPTION_SNDBUF, &size, &got), 0);
    assert_int_equal(got, 2 * size);
    assert_int_equal(kernel->ops->option(kernel, fd, TL_OPTION_RCVBUF, &size, &got), 0);
    assert_int_equal(got, 2 * size);
    kernel->ops->destroy(kernel);
}

static void six_is_another_family(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr any = numeric("::1", 0), peer;
    int on = 1, got = 0;

    int listener = kernel->ops->socket(kernel, TL_FAMILY_INET6, TL_STREAM);
    assert_true(listener >= 0);
    assert_int_equal(kernel->ops->option(kernel, listener, TL_OPTION_V6ONLY, &on, &got), 0);
    assert_int_equal(got, 1);
    assert_int_equal(kernel->ops->bind(kernel, listener, &any), 0);
    assert_int_equal(kernel->ops->listen(kernel, listener, 1), 0);
    tl_addr where = address(kernel, listener, TL_ADDRESS_LOCAL);
    assert_int_equal(where.family, TL_FAMILY_INET6);

    int client = kernel->ops->socket(kernel, TL_FAMILY_INET6, TL_STREAM);
    int r = kernel->ops->connect(kernel, client, &where);
    assert_true(r == 0 || r == -EINPROGRESS);
    seam_accept(kernel, listener, &peer);
    assert_int_equal(peer.family, TL_FAMILY_INET6);
    assert_memory_equal(peer.data, any.data, 16);

    assert_int_equal(kernel->ops->socket(kernel, TL_FAMILY_NONE, TL_STREAM), -EAFNOSUPPORT);
    kernel->ops->destroy(kernel);
}

/* --- Connecting and accepting --- */

static void nobody_listening_refuses(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr where;
    int error;

    seam_close(kernel, seam_listen(kernel, 1, &where));
    int client = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
    int r = kernel->ops->connect(kernel, client, &where);
    if (r == -EINPROGRESS)
        r = seam_finish_connect(kernel, client);
    assert_int_equal(r, -ECONNREFUSED);
    /* The error was told once. */
    assert_int_equal(kernel->ops->option(kernel, client, TL_OPTION_ERROR, NULL, &error), 0);
    assert_int_equal(error, 0);
    kernel->ops->destroy(kernel);
}

static void accept_without_a_connection_is_eagain(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr where, peer;
    int listener = seam_listen(kernel, 1, &where);

    assert_int_equal(kernel->ops->accept(kernel, listener, &peer), -EAGAIN);
    int fd = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
    assert_int_equal(kernel->ops->accept(kernel, fd, &peer), -EINVAL);
    kernel->ops->destroy(kernel);
}

static void the_backlog_is_first_come_first_served(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr where, peer, locals[5];
    int listener = seam_listen(kernel, 5, &where);

    for (int i = 0; i < 5; i++) {
        int client = seam_start_connect(kernel, &where);
        assert_int_equal(seam_finish_connect(kernel, client), 0);
        locals[i] = address(kernel, client, TL_ADDRESS_LOCAL);
    }
    for (int i = 0; i < 5; i++) {
        seam_accept(kernel, listener, &peer);
        assert_true(tl_addr_equal(&peer, &locals[i]));
    }
    assert_int_equal(kernel->ops->accept(kernel, listener, &peer), -EAGAIN);
    kernel->ops->destroy(kernel);
}

static void data_sent_before_accept_waits(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr where;
    char data[5];
    int listener = seam_listen(kernel, 5, &where);
    int client = seam_start_connect(kernel, &where);

    assert_int_equal(seam_finish_connect(kernel, client), 0);
    seam_write_all(kernel, client, "early", 5);
    seam_close(kernel, client);
    int server = seam_accept(kernel, listener, NULL);
    assert_int_equal(seam_read_all(kernel, server, data, 5), 5);
    assert_memory_equal(data, "early", 5);
    assert_int_equal(seam_read_error(kernel, server), 0);
    kernel->ops->destroy(kernel);
}

static void a_fresh_socket_is_not_connected(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int fd = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
    tl_addr peer;
    char byte;

    assert_int_equal(seam_read(kernel, fd, &byte, 1), -ENOTCONN);
    assert_int_equal(seam_write(kernel, fd, "x", 1), -EPIPE);
    assert_int_equal(kernel->ops->shutdown(kernel, fd, TL_SHUTDOWN_WRITE), -ENOTCONN);
    assert_int_equal(kernel->ops->address(kernel, fd, TL_ADDRESS_PEER, &peer), -ENOTCONN);
    kernel->ops->destroy(kernel);
}

static void connecting_twice_is_eisconn(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int fds[2];

    seam_connection(kernel, fds);
    tl_addr where = address(kernel, fds[0], TL_ADDRESS_PEER);
    /* The first call after a connect's success answers 0 on Linux; the next ones do not. */
    int r = kernel->ops->connect(kernel, fds[0], &where);
    assert_true(r == 0 || r == -EISCONN);
    assert_int_equal(kernel->ops->connect(kernel, fds[0], &where), -EISCONN);
    kernel->ops->destroy(kernel);
}

/* --- Bytes --- */

static void bytes_arrive_in_order(struct contract *contract)
{
    enum { TOTAL = 100000 };
    struct tl_kernel *kernel = contract_kernel(contract);
    unsigned char *sent = malloc(TOTAL), *got = malloc(TOTAL);
    size_t written = 0, read = 0;
    int fds[2];

    assert_true(sent != NULL && got != NULL);
    for (size_t i = 0; i < TOTAL; i++)
        sent[i] = (unsigned char)(i * 31 + i / 251);
    seam_connection(kernel, fds);
    while (read < TOTAL) {
        if (written < TOTAL) {
            size_t piece = TOTAL - written < 7777 ? TOTAL - written : 7777;
            ssize_t n = seam_write(kernel, fds[0], sent + written, piece);
            assert_true(n > 0 || n == -EAGAIN);
            written += n > 0 ? (size_t)n : 0;
        }
        ssize_t n = seam_read(kernel, fds[1], got + read, TOTAL - read);
        if (n == -EAGAIN)
            seam_await(kernel, fds[1], TL_READABLE);
        else
            assert_true(n > 0);
        read += n > 0 ? (size_t)n : 0;
    }
    assert_memory_equal(sent, got, TOTAL);
    free(sent);
    free(got);
    kernel->ops->destroy(kernel);
}

static void a_read_takes_no_more_than_its_room(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    char data[9] = "????????";
    int fds[2];

    seam_connection(kernel, fds);
    seam_write_all(kernel, fds[0], "abcdef", 6);
    assert_int_equal(seam_read_all(kernel, fds[1], data, 2), 2);
    assert_string_equal(data, "ab??????");
    assert_int_equal(seam_read_all(kernel, fds[1], data, 4), 4);
    assert_string_equal(data, "cdef????");
    assert_int_equal(seam_read(kernel, fds[1], data, 8), -EAGAIN);
    kernel->ops->destroy(kernel);
}

static void pieces_are_gathered_and_scattered(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    char one[] = "one", two[] = "two", all[7] = "", head[3] = "", tail[3] = "";
    struct iovec out[] = {{one, 3}, {NULL, 0}, {two, 3}};
    struct iovec in[] = {{head, 2}, {tail, 2}};
    struct tl_message message = {.iov = out, .iov_count = 3};
    int fds[2];

    seam_connection(kernel, fds);
    assert_int_equal(kernel->ops->write(kernel, fds[0], &message, 1), 6);
    assert_int_equal(seam_read_all(kernel, fds[1], all, 2), 2);
    assert_string_equal(all, "on");

    seam_await(kernel, fds[1], TL_READABLE);
    message = (struct tl_message){.iov = in, .iov_count = 2};
    ssize_t n = kernel->ops->read(kernel, fds[1], &message, 1);
    assert_true(n > 0 && n <= 4);
    memcpy(all, "etwo", 4);
    assert_memory_equal(head, all, n < 2 ? n : 2);
    if (n > 2)
        assert_memory_equal(tail, all + 2, n - 2);
    kernel->ops->destroy(kernel);
}

static void streams_take_one_message_at_a_time(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    char byte = 'x';
    struct iovec iov = {&byte, 1};
    struct tl_message messages[2] = {{.iov = &iov, .iov_count = 1}, {.iov = &iov, .iov_count = 1}};
    int fds[2];

    seam_connection(kernel, fds);
    assert_int_equal(kernel->ops->write(kernel, fds[0], messages, 2), -EINVAL);
    assert_int_equal(kernel->ops->read(kernel, fds[1], messages, 2), -EINVAL);
    kernel->ops->destroy(kernel);
}

static void a_full_connection_is_eagain_until_it_is_read(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    static char block[16384];
    size_t written = 0, read = 0;
    ssize_t n;
    int fds[2], token;

    seam_connection(kernel, fds);
    while ((n = seam_write(kernel, fds[0], block, sizeof block)) > 0)
        written += (size_t)n;
    assert_int_equal(n, -EAGAIN);
    assert_true(written > 0);
    assert_int_equal(kernel->ops->watch(kernel, fds[0], TL_WRITABLE, &token), 0);
    seam_expect_nothing(kernel, TL_MILLISECOND);
    assert_int_equal(kernel->ops->watch(kernel, fds[0], 0, NULL), 0);
    while (read < written)
        read += seam_read_all(kernel, fds[1], block,
                              written - read < sizeof block ? written - read : sizeof block);
    assert_int_equal(seam_await(kernel, fds[0], TL_WRITABLE), TL_WRITABLE);
    assert_true(seam_write(kernel, fds[0], block, 1) == 1);
    kernel->ops->destroy(kernel);
}

/* --- Ends --- */

static void half_a_close_leaves_the_other_half(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    char data[8];
    int fds[2];

    seam_connection(kernel, fds);
    seam_write_all(kernel, fds[0], "last", 4);
    assert_int_equal(kernel->ops->shutdown(kernel, fds[0], TL_SHUTDOWN_WRITE), 0);
    assert_int_equal(seam_write(kernel, fds[0], "x", 1), -EPIPE);

    assert_int_equal(seam_read_all(kernel, fds[1], data, 8), 4);
    /* The end stays. */
    assert_int_equal(seam_read(kernel, fds[1], data, 8), 0);
    assert_int_equal(seam_await(kernel, fds[1], TL_READABLE), TL_READABLE);

    seam_write_all(kernel, fds[1], "reply", 5);
    assert_int_equal(seam_read_all(kernel, fds[0], data, 5), 5);
    assert_memory_equal(data, "reply", 5);
    kernel->ops->destroy(kernel);
}

static void closing_is_the_end_for_the_peer(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    char data[8];
    int fds[2];

    seam_connection(kernel, fds);
    seam_write_all(kernel, fds[0], "bye", 3);
    seam_close(kernel, fds[0]);
    assert_int_equal(seam_read_all(kernel, fds[1], data, 8), 3);
    assert_int_equal(seam_read_error(kernel, fds[1]), 0);
    kernel->ops->destroy(kernel);
}

static void writing_to_who_has_closed_is_a_reset_then_epipe(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int fds[2];

    seam_connection(kernel, fds);
    seam_close(kernel, fds[0]);
    assert_int_equal(seam_read_error(kernel, fds[1]), 0);
    /* The first write is taken, and answered by a reset. */
    assert_int_equal(seam_write(kernel, fds[1], "x", 1), 1);
    unsigned ready = 0;
    while ((ready & TL_HANGUP) == 0)
        ready = seam_await(kernel, fds[1], TL_READABLE);
    assert_int_equal(seam_write(kernel, fds[1], "x", 1), -EPIPE);
    kernel->ops->destroy(kernel);
}

static void closing_over_unread_bytes_is_a_reset(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int fds[2], error = 0;

    seam_connection(kernel, fds);
    seam_write_all(kernel, fds[0], "unread", 6);
    seam_await(kernel, fds[1], TL_READABLE);
    seam_close(kernel, fds[1]);
    unsigned ready = 0;
    while ((ready & TL_FAULT) == 0)
        ready = seam_await(kernel, fds[0], TL_READABLE);
    assert_int_equal(ready & TL_HANGUP, TL_HANGUP);
    assert_int_equal(seam_read_error(kernel, fds[0]), -ECONNRESET);
    /* The error was told once: what is left is an ended stream. */
    assert_int_equal(seam_read_error(kernel, fds[0]), 0);
    assert_int_equal(kernel->ops->option(kernel, fds[0], TL_OPTION_ERROR, NULL, &error), 0);
    assert_int_equal(error, 0);
    assert_int_equal(seam_write(kernel, fds[0], "x", 1), -EPIPE);
    kernel->ops->destroy(kernel);
}

static void a_write_may_be_told_of_the_reset(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int fds[2];

    seam_connection(kernel, fds);
    seam_write_all(kernel, fds[0], "unread", 6);
    seam_await(kernel, fds[1], TL_READABLE);
    seam_close(kernel, fds[1]);
    unsigned ready = 0;
    while ((ready & TL_FAULT) == 0)
        ready = seam_await(kernel, fds[0], TL_READABLE);
    assert_int_equal(seam_write(kernel, fds[0], "x", 1), -ECONNRESET);
    assert_int_equal(seam_write(kernel, fds[0], "x", 1), -EPIPE);
    assert_int_equal(seam_read_error(kernel, fds[0]), 0);
    kernel->ops->destroy(kernel);
}

static void closing_a_listener_resets_who_waits(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr where;
    int listener = seam_listen(kernel, 5, &where);
    int client = seam_start_connect(kernel, &where);

    assert_int_equal(seam_finish_connect(kernel, client), 0);
    seam_await(kernel, listener, TL_READABLE);
    seam_close(kernel, listener);
    assert_int_equal(seam_read_error(kernel, client), -ECONNRESET);
    kernel->ops->destroy(kernel);
}

static void destroy_closes_what_is_open(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr where;
    int fds[2], token;

    seam_listen(kernel, 5, &where);
    seam_connection(kernel, fds);
    assert_int_equal(kernel->ops->watch(kernel, fds[0], TL_READABLE, &token), 0);
    kernel->ops->destroy(kernel);
    /* The port is free for another kernel, if that one has the same network at all. */
    kernel = contract_kernel(contract);
    int fd = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
    assert_int_equal(kernel->ops->bind(kernel, fd, &where), 0);
    kernel->ops->destroy(kernel);
}

int main(int argc, char **argv)
{
    static const struct contract_case cases[] = {
        CONTRACT(both_sides_know_both_addresses),
        CONTRACT(port_zero_is_a_free_port_each_time),
        CONTRACT(a_port_in_use_is_refused),
        CONTRACT(a_foreign_address_cannot_be_bound),
        CONTRACT(bound_clients_keep_their_port),
        CONTRACT(options_are_kept),
        CONTRACT(six_is_another_family),
        CONTRACT(nobody_listening_refuses),
        CONTRACT(accept_without_a_connection_is_eagain),
        CONTRACT(the_backlog_is_first_come_first_served),
        CONTRACT(data_sent_before_accept_waits),
        CONTRACT(a_fresh_socket_is_not_connected),
        CONTRACT(connecting_twice_is_eisconn),
        CONTRACT(bytes_arrive_in_order),
        CONTRACT(a_read_takes_no_more_than_its_room),
        CONTRACT(pieces_are_gathered_and_scattered),
        CONTRACT(streams_take_one_message_at_a_time),
        CONTRACT(a_full_connection_is_eagain_until_it_is_read),
        CONTRACT(half_a_close_leaves_the_other_half),
        CONTRACT(closing_is_the_end_for_the_peer),
        CONTRACT(writing_to_who_has_closed_is_a_reset_then_epipe),
        CONTRACT(closing_over_unread_bytes_is_a_reset),
        CONTRACT(a_write_may_be_told_of_the_reset),
        CONTRACT(closing_a_listener_resets_who_waits),
        CONTRACT(destroy_closes_what_is_open),
    };

    return contract_main(argc, argv, "socket", cases, sizeof cases / sizeof *cases);
}
