/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy that makes simulated loops, for tests that obtain their loops as programs do.
 *
 * It owns the world in which they are; each loop is a guest of the one host.
 */
#include <errno.h>
#include <pthread.h>
#include <twinloop/error.h>
#include <twinloop/sim.h>

#include "core/alloc.h"
#include "core/loop.h"
#include "sim/world.h"

struct sim_policy {
    tl_policy base;
    tl_world *world;
    tl_host *host;
};

static int new_event_loop(tl_policy *base, tl_loop **ret)
{
    struct sim_policy *policy = tl_container_of(base, struct sim_policy, base);
    struct tl_kernel *kernel;
    if (!pthread_equal(pthread_self(), policy->world->thread))
        return TL_ETHREAD;
    int r = tl_sim_kernel_join(policy->host, &kernel);
    return r < 0 ? r : tl_loop_take(kernel, ret);
}

static const struct tl_policy_ops sim_policy_ops = {
    .get_event_loop = tl_default_get_event_loop,
    .set_event_loop = tl_default_set_event_loop,
    .new_event_loop = new_event_loop,
    .get_child_watcher = tl_default_get_child_watcher,
    .set_child_watcher = tl_default_set_child_watcher,
};

int tl_sim_policy_new(const struct tl_world_options *options, tl_policy **ret)
{
    if (ret == NULL)
        return -EINVAL;
    struct sim_policy *policy = tl_calloc(sizeof *policy);
    if (policy == NULL)
        return -ENOMEM;
    policy->base.ops = &sim_policy_ops;
    policy->world = tl_world_new(options);
    if (policy->world != NULL)
        policy->host = tl_world_add_host(policy->world, "local", NULL);
    if (policy->host == NULL) {
        tl_sim_policy_free(&policy->base);
        return -ENOMEM;
    }
    *ret = &policy->base;
    return 0;
}

void tl_sim_policy_free(tl_policy *base)
{
    if (base == NULL)
        return;
    struct sim_policy *policy = tl_container_of(base, struct sim_policy, base);
    tl_world_free(policy->world);
    tl_free(policy);
}
