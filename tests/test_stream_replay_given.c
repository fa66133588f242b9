/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stream replay of pipes and of descriptors made elsewhere: a program that reads and writes them in
 * other pieces gets through, one that writes something else does not, and one that asks for more of
 * them than were recorded does not either.
 *
 * The program brings in the read end of a pipe and the write end of another, and writes to that, in
 * capitals, what comes out of the first, until its end. It is recorded on the real kernel; when it
 * is replayed, what it brings in are other descriptors, which are closed and else not touched.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <twinloop.h>
#include <twinloop/real.h>
#include <twinloop/trace.h>
#include <unistd.h>
#include <cmocka.h>
#include "support/traces.h"

struct variant {
    size_t room;   /* of a read; 0: a lot */
    bool wrong;    /* the third letter is another one */
    bool less;     /* the last letter is left out */
    bool releases; /* gives the descriptors back */
    bool again;    /* brings in one more */
};

/* --- The program --- */

static ssize_t put(struct tl_kernel *kernel, int fd, const void *data, size_t len)
{
    struct iovec iov = {(void *)data, len};
    struct tl_message message = {.iov = &iov, .iov_count = 1};

    return kernel->ops->write(kernel, fd, &message, 1);
}

static ssize_t get(struct tl_kernel *kernel, int fd, void *data, size_t len)
{
    struct iovec iov = {data, len};
    struct tl_message message = {.iov = &iov, .iov_count = 1};

    return kernel->ops->read(kernel, fd, &message, 1);
}

/* What a program writes for what it has read, which began at the at-th letter: how much. */
static size_t change(char *data, size_t len, size_t at, const struct variant *variant)
{
    for (size_t i = 0; i < len; i++)
        data[i] = (char)(variant->wrong && at + i == 2 ? '!' : toupper((unsigned char)data[i]));
    return variant->less && at + len == 10 ? len - 1 : len;
}

/* Called before each wait while it is recorded. */
typedef void outside(void);

struct ends {
    int in;
    int out;
};

/* Reads and writes until the end, or an error: that of the last write. */
static int copy(struct tl_kernel *kernel, const struct ends *ends, const struct variant *variant,
                outside *step)
{
    size_t room = variant->room > 0 ? variant->room : 64, at = 0;
    struct tl_event event;
    char data[64];

    for (;;) {
        if (step != NULL)
            step();
        if (kernel->ops->poll(kernel, -1, &event, 1) < 0)
            return 0;
        ssize_t n = get(kernel, ends->in, data, room);
        if (n == 0 || (n < 0 && n != -EAGAIN))
            return 0;
        size_t len = n > 0 ? change(data, (size_t)n, at, variant) : 0;
        at += n > 0 ? (size_t)n : 0;
        ssize_t written = len > 0 ? put(kernel, ends->out, data, len) : 0;
        if (written < 0)
            return (int)written;
    }
}

static int leave(struct tl_kernel *kernel, int fd, const struct variant *variant)
{
    return variant->releases ? kernel->ops->release(kernel, fd) : kernel->ops->close(kernel, fd);
}

static int run(struct tl_kernel *kernel, struct ends ends, const struct variant *variant,
               outside *step)
{
    struct tl_adopted found = {.kind = TL_ADOPTED_OTHER};
    int r = kernel->ops->adopt(kernel, ends.in, &found);

    if (r == 0) {
        assert_int_equal(found.kind, TL_ADOPTED_FIFO);
        assert_int_equal(kernel->ops->adopt(kernel, ends.in, &found), -EEXIST);
        assert_int_equal(kernel->ops->listen(kernel, ends.in, 1), -ENOTSOCK);
        r = kernel->ops->adopt(kernel, ends.out, &found);
    }
    if (r == 0 && variant->again)
        r = kernel->ops->adopt(kernel, ends.out + 1, &found);
    if (r == 0)
        r = kernel->ops->watch(kernel, ends.in, TL_READABLE, &ends);
    if (r == 0)
        r = copy(kernel, &ends, variant, step);
    (void)leave(kernel, ends.in, variant);
    (void)leave(kernel, ends.out, variant);
    kernel->ops->destroy(kernel);
    return r;
}

/* --- Recording --- */

static int feed[2];   /* the pipe that the program reads */
static int answer[2]; /* and the one that it writes */
static int steps;
static bool stops_reading;

static void feed_it(void)
{
    steps++;
    if (steps == 1)
        assert_int_equal(write(feed[1], "hello", 5), 5);
    if (steps == 2 && stops_reading)
        close(answer[0]);
    if (steps == 2)
        assert_int_equal(write(feed[1], "world", 5), 5);
    if (steps == 3)
        close(feed[1]);
}

static int record(void **state, bool full_output, bool stops)
{
    struct tl_record_options options = {.full_output = full_output};
    tl_trace_writer *writer;
    struct tl_kernel *real;

    steps = 0;
    stops_reading = stops;
    assert_int_equal(pipe2(feed, O_CLOEXEC | O_NONBLOCK), 0);
    assert_int_equal(pipe2(answer, O_CLOEXEC | O_NONBLOCK), 0);
    assert_int_equal(tl_real_kernel_new(&real), 0);
    int r = run(trace_record(real, ((struct trace_file *)*state)->path, &options, &writer),
                (struct ends){feed[0], answer[1]}, &(struct variant){.room = 0}, feed_it);
    assert_int_equal(tl_trace_writer_close(writer), 0);
    if (stops)
        close(feed[1]);
    else
        close(answer[0]);
    return r;
}

/* --- Replaying --- */

static int told; /* what the program ended with */

static enum tl_replay_end replay(void **state, const struct variant *variant,
                                 char report[static 2048])
{
    tl_trace_reader *reader = trace_open(((struct trace_file *)*state)->path);
    struct ends ends = {open("/dev/null", O_RDONLY | O_CLOEXEC),
                        open("/dev/null", O_WRONLY | O_CLOEXEC)};
    struct tl_kernel *kernel;
    const char *said;

    assert_int_equal(tl_stream_replay_kernel_new(reader, 0, &kernel), 0);
    told = run(kernel, ends, variant, NULL);
    enum tl_replay_end end = tl_replay_result(reader, &said);
    (void)snprintf(report, 2048, "%s", said);
    tl_trace_reader_close(reader);
    assert_int_equal(close(ends.in) < 0, !variant->releases);
    assert_int_equal(close(ends.out) < 0, !variant->releases);
    return end;
}

static void assert_said(void **state, const struct variant *variant, const char *part)
{
    char report[2048];

    assert_int_equal(replay(state, variant, report), TL_REPLAY_DIVERGED);
    if (strstr(report, part) == NULL)
        fail_msg("no '%s' in: %s", part, report);
}

/* --- The cases --- */

static void pieces_may_be_others(void **state)
{
    const struct variant variants[] = {{.room = 64}, {.room = 1}, {.room = 3, .releases = true}};
    char report[2048];

    for (int full = 0; full < 2; full++) {
        assert_int_equal(record(state, full, false), 0);
        for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
            if (replay(state, &variants[i], report) != TL_REPLAY_COMPLETE)
                fail_msg("variant %zu: %s", i, report);
            assert_string_equal(
                report, "3 inputs given (0 early, 0 unused), 10 bytes of output as recorded\n");
        }
    }
}

static void other_bytes_are_found(void **state)
{
    const struct variant wrong = {.wrong = true}, less = {.less = true},
                         given_back = {.less = true, .releases = true}, again = {.again = true};

    assert_int_equal(record(state, true, false), 0);
    assert_said(state, &wrong,
                "the descriptor made elsewhere (fd:2 of the trace): byte 2 of what it is sent "
                "differs\n"
                "  the trace has      \"LLO\"\n"
                "  the program sends  \"!LO\"\n");
    assert_said(state, &less, "the program closes it after 9 of 10 bytes\n");
    assert_said(state, &given_back, "the program gives it back after 9 of 10 bytes\n");
    assert_said(state, &again, "the program asks for what the trace does not have\n  adopt");
}

static void nobody_reads_any_more(void **state)
{
    char report[2048];

    assert_int_equal(record(state, true, true), -EPIPE);
    if (replay(state, &(struct variant){.room = 64}, report) != TL_REPLAY_COMPLETE)
        fail_msg("%s", report);
    assert_int_equal(told, -EPIPE);
}

/* --- Pipes of its own --- */

static void use_pipes(struct tl_kernel *kernel, int pairs)
{
    char data[16];
    int ends[2], pair[2];

    for (int i = 0; i < pairs; i++) {
        if (kernel->ops->pipe(kernel, TL_PIPE_STREAM_PAIR, pair) < 0)
            break;
        if (i == 1)
            continue;
        assert_int_equal(kernel->ops->pipe(kernel, TL_PIPE_ONE_WAY, ends), 0);
        assert_int_equal(put(kernel, ends[0], "x", 1), -EBADF);
        assert_int_equal(get(kernel, ends[1], data, 1), -EBADF);
        assert_int_equal(get(kernel, ends[0], data, sizeof data), -EAGAIN);
        assert_int_equal(put(kernel, ends[1], "abc", 3), 3);
        assert_int_equal(get(kernel, ends[0], data, sizeof data), 3);
        assert_memory_equal(data, "abc", 3);
        assert_int_equal(put(kernel, pair[0], "defg", 4), 4);
        assert_int_equal(get(kernel, pair[1], data, 2), 2);
        assert_int_equal(get(kernel, pair[1], data, sizeof data), 2);
        assert_int_equal(put(kernel, pair[1], "h", 1), 1);
        assert_int_equal(get(kernel, pair[0], data, sizeof data), 1);
        assert_int_equal(kernel->ops->close(kernel, ends[1]), 0);
        assert_int_equal(get(kernel, ends[0], data, sizeof data), 0);
    }
    kernel->ops->destroy(kernel);
}

static enum tl_replay_end replay_pipes(void **state, int pairs)
{
    tl_trace_reader *reader = trace_open(((struct trace_file *)*state)->path);
    struct tl_kernel *kernel;
    const char *said;

    assert_int_equal(tl_stream_replay_kernel_new(reader, 0, &kernel), 0);
    use_pipes(kernel, pairs);
    enum tl_replay_end end = tl_replay_result(reader, &said);
    tl_trace_reader_close(reader);
    return end;
}

static void pipes_are_matched_in_turn(void **state)
{
    tl_trace_writer *writer;
    struct tl_kernel *real;

    assert_int_equal(tl_real_kernel_new(&real), 0);
    use_pipes(trace_record(real, ((struct trace_file *)*state)->path, NULL, &writer), 1);
    assert_int_equal(tl_trace_writer_close(writer), 0);
    assert_int_equal(replay_pipes(state, 1), TL_REPLAY_COMPLETE);
    assert_int_equal(replay_pipes(state, 2), TL_REPLAY_DIVERGED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRACE_TEST(pieces_may_be_others),
        TRACE_TEST(other_bytes_are_found),
        TRACE_TEST(nobody_reads_any_more),
        TRACE_TEST(pipes_are_matched_in_turn),
    };

    return cmocka_run_group_tests_name("stream_replay_given", tests, NULL, NULL);
}
