/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asynchronous generators inside the core: their struct, for asyncgen.c and shutdown_asyncgens.c.
 */
#ifndef TL_CORE_ASYNCGEN_H
#define TL_CORE_ASYNCGEN_H

#include <twinloop/asyncgen.h>
#include "core/future.h"
#include "core/loop.h"

enum tl_asyncgen_state {
    TL_ASYNCGEN_FRESH,
    TL_ASYNCGEN_RUNNING,  /* the body, for asked or for closed */
    TL_ASYNCGEN_STANDING, /* at a yield */
    TL_ASYNCGEN_OVER,
};

struct tl_asyncgen {
    tl_object object; /* held by its users, and by the loop while it is RUNNING or STANDING */
    tl_loop *loop;    /* a reference */
    tl_asyncgen_body body;
    enum tl_asyncgen_state state;
    uint32_t users;      /* references of the program's */
    bool closing;        /* aclose was called */
    bool ignored;        /* and the body yielded all the same */
    struct tl_live live; /* from the first next until it is over */
    struct tl_task *task;
    struct tl_done_callback returned; /* of the task */
    tl_future *turn;                  /* STANDING: a reference to what the body waits for */
    tl_future *asked;                 /* RUNNING: a reference to a next's future; or NULL */
    tl_future *closed;                /* RUNNING: likewise an aclose's */
};

/* The generator in the loop's list of what can act; NULL when that is something else. */
tl_asyncgen *tl_asyncgen_of_live(struct tl_live *live);

#endif
