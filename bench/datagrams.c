/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a datagram costs a server that sends it back: on Twinloop, and on epoll, recvmmsg and sendto
 * (or, all of a readiness together, sendmmsg) themselves.
 *
 * A client keeps 32 datagrams of 64 bytes under way; what is measured is the time on a processor of
 * the server, which has one to itself, from the first that is counted to the last.
 *
 *     datagrams [MESSAGES]
 */
#include "sample.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <twinloop.h>
#include <unistd.h>

enum { SIZE = 64, UNDER_WAY = 32, BATCH = 16, ROUND_MAX = 64, BUFFER = 65536, WARM_UP = 2000 };

/* --- On epoll itself -------------------------------------------------------------------------- */

struct raw {
    struct mmsghdr headers[BATCH];
    struct iovec iov[BATCH];
    struct sockaddr_in addrs[BATCH];
    char data[BATCH][BUFFER + 192]; /* not a power of two apart, as the library's */
};

static void lay_out(struct raw *raw)
{
    for (int i = 0; i < BATCH; i++) {
        raw->iov[i] = (struct iovec){raw->data[i], BUFFER};
        raw->headers[i].msg_hdr =
            (struct msghdr){.msg_name = &raw->addrs[i], .msg_iov = &raw->iov[i], .msg_iovlen = 1};
    }
}

static void send_back(struct raw *raw, int fd, int n, bool together)
{
    for (int i = 0; i < n; i++)
        raw->iov[i].iov_len = raw->headers[i].msg_len;
    if (together && sendmmsg(fd, raw->headers, (unsigned)n, MSG_NOSIGNAL) != n)
        check("sendmmsg", -errno);
    for (int i = 0; i < n && !together; i++)
        if (sendto(fd, raw->data[i], raw->headers[i].msg_len, MSG_NOSIGNAL,
                   (struct sockaddr *)&raw->addrs[i], sizeof raw->addrs[i]) < 0)
            check("sendto", -errno);
    for (int i = 0; i < n; i++)
        raw->iov[i].iov_len = BUFFER;
}

static void readable(struct raw *raw, int fd, bool together)
{
    for (int left = ROUND_MAX; left > 0; left -= BATCH) {
        for (int i = 0; i < BATCH; i++)
            raw->headers[i].msg_hdr.msg_namelen = sizeof raw->addrs[i];
        int n = recvmmsg(fd, raw->headers, BATCH, MSG_DONTWAIT, NULL);
        if (n < 0 && errno != EAGAIN)
            check("recvmmsg", -errno);
        if (n > 0)
            send_back(raw, fd, n, together);
        if (n < BATCH)
            return;
    }
}

static void serve_raw(int fd, bool together)
{
    struct raw *raw = calloc(1, sizeof *raw);
    struct epoll_event event = {.events = EPOLLIN};
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (raw == NULL || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        exit(1);
    lay_out(raw);
    for (;;)
        if (epoll_wait(epoll, &event, 1, -1) > 0)
            readable(raw, fd, together);
}

/* --- On Twinloop ------------------------------------------------------------------------------ */

struct echo {
    tl_protocol protocol;
    tl_transport *transport;
};

static int connection_made(tl_protocol *protocol, tl_transport *transport)
{
    tl_container_of(protocol, struct echo, protocol)->transport = transport;
    return 0;
}

static int datagram_received(tl_protocol *protocol, const void *data, size_t len,
                             const tl_addr *from)
{
    struct echo *echo = tl_container_of(protocol, struct echo, protocol);
    return tl_datagram_transport_sendto(echo->transport, data, len, from);
}

static const struct tl_protocol_ops echo_ops = {
    .kind = TL_PROTOCOL_DATAGRAM,
    .connection_made = connection_made,
    .datagram_received = datagram_received,
};

static tl_protocol *echo_new(void *farg)
{
    struct echo *echo = farg;
    echo->protocol = TL_PROTOCOL_INIT(&echo_ops);
    return &echo->protocol;
}

static void serve_twinloop(int fd, bool together)
{
    tl_socket sock = {fd};
    const tl_datagram_opts opts = {.sock = &sock, .batch_sends = together};
    struct echo echo;
    tl_loop *loop;
    check("loop", tl_new_event_loop(&loop));
    tl_future_detach(tl_loop_create_datagram_endpoint(loop, echo_new, &echo, NULL, NULL, &opts));
    check("run", tl_loop_run_forever(loop));
}

/* --- The client ------------------------------------------------------------------------------- */

static void place(int processor)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    (void)sched_setaffinity(0, sizeof set, &set);
}

/* A socket on a free port of the loopback. */
static int bound(struct sockaddr_in *ret)
{
    socklen_t len = sizeof *ret;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    *ret = (struct sockaddr_in){.sin_family = AF_INET};
    ret->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)ret, len) < 0 ||
        getsockname(fd, (struct sockaddr *)ret, &len) < 0)
        check("bind", -errno);
    return fd;
}

static int64_t time_of(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Sends so many datagrams and gets them all back, in any order. */
static void exchange(int fd, uint64_t count)
{
    static char out[SIZE], in[UNDER_WAY][SIZE];
    struct mmsghdr sent[UNDER_WAY], received[UNDER_WAY];
    struct iovec to = {out, SIZE}, from[UNDER_WAY];
    memset(sent, 0, sizeof sent);
    memset(received, 0, sizeof received);
    for (int i = 0; i < UNDER_WAY; i++) {
        from[i] = (struct iovec){in[i], SIZE};
        sent[i].msg_hdr = (struct msghdr){.msg_iov = &to, .msg_iovlen = 1};
        received[i].msg_hdr = (struct msghdr){.msg_iov = &from[i], .msg_iovlen = 1};
    }
    unsigned free_places = UNDER_WAY;
    for (uint64_t begun = 0, done = 0; done < count;) {
        unsigned n = count - begun < free_places ? (unsigned)(count - begun) : free_places;
        for (unsigned i = 0; i < n;) {
            int r = sendmmsg(fd, sent, n - i, 0);
            check("sendmmsg", r < 0 ? -errno : 0);
            i += (unsigned)r;
        }
        begun += n;
        int r = recvmmsg(fd, received, UNDER_WAY, MSG_WAITFORONE, NULL);
        check("recvmmsg", r < 0 ? -errno : 0);
        done += (uint64_t)r;
        free_places = (unsigned)r;
    }
}

/* The processor time of a server for so many datagrams. */
static double measure(void (*serve)(int fd, bool together), bool together, uint64_t count)
{
    struct sockaddr_in addr, own;
    clockid_t clock = CLOCK_MONOTONIC;
    int server = bound(&addr);
    int fd = bound(&own);
    pid_t pid = fork();
    if (pid == 0) {
        place(1);
        close(fd);
        serve(server, together);
        _exit(1);
    }
    place(0);
    close(server);
    if (connect(fd, (struct sockaddr *)&addr, sizeof addr) < 0 ||
        clock_getcpuclockid(pid, &clock) != 0)
        check("connect", -errno);
    exchange(fd, WARM_UP);
    int64_t start = time_of(clock);
    exchange(fd, count);
    int64_t took = time_of(clock) - start;
    close(fd);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return (double)took / (double)count;
}

int main(int argc, char **argv)
{
    uint64_t count = amount(argc, argv, 300000);
    const char *one = "datagram of 64 B, sent at once";
    const char *all = "datagram of 64 B, sent together";
    alarm(300);
    sample(one, "ns/datagram", measure(serve_twinloop, false, count));
    sample_of(one, "ns/datagram", "raw epoll", measure(serve_raw, false, count));
    sample(all, "ns/datagram", measure(serve_twinloop, true, count));
    sample_of(all, "ns/datagram", "raw epoll", measure(serve_raw, true, count));
    return 0;
}
