/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stream replay of sockets that are bound or connected more than once: what was refused then is
 * refused now, and what succeeded after that does, whether the program tries again with the same
 * socket or with another one, and however it learns how a connect went.
 *
 * The program binds to an address that is in use, then to a free one; it connects to where nobody
 * listens, then to where somebody does, and says hello there. It is recorded on the real kernel;
 * when it is replayed nobody listens anywhere.
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
#include <sys/un.h>
#include <twinloop.h>
#include <twinloop/real.h>
#include <twinloop/sim.h>
#include <twinloop/trace.h>
#include <unistd.h>
#include <cmocka.h>
#include "support/traces.h"

struct variant {
    bool asks_connect; /* how it went, instead of the pending error */
    bool fresh;        /* another socket for each attempt */
    bool binds_again;  /* to the free address, without having been refused */
    bool shouts;       /* says something else */
    bool insists;      /* connects once more to where nobody listens */
};

/* Where the program binds and connects to. */
struct places {
    tl_addr used;
    tl_addr silent;
};

static const struct variant plain;

static const char *path_of(void **state)
{
    return ((struct trace_file *)*state)->path;
}

/* --- The program ------------------------------------------------------------------------------ */

static void await_writable(struct tl_kernel *kernel, int fd)
{
    struct tl_event event = {.ready = 0};

    assert_int_equal(kernel->ops->watch(kernel, fd, TL_WRITABLE, &event), 0);
    (void)kernel->ops->poll(kernel, 20 * TL_SECOND, &event, 1);
    (void)kernel->ops->watch(kernel, fd, 0, NULL);
}

/* Connects and waits for the outcome. */
static int try_connect(struct tl_kernel *kernel, int fd, const tl_addr *addr,
                       const struct variant *variant)
{
    int r = kernel->ops->connect(kernel, fd, addr), error = 0;

    if (r != -EINPROGRESS)
        return r;
    await_writable(kernel, fd);
    if (variant->asks_connect)
        return kernel->ops->connect(kernel, fd, addr);
    r = kernel->ops->option(kernel, fd, TL_OPTION_ERROR, NULL, &error);
    return r < 0 ? r : -error;
}

static int next_socket(struct tl_kernel *kernel, int fd, bool fresh)
{
    if (!fresh)
        return fd;
    (void)kernel->ops->close(kernel, fd);
    return kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
}

/* After the pending error has told of it, a system says once more that it did not work. */
static int connect_after_failure(struct tl_kernel *kernel, int fd, const tl_addr *addr,
                                 const struct variant *variant)
{
    int r = try_connect(kernel, fd, addr, variant);

    if (r == TL_EDIVERGED || variant->fresh || variant->asks_connect)
        return r;
    assert_int_equal(r, -ECONNABORTED);
    return try_connect(kernel, fd, addr, variant);
}

static void talk(struct tl_kernel *kernel, const struct places *places,
                 const struct variant *variant)
{
    const tl_addr any = {.family = TL_FAMILY_INET, .data = {127, 0, 0, 1}};
    struct iovec iov = {variant->shouts ? "HELLO" : "hello", 5};
    struct tl_message message = {.iov = &iov, .iov_count = 1};
    int fd = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);

    if (!variant->binds_again) {
        assert_int_equal(kernel->ops->bind(kernel, fd, &places->used), -EADDRINUSE);
        fd = next_socket(kernel, fd, variant->fresh);
    }
    assert_int_equal(kernel->ops->bind(kernel, fd, &any), 0);
    int r = try_connect(kernel, fd, &places->silent, variant);
    assert_int_equal(r, -ECONNREFUSED);
    if (variant->insists) {
        r = connect_after_failure(kernel, fd, &places->silent, variant);
        assert_int_equal(r, TL_EDIVERGED);
    }
    fd = next_socket(kernel, fd, variant->fresh);
    r = connect_after_failure(kernel, fd, &places->used, variant);
    assert_true(r == 0 || variant->insists);
    if (variant->asks_connect && r == 0)
        assert_int_equal(kernel->ops->connect(kernel, fd, &places->used), -EISCONN);
    (void)kernel->ops->write(kernel, fd, &message, 1);
    (void)kernel->ops->close(kernel, fd);
    kernel->ops->destroy(kernel);
}

/* --- Recording and replaying ------------------------------------------------------------------ */

/* A socket of the system's own, bound to a free port: where that is. */
static int bind_somewhere(tl_addr *ret)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof addr;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    *ret =
        (tl_addr){.family = TL_FAMILY_INET, .port = ntohs(addr.sin_port), .data = {127, 0, 0, 1}};
    return fd;
}

static void record(void **state, const struct variant *variant, struct places *places)
{
    int listener = bind_somewhere(&places->used), silent = bind_somewhere(&places->silent);
    tl_trace_writer *writer;
    struct tl_kernel *real;
    char got[8];

    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(tl_real_kernel_new(&real), 0);
    talk(trace_record(real, path_of(state), NULL, &writer), places, variant);
    assert_int_equal(tl_trace_writer_close(writer), 0);
    int accepted = accept(listener, NULL, NULL);
    assert_int_equal(recv(accepted, got, sizeof got, MSG_WAITALL), 5);
    close(accepted);
    close(listener);
    close(silent);
}

static enum tl_replay_end replay(void **state, const struct variant *variant,
                                 const struct places *places, char report[static 2048])
{
    tl_trace_reader *reader = trace_open(path_of(state));
    struct tl_kernel *kernel;
    const char *said;

    assert_int_equal(tl_stream_replay_kernel_new(reader, 0, &kernel), 0);
    talk(kernel, places, variant);
    enum tl_replay_end end = tl_replay_result(reader, &said);
    (void)snprintf(report, 2048, "%s", said);
    tl_trace_reader_close(reader);
    return end;
}

static void assert_complete(void **state, const struct variant *variant,
                            const struct places *places)
{
    char report[2048];

    if (replay(state, variant, places, report) != TL_REPLAY_COMPLETE)
        fail_msg("%s", report);
    assert_string_equal(report,
                        "2 inputs given (0 early, 0 unused), 5 bytes of output as recorded\n");
}

static void assert_said(void **state, const struct variant *variant, const struct places *places,
                        const char *part)
{
    char report[2048];

    assert_int_equal(replay(state, variant, places, report), TL_REPLAY_DIVERGED);
    if (strstr(report, part) == NULL)
        fail_msg("no '%s' in: %s", part, report);
}

/* --- The cases -------------------------------------------------------------------------------- */

static void who_was_refused_may_try_again(void **state)
{
    const struct variant variants[] = {{.asks_connect = false},
                                       {.asks_connect = true},
                                       {.fresh = true},
                                       {.asks_connect = true, .fresh = true},
                                       {.binds_again = true}};

    for (int recorded = 0; recorded < 4; recorded++) {
        struct places places;
        record(state, &variants[recorded], &places);
        for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
            assert_complete(state, &variants[i], &places);
    }
}

static void more_attempts_than_recorded_are_found(void **state)
{
    const struct variant insists = {.insists = true}, shouts = {.shouts = true};
    const struct variant more = {.insists = true, .asks_connect = true};
    struct places places;

    record(state, &plain, &places);
    assert_said(state, &insists, &places, " more often than the trace\n");
    assert_said(state, &more, &places, " more often than the trace\n");
    assert_said(state, &shouts, &places, "differs");
}

/* A queue that is full of connections takes no more; who comes again later is let in. */
static void come_twice(struct tl_kernel *kernel, const tl_addr *addr, int listener)
{
    int fd = kernel->ops->socket(kernel, TL_FAMILY_UNIX, TL_STREAM);

    assert_int_equal(kernel->ops->connect(kernel, fd, addr), -EAGAIN);
    if (listener >= 0)
        close(accept(listener, NULL, NULL));
    assert_int_equal(kernel->ops->connect(kernel, fd, addr), 0);
    assert_int_equal(kernel->ops->close(kernel, fd), 0);
    kernel->ops->destroy(kernel);
}

static void a_full_queue_lets_in_later(void **state)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int before = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int len = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "twinloop-%d-q", (int)getpid());
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len);
    struct tl_kernel *kernel;
    tl_trace_writer *writer;
    const char *report;
    tl_addr addr;

    assert_int_equal(tl_addr_unix(name.sun_path, (size_t)len + 1, &addr), 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&name, size), 0);
    assert_int_equal(listen(listener, 0), 0);
    assert_int_equal(connect(before, (struct sockaddr *)&name, size), 0);
    assert_int_equal(tl_real_kernel_new(&kernel), 0);
    come_twice(trace_record(kernel, path_of(state), NULL, &writer), &addr, listener);
    assert_int_equal(tl_trace_writer_close(writer), 0);
    close(before);
    close(listener);
    tl_trace_reader *reader = trace_open(path_of(state));
    assert_int_equal(tl_stream_replay_kernel_new(reader, 0, &kernel), 0);
    come_twice(kernel, &addr, -1);
    assert_int_equal(tl_replay_result(reader, &report), TL_REPLAY_COMPLETE);
    tl_trace_reader_close(reader);
}

/* --- What was found to be hopeless ------------------------------------------------------------ */

static void wait_for_ever(struct tl_kernel *kernel)
{
    struct tl_event event;

    for (int i = 0; i < 2; i++)
        assert_int_equal(kernel->ops->poll(kernel, -1, &event, 1), TL_EDEADLOCK);
    kernel->ops->destroy(kernel);
}

static void what_never_happens_is_told_again(void **state)
{
    struct tl_kernel *kernel;
    tl_trace_writer *writer;
    const char *report;

    assert_int_equal(tl_sim_kernel_new(NULL, &kernel), 0);
    wait_for_ever(trace_record(kernel, path_of(state), NULL, &writer));
    assert_int_equal(tl_trace_writer_close(writer), 0);
    tl_trace_reader *reader = trace_open(path_of(state));
    assert_int_equal(tl_stream_replay_kernel_new(reader, 0, &kernel), 0);
    wait_for_ever(kernel);
    assert_int_equal(tl_replay_result(reader, &report), TL_REPLAY_COMPLETE);
    tl_trace_reader_close(reader);
}

/* Several messages at once are a matter of datagrams. */
static void send_two(struct tl_kernel *kernel)
{
    struct iovec iov = {"ab", 1};
    struct tl_message messages[2] = {{.iov = &iov, .iov_count = 1}, {.iov = &iov, .iov_count = 1}};
    int fds[2];

    for (int kind = TL_PIPE_ONE_WAY; kind <= TL_PIPE_STREAM_PAIR; kind++) {
        assert_int_equal(kernel->ops->pipe(kernel, kind, fds), 0);
        assert_int_equal(kernel->ops->write(kernel, fds[1], messages, 2), -EINVAL);
        assert_int_equal(kernel->ops->read(kernel, fds[0], messages, 2), -EINVAL);
    }
    kernel->ops->destroy(kernel);
}

static void several_messages_are_refused_again(void **state)
{
    struct tl_kernel *kernel;
    tl_trace_writer *writer;
    const char *report;

    assert_int_equal(tl_real_kernel_new(&kernel), 0);
    send_two(trace_record(kernel, path_of(state), NULL, &writer));
    assert_int_equal(tl_trace_writer_close(writer), 0);
    tl_trace_reader *reader = trace_open(path_of(state));
    assert_int_equal(tl_stream_replay_kernel_new(reader, 0, &kernel), 0);
    send_two(kernel);
    assert_int_equal(tl_replay_result(reader, &report), TL_REPLAY_COMPLETE);
    tl_trace_reader_close(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRACE_TEST(who_was_refused_may_try_again),
        TRACE_TEST(more_attempts_than_recorded_are_found),
        TRACE_TEST(a_full_queue_lets_in_later),
        TRACE_TEST(what_never_happens_is_told_again),
        TRACE_TEST(several_messages_are_refused_again),
    };

    return cmocka_run_group_tests_name("stream_replay_connect", tests, NULL, NULL);
}
