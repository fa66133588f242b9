/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard in a program that libFuzzer drives: its handler of SIGALRM interrupts a world and sees
 * real time. What tells such a program is a function that only libFuzzer defines, as this one does.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <twinloop.h>
#include <cmocka.h>
#include "support/simulated.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t size_max);

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t size_max)
{
    (void)data;
    (void)size_max;
    return size;
}

static int64_t seen[3]; /* before, in and after the handler */

static int64_t nanoseconds(void)
{
    struct timespec t = {0};
    clock_gettime(CLOCK_REALTIME, &t); /* check: allowed, the guard's answer is what is tested */
    return t.tv_sec * TL_SECOND + t.tv_nsec;
}

static void on_alarm(int signum)
{
    (void)signum;
    seen[1] = nanoseconds();
}

static int interrupted(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    program_wait(program_kernel(), TL_SECOND);
    seen[0] = nanoseconds();
    raise(SIGALRM);
    seen[2] = nanoseconds();
    return 0;
}

static void the_alarm_sees_real_time(void **state)
{
    (void)state;
    int64_t before = nanoseconds();
    notes_run(interrupted, (struct tl_world_options){0}, TL_OUTCOME_HELD, "");
    assert_int_equal(seen[0], seen[2]);
    assert_int_equal(seen[0] % (86400 * TL_SECOND), TL_SECOND);
    assert_true(before <= seen[1] && seen[1] <= nanoseconds());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_alarm_sees_real_time),
    };
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    return !!cmocka_run_group_tests_name("guard_alarm", tests, NULL, NULL);
}
