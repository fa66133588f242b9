/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tasks in numbers and in trouble: long chains, many at once and what they cost, stacks that are
 * outgrown, processes that are killed in the middle of a task.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <twinloop.h>
#include <twinloop/assert.h>
#include <twinloop/sim.h>
#include <twinloop/world.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/task.h"
#include "support/simulated.h"

/* Sanitizers keep records of each stack, and search them one by one. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { MANY = 1500 };
#else
enum { MANY = 100000 };
#endif

static tl_loop *new_loop(void)
{
    tl_loop *loop;
    assert_int_equal(tl_new_event_loop(&loop), 0);
    return loop;
}

static tl_task *start(tl_loop *loop, int (*run)(void *arg, tl_value *ret), void *arg)
{
    const tl_coro coro = {.run = run, .arg = arg};
    tl_task *task;
    assert_int_equal(tl_loop_create_task(loop, &coro, NULL, &task), 0);
    return task;
}

/* --- Chains ----------------------------------------------------------------------------------- */

/* One more than what it takes and waits for came to. */
static int add_one(void *arg, tl_value *ret)
{
    tl_value value;
    int r = tl_await(arg, &value);
    if (r == 0)
        *ret = tl_value_int(value.integer + 1);
    return r;
}

/* MANY tasks, each waiting for the one before; the first takes and waits for a future. */
static tl_task *chain(tl_loop *loop, tl_future *end)
{
    tl_future *last = end;
    for (int i = 0; i < MANY; i++)
        last = tl_task_future(start(loop, add_one, last));
    return tl_future_task(last);
}

static void turn(tl_loop *loop)
{
    tl_loop_stop(loop);
    assert_int_equal(tl_loop_run_forever(loop), 0);
}

static void a_long_chain_ends(void **state)
{
    (void)state;
    tl_loop *loop = new_loop();
    tl_future *end = tl_loop_create_future(loop);
    tl_task *last = chain(loop, tl_future_ref(end));
    tl_value value;
    turn(loop);
    assert_int_equal(tl_future_set_result(end, tl_value_int(0)), 0);
    assert_int_equal(tl_loop_run_until_complete(loop, tl_task_future(last), &value), 0);
    assert_int_equal(value.integer, MANY);
    tl_future_unref(end);
    tl_loop_free(loop);
}

static void a_long_chain_is_cancelled(void **state)
{
    (void)state;
    tl_loop *loop = new_loop();
    tl_future *end = tl_loop_create_future(loop);
    tl_task *last = chain(loop, tl_future_ref(end));
    turn(loop);
    assert_true(tl_task_cancel(last));
    assert_true(tl_future_cancelled(end));
    assert_int_equal(tl_loop_run_until_complete(loop, tl_task_future(last), NULL), -ECANCELED);
    tl_future_unref(end);
    tl_loop_free(loop);
}

static void count_reports(tl_loop *loop, const tl_exc_context *context, void *arg)
{
    (void)loop, (void)context;
    ++*(int *)arg;
}

static void a_long_chain_is_lost_with_its_loop(void **state)
{
    (void)state;
    int reports = 0;
    tl_loop *loop = new_loop();
    tl_task *last = chain(loop, tl_loop_create_future(loop));
    tl_loop_set_exception_handler(loop, count_reports, &reports);
    turn(loop);
    tl_task_unref(last);
    tl_loop_free(loop);
    assert_int_equal(reports, MANY);
}

/* --- What many cost --------------------------------------------------------------------------- */

/* Resident bytes of this process. */
static long resident(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long size, pages;
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld %ld", &size, &pages), 2);
    (void)fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

static int count_maps(void)
{
    FILE *file = fopen("/proc/self/maps", "r");
    int lines = 0;
    assert_non_null(file);
    for (int c; (c = fgetc(file)) != EOF;)
        lines += c == '\n';
    (void)fclose(file);
    return lines;
}

static int wait_once(void *arg, tl_value *ret)
{
    return tl_await(tl_future_ref(arg), ret);
}

static void suspend_many(enum tl_fiber_guard guard)
{
    tl_loop *loop = new_loop();
    tl_future *end = tl_loop_create_future(loop);
    size_t size = tl_fiber_default_stack_size();
    assert_non_null(tl_task_pool(loop));
    tl_fiber_pool_free(loop->task_stacks.pool);
    loop->task_stacks.pool = tl_fiber_pool_new_guarded(size, guard);
    long before = resident();
    for (int i = 0; i < MANY; i++)
        tl_task_unref(start(loop, wait_once, end));
    turn(loop);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true((resident() - before) / MANY <= 8192);
#endif
    (void)before;
    assert_true(count_maps() < 65530 / 2);
    assert_int_equal(tl_future_set_result(end, tl_value_none()), 0);
    turn(loop);
    assert_ptr_equal(loop->live.next, &loop->live); /* all are over */
    tl_future_unref(end);
    tl_loop_free(loop);
}

static void many_at_once_with_installed_guards(void **state)
{
    (void)state;
    suspend_many(TL_FIBER_GUARD_INSTALLED);
}

static void many_at_once_with_protected_guards(void **state)
{
    (void)state;
    suspend_many(TL_FIBER_GUARD_PROTECTED);
}

static void many_at_once_without_guards(void **state)
{
    (void)state;
    suspend_many(TL_FIBER_GUARD_WATCHED);
}

/* --- Outgrown stacks -------------------------------------------------------------------------- */

static volatile uintptr_t bottom; /* not below here */

static int descend(int depth)
{
    char frame[2048];
    memset(frame, 0xaa, sizeof frame);
    __asm__ volatile("" : : "r"(frame) : "memory"); /* all of it is there */
    if ((uintptr_t)frame > bottom)
        depth = descend(depth + 1);
    __asm__ volatile("" : : "r"(frame) : "memory");
    return depth;
}

static int outgrow(void *arg, tl_value *ret)
{
    char here;
    bottom = (uintptr_t)&here - *(size_t *)arg;
    *ret = tl_value_int(descend(0));
    return 0;
}

/* This program once more, which must not live to tell. */
static int outgrow_here(bool report)
{
    size_t size = tl_fiber_default_stack_size() + 16384;
    tl_loop *loop;
    if (report && tl_report_stack_overflows() < 0)
        return 1;
    if (tl_new_event_loop(&loop) < 0)
        return 1;
    const tl_coro coro = {.run = outgrow, .arg = &size};
    (void)tl_loop_create_task(loop, &coro, "glutton", NULL);
    tl_loop_stop(loop);
    return tl_loop_run_forever(loop);
}

/* In a child: the sanitizers' own handlers would come first. */
static void start_anew(bool report, int out)
{
    (void)dup2(out, 2);
    (void)setenv("ASAN_OPTIONS", "handle_segv=0:detect_leaks=0", 1);
    (void)setenv("TSAN_OPTIONS", "handle_segv=0", 1);
    (void)execl("/proc/self/exe", "test_task", report ? "report" : "fault", (char *)NULL);
    _exit(1);
}

static void expect_fault(bool report, const char *text)
{
    int ends[2], status;
    char said[256] = "";
    size_t len = 0;
    ssize_t n;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0)
        start_anew(report, ends[1]);
    (void)close(ends[1]);
    while ((n = read(ends[0], said + len, sizeof said - 1 - len)) > 0)
        len += (size_t)n;
    (void)close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
    assert_string_equal(said, text);
}

static void an_overflow_faults(void **state)
{
    (void)state;
    expect_fault(false, "");
}

static void an_overflow_names_its_task(void **state)
{
    (void)state;
    expect_fault(true, "twinloop: error: task glutton outgrew its stack\n");
}

static void note_report(tl_loop *loop, const tl_exc_context *context, void *arg)
{
    (void)loop;
    (void)snprintf(arg, 64, "%s %s", context->message, tl_task_get_name(context->task));
}

static void an_overflow_without_a_guard_is_reported(void **state)
{
    (void)state;
    char report[64] = "";
    size_t size = tl_fiber_default_stack_size() + 16384;
    tl_loop *loop = new_loop();
    tl_loop_set_exception_handler(loop, note_report, report);
    assert_non_null(tl_task_pool(loop));
    tl_fiber_pool_free(loop->task_stacks.pool);
    loop->task_stacks.pool =
        tl_fiber_pool_new_guarded(tl_fiber_default_stack_size(), TL_FIBER_GUARD_WATCHED);
    size_t little = 1024;
    tl_future *future = tl_task_future(start(loop, outgrow, &little));
    assert_int_equal(tl_loop_run_until_complete(loop, future, NULL), 0);
    assert_string_equal(report, "");
    future = tl_task_future(start(loop, outgrow, &size));
    assert_int_equal(tl_loop_run_until_complete(loop, future, NULL), 0);
    assert_string_equal(report, "Task outgrew its stack Task-2");
    report[0] = '\0'; /* the same stack again */
    future = tl_task_future(start(loop, outgrow, &little));
    assert_int_equal(tl_loop_run_until_complete(loop, future, NULL), 0);
    assert_string_equal(report, "");
    tl_loop_free(loop);
}

/* --- Simulated processes ---------------------------------------------------------------------- */

static int kill_the_process(void *arg, tl_value *ret)
{
    (void)ret;
    int r = tl_await(tl_sleep(arg, TL_SECOND), NULL);
    tl_process_kill(tl_process_current(), SIGKILL);
    return r;
}

static int wait_for_ever(void *arg, tl_value *ret)
{
    return tl_await(tl_loop_create_future(arg), ret);
}

static int run_tasks(int argc, char **argv)
{
    tl_loop *loop;
    (void)argc, (void)argv;
    TL_ASSERT(tl_new_event_loop(&loop) == 0, "a process has a loop");
    const tl_coro waiter = {.run = wait_for_ever, .arg = loop};
    const tl_coro killer = {.run = kill_the_process, .arg = loop};
    for (int i = 0; i < 20; i++)
        TL_ASSERT(tl_loop_create_task(loop, &waiter, NULL, NULL) == 0, "a task");
    TL_ASSERT(tl_loop_create_task(loop, &killer, NULL, NULL) == 0, "a task");
    return tl_loop_run_forever(loop);
}

/* Mapped bytes of this process. */
static long mapped(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long pages;
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld", &pages), 1);
    (void)fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

static void a_killed_process_takes_its_stacks_along(void **state)
{
    (void)state;
    long before = 0;
    for (int i = 0; i < 60; i++) {
        struct notes notes;
        notes_open(&notes, (struct tl_world_options){.seed = 1});
        notes_spawn(&notes, run_tasks, "tasks");
        notes_expect(&notes, TL_OUTCOME_FAILED, "tasks on one was ended by signal 9");
        tl_world_free(notes.world);
        if (i == 10)
            before = mapped();
    }
    assert_true(mapped() - before < 50 << 20); /* 50 times 3 MiB and more otherwise */
}

static int assert_in_a_task(void *arg, tl_value *ret)
{
    (void)arg, (void)ret;
    TL_ASSERT(false, "not in a task");
    return 0;
}

static int fail_in_a_task(int argc, char **argv)
{
    tl_loop *loop;
    (void)argc, (void)argv;
    TL_ASSERT(tl_new_event_loop(&loop) == 0, "a process has a loop");
    const tl_coro coro = {.run = assert_in_a_task};
    TL_ASSERT(tl_loop_create_task(loop, &coro, NULL, NULL) == 0, "a task");
    return tl_loop_run_forever(loop);
}

static void a_process_ends_from_within_a_task(void **state)
{
    (void)state;
    notes_run(fail_in_a_task, (struct tl_world_options){0}, TL_OUTCOME_FAILED, "not in a task");
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return outgrow_here(strcmp(argv[1], "report") == 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_chain_ends),
        cmocka_unit_test(a_long_chain_is_cancelled),
        cmocka_unit_test(a_long_chain_is_lost_with_its_loop),
        cmocka_unit_test(many_at_once_with_installed_guards),
        cmocka_unit_test(many_at_once_with_protected_guards),
        cmocka_unit_test(many_at_once_without_guards),
        cmocka_unit_test(an_overflow_faults),
        cmocka_unit_test(an_overflow_names_its_task),
        cmocka_unit_test(an_overflow_without_a_guard_is_reported),
        cmocka_unit_test(a_killed_process_takes_its_stacks_along),
        cmocka_unit_test(a_process_ends_from_within_a_task),
    };
    return !!cmocka_run_group_tests(tests, NULL, NULL);
}
