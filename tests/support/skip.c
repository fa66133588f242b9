/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time that jumps: see skip.h. A wait for a few seconds becomes a wait for a moment, in which what
 * is on its way over the loopback arrives, and a jump. Longer waits are left alone: those are
 * guards, and must not fire because a machine was slow.
 */
#include "support/skip.h"

#define MOMENT TL_MILLISECOND
#define JUMP_MAX (5 * TL_SECOND)

static struct skipping *skipping_of(struct tl_kernel *kernel)
{
    return tl_container_of(kernel_patch(kernel), struct skipping, patch);
}

static tl_time skipping_now(struct tl_kernel *kernel)
{
    struct skipping *skipping = skipping_of(kernel);
    return skipping->patch.inner->now(kernel) + skipping->skipped;
}

static int skipping_poll(struct tl_kernel *kernel, tl_time timeout, struct tl_event *events,
                         int count)
{
    struct skipping *skipping = skipping_of(kernel);
    bool jumps = timeout > MOMENT && timeout <= JUMP_MAX;
    int n = skipping->patch.inner->poll(kernel, jumps ? MOMENT : timeout, events, count);
    if (jumps && n == 0)
        skipping->skipped += timeout - MOMENT;
    return n;
}

void skipping_apply(struct skipping *skipping, struct tl_kernel *kernel)
{
    skipping->skipped = 0;
    kernel_patch_apply(&skipping->patch, kernel);
    skipping->patch.ops.now = skipping_now;
    skipping->patch.ops.poll = skipping_poll;
}
