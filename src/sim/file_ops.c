/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operations of the simulated kernel on files.
 */
#include <errno.h>

#include "sim/kernel.h"

ssize_t tl_sim_sendfile(struct tl_kernel *kernel, int fd, int file, int64_t *offset, size_t count)
{
    (void)kernel;
    (void)fd;
    (void)file;
    (void)offset;
    (void)count;
    return -ENOSYS;
}

int tl_sim_open(struct tl_kernel *kernel, const char *path, unsigned flags, unsigned mode)
{
    (void)kernel;
    (void)path;
    (void)flags;
    (void)mode;
    return -ENOSYS;
}

ssize_t tl_sim_pread(struct tl_kernel *kernel, int file, void *buf, size_t len, int64_t offset)
{
    (void)kernel;
    (void)file;
    (void)buf;
    (void)len;
    (void)offset;
    return -ENOSYS;
}

ssize_t tl_sim_pwrite(struct tl_kernel *kernel, int file, const void *buf, size_t len,
                      int64_t offset)
{
    (void)kernel;
    (void)file;
    (void)buf;
    (void)len;
    (void)offset;
    return -ENOSYS;
}

int tl_sim_stat(struct tl_kernel *kernel, const char *path, struct tl_stat *ret)
{
    (void)kernel;
    (void)path;
    (void)ret;
    return -ENOSYS;
}

int tl_sim_unlink(struct tl_kernel *kernel, const char *path)
{
    (void)kernel;
    (void)path;
    return -ENOSYS;
}

int tl_sim_rename(struct tl_kernel *kernel, const char *source, const char *target)
{
    (void)kernel;
    (void)source;
    (void)target;
    return -ENOSYS;
}

int tl_sim_fsync(struct tl_kernel *kernel, int file)
{
    (void)kernel;
    (void)file;
    return -ENOSYS;
}
