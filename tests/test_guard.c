/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard: a library that knows nothing of worlds, linked and opened late, asks the C library for
 * time, chance, threads and sockets, from inside a world and from outside.
 */
#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <twinloop.h>
#include <twinloop/guard.h>
#include <twinloop/sim.h>
#include <unistd.h>
#include <cmocka.h>
#include "guest/guest.h"
#include "sim/guard.h"
#include "support/simulated.h"

/* 2026-01-01 00:00 UTC, where worlds begin. */
#define BEGINNING INT64_C(1767225600)

static const struct guest *guests[2]; /* the one that is linked, the one that is opened late */

/* What a program in a world found out. */
struct findings {
    long numbers[6];
    uint64_t entropy;
    int64_t seconds, nanoseconds, microseconds, utc;
};

static const struct guest *guest; /* the one to be asked */
static struct findings found;

static void ask(struct findings *findings)
{
    *findings = (struct findings){
        .seconds = guest->seconds(),
        .nanoseconds = guest->nanoseconds(),
        .microseconds = guest->microseconds(),
        .utc = guest->utc(),
    };
    for (unsigned i = 0; i < 6; i++)
        findings->numbers[i] = guest->number(i);
    assert_int_equal(guest->entropy(&findings->entropy, sizeof findings->entropy), 0);
}

static int64_t really(clockid_t clock_id)
{
    struct timespec t;
    assert_int_equal(clock_gettime(clock_id, &t), 0);
    return t.tv_sec * TL_SECOND + t.tv_nsec;
}

static void assert_virtual(const struct findings *findings, tl_time now)
{
    assert_int_equal(findings->nanoseconds, now);
    assert_int_equal(findings->seconds, BEGINNING + now / TL_SECOND);
    assert_int_equal(findings->microseconds, BEGINNING * 1000000 + now / 1000);
    assert_int_equal(findings->utc, BEGINNING * TL_SECOND + now);
}

static void assert_real(const struct findings *findings)
{
    assert_in_range(findings->nanoseconds, 1, really(CLOCK_MONOTONIC));
    assert_true(findings->nanoseconds > really(CLOCK_MONOTONIC) - 100 * TL_SECOND);
    int64_t wall = really(CLOCK_REALTIME);
    assert_true(wall - findings->utc < 100 * TL_SECOND && findings->utc <= wall);
    assert_true(findings->microseconds <= wall / 1000 && findings->seconds <= wall / TL_SECOND);
    assert_true(findings->seconds > wall / TL_SECOND - 100);
}

/* --- Time and chance -------------------------------------------------------------------------- */

static int ask_after_a_while(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    program_wait(program_kernel(), 3 * TL_SECOND / 2);
    ask(&found);
    return 0;
}

static struct findings run_seed(uint64_t seed)
{
    notes_run(ask_after_a_while, (struct tl_world_options){.seed = seed}, TL_OUTCOME_HELD, "");
    return found;
}

static void time_and_chance_are_the_worlds(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct findings outside;
        guest = guests[i];
        ask(&outside);
        assert_real(&outside);
        struct findings first = run_seed(1);
        assert_virtual(&first, 3 * TL_SECOND / 2);
        struct findings again = run_seed(1);
        assert_memory_equal(&first, &again, sizeof first);
        struct findings other = run_seed(2);
        assert_int_not_equal(first.entropy, other.entropy);
        for (unsigned n = 0; n < 5; n++)
            assert_int_not_equal(first.numbers[n], other.numbers[n]);
        ask(&outside);
        assert_real(&outside);
    }
}

static int ask_twice_from_a_start(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    guest->start(42);
    found.numbers[0] = guest->number(0);
    found.numbers[1] = guest->number(0);
    guest->start(42);
    found.numbers[2] = guest->number(0);
    guest->start(43);
    found.numbers[3] = guest->number(0);
    return 0;
}

static void a_start_repeats_its_numbers(void **state)
{
    (void)state;
    guest = guests[0];
    notes_run(ask_twice_from_a_start, (struct tl_world_options){0}, TL_OUTCOME_HELD, "");
    assert_int_equal(found.numbers[0], found.numbers[2]);
    assert_int_not_equal(found.numbers[0], found.numbers[1]);
    assert_int_not_equal(found.numbers[0], found.numbers[3]);
}

static int ask_both(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    struct notes *notes = program_notes();
    found.numbers[notes->count++] = guest->number(1);
    return 0;
}

static void each_process_has_chance_of_its_own(void **state)
{
    (void)state;
    struct notes notes;
    guest = guests[0];
    notes_open(&notes, (struct tl_world_options){0});
    notes_spawn(&notes, ask_both, "prog");
    notes_spawn(&notes, ask_both, "prog");
    notes_expect(&notes, TL_OUTCOME_HELD, "");
    assert_int_equal(notes.count, 2);
    assert_int_not_equal(found.numbers[0], found.numbers[1]);
    tl_world_free(notes.world);
}

static void ask_in_the_world(tl_world *world, void *arg)
{
    (void)arg;
    ask(&found);
    assert_int_equal(found.nanoseconds, tl_world_time(world));
}

static void callbacks_of_the_world_are_inside(void **state)
{
    (void)state;
    struct notes notes;
    guest = guests[1];
    notes_open(&notes, (struct tl_world_options){0});
    notes_spawn(&notes, program_sleep, "prog");
    assert_int_equal(tl_world_at(notes.world, 5 * TL_MILLISECOND, ask_in_the_world, NULL), 0);
    notes_expect(&notes, TL_OUTCOME_HELD, "");
    assert_virtual(&found, 5 * TL_MILLISECOND);
    tl_world_free(notes.world);
}

/* --- On the caller's own stack ---------------------------------------------------------------- */

static void ask_and_stop(void *arg)
{
    ask(&found);
    tl_loop_stop(arg);
}

static void a_loop_of_the_callers_is_inside_while_it_runs(void **state)
{
    (void)state;
    struct findings outside;
    tl_loop *loop;
    guest = guests[0];
    assert_int_equal(tl_sim_loop_new(NULL, &loop), 0);
    assert_int_equal(tl_loop_call_later(loop, 7 * TL_SECOND, ask_and_stop, loop, NULL), 0);
    ask(&outside);
    assert_real(&outside);
    assert_int_equal(tl_loop_run_forever(loop), 0);
    assert_virtual(&found, 7 * TL_SECOND);
    ask(&outside);
    assert_real(&outside);
    tl_loop_free(loop);
}

/* --- Refusals --------------------------------------------------------------------------------- */

static char told[4096];

static void keep(enum tl_log_level level, const char *text, void *arg)
{
    (void)arg;
    TL_ASSERT(level == TL_LOG_ERROR, "it is an error");
    TL_ASSERT(strlen(told) + strlen(text) + 2 < sizeof told, "it is not told again and again");
    strcat(strcat(told, text), "\n");
}

static int try_everything(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    tl_set_log_handler(keep, NULL);
    for (int i = 0; i < 2; i++) {
        TL_ASSERT(guest->start_thread() == EPERM, "no thread is started");
        TL_ASSERT(guest->open_socket() == EPERM, "no socket is opened");
        TL_ASSERT(guest->wait_a_bit() == EPERM, "nothing waits");
        TL_ASSERT(guest->sleep_a_bit() == EPERM, "nothing sleeps");
        TL_ASSERT(guest->read_pipe() == EPERM, "nothing is read that may block");
    }
    TL_ASSERT(sleep(3) == 3, "the time has not passed");
    TL_ASSERT(guest->read_byte("/proc/self/exe") == 0, "a file is read");
    TL_ASSERT(guest->read_byte("/dev/urandom") == 0, "the world has chance");
    TL_ASSERT(guest->read_byte("/dev/zero") == 0, "memory is read");
    return 0;
}

/* How often a text is in another. */
static unsigned times(const char *text, const char *part)
{
    unsigned n = 0;
    for (; (text = strstr(text, part)) != NULL; text++)
        n++;
    return n;
}

static void what_would_leave_the_world_is_refused_by_name(void **state)
{
    (void)state;
    static const char *const names[] = {
        "pthread_create() was", "socket() was", "\nsleep() was", "nanosleep() was", "read() was",
    };
    for (size_t i = 0; i < 2; i++) {
        struct notes notes;
        guest = guests[i];
        assert_int_equal(guest->start_thread(), 0);
        notes_open(&notes, (struct tl_world_options){0});
        notes_spawn(&notes, try_everything, "prog");
        told[0] = '\0';
        notes_expect(&notes, TL_OUTCOME_HELD, "");
        for (size_t n = 0; n < sizeof names / sizeof *names; n++)
            assert_int_equal(times(told, names[n]), 1);
        assert_int_equal(times(told, "poll() was") + times(told, "__poll_chk() was"), 1);
        assert_int_equal(times(told, "by prog, and refused"), 6);
        tl_world_free(notes.world);
        assert_int_equal(guest->start_thread(), 0);
        assert_int_equal(guest->open_socket(), 0);
        assert_int_equal(guest->wait_a_bit(), 0);
        assert_int_equal(guest->sleep_a_bit(), 0);
        assert_int_equal(guest->read_pipe(), 0);
    }
}

/* --- In signal handlers, and in place --------------------------------------------------------- */

static int look_lifted(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    bool before = tl_guard_lift();
    found.nanoseconds = guest->nanoseconds();
    tl_guard_put_back(before);
    found.utc = guest->nanoseconds();
    return 0;
}

static void lifted_it_sees_real_time(void **state)
{
    (void)state;
    guest = guests[0];
    notes_run(look_lifted, (struct tl_world_options){0}, TL_OUTCOME_HELD, "");
    assert_true(found.nanoseconds > 0 && found.nanoseconds <= really(CLOCK_MONOTONIC));
    assert_int_equal(found.utc, 0);
}

static void it_is_in_place(void **state)
{
    (void)state;
    assert_int_equal(tl_guard_check(), 0);
    assert_int_equal(tl_guard_check(), 0);
}

static int open_guests(void **state)
{
    (void)state;
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 64);
    if (n < 0)
        return -1;
    path[n] = '\0';
    strcpy(strrchr(path, '/'), "/guest/libguest-late.so");
    void *late = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (late == NULL) {
        print_error("%s\n", dlerror());
        return -1;
    }
    const struct guest *(*get)(void) = (const struct guest *(*)(void))dlsym(late, "guest_get");
    guests[0] = guest_get();
    guests[1] = get();
    assert_ptr_not_equal(guests[0], guests[1]);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_in_place),
        cmocka_unit_test(time_and_chance_are_the_worlds),
        cmocka_unit_test(a_start_repeats_its_numbers),
        cmocka_unit_test(each_process_has_chance_of_its_own),
        cmocka_unit_test(callbacks_of_the_world_are_inside),
        cmocka_unit_test(a_loop_of_the_callers_is_inside_while_it_runs),
        cmocka_unit_test(what_would_leave_the_world_is_refused_by_name),
        cmocka_unit_test(lifted_it_sees_real_time),
    };
    return !!cmocka_run_group_tests_name("guard", tests, open_guests, NULL);
}
