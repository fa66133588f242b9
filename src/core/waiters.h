/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Futures that wait for one thing to happen: the end of a server, of an executor's jobs.
 */
#ifndef TL_CORE_WAITERS_H
#define TL_CORE_WAITERS_H

#include <stdbool.h>
#include <twinloop/future.h>

struct tl_waiter;

/* The oldest first. Embedded in what is waited for, which must not move. */
struct tl_waiters {
    struct tl_waiter *first;
    struct tl_waiter **end;
};

void tl_waiters_init(struct tl_waiters *waiters);

static inline bool tl_waiters_empty(const struct tl_waiters *waiters)
{
    return waiters->first == NULL;
}

/* One more future, which the caller owns. It may be cancelled without the others noticing. Failed
 * when the loop is closed or memory is out. */
tl_future *tl_waiters_add(struct tl_waiters *waiters, tl_loop *loop);

/* It has happened: all of them are done, with no value. */
void tl_waiters_finish(struct tl_waiters *waiters);

/* It never will, for the loop was closed: they stay pending. */
void tl_waiters_drop(struct tl_waiters *waiters);

#endif
