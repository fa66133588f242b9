/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stream replay of loops: a protocol that was refactored, timers and clocks, signals, messages,
 * posts, jobs and names, and connections that the program makes itself; recorded in the simulator
 * or on the real kernel, both ends in one program.
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
#include <twinloop.h>
#include <twinloop/real.h>
#include <twinloop/sim.h>
#include <twinloop/trace.h>
#include <unistd.h>
#include <cmocka.h>
#include "support/files.h"
#include "support/skip.h"
#include "support/traces.h"

/* --- A program with a protocol --- */

/* The server's protocol as it was, and as it became. */
enum form {
    AS_RECORDED, /* one write for each answer */
    REFACTORED,  /* three, a buffered protocol, a timer for each request, nothing said at once */
    BROKEN,      /* as recorded, but for one letter */
};

struct talk {
    tl_loop *loop;
    enum form form;
    tl_protocol server_end;
    tl_transport *server_transport;
    char buffer[3]; /* of the buffered form */
    char request[64];
    size_t request_len;
    tl_protocol client_end;
    tl_transport *client_transport;
    char got[256];
    size_t got_len;
    int rounds;
    int ticks;
    int lost;
};

static void say(struct talk *talk, const char *text)
{
    (void)tl_transport_write(talk->server_transport, text, strlen(text));
}

static void answer_later(void *arg)
{
    struct talk *talk = arg;

    say(talk, "you said ");
    say(talk, talk->request);
    say(talk, "\n");
    talk->request_len = 0;
}

static void answer(struct talk *talk)
{
    char text[100];

    if (talk->form == REFACTORED) {
        (void)tl_loop_call_later(talk->loop, TL_MICROSECOND, answer_later, talk, NULL);
        return;
    }
    (void)snprintf(text, sizeof text, "you %s %s\n", talk->form == BROKEN ? "sent" : "said",
                   talk->request);
    say(talk, text);
    talk->request_len = 0;
}

static int take(struct talk *talk, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        talk->request[talk->request_len] = data[i] != '\n' ? data[i] : '\0';
        if (data[i] == '\n')
            answer(talk);
        else
            talk->request_len++;
    }
    return 0;
}

static int server_made(tl_protocol *protocol, tl_transport *transport)
{
    tl_container_of(protocol, struct talk, server_end)->server_transport = transport;
    return 0;
}

static int server_received(tl_protocol *protocol, const void *data, size_t len)
{
    return take(tl_container_of(protocol, struct talk, server_end), data, len);
}

static int server_buffer(tl_protocol *protocol, ssize_t hint, void **ret_buffer, size_t *ret_len)
{
    struct talk *talk = tl_container_of(protocol, struct talk, server_end);

    (void)hint;
    *ret_buffer = talk->buffer;
    *ret_len = sizeof talk->buffer;
    return 0;
}

static int server_updated(tl_protocol *protocol, size_t len)
{
    struct talk *talk = tl_container_of(protocol, struct talk, server_end);

    return take(talk, talk->buffer, len);
}

static void lose(struct talk *talk)
{
    if (++talk->lost == 2)
        tl_loop_stop(talk->loop);
}

static void server_lost(tl_protocol *protocol, const tl_error *exc)
{
    (void)exc;
    lose(tl_container_of(protocol, struct talk, server_end));
}

static const struct tl_protocol_ops server_ops = {
    .connection_made = server_made,
    .connection_lost = server_lost,
    .data_received = server_received,
};

static const struct tl_protocol_ops buffered_server_ops = {
    .kind = TL_PROTOCOL_BUFFERED,
    .connection_made = server_made,
    .connection_lost = server_lost,
    .get_buffer = server_buffer,
    .buffer_updated = server_updated,
};

static tl_protocol *make_server_end(void *arg)
{
    struct talk *talk = arg;

    talk->server_end =
        TL_PROTOCOL_INIT(talk->form == REFACTORED ? &buffered_server_ops : &server_ops);
    return &talk->server_end;
}

static void ask(struct talk *talk)
{
    char text[32];

    (void)snprintf(text, sizeof text, "round %d\n", ++talk->rounds);
    (void)tl_transport_write(talk->client_transport, text, strlen(text));
}

static int client_made(tl_protocol *protocol, tl_transport *transport)
{
    struct talk *talk = tl_container_of(protocol, struct talk, client_end);

    talk->client_transport = transport;
    ask(talk);
    return 0;
}

static int client_received(tl_protocol *protocol, const void *data, size_t len)
{
    struct talk *talk = tl_container_of(protocol, struct talk, client_end);

    memcpy(talk->got + talk->got_len, data, len);
    talk->got_len += len;
    if (talk->got[talk->got_len - 1] != '\n')
        return 0;
    if (talk->rounds < 5)
        ask(talk);
    else
        tl_transport_close(talk->client_transport);
    return 0;
}

static void client_lost(tl_protocol *protocol, const tl_error *exc)
{
    (void)exc;
    lose(tl_container_of(protocol, struct talk, client_end));
}

static const struct tl_protocol_ops client_ops = {
    .connection_made = client_made,
    .connection_lost = client_lost,
    .data_received = client_received,
};

static tl_protocol *make_client_end(void *arg)
{
    struct talk *talk = arg;

    talk->client_end = TL_PROTOCOL_INIT(&client_ops);
    return &talk->client_end;
}

/* A server and a client that have a word. 0, or what the loop said. */
static int converse(struct tl_kernel *kernel, struct talk *talk)
{
    const char *host = "127.0.0.1";
    tl_value listening = tl_value_none();
    char port[8];
    tl_addr addr;

    assert_int_equal(tl_loop_new(kernel, &talk->loop), 0);
    int r = tl_loop_run_until_complete(
        talk->loop, tl_loop_create_server(talk->loop, make_server_end, talk, &host, 1, "0", NULL),
        &listening);
    assert_int_equal(r, 0);
    assert_int_equal(tl_server_address(tl_value_server(&listening), 0, &addr), 0);
    (void)snprintf(port, sizeof port, "%u", addr.port);
    tl_future_detach(
        tl_loop_create_connection(talk->loop, make_client_end, talk, host, port, NULL));
    r = tl_loop_run_forever(talk->loop);
    tl_value_finish(&listening);
    tl_loop_free(talk->loop);
    return r;
}

static struct tl_kernel *new_kernel(bool real)
{
    const struct tl_world_options options = {.seed = 3};
    struct tl_kernel *kernel;

    assert_int_equal(real ? tl_real_kernel_new(&kernel) : tl_sim_kernel_new(&options, &kernel), 0);
    return kernel;
}

static void record_talk(const char *path, bool real)
{
    struct talk talk = {.form = AS_RECORDED};
    tl_trace_writer *writer;

    assert_int_equal(converse(trace_record(new_kernel(real), path, NULL, &writer), &talk), 0);
    assert_int_equal(tl_trace_writer_close(writer), 0);
    assert_memory_equal(talk.got, "you said round 1\nyou said round 2\n", 34);
}

/* Replays with the server in another form. */
static enum tl_replay_end replay_talk(const char *path, bool stream, enum form form,
                                      struct talk *talk, char report[static 2048])
{
    tl_trace_reader *reader = trace_open(path);
    struct tl_kernel *kernel;
    const char *said;

    *talk = (struct talk){.form = form};
    assert_int_equal(stream ? tl_stream_replay_kernel_new(reader, 0, &kernel)
                            : tl_replay_kernel_new(reader, 0, &kernel),
                     0);
    (void)converse(kernel, talk);
    enum tl_replay_end end = tl_replay_result(reader, &said);
    (void)snprintf(report, 2048, "%s", said);
    tl_trace_reader_close(reader);
    return end;
}

static void a_refactored_protocol_fits_as_a_stream_alone(void **state)
{
    const char *path = ((struct trace_file *)*state)->path;
    char report[2048];
    struct talk talk;

    for (int real = 0; real < 2; real++) {
        record_talk(path, real);
        if (replay_talk(path, false, AS_RECORDED, &talk, report) != TL_REPLAY_COMPLETE)
            fail_msg("strictly: %s", report);
        if (replay_talk(path, true, AS_RECORDED, &talk, report) != TL_REPLAY_COMPLETE)
            fail_msg("as it was: %s", report);
        assert_non_null(strstr(report, " (0 early, 0 unused)"));
        assert_int_equal(replay_talk(path, false, REFACTORED, &talk, report), TL_REPLAY_DIVERGED);
        if (replay_talk(path, true, REFACTORED, &talk, report) != TL_REPLAY_COMPLETE)
            fail_msg("refactored: %s", report);
        assert_int_equal(talk.rounds, 5);
        assert_memory_equal(talk.got, "you said round 1\nyou said round 2\n", 34);
    }
}

static void a_broken_protocol_does_not(void **state)
{
    const char *path = ((struct trace_file *)*state)->path;
    char report[2048];
    struct talk talk;

    for (int real = 0; real < 2; real++) {
        record_talk(path, real);
        assert_int_equal(replay_talk(path, true, BROKEN, &talk, report), TL_REPLAY_DIVERGED);
        if (strstr(report, "what it is sent differs from byte 0 on, before byte 17\n") == NULL ||
            strstr(report, "the program sends  \"you sent round 1\\n\"\n") == NULL)
            fail_msg("%s", report);
    }
}

/* --- What comes from elsewhere --- */

struct mail {
    tl_loop *loop;
    char log[256];
    bool extra; /* asks for more than was recorded */
    int left;
};

static void note(struct mail *mail, const char *word)
{
    strncat(mail->log, word, sizeof mail->log - strlen(mail->log) - 1);
    if (--mail->left == 0)
        tl_loop_stop(mail->loop);
}

static void on_signal(void *arg)
{
    note(arg, "signal ");
}

static void on_message(tl_loop *loop, uint32_t kind, const void *data, size_t len, void *arg)
{
    char word[40];

    (void)loop;
    (void)snprintf(word, sizeof word, "%u:%.*s ", kind, (int)len, (const char *)data);
    note(arg, word);
}

static void on_timer(void *arg)
{
    note(arg, "timer ");
}

static void on_extra(void *arg)
{
    struct mail *mail = arg;

    strncat(mail->log, "extra ", sizeof mail->log - strlen(mail->log) - 1);
}

static int job(void *arg, tl_value *ret)
{
    (void)arg;
    *ret = tl_value_int(7);
    return 0;
}

static void on_job(tl_future *future, void *arg)
{
    (void)future;
    note(arg, "job ");
}

static void *post_letter(void *arg)
{
    struct mail *mail = arg;

    assert_int_equal(tl_loop_post_message(mail->loop, 5, "letter", 6), 0);
    return NULL;
}

/* What happens outside, while it is recorded. */
static void send_mail(void *arg)
{
    pthread_t thread;

    (void)kill(getpid(), SIGUSR1);
    assert_int_equal(pthread_create(&thread, NULL, post_letter, arg), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

/* The program. */
static void receive_mail(struct tl_kernel *kernel, struct mail *mail, tl_callback sender)
{
    assert_int_equal(tl_loop_new(kernel, &mail->loop), 0);
    tl_loop_set_message_handler(mail->loop, on_message, mail);
    mail->left = 4;
    assert_int_equal(tl_loop_add_signal_handler(mail->loop, SIGUSR1, on_signal, mail), 0);
    (void)tl_loop_call_later(mail->loop, 4 * TL_SECOND, on_timer, mail, NULL);
    if (mail->extra)
        for (int i = 1; i <= 3; i++)
            (void)tl_loop_call_later(mail->loop, i * 1100 * TL_MILLISECOND, on_extra, mail, NULL);
    tl_future *future = tl_loop_run_in_executor(mail->loop, NULL, job, NULL);
    assert_int_equal(tl_future_add_done_callback(future, on_job, mail), 0);
    tl_future_detach(future);
    if (sender != NULL)
        (void)tl_loop_call_later(mail->loop, 2 * TL_SECOND, sender, mail, NULL);
    assert_int_equal(tl_loop_run_forever(mail->loop), 0);
    tl_loop_free(mail->loop);
}

/* Takes the word out of the log wherever it is: how often. */
static int take_out(char *log, const char *word)
{
    size_t len = strlen(word);
    int count = 0;

    for (char *at; (at = strstr(log, word)) != NULL; count++)
        memmove(at, at + len, strlen(at + len) + 1);
    return count;
}

static void assert_mail(const char *path, bool extra, const char *expected)
{
    struct mail mail = {.extra = extra};
    tl_trace_reader *reader = trace_open(path);
    struct tl_stream_replay_counts counts;
    struct tl_kernel *kernel;
    const char *report;

    assert_int_equal(tl_stream_replay_kernel_new(reader, 0, &kernel), 0);
    receive_mail(kernel, &mail, NULL);
    if (tl_replay_result(reader, &report) != TL_REPLAY_COMPLETE)
        fail_msg("%s", report);
    tl_stream_replay_count(reader, &counts);
    assert_int_equal(counts.inputs, 3);
    assert_int_equal(counts.early, 0);
    tl_trace_reader_close(reader);

    /* Timers that the recorded program did not have come in their time, the first before the mail,
     * the last before the other timer. */
    if (extra)
        assert_true(strstr(mail.log, "extra ") < strstr(mail.log, "signal "));
    assert_int_equal(take_out(mail.log, "extra "), extra ? 3 : 0);
    assert_string_equal(mail.log, expected);
}

static void signals_messages_and_jobs_come_in_their_time(void **state)
{
    const char *path = ((struct trace_file *)*state)->path;
    struct mail mail = {.extra = false};
    struct tl_kernel *real = new_kernel(true);
    struct skipping skipping; /* the timers are far enough apart for any machine */
    tl_trace_writer *writer;

    skipping_apply(&skipping, real);
    receive_mail(trace_record(real, path, NULL, &writer), &mail, send_mail);
    assert_int_equal(tl_trace_writer_close(writer), 0);
    assert_mail(path, false, mail.log);
    assert_mail(path, true, mail.log);
}

/* --- Clocks --- */

static void clocks_stand_where_they_stood(void **state)
{
    const char *path = ((struct trace_file *)*state)->path;
    struct tl_event events[1];
    tl_trace_writer *writer;
    tl_time now[2], wall;
    struct tl_kernel *kernel = trace_record(new_kernel(false), path, NULL, &writer);

    now[0] = kernel->ops->now(kernel);
    wall = kernel->ops->wall(kernel);
    (void)kernel->ops->poll(kernel, TL_SECOND, events, 1);
    now[1] = kernel->ops->now(kernel);
    (void)kernel->ops->poll(kernel, TL_SECOND, events, 1);
    kernel->ops->destroy(kernel);
    assert_int_equal(tl_trace_writer_close(writer), 0);

    tl_trace_reader *reader = trace_open(path);
    assert_int_equal(tl_stream_replay_kernel_new(reader, 0, &kernel), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(kernel->ops->now(kernel), now[0]);
    assert_int_equal(kernel->ops->wall(kernel), wall);
    /* A shorter wait than any that was recorded ends when it is over, */
    assert_int_equal(kernel->ops->poll(kernel, TL_SECOND / 4, events, 1), 0);
    assert_int_equal(kernel->ops->now(kernel), now[0] + TL_SECOND / 4);
    assert_int_equal(kernel->ops->wall(kernel), wall + TL_SECOND / 4);
    /* one that was recorded where it ended then, */
    assert_int_equal(kernel->ops->poll(kernel, TL_SECOND * 3 / 4 - 10, events, 1), 0);
    assert_int_equal(kernel->ops->now(kernel), now[1]);
    assert_int_equal(kernel->ops->wall(kernel), wall + now[1] - now[0]);
    /* and beyond the end any goes on. */
    assert_int_equal(kernel->ops->poll(kernel, 5 * TL_SECOND, events, 1), 0);
    assert_int_equal(kernel->ops->now(kernel), now[1] + 5 * TL_SECOND);
    assert_int_equal(kernel->ops->poll(kernel, -1, events, 1), TL_EDIVERGED);
    assert_int_equal(kernel->ops->poll(kernel, 0, events, 1), TL_EDIVERGED);
    kernel->ops->destroy(kernel);
    tl_trace_reader_close(reader);
}

/* --- Ending --- */

enum { REPORT_MAX = 500 };

/* Two signals; the second one comes to a poll that waits so long. */
static void record_two_signals(const char *path, tl_time timeout)
{
    struct tl_event events[4];
    tl_trace_writer *writer;
    struct tl_kernel *kernel = trace_record(new_kernel(true), path, NULL, &writer);

    assert_int_equal(kernel->ops->signal(kernel, SIGUSR1, true), 0);
    (void)raise(SIGUSR1);
    assert_int_equal(kernel->ops->poll(kernel, -1, events, 4), 1);
    (void)raise(SIGUSR1);
    assert_int_equal(kernel->ops->poll(kernel, timeout, events, 4), 1);
    kernel->ops->destroy(kernel);
    assert_int_equal(tl_trace_writer_close(writer), 0);
}

/* How the replay of a program ends that takes the first of them and looks once more. */
static enum tl_replay_end take_one_signal(const char *path, char report[REPORT_MAX])
{
    struct tl_event events[4];
    tl_trace_reader *reader = trace_open(path);
    struct tl_kernel *kernel;
    const char *text;

    assert_int_equal(tl_stream_replay_kernel_new(reader, 0, &kernel), 0);
    assert_int_equal(kernel->ops->signal(kernel, SIGUSR1, true), 0);
    assert_int_equal(kernel->ops->poll(kernel, -1, events, 4), 1);
    assert_int_equal(events[0].kind, TL_EVENT_SIGNAL);
    assert_int_equal(kernel->ops->poll(kernel, 0, events, 4), 0);
    kernel->ops->destroy(kernel);
    enum tl_replay_end end = tl_replay_result(reader, &text);
    (void)snprintf(report, REPORT_MAX, "%s", text != NULL ? text : "");
    tl_trace_reader_close(reader);
    return end;
}

static void what_came_without_waiting_is_not_missed(void **state)
{
    const char *path = ((struct trace_file *)*state)->path;
    char report[REPORT_MAX];

    record_two_signals(path, 0);
    if (take_one_signal(path, report) != TL_REPLAY_COMPLETE)
        fail_msg("%s", report);
}

static void what_was_waited_for_is_missed(void **state)
{
    const char *path = ((struct trace_file *)*state)->path;
    char report[REPORT_MAX];

    record_two_signals(path, -1);
    assert_int_equal(take_one_signal(path, report), TL_REPLAY_DIVERGED);
    assert_non_null(strstr(report, "the program ends before the input of event"));
}

/* --- What there is no script for --- */

static void what_cannot_be_played_is_refused(void **state)
{
    static const char refusal[] = "not replayable as a stream: event 2: sendfile fd:2 file=fd:1";
    const char *path = ((struct trace_file *)*state)->path;
    tl_trace_writer *writer;
    struct tl_kernel *real, *kernel;
    const char *report;
    char copy[96];
    int64_t offset = 0;

    assert_int_equal(tl_real_kernel_new(&real), 0);
    kernel = trace_record(real, path, NULL, &writer);
    int source = kernel->ops->open(kernel, "/proc/self/exe", TL_OPEN_READ, 0);
    files_path(copy, sizeof copy, "copy");
    int target = kernel->ops->open(kernel, copy, TL_OPEN_WRITE | TL_OPEN_CREATE, 0600);
    assert_int_equal(kernel->ops->sendfile(kernel, target, source, &offset, 4, NULL), 4);
    assert_int_equal(kernel->ops->unlink(kernel, copy), 0);
    kernel->ops->destroy(kernel);
    assert_int_equal(tl_trace_writer_close(writer), 0);
    tl_trace_reader *reader = trace_open(path);
    assert_int_equal(tl_stream_replay_kernel_new(reader, 0, &kernel), -ENOTSUP);
    assert_int_equal(tl_replay_result(reader, &report), TL_REPLAY_REFUSED);
    assert_memory_equal(report, refusal, sizeof refusal - 1);
    assert_int_equal(tl_stream_replay_kernel_new(reader, 1, &kernel), -ENOENT);
    assert_int_equal(tl_stream_replay_kernel_new(NULL, 0, &kernel), -EINVAL);
    tl_trace_reader_close(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRACE_TEST(a_refactored_protocol_fits_as_a_stream_alone),
        TRACE_TEST(a_broken_protocol_does_not),
        TRACE_TEST(signals_messages_and_jobs_come_in_their_time),
        TRACE_TEST(clocks_stand_where_they_stood),
        TRACE_TEST(what_came_without_waiting_is_not_missed),
        TRACE_TEST(what_was_waited_for_is_missed),
        TRACE_TEST(what_cannot_be_played_is_refused),
    };

    return cmocka_run_group_tests_name("stream_replay_loop", tests, NULL, NULL);
}
