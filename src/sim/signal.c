/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals: to the kernel that asked for one, else what an operating system does by default.
 *
 * A standard signal that is pending already is not pending twice; one of the real-time numbers is,
 * each time. Whether a process that waits has run its handler for the first by the time the second
 * arrives is open, so it is a choice; one that runs, and so sends to itself, has. Stopping a
 * process is out of scope.
 */
#include <errno.h>
#include <signal.h>
#include <twinloop/error.h>

#include "sim/kernel.h"
#include "sim/process.h"
#include "sim/sites.h"
#include "sim/world.h"

/* The first two of the real-time signals are the C library's own. */
enum { REALTIME_FIRST = 32, REALTIME_OF_PROGRAMS = 34, DELIVERIES_MAX = 10000 };

static bool stops(int signum)
{
    return signum == SIGSTOP || signum == SIGTSTP || signum == SIGTTIN || signum == SIGTTOU;
}

static bool ignored_by_default(int signum)
{
    return signum == SIGCHLD || signum == SIGCONT || signum == SIGURG || signum == SIGWINCH;
}

static bool cannot_be_handled(int signum)
{
    return signum == SIGKILL || signum == SIGSTOP ||
           (signum >= REALTIME_FIRST && signum < REALTIME_OF_PROGRAMS);
}

static uint64_t bit_of(int signum)
{
    return UINT64_C(1) << (signum - 1);
}

static void disable(struct tl_sim_kernel *kernel, int signum)
{
    kernel->signals_enabled &= ~bit_of(signum);
    kernel->signals_pending &= ~bit_of(signum);
    kernel->process->signals[signum] = NULL;
    kernel->process->signals_more[signum] = 0;
}

int tl_signal_enable(struct tl_sim_kernel *kernel, int signum, bool enable)
{
    if (signum <= 0 || signum >= TL_SIGNALS || cannot_be_handled(signum))
        return -EINVAL;
    /* A job looks like a worker's thread, a foreign thread is one. */
    if (!tl_thread_self()->is_main ||
        !pthread_equal(pthread_self(), tl_sim_kernel_of(kernel)->thread))
        return TL_ETHREAD;
    struct tl_sim_kernel **owner = &kernel->process->signals[signum];
    if (*owner != NULL && *owner != kernel)
        return enable ? -EBUSY : 0;
    if (enable) {
        kernel->signals_enabled |= bit_of(signum);
        *owner = kernel;
    } else {
        disable(kernel, signum);
    }
    return 0;
}

void tl_signals_drop(struct tl_sim_kernel *kernel)
{
    while (kernel->signals_enabled != 0)
        disable(kernel, __builtin_ctzll(kernel->signals_enabled) + 1);
}

/* Whether a signal that is pending is delivered once more. */
static bool is_separate(tl_process *process, int signum)
{
    if (process->signals_more[signum] >= DELIVERIES_MAX)
        return false; /* RLIMIT_SIGPENDING, and a guard */
    if (signum >= REALTIME_FIRST || process->waiting == NULL)
        return true;
    return tl_choices_ask(process->world, TL_AT_SIGNAL_APART, process->entity,
                          &process->signal_draws, 2) != 0;
}

static void deliver(struct tl_sim_kernel *kernel, int signum)
{
    uint64_t bit = bit_of(signum);
    if ((kernel->signals_pending & bit) != 0 && is_separate(kernel->process, signum))
        kernel->process->signals_more[signum]++;
    kernel->signals_pending |= bit;
    tl_ready_touch(kernel, &kernel->signals);
}

int tl_signal_take(struct tl_sim_kernel *kernel)
{
    int signum = __builtin_ctzll(kernel->signals_pending) + 1;
    if (kernel->process->signals_more[signum] > 0)
        kernel->process->signals_more[signum]--;
    else
        kernel->signals_pending &= kernel->signals_pending - 1;
    return signum;
}

/* The default action, which ends the process. */
static int end_by_signal(tl_process *process, int signum)
{
    if (process->program == NULL)
        return -EINVAL; /* a guest's stack is its caller's */
    if (process->world->current == process) {
        process->status = -signum;
        process->leaving = true;
        tl_world_leave(process);
    }
    tl_process_end(process, -signum, true);
    return 0;
}

int tl_signal_send(tl_process *process, int signum)
{
    if (signum < 0 || signum >= TL_SIGNALS || stops(signum))
        return -EINVAL;
    if (process->exited)
        return -ESRCH;
    if (signum == 0)
        return 0;
    struct tl_event_words words = {
        .kind = TL_KIND_KILLED, .actor = process->entity, .who = process->name, .result = signum};
    tl_event_hash_add(process->world, &words);
    struct tl_sim_kernel *kernel = process->signals[signum];
    if (kernel != NULL) {
        deliver(kernel, signum);
        return 0;
    }
    return ignored_by_default(signum) ? 0 : end_by_signal(process, signum);
}

int tl_process_kill(tl_process *process, int signum)
{
    return process != NULL ? tl_signal_send(process, signum) : -EINVAL;
}
