/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recorder: it changes nothing for the program, writes down everything, and never stands in the
 * program's way.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <twinloop.h>
#include <twinloop/trace.h>
#include <twinloop/version.h>
#include <unistd.h>
#include <cmocka.h>
#include "support/ladder.h"
#include "support/toy_kernel.h"
#include "support/traces.h"
#include "trace/hash.h"
#include "trace/reader.h"

static const char *path_of(void **state)
{
    return ((struct trace_file *)*state)->path;
}

/* --- What the program sees, and what is written --- */

static void a_recorded_kernel_answers_as_the_one_inside(void **state)
{
    static struct transcript bare, recorded;
    struct tl_kernel *toy = toy_kernel_new();

    /* A recorder reads each clock once before the program does. */
    (void)toy->ops->now(toy);
    (void)toy->ops->wall(toy);
    session_run(toy, NULL, &bare);
    toy->ops->destroy(toy);
    trace_record_session(path_of(state), NULL, &recorded);
    assert_string_equal(bare.text, recorded.text);
}

static ssize_t write_text(struct tl_kernel *kernel, int fd, const char *text)
{
    struct iovec iov = {(void *)text, strlen(text)};
    struct tl_message message = {.iov = &iov, .iov_count = 1};

    return kernel->ops->write(kernel, fd, &message, 1);
}

static ssize_t read_some(struct tl_kernel *kernel, int fd, void *data, size_t size)
{
    struct iovec iov = {data, size};
    struct tl_message message = {.iov = &iov, .iov_count = 1};

    return kernel->ops->read(kernel, fd, &message, 1);
}

static void small_session(struct tl_kernel *kernel)
{
    tl_addr addr = {.family = TL_FAMILY_INET, .port = 8080, .data = {127, 0, 0, 1}};
    struct tl_event events[4];
    char bytes[5];
    int token, option = 1;

    int fd = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
    assert_int_equal(kernel->ops->bind(kernel, fd, &addr), 0);
    assert_int_equal(kernel->ops->listen(kernel, fd, 100), 0);
    assert_int_equal(kernel->ops->watch(kernel, fd, TL_READABLE, &token), 0);
    (void)kernel->ops->now(kernel);
    assert_int_equal(kernel->ops->poll(kernel, 1500 * TL_MICROSECOND, events, 4), 1);
    assert_ptr_equal(events[0].token, &token);
    int peer = kernel->ops->accept(kernel, fd, &addr);
    assert_int_equal(kernel->ops->accept(kernel, fd, &addr), -EAGAIN);
    assert_int_equal(kernel->ops->option(kernel, peer, TL_OPTION_NODELAY, &option, NULL), 0);
    assert_int_equal(read_some(kernel, peer, bytes, sizeof bytes), 5);
    assert_int_equal(write_text(kernel, peer, "hello, world"), 12);
    assert_int_equal(write_text(kernel, peer, "hello, world"), 6);
    assert_int_equal(write_text(kernel, peer, "hello, world"), -EAGAIN);
    assert_int_equal(kernel->ops->close(kernel, peer), 0);
    assert_int_equal(kernel->ops->close(kernel, 1), -EBADF);
    assert_int_equal(kernel->ops->poll(kernel, -1, events, 4), 0);
}

static char *record_small(void **state, const struct tl_record_options *options)
{
    tl_trace_writer *writer;
    struct tl_kernel *kernel = trace_record(toy_kernel_new(), path_of(state), options, &writer);

    small_session(kernel);
    kernel->ops->destroy(kernel);
    assert_int_equal(tl_trace_writer_close(writer), 0);
    return trace_text(path_of(state), 0, true);
}

static void the_trace_says_what_happened(void **state)
{
    char *text = record_small(state, &(struct tl_record_options){.full_output = true});

    assert_string_equal(text, "0 socket fd:1 family=inet type=stream -> 0\n"
                              "1 bind fd:1 address=127.0.0.1:8080 -> 0\n"
                              "2 listen fd:1 backlog=100 -> 0\n"
                              "3 watch fd:1 events=r -> 0\n"
                              "4 now -> 1000\n"
                              "4 poll timeout=0.001500000 -> 1\n"
                              "5 fd fd:1 ready=r\n"
                              "6 accept fd:1 -> 0 new=fd:2 peer=[fe80::%3]:4711\n"
                              "7 accept fd:1 -> EAGAIN\n"
                              "8 option fd:2 option=nodelay asked=set value=1 -> 0 answer=0\n"
                              "9 read fd:2 room=5 count=1 -> 5 data=\"abcde\"\n"
                              "10 write fd:2 length=12 count=1 data=\"hello, world\" -> 12\n"
                              "11 write fd:2 length=12 count=1 data=\"hello,\" -> 6\n"
                              "12 write fd:2 length=12 count=1 -> EAGAIN\n"
                              "13 close fd:2 -> 0\n"
                              "14 close fd:none -> EBADF\n"
                              "15 poll timeout=never -> 0\n"
                              "16 destroy -> 0\n");
    free(text);
}

static void lookups_are_told(void **state)
{
    static struct transcript transcript;

    trace_record_session(path_of(state), NULL, &transcript);
    char *text = trace_text(path_of(state), 0, true);
    assert_non_null(strstr(text, "resolve request:4 family=none type=none protocol=0 flags=2 "
                                 "name=\"example\" \"http\" -> 0\n"));
    assert_non_null(strstr(text, "addresses request:4 result=OK addresses=\"toy\","
                                 "10.1.2.3:80/stream/6,[2001::]:80/raw/0\n"));
    assert_non_null(strstr(text, "result=TL_EAI_NONAME\n"));
    assert_non_null(strstr(text, "name_of request:6 flags=0 address=10.1.2.3:80 -> 0\n"));
    assert_non_null(strstr(text, "names request:6 result=OK names=\"toy\" \"toys\"\n"));
    free(text);
}

static void output_is_hashed_unless_asked_for(void **state)
{
    struct tl_trace_hash hash = TL_TRACE_HASH_INIT;
    char expected[64];
    char *text = record_small(state, NULL);

    assert_null(strstr(text, "hello"));
    tl_trace_hash_add(&hash, "hello, world", 12);
    snprintf(expected, sizeof expected, "data=hash:%016llx -> 12\n",
             (unsigned long long)tl_trace_hash_value(&hash));
    assert_non_null(strstr(text, expected));
    /* The hash is that of everything that was taken so far. */
    tl_trace_hash_add(&hash, "hello,", 6);
    snprintf(expected, sizeof expected, "data=hash:%016llx -> 6\n",
             (unsigned long long)tl_trace_hash_value(&hash));
    assert_non_null(strstr(text, expected));
    free(text);
}

static void every_operation_is_in_a_session(void **state)
{
    static struct transcript transcript;
    char name[32];

    trace_record_session(path_of(state), NULL, &transcript);
    char *text = trace_text(path_of(state), 0, true);
    for (int kind = 1; kind < TL_TRACE_KINDS; kind++) {
        if (tl_trace_rows[kind].name == NULL || kind == TL_TRACE_POST)
            continue;
        if (kind == TL_TRACE_RESOLVED)
            continue; /* of older traces */
        snprintf(name, sizeof name, " %s ", tl_trace_rows[kind].name);
        if (strstr(text, name) == NULL)
            fail_msg("no %s in the trace", name);
    }
    free(text);
}

static void the_headers_say_where_it_comes_from(void **state)
{
    struct tl_record_options options = {.program = "echo \xc3\xbc"};

    free(record_small(state, &options));
    tl_trace_reader *reader = trace_open(path_of(state));
    assert_string_equal(reader->program, "echo ??");
    assert_string_equal(reader->library, "twinloop " TL_VERSION);
    assert_string_equal(reader->output, "hash");
    assert_int_equal(reader->minor, TL_FORMAT_MINOR);
    assert_int_equal(reader->streams_count, 1);
    assert_string_equal(reader->streams[0].kernel, "toy");
    assert_string_equal(reader->streams[0].thread, "main");
    assert_int_equal(reader->streams[0].now, 50 * TL_SECOND + 1000);
    assert_int_equal(reader->streams[0].wall, 1600000000 * TL_SECOND - reader->streams[0].now);
    assert_false(tl_trace_reader_torn(reader, NULL));
    tl_trace_reader_close(reader);
}

static void only_the_owner_may_read_it(void **state)
{
    struct stat status;

    assert_int_equal(chmod(path_of(state), 0644), 0);
    free(record_small(state, NULL));
    assert_int_equal(stat(path_of(state), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

/* --- Chunks --- */

static void large_events_and_many_chunks(void **state)
{
    enum { LARGE = 1 << 20 };
    static uint8_t bytes[LARGE];
    tl_trace_writer *writer;
    struct tl_kernel *kernel = trace_record(toy_kernel_new(), path_of(state), NULL, &writer);
    int file = kernel->ops->open(kernel, "/file", TL_OPEN_READ, 0);

    for (int i = 0; i < 100; i++)
        assert_int_equal(kernel->ops->pread(kernel, file, bytes, 40000, i), 40000);
    assert_int_equal(kernel->ops->pread(kernel, file, bytes, LARGE, 77), LARGE);
    for (int i = 0; i < 100; i++)
        assert_int_equal(kernel->ops->pread(kernel, file, bytes, 1000, i), 1000);
    kernel->ops->destroy(kernel);
    assert_int_equal(tl_trace_writer_close(writer), 0);

    tl_trace_reader *reader = trace_open(path_of(state));
    struct tl_trace_cursor cursor;
    struct tl_trace_event event;
    uint64_t number = 0, large = 0;
    assert_in_range(reader->places_count, 9, 20);
    tl_trace_cursor_init(&cursor, reader, 0);
    while (tl_trace_cursor_next(&cursor, &event) == 1) {
        assert_int_equal(event.number, number++);
        if (event.blob_len == LARGE) {
            large++;
            for (size_t i = 0; i < LARGE; i++)
                assert_int_equal(event.blob[i], 78);
        }
    }
    assert_int_equal(number, 203);
    assert_int_equal(large, 1);
    tl_trace_cursor_finish(&cursor);
    tl_trace_reader_close(reader);
}

/* How many events of the file can be read while it is still being written. */
static uint64_t events_in(const char *path)
{
    tl_trace_reader *reader = trace_open(path);
    struct tl_trace_cursor cursor;
    struct tl_trace_event event;

    assert_true(tl_trace_reader_torn(reader, NULL));
    tl_trace_cursor_init(&cursor, reader, 0);
    while (tl_trace_cursor_next(&cursor, &event) == 1)
        ;
    uint64_t number = cursor.number;
    tl_trace_cursor_finish(&cursor);
    tl_trace_reader_close(reader);
    return number;
}

static void a_loop_that_goes_to_sleep_leaves_its_trace_behind(void **state)
{
    struct tl_event events[4];
    tl_trace_writer *writer;
    struct tl_kernel *kernel = trace_record(toy_kernel_new(), path_of(state), NULL, &writer);
    unsigned flushed = 0;

    small_session(kernel);
    assert_int_equal(events_in(path_of(state)), 15); /* all before the last poll that may wait */
    assert_int_equal(kernel->ops->poll(kernel, 0, events, 4), 0);
    assert_int_equal(events_in(path_of(state)), 15); /* this one may not */

    /* The clock stands, so after a burst of some the file is left alone. */
    uint64_t before = 15;
    for (int i = 0; i < 50; i++) {
        (void)kernel->ops->poll(kernel, 1, events, 4);
        uint64_t now = events_in(path_of(state));
        flushed += now != before;
        before = now;
    }
    assert_in_range(flushed, 5, 10);

    /* Once the loop has seen time pass it goes on. */
    (void)kernel->ops->poll(kernel, TL_SECOND, events, 4);
    (void)kernel->ops->now(kernel);
    (void)kernel->ops->poll(kernel, 1, events, 4);
    assert_int_equal(events_in(path_of(state)), 17 + 51);
    kernel->ops->destroy(kernel);
    assert_int_equal(tl_trace_writer_close(writer), 0);
}

static void close_writes_what_live_recorders_have(void **state)
{
    tl_trace_writer *writer;
    struct tl_kernel *kernel = trace_record(toy_kernel_new(), path_of(state), NULL, &writer);

    small_session(kernel);
    assert_int_equal(tl_trace_writer_close(writer), 0);
    /* It goes on working, and is recorded no more. */
    small_session(kernel);
    kernel->ops->destroy(kernel);

    tl_trace_reader *reader = trace_open(path_of(state));
    assert_false(tl_trace_reader_torn(reader, NULL));
    tl_trace_reader_close(reader);
    char *text = trace_text(path_of(state), 0, false);
    assert_non_null(strstr(text, "15 poll timeout=never"));
    assert_null(strstr(text, "16 "));
    free(text);
}

/* --- Several recorders --- */

struct worker {
    pthread_t thread;
    tl_trace_writer *writer;
};

static void *work(void *arg)
{
    static uint8_t bytes[1000];
    struct worker *worker = arg;
    struct tl_kernel *kernel;

    if (tl_record_kernel_new(toy_kernel_new(), worker->writer, &kernel) < 0)
        return NULL;
    int file = kernel->ops->open(kernel, "/file", TL_OPEN_READ, 0);
    for (int i = 0; i < 2000; i++)
        (void)kernel->ops->pwrite(kernel, file, bytes, 1 + i % 100, i);
    kernel->ops->destroy(kernel);
    return worker;
}

static void threads_share_a_writer(void **state)
{
    struct worker workers[4];
    void *done;
    tl_trace_writer *writer;
    struct tl_record_options full = {.full_output = true};

    assert_int_equal(tl_trace_writer_open(path_of(state), &full, &writer), 0);
    for (int i = 0; i < 4; i++) {
        workers[i].writer = writer;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(workers[i].thread, &done), 0);
        assert_ptr_equal(done, &workers[i]);
    }
    assert_int_equal(tl_trace_writer_close(writer), 0);
    for (unsigned i = 0; i < 4; i++) {
        char *text = trace_text(path_of(state), i, false);
        assert_non_null(strstr(text, "\n2001 destroy -> 0\n"));
        free(text);
    }
}

static void a_forked_child_writes_nothing(void **state)
{
    tl_trace_writer *writer;
    struct tl_kernel *kernel = trace_record(toy_kernel_new(), path_of(state), NULL, &writer);
    struct tl_kernel *second;
    int status;

    small_session(kernel);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        static uint8_t bytes[100000];
        int file = kernel->ops->open(kernel, "/file", TL_OPEN_READ, 0);
        bool right = file >= 0;
        for (int i = 0; i < 10; i++)
            right = right && kernel->ops->pread(kernel, file, bytes, sizeof bytes, 0) == 100000;
        struct tl_kernel *toy = toy_kernel_new();
        right = right && tl_record_kernel_new(toy, writer, &second) == 0;
        if (right) {
            second->ops->destroy(second);
            kernel->ops->destroy(kernel);
            right = tl_trace_writer_close(writer) == 0;
        }
        _exit(right ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(events_in(path_of(state)), 15);
    kernel->ops->destroy(kernel);
    assert_int_equal(tl_trace_writer_close(writer), 0);
    char *text = trace_text(path_of(state), 0, false);
    assert_non_null(strstr(text, "\n16 destroy -> 0\n"));
    free(text);
}

/* --- When something is wrong --- */

static void files_that_cannot_be_made(void **state)
{
    tl_trace_writer *writer = NULL;

    (void)state;
    assert_int_equal(tl_trace_writer_open("/nowhere/trace", NULL, &writer), -ENOENT);
    assert_int_equal(tl_trace_writer_open("/tmp", NULL, &writer), -EISDIR);
    assert_int_equal(tl_trace_writer_open("/dev/full", NULL, &writer), -ENOSPC);
    assert_int_equal(tl_trace_writer_open(NULL, NULL, &writer), -EINVAL);
    assert_null(writer);
    assert_int_equal(tl_trace_writer_close(NULL), 0);
    tl_record_policy_free(NULL);
}

static void count_message(enum tl_log_level level, const char *text, void *arg)
{
    (void)level, (void)text;
    ++*(int *)arg;
}

static void a_full_disk_does_not_disturb_the_program(void **state)
{
    static uint8_t bytes[50000];
    struct rlimit limit, before;
    tl_trace_writer *writer;
    struct tl_kernel *kernel = trace_record(toy_kernel_new(), path_of(state), NULL, &writer);
    struct tl_kernel *second;
    int messages = 0;

    assert_int_equal(tl_record_kernel_new(toy_kernel_new(), writer, &second), 0);
    tl_set_log_handler(count_message, &messages);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 600000; /* of two chunks there is room for one */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    int file = kernel->ops->open(kernel, "/file", TL_OPEN_READ, 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(kernel->ops->pread(kernel, file, bytes, sizeof bytes, i), sizeof bytes);
    small_session(kernel);
    small_session(second);
    kernel->ops->destroy(kernel);
    second->ops->destroy(second);
    assert_int_equal(tl_trace_writer_close(writer), -EFBIG);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    tl_set_log_handler(NULL, NULL);
    assert_int_equal(messages, 1);

    /* What is there is whole. */
    tl_trace_reader *reader = trace_open(path_of(state));
    struct tl_trace_problem problem;
    assert_true(tl_trace_reader_torn(reader, &problem));
    assert_int_equal(problem.offset, reader->size);
    assert_string_equal(problem.message, "the file ends without an end mark");
    tl_trace_reader_close(reader);
    assert_int_equal(events_in(path_of(state)), 11);
}

static void a_broken_pipe_raises_no_signal(void **state)
{
    char path[64];
    tl_trace_writer *writer;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", ends[1]);
    struct tl_kernel *kernel = trace_record(toy_kernel_new(), path, NULL, &writer);
    close(ends[0]);
    tl_set_log_handler(count_message, &(int){0});
    small_session(kernel);
    kernel->ops->destroy(kernel);
    tl_set_log_handler(NULL, NULL);
    assert_int_equal(tl_trace_writer_close(writer), -EPIPE);
    close(ends[1]);
}

struct climb {
    struct ladder ladder;
    const char *path;
    int errors;
};

static void ignore_message(enum tl_log_level level, const char *text, void *arg)
{
    (void)level, (void)text, (void)arg;
}

static void record_without_memory(void *arg)
{
    static struct transcript transcript;
    struct climb *climb = arg;
    struct tl_kernel *toy = toy_kernel_new(), *kernel;
    tl_trace_writer *writer = NULL;

    ladder_arm(&climb->ladder);
    int r = tl_trace_writer_open(climb->path, NULL, &writer);
    if (r == 0)
        r = tl_record_kernel_new(toy, writer, &kernel);
    if (r == 0) {
        session_run(kernel, NULL, &transcript);
        kernel->ops->destroy(kernel);
    } else {
        assert_int_equal(r, -ENOMEM);
        toy->ops->destroy(toy);
    }
    if (writer != NULL) {
        int closed = tl_trace_writer_close(writer);
        assert_true(closed == 0 || closed == -ENOMEM);
        climb->errors += closed != 0;
        /* Whatever memory was missing: the trace is sound as far as it goes. */
        ladder_disarm(&climb->ladder);
        tl_trace_reader *reader = trace_open(climb->path);
        assert_false(tl_trace_reader_torn(reader, NULL) && closed == 0);
        tl_trace_reader_close(reader);
    }
}

static void memory_runs_out_at_every_point(void **state)
{
    struct climb climb = {.path = path_of(state)};

    tl_set_log_handler(ignore_message, NULL);
    ladder_install(&climb.ladder);
    ladder_climb(&climb.ladder, record_without_memory, &climb);
    ladder_remove(&climb.ladder);
    tl_set_log_handler(NULL, NULL);
    assert_in_range(climb.ladder.rungs, 10, 1000);
    assert_true(climb.errors > 0);
}

/* --- Loops --- */

static void stop(void *arg)
{
    tl_loop_stop(arg);
}

static void a_policy_records_the_loops_it_makes(void **state)
{
    tl_trace_writer *writer;
    tl_policy *policy;
    tl_loop *loop;

    assert_int_equal(tl_trace_writer_open(path_of(state), NULL, &writer), 0);
    assert_int_equal(tl_record_policy_new(writer, &policy), 0);
    assert_int_equal(tl_set_event_loop_policy(policy), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(tl_new_event_loop(&loop), 0);
        assert_int_equal(tl_loop_call_later(loop, 1, stop, loop, NULL), 0);
        assert_int_equal(tl_loop_run_forever(loop), 0);
        tl_loop_free(loop);
    }
    tl_set_event_loop_policy(NULL);
    tl_record_policy_free(policy);
    assert_int_equal(tl_trace_writer_close(writer), 0);

    for (unsigned i = 0; i < 2; i++) {
        char *text = trace_text(path_of(state), i, false);
        assert_non_null(strstr(text, "poll timeout=0.00000000"));
        assert_non_null(strstr(text, "destroy"));
        free(text);
    }
    tl_trace_reader *reader = trace_open(path_of(state));
    assert_string_equal(reader->streams[1].kernel, "real");
    tl_trace_reader_close(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRACE_TEST(a_recorded_kernel_answers_as_the_one_inside),
        TRACE_TEST(the_trace_says_what_happened),
        TRACE_TEST(lookups_are_told),
        TRACE_TEST(output_is_hashed_unless_asked_for),
        TRACE_TEST(every_operation_is_in_a_session),
        TRACE_TEST(the_headers_say_where_it_comes_from),
        TRACE_TEST(only_the_owner_may_read_it),
        TRACE_TEST(large_events_and_many_chunks),
        TRACE_TEST(a_loop_that_goes_to_sleep_leaves_its_trace_behind),
        TRACE_TEST(close_writes_what_live_recorders_have),
        TRACE_TEST(threads_share_a_writer),
        TRACE_TEST(a_forked_child_writes_nothing),
        TRACE_TEST(files_that_cannot_be_made),
        TRACE_TEST(a_full_disk_does_not_disturb_the_program),
        TRACE_TEST(a_broken_pipe_raises_no_signal),
        TRACE_TEST(memory_runs_out_at_every_point),
        TRACE_TEST(a_policy_records_the_loops_it_makes),
    };
    int rc = cmocka_run_group_tests_name("record", tests, NULL, NULL);

    return !!rc;
}
