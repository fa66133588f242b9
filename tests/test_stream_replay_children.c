/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stream replay of children: none is started again, their pipes and their ends come from the trace,
 * what they are sent is compared, and the end that a signal brought waits for the signal.
 *
 * The program starts cat with pipes, sends it a line and takes it back, ends its input, and starts
 * sleep, which it ends. It is recorded on the real kernel.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <twinloop.h>
#include <twinloop/real.h>
#include <twinloop/trace.h>
#include <cmocka.h>
#include "support/traces.h"

struct variant {
    bool in_pieces;  /* writes and reads them one byte each */
    bool other_line; /* sends another one */
    bool other_args; /* starts another program */
    bool twice;      /* starts it twice */
    bool sleep_last; /* starts sleep when cat has ended */
};

/* What the program has seen. */
static struct {
    int64_t cat_status;
    int64_t sleep_status;
    char line[16];
    size_t len;
} seen;

static int cat_token, sleep_token, out_token;

/* --- The program --- */

static int64_t start_cat(struct tl_kernel *kernel, const struct variant *variant, int ret_ends[2])
{
    const char *const argv[] = {"cat", variant->other_args ? "-n" : "-", NULL};
    int in[2], out[2];

    int r = kernel->ops->pipe(kernel, TL_PIPE_STREAM_PAIR, in);
    if (r == 0)
        r = kernel->ops->pipe(kernel, TL_PIPE_ONE_WAY, out);
    if (r < 0)
        return r;
    const struct tl_spawn spawn = {
        .program = "cat", .argv = argv, .fds = {in[1], out[1], TL_FD_INHERIT}, .token = &cat_token};
    int64_t pid = kernel->ops->spawn(kernel, &spawn);
    if (pid > 0 && variant->twice)
        pid = kernel->ops->spawn(kernel, &spawn);
    (void)kernel->ops->close(kernel, in[1]);
    (void)kernel->ops->close(kernel, out[1]);
    ret_ends[0] = in[0];
    ret_ends[1] = out[0];
    return pid;
}

static int64_t start_sleep(struct tl_kernel *kernel)
{
    const char *const argv[] = {"sleep", "600", NULL};
    const struct tl_spawn spawn = {.program = "sleep",
                                   .argv = argv,
                                   .fds = {TL_FD_NULL, TL_FD_NULL, TL_FD_NULL},
                                   .token = &sleep_token};
    int64_t pid = kernel->ops->spawn(kernel, &spawn);

    if (pid > 0) {
        assert_int_equal(kernel->ops->kill(kernel, pid, SIGTERM), 0);
        assert_int_equal(kernel->ops->kill(kernel, pid + 100000000, SIGTERM), -ESRCH);
    }
    return pid;
}

static void send_line(struct tl_kernel *kernel, int fd, const struct variant *variant)
{
    char line[] = "hello\n";
    size_t step = variant->in_pieces ? 1 : sizeof line - 1;

    line[1] = variant->other_line ? 'a' : 'e';
    for (size_t at = 0; at < sizeof line - 1; at += step) {
        struct iovec iov = {line + at, step};
        struct tl_message message = {.iov = &iov, .iov_count = 1};
        (void)kernel->ops->write(kernel, fd, &message, 1);
    }
}

/* What came out of cat. When the line is whole its input ends. */
static void take_output(struct tl_kernel *kernel, const int ends[2], const struct variant *variant)
{
    struct iovec iov = {seen.line + seen.len,
                        variant->in_pieces ? 1 : sizeof seen.line - 1 - seen.len};
    struct tl_message message = {.iov = &iov, .iov_count = 1};
    ssize_t n = kernel->ops->read(kernel, ends[1], &message, 1);

    seen.len += n > 0 ? (size_t)n : 0;
    if (n > 0 && seen.line[seen.len - 1] == '\n')
        (void)kernel->ops->shutdown(kernel, ends[0], TL_SHUTDOWN_WRITE);
    if (n == 0)
        (void)kernel->ops->watch(kernel, ends[1], 0, NULL);
}

static void wait_for_all(struct tl_kernel *kernel, const int ends[2], const struct variant *variant)
{
    struct tl_event event;

    while (seen.cat_status < 0 || seen.sleep_status == 0) {
        if (kernel->ops->poll(kernel, -1, &event, 1) < 1)
            return;
        if (event.token == &out_token)
            take_output(kernel, ends, variant);
        else if (event.token == &cat_token)
            seen.cat_status = event.value;
        else if (event.token == &sleep_token)
            seen.sleep_status = event.value;
        if (event.token == &cat_token && variant->sleep_last)
            (void)start_sleep(kernel);
    }
}

static void run(struct tl_kernel *kernel, const struct variant *variant)
{
    int ends[2];

    memset(&seen, 0, sizeof seen);
    seen.cat_status = -1;
    if (start_cat(kernel, variant, ends) > 0 && (variant->sleep_last || start_sleep(kernel) > 0)) {
        send_line(kernel, ends[0], variant);
        (void)kernel->ops->watch(kernel, ends[1], TL_READABLE, &out_token);
        wait_for_all(kernel, ends, variant);
    }
    kernel->ops->destroy(kernel);
}

/* --- Recording and replaying --- */

static void record(void **state)
{
    tl_trace_writer *writer;
    struct tl_kernel *real;

    assert_int_equal(tl_real_kernel_new(&real), 0);
    run(trace_record(real, ((struct trace_file *)*state)->path, NULL, &writer),
        &(struct variant){.twice = false});
    assert_int_equal(tl_trace_writer_close(writer), 0);
}

static void assert_seen(void)
{
    assert_string_equal(seen.line, "hello\n");
    assert_int_equal(seen.cat_status, 0);
    assert_int_equal(seen.sleep_status, -SIGTERM);
}

static enum tl_replay_end replay(void **state, const struct variant *variant,
                                 char report[static 2048])
{
    tl_trace_reader *reader = trace_open(((struct trace_file *)*state)->path);
    struct tl_kernel *kernel;
    const char *said;

    assert_int_equal(tl_stream_replay_kernel_new(reader, 0, &kernel), 0);
    run(kernel, variant);
    enum tl_replay_end end = tl_replay_result(reader, &said);
    (void)snprintf(report, 2048, "%s", said);
    tl_trace_reader_close(reader);
    return end;
}

/* --- The cases --- */

static void children_come_from_the_trace(void **state)
{
    const struct variant variants[] = {{.twice = false}, {.in_pieces = true}, {.sleep_last = true}};
    char report[2048];

    record(state);
    assert_seen();
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        if (replay(state, &variants[i], report) != TL_REPLAY_COMPLETE)
            fail_msg("variant %zu: %s", i, report);
        assert_seen();
        if (!variants[i].sleep_last)
            assert_non_null(strstr(report, "(0 early, 0 unused), 6 bytes of output"));
    }
}

static void assert_said(void **state, const struct variant *variant, const char *part)
{
    char report[2048];

    assert_int_equal(replay(state, variant, report), TL_REPLAY_DIVERGED);
    if (strstr(report, part) == NULL)
        fail_msg("no '%s' in: %s", part, report);
}

static void other_children_are_found(void **state)
{
    const struct variant other_line = {.other_line = true}, other_args = {.other_args = true},
                         twice = {.twice = true};

    record(state);
    assert_said(state, &other_line,
                "the socket pair (fd:1 of the trace): what it is sent differs "
                "from byte 0 on, before byte 6\n");
    assert_said(state, &other_args, "the program asks for what the trace does not have\n  spawn");
    assert_said(state, &twice, "the program asks for what the trace does not have\n  spawn");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRACE_TEST(children_come_from_the_trace),
        TRACE_TEST(other_children_are_found),
    };

    return cmocka_run_group_tests_name("stream_replay_children", tests, NULL, NULL);
}
