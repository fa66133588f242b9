/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seam itself, part one: clocks, poll and watch, facts and chance. What kernel.h promises of
 * them holds on every kernel. Streams are in contract_socket.c; posts, jobs, children, signals and
 * adopted descriptors in contract_spike.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <twinloop/error.h>
#include <cmocka.h>
#include "support/contract.h"
#include "support/seam.h"

/* --- Clocks --- */

static void clock_never_goes_back(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_time last = kernel->ops->now(kernel);

    for (int i = 0; i < 100; i++) {
        tl_time now = kernel->ops->now(kernel);
        assert_true(now >= last);
        last = now;
    }
    kernel->ops->destroy(kernel);
}

static void wall_is_after_1970(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);

    /* In nanoseconds: a clock of seconds or microseconds would still be in January 1970. */
    assert_true(kernel->ops->wall(kernel) > 365 * 24 * 3600 * TL_SECOND);
    kernel->ops->destroy(kernel);
}

static void poll_waits_at_least_its_timeout(struct contract *contract)
{
    static const tl_time timeouts[] = {1, 1000, 999999, 1000001, 3 * TL_MILLISECOND};
    struct tl_kernel *kernel = contract_kernel(contract);
    struct tl_event event;

    for (size_t i = 0; i < sizeof timeouts / sizeof *timeouts; i++) {
        tl_time start = kernel->ops->now(kernel);
        assert_int_equal(kernel->ops->poll(kernel, timeouts[i], &event, 1), 0);
        assert_true(kernel->ops->now(kernel) - start >= timeouts[i]);
    }
    kernel->ops->destroy(kernel);
}

static void poll_zero_only_looks(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    struct tl_event events[4];

    for (int i = 0; i < 10; i++)
        assert_int_equal(kernel->ops->poll(kernel, 0, events, 4), 0);
    kernel->ops->destroy(kernel);
}

/* --- Readiness --- */

static void readiness_is_level_triggered(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int fds[2], token;
    char data[2];

    seam_connection(kernel, fds);
    seam_write_all(kernel, fds[0], "ab", 2);
    assert_int_equal(kernel->ops->watch(kernel, fds[1], TL_READABLE, &token), 0);
    for (int i = 0; i < 3; i++) {
        struct tl_event event = seam_event(kernel);
        assert_int_equal(event.kind, TL_EVENT_FD);
        assert_ptr_equal(event.token, &token);
        assert_int_equal(event.ready, TL_READABLE);
    }
    assert_int_equal(seam_read_all(kernel, fds[1], data, 2), 2);
    seam_expect_nothing(kernel, TL_MILLISECOND);
    kernel->ops->destroy(kernel);
}

static void watch_sets_exactly_the_mask(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int fds[2], token;

    seam_connection(kernel, fds);
    seam_write_all(kernel, fds[1], "x", 1);
    seam_await(kernel, fds[0], TL_READABLE);

    assert_int_equal(kernel->ops->watch(kernel, fds[0], TL_WRITABLE, &token), 0);
    assert_int_equal(seam_event(kernel).ready, TL_WRITABLE);
    assert_int_equal(kernel->ops->watch(kernel, fds[0], TL_READABLE, &token), 0);
    assert_int_equal(seam_event(kernel).ready, TL_READABLE);
    assert_int_equal(kernel->ops->watch(kernel, fds[0], TL_READABLE | TL_WRITABLE, &token), 0);
    assert_int_equal(seam_event(kernel).ready, TL_READABLE | TL_WRITABLE);
    assert_int_equal(kernel->ops->watch(kernel, fds[0], 0, NULL), 0);
    seam_expect_nothing(kernel, TL_MILLISECOND);
    /* Forgetting what is not watched is nothing. */
    assert_int_equal(kernel->ops->watch(kernel, fds[0], 0, NULL), 0);
    kernel->ops->destroy(kernel);
}

static void watch_changes_the_token(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int fds[2], one, two;

    seam_connection(kernel, fds);
    assert_int_equal(kernel->ops->watch(kernel, fds[0], TL_WRITABLE, &one), 0);
    assert_ptr_equal(seam_event(kernel).token, &one);
    assert_int_equal(kernel->ops->watch(kernel, fds[0], TL_WRITABLE, &two), 0);
    assert_ptr_equal(seam_event(kernel).token, &two);
    kernel->ops->destroy(kernel);
}

static void poll_gives_each_descriptor_once_and_the_rest_later(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int fds[6][2], seen[6] = {0};
    struct tl_event events[4];

    for (int i = 0; i < 6; i++) {
        seam_connection(kernel, fds[i]);
        seam_write_all(kernel, fds[i][0], "x", 1);
        seam_await(kernel, fds[i][1], TL_READABLE);
    }
    for (int i = 0; i < 6; i++)
        assert_int_equal(kernel->ops->watch(kernel, fds[i][1], TL_READABLE, &seen[i]), 0);
    assert_int_equal(kernel->ops->poll(kernel, 0, events, 4), 4);
    for (int i = 0; i < 4; i++) {
        char byte;
        int *token = events[i].token;
        assert_int_equal((*token)++, 0);
        assert_int_equal(seam_read(kernel, fds[token - seen][1], &byte, 1), 1);
    }
    assert_int_equal(kernel->ops->poll(kernel, 0, events, 4), 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal((*(int *)events[i].token)++, 0);
    kernel->ops->destroy(kernel);
}

static void a_closed_descriptor_reports_nothing(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int fds[2], token;

    seam_connection(kernel, fds);
    seam_write_all(kernel, fds[0], "x", 1);
    seam_await(kernel, fds[1], TL_READABLE);
    assert_int_equal(kernel->ops->watch(kernel, fds[1], TL_READABLE, &token), 0);
    seam_close(kernel, fds[1]);
    seam_expect_nothing(kernel, TL_MILLISECOND);
    assert_int_equal(kernel->ops->watch(kernel, fds[1], TL_READABLE, &token), -EBADF);
    kernel->ops->destroy(kernel);
}

static void a_reused_number_is_a_new_descriptor(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int fds[2], token;

    seam_connection(kernel, fds);
    assert_int_equal(kernel->ops->watch(kernel, fds[0], TL_WRITABLE, &token), 0);
    seam_close(kernel, fds[0]);
    /* Nobody has asked for anything of the new one. */
    int fd = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
    assert_true(fd >= 0);
    seam_expect_nothing(kernel, TL_MILLISECOND);
    assert_int_equal(kernel->ops->watch(kernel, fd, TL_WRITABLE, &token), 0);
    assert_ptr_equal(seam_event(kernel).token, &token);
    kernel->ops->destroy(kernel);
}

static void hangup_is_told_unasked(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int fds[2], token;

    seam_connection(kernel, fds);
    assert_int_equal(kernel->ops->shutdown(kernel, fds[0], TL_SHUTDOWN_WRITE), 0);
    assert_int_equal(seam_read_error(kernel, fds[1]), 0);
    assert_int_equal(kernel->ops->shutdown(kernel, fds[1], TL_SHUTDOWN_WRITE), 0);
    assert_int_equal(kernel->ops->watch(kernel, fds[0], TL_READABLE, &token), 0);
    unsigned ready = seam_event(kernel).ready;
    while ((ready & TL_HANGUP) == 0)
        ready = seam_event(kernel).ready;
    assert_int_equal(ready & TL_WRITABLE, 0);
    kernel->ops->destroy(kernel);
}

static void operations_on_strangers_are_ebadf(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    static const int strangers[] = {-1, -2147483647 - 1, 999999, 2147483647};
    tl_addr addr;
    int value = 1;

    assert_int_equal(tl_addr_parse("127.0.0.1", 0, &addr), 0);
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
        int fd = strangers[i];
        char byte;
        assert_int_equal(kernel->ops->watch(kernel, fd, TL_READABLE, &value), -EBADF);
        assert_int_equal(kernel->ops->bind(kernel, fd, &addr), -EBADF);
        assert_int_equal(kernel->ops->listen(kernel, fd, 1), -EBADF);
        assert_int_equal(kernel->ops->accept(kernel, fd, &addr), -EBADF);
        assert_int_equal(kernel->ops->connect(kernel, fd, &addr), -EBADF);
        assert_int_equal(kernel->ops->shutdown(kernel, fd, TL_SHUTDOWN_BOTH), -EBADF);
        assert_int_equal(kernel->ops->option(kernel, fd, TL_OPTION_ERROR, NULL, &value), -EBADF);
        assert_int_equal(kernel->ops->address(kernel, fd, TL_ADDRESS_LOCAL, &addr), -EBADF);
        assert_int_equal(kernel->ops->close(kernel, fd), -EBADF);
        assert_int_equal(seam_read(kernel, fd, &byte, 1), -EBADF);
        assert_int_equal(seam_write(kernel, fd, "x", 1), -EBADF);
    }
    kernel->ops->destroy(kernel);
}

/* --- Chance and facts --- */

static void entropy_fills_the_buffer(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    unsigned char one[600] = {0}, two[600] = {0};
    unsigned zeros = 0;

    assert_int_equal(kernel->ops->entropy(kernel, one, sizeof one), 0);
    assert_int_equal(kernel->ops->entropy(kernel, two, sizeof two), 0);
    assert_memory_not_equal(one, two, sizeof one);
    for (size_t i = 0; i < sizeof one; i++)
        zeros += one[i] == 0;
    assert_true(zeros < 60);
    assert_int_equal(kernel->ops->entropy(kernel, one, 0), 0);
    int own = kernel->ops->entropy(kernel, NULL, 0);
    assert_true(own == 0 || own == 1);
    kernel->ops->destroy(kernel);
}

static void info_tells_facts(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);

    assert_true(kernel->ops->info(kernel, TL_INFO_PID, NULL, NULL, 0) > 0);
    assert_true(kernel->ops->info(kernel, TL_INFO_CPUS, NULL, NULL, 0) > 0);
    assert_int_equal(kernel->ops->info(kernel, TL_INFO_MAIN_THREAD, NULL, NULL, 0), 1);
    assert_int_equal(kernel->ops->info(kernel, TL_INFO_ENVIRONMENT, "TL_NO_SUCH_VARIABLE", NULL, 0),
                     -ENOENT);
    kernel->ops->destroy(kernel);
}

/* The replay is in another environment than the recording was: what was read then counts. */
static void info_reads_the_environment(struct contract *contract)
{
    char text[6] = "?????";

    setenv("TL_CONTRACT", contract->writer != NULL ? "recorded" : "elsewise", 1);
    const char *value = contract->reader != NULL ? "recorded" : getenv("TL_CONTRACT");
    struct tl_kernel *kernel = contract_kernel(contract);
    assert_int_equal(kernel->ops->info(kernel, TL_INFO_ENVIRONMENT, "TL_CONTRACT", NULL, 0), 8);
    assert_int_equal(
        kernel->ops->info(kernel, TL_INFO_ENVIRONMENT, "TL_CONTRACT", text, sizeof text), 8);
    assert_memory_equal(text, value, 5);
    assert_int_equal(text[5], '\0');
    kernel->ops->destroy(kernel);
}

static void note_changes_nothing(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);

    assert_int_equal(kernel->ops->note(kernel, TL_NOTE_TEXT, "a note", 6), 0);
    assert_int_equal(kernel->ops->note(kernel, TL_NOTE_TEXT, NULL, 0), 0);
    kernel->ops->destroy(kernel);
}

static void what_was_never_begun_cannot_be_called_off(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    struct tl_request request = {0};

    assert_int_equal(kernel->ops->cancel(kernel, &request), -EALREADY);
    kernel->ops->destroy(kernel);
}

static void every_operation_is_there(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    void *const *members = (void *const *)kernel->ops;

    for (size_t i = 0; i < sizeof *kernel->ops / sizeof *members; i++)
        assert_non_null(members[i]);
    kernel->ops->destroy(kernel);
}

int main(int argc, char **argv)
{
    static const struct contract_case cases[] = {
        CONTRACT(clock_never_goes_back),
        CONTRACT(wall_is_after_1970),
        CONTRACT(poll_waits_at_least_its_timeout),
        CONTRACT(poll_zero_only_looks),
        CONTRACT(readiness_is_level_triggered),
        CONTRACT(watch_sets_exactly_the_mask),
        CONTRACT(watch_changes_the_token),
        CONTRACT(poll_gives_each_descriptor_once_and_the_rest_later),
        CONTRACT(a_closed_descriptor_reports_nothing),
        CONTRACT(a_reused_number_is_a_new_descriptor),
        CONTRACT(hangup_is_told_unasked),
        CONTRACT(operations_on_strangers_are_ebadf),
        CONTRACT(entropy_fills_the_buffer),
        CONTRACT(info_tells_facts),
        CONTRACT_ONLY(info_reads_the_environment, CONTRACT_REAL | CONTRACT_REPLAY_REAL),
        CONTRACT(note_changes_nothing),
        CONTRACT(what_was_never_begun_cannot_be_called_off),
        CONTRACT(every_operation_is_there),
    };

    return contract_main(argc, argv, "kernel", cases, sizeof cases / sizeof *cases);
}
