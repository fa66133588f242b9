/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pool: starts items, waits, collects ends, delivers them in order.
 *
 * Ends come in any order and wait in a window, a ring indexed by the item's place in the order. An
 * item is started only when its place fits into the window, so one slow item holds up the others
 * only after a thousand of them.
 *
 * Signals are blocked and read from a signalfd, so that nothing of the pool is a global. A pool
 * inside another one's done may take the SIGCHLD of the outer one: each turn therefore asks every
 * busy slot, and a turn waits a tenth of a second at most.
 */
#include "explore/jobs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "core/alloc.h"
#include "explore/real_time.h"
#include "explore/slot.h"

#define WINDOW 1024
#define JOBS_MAX 512
#define TURN_MS 100
#define TAIL_LINES 100

/* An item whose process has ended and whose turn has not come. */
struct finished {
    bool there;
    struct tl_job_result result;
    struct tl_bytes data; /* result's pointers point here */
    char *output;
};

struct jobs {
    struct tl_slot_world world;
    struct tl_slot *slots;
    struct finished *window; /* WINDOW of them */
    uint64_t started;        /* places given out */
    uint64_t delivered;      /* places done */
    unsigned busy;           /* slots */
    bool exhausted;          /* next has no more */
    bool has_item;           /* next gave one that could not be started yet: */
    uint64_t item;
    int error; /* why it ends early; 0: it does not */
    int signal_fd;
    sigset_t signals; /* those it waits for */
    sigset_t old_signals;
    struct sigaction old_child; /* what was to happen on SIGCHLD */
};

/* --- Setting up and taking down --------------------------------------------------------------- */

static int jobs_open(struct jobs *jobs)
{
    unsigned count = jobs->world.options->jobs;

    sigemptyset(&jobs->signals);
    sigaddset(&jobs->signals, SIGCHLD);
    sigaddset(&jobs->signals, SIGINT);
    sigaddset(&jobs->signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &jobs->signals, &jobs->old_signals);
    /* Were it ignored, nobody could be waited for. */
    sigaction(SIGCHLD, &(struct sigaction){.sa_handler = SIG_DFL}, &jobs->old_child);
    jobs->world.signals = &jobs->signals;

    jobs->slots = tl_calloc(count * sizeof *jobs->slots);
    jobs->window = tl_calloc(WINDOW * sizeof *jobs->window);
    if (jobs->slots == NULL || jobs->window == NULL)
        return -ENOMEM;
    for (unsigned i = 0; i < count; i++)
        jobs->slots[i].data_fd = jobs->slots[i].output_fd = -1;
    jobs->signal_fd = signalfd(-1, &jobs->signals, SFD_CLOEXEC | SFD_NONBLOCK);
    jobs->world.null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return jobs->signal_fd < 0 || jobs->world.null_fd < 0 ? -errno : 0;
}

static void finished_clear(struct finished *finished)
{
    tl_bytes_finish(&finished->data);
    tl_free(finished->output);
    *finished = (struct finished){0};
}

static void jobs_close(struct jobs *jobs)
{
    for (unsigned i = 0; jobs->slots != NULL && i < jobs->world.options->jobs; i++) {
        tl_slot_kill(&jobs->slots[i]);
        tl_slot_clear(&jobs->slots[i]);
    }
    for (unsigned i = 0; jobs->window != NULL && i < WINDOW; i++)
        finished_clear(&jobs->window[i]);
    tl_free(jobs->slots);
    tl_free(jobs->window);
    if (jobs->signal_fd >= 0)
        close(jobs->signal_fd);
    if (jobs->world.null_fd >= 0)
        close(jobs->world.null_fd);
    sigaction(SIGCHLD, &jobs->old_child, NULL);
    sigprocmask(SIG_SETMASK, &jobs->old_signals, NULL);
}

/* --- A turn ----------------------------------------------------------------------------------- */

/* Starts the item in hand. Where the system allows no more processes, it stays in hand until one of
 * ours has ended. */
static int start_item(struct jobs *jobs, struct tl_slot *slot)
{
    int64_t limit = jobs->world.options->item_time_max;
    int r = tl_slot_start(slot, &jobs->world, jobs->item);
    if (r < 0)
        return r == -EAGAIN && jobs->busy > 0 ? 0 : r;
    slot->sequence = jobs->started++;
    slot->deadline = limit > 0 ? tl_real_time() + limit : INT64_MAX;
    jobs->busy++;
    jobs->has_item = false;
    return 1;
}

static int start_items(struct jobs *jobs)
{
    const struct tl_slot_world *world = &jobs->world;
    for (unsigned i = 0; i < world->options->jobs; i++) {
        if (jobs->slots[i].pid != 0)
            continue;
        if (jobs->exhausted || jobs->started - jobs->delivered == WINDOW)
            return 0;
        if (!jobs->has_item)
            jobs->has_item = world->ops->next(world->arg, &jobs->item);
        jobs->exhausted = !jobs->has_item;
        int r = jobs->has_item ? start_item(jobs, &jobs->slots[i]) : 0;
        if (r <= 0)
            return r;
    }
    return 0;
}

static void take_signals(struct jobs *jobs)
{
    struct signalfd_siginfo info;
    while (read(jobs->signal_fd, &info, sizeof info) == sizeof info)
        if (info.ssi_signo != SIGCHLD && jobs->error == 0)
            jobs->error = -EINTR;
}

static void wait_for_something(struct jobs *jobs)
{
    struct pollfd fds[1 + 2 * JOBS_MAX];
    unsigned count = 0;
    fds[count++] = (struct pollfd){.fd = jobs->signal_fd, .events = POLLIN};
    for (unsigned i = 0; i < jobs->world.options->jobs; i++) {
        fds[count++] = (struct pollfd){.fd = jobs->slots[i].data_fd, .events = POLLIN};
        fds[count++] = (struct pollfd){.fd = jobs->slots[i].output_fd, .events = POLLIN};
    }
    poll(fds, count, TURN_MS);
    take_signals(jobs);
}

static void enforce_limit(struct tl_slot *slot)
{
    if (slot->deadline == INT64_MAX || tl_real_time() < slot->deadline)
        return;
    slot->timed_out = true;
    tl_slot_kill(slot);
}

/* Moves what a slot heard to its place in the window. */
static int finish_item(struct jobs *jobs, struct tl_slot *slot)
{
    struct finished *finished = &jobs->window[slot->sequence % WINDOW];
    size_t output_len;
    char *output = tl_tail_lines(&slot->output, TAIL_LINES, &output_len);
    if (output == NULL)
        return -ENOMEM;
    *finished = (struct finished){
        .there = true,
        .data = slot->data,
        .output = output,
        .result =
            {
                .item = slot->item,
                .timed_out = slot->timed_out,
                .status = slot->status,
                .data = slot->data.data,
                .data_len = slot->data.len,
                .output = output,
                .output_len = output_len,
            },
    };
    slot->data = (struct tl_bytes){0};
    tl_slot_clear(slot);
    return 0;
}

static void collect(struct jobs *jobs)
{
    for (unsigned i = 0; i < jobs->world.options->jobs; i++) {
        struct tl_slot *slot = &jobs->slots[i];
        if (slot->pid == 0)
            continue;
        int r = tl_slot_listen(slot);
        if (r == 0)
            r = tl_slot_reap(slot);
        if (r == 0)
            enforce_limit(slot);
        if (slot->pid == 0)
            jobs->busy--;
        if (slot->pid == 0 && r >= 0)
            r = finish_item(jobs, slot);
        if (r < 0 && jobs->error == 0)
            jobs->error = r;
    }
}

static void deliver(struct jobs *jobs)
{
    while (jobs->error == 0 && jobs->window[jobs->delivered % WINDOW].there) {
        struct finished *finished = &jobs->window[jobs->delivered % WINDOW];
        bool more = jobs->world.ops->done(jobs->world.arg, &finished->result);
        finished_clear(finished);
        jobs->delivered++;
        if (!more)
            jobs->error = -ECANCELED;
    }
}

int tl_jobs_run(const struct tl_jobs_options *options, const struct tl_jobs_ops *ops, void *arg)
{
    struct tl_jobs_options own = *options;
    if (own.jobs > JOBS_MAX)
        own.jobs = JOBS_MAX;
    struct jobs jobs = {
        .world = {.options = &own, .ops = ops, .arg = arg, .null_fd = -1},
        .signal_fd = -1,
    };
    jobs.error = jobs_open(&jobs);
    while (jobs.error == 0) {
        jobs.error = start_items(&jobs);
        if (jobs.error != 0 || jobs.busy == 0)
            break;
        wait_for_something(&jobs);
        collect(&jobs);
        deliver(&jobs);
        if (ops->tick != NULL)
            ops->tick(arg);
    }
    jobs_close(&jobs);
    return jobs.error;
}
