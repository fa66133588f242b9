/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy whose loops run on Linux, whatever the process's context would give. It has no state.
 */
#include <twinloop/real.h>
#include "core/loop.h"

static int new_event_loop(tl_policy *policy, tl_loop **ret)
{
    struct tl_kernel *kernel;

    (void)policy;
    int r = tl_real_kernel_new(&kernel);
    return r < 0 ? r : tl_loop_take(kernel, ret);
}

static const struct tl_policy_ops real_policy_ops = {
    .get_event_loop = tl_default_get_event_loop,
    .set_event_loop = tl_default_set_event_loop,
    .new_event_loop = new_event_loop,
    .get_child_watcher = tl_default_get_child_watcher,
    .set_child_watcher = tl_default_set_child_watcher,
};

static tl_policy real_policy = {.ops = &real_policy_ops};

tl_policy *tl_real_policy(void)
{
    return &real_policy;
}
