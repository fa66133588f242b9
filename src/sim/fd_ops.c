/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operations of the simulated kernel on descriptors of every kind: giving them numbers, making
 * pipes, moving bytes, closing, and descriptors that were made elsewhere.
 */
#include <errno.h>

#include "sim/kernel.h"
#include "sim/mix.h"
#include "sim/pipe.h"
#include "sim/unix.h"

void tl_sim_give(struct tl_sim_kernel *kernel, int fd, struct tl_descriptor *descriptor)
{
    descriptor->kernel = kernel;
    descriptor->fd = fd;
    descriptor->ordinal = ++kernel->process->objects;
    tl_fds_take(&kernel->process->fds, fd, descriptor);
}

static void take_away(tl_process *process, struct tl_descriptor *descriptor)
{
    tl_ready_drop(&descriptor->item);
    tl_fds_give_back(&process->fds, descriptor->fd);
    descriptor->kernel = NULL;
    descriptor->item.wanted = 0;
    descriptor->fd = -1;
    descriptor->ops->close(descriptor);
}

void tl_sim_take_away(struct tl_sim_kernel *kernel, struct tl_descriptor *descriptor)
{
    take_away(kernel->process, descriptor);
}

bool tl_sim_refuses_descriptor(tl_process *process)
{
    return tl_choices_ask(process->world, TL_AT_SOCKET_EMFILE, process->entity,
                          &process->emfile_draws, 2) != 0;
}

/* --- Pipes ------------------------------------------------------------------------------------ */

static int new_pipe(tl_process *process, enum tl_pipe_kind kind, struct tl_descriptor *ret[2])
{
    const uint64_t entities[2] = {
        tl_entity(process->entity, "object", process->objects + 1),
        tl_entity(process->entity, "object", process->objects + 2),
    };
    if (kind == TL_PIPE_STREAM_PAIR)
        return tl_unix_pair_new(process->host, entities, ret);
    return tl_pipe_new(process->world, entities, ret);
}

/* Gives two numbers to what needs both. */
static int make_pipe(struct tl_sim_kernel *kernel, enum tl_pipe_kind kind, int ret_fds[2])
{
    tl_process *process = kernel->process;
    const tl_allocator *allocator = &process->world->allocator;
    struct tl_descriptor *ends[2];
    if (kind != TL_PIPE_ONE_WAY && kind != TL_PIPE_STREAM_PAIR)
        return -EINVAL;
    if (tl_sim_refuses_descriptor(process))
        return -EMFILE;
    int first = tl_fds_next(&process->fds, allocator);
    if (first < 0)
        return first;
    int r = new_pipe(process, kind, ends);
    if (r < 0)
        return r;
    tl_sim_give(kernel, first, ends[0]);
    int second = tl_fds_next(&process->fds, allocator);
    if (second < 0) {
        process->objects--;
        tl_sim_take_away(kernel, ends[0]);
        ends[1]->ops->close(ends[1]);
        return second;
    }
    tl_sim_give(kernel, second, ends[1]);
    ret_fds[0] = first;
    ret_fds[1] = second;
    return 0;
}

int tl_sim_pipe(struct tl_kernel *kernel, enum tl_pipe_kind kind, int ret_fds[2])
{
    int fds[2] = {-1, -1};
    int r = make_pipe(tl_sim(kernel), kind, fds);
    tl_sim_note(tl_sim(kernel), TL_KIND_PIPE, tl_sim_ordinal(tl_sim(kernel), fds[0]), r, kind, 0);
    if (r == 0) {
        ret_fds[0] = fds[0];
        ret_fds[1] = fds[1];
    }
    return r;
}

/* --- Bytes ------------------------------------------------------------------------------------ */

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

/* What there was of messages before it was limited to what Linux takes in one call. */
struct limited {
    size_t count;
    size_t pieces; /* of the first one */
};

/* So many pieces: the first ones of a stream's message, and no datagram that has more. */
static int limit(const struct tl_descriptor *descriptor, struct tl_message *messages, size_t *count,
                 struct limited *ret)
{
    enum { PIECES_MAX = 1024 };
    *ret = (struct limited){*count, *count > 0 ? messages[0].iov_count : 0};
    for (size_t i = 0; i < *count; i++) {
        if (messages[i].iov_count <= PIECES_MAX)
            continue;
        if (descriptor->ops->kind(descriptor) != TL_ADOPTED_DATAGRAM)
            messages[0].iov_count = PIECES_MAX; /* it has one alone */
        else if (i == 0)
            return -EMSGSIZE;
        else
            *count = i;
    }
    return 0;
}

/* The result of a call that may have been limited: of several messages, how many. */
static ssize_t unlimit(const struct limited *limited, struct tl_message *messages, size_t taken,
                       ssize_t r)
{
    if (limited->count > 0)
        messages[0].iov_count = limited->pieces;
    return r >= 0 && taken == 1 && limited->count > 1 ? 1 : r;
}

ssize_t tl_sim_read(struct tl_kernel *kernel, int fd, struct tl_message *messages, size_t count)
{
    struct tl_descriptor *descriptor = tl_sim_descriptor(tl_sim(kernel), fd);
    size_t taken = count;
    struct limited limited;
    ssize_t r = -EBADF;
    if (descriptor != NULL) {
        r = limit(descriptor, messages, &taken, &limited);
        if (r == 0)
            r = descriptor->ops->read(descriptor, messages, taken);
        r = unlimit(&limited, messages, taken, r);
    }
    tl_sim_note(tl_sim(kernel), TL_KIND_READ, descriptor != NULL ? descriptor->ordinal : 0, r,
                r >= 0 && is_several(messages, count) ? hash_messages(messages, count, r) : count,
                0);
    return r;
}

ssize_t tl_sim_write(struct tl_kernel *kernel, int fd, struct tl_message *messages, size_t count)
{
    struct tl_descriptor *descriptor = tl_sim_descriptor(tl_sim(kernel), fd);
    uint64_t content = 0;
    size_t taken = count;
    struct limited limited;
    ssize_t r = -EBADF;
    if (descriptor != NULL) {
        r = limit(descriptor, messages, &taken, &limited);
        if (r == 0)
            r = descriptor->ops->write(descriptor, messages, taken, &content);
        r = unlimit(&limited, messages, taken, r);
    }
    tl_sim_note(tl_sim(kernel), TL_KIND_WRITE, descriptor != NULL ? descriptor->ordinal : 0, r,
                count, content);
    return r;
}

/* --- Descriptors that no kernel has ----------------------------------------------------------- */

/* A process has no other way to descriptors than its kernels, so what can be adopted is what one of
 * them has released. */
static int adopt(struct tl_sim_kernel *kernel, int fd, struct tl_adopted *ret)
{
    struct tl_descriptor *descriptor = tl_fds_get(&kernel->process->fds, fd);
    if (descriptor == NULL)
        return -EBADF;
    if (descriptor->kernel != NULL)
        return -EEXIST;
    *ret = (struct tl_adopted){.kind = descriptor->ops->kind(descriptor), .nonblocking = true};
    if (descriptor->ops->socket != NULL) {
        (void)descriptor->ops->socket->address(descriptor, TL_ADDRESS_LOCAL, &ret->local);
        (void)descriptor->ops->socket->address(descriptor, TL_ADDRESS_PEER, &ret->peer);
    }
    descriptor->kernel = kernel;
    return 0;
}

int tl_sim_adopt(struct tl_kernel *kernel, int fd, struct tl_adopted *ret)
{
    int r = adopt(tl_sim(kernel), fd, ret);
    tl_sim_note(tl_sim(kernel), TL_KIND_ADOPT, r == 0 ? tl_sim_ordinal(tl_sim(kernel), fd) : 0, r,
                r == 0 ? ret->kind : 0, 0);
    return r;
}

int tl_sim_release(struct tl_kernel *kernel, int fd)
{
    struct tl_descriptor *descriptor = tl_sim_descriptor(tl_sim(kernel), fd);
    uint32_t ordinal = descriptor != NULL ? descriptor->ordinal : 0;
    int r = descriptor != NULL ? 0 : -EBADF;
    if (descriptor != NULL) {
        tl_ready_drop(&descriptor->item);
        descriptor->item.wanted = 0;
        descriptor->kernel = NULL;
    }
    tl_sim_note(tl_sim(kernel), TL_KIND_RELEASE, ordinal, r, 0, 0);
    return r;
}

void tl_sim_close_released(tl_process *process)
{
    for (int fd = tl_fds_first(&process->fds, 0); fd >= 0; fd = tl_fds_first(&process->fds, fd + 1))
        if (process->fds.slots[fd]->kernel == NULL)
            take_away(process, process->fds.slots[fd]);
}
