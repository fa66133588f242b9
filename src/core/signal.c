/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signal handlers: which callback runs for which signal. That a signal becomes an event is the
 * kernel's business; here an event becomes a turn in the ready queue, once per delivery.
 *
 * A delivery is scheduled as call_soon schedules: what has been delivered runs, also when its
 * handler is removed or replaced before its turn has come. So a handler that has turns left
 * outlives its removal, on its own in the ready queue, and is freed by the last of them or with the
 * loop. Delivering allocates nothing and cannot fail.
 */
#include "core/signal.h"

#include <errno.h>
#include <stdint.h>

#include "core/alloc.h"
#include "core/loop.h"

enum { SIGNAL_COUNT = 65 }; /* Linux has 1 to 64 */

struct signal_handler {
    struct tl_ready ready; /* runs tl_signal_run(this) */
    tl_callback callback;
    void *arg;
    uint32_t deliveries; /* turns still to be had, the one under way included */
    bool removed;        /* nobody but the ready queue knows it any more */
};

struct tl_signals {
    struct signal_handler *handlers[SIGNAL_COUNT]; /* NULL: none */
};

void tl_signal_run(void *arg)
{
    struct signal_handler *handler = arg;
    while (handler->deliveries > 0) {
        handler->callback(handler->arg);
        handler->deliveries--;
    }
    if (handler->removed)
        tl_free(handler);
}

void tl_signal_discard(void *arg)
{
    struct signal_handler *handler = arg;
    handler->deliveries = 0;
    if (handler->removed)
        tl_free(handler);
}

/* Nothing is delivered to it from now on. */
static void let_go(struct signal_handler *handler)
{
    handler->removed = true;
    if (handler->deliveries == 0)
        tl_free(handler);
}

static bool number_is_valid(int signum)
{
    return signum > 0 && signum < SIGNAL_COUNT;
}

static struct signal_handler *handler_new(tl_callback callback, void *arg)
{
    struct signal_handler *handler = tl_calloc(sizeof *handler);
    if (handler == NULL)
        return NULL;
    tl_ready_init(&handler->ready, tl_signal_run, handler);
    handler->callback = callback;
    handler->arg = arg;
    return handler;
}

int tl_loop_add_signal_handler(tl_loop *loop, int signum, tl_callback callback, void *arg)
{
    if (loop == NULL || callback == NULL || !number_is_valid(signum))
        return -EINVAL;
    if (!tl_loop_open(loop))
        return TL_ECLOSED;
    if (loop->signals == NULL) {
        loop->signals = tl_calloc(sizeof *loop->signals);
        if (loop->signals == NULL)
            return -ENOMEM;
    }
    struct signal_handler *handler = handler_new(callback, arg);
    if (handler == NULL)
        return -ENOMEM;
    struct signal_handler **place = &loop->signals->handlers[signum];
    /* Asked anew each time: only the kernel knows whether this is the main thread. */
    int r = loop->kernel->ops->signal(loop->kernel, signum, true);
    if (r < 0) {
        tl_free(handler);
        return r;
    }
    if (*place != NULL)
        let_go(*place);
    *place = handler;
    return 0;
}

static void remove_handler(tl_loop *loop, int signum)
{
    struct signal_handler **place = &loop->signals->handlers[signum];
    let_go(*place);
    *place = NULL;
    (void)loop->kernel->ops->signal(loop->kernel, signum, false);
}

int tl_loop_remove_signal_handler(tl_loop *loop, int signum)
{
    if (loop == NULL || !number_is_valid(signum))
        return -EINVAL;
    if (!tl_loop_open(loop) || loop->signals == NULL || loop->signals->handlers[signum] == NULL)
        return 0;
    remove_handler(loop, signum);
    return 1;
}

void tl_signals_deliver(tl_loop *loop, int signum)
{
    if (loop->signals == NULL || !number_is_valid(signum))
        return;
    struct signal_handler *handler = loop->signals->handlers[signum];
    if (handler == NULL)
        return; /* removed before the kernel had told of it */
    handler->deliveries++;
    tl_loop_queue(loop, &handler->ready);
}

void tl_signals_close(tl_loop *loop)
{
    if (loop->signals == NULL)
        return;
    for (int signum = 1; signum < SIGNAL_COUNT; signum++)
        if (loop->signals->handlers[signum] != NULL)
            remove_handler(loop, signum);
    tl_free(loop->signals);
    loop->signals = NULL;
}
