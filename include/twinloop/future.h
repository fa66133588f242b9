/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Futures: the result of an operation that ends later (asyncio Future; Python's "Futures" page).
 *
 * A future is pending, then done in one of three ways: with a result, with an error, or cancelled.
 * It belongs to one loop and is used on that loop's thread. Done-callbacks are never called inside
 * the call that finished the future: each goes through tl_loop_call_soon, in the order of
 * registration.
 *
 * Ownership. A function that returns a future returns one reference of the caller's, never NULL
 * unless the loop it was given is. The library's operations keep their own while they run, so unref
 * of a pending one abandons its result, not the operation. Functions that say they *take* a future
 * take the caller's reference. When the last reference of a failed future goes and nobody fetched
 * its error, the loop's exception handler hears "Future exception was never retrieved".
 */
#ifndef TWINLOOP_FUTURE_H
#define TWINLOOP_FUTURE_H

#include <stdbool.h>
#include <twinloop/error.h>
#include <twinloop/handle.h>
#include <twinloop/value.h>

typedef struct tl_future tl_future;
typedef void (*tl_future_callback)(tl_future *future, void *arg);

/* Row loop.create_future. A pending future of this loop, which may be closed. Never NULL: when
 * memory is out it is the loop's reserve, which has failed with -ENOMEM. */
tl_future *tl_loop_create_future(tl_loop *loop);

tl_future *tl_future_ref(tl_future *future);
void tl_future_unref(tl_future *future); /* NULL is allowed */

/* Fire and forget: takes the future; should it fail, now or later, the exception handler hears of
 * it, unless somebody else holds it and fetches the error. NULL is allowed. */
void tl_future_detach(tl_future *future);

tl_loop *tl_future_get_loop(const tl_future *future);
bool tl_future_done(const tl_future *future);
bool tl_future_cancelled(const tl_future *future);

/* Finishes a pending future. The value is taken when 0 is returned; TL_ESTATE when the future is
 * done, and then the value stays the caller's. */
int tl_future_set_result(tl_future *future, tl_value value);

/* Fails a pending future with a negative code and a sentence (copied; NULL for tl_strerror's).
 * TL_ESTATE when it is done; -EINVAL when code is not negative. */
int tl_future_set_exception(tl_future *future, int code, const char *message);

/* The same with a whole error, which is copied with its causes (the first 255). */
int tl_future_set_error(tl_future *future, const tl_error *error);

/* Cancels a pending future: true if it was pending. The operation behind it, if it is the
 * library's, is called off. A future that stands for others (tl_gather, tl_wait_for) asks them to
 * end, stays pending until they have, and then has the outcome that follows from theirs; true if
 * there was one to ask. */
bool tl_future_cancel(tl_future *future);

/* The result: 0, with the value moved into *ret (later calls give none); the error's code when it
 * failed, which counts as fetched; -ECANCELED; TL_ESTATE when it is pending. ret may be NULL to
 * leave the value where it is. */
int tl_future_result(tl_future *future, tl_value *ret);

/* Why it failed, which counts as fetched. The future's, valid while it lives. NULL when it did not
 * fail, and then tl_last_error() is 0, -ECANCELED when it was cancelled, TL_ESTATE when it is
 * pending. */
const tl_error *tl_future_exception(tl_future *future);

/* callback(future, arg) is called from the loop once the future is done, at the earliest in the
 * next iteration. A registration does not hold a pending future: one that its last holder drops
 * will never be done, and its callbacks go with it. 0, -ENOMEM, or TL_ECLOSED when the future is
 * done and its loop is closed. */
int tl_future_add_done_callback(tl_future *future, tl_future_callback callback, void *arg);

/* Removes every registration of this pair that has not been handed to the loop yet; how many. */
unsigned tl_future_remove_done_callback(tl_future *future, tl_future_callback callback, void *arg);

#endif
