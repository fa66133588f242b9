/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What no loop can do without, at the tasks of bench/loop.h: an epoll_wait that does not wait for
 * each callback when one is in flight; an epoll instance with an eventfd for a loop.
 */
#include "loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static int epoll, wake;

static void make(void)
{
    epoll = epoll_create1(EPOLL_CLOEXEC);
    check("epoll_create1", epoll);
    wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    check("eventfd", wake);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    check("epoll_ctl", epoll_ctl(epoll, EPOLL_CTL_ADD, wake, &event));
}

static void destroy(void)
{
    close(wake);
    close(epoll);
}

static void soon(uint64_t in_flight, uint64_t count)
{
    struct epoll_event events[128];
    make();
    for (uint64_t i = 0; i < count; i += in_flight)
        check("epoll_wait", epoll_wait(epoll, events, 128, 0));
    destroy();
}

static void loops(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        make();
        destroy();
    }
}

int main(int argc, char **argv)
{
    const struct loop_contender contender = {.soon = soon, .loops = loops};
    return loop_main(argc, argv, &contender);
}
