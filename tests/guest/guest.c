/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See guest.h. Built as a shared library of its own, without any of Twinloop's flags.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include "guest.h"

static int64_t seconds(void)
{
    return time(NULL);
}

static int64_t nanoseconds(void)
{
    struct timespec t;
    return clock_gettime(CLOCK_MONOTONIC, &t) == 0 ? t.tv_sec * INT64_C(1000000000) + t.tv_nsec
                                                   : -1;
}

static int64_t microseconds(void)
{
    struct timeval t;
    return gettimeofday(&t, NULL) == 0 ? t.tv_sec * INT64_C(1000000) + t.tv_usec : -1;
}

static int64_t utc(void)
{
    struct timespec t;
    return timespec_get(&t, TIME_UTC) == TIME_UTC ? t.tv_sec * INT64_C(1000000000) + t.tv_nsec : -1;
}

static long number(unsigned which)
{
    switch (which) {
    case 0:
        return rand();
    case 1:
        return random();
    case 2:
        return lrand48();
    case 3:
        return mrand48();
    case 4:
        return (long)(drand48() * (double)(1L << 48));
#if __GLIBC_PREREQ(2, 36)
    case 5:
        return arc4random();
#endif
    }
    return 0;
}

static int entropy(void *buf, size_t len)
{
    return getrandom(buf, len, 0) == (ssize_t)len ? 0 : -1;
}

static void *nothing(void *arg)
{
    return arg;
}

static int start_thread(void)
{
    pthread_t thread;
    int r = pthread_create(&thread, NULL, nothing, NULL);
    return r == 0 ? pthread_join(thread, NULL) : r;
}

static int open_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0)
        return errno;
    return close(fd) < 0 ? errno : 0;
}

static int wait_a_bit(void)
{
    return poll(NULL, 0, 1) == 0 ? 0 : errno;
}

static int sleep_a_bit(void)
{
    const struct timespec bit = {.tv_nsec = 1};
    return nanosleep(&bit, NULL) == 0 ? 0 : errno;
}

static int read_byte(const char *path)
{
    char byte;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int r = read(fd, &byte, 1) == 1 ? 0 : errno;
    close(fd);
    return r;
}

static int read_pipe(void)
{
    int fds[2];
    char byte = 'x';
    if (pipe2(fds, O_CLOEXEC) < 0)
        return errno;
    int r = write(fds[1], &byte, 1) == 1 && read(fds[0], &byte, 1) == 1 ? 0 : errno;
    close(fds[0]);
    close(fds[1]);
    return r;
}

const struct guest *guest_get(void)
{
    static const struct guest guest = {
        .seconds = seconds,
        .nanoseconds = nanoseconds,
        .microseconds = microseconds,
        .utc = utc,
        .number = number,
        .start = srand,
        .entropy = entropy,
        .start_thread = start_thread,
        .open_socket = open_socket,
        .wait_a_bit = wait_a_bit,
        .sleep_a_bit = sleep_a_bit,
        .read_byte = read_byte,
        .read_pipe = read_pipe,
    };
    return &guest;
}
