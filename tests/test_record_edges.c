/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The edges of a recording: numbers for which an event has one form or the other, and what is in
 * the file when the program ends before its time.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <twinloop/trace.h>
#include <unistd.h>
#include <cmocka.h>
#include "support/toy_kernel.h"
#include "support/traces.h"
#include "trace/hash.h"
#include "trace/reader.h"
#include "trace/record.h"

static const char *path_of(void **state)
{
    return ((struct trace_file *)*state)->path;
}

/* --- Forms --- */

enum { SIZE_MAX_USED = 70000 };

static const size_t sizes[] = {0,   1,   23,  24,   31,    32,    33,    64,    96,
                               100, 255, 256, 4096, 65504, 65535, 65536, 65537, SIZE_MAX_USED};

/* What was asked, and what the toy answered. */
struct step {
    size_t offered;
    ssize_t result;
    uint64_t hash; /* of what was written */
    bool reads;
};

static struct tl_message message_of(struct iovec *iov)
{
    return (struct tl_message){.iov = iov, .iov_count = 1};
}

/* Reads and writes each size a few times: the toy answers with all, half or nothing of it. */
static size_t use_sizes(struct tl_kernel *kernel, int fd, bool full, struct step *steps)
{
    static uint8_t bytes[SIZE_MAX_USED], room[SIZE_MAX_USED];
    struct tl_trace_hash hash = TL_TRACE_HASH_INIT;
    size_t count = 0;

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 256);
    for (size_t i = 0; i < 4 * sizeof sizes / sizeof *sizes; i++) {
        struct iovec iov = {bytes, sizes[i / 4]};
        struct tl_message message = message_of(&iov);
        ssize_t n = kernel->ops->write(kernel, fd, &message, 1);
        if (n > 0)
            tl_trace_hash_add(&hash, bytes, (size_t)n);
        steps[count++] =
            (struct step){iov.iov_len, n, full ? 0 : tl_trace_hash_value(&hash), false};
        iov.iov_base = room;
        message = message_of(&iov);
        n = kernel->ops->read(kernel, fd, &message, 1);
        steps[count++] = (struct step){iov.iov_len, n, 0, true};
    }
    return count;
}

static void assert_step(const struct tl_trace_event *event, const struct step *step)
{
    size_t moved = step->result > 0 ? (size_t)step->result : 0;

    assert_int_equal(event->kind, step->reads ? TL_TRACE_READ : TL_TRACE_WRITE);
    assert_int_equal(event->result, step->result);
    assert_int_equal(event->arg[0], step->offered);
    assert_int_equal(event->arg[1], 1);
    assert_int_equal(event->arg[2], 0);
    if (step->hash != 0 && moved > 0) {
        assert_int_equal(event->blob_is, TL_BLOB_HASH);
        assert_true(event->blob_hash == step->hash);
        return;
    }
    assert_int_equal(event->blob_is, TL_BLOB_BYTES);
    assert_int_equal(event->blob_len, moved);
    for (size_t i = 0; step->reads && i < moved; i++)
        assert_int_equal(event->blob[i], (uint8_t)('a' + i));
}

/* A socket with this ordinal becomes ready, is written to and read from. */
static void record_with_ordinal(const char *path, uint64_t ordinal, bool full)
{
    static struct step steps[8 * sizeof sizes / sizeof *sizes];
    struct tl_event events[2];
    struct tl_trace_event event;
    struct tl_trace_cursor cursor;
    tl_trace_writer *writer;
    struct tl_record_options options = {.full_output = full};
    struct tl_kernel *toy = toy_kernel_new();
    struct tl_kernel *kernel = trace_record(toy, path, &options, &writer);
    int token;

    tl_recorder_of(kernel)->fds_made = ordinal - 1;
    int fd = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
    assert_int_equal(kernel->ops->watch(kernel, fd, TL_READABLE, &token), 0);
    toy_kernel_ready(toy, fd, TL_READABLE | TL_WRITABLE);
    assert_int_equal(kernel->ops->poll(kernel, 0, events, 2), 1);
    assert_ptr_equal(events[0].token, &token);
    size_t count = use_sizes(kernel, fd, full, steps);
    kernel->ops->destroy(kernel);
    assert_int_equal(tl_trace_writer_close(writer), 0);

    tl_trace_reader *reader = trace_open(path);
    assert_false(tl_trace_reader_torn(reader, NULL));
    tl_trace_cursor_init(&cursor, reader, 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(tl_trace_cursor_next(&cursor, &event), 1);
    assert_int_equal(event.kind, TL_TRACE_FD);
    assert_int_equal(event.object, ordinal);
    assert_int_equal(event.arg[0], TL_READABLE | TL_WRITABLE);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(tl_trace_cursor_next(&cursor, &event), 1);
        assert_int_equal(event.object, ordinal);
        assert_step(&event, &steps[i]);
    }
    assert_int_equal(tl_trace_cursor_next(&cursor, &event), 1);
    assert_int_equal(event.kind, TL_TRACE_DESTROY);
    tl_trace_cursor_finish(&cursor);
    tl_trace_reader_close(reader);
}

static void numbers_of_every_width_come_back(void **state)
{
    static const uint64_t ordinals[] = {1, 23, 24, 255, 256, 65535, 65536, UINT64_C(1) << 32};

    for (size_t i = 0; i < sizeof ordinals / sizeof *ordinals; i++) {
        record_with_ordinal(path_of(state), ordinals[i], false);
        record_with_ordinal(path_of(state), ordinals[i], true);
    }
}

/* More readiness than is put down at a time, and another event in between. */
static void many_events_of_one_poll(void **state)
{
    enum { BEFORE = 40, MANY = 60 };
    struct tl_event events[MANY];
    struct tl_trace_event event;
    struct tl_trace_cursor cursor;
    struct tl_post post = {.producer = "somebody"};
    tl_trace_writer *writer;
    struct tl_kernel *toy = toy_kernel_new();
    struct tl_kernel *kernel = trace_record(toy, path_of(state), NULL, &writer);
    int fds[2], tokens[2];

    for (int i = 0; i < 2; i++) {
        fds[i] = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
        assert_int_equal(kernel->ops->watch(kernel, fds[i], TL_READABLE, &tokens[i]), 0);
    }
    for (int i = 0; i < MANY; i++) {
        if (i == BEFORE)
            assert_int_equal(kernel->ops->post(kernel, &post), 0);
        else
            toy_kernel_ready(toy, fds[i % 2], i % 3 == 0 ? TL_READABLE : TL_WRITABLE);
    }
    assert_int_equal(kernel->ops->poll(kernel, 0, events, MANY), MANY);
    for (int i = 0; i < MANY; i++)
        assert_ptr_equal(events[i].token, i == BEFORE ? (void *)&post : &tokens[i % 2]);
    kernel->ops->destroy(kernel);
    assert_int_equal(tl_trace_writer_close(writer), 0);

    tl_trace_reader *reader = trace_open(path_of(state));
    tl_trace_cursor_init(&cursor, reader, 0);
    for (int i = 0; i < 5; i++) /* two sockets, two watches, the poll */
        assert_int_equal(tl_trace_cursor_next(&cursor, &event), 1);
    assert_int_equal(event.kind, TL_TRACE_POLL);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(tl_trace_cursor_next(&cursor, &event), 1);
        assert_int_equal(event.number, 5 + i);
        assert_int_equal(event.kind, i == BEFORE ? TL_TRACE_POSTED : TL_TRACE_FD);
        if (i == BEFORE)
            continue;
        assert_int_equal(event.object, 1 + i % 2);
        assert_int_equal(event.arg[0], i % 3 == 0 ? TL_READABLE : TL_WRITABLE);
    }
    tl_trace_cursor_finish(&cursor);
    tl_trace_reader_close(reader);
}

/* --- Ends --- */

enum end { EXITS, IS_KILLED };

/* The child records one loop to its end, and another that is asleep when the program ends. Neither
 * the second loop nor the file is closed. */
static void end_early(const char *path, enum end end)
{
    tl_trace_writer *writer;
    struct tl_event events[2];
    struct tl_kernel *asleep = trace_record(toy_kernel_new(), path, NULL, &writer);
    struct tl_kernel *closed;

    if (tl_record_kernel_new(toy_kernel_new(), writer, &closed) < 0)
        _exit(1);
    for (int i = 0; i < 100; i++) {
        (void)asleep->ops->unlink(asleep, "/a");
        (void)closed->ops->unlink(closed, "/b");
    }
    closed->ops->destroy(closed);
    (void)asleep->ops->poll(asleep, -1, events, 2);
    if (end == IS_KILLED)
        raise(SIGKILL);
    _exit(0);
}

static uint64_t events_of(const tl_trace_reader *reader, unsigned stream, uint32_t *ret_last)
{
    struct tl_trace_event event;
    struct tl_trace_cursor cursor;

    tl_trace_cursor_init(&cursor, reader, stream);
    while (tl_trace_cursor_next(&cursor, &event) == 1)
        *ret_last = event.kind;
    uint64_t number = cursor.number;
    tl_trace_cursor_finish(&cursor);
    return number;
}

static void what_was_promised_is_in_the_file(void **state)
{
    for (enum end end = EXITS; end <= IS_KILLED; end++) {
        uint32_t last = 0;
        int status;
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            end_early(path_of(state), end);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, end == EXITS ? 0 : SIGKILL);

        tl_trace_reader *reader = trace_open(path_of(state));
        assert_true(tl_trace_reader_torn(reader, NULL));
        assert_int_equal(events_of(reader, 0, &last), 100); /* up to its sleep */
        assert_int_equal(last, TL_TRACE_UNLINK);
        assert_int_equal(events_of(reader, 1, &last), 101); /* all */
        assert_int_equal(last, TL_TRACE_DESTROY);
        tl_trace_reader_close(reader);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRACE_TEST(numbers_of_every_width_come_back),
        TRACE_TEST(many_events_of_one_poll),
        TRACE_TEST(what_was_promised_is_in_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
