/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The real kernel as a whole: making one, destroying one, and the table of its operations.
 *
 * tl_real_kernel_new is called by the default policy for each loop, and by programs that wrap the
 * kernel. It lives until destroy, which the loop calls when it is closed. Each concern has a file
 * of its own; see real.h.
 */
#include "real/real.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <twinloop/real.h>
#include <unistd.h>

#include "core/alloc.h"

/* A forked child shares the epoll instance with its parent: it must close its descriptors without
 * unregistering them, and has no worker threads. */
static void real_destroy(struct tl_kernel *kernel)
{
    struct tl_real *real = tl_real_of(kernel);
    bool forked = getpid() != real->pid;

    tl_real_signals_finish(real);
    tl_real_jobs_finish(real, forked);
    tl_real_resolver_finish(real, forked);
    tl_real_posts_finish(real);
    tl_real_children_finish(real);
    tl_real_fds_finish(real);
    close(real->epoll);
    tl_free(real);
}

/* --- The table --- */

static const struct tl_kernel_ops real_ops = {
    .name = "real",
    .destroy = real_destroy,
    .now = tl_real_now,
    .wall = tl_real_wall,
    .entropy = tl_real_entropy,
    .watch = tl_real_watch,
    .poll = tl_real_poll,
    .post = tl_real_post,
    .socket = tl_real_socket,
    .bind = tl_real_bind,
    .listen = tl_real_listen,
    .accept = tl_real_accept,
    .connect = tl_real_connect,
    .shutdown = tl_real_shutdown,
    .option = tl_real_option,
    .address = tl_real_address,
    .pipe = tl_real_pipe,
    .close = tl_real_close,
    .read = tl_real_read,
    .write = tl_real_write,
    .sendfile = tl_real_sendfile,
    .open = tl_real_open,
    .pread = tl_real_pread,
    .pwrite = tl_real_pwrite,
    .stat = tl_real_stat,
    .unlink = tl_real_unlink,
    .rename = tl_real_rename,
    .fsync = tl_real_fsync,
    .adopt = tl_real_adopt,
    .release = tl_real_release,
    .spawn = tl_real_spawn,
    .kill = tl_real_kill,
    .adopt_child = tl_real_adopt_child,
    .release_child = tl_real_release_child,
    .signal = tl_real_signal,
    .resolve = tl_real_resolve,
    .work = tl_real_work,
    .cancel = tl_real_cancel,
    .retire = tl_real_retire,
    .info = tl_real_info,
    .note = tl_real_note,
};

int tl_real_kernel_new(struct tl_kernel **ret)
{
    return tl_real_kernel_new_with(NULL, ret);
}

int tl_real_kernel_new_with(const struct tl_real_options *options, struct tl_kernel **ret)
{
    struct tl_real *real;
    int r;

    if (ret == NULL)
        return -EINVAL;
    real = tl_calloc(sizeof *real);
    if (real == NULL)
        return -ENOMEM;
    real->kernel.ops = &real_ops;
    real->pid = getpid();
    real->no_pidfd = options != NULL && options->no_pidfd;
    real->posts_tail = &real->posts;
    real->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (real->epoll < 0) {
        r = -errno;
        tl_free(real);
        return r;
    }
    real->wake = -1;
    *ret = &real->kernel;
    return 0;
}

int tl_real_wake_open(struct tl_real *real)
{
    if (real->wake >= 0)
        return 0;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return -errno;
    int r = tl_real_fds_take(real, fd, TL_REAL_WAKE);
    if (r < 0)
        return r;

    /* Edge-triggered: each write is one event, and nobody ever has to read the counter. */
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.fd = fd};
    if (epoll_ctl(real->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
        r = -errno;
        tl_real_fds_forget(real, fd);
        close(fd);
        return r;
    }
    real->wake = fd;
    return 0;
}
