/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A world that is reset is as good as new: its runs have the hashes that runs of new worlds have,
 * whatever the run before left undone.
 *
 * One world is reset for each of 200 seeds, and for scripts, and its runs are compared with those
 * of worlds made anew. The scenario ends in the middle of things: a deadline while connections are
 * being made and closed, a stack of a failed assertion, choices of its own.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <twinloop/assert.h>
#include <twinloop/sim.h>

#include <cmocka.h>

#include "core/self.h"
#include "sim/world.h"
#include "support/simulated.h"

enum { SEEDS = 200, PORT = 7 };

static const tl_site habit = {"test.habit", TL_SITE_USER, 0, "what a client does"};

/* --- The scenario ----------------------------------------------------------------------------- */

static ssize_t transfer(struct tl_kernel *kernel, int fd, char *data, size_t len, bool writes)
{
    struct iovec iov = {data, len};
    struct tl_message message = {.iov = &iov, .iov_count = 1};
    return writes ? kernel->ops->write(kernel, fd, &message, 1)
                  : kernel->ops->read(kernel, fd, &message, 1);
}

static void wait_for(struct tl_kernel *kernel, int fd, unsigned events)
{
    struct tl_event event;
    kernel->ops->watch(kernel, fd, events, &event);
    kernel->ops->poll(kernel, 50 * TL_MILLISECOND, &event, 1);
    kernel->ops->watch(kernel, fd, 0, NULL);
}

/* Accepts, answers once, and keeps every other connection. */
static __attribute__((noreturn)) int serve(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    char data[100];
    struct tl_kernel *kernel = program_kernel();
    tl_addr any = simulated_address("0.0.0.0", PORT);
    int listener = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
    kernel->ops->bind(kernel, listener, &any);
    kernel->ops->listen(kernel, listener, 1);
    for (int i = 0;; i++) {
        wait_for(kernel, listener, TL_READABLE);
        int fd = kernel->ops->accept(kernel, listener, NULL);
        if (fd < 0)
            continue;
        wait_for(kernel, fd, TL_READABLE);
        ssize_t n = transfer(kernel, fd, data, sizeof data, false);
        if (n > 0)
            transfer(kernel, fd, data, (size_t)n, true);
        if (i % 2 == 0)
            kernel->ops->close(kernel, fd);
    }
}

static __attribute__((noreturn)) int call(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    char data[100] = "hello";
    struct tl_kernel *kernel = program_kernel();
    tl_world *world = tl_world_current();
    tl_addr server = simulated_address("10.0.0.1", PORT);
    for (;;) {
        int fd = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
        if (fd < 0)
            continue;
        kernel->ops->connect(kernel, fd, &server);
        wait_for(kernel, fd, TL_WRITABLE);
        transfer(kernel, fd, data, sizeof data, true);
        if (tl_choose(world, &habit, 1, 3) > 0)
            wait_for(kernel, fd, TL_READABLE);
        kernel->ops->close(kernel, fd);
    }
}

static void fail_late(tl_world *world, void *arg)
{
    (void)arg;
    TL_ASSERT(tl_choose(world, &habit, 2, 4) > 0, "the world ends here for some seeds");
}

static void never(tl_world *world, void *arg)
{
    (void)world;
    (void)arg;
}

static struct tl_world_options options_of(uint64_t seed)
{
    return (struct tl_world_options){
        .seed = seed,
        .keep_choices = true,
        .deadline = 300 * TL_MILLISECOND,
        .fds_max = 12 + seed % 5,
        .quiet = seed % 17 == 0,
    };
}

struct result {
    enum tl_outcome outcome;
    uint64_t schedule;
    uint64_t content;
    uint64_t events;
    tl_time time;
    char report[sizeof(((struct tl_report *)0)->text)];
};

static void run(tl_world *world, struct result *ret)
{
    static const struct tl_process_options serving = {.name = "server", .program = serve},
                                           calling = {.name = "client", .program = call};
    tl_world_set_odds(world, "socket.emfile", 2000);
    tl_world_set_odds(world, "stream.reset", 2000);
    assert_non_null(tl_host_spawn(tl_world_find_host(world, "one"), &serving));
    for (int i = 0; i < 3; i++)
        assert_non_null(tl_host_spawn(tl_world_find_host(world, "two"), &calling));
    assert_int_equal(tl_world_at(world, 200 * TL_MILLISECOND, fail_late, NULL), 0);
    assert_int_equal(tl_world_at(world, 900 * TL_SECOND, never, NULL), 0);
    memset(ret, 0, sizeof *ret);
    ret->outcome = tl_world_run(world);
    tl_world_hashes(world, &ret->schedule, &ret->content);
    ret->events = tl_world_events(world);
    ret->time = tl_world_time(world);
    strncpy(ret->report, tl_world_report(world), sizeof ret->report - 1);
}

static void add_hosts(tl_world *world)
{
    struct tl_link_options slow = {.latency = 3 * TL_MILLISECOND, .buffer_bytes = 64};
    tl_host *one = tl_world_add_host(world, "one", NULL);
    tl_host *two = tl_world_add_host(world, "two", NULL);
    assert_int_equal(tl_world_set_link(world, one, two, &slow), 0);
}

static tl_world *new_world(const struct tl_world_options *options)
{
    tl_world *world = tl_world_new(options);
    assert_non_null(world);
    add_hosts(world);
    return world;
}

static void assert_equal(const struct result *fresh, const struct result *again)
{
    assert_string_equal(fresh->report, again->report);
    assert_memory_equal(fresh, again, sizeof *fresh);
    assert_true(fresh->events > 50);
}

/* --- The tests -------------------------------------------------------------------------------- */

static void a_reset_world_runs_as_a_new_one(void **state)
{
    (void)state;
    static struct result fresh, again;
    unsigned failed = 0;
    tl_world *kept = new_world(NULL);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct tl_world_options options = options_of(seed);
        tl_world *world = new_world(&options);
        run(world, &fresh);
        tl_world_free(world);
        assert_int_equal(tl_world_reset(kept, &options), 0);
        run(kept, &again);
        assert_equal(&fresh, &again);
        failed += fresh.outcome == TL_OUTCOME_FAILED;
    }
    assert_in_range(failed, 1, SEEDS - 1); /* both kinds of end were there */
    tl_world_free(kept);
}

static void a_reset_world_takes_another_strategy(void **state)
{
    (void)state;
    static struct result seeded, scripted;
    struct tl_script_entry script[2000];
    struct tl_world_options options = options_of(3);
    tl_world *world = new_world(&options);
    run(world, &seeded);
    size_t count;
    const struct tl_script_entry *kept = tl_world_script(world, &count);
    assert_in_range(count, 1, 2000);
    memcpy(script, kept, count * sizeof *script);
    for (int i = 0; i < 2; i++) {
        options.strategy = TL_STRATEGY_SCRIPT;
        options.script = script;
        options.script_count = count;
        assert_int_equal(tl_world_reset(world, &options), 0);
        run(world, &scripted);
        assert_equal(&seeded, &scripted);
        assert_int_equal(tl_world_script_unused(world), 0);
    }
    options = (struct tl_world_options){.strategy = TL_STRATEGY_BYTES};
    assert_int_equal(tl_world_reset(world, &options), 0);
    run(world, &scripted);
    assert_true(seeded.schedule != scripted.schedule);
    tl_world_free(world);
}

/* With its hosts forgotten, a world is built anew; one more host before would show. */
static void a_reset_world_can_be_built_anew(void **state)
{
    (void)state;
    static struct result fresh, again;
    tl_world *kept = new_world(NULL);
    for (uint64_t seed = 0; seed < SEEDS / 10; seed++) {
        struct tl_world_options options = options_of(seed);
        tl_world *world = new_world(&options);
        run(world, &fresh);
        tl_world_free(world);
        assert_non_null(tl_world_add_host(kept, "three", NULL));
        options.forget_hosts = true;
        assert_int_equal(tl_world_reset(kept, &options), 0);
        assert_null(tl_world_find_host(kept, "one"));
        add_hosts(kept);
        assert_string_equal(tl_host_address(tl_world_find_host(kept, "one")), "10.0.0.1");
        run(kept, &again);
        assert_equal(&fresh, &again);
    }
    tl_world_free(kept);
}

/* Kernels of the caller's own stack go too, and what they had open. */
static void joined_kernels_go_with_a_reset(void **state)
{
    (void)state;
    tl_world *world = new_world(NULL);
    tl_addr server = simulated_address("10.0.0.1", PORT);
    for (int i = 0; i < 3; i++) {
        struct tl_kernel *one, *two;
        assert_int_equal(tl_sim_kernel_join(tl_world_find_host(world, "one"), &one), 0);
        assert_int_equal(tl_sim_kernel_join(tl_world_find_host(world, "two"), &two), 0);
        int listener = simulated_socket(one);
        int client = simulated_socket(two);
        assert_int_equal(one->ops->bind(one, listener, &server), 0);
        assert_int_equal(one->ops->listen(one, listener, 5), 0);
        assert_int_equal(two->ops->connect(two, client, &server), -EINPROGRESS);
        wait_for(two, client, TL_WRITABLE);
        assert_int_equal(transfer(two, client, "abc", 3, true), 3);
        assert_true(tl_world_time(world) > 0);
        assert_int_equal(tl_world_reset(world, NULL), 0);
        assert_int_equal(tl_world_time(world), 0);
        assert_int_equal(tl_world_events(world), 0);
    }
    tl_world_free(world);
}

static void no_world_is_refused(void **state)
{
    (void)state;
    assert_int_equal(tl_world_reset(NULL, NULL), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reset_world_runs_as_a_new_one),
        cmocka_unit_test(a_reset_world_takes_another_strategy),
        cmocka_unit_test(a_reset_world_can_be_built_anew),
        cmocka_unit_test(joined_kernels_go_with_a_reset),
        cmocka_unit_test(no_world_is_refused),
    };
    int rc = cmocka_run_group_tests_name("world_reset", tests, NULL, NULL);
    return !!rc;
}
