/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of a loop's kernel: thin over the seam. A file is one of the program's own descriptors
 * (fd.c), which a sendfile may hold on to.
 */
#include <errno.h>
#include <twinloop/file.h>

#include "core/fd.h"

int tl_fd_hold(tl_loop *loop, int file, struct tl_fd **ret)
{
    int r = tl_fd_get(loop, (tl_socket){file}, ret);
    if (r == 0)
        (*ret)->holders++;
    return r;
}

void tl_fd_unhold(struct tl_fd *fd)
{
    fd->holders--;
    tl_fd_done(fd);
}

/* The kernel of a loop that is open. */
static int kernel_of(tl_loop *loop, struct tl_kernel **ret)
{
    if (loop == NULL)
        return -EINVAL;
    if (!tl_loop_open(loop))
        return TL_ECLOSED;
    *ret = loop->kernel;
    return 0;
}

/* The same for a call on a file, which is held until the call has ended. */
static int begin(tl_loop *loop, int file, struct tl_fd **ret_fd, struct tl_kernel **ret)
{
    int r = kernel_of(loop, ret);
    return r < 0 ? r : tl_fd_hold(loop, file, ret_fd);
}

static ssize_t end(struct tl_fd *fd, ssize_t result)
{
    tl_fd_unhold(fd);
    return result;
}

/* --- By path ---------------------------------------------------------------------------------- */

int tl_loop_open_file(tl_loop *loop, const char *path, unsigned flags, unsigned mode)
{
    struct tl_kernel *kernel;
    int r = path == NULL ? -EINVAL : kernel_of(loop, &kernel);
    if (r < 0)
        return r;
    int file = kernel->ops->open(kernel, path, flags, mode);
    r = file < 0 ? file : tl_fd_add(loop, file, TL_ADOPTED_FILE, NULL);
    return r < 0 ? r : file;
}

int tl_loop_stat_file(tl_loop *loop, const char *path, struct tl_stat *ret)
{
    struct tl_kernel *kernel;
    int r = path == NULL || ret == NULL ? -EINVAL : kernel_of(loop, &kernel);
    return r < 0 ? r : kernel->ops->stat(kernel, path, ret);
}

int tl_loop_unlink_file(tl_loop *loop, const char *path)
{
    struct tl_kernel *kernel;
    int r = path == NULL ? -EINVAL : kernel_of(loop, &kernel);
    return r < 0 ? r : kernel->ops->unlink(kernel, path);
}

int tl_loop_rename_file(tl_loop *loop, const char *source, const char *target)
{
    struct tl_kernel *kernel;
    int r = source == NULL || target == NULL ? -EINVAL : kernel_of(loop, &kernel);
    return r < 0 ? r : kernel->ops->rename(kernel, source, target);
}

/* --- By descriptor ---------------------------------------------------------------------------- */

int tl_loop_close_file(tl_loop *loop, int file)
{
    return tl_socket_close(loop, (tl_socket){file});
}

ssize_t tl_loop_read_file(tl_loop *loop, int file, void *buf, size_t len, int64_t offset)
{
    struct tl_kernel *kernel;
    struct tl_fd *fd;
    int r = buf == NULL && len > 0 ? -EINVAL : begin(loop, file, &fd, &kernel);
    return r < 0 ? r : end(fd, kernel->ops->pread(kernel, file, buf, len, offset));
}

ssize_t tl_loop_write_file(tl_loop *loop, int file, const void *data, size_t len, int64_t offset)
{
    struct tl_kernel *kernel;
    struct tl_fd *fd;
    int r = data == NULL && len > 0 ? -EINVAL : begin(loop, file, &fd, &kernel);
    return r < 0 ? r : end(fd, kernel->ops->pwrite(kernel, file, data, len, offset));
}

int tl_loop_sync_file(tl_loop *loop, int file)
{
    struct tl_kernel *kernel;
    struct tl_fd *fd;
    int r = begin(loop, file, &fd, &kernel);
    return r < 0 ? r : (int)end(fd, kernel->ops->fsync(kernel, file));
}
