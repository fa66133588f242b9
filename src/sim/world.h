/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a world, for the simulator's files: what it holds, and how it moves.
 *
 * A world moves in steps. One step fires what is due now, or lets one process that can go on run
 * until it waits again, or jumps to the next instant and fires what is due then. Processes wait in
 * one place (tl_world_wait), from which steps are made on whose behalf: a process on a stack of its
 * own goes back to tl_world_run, a guest, which has only its caller's stack, makes steps itself.
 */
#ifndef TL_SIM_WORLD_H
#define TL_SIM_WORLD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <twinloop/world.h>
#include "core/fiber.h"
#include "core/self.h"
#include "sim/agenda.h"
#include "sim/choice.h"
#include "sim/hash.h"
#include "sim/list.h"
#include "sim/packet.h"
#include "sim/pipe_pools.h"
#include "sim/pool.h"
#include "sim/process.h"
#include "sim/segment.h"
#include "sim/traffic.h"

struct tl_sim_kernel;

/* Virtual time 0 on the wall: 2026-01-01 00:00 UTC. */
#define TL_WALL_BASE (1767225600 * TL_SECOND)

enum tl_world_phase {
    TL_WORLD_BUILT,   /* not run yet */
    TL_WORLD_RUNNING, /* until every foreground process has ended */
    TL_WORLD_GRACE,   /* daemons have had SIGTERM */
    TL_WORLD_OVER,
};

/* Stacks of one size. */
struct tl_stacks {
    struct tl_stacks *next;
    size_t stack_size;
    struct tl_fiber_pool *pool;
};

/* A callback of tl_world_at. */
struct tl_errand {
    struct tl_agenda_event event;
    struct tl_list place; /* in the world's list */
    tl_world *world;
    void (*callback)(tl_world *world, void *arg);
    void *arg;
};

/* What callbacks of the world run on: a stack of their own, since an assertion that fails there
 * leaves it for good. */
struct tl_errand_runner {
    struct tl_fiber *fiber; /* NULL: none yet, or the last one was left */
    struct tl_context context;
    struct tl_thread thread;
    struct tl_errand *errand; /* what it is to do */
};

enum { TL_REPORT_SIZE = 6144, TL_REPORT_MESSAGES = 8, TL_REPORT_MESSAGE_SIZE = 160 };

struct tl_report {
    size_t len;
    unsigned messages_count; /* ever kept; the last TL_REPORT_MESSAGES are there */
    char messages[TL_REPORT_MESSAGES][TL_REPORT_MESSAGE_SIZE];
    char text[TL_REPORT_SIZE];
};

struct tl_world {
    tl_allocator allocator;
    pthread_t thread; /* the one that built it */

    tl_time now;
    tl_time deadline;
    tl_time grace;
    tl_time grace_end; /* in phase GRACE */
    uint64_t steps;    /* since the world last rested: when all waited, it jumped */
    uint64_t steps_max;
    struct tl_agenda agenda;

    struct tl_choices choices;
    struct tl_event_hash hash;

    struct tl_segments segments;
    struct tl_list sockets; /* every endpoint */
    struct tl_pool endpoints;
    struct tl_traffics traffics;
    struct tl_pool ports;
    struct tl_pool unixes;
    struct tl_pipe_pools pipes;
    struct tl_list datagrams; /* every socket for them */
    struct tl_pool datagram_sockets;
    struct tl_datagram_pools datagram_pools;
    struct tl_stacks *stacks;

    tl_host *hosts; /* in the order in which they were added */
    tl_host **hosts_end;
    struct tl_link *links;
    struct tl_name_record *names;
    unsigned next_address; /* of 10.0.0.0/8, for a host that names none */
    unsigned fds_max;
    const char *const *envp; /* of processes that have none of their own; NULL: empty */

    struct tl_list processes; /* in the order in which they were added */
    struct tl_list runnable;  /* those that can go on */
    tl_process *current;      /* whose stack is running; NULL: the world's own */
    unsigned alive;           /* processes that have not ended, guests not counted */
    unsigned napping;         /* processes that only wait because they never do */
    unsigned foreground;      /* of these, the ones the run waits for */
    bool foreground_ever;

    struct tl_list errands;
    struct tl_errand_runner runner;
    struct tl_guard guard; /* of callbacks that run outside every process */

    enum tl_world_phase phase;
    enum tl_outcome outcome;
    bool decided; /* the outcome is known: nothing goes on */
    struct tl_report report;
};

/* --- Moving (run.c) --- */

/* Has a process go on in its turn; a no-op when it will already, or has ended. */
void tl_world_wake(tl_process *process);

/* Waits, in the name of the process that is running, until somebody wakes it. 0, or TL_EDEADLOCK
 * for a guest whose world has nothing more to happen. */
int tl_world_wait(tl_process *process);

/* Lets every other process that can go on, and whatever is due now, go first. As tl_world_wait. */
int tl_world_yield(tl_process *process);

/* Whether something other than the running process could happen at this instant. */
bool tl_world_busy(const tl_world *world);

/* Counts a step; too many without rest decide the run. */
void tl_world_count_step(tl_world *world);

/* The process that is running goes no further: on a stack of its own this does not return. */
void tl_world_leave(tl_process *process);

/* --- Stacks and errands --- */

/* The pool of stacks of this size; NULL when memory is out. */
struct tl_fiber_pool *tl_world_stacks(tl_world *world, size_t stack_size);

/* Runs an errand, on the runner's stack. */
void tl_errand_fire(struct tl_agenda_event *event);

/* The world whose own context this is, or NULL. */
tl_world *tl_errand_world(struct tl_context *context);

void tl_errands_init(tl_world *world);

/* Drops every errand, and the stack they ran on. */
void tl_errands_drop(tl_world *world);
void tl_errands_finish(tl_world *world);

/* --- Outcomes (report.c) --- */

/* Decides how the run ended; only the first call counts. The text is one line. */
void tl_world_decide(tl_world *world, enum tl_outcome outcome, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Adds to the report who waits for what. */
void tl_report_waiting(tl_world *world);

/* Keeps a message for the report. */
void tl_report_message(tl_world *world, const char *who, const char *text);

#endif
