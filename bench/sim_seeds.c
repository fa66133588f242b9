/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast a scenario's seeds are run one after the other in one process: in one world, which is
 * reset and built anew for each, so that stacks and slabs are kept.
 *
 * Linked with the objects of a scenario program in place of the library's runner: the program's
 * main calls the tl_explore_main below.
 *
 *     sim_seeds [SEEDS]
 */
#include "sample.h"

#include <twinloop/explore.h>

static void run_seed(const struct tl_scenario *scenario, tl_world *world, uint64_t seed)
{
    const struct tl_world_options options = {.seed = seed, .forget_hosts = true};
    check("reset", tl_world_reset(world, &options));
    check("build", scenario->build(world));
    if (tl_world_run(world) != TL_OUTCOME_HELD) {
        fprintf(stderr, "sim_seeds: seed %llu: %s\n", (unsigned long long)seed,
                tl_world_report(world));
        exit(1);
    }
    if (scenario->check != NULL)
        scenario->check(world);
}

int tl_explore_main(int argc, char **argv, const struct tl_scenario *scenario)
{
    uint64_t seeds = amount(argc, argv, 1000);
    char row[80];
    tl_world *world = tl_world_new(NULL);
    if (world == NULL)
        exit(1);
    run_seed(scenario, world, 0);
    int64_t start = cpu_ns();
    for (uint64_t seed = 1; seed <= seeds; seed++)
        run_seed(scenario, world, seed);
    (void)snprintf(row, sizeof row, "seeds of %s_scenario, in process", scenario->name);
    sample(row, "seeds/s", (double)seeds * 1e9 / (double)(cpu_ns() - start));
    tl_world_free(world);
    return 0;
}
