/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel on which a timer of a second is due at once, so that no test waits for one: a patch that
 * lets the clock jump when nothing happens.
 */
#ifndef TL_TESTS_SKIP_H
#define TL_TESTS_SKIP_H

#include "support/patch.h"

struct skipping {
    struct kernel_patch patch;
    tl_time skipped; /* how far its clock is ahead of the kernel's */
};

/* Replaces now and poll. Other operations may be replaced in skipping->patch.ops afterwards. */
void skipping_apply(struct skipping *skipping, struct tl_kernel *kernel);

#endif
