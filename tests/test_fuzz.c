/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fuzzing harness: what an input means, that it means the same each time, and that a failure is
 * one, by an abort, whatever kind it is of.
 *
 * The server of these tests answers each read with its bytes, and does something wrong when told.
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
#include <twinloop.h>
#include <twinloop/assert.h>
#include <twinloop/fuzz.h>
#include <unistd.h>

#include <cmocka.h>

#define INPUT(text) (const uint8_t *)(text), sizeof(text) - 1

/* --- The server ------------------------------------------------------------------------------- */

struct answering {
    tl_protocol protocol;
    tl_transport *transport;
};

static struct answering *answering_of(tl_protocol *protocol)
{
    return tl_container_of(protocol, struct answering, protocol);
}

static int connection_made(tl_protocol *protocol, tl_transport *transport)
{
    answering_of(protocol)->transport = transport;
    return 0;
}

static void again(void *arg)
{
    (void)tl_loop_call_later(tl_get_running_loop(), TL_MILLISECOND, again, arg, NULL);
}

static int data_received(tl_protocol *protocol, const void *data, size_t len)
{
    tl_transport *transport = answering_of(protocol)->transport;
    switch (*(const char *)data) {
    case 'L': /* leaves something behind */
        (void)tl_transport_ref(transport);
        break;
    case 'E': /* returns an error */
        return -EPROTO;
    case 'T': /* has a timer from now on */
        again(NULL);
        break;
    case 'Q':
        tl_transport_close(transport);
        return 0;
    }
    return tl_transport_write(transport, data, len);
}

static void release(tl_protocol *protocol)
{
    free(answering_of(protocol));
}

static const struct tl_protocol_ops ops = {
    .kind = TL_PROTOCOL_STREAM,
    .connection_made = connection_made,
    .data_received = data_received,
    .release = release,
};

static tl_protocol *factory(void *farg)
{
    (void)farg;
    struct answering *answering = calloc(1, sizeof *answering);
    if (answering == NULL)
        return NULL;
    answering->protocol = TL_PROTOCOL_INIT(&ops);
    return &answering->protocol;
}

/* --- What happens is written down ------------------------------------------------------------- */

static char story[4096];

static __attribute__((format(printf, 1, 2))) void tell(const char *format, ...)
{
    size_t len = strlen(story);
    va_list args;
    va_start(args, format);
    vsnprintf(story + len, sizeof story - len, format, args);
    va_end(args);
}

static void sent(struct tl_fuzz_connection *connection, const void *data, size_t len)
{
    tell("%u>%.*s ", connection->number, (int)len, (const char *)data);
}

static void received(struct tl_fuzz_connection *connection, const void *data, size_t len)
{
    tell("%u<%.*s ", connection->number, (int)len, (const char *)data);
    TL_ASSERT(memchr(data, '!', len) == NULL, "there is no cry");
}

static void quiet(struct tl_fuzz_connection *connection)
{
    tell("%u%s%s%s%s ", connection->number, connection->half_closed ? "h" : "",
         connection->ended ? "e" : "", connection->reset ? "r" : "",
         connection->reading ? "." : "?");
}

static void closed(struct tl_fuzz_connection *connection)
{
    tell("%u| ", connection->number);
}

static void begin(void *farg)
{
    (void)farg;
    story[0] = '\0';
}

static void end(void *farg)
{
    (void)farg;
    tell("end");
}

static const struct tl_fuzz_target target = {
    .name = "test",
    .factory = factory,
    .begin = begin,
    .end = end,
    .no_errors = true,
    .state_size = 1,
    .sent = sent,
    .received = received,
    .quiet = quiet,
    .closed = closed,
};

static void expect(const uint8_t *data, size_t size, const char *wanted)
{
    tl_fuzzer *fuzzer = tl_fuzzer_new(&target);
    assert_non_null(fuzzer);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(tl_fuzzer_run(fuzzer, data, size), 0);
        assert_string_equal(story, wanted);
    }
    tl_fuzzer_free(fuzzer);
}

/* --- What an input means ---------------------------------------------------------------------- */

static void a_text_is_sent_at_once(void **state)
{
    (void)state;
    expect(INPUT("hello"), "0>hello 0<hello 0. 0he. 0| end");
    expect(INPUT(""), "end");
}

static void time_cuts(void **state)
{
    (void)state;
    expect(INPUT("ab\xff\x40"
                 "cd"),
           "0>ab 0<ab 0>cd 0<cd 0. 0he. 0| end");
    expect(INPUT("ab\xff\x01"
                 "cd"),
           "0>ab 0<ab 0. 0>cd 0<cd 0. 0he. 0| end");
}

static void operations_alone_do_not_cut(void **state)
{
    (void)state;
    expect(INPUT("ab\xff\x02"
                 "cd"),
           "0>ab 0>cd 0<abcd 0. 0he. 0| end");
}

static void there_are_several_clients(void **state)
{
    (void)state;
    expect(INPUT("a\xff\x0a"
                 "b\xff\x3a"
                 "c\xff\x01"),
           "0>a 0<a 1>b 1<b 7>c 7<c 0. 1. 7. 0. 1. 7. 0he. 1he. 7he. 0| 1| 7| end");
}

static void clients_end_in_many_ways(void **state)
{
    (void)state;
    expect(INPUT("a\xff\x04"
                 "b"),
           "0>a 0| 0>b 0<b 0. 0he. 0| end");
    expect(INPUT("a\xff\x05"), "0>a 0| end");
    expect(INPUT("a\xff\x03\xff\x01"), "0>a 0<a 0he. 0he. 0he. 0| end");
    expect(INPUT("\xff\x03\xff\x04\xff\x05\xff\x06\xff\x07"), "end");
}

static void the_server_may_end_too(void **state)
{
    (void)state;
    expect(INPUT("Q\xff\x01"
                 "more\xff\x01"),
           "0>Q 0e. 0>more 0e. 0e. 0e. 0| end");
}

static void a_client_may_not_read(void **state)
{
    (void)state;
    expect(INPUT("a\xff\x06\xff\x01"
                 "b\xff\x07"),
           "0>a 0? 0>b 0<a 0<b 0. 0he. 0| end");
    expect(INPUT("a\xff\x06"), "0>a 0? 0<a 0he. 0| end");
}

static void escapes_are_bytes_too(void **state)
{
    (void)state;
    expect(INPUT("a\xff\xff"
                 "b\xff"),
           "0>a 0>\xff"
           "b 0>\xff 0<a\xff"
           "b\xff 0. 0he. 0| end");
}

static void the_tape_answers_choices(void **state)
{
    (void)state;
    expect(INPUT("abcdef\xff\xfe"), "0>abcdef 0<abcdef 0. 0he. 0| end");
    /* Two bytes for each delay of the handshake, then a write that is cut by four. */
    expect(INPUT("abcdef\xff\xfe\0\0\0\0\0\0\x04"), "0>ab 0>cdef 0<abcdef 0. 0he. 0| end");
}

static void a_server_with_timers_gets_quiet(void **state)
{
    (void)state;
    expect(INPUT("T\xff\x01"), "0>T 0<T 0. 0. 0he. 0| end");
}

static uint64_t run_random(tl_fuzzer *fuzzer, uint32_t seed, size_t size)
{
    static uint8_t data[100000];
    uint64_t schedule, content;
    for (size_t i = 0; i < size; i++) {
        seed = seed * 1664525 + 1013904223;
        data[i] = (seed >> 24) % 5 == 0 ? 0xff : (uint8_t)(seed >> 16) % '!';
    }
    assert_int_equal(tl_fuzzer_run(fuzzer, data, size), 0);
    tl_fuzzer_hashes(fuzzer, &schedule, &content);
    return schedule ^ content;
}

/* What ran before does not matter, nor does the length of an input. */
static void an_input_is_one_run(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 30, 200, 1000};
    tl_fuzzer *kept = tl_fuzzer_new(&target);
    for (uint32_t seed = 0; seed < 200; seed++) {
        tl_fuzzer *fresh = tl_fuzzer_new(&target);
        size_t size = sizes[seed % 5];
        assert_true(run_random(kept, seed, size) == run_random(fresh, seed, size));
        tl_fuzzer_free(fresh);
    }
    assert_true(run_random(kept, 1, 100000) == run_random(kept, 1, 100000));
    tl_fuzzer_free(kept);
}

/* --- Failures --------------------------------------------------------------------------------- */

/* Runs an input in a child, which must abort with this in its words. */
static void expect_abort(const uint8_t *data, size_t size, const char *words)
{
    int pipe_fds[2];
    char said[4096] = "";
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(pipe_fds[1], STDERR_FILENO);
        tl_fuzzer *fuzzer = NULL;
        _exit(tl_fuzz_input(&fuzzer, &target, data, size));
    }
    close(pipe_fds[1]);
    ssize_t n = read(pipe_fds[0], said, sizeof said - 1);
    close(pipe_fds[0]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (n < 0 || !WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT || strstr(said, words) == NULL)
        fail_msg("status %x, said: %s", (unsigned)status, said);
}

static void failures_abort(void **state)
{
    (void)state;
    expect_abort(INPUT("a!"), "there is no cry");
    expect_abort(INPUT("L"), "no object of the library is left");
    expect_abort(INPUT("E"), "EPROTO");
}

static void no_target_no_fuzzer(void **state)
{
    (void)state;
    static const struct tl_fuzz_target empty;
    assert_null(tl_fuzzer_new(NULL));
    assert_null(tl_fuzzer_new(&empty));
    tl_fuzzer_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_sent_at_once),
        cmocka_unit_test(time_cuts),
        cmocka_unit_test(operations_alone_do_not_cut),
        cmocka_unit_test(there_are_several_clients),
        cmocka_unit_test(clients_end_in_many_ways),
        cmocka_unit_test(the_server_may_end_too),
        cmocka_unit_test(a_client_may_not_read),
        cmocka_unit_test(escapes_are_bytes_too),
        cmocka_unit_test(the_tape_answers_choices),
        cmocka_unit_test(a_server_with_timers_gets_quiet),
        cmocka_unit_test(an_input_is_one_run),
        cmocka_unit_test(failures_abort),
        cmocka_unit_test(no_target_no_fuzzer),
    };
    int rc = cmocka_run_group_tests_name("fuzz", tests, NULL, NULL);
    return !!rc;
}
