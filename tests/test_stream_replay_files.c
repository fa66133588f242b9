/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stream replay of files: a program that asks the file system other things than were recorded, and
 * sends and writes the same, gets through; one that sends another part of a file, or writes
 * something else or elsewhere, does not.
 *
 * The program serves one connection: a line, and all but two bytes of a file behind it. Then it
 * writes two lines to a log that it makes, and reads the log. It is recorded on the real kernel;
 * when it is replayed the file is gone. What a variant of it does differently is in struct variant.
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
#include "support/files.h"
#include "support/ladder.h"
#include "support/traces.h"

static const char text[] = "0123456789abcdef"; /* what is in the file */

enum { SKIPPED = 2, SENT = sizeof text - 1 - SKIPPED };

struct variant {
    bool reads;       /* the file, and writes what it has read */
    const char *own;  /* what it writes instead, without asking for the file's bytes; or NULL */
    size_t cut;       /* bytes of a sendfile or read at most; 0: all at once */
    bool unbounded;   /* asks for more than there is, until there is no more */
    bool asks_again;  /* stats, opens and syncs more often */
    int64_t moved;    /* so much further on in the file */
    size_t less;      /* so many bytes are left out */
    bool other_path;  /* asks of a file that was not asked of */
    bool one_write;   /* the log's lines together */
    bool other_line;  /* another second line in the log */
    bool elsewhere;   /* which goes elsewhere */
    bool other_reads; /* reads the log in pieces */
};

struct paths {
    char file[96];
    char log[96];
};

static void make_paths(struct paths *paths)
{
    files_path(paths->file, sizeof paths->file, "served");
    files_path(paths->log, sizeof paths->log, "log");
}

/* --- The program --- */

static ssize_t put(struct tl_kernel *kernel, int fd, const void *data, size_t len)
{
    struct iovec iov = {(void *)data, len};
    struct tl_message message = {.iov = &iov, .iov_count = 1};

    return kernel->ops->write(kernel, fd, &message, 1);
}

/* Sends a piece: how much. */
static ssize_t send_piece(struct tl_kernel *kernel, int fd, int file, int64_t *offset, size_t len,
                          const struct variant *variant)
{
    char data[64];

    if (variant->own != NULL) {
        ssize_t n = put(kernel, fd, variant->own + *offset, len);
        *offset += n > 0 ? n : 0;
        return n;
    }
    if (!variant->reads)
        return kernel->ops->sendfile(kernel, fd, file, offset, len, NULL);
    ssize_t n =
        kernel->ops->pread(kernel, file, data, len < sizeof data ? len : sizeof data, *offset);
    if (n > 0)
        n = put(kernel, fd, data, (size_t)n);
    *offset += n > 0 ? n : 0;
    return n;
}

static void send_file(struct tl_kernel *kernel, const struct variant *variant, int fd, int file)
{
    int64_t offset = SKIPPED + variant->moved;
    size_t left = variant->unbounded ? 1 << 20 : SENT - variant->less;

    while (left > 0) {
        size_t part = variant->cut > 0 && left > variant->cut ? variant->cut : left;
        ssize_t n = send_piece(kernel, fd, file, &offset, part, variant);
        if (n <= 0)
            break;
        left -= (size_t)n;
    }
}

static void serve_file(struct tl_kernel *kernel, const struct variant *variant, int fd,
                       const struct paths *paths)
{
    const char *path = variant->other_path ? "/tmp/never-asked-of" : paths->file;
    struct tl_stat status;
    int r = 0, file = -1;

    for (int i = 0; r == 0 && i < (variant->asks_again ? 3 : 1); i++)
        r = kernel->ops->stat(kernel, path, &status);
    if (r == 0 && variant->asks_again)
        assert_int_equal(kernel->ops->close(kernel, kernel->ops->open(kernel, path, 1, 0)), 0);
    if (r == 0)
        file = kernel->ops->open(kernel, path, TL_OPEN_READ, 0);
    if (file < 0)
        return;
    assert_int_equal(status.size, sizeof text - 1);
    assert_int_equal(kernel->ops->watch(kernel, file, TL_READABLE, &status), -EPERM);
    (void)put(kernel, fd, "head ", 5);
    send_file(kernel, variant, fd, file);
    (void)kernel->ops->close(kernel, file);
}

static void read_log(struct tl_kernel *kernel, const struct variant *variant, int log)
{
    size_t piece = variant->other_reads ? 3 : 64;
    char data[64];
    ssize_t n = 1, len = 0;

    for (; n > 0; len += n) {
        n = kernel->ops->pread(kernel, log, data + len, piece < 64 - (size_t)len ? piece : 1, len);
        if (n < 0)
            return;
    }
    assert_int_equal(len, 8);
    assert_memory_equal(data, "one\ntwo\n", 8);
}

static void write_log(struct tl_kernel *kernel, const struct variant *variant,
                      const struct paths *paths)
{
    int log = kernel->ops->open(
        kernel, paths->log, TL_OPEN_READ | TL_OPEN_WRITE | TL_OPEN_CREATE | TL_OPEN_TRUNCATE, 0600);

    if (log < 0)
        return;
    if (variant->one_write) {
        (void)kernel->ops->pwrite(kernel, log, "one\ntwo\n", 8, 0);
    } else {
        (void)kernel->ops->pwrite(kernel, log, "one\n", 4, 0);
        (void)kernel->ops->pwrite(kernel, log, variant->other_line ? "2nd\n" : "two\n", 4,
                                  variant->elsewhere ? 5 : 4);
    }
    for (int i = 0; i < (variant->asks_again ? 2 : 1); i++)
        (void)kernel->ops->fsync(kernel, log);
    read_log(kernel, variant, log);
    (void)kernel->ops->close(kernel, log);
    (void)kernel->ops->unlink(kernel, paths->log);
}

/* Runs to its end, and ends the kernel. The client is connected to whoever listens; -1: none. */
static void serve(struct tl_kernel *kernel, const struct variant *variant, int client)
{
    tl_addr addr = {.family = TL_FAMILY_INET, .data = {127, 0, 0, 1}};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct tl_event event;
    struct paths paths;

    make_paths(&paths);
    int listener = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
    assert_int_equal(kernel->ops->bind(kernel, listener, &addr), 0);
    assert_int_equal(kernel->ops->address(kernel, listener, TL_ADDRESS_LOCAL, &addr), 0);
    assert_int_equal(kernel->ops->listen(kernel, listener, 1), 0);
    assert_int_equal(kernel->ops->watch(kernel, listener, TL_READABLE, &listener), 0);
    to.sin_port = htons(addr.port);
    if (client >= 0)
        assert_int_equal(connect(client, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(kernel->ops->poll(kernel, -1, &event, 1), 1);
    int fd = kernel->ops->accept(kernel, listener, &addr);
    assert_true(fd >= 0);
    serve_file(kernel, variant, fd, &paths);
    (void)kernel->ops->close(kernel, fd);
    write_log(kernel, variant, &paths);
    kernel->ops->destroy(kernel);
}

/* --- Recording and replaying --- */

static void record(void **state, const struct variant *variant, bool full_output)
{
    struct tl_record_options options = {.full_output = full_output};
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    tl_trace_writer *writer;
    struct tl_kernel *real;
    struct paths paths;
    char got[64];

    make_paths(&paths);
    trace_file_write(paths.file, text, sizeof text - 1);
    assert_int_equal(tl_real_kernel_new(&real), 0);
    serve(trace_record(real, ((struct trace_file *)*state)->path, &options, &writer), variant,
          client);
    assert_int_equal(tl_trace_writer_close(writer), 0);
    assert_int_equal(recv(client, got, sizeof got, MSG_WAITALL), 5 + SENT);
    assert_memory_equal(got, "head 23456789abcdef", 5 + SENT);
    close(client);
    assert_int_equal(unlink(paths.file), 0);
}

static enum tl_replay_end replay(void **state, const struct variant *variant,
                                 char report[static 2048])
{
    tl_trace_reader *reader = trace_open(((struct trace_file *)*state)->path);
    struct tl_kernel *kernel;
    const char *said;

    assert_int_equal(tl_stream_replay_kernel_new(reader, 0, &kernel), 0);
    serve(kernel, variant, -1);
    enum tl_replay_end end = tl_replay_result(reader, &said);
    (void)snprintf(report, 2048, "%s", said);
    tl_trace_reader_close(reader);
    return end;
}

static void assert_complete(void **state, const struct variant *variant)
{
    char report[2048];

    if (replay(state, variant, report) != TL_REPLAY_COMPLETE)
        fail_msg("%s", report);
    assert_string_equal(report,
                        "1 inputs given (0 early, 0 unused), 27 bytes of output as recorded\n");
}

static void assert_said(void **state, const struct variant *variant, const char *part)
{
    char report[2048];

    assert_int_equal(replay(state, variant, report), TL_REPLAY_DIVERGED);
    if (strstr(report, part) == NULL)
        fail_msg("no '%s' in: %s", part, report);
}

/* --- The cases --- */

static const struct variant plain;

static void a_refactored_program_gets_through(void **state)
{
    const struct variant recorded[] = {{0}, {.cut = 3}, {.unbounded = true}, {.one_write = true}};
    const struct variant variants[] = {{0},
                                       {.cut = 5},
                                       {.unbounded = true},
                                       {.cut = 4, .unbounded = true},
                                       {.asks_again = true},
                                       {.one_write = true},
                                       {.other_reads = true}};

    for (int kind = 0; kind < 8; kind++) {
        record(state, &recorded[kind / 2], kind & 1);
        for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
            assert_complete(state, &variants[i]);
    }
}

/* What the recorded program read is known, however it is sent. */
static void what_was_read_may_be_sent(void **state)
{
    const struct variant reads = {.reads = true}, cut = {.reads = true, .cut = 3},
                         pieces = {.cut = 4}, less = {.moved = 1, .less = 1};

    for (int full = 0; full < 2; full++) {
        record(state, full ? &cut : &reads, full);
        assert_complete(state, &plain);
        assert_complete(state, &pieces);
        assert_complete(state, &reads);
        assert_complete(state, &cut);
        assert_said(state, &less,
                    full ? "byte 5 of what it is sent differs" : "after 18 of 19 bytes");
    }
}

static void what_was_sent_is_not_known(void **state)
{
    const struct variant reads = {.reads = true};

    record(state, &plain, false);
    assert_said(state, &reads,
                "diverged: the program asks for what the trace does not have\n"
                "  pread fd:3 room=14 offset=2\n");
}

/* Of what was sent the trace has the hash, call by call. */
static void what_was_sent_may_be_written(void **state)
{
    const struct variant recorded[] = {{0}, {.cut = 5}}, own = {.own = text},
                         pieces = {.own = text, .cut = 3}, first = {.own = "0123456789abcdeF"},
                         other = {.own = "0123_56789abcdef", .cut = 4};

    for (int kind = 0; kind < 4; kind++) {
        record(state, &recorded[kind / 2], kind & 1);
        assert_complete(state, &own);
        assert_complete(state, &pieces);
        assert_said(state, &first,
                    kind < 2 ? "it is sent other bytes than the file had\n"
                               "  the trace has      14 bytes from byte 2 on of the file \"/tmp/"
                             : "  the trace has      4 bytes from byte 12 on of the file");
        assert_said(state, &other,
                    kind < 2 ? "  the program sends  \"23_56789abcdef\"\n"
                             : "  the program sends  \"23_56\"\n");
    }
}

static void another_part_is_found(void **state)
{
    const struct variant moved = {.moved = 1, .less = 1}, less = {.less = 4},
                         other = {.other_path = true};

    record(state, &plain, false);
    assert_said(state, &moved,
                "it is sent a part of a file that is not known\n"
                "  the trace has      14 bytes from byte 2 on of the file \"/tmp/");
    assert_said(state, &less, "the program closes it after 15 of 19 bytes\n");
    assert_said(state, &less, "4 bytes from byte 12 on of the file");
    assert_said(state, &other,
                "the program asks for what the trace does not have\n"
                "  stat path=\"/tmp/never-asked-of\"\n");
}

static void another_log_is_found(void **state)
{
    const struct variant line = {.other_line = true}, elsewhere = {.elsewhere = true};

    record(state, &plain, true);
    assert_said(state, &line,
                "byte 4 of what it is sent differs\n"
                "  the trace has      \"two\\n\"\n"
                "  the program sends  \"2nd\\n\"\n");
    assert_said(state, &elsewhere, "byte 4 of what is written goes elsewhere\n");
    record(state, &plain, false);
    assert_said(state, &line, "what it is sent differs from byte 4 on, before byte 8\n");
    assert_said(state, &elsewhere, "byte 4 of what is written goes elsewhere\n");
}

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

    record(state, &plain, true);
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
        TRACE_TEST(a_refactored_program_gets_through),
        TRACE_TEST(what_was_read_may_be_sent),
        TRACE_TEST(what_was_sent_is_not_known),
        TRACE_TEST(what_was_sent_may_be_written),
        TRACE_TEST(another_part_is_found),
        TRACE_TEST(another_log_is_found),
        TRACE_TEST(memory_runs_out),
    };

    return cmocka_run_group_tests_name("stream_replay_files", tests, NULL, NULL);
}
