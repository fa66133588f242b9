/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A watched descriptor: which readiness is wanted of it, and the two callbacks that readiness
 * queues.
 *
 * Embedded in transports, servers and connection attempts, allocated for add_reader and add_writer.
 * Its address is the token that the kernel gives back in events, so it must not move while anything
 * is wanted.
 */
#ifndef TL_CORE_WATCH_H
#define TL_CORE_WATCH_H

#include <stdint.h>
#include "core/ready.h"

struct tl_event;

struct tl_watch {
    struct tl_ready reader; /* queued when readable, hung up or faulty, if TL_READABLE is wanted */
    struct tl_ready writer; /* the same for TL_WRITABLE; queued after reader */
    int fd;                 /* of the loop's kernel; -1 when there is none */
    uint32_t wanted;        /* TL_READABLE | TL_WRITABLE: what the kernel was last told */
};

/* A watch that wants nothing yet. The watch does not own fd. */
void tl_watch_init(struct tl_watch *watch, int fd, tl_callback reader, tl_callback writer,
                   void *arg);

/* Wants exactly these of TL_READABLE | TL_WRITABLE from the next poll on. A callback whose
 * readiness is no longer wanted is taken out of the ready queue. 0 or the kernel's error, and then
 * nothing has changed. Taking away never fails. */
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

/* Queues what the event calls for. For the loop, right after poll. */
void tl_watch_deliver(struct tl_watch *watch, tl_loop *loop, const struct tl_event *event);

#endif
