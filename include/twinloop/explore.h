/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runner: a scenario, run for one seed or for thousands.
 *
 *     int main(int argc, char **argv)
 *     {
 *         return tl_explore_main(argc, argv, &my_scenario);
 *     }
 *
 * makes a program that understands
 *
 *     run --seed S [--log FILE]      one run: its configuration, how it went, its hashes
 *     explore --seeds A:B [--jobs N] [--time T] [--failures DIR]
 *                                    many seeds; two lines for each failure, the second of which
 *                                    reproduces it, and a file for replay
 *     replay FILE                    the run of such a file, and whether it failed the same way
 *     twice --seeds A:B [--jobs N]   each seed in two processes; the first event that differs
 *     hashes --seeds A:B             one line per seed: seed, schedule, content, outcome
 *     sites [--seed S]               every choice the run can make
 *     --help                         all options
 *
 * and ends with 0 held, 1 an assertion failed, 2 usage or unreadable input, 3 crashed, 4 stuck, 5
 * not deterministic, 6 did not recover by the deadline, 7 past a limit, 8 the replay diverged; for
 * several seeds that is the first failing one's. A:B are the seeds from A to B, both included.
 * After SIGINT or SIGTERM it says how far it came, and ends with 130 unless a seed had failed.
 *
 * Every run has an operating-system process of its own, so a crash is one seed's failure and a
 * program's mutable statics cannot leak from one seed into the next. `twice` executes the program
 * anew, for every chunk of up to 64 seeds, as two processes with other addresses, another
 * environment and another heap, each of which forks for its seeds; the other commands fork. Under a
 * debugger, and with --here, `run` and `replay` stay in the one process; elsewhere they end theirs
 * with exit() when every simulated process ended by itself, so that a leak checker has its say.
 */
#ifndef TWINLOOP_EXPLORE_H
#define TWINLOOP_EXPLORE_H

#include <twinloop/world.h>

struct tl_scenario {
    const char *name;  /* one word; it goes into reproducer files */
    const char *about; /* one sentence for the usage text */

    /* Adds hosts and processes to a fresh world. Parameters are USER choices. 0 or a negative
     * error. */
    int (*build)(tl_world *world);

    /* Called after a run that held; may still fail it with tl_world_fail. NULL: nothing to check.
     */
    void (*check)(tl_world *world);
};

/* What a program's main returns. A program with several scenarios may have words of its own before
 * the command and pass on the rest (argc - 1, argv + 1): what the runner prints and starts repeats
 * them. */
int tl_explore_main(int argc, char **argv, const struct tl_scenario *scenario);

/* A scenario parameter: a USER choice in [least, most], least being the plain answer; printed in
 * the run's configuration line. */
uint32_t tl_parameter(tl_world *world, const char *name, uint32_t least, uint32_t most);

#endif
