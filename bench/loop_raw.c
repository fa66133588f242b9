/* SPDX-License-Identifier: Apache-2.0 */
/* What no loop can do without: a look at the kernel for each callback, a loop's descriptors. */
#include "loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static uint64_t left;

static void __attribute__((noinline)) callback(void)
{
    left--;
}

int main(void)
{
    struct epoll_event events[64];
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    epoll_ctl(epoll, EPOLL_CTL_ADD, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), &event);
    left = CALLBACKS_ONE;
    int64_t start = cpu_ns();
    while (left > 0) {
        (void)epoll_wait(epoll, events, 64, 0);
        callback();
    }
    loop_sample(LOOP_CALLBACKS_ONE, start, CALLBACKS_ONE);

    start = cpu_ns();
    for (int i = 0; i < LIVES; i++)
        close(epoll_create1(EPOLL_CLOEXEC));
    loop_sample(LOOP_LIFE, start, LIVES);
    return 0;
}
