/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The replayer: it answers as the recorded kernel did.
 *
 * As `test_replay record FILE` and `test_replay run [WHAT]` this is a small program with loops, for
 * tests/tool.sh to record and to replay.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <twinloop.h>
#include <twinloop/real.h>
#include <twinloop/sim.h>
#include <twinloop/trace.h>
#include <unistd.h>
#include <cmocka.h>
#include "core/self.h"
#include "support/ladder.h"
#include "support/toy_kernel.h"
#include "support/traces.h"
#include "trace/replay.h"

static const char *path_of(void **state)
{
    return ((struct trace_file *)*state)->path;
}

static ssize_t write_text(struct tl_kernel *kernel, int fd, const char *text)
{
    struct iovec iov = {(void *)text, strlen(text)};
    struct tl_message message = {.iov = &iov, .iov_count = 1};

    return kernel->ops->write(kernel, fd, &message, 1);
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

/* Fails with the first line that is not the same. */
static void assert_same_lines(const char *a, const char *b)
{
    const char *line = a;

    for (size_t i = 0; a[i] == b[i]; i++) {
        if (a[i] == '\0')
            return;
        if (a[i] == '\n')
            line = &a[i + 1];
    }
    const char *other = b + (line - a);
    fail_msg("'%.*s' is not '%.*s'", (int)strcspn(line, "\n"), line, (int)strcspn(other, "\n"),
             other);
}

/* --- The same again --- */

static void replay_session(const char *path, bool full_output)
{
    static struct transcript recorded, replayed;
    struct tl_record_options options = {.full_output = full_output};

    trace_record_session(path, &options, &recorded);
    tl_trace_reader *reader = trace_open(path);
    struct tl_kernel *kernel = replay_of(reader);
    assert_end(reader, TL_REPLAY_RUNNING);
    session_run(kernel, NULL, &replayed);
    assert_same_lines(recorded.text, replayed.text);
    assert_end(reader, TL_REPLAY_RUNNING);
    kernel->ops->destroy(kernel);
    assert_end(reader, TL_REPLAY_COMPLETE);
    tl_trace_reader_close(reader);
}

static void a_session_is_answered_again(void **state)
{
    replay_session(path_of(state), false);
}

static void a_session_with_its_output_is_answered_again(void **state)
{
    replay_session(path_of(state), true);
}

static void a_recorded_replay_is_the_same_trace(void **state)
{
    static struct transcript recorded, replayed;
    struct trace_file *second;
    tl_trace_writer *writer;

    assert_int_equal(trace_file_set_up((void **)&second), 0);
    trace_record_session(path_of(state), NULL, &recorded);
    tl_trace_reader *reader = trace_open(path_of(state));
    struct tl_kernel *kernel = trace_record(replay_of(reader), second->path, NULL, &writer);
    session_run(kernel, NULL, &replayed);
    kernel->ops->destroy(kernel);
    assert_int_equal(tl_trace_writer_close(writer), 0);
    assert_end(reader, TL_REPLAY_COMPLETE);

    char *first = trace_text(path_of(state), 0, true);
    char *again = trace_text(second->path, 0, true);
    assert_same_lines(first, again);
    tl_trace_reader *second_reader = trace_open(second->path);
    assert_int_equal(second_reader->streams[0].now, reader->streams[0].now);
    assert_int_equal(second_reader->streams[0].wall, reader->streams[0].wall);
    assert_string_equal(second_reader->streams[0].kernel, "replay");
    tl_trace_reader_close(second_reader);
    tl_trace_reader_close(reader);
    free(first);
    free(again);
    trace_file_tear_down((void **)&second);
}

/* --- Simulations --- */

struct hashes {
    uint64_t schedule, content, events;
};

/* Two ends of a connection in a simulated world, recorded or not. */
static struct hashes simulate(const char *path)
{
    const struct tl_world_options options = {.seed = 5};
    tl_addr addr = {.family = TL_FAMILY_INET, .port = 80, .data = {127, 0, 0, 1}}, peer;
    struct tl_event events[4];
    struct tl_kernel *sim, *kernel;
    tl_trace_writer *writer = NULL;
    struct hashes hashes;
    int token;

    assert_int_equal(tl_sim_kernel_new(&options, &sim), 0);
    kernel = path != NULL ? trace_record(sim, path, NULL, &writer) : sim;
    int listener = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
    assert_int_equal(kernel->ops->bind(kernel, listener, &addr), 0);
    assert_int_equal(kernel->ops->listen(kernel, listener, 5), 0);
    assert_int_equal(kernel->ops->watch(kernel, listener, TL_READABLE, &token), 0);
    int client = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
    assert_int_equal(kernel->ops->connect(kernel, client, &addr), -EINPROGRESS);
    for (int i = 0; i < 8 && kernel->ops->accept(kernel, listener, &peer) < 0; i++)
        assert_true(kernel->ops->poll(kernel, TL_SECOND, events, 4) >= 0);
    (void)kernel->ops->info(kernel, TL_INFO_PID, NULL, NULL, 0);
    (void)write_text(kernel, client, "hello");
    (void)kernel->ops->poll(kernel, TL_SECOND, events, 4);
    tl_world *world = tl_sim_kernel_world(sim);
    tl_world_hashes(world, &hashes.schedule, &hashes.content);
    hashes.events = tl_world_events(world);
    kernel->ops->destroy(kernel);
    assert_int_equal(tl_trace_writer_close(writer), 0);
    return hashes;
}

static void recording_changes_nothing_in_a_simulation(void **state)
{
    struct hashes bare = simulate(NULL), recorded = simulate(path_of(state));
    size_t size, size_again;

    assert_int_equal(bare.events, recorded.events);
    assert_true(bare.schedule == recorded.schedule);
    assert_true(bare.content == recorded.content);

    /* And two recordings of one seed are the same file. */
    uint8_t *trace = trace_file_read(path_of(state), &size);
    (void)simulate(path_of(state));
    uint8_t *again = trace_file_read(path_of(state), &size_again);
    assert_int_equal(size, size_again);
    assert_memory_equal(trace, again, size);
    free(trace);
    free(again);
}

/* --- The clocks --- */

static void clocks_may_be_read_more_or_less_often(void **state)
{
    tl_time times[6], walls[2];
    tl_trace_writer *writer;
    struct tl_kernel *kernel = trace_record(toy_kernel_new(), path_of(state), NULL, &writer);
    struct tl_event events[1];

    times[0] = kernel->ops->now(kernel);
    walls[0] = kernel->ops->wall(kernel);
    times[1] = kernel->ops->now(kernel);
    (void)kernel->ops->poll(kernel, 500, events, 1);
    times[2] = kernel->ops->now(kernel);
    times[3] = kernel->ops->now(kernel);
    walls[1] = kernel->ops->wall(kernel);
    (void)kernel->ops->poll(kernel, 500, events, 1);
    times[4] = kernel->ops->now(kernel);
    kernel->ops->destroy(kernel);
    assert_int_equal(tl_trace_writer_close(writer), 0);

    tl_trace_reader *reader = trace_open(path_of(state));
    kernel = replay_of(reader);
    /* More often: the last reading stands. */
    assert_int_equal(kernel->ops->now(kernel), times[0]);
    assert_int_equal(kernel->ops->now(kernel), times[1]);
    assert_int_equal(kernel->ops->now(kernel), times[1]);
    assert_int_equal(kernel->ops->wall(kernel), walls[0]);
    assert_int_equal(kernel->ops->poll(kernel, 700, events, 1), 0);
    /* Less often: the rest goes with the gap. */
    assert_int_equal(kernel->ops->now(kernel), times[2]);
    assert_int_equal(kernel->ops->poll(kernel, 500, events, 1), 0);
    assert_int_equal(kernel->ops->wall(kernel), walls[1]);
    assert_int_equal(kernel->ops->now(kernel), times[4]);
    assert_int_equal(kernel->ops->now(kernel), times[4]);
    kernel->ops->destroy(kernel);
    assert_end(reader, TL_REPLAY_COMPLETE);
    tl_trace_reader_close(reader);
}

static void timeouts_may_be_off_by_less_than_a_millisecond(void **state)
{
    const struct {
        tl_time recorded, asked;
        int result;
    } rows[] = {
        {5000000, 5000000, 0},
        {5000000, 5999999, 0},
        {5000000, 4000001, 0},
        {999999, 0, 0},
        {0, 999999, 0},
        {-1, -1, 0},
        {5000000, 6000000, TL_EDIVERGED},
        {5000000, 4000000, TL_EDIVERGED},
        {1000000, 0, TL_EDIVERGED},
        {-1, 0, TL_EDIVERGED},
        {0, -1, TL_EDIVERGED},
        {-1, INT64_MAX, TL_EDIVERGED},
        {INT64_MAX, 0, TL_EDIVERGED},
    };
    struct tl_event events[1];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tl_trace_writer *writer;
        struct tl_kernel *kernel = trace_record(toy_kernel_new(), path_of(state), NULL, &writer);
        (void)kernel->ops->poll(
            kernel, rows[i].recorded == INT64_MAX ? TL_SECOND * 1000000 : rows[i].recorded, events,
            1);
        kernel->ops->destroy(kernel);
        assert_int_equal(tl_trace_writer_close(writer), 0);
        tl_trace_reader *reader = trace_open(path_of(state));
        kernel = replay_of(reader);
        assert_int_equal(kernel->ops->poll(kernel, rows[i].asked, events, 1), rows[i].result);
        kernel->ops->destroy(kernel);
        tl_trace_reader_close(reader);
    }
}

/* --- Posts and jobs --- */

static void record_posts(const char *path)
{
    struct tl_post posts[3] = {{.producer = "a", .ordinal = 5},
                               {.producer = "b", .ordinal = 5},
                               {.producer = "a", .ordinal = 6}};
    struct tl_event events[8];
    tl_trace_writer *writer;
    struct tl_kernel *kernel = trace_record(toy_kernel_new(), path, NULL, &writer);

    for (int i = 0; i < 3; i++)
        assert_int_equal(kernel->ops->post(kernel, &posts[i]), 0);
    assert_int_equal(kernel->ops->poll(kernel, -1, events, 8), 3);
    for (int i = 0; i < 3; i++)
        assert_ptr_equal(events[i].token, &posts[i]);
    kernel->ops->destroy(kernel);
    assert_int_equal(tl_trace_writer_close(writer), 0);
}

struct poster {
    struct tl_kernel *kernel;
    struct tl_post posts[3];
};

static void *post_late(void *arg)
{
    struct poster *poster = arg;

    /* In another order than they were recorded in: each thread's own order is what counts. */
    poster->kernel->ops->post(poster->kernel, &poster->posts[1]);
    poster->kernel->ops->post(poster->kernel, &poster->posts[0]);
    poster->kernel->ops->post(poster->kernel, &poster->posts[2]);
    return NULL;
}

static void posts_are_waited_for(void **state)
{
    struct poster poster = {.posts = {{.producer = "a", .ordinal = 5},
                                      {.producer = "b", .ordinal = 5},
                                      {.producer = "a", .ordinal = 6}}};
    struct tl_event events[8];
    pthread_t thread;

    record_posts(path_of(state));
    tl_trace_reader *reader = trace_open(path_of(state));
    poster.kernel = replay_of(reader);
    assert_int_equal(pthread_create(&thread, NULL, post_late, &poster), 0);
    assert_int_equal(poster.kernel->ops->poll(poster.kernel, -1, events, 8), 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(events[i].kind, TL_EVENT_POSTED);
        assert_ptr_equal(events[i].token, &poster.posts[i]);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    poster.kernel->ops->destroy(poster.kernel);
    assert_end(reader, TL_REPLAY_COMPLETE);
    tl_trace_reader_close(reader);
}

static void a_post_that_never_comes_is_a_divergence(void **state)
{
    struct tl_post other = {.producer = "a", .ordinal = 4};
    struct tl_event events[8];

    record_posts(path_of(state));
    tl_trace_reader *reader = trace_open(path_of(state));
    struct tl_kernel *kernel = replay_of(reader);
    tl_replay_kernel_set_patience(kernel, 0);
    assert_int_equal(kernel->ops->post(kernel, &other), 0);
    assert_int_equal(kernel->ops->poll(kernel, -1, events, 8), TL_EDIVERGED);
    assert_report(reader, "no thread of the program has posted this\n"
                          "  the trace has     posted ordinal=5 producer=\"a\"\n");
    kernel->ops->destroy(kernel);
    tl_trace_reader_close(reader);
}

static void released(struct tl_post *post)
{
    post->ordinal++;
}

static void posts_beyond_the_trace_are_released(void **state)
{
    struct tl_post post = {.release = released, .producer = "a"};
    tl_trace_writer *writer;

    struct tl_kernel *kernel = trace_record(toy_kernel_new(), path_of(state), NULL, &writer);
    kernel->ops->destroy(kernel);
    assert_int_equal(tl_trace_writer_close(writer), 0);
    tl_trace_reader *reader = trace_open(path_of(state));
    kernel = replay_of(reader);
    assert_int_equal(kernel->ops->post(kernel, &post), 0);
    kernel->ops->destroy(kernel);
    assert_int_equal(post.ordinal, 1);
    assert_end(reader, TL_REPLAY_COMPLETE);
    tl_trace_reader_close(reader);
}

/* --- Descriptors made elsewhere --- */

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void adopted_descriptors_keep_their_number_and_are_closed(void **state)
{
    struct tl_adopted adopted;
    tl_trace_writer *writer;
    struct tl_kernel *real;
    int ends[2], kept[2];

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(tl_real_kernel_new(&real), 0);
    struct tl_kernel *kernel = trace_record(real, path_of(state), NULL, &writer);
    assert_int_equal(kernel->ops->adopt(kernel, ends[0], &adopted), 0);
    assert_int_equal(kernel->ops->adopt(kernel, ends[0], &adopted), -EEXIST);
    assert_int_equal(kernel->ops->adopt(kernel, ends[1], &adopted), 0);
    assert_int_equal(kernel->ops->close(kernel, ends[0]), 0);
    kernel->ops->destroy(kernel);
    assert_int_equal(tl_trace_writer_close(writer), 0);

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(pipe(kept), 0);
    tl_trace_reader *reader = trace_open(path_of(state));
    kernel = replay_of(reader);
    assert_int_equal(kernel->ops->adopt(kernel, ends[0], &adopted), 0);
    assert_int_equal(adopted.kind, TL_ADOPTED_FIFO);
    assert_int_equal(kernel->ops->adopt(kernel, ends[0], &adopted), -EEXIST);
    assert_int_equal(kernel->ops->adopt(kernel, ends[1], &adopted), 0);
    assert_int_equal(kernel->ops->close(kernel, ends[0]), 0);
    assert_false(is_open(ends[0]));
    assert_true(is_open(ends[1]));
    kernel->ops->destroy(kernel);
    assert_false(is_open(ends[1]));
    assert_true(is_open(kept[0]) && is_open(kept[1]));
    assert_end(reader, TL_REPLAY_COMPLETE);
    tl_trace_reader_close(reader);
    close(kept[0]);
    close(kept[1]);
}

static void numbers_are_used_again(void **state)
{
    tl_trace_writer *writer;
    struct tl_kernel *kernel = trace_record(toy_kernel_new(), path_of(state), NULL, &writer);
    int fds[4];

    for (int i = 0; i < 3; i++)
        fds[i] = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
    (void)kernel->ops->close(kernel, fds[1]);
    fds[3] = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
    (void)kernel->ops->listen(kernel, fds[3], 7);
    kernel->ops->destroy(kernel);
    assert_int_equal(tl_trace_writer_close(writer), 0);

    tl_trace_reader *reader = trace_open(path_of(state));
    kernel = replay_of(reader);
    for (int i = 0; i < 3; i++)
        fds[i] = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
    assert_int_equal(kernel->ops->close(kernel, fds[1]), 0);
    fds[3] = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
    assert_int_equal(fds[3], fds[1]);
    assert_int_equal(kernel->ops->listen(kernel, fds[3], 7), 0);
    kernel->ops->destroy(kernel);
    assert_end(reader, TL_REPLAY_COMPLETE);
    tl_trace_reader_close(reader);
}

/* --- Loops --- */

static void stop(void *arg)
{
    tl_loop_stop(arg);
}

struct chat {
    tl_loop *loop;
    pthread_t thread;
    char log[256];
    int rounds;
};

static void later(void *arg)
{
    struct chat *chat = arg;

    strcat(chat->log, "later ");
    chat->rounds++;
    if (chat->rounds == 2)
        tl_loop_stop(chat->loop);
}

static void called(void *arg)
{
    struct chat *chat = arg;

    strcat(chat->log, "called ");
    tl_loop_call_later(chat->loop, TL_MILLISECOND, later, chat, NULL);
}

static void *call(void *arg)
{
    struct chat *chat = arg;

    pthread_setname_np(pthread_self(), "caller");
    (void)tl_loop_call_soon_threadsafe(chat->loop, called, chat, NULL);
    (void)tl_loop_call_soon_threadsafe(chat->loop, called, chat, NULL);
    return NULL;
}

static void converse(struct chat *chat)
{
    assert_int_equal(pthread_create(&chat->thread, NULL, call, chat), 0);
    assert_int_equal(tl_loop_run_forever(chat->loop), 0);
    assert_int_equal(pthread_join(chat->thread, NULL), 0);
    tl_loop_free(chat->loop);
}

static void a_loop_with_timers_and_threads(void **state)
{
    struct chat recorded = {0}, replayed = {0};
    tl_trace_writer *writer;
    struct tl_kernel *real;

    assert_int_equal(tl_real_kernel_new(&real), 0);
    struct tl_kernel *kernel = trace_record(real, path_of(state), NULL, &writer);
    assert_int_equal(tl_loop_new(kernel, &recorded.loop), 0);
    converse(&recorded);
    assert_int_equal(tl_trace_writer_close(writer), 0);
    assert_string_equal(recorded.log, "called called later later ");

    tl_trace_reader *reader = trace_open(path_of(state));
    assert_int_equal(tl_loop_new(replay_of(reader), &replayed.loop), 0);
    converse(&replayed);
    assert_string_equal(replayed.log, recorded.log);
    assert_end(reader, TL_REPLAY_COMPLETE);
    tl_trace_reader_close(reader);
}

/* --- As a program --- */

static tl_loop *volatile left_open; /* so that it does not count as leaked */

static int run_loop(const char *what)
{
    tl_loop *loop;

    int r = tl_new_event_loop(&loop);
    if (r < 0) {
        fprintf(stderr, "a loop: %s\n", tl_strerror(r));
        return 1;
    }
    if (strcmp(what, "crash") == 0)
        raise(SIGKILL);
    tl_loop_call_later(loop, strcmp(what, "later") == 0 ? TL_SECOND : TL_MILLISECOND, stop, loop,
                       NULL);
    r = tl_loop_run_forever(loop);
    printf("ran: %s\n", tl_err_name(r));
    if (strcmp(what, "leave") == 0) {
        left_open = loop;
        return 0;
    }
    tl_loop_free(loop);
    return strcmp(what, "twice") == 0 ? run_loop("") : 0;
}

static int record_loop(const char *path, const char *what)
{
    struct tl_record_options options = {.program = "test_replay"};
    tl_trace_writer *writer;
    tl_policy *policy;

    if (tl_trace_writer_open(path, &options, &writer) < 0 ||
        tl_record_policy_new(writer, &policy) < 0 || tl_set_event_loop_policy(policy) < 0)
        return 1;
    int status = run_loop(what);
    tl_set_event_loop_policy(NULL);
    tl_record_policy_free(policy);
    return tl_trace_writer_close(writer) < 0 ? 1 : status;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TRACE_TEST(a_session_is_answered_again),
        TRACE_TEST(a_session_with_its_output_is_answered_again),
        TRACE_TEST(a_recorded_replay_is_the_same_trace),
        TRACE_TEST(recording_changes_nothing_in_a_simulation),
        TRACE_TEST(clocks_may_be_read_more_or_less_often),
        TRACE_TEST(timeouts_may_be_off_by_less_than_a_millisecond),
        TRACE_TEST(posts_are_waited_for),
        TRACE_TEST(a_post_that_never_comes_is_a_divergence),
        TRACE_TEST(posts_beyond_the_trace_are_released),
        TRACE_TEST(adopted_descriptors_keep_their_number_and_are_closed),
        TRACE_TEST(numbers_are_used_again),
        TRACE_TEST(a_loop_with_timers_and_threads),
    };

    if (argc > 2 && strcmp(argv[1], "record") == 0)
        return record_loop(argv[2], argc > 3 ? argv[3] : "");
    if (argc > 1 && strcmp(argv[1], "run") == 0)
        return run_loop(argc > 2 ? argv[2] : "");
    int rc = cmocka_run_group_tests_name("replay", tests, NULL, NULL);

    return !!rc;
}
