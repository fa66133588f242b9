/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two sockets that connect to each other at once (RFC 9293's simultaneous open), which a loopback
 * interface is too quick for: their SYNs pass each other between two hosts.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <twinloop/kernel.h>
#include <twinloop/sim.h>
#include <twinloop/world.h>
#include <cmocka.h>
#include "support/seam.h"
#include "support/simulated.h"

enum { PORT = 7000, SEEDS = 200, ALWAYS = 65536 };

/* Two hosts, each with a bound socket. */
struct meeting {
    tl_world *world;
    struct tl_kernel *kernels[2];
    tl_addr addrs[2];
    int fds[2];
};

static void open_meeting(struct meeting *meeting, struct tl_world_options options)
{
    static const char *const names[] = {"one", "two"};
    meeting->world = tl_world_new(&options);
    for (int i = 0; i < 2; i++) {
        tl_host *host = tl_world_add_host(meeting->world, names[i], NULL);
        assert_int_equal(tl_sim_kernel_join(host, &meeting->kernels[i]), 0);
        meeting->addrs[i] = simulated_address(tl_host_address(host), PORT);
        meeting->fds[i] = simulated_socket(meeting->kernels[i]);
        assert_int_equal(meeting->kernels[i]->ops->bind(meeting->kernels[i], meeting->fds[i],
                                                        &meeting->addrs[i]),
                         0);
    }
}

static void close_meeting(struct meeting *meeting)
{
    for (int i = 0; i < 2; i++)
        meeting->kernels[i]->ops->destroy(meeting->kernels[i]);
    tl_world_free(meeting->world);
}

static void start(struct meeting *meeting, int i)
{
    struct tl_kernel *kernel = meeting->kernels[i];
    assert_int_equal(kernel->ops->connect(kernel, meeting->fds[i], &meeting->addrs[1 - i]),
                     -EINPROGRESS);
}

static int finish(struct meeting *meeting, int i)
{
    return seam_finish_connect(meeting->kernels[i], meeting->fds[i]);
}

static void expect_bytes(struct meeting *meeting, int from)
{
    char data[8];
    seam_write_all(meeting->kernels[from], meeting->fds[from], "hello", 5);
    assert_int_equal(seam_read_all(meeting->kernels[1 - from], meeting->fds[1 - from], data, 5), 5);
    assert_memory_equal(data, "hello", 5);
}

static void they_are_connected_to_each_other(void **state)
{
    (void)state;
    struct meeting meeting;
    tl_addr peer;
    open_meeting(&meeting, (struct tl_world_options){.quiet = true});
    start(&meeting, 0);
    start(&meeting, 1);
    assert_int_equal(finish(&meeting, 0), 0);
    assert_int_equal(finish(&meeting, 1), 0);
    assert_int_equal(meeting.kernels[0]->ops->address(meeting.kernels[0], meeting.fds[0],
                                                      TL_ADDRESS_PEER, &peer),
                     0);
    assert_true(tl_addr_equal(&peer, &meeting.addrs[1]));
    expect_bytes(&meeting, 0);
    expect_bytes(&meeting, 1);
    seam_close(meeting.kernels[0], meeting.fds[0]);
    assert_int_equal(seam_read_error(meeting.kernels[1], meeting.fds[1]), 0);
    close_meeting(&meeting);
}

static void whatever_keeps_their_segments(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct meeting meeting;
        open_meeting(&meeting, (struct tl_world_options){.seed = seed});
        (void)tl_world_set_odds(meeting.world, "link.delay", ALWAYS / 2);
        start(&meeting, 0);
        start(&meeting, 1);
        assert_int_equal(finish(&meeting, 0), 0);
        expect_bytes(&meeting, 0);
        assert_int_equal(finish(&meeting, 1), 0);
        expect_bytes(&meeting, 1);
        close_meeting(&meeting);
    }
}

/* Nobody is there yet when the first SYN arrives. */
static void who_comes_too_late_is_refused_and_so_was_the_first(void **state)
{
    (void)state;
    struct meeting meeting;
    open_meeting(&meeting, (struct tl_world_options){.quiet = true});
    start(&meeting, 0);
    assert_int_equal(finish(&meeting, 0), -ECONNREFUSED);
    start(&meeting, 1);
    assert_int_equal(finish(&meeting, 1), -ECONNREFUSED);
    close_meeting(&meeting);
}

/* One of them gives up at some instant, or closes what is connected: the other one hears of it. */
static void one_may_go(void **state)
{
    (void)state;
    for (tl_time after = 0; after < TL_MILLISECOND; after += 10 * TL_MICROSECOND) {
        struct meeting meeting;
        open_meeting(&meeting, (struct tl_world_options){.quiet = true});
        start(&meeting, 0);
        start(&meeting, 1);
        seam_expect_nothing(meeting.kernels[0], after);
        seam_close(meeting.kernels[0], meeting.fds[0]);
        int r = finish(&meeting, 1);
        if (r == 0)
            assert_int_equal(seam_read_error(meeting.kernels[1], meeting.fds[1]), 0);
        else
            assert_true(r == -ECONNREFUSED || r == -ECONNRESET);
        close_meeting(&meeting);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_are_connected_to_each_other),
        cmocka_unit_test(whatever_keeps_their_segments),
        cmocka_unit_test(who_comes_too_late_is_refused_and_so_was_the_first),
        cmocka_unit_test(one_may_go),
    };
    return !!cmocka_run_group_tests(tests, NULL, NULL);
}
