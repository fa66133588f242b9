/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seam itself, part three: pipes and socket pairs. How much a pipe holds and when it takes
 * more, what each end hears of the other's close, and with which errno.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <twinloop/error.h>
#include <unistd.h>
#include <cmocka.h>
#include "support/contract.h"
#include "support/seam.h"

/* What POSIX calls PIPE_BUF, and what Linux gives a pipe where pages are of 4096 bytes. */
enum { WHOLE = 4096, CAPACITY = 16 * WHOLE };

static const char many[300000];

struct pair {
    struct tl_kernel *kernel;
    int fds[2];
};

static void open_pair(struct pair *pair, struct contract *contract, enum tl_pipe_kind kind)
{
    pair->kernel = contract_kernel(contract);
    assert_int_equal(pair->kernel->ops->pipe(pair->kernel, kind, pair->fds), 0);
    assert_int_not_equal(pair->fds[0], pair->fds[1]);
}

static void done(struct pair *pair)
{
    pair->kernel->ops->destroy(pair->kernel);
}

static void close_end(struct pair *pair, int end)
{
    seam_close(pair->kernel, pair->fds[end]);
}

static ssize_t put(struct pair *pair, int end, size_t len)
{
    return seam_write(pair->kernel, pair->fds[end], many, len);
}

static ssize_t get(struct pair *pair, int end, size_t len)
{
    static char data[sizeof many];

    return seam_read(pair->kernel, pair->fds[end], data, len);
}

/* What poll says of an end at this moment. */
static unsigned ready(struct pair *pair, int end)
{
    static char token;
    struct tl_kernel *kernel = pair->kernel;
    struct tl_event event = {.ready = 0};

    assert_int_equal(kernel->ops->watch(kernel, pair->fds[end], TL_READABLE | TL_WRITABLE, &token),
                     0);
    int count = kernel->ops->poll(kernel, 0, &event, 1);
    assert_true(count == 0 || (count == 1 && event.token == &token));
    assert_int_equal(kernel->ops->watch(kernel, pair->fds[end], 0, NULL), 0);
    return count > 0 ? event.ready : 0;
}

/* --- Pipes ------------------------------------------------------------------------------------ */

static void bytes_go_one_way(struct contract *contract)
{
    struct pair pipe;
    char data[32];

    open_pair(&pipe, contract, TL_PIPE_ONE_WAY);
    assert_int_equal(ready(&pipe, 0), 0);
    assert_int_equal(ready(&pipe, 1), TL_WRITABLE);
    assert_int_equal(get(&pipe, 0, 1), -EAGAIN);
    seam_write_all(pipe.kernel, pipe.fds[1], "one ", 4);
    seam_write_all(pipe.kernel, pipe.fds[1], "two", 3);
    assert_int_equal(seam_await(pipe.kernel, pipe.fds[0], TL_READABLE), TL_READABLE);
    assert_int_equal(seam_read(pipe.kernel, pipe.fds[0], data, sizeof data), 7);
    assert_memory_equal(data, "one two", 7);
    assert_int_equal(get(&pipe, 0, 1), -EAGAIN);
    assert_int_equal(get(&pipe, 1, 1), -EBADF);
    assert_int_equal(put(&pipe, 0, 1), -EBADF);
    done(&pipe);
}

static void a_message_of_pieces(struct contract *contract)
{
    struct pair pipe;
    char first[2], second[8];
    struct iovec out[] = {{"ab", 2}, {"", 0}, {"cde", 3}};
    struct iovec in[] = {{first, sizeof first}, {second, sizeof second}};
    struct tl_message message = {.iov = out, .iov_count = 3};

    open_pair(&pipe, contract, TL_PIPE_ONE_WAY);
    assert_int_equal(pipe.kernel->ops->write(pipe.kernel, pipe.fds[1], &message, 1), 5);
    message = (struct tl_message){.iov = in, .iov_count = 2};
    assert_int_equal(pipe.kernel->ops->read(pipe.kernel, pipe.fds[0], &message, 1), 5);
    assert_memory_equal(first, "ab", 2);
    assert_memory_equal(second, "cde", 3);
    done(&pipe);
}

static void nothing_is_written_and_read(struct contract *contract)
{
    struct pair pipe;

    open_pair(&pipe, contract, TL_PIPE_ONE_WAY);
    assert_int_equal(put(&pipe, 1, 0), 0);
    assert_int_equal(get(&pipe, 0, 0), 0);
    assert_int_equal(get(&pipe, 0, 1), -EAGAIN);
    done(&pipe);
}

/* Also when there is less room than that. */
static void a_short_write_is_taken_whole_or_not_at_all(struct contract *contract)
{
    struct pair pipe;
    ssize_t n;
    size_t sum = 0;

    open_pair(&pipe, contract, TL_PIPE_ONE_WAY);
    while ((n = put(&pipe, 1, 3000)) == 3000)
        sum += 3000;
    assert_int_equal(n, -EAGAIN);
    while ((n = get(&pipe, 0, sizeof many)) > 0)
        sum -= (size_t)n;
    assert_int_equal(n, -EAGAIN);
    assert_int_equal(sum, 0);
    done(&pipe);
}

static void a_pipe_has_sixteen_slots(struct contract *contract)
{
    struct pair pipe;

    if (sysconf(_SC_PAGESIZE) != WHOLE)
        skip(); /* pages are of another size here */
    open_pair(&pipe, contract, TL_PIPE_ONE_WAY);
    for (int i = 0; i < 16; i++)
        assert_int_equal(put(&pipe, 1, 3000), 3000);
    assert_int_equal(put(&pipe, 1, 3000), -EAGAIN);
    assert_int_equal(ready(&pipe, 1), 0);
    /* The last slot has some room left. */
    assert_int_equal(put(&pipe, 1, 1000), 1000);
    assert_int_equal(put(&pipe, 1, 97), -EAGAIN);
    assert_int_equal(put(&pipe, 1, 96), 96);
    /* A slot is free when it is empty. */
    assert_int_equal(get(&pipe, 0, 2999), 2999);
    assert_int_equal(put(&pipe, 1, 1), -EAGAIN);
    assert_int_equal(ready(&pipe, 1), 0);
    assert_int_equal(get(&pipe, 0, 1), 1);
    assert_int_equal(ready(&pipe, 1), TL_WRITABLE);
    assert_int_equal(put(&pipe, 1, WHOLE), WHOLE);
    assert_int_equal(put(&pipe, 1, 1), -EAGAIN);
    done(&pipe);
}

static void a_long_write_is_taken_in_part(struct contract *contract)
{
    struct pair pipe;

    if (sysconf(_SC_PAGESIZE) != WHOLE)
        skip(); /* pages are of another size here */
    open_pair(&pipe, contract, TL_PIPE_ONE_WAY);
    assert_int_equal(put(&pipe, 1, sizeof many), CAPACITY);
    assert_int_equal(put(&pipe, 1, sizeof many), -EAGAIN);
    assert_int_equal(get(&pipe, 0, WHOLE), WHOLE);
    assert_int_equal(put(&pipe, 1, 5000), WHOLE);
    assert_int_equal(get(&pipe, 0, sizeof many), CAPACITY);
    /* What goes beyond whole pages joins what is there. */
    assert_int_equal(put(&pipe, 1, 1000), 1000);
    for (int i = 0; i < 15; i++)
        assert_int_equal(put(&pipe, 1, WHOLE), WHOLE);
    assert_int_equal(put(&pipe, 1, 5000), -EAGAIN);
    assert_int_equal(get(&pipe, 0, CAPACITY), 1000 + 15 * WHOLE);
    for (int i = 0; i < 15; i++)
        assert_int_equal(put(&pipe, 1, WHOLE), WHOLE);
    assert_int_equal(put(&pipe, 1, 1000), 1000);
    assert_int_equal(put(&pipe, 1, 5000), 904);
    done(&pipe);
}

static void the_end_comes_after_what_was_written(struct contract *contract)
{
    struct pair pipe;

    open_pair(&pipe, contract, TL_PIPE_ONE_WAY);
    assert_int_equal(put(&pipe, 1, 5), 5);
    close_end(&pipe, 1);
    assert_int_equal(ready(&pipe, 0), TL_READABLE | TL_HANGUP);
    assert_int_equal(get(&pipe, 0, 100), 5);
    assert_int_equal(ready(&pipe, 0), TL_HANGUP);
    assert_int_equal(get(&pipe, 0, 100), 0);
    assert_int_equal(get(&pipe, 0, 100), 0);
    done(&pipe);
}

static void a_writer_learns_that_nobody_reads(struct contract *contract)
{
    struct pair pipe;

    open_pair(&pipe, contract, TL_PIPE_ONE_WAY);
    close_end(&pipe, 0);
    assert_int_equal(ready(&pipe, 1), TL_WRITABLE | TL_FAULT);
    assert_int_equal(put(&pipe, 1, 1), -EPIPE);
    assert_int_equal(put(&pipe, 1, 0), 0);
    done(&pipe);
}

static void a_full_pipe_that_nobody_reads(struct contract *contract)
{
    struct pair pipe;

    open_pair(&pipe, contract, TL_PIPE_ONE_WAY);
    while (put(&pipe, 1, sizeof many) > 0)
        ;
    close_end(&pipe, 0);
    assert_int_equal(ready(&pipe, 1), TL_FAULT);
    assert_int_equal(put(&pipe, 1, 1), -EPIPE);
    done(&pipe);
}

/* A writer that only wants to know when the reader goes. */
static void the_readers_end_is_an_event_for_the_writer(struct contract *contract)
{
    static char token;
    struct pair pipe;
    struct tl_kernel *kernel;

    open_pair(&pipe, contract, TL_PIPE_ONE_WAY);
    kernel = pipe.kernel;
    assert_int_equal(kernel->ops->watch(kernel, pipe.fds[1], TL_READABLE, &token), 0);
    assert_int_equal(put(&pipe, 1, 1), 1);
    seam_expect_nothing(kernel, TL_MILLISECOND);
    close_end(&pipe, 0);
    struct tl_event event = seam_event(kernel);
    assert_ptr_equal(event.token, &token);
    assert_int_equal(event.ready, TL_FAULT);
    done(&pipe);
}

static void a_pipe_is_no_socket(struct contract *contract)
{
    struct pair pipe;
    struct tl_kernel *kernel;
    tl_addr addr = {.family = TL_FAMILY_UNIX};
    int value;

    open_pair(&pipe, contract, TL_PIPE_ONE_WAY);
    kernel = pipe.kernel;
    assert_int_equal(kernel->ops->bind(kernel, pipe.fds[0], &addr), -ENOTSOCK);
    assert_int_equal(kernel->ops->listen(kernel, pipe.fds[0], 1), -ENOTSOCK);
    assert_int_equal(kernel->ops->accept(kernel, pipe.fds[0], &addr), -ENOTSOCK);
    assert_int_equal(kernel->ops->connect(kernel, pipe.fds[1], &addr), -ENOTSOCK);
    assert_int_equal(kernel->ops->shutdown(kernel, pipe.fds[1], TL_SHUTDOWN_WRITE), -ENOTSOCK);
    assert_int_equal(kernel->ops->option(kernel, pipe.fds[0], TL_OPTION_ERROR, NULL, &value),
                     -ENOTSOCK);
    assert_int_equal(kernel->ops->address(kernel, pipe.fds[0], TL_ADDRESS_LOCAL, &addr), -ENOTSOCK);
    done(&pipe);
}

static void nothing_that_is_made_here_blocks(struct contract *contract)
{
    for (int kind = TL_PIPE_ONE_WAY; kind <= TL_PIPE_STREAM_PAIR; kind++) {
        struct pair pair;
        int one = 1;
        int value = 0;
        open_pair(&pair, contract, (enum tl_pipe_kind)kind);
        struct tl_kernel *kernel = pair.kernel;
        assert_int_equal(kernel->ops->option(kernel, pair.fds[0], TL_OPTION_NONBLOCK, NULL, &value),
                         0);
        assert_int_equal(value, 1);
        value = 0;
        assert_int_equal(kernel->ops->option(kernel, pair.fds[1], TL_OPTION_NONBLOCK, &one, &value),
                         0);
        assert_int_equal(value, 1);
        close_end(&pair, 0);
        assert_int_equal(kernel->ops->option(kernel, pair.fds[0], TL_OPTION_NONBLOCK, NULL, &value),
                         -EBADF);
        done(&pair);
    }
}

static void an_unknown_kind_is_refused(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int fds[2] = {-7, -7};

    assert_int_equal(kernel->ops->pipe(kernel, (enum tl_pipe_kind)2, fds), -EINVAL);
    assert_int_equal(fds[0], -7);
    assert_int_equal(fds[1], -7);
    kernel->ops->destroy(kernel);
}

/* --- Socket pairs ----------------------------------------------------------------------------- */

static void a_pair_talks_both_ways(struct contract *contract)
{
    struct pair pair;
    char data[8];

    open_pair(&pair, contract, TL_PIPE_STREAM_PAIR);
    assert_int_equal(ready(&pair, 0), TL_WRITABLE);
    seam_write_all(pair.kernel, pair.fds[0], "ping", 4);
    seam_write_all(pair.kernel, pair.fds[1], "pong", 4);
    assert_int_equal(seam_read_all(pair.kernel, pair.fds[1], data, 4), 4);
    assert_memory_equal(data, "ping", 4);
    assert_int_equal(seam_read_all(pair.kernel, pair.fds[0], data, 4), 4);
    assert_memory_equal(data, "pong", 4);
    assert_int_equal(get(&pair, 0, 1), -EAGAIN);
    assert_int_equal(put(&pair, 0, 0), 0);
    assert_int_equal(get(&pair, 1, 0), -EAGAIN); /* unlike a pipe */
    done(&pair);
}

static void a_pair_has_no_names(struct contract *contract)
{
    struct pair pair;
    tl_addr nobody = {.family = TL_FAMILY_UNIX};
    tl_addr addr;

    open_pair(&pair, contract, TL_PIPE_STREAM_PAIR);
    for (int side = TL_ADDRESS_LOCAL; side <= TL_ADDRESS_PEER; side++) {
        assert_int_equal(
            pair.kernel->ops->address(pair.kernel, pair.fds[0], (enum tl_address_side)side, &addr),
            0);
        assert_true(tl_addr_equal(&addr, &nobody));
    }
    done(&pair);
}

static void half_of_a_pair_is_shut_down(struct contract *contract)
{
    struct pair pair;

    open_pair(&pair, contract, TL_PIPE_STREAM_PAIR);
    assert_int_equal(put(&pair, 0, 3), 3);
    assert_int_equal(pair.kernel->ops->shutdown(pair.kernel, pair.fds[0], TL_SHUTDOWN_WRITE), 0);
    assert_int_equal(ready(&pair, 0), TL_WRITABLE);
    assert_int_equal(ready(&pair, 1), TL_READABLE | TL_WRITABLE);
    assert_int_equal(put(&pair, 0, 1), -EPIPE);
    assert_int_equal(get(&pair, 1, 10), 3);
    assert_int_equal(get(&pair, 1, 10), 0);
    assert_int_equal(put(&pair, 1, 4), 4);
    assert_int_equal(get(&pair, 0, 10), 4);
    assert_int_equal(pair.kernel->ops->shutdown(pair.kernel, pair.fds[0], TL_SHUTDOWN_READ), 0);
    assert_int_equal(ready(&pair, 0), TL_READABLE | TL_WRITABLE | TL_HANGUP);
    assert_int_equal(ready(&pair, 1), TL_READABLE | TL_WRITABLE | TL_HANGUP);
    assert_int_equal(put(&pair, 1, 1), -EPIPE);
    assert_int_equal(get(&pair, 0, 10), 0);
    done(&pair);
}

static void a_reader_that_shuts_down_is_not_written_to(struct contract *contract)
{
    struct pair pair;

    open_pair(&pair, contract, TL_PIPE_STREAM_PAIR);
    assert_int_equal(put(&pair, 1, 2), 2);
    assert_int_equal(pair.kernel->ops->shutdown(pair.kernel, pair.fds[0], TL_SHUTDOWN_READ), 0);
    assert_int_equal(put(&pair, 1, 1), -EPIPE);
    /* What came before can still be read. */
    assert_int_equal(get(&pair, 0, 10), 2);
    assert_int_equal(get(&pair, 0, 10), 0);
    assert_int_equal(put(&pair, 0, 3), 3);
    assert_int_equal(get(&pair, 1, 10), 3);
    done(&pair);
}

static void a_pair_ends(struct contract *contract)
{
    struct pair pair;

    open_pair(&pair, contract, TL_PIPE_STREAM_PAIR);
    assert_int_equal(put(&pair, 0, 2), 2);
    close_end(&pair, 0);
    assert_int_equal(ready(&pair, 1), TL_READABLE | TL_WRITABLE | TL_HANGUP);
    assert_int_equal(put(&pair, 1, 1), -EPIPE);
    assert_int_equal(get(&pair, 1, 10), 2);
    assert_int_equal(get(&pair, 1, 10), 0);
    done(&pair);
}

static void what_nobody_read_resets_the_other_end(struct contract *contract)
{
    struct pair pair;

    open_pair(&pair, contract, TL_PIPE_STREAM_PAIR);
    assert_int_equal(put(&pair, 0, 2), 2);
    assert_int_equal(put(&pair, 1, 2), 2);
    close_end(&pair, 0);
    assert_int_equal(ready(&pair, 1), TL_READABLE | TL_WRITABLE | TL_HANGUP | TL_FAULT);
    assert_int_equal(put(&pair, 1, 1), -EPIPE);
    assert_int_equal(get(&pair, 1, 10), 2);
    assert_int_equal(get(&pair, 1, 10), -ECONNRESET);
    assert_int_equal(get(&pair, 1, 10), 0);
    done(&pair);
}

static void a_pair_fills_and_drains(struct contract *contract)
{
    struct pair pair;
    size_t sent = 0, received = 0;
    ssize_t n;

    open_pair(&pair, contract, TL_PIPE_STREAM_PAIR);
    while ((n = put(&pair, 0, 10000)) > 0)
        sent += (size_t)n;
    assert_int_equal(n, -EAGAIN);
    assert_int_equal(ready(&pair, 0), 0);
    /* Writable when most of it has been read, which is long after a write would be taken. */
    while ((ready(&pair, 0) & TL_WRITABLE) == 0) {
        assert_int_equal(get(&pair, 1, 10000), 10000);
        received += 10000;
    }
    assert_true(received > sent / 2);
    assert_int_equal(seam_read_all(pair.kernel, pair.fds[1], (char[300000]){0}, sent - received),
                     sent - received);
    done(&pair);
}

/* The numbers are those of Linux 6.18 on x86-64, where the sizes of structures decide them. */
static void what_a_message_costs(struct contract *contract)
{
    static const struct {
        size_t len;
        int count;
        size_t last; /* how much was taken of the last write, when not all */
    } fills[] = {{1, 278, 1},         {100, 278, 100},    {300, 167, 300},   {900, 93, 900},
                 {2700, 49, 2700},    {8100, 24, 8100},   {24300, 9, 24300}, {72900, 3, 72900},
                 {218700, 1, 218700}, {300000, 1, 219264}};

    for (size_t i = 0; i < sizeof fills / sizeof *fills; i++) {
        struct pair pair;
        open_pair(&pair, contract, TL_PIPE_STREAM_PAIR);
        for (int k = 1; k < fills[i].count; k++)
            assert_int_equal(put(&pair, 0, fills[i].len), fills[i].len);
        assert_int_equal(put(&pair, 0, fills[i].len), fills[i].last);
        assert_int_equal(put(&pair, 0, fills[i].len), -EAGAIN);
        done(&pair);
    }
}

static void memory_runs_out(struct contract *contract)
{
    struct pair pair = {.kernel = contract_kernel(contract)};
    int kind = TL_PIPE_ONE_WAY;

    ladder_arm(contract->ladder);
    for (; kind <= TL_PIPE_STREAM_PAIR; kind++) {
        int r = pair.kernel->ops->pipe(pair.kernel, (enum tl_pipe_kind)kind, pair.fds);
        assert_true(r == 0 || r == -ENOMEM);
        if (r < 0)
            continue;
        ssize_t n = put(&pair, 1, 10);
        assert_true(n == 10 || n == -ENOMEM || n == -ENOBUFS);
        if (n == 10)
            assert_int_equal(get(&pair, 0, 100), 10);
        else
            assert_int_equal(get(&pair, 0, 100), -EAGAIN);
        close_end(&pair, 0);
        close_end(&pair, 1);
    }
    ladder_disarm(contract->ladder);
    done(&pair);
}

static const struct contract_case cases[] = {
    CONTRACT(bytes_go_one_way),
    CONTRACT(a_message_of_pieces),
    CONTRACT(nothing_is_written_and_read),
    CONTRACT(a_short_write_is_taken_whole_or_not_at_all),
    CONTRACT(a_pipe_has_sixteen_slots),
    CONTRACT(a_long_write_is_taken_in_part),
    CONTRACT(the_end_comes_after_what_was_written),
    CONTRACT(a_writer_learns_that_nobody_reads),
    CONTRACT(a_full_pipe_that_nobody_reads),
    CONTRACT(the_readers_end_is_an_event_for_the_writer),
    CONTRACT(a_pipe_is_no_socket),
    CONTRACT(nothing_that_is_made_here_blocks),
    CONTRACT(an_unknown_kind_is_refused),
    CONTRACT(a_pair_talks_both_ways),
    CONTRACT(a_pair_has_no_names),
    CONTRACT(half_of_a_pair_is_shut_down),
    CONTRACT(a_reader_that_shuts_down_is_not_written_to),
    CONTRACT(a_pair_ends),
    CONTRACT(what_nobody_read_resets_the_other_end),
    CONTRACT(a_pair_fills_and_drains),
    CONTRACT_ONLY(what_a_message_costs, CONTRACT_SIM | CONTRACT_REPLAY_SIM),
    CONTRACT_LADDER(memory_runs_out, 1),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "pipe", cases, sizeof cases / sizeof *cases);
}
