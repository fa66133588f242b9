/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One test body, every kernel.
 *
 * A contract test is written once and run in four worlds: on the real kernel, in the simulator, and
 * on a replay of what each of these two did. What all four agree on is the contract; a body must
 * therefore assume nothing that only one of them gives (an address, a port, a duration, an order
 * that poll leaves open). In the simulated worlds both ends of a connection live in the one loop.
 *
 * In a replay world the body runs twice: first on a recorder around the real or simulated kernel,
 * then on a replayer of the trace which that wrote, and the replay must have matched every event of
 * the trace. The trace is a temporary file that is gone when the case ends, however it ends.
 *
 * A test program is a table of cases and a main:
 *
 *     static const struct contract_case cases[] = {
 *         CONTRACT(echo),
 *         CONTRACT_ONLY(children, CONTRACT_REAL | CONTRACT_REPLAY_REAL),
 *         CONTRACT_LADDER(memory_runs_out, 10),
 *     };
 *     int main(int argc, char **argv)
 *     {
 *         return contract_main(argc, argv, "stream", cases, sizeof cases / sizeof *cases);
 *     }
 *
 * A ladder's body is run for each rung of the allocation ladder (ladder.h). It makes what must not
 * fail, arms contract->ladder, copes with -ENOMEM from every call after that, and leaves nothing
 * behind. Not in the replay worlds: recorders and replayers ask for memory too, and not the same.
 *
 * With CONTRACT_REPLAY=stream in the environment the replays are stream replays, which most bodies
 * above the seam pass as well (tests/stream_replay.sh says which); what they refuse is left out.
 *
 * Its rows are called "real/echo", "replay-sim/echo" and so on; an argument picks rows by a glob,
 * and --list prints their names.
 */
#ifndef TL_TESTS_CONTRACT_H
#define TL_TESTS_CONTRACT_H

#include <stddef.h>
#include <twinloop/kernel.h>
#include <twinloop/loop.h>
#include "support/ladder.h"

/* The worlds a body can run in. */
enum {
    CONTRACT_REAL = 1,
    CONTRACT_SIM = 2,
    CONTRACT_REPLAY_REAL = 4,
    CONTRACT_REPLAY_SIM = 8,
};

/* What a body gets. Lives as long as the case. */
struct contract {
    const char *world; /* "real", "sim", "replay-real", "replay-sim" */

    /* A new kernel of this world, for bodies on the seam that want to see the error. */
    int (*new_kernel)(struct contract *contract, struct tl_kernel **ret);

    struct ladder *ladder; /* for the bodies of ladders; NULL in others */

    /* The rest is the fixture's own. */
    int (*base_kernel)(struct tl_kernel **ret); /* of the world, or what its recorder wraps */
    char trace[256];                            /* path of the temporary file; "": none */
    struct tl_trace_writer *writer;             /* while the body is recorded */
    struct tl_trace_reader *reader;             /* while it is replayed */
    unsigned replayed;                          /* streams of the trace given out so far */
    struct tl_thread *thread;                   /* this thread's, from before the body */
};

struct contract_case {
    const char *name;
    void (*body)(struct contract *contract);
    unsigned worlds; /* 0: all; else a mask of CONTRACT_REAL ... */
    unsigned rungs;  /* how many the ladder has at the least; 0: the body climbs none */
};

/* clang-format off */
#define CONTRACT(body) {#body, body, 0, 0}
#define CONTRACT_ONLY(body, mask) {#body, body, mask, 0}
#define CONTRACT_LADDER(body, rungs) {#body, body, CONTRACT_REAL | CONTRACT_SIM, rungs}
#define CONTRACT_LADDER_ONLY(body, mask, rungs) {#body, body, mask, rungs}
/* clang-format on */

/* A new kernel; the body destroys it. Fails the test if it cannot be made. */
struct tl_kernel *contract_kernel(struct contract *contract);

/* A new loop on a new kernel; the body frees it. Fails the test if it cannot be made. */
tl_loop *contract_loop(struct contract *contract);

/* Runs every case in its worlds; argv[1], if there is one, is a glob over "world/case". Returns
 * main's result: 0, 1 when a case failed, 2 when the glob matched nothing. */
int contract_main(int argc, char **argv, const char *group, const struct contract_case *cases,
                  size_t count);

#endif
