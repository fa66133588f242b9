/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated loop in one line, for unit tests: one host, one process, on the caller's own stack.
 *
 * The loop's network is its host's loopback; its poll runs the world until something happens here.
 * The full form, with hosts and processes, is world.h.
 */
#ifndef TWINLOOP_SIM_H
#define TWINLOOP_SIM_H

#include <twinloop/kernel.h>
#include <twinloop/policy.h>
#include <twinloop/world.h>

/* A loop in a world of its own with one host, "local". Closing the loop frees the world. options
 * may be NULL. 0 or -ENOMEM. */
int tl_sim_loop_new(const struct tl_world_options *options, tl_loop **ret);

/* The same, without a loop around it. Destroying the kernel frees the world. */
int tl_sim_kernel_new(const struct tl_world_options *options, struct tl_kernel **ret);

/* A kernel for the caller's own stack on a host of an existing world, which must outlive it. Its
 * poll runs the world, so processes spawned there live alongside; tl_world_run must not be called
 * too. */
int tl_sim_kernel_join(tl_host *host, struct tl_kernel **ret);

/* A policy by the default one's rules whose loops are all in one world, on one host, "local", each
 * a kernel for the caller's own stack as above. To be used on the thread that made it (TL_ETHREAD),
 * outside of every simulated process; freed when its loops are closed and it is set no longer.
 * options may be NULL. 0 or -ENOMEM. */
int tl_sim_policy_new(const struct tl_world_options *options, tl_policy **ret);
void tl_sim_policy_free(tl_policy *policy);

/* The world of a simulated kernel; NULL for another kind of kernel. */
tl_world *tl_sim_kernel_world(struct tl_kernel *kernel);

#endif
