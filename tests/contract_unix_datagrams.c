/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seam itself: Unix-domain sockets of datagrams. What UDP has too is in contract_datagrams.c;
 * here nothing is lost, and writers wait.
 *
 * Names are abstract ones that the system makes up, or this process's own, so that bodies may run
 * side by side.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <twinloop/unix.h>
#include <unistd.h>
#include <cmocka.h>
#include "support/contract.h"
#include "support/seam.h"
#include "support/seam_datagram.h"

static const tl_addr no_name = {.family = TL_FAMILY_UNIX};

static int new_socket(struct tl_kernel *kernel)
{
    return seam_datagrams(kernel, TL_FAMILY_UNIX);
}

/* A socket with a name, and what that is. */
static int bound(struct tl_kernel *kernel, tl_addr *ret)
{
    int fd = new_socket(kernel);

    assert_int_equal(kernel->ops->bind(kernel, fd, &no_name), 0);
    *ret = seam_name(kernel, fd);
    assert_int_equal(ret->family, TL_FAMILY_UNIX);
    assert_int_not_equal(ret->len, 0);
    return fd;
}

static int connected(struct tl_kernel *kernel, const tl_addr *addr)
{
    int fd = new_socket(kernel);

    assert_int_equal(kernel->ops->connect(kernel, fd, addr), 0);
    return fd;
}

static void datagrams_keep_their_bounds_and_their_source(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr here, there, from = {.family = TL_FAMILY_INET};
    int one = bound(kernel, &here);
    int two = bound(kernel, &there);
    int nobody = new_socket(kernel);
    char data[10];
    unsigned truncated;

    assert_int_equal(seam_send(kernel, one, "one", 3, &there), 3);
    assert_int_equal(seam_send(kernel, one, "", 0, &there), 0);
    assert_int_equal(seam_send(kernel, one, "longer", 6, &there), 6);
    seam_expect(kernel, two, "one", &here);
    seam_expect(kernel, two, "", &here);
    assert_int_equal(seam_receive(kernel, two, data, 4, NULL, &truncated), 4);
    assert_int_equal(truncated, 1);
    seam_expect_no_datagram(kernel, two);
    assert_int_equal(seam_send(kernel, nobody, "x", 1, &there), 1);
    assert_int_equal(seam_receive(kernel, two, data, sizeof data, &from, NULL), 1);
    assert_int_equal(from.family, TL_FAMILY_NONE);
    kernel->ops->destroy(kernel);
}

static void several_messages_go_in_one_call(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr here, there, from[4];
    int one = bound(kernel, &here);
    int two = bound(kernel, &there);
    struct iovec out[] = {{"a", 1}, {"", 0}, {"ccc", 3}};
    char data[4][3];
    struct iovec in[] = {{data[0], 3}, {data[1], 3}, {data[2], 2}, {data[3], 3}};
    struct tl_message messages[4];

    for (int i = 0; i < 3; i++)
        messages[i] = (struct tl_message){.iov = &out[i], .iov_count = 1, .addr = &there};
    assert_int_equal(kernel->ops->write(kernel, one, messages, 3), 3);
    for (int i = 0; i < 4; i++)
        messages[i] = (struct tl_message){.iov = &in[i], .iov_count = 1, .addr = &from[i]};
    assert_int_equal(kernel->ops->read(kernel, two, messages, 4), 3);
    assert_int_equal(messages[0].len, 1);
    assert_int_equal(messages[1].len, 0);
    assert_int_equal(messages[2].len, 2);
    assert_int_equal(messages[2].truncated, 1);
    assert_true(tl_addr_equal(&from[2], &here));
    kernel->ops->destroy(kernel);
}

static void a_full_queue_keeps_its_writers_waiting(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr there;
    int reader = bound(kernel, &there);
    int writer = connected(kernel, &there);
    int other = new_socket(kernel);
    char data[10];
    int n = 0;

    while (seam_send(kernel, writer, "x", 1, NULL) == 1)
        n++;
    assert_int_equal(seam_send(kernel, writer, "x", 1, NULL), -EAGAIN);
    assert_int_equal(seam_send(kernel, other, "x", 1, &there), -EAGAIN);
    assert_int_equal(kernel->ops->watch(kernel, writer, TL_WRITABLE, data), 0);
    seam_expect_nothing(kernel, TL_MILLISECOND);
    assert_int_equal(seam_receive(kernel, reader, data, sizeof data, NULL, NULL), 1);
    assert_int_equal(seam_await(kernel, writer, TL_WRITABLE), TL_WRITABLE);
    assert_int_equal(seam_send(kernel, writer, "x", 1, NULL), 1);
    while (seam_receive(kernel, reader, data, sizeof data, NULL, NULL) == 1)
        n--;
    assert_int_equal(n, 0);
    kernel->ops->destroy(kernel);
}

static void the_send_buffer_is_full_of_what_is_unread(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr there;
    int reader = bound(kernel, &there);
    int writer = connected(kernel, &there);
    char *data = calloc(1, 400000);
    int n = 0;

    assert_int_equal(seam_send(kernel, writer, data, 400000, NULL), -EMSGSIZE);
    assert_int_equal(seam_send(kernel, writer, data, 200000, NULL), 200000);
    assert_int_equal(seam_receive(kernel, reader, data, 400000, NULL, NULL), 200000);
    while (seam_send(kernel, writer, data, 30000, NULL) == 30000)
        n++;
    assert_int_equal(n, 7);
    assert_int_equal(kernel->ops->watch(kernel, writer, TL_WRITABLE, data), 0);
    seam_expect_nothing(kernel, TL_MILLISECOND);
    while (n-- > 0)
        assert_int_equal(seam_receive(kernel, reader, data, 30000, NULL, NULL), 30000);
    assert_int_equal(seam_await(kernel, writer, TL_WRITABLE), TL_WRITABLE);
    free(data);
    kernel->ops->destroy(kernel);
}

static void sending_finds_out_who_is_there(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr a, b, listening, gone, inet = seam_numeric("127.0.0.1", 9);
    int one = bound(kernel, &a);
    int two = bound(kernel, &b);
    int fd = new_socket(kernel);
    int listener = kernel->ops->socket(kernel, TL_FAMILY_UNIX, TL_STREAM);
    int stream = kernel->ops->socket(kernel, TL_FAMILY_UNIX, TL_STREAM);

    assert_int_equal(kernel->ops->bind(kernel, listener, &no_name), 0);
    assert_int_equal(kernel->ops->listen(kernel, listener, 1), 0);
    listening = seam_name(kernel, listener);
    seam_close(kernel, bound(kernel, &gone));
    assert_int_equal(seam_send(kernel, fd, "x", 1, NULL), -ENOTCONN);
    assert_int_equal(seam_send(kernel, fd, "x", 1, &gone), -ECONNREFUSED);
    assert_int_equal(seam_send(kernel, fd, "x", 1, &inet), -EINVAL);
    /* Abstract names of streams are others. */
    assert_int_equal(seam_send(kernel, fd, "x", 1, &listening), -ECONNREFUSED);
    assert_int_equal(kernel->ops->connect(kernel, fd, &listening), -ECONNREFUSED);
    assert_int_equal(kernel->ops->connect(kernel, fd, &gone), -ECONNREFUSED);
    assert_int_equal(kernel->ops->connect(kernel, stream, &a), -ECONNREFUSED);

    /* Who is connected hears nobody else. */
    assert_int_equal(kernel->ops->connect(kernel, one, &b), 0);
    assert_int_equal(seam_send(kernel, fd, "x", 1, &a), -EPERM);
    assert_int_equal(kernel->ops->connect(kernel, fd, &a), -EPERM);
    assert_int_equal(seam_send(kernel, two, "x", 1, &a), 1);
    seam_expect(kernel, one, "x", &b);
    assert_int_equal(kernel->ops->listen(kernel, one, 1), -EOPNOTSUPP);
    assert_int_equal(kernel->ops->accept(kernel, one, &a), -EOPNOTSUPP);
    kernel->ops->destroy(kernel);
}

static void a_peer_that_has_gone_is_told_once(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr there, peer;
    int reader = bound(kernel, &there);
    int writer = connected(kernel, &there);

    assert_int_equal(kernel->ops->address(kernel, writer, TL_ADDRESS_PEER, &peer), 0);
    assert_true(tl_addr_equal(&peer, &there));
    assert_int_equal(seam_send(kernel, writer, "x", 1, NULL), 1);
    seam_close(kernel, reader);
    assert_int_equal(seam_await(kernel, writer, TL_WRITABLE), TL_WRITABLE);
    assert_int_equal(seam_send(kernel, writer, "x", 1, NULL), -ECONNREFUSED);
    assert_int_equal(seam_send(kernel, writer, "x", 1, NULL), -ENOTCONN);
    assert_int_equal(kernel->ops->address(kernel, writer, TL_ADDRESS_PEER, &peer), -ENOTCONN);
    kernel->ops->destroy(kernel);
}

static void what_a_closed_socket_sent_is_still_read(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr here, there;
    int reader = bound(kernel, &there);
    int writer = bound(kernel, &here);

    assert_int_equal(seam_send(kernel, writer, "last", 4, &there), 4);
    assert_int_equal(seam_send(kernel, writer, "words", 5, &there), 5);
    seam_close(kernel, writer);
    seam_expect(kernel, reader, "last", &here);
    kernel->ops->destroy(kernel);
}

static void shutting_down_concerns_one_side(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr there, none = {0};
    int reader = bound(kernel, &there);
    int writer = connected(kernel, &there);
    int other = new_socket(kernel);

    assert_int_equal(seam_send(kernel, writer, "x", 1, NULL), 1);
    assert_int_equal(kernel->ops->shutdown(kernel, writer, TL_SHUTDOWN_WRITE), 0);
    assert_int_equal(seam_send(kernel, writer, "x", 1, NULL), -EPIPE);
    assert_int_equal(kernel->ops->shutdown(kernel, reader, TL_SHUTDOWN_READ), 0);
    assert_int_equal(seam_send(kernel, other, "x", 1, &there), -EPIPE);
    seam_expect(kernel, reader, "x", NULL);
    seam_expect_no_datagram(kernel, reader);
    assert_int_equal(kernel->ops->shutdown(kernel, other, TL_SHUTDOWN_BOTH), 0);
    assert_int_equal(kernel->ops->connect(kernel, writer, &none), 0);
    kernel->ops->destroy(kernel);
}

/* The source of a datagram is what its sender is called when it is read. */
static void a_sender_may_get_its_name_afterwards(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr there, from = {.family = TL_FAMILY_INET};
    int reader = bound(kernel, &there);
    int writer = new_socket(kernel);
    char data[4];

    assert_int_equal(seam_send(kernel, writer, "ab", 2, &there), 2);
    assert_int_equal(seam_send(kernel, writer, "cd", 2, &there), 2);
    assert_int_equal(seam_receive(kernel, reader, data, sizeof data, &from, NULL), 2);
    assert_int_equal(from.family, TL_FAMILY_NONE);
    assert_int_equal(kernel->ops->bind(kernel, writer, &no_name), 0);
    tl_addr name = seam_name(kernel, writer);
    seam_close(kernel, writer);
    seam_expect(kernel, reader, "cd", &name);
    kernel->ops->destroy(kernel);
}

/* Two that are connected to each other, and what they are called. */
static void open_two(struct tl_kernel *kernel, int ret[2], tl_addr ret_names[2])
{
    ret[0] = bound(kernel, &ret_names[0]);
    ret[1] = bound(kernel, &ret_names[1]);
    assert_int_equal(kernel->ops->connect(kernel, ret[0], &ret_names[1]), 0);
    assert_int_equal(kernel->ops->connect(kernel, ret[1], &ret_names[0]), 0);
}

static void parting_with_something_unread_is_an_error_for_the_peer(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr names[2], none = {0};
    int ends[2];

    open_two(kernel, ends, names);
    assert_int_equal(seam_send(kernel, ends[1], "x", 1, NULL), 1);
    assert_int_equal(seam_send(kernel, ends[0], "y", 1, NULL), 1);
    assert_int_equal(kernel->ops->connect(kernel, ends[0], &none), 0);
    seam_expect_no_datagram(kernel, ends[0]);
    assert_int_equal(seam_await(kernel, ends[1], TL_READABLE), TL_READABLE | TL_FAULT);
    assert_int_equal(seam_receive(kernel, ends[1], NULL, 0, NULL, NULL), -ECONNRESET);
    seam_expect(kernel, ends[1], "y", &names[0]);

    /* Once more, for a write to meet it. */
    assert_int_equal(kernel->ops->connect(kernel, ends[0], &names[1]), 0);
    assert_int_equal(seam_send(kernel, ends[1], "x", 1, NULL), 1);
    assert_int_equal(kernel->ops->connect(kernel, ends[0], &none), 0);
    assert_int_equal(seam_send(kernel, ends[1], "x", 1, NULL), -ECONNRESET);
    assert_int_equal(seam_send(kernel, ends[1], "x", 1, NULL), 1);

    /* Nothing is unread: nobody is told. */
    assert_int_equal(kernel->ops->connect(kernel, ends[0], &names[1]), 0);
    seam_expect(kernel, ends[0], "x", &names[1]);
    assert_int_equal(kernel->ops->connect(kernel, ends[0], &none), 0);
    assert_int_equal(seam_error(kernel, ends[1]), 0);
    kernel->ops->destroy(kernel);
}

static void what_a_peer_sent_goes_when_it_is_found_gone(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr names[2], none = {0};
    int ends[2];

    open_two(kernel, ends, names);
    assert_int_equal(seam_send(kernel, ends[1], "lost", 4, NULL), 4);
    seam_close(kernel, ends[1]);
    assert_int_equal(seam_send(kernel, ends[0], "x", 1, NULL), -ECONNREFUSED);
    seam_expect_no_datagram(kernel, ends[0]);

    open_two(kernel, ends, names);
    assert_int_equal(seam_send(kernel, ends[1], "lost", 4, NULL), 4);
    seam_close(kernel, ends[1]);
    assert_int_equal(kernel->ops->connect(kernel, ends[0], &none), 0);
    seam_expect_no_datagram(kernel, ends[0]);
    kernel->ops->destroy(kernel);
}

static void who_parts_from_a_full_queue_waits_no_more(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr there, none = {0};
    int reader = bound(kernel, &there);
    int writer = connected(kernel, &there);

    while (seam_send(kernel, writer, "x", 1, NULL) == 1)
        continue;
    assert_int_equal(kernel->ops->watch(kernel, writer, TL_WRITABLE, &there), 0);
    seam_expect_nothing(kernel, TL_MILLISECOND);
    assert_int_equal(kernel->ops->connect(kernel, writer, &none), 0);
    assert_int_equal(seam_event(kernel).ready, TL_WRITABLE);
    seam_close(kernel, reader);
    kernel->ops->destroy(kernel);
}

/* One for streams and one for datagrams, which know nothing of each other. */
static void an_abstract_name_is_two(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr name, peer;
    int reader = bound(kernel, &name);
    int writer = new_socket(kernel);
    int listener = kernel->ops->socket(kernel, TL_FAMILY_UNIX, TL_STREAM);
    int client = kernel->ops->socket(kernel, TL_FAMILY_UNIX, TL_STREAM);

    assert_int_equal(kernel->ops->bind(kernel, writer, &name), -EADDRINUSE);
    assert_int_equal(kernel->ops->bind(kernel, listener, &name), 0);
    assert_int_equal(kernel->ops->listen(kernel, listener, 1), 0);
    assert_int_equal(kernel->ops->bind(kernel, client, &name), -EADDRINUSE);
    assert_int_equal(kernel->ops->connect(kernel, client, &name), 0);
    assert_true(kernel->ops->accept(kernel, listener, &peer) >= 0);
    assert_int_equal(seam_send(kernel, writer, "x", 1, &name), 1);
    seam_expect(kernel, reader, "x", NULL);
    seam_close(kernel, reader);
    assert_int_equal(seam_send(kernel, writer, "x", 1, &name), -ECONNREFUSED);
    assert_int_equal(kernel->ops->bind(kernel, writer, &name), 0);
    kernel->ops->destroy(kernel);
}

/* A path is one file, which has one kind. */
static void a_path_is_of_one_kind(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int datagrams = new_socket(kernel);
    int writer = new_socket(kernel);
    int stream = kernel->ops->socket(kernel, TL_FAMILY_UNIX, TL_STREAM);
    char path[64];
    tl_addr name;

    (void)snprintf(path, sizeof path, "/tmp/twinloop-%d-kind", (int)getpid());
    assert_int_equal(tl_addr_unix(path, strlen(path), &name), 0);
    assert_int_equal(kernel->ops->bind(kernel, datagrams, &name), 0);
    assert_int_equal(kernel->ops->bind(kernel, stream, &name), -EADDRINUSE);
    assert_int_equal(kernel->ops->connect(kernel, stream, &name), -EPROTOTYPE);
    seam_close(kernel, datagrams);
    assert_int_equal(kernel->ops->connect(kernel, stream, &name), -ECONNREFUSED);
    assert_int_equal(kernel->ops->unlink(kernel, path), 0);
    assert_int_equal(kernel->ops->bind(kernel, stream, &name), 0);
    assert_int_equal(seam_send(kernel, writer, "x", 1, &name), -EPROTOTYPE);
    assert_int_equal(kernel->ops->connect(kernel, writer, &name), -EPROTOTYPE);
    assert_int_equal(kernel->ops->unlink(kernel, path), 0);
    kernel->ops->destroy(kernel);
}

/* What a long datagram costs is counted in pages and powers of two. */
static void a_quarter_of_the_send_buffer_is_left_to_write_on(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr there;
    int self = bound(kernel, &there);
    char *data = calloc(1, 65536);

    seam_set(kernel, self, TL_OPTION_SNDBUF, 106496);
    assert_int_equal(seam_send(kernel, self, data, 30000, &there), 30000);
    assert_int_equal(kernel->ops->watch(kernel, self, TL_WRITABLE, data), 0);
    assert_int_equal(seam_event(kernel).ready, TL_WRITABLE);
    assert_int_equal(seam_send(kernel, self, data, 16384, &there), 16384);
    seam_expect_nothing(kernel, TL_MILLISECOND);
    assert_int_equal(seam_receive(kernel, self, data, 65536, NULL, NULL), 30000);
    assert_int_equal(seam_event(kernel).ready, TL_WRITABLE);
    free(data);
    kernel->ops->destroy(kernel);
}

static const struct contract_case cases[] = {
    CONTRACT(datagrams_keep_their_bounds_and_their_source),
    CONTRACT(several_messages_go_in_one_call),
    CONTRACT(a_full_queue_keeps_its_writers_waiting),
    CONTRACT(the_send_buffer_is_full_of_what_is_unread),
    CONTRACT(sending_finds_out_who_is_there),
    CONTRACT(a_peer_that_has_gone_is_told_once),
    CONTRACT(what_a_closed_socket_sent_is_still_read),
    CONTRACT(shutting_down_concerns_one_side),
    CONTRACT(a_sender_may_get_its_name_afterwards),
    CONTRACT(parting_with_something_unread_is_an_error_for_the_peer),
    CONTRACT(what_a_peer_sent_goes_when_it_is_found_gone),
    CONTRACT(who_parts_from_a_full_queue_waits_no_more),
    CONTRACT(an_abstract_name_is_two),
    CONTRACT(a_path_is_of_one_kind),
    CONTRACT(a_quarter_of_the_send_buffer_is_left_to_write_on),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "unix_datagrams", cases, sizeof cases / sizeof *cases);
}
