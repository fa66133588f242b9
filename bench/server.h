/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the echo servers of the benchmark share: the listening socket, the line that tells the load
 * generator where the server is, and how it ends.
 *
 * Every server prints "PORT PID BYTES" once it listens, BYTES being the memory it keeps per
 * connection on its own account, and ends on SIGTERM. Everything beyond that is left to the loop
 * that is measured, so that the servers differ in nothing else.
 */
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* As large as the library's own read buffer: a peer must not lose by reading less. */
enum { READ_BUFFER_SIZE = 65536, SERVER_BACKLOG = 4096 };

static inline __attribute__((noreturn)) void die(const char *what)
{
    perror(what);
    exit(1);
}

static inline void server_announce(unsigned port, size_t bytes)
{
    printf("%u %ld %zu\n", port, (long)getpid(), bytes);
    (void)fflush(stdout);
}

static inline void server_end(int signum)
{
    (void)signum;
    _exit(0);
}

/* Every accepted connection is without Nagle's delay, and has a send buffer as the load generator
 * wants it. */
static inline void server_tune(int fd)
{
    int one = 1;
    const char *wanted = getenv("BENCH_SEND_BUFFER");
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) < 0)
        die("TCP_NODELAY");
    if (wanted == NULL)
        return;
    int size = atoi(wanted);
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size) < 0)
        die("SO_SNDBUF");
}

/* A non-blocking listening socket on a free port of the loopback; announces it. */
static inline int server_listen(size_t bytes)
{
    struct sockaddr_in addr = {.sin_family = AF_INET};
    socklen_t len = sizeof addr;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof addr) < 0)
        die("bind");
    if (listen(fd, SERVER_BACKLOG) < 0 || getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
        die("listen");
    (void)signal(SIGTERM, server_end);
    (void)signal(SIGPIPE, SIG_IGN);
    server_announce(ntohs(addr.sin_port), bytes);
    return fd;
}

/* The next connection, non-blocking; negative when there is none. */
static inline int server_accept(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0)
        server_tune(fd);
    return fd;
}

#endif
