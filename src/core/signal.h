/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A loop's signal handlers, for the loop itself.
 */
#ifndef TL_CORE_SIGNAL_H
#define TL_CORE_SIGNAL_H

#include <twinloop/handle.h>

/* Queues the handler of a signal that has arrived. */
void tl_signals_deliver(tl_loop *loop, int signum);

/* Removes every handler. */
void tl_signals_close(tl_loop *loop);

#endif
