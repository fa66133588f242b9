/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a simulated process has numbers for (descriptors, ports), and what its poll chooses: the
 * order of what is ready, jobs, posts.
 */
#include <errno.h>
#include <pthread.h>
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

/* --- Descriptors and ports -------------------------------------------------------------------- */

static void numbers_are_the_lowest_free(void **state)
{
    (void)state;
    struct tl_kernel *kernel = simulated_kernel((struct tl_world_options){.fds_max = 200});
    for (int fd = 3; fd < 200; fd++)
        assert_int_equal(kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM), fd);
    assert_int_equal(kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM), -EMFILE);
    seam_close(kernel, 150);
    seam_close(kernel, 70);
    assert_int_equal(kernel->ops->close(kernel, 70), -EBADF);
    assert_int_equal(kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM), 70);
    assert_int_equal(kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM), 150);
    assert_int_equal(kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM), -EMFILE);
    kernel->ops->destroy(kernel);
}

static void ports_are_picked_in_order_and_run_out(void **state)
{
    (void)state;
    struct tl_kernel *kernel =
        simulated_kernel((struct tl_world_options){.quiet = true, .fds_max = 40000});
    tl_addr any = simulated_address("127.0.0.1", 0), local;
    for (int port = 32768; port <= 60999; port++) {
        int fd = simulated_socket(kernel);
        assert_int_equal(kernel->ops->bind(kernel, fd, &any), 0);
        assert_int_equal(kernel->ops->address(kernel, fd, TL_ADDRESS_LOCAL, &local), 0);
        assert_int_equal(local.port, port);
    }
    int fd = simulated_socket(kernel);
    assert_int_equal(kernel->ops->bind(kernel, fd, &any), -EADDRINUSE);
    assert_int_equal(kernel->ops->connect(kernel, fd, &any), -EADDRNOTAVAIL);
    seam_close(kernel, 500);
    assert_int_equal(kernel->ops->bind(kernel, fd, &any), 0);
    kernel->ops->destroy(kernel);
}

struct binding {
    const char *host;
    bool six, v6only, reuse, share, listens;
};

static int bind_as(struct tl_kernel *kernel, const struct binding *binding, uint16_t port)
{
    int on = 1;
    tl_addr addr = simulated_address(binding->host, port);
    int fd =
        kernel->ops->socket(kernel, binding->six ? TL_FAMILY_INET6 : TL_FAMILY_INET, TL_STREAM);
    if (binding->v6only)
        kernel->ops->option(kernel, fd, TL_OPTION_V6ONLY, &on, NULL);
    if (binding->reuse)
        kernel->ops->option(kernel, fd, TL_OPTION_REUSEADDR, &on, NULL);
    if (binding->share)
        kernel->ops->option(kernel, fd, TL_OPTION_REUSEPORT, &on, NULL);
    int r = kernel->ops->bind(kernel, fd, &addr);
    if (r == 0 && binding->listens)
        r = kernel->ops->listen(kernel, fd, 5);
    return r;
}

/* Each pair on a port of its own: what the second one is answered. */
static void who_may_share_a_port(void **state)
{
    (void)state;
    static const struct {
        struct binding first, second;
        int result;
    } table[] = {
        {{.host = "127.0.0.1"}, {.host = "127.0.0.1"}, -EADDRINUSE},
        {{.host = "127.0.0.1"}, {.host = "127.0.0.2"}, 0},
        {{.host = "0.0.0.0"}, {.host = "127.0.0.1"}, -EADDRINUSE},
        {{.host = "127.0.0.1"}, {.host = "0.0.0.0"}, -EADDRINUSE},
        {{.host = "10.0.0.1"}, {.host = "127.0.0.1"}, 0},
        {{.host = "127.0.0.1", .reuse = true}, {.host = "127.0.0.1"}, -EADDRINUSE},
        {{.host = "127.0.0.1", .reuse = true}, {.host = "127.0.0.1", .reuse = true}, 0},
        {{.host = "127.0.0.1", .reuse = true, .listens = true},
         {.host = "127.0.0.1", .reuse = true},
         -EADDRINUSE},
        {{.host = "127.0.0.1", .reuse = true},
         {.host = "127.0.0.1", .reuse = true, .listens = true},
         0},
        {{.host = "127.0.0.1", .share = true, .listens = true},
         {.host = "127.0.0.1", .share = true, .listens = true},
         0},
        {{.host = "127.0.0.1", .share = true}, {.host = "127.0.0.1", .reuse = true}, -EADDRINUSE},
        {{.host = "::", .six = true}, {.host = "127.0.0.1"}, -EADDRINUSE},
        {{.host = "::", .six = true, .v6only = true}, {.host = "127.0.0.1"}, 0},
        {{.host = "::1", .six = true}, {.host = "127.0.0.1"}, 0},
        {{.host = "0.0.0.0"}, {.host = "::", .six = true}, -EADDRINUSE},
        {{.host = "0.0.0.0"}, {.host = "::", .six = true, .v6only = true}, 0},
        {{.host = "127.0.0.1"}, {.host = "10.9.9.9"}, -EADDRNOTAVAIL},
    };
    struct tl_kernel *kernel = simulated_quiet_kernel();
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        uint16_t port = (uint16_t)(1000 + i);
        assert_int_equal(bind_as(kernel, &table[i].first, port), 0);
        int r = bind_as(kernel, &table[i].second, port);
        if (r != table[i].result)
            fail_msg("row %zu: %s", i, tl_err_name(r));
    }
    kernel->ops->destroy(kernel);
}

static void a_listener_of_both_families(void **state)
{
    (void)state;
    struct tl_kernel *kernel = simulated_quiet_kernel();
    tl_addr any = simulated_address("::", 80), peer;
    int listener = kernel->ops->socket(kernel, TL_FAMILY_INET6, TL_STREAM);
    assert_int_equal(kernel->ops->bind(kernel, listener, &any), 0);
    assert_int_equal(kernel->ops->listen(kernel, listener, 5), 0);
    tl_addr addr = simulated_address("127.0.0.1", 80);
    int fd = seam_start_connect(kernel, &addr);
    assert_int_equal(seam_finish_connect(kernel, fd), 0);
    seam_accept(kernel, listener, &peer);
    tl_addr mapped = simulated_address("::ffff:127.0.0.1", peer.port);
    assert_true(tl_addr_equal(&peer, &mapped));
    addr = simulated_address("::1", 80);
    fd = kernel->ops->socket(kernel, TL_FAMILY_INET6, TL_STREAM);
    assert_int_equal(kernel->ops->connect(kernel, fd, &addr), -EINPROGRESS);
    assert_int_equal(seam_finish_connect(kernel, fd), 0);
    seam_accept(kernel, listener, &peer);
    assert_int_equal(peer.family, TL_FAMILY_INET6);
    kernel->ops->destroy(kernel);
}

/* --- Order ------------------------------------------------------------------------------------ */

static void ready_order_is_a_choice_within_a_window(void **state)
{
    (void)state;
    enum { COUNT = 12 };
    unsigned firsts = 0, plain = 0;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct tl_kernel *kernel =
            simulated_kernel((struct tl_world_options){.seed = seed, .quiet = true});
        struct tl_event events[COUNT];
        int tokens[COUNT];
        for (int i = 0; i < COUNT; i++)
            kernel->ops->watch(kernel, simulated_socket(kernel), TL_WRITABLE, &tokens[i]);
        assert_int_equal(kernel->ops->poll(kernel, -1, events, COUNT), COUNT);
        bool in_order = true;
        for (int i = 0; i < COUNT; i++) {
            int index = (int)((int *)events[i].token - tokens);
            assert_in_range(index, 0, i + 7);
            in_order &= index == i;
        }
        firsts |= 1u << ((int *)events[0].token - tokens);
        plain += in_order;
        kernel->ops->destroy(kernel);
    }
    assert_true(firsts & 1);
    assert_true(firsts > 15 && firsts < 256);
    assert_in_range(plain, 0, 30);
}

static void plain_order_is_first_come_first_served(void **state)
{
    (void)state;
    struct tl_kernel *kernel = simulated_quiet_kernel();
    struct tl_event events[2];
    int tokens[6];
    for (int i = 0; i < 6; i++)
        kernel->ops->watch(kernel, simulated_socket(kernel), TL_WRITABLE, &tokens[i]);
    /* What has been reported goes behind what has not. */
    for (int i = 0; i < 12; i += 2) {
        assert_int_equal(kernel->ops->poll(kernel, -1, events, 2), 2);
        assert_ptr_equal(events[0].token, &tokens[i % 6]);
        assert_ptr_equal(events[1].token, &tokens[i % 6 + 1]);
    }
    kernel->ops->destroy(kernel);
}

/* --- Jobs and posts --------------------------------------------------------------------------- */

struct job {
    struct tl_work work;
    int ran;
};

static void run_job(struct tl_work *work)
{
    ((struct job *)work)->ran++;
}

static void jobs_finish_in_a_chosen_order(void **state)
{
    (void)state;
    unsigned orders = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct tl_kernel *kernel = simulated_kernel((struct tl_world_options){.seed = seed});
        struct job jobs[2] = {{.work.run = run_job}, {.work.run = run_job}};
        struct tl_event event;
        assert_int_equal(kernel->ops->work(kernel, &jobs[0].work), 0);
        assert_int_equal(kernel->ops->work(kernel, &jobs[1].work), 0);
        assert_int_equal(kernel->ops->poll(kernel, 0, &event, 1), 0);
        assert_int_equal(jobs[0].ran + jobs[1].ran, 0);
        assert_int_equal(kernel->ops->poll(kernel, -1, &event, 1), 1);
        assert_true(kernel->ops->now(kernel) >= 10 * TL_MICROSECOND);
        assert_int_equal(event.kind, TL_EVENT_WORK);
        assert_int_equal(jobs[0].ran + jobs[1].ran, 1);
        orders |= event.token == &jobs[0] ? 1 : 2;
        assert_int_equal(kernel->ops->poll(kernel, -1, &event, 1), 1);
        assert_int_equal(jobs[0].ran & jobs[1].ran, 1);
        /* A third one is not begun when its kernel goes. */
        assert_int_equal(kernel->ops->work(kernel, &jobs[0].work), 0);
        kernel->ops->destroy(kernel);
        assert_int_equal(jobs[0].ran, 1);
    }
    assert_int_equal(orders, 3);
}

struct posting {
    struct tl_kernel *kernel;
    struct tl_post post;
    int result;
};

static void *post_from_elsewhere(void *arg)
{
    struct posting *posting = arg;
    posting->result = posting->kernel->ops->post(posting->kernel, &posting->post);
    return NULL;
}

static void other_threads_are_refused(void **state)
{
    (void)state;
    struct posting posting = {.kernel = simulated_quiet_kernel()};
    struct tl_event event;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, post_from_elsewhere, &posting), 0);
    pthread_join(thread, NULL);
    assert_int_equal(posting.result, TL_ETHREAD);
    post_from_elsewhere(&posting);
    assert_int_equal(posting.result, 0);
    assert_int_equal(posting.kernel->ops->poll(posting.kernel, -1, &event, 1), 1);
    assert_int_equal(event.kind, TL_EVENT_POSTED);
    assert_ptr_equal(event.token, &posting.post);
    assert_int_equal(posting.kernel->ops->poll(posting.kernel, -1, &event, 1), TL_EDEADLOCK);
    posting.kernel->ops->destroy(posting.kernel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_the_lowest_free),
        cmocka_unit_test(ports_are_picked_in_order_and_run_out),
        cmocka_unit_test(who_may_share_a_port),
        cmocka_unit_test(a_listener_of_both_families),
        cmocka_unit_test(ready_order_is_a_choice_within_a_window),
        cmocka_unit_test(plain_order_is_first_come_first_served),
        cmocka_unit_test(jobs_finish_in_a_chosen_order),
        cmocka_unit_test(other_threads_are_refused),
    };
    return !!cmocka_run_group_tests(tests, NULL, NULL);
}
