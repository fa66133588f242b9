/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runner's parts know each other through this: the command line, read, and the commands.
 */
#ifndef TL_EXPLORE_RUNNER_H
#define TL_EXPLORE_RUNNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <twinloop/explore.h>
#include "explore/parse.h"

/* Exit code for a command line or a file that cannot be understood. */
#define TL_EXIT_USAGE 2

/* Exit code after SIGINT or SIGTERM, when nothing had failed by then. */
#define TL_EXIT_INTERRUPTED 130

/* What the options said; see the table in options.c. */
struct tl_runner_options {
    uint64_t seed;
    struct tl_seeds seeds;
    bool seeds_given;
    uint64_t jobs;         /* processes at a time */
    int64_t time_max;      /* real: of an exploration; 0: none */
    int64_t seed_time_max; /* real: of one seed */
    const char *log;       /* a path, "-" for standard output; NULL: none */
    const char *failures;  /* the directory of reproducers */
    uint64_t show;         /* failures shown in full */
    bool stop_at_first;
    bool here;        /* run in this process */
    bool debug;       /* TWINLOOP_DEBUG=1 for each simulated process */
    const char *file; /* the operand */
    uint64_t layout;  /* twice, worker: which memory layouts */
    uint64_t fd;      /* worker: where to tell the results */
    uint64_t words;   /* worker: where to write the hashed stream; 0: nowhere */
};

/* One call of tl_explore_main. */
struct tl_runner {
    const struct tl_scenario *scenario;
    char *const *prefix; /* the words of the command line before the command, NULL-terminated */
    size_t prefix_count;
    const char *invocation; /* the same, as one would type them */
    struct tl_runner_options options;
};

/* The environment of simulated processes, for tl_world_options. */
const char *const *tl_runner_environment(bool debug);

/* What stands in a printed command line for --debug, if that was given. */
static inline const char *tl_runner_debug_words(bool debug)
{
    return debug ? " --debug" : "";
}

/* The commands: each returns the exit code. */
int tl_command_run(const struct tl_runner *runner);
int tl_command_explore(const struct tl_runner *runner);
int tl_command_replay(const struct tl_runner *runner);
int tl_command_twice(const struct tl_runner *runner);
int tl_command_hashes(const struct tl_runner *runner);
int tl_command_sites(const struct tl_runner *runner);
int tl_command_worker(const struct tl_runner *runner); /* twice's other processes */

/* Reads argv[1...] into *ret and finds the command. 0; 1 when help was printed; -EINVAL when what
 * is wrong was printed. */
int tl_options_read(int argc, char *const *argv, const char *invocation,
                    const struct tl_scenario *scenario, struct tl_runner_options *ret,
                    int (**ret_command)(const struct tl_runner *runner));

#endif
