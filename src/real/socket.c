/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets and pipes: making, naming, connecting and closing them. What moves bytes is in
 * transfer.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>
#include "real/real.h"

static int family_number(enum tl_family family)
{
    switch (family) {
    case TL_FAMILY_INET:
        return AF_INET;
    case TL_FAMILY_INET6:
        return AF_INET6;
    case TL_FAMILY_UNIX:
        return AF_UNIX;
    case TL_FAMILY_NONE:
        break;
    }
    return -EAFNOSUPPORT;
}

int tl_real_socket(struct tl_kernel *kernel, enum tl_family family, enum tl_socket_type type)
{
    struct tl_real *real = tl_real_of(kernel);
    int number = family_number(family);
    int fd, r;

    if (number < 0)
        return number;
    if (type != TL_STREAM && type != TL_DATAGRAM)
        return -EINVAL;
    r = tl_real_fds_reserve(real);
    if (r < 0)
        return r;
    fd = socket(number,
                (type == TL_STREAM ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    return tl_real_fds_take(real, fd, type == TL_STREAM ? TL_REAL_STREAM : TL_REAL_DATAGRAM);
}

/* What is no socket is that before all else, as Linux looks at it before it looks at what is asked.
 */
static int get_socket(struct tl_kernel *kernel, int fd, const struct tl_real_fd **ret)
{
    *ret = tl_real_fd(tl_real_of(kernel), fd);
    if (*ret == NULL)
        return -EBADF;
    return (*ret)->kind == TL_REAL_PIPE ? -ENOTSOCK : 0;
}

int tl_real_bind(struct tl_kernel *kernel, int fd, const tl_addr *addr)
{
    const struct tl_real_fd *entry;
    struct sockaddr_storage storage;
    unsigned len;
    int r;

    r = get_socket(kernel, fd, &entry);
    if (r == 0)
        r = tl_real_addr_encode(addr, &storage, &len);
    if (r < 0)
        return r;
    return bind(fd, (struct sockaddr *)&storage, len) < 0 ? -errno : 0;
}

int tl_real_listen(struct tl_kernel *kernel, int fd, int backlog)
{
    if (tl_real_fd(tl_real_of(kernel), fd) == NULL)
        return -EBADF;
    return listen(fd, backlog) < 0 ? -errno : 0;
}

int tl_real_accept(struct tl_kernel *kernel, int fd, tl_addr *ret_peer)
{
    struct tl_real *real = tl_real_of(kernel);
    struct sockaddr_storage storage;
    socklen_t len = sizeof storage;
    int accepted, r;

    if (tl_real_fd(real, fd) == NULL)
        return -EBADF;
    /* Before, so that a connection is not lost to a failed allocation. */
    r = tl_real_fds_reserve(real);
    if (r < 0)
        return r;
    do {
        accepted = accept4(fd, (struct sockaddr *)&storage, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (accepted < 0 && errno == EINTR);
    if (accepted < 0)
        return -errno;
    accepted = tl_real_fds_take(real, accepted, TL_REAL_STREAM);
    if (accepted >= 0)
        tl_real_addr_decode(&storage, len, ret_peer);
    return accepted;
}

/* Where a connect goes: for a socket of datagrams, no address is the end of its connection. */
static int encode_peer(const struct tl_real_fd *entry, const tl_addr *addr,
                       struct sockaddr_storage *ret, unsigned *ret_len)
{
    if (addr->family != TL_FAMILY_NONE || entry->kind != TL_REAL_DATAGRAM)
        return tl_real_addr_encode(addr, ret, ret_len);
    *ret = (struct sockaddr_storage){.ss_family = AF_UNSPEC};
    *ret_len = sizeof(struct sockaddr);
    return 0;
}

int tl_real_connect(struct tl_kernel *kernel, int fd, const tl_addr *addr)
{
    const struct tl_real_fd *entry;
    struct sockaddr_storage storage;
    unsigned len;
    int r;

    r = get_socket(kernel, fd, &entry);
    if (r == 0)
        r = encode_peer(entry, addr, &storage, &len);
    if (r < 0)
        return r;
    if (connect(fd, (struct sockaddr *)&storage, len) == 0)
        return 0;
    /* Interrupted, the attempt goes on by itself (POSIX, connect). */
    return errno == EINTR ? -EINPROGRESS : -errno;
}

int tl_real_shutdown(struct tl_kernel *kernel, int fd, enum tl_shutdown how)
{
    static const int numbers[] = {SHUT_RD, SHUT_WR, SHUT_RDWR};
    const struct tl_real_fd *entry;
    int r;

    r = get_socket(kernel, fd, &entry);
    if (r < 0)
        return r;
    if ((unsigned)how > TL_SHUTDOWN_BOTH)
        return -EINVAL;
    return shutdown(fd, numbers[how]) < 0 ? -errno : 0;
}

/* O_NONBLOCK, which is no socket's option but a flag of the open file. */
static int nonblock(int fd, const int *set, int *ret)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0)
        return -errno;
    if (set != NULL) {
        int wanted = *set != 0 ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
        if (wanted != flags && fcntl(fd, F_SETFL, wanted) < 0)
            return -errno;
        flags = wanted;
    }
    if (ret != NULL)
        *ret = (flags & O_NONBLOCK) != 0;
    return 0;
}

int tl_real_option(struct tl_kernel *kernel, int fd, enum tl_option option, const int *set,
                   int *ret)
{
    static const struct {
        int level;
        int name;
    } numbers[TL_OPTION_COUNT] = {
        [TL_OPTION_ERROR] = {SOL_SOCKET, SO_ERROR},
        [TL_OPTION_REUSEADDR] = {SOL_SOCKET, SO_REUSEADDR},
        [TL_OPTION_REUSEPORT] = {SOL_SOCKET, SO_REUSEPORT},
        [TL_OPTION_V6ONLY] = {IPPROTO_IPV6, IPV6_V6ONLY},
        [TL_OPTION_NODELAY] = {IPPROTO_TCP, TCP_NODELAY},
        [TL_OPTION_KEEPALIVE] = {SOL_SOCKET, SO_KEEPALIVE},
        [TL_OPTION_BROADCAST] = {SOL_SOCKET, SO_BROADCAST},
        [TL_OPTION_SNDBUF] = {SOL_SOCKET, SO_SNDBUF},
        [TL_OPTION_RCVBUF] = {SOL_SOCKET, SO_RCVBUF},
    };
    const struct tl_real_fd *entry;
    int value = 0;
    socklen_t len = sizeof value;
    int r;

    r = get_socket(kernel, fd, &entry);
    if (entry != NULL && option == TL_OPTION_NONBLOCK)
        return nonblock(fd, set, ret);
    if (r < 0)
        return r;
    if ((unsigned)option >= TL_OPTION_COUNT)
        return -ENOPROTOOPT;
    int level = numbers[option].level;
    int name = numbers[option].name;
    if (set != NULL && setsockopt(fd, level, name, set, sizeof *set) < 0)
        return -errno;
    if (ret == NULL)
        return 0;
    if (getsockopt(fd, level, name, &value, &len) < 0)
        return -errno;
    *ret = value;
    return 0;
}

int tl_real_address(struct tl_kernel *kernel, int fd, enum tl_address_side side, tl_addr *ret)
{
    const struct tl_real_fd *entry;
    struct sockaddr_storage storage;
    socklen_t len = sizeof storage;
    int r;

    r = get_socket(kernel, fd, &entry);
    if (r < 0)
        return r;
    if (side != TL_ADDRESS_LOCAL && side != TL_ADDRESS_PEER)
        return -EINVAL;
    r = side == TL_ADDRESS_PEER ? getpeername(fd, (struct sockaddr *)&storage, &len)
                                : getsockname(fd, (struct sockaddr *)&storage, &len);
    if (r < 0)
        return -errno;
    tl_real_addr_decode(&storage, len, ret);
    return 0;
}

int tl_real_pipe(struct tl_kernel *kernel, enum tl_pipe_kind kind, int ret_fds[2])
{
    struct tl_real *real = tl_real_of(kernel);
    enum tl_real_kind entry = kind == TL_PIPE_ONE_WAY ? TL_REAL_PIPE : TL_REAL_STREAM;
    int fds[2];
    int r;

    if (kind != TL_PIPE_ONE_WAY && kind != TL_PIPE_STREAM_PAIR)
        return -EINVAL;
    r = tl_real_fds_reserve(real);
    if (r < 0)
        return r;
    if (kind == TL_PIPE_ONE_WAY)
        r = pipe2(fds, O_NONBLOCK | O_CLOEXEC);
    else
        r = socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds);
    if (r < 0)
        return -errno;
    r = tl_real_fds_take(real, fds[0], entry);
    if (r < 0)
        goto fail_first;
    r = tl_real_fds_take(real, fds[1], entry);
    if (r < 0)
        goto fail_second;
    ret_fds[0] = fds[0];
    ret_fds[1] = fds[1];
    return 0;

fail_second:
    tl_real_fds_forget(real, fds[0]);
    close(fds[0]);
    return r;
fail_first:
    close(fds[1]);
    return r;
}

int tl_real_close(struct tl_kernel *kernel, int fd)
{
    struct tl_real *real = tl_real_of(kernel);

    if (tl_real_fd(real, fd) == NULL)
        return -EBADF;
    tl_real_fds_forget(real, fd);
    /* Linux frees the number even when close reports an error, so there is nothing to repeat, and
     * what EIO tells was lost long ago. */
    return close(fd) < 0 && errno == EBADF ? -EBADF : 0;
}
