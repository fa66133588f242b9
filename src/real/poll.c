/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting: watch, and poll.
 *
 * The order in which poll hands things out: first what an earlier poll had no room for (at most
 * half of the array, so that a flood of posts cannot starve the sockets); then descriptors and
 * ended children as epoll lists them; then signals, by number; then posts, the oldest first; then
 * finished jobs, in the order in which they finished. The last three come to light through the
 * eventfd, which is written to when there is something and never read (see real.c), so a poll is
 * one system call; posts also without it, while the loop is busy (see post.c).
 */
#include <errno.h>
#include <limits.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "real/real.h"
#include "real/syscall.h"

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

static const tl_time DEAF_MAX = 10 * TL_MILLISECOND;

static uint32_t to_epoll(unsigned events)
{
    return ((events & TL_READABLE) ? (uint32_t)EPOLLIN : 0) |
           ((events & TL_WRITABLE) ? (uint32_t)EPOLLOUT : 0);
}

_Static_assert(EPOLLIN == 1 && EPOLLOUT == 4 && EPOLLERR == 8 && EPOLLHUP == 16,
               "from_epoll moves these bits to where TL_READABLE ... have them");

static inline uint32_t from_epoll(uint32_t events)
{
    return (events & TL_READABLE) | (events >> 1 & TL_WRITABLE) | (events >> 2 & TL_HANGUP) |
           (events & TL_FAULT);
}

int tl_real_watch(struct tl_kernel *kernel, int fd, unsigned events, void *token)
{
    struct tl_real *real = tl_real_of(kernel);
    struct tl_real_fd *entry = tl_real_fd(real, fd);

    if (entry == NULL)
        return -EBADF;
    if (events != entry->watched) {
        struct epoll_event event = {.events = to_epoll(events), .data.fd = fd};
        int op = entry->watched == 0 ? EPOLL_CTL_ADD : events != 0 ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;
        if (epoll_ctl(real->epoll, op, fd, &event) < 0 && op != EPOLL_CTL_DEL)
            return -errno;
        entry->watched = (uint8_t)events;
    }
    entry->token = token;
    return 0;
}

/* epoll_wait for no time (0) or for ever (-1): how many events epoll has put into the batch, or a
 * negative errno. A loop that is busy looks once for every batch of callbacks. */
static inline int wait_plain(struct tl_real *real, int room, int timeout)
{
    return tl_sys_epoll_wait(real->epoll, real->batch, room, timeout);
}

static inline int result(int n)
{
    return n < 0 ? -errno : n;
}

/* epoll_wait for kernels older than 5.11 and where a filter forbids the newer call. */
static int wait_coarse(struct tl_real *real, tl_time timeout, int room)
{
    tl_time ms = timeout / TL_MILLISECOND + (timeout % TL_MILLISECOND != 0);

    return result(epoll_wait(real->epoll, real->batch, room, ms < INT_MAX ? (int)ms : INT_MAX));
}

/* Waits for some time, likewise. */
static int wait_until(struct tl_real *real, tl_time timeout, int room)
{
    if (!real->coarse) {
        struct timespec t = {.tv_sec = timeout / TL_SECOND, .tv_nsec = timeout % TL_SECOND};
        int n = (int)syscall(SYS_epoll_pwait2, real->epoll, real->batch, room, &t, NULL, 0);
        if (n >= 0 || (errno != ENOSYS && errno != EPERM))
            return result(n);
        real->coarse = true;
    }
    return wait_coarse(real, timeout, room);
}

static inline int batch_room(int count)
{
    return count < TL_REAL_BATCH_MAX ? count : TL_REAL_BATCH_MAX;
}

static int take_pending(struct tl_real *real, struct tl_event *events, int room)
{
    int made = tl_real_signals_take(real, events, room);

    made += tl_real_posts_take(real, events + made, room - made);
    made += tl_real_jobs_take(real, events + made, room - made);
    made += tl_real_resolved_take(real, events + made, room - made);
    if (real->children_due)
        made += tl_real_children_take(real, events + made, room - made);
    real->pending = real->children_due || tl_real_signals_waiting(real) ||
                    tl_real_posts_waiting(real) || tl_real_jobs_waiting(real) ||
                    tl_real_resolved_waiting(real);
    return made;
}

/* What an event of the kernel's own descriptors amounts to. */
static int deliver_own(struct tl_real *real, const struct tl_real_fd *entry, struct tl_event *event)
{
    if (entry->kind == TL_REAL_CHILD)
        return tl_real_child_reap(real, entry->token, event);
    if (entry->kind == TL_REAL_WAKE) {
        tl_real_jobs_collect(real);
        tl_real_posts_collect(real);
    } else {
        real->children_due = true;
    }
    real->pending = true;
    return 0;
}

static inline bool is_own(const struct tl_real_fd *entry)
{
    return entry->kind < TL_REAL_STREAM;
}

static inline struct tl_real_fd *entry_of(const struct tl_real *real, int i)
{
    return &real->fds[real->batch[i].data.fd];
}

static inline void tell(struct tl_event *event, const struct tl_real_fd *entry, uint32_t ready)
{
    event->token = entry->token;
    event->ready = ready;
    event->kind = TL_EVENT_FD;
}

/* The rest of deliver, which has done the first i, of any kind; and what these brought to light. */
static __attribute__((noinline)) int deliver_mixed(struct tl_real *real, int i, int ready,
                                                   struct tl_event *events, int count)
{
    int made = i;

    for (; i < ready; i++) {
        const struct tl_real_fd *entry = entry_of(real, i);

        if (is_own(entry))
            made += deliver_own(real, entry, &events[made]);
        else
            tell(&events[made++], entry, from_epoll(real->batch[i].events));
    }
    if (real->pending)
        made += take_pending(real, events + made, count - made);
    return made;
}

/* Makes events of what epoll has put into the batch; ready may be an error. Nearly always all are
 * of the program's descriptors and say that there is something to read, and that is done without a
 * call. */
static inline int deliver(struct tl_real *real, int ready, struct tl_event *events, int count)
{
    if (ready < 0)
        return ready == -EINTR ? 0 : ready;
    for (int i = 0; i < ready; i++) {
        const struct tl_real_fd *entry = entry_of(real, i);

        if (is_own(entry) || real->batch[i].events != EPOLLIN)
            return deliver_mixed(real, i, ready, events, count);
        tell(&events[i], entry, TL_READABLE);
    }
    return ready;
}

/* Without waiting, for there is something to take: new posts, or what has been left over, which
 * goes first. */
static __attribute__((noinline)) int poll_taking(struct tl_real *real, struct tl_event *events,
                                                 int count)
{
    if (tl_real_posts_new(real)) {
        tl_real_posts_collect(real);
        real->pending = true;
    }
    int made = take_pending(real, events, (count + 1) / 2);
    if (made == count)
        return made;
    int ready = wait_plain(real, batch_room(count - made), 0);
    int more = deliver(real, ready, events + made, count - made);
    if (more < 0)
        return made > 0 ? made : more;
    made += more;
    if (real->pending)
        made += take_pending(real, events + made, count - made);
    return made;
}

static inline void set_awake(struct tl_real *real)
{
    atomic_store_explicit(&real->asleep, false, memory_order_relaxed);
}

/* Says that there will be a wait, unless there is a reason against it. */
static inline bool fall_asleep(struct tl_real *real)
{
    if (real->pending)
        return false;
    atomic_store(&real->asleep, true);
    if (!tl_real_posts_new(real))
        return true;
    set_awake(real);
    return false;
}

static __attribute__((noinline)) int poll_until(struct tl_real *real, tl_time timeout,
                                                struct tl_event *events, int count)
{
    if (!fall_asleep(real))
        return poll_taking(real, events, count);
    int ready = wait_until(real, timeout, batch_room(count));
    set_awake(real);
    return deliver(real, ready, events, count);
}

/* The first time that there may be a wait. When there can be no eventfd, for lack of descriptors,
 * the wait is short, because other threads cannot end it. */
static __attribute__((noinline)) int poll_first(struct tl_real *real, tl_time timeout,
                                                struct tl_event *events, int count)
{
    if (tl_real_wake_open(real) == 0)
        return tl_real_poll(&real->kernel, timeout, events, count);
    return poll_until(real, timeout < 0 || timeout > DEAF_MAX ? DEAF_MAX : timeout, events, count);
}

int tl_real_poll(struct tl_kernel *kernel, tl_time timeout, struct tl_event *events, int count)
{
    struct tl_real *real = tl_real_of(kernel);
    int ready;

    if (count <= 0)
        return -EINVAL;
    if (timeout == 0) {
        if (real->pending || tl_real_posts_new(real))
            return poll_taking(real, events, count);
        ready = wait_plain(real, batch_room(count), 0);
    } else {
        if (real->wake < 0)
            return poll_first(real, timeout, events, count);
        if (timeout > 0)
            return poll_until(real, timeout, events, count);
        if (!fall_asleep(real))
            return poll_taking(real, events, count);
        ready = wait_plain(real, batch_room(count), -1);
        set_awake(real);
    }
    return deliver(real, ready, events, count);
}
