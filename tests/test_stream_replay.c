/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stream replay: a program that asks other things than were recorded and sends the same gets
 * through; one that sends something else does not.
 *
 * The program is a small server of lines on the seam: it greets, and answers each line with its
 * number and the line; "wait" is answered a while later, "end" ends it. It is recorded on the real
 * kernel with a client that is nobody's loop. What a variant of it does differently is in struct
 * variant. Loops and the simulator are in test_stream_replay_loop.c.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <twinloop.h>
#include <twinloop/real.h>
#include <twinloop/trace.h>
#include <unistd.h>
#include <cmocka.h>
#include "support/ladder.h"
#include "support/traces.h"

/* --- The program --- */

struct variant {
    size_t room;     /* of a read; 0: 64 */
    size_t cut;      /* bytes of a write at most; 0: whole */
    bool vectored;   /* answers are written in two pieces */
    bool options;    /* sets and reads a few more */
    bool ticks;      /* has a timer of its own */
    bool silent;     /* does not greet */
    bool deaf;       /* answers nothing before the connection has ended */
    bool shouts;     /* sends one byte more */
    size_t wrong_at; /* which byte of its output is another one, from 1; 0: none */
    bool elsewhere;  /* listens on another address */
};

struct server {
    struct tl_kernel *kernel;
    const struct variant *variant;
    int listener;
    int fd; /* of the one connection; -1 */
    char in[256];
    size_t in_len;
    char out[512];
    size_t out_len;
    size_t sent;
    int lines;
    tl_time due; /* when the answer to "wait" is; 0: none */
    bool over;
    int error; /* what poll has said */
};

/* The other side, while it is recorded: called before each wait. */
typedef void client_step(void *client, uint16_t port);

static void flush(struct server *server)
{
    const struct variant *variant = server->variant;
    size_t done = 0;

    if (variant->deaf && !server->over)
        return;
    while (done < server->out_len) {
        size_t len = server->out_len - done;
        if (variant->cut > 0 && len > variant->cut)
            len = variant->cut;
        struct iovec iov[2] = {{server->out + done, len / 2},
                               {server->out + done + len / 2, len - len / 2}};
        struct iovec whole = {server->out + done, len};
        struct tl_message message = {.iov = variant->vectored ? iov : &whole,
                                     .iov_count = variant->vectored ? 2 : 1};
        ssize_t n = server->kernel->ops->write(server->kernel, server->fd, &message, 1);
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    server->sent += done;
    server->out_len = 0;
}

static void say(struct server *server, const char *text)
{
    size_t len = strlen(text), at = server->variant->wrong_at;
    size_t begin = server->sent + server->out_len;

    memcpy(server->out + server->out_len, text, len);
    if (at > begin && at <= begin + len)
        server->out[server->out_len + at - 1 - begin] ^= 1;
    server->out_len += len;
}

static void answer(struct server *server, const char *line)
{
    char text[300];

    (void)snprintf(text, sizeof text, "%d:%s\n", ++server->lines, line);
    say(server, text);
}

static void take_line(struct server *server, const char *line)
{
    if (strcmp(line, "wait") == 0) {
        server->due = server->kernel->ops->now(server->kernel) + 20 * TL_MILLISECOND;
        return;
    }
    answer(server, line);
    if (strcmp(line, "end") == 0)
        server->over = true;
}

static void take_lines(struct server *server)
{
    char *end;

    while ((end = memchr(server->in, '\n', server->in_len)) != NULL) {
        *end = '\0';
        take_line(server, server->in);
        server->in_len -= (size_t)(end + 1 - server->in);
        memmove(server->in, end + 1, server->in_len);
    }
}

static void end_connection(struct server *server)
{
    server->over = true;
    flush(server);
    (void)server->kernel->ops->close(server->kernel, server->fd);
    server->fd = -1;
}

static void receive(struct server *server)
{
    size_t room = server->variant->room > 0 ? server->variant->room : 64;
    struct iovec iov = {server->in + server->in_len, room};
    struct tl_message message = {.iov = &iov, .iov_count = 1};

    ssize_t n = server->kernel->ops->read(server->kernel, server->fd, &message, 1);
    if (n == -EAGAIN)
        return;
    if (n <= 0) {
        end_connection(server);
        return;
    }
    server->in_len += (size_t)n;
    take_lines(server);
    flush(server);
}

static void greet(struct server *server)
{
    struct tl_kernel *kernel = server->kernel;
    tl_addr peer;
    int one = 1;

    server->fd = kernel->ops->accept(kernel, server->listener, &peer);
    if (server->fd < 0)
        return;
    if (server->variant->options) {
        (void)kernel->ops->option(kernel, server->fd, TL_OPTION_NODELAY, &one, NULL);
        (void)kernel->ops->option(kernel, server->fd, TL_OPTION_RCVBUF, NULL, &one);
        (void)kernel->ops->address(kernel, server->fd, TL_ADDRESS_LOCAL, &peer);
        if (kernel->ops->address(kernel, server->fd, TL_ADDRESS_PEER, &peer) == 0)
            assert_int_equal(peer.data[0], 127);
    }
    (void)kernel->ops->watch(kernel, server->fd, TL_READABLE, &server->fd);
    if (!server->variant->silent)
        say(server, "hello\n");
    if (server->variant->shouts)
        say(server, "!");
    flush(server);
}

static void open_server(struct server *server, uint16_t *ret_port)
{
    struct tl_kernel *kernel = server->kernel;
    tl_addr addr = {.family = TL_FAMILY_INET, .data = {127, 0, 0, 1}};

    addr.data[3] += server->variant->elsewhere;
    server->fd = -1;
    server->listener = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
    assert_true(server->listener >= 0);
    assert_int_equal(kernel->ops->bind(kernel, server->listener, &addr), 0);
    assert_int_equal(kernel->ops->address(kernel, server->listener, TL_ADDRESS_LOCAL, &addr), 0);
    assert_int_equal(kernel->ops->listen(kernel, server->listener, 5), 0);
    assert_int_equal(kernel->ops->watch(kernel, server->listener, TL_READABLE, &server->listener),
                     0);
    *ret_port = addr.port;
}

/* How long to wait: for what is due, or for the next tick. */
static tl_time pause_of(const struct server *server, tl_time now)
{
    tl_time pause = server->due != 0 ? server->due - now : -1;

    if (server->variant->ticks && (pause < 0 || pause > 3 * TL_MILLISECOND))
        pause = 3 * TL_MILLISECOND;
    return server->due != 0 && pause < 0 ? 0 : pause;
}

static void turn(struct server *server)
{
    struct tl_kernel *kernel = server->kernel;
    struct tl_event events[4];

    int n = kernel->ops->poll(kernel, pause_of(server, kernel->ops->now(kernel)), events, 4);
    if (n < 0) {
        server->error = n;
        server->over = true;
    }
    for (int i = 0; i < n; i++) {
        if (events[i].token == &server->listener)
            greet(server);
        else
            receive(server);
    }
    if (server->due != 0 && server->due <= kernel->ops->now(kernel)) {
        server->due = 0;
        answer(server, "waited");
        flush(server);
    }
}

/* Runs to its end, and ends the kernel: 0, or what poll had said. */
static int serve(struct tl_kernel *kernel, const struct variant *variant, client_step *step,
                 void *client)
{
    struct server server = {.kernel = kernel, .variant = variant};
    uint16_t port;

    open_server(&server, &port);
    while (!server.over) {
        if (step != NULL)
            step(client, port);
        turn(&server);
    }
    if (server.fd >= 0)
        end_connection(&server);
    kernel->ops->destroy(kernel);
    return server.error;
}

/* --- The client --- */

struct client {
    const char *const *sends; /* one before each wait; NULL ends them; "" sends nothing */
    int fd;
    bool reset; /* leaves with a reset */
    bool left;
};

static void connect_to(struct client *client, uint16_t port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client->fd, (struct sockaddr *)&addr, sizeof addr), 0);
}

static void leave(struct client *client)
{
    struct linger linger = {.l_onoff = 1};

    client->left = true;
    if (!client->reset) { /* closing would reset it as well, for nothing was read */
        assert_int_equal(shutdown(client->fd, SHUT_WR), 0);
        return;
    }
    assert_int_equal(setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    close(client->fd);
    client->fd = -1;
}

static void client_next(void *arg, uint16_t port)
{
    struct client *client = arg;

    if (client->fd < 0 && !client->left)
        connect_to(client, port);
    else if (!client->left && *client->sends == NULL)
        leave(client);
    else if (!client->left && **client->sends == '\0')
        client->sends++;
    else if (!client->left) {
        assert_int_equal(write(client->fd, *client->sends, strlen(*client->sends)),
                         strlen(*client->sends));
        client->sends++;
    }
}

static const char *const chat[] = {"one\ntw", "o\nthree\n", "four\nfive\nsix\n", "wait\n", "",
                                   "seven\n", NULL};

static void record(void **state, const char *const *sends, bool reset, bool full_output)
{
    struct client client = {.sends = sends, .fd = -1, .reset = reset};
    struct tl_record_options options = {.full_output = full_output};
    const struct variant plain = {.room = 64};
    tl_trace_writer *writer;
    struct tl_kernel *real;

    assert_int_equal(tl_real_kernel_new(&real), 0);
    struct tl_kernel *kernel =
        trace_record(real, ((struct trace_file *)*state)->path, &options, &writer);
    assert_int_equal(serve(kernel, &plain, client_next, &client), 0);
    assert_int_equal(tl_trace_writer_close(writer), 0);
    if (client.fd >= 0)
        close(client.fd);
}

/* --- Replaying --- */

struct outcome {
    enum tl_replay_end end;
    char report[2048];
    struct tl_stream_replay_counts counts;
    int error;
};

static struct outcome replay(void **state, const struct variant *variant)
{
    tl_trace_reader *reader = trace_open(((struct trace_file *)*state)->path);
    struct outcome outcome = {0};
    struct tl_kernel *kernel;
    const char *report;

    assert_int_equal(tl_stream_replay_kernel_new(reader, 0, &kernel), 0);
    outcome.error = serve(kernel, variant, NULL, NULL);
    outcome.end = tl_replay_result(reader, &report);
    (void)snprintf(outcome.report, sizeof outcome.report, "%s", report);
    tl_stream_replay_count(reader, &outcome.counts);
    tl_trace_reader_close(reader);
    return outcome;
}

static void assert_complete(const struct outcome *outcome)
{
    if (outcome->end != TL_REPLAY_COMPLETE || outcome->error != 0)
        fail_msg("the replay ended as %d: %s", (int)outcome->end, outcome->report);
}

static void assert_said(const struct outcome *outcome, const char *part)
{
    if (outcome->end != TL_REPLAY_DIVERGED || strstr(outcome->report, part) == NULL)
        fail_msg("no '%s' in outcome %d: %s", part, (int)outcome->end, outcome->report);
}

/* What a stream replay does not mind, the strict one does. */
static bool strict_replay_fits(void **state, const struct variant *variant)
{
    tl_trace_reader *reader = trace_open(((struct trace_file *)*state)->path);
    struct tl_kernel *kernel;

    assert_int_equal(tl_replay_kernel_new(reader, 0, &kernel), 0);
    (void)serve(kernel, variant, NULL, NULL);
    bool fits = tl_replay_result(reader, NULL) == TL_REPLAY_COMPLETE;
    tl_trace_reader_close(reader);
    return fits;
}

static void the_same_program_gets_through(void **state)
{
    const struct variant plain = {.room = 64};

    for (int full = 0; full < 2; full++) {
        record(state, chat, false, full);
        struct outcome outcome = replay(state, &plain);
        assert_complete(&outcome);
        assert_int_equal(outcome.counts.early, 0);
        assert_int_equal(outcome.counts.unused, 0);
        assert_int_equal(outcome.counts.output, strlen("hello\n1:one\n2:two\n3:three\n4:four\n"
                                                       "5:five\n6:six\n7:waited\n8:seven\n"));
        assert_true(strict_replay_fits(state, &plain));
    }
}

static void a_refactored_program_gets_through(void **state)
{
    const struct variant variants[] = {
        {.room = 1},
        {.room = 7},
        {.room = 200, .cut = 1},
        {.cut = 3, .room = 64},
        {.vectored = true, .options = true, .room = 5},
        {.options = true, .room = 64},
        {.ticks = true, .room = 64},
        {.ticks = true, .cut = 2, .options = true, .vectored = true, .room = 2},
    };

    for (int full = 0; full < 2; full++) {
        record(state, chat, false, full);
        for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
            struct outcome outcome = replay(state, &variants[i]);
            assert_complete(&outcome);
            assert_int_equal(outcome.counts.early, 0);
            if (!variants[i].vectored || variants[i].options)
                assert_false(strict_replay_fits(state, &variants[i]));
        }
    }
}

static void another_address_is_no_difference(void **state)
{
    const struct variant elsewhere = {.elsewhere = true};

    record(state, chat, false, true);
    struct outcome outcome = replay(state, &elsewhere);
    assert_complete(&outcome);
}

/* --- Differences --- */

static void a_changed_byte_is_found_and_named(void **state)
{
    struct variant variant = {.wrong_at = 9};

    record(state, chat, false, true);
    struct outcome outcome = replay(state, &variant);
    assert_int_equal(outcome.error, TL_EDIVERGED);
    assert_said(&outcome, "the connection from 127.0.0.1:");
    assert_said(&outcome, " accepted on 127.0.0.1:0 (fd:2 of the trace): byte 8 of what it is sent "
                          "differs\n"
                          "  the trace has      \"one\\n\"\n"
                          "  the program sends  \"nne\\n\"\n");

    /* However it is cut, and whichever it is. */
    variant.cut = 2;
    for (variant.wrong_at = 1; variant.wrong_at <= 60; variant.wrong_at++) {
        char part[40];
        (void)snprintf(part, sizeof part, ": byte %zu of what", variant.wrong_at - 1);
        outcome = replay(state, &variant);
        assert_said(&outcome, part);
    }
}

static void a_changed_byte_is_found_by_hashes(void **state)
{
    struct variant variant = {.wrong_at = 9, .cut = 3};

    record(state, chat, false, false);
    struct outcome outcome = replay(state, &variant);
    assert_said(&outcome, "what it is sent differs from byte 6 on, before byte 12\n"
                          "  the trace has      only the hash, ");
    assert_said(&outcome, "\n  the program sends  \"1:nne\\n\"\n  after ");
    for (variant.wrong_at = 1; variant.wrong_at <= 60; variant.wrong_at++) {
        outcome = replay(state, &variant);
        assert_said(&outcome, "what it is sent differs from byte ");
    }
}

static void too_much_and_too_little_are_found(void **state)
{
    static const char *const nothing[] = {NULL};
    const struct variant shouts = {.shouts = true}, silent = {.silent = true};

    for (int full = 0; full < 2; full++) {
        record(state, nothing, false, full);
        struct outcome outcome = replay(state, &shouts);
        assert_said(&outcome, "it is sent more than 6 bytes\n"
                              "  the trace has      no more\n");
        outcome = replay(state, &silent);
        assert_said(&outcome, "the program closes it after 0 of 6 bytes\n");
    }
}

static void after_a_reset_a_part_will_do(void **state)
{
    static const char *const nothing[] = {NULL};
    const struct variant shouts = {.shouts = true}, silent = {.silent = true};

    record(state, nothing, true, true);
    struct outcome outcome = replay(state, &shouts);
    assert_complete(&outcome);
    outcome = replay(state, &silent);
    assert_complete(&outcome);
}

static void an_input_is_given_early_and_counted(void **state)
{
    const struct variant deaf = {.deaf = true};

    record(state, chat, false, true);
    struct outcome outcome = replay(state, &deaf);
    assert_complete(&outcome);
    assert_true(outcome.counts.early >= 5);
    assert_true(outcome.counts.early < outcome.counts.inputs);
    assert_non_null(strstr(outcome.report, " early, 0 unused), "));
}

static void a_program_that_ends_too_soon_is_found(void **state)
{
    static const char *const ends[] = {"end\n", NULL};
    const struct variant plain = {.room = 64};
    tl_trace_reader *reader;
    struct tl_kernel *kernel;
    const char *report;

    record(state, ends, false, true);
    reader = trace_open(((struct trace_file *)*state)->path);
    assert_int_equal(tl_stream_replay_kernel_new(reader, 0, &kernel), 0);
    kernel->ops->destroy(kernel);
    assert_int_equal(tl_replay_result(reader, &report), TL_REPLAY_DIVERGED);
    assert_non_null(strstr(report, "the program has none after 0 of 12 bytes"));
    tl_trace_reader_close(reader);
    struct outcome outcome = replay(state, &plain);
    assert_complete(&outcome);
}

/* --- Bad input --- */

static void torn_traces_fit_as_far_as_they_go(void **state)
{
    const char *path = ((struct trace_file *)*state)->path;
    const struct variant plain = {.room = 64}, cut = {.room = 3, .cut = 1};
    size_t size;

    record(state, chat, false, true);
    uint8_t *data = trace_file_read(path, &size);
    for (size_t part = size - 60; part < size; part += 10) {
        trace_file_write(path, data, part);
        struct outcome outcome = replay(state, &plain);
        assert_true(outcome.end == TL_REPLAY_SHORT || outcome.end == TL_REPLAY_COMPLETE);
        outcome = replay(state, &cut);
        assert_true(outcome.end == TL_REPLAY_SHORT || outcome.end == TL_REPLAY_COMPLETE);
    }
    free(data);
}

/* --- Memory --- */

static void try_with_little_memory(void *arg)
{
    struct ladder *ladder = ((void **)arg)[1];
    tl_trace_reader *reader = ((void **)arg)[0];
    struct tl_kernel *kernel;

    ladder_arm(ladder);
    int r = tl_stream_replay_kernel_new(reader, 0, &kernel);
    if (r < 0) {
        assert_int_equal(r, -ENOMEM);
        return;
    }
    kernel->ops->destroy(kernel);
}

static void memory_runs_out(void **state)
{
    struct ladder ladder;

    record(state, chat, false, true);
    tl_trace_reader *reader = trace_open(((struct trace_file *)*state)->path);
    void *arg[] = {reader, &ladder};
    ladder_install(&ladder);
    ladder_climb(&ladder, try_with_little_memory, arg);
    ladder_remove(&ladder);
    assert_in_range(ladder.rungs, 6, 100);
    tl_trace_reader_close(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRACE_TEST(the_same_program_gets_through),
        TRACE_TEST(a_refactored_program_gets_through),
        TRACE_TEST(another_address_is_no_difference),
        TRACE_TEST(a_changed_byte_is_found_and_named),
        TRACE_TEST(a_changed_byte_is_found_by_hashes),
        TRACE_TEST(too_much_and_too_little_are_found),
        TRACE_TEST(after_a_reset_a_part_will_do),
        TRACE_TEST(an_input_is_given_early_and_counted),
        TRACE_TEST(a_program_that_ends_too_soon_is_found),
        TRACE_TEST(torn_traces_fit_as_far_as_they_go),
        TRACE_TEST(memory_runs_out),
    };

    return cmocka_run_group_tests_name("stream_replay", tests, NULL, NULL);
}
