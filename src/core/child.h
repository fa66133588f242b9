/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A child process as the core sees it: the token of the kernel's TL_EVENT_CHILD, whose end becomes
 * a turn in its loop's ready queue.
 *
 * Embedded in who started or watches the child, and known to the kernel from spawn or adopt_child
 * until the event or release_child.
 */
#ifndef TL_CORE_CHILD_H
#define TL_CORE_CHILD_H

#include <stdint.h>
#include "core/ready.h"

struct tl_child {
    struct tl_ready ready; /* queued when the child has ended; set up by its owner */
    int status;            /* then: its exit code, or -signal */
};

/* What the loop does with TL_EVENT_CHILD. */
void tl_child_deliver(tl_loop *loop, struct tl_child *child, int64_t status);

#endif
