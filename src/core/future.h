/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Futures inside the core: their struct, and registrations that need no memory.
 */
#ifndef TL_CORE_FUTURE_H
#define TL_CORE_FUTURE_H

#include <twinloop/future.h>
#include "core/object.h"
#include "core/ready.h"

enum tl_future_state {
    TL_FUTURE_PENDING,
    TL_FUTURE_FINISHED,
    TL_FUTURE_FAILED,
    TL_FUTURE_CANCELLED,
};

/* One done-callback: in the future's list until it is done, then in the ready queue. Holds the
 * future. */
struct tl_done_callback {
    struct tl_done_callback *next;
    struct tl_ready ready; /* runs tl_done_callback_run(registration) */
    tl_future *future;
    tl_future_callback callback;
    void *arg;
    bool embedded; /* its memory is somebody else's */
};

struct tl_future {
    tl_object object;
    tl_loop *loop;
    enum tl_future_state state;
    bool fetched;                       /* FAILED: somebody has seen the error */
    bool is_reserve;                    /* the loop's own; references count for the loop */
    tl_value result;                    /* FINISHED */
    tl_error error;                     /* FAILED */
    char *message;                      /* the error's sentence when it is the future's own */
    struct tl_done_callback *callbacks; /* in the order of registration */
    struct tl_done_callback **callbacks_end;
    void (*on_cancel)(void *arg); /* calls the operation off; PENDING only */
    void *on_cancel_arg;
};

/* The loop's reserve; freed with the loop. */
tl_future *tl_future_new_reserve(tl_loop *loop);
void tl_future_free_reserve(tl_future *future);

/* A registration in the caller's memory, which must stay until it ran or was detached. Cannot fail;
 * the loop is open. */
void tl_future_attach(tl_future *future, struct tl_done_callback *registration,
                      tl_future_callback callback, void *arg);
void tl_future_detach_callback(struct tl_done_callback *registration);

/* What the ready queue calls, and what is done instead when it will not. */
void tl_done_callback_run(void *registration);
void tl_done_callback_discard(void *registration);

#endif
