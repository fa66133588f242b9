/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Simulated streams: what only a simulator can promise (exact times, chosen cuts and faults), and
 * what a real network shows too rarely for the contract tests (black holes, full backlogs).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <twinloop/error.h>
#include <twinloop/kernel.h>
#include <twinloop/sim.h>
#include <cmocka.h>
#include "core/alloc.h"
#include "support/seam.h"
#include "support/simulated.h"

/* --- Helpers ---------------------------------------------------------------------------------- */

static tl_time now(struct tl_kernel *kernel)
{
    return kernel->ops->now(kernel);
}

static void wait_for(struct tl_kernel *kernel, tl_time time)
{
    seam_expect_nothing(kernel, time);
}

/* As seam_finish_connect, however long it takes. */
static int finish_slowly(struct tl_kernel *kernel, int fd)
{
    struct tl_event event;
    int token;
    assert_int_equal(kernel->ops->watch(kernel, fd, TL_WRITABLE, &token), 0);
    assert_int_equal(kernel->ops->poll(kernel, 1000 * TL_SECOND, &event, 1), 1);
    assert_int_equal(kernel->ops->watch(kernel, fd, 0, NULL), 0);
    return seam_finish_connect(kernel, fd);
}

static int error_of(struct tl_kernel *kernel, int fd)
{
    int error = -1;
    assert_int_equal(kernel->ops->option(kernel, fd, TL_OPTION_ERROR, NULL, &error), 0);
    return -error;
}

/* --- Times ------------------------------------------------------------------------------------ */

static void bytes_take_the_latency(void **state)
{
    (void)state;
    struct tl_kernel *kernel = simulated_quiet_kernel();
    tl_addr addr;
    char data[8];
    int listener = seam_listen(kernel, 5, &addr);
    tl_time start = now(kernel);
    int fd = seam_start_connect(kernel, &addr);
    assert_int_equal(seam_finish_connect(kernel, fd), 0);
    assert_int_equal(now(kernel) - start, 20 * TL_MICROSECOND);
    int peer = seam_accept(kernel, listener, NULL);
    assert_int_equal(now(kernel) - start, 30 * TL_MICROSECOND);
    start = now(kernel);
    seam_write_all(kernel, fd, "abc", 3);
    assert_int_equal(seam_read_all(kernel, peer, data, 3), 3);
    assert_int_equal(now(kernel) - start, 10 * TL_MICROSECOND);
    start = now(kernel);
    seam_close(kernel, fd);
    assert_int_equal(seam_read_error(kernel, peer), 0);
    assert_int_equal(now(kernel) - start, 10 * TL_MICROSECOND);
    kernel->ops->destroy(kernel);
}

static void links_set_latency_and_room(void **state)
{
    (void)state;
    tl_world *world = tl_world_new(&(struct tl_world_options){.quiet = true});
    tl_host *near = tl_world_add_host(world, "near", NULL);
    tl_host *far = tl_world_add_host(world, "far", NULL);
    struct tl_link_options slow = {.latency = TL_SECOND, .buffer_bytes = 1000};
    assert_int_equal(tl_world_set_link(world, near, far, &slow), 0);
    assert_int_equal(tl_world_set_link(world, near, near, &(struct tl_link_options){-1, 0}), 0);
    assert_int_equal(tl_world_set_link(world, near, NULL, &slow), -EINVAL);
    struct tl_kernel *kernel, *other;
    assert_int_equal(tl_sim_kernel_join(near, &kernel), 0);
    assert_int_equal(tl_sim_kernel_join(far, &other), 0);

    tl_addr addr = simulated_address("0.0.0.0", 80);
    int listener = simulated_socket(other);
    assert_int_equal(other->ops->bind(other, listener, &addr), 0);
    assert_int_equal(other->ops->listen(other, listener, 5), 0);
    addr = simulated_address(tl_host_address(far), 80);
    int fd = seam_start_connect(kernel, &addr);
    tl_time start = now(kernel);
    assert_int_equal(seam_finish_connect(kernel, fd), 0);
    assert_int_equal(now(kernel) - start, 2 * TL_SECOND);
    tl_addr local;
    assert_int_equal(kernel->ops->address(kernel, fd, TL_ADDRESS_LOCAL, &local), 0);
    assert_int_equal(local.port, 32768);
    local.port = 0;
    tl_addr own = simulated_address(tl_host_address(near), 0);
    assert_true(tl_addr_equal(&local, &own));

    static char block[5000];
    assert_int_equal(seam_write(kernel, fd, block, sizeof block), 1000);
    assert_int_equal(seam_write(kernel, fd, block, sizeof block), 1000);
    assert_int_equal(seam_write(kernel, fd, block, sizeof block), -EAGAIN);

    /* Within the near host nothing takes any time. */
    int fds[2];
    start = now(kernel);
    seam_connection(kernel, fds);
    assert_int_equal(now(kernel), start);
    other->ops->destroy(other);
    kernel->ops->destroy(kernel);
    tl_world_free(world);
}

static void nobody_is_there(void **state)
{
    (void)state;
    struct tl_kernel *kernel = simulated_quiet_kernel();
    tl_time start = now(kernel);
    tl_addr addr = simulated_address("10.0.0.1", 80);
    int fd = seam_start_connect(kernel, &addr);
    assert_int_equal(seam_finish_connect(kernel, fd), -ECONNREFUSED);
    assert_int_equal(now(kernel) - start, 20 * TL_MICROSECOND);

    start = now(kernel);
    addr = simulated_address("10.77.0.1", 80);
    fd = seam_start_connect(kernel, &addr);
    wait_for(kernel, 100 * TL_SECOND);
    assert_int_equal(kernel->ops->connect(kernel, fd, &addr), -EALREADY);
    assert_int_equal(finish_slowly(kernel, fd), -ETIMEDOUT);
    assert_int_equal(now(kernel) - start, 127 * TL_SECOND);

    addr = simulated_address("255.255.255.255", 80);
    fd = simulated_socket(kernel);
    assert_int_equal(kernel->ops->connect(kernel, fd, &addr), -ENETUNREACH);
    addr = simulated_address("fd00::1", 80);
    assert_int_equal(kernel->ops->connect(kernel, fd, &addr), -EAFNOSUPPORT);
    fd = kernel->ops->socket(kernel, TL_FAMILY_INET6, TL_STREAM);
    assert_int_equal(kernel->ops->connect(kernel, fd, &addr), -ENETUNREACH);
    kernel->ops->destroy(kernel);
}

/* A full backlog drops the SYN: the client tries again after 1, 3, 7 ... seconds. */
static void a_full_backlog_keeps_clients_waiting(void **state)
{
    (void)state;
    struct tl_kernel *kernel = simulated_quiet_kernel();
    tl_addr addr;
    int fds[3];
    int listener = seam_listen(kernel, 1, &addr);
    tl_time start = now(kernel);
    for (int i = 0; i < 3; i++)
        fds[i] = seam_start_connect(kernel, &addr);
    assert_int_equal(seam_finish_connect(kernel, fds[0]), 0);
    assert_int_equal(seam_finish_connect(kernel, fds[1]), 0);
    wait_for(kernel, 4 * TL_SECOND);
    seam_accept(kernel, listener, NULL);
    assert_int_equal(seam_finish_connect(kernel, fds[2]), 0);
    assert_int_equal(now(kernel) - start, 7 * TL_SECOND + 20 * TL_MICROSECOND);

    int last = seam_start_connect(kernel, &addr);
    start = now(kernel);
    assert_int_equal(finish_slowly(kernel, last), -ETIMEDOUT);
    assert_int_equal(now(kernel) - start, 127 * TL_SECOND);
    kernel->ops->destroy(kernel);
}

/* --- Room ------------------------------------------------------------------------------------- */

static size_t write_until_full(struct tl_kernel *kernel, int fd, const char *block, size_t size)
{
    size_t written = 0;
    ssize_t n;
    while ((n = seam_write(kernel, fd, block, size)) > 0)
        written += (size_t)n;
    assert_int_equal(n, -EAGAIN);
    return written;
}

static bool writable(struct tl_kernel *kernel, int fd)
{
    struct tl_event event;
    int token;
    assert_int_equal(kernel->ops->watch(kernel, fd, TL_WRITABLE, &token), 0);
    int count = kernel->ops->poll(kernel, 0, &event, 1);
    assert_int_equal(kernel->ops->watch(kernel, fd, 0, NULL), 0);
    return count == 1 && event.ready & TL_WRITABLE;
}

static void a_third_of_the_send_buffer_makes_it_writable(void **state)
{
    (void)state;
    struct tl_kernel *kernel = simulated_quiet_kernel();
    static char block[30000];
    int fds[2];
    int size = 30000;
    seam_connection(kernel, fds);
    assert_int_equal(kernel->ops->option(kernel, fds[0], TL_OPTION_SNDBUF, &size, NULL), 0);
    assert_int_equal(kernel->ops->option(kernel, fds[1], TL_OPTION_RCVBUF, &size, NULL), 0);
    assert_in_range(write_until_full(kernel, fds[0], block, 1000), 59000, 60000);
    wait_for(kernel, TL_SECOND);
    assert_false(writable(kernel, fds[0]));
    assert_int_equal(seam_read(kernel, fds[1], block, 9000), 9000);
    assert_false(writable(kernel, fds[0]));
    assert_int_equal(seam_read(kernel, fds[1], block, 3000), 3000);
    assert_true(writable(kernel, fds[0]));
    kernel->ops->destroy(kernel);
}

/* What is in the send buffer when the writer closes still arrives; the end comes after it. */
static void closing_delivers_what_was_written(void **state)
{
    (void)state;
    struct tl_kernel *kernel = simulated_quiet_kernel();
    static char block[65536];
    int fds[2];
    seam_connection(kernel, fds);
    size_t written = write_until_full(kernel, fds[0], block, sizeof block);
    seam_close(kernel, fds[0]);
    size_t got = 0;
    ssize_t n;
    do {
        seam_await(kernel, fds[1], TL_READABLE);
        n = seam_read(kernel, fds[1], block, sizeof block);
        assert_true(n >= 0);
        got += (size_t)n;
    } while (n > 0);
    assert_int_equal(got, written);
    kernel->ops->destroy(kernel);
}

/* A connection reset while the writer is blocked: what the receiver had no room for is lost. */
static void a_reset_loses_what_was_held_back(void **state)
{
    (void)state;
    struct tl_kernel *kernel = simulated_quiet_kernel();
    static char block[65536];
    int fds[2];
    seam_connection(kernel, fds);
    size_t written = write_until_full(kernel, fds[0], block, sizeof block);
    assert_true(written > 212992);
    seam_write_all(kernel, fds[1], "x", 1);
    wait_for(kernel, TL_MILLISECOND);
    seam_close(kernel, fds[0]); /* over the unread x */
    wait_for(kernel, TL_MILLISECOND);
    size_t got = 0;
    ssize_t n;
    while ((n = seam_read(kernel, fds[1], block, sizeof block)) > 0)
        got += (size_t)n;
    assert_int_equal(n, -ECONNRESET);
    assert_in_range(got, 150000, 212992);
    kernel->ops->destroy(kernel);
}

/* --- Cuts and delays -------------------------------------------------------------------------- */

/* Streams are intact whatever is chosen: bytes arrive complete and in order in both directions. */
static void streams_are_intact_under_every_seed(void **state)
{
    (void)state;
    enum { TOTAL = 6000 };
    static unsigned char data[TOTAL], got[TOTAL];
    for (size_t i = 0; i < TOTAL; i++)
        data[i] = (unsigned char)(i * 31 + i / 256);
    unsigned reads = 0;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct tl_kernel *kernel = simulated_kernel((struct tl_world_options){.seed = seed});
        int fds[2];
        size_t sent = 0, received = 0;
        seam_connection(kernel, fds);
        while (received < TOTAL) {
            size_t most = TOTAL - sent < 700 ? TOTAL - sent : 700;
            ssize_t n = most > 0 ? seam_write(kernel, fds[0], data + sent, most) : 0;
            assert_true(n >= 0);
            sent += (size_t)n;
            if (most == 0)
                seam_await(kernel, fds[1], TL_READABLE);
            n = seam_read(kernel, fds[1], got + received, TOTAL - received);
            reads += n > 0;
            received += n > 0 ? (size_t)n : 0;
        }
        assert_memory_equal(got, data, TOTAL);
        kernel->ops->destroy(kernel);
    }
    assert_in_range(reads, 60, 30 * TOTAL);
}

struct reads {
    size_t count;
    size_t sizes[64];
};

/* Writes ten bytes while one site alone answers, with these odds, and notes the sizes of reads. */
static struct reads read_with(const char *site, uint32_t odds)
{
    struct reads reads = {0};
    char data[16];
    int fds[2];
    struct tl_kernel *kernel = simulated_kernel((struct tl_world_options){.quiet = true});
    seam_connection(kernel, fds);
    simulated_only(kernel, site, odds);
    ssize_t n = seam_write(kernel, fds[0], "0123456789", 10);
    assert_true(n > 0);
    while (n > 0) {
        seam_await(kernel, fds[1], TL_READABLE);
        ssize_t got = seam_read(kernel, fds[1], data, sizeof data);
        assert_true(got > 0);
        reads.sizes[reads.count++] = (size_t)got;
        n -= got;
    }
    kernel->ops->destroy(kernel);
    return reads;
}

static void each_cut_is_a_site_of_its_own(void **state)
{
    (void)state;
    struct reads reads = read_with("stream.segment", 0);
    assert_int_equal(reads.count, 1);
    assert_int_equal(reads.sizes[0], 10);
    assert_true(read_with("stream.segment", 65536).count > 1);
    assert_true(read_with("stream.read", 65536).count > 1);
    reads = read_with("stream.write", 65536);
    assert_int_equal(reads.count, 1);
    assert_true(reads.sizes[0] < 10);
    assert_int_equal(read_with("link.delay", 65536).count, 1);
}

/* --- Faults ----------------------------------------------------------------------------------- */

static void a_connection_can_be_reset_in_flight(void **state)
{
    (void)state;
    struct tl_kernel *kernel = simulated_quiet_kernel();
    char data[8];
    int fds[2];
    seam_connection(kernel, fds);
    seam_write_all(kernel, fds[0], "kept", 4);
    simulated_only(kernel, "stream.reset", 65536);
    assert_int_equal(seam_write(kernel, fds[0], "lost", 4), 4);
    /* What is written before the writer knows would leave a hole before it. */
    simulated_only(kernel, "stream.reset", 0);
    assert_int_equal(seam_write(kernel, fds[0], "after", 5), 5);
    wait_for(kernel, TL_MILLISECOND);
    assert_int_equal(seam_read(kernel, fds[1], data, 8), 4);
    assert_memory_equal(data, "kept", 4);
    assert_int_equal(seam_read(kernel, fds[1], data, 8), -ECONNRESET);
    assert_int_equal(seam_write(kernel, fds[0], "x", 1), -ECONNRESET);
    assert_int_equal(seam_write(kernel, fds[0], "x", 1), -EPIPE);
    kernel->ops->destroy(kernel);
}

static void descriptors_connections_and_answers_can_be_refused(void **state)
{
    (void)state;
    struct tl_kernel *kernel = simulated_quiet_kernel();
    tl_addr addr, peer;
    int listener = seam_listen(kernel, 5, &addr);
    int fd = seam_start_connect(kernel, &addr);
    int second = seam_start_connect(kernel, &addr);
    wait_for(kernel, TL_MILLISECOND);

    simulated_only(kernel, "socket.emfile", 65536);
    assert_int_equal(kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM), -EMFILE);
    assert_int_equal(kernel->ops->accept(kernel, listener, &peer), -EMFILE);
    simulated_only(kernel, "accept.aborted", 65536);
    assert_int_equal(kernel->ops->accept(kernel, listener, &peer), -ECONNABORTED);
    simulated_only(kernel, "connect.timeout", 65536);
    wait_for(kernel, TL_MILLISECOND);
    assert_int_equal(error_of(kernel, fd), -ECONNRESET);
    assert_int_equal(error_of(kernel, second), 0);
    assert_true(kernel->ops->accept(kernel, listener, &peer) >= 0);
    fd = seam_start_connect(kernel, &addr);
    assert_int_equal(finish_slowly(kernel, fd), -ETIMEDOUT);
    kernel->ops->destroy(kernel);
}

/* --- Memory is out ---------------------------------------------------------------------------- */

/* Listens, connects, writes and reads; false when something said that memory is out. A lost SYN is
 * repeated after a second, when there is memory again. */
static bool try_connection(int *left)
{
    static const struct tl_world_options options = {.quiet = true};
    struct tl_kernel *kernel;
    tl_addr addr = simulated_address("127.0.0.1", 80), peer;
    char data[8] = "abc";
    if (tl_sim_kernel_new(&options, &kernel) < 0)
        return false;
    int listener = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
    int fd = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
    bool held = listener >= 0 && fd >= 0 && kernel->ops->bind(kernel, listener, &addr) == 0 &&
                kernel->ops->listen(kernel, listener, 5) == 0 &&
                kernel->ops->connect(kernel, fd, &addr) == -EINPROGRESS;
    if (held) {
        wait_for(kernel, TL_SECOND / 2);
        *left = 100;
        wait_for(kernel, TL_SECOND);
        int accepted = kernel->ops->accept(kernel, listener, &peer);
        assert_true(accepted >= 0);
        *left = 0;
        ssize_t n = seam_write(kernel, fd, data, 3);
        *left = 100;
        assert_int_equal(n, -ENOBUFS);
        seam_write_all(kernel, fd, data, 3);
        assert_int_equal(seam_read_all(kernel, accepted, data, 3), 3);
    }
    *left = 100;
    kernel->ops->destroy(kernel);
    return held;
}

static void every_failed_allocation_is_told(void **state)
{
    (void)state;
    int left = 0;
    tl_allocator allocator = {.realloc = simulated_realloc, .ctx = &left};
    tl_set_allocator(&allocator);
    int n = 0;
    for (bool held = false; !held; n++) {
        assert_true(n < 100);
        left = n;
        held = try_connection(&left);
    }
    tl_set_allocator(NULL);
    assert_true(n > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_take_the_latency),
        cmocka_unit_test(links_set_latency_and_room),
        cmocka_unit_test(nobody_is_there),
        cmocka_unit_test(a_full_backlog_keeps_clients_waiting),
        cmocka_unit_test(a_third_of_the_send_buffer_makes_it_writable),
        cmocka_unit_test(closing_delivers_what_was_written),
        cmocka_unit_test(a_reset_loses_what_was_held_back),
        cmocka_unit_test(streams_are_intact_under_every_seed),
        cmocka_unit_test(each_cut_is_a_site_of_its_own),
        cmocka_unit_test(a_connection_can_be_reset_in_flight),
        cmocka_unit_test(descriptors_connections_and_answers_can_be_refused),
        cmocka_unit_test(every_failed_allocation_is_told),
    };
    return !!cmocka_run_group_tests(tests, NULL, NULL);
}
