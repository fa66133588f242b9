/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What would leave a world, and is refused inside it: threads, sockets, waiting; see guard.h.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>
#include "sim/guard.h"

const char tl_guard_refusals_are_here = 0;

/* Defines a function that inside a world reports and returns `refusal`, in which `r` is -1. */
#define REFUSED(type, name, what, refusal, parameters, ...)                                        \
    TL_GUARD_REAL(name)                                                                            \
    type name parameters                                                                           \
    {                                                                                              \
        struct tl_guarded who;                                                                     \
        if (tl_guard_inside(&who)) {                                                               \
            int r = tl_guard_refuse(&who, TL_REFUSED_##what, #name);                               \
            (void)r;                                                                               \
            return refusal;                                                                        \
        }                                                                                          \
        if (real_##name() == NULL) {                                                               \
            int r = -1;                                                                            \
            (void)r;                                                                               \
            errno = ENOSYS;                                                                        \
            return refusal;                                                                        \
        }                                                                                          \
        return real_##name()(__VA_ARGS__);                                                         \
    }

/* --- Threads ---------------------------------------------------------------------------------- */

REFUSED(int, pthread_create, THREAD, errno,
        (pthread_t *restrict thread, const pthread_attr_t *restrict attributes,
         void *(*start)(void *), void *restrict arg),
        thread, attributes, start, arg)
REFUSED(int, thrd_create, THRD, thrd_error, (thrd_t * thread, thrd_start_t start, void *arg),
        thread, start, arg)

/* --- Sockets ---------------------------------------------------------------------------------- */

REFUSED(int, socket, SOCKET, r, (int family, int type, int protocol), family, type, protocol)
REFUSED(int, socketpair, SOCKETPAIR, r, (int family, int type, int protocol, int fds[2]), family,
        type, protocol, fds)
REFUSED(int, bind, BIND, r, (int fd, __CONST_SOCKADDR_ARG address, socklen_t len), fd, address, len)
REFUSED(int, listen, LISTEN, r, (int fd, int backlog), fd, backlog)
REFUSED(int, connect, CONNECT, r, (int fd, __CONST_SOCKADDR_ARG address, socklen_t len), fd,
        address, len)
REFUSED(int, accept, ACCEPT, r, (int fd, __SOCKADDR_ARG address, socklen_t *restrict len), fd,
        address, len)
REFUSED(int, accept4, ACCEPT4, r,
        (int fd, __SOCKADDR_ARG address, socklen_t *restrict len, int flags), fd, address, len,
        flags)

/* --- Waiting ---------------------------------------------------------------------------------- */

REFUSED(int, poll, POLL, r, (struct pollfd * fds, nfds_t count, int timeout), fds, count, timeout)
REFUSED(int, ppoll, PPOLL, r,
        (struct pollfd * fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask),
        fds, count, timeout, mask)
REFUSED(int, select, SELECT, r,
        (int count, fd_set *restrict in, fd_set *restrict out, fd_set *restrict except,
         struct timeval *restrict timeout),
        count, in, out, except, timeout)
REFUSED(int, pselect, PSELECT, r,
        (int count, fd_set *restrict in, fd_set *restrict out, fd_set *restrict except,
         const struct timespec *restrict timeout, const sigset_t *restrict mask),
        count, in, out, except, timeout, mask)
REFUSED(int, epoll_wait, EPOLL_WAIT, r,
        (int fd, struct epoll_event *events, int count, int timeout), fd, events, count, timeout)
REFUSED(int, epoll_pwait, EPOLL_PWAIT, r,
        (int fd, struct epoll_event *events, int count, int timeout, const sigset_t *mask), fd,
        events, count, timeout, mask)
REFUSED(unsigned, sleep, SLEEP, seconds, (unsigned seconds), seconds)
REFUSED(int, usleep, USLEEP, r, (useconds_t time), time)
REFUSED(int, nanosleep, NANOSLEEP, r, (const struct timespec *time, struct timespec *left), time,
        left)
REFUSED(int, clock_nanosleep, CLOCK_NANOSLEEP, errno,
        (clockid_t clock_id, int flags, const struct timespec *time, struct timespec *left),
        clock_id, flags, time, left)
REFUSED(int, thrd_sleep, THRD_SLEEP, (r - 1), (const struct timespec *time, struct timespec *left),
        time, left)

#if __GLIBC_PREREQ(2, 35)
REFUSED(int, epoll_pwait2, EPOLL_PWAIT2, r,
        (int fd, struct epoll_event *events, int count, const struct timespec *timeout,
         const sigset_t *mask),
        fd, events, count, timeout, mask)
#endif

/* What programs that were built with _FORTIFY_SOURCE call. */
int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t size);
REFUSED(int, __poll_chk, POLL, r, (struct pollfd * fds, nfds_t count, int timeout, size_t size),
        fds, count, timeout, size)

/* --- Reading ---------------------------------------------------------------------------------- */

/* Inside a world a file may be read, and so may the devices that are only memory. */
static ssize_t read_inside(const struct tl_guarded *who, int fd, void *buf, size_t len,
                           ssize_t (*real)(int, void *, size_t))
{
    struct stat stat;
    int before = errno;
    bool known = fstat(fd, &stat) == 0;
    errno = before;
    if (known && S_ISCHR(stat.st_mode) && major(stat.st_rdev) == 1) {
        if (minor(stat.st_rdev) == 8 || minor(stat.st_rdev) == 9) { /* random, urandom */
            tl_guard_random(who, buf, len);
            return (ssize_t)len;
        }
        return real(fd, buf, len);
    }
    if (!known || S_ISREG(stat.st_mode) || S_ISDIR(stat.st_mode))
        return real(fd, buf, len);
    return tl_guard_refuse(who, TL_REFUSED_READ, "read");
}

TL_GUARD_REAL(read)

ssize_t read(int fd, void *buf, size_t len)
{
    struct tl_guarded who;
    ssize_t (*real)(int, void *, size_t) = real_read();
    if (real == NULL) {
        errno = ENOSYS;
        return -1;
    }
    return tl_guard_inside(&who) ? read_inside(&who, fd, buf, len, real) : real(fd, buf, len);
}
