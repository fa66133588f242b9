/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watched descriptors: from what an object wants to the kernel, and from the kernel's events to the
 * ready queue.
 */
#include "core/watch.h"

#include "core/loop.h"

void tl_watch_init(struct tl_watch *watch, int fd, tl_callback reader, tl_callback writer,
                   void *arg)
{
    tl_ready_init(&watch->reader, reader, arg);
    tl_ready_init(&watch->writer, writer, arg);
    watch->fd = fd;
    watch->wanted = 0;
}

int tl_watch_want(struct tl_watch *watch, tl_loop *loop, uint32_t events)
{
    if ((events & TL_READABLE) == 0)
        tl_ready_remove(&watch->reader);
    if ((events & TL_WRITABLE) == 0)
        tl_ready_remove(&watch->writer);
    if (events == watch->wanted)
        return 0;
    if (!tl_loop_open(loop))
        return TL_ECLOSED;
    int r = loop->kernel->ops->watch(loop->kernel, watch->fd, events, watch);
    /* To want less always works (a replay that has ended refuses even that): what the kernel goes
     * on to report is not delivered. */
    if (r < 0 && (events & ~watch->wanted) != 0)
        return r;
    watch->wanted = events;
    return 0;
}

void tl_watch_close(struct tl_watch *watch, tl_loop *loop)
{
    tl_ready_remove(&watch->reader);
    tl_ready_remove(&watch->writer);
    watch->wanted = 0;
    if (watch->fd >= 0 && tl_loop_open(loop))
        (void)loop->kernel->ops->close(loop->kernel, watch->fd);
    watch->fd = -1;
}

void tl_watch_deliver(struct tl_watch *watch, tl_loop *loop, const struct tl_event *event)
{
    uint32_t broken = event->ready & (TL_HANGUP | TL_FAULT);
    /* asyncio: a hang-up or an error counts as readable and as writable; the reader goes first. */
    if ((watch->wanted & TL_READABLE) != 0 && ((event->ready & TL_READABLE) | broken) != 0)
        tl_loop_queue(loop, &watch->reader);
    if ((watch->wanted & TL_WRITABLE) != 0 && ((event->ready & TL_WRITABLE) | broken) != 0)
        tl_loop_queue(loop, &watch->writer);
}
