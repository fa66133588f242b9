/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals as events.
 *
 * Dispositions belong to the process, so this file has the one table of the real kernel that
 * belongs to the process too: for each signal, which kernel has it and what was there before. The
 * handler counts the delivery there and wakes that kernel, whose poll turns the count into events:
 * no delivery is lost, and several signals come in the order of their numbers. A handler function
 * that was there before is called as well, and is put back when the kernel gives the signal up,
 * unless the program has put its own in our place meanwhile.
 *
 * Where there are no pidfds, SIGCHLD is also wanted by every kernel that waits for children. These
 * share one eventfd, a duplicate of which each has in its epoll: whoever is woken asks after its
 * own children. A program's handler of SIGCHLD is not disturbed by that, nor it by the handler.
 *
 * The table is changed under its mutex. The handler, which may run on any thread and at any
 * instant, sees a slot's wake descriptor, and `entered` tells when it has stopped using it. In a
 * forked child the signal acts as it did before: the handler notices that it is not in the process
 * that enabled it, puts the earlier disposition back and raises the signal again.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "real/real.h"

struct slot {
    struct tl_real *owner;     /* NULL: nobody; guarded by the mutex */
    struct sigaction previous; /* set while nobody has it */
    pid_t pid;                 /* of the process that enabled it; likewise */
    _Atomic int wake;          /* the owner's eventfd plus one; 0: none */
    _Atomic int children;      /* SIGCHLD: the eventfd of who waits for children, plus one */
    _Atomic unsigned count;    /* deliveries that poll has not handed out */
    _Atomic unsigned entered;  /* handlers that may be using wake */
};

static struct slot slots[NSIG];
static pthread_mutex_t slots_mutex = PTHREAD_MUTEX_INITIALIZER;

_Static_assert(NSIG - 1 <= 64, "a kernel's signals are the bits of a uint64_t");

static void call_previous(const struct sigaction *previous, int signum, siginfo_t *info,
                          void *context)
{
    if ((previous->sa_flags & SA_SIGINFO) != 0)
        previous->sa_sigaction(signum, info, context);
    else if (previous->sa_handler != SIG_DFL && previous->sa_handler != SIG_IGN)
        previous->sa_handler(signum);
}

static void on_signal(int signum, siginfo_t *info, void *context)
{
    struct slot *slot = &slots[signum];
    struct sigaction previous;
    int saved_errno = errno;
    bool enabled, forked;

    atomic_fetch_add(&slot->entered, 1);
    int wake = atomic_load(&slot->wake);
    int children = atomic_load(&slot->children);
    enabled = wake != 0 || children != 0;
    forked = enabled && slot->pid != getpid();
    if (enabled)
        previous = slot->previous;
    if (enabled && !forked) {
        if (wake != 0) {
            atomic_fetch_add(&slot->count, 1);
            tl_real_wake(wake - 1);
        }
        if (children != 0)
            tl_real_wake(children - 1);
    }
    atomic_fetch_sub(&slot->entered, 1);

    if (forked) {
        sigaction(signum, &previous, NULL);
        raise(signum);
    } else if (enabled) {
        call_previous(&previous, signum, info, context);
    }
    errno = saved_errno;
}

static bool is_ours(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) != 0 && action->sa_sigaction == on_signal;
}

/* What follows is called with the mutex held. */

/* A handler on another thread is about to leave; in a forked child the count may have been copied
 * from the middle of one. */
static void await_handlers(struct slot *slot)
{
    while (slot->pid == getpid() && atomic_load(&slot->entered) != 0)
        sched_yield();
}

static bool is_installed(const struct slot *slot)
{
    return slot->pid == getpid() && (slot->owner != NULL || atomic_load(&slot->children) != 0);
}

/* Forgets what a parent process had here, remembers what there is, and puts our handler there; it
 * finds somebody to wake only afterwards. */
static int install(struct slot *slot, int signum)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
    struct sigaction current;

    if (is_installed(slot))
        return 0;
    atomic_store(&slot->wake, 0);
    atomic_store(&slot->children, 0);
    await_handlers(slot);
    atomic_store(&slot->count, 0);
    slot->owner = NULL;
    if (sigaction(signum, NULL, &current) < 0)
        return -errno;
    /* Ours can be there already: inherited by fork, or put back by a program that had replaced it.
     * What was there before us is then still what it was. */
    if (!is_ours(&current))
        slot->previous = current;
    slot->pid = getpid();
    action.sa_sigaction = on_signal;
    return sigaction(signum, &action, NULL) < 0 ? -errno : 0;
}

/* Puts back what was there, once nobody wants the signal any more. */
static void uninstall(struct slot *slot, int signum)
{
    struct sigaction current;

    if (is_installed(slot))
        return;
    if (sigaction(signum, NULL, &current) == 0 && is_ours(&current))
        (void)sigaction(signum, &slot->previous, NULL);
}

static int enable(struct tl_real *real, int signum)
{
    struct slot *slot = &slots[signum];

    if (slot->owner == real)
        return 0;
    if (slot->owner != NULL && slot->pid == getpid())
        return -EBUSY;
    int r = tl_real_wake_open(real);
    if (r == 0)
        r = install(slot, signum);
    if (r < 0)
        return r;
    slot->owner = real;
    atomic_store(&slot->wake, real->wake + 1);
    real->signals |= UINT64_C(1) << (signum - 1);
    return 0;
}

static void disable(struct tl_real *real, int signum)
{
    struct slot *slot = &slots[signum];

    if (slot->owner != real)
        return;
    slot->owner = NULL;
    uninstall(slot, signum);
    atomic_store(&slot->wake, 0);
    await_handlers(slot);
    atomic_store(&slot->count, 0);
    real->signals &= ~(UINT64_C(1) << (signum - 1));
}

/* --- For those who wait for children --- */

static unsigned waiters;    /* kernels that have a duplicate; guarded by the mutex, as fd is */
static int waiters_fd = -1; /* kept for the next waiter; a forked child makes its own */
static pid_t waiters_pid;

static int wait_for_children(void)
{
    struct slot *slot = &slots[SIGCHLD];

    if (waiters_pid != getpid()) {
        int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (fd < 0)
            return -errno;
        if (waiters_fd >= 0)
            close(waiters_fd); /* the parent's */
        waiters_fd = fd;
        waiters_pid = getpid();
        waiters = 0;
    }
    int fd = fcntl(waiters_fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int r = waiters > 0 ? 0 : install(slot, SIGCHLD);
    if (r < 0) {
        close(fd);
        return r;
    }
    waiters++;
    atomic_store(&slot->children, waiters_fd + 1);
    return fd;
}

int tl_real_sigchld_begin(void)
{
    pthread_mutex_lock(&slots_mutex);
    int r = wait_for_children();
    pthread_mutex_unlock(&slots_mutex);
    return r;
}

void tl_real_sigchld_end(void)
{
    pthread_mutex_lock(&slots_mutex);
    if (waiters_pid == getpid() && --waiters == 0) {
        atomic_store(&slots[SIGCHLD].children, 0);
        await_handlers(&slots[SIGCHLD]);
        uninstall(&slots[SIGCHLD], SIGCHLD);
    }
    pthread_mutex_unlock(&slots_mutex);
}

/* --- The operation, and poll's part --- */

int tl_real_signal(struct tl_kernel *kernel, int signum, bool on)
{
    struct tl_real *real = tl_real_of(kernel);
    int r = 0;

    if (signum < 1 || signum >= NSIG || signum == SIGKILL || signum == SIGSTOP)
        return -EINVAL;
    if (gettid() != getpid())
        return TL_ETHREAD;
    pthread_mutex_lock(&slots_mutex);
    if (on)
        r = enable(real, signum);
    else
        disable(real, signum);
    pthread_mutex_unlock(&slots_mutex);
    return r;
}

void tl_real_signals_finish(struct tl_real *real)
{
    if (real->signals == 0)
        return;
    pthread_mutex_lock(&slots_mutex);
    for (int signum = 1; signum < NSIG; signum++)
        if ((real->signals & UINT64_C(1) << (signum - 1)) != 0)
            disable(real, signum);
    pthread_mutex_unlock(&slots_mutex);
}

int tl_real_signals_take(struct tl_real *real, struct tl_event *events, int room)
{
    int made = 0;

    for (uint64_t left = real->signals; left != 0; left &= left - 1) {
        int signum = __builtin_ctzll(left) + 1;
        while (made < room && atomic_load(&slots[signum].count) != 0) {
            atomic_fetch_sub(&slots[signum].count, 1);
            events[made++] = (struct tl_event){.kind = TL_EVENT_SIGNAL, .value = signum};
        }
    }
    return made;
}

bool tl_real_signals_waiting(const struct tl_real *real)
{
    for (uint64_t left = real->signals; left != 0; left &= left - 1)
        if (atomic_load(&slots[__builtin_ctzll(left) + 1].count) != 0)
            return true;
    return false;
}
