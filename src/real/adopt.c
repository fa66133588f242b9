/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors that the program got without this kernel: looked at once, and entered.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include "real/real.h"

static int socket_int(int fd, int name)
{
    int value = 0;
    socklen_t len = sizeof value;

    return getsockopt(fd, SOL_SOCKET, name, &value, &len) == 0 ? value : 0;
}

static enum tl_adopted_kind socket_kind(int fd)
{
    switch (socket_int(fd, SO_TYPE)) {
    case SOCK_STREAM:
        return socket_int(fd, SO_ACCEPTCONN) != 0 ? TL_ADOPTED_LISTENER : TL_ADOPTED_STREAM;
    case SOCK_DGRAM:
        return TL_ADOPTED_DATAGRAM;
    default:
        return TL_ADOPTED_SOCKET;
    }
}

static void look_at_socket(int fd, struct tl_adopted *ret)
{
    struct sockaddr_storage storage;
    socklen_t len = sizeof storage;

    ret->kind = socket_kind(fd);
    if (getsockname(fd, (struct sockaddr *)&storage, &len) == 0)
        tl_real_addr_decode(&storage, len, &ret->local);
    len = sizeof storage;
    if (getpeername(fd, (struct sockaddr *)&storage, &len) == 0)
        tl_real_addr_decode(&storage, len, &ret->peer);
}

static int look_at(int fd, struct tl_adopted *ret, enum tl_real_kind *ret_kind)
{
    struct stat status;
    int flags;

    if (fstat(fd, &status) < 0)
        return -errno;
    flags = fcntl(fd, F_GETFL);
    if (flags < 0)
        return -errno;
    *ret = (struct tl_adopted){.nonblocking = (flags & O_NONBLOCK) != 0};
    *ret_kind = TL_REAL_PIPE;
    if (S_ISSOCK(status.st_mode)) {
        look_at_socket(fd, ret);
        *ret_kind = ret->kind == TL_ADOPTED_STREAM || ret->kind == TL_ADOPTED_LISTENER
                        ? TL_REAL_STREAM
                        : TL_REAL_DATAGRAM;
    } else if (S_ISFIFO(status.st_mode)) {
        ret->kind = TL_ADOPTED_FIFO;
    } else if (S_ISCHR(status.st_mode)) {
        ret->kind = TL_ADOPTED_CHARDEV;
    } else if (S_ISREG(status.st_mode)) {
        ret->kind = TL_ADOPTED_FILE;
    } else {
        ret->kind = TL_ADOPTED_OTHER;
    }
    return 0;
}

int tl_real_adopt(struct tl_kernel *kernel, int fd, struct tl_adopted *ret)
{
    struct tl_real *real = tl_real_of(kernel);
    struct tl_adopted found;
    enum tl_real_kind kind = TL_REAL_NONE;
    int r;

    if ((unsigned)fd < real->fds_count && real->fds[fd].kind != TL_REAL_NONE)
        return -EEXIST;
    r = look_at(fd, &found, &kind);
    if (r < 0)
        return r;
    r = tl_real_fds_add(real, fd, kind);
    if (r < 0)
        return r;
    real->fds[fd].adopted = true;
    *ret = found;
    return 0;
}

int tl_real_release(struct tl_kernel *kernel, int fd)
{
    struct tl_real *real = tl_real_of(kernel);

    if (tl_real_fd(real, fd) == NULL)
        return -EBADF;
    tl_real_fds_forget(real, fd);
    return 0;
}
