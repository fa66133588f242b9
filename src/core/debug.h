/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Debug mode: where things were made, how long callbacks take, what was left open, who calls from
 * the wrong thread. While it is off, the rest of the core pays one branch on loop->debug.
 */
#ifndef TL_CORE_DEBUG_H
#define TL_CORE_DEBUG_H

#include <stdbool.h>
#include <twinloop/loop.h>
#include "core/handle.h"

enum { TL_TRACEBACK_DEPTH = 10 };

/* Return addresses, the innermost call first. */
struct tl_traceback {
    unsigned depth;
    void *frames[TL_TRACEBACK_DEPTH];
};

/* The calls that led here; NULL when memory is out. */
tl_traceback *tl_traceback_new(void);

/* A copy; NULL of NULL, or when memory is out. */
tl_traceback *tl_traceback_copy(const tl_traceback *traceback);
void tl_traceback_free(tl_traceback *traceback); /* NULL is allowed */

/* Handles that know where they were scheduled: tl_handle.traced says that it is one of these. */
struct tl_traced_handle {
    tl_handle handle;
    tl_traceback created;
};

struct tl_traced_timer_handle {
    tl_timer_handle handle;
    tl_traceback created;
};

/* As tl_handle_new, of no pool. */
tl_handle *tl_traced_handle_new(tl_callback callback, void *arg, tl_handle **ret);

/* Writes down where it is scheduled into a handle that is a tl_traced_handle. */
void tl_traced_handle_sign(tl_handle *handle);

/* Memory for a timer's handle, with the traceback in place. NULL when memory is out. */
tl_timer_handle *tl_traced_timer_handle_alloc(void);

/* The callback that a loop in debug mode is running. */
struct tl_executing {
    tl_callback callback; /* the program's own, where there is one */
    bool traced;
    tl_traceback created; /* when traced; a copy, for the callback may free its handle */
};

/* Runs a callback from the ready queue or a timer's; says so if it took too long. */
void tl_debug_run(tl_loop *loop, tl_callback callback, void *arg);

/* Whether the loop runs on another thread than this. */
bool tl_debug_wrong_thread(const tl_loop *loop);

/* The name of a function, for a report: "name", or "program+0x1234" when it has none. */
void tl_debug_symbol(const void *address, char *text, size_t size);
void tl_debug_callback_name(tl_callback callback, char *text, size_t size);

#endif
