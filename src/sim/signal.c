/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals: to the kernel that asked for one, else what an operating system does by default.
 *
 * A signal that is pending already is not pending twice. Stopping a process is out of scope.
 */
#include <errno.h>
#include <signal.h>

#include "sim/kernel.h"
#include "sim/process.h"
#include "sim/world.h"

static bool stops(int signum)
{
    return signum == SIGSTOP || signum == SIGTSTP || signum == SIGTTIN || signum == SIGTTOU;
}

static bool ignored_by_default(int signum)
{
    return signum == SIGCHLD || signum == SIGCONT || signum == SIGURG || signum == SIGWINCH;
}

int tl_signal_enable(struct tl_sim_kernel *kernel, int signum, bool enable)
{
    if (signum <= 0 || signum >= TL_SIGNALS || signum == SIGKILL || signum == SIGSTOP)
        return -EINVAL;
    struct tl_sim_kernel **owner = &kernel->process->signals[signum];
    if (*owner != NULL && *owner != kernel)
        return enable ? -EBUSY : 0;
    if (!enable)
        kernel->signals_pending &= ~(UINT64_C(1) << (signum - 1));
    *owner = enable ? kernel : NULL;
    return 0;
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
        kernel->signals_pending |= UINT64_C(1) << (signum - 1);
        tl_ready_touch(kernel, &kernel->signals);
        return 0;
    }
    return ignored_by_default(signum) ? 0 : end_by_signal(process, signum);
}

int tl_process_kill(tl_process *process, int signum)
{
    return process != NULL ? tl_signal_send(process, signum) : -EINVAL;
}
