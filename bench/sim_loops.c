/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What making a loop and freeing it costs: a simulated one, in a world of its own, and a real one.
 *
 *     sim_loops [COUNT]
 */
#include "sample.h"

#include <twinloop.h>
#include <twinloop/sim.h>

enum { REAL_FEWER = 20 };

int main(int argc, char **argv)
{
    uint64_t count = amount(argc, argv, 100000);
    int64_t start = cpu_ns();
    tl_loop *loop;
    for (uint64_t i = 0; i < count; i++) {
        check("tl_sim_loop_new", tl_sim_loop_new(NULL, &loop));
        tl_loop_free(loop);
    }
    sample("simulated loop, made and freed", "ns", (double)(cpu_ns() - start) / (double)count);

    count = count / REAL_FEWER + 1;
    start = cpu_ns();
    for (uint64_t i = 0; i < count; i++) {
        check("tl_new_event_loop", tl_new_event_loop(&loop));
        tl_loop_free(loop);
    }
    sample("real loop, made and freed", "ns", (double)(cpu_ns() - start) / (double)count);
    return 0;
}
