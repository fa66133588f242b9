/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Children: started by posix_spawn, watched through a pidfd, reported once.
 *
 * A child belongs to its kernel from spawn until its event has come out of poll; only then is it
 * reaped, so until then its process id cannot have become somebody else's, and its pidfd never
 * can. A kernel that is destroyed leaves its children running and unreaped.
 *
 * A descriptor of this kernel's making that is given to a child as its 0, 1 or 2 is made blocking,
 * as programs expect to find theirs: that is a property of the open file and so also of this side's
 * descriptor, which the parent is expected to close now. SIGPIPE and SIGXFSZ, which a process often
 * ignores for its own sake only, are as usual in the child; descriptors from 3 on are closed there.
 *
 * Where the system has no pidfds (an old kernel, a filter, valgrind), the end of a child is told by
 * SIGCHLD: each kernel then asks after its own children by number, and never after anybody else's.
 * A child that somebody else started is watched in the same ways once it is adopted.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "core/alloc.h"
#include "real/real.h"

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef P_PIDFD
#define P_PIDFD 3
#endif

/* What a status looks like when somebody else has reaped the child, as happens to programs that
 * ignore SIGCHLD: asyncio's answer. */
#define STATUS_UNKNOWN 255

static int pidfd_open(pid_t pid)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);

    return fd < 0 ? -errno : fd;
}

/* --- Starting --- */

/* What has to be undone when a spawn is over: copies that were made of the child's descriptors
 * because their numbers would have been overwritten, and flags that were changed. */
struct staging {
    int fds[3];    /* what the child's 0, 1, 2 are to be duplicates of, or TL_FD_* */
    int copies[3]; /* to be closed; -1: none */
    int flags[3];  /* to be restored when nothing was started; -1: unchanged */
};

static int stage_one(struct tl_real *real, struct staging *staging, int i, int fd)
{
    staging->fds[i] = fd;
    if (fd < 0)
        return fd == TL_FD_INHERIT || fd == TL_FD_NULL ? 0 : -EBADF;
    const struct tl_real_fd *entry = tl_real_fd(real, fd);
    if (entry == NULL)
        return -EBADF;
    if (fd < 3) {
        staging->copies[i] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (staging->copies[i] < 0)
            return -errno;
        staging->fds[i] = staging->copies[i];
    }
    int flags = entry->adopted ? -1 : fcntl(fd, F_GETFL);
    if (flags >= 0 && (flags & O_NONBLOCK) != 0 && fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) == 0)
        staging->flags[i] = flags;
    return 0;
}

static void unstage(struct staging *staging, bool started)
{
    for (int i = 0; i < 3; i++) {
        if (!started && staging->flags[i] >= 0)
            (void)fcntl(staging->fds[i], F_SETFL, staging->flags[i]);
        if (staging->copies[i] >= 0)
            close(staging->copies[i]);
    }
}

static int stage(struct tl_real *real, const struct tl_spawn *spawn, struct staging *staging)
{
    int r = 0;

    *staging = (struct staging){.fds = {-1, -1, -1}, .copies = {-1, -1, -1}, .flags = {-1, -1, -1}};
    for (int i = 0; i < 3 && r == 0; i++)
        r = stage_one(real, staging, i, spawn->fds[i]);
    if (r < 0)
        unstage(staging, false);
    return r;
}

/* These functions of the C library return a positive errno. */
static int add_actions(posix_spawn_file_actions_t *actions, const struct tl_spawn *spawn,
                       const struct staging *staging)
{
    int r = 0;

    for (int i = 0; i < 3 && r == 0; i++) {
        if (staging->fds[i] >= 0)
            r = posix_spawn_file_actions_adddup2(actions, staging->fds[i], i);
        else if (staging->fds[i] == TL_FD_NULL)
            r = posix_spawn_file_actions_addopen(actions, i, "/dev/null", O_RDWR, 0);
    }
    if (r == 0)
        r = posix_spawn_file_actions_addclosefrom_np(actions, 3);
    if (r == 0 && spawn->cwd != NULL)
        r = posix_spawn_file_actions_addchdir_np(actions, spawn->cwd);
    return r;
}

static int add_attributes(posix_spawnattr_t *attributes, const struct tl_spawn *spawn)
{
    short flags = POSIX_SPAWN_SETSIGDEF | (spawn->new_session ? POSIX_SPAWN_SETSID : 0);
    sigset_t defaults;
    int r;

    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    sigaddset(&defaults, SIGXFSZ);
    r = posix_spawnattr_setsigdefault(attributes, &defaults);
    return r == 0 ? posix_spawnattr_setflags(attributes, flags) : r;
}

/* The new process's id or a negative errno. */
static int start(const struct tl_spawn *spawn, const struct staging *staging)
{
    char *const *envp = spawn->envp != NULL ? (char *const *)spawn->envp : environ;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    pid_t pid;
    int r;

    r = posix_spawn_file_actions_init(&actions);
    if (r != 0)
        return -r;
    r = posix_spawnattr_init(&attributes);
    if (r != 0)
        goto done_actions;
    r = add_actions(&actions, spawn, staging);
    if (r == 0)
        r = add_attributes(&attributes, spawn);
    if (r == 0)
        r = posix_spawnp(&pid, spawn->program, &actions, &attributes, (char *const *)spawn->argv,
                         envp);
    posix_spawnattr_destroy(&attributes);
done_actions:
    posix_spawn_file_actions_destroy(&actions);
    return r == 0 ? pid : -r;
}

/* Has epoll tell of a descriptor of the kernel's own, which is closed when that fails. */
static int listen_to(struct tl_real *real, int fd, enum tl_real_kind kind, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    int r = tl_real_fds_take(real, fd, kind);

    if (r < 0)
        return r;
    if (epoll_ctl(real->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
        r = -errno;
        tl_real_fds_forget(real, fd);
        close(fd);
        return r;
    }
    real->fds[fd].watched = TL_READABLE;
    return 0;
}

/* Has SIGCHLD wake this kernel, from the first child that needs it to the kernel's end. */
static int listen_to_sigchld(struct tl_real *real)
{
    if (real->sigchld > 0)
        return 0;
    int fd = tl_real_sigchld_begin();
    if (fd < 0)
        return fd;
    int r = listen_to(real, fd, TL_REAL_SIGCHLD, EPOLLIN | EPOLLET);
    if (r < 0) {
        tl_real_sigchld_end();
        return r;
    }
    real->sigchld = fd;
    return 0;
}

/* Whether there are pidfds, and if there are none, SIGCHLD in their stead. */
static int prepare(struct tl_real *real)
{
    if (!real->no_pidfd) {
        int fd = pidfd_open(getpid());
        if (fd >= 0)
            close(fd);
        else if (fd != -ENOSYS && fd != -EPERM)
            return fd;
        else
            real->no_pidfd = true;
    }
    return real->no_pidfd ? listen_to_sigchld(real) : 0;
}

/* Watches a started child. */
static int enter(struct tl_real *real, struct tl_real_child *child)
{
    child->pidfd = -1;
    if (!real->no_pidfd) {
        int fd = pidfd_open(child->pid);
        if (fd < 0)
            return fd;
        int r = listen_to(real, fd, TL_REAL_CHILD, EPOLLIN);
        if (r < 0)
            return r;
        real->fds[fd].token = child;
        child->pidfd = fd;
    } else {
        /* It may have ended before it was in the list. */
        real->children_due = true;
        real->pending = true;
    }
    child->next = real->children;
    real->children = child;
    return 0;
}

/* Nothing is left behind of a child that cannot be watched. One without a pidfd has been reaped by
 * somebody else (see STATUS_UNKNOWN), and its number may be another's by now. */
static void annul(pid_t pid, int why)
{
    if (why == -ESRCH)
        return;
    (void)kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

int64_t tl_real_spawn(struct tl_kernel *kernel, const struct tl_spawn *spawn)
{
    struct tl_real *real = tl_real_of(kernel);
    struct tl_real_child *child = NULL;
    struct staging staging;
    int place = -1, r;

    r = tl_real_fds_reserve(real);
    if (r == 0)
        r = prepare(real);
    if (r < 0)
        return r;
    /* Keeps a place free for the child's pidfd. */
    if (!real->no_pidfd)
        place = pidfd_open(getpid());
    if (place < 0 && !real->no_pidfd)
        return place;
    r = stage(real, spawn, &staging);
    if (r < 0)
        goto done_place;
    child = tl_calloc(sizeof *child);
    if (child == NULL) {
        r = -ENOMEM;
        goto done_staging;
    }
    child->token = spawn->token;
    r = start(spawn, &staging);
    if (r < 0)
        goto done_staging;
    child->pid = r;
    if (place >= 0)
        close(place);
    place = -1;
    r = enter(real, child);
    if (r < 0)
        annul(child->pid, r);

done_staging:
    unstage(&staging, r >= 0);
done_place:
    if (place >= 0)
        close(place);
    if (r < 0) {
        tl_free(child);
        return r;
    }
    return child->pid;
}

/* --- Afterwards --- */

static struct tl_real_child *find(const struct tl_real *real, int64_t pid)
{
    struct tl_real_child *child = real->children;

    while (child != NULL && child->pid != pid)
        child = child->next;
    return child;
}

int tl_real_kill(struct tl_kernel *kernel, int64_t pid, int signum)
{
    struct tl_real_child *child = find(tl_real_of(kernel), pid);

    if (child == NULL)
        return -ESRCH;
    if (child->pidfd < 0) /* not reaped yet, so the number is still the child's */
        return kill(child->pid, signum) < 0 ? -errno : 0;
    if (syscall(SYS_pidfd_send_signal, child->pidfd, signum, NULL, 0) < 0)
        return -errno;
    return 0;
}

static void forget(struct tl_real *real, struct tl_real_child *child)
{
    struct tl_real_child **link = &real->children;

    while (*link != child)
        link = &(*link)->next;
    *link = child->next;
    if (child->pidfd >= 0) {
        tl_real_fds_forget(real, child->pidfd);
        close(child->pidfd);
    }
    tl_free(child);
}

int tl_real_child_reap(struct tl_real *real, struct tl_real_child *child, struct tl_event *event)
{
    siginfo_t info = {0};
    int status = STATUS_UNKNOWN;
    bool by_number = child->pidfd < 0;

    if (waitid(by_number ? P_PID : P_PIDFD, (id_t)(by_number ? child->pid : child->pidfd), &info,
               WEXITED | WNOHANG) == 0) {
        if (info.si_pid == 0)
            return 0;
        status = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
    } else if (errno != ECHILD) {
        return 0;
    }
    *event = (struct tl_event){
        .token = child->token,
        .kind = TL_EVENT_CHILD,
        .value = status,
    };
    forget(real, child);
    return 1;
}

int tl_real_children_take(struct tl_real *real, struct tl_event *events, int room)
{
    struct tl_real_child *next;
    int made = 0;

    for (struct tl_real_child *child = real->children; child != NULL; child = next) {
        next = child->next;
        if (made == room)
            return made; /* and children_due stays */
        if (child->pidfd < 0)
            made += tl_real_child_reap(real, child, &events[made]);
    }
    real->children_due = false;
    return made;
}

/* --- Those that others started --- */

int tl_real_adopt_child(struct tl_kernel *kernel, int64_t pid, void *token)
{
    struct tl_real *real = tl_real_of(kernel);
    siginfo_t info;

    if (pid <= 0 || pid > INT_MAX ||
        waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
        return -ECHILD;
    if (find(real, pid) != NULL)
        return -EEXIST;
    int r = tl_real_fds_reserve(real);
    if (r == 0)
        r = prepare(real);
    if (r < 0)
        return r;
    struct tl_real_child *child = tl_calloc(sizeof *child);
    if (child == NULL)
        return -ENOMEM;
    child->pid = (pid_t)pid;
    child->token = token;
    r = enter(real, child);
    if (r < 0)
        tl_free(child);
    return r;
}

int tl_real_release_child(struct tl_kernel *kernel, int64_t pid)
{
    struct tl_real *real = tl_real_of(kernel);
    struct tl_real_child *child = find(real, pid);

    if (child == NULL)
        return -ESRCH;
    forget(real, child);
    return 0;
}

void tl_real_children_finish(struct tl_real *real)
{
    struct tl_real_child *next;

    if (real->sigchld > 0 && getpid() == real->pid)
        tl_real_sigchld_end();

    /* Their pidfds are closed with the table. */
    for (struct tl_real_child *child = real->children; child != NULL; child = next) {
        next = child->next;
        tl_free(child);
    }
    real->children = NULL;
}
