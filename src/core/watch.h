/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A watched descriptor: which readiness is wanted of it, and the callback that readiness queues.
 *
 * One callback serves for reading and writing: it finds in ready which of the two it is for, and
 * reads before it writes, since both would have had their turns one right after the other anyway.
 *
 * Embedded in transports, servers and connection attempts. Its address is the token that the kernel
 * gives back in events, so it must not move while anything is wanted.
 */
#ifndef TL_CORE_WATCH_H
#define TL_CORE_WATCH_H

#include <stdint.h>
#include <twinloop/kernel.h>
#include "core/loop.h"
#include "core/ready.h"

struct tl_watch {
    struct tl_ready place; /* queued when something wanted has come */
    int fd;                /* of the loop's kernel; -1 when there is none */
    uint8_t wanted;        /* TL_READABLE | TL_WRITABLE: what the kernel was last told */
    uint8_t ready;         /* what of it the last event told, without what was dropped since */
};

/* A watch that wants nothing yet. The watch does not own fd. */
void tl_watch_init(struct tl_watch *watch, int fd, tl_callback callback, void *arg);

/* Wants exactly these of TL_READABLE | TL_WRITABLE from the next poll on. What is no longer wanted
 * is no longer ready, and with nothing ready the callback is taken out of the ready queue. 0 or the
 * kernel's error, and then nothing is wanted that was not before. Taking away never fails. */
int tl_watch_want(struct tl_watch *watch, tl_loop *loop, uint32_t events);

static inline int tl_watch_add(struct tl_watch *watch, tl_loop *loop, uint32_t events)
{
    return tl_watch_want(watch, loop, watch->wanted | events);
}

static inline void tl_watch_drop(struct tl_watch *watch, tl_loop *loop, uint32_t events)
{
    (void)tl_watch_want(watch, loop, watch->wanted & ~events);
}

/* Wants nothing any more and closes the descriptor, if there is one; on a closed loop only forgets
 * it. */
void tl_watch_close(struct tl_watch *watch, tl_loop *loop);

/* Queues the callback if the event calls for it. For the loop, right after poll. */
static inline void tl_watch_deliver(struct tl_watch *watch, tl_loop *loop, uint32_t events)
{
    /* asyncio: a hang-up or an error counts as readable and as writable. They are so rare that the
     * compiler had better not compute both answers. */
    uint32_t ready = watch->wanted;
    if (__builtin_expect_with_probability((events & (TL_HANGUP | TL_FAULT)) == 0, 1, 0.99))
        ready &= events;
    if (ready == 0)
        return;
    watch->ready = (uint8_t)ready;
    tl_loop_queue(loop, &watch->place);
}

/* The same for an event that says TL_READABLE and nothing else, with the ready queue's tail at
 * hand; what comes back is its tail then (tl_ready_queue_extend). */
static inline struct tl_ready *tl_watch_deliver_readable(struct tl_watch *watch, tl_loop *loop,
                                                         struct tl_ready *last)
{
    if ((watch->wanted & TL_READABLE) == 0)
        return last;
    watch->ready = TL_READABLE;
    if (tl_ready_queued(&watch->place))
        return last;
    return tl_ready_queue_extend(&loop->ready, last, &watch->place);
}

#endif
