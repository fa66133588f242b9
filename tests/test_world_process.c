/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes side by side: signals and daemons, callbacks of the world, spawning while it runs,
 * whose turn it is, and what the others see when one ends.
 *
 * One program uses a loop, to see that memory of the library is the world's concern when a process
 * is killed.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <twinloop/assert.h>
#include <twinloop/error.h>
#include <twinloop/kernel.h>
#include <twinloop/loop.h>
#include <twinloop/policy.h>
#include <twinloop/sim.h>
#include <twinloop/world.h>
#include <cmocka.h>
#include "core/alloc.h"
#include "support/simulated.h"

/* --- Daemons and signals ---------------------------------------------------------------------- */

/* Ends cleanly on SIGTERM, a while after it. */
static int end_on_sigterm(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    struct notes *notes = program_notes();
    struct tl_kernel *kernel = program_kernel();
    struct tl_event event;
    TL_ASSERT(kernel->ops->signal(kernel, SIGTERM, true) == 0, "SIGTERM can be handled");
    TL_ASSERT(kernel->ops->poll(kernel, -1, &event, 1) == 1, "it comes");
    TL_ASSERT(event.kind == TL_EVENT_SIGNAL && event.value == SIGTERM, "as an event");
    notes->time = kernel->ops->now(kernel);
    program_wait(kernel, 100 * TL_MILLISECOND);
    notes_leave(notes, "clean");
    return 5; /* which nobody minds in a daemon */
}

static int ignore_sigterm(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    struct tl_kernel *kernel = program_kernel();
    kernel->ops->signal(kernel, SIGTERM, true);
    while (program_wait(kernel, 300 * TL_MILLISECOND) >= 0)
        continue;
    return 0;
}

static void daemons_get_sigterm_and_grace(void **state)
{
    (void)state;
    struct notes notes;
    int status = 0;
    notes_open(&notes, (struct tl_world_options){0});
    tl_process *polite = notes_spawn_daemon(&notes, end_on_sigterm);
    notes_spawn(&notes, program_sleep, "prog");
    notes_expect(&notes, TL_OUTCOME_HELD, "");
    assert_string_equal(notes.trail, "clean");
    assert_int_equal(notes.time, TL_SECOND);
    assert_int_equal(tl_world_time(notes.world), 1100 * TL_MILLISECOND);
    assert_true(tl_process_exited(polite, &status));
    assert_int_equal(status, 5);
    tl_world_free(notes.world);

    notes_open(&notes, (struct tl_world_options){.grace = 2 * TL_SECOND});
    tl_process *deaf = notes_spawn_daemon(&notes, ignore_sigterm);
    tl_process *plain = notes_spawn_daemon(&notes, program_tick);
    notes_spawn(&notes, program_sleep, "prog");
    notes_expect(&notes, TL_OUTCOME_HELD, "");
    assert_in_range(tl_world_time(notes.world), 2700 * TL_MILLISECOND, 3 * TL_SECOND);
    assert_false(tl_process_exited(deaf, &status));
    assert_true(tl_process_exited(plain, &status));
    assert_int_equal(status, -SIGTERM);
    tl_world_free(notes.world);
}

static int count_signals(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    struct notes *notes = program_notes();
    struct tl_kernel *kernel = program_kernel();
    struct tl_event events[4];
    kernel->ops->signal(kernel, SIGUSR1, true);
    kernel->ops->signal(kernel, SIGHUP, true);
    notes->count = kernel->ops->poll(kernel, -1, events, 4);
    for (int i = 0; i < notes->count; i++)
        notes_leave(notes, events[i].value == SIGHUP ? "h" : "u");
    kernel->ops->signal(kernel, SIGUSR1, false);
    program_wait(kernel, -1);
    return 0;
}

static void send_signals(tl_world *world, void *arg)
{
    struct notes *notes = arg;
    assert_ptr_equal(tl_world_current(), world);
    assert_null(tl_process_current());
    assert_int_equal(tl_process_kill(notes->other, SIGUSR1), 0);
    assert_int_equal(tl_process_kill(notes->other, SIGUSR1), 0);
    assert_int_equal(tl_process_kill(notes->other, SIGHUP), 0);
    assert_int_equal(tl_process_kill(notes->other, SIGCHLD), 0);
    assert_int_equal(tl_process_kill(notes->other, 0), 0);
    assert_int_equal(tl_process_kill(notes->other, 65), -EINVAL);
    assert_int_equal(tl_process_kill(notes->other, SIGSTOP), -EINVAL);
}

static void send_the_last(tl_world *world, void *arg)
{
    (void)world;
    struct notes *notes = arg;
    assert_int_equal(tl_process_kill(notes->other, SIGUSR1), 0);
    assert_int_equal(tl_process_kill(notes->other, 0), -ESRCH);
    assert_int_equal(tl_process_kill(notes->other, SIGKILL), -ESRCH);
}

/* Whether the first had been handled when the second came is open: odds decide. */
static void signal_twice(uint32_t apart, int count, const char *trail)
{
    struct notes notes;
    int status;
    notes_open(&notes, (struct tl_world_options){0});
    assert_int_equal(tl_world_set_odds(notes.world, "signal.apart", apart), 0);
    notes.other = notes_spawn_daemon(&notes, count_signals);
    notes_spawn_with(&notes, (struct tl_process_options){.program = program_sleep});
    assert_int_equal(tl_world_at(notes.world, TL_MILLISECOND, send_signals, &notes), 0);
    assert_int_equal(tl_world_at(notes.world, 2 * TL_MILLISECOND, send_the_last, &notes), 0);
    notes_expect(&notes, TL_OUTCOME_HELD, "");
    assert_int_equal(notes.count, count);
    assert_string_equal(notes.trail, trail);
    assert_true(tl_process_exited(notes.other, &status));
    assert_int_equal(status, -SIGUSR1);
    tl_world_free(notes.world);
}

static void pending_signals_are_not_pending_twice(void **state)
{
    (void)state;
    signal_twice(0, 2, "hu");
    signal_twice(65536, 3, "huu");
}

static int signal_oneself(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    struct tl_kernel *kernel = program_kernel();
    struct tl_event events[8];
    kernel->ops->signal(kernel, SIGUSR1, true);
    kernel->ops->signal(kernel, 40, true);
    for (int i = 0; i < 3; i++) {
        tl_process_kill(tl_process_current(), SIGUSR1);
        tl_process_kill(tl_process_current(), 40);
    }
    int n = kernel->ops->poll(kernel, -1, events, 8);
    for (int i = 0; i < n; i++)
        notes_leave(program_notes(), events[i].value == 40 ? "r" : "u");
    return 0;
}

/* Each handler ran before the next was sent. */
static void a_process_hears_each_of_its_own(void **state)
{
    (void)state;
    struct notes notes;
    notes_open(&notes, (struct tl_world_options){0});
    notes_spawn(&notes, signal_oneself, "prog");
    notes_expect(&notes, TL_OUTCOME_HELD, "");
    assert_string_equal(notes.trail, "uuurrr");
    tl_world_free(notes.world);
}

static int kill_self(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    struct tl_kernel *kernel = program_kernel();
    struct tl_kernel *second = program_kernel();
    TL_ASSERT(kernel->ops->signal(kernel, SIGKILL, true) == -EINVAL, "it cannot be caught");
    TL_ASSERT(kernel->ops->signal(kernel, 0, true) == -EINVAL, "it is none");
    TL_ASSERT(kernel->ops->signal(kernel, SIGINT, true) == 0, "it can be");
    TL_ASSERT(second->ops->signal(second, SIGINT, true) == -EBUSY, "by one kernel");
    kernel->ops->destroy(kernel);
    TL_ASSERT(second->ops->signal(second, SIGINT, true) == 0, "it goes with its kernel");
    tl_process_kill(tl_process_current(), SIGKILL);
    notes_leave(program_notes(), "still there");
    return 0;
}

static void a_killed_foreground_process_fails_the_run(void **state)
{
    (void)state;
    struct notes notes;
    notes_open(&notes, (struct tl_world_options){0});
    notes_spawn(&notes, kill_self, "prog");
    notes_expect(&notes, TL_OUTCOME_FAILED, "prog on one was ended by signal 9");
    assert_string_equal(notes.trail, "");
    tl_world_free(notes.world);
}

/* A daemon with a loop: all of it is lost when the daemon is, and nothing leaks. */
static int run_a_loop(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    tl_loop *loop;
    TL_ASSERT(tl_new_event_loop(&loop) == 0, "a process has a loop");
    TL_ASSERT(tl_realloc(tl_alloc(10), 1000) != NULL, "memory of the library is the world's");
    TL_ASSERT(tl_alloc(SIZE_MAX - 3) == NULL, "there is not that much");
    tl_loop_run_forever(loop);
    return 0;
}

static void the_killed_leave_nothing_behind(void **state)
{
    (void)state;
    struct notes notes;
    notes_open(&notes, (struct tl_world_options){0});
    notes_spawn_daemon(&notes, run_a_loop);
    notes_spawn_with(&notes, (struct tl_process_options){
                                 .program = run_a_loop, .daemon = true, .start = 60 * TL_SECOND});
    notes_spawn(&notes, program_sleep, "prog");
    notes_expect(&notes, TL_OUTCOME_HELD, "");
    tl_world_free(notes.world);

    /* Nor do those whose world is freed under them, started or not. */
    notes_open(&notes, (struct tl_world_options){0});
    notes_spawn_daemon(&notes, run_a_loop);
    notes_spawn(&notes, program_return_three, "prog");
    notes_expect(&notes, TL_OUTCOME_FAILED, "");
    tl_world_free(notes.world);
    notes_open(&notes, (struct tl_world_options){0});
    notes_spawn(&notes, program_return_three, "prog");
    tl_world_free(notes.world);
}

/* --- Callbacks and spawning while it runs ----------------------------------------------------- */

static void spawn_late(tl_world *world, void *arg)
{
    struct notes *notes = arg;
    assert_int_equal(tl_world_at(world, 0, callback_leave_second, arg), 0);
    notes_spawn(notes, program_sleep, "late");
}

static void callbacks_come_at_their_time(void **state)
{
    (void)state;
    struct notes notes;
    notes_open(&notes, (struct tl_world_options){0});
    tl_world_at(notes.world, 5 * TL_SECOND, callback_leave_second, &notes);
    tl_world_at(notes.world, 2 * TL_SECOND, spawn_late, &notes);
    tl_world_at(notes.world, 2 * TL_SECOND, callback_leave_second, &notes);
    tl_world_at(notes.world, 0, callback_leave_second, &notes);
    tl_world_at(notes.world, 90 * TL_SECOND, callback_leave_second, &notes);
    /* The run lasts as long as there are callbacks, until the first foreground process; then as
     * long as that. */
    notes_expect(&notes, TL_OUTCOME_HELD, "");
    assert_string_equal(notes.trail, "0 2 2 ");
    assert_int_equal(tl_world_time(notes.world), 3 * TL_SECOND);
    tl_world_free(notes.world);
}

static void fail_in_callback(tl_world *world, void *arg)
{
    (void)world;
    TL_ASSERT(arg == NULL, "not even here");
}

static void assertions_hold_in_callbacks_too(void **state)
{
    (void)state;
    struct notes notes;
    notes_open(&notes, (struct tl_world_options){0});
    notes_spawn(&notes, program_sleep, "prog");
    tl_world_at(notes.world, TL_MILLISECOND, callback_leave_second, &notes);
    tl_world_at(notes.world, TL_MILLISECOND, fail_in_callback, &notes);
    tl_world_at(notes.world, TL_MILLISECOND, callback_leave_second, &notes);
    notes_expect(&notes, TL_OUTCOME_FAILED, "not even here");
    assert_string_equal(notes.trail, "0 ");
    tl_world_free(notes.world);
}

static int spawn_child(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    struct notes *notes = program_notes();
    tl_process *child = notes_spawn(notes, program_sleep, "child");
    int status;
    struct tl_kernel *kernel = program_kernel();
    program_wait(kernel, TL_SECOND / 2);
    TL_ASSERT(!tl_process_exited(child, &status), "it sleeps");
    program_wait(kernel, TL_SECOND);
    TL_ASSERT(tl_process_exited(child, &status) && status == 0, "it has slept");
    return 0;
}

static void processes_spawn_processes(void **state)
{
    (void)state;
    struct notes notes;
    notes_open(&notes, (struct tl_world_options){0});
    notes_spawn(&notes, spawn_child, "parent");
    notes_expect(&notes, TL_OUTCOME_HELD, "");
    tl_world_free(notes.world);
}

/* --- Turns ------------------------------------------------------------------------------------ */

/* Looks again and again without waiting until another process has had its turn. */
static int spin_until_seen(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    struct notes *notes = program_notes();
    struct tl_kernel *kernel = program_kernel();
    struct tl_event event;
    int spins = 0;
    /* The second half always finds something: a new socket is writable. */
    int fd = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
    for (; notes->count == 0; spins++)
        kernel->ops->poll(kernel, 0, &event, 1);
    kernel->ops->watch(kernel, fd, TL_WRITABLE, &event);
    for (; notes->count == 1; spins++)
        TL_ASSERT(kernel->ops->poll(kernel, -1, &event, 1) == 1, "it is writable");
    TL_ASSERT(kernel->ops->now(kernel) == 0, "all at one instant");
    TL_ASSERT(spins < 200, "nobody starves for %d polls", spins);
    return 0;
}

static int take_two_turns(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    struct notes *notes = program_notes();
    struct tl_kernel *kernel = program_kernel();
    notes->count++;
    program_wait(kernel, 0);
    notes->count++;
    return 0;
}

static void nobody_starves_at_one_instant(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct notes notes;
        notes_open(&notes, (struct tl_world_options){.seed = seed});
        notes_spawn(&notes, spin_until_seen, "spinner");
        notes_spawn(&notes, take_two_turns, "other");
        notes_expect(&notes, TL_OUTCOME_HELD, "");
        tl_world_free(notes.world);
    }
}

/* A program that watches the clock instead of waiting sees time pass, if anything happens. */
static int spin_for_a_second(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    struct tl_kernel *kernel = program_kernel();
    while (kernel->ops->now(kernel) < TL_SECOND)
        program_wait(kernel, 0);
    return 0;
}

static void time_passes_for_who_never_waits(void **state)
{
    (void)state;
    struct notes notes;
    notes_open(&notes, (struct tl_world_options){0});
    notes_spawn(&notes, spin_for_a_second, "spinner");
    tl_world_at(notes.world, TL_SECOND, callback_leave_second, &notes);
    notes_expect(&notes, TL_OUTCOME_HELD, "");
    assert_string_equal(notes.trail, "1 ");
    tl_world_free(notes.world);
}

static int leave_name(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    notes_leave(program_notes(), tl_process_name(tl_process_current()));
    return 0;
}

static void the_order_of_processes_is_a_choice(void **state)
{
    (void)state;
    unsigned orders = 0;
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct notes notes;
        notes_open(&notes, (struct tl_world_options){.seed = seed});
        notes_spawn(&notes, leave_name, "a");
        notes_spawn(&notes, leave_name, "b");
        notes_expect(&notes, TL_OUTCOME_HELD, "");
        assert_int_equal(strlen(notes.trail), 2);
        orders |= notes.trail[0] == 'a' ? 1 : 2;
        tl_world_free(notes.world);
    }
    assert_int_equal(orders, 3);
}

/* --- Ends ------------------------------------------------------------------------------------- */

/* Connects to port 80 of host "one", from a process of its own; for a minute at most. */
static int connect_to_one(struct tl_kernel *kernel)
{
    struct tl_event event;
    tl_addr addr;
    tl_addr_parse("10.0.0.1", 80, &addr);
    int fd = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
    kernel->ops->connect(kernel, fd, &addr);
    kernel->ops->watch(kernel, fd, TL_WRITABLE, &event);
    TL_ASSERT(kernel->ops->poll(kernel, 60 * TL_SECOND, &event, 1) == 1, "it is connected");
    kernel->ops->watch(kernel, fd, TL_READABLE, &event);
    return fd;
}

static ssize_t transfer(struct tl_kernel *kernel, int fd, bool writes)
{
    char data[4] = "data";
    struct iovec iov = {data, sizeof data};
    struct tl_message message = {.iov = &iov, .iov_count = 1};
    return writes ? kernel->ops->write(kernel, fd, &message, 1)
                  : kernel->ops->read(kernel, fd, &message, 1);
}

/* Accepts one connection, waits for a second, and ends as its argument says. */
static int accept_and_end(int argc, char **argv)
{
    struct tl_kernel *kernel = program_kernel();
    struct tl_event event;
    tl_addr addr;
    tl_addr_parse("10.0.0.1", 80, &addr);
    int fd = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
    kernel->ops->bind(kernel, fd, &addr);
    kernel->ops->listen(kernel, fd, 1);
    kernel->ops->watch(kernel, fd, TL_READABLE, &event);
    TL_ASSERT(argc == 2 && kernel->ops->poll(kernel, -1, &event, 1) == 1, "somebody connects");
    fd = kernel->ops->accept(kernel, fd, &addr);
    program_wait(kernel, TL_SECOND);
    if (strcmp(argv[1], "read") == 0)
        TL_ASSERT(transfer(kernel, fd, false) == 4, "there is data");
    if (strcmp(argv[1], "killed") == 0)
        tl_process_kill(tl_process_current(), SIGKILL);
    return 0;
}

/* Sends something and notes how the connection ends. */
static int send_and_see(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    struct notes *notes = program_notes();
    struct tl_kernel *kernel = program_kernel();
    struct tl_event event;
    int fd = connect_to_one(kernel);
    TL_ASSERT(transfer(kernel, fd, true) == 4, "there is room");
    TL_ASSERT(kernel->ops->poll(kernel, -1, &event, 1) == 1, "it ends");
    notes->count = (int)transfer(kernel, fd, false);
    return 0;
}

/* As an operating system does: what was not read makes a reset of the end. */
static void an_exit_closes_descriptors(void **state)
{
    (void)state;
    static const struct {
        const char *way;
        int seen;
    } table[] = {{"read", 0}, {"returns", -ECONNRESET}, {"killed", -ECONNRESET}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct notes notes;
        const char *argv[] = {"server", table[i].way, NULL};
        notes_open(&notes, (struct tl_world_options){.quiet = true});
        notes_spawn_with(&notes, (struct tl_process_options){
                                     .program = accept_and_end, .argv = argv, .daemon = true});
        struct tl_process_options client = {
            .program = send_and_see, .arg = &notes, .start = TL_MILLISECOND};
        assert_non_null(tl_host_spawn(notes.hosts[1], &client));
        notes_expect(&notes, TL_OUTCOME_HELD, "");
        assert_int_equal(notes.count, table[i].seen);
        tl_world_free(notes.world);
    }
}

/* --- The environment -------------------------------------------------------------------------- */

static void leave_variable(struct tl_kernel *kernel, struct notes *notes, const char *name)
{
    char text[8] = "";
    int64_t len = kernel->ops->info(kernel, TL_INFO_ENVIRONMENT, name, text, sizeof text);
    notes_leave(notes, "-");
    notes_leave(notes, len < 0 ? tl_err_name((int)len) : text);
    TL_ASSERT(len < 0 || kernel->ops->info(kernel, TL_INFO_ENVIRONMENT, name, NULL, 0) == len,
              "the length is told without room as well");
}

static int tell_environment(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    struct notes *notes = program_notes();
    struct tl_kernel *kernel = program_kernel();
    leave_variable(kernel, notes, "HOME");
    leave_variable(kernel, notes, "HOM");
    leave_variable(kernel, notes, "LONG");
    leave_variable(kernel, notes, NULL);
    tl_loop *loop;
    TL_ASSERT(tl_new_event_loop(&loop) == 0, "there is a loop");
    notes_leave(notes, tl_loop_get_debug(loop) ? "-debug" : "-plain");
    tl_loop_free(loop);
    return 0;
}

static void processes_have_an_environment(void **state)
{
    static const char *const worlds[] = {"HOME=/w", "TWINLOOP_DEBUG=1", NULL};
    static const char *const own[] = {"HOME=/own", "LONG=0123456789", NULL};
    static const char *const none[] = {NULL};
    static const struct {
        const char *const *world, *const *process;
        const char *trail;
    } table[] = {
        {NULL, NULL, "-ENOENT-ENOENT-ENOENT-EINVAL-plain"},
        {worlds, NULL, "-/w-ENOENT-ENOENT-EINVAL-debug"},
        {worlds, own, "-/own-ENOENT-0123456-EINVAL-plain"},
        {worlds, none, "-ENOENT-ENOENT-ENOENT-EINVAL-plain"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct notes notes;
        notes_open(&notes, (struct tl_world_options){.envp = table[i].world});
        notes_spawn_with(&notes, (struct tl_process_options){.program = tell_environment,
                                                             .envp = table[i].process});
        notes_expect(&notes, TL_OUTCOME_HELD, "");
        assert_string_equal(notes.trail, table[i].trail);
        tl_world_free(notes.world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(daemons_get_sigterm_and_grace),
        cmocka_unit_test(pending_signals_are_not_pending_twice),
        cmocka_unit_test(a_process_hears_each_of_its_own),
        cmocka_unit_test(a_killed_foreground_process_fails_the_run),
        cmocka_unit_test(the_killed_leave_nothing_behind),
        cmocka_unit_test(callbacks_come_at_their_time),
        cmocka_unit_test(assertions_hold_in_callbacks_too),
        cmocka_unit_test(processes_spawn_processes),
        cmocka_unit_test(nobody_starves_at_one_instant),
        cmocka_unit_test(time_passes_for_who_never_waits),
        cmocka_unit_test(the_order_of_processes_is_a_choice),
        cmocka_unit_test(an_exit_closes_descriptors),
        cmocka_unit_test(processes_have_an_environment),
    };
    return !!cmocka_run_group_tests(tests, NULL, NULL);
}
