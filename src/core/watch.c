/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watched descriptors: from what an object wants to the kernel, and from the kernel's events to the
 * ready queue.
 */
#include "core/watch.h"

void tl_watch_init(struct tl_watch *watch, int fd, tl_callback callback, void *arg)
{
    tl_ready_init(&watch->place, callback, arg);
    watch->fd = fd;
    watch->wanted = 0;
    watch->ready = 0;
}

/* What is not among events any more is no reason to call. A place that is queued while nothing is
 * ready is its owner's own doing, and stays. */
static void keep_ready(struct tl_watch *watch, uint32_t events)
{
    if (watch->ready == 0)
        return;
    watch->ready &= (uint8_t)events;
    if (watch->ready == 0)
        tl_ready_remove(&watch->place);
}

int tl_watch_want(struct tl_watch *watch, tl_loop *loop, uint32_t events)
{
    keep_ready(watch, events);
    if (events == watch->wanted)
        return 0;
    if (!tl_loop_open(loop))
        return TL_ECLOSED;
    int r = loop->kernel->ops->watch(loop->kernel, watch->fd, events, watch);
    /* To want less always works (a replay that has ended refuses even that): what the kernel goes
     * on to report is not delivered. */
    if (r < 0 && (events & ~watch->wanted) != 0)
        return r;
    watch->wanted = (uint8_t)events;
    return 0;
}

void tl_watch_close(struct tl_watch *watch, tl_loop *loop)
{
    tl_ready_remove(&watch->place);
    watch->wanted = 0;
    watch->ready = 0;
    if (watch->fd >= 0 && tl_loop_open(loop))
        (void)loop->kernel->ops->close(loop->kernel, watch->fd);
    watch->fd = -1;
}
