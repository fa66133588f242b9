/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated kernel: made, unmade, its clock, signals and facts, and the table of its
 * operations. Those on sockets, descriptors and files are in socket_ops.c, fd_ops.c and file_ops.c.
 * What the simulator does not have yet answers -ENOSYS.
 */
#include "sim/kernel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "sim/endpoint.h"
#include "sim/mix.h"

enum { CPUS = 2 };

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
    tl_list_init(&kernel->lookups);
    tl_list_init(&kernel->resolved);
    tl_ready_item_init(&kernel->posts, TL_READY_POSTS, tl_entity(entity, "posts", 0));
    tl_ready_item_init(&kernel->signals, TL_READY_SIGNALS, tl_entity(entity, "signals", 0));
    tl_ready_item_init(&kernel->work, TL_READY_WORK, tl_entity(entity, "work", 0));
    tl_ready_item_init(&kernel->names, TL_READY_NAMES, tl_entity(entity, "names", 0));
    tl_list_push(&process->kernels, &kernel->place);
    *ret = kernel;
    return 0;
}

bool tl_sim_kernel_is(const struct tl_kernel *kernel)
{
    return kernel->ops == &sim_ops;
}

void tl_sim_kernel_unmake(struct tl_sim_kernel *kernel)
{
    tl_process *process = kernel->process;
    tl_world *world = process->world;
    for (int fd = tl_fds_first(&process->fds, 0); fd >= 0; fd = tl_fds_first(&process->fds, fd + 1))
        if (tl_sim_descriptor(kernel, fd) != NULL)
            tl_sim_take_away(kernel, process->fds.slots[fd]);
    tl_signals_drop(kernel);
    tl_work_drop(kernel);
    tl_resolve_drop(kernel);
    tl_posts_drop(kernel);
    tl_list_remove(&kernel->place);
    tl_agenda_event_finish(&world->agenda, &kernel->timeout);
    tl_allocator_free(&world->allocator, kernel);
}

static void sim_destroy(struct tl_kernel *kernel)
{
    tl_process *process = tl_sim(kernel)->process;
    tl_world *world = process->world;
    bool owns_world = tl_sim(kernel)->owns_world;
    tl_sim_kernel_unmake(tl_sim(kernel));
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
    return tl_sim_kernel_of(tl_sim(kernel))->now;
}

static tl_time sim_wall(struct tl_kernel *kernel)
{
    return TL_WALL_BASE + tl_sim_kernel_of(tl_sim(kernel))->now;
}

static int sim_entropy(struct tl_kernel *kernel, void *buf, size_t len)
{
    struct tl_sim_kernel *self = tl_sim(kernel);
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

/* --- Signals and facts ------------------------------------------------------------------------ */

static int sim_signal(struct tl_kernel *kernel, int signum, bool enable)
{
    int r = tl_signal_enable(tl_sim(kernel), signum, enable);
    tl_sim_note(tl_sim(kernel), TL_KIND_SIGNAL, 0, r, (uint64_t)signum << 1 | enable, 0);
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
        return read_environment(tl_sim(kernel), name, text, size);
    int64_t answer = fact(tl_sim(kernel), what);
    tl_sim_note(tl_sim(kernel), TL_KIND_INFO, 0, answer, what, 0);
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
    tl_sim_note(tl_sim(kernel), TL_KIND_ADOPT_CHILD, 0, -ECHILD, (uint64_t)pid, 0);
    return -ECHILD;
}

static int sim_release_child(struct tl_kernel *kernel, int64_t pid)
{
    tl_sim_note(tl_sim(kernel), TL_KIND_RELEASE_CHILD, 0, -ESRCH, (uint64_t)pid, 0);
    return -ESRCH;
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
    .socket = tl_sim_socket,
    .bind = tl_sim_bind,
    .listen = tl_sim_listen,
    .accept = tl_sim_accept,
    .connect = tl_sim_connect,
    .shutdown = tl_sim_shutdown,
    .option = tl_sim_option,
    .address = tl_sim_address,
    .pipe = tl_sim_pipe,
    .close = tl_sim_close,
    .read = tl_sim_read,
    .write = tl_sim_write,
    .sendfile = tl_sim_sendfile,
    .open = tl_sim_open,
    .pread = tl_sim_pread,
    .pwrite = tl_sim_pwrite,
    .stat = tl_sim_stat,
    .unlink = tl_sim_unlink,
    .rename = tl_sim_rename,
    .fsync = tl_sim_fsync,
    .adopt = tl_sim_adopt,
    .release = tl_sim_release,
    .spawn = no_spawn,
    .kill = no_kill,
    .adopt_child = sim_adopt_child,
    .release_child = sim_release_child,
    .signal = sim_signal,
    .resolve = tl_sim_resolve,
    .work = tl_sim_work,
    .cancel = tl_sim_cancel,
    .retire = tl_sim_retire,
    .info = sim_info,
    .note = sim_note,
};
