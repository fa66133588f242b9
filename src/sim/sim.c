/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The short form: a kernel, or a loop on one, for the caller's own stack.
 *
 * The caller becomes a guest of a host. Its poll makes the world's steps itself, so processes that
 * were spawned in the same world live alongside, on stacks of their own.
 */
#include <twinloop/sim.h>

#include <errno.h>

#include "core/loop.h"
#include "core/self.h"
#include "sim/host.h"
#include "sim/kernel.h"
#include "sim/world.h"

int tl_sim_kernel_join(tl_host *host, struct tl_kernel **ret)
{
    if (host == NULL || ret == NULL)
        return -EINVAL;
    if (host->world->current != NULL)
        return -EBUSY; /* a process of the world has no stack to spare */
    tl_process *guest = tl_process_new_guest(host);
    if (guest == NULL)
        return -ENOMEM;
    struct tl_sim_kernel *kernel;
    int r = tl_sim_kernel_make(guest, &kernel);
    if (r < 0) {
        guest->exited = true;
        tl_process_free(guest);
        return r;
    }
    *ret = &kernel->base;
    return 0;
}

int tl_sim_kernel_new(const struct tl_world_options *options, struct tl_kernel **ret)
{
    if (ret == NULL)
        return -EINVAL;
    tl_world *world = tl_world_new(options);
    if (world == NULL)
        return -ENOMEM;
    tl_host *host = tl_world_add_host(world, "local", NULL);
    struct tl_kernel *kernel;
    int r = host != NULL ? tl_sim_kernel_join(host, &kernel) : -ENOMEM;
    if (r < 0) {
        tl_world_free(world);
        return r;
    }
    ((struct tl_sim_kernel *)kernel)->owns_world = true;
    *ret = kernel;
    return 0;
}

int tl_sim_loop_new(const struct tl_world_options *options, tl_loop **ret)
{
    struct tl_kernel *kernel;
    if (ret == NULL)
        return -EINVAL;
    int r = tl_sim_kernel_new(options, &kernel);
    return r < 0 ? r : tl_loop_take(kernel, ret);
}

tl_world *tl_sim_kernel_world(struct tl_kernel *kernel)
{
    return tl_sim_kernel_is(kernel) ? tl_sim_kernel_of((struct tl_sim_kernel *)kernel) : NULL;
}
