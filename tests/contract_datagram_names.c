/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seam itself: names of UDP sockets. What is left of them when a connect is undone or a bind
 * fails, and what is said of addresses of another family.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "support/contract.h"
#include "support/seam.h"
#include "support/seam_datagram.h"

/* The port goes that the system picked, also when there was no connection; an address that was
 * asked for stays, until a bind fails. */
static void undoing_takes_back_what_was_picked(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr where, mine, none = {0}, six = seam_numeric("::1", 0);
    int fd = seam_bound(kernel, "127.0.0.1", &where);

    assert_int_equal(kernel->ops->connect(kernel, fd, &none), 0);
    mine = seam_name(kernel, fd);
    tl_addr expected = seam_numeric("127.0.0.1", 0);
    assert_true(tl_addr_equal(&mine, &expected));
    assert_int_equal(kernel->ops->bind(kernel, fd, &where), 0);
    int other = seam_bound(kernel, "::1", &six);
    assert_int_equal(kernel->ops->connect(kernel, other, &none), 0);
    int holder = seam_bound(kernel, "::", &six);
    assert_int_equal(kernel->ops->bind(kernel, other, &six), -EADDRINUSE);
    mine = seam_name(kernel, other);
    expected = seam_numeric("::", 0);
    assert_true(tl_addr_equal(&mine, &expected));
    seam_close(kernel, holder);
    kernel->ops->destroy(kernel);
}

/* What is shorter than a socket's own addresses is none, and IPv6 sends to no other family. */
static void addresses_of_another_family(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr brief = {.family = TL_FAMILY_UNIX, .len = 6};
    tl_addr longer = {.family = TL_FAMILY_UNIX, .len = 16};
    tl_addr longest = {.family = TL_FAMILY_UNIX, .len = 32};
    int four = seam_datagrams(kernel, TL_FAMILY_INET);
    int six = seam_datagrams(kernel, TL_FAMILY_INET6);
    int stream = kernel->ops->socket(kernel, TL_FAMILY_INET6, TL_STREAM);

    assert_int_equal(kernel->ops->bind(kernel, four, &brief), -EINVAL);
    assert_int_equal(kernel->ops->connect(kernel, four, &brief), -EINVAL);
    assert_int_equal(kernel->ops->bind(kernel, four, &longer), -EAFNOSUPPORT);
    assert_int_equal(kernel->ops->bind(kernel, six, &longer), -EINVAL);
    assert_int_equal(kernel->ops->bind(kernel, six, &longest), -EAFNOSUPPORT);
    assert_int_equal(kernel->ops->bind(kernel, stream, &longer), -EINVAL);
    assert_int_equal(kernel->ops->connect(kernel, stream, &longest), -EAFNOSUPPORT);
    assert_int_equal(seam_send(kernel, four, "x", 1, &longest), -EAFNOSUPPORT);
    assert_int_equal(seam_send(kernel, six, "x", 1, &longest), -EINVAL);
    kernel->ops->destroy(kernel);
}

/* To have asked for an address once is remembered, also when the socket is bound to all of them. */
static void an_address_that_was_chosen_once_stays(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr where, mine, none = {0}, any = seam_numeric("0.0.0.0", 0);
    int fd = seam_bound(kernel, "127.0.0.1", &where);

    assert_int_equal(kernel->ops->connect(kernel, fd, &none), 0);
    assert_int_equal(kernel->ops->bind(kernel, fd, &any), 0);
    mine = seam_name(kernel, fd);
    tl_addr expected = seam_numeric("0.0.0.0", mine.port);
    assert_true(tl_addr_equal(&mine, &expected));
    assert_int_equal(kernel->ops->connect(kernel, fd, &where), 0);
    assert_int_equal(kernel->ops->connect(kernel, fd, &none), 0);
    mine = seam_name(kernel, fd);
    expected = seam_numeric("127.0.0.1", 0);
    assert_true(tl_addr_equal(&mine, &expected));
    kernel->ops->destroy(kernel);
}

/* A socket of IPv6 that talks IPv4 means IPv4's loopback when it names nowhere in particular. */
static void nowhere_in_particular_is_of_the_family_that_is_talked(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr where, everywhere, peer;
    seam_bound(kernel, "127.0.0.1", &where);
    int reader = seam_bound(kernel, "::", &everywhere);
    int fd = seam_datagrams(kernel, TL_FAMILY_INET6);
    tl_addr mapped = seam_numeric("::ffff:127.0.0.1", 0);
    int stream = kernel->ops->socket(kernel, TL_FAMILY_INET6, TL_STREAM);

    assert_int_equal(kernel->ops->connect(kernel, fd, &where), 0);
    assert_int_equal(kernel->ops->connect(kernel, fd, &everywhere), 0);
    assert_int_equal(kernel->ops->address(kernel, fd, TL_ADDRESS_PEER, &peer), 0);
    mapped.port = peer.port;
    assert_true(tl_addr_equal(&peer, &mapped));
    assert_int_equal(seam_send(kernel, fd, "x", 1, &everywhere), 1);
    seam_expect(kernel, reader, "x", NULL);

    /* And it talks nothing else. */
    tl_addr six = seam_numeric("::1", everywhere.port);
    assert_int_equal(kernel->ops->connect(kernel, fd, &six), -EAFNOSUPPORT);
    assert_int_equal(seam_send(kernel, fd, "x", 1, &six), -EAFNOSUPPORT);

    mapped.port = 0;
    assert_int_equal(kernel->ops->bind(kernel, stream, &mapped), 0);
    assert_int_equal(kernel->ops->address(kernel, stream, TL_ADDRESS_LOCAL, &mapped), 0);
    assert_int_equal(kernel->ops->connect(kernel, stream, &six), -EAFNOSUPPORT);
    everywhere.port = mapped.port;
    assert_int_equal(kernel->ops->connect(kernel, stream, &everywhere), -EINPROGRESS);
    assert_int_equal(seam_finish_connect(kernel, stream), 0);
    assert_int_equal(kernel->ops->address(kernel, stream, TL_ADDRESS_PEER, &peer), 0);
    assert_true(tl_addr_equal(&peer, &mapped));
    kernel->ops->destroy(kernel);
}

/* An address of IPv6 that came with a connect says nothing of IPv4. */
static void who_has_talked_ipv6_may_talk_ipv4(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr there, six, name;
    int reader = seam_bound(kernel, "127.0.0.1", &there);
    seam_bound(kernel, "::1", &six);
    int fd = seam_datagrams(kernel, TL_FAMILY_INET6);

    assert_int_equal(kernel->ops->connect(kernel, fd, &six), 0);
    name = seam_name(kernel, fd);
    tl_addr here = seam_numeric("::1", name.port);
    tl_addr source = seam_numeric("127.0.0.1", name.port);
    assert_true(tl_addr_equal(&name, &here));
    assert_int_equal(seam_send(kernel, fd, "x", 1, &there), 1);
    seam_expect(kernel, reader, "x", &source);
    assert_int_equal(kernel->ops->connect(kernel, fd, &there), 0);
    name = seam_name(kernel, fd);
    assert_true(tl_addr_equal(&name, &here));
    assert_int_equal(seam_send(kernel, fd, "y", 1, NULL), 1);
    seam_expect(kernel, reader, "y", &source);
    kernel->ops->destroy(kernel);
}

static const struct contract_case cases[] = {
    CONTRACT(undoing_takes_back_what_was_picked),
    CONTRACT(addresses_of_another_family),
    CONTRACT(an_address_that_was_chosen_once_stays),
    CONTRACT(nowhere_in_particular_is_of_the_family_that_is_talked),
    CONTRACT(who_has_talked_ipv6_may_talk_ipv4),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "datagram_names", cases, sizeof cases / sizeof *cases);
}
