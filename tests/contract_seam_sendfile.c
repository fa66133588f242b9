/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seam itself: sendfile, from a file to whatever takes bytes, with the errno that Linux gives
 * and in the order in which it asks.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <cmocka.h>
#include "support/contract.h"
#include "support/scene.h"
#include "support/seam.h"

enum { LARGE = 4 << 20 };

/* A file without a name. */
static int nameless(struct tl_kernel *kernel, unsigned access)
{
    char path[96];

    snprintf(path, sizeof path, "/tmp/twinloop-%d-sendfile", (int)getpid());
    int fd = kernel->ops->open(kernel, path, access | TL_OPEN_CREATE, 0600);
    assert_true(fd >= 0);
    assert_int_equal(kernel->ops->unlink(kernel, path), 0);
    return fd;
}

static int file_with(struct tl_kernel *kernel, const char *text)
{
    int fd = nameless(kernel, TL_OPEN_READ | TL_OPEN_WRITE);

    assert_int_equal(kernel->ops->pwrite(kernel, fd, text, strlen(text), 0), strlen(text));
    return fd;
}

/* The pattern, size bytes of it. */
static int large_file(struct tl_kernel *kernel, size_t size)
{
    int fd = nameless(kernel, TL_OPEN_READ | TL_OPEN_WRITE);
    char *data = malloc(size);

    assert_non_null(data);
    for (size_t i = 0; i < size; i++)
        data[i] = pattern_byte(i);
    assert_int_equal(kernel->ops->pwrite(kernel, fd, data, size, 0), size);
    free(data);
    return fd;
}

#define SEND(fd, file, offset, count) kernel->ops->sendfile(kernel, fd, file, offset, count, NULL)

static void a_part_of_a_file_goes_out(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int file = file_with(kernel, "hello world");
    int64_t offset = 6;
    char data[16];
    int ends[2];

    seam_connection(kernel, ends);
    assert_int_equal(SEND(ends[0], file, &offset, 3), 3);
    assert_int_equal(offset, 9);
    assert_int_equal(SEND(ends[0], file, &offset, 1000), 2);
    assert_int_equal(offset, 11);
    assert_int_equal(seam_read_all(kernel, ends[1], data, 5), 5);
    assert_memory_equal(data, "world", 5);
    kernel->ops->destroy(kernel);
}

struct seen {
    struct tl_witness witness;
    char data[16];
    size_t len;
};

static void see(struct tl_witness *witness, const void *data, size_t len)
{
    struct seen *seen = tl_container_of(witness, struct seen, witness);

    assert_true(len <= sizeof seen->data - seen->len);
    memcpy(seen->data + seen->len, data, len);
    seen->len += len;
}

/* What was sent, no more; a strict replay has nothing to show. */
static void a_witness_sees_what_goes_out(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int file = file_with(kernel, "hello world");
    struct seen seen = {.witness.see = see};
    int64_t offset = 6;
    int ends[2];

    seam_connection(kernel, ends);
    assert_int_equal(kernel->ops->sendfile(kernel, ends[0], file, &offset, 1000, &seen.witness), 5);
    assert_int_equal(kernel->ops->sendfile(kernel, ends[0], file, &offset, 1, &seen.witness), 0);
    offset = -1;
    assert_int_equal(kernel->ops->sendfile(kernel, ends[0], file, &offset, 1, &seen.witness),
                     -EINVAL);
    if (contract->reader == NULL) {
        assert_int_equal(seen.len, 5);
        assert_memory_equal(seen.data, "world", 5);
    }
    kernel->ops->destroy(kernel);
}

static void at_the_end_nothing_goes_out(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int file = file_with(kernel, "text"), empty = file_with(kernel, "");
    int64_t offset = 4;
    int ends[2];

    seam_connection(kernel, ends);
    assert_int_equal(SEND(ends[0], file, &offset, 10), 0);
    assert_int_equal(offset, 4);
    offset = 400;
    assert_int_equal(SEND(ends[0], file, &offset, 10), 0);
    offset = 0;
    assert_int_equal(SEND(ends[0], empty, &offset, 10), 0);
    assert_int_equal(SEND(ends[0], file, &offset, 0), 0);
    assert_int_equal(offset, 0);
    kernel->ops->destroy(kernel);
}

static void a_full_buffer_takes_a_part(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int file = large_file(kernel, LARGE);
    int64_t offset = 0;
    ssize_t n;
    size_t wrong = 0, received = 0;
    char data[4096];
    int ends[2];

    seam_connection(kernel, ends);
    while ((n = SEND(ends[0], file, &offset, (size_t)(LARGE - offset))) > 0)
        ;
    assert_int_equal(n, -EAGAIN);
    assert_true(offset > 0 && offset < LARGE);
    while (received < LARGE) {
        size_t len = seam_read_all(kernel, ends[1], data, sizeof data);
        for (size_t i = 0; i < len; i++)
            wrong += data[i] != pattern_byte(received + i);
        assert_true(len > 0);
        received += len;
        if (offset < LARGE) {
            n = SEND(ends[0], file, &offset, (size_t)(LARGE - offset));
            assert_true(n > 0 || n == -EAGAIN);
        }
    }
    assert_int_equal(received, LARGE);
    assert_int_equal(wrong, 0);
    kernel->ops->destroy(kernel);
}

static void a_pipe_takes_it_too(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int file = file_with(kernel, "text"), large = large_file(kernel, LARGE);
    int64_t offset = 1;
    char data[16];
    int pipe[2];

    assert_int_equal(kernel->ops->pipe(kernel, TL_PIPE_ONE_WAY, pipe), 0);
    assert_int_equal(SEND(pipe[1], file, &offset, 100), 3);
    assert_int_equal(seam_read(kernel, pipe[0], data, sizeof data), 3);
    assert_memory_equal(data, "ext", 3);
    offset = 0;
    assert_int_equal(SEND(pipe[1], large, &offset, LARGE), 65536);
    assert_int_equal(SEND(pipe[1], large, &offset, LARGE), -EAGAIN);
    assert_int_equal(offset, 65536);
    /* Unlike a socket, a pipe is asked first. */
    offset = 4;
    assert_int_equal(SEND(pipe[1], file, &offset, 1), -EAGAIN);
    seam_close(kernel, pipe[0]);
    assert_int_equal(SEND(pipe[1], file, &offset, 1), -EPIPE);
    kernel->ops->destroy(kernel);
}

static void a_file_takes_it_at_its_position(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int file = file_with(kernel, "text"), target = file_with(kernel, "0123456789");
    int64_t offset = 0;
    char data[16];

    assert_int_equal(seam_read(kernel, target, data, 2), 2);
    assert_int_equal(SEND(target, file, &offset, 4), 4);
    assert_int_equal(seam_read(kernel, target, data, 16), 4);
    assert_memory_equal(data, "6789", 4);
    assert_int_equal(kernel->ops->pread(kernel, target, data, 16, 0), 10);
    assert_memory_equal(data, "01text6789", 10);
    kernel->ops->destroy(kernel);
}

/* Each page of the file has one of a pipe's sixteen slots to itself, and nothing is added to it. */
static void a_pipe_takes_pages(struct contract *contract)
{
    enum { PAGE = 4096, ODD = 100 };
    struct tl_kernel *kernel = contract_kernel(contract);
    int file = large_file(kernel, 20 * PAGE);
    static char data[17 * PAGE];
    int64_t offset = ODD;
    int ends[2];

    assert_int_equal(kernel->ops->pipe(kernel, TL_PIPE_ONE_WAY, ends), 0);
    assert_int_equal(SEND(ends[1], file, &offset, 2 * PAGE), 2 * PAGE); /* three slots */
    assert_int_equal(seam_write(kernel, ends[1], "x", 1), 1);           /* and one more */
    assert_int_equal(seam_write(kernel, ends[1], "y", 1), 1);           /* which has room */
    assert_int_equal(SEND(ends[1], file, &offset, 20 * PAGE), 12 * PAGE - ODD);
    assert_int_equal(seam_write(kernel, ends[1], "z", 1), -EAGAIN);
    assert_int_equal(SEND(ends[1], file, &offset, 1), -EAGAIN);
    assert_int_equal(seam_read(kernel, ends[0], data, sizeof data), 14 * PAGE - ODD + 2);
    for (size_t i = 0; i < 14 * PAGE - ODD + 2; i++) {
        size_t from = ODD + (i < 2 * PAGE ? i : i - 2);
        char other = i == 2 * PAGE ? 'x' : 'y';
        bool own = i == 2 * PAGE || i == 2 * PAGE + 1;
        assert_int_equal(data[i], own ? other : (char)pattern_byte(from));
    }
    kernel->ops->destroy(kernel);
}

/* Linux before 6.5 copied what it sent of a file, or counted it in other pieces. */
static bool counts_pages(const struct contract *contract)
{
    struct utsname name;
    unsigned major = 0, minor = 0;

    if (strstr(contract->world, "real") == NULL)
        return true;
    assert_int_equal(uname(&name), 0);
    assert_int_equal(sscanf(name.release, "%u.%u", &major, &minor), 2);
    return major > 6 || (major == 6 && minor >= 5);
}

/* The pages of a file cost the writer less than bytes that were copied, and sixteen of them are one
 * message. */
static void a_unix_stream_takes_pages(struct contract *contract)
{
    enum { ROOM = 20000, SMALL = 5000, PAGES = 65536, SIZE = 3 * PAGES };
    struct tl_kernel *kernel = contract_kernel(contract);
    int file = large_file(kernel, SIZE);
    static char data[SIZE];
    int room = ROOM, count = 0;
    int64_t offset;
    int ends[2];

    if (!counts_pages(contract)) {
        kernel->ops->destroy(kernel);
        return;
    }
    assert_int_equal(kernel->ops->pipe(kernel, TL_PIPE_STREAM_PAIR, ends), 0);
    assert_int_equal(kernel->ops->option(kernel, ends[0], TL_OPTION_SNDBUF, &room, NULL), 0);
    for (offset = 0; SEND(ends[0], file, &offset, SMALL) == SMALL; offset = 0)
        count++;
    assert_int_equal(count, 7); /* each counts 768 more than its bytes, of 40,000 */
    assert_int_equal(seam_read(kernel, ends[1], data, sizeof data), count * SMALL);
    offset = 10;
    assert_int_equal(SEND(ends[0], file, &offset, SIZE), PAGES - 10);
    assert_int_equal(SEND(ends[0], file, &offset, SIZE), -EAGAIN);
    assert_int_equal(seam_read(kernel, ends[1], data, PAGES - 11), PAGES - 11);
    assert_int_equal(SEND(ends[0], file, &offset, SIZE), -EAGAIN); /* until its last byte is read */
    assert_int_equal(seam_read(kernel, ends[1], data + PAGES - 11, 1), 1);
    for (size_t i = 0; i < PAGES - 10; i++)
        assert_int_equal(data[i], (char)pattern_byte(i + 10));
    assert_int_equal(SEND(ends[0], file, &offset, SIZE), PAGES);
    kernel->ops->destroy(kernel);
}

/* What comes out again is found behind it, for as long as there is something to send. */
static void a_file_may_be_sent_to_itself(struct contract *contract)
{
    enum { SIZE = 10000, COUNT = 25000 };
    struct tl_kernel *kernel = contract_kernel(contract);
    int file = large_file(kernel, SIZE);
    static char data[SIZE + COUNT + 1];
    int64_t offset = 0;

    assert_int_equal(kernel->ops->pread(kernel, file, data, SIZE, 0), SIZE);
    assert_int_equal(seam_read(kernel, file, data, SIZE), SIZE); /* its position is its end */
    assert_int_equal(SEND(file, file, &offset, COUNT), COUNT);
    assert_int_equal(offset, COUNT);
    assert_int_equal(kernel->ops->pread(kernel, file, data, sizeof data, 0), SIZE + COUNT);
    for (size_t i = 0; i < SIZE + COUNT; i++)
        assert_int_equal(data[i], pattern_byte(i % SIZE));
    kernel->ops->destroy(kernel);
}

static void both_ends_are_checked(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int file = file_with(kernel, "text"), writer = nameless(kernel, TL_OPEN_WRITE);
    int folder = kernel->ops->open(kernel, "/tmp", TL_OPEN_READ, 0);
    int reader = nameless(kernel, TL_OPEN_READ);
    int64_t offset = 0, before = -1;
    int ends[2], pipe[2];

    seam_connection(kernel, ends);
    assert_int_equal(kernel->ops->pipe(kernel, TL_PIPE_ONE_WAY, pipe), 0);
    assert_int_equal(SEND(ends[0], 9999, &offset, 1), -EBADF);
    assert_int_equal(SEND(9999, file, &offset, 1), -EBADF);
    assert_int_equal(SEND(9999, file, &offset, 0), -EBADF);
    assert_int_equal(SEND(ends[0], writer, &offset, 1), -EBADF);
    assert_int_equal(SEND(reader, file, &offset, 1), -EBADF);
    assert_int_equal(SEND(folder, file, &offset, 1), -EBADF);
    assert_int_equal(SEND(pipe[0], file, &offset, 1), -EBADF);
    assert_int_equal(SEND(ends[0], folder, &offset, 1), -EINVAL);
    assert_int_equal(SEND(ends[0], ends[1], &offset, 1), -ESPIPE);
    assert_int_equal(SEND(ends[0], pipe[0], &offset, 1), -ESPIPE);
    assert_int_equal(SEND(ends[0], file, &before, 1), -EINVAL);
    assert_int_equal(SEND(9999, file, &before, 1), -EINVAL); /* what is read comes first */
    assert_int_equal(SEND(9999, pipe[0], &offset, 1), -ESPIPE);
    assert_int_equal(SEND(ends[0], file, &offset, SIZE_MAX), -EINVAL);
    assert_int_equal(offset, 0);
    seam_expect_nothing(kernel, 0);
    kernel->ops->destroy(kernel);
}

static void sockets_that_cannot_send_say_so(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int file = file_with(kernel, "text");
    int64_t offset = 0, end = 4;
    tl_addr where;
    int ends[2];
    int listener = seam_listen(kernel, 1, &where);
    int fresh = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
    int local = kernel->ops->socket(kernel, TL_FAMILY_UNIX, TL_STREAM);

    assert_int_equal(SEND(fresh, file, &offset, 4), -EPIPE);
    assert_int_equal(SEND(listener, file, &offset, 4), -EPIPE);
    assert_int_equal(SEND(local, file, &offset, 4), -ENOTCONN);
    assert_int_equal(SEND(fresh, file, &end, 4), 0);
    seam_connection(kernel, ends);
    assert_int_equal(kernel->ops->shutdown(kernel, ends[0], TL_SHUTDOWN_WRITE), 0);
    assert_int_equal(SEND(ends[0], file, &offset, 4), -EPIPE);
    assert_int_equal(SEND(ends[0], file, &end, 4), 0);
    assert_int_equal(offset, 0);
    kernel->ops->destroy(kernel);
}

static void a_peer_that_is_gone_is_told(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int file = file_with(kernel, "text");
    int64_t offset = 0;
    int ends[2];

    seam_connection(kernel, ends);
    assert_int_equal(SEND(ends[1], file, &offset, 4), 4);
    seam_await(kernel, ends[0], TL_READABLE);
    seam_close(kernel, ends[0]); /* with something unread: a reset */
    seam_await(kernel, ends[1], TL_READABLE);
    offset = 0;
    assert_int_equal(SEND(ends[1], file, &offset, 4), -ECONNRESET);
    assert_int_equal(SEND(ends[1], file, &offset, 4), -EPIPE);
    assert_int_equal(offset, 0);
    kernel->ops->destroy(kernel);
}

/* The first of it is answered by a reset while the rest goes out: that much was sent, and the
 * signal that Linux raises for the rest is nobody's business. */
static void a_reset_in_the_middle_is_no_signal(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int file = large_file(kernel, LARGE);
    int64_t offset = 0;
    int ends[2];

    seam_connection(kernel, ends);
    seam_close(kernel, ends[0]);
    seam_await(kernel, ends[1], TL_READABLE);
    assert_true(SEND(ends[1], file, &offset, LARGE) > 0);
    assert_true(offset > 0);
    kernel->ops->destroy(kernel);
}

int main(int argc, char **argv)
{
    static const struct contract_case cases[] = {
        CONTRACT(a_part_of_a_file_goes_out),
        CONTRACT(a_witness_sees_what_goes_out),
        CONTRACT(at_the_end_nothing_goes_out),
        CONTRACT(a_full_buffer_takes_a_part),
        CONTRACT(a_pipe_takes_it_too),
        CONTRACT(a_file_takes_it_at_its_position),
        CONTRACT(a_pipe_takes_pages),
        CONTRACT(a_unix_stream_takes_pages),
        CONTRACT(a_file_may_be_sent_to_itself),
        CONTRACT(both_ends_are_checked),
        CONTRACT(sockets_that_cannot_send_say_so),
        CONTRACT(a_peer_that_is_gone_is_told),
        CONTRACT(a_reset_in_the_middle_is_no_signal),
    };

    return contract_main(argc, argv, "seam_sendfile", cases, sizeof cases / sizeof *cases);
}
