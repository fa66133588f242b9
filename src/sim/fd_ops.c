/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operations of the simulated kernel on descriptors of every kind: giving them numbers, making
 * pipes, moving bytes, closing, and descriptors that were made elsewhere.
 */
#include <errno.h>

#include "sim/kernel.h"
#include "sim/mix.h"

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

static bool is_several(const struct tl_message *messages, size_t count)
{
    return count > 1 || messages->addr != NULL;
}

/* A word of what a read of datagrams said besides its result. */
static uint64_t hash_messages(const struct tl_message *messages, size_t count, ssize_t result)
{
    size_t received = count == 1 ? 1 : (size_t)result;
    uint64_t hash = count;
    for (size_t i = 0; i < received; i++) {
        hash = tl_mix(hash, messages[i].len << 1 | messages[i].truncated);
        if (messages[i].addr != NULL)
            hash = tl_mix(hash, tl_sim_hash_address(messages[i].addr));
    }
    return hash;
}

ssize_t tl_sim_read(struct tl_kernel *kernel, int fd, struct tl_message *messages, size_t count)
{
    struct tl_descriptor *descriptor = tl_sim_descriptor(tl_sim(kernel), fd);
    ssize_t r = -EBADF;
    if (descriptor != NULL)
        r = descriptor->ops->read(descriptor, messages, count);
    tl_sim_note(tl_sim(kernel), TL_KIND_READ, descriptor != NULL ? descriptor->ordinal : 0, r,
                r >= 0 && is_several(messages, count) ? hash_messages(messages, count, r) : count,
                0);
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
