/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated kernel's operations: each finds its object, has it do the work, and hashes what
 * came of it. What the simulator does not have yet answers -ENOSYS.
 */
#include "sim/kernel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "sim/endpoint.h"
#include "sim/mix.h"

enum { CPUS = 2 };

static struct tl_sim_kernel *sim(struct tl_kernel *kernel)
{
    return (struct tl_sim_kernel *)kernel;
}

/* The kernel's own object with this number, or NULL. */
static struct tl_descriptor *get(struct tl_sim_kernel *kernel, int fd)
{
    struct tl_descriptor *descriptor = tl_fds_get(&kernel->process->fds, fd);
    return descriptor != NULL && descriptor->kernel == kernel ? descriptor : NULL;
}

static int get_endpoint(struct tl_sim_kernel *kernel, int fd, struct tl_endpoint **ret)
{
    struct tl_descriptor *descriptor = get(kernel, fd);
    if (descriptor == NULL)
        return -EBADF;
    if (descriptor->ops != &tl_endpoint_ops)
        return -ENOTSOCK;
    *ret = tl_endpoint_of(descriptor);
    return 0;
}

static uint32_t ordinal_of(struct tl_sim_kernel *kernel, int fd)
{
    const struct tl_descriptor *descriptor = get(kernel, fd);
    return descriptor != NULL ? descriptor->ordinal : 0;
}

static uint64_t hash_address(const tl_addr *addr)
{
    uint64_t head = (uint64_t)addr->family << 48 | (uint64_t)addr->port << 32 | addr->scope;
    return tl_mix(head, tl_mix_bytes(addr->data, sizeof addr->data));
}

/* --- Life ------------------------------------------------------------------------------------- */

static const struct tl_kernel_ops sim_ops;

static void timeout_fired(struct tl_agenda_event *event)
{
    struct tl_sim_kernel *kernel = tl_listed(event, struct tl_sim_kernel, timeout);
    kernel->timed_out = true;
    tl_world_wake(kernel->process);
}

int tl_sim_kernel_make(tl_process *process, struct tl_sim_kernel **ret)
{
    tl_world *world = process->world;
    struct tl_sim_kernel *kernel = tl_allocator_calloc(&world->allocator, sizeof *kernel);
    if (kernel == NULL)
        return -ENOMEM;
    int r = tl_agenda_event_init(&world->agenda, &kernel->timeout, timeout_fired);
    if (r < 0) {
        tl_allocator_free(&world->allocator, kernel);
        return r;
    }
    uint64_t entity = tl_entity(process->entity, "kernel", process->kernels_count++);
    kernel->base.ops = &sim_ops;
    kernel->process = process;
    kernel->entity = entity;
    tl_list_init(&kernel->ready);
    tl_list_init(&kernel->jobs);
    tl_list_init(&kernel->done);
    tl_list_init(&kernel->pools);
    tl_ready_item_init(&kernel->posts, TL_READY_POSTS, tl_entity(entity, "posts", 0));
    tl_ready_item_init(&kernel->signals, TL_READY_SIGNALS, tl_entity(entity, "signals", 0));
    tl_ready_item_init(&kernel->work, TL_READY_WORK, tl_entity(entity, "work", 0));
    tl_list_push(&process->kernels, &kernel->place);
    *ret = kernel;
    return 0;
}

bool tl_sim_kernel_is(const struct tl_kernel *kernel)
{
    return kernel->ops == &sim_ops;
}

/* Takes the descriptor away from its process and closes it. */
static void close_descriptor(struct tl_sim_kernel *kernel, struct tl_descriptor *descriptor)
{
    tl_ready_drop(&descriptor->item);
    tl_fds_give_back(&kernel->process->fds, descriptor->fd);
    descriptor->kernel = NULL;
    descriptor->wanted = 0;
    descriptor->fd = -1;
    descriptor->ops->close(descriptor);
}

void tl_sim_kernel_unmake(struct tl_sim_kernel *kernel)
{
    tl_process *process = kernel->process;
    tl_world *world = process->world;
    for (int fd = tl_fds_first(&process->fds, 0); fd >= 0; fd = tl_fds_first(&process->fds, fd + 1))
        if (get(kernel, fd) != NULL)
            close_descriptor(kernel, process->fds.slots[fd]);
    for (unsigned signum = 0; signum < TL_SIGNALS; signum++)
        if (process->signals[signum] == kernel) {
            process->signals[signum] = NULL;
            process->signals_more[signum] = 0;
        }
    tl_work_drop(kernel);
    tl_posts_drop(kernel);
    tl_list_remove(&kernel->place);
    tl_agenda_event_finish(&world->agenda, &kernel->timeout);
    tl_allocator_free(&world->allocator, kernel);
}

static void sim_destroy(struct tl_kernel *kernel)
{
    tl_process *process = sim(kernel)->process;
    tl_world *world = process->world;
    bool owns_world = sim(kernel)->owns_world;
    tl_sim_kernel_unmake(sim(kernel));
    if (process->program == NULL) {
        tl_process_end(process, 0, false);
        tl_process_free(process);
    }
    if (owns_world)
        tl_world_free(world);
}

/* --- Time and chance -------------------------------------------------------------------------- */

static tl_time sim_now(struct tl_kernel *kernel)
{
    return tl_sim_kernel_of(sim(kernel))->now;
}

static tl_time sim_wall(struct tl_kernel *kernel)
{
    return TL_WALL_BASE + tl_sim_kernel_of(sim(kernel))->now;
}

static int sim_entropy(struct tl_kernel *kernel, void *buf, size_t len)
{
    struct tl_sim_kernel *self = sim(kernel);
    unsigned char *bytes = buf;
    if (buf == NULL)
        return 0;
    uint64_t seed = tl_mix(tl_sim_kernel_of(self)->choices.seed, self->entity);
    uint64_t word = 0;
    for (size_t i = 0; i < len; i++) {
        if (i % 8 == 0)
            word = tl_scramble(tl_mix(seed, self->random_taken++));
        bytes[i] = (unsigned char)(word >> i % 8 * 8);
    }
    tl_sim_note(self, TL_KIND_ENTROPY, 0, 0, len, 0);
    return 0;
}

/* --- Sockets ---------------------------------------------------------------------------------- */

static bool refuse_descriptor(tl_process *process)
{
    return tl_choices_ask(process->world, TL_AT_SOCKET_EMFILE, process->entity,
                          &process->emfile_draws, 2) != 0;
}

static void give(struct tl_sim_kernel *kernel, int fd, struct tl_descriptor *descriptor)
{
    descriptor->kernel = kernel;
    descriptor->fd = fd;
    descriptor->ordinal = ++kernel->process->objects;
    tl_fds_take(&kernel->process->fds, fd, descriptor);
}

static int make_socket(struct tl_sim_kernel *kernel, enum tl_family family,
                       enum tl_socket_type type)
{
    tl_process *process = kernel->process;
    if (family != TL_FAMILY_INET && family != TL_FAMILY_INET6)
        return -EAFNOSUPPORT;
    if (type != TL_STREAM)
        return -EPROTONOSUPPORT;
    if (refuse_descriptor(process))
        return -EMFILE;
    int fd = tl_fds_next(&process->fds, &process->world->allocator);
    if (fd < 0)
        return fd;
    uint64_t entity = tl_entity(process->entity, "object", process->objects + 1);
    struct tl_endpoint *endpoint = tl_endpoint_new(process->host, (uint8_t)family, entity);
    if (endpoint == NULL)
        return -ENOMEM;
    give(kernel, fd, &endpoint->descriptor);
    return fd;
}

static int sim_socket(struct tl_kernel *kernel, enum tl_family family, enum tl_socket_type type)
{
    int fd = make_socket(sim(kernel), family, type);
    tl_sim_note(sim(kernel), TL_KIND_SOCKET, ordinal_of(sim(kernel), fd), fd < 0 ? fd : 0,
                (uint64_t)family << 8 | type, 0);
    return fd;
}

static int sim_bind(struct tl_kernel *kernel, int fd, const tl_addr *addr)
{
    struct tl_endpoint *endpoint;
    int r = get_endpoint(sim(kernel), fd, &endpoint);
    if (r == 0)
        r = tl_endpoint_bind(endpoint, addr);
    tl_sim_note(sim(kernel), TL_KIND_BIND, ordinal_of(sim(kernel), fd), r, hash_address(addr), 0);
    return r;
}

static int sim_listen(struct tl_kernel *kernel, int fd, int backlog)
{
    struct tl_endpoint *endpoint;
    int r = get_endpoint(sim(kernel), fd, &endpoint);
    if (r == 0)
        r = tl_endpoint_listen(endpoint, backlog);
    tl_sim_note(sim(kernel), TL_KIND_LISTEN, ordinal_of(sim(kernel), fd), r, (uint64_t)backlog, 0);
    return r;
}

/* Linux takes the number before it looks for a connection. */
static int accept_one(struct tl_sim_kernel *kernel, struct tl_endpoint *listener, tl_addr *ret_peer)
{
    tl_process *process = kernel->process;
    struct tl_endpoint *child;
    int fd = tl_fds_next(&process->fds, &process->world->allocator);
    if (fd < 0)
        return fd;
    if (!tl_list_empty(&listener->queue) && refuse_descriptor(process))
        return -EMFILE;
    int r = tl_endpoint_accept(listener, &child);
    if (r < 0)
        return r;
    give(kernel, fd, &child->descriptor);
    *ret_peer = tl_ip_to(&child->peer_ip, child->peer_port, child->family);
    return fd;
}

static int sim_accept(struct tl_kernel *kernel, int fd, tl_addr *ret_peer)
{
    struct tl_endpoint *listener;
    tl_addr peer = {0};
    int r = get_endpoint(sim(kernel), fd, &listener);
    if (r == 0)
        r = accept_one(sim(kernel), listener, &peer);
    tl_sim_note(sim(kernel), TL_KIND_ACCEPT, ordinal_of(sim(kernel), fd), r < 0 ? r : 0,
                r >= 0 ? tl_mix(ordinal_of(sim(kernel), r), hash_address(&peer)) : 0, 0);
    if (r >= 0 && ret_peer != NULL)
        *ret_peer = peer;
    return r;
}

static int sim_connect(struct tl_kernel *kernel, int fd, const tl_addr *addr)
{
    struct tl_endpoint *endpoint;
    int r = get_endpoint(sim(kernel), fd, &endpoint);
    if (r == 0)
        r = tl_endpoint_connect(endpoint, addr);
    tl_sim_note(sim(kernel), TL_KIND_CONNECT, ordinal_of(sim(kernel), fd), r, hash_address(addr),
                0);
    return r;
}

static int sim_shutdown(struct tl_kernel *kernel, int fd, enum tl_shutdown how)
{
    struct tl_endpoint *endpoint;
    int r = get_endpoint(sim(kernel), fd, &endpoint);
    if (r == 0)
        r = tl_endpoint_shutdown(endpoint, how);
    tl_sim_note(sim(kernel), TL_KIND_SHUTDOWN, ordinal_of(sim(kernel), fd), r, how, 0);
    return r;
}

static int sim_option(struct tl_kernel *kernel, int fd, enum tl_option option, const int *set,
                      int *ret)
{
    struct tl_endpoint *endpoint;
    int r = get_endpoint(sim(kernel), fd, &endpoint);
    if (r == 0)
        r = tl_endpoint_option(endpoint, option, set, ret);
    uint64_t value = 0;
    if (r == 0 && ret != NULL)
        value = option == TL_OPTION_ERROR ? tl_err_index(-*ret) : (uint64_t)*ret;
    tl_sim_note(sim(kernel), TL_KIND_OPTION, ordinal_of(sim(kernel), fd), r,
                (uint64_t)option << 32 | value, 0);
    return r;
}

static int sim_address(struct tl_kernel *kernel, int fd, enum tl_address_side side, tl_addr *ret)
{
    struct tl_endpoint *endpoint;
    int r = get_endpoint(sim(kernel), fd, &endpoint);
    if (r == 0)
        r = tl_endpoint_address(endpoint, side, ret);
    tl_sim_note(sim(kernel), TL_KIND_ADDRESS, ordinal_of(sim(kernel), fd), r,
                r == 0 ? hash_address(ret) : 0, 0);
    return r;
}

/* --- Bytes ------------------------------------------------------------------------------------ */

static int sim_close(struct tl_kernel *kernel, int fd)
{
    struct tl_descriptor *descriptor = get(sim(kernel), fd);
    uint32_t ordinal = descriptor != NULL ? descriptor->ordinal : 0;
    if (descriptor != NULL)
        close_descriptor(sim(kernel), descriptor);
    int r = descriptor != NULL ? 0 : -EBADF;
    tl_sim_note(sim(kernel), TL_KIND_CLOSE, ordinal, r, 0, 0);
    return r;
}

static ssize_t sim_read(struct tl_kernel *kernel, int fd, struct tl_message *messages, size_t count)
{
    struct tl_descriptor *descriptor = get(sim(kernel), fd);
    ssize_t r = -EBADF;
    if (descriptor != NULL)
        r = descriptor->ops->read(descriptor, messages, count);
    tl_sim_note(sim(kernel), TL_KIND_READ, descriptor != NULL ? descriptor->ordinal : 0, r, count,
                0);
    return r;
}

static ssize_t sim_write(struct tl_kernel *kernel, int fd, struct tl_message *messages,
                         size_t count)
{
    struct tl_descriptor *descriptor = get(sim(kernel), fd);
    uint64_t content = 0;
    ssize_t r = -EBADF;
    if (descriptor != NULL)
        r = descriptor->ops->write(descriptor, messages, count, &content);
    tl_sim_note(sim(kernel), TL_KIND_WRITE, descriptor != NULL ? descriptor->ordinal : 0, r, count,
                content);
    return r;
}

/* --- Signals and facts ------------------------------------------------------------------------ */

static int sim_signal(struct tl_kernel *kernel, int signum, bool enable)
{
    int r = tl_signal_enable(sim(kernel), signum, enable);
    tl_sim_note(sim(kernel), TL_KIND_SIGNAL, 0, r, (uint64_t)signum << 1 | enable, 0);
    return r;
}

static int64_t fact(const struct tl_sim_kernel *kernel, enum tl_info what)
{
    switch (what) {
    case TL_INFO_PID:
        return kernel->process->pid;
    case TL_INFO_CPUS:
        return CPUS;
    case TL_INFO_MAIN_THREAD:
        return 1;
    case TL_INFO_ENVIRONMENT:
        break;
    }
    return -EINVAL;
}

/* As much of the variable as fits, with a NUL; its length. */
static int64_t read_environment(const struct tl_sim_kernel *kernel, const char *name, char *text,
                                size_t size)
{
    const char *value = name != NULL ? tl_process_getenv(kernel->process, name) : NULL;
    if (value == NULL)
        return name != NULL ? -ENOENT : -EINVAL;
    if (size > 0)
        snprintf(text, size, "%s", value);
    return (int64_t)strlen(value);
}

static int64_t sim_info(struct tl_kernel *kernel, enum tl_info what, const char *name, char *text,
                        size_t size)
{
    /* Not hashed: it does not change while a process lives, and debug mode, which is asked for
     * there, changes nothing in a run. */
    if (what == TL_INFO_ENVIRONMENT)
        return read_environment(sim(kernel), name, text, size);
    int64_t answer = fact(sim(kernel), what);
    tl_sim_note(sim(kernel), TL_KIND_INFO, 0, answer, what, 0);
    return answer;
}

static int sim_note(struct tl_kernel *kernel, enum tl_note kind, const void *data, size_t len)
{
    (void)kernel;
    (void)kind;
    (void)data;
    (void)len;
    return 0;
}

/* --- What there is not yet -------------------------------------------------------------------- */

static int no_pipe(struct tl_kernel *kernel, enum tl_pipe_kind kind, int ret_fds[2])
{
    (void)kernel;
    (void)kind;
    (void)ret_fds;
    return -ENOSYS;
}

static ssize_t no_sendfile(struct tl_kernel *kernel, int fd, int file, int64_t *offset,
                           size_t count)
{
    (void)kernel;
    (void)fd;
    (void)file;
    (void)offset;
    (void)count;
    return -ENOSYS;
}

static int no_open(struct tl_kernel *kernel, const char *path, unsigned flags, unsigned mode)
{
    (void)kernel;
    (void)path;
    (void)flags;
    (void)mode;
    return -ENOSYS;
}

static ssize_t no_pread(struct tl_kernel *kernel, int file, void *buf, size_t len, int64_t offset)
{
    (void)kernel;
    (void)file;
    (void)buf;
    (void)len;
    (void)offset;
    return -ENOSYS;
}

static ssize_t no_pwrite(struct tl_kernel *kernel, int file, const void *buf, size_t len,
                         int64_t offset)
{
    (void)kernel;
    (void)file;
    (void)buf;
    (void)len;
    (void)offset;
    return -ENOSYS;
}

static int no_stat(struct tl_kernel *kernel, const char *path, struct tl_stat *ret)
{
    (void)kernel;
    (void)path;
    (void)ret;
    return -ENOSYS;
}

static int no_unlink(struct tl_kernel *kernel, const char *path)
{
    (void)kernel;
    (void)path;
    return -ENOSYS;
}

static int no_rename(struct tl_kernel *kernel, const char *source, const char *target)
{
    (void)kernel;
    (void)source;
    (void)target;
    return -ENOSYS;
}

static int no_fsync(struct tl_kernel *kernel, int file)
{
    (void)kernel;
    (void)file;
    return -ENOSYS;
}

static int no_adopt(struct tl_kernel *kernel, int fd, struct tl_adopted *ret)
{
    (void)kernel;
    (void)fd;
    (void)ret;
    return -ENOSYS;
}

static int no_release(struct tl_kernel *kernel, int fd)
{
    (void)kernel;
    (void)fd;
    return -ENOSYS;
}

static int64_t no_spawn(struct tl_kernel *kernel, const struct tl_spawn *spawn)
{
    (void)kernel;
    (void)spawn;
    return -ENOSYS;
}

static int no_kill(struct tl_kernel *kernel, int64_t pid, int signum)
{
    (void)kernel;
    (void)pid;
    (void)signum;
    return -ENOSYS;
}

/* A simulated process has no children, so whichever is meant is none of its. */
static int sim_adopt_child(struct tl_kernel *kernel, int64_t pid, void *token)
{
    (void)token;
    tl_sim_note(sim(kernel), TL_KIND_ADOPT_CHILD, 0, -ECHILD, (uint64_t)pid, 0);
    return -ECHILD;
}

static int sim_release_child(struct tl_kernel *kernel, int64_t pid)
{
    tl_sim_note(sim(kernel), TL_KIND_RELEASE_CHILD, 0, -ESRCH, (uint64_t)pid, 0);
    return -ESRCH;
}

static int no_resolve(struct tl_kernel *kernel, struct tl_query *query)
{
    (void)kernel;
    (void)query;
    return -ENOSYS;
}

static const struct tl_kernel_ops sim_ops = {
    .name = "sim",
    .destroy = sim_destroy,
    .now = sim_now,
    .wall = sim_wall,
    .entropy = sim_entropy,
    .watch = tl_sim_watch,
    .poll = tl_sim_poll,
    .post = tl_sim_post,
    .socket = sim_socket,
    .bind = sim_bind,
    .listen = sim_listen,
    .accept = sim_accept,
    .connect = sim_connect,
    .shutdown = sim_shutdown,
    .option = sim_option,
    .address = sim_address,
    .pipe = no_pipe,
    .close = sim_close,
    .read = sim_read,
    .write = sim_write,
    .sendfile = no_sendfile,
    .open = no_open,
    .pread = no_pread,
    .pwrite = no_pwrite,
    .stat = no_stat,
    .unlink = no_unlink,
    .rename = no_rename,
    .fsync = no_fsync,
    .adopt = no_adopt,
    .release = no_release,
    .spawn = no_spawn,
    .kill = no_kill,
    .adopt_child = sim_adopt_child,
    .release_child = sim_release_child,
    .signal = sim_signal,
    .resolve = no_resolve,
    .work = tl_sim_work,
    .cancel = tl_sim_cancel,
    .retire = tl_sim_retire,
    .info = sim_info,
    .note = sim_note,
};
