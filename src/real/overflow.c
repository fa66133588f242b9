/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Naming the task that outgrew its stack.
 *
 * A signal handler is the process's, so the library installs this one only when it is asked to. It
 * runs on a stack of its own, for the task's is full. If the address that faulted lies in the guard
 * of the task that runs, it says so; then it puts back what was there before and returns, and the
 * instruction faults again into that. The handler stays as long as the process; a thread's stack
 * for signals is freed at the thread's end.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <twinloop/task.h>
#include <unistd.h>

#include "core/self.h"
#include "core/task.h"

enum { SIGNAL_STACK_SIZE = 64 << 10 };

static struct {
    pthread_mutex_t mutex;
    bool installed;
    pthread_key_t key; /* a thread's stack for signals */
    struct sigaction earlier_segv, earlier_bus;
} overflow = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void say(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0)
        return; /* There is nowhere left to say so. */
}

static void name_task(const void *address)
{
    struct tl_task *task = tl_self != NULL ? tl_self->task : NULL;
    if (task == NULL || task->fiber == NULL || !tl_fiber_guards(task->fiber, address))
        return;
    say("twinloop: error: task ");
    say(tl_task_get_name(task));
    say(" outgrew its stack\n");
}

static void on_fault(int signum, siginfo_t *info, void *ucontext)
{
    int saved = errno;

    (void)ucontext;
    name_task(info->si_addr);
    (void)sigaction(SIGSEGV, &overflow.earlier_segv, NULL);
    (void)sigaction(SIGBUS, &overflow.earlier_bus, NULL);
    if (info->si_code <= 0) /* Sent, not caused: it does not come again by itself. */
        (void)raise(signum);
    errno = saved;
}

static void free_signal_stack(void *stack)
{
    const stack_t none = {.ss_flags = SS_DISABLE};

    (void)sigaltstack(&none, NULL);
    free(stack);
}

/* This thread's stack for signals, unless it has one. */
static int give_signal_stack(void)
{
    stack_t stack;

    if (sigaltstack(NULL, &stack) < 0)
        return -errno;
    if ((stack.ss_flags & SS_DISABLE) == 0)
        return 0;
    stack = (stack_t){.ss_sp = malloc(SIGNAL_STACK_SIZE), .ss_size = SIGNAL_STACK_SIZE};
    if (stack.ss_sp == NULL)
        return -ENOMEM;
    int r = pthread_setspecific(overflow.key, stack.ss_sp);
    if (r == 0 && sigaltstack(&stack, NULL) < 0)
        r = errno;
    if (r != 0) {
        (void)pthread_setspecific(overflow.key, NULL);
        free(stack.ss_sp);
    }
    return -r;
}

static int install(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    (void)sigemptyset(&action.sa_mask);
    int r = pthread_key_create(&overflow.key, free_signal_stack);
    if (r != 0)
        return -r;
    overflow.installed = true;
    /* Neither can fail: the numbers are good and can be caught. */
    (void)sigaction(SIGSEGV, &action, &overflow.earlier_segv);
    (void)sigaction(SIGBUS, &action, &overflow.earlier_bus);
    return 0;
}

int tl_report_stack_overflows(void)
{
    pthread_mutex_lock(&overflow.mutex);
    int r = overflow.installed ? 0 : install();
    pthread_mutex_unlock(&overflow.mutex);
    return r < 0 ? r : give_signal_stack();
}
