/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stream replay of reads and writes at a file's own position: a program that cuts them otherwise,
 * or says the offset itself, gets through; one that writes something else or elsewhere, or
 * reads what was never read, does not.
 *
 * The program reads a file, writes a log that it makes, and goes on in two descriptors that were
 * opened for it and do not stand at their beginning. It is recorded on the real kernel; when it is
 * replayed nothing of that is there. What a variant of it does differently is in struct variant.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <twinloop.h>
#include <twinloop/real.h>
#include <twinloop/trace.h>
#include <unistd.h>
#include <cmocka.h>
#include "support/files.h"
#include "support/traces.h"

static const char text[] = "0123456789abcdef"; /* what is in the files */

enum { STOOD = 3, LENGTH = sizeof text - 1 };

struct variant {
    size_t room;       /* of a read at most; 0: 64 */
    bool offsets;      /* says the offsets itself: pread and pwrite, where it knows them */
    bool pieces;       /* each read and write is of two pieces */
    bool one_write;    /* the log's lines together */
    bool other_line;   /* another second line in the log */
    bool looks;        /* reads the log between the lines, which moves nothing: it is at the end */
    bool rereads;      /* writes over the second line what is there */
    bool other_given;  /* something else to what was opened for it */
    int further;       /* reads so much more there before that */
    size_t reads_less; /* leaves so much of the file unread */
};

struct paths {
    char file[96];
    char log[96];
};

static void make_paths(struct paths *paths)
{
    files_path(paths->file, sizeof paths->file, "read");
    files_path(paths->log, sizeof paths->log, "written");
}

/* --- The program --- */

/* Reads or writes, in one piece or two, at the position or at an offset. */
static ssize_t move(struct tl_kernel *kernel, int fd, void *data, size_t len, int64_t offset,
                    const struct variant *variant, bool writes)
{
    size_t first = variant->pieces ? len / 2 : len;
    struct iovec iov[] = {{data, first}, {(char *)data + first, len - first}};
    struct tl_message message = {.iov = iov, .iov_count = variant->pieces ? 2 : 1};

    if (variant->offsets && offset >= 0)
        return writes ? kernel->ops->pwrite(kernel, fd, data, len, offset)
                      : kernel->ops->pread(kernel, fd, data, len, offset);
    ssize_t n = writes ? kernel->ops->write(kernel, fd, &message, 1)
                       : kernel->ops->read(kernel, fd, &message, 1);
    assert_true(n < 0 || message.len == (size_t)n);
    return n;
}

static ssize_t put(struct tl_kernel *kernel, int fd, const char *line, int64_t offset,
                   const struct variant *variant)
{
    char data[16];

    memcpy(data, line, strlen(line));
    return move(kernel, fd, data, strlen(line), offset, variant, true);
}

/* Reads so many bytes, or to the end: what is read. offset -1: at the position, whatever it is. */
static ssize_t read_all(struct tl_kernel *kernel, int fd, char data[static 64], size_t len,
                        int64_t offset, const struct variant *variant)
{
    size_t room = variant->room != 0 ? variant->room : 64;
    ssize_t n = 1, done = 0;

    for (; n > 0 && (size_t)done < len; done += n) {
        size_t left = len - (size_t)done;
        n = move(kernel, fd, data + done, room < left ? room : left,
                 offset >= 0 ? offset + done : offset, variant, false);
        if (n < 0)
            return n;
    }
    return done;
}

static void read_file(struct tl_kernel *kernel, const struct variant *variant,
                      const struct paths *paths)
{
    char data[64];
    int file = kernel->ops->open(kernel, paths->file, TL_OPEN_READ, 0);

    assert_true(file >= 0);
    size_t wanted = variant->reads_less != 0 ? LENGTH - variant->reads_less : 64;
    ssize_t n = read_all(kernel, file, data, wanted, 0, variant);
    if (n >= 0) {
        assert_int_equal(n, wanted < LENGTH ? wanted : LENGTH);
        assert_memory_equal(data, text, (size_t)n);
    }
    (void)kernel->ops->close(kernel, file);
}

static void write_log(struct tl_kernel *kernel, const struct variant *variant,
                      const struct paths *paths)
{
    const unsigned how = TL_OPEN_READ | TL_OPEN_WRITE | TL_OPEN_CREATE | TL_OPEN_TRUNCATE;
    int log = kernel->ops->open(kernel, paths->log, how, 0600);
    char data[64];

    if (log < 0)
        return;
    if (variant->one_write) {
        (void)put(kernel, log, "one\ntwo\n", 0, variant);
    } else {
        (void)put(kernel, log, "one\n", 0, variant);
        if (variant->looks)
            assert_int_equal(read_all(kernel, log, data, 8, 4, variant), 0);
        (void)put(kernel, log, variant->other_line ? "2nd\n" : "two\n", 4, variant);
    }
    if (variant->rereads)
        (void)kernel->ops->pwrite(kernel, log, "two\n", 4, 4);
    ssize_t n = kernel->ops->pread(kernel, log, data, 64, 0);
    if (n >= 0) {
        assert_int_equal(n, 8);
        assert_memory_equal(data, "one\ntwo\n", 8);
    }
    (void)kernel->ops->close(kernel, log);
    (void)kernel->ops->unlink(kernel, paths->log);
}

/* One is read from where it stands, then written; the other is only written. */
static void go_on(struct tl_kernel *kernel, const struct variant *variant, const int given[2])
{
    struct tl_adopted found;
    char data[64];

    for (int i = 0; i < 2; i++) {
        int r = kernel->ops->adopt(kernel, given[i], &found);
        if (r < 0)
            return;
        assert_int_equal(found.kind, TL_ADOPTED_FILE);
    }
    size_t wanted = (size_t)(4 + variant->further);
    ssize_t n = read_all(kernel, given[0], data, wanted, -1, variant);
    if (n >= 0) {
        assert_int_equal(n, wanted);
        assert_memory_equal(data, text + STOOD, wanted);
    }
    (void)put(kernel, given[0], variant->other_given ? "xYz" : "xyz", -1, variant);
    (void)put(kernel, given[1], "more", -1, variant);
    for (int i = 0; i < 2; i++)
        (void)kernel->ops->close(kernel, given[i]);
}

static void run(struct tl_kernel *kernel, const struct variant *variant, const int given[2])
{
    struct paths paths;

    make_paths(&paths);
    read_file(kernel, variant, &paths);
    write_log(kernel, variant, &paths);
    go_on(kernel, variant, given);
    kernel->ops->destroy(kernel);
}

/* --- Recording and replaying --- */

static void record(void **state, const struct variant *variant, bool full_output)
{
    struct tl_record_options options = {.full_output = full_output};
    char content[LENGTH + 8] = {0};
    tl_trace_writer *writer;
    struct tl_kernel *real;
    struct paths paths;
    int given[2];

    make_paths(&paths);
    trace_file_write(paths.file, text, LENGTH);
    given[0] = open(paths.file, O_RDWR | O_CLOEXEC);
    given[1] = open(paths.file, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_true(given[0] >= 0 && given[1] >= 0);
    assert_int_equal(lseek(given[0], STOOD, SEEK_SET), STOOD);
    assert_int_equal(tl_real_kernel_new(&real), 0);
    run(trace_record(real, ((struct trace_file *)*state)->path, &options, &writer), variant, given);
    assert_int_equal(tl_trace_writer_close(writer), 0);
    int file = open(paths.file, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(file, content, sizeof content), LENGTH + 4);
    close(file);
    assert_string_equal(content, "0123456xyzabcdefmore");
    assert_int_equal(unlink(paths.file), 0);
}

static enum tl_replay_end replay(void **state, const struct variant *variant,
                                 char report[static 2048])
{
    tl_trace_reader *reader = trace_open(((struct trace_file *)*state)->path);
    const int given[2] = {open("/dev/null", O_RDWR | O_CLOEXEC),
                          open("/dev/null", O_RDWR | O_CLOEXEC)};
    struct tl_kernel *kernel;
    const char *said;

    assert_int_equal(tl_stream_replay_kernel_new(reader, 0, &kernel), 0);
    run(kernel, variant, given);
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
                        "0 inputs given (0 early, 0 unused), 15 bytes of output as recorded\n");
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
    const struct variant recorded[] = {{0}, {.room = 5}, {.one_write = true}, {.pieces = true}};
    const struct variant variants[] = {{0},
                                       {.room = 3},
                                       {.room = 5},
                                       {.pieces = true},
                                       {.room = 5, .pieces = true},
                                       {.offsets = true},
                                       {.offsets = true, .room = 2},
                                       {.one_write = true},
                                       {.looks = true},
                                       {.looks = true, .pieces = true}};

    for (int kind = 0; kind < 8; kind++) {
        record(state, &recorded[kind / 2], kind & 1);
        for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
            assert_complete(state, &variants[i]);
    }
}

static void offsets_may_become_positions(void **state)
{
    const struct variant offsets = {.offsets = true}, cut = {.room = 7};

    record(state, &offsets, false);
    assert_complete(state, &plain);
    assert_complete(state, &cut);
}

static void what_was_never_read_is_not_known(void **state)
{
    const struct variant less = {.reads_less = 6}, cut = {.room = 3, .reads_less = 6},
                         more = {.room = 8};

    record(state, &less, false);
    assert_complete(state, &cut);
    assert_said(state, &more,
                "diverged: the program asks for what the trace does not have\n"
                "  read fd:1 room=8 count=1, at byte 8 of the file\n");
}

static void another_log_is_found(void **state)
{
    const struct variant line = {.other_line = true}, twice = {.rereads = true};

    record(state, &plain, true);
    assert_said(state, &line,
                "byte 4 of what it is sent differs\n"
                "  the trace has      \"two\\n\"\n"
                "  the program sends  \"2nd\\n\"\n");
    assert_said(state, &twice, "it is sent more than 8 bytes\n");
    record(state, &plain, false);
    assert_said(state, &line, "what it is sent differs from byte 4 on, before byte 8\n");
    record(state, &twice, false);
    assert_said(state, &plain, "the program ends after 8 of 12 bytes\n");
}

/* Where it stood is not known, only where that is from there. */
static void what_was_opened_before_is_compared(void **state)
{
    const struct variant other = {.other_given = true}, more = {.further = 1},
                         less = {.further = -1};

    record(state, &plain, true);
    assert_said(state, &other, "the file made elsewhere (fd:3 of the trace): byte 1 of what it is");
    assert_said(state, &more,
                "the program asks for what the trace does not have\n"
                "  read fd:3 room=5 count=1, at byte 0 from where the file stood\n");
    assert_said(state, &less,
                "byte 0 of what is written goes elsewhere\n"
                "  the trace has       byte 4 from where the file stood, event ");
    assert_said(state, &less, "  the program writes  byte 3 from where the file stood\n");
}

/* --- Writes that take less --- */

enum { FULL = 1 << 16 }; /* bytes that a file may have while it is recorded */

/* Writes more than there may be, in pieces, until it is told so: what the writes answered. */
static void fill(struct tl_kernel *kernel, size_t piece, int64_t answers[static 3])
{
    static char data[FULL + 4];
    struct iovec iov = {data, piece};
    struct tl_message message = {.iov = &iov, .iov_count = 1};
    struct paths paths;
    ssize_t n;

    make_paths(&paths);
    int log = kernel->ops->open(kernel, paths.log, TL_OPEN_WRITE | TL_OPEN_CREATE, 0600);
    for (size_t i = 0, done = 0; i < 3; i++) {
        iov.iov_len = piece < sizeof data - done ? piece : sizeof data - done;
        answers[i] = n = kernel->ops->write(kernel, log, &message, 1);
        if (n < 0)
            break;
        done += (size_t)n;
    }
    (void)kernel->ops->close(kernel, log);
    (void)kernel->ops->unlink(kernel, paths.log);
    kernel->ops->destroy(kernel);
}

static void record_full(const char *path, size_t piece, int64_t answers[static 3])
{
    tl_trace_writer *writer;
    struct rlimit before, limit;
    struct tl_kernel *real;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = FULL;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(tl_real_kernel_new(&real), 0);
    fill(trace_record(real, path, NULL, &writer), piece, answers);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, handler);
    assert_int_equal(tl_trace_writer_close(writer), 0);
}

static void replay_full(const char *path, size_t piece, int64_t answers[static 3])
{
    tl_trace_reader *reader = trace_open(path);
    struct tl_kernel *kernel;
    const char *said;

    assert_int_equal(tl_stream_replay_kernel_new(reader, 0, &kernel), 0);
    fill(kernel, piece, answers);
    if (tl_replay_result(reader, &said) != TL_REPLAY_COMPLETE)
        fail_msg("%s", said);
    tl_trace_reader_close(reader);
}

/* Where the disk was full it is full again, after as many bytes. */
static void a_full_disk_stays_full(void **state)
{
    const char *path = ((struct trace_file *)*state)->path;
    int64_t answers[3];

    record_full(path, FULL - 6, answers);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(answers[0], FULL - 6);
        assert_int_equal(answers[1], 6);
        assert_int_equal(answers[2], -EFBIG);
        replay_full(path, FULL - 6, answers);
    }
    replay_full(path, FULL + 4, answers);
    assert_int_equal(answers[0], FULL);
    assert_int_equal(answers[1], -EFBIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRACE_TEST(a_refactored_program_gets_through),  TRACE_TEST(offsets_may_become_positions),
        TRACE_TEST(what_was_never_read_is_not_known),   TRACE_TEST(another_log_is_found),
        TRACE_TEST(what_was_opened_before_is_compared), TRACE_TEST(a_full_disk_stays_full),
    };

    return cmocka_run_group_tests_name("stream_replay_position", tests, NULL, NULL);
}
