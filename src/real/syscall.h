/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The three system calls that a busy server makes all the time, without the C library around them.
 *
 * With some mitigations on, a processor has forgotten after a system call where the calls in
 * progress return to; each return then costs 7 ns, a fifteenth of a look at epoll. So there is none
 * here that can be spared. What the C library's functions do besides is of no use to callers that
 * never wait in them, or are no point of cancellation: they look after pthread_cancel, and move the
 * error to errno.
 *
 * Sanitizers see what the system writes by standing in front of the C library, so under them, and
 * on processors that nobody has measured this for, it is called as usual.
 */
#ifndef TL_REAL_SYSCALL_H
#define TL_REAL_SYSCALL_H

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TL_REAL_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define TL_REAL_SANITIZED 1
#endif
#endif

/* Each of them returns what the system does: a count, or a negative errno. */

#if defined(__x86_64__) && defined(__LP64__) && !defined(TL_REAL_SANITIZED)

static inline int tl_sys_epoll_wait(int epoll, struct epoll_event *events, int room, int timeout)
{
    long n = SYS_epoll_wait;
    register long ms __asm__("r10") = timeout;

    __asm__ volatile("syscall"
                     : "+a"(n)
                     : "D"(epoll), "S"(events), "d"(room), "r"(ms)
                     : "rcx", "r11", "memory");
    return (int)n;
}

/* recvfrom and sendto, where no address is asked for or told. */
static inline ssize_t tl_sys_transfer(long number, int fd, const struct iovec *piece, int flags)
{
    register long r10 __asm__("r10") = flags;
    register long addr __asm__("r8") = 0;
    register long addr_len __asm__("r9") = 0;

    __asm__ volatile("syscall"
                     : "+a"(number)
                     : "D"((long)fd), "S"(piece->iov_base), "d"(piece->iov_len), "r"(r10),
                       "r"(addr), "r"(addr_len)
                     : "rcx", "r11", "memory");
    return number;
}

static inline ssize_t tl_sys_recv(int fd, const struct iovec *piece, int flags)
{
    return tl_sys_transfer(SYS_recvfrom, fd, piece, flags);
}

static inline ssize_t tl_sys_send(int fd, const struct iovec *piece, int flags)
{
    return tl_sys_transfer(SYS_sendto, fd, piece, flags);
}

#else

static inline int tl_sys_epoll_wait(int epoll, struct epoll_event *events, int room, int timeout)
{
    int n = epoll_wait(epoll, events, room, timeout);

    return n < 0 ? -errno : n;
}

static inline ssize_t tl_sys_recv(int fd, const struct iovec *piece, int flags)
{
    ssize_t n = recv(fd, piece->iov_base, piece->iov_len, flags);

    return n < 0 ? -errno : n;
}

static inline ssize_t tl_sys_send(int fd, const struct iovec *piece, int flags)
{
    ssize_t n = send(fd, piece->iov_base, piece->iov_len, flags);

    return n < 0 ? -errno : n;
}

#endif

#endif
