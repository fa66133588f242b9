/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seam itself, part three: sockets of datagrams (UDP). Names, who receives what, several
 * messages in a call, and errors that come back, each with the errno that Linux gives.
 *
 * Within a host nothing is lost or overtakes, so a body may wait for what it has sent; but it must
 * wait, since a simulated loopback takes its time.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "support/contract.h"
#include "support/seam.h"
#include "support/seam_datagram.h"

/* --- Names --- */

static void a_socket_gets_its_name_when_it_needs_one(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr where, fresh, peer;
    seam_bound(kernel, "127.0.0.1", &where);
    int fd = seam_datagrams(kernel, TL_FAMILY_INET);

    fresh = seam_name(kernel, fd);
    assert_int_equal(fresh.family, TL_FAMILY_INET);
    assert_int_equal(fresh.port, 0);
    assert_int_equal(kernel->ops->address(kernel, fd, TL_ADDRESS_PEER, &peer), -ENOTCONN);
    assert_int_equal(seam_send(kernel, fd, "x", 1, &where), 1);
    tl_addr sent = seam_name(kernel, fd);
    assert_int_not_equal(sent.port, 0);
    tl_addr any = seam_numeric("0.0.0.0", sent.port);
    assert_true(tl_addr_equal(&sent, &any));
    kernel->ops->destroy(kernel);
}

static void bind_is_for_once_and_for_addresses_of_this_host(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr foreign = seam_numeric("192.0.2.1", 0), four = seam_numeric("127.0.0.1", 0);
    tl_addr six = seam_numeric("::1", 0), where;
    int fd = seam_datagrams(kernel, TL_FAMILY_INET);

    assert_int_equal(kernel->ops->bind(kernel, fd, &foreign), -EADDRNOTAVAIL);
    assert_int_equal(kernel->ops->bind(kernel, fd, &six), -EAFNOSUPPORT);
    assert_int_equal(kernel->ops->bind(kernel, fd, &four), 0);
    assert_int_equal(kernel->ops->bind(kernel, fd, &four), -EINVAL);
    where = seam_name(kernel, fd);
    int other = seam_datagrams(kernel, TL_FAMILY_INET);
    assert_int_equal(kernel->ops->bind(kernel, other, &where), -EADDRINUSE);
    assert_int_equal(kernel->ops->listen(kernel, fd, 1), -EOPNOTSUPP);
    assert_int_equal(kernel->ops->accept(kernel, fd, &where), -EOPNOTSUPP);
    assert_int_equal(kernel->ops->shutdown(kernel, fd, TL_SHUTDOWN_WRITE), -ENOTCONN);
    kernel->ops->destroy(kernel);
}

static void connect_names_both_sides_until_it_is_undone(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr where, peer, none = {0};
    seam_bound(kernel, "127.0.0.1", &where);
    int fd = seam_datagrams(kernel, TL_FAMILY_INET);

    assert_int_equal(kernel->ops->connect(kernel, fd, &where), 0);
    tl_addr mine = seam_name(kernel, fd);
    tl_addr expected = seam_numeric("127.0.0.1", mine.port);
    assert_true(tl_addr_equal(&mine, &expected));
    assert_int_not_equal(mine.port, 0);
    assert_int_equal(kernel->ops->address(kernel, fd, TL_ADDRESS_PEER, &peer), 0);
    assert_true(tl_addr_equal(&peer, &where));
    assert_int_equal(kernel->ops->connect(kernel, fd, &where), 0);

    assert_int_equal(kernel->ops->connect(kernel, fd, &none), 0);
    assert_int_equal(seam_name(kernel, fd).port, 0);
    assert_int_equal(kernel->ops->address(kernel, fd, TL_ADDRESS_PEER, &peer), -ENOTCONN);
    assert_int_equal(seam_send(kernel, fd, "x", 1, NULL), -EDESTADDRREQ);
    kernel->ops->destroy(kernel);
}

/* --- Moving datagrams --- */

static void datagrams_keep_their_bounds_and_their_source(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr here, there;
    int one = seam_bound(kernel, "127.0.0.1", &here);
    int two = seam_bound(kernel, "127.0.0.1", &there);

    seam_expect_no_datagram(kernel, two);
    assert_int_equal(seam_await(kernel, one, TL_WRITABLE), TL_WRITABLE);
    assert_int_equal(seam_send(kernel, one, "one", 3, &there), 3);
    assert_int_equal(seam_send(kernel, one, "", 0, &there), 0);
    assert_int_equal(seam_send(kernel, one, "three", 5, &there), 5);
    seam_expect(kernel, two, "one", &here);
    seam_expect(kernel, two, "", &here);
    seam_expect(kernel, two, "three", &here);
    seam_expect_no_datagram(kernel, two);
    kernel->ops->destroy(kernel);
}

static void nowhere_in_particular_means_this_host(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr here, there;
    int one = seam_bound(kernel, "127.0.0.1", &here);
    int two = seam_bound(kernel, "0.0.0.0", &there);

    assert_int_equal(seam_send(kernel, one, "x", 1, &there), 1);
    seam_expect(kernel, two, "x", &here);
    kernel->ops->destroy(kernel);
}

/* By turns, so that nothing that is remembered of the last one will do. */
static void one_port_of_two_addresses(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr here, there[2];
    int sockets[2];
    int from = seam_bound(kernel, "127.0.0.1", &here);
    sockets[0] = seam_bound(kernel, "127.0.0.2", &there[0]);
    there[1] = seam_numeric("127.0.0.3", there[0].port);
    sockets[1] = seam_datagrams(kernel, TL_FAMILY_INET);
    assert_int_equal(kernel->ops->bind(kernel, sockets[1], &there[1]), 0);

    for (int turn = 0; turn < 4; turn++) {
        const char *text = turn % 2 == 0 ? "even" : "odd";
        assert_int_equal(seam_send(kernel, from, text, strlen(text), &there[turn % 2]),
                         strlen(text));
        seam_expect(kernel, sockets[turn % 2], text, &here);
    }
    kernel->ops->destroy(kernel);
}

static void what_is_too_long_to_read_is_cut_and_said_to_be(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr here, there;
    int one = seam_bound(kernel, "127.0.0.1", &here);
    int two = seam_bound(kernel, "127.0.0.1", &there);
    char data[4];
    unsigned truncated = 0;

    assert_int_equal(seam_send(kernel, one, "longer", 6, &there), 6);
    assert_int_equal(seam_send(kernel, one, "next", 4, &there), 4);
    seam_await(kernel, two, TL_READABLE);
    assert_int_equal(seam_receive(kernel, two, data, 4, NULL, &truncated), 4);
    assert_memory_equal(data, "long", 4);
    assert_int_equal(truncated, 1);
    seam_await(kernel, two, TL_READABLE);
    assert_int_equal(seam_receive(kernel, two, data, 4, NULL, &truncated), 4);
    assert_memory_equal(data, "next", 4);
    assert_int_equal(truncated, 0);
    kernel->ops->destroy(kernel);
}

static void a_datagram_is_gathered_and_scattered(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr here, there;
    int one = seam_bound(kernel, "127.0.0.1", &here);
    int two = seam_bound(kernel, "127.0.0.1", &there);
    char first[2], second[10];
    struct iovec out[] = {{"ab", 2}, {"", 0}, {"cde", 3}};
    struct iovec in[] = {{first, 2}, {second, 10}};
    struct tl_message sent = {.iov = out, .iov_count = 3, .addr = &there};
    struct tl_message received = {.iov = in, .iov_count = 2};

    assert_int_equal(kernel->ops->write(kernel, one, &sent, 1), 5);
    seam_await(kernel, two, TL_READABLE);
    assert_int_equal(kernel->ops->read(kernel, two, &received, 1), 5);
    assert_memory_equal(first, "ab", 2);
    assert_memory_equal(second, "cde", 3);
    kernel->ops->destroy(kernel);
}

static void the_longest_datagram_arrives_and_longer_ones_are_refused(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr here, there;
    int one = seam_bound(kernel, "127.0.0.1", &here);
    int two = seam_bound(kernel, "127.0.0.1", &there);
    char *data = calloc(1, 70000);

    data[65506] = 'z';
    assert_int_equal(seam_send(kernel, one, data, 65508, &there), -EMSGSIZE);
    assert_int_equal(seam_send(kernel, one, data, 70000, &there), -EMSGSIZE);
    assert_int_equal(seam_send(kernel, one, data, 65507, &there), 65507);
    data[65506] = 0;
    seam_await(kernel, two, TL_READABLE);
    assert_int_equal(seam_receive(kernel, two, data, 70000, NULL, NULL), 65507);
    assert_int_equal(data[65506], 'z');
    free(data);
    kernel->ops->destroy(kernel);
}

static void several_messages_go_in_one_call(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr here, first, second, from[4];
    int one = seam_bound(kernel, "127.0.0.1", &here);
    int two = seam_bound(kernel, "127.0.0.1", &first);
    int three = seam_bound(kernel, "127.0.0.1", &second);
    struct iovec out[] = {{"a", 1}, {"bb", 2}, {"", 0}, {"dddd", 4}};
    char data[4][3];
    struct iovec in[] = {{data[0], 3}, {data[1], 3}, {data[2], 3}, {data[3], 3}};
    struct tl_message messages[4];

    for (int i = 0; i < 4; i++)
        messages[i] =
            (struct tl_message){.iov = &out[i], .iov_count = 1, .addr = i == 1 ? &second : &first};
    assert_int_equal(kernel->ops->write(kernel, one, messages, 4), 4);
    assert_int_equal(messages[3].len, 4);
    seam_expect(kernel, three, "bb", &here);

    /* The others are there by now: they were sent together. */
    for (int i = 0; i < 4; i++)
        messages[i] = (struct tl_message){.iov = &in[i], .iov_count = 1, .addr = &from[i]};
    seam_await(kernel, two, TL_READABLE);
    assert_int_equal(kernel->ops->read(kernel, two, messages, 4), 3);
    assert_int_equal(messages[0].len, 1);
    assert_int_equal(messages[1].len, 0);
    assert_int_equal(messages[2].len, 3);
    assert_int_equal(messages[1].truncated, 0);
    assert_int_equal(messages[2].truncated, 1);
    assert_memory_equal(data[2], "ddd", 3);
    assert_true(tl_addr_equal(&from[2], &here));
    assert_int_equal(kernel->ops->read(kernel, two, messages, 4), -EAGAIN);
    kernel->ops->destroy(kernel);
}

static void an_error_ends_a_call_with_several_messages(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr here, there;
    int one = seam_bound(kernel, "127.0.0.1", &here);
    int two = seam_bound(kernel, "127.0.0.1", &there);
    struct iovec out = {"a", 1};
    struct tl_message messages[2] = {{.iov = &out, .iov_count = 1, .addr = &there},
                                     {.iov = &out, .iov_count = 1}};

    assert_int_equal(kernel->ops->write(kernel, one, messages, 2), 1);
    assert_int_equal(kernel->ops->write(kernel, one, messages + 1, 1), -EDESTADDRREQ);
    seam_expect(kernel, two, "a", &here);
    kernel->ops->destroy(kernel);
}

/* --- Who receives --- */

static void a_connected_socket_hears_its_peer_alone(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr a, b, c;
    int one = seam_bound(kernel, "127.0.0.1", &a);
    int two = seam_bound(kernel, "127.0.0.1", &b);
    int three = seam_bound(kernel, "127.0.0.1", &c);

    assert_int_equal(kernel->ops->connect(kernel, one, &b), 0);
    assert_int_equal(kernel->ops->connect(kernel, three, &a), 0);
    assert_int_equal(seam_send(kernel, three, "no", 2, NULL), 2);
    assert_int_equal(seam_send(kernel, two, "yes", 3, &a), 3);
    seam_expect(kernel, one, "yes", &b);
    /* For everybody else nobody is there. */
    assert_true(seam_await(kernel, three, TL_READABLE) & TL_FAULT);
    assert_int_equal(seam_error(kernel, three), ECONNREFUSED);
    /* It may write to others all the same. */
    assert_int_equal(seam_send(kernel, one, "hi", 2, &b), 2);
    seam_expect(kernel, two, "hi", &a);
    kernel->ops->destroy(kernel);
}

static void a_connected_socket_is_preferred_and_an_exact_one(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr here, any = seam_numeric("0.0.0.0", 0);
    int sender = seam_bound(kernel, "127.0.0.1", &here);
    int wild = seam_datagrams(kernel, TL_FAMILY_INET);
    int exact = seam_datagrams(kernel, TL_FAMILY_INET);
    int connected = seam_datagrams(kernel, TL_FAMILY_INET);

    seam_set(kernel, wild, TL_OPTION_REUSEADDR, 1);
    seam_set(kernel, exact, TL_OPTION_REUSEADDR, 1);
    seam_set(kernel, connected, TL_OPTION_REUSEADDR, 1);
    assert_int_equal(kernel->ops->bind(kernel, wild, &any), 0);
    tl_addr where = seam_numeric("127.0.0.1", seam_name(kernel, wild).port);
    assert_int_equal(kernel->ops->bind(kernel, exact, &where), 0);
    assert_int_equal(seam_send(kernel, sender, "exact", 5, &where), 5);
    seam_expect(kernel, exact, "exact", &here);

    assert_int_equal(kernel->ops->bind(kernel, connected, &where), 0);
    assert_int_equal(kernel->ops->connect(kernel, connected, &here), 0);
    assert_int_equal(seam_send(kernel, sender, "peer", 4, &where), 4);
    seam_expect(kernel, connected, "peer", &here);
    seam_expect_no_datagram(kernel, wild);
    kernel->ops->destroy(kernel);
}

static void a_port_is_shared_by_those_who_all_agree(struct contract *contract)
{
    static const enum tl_option options[] = {TL_OPTION_REUSEADDR, TL_OPTION_REUSEPORT};
    struct tl_kernel *kernel = contract_kernel(contract);

    for (int i = 0; i < 2; i++) {
        tl_addr any = seam_numeric("127.0.0.1", 0);
        int one = seam_datagrams(kernel, TL_FAMILY_INET);
        int two = seam_datagrams(kernel, TL_FAMILY_INET);
        int three = seam_datagrams(kernel, TL_FAMILY_INET);
        seam_set(kernel, one, options[i], 1);
        seam_set(kernel, two, options[i], 1);
        seam_set(kernel, three, options[1 - i], 1);
        assert_int_equal(kernel->ops->bind(kernel, one, &any), 0);
        tl_addr where = seam_name(kernel, one);
        assert_int_equal(kernel->ops->bind(kernel, three, &where), -EADDRINUSE);
        assert_int_equal(kernel->ops->bind(kernel, two, &where), 0);
    }
    kernel->ops->destroy(kernel);
}

/* Which of the two it is may be anything, but one sender meets one socket. */
static void who_shares_a_port_keeps_its_senders(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr here, any = seam_numeric("127.0.0.1", 0);
    int sender = seam_bound(kernel, "127.0.0.1", &here);
    int fds[2];
    int counts[2] = {0, 0};
    char data[8];

    for (int i = 0; i < 2; i++) {
        fds[i] = seam_datagrams(kernel, TL_FAMILY_INET);
        seam_set(kernel, fds[i], TL_OPTION_REUSEPORT, 1);
        assert_int_equal(kernel->ops->bind(kernel, fds[i], &any), 0);
        any = seam_name(kernel, fds[i]);
        assert_int_equal(kernel->ops->watch(kernel, fds[i], TL_READABLE, &fds[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(seam_send(kernel, sender, "x", 1, &any), 1);
        const int *token = seam_event(kernel).token;
        assert_int_equal(seam_receive(kernel, *token, data, sizeof data, NULL, NULL), 1);
        counts[token - fds]++;
    }
    assert_true(counts[0] == 4 || counts[1] == 4);
    kernel->ops->destroy(kernel);
}

static void what_the_buffer_has_no_room_for_is_dropped(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr here, there;
    int one = seam_bound(kernel, "127.0.0.1", &here);
    int two = seam_bound(kernel, "127.0.0.1", &there);
    char data[1000] = {0};
    int room = 0;
    unsigned n = 0;

    seam_set(kernel, two, TL_OPTION_RCVBUF, 8000);
    assert_int_equal(kernel->ops->option(kernel, two, TL_OPTION_RCVBUF, NULL, &room), 0);
    assert_int_equal(room, 16000);
    for (int i = 0; i < 100; i++) {
        data[0] = (char)i;
        assert_int_equal(seam_send(kernel, one, data, sizeof data, &there), 1000);
    }
    seam_await(kernel, two, TL_READABLE);
    while (seam_receive(kernel, two, data, sizeof data, NULL, NULL) == 1000)
        assert_int_equal(data[0], n++);
    assert_in_range(n, 2, 16);
    assert_int_equal(seam_send(kernel, one, "again", 5, &there), 5);
    seam_expect(kernel, two, "again", &here);
    kernel->ops->destroy(kernel);
}

/* --- Errors that come back --- */

static void a_refusal_is_told_once_and_first(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr here, there;
    int one = seam_bound(kernel, "127.0.0.1", &here);
    int two = seam_bound(kernel, "127.0.0.1", &there);
    char data[10];

    assert_int_equal(kernel->ops->connect(kernel, one, &there), 0);
    assert_int_equal(seam_send(kernel, two, "last", 4, &here), 4);
    seam_await(kernel, one, TL_READABLE);
    seam_close(kernel, two);
    assert_int_equal(seam_send(kernel, one, "x", 1, NULL), 1);
    /* What is there is readable, so the error has to be waited for by itself. */
    while (!(seam_await(kernel, one, TL_READABLE) & TL_FAULT))
        continue;
    assert_int_equal(seam_receive(kernel, one, data, sizeof data, NULL, NULL), -ECONNREFUSED);
    assert_int_equal(seam_receive(kernel, one, data, sizeof data, NULL, NULL), 4);
    seam_expect_no_datagram(kernel, one);

    assert_int_equal(seam_send(kernel, one, "x", 1, NULL), 1);
    assert_true(seam_await(kernel, one, TL_READABLE) & TL_FAULT);
    assert_int_equal(seam_send(kernel, one, "x", 1, NULL), -ECONNREFUSED);
    assert_int_equal(seam_error(kernel, one), 0);
    kernel->ops->destroy(kernel);
}

static void who_is_not_connected_hears_of_no_refusal(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr here, nowhere = seam_deserted(kernel);
    int one = seam_bound(kernel, "127.0.0.1", &here);

    assert_int_equal(seam_send(kernel, one, "x", 1, &nowhere), 1);
    assert_int_equal(kernel->ops->watch(kernel, one, TL_READABLE, &here), 0);
    seam_expect_nothing(kernel, 2 * TL_MILLISECOND);
    assert_int_equal(seam_error(kernel, one), 0);
    kernel->ops->destroy(kernel);
}

static void sending_checks_its_address(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr here, six = seam_numeric("::1", 9), zero = seam_numeric("127.0.0.1", 0);
    int one = seam_bound(kernel, "127.0.0.1", &here);
    int fd = seam_datagrams(kernel, TL_FAMILY_INET);

    assert_int_equal(seam_send(kernel, fd, "x", 1, NULL), -EDESTADDRREQ);
    assert_int_not_equal(seam_name(kernel, fd).port, 0);
    assert_int_equal(seam_send(kernel, one, "x", 1, &six), -EAFNOSUPPORT);
    assert_int_equal(seam_send(kernel, one, "x", 1, &zero), -EINVAL);
    assert_int_equal(kernel->ops->connect(kernel, one, &six), -EAFNOSUPPORT);
    kernel->ops->destroy(kernel);
}

static void a_shut_down_socket_sends_no_more(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr here, there;
    int one = seam_bound(kernel, "127.0.0.1", &here);
    seam_bound(kernel, "127.0.0.1", &there);

    assert_int_equal(kernel->ops->connect(kernel, one, &there), 0);
    assert_int_equal(kernel->ops->shutdown(kernel, one, TL_SHUTDOWN_WRITE), 0);
    assert_int_equal(seam_send(kernel, one, "x", 1, NULL), -EPIPE);
    assert_int_equal(kernel->ops->shutdown(kernel, one, TL_SHUTDOWN_READ), 0);
    assert_int_equal(seam_await(kernel, one, TL_READABLE), TL_READABLE | TL_HANGUP);
    seam_expect_no_datagram(kernel, one);
    kernel->ops->destroy(kernel);
}

static void a_broadcast_needs_leave_and_reaches_everybody(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr here, any = seam_numeric("0.0.0.0", 0);
    int sender = seam_bound(kernel, "127.0.0.1", &here);
    int fds[2];

    for (int i = 0; i < 2; i++) {
        fds[i] = seam_datagrams(kernel, TL_FAMILY_INET);
        seam_set(kernel, fds[i], TL_OPTION_REUSEADDR, 1);
        assert_int_equal(kernel->ops->bind(kernel, fds[i], &any), 0);
        any = seam_name(kernel, fds[i]);
    }
    tl_addr all = seam_numeric("127.255.255.255", any.port);
    assert_int_equal(seam_send(kernel, sender, "x", 1, &all), -EACCES);
    assert_int_equal(kernel->ops->connect(kernel, sender, &all), -EACCES);
    tl_addr everywhere = seam_numeric("255.255.255.255", any.port);
    assert_int_equal(seam_send(kernel, sender, "x", 1, &everywhere), -EACCES);
    seam_set(kernel, sender, TL_OPTION_BROADCAST, 1);
    assert_int_equal(seam_send(kernel, sender, "all", 3, &all), 3);
    seam_expect(kernel, fds[0], "all", &here);
    seam_expect(kernel, fds[1], "all", &here);
    kernel->ops->destroy(kernel);
}

/* --- IPv6, and options --- */

static void sockets_of_ipv6_speak_both(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr here, four, where;
    int six = seam_bound(kernel, "::", &where);
    int one = seam_bound(kernel, "127.0.0.1", &four);
    int other = seam_bound(kernel, "::1", &here);

    tl_addr v4 = seam_numeric("127.0.0.1", where.port);
    assert_int_equal(seam_send(kernel, one, "four", 4, &v4), 4);
    tl_addr mapped = seam_numeric("::ffff:127.0.0.1", four.port);
    seam_expect(kernel, six, "four", &mapped);
    assert_int_equal(seam_send(kernel, six, "back", 4, &mapped), 4);
    tl_addr back = seam_numeric("127.0.0.1", where.port);
    seam_expect(kernel, one, "back", &back);
    tl_addr v6 = seam_numeric("::1", where.port);
    assert_int_equal(seam_send(kernel, other, "six", 3, &v6), 3);
    seam_expect(kernel, six, "six", &here);

    int only = seam_datagrams(kernel, TL_FAMILY_INET6);
    seam_set(kernel, only, TL_OPTION_V6ONLY, 1);
    assert_int_equal(seam_send(kernel, only, "x", 1, &mapped), -ENETUNREACH);
    assert_int_equal(kernel->ops->connect(kernel, only, &mapped), -ENETUNREACH);
    kernel->ops->destroy(kernel);
}

static void options_are_those_of_datagrams(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int fd = seam_datagrams(kernel, TL_FAMILY_INET);
    int value = 1;

    assert_int_equal(kernel->ops->option(kernel, fd, TL_OPTION_NODELAY, &value, NULL),
                     -ENOPROTOOPT);
    assert_int_equal(kernel->ops->option(kernel, fd, TL_OPTION_NODELAY, NULL, &value), -EOPNOTSUPP);
    assert_int_equal(kernel->ops->option(kernel, fd, TL_OPTION_BROADCAST, NULL, &value), 0);
    assert_int_equal(value, 0);
    seam_set(kernel, fd, TL_OPTION_BROADCAST, 1);
    assert_int_equal(kernel->ops->option(kernel, fd, TL_OPTION_BROADCAST, NULL, &value), 0);
    assert_int_equal(value, 1);
    value = 1;
    assert_int_equal(kernel->ops->option(kernel, fd, TL_OPTION_RCVBUF, &value, &value), 0);
    assert_int_equal(value, 2304);
    kernel->ops->destroy(kernel);
}

static const struct contract_case cases[] = {
    CONTRACT(a_socket_gets_its_name_when_it_needs_one),
    CONTRACT(bind_is_for_once_and_for_addresses_of_this_host),
    CONTRACT(connect_names_both_sides_until_it_is_undone),
    CONTRACT(datagrams_keep_their_bounds_and_their_source),
    CONTRACT(nowhere_in_particular_means_this_host),
    CONTRACT(one_port_of_two_addresses),
    CONTRACT(what_is_too_long_to_read_is_cut_and_said_to_be),
    CONTRACT(a_datagram_is_gathered_and_scattered),
    CONTRACT(the_longest_datagram_arrives_and_longer_ones_are_refused),
    CONTRACT(several_messages_go_in_one_call),
    CONTRACT(an_error_ends_a_call_with_several_messages),
    CONTRACT(a_connected_socket_hears_its_peer_alone),
    CONTRACT(a_connected_socket_is_preferred_and_an_exact_one),
    CONTRACT(a_port_is_shared_by_those_who_all_agree),
    CONTRACT(who_shares_a_port_keeps_its_senders),
    CONTRACT(what_the_buffer_has_no_room_for_is_dropped),
    CONTRACT(a_refusal_is_told_once_and_first),
    CONTRACT(who_is_not_connected_hears_of_no_refusal),
    CONTRACT(sending_checks_its_address),
    CONTRACT(a_shut_down_socket_sends_no_more),
    CONTRACT(a_broadcast_needs_leave_and_reaches_everybody),
    CONTRACT(sockets_of_ipv6_speak_both),
    CONTRACT(options_are_those_of_datagrams),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "datagrams", cases, sizeof cases / sizeof *cases);
}
