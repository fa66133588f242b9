/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handles: a callback that has been scheduled and can still be cancelled (asyncio Handle,
 * TimerHandle).
 *
 * A tl_handle comes from tl_loop_call_soon, a tl_timer_handle from tl_loop_call_later and
 * tl_loop_call_at, when the caller asked for one; it is counted, and the caller's reference is
 * given back with unref. The loop keeps its own reference while the callback can still run, so a
 * handle may be dropped at once.
 */
#ifndef TWINLOOP_HANDLE_H
#define TWINLOOP_HANDLE_H

#include <stdbool.h>
#include <stdint.h>
#include <twinloop/value.h>

typedef struct tl_loop tl_loop;
typedef void (*tl_callback)(void *arg);

/* A place in a loop's ready queue. Public only because struct tl_timer and the library's own
 * objects embed one: its members are the library's. */
struct tl_ready {
    struct tl_ready *next; /* in the ready queue; NULL: in none */
    struct tl_ready *prev;
    tl_callback callback;
    void *arg;
};

typedef struct tl_handle tl_handle;
typedef struct tl_timer_handle tl_timer_handle;

/* The callback will not run, even if its turn was already fixed in the batch that runs now; a no-op
 * after it ran and when repeated. NULL is allowed. */
void tl_handle_cancel(tl_handle *handle);

/* Whether tl_handle_cancel was called, before or after the callback ran. */
bool tl_handle_cancelled(const tl_handle *handle);

tl_handle *tl_handle_ref(tl_handle *handle);
void tl_handle_unref(tl_handle *handle); /* NULL is allowed */

/* As tl_handle_cancel. */
void tl_timer_handle_cancel(tl_timer_handle *handle);
bool tl_timer_handle_cancelled(const tl_timer_handle *handle);

/* The deadline that was asked for, in the loop's time; valid also after it fired or was cancelled.
 */
tl_time tl_timer_handle_when(const tl_timer_handle *handle);

tl_timer_handle *tl_timer_handle_ref(tl_timer_handle *handle);
void tl_timer_handle_unref(tl_timer_handle *handle); /* NULL is allowed */

#endif
