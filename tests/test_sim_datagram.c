/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Simulated datagrams between hosts: what becomes of them by choices, exact times, broadcasts, who
 * gets what when sockets come and go, and that one costs no allocation. What a loopback does is in
 * contract_datagrams.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <twinloop/kernel.h>
#include <twinloop/sim.h>
#include <twinloop/world.h>
#include <cmocka.h>
#include "support/memory.h"
#include "support/seam.h"
#include "support/seam_datagram.h"
#include "support/simulated.h"

#define LATENCY (200 * TL_MICROSECOND) /* between hosts, unless a link says otherwise */

enum { ALWAYS = 65536, PORT = 53 };

/* --- Two hosts -------------------------------------------------------------------------------- */

struct hosts {
    tl_world *world;
    tl_host *near;
    tl_host *far;
    struct tl_kernel *kernel; /* of near */
    struct tl_kernel *other;  /* of far */
    int server;               /* on far's PORT, every address */
    tl_addr addr;             /* where that is */
};

static int bind_any(struct tl_kernel *kernel, uint16_t port)
{
    tl_addr any = seam_numeric("0.0.0.0", port);
    int fd = seam_datagrams(kernel, TL_FAMILY_INET);
    assert_int_equal(kernel->ops->bind(kernel, fd, &any), 0);
    return fd;
}

/* A world in which one site alone answers other than 0 (NULL: none), with these odds. */
static void open_hosts(struct hosts *hosts, const char *site, uint32_t odds)
{
    static const char *const sites[] = {"datagram.delay", "link.delay",  "datagram.share",
                                        "poll.order",     "world.order", "world.yield"};
    hosts->world = tl_world_new(&(struct tl_world_options){.seed = 7});
    for (size_t i = 0; i < sizeof sites / sizeof *sites; i++)
        assert_int_equal(tl_world_set_odds(hosts->world, sites[i], 0), 0);
    if (site != NULL)
        assert_int_equal(tl_world_set_odds(hosts->world, site, odds), 0);
    hosts->near = tl_world_add_host(hosts->world, "near", NULL);
    hosts->far = tl_world_add_host(hosts->world, "far", NULL);
    assert_int_equal(tl_sim_kernel_join(hosts->near, &hosts->kernel), 0);
    assert_int_equal(tl_sim_kernel_join(hosts->far, &hosts->other), 0);
    hosts->server = bind_any(hosts->other, PORT);
    hosts->addr = seam_numeric(tl_host_address(hosts->far), PORT);
}

static void close_hosts(struct hosts *hosts)
{
    hosts->other->ops->destroy(hosts->other);
    hosts->kernel->ops->destroy(hosts->kernel);
    tl_world_free(hosts->world);
}

static tl_time now(const struct hosts *hosts)
{
    return hosts->kernel->ops->now(hosts->kernel);
}

static void send_number(struct hosts *hosts, int fd, int number)
{
    char byte = (char)number;
    assert_int_equal(seam_send(hosts->kernel, fd, &byte, 1, &hosts->addr), 1);
}

/* The next byte that the server gets, or an error. */
static int next_number(struct hosts *hosts)
{
    char byte;
    ssize_t n = seam_receive(hosts->other, hosts->server, &byte, 1, NULL, NULL);
    return n < 0 ? (int)n : byte;
}

/* --- On the way ------------------------------------------------------------------------------- */

static void they_take_the_latency_and_know_their_source(void **state)
{
    (void)state;
    struct hosts hosts;
    open_hosts(&hosts, NULL, 0);
    int fd = bind_any(hosts.kernel, 1000);
    tl_time start = now(&hosts);
    tl_addr source = seam_numeric(tl_host_address(hosts.near), 1000);
    send_number(&hosts, fd, 7);
    assert_int_equal(seam_await(hosts.other, hosts.server, TL_READABLE), TL_READABLE);
    assert_int_equal(now(&hosts) - start, LATENCY);
    seam_expect(hosts.other, hosts.server, "\a", &source);
    close_hosts(&hosts);
}

static void the_lost_ones_are_gone(void **state)
{
    (void)state;
    struct hosts hosts;
    open_hosts(&hosts, "datagram.loss", ALWAYS);
    int fd = bind_any(hosts.kernel, 0);
    send_number(&hosts, fd, 1);
    seam_expect_nothing(hosts.other, TL_SECOND);
    assert_int_equal(next_number(&hosts), -EAGAIN);

    /* Within a host nothing is lost. */
    tl_addr own = seam_numeric("127.0.0.1", PORT);
    int local = bind_any(hosts.other, 0);
    assert_int_equal(seam_send(hosts.other, local, "x", 1, &own), 1);
    seam_expect(hosts.other, hosts.server, "x", NULL);
    close_hosts(&hosts);
}

static void some_come_twice(void **state)
{
    (void)state;
    struct hosts hosts;
    open_hosts(&hosts, "datagram.duplicate", ALWAYS);
    int fd = bind_any(hosts.kernel, 0);
    send_number(&hosts, fd, 1);
    send_number(&hosts, fd, 2);
    seam_expect_nothing(hosts.other, TL_SECOND);
    for (int i = 0; i < 4; i++)
        assert_int_equal(next_number(&hosts), i / 2 + 1);
    assert_int_equal(next_number(&hosts), -EAGAIN);
    close_hosts(&hosts);
}

static void some_overtake_others(void **state)
{
    (void)state;
    enum { COUNT = 20 };
    struct hosts hosts;
    unsigned seen = 0, overtaken = 0;
    open_hosts(&hosts, "datagram.delay", ALWAYS / 2);
    int fd = bind_any(hosts.kernel, 0);
    for (int i = 0; i < COUNT; i++)
        send_number(&hosts, fd, i);
    seam_expect_nothing(hosts.other, TL_SECOND);
    for (int i = 0, last = -1; i < COUNT; i++) {
        int number = next_number(&hosts);
        assert_in_range(number, 0, COUNT - 1);
        overtaken += number < last;
        last = number;
        seen |= 1u << number;
    }
    assert_int_equal(seen, (1u << COUNT) - 1);
    assert_in_range(overtaken, 1, COUNT);
    close_hosts(&hosts);
}

static void a_full_send_buffer_takes_no_more_for_a_while(void **state)
{
    (void)state;
    struct hosts hosts;
    open_hosts(&hosts, "datagram.busy", ALWAYS);
    int fd = bind_any(hosts.kernel, 0);
    send_number(&hosts, fd, 1);
    assert_int_equal(seam_send(hosts.kernel, fd, "x", 1, &hosts.addr), -EAGAIN);
    tl_time start = now(&hosts);
    assert_int_equal(seam_await(hosts.kernel, fd, TL_WRITABLE), TL_WRITABLE);
    assert_true(now(&hosts) > start);
    send_number(&hosts, fd, 2);
    seam_expect_nothing(hosts.other, TL_SECOND);
    assert_int_equal(next_number(&hosts), 1);
    assert_int_equal(next_number(&hosts), 2);
    close_hosts(&hosts);
}

/* --- Who gets them ---------------------------------------------------------------------------- */

static void one_socket_sends_to_many(void **state)
{
    (void)state;
    struct hosts hosts;
    open_hosts(&hosts, NULL, 0);
    tl_host *third = tl_world_add_host(hosts.world, "third", NULL);
    struct tl_kernel *more;
    assert_int_equal(tl_sim_kernel_join(third, &more), 0);
    int server = bind_any(more, PORT);
    tl_addr addr = seam_numeric(tl_host_address(third), PORT);
    int fd = bind_any(hosts.kernel, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(seam_send(hosts.kernel, fd, "a", 1, &hosts.addr), 1);
        assert_int_equal(seam_send(hosts.kernel, fd, "b", 1, &addr), 1);
        seam_expect(hosts.other, hosts.server, "a", NULL);
        seam_expect(more, server, "b", NULL);
    }
    more->ops->destroy(more);
    close_hosts(&hosts);
}

static void what_is_found_on_arrival_counts(void **state)
{
    (void)state;
    struct hosts hosts;
    open_hosts(&hosts, NULL, 0);
    int fd = bind_any(hosts.kernel, 0);
    send_number(&hosts, fd, 1);
    seam_expect_nothing(hosts.other, TL_SECOND);
    assert_int_equal(next_number(&hosts), 1);

    /* The socket is another one by the time the datagram is there. */
    send_number(&hosts, fd, 2);
    seam_close(hosts.other, hosts.server);
    hosts.server = bind_any(hosts.other, PORT);
    seam_expect_nothing(hosts.other, TL_SECOND);
    assert_int_equal(next_number(&hosts), 2);

    /* Nobody is there, which is told to who is connected; the sender may have gone. */
    assert_int_equal(hosts.kernel->ops->connect(hosts.kernel, fd, &hosts.addr), 0);
    seam_close(hosts.other, hosts.server);
    assert_int_equal(seam_send(hosts.kernel, fd, "x", 1, NULL), 1);
    tl_time start = now(&hosts);
    assert_true(seam_await(hosts.kernel, fd, TL_READABLE) & TL_FAULT);
    assert_int_equal(now(&hosts) - start, 2 * LATENCY);
    assert_int_equal(seam_error(hosts.kernel, fd), ECONNREFUSED);
    assert_int_equal(seam_send(hosts.kernel, fd, "x", 1, NULL), 1);
    seam_close(hosts.kernel, fd);
    seam_expect_nothing(hosts.other, TL_SECOND);
    close_hosts(&hosts);
}

static void a_broadcast_reaches_every_host(void **state)
{
    (void)state;
    struct hosts hosts;
    open_hosts(&hosts, NULL, 0);
    int own = bind_any(hosts.kernel, PORT);
    int fd = bind_any(hosts.kernel, 0);
    tl_addr all = seam_numeric("255.255.255.255", PORT);
    assert_int_equal(seam_send(hosts.kernel, fd, "x", 1, &all), -EACCES);
    seam_set(hosts.kernel, fd, TL_OPTION_BROADCAST, 1);
    assert_int_equal(seam_send(hosts.kernel, fd, "all", 3, &all), 3);
    tl_addr source = seam_numeric(tl_host_address(hosts.near), seam_name(hosts.kernel, fd).port);
    seam_expect(hosts.kernel, own, "all", &source);
    seam_expect(hosts.other, hosts.server, "all", &source);
    tl_addr nobody = seam_numeric("10.99.0.1", PORT), group = seam_numeric("224.0.0.251", PORT);
    assert_int_equal(seam_send(hosts.kernel, fd, "x", 1, &nobody), 1);
    assert_int_equal(seam_send(hosts.kernel, fd, "x", 1, &group), 1);
    seam_expect_nothing(hosts.other, TL_SECOND);
    close_hosts(&hosts);
}

static void a_sender_keeps_to_one_of_those_that_share(void **state)
{
    (void)state;
    struct hosts hosts;
    unsigned hit = 0;
    open_hosts(&hosts, "datagram.share", ALWAYS);
    tl_addr any = seam_numeric("0.0.0.0", 2000);
    int fds[2];
    for (int i = 0; i < 2; i++) {
        fds[i] = seam_datagrams(hosts.other, TL_FAMILY_INET);
        seam_set(hosts.other, fds[i], TL_OPTION_REUSEPORT, 1);
        assert_int_equal(hosts.other->ops->bind(hosts.other, fds[i], &any), 0);
    }
    hosts.addr.port = 2000;
    for (int sender = 0; sender < 16; sender++) {
        int fd = bind_any(hosts.kernel, 0);
        char data[4];
        for (int i = 0; i < 3; i++)
            send_number(&hosts, fd, sender);
        seam_expect_nothing(hosts.other, TL_SECOND);
        int mine = seam_receive(hosts.other, fds[0], data, 1, NULL, NULL) == 1 ? 0 : 1;
        for (int i = mine == 0; i < 3; i++)
            assert_int_equal(seam_receive(hosts.other, fds[mine], data, 1, NULL, NULL), 1);
        seam_expect_no_datagram(hosts.other, fds[1 - mine]);
        hit |= 1u << mine;
    }
    assert_int_equal(hit, 3);
    close_hosts(&hosts);
}

/* --- Memory ----------------------------------------------------------------------------------- */

static void a_datagram_allocates_nothing(void **state)
{
    (void)state;
    struct memory memory;
    memory_install(&memory);
    struct hosts hosts;
    long warm = 0;
    open_hosts(&hosts, NULL, 0);
    int fd = bind_any(hosts.kernel, 0);
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 20; i++)
            send_number(&hosts, fd, i);
        seam_expect_nothing(hosts.other, TL_SECOND);
        while (next_number(&hosts) >= 0)
            continue;
        if (round == 1)
            warm = memory.requests;
    }
    assert_int_equal(memory.requests, warm);
    close_hosts(&hosts);
    memory_remove();
}

/* Sends from a socket bound to own, by write and on a connection: what each says. */
static void send_from(struct tl_kernel *kernel, const char *own, const char *host, ssize_t expected)
{
    tl_addr local = seam_numeric(own, 0), addr = seam_numeric(host, PORT);
    int fd = seam_datagrams(kernel, local.family);
    assert_int_equal(kernel->ops->bind(kernel, fd, &local), 0);
    assert_int_equal(seam_send(kernel, fd, "x", 1, &addr), expected);
    assert_int_equal(kernel->ops->connect(kernel, fd, &addr), expected < 0 ? expected : 0);
    int stream = kernel->ops->socket(kernel, local.family, TL_STREAM);
    assert_int_equal(kernel->ops->bind(kernel, stream, &local), 0);
    if (expected < 0) {
        assert_int_equal(kernel->ops->connect(kernel, stream, &addr), expected);
        return;
    }
    assert_int_equal(kernel->ops->connect(kernel, stream, &addr), -EINPROGRESS);
    seam_expect_nothing(kernel, TL_SECOND);
    assert_int_equal(kernel->ops->watch(kernel, stream, TL_WRITABLE, &stream), 0);
    struct tl_event event;
    while (kernel->ops->poll(kernel, -1, &event, 1) == 0)
        continue;
    assert_int_equal(seam_error(kernel, stream), ETIMEDOUT);
}

static void what_comes_from_a_loopback_does_not_leave_its_host(void **state)
{
    struct hosts hosts;
    (void)state;
    open_hosts(&hosts, NULL, 0);
    assert_int_equal(tl_host_add_address(hosts.near, "fd00::1"), 0);
    assert_int_equal(tl_host_add_address(hosts.far, "fd00::2"), 0);
    tl_addr any = seam_numeric("::", PORT);
    int reader = seam_datagrams(hosts.other, TL_FAMILY_INET6);
    seam_close(hosts.other, hosts.server);
    assert_int_equal(hosts.other->ops->bind(hosts.other, reader, &any), 0);
    int listener = hosts.other->ops->socket(hosts.other, TL_FAMILY_INET6, TL_STREAM);
    assert_int_equal(hosts.other->ops->bind(hosts.other, listener, &any), 0);
    assert_int_equal(hosts.other->ops->listen(hosts.other, listener, 5), 0);
    send_from(hosts.kernel, "127.0.0.1", tl_host_address(hosts.far), -EINVAL);
    send_from(hosts.kernel, "::1", "fd00::2", 1); /* and is lost */
    seam_expect_no_datagram(hosts.other, reader);
    assert_int_equal(hosts.other->ops->accept(hosts.other, listener, &any), -EAGAIN);
    close_hosts(&hosts);
}

/* How many datagrams of len bytes a buffer of room bytes takes. */
static unsigned count_kept(const char *host, int room, size_t len)
{
    struct tl_kernel *kernel = simulated_quiet_kernel();
    tl_addr there;
    int reader = seam_bound(kernel, host, &there);
    int writer = seam_datagrams(kernel, there.family);
    static char data[65000];
    unsigned kept = 0;
    seam_set(kernel, reader, TL_OPTION_RCVBUF, room / 2); /* of which Linux keeps twice as much */
    for (int i = 0; i < 20; i++)
        assert_int_equal(seam_send(kernel, writer, data, len, &there), len);
    seam_await(kernel, reader, TL_READABLE);
    while (seam_receive(kernel, reader, data, sizeof data, NULL, NULL) >= 0)
        kept++;
    kernel->ops->destroy(kernel);
    return kept;
}

/* The costs that Linux 6.18 has on a loopback interface. */
static void what_a_datagram_costs_of_the_receive_buffer(void **state)
{
    static const struct {
        uint32_t len, len_v6, cost;
    } steps[] = {{197, 184, 832},    {645, 632, 1280},   {1669, 1656, 2304},
                 {3717, 3704, 4352}, {7813, 7800, 8448}, {16004, 15991, 16640}};
    (void)state;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        int room = 6 * (int)steps[i].cost;
        assert_int_equal(count_kept("127.0.0.1", room, steps[i].len), 6);
        assert_int_equal(count_kept("127.0.0.1", room - 2, steps[i].len), 5);
        assert_int_equal(count_kept("127.0.0.1", room, steps[i].len + 1) < 6, 1);
        assert_int_equal(count_kept("::1", room, steps[i].len_v6), 6);
        assert_int_equal(count_kept("::1", room, steps[i].len_v6 + 1) < 6, 1);
    }
    assert_int_equal(count_kept("127.0.0.1", 5 * 40832, 40000), 5);
    assert_int_equal(count_kept("127.0.0.1", 5 * 40832 - 2, 40000), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_take_the_latency_and_know_their_source),
        cmocka_unit_test(the_lost_ones_are_gone),
        cmocka_unit_test(some_come_twice),
        cmocka_unit_test(some_overtake_others),
        cmocka_unit_test(a_full_send_buffer_takes_no_more_for_a_while),
        cmocka_unit_test(one_socket_sends_to_many),
        cmocka_unit_test(what_is_found_on_arrival_counts),
        cmocka_unit_test(a_broadcast_reaches_every_host),
        cmocka_unit_test(a_sender_keeps_to_one_of_those_that_share),
        cmocka_unit_test(a_datagram_allocates_nothing),
        cmocka_unit_test(what_comes_from_a_loopback_does_not_leave_its_host),
        cmocka_unit_test(what_a_datagram_costs_of_the_receive_buffer),
    };
    return cmocka_run_group_tests_name("sim_datagram", tests, NULL, NULL);
}
