/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seam itself: addresses that are somebody's in particular, and others. A scope matters to
 * addresses that each interface has for itself, and is forgotten elsewhere; an address that is
 * everybody's can be bound to, and no stream leads there.
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

static int new_socket(struct tl_kernel *kernel, uint8_t family, enum tl_socket_type type)
{
    int fd = kernel->ops->socket(kernel, (enum tl_family)family, type);

    assert_true(fd >= 0);
    return fd;
}

/* What a new socket says to being bound there, and to connecting there. */
static int bind_to(struct tl_kernel *kernel, const char *host, enum tl_socket_type type)
{
    tl_addr addr = seam_numeric(host, 0);
    int fd = new_socket(kernel, addr.family, type);
    int r = kernel->ops->bind(kernel, fd, &addr);

    seam_close(kernel, fd);
    return r;
}

static int connect_to(struct tl_kernel *kernel, const char *host, enum tl_socket_type type)
{
    tl_addr addr = seam_numeric(host, 9);
    int fd = new_socket(kernel, addr.family, type);
    int r = kernel->ops->connect(kernel, fd, &addr);

    seam_close(kernel, fd);
    return r;
}

/* --- Scopes --- */

static const char *const scoped[] = {"::1%1", "::1%7", "::1%4294967295"};

static void a_stream_forgets_a_scope(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);

    for (size_t i = 0; i < sizeof scoped / sizeof *scoped; i++) {
        tl_addr addr = seam_numeric(scoped[i], 0), name, peer;
        int listener = new_socket(kernel, TL_FAMILY_INET6, TL_STREAM);
        assert_int_equal(kernel->ops->bind(kernel, listener, &addr), 0);
        assert_int_equal(kernel->ops->listen(kernel, listener, 1), 0);
        name = seam_name(kernel, listener);
        assert_int_equal(name.scope, 0);
        addr.port = name.port;
        int client = new_socket(kernel, TL_FAMILY_INET6, TL_STREAM);
        assert_int_equal(kernel->ops->connect(kernel, client, &addr), -EINPROGRESS);
        assert_int_equal(seam_finish_connect(kernel, client), 0);
        assert_int_equal(kernel->ops->address(kernel, client, TL_ADDRESS_PEER, &peer), 0);
        assert_true(tl_addr_equal(&peer, &name));
        int accepted = seam_accept(kernel, listener, &peer);
        name = seam_name(kernel, client);
        assert_int_equal(name.scope, 0);
        assert_true(tl_addr_equal(&peer, &name));
        seam_close(kernel, accepted);
        seam_close(kernel, client);
        seam_close(kernel, listener);
    }
    kernel->ops->destroy(kernel);
}

static void datagrams_forget_a_scope(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);

    for (size_t i = 0; i < sizeof scoped / sizeof *scoped; i++) {
        tl_addr here, there, peer;
        int one = seam_bound(kernel, scoped[i], &here);
        int two = seam_bound(kernel, scoped[i], &there);
        assert_int_equal(here.scope, 0);
        tl_addr to = seam_numeric(scoped[i], there.port);
        assert_int_equal(seam_send(kernel, one, "one", 3, &to), 3);
        seam_expect(kernel, two, "one", &here);
        assert_int_equal(kernel->ops->connect(kernel, one, &to), 0);
        assert_int_equal(kernel->ops->address(kernel, one, TL_ADDRESS_PEER, &peer), 0);
        assert_true(tl_addr_equal(&peer, &there));
        assert_int_equal(seam_send(kernel, one, "two", 3, NULL), 3);
        seam_expect(kernel, two, "two", &here);
        seam_close(kernel, one);
        seam_close(kernel, two);
    }
    kernel->ops->destroy(kernel);
}

/* Without one nobody knows where that is; one that names no interface, or the wrong one, leads
 * nowhere. */
static void an_interfaces_address_needs_a_scope(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    static const enum tl_socket_type types[] = {TL_STREAM, TL_DATAGRAM};

    for (int i = 0; i < 2; i++) {
        assert_int_equal(bind_to(kernel, "fe80::1", types[i]), -EINVAL);
        assert_int_equal(bind_to(kernel, "fe80::1%1", types[i]), -EADDRNOTAVAIL);
        assert_int_equal(bind_to(kernel, "fe80::1%9999", types[i]), -ENODEV);
        assert_int_equal(connect_to(kernel, "fe80::1", types[i]), -EINVAL);
        assert_int_equal(connect_to(kernel, "fe80::1%1", types[i]), -ENETUNREACH);
        assert_int_equal(connect_to(kernel, "fe80::1%9999", types[i]), -ENETUNREACH);
    }
    assert_int_equal(bind_to(kernel, "ff02::1", TL_DATAGRAM), -EINVAL);
    assert_int_equal(bind_to(kernel, "ff02::1%9999", TL_DATAGRAM), -ENODEV);
    assert_int_equal(connect_to(kernel, "ff02::1", TL_DATAGRAM), -EINVAL);
    kernel->ops->destroy(kernel);
}

/* --- Everybody --- */

static void no_stream_leads_to_everybody(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    static const char *const hosts[] = {"224.0.0.1", "255.255.255.255", "127.255.255.255",
                                        "::ffff:127.255.255.255", "ff05::1"};

    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        assert_int_equal(connect_to(kernel, hosts[i], TL_STREAM), -ENETUNREACH);
    kernel->ops->destroy(kernel);
}

static void everybodys_address_can_be_bound_to(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    static const char *const hosts[] = {"224.0.0.1", "255.255.255.255", "127.255.255.255",
                                        "::ffff:224.0.0.1"};

    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        assert_int_equal(bind_to(kernel, hosts[i], TL_STREAM), 0);
        assert_int_equal(bind_to(kernel, hosts[i], TL_DATAGRAM), 0);
    }
    assert_int_equal(bind_to(kernel, "ff05::1", TL_DATAGRAM), 0);
    assert_int_equal(bind_to(kernel, "ff05::1", TL_STREAM), -EINVAL);
    assert_int_equal(bind_to(kernel, "ff02::1%1", TL_STREAM), -EINVAL);
    kernel->ops->destroy(kernel);
}

/* Who is bound there is itself when it connects. */
static void nobody_connects_as_everybody(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr everybody = seam_numeric("127.255.255.255", 0), addr, name, peer;
    int listener = seam_listen(kernel, 1, &addr);
    int client = new_socket(kernel, TL_FAMILY_INET, TL_STREAM);

    assert_int_equal(kernel->ops->bind(kernel, client, &everybody), 0);
    assert_int_equal(kernel->ops->connect(kernel, client, &addr), -EINPROGRESS);
    assert_int_equal(seam_finish_connect(kernel, client), 0);
    name = seam_name(kernel, client);
    (void)seam_accept(kernel, listener, &peer);
    assert_true(tl_addr_equal(&name, &peer));
    addr.port = name.port;
    assert_true(tl_addr_equal(&name, &addr)); /* 127.0.0.1 */
    kernel->ops->destroy(kernel);
}

/* --- Nowhere in particular --- */

/* To IPv4 that is where one is, to IPv6 the loopback. */
static void nowhere_in_particular_is_here(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    static const struct {
        const char *own, *to, *peer;
    } cases[] = {
        {"127.0.0.2", "0.0.0.0", "127.0.0.2"},
        {"0.0.0.0", "0.0.0.0", "127.0.0.1"},
        {"::ffff:127.0.0.2", "::ffff:0.0.0.0", "::ffff:127.0.0.2"},
        {"::ffff:127.0.0.2", "::", "::ffff:127.0.0.1"},
        {"::", "::", "::1"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tl_addr own = seam_numeric(cases[i].own, 0), to = seam_numeric(cases[i].to, 9), peer;
        tl_addr expected = seam_numeric(cases[i].peer, 9);
        int fd = new_socket(kernel, own.family, TL_DATAGRAM);
        assert_int_equal(kernel->ops->bind(kernel, fd, &own), 0);
        assert_int_equal(kernel->ops->connect(kernel, fd, &to), 0);
        assert_int_equal(kernel->ops->address(kernel, fd, TL_ADDRESS_PEER, &peer), 0);
        assert_true(tl_addr_equal(&peer, &expected));
        seam_close(kernel, fd);
    }
    kernel->ops->destroy(kernel);
}

/* What a connect makes of ::ffff:0.0.0.0 outlives the connection, for that was chosen, and :: was
 * not. */
static void mapped_is_chosen(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    static const char *const owns[] = {"::ffff:0.0.0.0", "::"};
    static const char *const names[] = {"::ffff:127.0.0.1", "::"};
    const tl_addr nobody = {.family = TL_FAMILY_NONE};

    for (int i = 0; i < 2; i++) {
        tl_addr own = seam_numeric(owns[i], 0), to = seam_numeric("::ffff:127.0.0.1", 9);
        tl_addr expected = seam_numeric(names[i], 0), name;
        int fd = seam_datagrams(kernel, TL_FAMILY_INET6);
        assert_int_equal(kernel->ops->bind(kernel, fd, &own), 0);
        assert_int_equal(kernel->ops->connect(kernel, fd, &to), 0);
        assert_int_equal(kernel->ops->connect(kernel, fd, &nobody), 0);
        name = seam_name(kernel, fd);
        assert_true(tl_addr_equal(&name, &expected));
    }
    kernel->ops->destroy(kernel);
}

/* The address that a first connect gave it stays, so what IPv4 has to say is not for it. */
static void an_address_from_before_hears_no_refusal(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr six, four = seam_deserted(kernel), name;
    int reader = seam_bound(kernel, "::1", &six);
    int writer = seam_datagrams(kernel, TL_FAMILY_INET6);

    assert_int_equal(kernel->ops->connect(kernel, writer, &six), 0);
    assert_int_equal(kernel->ops->connect(kernel, writer, &four), 0);
    assert_int_equal(seam_send(kernel, writer, "lost", 4, NULL), 4);
    seam_expect_nothing(kernel, TL_MILLISECOND);
    assert_int_equal(seam_error(kernel, writer), 0);
    name = seam_name(kernel, writer);
    assert_int_equal(kernel->ops->connect(kernel, writer, &six), 0);
    assert_int_equal(seam_send(kernel, writer, "heard", 5, NULL), 5);
    seam_expect(kernel, reader, "heard", &name);
    assert_int_equal(seam_error(kernel, writer), 0);
    kernel->ops->destroy(kernel);
}

/* --- Nobody here --- */

/* Of two reasons IPv4 tells the one, and IPv6 the other. */
static void bound_twice_and_to_somebody_elses(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    static const struct {
        const char *own, *foreign;
        int error;
    } cases[] = {{"127.0.0.1", "203.0.113.9", -EADDRNOTAVAIL}, {"::1", "2001:db8::9", -EINVAL}};

    for (int i = 0; i < 4; i++) {
        tl_addr own = seam_numeric(cases[i % 2].own, 0);
        tl_addr foreign = seam_numeric(cases[i % 2].foreign, 0);
        int fd = new_socket(kernel, own.family, i < 2 ? TL_STREAM : TL_DATAGRAM);
        assert_int_equal(kernel->ops->bind(kernel, fd, &foreign), -EADDRNOTAVAIL);
        assert_int_equal(kernel->ops->bind(kernel, fd, &own), 0);
        assert_int_equal(kernel->ops->bind(kernel, fd, &foreign), cases[i % 2].error);
        assert_int_equal(kernel->ops->bind(kernel, fd, &own), -EINVAL);
    }
    kernel->ops->destroy(kernel);
}

int main(int argc, char **argv)
{
    static const struct contract_case cases[] = {
        CONTRACT(a_stream_forgets_a_scope),
        CONTRACT(datagrams_forget_a_scope),
        CONTRACT(an_interfaces_address_needs_a_scope),
        CONTRACT(no_stream_leads_to_everybody),
        CONTRACT(everybodys_address_can_be_bound_to),
        CONTRACT(nobody_connects_as_everybody),
        CONTRACT(nowhere_in_particular_is_here),
        CONTRACT(an_address_from_before_hears_no_refusal),
        CONTRACT(mapped_is_chosen),
        CONTRACT(bound_twice_and_to_somebody_elses),
    };

    return contract_main(argc, argv, "seam_addresses", cases, sizeof cases / sizeof *cases);
}
