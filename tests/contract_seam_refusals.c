/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seam itself: what is refused for what it is asked with, and which of several reasons is told;
 * and the one address that is no address and is taken, the end of a connection of datagrams.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "support/contract.h"
#include "support/seam.h"
#include "support/seam_datagram.h"

/* Every family of sockets, streams first. */
enum { STREAMS = 3, SOCKETS = 6 };

static void open_sockets(struct tl_kernel *kernel, int ret[SOCKETS])
{
    static const enum tl_family families[] = {TL_FAMILY_INET, TL_FAMILY_INET6, TL_FAMILY_UNIX};

    for (int i = 0; i < SOCKETS; i++) {
        ret[i] = kernel->ops->socket(kernel, families[i % STREAMS],
                                     i < STREAMS ? TL_STREAM : TL_DATAGRAM);
        assert_true(ret[i] >= 0);
    }
}

static int open_file(struct tl_kernel *kernel)
{
    char path[96];

    snprintf(path, sizeof path, "/tmp/twinloop-%d-refusals", (int)getpid());
    int fd = kernel->ops->open(kernel, path, TL_OPEN_READ | TL_OPEN_WRITE | TL_OPEN_CREATE, 0600);
    assert_true(fd >= 0);
    assert_int_equal(kernel->ops->unlink(kernel, path), 0);
    return fd;
}

static const tl_addr nobody = {.family = TL_FAMILY_NONE};
static const tl_addr strange = {.family = 77};
static const tl_addr too_long = {.family = TL_FAMILY_UNIX, .len = 109};

/* Every operation that is for sockets alone, with arguments that are wrong too. */
static void expect_from_all(struct tl_kernel *kernel, int fd, int error)
{
    const struct tl_kernel_ops *ops = kernel->ops;
    const tl_addr *addrs[] = {&nobody, &strange, &too_long};
    tl_addr addr = {0};
    int value = 1;

    for (int i = 0; i < 3; i++) {
        assert_int_equal(ops->bind(kernel, fd, addrs[i]), error);
        assert_int_equal(ops->connect(kernel, fd, addrs[i]), error);
    }
    assert_int_equal(ops->listen(kernel, fd, -1), error);
    assert_int_equal(ops->accept(kernel, fd, &addr), error);
    for (int how = TL_SHUTDOWN_READ; how <= TL_SHUTDOWN_BOTH + 2; how++)
        assert_int_equal(ops->shutdown(kernel, fd, (enum tl_shutdown)how), error);
    for (int side = TL_ADDRESS_LOCAL; side <= TL_ADDRESS_PEER + 2; side++)
        assert_int_equal(ops->address(kernel, fd, (enum tl_address_side)side, &addr), error);
    for (int option = TL_OPTION_ERROR; option <= TL_OPTION_COUNT + 2; option++) {
        if (option == TL_OPTION_NONBLOCK)
            continue; /* every descriptor has that one */
        assert_int_equal(ops->option(kernel, fd, (enum tl_option)option, &value, NULL), error);
        assert_int_equal(ops->option(kernel, fd, (enum tl_option)option, NULL, &value), error);
    }
}

static void what_is_no_socket_is_told_first(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int ends[2];

    assert_int_equal(kernel->ops->pipe(kernel, TL_PIPE_ONE_WAY, ends), 0);
    expect_from_all(kernel, ends[0], -ENOTSOCK);
    expect_from_all(kernel, ends[1], -ENOTSOCK);
    expect_from_all(kernel, open_file(kernel), -ENOTSOCK);
    expect_from_all(kernel, 9999, -EBADF);
    expect_from_all(kernel, -1, -EBADF);
    kernel->ops->destroy(kernel);
}

static void addresses_that_are_none(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int fds[SOCKETS];

    open_sockets(kernel, fds);
    for (int i = 0; i < SOCKETS; i++) {
        assert_int_equal(kernel->ops->bind(kernel, fds[i], &nobody), -EAFNOSUPPORT);
        assert_int_equal(kernel->ops->bind(kernel, fds[i], &strange), -EAFNOSUPPORT);
        assert_int_equal(kernel->ops->bind(kernel, fds[i], &too_long), -EINVAL);
        assert_int_equal(kernel->ops->connect(kernel, fds[i], &strange), -EAFNOSUPPORT);
        assert_int_equal(kernel->ops->connect(kernel, fds[i], &too_long), -EINVAL);
        if (i < STREAMS)
            continue;
        assert_int_equal(seam_send(kernel, fds[i], "x", 1, &nobody), -EAFNOSUPPORT);
        assert_int_equal(seam_send(kernel, fds[i], "x", 1, &strange), -EAFNOSUPPORT);
        assert_int_equal(seam_send(kernel, fds[i], "x", 1, &too_long), -EINVAL);
    }
    kernel->ops->destroy(kernel);
}

/* What comes before it has left. */
static void a_later_address_that_is_none(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    struct iovec iov = {"one", 3};
    tl_addr to;
    int reader = seam_bound(kernel, "127.0.0.1", &to);
    int writer = seam_datagrams(kernel, TL_FAMILY_INET);
    tl_addr none = strange;
    struct tl_message messages[] = {{.iov = &iov, .iov_count = 1, .addr = &to},
                                    {.iov = &iov, .iov_count = 1, .addr = &none},
                                    {.iov = &iov, .iov_count = 1, .addr = &to}};

    assert_int_equal(kernel->ops->write(kernel, writer, messages, 3), 1);
    assert_int_equal(kernel->ops->write(kernel, writer, messages + 1, 2), -EAFNOSUPPORT);
    seam_expect(kernel, reader, "one", NULL);
    seam_expect_no_datagram(kernel, reader);
    kernel->ops->destroy(kernel);
}

static void what_no_word_stands_for(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    const struct tl_kernel_ops *ops = kernel->ops;
    int fds[SOCKETS], ends[2], value = 1;
    tl_addr addr;

    open_sockets(kernel, fds);
    for (int i = 0; i < SOCKETS; i++) {
        assert_int_equal(ops->shutdown(kernel, fds[i], (enum tl_shutdown)3), -EINVAL);
        assert_int_equal(ops->address(kernel, fds[i], (enum tl_address_side)2, &addr), -EINVAL);
        assert_int_equal(ops->option(kernel, fds[i], TL_OPTION_COUNT, NULL, &value), -ENOPROTOOPT);
        assert_int_equal(ops->option(kernel, fds[i], TL_OPTION_COUNT, &value, NULL), -ENOPROTOOPT);
    }
    assert_int_equal(ops->socket(kernel, TL_FAMILY_INET, (enum tl_socket_type)3), -EINVAL);
    assert_int_equal(ops->socket(kernel, (enum tl_family)77, (enum tl_socket_type)3),
                     -EAFNOSUPPORT);
    assert_int_equal(ops->pipe(kernel, (enum tl_pipe_kind)2, ends), -EINVAL);
    kernel->ops->destroy(kernel);
}

/* --- Too many pieces --- */

enum { PIECES = 1025 }; /* one more than Linux takes */

static struct tl_message in_pieces(char *bytes, struct iovec iov[PIECES])
{
    for (int i = 0; i < PIECES; i++)
        iov[i] = (struct iovec){bytes + i, 1};
    return (struct tl_message){.iov = iov, .iov_count = PIECES};
}

static void streams_take_the_first_pieces(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    static char out[PIECES], in[PIECES];
    static struct iovec iov[PIECES];

    memset(out, 'x', sizeof out);
    for (int kind = 0; kind < 3; kind++) {
        struct tl_message message = in_pieces(out, iov);
        int ends[2];
        if (kind == 0)
            seam_connection(kernel, ends);
        else
            assert_int_equal(
                kernel->ops->pipe(kernel, kind == 1 ? TL_PIPE_STREAM_PAIR : TL_PIPE_ONE_WAY, ends),
                0);
        ssize_t n = kernel->ops->write(kernel, ends[1], &message, 1);
        assert_in_range(n, 1, PIECES - 1); /* or fewer, where writes are cut short by chance */
        assert_int_equal(message.iov_count, PIECES);
        seam_write_all(kernel, ends[1], out, (size_t)(PIECES - n));
        seam_await(kernel, ends[0], TL_READABLE);
        message = in_pieces(in, iov);
        assert_in_range(kernel->ops->read(kernel, ends[0], &message, 1), 1, PIECES - 1);
    }
    kernel->ops->destroy(kernel);
}

static void no_datagram_has_so_many(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    static char bytes[PIECES];
    static struct iovec iov[PIECES], one = {bytes, 3};
    tl_addr to;
    int reader = seam_bound(kernel, "127.0.0.1", &to);
    int writer = seam_datagrams(kernel, TL_FAMILY_INET);
    struct tl_message messages[] = {{.iov = &one, .iov_count = 1, .addr = &to},
                                    in_pieces(bytes, iov)};

    messages[1].addr = &to;
    assert_int_equal(kernel->ops->write(kernel, writer, messages + 1, 1), -EMSGSIZE);
    assert_int_equal(kernel->ops->write(kernel, writer, messages, 2), 1);
    seam_await(kernel, reader, TL_READABLE);
    assert_int_equal(kernel->ops->read(kernel, reader, messages + 1, 1), -EMSGSIZE);
    assert_int_equal(seam_receive(kernel, reader, bytes, sizeof bytes, NULL, NULL), 3);
    kernel->ops->destroy(kernel);
}

/* --- Connected to nobody --- */

static void datagrams_are_parted(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr to, peer;
    int reader = seam_bound(kernel, "127.0.0.1", &to);
    int writer = seam_datagrams(kernel, TL_FAMILY_INET);

    assert_int_equal(kernel->ops->connect(kernel, writer, &nobody), 0); /* nor was it before */
    assert_int_equal(kernel->ops->connect(kernel, writer, &to), 0);
    assert_int_equal(seam_send(kernel, writer, "one", 3, NULL), 3);
    seam_expect(kernel, reader, "one", NULL);
    assert_int_equal(kernel->ops->connect(kernel, writer, &nobody), 0);
    assert_int_equal(kernel->ops->address(kernel, writer, TL_ADDRESS_PEER, &peer), -ENOTCONN);
    assert_int_equal(seam_name(kernel, writer).port, 0); /* which it had not asked for */
    assert_int_equal(seam_send(kernel, writer, "two", 3, NULL), -EDESTADDRREQ);
    assert_int_equal(seam_send(kernel, writer, "three", 5, &to), 5);
    seam_expect(kernel, reader, "three", NULL);
    kernel->ops->destroy(kernel);
}

/* It hears from others again at the port that it had chosen. */
static void what_was_bound_stays(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_addr here = seam_deserted(kernel), there, elsewhere;
    int fd = seam_datagrams(kernel, TL_FAMILY_INET);
    int other = seam_bound(kernel, "127.0.0.1", &elsewhere);

    assert_int_equal(kernel->ops->bind(kernel, fd, &here), 0);
    (void)seam_bound(kernel, "127.0.0.1", &there);
    assert_int_equal(kernel->ops->connect(kernel, fd, &there), 0);
    assert_int_equal(kernel->ops->connect(kernel, fd, &nobody), 0);
    here = seam_name(kernel, fd);
    assert_int_equal(seam_send(kernel, other, "yes", 3, &here), 3);
    seam_expect(kernel, fd, "yes", &elsewhere);
    kernel->ops->destroy(kernel);
}

static void unix_datagrams_are_parted_too(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int one = seam_datagrams(kernel, TL_FAMILY_UNIX), two = seam_datagrams(kernel, TL_FAMILY_UNIX);
    const tl_addr any = {.family = TL_FAMILY_UNIX}; /* the system picks a name */
    tl_addr name, peer;

    assert_int_equal(kernel->ops->bind(kernel, two, &any), 0);
    name = seam_name(kernel, two);
    assert_int_equal(kernel->ops->connect(kernel, one, &name), 0);
    assert_int_equal(seam_send(kernel, one, "x", 1, NULL), 1);
    assert_int_equal(kernel->ops->connect(kernel, one, &nobody), 0);
    assert_int_equal(kernel->ops->address(kernel, one, TL_ADDRESS_PEER, &peer), -ENOTCONN);
    assert_int_equal(seam_send(kernel, one, "y", 1, NULL), -ENOTCONN);
    kernel->ops->destroy(kernel);
}

static void streams_are_not(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int fds[SOCKETS], ends[2];
    char data[4];

    open_sockets(kernel, fds);
    for (int i = 0; i < STREAMS; i++)
        assert_int_equal(kernel->ops->connect(kernel, fds[i], &nobody), -EAFNOSUPPORT);
    seam_connection(kernel, ends);
    assert_int_equal(kernel->ops->connect(kernel, ends[0], &nobody), -EAFNOSUPPORT);
    seam_write_all(kernel, ends[0], "data", 4);
    assert_int_equal(seam_read_all(kernel, ends[1], data, 4), 4);
    kernel->ops->destroy(kernel);
}

int main(int argc, char **argv)
{
    static const struct contract_case cases[] = {
        CONTRACT(what_is_no_socket_is_told_first),
        CONTRACT(addresses_that_are_none),
        CONTRACT(a_later_address_that_is_none),
        CONTRACT(what_no_word_stands_for),
        CONTRACT(streams_take_the_first_pieces),
        CONTRACT(no_datagram_has_so_many),
        CONTRACT(datagrams_are_parted),
        CONTRACT(what_was_bound_stays),
        CONTRACT(unix_datagrams_are_parted_too),
        CONTRACT(streams_are_not),
    };

    return contract_main(argc, argv, "seam_refusals", cases, sizeof cases / sizeof *cases);
}
