/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asynchronous generators: functions that give one value after another and may wait in between
 * (asyncio's asynchronous generators; row loop.shutdown_asyncgens).
 *
 * A generator's body runs on a stack of its own, as a task's does. It gives a value with
 * tl_asyncgen_yield, which returns when the next one is asked for:
 *
 *     static int ticks(tl_asyncgen *gen, void *arg)
 *     {
 *         for (int64_t i = 0;; i++) {
 *             int r = tl_await(tl_sleep(arg, TL_SECOND), NULL);
 *             if (r == 0)
 *                 r = tl_asyncgen_yield(gen, tl_value_int(i));
 *             if (r < 0)
 *                 return r;
 *         }
 *     }
 *
 *     while (tl_await(tl_asyncgen_next(gen), &value) == 0)
 *         ...
 *
 * Closing makes the tl_asyncgen_yield at which the body stands return -ECANCELED; the body then
 * gives back what it has, waiting if it must, and returns. A generator whose last reference goes
 * while it stands at a yield is closed by the loop; what closing it fails with is reported to the
 * exception handler. When a loop is closed under generators that are not over, their bodies are
 * left where they stand, as those of tasks are (see task.h): so run tl_loop_shutdown_asyncgens
 * before.
 */
#ifndef TWINLOOP_ASYNCGEN_H
#define TWINLOOP_ASYNCGEN_H

#include <twinloop/future.h>
#include <twinloop/value.h>

typedef struct tl_asyncgen tl_asyncgen;

/* A body, copied by whoever is given one. run returns 0 when there are no more values, or a
 * negative error, by which the tl_asyncgen_next that was asked fails. dispose, which may be NULL,
 * is called exactly once when run will not be called or has returned. */
typedef struct tl_asyncgen_body {
    int (*run)(tl_asyncgen *gen, void *arg);
    void *arg;
    void (*dispose)(void *arg);
} tl_asyncgen_body;

/* A generator that has not begun. Takes the body, also when it fails. 0, TL_ECLOSED, -EINVAL,
 * -ENOMEM. */
int tl_asyncgen_new(tl_loop *loop, const tl_asyncgen_body *body, tl_asyncgen **ret);

tl_asyncgen *tl_asyncgen_ref(tl_asyncgen *gen);
void tl_asyncgen_unref(tl_asyncgen *gen); /* NULL is allowed */

/* The next value (asyncio: __anext__). Fails with TL_EEOF after the last one and once the generator
 * was closed, with the body's error, and with -EBUSY while another next or a close is under way.
 * The first one begins the body and registers the generator with its loop. Cancelling the future
 * cancels what the body waits for. */
tl_future *tl_asyncgen_next(tl_asyncgen *gen);

/* Closes (asyncio: aclose): done with none when the body has returned. Fails with what the body
 * returned, if that was an error other than -ECANCELED; with TL_ESTATE when it gave a value instead
 * of returning, which drops the value; with -EBUSY while a next or a close is under way. A
 * generator that has not begun, or is over, is closed at once. */
tl_future *tl_asyncgen_aclose(tl_asyncgen *gen);

/* In the body only: gives a value, which is taken, and waits until the next one is asked for. 0; or
 * -ECANCELED when the generator is to be closed; TL_ENOTASK anywhere else. */
int tl_asyncgen_yield(tl_asyncgen *gen, tl_value value);

/* Row loop.shutdown_asyncgens. Closes every generator of the loop that has begun and is not over,
 * all at once, and is done when they are. Each failure goes to the exception handler ("an error
 * occurred during closing of asynchronous generator"); the future itself is done with none. A
 * generator that begins afterwards is warned of and works all the same. */
tl_future *tl_loop_shutdown_asyncgens(tl_loop *loop);

#endif
