/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moving bytes: read, write and sendfile, for streams, datagrams, and what is no socket.
 *
 * Nearly every call is one message of one piece on a stream: that goes straight to recv or send.
 * The rest takes the way round through recvmsg, recvmmsg, readv and their counterparts. Sockets
 * never wait here even if an adopted one is in blocking mode (MSG_DONTWAIT), so signals cannot
 * interrupt them, and never raise SIGPIPE (MSG_NOSIGNAL).
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include "real/real.h"
#include "real/syscall.h"

/* How many datagrams one system call takes at most; the caller asks again for more. */
#define DATAGRAMS_MAX 16

/* A message of one piece on a stream; addresses and truncation are matters of datagrams. */
static inline bool is_plain(const struct tl_real *real, int fd, const struct tl_message *message,
                            size_t count)
{
    unsigned number = (unsigned)fd;

    return count == 1 && message->iov_count == 1 && number < real->fds_count &&
           real->fds[number].kind == TL_REAL_STREAM;
}

/* A stream takes as many pieces as the system lets it, the caller comes again for the rest. */
static size_t pieces(const struct tl_message *message)
{
    return message->iov_count < IOV_MAX ? message->iov_count : IOV_MAX;
}

/* --- Sockets --- */

static int address_in(struct msghdr *header, const tl_addr *addr, struct sockaddr_storage *storage)
{
    unsigned len;
    int r;

    if (addr == NULL)
        return 0;
    r = tl_real_addr_encode(addr, storage, &len);
    if (r < 0)
        return r;
    header->msg_name = storage;
    header->msg_namelen = len;
    return 0;
}

static void received(struct tl_message *message, const struct msghdr *header, size_t len,
                     bool datagram)
{
    message->len = len;
    message->truncated = datagram && (header->msg_flags & MSG_TRUNC) != 0;
    if (message->addr != NULL)
        tl_real_addr_decode(header->msg_name, header->msg_namelen, message->addr);
}

static ssize_t receive_one(int fd, struct tl_message *message, bool datagram)
{
    struct sockaddr_storage storage;
    struct msghdr header = {.msg_iov = message->iov,
                            .msg_iovlen = datagram ? message->iov_count : pieces(message)};
    ssize_t n;

    if (message->addr != NULL) {
        header.msg_name = &storage;
        header.msg_namelen = sizeof storage;
    }
    n = recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0)
        return -errno;
    received(message, &header, (size_t)n, datagram);
    return n;
}

static ssize_t send_one(int fd, struct tl_message *message, bool datagram)
{
    struct sockaddr_storage storage;
    struct msghdr header = {.msg_iov = message->iov,
                            .msg_iovlen = datagram ? message->iov_count : pieces(message)};
    ssize_t n;
    int r;

    r = address_in(&header, message->addr, &storage);
    if (r < 0)
        return r;
    n = sendmsg(fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0)
        return -errno;
    message->len = (size_t)n;
    return n;
}

static ssize_t receive_many(int fd, struct tl_message *messages, size_t count)
{
    struct mmsghdr headers[DATAGRAMS_MAX];
    struct sockaddr_storage storage[DATAGRAMS_MAX];
    int n;

    if (count > DATAGRAMS_MAX)
        count = DATAGRAMS_MAX;
    for (size_t i = 0; i < count; i++)
        headers[i].msg_hdr = (struct msghdr){
            .msg_iov = messages[i].iov,
            .msg_iovlen = messages[i].iov_count,
            .msg_name = &storage[i],
            .msg_namelen = sizeof storage[i],
        };
    n = recvmmsg(fd, headers, (unsigned)count, MSG_DONTWAIT | MSG_CMSG_CLOEXEC, NULL);
    if (n < 0)
        return -errno;
    for (int i = 0; i < n; i++)
        received(&messages[i], &headers[i].msg_hdr, headers[i].msg_len, true);
    return n;
}

static ssize_t send_many(int fd, struct tl_message *messages, size_t count)
{
    struct mmsghdr headers[DATAGRAMS_MAX];
    struct sockaddr_storage storage[DATAGRAMS_MAX];
    int n, r;

    if (count > DATAGRAMS_MAX)
        count = DATAGRAMS_MAX;
    for (size_t i = 0; i < count; i++) {
        headers[i].msg_hdr =
            (struct msghdr){.msg_iov = messages[i].iov, .msg_iovlen = messages[i].iov_count};
        r = address_in(&headers[i].msg_hdr, messages[i].addr, &storage[i]);
        if (r < 0 && i == 0)
            return r;
        if (r < 0)
            count = i; /* those before it go */
    }
    n = sendmmsg(fd, headers, (unsigned)count, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0)
        return -errno;
    for (int i = 0; i < n; i++)
        messages[i].len = headers[i].msg_len;
    return n;
}

/* --- What is no socket --- */

static ssize_t read_pipe(int fd, struct tl_message *message)
{
    ssize_t n;

    do {
        n = readv(fd, message->iov, (int)pieces(message));
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    message->len = (size_t)n;
    message->truncated = 0;
    return n;
}

/* Nothing but the thread's mask keeps SIGPIPE from being raised where there is no MSG_NOSIGNAL. If
 * the call between these two raised one, it is taken out again before the mask is restored; one
 * that was waiting before stays. A call may have raised one that says EPIPE, and one that says that
 * a part was taken: the reader may have gone in the middle of it. */
struct sigpipe {
    sigset_t before; /* the thread's mask */
    bool waiting;
};

static void block_sigpipe(struct sigpipe *state)
{
    sigset_t sigpipe, waiting;

    sigemptyset(&sigpipe);
    sigaddset(&sigpipe, SIGPIPE);
    sigemptyset(&waiting);
    sigpending(&waiting);
    state->waiting = sigismember(&waiting, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &sigpipe, &state->before);
}

static void restore_sigpipe(const struct sigpipe *state, ssize_t n, size_t asked, int error)
{
    bool raised = n < 0 ? error == EPIPE : (size_t)n < asked;
    static const struct timespec at_once;
    sigset_t sigpipe;

    sigemptyset(&sigpipe);
    sigaddset(&sigpipe, SIGPIPE);
    if (raised && !state->waiting)
        while (sigtimedwait(&sigpipe, NULL, &at_once) < 0 && errno == EINTR)
            ;
    pthread_sigmask(SIG_SETMASK, &state->before, NULL);
}

static ssize_t write_pipe(int fd, struct tl_message *message)
{
    struct sigpipe state;
    size_t asked = 0;
    ssize_t n;
    int error;

    for (size_t i = 0; i < pieces(message); i++)
        asked += message->iov[i].iov_len;
    block_sigpipe(&state);
    do {
        n = writev(fd, message->iov, (int)pieces(message));
    } while (n < 0 && errno == EINTR);
    error = n < 0 ? errno : 0;
    restore_sigpipe(&state, n, asked, error);
    if (n < 0)
        return -error;
    message->len = (size_t)n;
    return n;
}

/* --- The operations --- */

/* Kept out of line, so that the usual way saves as few registers as it needs. */
static __attribute__((noinline)) ssize_t read_other(struct tl_kernel *kernel, int fd,
                                                    struct tl_message *messages, size_t count)
{
    const struct tl_real_fd *entry = tl_real_fd(tl_real_of(kernel), fd);

    if (entry == NULL)
        return -EBADF;
    bool datagram = entry->kind == TL_REAL_DATAGRAM;
    if (count != 1)
        return datagram && count > 0 ? receive_many(fd, messages, count) : -EINVAL;
    if (entry->kind == TL_REAL_PIPE)
        return read_pipe(fd, messages);
    return receive_one(fd, messages, datagram);
}

static __attribute__((noinline)) ssize_t write_other(struct tl_kernel *kernel, int fd,
                                                     struct tl_message *messages, size_t count)
{
    const struct tl_real_fd *entry = tl_real_fd(tl_real_of(kernel), fd);

    if (entry == NULL)
        return -EBADF;
    bool datagram = entry->kind == TL_REAL_DATAGRAM;
    if (count != 1)
        return datagram && count > 0 ? send_many(fd, messages, count) : -EINVAL;
    if (entry->kind == TL_REAL_PIPE)
        return write_pipe(fd, messages);
    return send_one(fd, messages, datagram);
}

ssize_t tl_real_read(struct tl_kernel *kernel, int fd, struct tl_message *messages, size_t count)
{
    if (is_plain(tl_real_of(kernel), fd, messages, count))
        return tl_sys_recv(fd, messages->iov, MSG_DONTWAIT);
    return read_other(kernel, fd, messages, count);
}

ssize_t tl_real_write(struct tl_kernel *kernel, int fd, struct tl_message *messages, size_t count)
{
    if (is_plain(tl_real_of(kernel), fd, messages, count))
        return tl_sys_send(fd, messages->iov, MSG_DONTWAIT | MSG_NOSIGNAL);
    return write_other(kernel, fd, messages, count);
}

/* Has the witness see len bytes of the file that have been sent, as far as they are still there. */
static void show_sent(int file, off_t at, size_t len, struct tl_witness *witness)
{
    char piece[16384];

    while (len > 0) {
        ssize_t n = pread(file, piece, len < sizeof piece ? len : sizeof piece, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        witness->see(witness, piece, (size_t)n);
        at += n;
        len -= (size_t)n;
    }
}

ssize_t tl_real_sendfile(struct tl_kernel *kernel, int fd, int file, int64_t *offset, size_t count,
                         struct tl_witness *witness)
{
    struct tl_real *real = tl_real_of(kernel);
    struct sigpipe state;
    off_t at = *offset;
    ssize_t n;
    int error;

    if (tl_real_fd(real, file) == NULL)
        return -EBADF;
    if (tl_real_fd(real, fd) == NULL)
        fd = -1; /* which Linux says in its turn */
    block_sigpipe(&state);
    do {
        n = sendfile(fd, file, &at, count);
    } while (n < 0 && errno == EINTR);
    error = n < 0 ? errno : 0;
    restore_sigpipe(&state, n, count, error);
    if (n < 0)
        return -error;
    if (witness != NULL)
        show_sent(file, (off_t)*offset, (size_t)n, witness);
    *offset = at;
    return n;
}
