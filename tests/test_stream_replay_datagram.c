/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stream replay of datagrams: they may be received and sent one by one or several at once, by
 * sockets that say in another way whom they talk to; each has to be the same, and to go to the same
 * place.
 *
 * The program receives and answers, turned around, until it is told to stop. It is recorded on the
 * real kernel with plain sockets on the other side.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <twinloop.h>
#include <twinloop/real.h>
#include <twinloop/trace.h>
#include <unistd.h>
#include <cmocka.h>
#include "support/traces.h"

/* --- The program --- */

struct variant {
    size_t batch;    /* received at once; 0: 1 */
    bool together;   /* answers what it received at once in one call */
    bool options;    /* sets and reads a few options */
    int wrong;       /* which answer is another one, from 1 */
    int misdirected; /* which answer goes elsewhere */
    int doubled;     /* which is sent twice */
    int left_out;    /* which is not sent */
};

struct letter {
    char data[32];
    struct iovec iov;
    tl_addr addr;
};

enum { BATCH_MAX = 4 };

static int answered; /* so far */

/* Turns a letter around, and does to it what the variant does; how often it is to be sent. */
static int turn_around(struct letter *letter, size_t len, const struct variant *variant)
{
    int number = ++answered;

    for (size_t i = 0; i < len / 2; i++) {
        char c = letter->data[i];
        letter->data[i] = letter->data[len - 1 - i];
        letter->data[len - 1 - i] = c;
    }
    letter->iov = (struct iovec){letter->data, len};
    if (number == variant->wrong)
        letter->data[len - 1] ^= 1;
    if (number == variant->misdirected)
        letter->addr.port ^= 1;
    return number == variant->left_out ? 0 : number == variant->doubled ? 2 : 1;
}

static void answer_one(struct tl_kernel *kernel, int fd, struct letter *letter)
{
    struct tl_message message = {.iov = &letter->iov, .iov_count = 1, .addr = &letter->addr};

    (void)kernel->ops->write(kernel, fd, &message, 1);
}

static void answer_all(struct tl_kernel *kernel, int fd, struct letter *letters, size_t count)
{
    struct tl_message messages[BATCH_MAX];

    for (size_t i = 0; i < count; i++)
        messages[i] =
            (struct tl_message){.iov = &letters[i].iov, .iov_count = 1, .addr = &letters[i].addr};
    (void)kernel->ops->write(kernel, fd, messages, count);
}

/* Receives what there is: false once it was told to stop, or the replay has ended. */
static bool receive(struct tl_kernel *kernel, int fd, const struct variant *variant)
{
    struct letter letters[BATCH_MAX];
    struct tl_message messages[BATCH_MAX] = {0};
    size_t batch = variant->batch > 0 ? variant->batch : 1;

    for (size_t i = 0; i < batch; i++) {
        letters[i].iov = (struct iovec){letters[i].data, sizeof letters[i].data};
        messages[i] =
            (struct tl_message){.iov = &letters[i].iov, .iov_count = 1, .addr = &letters[i].addr};
    }
    ssize_t n = kernel->ops->read(kernel, fd, messages, batch);
    if (n < 0)
        return n == -EAGAIN;
    size_t count = batch > 1 ? (size_t)n : 1;
    for (size_t i = 0; i < count; i++) {
        if (messages[i].len == 4 && memcmp(letters[i].data, "stop", 4) == 0)
            return false;
        int times = turn_around(&letters[i], messages[i].len, variant);
        for (int k = 0; !variant->together && k < times; k++)
            answer_one(kernel, fd, &letters[i]);
    }
    if (variant->together)
        answer_all(kernel, fd, letters, count);
    return true;
}

/* Called before each wait while it is recorded; false when there is nothing to wait for. */
typedef void outside(uint16_t port);

static void serve(struct tl_kernel *kernel, const struct variant *variant, outside *step)
{
    tl_addr addr = {.family = TL_FAMILY_INET, .data = {127, 0, 0, 1}};
    struct tl_event events[1];
    int size = 1 << 16;

    answered = 0;
    int fd = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_DATAGRAM);
    if (variant->options)
        (void)kernel->ops->option(kernel, fd, TL_OPTION_RCVBUF, &size, &size);
    assert_int_equal(kernel->ops->bind(kernel, fd, &addr), 0);
    assert_int_equal(kernel->ops->address(kernel, fd, TL_ADDRESS_LOCAL, &addr), 0);
    assert_int_equal(kernel->ops->watch(kernel, fd, TL_READABLE, &fd), 0);
    do {
        if (step != NULL)
            step(addr.port);
    } while (kernel->ops->poll(kernel, -1, events, 1) >= 0 && receive(kernel, fd, variant));
    kernel->ops->destroy(kernel);
}

/* --- The other side --- */

static int sockets[2];
static int sent;

static void send_two(uint16_t port)
{
    static const char *const letters[] = {"abc", "defg", "hi", "jklmnop", "q", "rs", "stop"};
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < 2 && sent < 7; i++, sent++)
        assert_int_equal(sendto(sockets[sent % 2], letters[sent], strlen(letters[sent]), 0,
                                (struct sockaddr *)&addr, sizeof addr),
                         strlen(letters[sent]));
}

static void record(void **state, size_t batch, bool full_output)
{
    const struct variant variant = {.batch = batch, .together = batch > 1};
    struct tl_record_options options = {.full_output = full_output};
    tl_trace_writer *writer;
    struct tl_kernel *real;

    sent = 0;
    for (int i = 0; i < 2; i++)
        assert_true((sockets[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) >= 0);
    assert_int_equal(tl_real_kernel_new(&real), 0);
    serve(trace_record(real, ((struct trace_file *)*state)->path, &options, &writer), &variant,
          send_two);
    assert_int_equal(tl_trace_writer_close(writer), 0);
    close(sockets[0]);
    close(sockets[1]);
}

static enum tl_replay_end replay(void **state, const struct variant *variant,
                                 char report[static 2048])
{
    tl_trace_reader *reader = trace_open(((struct trace_file *)*state)->path);
    struct tl_kernel *kernel;
    const char *said;

    assert_int_equal(tl_stream_replay_kernel_new(reader, 0, &kernel), 0);
    serve(kernel, variant, NULL);
    enum tl_replay_end end = tl_replay_result(reader, &said);
    (void)snprintf(report, 2048, "%s", said);
    tl_trace_reader_close(reader);
    return end;
}

/* --- The cases --- */

static void batches_may_be_others(void **state)
{
    const struct variant variants[] = {
        {.batch = 1}, {.batch = 4}, {.batch = 4, .together = true}, {.batch = 3, .options = true}};
    char report[2048];

    for (int kind = 0; kind < 4; kind++) {
        record(state, kind & 1 ? 4 : 1, kind & 2);
        for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
            if (replay(state, &variants[i], report) != TL_REPLAY_COMPLETE)
                fail_msg("kind %d, variant %zu: %s", kind, i, report);
            assert_string_equal(report, "7 inputs given (0 early, 0 unused), 19 bytes of output as "
                                        "recorded\n");
        }
    }
}

static void assert_said(void **state, const struct variant *variant, const char *part)
{
    char report[2048];

    assert_int_equal(replay(state, variant, report), TL_REPLAY_DIVERGED);
    if (strstr(report, part) == NULL)
        fail_msg("no '%s' in: %s", part, report);
}

static void other_datagrams_are_found(void **state)
{
    const struct variant wrong = {.wrong = 4}, misdirected = {.misdirected = 2},
                         doubled = {.doubled = 3}, left_out = {.left_out = 6};

    record(state, 1, true);
    assert_said(state, &wrong,
                "the socket at 127.0.0.1:0 (fd:1 of the trace): datagram 3 that it "
                "is sent differs\n"
                "  the trace has      \"j\"\n"
                "  the program sends  \"k\"\n");
    assert_said(state, &misdirected, "datagram 1 that it is sent differs\n");
    assert_said(state, &doubled, "datagram 3 that it is sent differs\n");
    assert_said(state, &left_out, "the program ends after 5 of 6 datagrams\n");
}

static void other_datagrams_are_found_by_hashes(void **state)
{
    const struct variant wrong = {.wrong = 4}, misdirected = {.misdirected = 2},
                         doubled = {.doubled = 6}, left_out = {.left_out = 6};

    record(state, 1, false);
    assert_said(state, &wrong, "differs from datagram 3 on, before datagram 4\n");
    assert_said(state, &misdirected, "differs from datagram 1 on, before datagram 2\n");
    assert_said(state, &doubled, "it is sent more than 6 datagrams\n");
    assert_said(state, &left_out, "the program ends after 5 of 6 datagrams\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRACE_TEST(batches_may_be_others),
        TRACE_TEST(other_datagrams_are_found),
        TRACE_TEST(other_datagrams_are_found_by_hashes),
    };

    return cmocka_run_group_tests_name("stream_replay_datagram", tests, NULL, NULL);
}
