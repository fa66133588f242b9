/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lookups in a trace: one without a host or a service is another than one with an empty string
 * there, in dumps and in replays of both kinds; but in traces that are older than that difference a
 * program may ask either.
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
#include "trace/format.h"

struct question {
    const char *host;
    const char *service;
    const char *dumped;
};

static const struct question questions[] = {
    {NULL, "80", "flags=0 name=none \"80\" -> 0\n"},
    {"", "80", "flags=0 name=\"\" \"80\" -> 0\n"},
    {"localhost", NULL, "flags=0 name=\"localhost\" -> 0\n"},
    {"localhost", "", "flags=0 name=\"localhost\" \"\" -> 0\n"},
    {"localhost", "80", "flags=0 name=\"localhost\" \"80\" -> 0\n"},
};

enum { QUESTIONS = sizeof questions / sizeof *questions };

static const char *path_of(void **state)
{
    return ((struct trace_file *)*state)->path;
}

/* Looks it up, as far as the kernel goes along, and ends the kernel. */
static void ask(struct tl_kernel *kernel, const struct question *question)
{
    struct tl_query query = {.host = question->host, .service = question->service};
    struct tl_event event;

    if (kernel->ops->resolve(kernel, &query) == 0)
        assert_int_equal(kernel->ops->poll(kernel, TL_SECOND, &event, 1), 1);
    tl_free(query.infos);
    kernel->ops->destroy(kernel);
}

static void record(const char *path, const struct question *question)
{
    tl_trace_writer *writer;
    struct tl_kernel *sim;

    assert_int_equal(tl_sim_kernel_new(&(struct tl_world_options){.seed = 1}, &sim), 0);
    ask(trace_record(sim, path, NULL, &writer), question);
    assert_int_equal(tl_trace_writer_close(writer), 0);
}

static enum tl_replay_end replay(const char *path, const struct question *question, bool stream)
{
    tl_trace_reader *reader = trace_open(path);
    struct tl_kernel *kernel;
    const char *report;

    assert_int_equal(stream ? tl_stream_replay_kernel_new(reader, 0, &kernel)
                            : tl_replay_kernel_new(reader, 0, &kernel),
                     0);
    ask(kernel, question);
    enum tl_replay_end end = tl_replay_result(reader, &report);
    tl_trace_reader_close(reader);
    return end;
}

/* Makes it a trace of the first minor version. */
static void make_older(const char *path)
{
    static const uint8_t version[] = {0x66, 'f', 'o', 'r', 'm', 'a', 't', 0x82, 1};
    size_t size;
    uint8_t *data = trace_file_read(path, &size);
    struct tl_chunk header;

    assert_true(tl_chunk_get_head(data, &header));
    size_t len = TL_CHUNK_HEAD_SIZE + header.length;
    uint8_t *minor = memmem(data, len, version, sizeof version);
    assert_non_null(minor);
    minor += sizeof version;
    assert_int_equal(*minor, TL_FORMAT_MINOR);
    *minor = 0;
    tl_chunk_put_tail(data + len, tl_chunk_checksum(0, data, len));
    trace_file_write(path, data, size);
    free(data);
}

/* --- The cases --- */

static void a_dump_tells_missing_from_empty(void **state)
{
    for (int i = 0; i < QUESTIONS; i++) {
        record(path_of(state), &questions[i]);
        char *text = trace_text(path_of(state), 0, false);
        if (strstr(text, questions[i].dumped) == NULL)
            fail_msg("no '%s' in: %s", questions[i].dumped, text);
        free(text);
    }
}

static void a_replay_tells_missing_from_empty(void **state)
{
    for (int i = 0; i < QUESTIONS; i++) {
        record(path_of(state), &questions[i]);
        for (int k = 0; k < 2 * QUESTIONS; k++)
            assert_int_equal(replay(path_of(state), &questions[k / 2], k & 1),
                             k / 2 == i ? TL_REPLAY_COMPLETE : TL_REPLAY_DIVERGED);
    }
}

static void an_older_trace_is_not_asked(void **state)
{
    static const bool same[QUESTIONS][QUESTIONS] = {
        {true, true, false, false, false},
        [2] = {false, false, true, true, false},
        [4] = {false, false, false, false, true},
    };

    for (int i = 0; i < QUESTIONS; i += 2) { /* what older ones have of both is that of the first */
        record(path_of(state), &questions[i]);
        make_older(path_of(state));
        for (int k = 0; k < 2 * QUESTIONS; k++)
            assert_int_equal(replay(path_of(state), &questions[k / 2], k & 1),
                             same[i][k / 2] ? TL_REPLAY_COMPLETE : TL_REPLAY_DIVERGED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRACE_TEST(a_dump_tells_missing_from_empty),
        TRACE_TEST(a_replay_tells_missing_from_empty),
        TRACE_TEST(an_older_trace_is_not_asked),
    };

    return cmocka_run_group_tests_name("replay_names", tests, NULL, NULL);
}
