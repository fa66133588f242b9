/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer measures the time of an input in a handler of SIGALRM, which as a rule interrupts the
 * world in the middle. It must see real time, so its handler is wrapped in one that lifts the
 * guard.
 *
 * Only in a program that libFuzzer drives: any other's signals are its own.
 */
#include <signal.h>
#include <string.h>
#include "sim/guard.h"

/* Defined by libFuzzer alone. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t size_max) __attribute__((weak));

static struct sigaction theirs;

static void on_alarm(int signum, siginfo_t *info, void *context)
{
    bool before = tl_guard_lift();
    if ((theirs.sa_flags & SA_SIGINFO) != 0)
        theirs.sa_sigaction(signum, info, context);
    else
        theirs.sa_handler(signum);
    tl_guard_put_back(before);
}

void tl_guard_spare_alarm(void)
{
    if (LLVMFuzzerMutate == NULL || sigaction(SIGALRM, NULL, &theirs) < 0)
        return;
    if ((theirs.sa_flags & SA_SIGINFO) == 0 &&
        (theirs.sa_handler == SIG_DFL || theirs.sa_handler == SIG_IGN))
        return;
    struct sigaction ours = theirs;
    ours.sa_flags |= SA_SIGINFO;
    ours.sa_sigaction = on_alarm;
    (void)sigaction(SIGALRM, &ours, NULL);
}
