/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operations of the simulated kernel on descriptors of every kind: giving them numbers, making
 * pipes, moving bytes, closing, and descriptors that were made elsewhere.
 */
#include <errno.h>

#include "sim/kernel.h"

void tl_sim_give(struct tl_sim_kernel *kernel, int fd, struct tl_descriptor *descriptor)
{
    descriptor->kernel = kernel;
    descriptor->fd = fd;
    descriptor->ordinal = ++kernel->process->objects;
    tl_fds_take(&kernel->process->fds, fd, descriptor);
}

void tl_sim_take_away(struct tl_sim_kernel *kernel, struct tl_descriptor *descriptor)
{
    tl_ready_drop(&descriptor->item);
    tl_fds_give_back(&kernel->process->fds, descriptor->fd);
    descriptor->kernel = NULL;
    descriptor->wanted = 0;
    descriptor->fd = -1;
    descriptor->ops->close(descriptor);
}

int tl_sim_pipe(struct tl_kernel *kernel, enum tl_pipe_kind kind, int ret_fds[2])
{
    (void)kernel;
    (void)kind;
    (void)ret_fds;
    return -ENOSYS;
}

int tl_sim_close(struct tl_kernel *kernel, int fd)
{
    struct tl_descriptor *descriptor = tl_sim_descriptor(tl_sim(kernel), fd);
    uint32_t ordinal = descriptor != NULL ? descriptor->ordinal : 0;
    if (descriptor != NULL)
        tl_sim_take_away(tl_sim(kernel), descriptor);
    int r = descriptor != NULL ? 0 : -EBADF;
    tl_sim_note(tl_sim(kernel), TL_KIND_CLOSE, ordinal, r, 0, 0);
    return r;
}

ssize_t tl_sim_read(struct tl_kernel *kernel, int fd, struct tl_message *messages, size_t count)
{
    struct tl_descriptor *descriptor = tl_sim_descriptor(tl_sim(kernel), fd);
    ssize_t r = -EBADF;
    if (descriptor != NULL)
        r = descriptor->ops->read(descriptor, messages, count);
    tl_sim_note(tl_sim(kernel), TL_KIND_READ, descriptor != NULL ? descriptor->ordinal : 0, r,
                count, 0);
    return r;
}

ssize_t tl_sim_write(struct tl_kernel *kernel, int fd, struct tl_message *messages, size_t count)
{
    struct tl_descriptor *descriptor = tl_sim_descriptor(tl_sim(kernel), fd);
    uint64_t content = 0;
    ssize_t r = -EBADF;
    if (descriptor != NULL)
        r = descriptor->ops->write(descriptor, messages, count, &content);
    tl_sim_note(tl_sim(kernel), TL_KIND_WRITE, descriptor != NULL ? descriptor->ordinal : 0, r,
                count, content);
    return r;
}

int tl_sim_adopt(struct tl_kernel *kernel, int fd, struct tl_adopted *ret)
{
    (void)kernel;
    (void)fd;
    (void)ret;
    return -ENOSYS;
}

int tl_sim_release(struct tl_kernel *kernel, int fd)
{
    (void)kernel;
    (void)fd;
    return -ENOSYS;
}
