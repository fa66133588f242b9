/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signal handlers: which callback runs for which signal. That a signal becomes an event is the
 * kernel's business; here an event becomes a turn in the ready queue, once per delivery.
 */
#include "core/signal.h"

#include <errno.h>
#include <stdint.h>

#include "core/alloc.h"
#include "core/loop.h"

enum { SIGNAL_COUNT = 65 }; /* Linux has 1 to 64 */

struct signal_handler {
    struct tl_ready ready; /* runs run_handler(this) */
    tl_callback callback;  /* NULL: none */
    void *arg;
    uint32_t deliveries; /* turns still to be had */
};

struct tl_signals {
    struct signal_handler handlers[SIGNAL_COUNT];
};

static void run_handler(void *arg)
{
    struct signal_handler *handler = arg;
    /* A callback may remove its own handler, which forgets the deliveries left. */
    while (handler->deliveries > 0 && handler->callback != NULL) {
        handler->deliveries--;
        handler->callback(handler->arg);
    }
}

static bool number_is_valid(int signum)
{
    return signum > 0 && signum < SIGNAL_COUNT;
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
    struct signal_handler *handler = &loop->signals->handlers[signum];
    if (handler->callback == NULL) {
        int r = loop->kernel->ops->signal(loop->kernel, signum, true);
        if (r < 0)
            return r;
        tl_ready_init(&handler->ready, run_handler, handler);
    }
    handler->callback = callback;
    handler->arg = arg;
    return 0;
}

static void remove_handler(tl_loop *loop, struct signal_handler *handler, int signum)
{
    tl_ready_remove(&handler->ready);
    *handler = (struct signal_handler){0};
    (void)loop->kernel->ops->signal(loop->kernel, signum, false);
}

int tl_loop_remove_signal_handler(tl_loop *loop, int signum)
{
    if (loop == NULL || !number_is_valid(signum))
        return -EINVAL;
    if (!tl_loop_open(loop) || loop->signals == NULL)
        return 0;
    struct signal_handler *handler = &loop->signals->handlers[signum];
    if (handler->callback == NULL)
        return 0;
    remove_handler(loop, handler, signum);
    return 1;
}

void tl_signals_deliver(tl_loop *loop, int signum)
{
    if (loop->signals == NULL || !number_is_valid(signum))
        return;
    struct signal_handler *handler = &loop->signals->handlers[signum];
    if (handler->callback == NULL)
        return;
    handler->deliveries++;
    tl_loop_queue(loop, &handler->ready);
}

void tl_signals_close(tl_loop *loop)
{
    if (loop->signals == NULL)
        return;
    for (int signum = 1; signum < SIGNAL_COUNT; signum++)
        if (loop->signals->handlers[signum].callback != NULL)
            remove_handler(loop, &loop->signals->handlers[signum], signum);
    tl_free(loop->signals);
    loop->signals = NULL;
}
