/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of a simulated stream that is lent to it: who has one when, that a few serve many, that
 * it is always there for who needs it.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <twinloop/kernel.h>
#include <twinloop/sim.h>
#include <cmocka.h>
#include "core/alloc.h"
#include "sim/endpoint.h"
#include "sim/process.h"
#include "support/seam.h"
#include "support/simulated.h"

enum { CONNECTIONS = 50 }; /* with ends for more than one slab of parts */

static struct tl_endpoint *end_of(struct tl_kernel *kernel, int fd)
{
    const struct tl_sim_kernel *simulated = (const struct tl_sim_kernel *)kernel;
    return tl_endpoint_of(tl_fds_get(&simulated->process->fds, fd));
}

static const struct tl_traffics *traffics_of(struct tl_kernel *kernel)
{
    return &((const struct tl_sim_kernel *)kernel)->process->world->traffics;
}

/* How many parts are lent now. */
static unsigned lent(struct tl_kernel *kernel)
{
    const struct tl_traffics *traffics = traffics_of(kernel);
    unsigned count = traffics->made;
    for (struct tl_traffic *at = traffics->free; at != NULL; count--) {
        TL_UNPOISON(at, sizeof *at);
        struct tl_traffic *next = at->next;
        TL_POISON(at, sizeof *at);
        at = next;
    }
    return count;
}

static void connect_all(struct tl_kernel *kernel, int fds[CONNECTIONS][2])
{
    for (int i = 0; i < CONNECTIONS; i++)
        seam_connection(kernel, fds[i]);
}

static void who_is_sent_something_has_a_part_until_it_is_read(void **state)
{
    (void)state;
    struct tl_kernel *kernel = simulated_quiet_kernel();
    int fds[2];
    char data[8];
    seam_connection(kernel, fds);
    assert_int_equal(lent(kernel), 0);
    assert_int_equal(seam_write(kernel, fds[0], "", 0), 0);
    assert_int_equal(lent(kernel), 0);
    seam_write_all(kernel, fds[0], "abc", 3);
    assert_int_equal(lent(kernel), 1);
    assert_non_null(end_of(kernel, fds[1])->traffic);
    seam_expect_nothing(kernel, TL_SECOND);
    assert_int_equal(seam_read_all(kernel, fds[1], data, 2), 2);
    assert_int_equal(lent(kernel), 1);
    assert_int_equal(seam_read_all(kernel, fds[1], data, 1), 1);
    assert_int_equal(lent(kernel), 0);
    assert_int_equal(kernel->ops->shutdown(kernel, fds[0], TL_SHUTDOWN_WRITE), 0);
    assert_int_equal(lent(kernel), 1);
    assert_int_equal(seam_read_error(kernel, fds[1]), 0);
    assert_int_equal(lent(kernel), 0);
    kernel->ops->destroy(kernel);
}

static void connections_that_wait_for_accept_have_a_part(void **state)
{
    (void)state;
    struct tl_kernel *kernel = simulated_quiet_kernel();
    tl_addr addr;
    int listener = seam_listen(kernel, 5, &addr);
    assert_int_equal(seam_finish_connect(kernel, seam_start_connect(kernel, &addr)), 0);
    assert_int_equal(seam_finish_connect(kernel, seam_start_connect(kernel, &addr)), 0);
    seam_expect_nothing(kernel, TL_SECOND);
    assert_int_equal(lent(kernel), 2);
    (void)seam_accept(kernel, listener, NULL);
    assert_int_equal(lent(kernel), 1);
    seam_close(kernel, listener); /* the other client hears of it */
    seam_expect_nothing(kernel, TL_SECOND);
    assert_int_equal(lent(kernel), 0);
    kernel->ops->destroy(kernel);
}

static void a_few_parts_serve_many_connections(void **state)
{
    (void)state;
    struct tl_kernel *kernel = simulated_quiet_kernel();
    int fds[CONNECTIONS][2];
    char data[8];
    connect_all(kernel, fds);
    for (int i = 0; i < CONNECTIONS; i++) {
        seam_write_all(kernel, fds[i][i % 2], "abc", 3);
        assert_int_equal(seam_read_all(kernel, fds[i][1 - i % 2], data, 3), 3);
    }
    assert_int_equal(lent(kernel), 0);
    assert_in_range(traffics_of(kernel)->made, 1, 3);
    kernel->ops->destroy(kernel);
}

/* Not a byte is left, and each connection can still be ended. */
static void every_end_gets_a_part_when_memory_is_out(void **state)
{
    (void)state;
    static int left = 100000;
    tl_allocator allocator = {.realloc = simulated_realloc, .ctx = &left};
    tl_set_allocator(&allocator);
    struct tl_kernel *kernel = simulated_quiet_kernel();
    int fds[CONNECTIONS][2];
    connect_all(kernel, fds);
    left = 0;
    for (int i = 0; i < CONNECTIONS; i++)
        assert_int_equal(kernel->ops->shutdown(kernel, fds[i][0], TL_SHUTDOWN_WRITE), 0);
    for (int i = 0; i < CONNECTIONS; i++)
        assert_int_equal(kernel->ops->shutdown(kernel, fds[i][1], TL_SHUTDOWN_WRITE), 0);
    assert_int_equal(lent(kernel), 2 * CONNECTIONS);
    for (int i = 0; i < 2 * CONNECTIONS; i++)
        assert_int_equal(seam_read_error(kernel, fds[i / 2][i % 2]), 0);
    assert_int_equal(lent(kernel), 0);
    left = 100000;
    kernel->ops->destroy(kernel);
    tl_set_allocator(NULL);
}

/* A peer that parts, to connect anew, leaves its writer what that could not send: the writer's
 * buffer stays as full as it was. */
static void what_was_not_sent_outlives_a_peer_that_parts(void **state)
{
    (void)state;
    struct tl_kernel *kernel = simulated_quiet_kernel();
    static char block[65536];
    int fds[2];
    ssize_t n;
    seam_connection(kernel, fds);
    while ((n = seam_write(kernel, fds[0], block, sizeof block)) > 0)
        ;
    assert_int_equal(n, -EAGAIN);
    struct tl_endpoint *writer = end_of(kernel, fds[0]);
    uint32_t unsent = tl_endpoint_unsent(writer);
    assert_true(unsent > 0);
    tl_endpoint_disconnect(end_of(kernel, fds[1]));
    assert_null(writer->peer);
    assert_int_equal(tl_endpoint_unsent(writer), unsent);
    assert_int_equal(seam_write(kernel, fds[0], block, sizeof block), -EAGAIN);
    assert_int_equal(lent(kernel), 1);
    seam_close(kernel, fds[0]);
    assert_int_equal(lent(kernel), 0);
    kernel->ops->destroy(kernel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_sent_something_has_a_part_until_it_is_read),
        cmocka_unit_test(connections_that_wait_for_accept_have_a_part),
        cmocka_unit_test(a_few_parts_serve_many_connections),
        cmocka_unit_test(every_end_gets_a_part_when_memory_is_out),
        cmocka_unit_test(what_was_not_sent_outlives_a_peer_that_parts),
    };
    return !!cmocka_run_group_tests(tests, NULL, NULL);
}
