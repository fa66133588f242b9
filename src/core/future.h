/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Futures inside the core: their struct, what a kind of future can do differently, and
 * registrations that need no memory.
 */
#ifndef TL_CORE_FUTURE_H
#define TL_CORE_FUTURE_H

#include <twinloop/future.h>
#include <twinloop/loop.h>
#include "core/object.h"
#include "core/ready.h"

enum tl_future_state {
    TL_FUTURE_PENDING,
    TL_FUTURE_FINISHED,
    TL_FUTURE_FAILED,
    TL_FUTURE_CANCELLED,
};

/* One done-callback: in the future's list until it is done, then in the ready queue, from where it
 * holds the future. One that is in the list does not: a pending future that nobody holds will never
 * be done, and takes its list with it. */
struct tl_done_callback {
    struct tl_done_callback *next;
    struct tl_ready ready; /* runs tl_done_callback_run(registration) */
    tl_future *future;     /* NULL once it runs, or was detached */
    tl_future_callback callback;
    void *arg;
    bool embedded; /* its memory is somebody else's */
};

/* A kind of future: one that stands for an operation of its own begins with a tl_future and has its
 * own table. Any member but object and never_retrieved may be NULL. */
struct tl_future_type {
    struct tl_object_type object; /* its destroy is tl_future_destroy */
    const char *never_retrieved;  /* what is said of a failure that nobody fetched */

    /* Instead of being cancelled at once: asks the operation, which finishes the future in its own
     * time. Called for a pending future; whether the request was accepted. */
    bool (*cancel)(tl_future *future);

    /* The future is done, whoever finished it. The last step of finishing: may drop the last
     * reference. */
    void (*completed)(tl_future *future);

    /* The last reference is gone: gives back what the kind holds beside the tl_future. */
    void (*finish)(tl_future *future);
};

struct tl_future {
    tl_object object;
    tl_loop *loop;
    enum tl_future_state state;
    bool fetched;                       /* FAILED: somebody has seen the error */
    bool sealed;                        /* only its kind finishes it */
    bool is_reserve;                    /* the loop's own; references count for the loop */
    tl_value result;                    /* FINISHED */
    tl_error error;                     /* FAILED */
    tl_error *error_copy;               /* what error's sentence and cause lie in; or NULL */
    struct tl_done_callback *callbacks; /* in the order of registration */
    struct tl_done_callback **callbacks_end;
    void (*on_cancel)(void *arg); /* calls the operation off; PENDING only */
    void *on_cancel_arg;
    tl_traceback *created; /* in debug mode: where it was made; or NULL */
};

/* Makes a pending future of a kind at the start of memory that tl_alloc gave: the last unref frees
 * it. */
void tl_future_init(tl_future *future, tl_loop *loop, const struct tl_future_type *type);

/* Every kind's destroy. */
void tl_future_destroy(tl_object *object);

static inline const struct tl_future_type *tl_future_type(const tl_future *future)
{
    return (const struct tl_future_type *)future->object.type;
}

/* 0, the error's code, -ECANCELED, or TL_ESTATE when it is pending. Does not count as fetching. */
int tl_future_code(const tl_future *future);

/* Cancels a pending future whose kind has been asked already. */
void tl_future_set_cancelled(tl_future *future);

/* Gives a pending future the outcome of one that is done, whose result is moved and whose error
 * counts as fetched. */
void tl_future_settle(tl_future *future, tl_future *from);

/* An error that the future has counts as fetched. */
void tl_future_forgive(tl_future *future);

/* The loop's reserve; freed with the loop. */
tl_future *tl_future_new_reserve(tl_loop *loop);
void tl_future_free_reserve(tl_future *future);

/* A registration in the caller's memory, which must stay until its turn has come or it was
 * detached, as must the caller's reference to the future. Cannot fail; the loop is open. Once the
 * callback has been called the registration is over, and its memory may go. */
void tl_future_attach(tl_future *future, struct tl_done_callback *registration,
                      tl_future_callback callback, void *arg);
void tl_future_detach_callback(struct tl_done_callback *registration); /* a no-op when it is over */

/* Whether this pair is the last that was registered with a pending future. */
bool tl_future_last_attached(const tl_future *future, tl_future_callback callback, const void *arg);

/* Of a future that is done: what is registered, which is something, is queued. Of one that goes: it
 * is forgotten. */
void tl_future_queue_callbacks(tl_future *future);
void tl_future_drop_callbacks(tl_future *future);

/* What the ready queue calls, and what is done instead when it will not. */
void tl_done_callback_run(void *registration);
void tl_done_callback_discard(void *registration);

#endif
