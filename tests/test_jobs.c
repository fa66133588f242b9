/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runner's processes: many items, each in a process of its own, delivered in order whatever
 * happens to them; and no process, descriptor or blocked signal left behind.
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
#include <twinloop/value.h>
#include <unistd.h>
#include <cmocka.h>
#include "explore/jobs.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

#define ITEMS 40

struct crowd {
    uint64_t count; /* items there are */
    uint64_t next;
    uint64_t delivered;
    uint64_t stop_after; /* 0: never */
    int statuses[ITEMS];
    bool timed_out[ITEMS];
    unsigned told[ITEMS];
    char *outputs[ITEMS];
    int pipe[2];
};

static bool crowd_next(void *arg, uint64_t *ret_item)
{
    struct crowd *crowd = arg;
    *ret_item = crowd->next;
    return crowd->next++ < crowd->count;
}

static bool crowd_done(void *arg, const struct tl_job_result *ended)
{
    struct crowd *crowd = arg;
    uint64_t item = ended->item;
    assert_int_equal(item, crowd->delivered); /* in order, every one */
    crowd->delivered++;
    crowd->statuses[item] = ended->status;
    crowd->timed_out[item] = ended->timed_out;
    crowd->told[item] = (unsigned)ended->data_len;
    crowd->outputs[item] = strdup(ended->output);
    return crowd->delivered != crowd->stop_after;
}

/* The lowest descriptor that is free: the same before and after. */
static int next_fd(void)
{
    int fd = dup(STDERR_FILENO);
    close(fd);
    return fd;
}

static void crowd_finish(struct crowd *crowd)
{
    for (size_t i = 0; i < ITEMS; i++)
        free(crowd->outputs[i]);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no process is left */
    assert_int_equal(errno, ECHILD);
}

/* How an item ends depends on its number. */
static int mixed_work(void *arg, uint64_t item, int fd)
{
    (void)arg;
    static char bytes[100000];
    printf("item %llu\n", (unsigned long long)item);
    switch (item % 5) {
    case 0:
        return 0;
    case 1:
        return 17;
    case 2:
        raise(SIGKILL);
        return 0;
    case 3: /* more than a pipe holds */
        for (size_t left = sizeof bytes; left > 0;)
            left -= (size_t)write(fd, bytes, left);
        return 0;
    default:
        return write(STDERR_FILENO, "error\n", 6) == 6 ? 0 : 1;
    }
}

static void check_mixed(const struct crowd *crowd)
{
    char expected[64];
    for (unsigned i = 0; i < ITEMS; i++) {
        snprintf(expected, sizeof expected, "item %u\n%s", i, i % 5 == 4 ? "error\n" : "");
        assert_string_equal(crowd->outputs[i], expected);
        assert_false(crowd->timed_out[i]);
        assert_int_equal(crowd->told[i], i % 5 == 3 ? 100000 : 0);
        if (i % 5 == 2)
            assert_int_equal(WTERMSIG(crowd->statuses[i]), SIGKILL);
        else
            assert_int_equal(WEXITSTATUS(crowd->statuses[i]), i % 5 == 1 ? 17 : 0);
    }
}

static void test_jobs(void **state)
{
    (void)state;
    static const unsigned at_a_time[] = {1, 3, 16};
    static const struct tl_jobs_ops ops = {
        .next = crowd_next, .work = mixed_work, .done = crowd_done};
    for (size_t i = 0; i < COUNT(at_a_time); i++) {
        struct crowd crowd = {.count = ITEMS};
        struct tl_jobs_options options = {.jobs = at_a_time[i], .capture = true};
        int fd = next_fd();
        assert_int_equal(tl_jobs_run(&options, &ops, &crowd), 0);
        assert_int_equal(next_fd(), fd);
        assert_int_equal(crowd.delivered, ITEMS);
        check_mixed(&crowd);
        crowd_finish(&crowd);
    }
}

/* The first item ends when the fourth one has. */
static int waiting_work(void *arg, uint64_t item, int fd)
{
    const struct crowd *crowd = arg;
    char byte = 0;
    (void)fd;
    if (item == 0)
        return read(crowd->pipe[0], &byte, 1) == 1 ? 0 : 1;
    return item == 3 && write(crowd->pipe[1], &byte, 1) != 1;
}

static void test_jobs_out_of_order(void **state)
{
    (void)state;
    static const struct tl_jobs_ops ops = {
        .next = crowd_next, .work = waiting_work, .done = crowd_done};
    struct crowd crowd = {.count = 8};
    struct tl_jobs_options options = {.jobs = 2, .capture = true};
    assert_int_equal(pipe(crowd.pipe), 0);
    assert_int_equal(tl_jobs_run(&options, &ops, &crowd), 0);
    assert_int_equal(crowd.delivered, 8);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(crowd.statuses[i], 0);
    close(crowd.pipe[0]);
    close(crowd.pipe[1]);
    crowd_finish(&crowd);
}

static int endless_work(void *arg, uint64_t item, int fd)
{
    (void)arg;
    (void)fd;
    while (item == 1)
        pause();
    return 0;
}

static void test_jobs_time_limit(void **state)
{
    (void)state;
    static const struct tl_jobs_ops ops = {
        .next = crowd_next, .work = endless_work, .done = crowd_done};
    struct crowd crowd = {.count = 3};
    struct tl_jobs_options options = {.jobs = 2, .capture = true, .item_time_max = 2 * TL_SECOND};
    assert_int_equal(tl_jobs_run(&options, &ops, &crowd), 0);
    assert_int_equal(crowd.delivered, 3);
    assert_true(crowd.timed_out[1]);
    assert_false(crowd.timed_out[0] || crowd.timed_out[2]);
    crowd_finish(&crowd);
}

static void test_jobs_stop(void **state)
{
    (void)state;
    static const struct tl_jobs_ops ops = {
        .next = crowd_next, .work = mixed_work, .done = crowd_done};
    struct crowd crowd = {.count = ITEMS, .stop_after = 5};
    struct tl_jobs_options options = {.jobs = 4, .capture = true};
    int fd = next_fd();
    assert_int_equal(tl_jobs_run(&options, &ops, &crowd), -ECANCELED);
    assert_int_equal(next_fd(), fd);
    assert_int_equal(crowd.delivered, 5);
    crowd_finish(&crowd);
}

/* A child that hangs, and a signal to the one who waits for it. */
static int interrupting_work(void *arg, uint64_t item, int fd)
{
    (void)arg;
    (void)fd;
    if (item == 2)
        kill(getppid(), SIGINT);
    while (item == 2)
        pause();
    return 0;
}

static void test_jobs_signal(void **state)
{
    (void)state;
    static const struct tl_jobs_ops ops = {
        .next = crowd_next, .work = interrupting_work, .done = crowd_done};
    struct crowd crowd = {.count = ITEMS};
    struct tl_jobs_options options = {.jobs = 1, .capture = true};
    sigset_t before, after;
    sigprocmask(SIG_SETMASK, NULL, &before);
    assert_int_equal(tl_jobs_run(&options, &ops, &crowd), -EINTR);
    assert_int_equal(crowd.delivered, 2);
    sigprocmask(SIG_SETMASK, NULL, &after);
    assert_int_equal(sigismember(&before, SIGINT), sigismember(&after, SIGINT));
    crowd_finish(&crowd);
}

/* Another pool inside the end of an item, as explore does for a failure. */
static bool nested_done(void *arg, const struct tl_job_result *ended)
{
    static const struct tl_jobs_ops ops = {
        .next = crowd_next, .work = endless_work, .done = crowd_done};
    struct crowd inner = {.count = 1};
    struct tl_jobs_options options = {.jobs = 1, .capture = true};
    assert_int_equal(tl_jobs_run(&options, &ops, &inner), 0);
    assert_int_equal(inner.delivered, 1);
    for (size_t i = 0; i < ITEMS; i++)
        free(inner.outputs[i]);
    return crowd_done(arg, ended);
}

static void test_jobs_nested(void **state)
{
    (void)state;
    static const struct tl_jobs_ops ops = {
        .next = crowd_next, .work = mixed_work, .done = nested_done};
    struct crowd crowd = {.count = ITEMS};
    struct tl_jobs_options options = {.jobs = 3, .capture = true};
    assert_int_equal(tl_jobs_run(&options, &ops, &crowd), 0);
    check_mixed(&crowd);
    crowd_finish(&crowd);
}

/* A program that was started so that its children vanish. */
static void test_jobs_ignored_children(void **state)
{
    (void)state;
    static const struct tl_jobs_ops ops = {
        .next = crowd_next, .work = mixed_work, .done = crowd_done};
    struct crowd crowd = {.count = ITEMS};
    struct tl_jobs_options options = {.jobs = 3, .capture = true};
    assert_true(signal(SIGCHLD, SIG_IGN) == SIG_DFL);
    assert_int_equal(tl_jobs_run(&options, &ops, &crowd), 0);
    assert_true(signal(SIGCHLD, SIG_DFL) == SIG_IGN);
    check_mixed(&crowd);
    crowd_finish(&crowd);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jobs),
        cmocka_unit_test(test_jobs_out_of_order),
        cmocka_unit_test(test_jobs_time_limit),
        cmocka_unit_test(test_jobs_stop),
        cmocka_unit_test(test_jobs_signal),
        cmocka_unit_test(test_jobs_nested),
        cmocka_unit_test(test_jobs_ignored_children),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return !!cmocka_run_group_tests_name("jobs", tests, NULL, NULL);
}
