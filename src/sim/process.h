/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A simulated process: a program's main on a stack of its own, with the state that the core keeps
 * per process and per thread, a descriptor table and pending signals. A guest is a process on its
 * caller's stack, with its caller's state: only a holder of kernels.
 */
#ifndef TL_SIM_PROCESS_H
#define TL_SIM_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <twinloop/world.h>
#include "core/fiber.h"
#include "core/self.h"
#include "sim/agenda.h"
#include "sim/fd.h"
#include "sim/list.h"

struct tl_sim_kernel;
struct tl_work;

/* What the guard (guard.h) keeps of each process, and of the world itself. */
struct tl_guard {
    uint64_t told;          /* bits of what was refused and reported */
    uint64_t entropy_drawn; /* words */
    uint64_t numbers_start; /* srand's; 0: it was not called */
    uint64_t numbers_drawn; /* since then */
};

enum { TL_SIGNALS = 65 };

struct tl_process {
    tl_world *world;
    tl_host *host;
    struct tl_list place; /* in the world's processes */
    struct tl_list turn;  /* in the world's runnable */
    char *name;
    char **argv;
    char **envp; /* NULL: the world's */
    int argc;
    tl_program program;
    void *arg;
    uint64_t entity;
    int64_t pid;
    bool daemon;
    bool exited;
    bool leaving; /* it ends itself by a signal, as soon as its stack is left */
    bool napping; /* it waits only because it never does */
    int status;   /* its exit code, or -signal */

    struct tl_fiber *fiber; /* NULL: a guest, or it has ended */
    struct tl_context context;
    struct tl_thread thread;
    struct tl_list blocks; /* memory it was given and has not freed */
    struct tl_agenda_event start;

    struct tl_guard guard;
    struct tl_fds fds;
    struct tl_list kernels;
    unsigned kernels_count;                    /* ever made */
    uint32_t objects;                          /* ever made: their ordinals */
    struct tl_sim_kernel *signals[TL_SIGNALS]; /* who has asked for each */
    uint16_t signals_more[TL_SIGNALS];         /* deliveries beyond the one that is pending */

    struct tl_sim_kernel *waiting; /* in whose poll it is; NULL: it runs */
    const struct tl_work *job;     /* that it runs inline; NULL: none */
    unsigned busy_polls;           /* that found something, since others last ran */
    unsigned spins;                /* polls since it last waited */
    uint32_t order_draws;
    uint32_t yield_draws;
    uint32_t emfile_draws;
    uint32_t signal_draws;
};

/* A guest on this host; NULL when memory is out. */
tl_process *tl_process_new_guest(tl_host *host);

/* Runs a process until it waits or ends. */
void tl_process_resume(tl_process *process);

/* Ends a process that is not running: its kernels are destroyed, its stack is given back. Killed
 * ones lose what memory of the library they had. */
void tl_process_end(tl_process *process, int status, bool killed);

/* Frees one that has ended. */
void tl_process_free(tl_process *process);

/* A variable of its environment, or NULL. */
const char *tl_process_getenv(const tl_process *process, const char *name);

/* Says whether it waits only to let time pass. */
void tl_process_set_napping(tl_process *process, bool napping);

/* A context's process; NULL when the context is not a simulated process's. */
tl_process *tl_context_process(const struct tl_context *context);

/* A signal's way into a kernel that asked for it (signal.c). */
int tl_signal_enable(struct tl_sim_kernel *kernel, int signum, bool enable);

/* Disables all that the kernel has enabled. */
void tl_signals_drop(struct tl_sim_kernel *kernel);

/* The number of the next signal that is pending, which there is; it is pending no more. */
int tl_signal_take(struct tl_sim_kernel *kernel);

/* What the world does to a process by a signal; 0, -EINVAL, -ESRCH. */
int tl_signal_send(tl_process *process, int signum);

#endif
