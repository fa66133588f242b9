/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A loop's signal handlers, for the loop itself.
 */
#ifndef TL_CORE_SIGNAL_H
#define TL_CORE_SIGNAL_H

#include <twinloop/handle.h>

/* Queues the handler of a signal that has arrived. */
void tl_signals_deliver(tl_loop *loop, int signum);

/* Removes every handler. Those whose turn is still to come are left to the ready queue. */
void tl_signals_close(tl_loop *loop);

/* What the ready queue calls, and what it does with a handler that will not run. */
void tl_signal_run(void *handler);
void tl_signal_discard(void *handler);

#endif
