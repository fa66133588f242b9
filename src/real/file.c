/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files, plain and synchronous: the system's, in our form.
 *
 * A call on a file waits for the disk where the system does; there is no readiness for files. They
 * are entered in the table of descriptors as what is no socket, so read and write work on them as
 * on pipes, at the position that the system keeps.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "real/real.h"

/* -EINVAL for a combination that kernel.h does not have. */
static int open_flags(unsigned flags)
{
    static const struct {
        unsigned ours;
        int theirs;
    } table[] = {
        {TL_OPEN_CREATE, O_CREAT},
        {TL_OPEN_TRUNCATE, O_TRUNC},
        {TL_OPEN_EXCLUSIVE, O_EXCL},
    };
    const unsigned both = TL_OPEN_READ | TL_OPEN_WRITE;
    int access = (flags & both) == both ? O_RDWR : (flags & TL_OPEN_WRITE) ? O_WRONLY : O_RDONLY;
    int theirs = access | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

    if ((flags & both) == 0)
        return -EINVAL;
    flags &= ~both;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if ((flags & table[i].ours) != 0) {
            theirs |= table[i].theirs;
            flags &= ~table[i].ours;
        }
    return flags == 0 ? theirs : -EINVAL;
}

int tl_real_open(struct tl_kernel *kernel, const char *path, unsigned flags, unsigned mode)
{
    struct tl_real *real = tl_real_of(kernel);
    int theirs = open_flags(flags);
    int fd;

    if (theirs < 0)
        return theirs;
    int r = tl_real_fds_reserve(real);
    if (r < 0)
        return r;
    do {
        fd = open(path, theirs, (mode_t)mode);
    } while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : tl_real_fds_take(real, fd, TL_REAL_PIPE);
}

ssize_t tl_real_pread(struct tl_kernel *kernel, int file, void *buf, size_t len, int64_t offset)
{
    ssize_t n;

    if (offset < 0)
        return -EINVAL;
    if (tl_real_fd(tl_real_of(kernel), file) == NULL)
        return -EBADF;
    do {
        n = pread(file, buf, len, offset);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

ssize_t tl_real_pwrite(struct tl_kernel *kernel, int file, const void *buf, size_t len,
                       int64_t offset)
{
    ssize_t n;

    if (offset < 0)
        return -EINVAL;
    if (tl_real_fd(tl_real_of(kernel), file) == NULL)
        return -EBADF;
    do {
        n = pwrite(file, buf, len, offset);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static uint32_t kind_of(mode_t mode)
{
    if (S_ISREG(mode))
        return TL_ADOPTED_FILE;
    if (S_ISFIFO(mode))
        return TL_ADOPTED_FIFO;
    if (S_ISSOCK(mode))
        return TL_ADOPTED_SOCKET;
    return S_ISCHR(mode) ? TL_ADOPTED_CHARDEV : TL_ADOPTED_OTHER;
}

int tl_real_stat(struct tl_kernel *kernel, const char *path, struct tl_stat *ret)
{
    struct stat status;

    (void)kernel;
    if (stat(path, &status) < 0)
        return -errno;
    *ret = (struct tl_stat){
        .size = status.st_size,
        .modified = status.st_mtim.tv_sec * TL_SECOND + status.st_mtim.tv_nsec,
        .kind = kind_of(status.st_mode),
        /* Inode numbers repeat from one device to another, device numbers are small. */
        .identity = (uint64_t)status.st_ino ^ (uint64_t)status.st_dev << 40,
    };
    return 0;
}

int tl_real_unlink(struct tl_kernel *kernel, const char *path)
{
    (void)kernel;
    return unlink(path) < 0 ? -errno : 0;
}

int tl_real_rename(struct tl_kernel *kernel, const char *source, const char *target)
{
    (void)kernel;
    return rename(source, target) < 0 ? -errno : 0;
}

int tl_real_fsync(struct tl_kernel *kernel, int file)
{
    int r;

    if (tl_real_fd(tl_real_of(kernel), file) == NULL)
        return -EBADF;
    do {
        r = fsync(file);
    } while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : 0;
}
