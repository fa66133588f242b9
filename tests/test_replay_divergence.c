/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The replayer when the program does something else than the trace has, or the trace ends: it
 * notices, says where and what, and ends the run.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <twinloop.h>
#include <twinloop/real.h>
#include <twinloop/trace.h>
#include <unistd.h>
#include <cmocka.h>
#include "support/ladder.h"
#include "support/toy_kernel.h"
#include "support/traces.h"
#include "trace/replay.h"

static const char *path_of(void **state)
{
    return ((struct trace_file *)*state)->path;
}

static struct tl_kernel *replay_of(tl_trace_reader *reader)
{
    struct tl_kernel *kernel;

    assert_int_equal(tl_replay_kernel_new(reader, 0, &kernel), 0);
    return kernel;
}

static void assert_end(tl_trace_reader *reader, enum tl_replay_end expected)
{
    const char *report = NULL;
    enum tl_replay_end end = tl_replay_result(reader, &report);

    if (end != expected)
        fail_msg("the replay ended as %d, not %d: %s", end, expected, report);
}

static void assert_report(tl_trace_reader *reader, const char *part)
{
    const char *report = NULL;

    assert_int_equal(tl_replay_result(reader, &report), TL_REPLAY_DIVERGED);
    if (strstr(report, part) == NULL)
        fail_msg("no '%s' in the report: %s", part, report);
}

/* --- Divergence --- */

/* A reader of a pipe that was made elsewhere: asks the kernel for what is there, or the system;
 * then closes it, or reads it once more if that is said. */
static void read_pipe(struct tl_kernel *kernel, const int *ends, bool past, bool again)
{
    struct tl_adopted adopted;
    struct tl_event event;
    char byte;
    struct iovec iov = {&byte, 1};
    struct tl_message message = {.iov = &iov, .iov_count = 1};

    assert_int_equal(write(ends[1], "a", 1), 1);
    assert_int_equal(kernel->ops->adopt(kernel, ends[0], &adopted), 0);
    assert_int_equal(kernel->ops->watch(kernel, ends[0], TL_READABLE, &byte), 0);
    assert_int_equal(kernel->ops->poll(kernel, -1, &event, 1), 1);
    assert_ptr_equal(event.token, &byte);
    if (past)
        assert_int_equal(read(ends[0], &byte, 1), 1);
    else
        assert_int_equal(kernel->ops->read(kernel, ends[0], &message, 1), 1);
    assert_int_equal(kernel->ops->poll(kernel, 0, &event, 1), 0);
    if (again)
        assert_int_equal(kernel->ops->read(kernel, ends[0], &message, 1), TL_EDIVERGED);
    else
        assert_int_equal(kernel->ops->watch(kernel, ends[0], 0, NULL), 0);
    (void)kernel->ops->release(kernel, ends[0]);
}

static void what_is_read_past_the_loop_is_named(void **state)
{
    for (int past = 0; past < 2; past++) {
        tl_trace_writer *writer;
        struct tl_kernel *kernel;
        const char *report = NULL;
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        assert_int_equal(tl_real_kernel_new(&kernel), 0);
        kernel = trace_record(kernel, path_of(state), NULL, &writer);
        read_pipe(kernel, ends, past, false);
        kernel->ops->destroy(kernel);
        assert_int_equal(tl_trace_writer_close(writer), 0);

        tl_trace_reader *reader = trace_open(path_of(state));
        kernel = replay_of(reader);
        read_pipe(kernel, ends, past, true);
        kernel->ops->destroy(kernel);
        (void)tl_replay_result(reader, &report);
        assert_non_null(report);
        assert_true((strstr(report, "not replayable beyond event ") != NULL) == past);
        tl_trace_reader_close(reader);
        (void)close(ends[0]);
        (void)close(ends[1]);
    }
}

static void every_step_that_deviates_is_noticed(void **state)
{
    static struct transcript transcript;

    for (int full = 0; full < 2; full++) {
        struct tl_record_options record = {.full_output = full};
        trace_record_session(path_of(state), &record, &transcript);
        for (int step = 1; step <= session_steps(); step++) {
            struct session_options options = {.deviate = step};
            tl_trace_reader *reader = trace_open(path_of(state));
            struct tl_kernel *kernel = replay_of(reader);
            session_run(kernel, &options, &transcript);
            kernel->ops->destroy(kernel);
            if (tl_replay_result(reader, NULL) != TL_REPLAY_DIVERGED)
                fail_msg("step %d did otherwise and nobody noticed", step);
            tl_trace_reader_close(reader);
        }
    }
}

static void a_program_that_ends_early_is_noticed(void **state)
{
    static struct transcript transcript;

    trace_record_session(path_of(state), NULL, &transcript);
    for (int step = 1; step <= session_steps(); step++) {
        struct session_options options = {.stop = step};
        tl_trace_reader *reader = trace_open(path_of(state));
        struct tl_kernel *kernel = replay_of(reader);
        session_run(kernel, &options, &transcript);
        kernel->ops->destroy(kernel);
        assert_report(reader, "the program does  destroy\n");
        tl_trace_reader_close(reader);
    }
}

static ssize_t write_text(struct tl_kernel *kernel, int fd, const char *text)
{
    struct iovec iov = {(void *)text, strlen(text)};
    struct tl_message message = {.iov = &iov, .iov_count = 1};

    return kernel->ops->write(kernel, fd, &message, 1);
}

/* A trace of a few operations, and a replay of it. */
struct pair {
    tl_trace_reader *reader;
    struct tl_kernel *kernel;
    int fd;
};

static void record_hello(const char *path, bool full_output)
{
    struct tl_record_options options = {.full_output = full_output};
    tl_trace_writer *writer;
    struct tl_kernel *kernel = trace_record(toy_kernel_new(), path, &options, &writer);

    int fd = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
    (void)kernel->ops->now(kernel);
    assert_int_equal(write_text(kernel, fd, "hello, world"), 12);
    kernel->ops->destroy(kernel);
    assert_int_equal(tl_trace_writer_close(writer), 0);
}

static void replay_hello(struct pair *pair, const char *path, bool full_output)
{
    record_hello(path, full_output);
    pair->reader = trace_open(path);
    pair->kernel = replay_of(pair->reader);
    pair->fd = pair->kernel->ops->socket(pair->kernel, TL_FAMILY_INET, TL_STREAM);
    assert_in_range(pair->fd, TL_REPLAY_FD_BASE, TL_REPLAY_FD_BASE + 100);
}

static void end_pair(struct pair *pair)
{
    pair->kernel->ops->destroy(pair->kernel);
    tl_trace_reader_close(pair->reader);
}

static void the_report_has_both_sides(void **state)
{
    struct pair pair = {0};

    replay_hello(&pair, path_of(state), true);
    assert_int_equal(write_text(pair.kernel, pair.fd, "hello, World"), TL_EDIVERGED);
    assert_report(pair.reader,
                  "diverged at event 1 of stream 0, 0.000001000 s: other bytes from byte 7 on\n"
                  "  the trace has     write fd:1 length=12 count=1 data=\"hello, world\" -> 12\n"
                  "  the program does  write fd:1 length=12 count=1 data=\"hello, World\"\n");
    end_pair(&pair);

    replay_hello(&pair, path_of(state), false);
    assert_int_equal(write_text(pair.kernel, pair.fd, "hello, World"), TL_EDIVERGED);
    assert_report(pair.reader, "other bytes (the trace has only their hash)\n");
    end_pair(&pair);

    replay_hello(&pair, path_of(state), false);
    assert_int_equal(write_text(pair.kernel, pair.fd, "hello"), TL_EDIVERGED);
    assert_report(pair.reader, "another length\n");
    end_pair(&pair);

    replay_hello(&pair, path_of(state), false);
    assert_int_equal(pair.kernel->ops->listen(pair.kernel, pair.fd, 5), TL_EDIVERGED);
    assert_report(pair.reader, "another operation\n  the trace has     write");
    end_pair(&pair);

    replay_hello(&pair, path_of(state), false);
    assert_int_equal(write_text(pair.kernel, 3, "hello, world"), TL_EDIVERGED);
    assert_report(pair.reader, "another fd\n");
    assert_report(pair.reader, "the program does  write fd:none length=12 count=1\n");
    end_pair(&pair);
}

static void beyond_the_end_everything_diverges(void **state)
{
    struct pair pair = {0};
    struct tl_event events[4];

    replay_hello(&pair, path_of(state), false);
    assert_int_equal(write_text(pair.kernel, pair.fd, "hello, world"), 12);
    assert_int_equal(pair.kernel->ops->poll(pair.kernel, 0, events, 4), TL_EDIVERGED);
    assert_report(pair.reader, "the trace has     destroy");
    /* And once it has, everything does. */
    assert_int_equal(pair.kernel->ops->poll(pair.kernel, 0, events, 4), TL_EDIVERGED);
    assert_int_equal(pair.kernel->ops->close(pair.kernel, pair.fd), TL_EDIVERGED);
    assert_int_equal(pair.kernel->ops->fsync(pair.kernel, pair.fd), TL_EDIVERGED);
    assert_int_equal(pair.kernel->ops->signal(pair.kernel, 2, true), TL_EDIVERGED);
    struct tl_work work = {0};
    assert_int_equal(pair.kernel->ops->work(pair.kernel, &work), TL_EDIVERGED);
    end_pair(&pair);
}

static void a_closed_loop_ends_a_run_that_diverges(void **state)
{
    tl_trace_writer *writer;
    struct tl_kernel *kernel = trace_record(toy_kernel_new(), path_of(state), NULL, &writer);
    tl_loop *loop;

    assert_int_equal(tl_loop_new(kernel, &loop), 0);
    tl_loop_stop(loop);
    assert_int_equal(tl_loop_run_forever(loop), 0);
    tl_loop_free(loop);
    assert_int_equal(tl_trace_writer_close(writer), 0);

    tl_trace_reader *reader = trace_open(path_of(state));
    assert_int_equal(tl_loop_new(replay_of(reader), &loop), 0);
    assert_int_equal(tl_loop_run_forever(loop), TL_EDIVERGED);
    tl_loop_free(loop);
    assert_report(reader, "another timeout\n  the trace has     poll timeout=0.000000000");
    tl_trace_reader_close(reader);
}

static void a_torn_trace_is_out_of_reach(void **state)
{
    struct pair pair = {0};
    struct tl_event events[4];
    size_t size;

    record_hello(path_of(state), false);
    uint8_t *data = trace_file_read(path_of(state), &size);
    /* Without the destroy, the end mark and the tail of the chunk of events. */
    tl_trace_reader *reader = trace_open(path_of(state));
    size_t end = reader->places[0].offset;
    tl_trace_reader_close(reader);
    trace_file_write(path_of(state), data, end);
    pair.reader = trace_open(path_of(state));
    pair.kernel = replay_of(pair.reader);
    assert_int_equal(pair.kernel->ops->poll(pair.kernel, 0, events, 4), TL_EOUTOFREACH);
    assert_int_equal(pair.kernel->ops->socket(pair.kernel, TL_FAMILY_INET, TL_STREAM),
                     TL_EOUTOFREACH);
    assert_end(pair.reader, TL_REPLAY_SHORT);
    end_pair(&pair);
    free(data);
}

static void a_loop_that_was_never_closed_is_matched_to_the_end(void **state)
{
    tl_trace_writer *writer;
    struct tl_kernel *kernel = trace_record(toy_kernel_new(), path_of(state), NULL, &writer);

    (void)kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
    (void)kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
    (void)kernel->ops->now(kernel);
    assert_int_equal(tl_trace_writer_close(writer), 0);
    kernel->ops->destroy(kernel);

    tl_trace_reader *reader = trace_open(path_of(state));
    kernel = replay_of(reader);
    (void)kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
    assert_end(reader, TL_REPLAY_RUNNING);
    (void)kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
    assert_end(reader, TL_REPLAY_SHORT);
    kernel->ops->destroy(kernel);
    assert_end(reader, TL_REPLAY_SHORT);
    tl_trace_reader_close(reader);
}

/* --- When something is wrong --- */

static void streams_that_are_not_there(void **state)
{
    static struct transcript transcript;
    struct tl_kernel *kernel = NULL;
    tl_policy *policy;
    tl_loop *loop;

    trace_record_session(path_of(state), NULL, &transcript);
    tl_trace_reader *reader = trace_open(path_of(state));
    assert_int_equal(tl_replay_kernel_new(reader, 1, &kernel), -ENOENT);
    assert_null(kernel);
    assert_int_equal(tl_replay_kernel_new(NULL, 0, &kernel), -EINVAL);

    /* A loop that the recording did not have is a divergence. */
    assert_int_equal(tl_replay_policy_new(reader, &policy), 0);
    assert_int_equal(tl_set_event_loop_policy(policy), 0);
    assert_int_equal(tl_new_event_loop(&loop), 0);
    tl_loop_free(loop);
    assert_int_equal(tl_new_event_loop(&loop), TL_EDIVERGED);
    tl_set_event_loop_policy(NULL);
    tl_replay_policy_free(policy);
    tl_replay_policy_free(NULL);
    tl_trace_reader_close(reader);
}

struct climb {
    struct ladder ladder;
    const char *path;
};

static void replay_without_memory(void *arg)
{
    static struct transcript transcript;
    struct climb *climb = arg;
    tl_trace_reader *reader = NULL;
    struct tl_trace_problem problem;
    struct tl_kernel *kernel;

    ladder_arm(&climb->ladder);
    int r = tl_trace_reader_open(climb->path, &reader, &problem);
    if (r == 0)
        r = tl_replay_kernel_new(reader, 0, &kernel);
    if (r == 0) {
        session_run(kernel, NULL, &transcript);
        kernel->ops->destroy(kernel);
    } else {
        assert_int_equal(r, -ENOMEM);
    }
    tl_trace_reader_close(reader);
}

static void memory_runs_out_at_every_point(void **state)
{
    static struct transcript transcript;
    struct climb climb = {.path = path_of(state)};

    trace_record_session(path_of(state), NULL, &transcript);
    ladder_install(&climb.ladder);
    ladder_climb(&climb.ladder, replay_without_memory, &climb);
    ladder_remove(&climb.ladder);
    assert_in_range(climb.ladder.rungs, 15, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRACE_TEST(every_step_that_deviates_is_noticed),
        TRACE_TEST(a_program_that_ends_early_is_noticed),
        TRACE_TEST(what_is_read_past_the_loop_is_named),
        TRACE_TEST(the_report_has_both_sides),
        TRACE_TEST(beyond_the_end_everything_diverges),
        TRACE_TEST(a_closed_loop_ends_a_run_that_diverges),
        TRACE_TEST(a_torn_trace_is_out_of_reach),
        TRACE_TEST(a_loop_that_was_never_closed_is_matched_to_the_end),
        TRACE_TEST(streams_that_are_not_there),
        TRACE_TEST(memory_runs_out_at_every_point),
    };
    int rc = cmocka_run_group_tests_name("replay divergence", tests, NULL, NULL);

    return !!rc;
}
