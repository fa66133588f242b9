/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A simulated kernel: what one loop of a simulated process asks. It keeps what may be ready for
 * that loop; everything else is the process's or the world's.
 */
#ifndef TL_SIM_KERNEL_H
#define TL_SIM_KERNEL_H

#include <stdbool.h>
#include <stdint.h>
#include <twinloop/kernel.h>
#include "sim/agenda.h"
#include "sim/fd.h"
#include "sim/hash.h"
#include "sim/list.h"
#include "sim/process.h"
#include "sim/world.h"

struct tl_sim_kernel {
    struct tl_kernel base;
    struct tl_list place; /* in its process's kernels */
    tl_process *process;
    bool owns_world; /* the short form: the world ends with the kernel */
    uint64_t entity;

    struct tl_list ready; /* what may be ready, first the one that has been for longest */
    struct tl_agenda_event timeout;
    bool timed_out;

    struct tl_ready_item posts;
    struct tl_post *posts_head; /* first come first served */
    struct tl_post *posts_tail;
    struct tl_ready_item signals;
    uint64_t signals_enabled; /* a bit for each number, from bit 0 for 1 */
    uint64_t signals_pending; /* so too */
    struct tl_ready_item work;
    struct tl_ready_item names;
    struct tl_list lookups;       /* under way */
    struct tl_list resolved;      /* to be answered, first come first served */
    uint64_t lookups_count;       /* ever */
    struct tl_list jobs;          /* under way */
    struct tl_list done;          /* finished, not yet run and reported */
    struct tl_list pools;         /* of workers */
    struct tl_sim_pool *own_pool; /* of jobs that name none; NULL until the first of them */
    uint64_t jobs_count;          /* ever */
    uint64_t random_taken;        /* words of entropy */
};

/* The world's and the host's own kernel for a process; -ENOMEM. */
int tl_sim_kernel_make(tl_process *process, struct tl_sim_kernel **ret);

/* Closes its descriptors and frees it. Not the world, if it owns that. */
void tl_sim_kernel_unmake(struct tl_sim_kernel *kernel);

/* Whether it is a simulated one. */
bool tl_sim_kernel_is(const struct tl_kernel *kernel);

static inline tl_world *tl_sim_kernel_of(const struct tl_sim_kernel *kernel)
{
    return kernel->process->world;
}

/* Hashes an operation or an event of this kernel (hash.c). */
void tl_sim_note(struct tl_sim_kernel *kernel, unsigned kind, uint32_t object, int64_t result,
                 uint64_t aux, uint64_t content);

/* --- Objects --- */

static inline struct tl_sim_kernel *tl_sim(struct tl_kernel *kernel)
{
    return (struct tl_sim_kernel *)kernel;
}

/* The kernel's own object with this number, or NULL. */
static inline struct tl_descriptor *tl_sim_descriptor(struct tl_sim_kernel *kernel, int fd)
{
    struct tl_descriptor *descriptor = tl_fds_get(&kernel->process->fds, fd);
    return descriptor != NULL && descriptor->kernel == kernel ? descriptor : NULL;
}

/* What the object with this number is called in hashes; 0: there is none. */
static inline uint32_t tl_sim_ordinal(struct tl_sim_kernel *kernel, int fd)
{
    const struct tl_descriptor *descriptor = tl_sim_descriptor(kernel, fd);
    return descriptor != NULL ? descriptor->ordinal : 0;
}

/* --- Descriptors of every kind (fd_ops.c) --- */

/* Makes descriptor the kernel's, under a number that tl_fds_next gave. */
void tl_sim_give(struct tl_sim_kernel *kernel, int fd, struct tl_descriptor *descriptor);

/* Takes the descriptor away from its process and closes it. */
void tl_sim_take_away(struct tl_sim_kernel *kernel, struct tl_descriptor *descriptor);

/* Whether the process is to be told that it may have no descriptor more. */
bool tl_sim_refuses_descriptor(tl_process *process);

int tl_sim_pipe(struct tl_kernel *kernel, enum tl_pipe_kind kind, int ret_fds[2]);
int tl_sim_close(struct tl_kernel *kernel, int fd);
ssize_t tl_sim_read(struct tl_kernel *kernel, int fd, struct tl_message *messages, size_t count);
ssize_t tl_sim_write(struct tl_kernel *kernel, int fd, struct tl_message *messages, size_t count);
int tl_sim_adopt(struct tl_kernel *kernel, int fd, struct tl_adopted *ret);
int tl_sim_release(struct tl_kernel *kernel, int fd);

/* The process has ended: closes what its kernels had released. */
void tl_sim_close_released(tl_process *process);

/* --- Sockets (socket_ops.c) --- */

/* A word of an address, for the hash. */
uint64_t tl_sim_hash_address(const tl_addr *addr);

int tl_sim_socket(struct tl_kernel *kernel, enum tl_family family, enum tl_socket_type type);
int tl_sim_bind(struct tl_kernel *kernel, int fd, const tl_addr *addr);
int tl_sim_listen(struct tl_kernel *kernel, int fd, int backlog);
int tl_sim_accept(struct tl_kernel *kernel, int fd, tl_addr *ret_peer);
int tl_sim_connect(struct tl_kernel *kernel, int fd, const tl_addr *addr);
int tl_sim_shutdown(struct tl_kernel *kernel, int fd, enum tl_shutdown how);
int tl_sim_option(struct tl_kernel *kernel, int fd, enum tl_option option, const int *set,
                  int *ret);
int tl_sim_address(struct tl_kernel *kernel, int fd, enum tl_address_side side, tl_addr *ret);

/* --- Files (file_ops.c) --- */

ssize_t tl_sim_sendfile(struct tl_kernel *kernel, int fd, int file, int64_t *offset, size_t count,
                        struct tl_witness *witness);
int tl_sim_open(struct tl_kernel *kernel, const char *path, unsigned flags, unsigned mode);
ssize_t tl_sim_pread(struct tl_kernel *kernel, int file, void *buf, size_t len, int64_t offset);
ssize_t tl_sim_pwrite(struct tl_kernel *kernel, int file, const void *buf, size_t len,
                      int64_t offset);
int tl_sim_stat(struct tl_kernel *kernel, const char *path, struct tl_stat *ret);
int tl_sim_unlink(struct tl_kernel *kernel, const char *path);
int tl_sim_rename(struct tl_kernel *kernel, const char *source, const char *target);
int tl_sim_fsync(struct tl_kernel *kernel, int file);

/* An address as one word of a hash. */
uint64_t tl_sim_hash_address(const tl_addr *addr);

/* --- Readiness (poll.c) --- */

void tl_ready_item_init(struct tl_ready_item *item, enum tl_ready_kind kind, uint64_t id);

/* It may be ready from now on: the next poll looks, and one that waits goes on. */
void tl_ready_touch(struct tl_sim_kernel *kernel, struct tl_ready_item *item);

/* The same for a descriptor, if what it is watched for holds. */
void tl_descriptor_touch(struct tl_descriptor *descriptor);

/* Is not ready, whatever it was. */
void tl_ready_drop(struct tl_ready_item *item);

int tl_sim_watch(struct tl_kernel *kernel, int fd, unsigned events, void *token);
int tl_sim_poll(struct tl_kernel *kernel, tl_time timeout, struct tl_event *events, int count);
int tl_sim_post(struct tl_kernel *kernel, struct tl_post *post);

/* Reports what was posted; returns how many events it wrote. */
int tl_posts_emit(struct tl_sim_kernel *kernel, struct tl_event *events, int count);

/* Releases what was posted and not handed out. */
void tl_posts_drop(struct tl_sim_kernel *kernel);

/* --- Jobs (work.c) --- */

int tl_sim_work(struct tl_kernel *kernel, struct tl_work *work);
int tl_sim_cancel(struct tl_kernel *kernel, struct tl_request *request);
int tl_sim_retire(struct tl_kernel *kernel, struct tl_workers *workers);

/* Runs finished jobs and reports what they posted and themselves; returns how many events it wrote.
 */
int tl_work_emit(struct tl_sim_kernel *kernel, struct tl_event *events, int count);

/* --- Names (resolve.c) --- */

int tl_sim_resolve(struct tl_kernel *kernel, struct tl_query *query);

/* Gives a query up; false when the request is no query that is under way. */
bool tl_sim_resolve_cancel(struct tl_sim_kernel *kernel, struct tl_request *request);

/* Answers what is due; returns how many events it wrote. */
int tl_resolve_emit(struct tl_sim_kernel *kernel, struct tl_event *events, int count);

/* Forgets every query, without touching it. */
void tl_resolve_drop(struct tl_sim_kernel *kernel);

/* Forgets every job and pool; neither works nor pools are touched. */
void tl_work_drop(struct tl_sim_kernel *kernel);

#endif
