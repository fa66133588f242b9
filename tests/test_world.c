/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Worlds: hosts, what a process finds itself in, every way in which a run ends, and guests.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <twinloop/assert.h>
#include <twinloop/error.h>
#include <twinloop/kernel.h>
#include <twinloop/loop.h>
#include <twinloop/sim.h>
#include <twinloop/world.h>
#include <cmocka.h>
#include "core/alloc.h"
#include "core/log.h"
#include "support/simulated.h"

/* --- Hosts ------------------------------------------------------------------------------------ */

static void hosts_have_names_and_addresses(void **state)
{
    (void)state;
    tl_world *world = tl_world_new(NULL);
    tl_host *a = tl_world_add_host(world, "a", NULL);
    tl_host *b = tl_world_add_host(world, "b", "10.0.0.2");
    tl_host *c = tl_world_add_host(world, "c", NULL);
    tl_host *d = tl_world_add_host(world, "d", "fd00::5");
    assert_string_equal(tl_host_address(a), "10.0.0.1");
    assert_string_equal(tl_host_address(b), "10.0.0.2");
    assert_string_equal(tl_host_address(c), "10.0.0.3");
    assert_string_equal(tl_host_address(d), "fd00::5");
    assert_string_equal(tl_host_address(tl_world_add_host(world, "f", "192.0.2.250")),
                        "192.0.2.250");
    assert_string_equal(tl_host_name(c), "c");
    assert_ptr_equal(tl_world_find_host(world, "b"), b);
    assert_null(tl_world_find_host(world, "z"));
    assert_null(tl_world_add_host(world, "a", NULL));
    assert_null(tl_world_add_host(world, "e", "10.0.0.1"));
    assert_null(tl_world_add_host(world, "e", "nonsense"));
    assert_null(tl_world_add_host(world, "e", "127.0.0.1"));
    assert_null(tl_world_add_host(world, "e", "::"));
    assert_null(tl_world_add_host(world, "e", "fe80::1"));
    tl_world_free(world);
    tl_world_free(NULL);
}

/* --- Processes -------------------------------------------------------------------------------- */

static int look_around(int argc, char **argv)
{
    struct notes *notes = program_notes();
    TL_ASSERT(argc == 3 && argv[3] == NULL, "argc is %d", argc);
    TL_ASSERT(strcmp(argv[0], "prog") == 0 && strcmp(argv[2], "b c") == 0, "argv is copied");
    argv[1][0] = 'A'; /* it is ours */
    TL_ASSERT(tl_world_current() == notes->world, "the world is known");
    TL_ASSERT(tl_process_host(tl_process_current()) == notes->hosts[0], "so is the host");
    TL_ASSERT(strcmp(tl_process_name(tl_process_current()), "prog") == 0, "so is the name");
    struct tl_kernel *kernel = program_kernel();
    TL_ASSERT(kernel->ops->info(kernel, TL_INFO_PID, NULL, NULL, 0) > 1, "it has a pid");
    kernel->ops->destroy(kernel);
    return 0;
}

static void a_process_is_its_main(void **state)
{
    (void)state;
    struct notes notes;
    char text[] = "a";
    const char *argv[] = {"prog", text, "b c", NULL};
    int status = -1;
    notes_open(&notes, (struct tl_world_options){0});
    tl_process *process =
        notes_spawn_with(&notes, (struct tl_process_options){.program = look_around, .argv = argv});
    text[0] = 'x';
    assert_false(tl_process_exited(process, &status));
    assert_null(tl_process_current());
    assert_null(tl_world_current());
    notes_expect(&notes, TL_OUTCOME_HELD, "");
    assert_true(tl_process_exited(process, &status));
    assert_int_equal(status, 0);
    assert_int_equal(tl_world_time(notes.world), 0);
    tl_world_free(notes.world);
}

static int sleep_a_minute(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    struct tl_kernel *kernel = program_kernel();
    tl_time start = kernel->ops->now(kernel);
    tl_time wall = kernel->ops->wall(kernel);
    TL_ASSERT(start == TL_SECOND, "it starts when it was told to");
    TL_ASSERT(program_wait(kernel, 60 * TL_SECOND) == 0, "the time runs out");
    TL_ASSERT(kernel->ops->now(kernel) - start == 60 * TL_SECOND, "to the nanosecond");
    TL_ASSERT(kernel->ops->wall(kernel) - wall == 60 * TL_SECOND, "on both clocks");
    return 0; /* without destroying its kernel: the world does */
}

static void time_is_virtual(void **state)
{
    (void)state;
    struct notes notes;
    notes_open(&notes, (struct tl_world_options){0});
    notes_spawn_with(&notes,
                     (struct tl_process_options){.program = sleep_a_minute, .start = TL_SECOND});
    notes_expect(&notes, TL_OUTCOME_HELD, "");
    assert_int_equal(tl_world_time(notes.world), 61 * TL_SECOND);
    tl_world_free(notes.world);
}

static int keep_errno(int argc, char **argv)
{
    (void)argv;
    struct tl_kernel *kernel = program_kernel();
    errno = argc;
    for (int i = 0; i < 5; i++) {
        program_wait(kernel, TL_SECOND);
        TL_ASSERT(errno == argc, "errno is the process's own");
    }
    return 0;
}

static void errno_is_per_process(void **state)
{
    (void)state;
    struct notes notes;
    const char *argv[] = {"a", "b", NULL};
    notes_open(&notes, (struct tl_world_options){0});
    notes_spawn_with(&notes, (struct tl_process_options){.program = keep_errno, .argv = argv + 1});
    notes_spawn_with(&notes, (struct tl_process_options){.program = keep_errno, .argv = argv});
    errno = EDOM;
    notes_expect(&notes, TL_OUTCOME_HELD, "");
    assert_int_equal(errno, EDOM);
    tl_world_free(notes.world);
}

/* --- Outcomes --------------------------------------------------------------------------------- */

static int fail_assertion(int argc, char **argv)
{
    (void)argv;
    TL_ASSERT(argc == 99, "there are %d arguments", argc);
    return 0;
}

static int wait_for_ever(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    struct tl_kernel *kernel = program_kernel();
    tl_addr addr;
    int token;
    int fd = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
    tl_addr_parse("0.0.0.0", 80, &addr);
    kernel->ops->bind(kernel, fd, &addr);
    kernel->ops->listen(kernel, fd, 1);
    kernel->ops->watch(kernel, fd, TL_READABLE, &token);
    program_wait(kernel, -1);
    return 0;
}

static int spin_for_ever(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    struct tl_kernel *kernel = program_kernel();
    while (program_wait(kernel, 0) == 0)
        continue;
    return 0;
}

static void each_outcome_is_told(void **state)
{
    (void)state;
    struct tl_world_options plain = {0};
    notes_run(program_return_three, plain, TL_OUTCOME_FAILED, "prog on one ended with 3");
    notes_run(fail_assertion, plain, TL_OUTCOME_FAILED, "prog: there are 0 arguments");
    notes_run(fail_assertion, plain, TL_OUTCOME_FAILED, "argc == 99");
    notes_run(wait_for_ever, plain, TL_OUTCOME_STUCK, "stuck: nothing can ever happen");
    notes_run(wait_for_ever, plain, TL_OUTCOME_STUCK, "prog on one waits in poll without a timer");
    notes_run(wait_for_ever, plain, TL_OUTCOME_STUCK,
              "fd 3, waits to read: listener on 0.0.0.0:80, 0 connections waiting");
    notes_run(program_tick, plain, TL_OUTCOME_NOT_RECOVERED, "deadline, 600 s");
    notes_run(program_tick, (struct tl_world_options){.deadline = 3 * TL_SECOND},
              TL_OUTCOME_NOT_RECOVERED, "waits in poll for a timer");
    notes_run(spin_for_ever, (struct tl_world_options){.instant_steps_max = 5000}, TL_OUTCOME_LIMIT,
              "livelock: more than 5000 steps");
}

static void a_world_without_processes_holds(void **state)
{
    (void)state;
    struct notes notes;
    notes_open(&notes, (struct tl_world_options){0});
    notes_expect(&notes, TL_OUTCOME_HELD, "");
    tl_world_free(notes.world);
}

static int call_fail(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    struct notes *notes = program_notes();
    struct tl_kernel *kernel = program_kernel();
    tl_world_fail(notes->world, "first %d", 1);
    tl_world_fail(notes->world, "second");
    notes_leave(notes, "goes on,");
    program_wait(kernel, 0);
    notes_leave(notes, "but not beyond the world");
    return 0;
}

static void a_run_can_be_failed(void **state)
{
    (void)state;
    struct notes notes;
    notes_open(&notes, (struct tl_world_options){0});
    notes_spawn(&notes, call_fail, "prog");
    notes_expect(&notes, TL_OUTCOME_FAILED, "first 1");
    assert_null(strstr(tl_world_report(notes.world), "second"));
    assert_string_equal(notes.trail, "goes on,");
    tl_world_free(notes.world);
}

static int log_and_fail(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    tl_log(TL_LOG_INFO, "not worth keeping");
    for (int i = 0; i < 20; i++)
        tl_log(TL_LOG_WARNING, "message %d", i);
    return 1;
}

static void the_report_has_the_last_messages(void **state)
{
    (void)state;
    struct notes notes;
    notes_open(&notes, (struct tl_world_options){0});
    notes_spawn(&notes, log_and_fail, "prog");
    notes_expect(&notes, TL_OUTCOME_FAILED, "said: prog: message 19");
    assert_null(strstr(tl_world_report(notes.world), "message 2\n"));
    assert_null(strstr(tl_world_report(notes.world), "worth keeping"));
    tl_world_free(notes.world);
}

/* --- Guests ----------------------------------------------------------------------------------- */

static void a_guest_lives_alongside_processes(void **state)
{
    (void)state;
    struct notes notes;
    struct tl_kernel *kernel;
    int status;
    notes_open(&notes, (struct tl_world_options){0});
    tl_process *process = notes_spawn(&notes, program_sleep, "prog");
    assert_int_equal(tl_sim_kernel_join(notes.hosts[0], &kernel), 0);
    assert_ptr_equal(tl_sim_kernel_world(kernel), notes.world);
    assert_int_equal(program_wait(kernel, TL_SECOND / 2), 0);
    assert_int_equal(kernel->ops->now(kernel), TL_SECOND / 2);
    assert_false(tl_process_exited(process, &status));
    assert_int_equal(program_wait(kernel, TL_SECOND), 0);
    assert_true(tl_process_exited(process, &status));
    /* Now nothing can happen any more. */
    assert_int_equal(program_wait(kernel, -1), TL_EDEADLOCK);
    assert_non_null(strstr(tl_world_report(notes.world), "main on one waits in poll"));
    assert_int_equal(program_wait(kernel, TL_SECOND), TL_EDEADLOCK);
    kernel->ops->destroy(kernel);
    tl_world_free(notes.world);
}

static void a_guest_learns_that_the_run_has_failed(void **state)
{
    (void)state;
    struct notes notes;
    struct tl_kernel *kernel;
    notes_open(&notes, (struct tl_world_options){0});
    notes_spawn(&notes, fail_assertion, "prog");
    assert_int_equal(tl_sim_kernel_join(notes.hosts[0], &kernel), 0);
    assert_int_equal(program_wait(kernel, TL_SECOND), TL_EDEADLOCK);
    assert_non_null(strstr(tl_world_report(notes.world), "there are 0 arguments"));
    kernel->ops->destroy(kernel);
    tl_world_free(notes.world);
}

static int join_own_world(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    struct tl_kernel *kernel;
    TL_ASSERT(tl_sim_kernel_join(program_notes()->hosts[0], &kernel) == -EBUSY, "not from within");
    return 0;
}

static void processes_are_no_guests(void **state)
{
    (void)state;
    notes_run(join_own_world, (struct tl_world_options){0}, TL_OUTCOME_HELD, "");
}

static void count(void *arg)
{
    ++*(int *)arg;
}

static void a_loop_in_one_line(void **state)
{
    (void)state;
    tl_loop *loop;
    int counted = 0;
    assert_int_equal(tl_sim_loop_new(NULL, NULL), -EINVAL);
    assert_int_equal(tl_sim_loop_new(NULL, &loop), 0);
    tl_world *world = tl_sim_kernel_world(tl_loop_kernel(loop));
    assert_string_equal(tl_host_address(tl_world_find_host(world, "local")), "10.0.0.1");
    tl_time start = tl_loop_time(loop);
    assert_int_equal(tl_loop_call_later(loop, 3600 * TL_SECOND, count, &counted, NULL), 0);
    assert_int_equal(tl_loop_run_forever(loop), TL_EDEADLOCK);
    assert_int_equal(counted, 1);
    assert_int_equal(tl_loop_time(loop) - start, 3600 * TL_SECOND);
    tl_loop_free(loop);
}

/* --- Memory is out ---------------------------------------------------------------------------- */

static int leave_name(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    notes_leave(program_notes(), tl_process_name(tl_process_current()));
    return 0;
}

/* Builds and runs a world; false when something said that memory is out. */
static bool try_world(void)
{
    struct notes notes = {0};
    notes.world = tl_world_new(NULL);
    if (notes.world == NULL)
        return false;
    notes.hosts[0] = tl_world_add_host(notes.world, "one", NULL);
    struct tl_process_options options = {.program = leave_name, .name = "prog", .arg = &notes};
    bool built = notes.hosts[0] != NULL && tl_host_spawn(notes.hosts[0], &options) != NULL &&
                 tl_world_at(notes.world, 0, callback_leave_second, &notes) == 0;
    bool held = built && tl_world_run(notes.world) == TL_OUTCOME_HELD;
    if (held)
        assert_int_equal(strlen(notes.trail), strlen("0 prog"));
    else if (built)
        assert_non_null(strstr(tl_world_report(notes.world), "no memory"));
    tl_world_free(notes.world);
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
        held = try_world();
    }
    tl_set_allocator(NULL);
    assert_true(n > 10);
}

static void no_loop_without_memory(void **state)
{
    (void)state;
    int left = 0;
    tl_allocator allocator = {.realloc = simulated_realloc, .ctx = &left};
    tl_loop *loop = NULL;
    tl_set_allocator(&allocator);
    for (int n = 0; loop == NULL; n++) {
        assert_true(n < 30);
        left = n;
        int r = tl_sim_loop_new(NULL, &loop);
        assert_true(r == 0 || r == -ENOMEM);
        assert_int_equal(r == 0, loop != NULL);
    }
    left = 0;
    tl_loop_free(loop);
    tl_set_allocator(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_have_names_and_addresses),
        cmocka_unit_test(a_process_is_its_main),
        cmocka_unit_test(time_is_virtual),
        cmocka_unit_test(errno_is_per_process),
        cmocka_unit_test(each_outcome_is_told),
        cmocka_unit_test(a_world_without_processes_holds),
        cmocka_unit_test(a_run_can_be_failed),
        cmocka_unit_test(the_report_has_the_last_messages),
        cmocka_unit_test(a_guest_lives_alongside_processes),
        cmocka_unit_test(a_guest_learns_that_the_run_has_failed),
        cmocka_unit_test(processes_are_no_guests),
        cmocka_unit_test(a_loop_in_one_line),
        cmocka_unit_test(no_loop_without_memory),
        cmocka_unit_test(every_failed_allocation_is_told),
    };
    return !!cmocka_run_group_tests(tests, NULL, NULL);
}
