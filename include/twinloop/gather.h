/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Futures made of futures: gather, wait_for, shield; and sleep (Python's "Coroutines and Tasks"
 * page, of which these are the parts that need no task).
 *
 * Each takes the futures it is given, also when it fails, and returns a new one, which the loop
 * holds until it is done: it may be awaited, given callbacks, or detached. Wrong arguments, a
 * closed loop (TL_ECLOSED) and a failed allocation come as a future that has failed already; only a
 * loop of NULL gets NULL. All futures must be of the loop given. A result is moved from the inner
 * future to the outer one, so who holds the inner one too finds none left there.
 */
#ifndef TWINLOOP_GATHER_H
#define TWINLOOP_GATHER_H

#include <stddef.h>
#include <twinloop/future.h>

/* asyncio.sleep: done with none, or with result, which is taken, once tl_loop_time has advanced by
 * delay. A delay of 0 or less lets one iteration pass; TL_TIME_NEVER never ends but by being
 * cancelled; -ERANGE beyond the clock's range. */
tl_future *tl_sleep(tl_loop *loop, tl_time delay);
tl_future *tl_sleep_result(tl_loop *loop, tl_time delay, tl_value result);

/* asyncio.wait_for: ends as the future does. If that takes longer than timeout, the future is
 * cancelled, and once it has really ended this fails with -ETIMEDOUT; if it ended in any other way
 * than by being cancelled, that is the outcome after all. A timeout of 0 or less cancels at once
 * what is not done yet; TL_TIME_NEVER waits for ever. Cancelling this cancels the future and ends
 * as that does. */
tl_future *tl_wait_for(tl_loop *loop, tl_future *future, tl_time timeout);

/* asyncio.shield: ends as the future does, but cancelling this does not cancel the future. It then
 * goes its own way: should it fail, that is reported unless somebody else fetches it. A future that
 * is done is returned as it is. */
tl_future *tl_shield(tl_loop *loop, tl_future *future);

enum {
    TL_GATHER_RETURN_EXCEPTIONS = 1, /* failures are results like any other */
};

/* asyncio.gather: done when all of them are, with their results in the order given; see below. The
 * first that fails or is cancelled fails this with its error (-ECANCELED) at once; the others go
 * on, and what they fail with counts as fetched. With TL_GATHER_RETURN_EXCEPTIONS it waits for all.
 * Cancelling this cancels those that are pending, and true is returned if there was one; it is done
 * once they are, cancelled unless one of them failed. One future may be given several times. With a
 * count of 0 it is done at once. */
tl_future *tl_gather(tl_loop *loop, tl_future *const *futures, size_t count, unsigned flags);

/* The result of a gather is a value that holds its futures: how many there were. 0 for any other
 * value. */
size_t tl_gathered_count(const tl_value *gathered);

/* The result of one of them, as tl_future_result: 0 with the value moved into *ret (NULL leaves
 * it), the error's code, -ECANCELED. -EINVAL when there is no such one. A future that was given
 * several times has one result, which the first taker gets. */
int tl_gathered_result(const tl_value *gathered, size_t index, tl_value *ret);

/* Why one of them failed; NULL when it did not. Valid while the value is. */
const tl_error *tl_gathered_exception(const tl_value *gathered, size_t index);

#endif
