/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the pipes of a world are made of.
 */
#ifndef TL_SIM_PIPE_POOLS_H
#define TL_SIM_PIPE_POOLS_H

#include "sim/pool.h"

struct tl_pipe_pools {
    struct tl_pool pipes;
    struct tl_pool ends;
    struct tl_pool pages;
};

void tl_pipe_pools_init(struct tl_pipe_pools *pools, const tl_allocator *allocator);
void tl_pipe_pools_finish(struct tl_pipe_pools *pools);

#endif
