/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replacing operations of a kernel for one test: to count them, or to have one fail.
 *
 *     static int my_accept(struct tl_kernel *kernel, int fd, tl_addr *ret_peer)
 *     {
 *         struct counted *counted = tl_container_of(kernel_patch(kernel), struct counted, patch);
 *         counted->accepts++;
 *         return counted->patch.inner->accept(kernel, fd, ret_peer);
 *     }
 *     ...
 *     kernel_patch_apply(&counted.patch, kernel);
 *     counted.patch.ops.accept = my_accept;
 *
 * A patch sits above a recorder or replayer, so what it answers itself is in no trace, and is the
 * same in the recording and in the replay. It must outlive the kernel.
 */
#ifndef TL_TESTS_PATCH_H
#define TL_TESTS_PATCH_H

#include <twinloop/kernel.h>

struct kernel_patch {
    struct tl_kernel_ops ops; /* what the kernel's ops are now; a copy of inner to begin with */
    const struct tl_kernel_ops *inner;
};

static inline void kernel_patch_apply(struct kernel_patch *patch, struct tl_kernel *kernel)
{
    patch->inner = kernel->ops;
    patch->ops = *kernel->ops;
    kernel->ops = &patch->ops;
}

/* The patch on a kernel, for the operations that replace others. */
static inline struct kernel_patch *kernel_patch(struct tl_kernel *kernel)
{
    return tl_container_of(kernel->ops, struct kernel_patch, ops);
}

#endif
