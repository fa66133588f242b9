/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals for bodies that run in every world: sent to the process in which a kernel's program runs,
 * whichever that is. On a recorder it is the process of the kernel inside; on a replay nothing is
 * sent, since what came of it is in the trace.
 */
#ifndef TL_TESTS_RAISE_H
#define TL_TESTS_RAISE_H

#include <twinloop/kernel.h>

/* At once. */
void raise_at(struct tl_kernel *kernel, int signum);

/* After some milliseconds, while whoever asked is likely to wait. One at a time. */
void raise_later(struct tl_kernel *kernel, int signum);

/* Gives back what raise_later took, once its signal has come. */
void raise_done(void);

#endif
