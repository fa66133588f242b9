/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replays of traces that are well-formed and tell what no kernel would: readiness of what nobody
 * watches, answers of the wrong kind, results that there are not. A program that trusts its kernel
 * must not come to harm by them: the replay ends before it is told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <twinloop.h>
#include <twinloop/sim.h>
#include <twinloop/trace.h>
#include <cmocka.h>
#include "core/alloc.h"
#include "support/traces.h"
#include "trace/decode.h"
#include "trace/event.h"
#include "trace/format.h"

/* --- What is recorded ------------------------------------------------------------------------- */

/* Watches both ends of a pair, then one of them no more, and is told of the other. */
static int watch_pair(struct tl_kernel *kernel)
{
    struct tl_event event = {.ready = 0};
    struct iovec iov = {"x", 1};
    struct tl_message message = {.iov = &iov, .iov_count = 1};
    int fds[2], tokens[2];

    assert_int_equal(kernel->ops->pipe(kernel, TL_PIPE_STREAM_PAIR, fds), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(kernel->ops->watch(kernel, fds[i], TL_READABLE, &tokens[i]), 0);
    assert_int_equal(kernel->ops->watch(kernel, fds[1], 0, NULL), 0);
    assert_int_equal(kernel->ops->write(kernel, fds[1], &message, 1), 1);
    int n = kernel->ops->poll(kernel, TL_SECOND, &event, 1);
    assert_true(n != 1 || event.token == &tokens[0]);
    kernel->ops->destroy(kernel);
    return n;
}

/* A token may be NULL. */
static void watch_without_token(struct tl_kernel *kernel)
{
    struct tl_event event = {.token = &event};
    int fds[2];

    assert_int_equal(kernel->ops->pipe(kernel, TL_PIPE_ONE_WAY, fds), 0);
    assert_int_equal(kernel->ops->watch(kernel, fds[1], TL_WRITABLE, NULL), 0);
    assert_int_equal(kernel->ops->poll(kernel, TL_SECOND, &event, 1), 1);
    assert_null(event.token);
    kernel->ops->destroy(kernel);
}

static int look_up(struct tl_kernel *kernel)
{
    struct tl_query query = {.host = "127.0.0.1", .service = "80"};
    struct tl_event event = {.ready = 0};

    assert_int_equal(kernel->ops->resolve(kernel, &query), 0);
    int n = kernel->ops->poll(kernel, TL_SECOND, &event, 1);
    if (n == 1) {
        assert_int_equal(event.kind, TL_EVENT_RESOLVED);
        assert_int_equal(query.result, 0);
        assert_int_equal(query.infos_count, 3);
    }
    tl_free(query.infos);
    kernel->ops->destroy(kernel);
    return n;
}

static void do_nothing(struct tl_work *work)
{
    (void)work;
}

static int work(struct tl_kernel *kernel)
{
    struct tl_work job = {.run = do_nothing};
    struct tl_event event = {.ready = 0};

    assert_int_equal(kernel->ops->work(kernel, &job), 0);
    int n = kernel->ops->poll(kernel, TL_SECOND, &event, 1);
    assert_true(n != 1 || event.kind == TL_EVENT_WORK);
    kernel->ops->destroy(kernel);
    return n;
}

/* --- Lies ------------------------------------------------------------------------------------- */

/* The first event of a kind in a chunk: where it is, and *end where the next one is. NULL when
 * there is none. */
static const uint8_t *find(const uint8_t *payload, size_t len, uint32_t kind,
                           struct tl_trace_event *ret, const uint8_t **end)
{
    const uint8_t *p = payload;

    while (p < payload + len) {
        const uint8_t *from = p;
        assert_true(tl_trace_next_event(&p, payload + len, ret));
        *end = p;
        if (ret->kind == kind)
            return from;
    }
    return NULL;
}

/* Changes that event of a trace, whose chunk begins at at, to another; the chunk becomes the last
 * one. */
static void rewrite(const char *path, const uint8_t *data, size_t at, const uint8_t *from,
                    const uint8_t *rest, const struct tl_trace_event *told)
{
    struct tl_chunk chunk;

    assert_true(tl_chunk_get_head(data + at, &chunk));
    const uint8_t *end = data + at + TL_CHUNK_HEAD_SIZE + chunk.length;
    uint8_t *changed = malloc((size_t)(end - data) + told->blob_len + 2 * TL_TRACE_EVENT_MAX);
    assert_non_null(changed);
    memcpy(changed, data, (size_t)(from - data));
    uint8_t *to = tl_trace_put_event(changed + (from - data), told);
    memcpy(to, rest, (size_t)(end - rest));
    to += end - rest;
    chunk.length = (uint32_t)(to - changed - at - TL_CHUNK_HEAD_SIZE);
    tl_chunk_put_head(changed + at, &chunk);
    tl_chunk_put_tail(to, tl_chunk_checksum(0, changed + at, (size_t)(to - changed) - at));
    trace_file_write(path, changed, (size_t)(to - changed) + TL_CHUNK_TAIL_SIZE);
    free(changed);
}

/* Changes the first event of a kind in the trace. */
static void lie(const char *path, uint32_t kind, const struct tl_trace_event *told)
{
    size_t size, at = 0;
    uint8_t *data = trace_file_read(path, &size);
    const uint8_t *from = NULL, *rest = data;
    struct tl_trace_event event = {.kind = 0};
    struct tl_chunk chunk;

    while (from == NULL) {
        assert_true(at + TL_CHUNK_HEAD_SIZE < size && tl_chunk_get_head(data + at, &chunk));
        if (chunk.kind == TL_CHUNK_EVENTS)
            from = find(data + at + TL_CHUNK_HEAD_SIZE, chunk.length, kind, &event, &rest);
        if (from == NULL)
            at += TL_CHUNK_HEAD_SIZE + chunk.length + TL_CHUNK_TAIL_SIZE;
    }
    event.kind = told->kind;
    event.object = told->object;
    event.arg[0] = told->arg[0];
    rewrite(path, data, at, from, rest, &event);
    free(data);
}

/* Records it, changes the trace, and replays it both ways: what they say, or that there is nothing
 * to be said. */
static void check(void **state, int (*program)(struct tl_kernel *kernel), uint32_t truth,
                  const struct tl_trace_event *told, const char *strict, const char *stream)
{
    const char *path = ((struct trace_file *)*state)->path, *report, *expected;
    struct tl_kernel *kernel;
    tl_trace_writer *writer;

    assert_int_equal(tl_sim_kernel_new(&(struct tl_world_options){.quiet = true}, &kernel), 0);
    assert_int_equal(program(trace_record(kernel, path, NULL, &writer)), 1);
    assert_int_equal(tl_trace_writer_close(writer), 0);
    lie(path, truth, told);
    for (int i = 0; i < 2; i++) {
        tl_trace_reader *reader = trace_open(path);
        int r = i == 0 ? tl_replay_kernel_new(reader, 0, &kernel)
                       : tl_stream_replay_kernel_new(reader, 0, &kernel);
        expected = i == 0 ? strict : stream;
        if (r == 0)
            r = program(kernel);
        assert_true(expected == NULL || r < 0);
        (void)tl_replay_result(reader, &report);
        if (expected != NULL && strstr(report, expected) == NULL)
            fail_msg("no '%s' in: %s", expected, report);
        tl_trace_reader_close(reader);
    }
}

/* --- The cases -------------------------------------------------------------------------------- */

/* A stream replay makes readiness itself. */
static void what_is_not_watched_is_not_ready(void **state)
{
    check(state, watch_pair, TL_TRACE_FD,
          &(struct tl_trace_event){.kind = TL_TRACE_FD, .object = 2, .arg = {TL_READABLE}},
          "the readiness of what is not watched", NULL);
    check(state, watch_pair, TL_TRACE_FD,
          &(struct tl_trace_event){.kind = TL_TRACE_FD, .object = 3, .arg = {TL_READABLE}},
          "an event of what is not there", NULL);
}

static void a_token_of_null_is_no_lie(void **state)
{
    const char *path = ((struct trace_file *)*state)->path, *report;
    struct tl_kernel *kernel;
    tl_trace_writer *writer;

    assert_int_equal(tl_sim_kernel_new(NULL, &kernel), 0);
    watch_without_token(trace_record(kernel, path, NULL, &writer));
    assert_int_equal(tl_trace_writer_close(writer), 0);
    tl_trace_reader *reader = trace_open(path);
    assert_int_equal(tl_replay_kernel_new(reader, 0, &kernel), 0);
    watch_without_token(kernel);
    assert_int_equal(tl_replay_result(reader, &report), TL_REPLAY_COMPLETE);
    tl_trace_reader_close(reader);
}

static void answers_are_those_to_the_question(void **state)
{
    check(state, look_up, TL_TRACE_ADDRESSES,
          &(struct tl_trace_event){.kind = TL_TRACE_WORKED, .object = 1}, "the end of a job that",
          "not replayable as a stream: event 2: worked request:1");
    check(state, work, TL_TRACE_WORKED,
          &(struct tl_trace_event){.kind = TL_TRACE_ADDRESSES, .object = 1},
          "an answer to what is no lookup",
          "not replayable as a stream: event 2: addresses request:1");
}

static void there_is_no_such_result(void **state)
{
    check(state, look_up, TL_TRACE_ADDRESSES,
          &(struct tl_trace_event){.kind = TL_TRACE_ADDRESSES, .object = 1, .arg = {5}},
          "an answer that cannot be understood", "an answer that cannot be understood");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRACE_TEST(what_is_not_watched_is_not_ready),
        TRACE_TEST(a_token_of_null_is_no_lie),
        TRACE_TEST(answers_are_those_to_the_question),
        TRACE_TEST(there_is_no_such_result),
    };

    return cmocka_run_group_tests_name("replay_lies", tests, NULL, NULL);
}
