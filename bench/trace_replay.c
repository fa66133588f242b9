/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast a recording is replayed strictly: runs the echo server again on the trace that
 * echo_twinloop wrote, every operation compared with the recorded one.
 *
 *     trace_replay TRACE MESSAGES        how many echoes the trace is of
 */
#include "echo_twinloop.h"

#include <twinloop/trace.h>

int main(int argc, char **argv)
{
    struct tl_trace_problem problem = {.message = "give a trace and its messages"};
    tl_trace_reader *reader;
    tl_policy *policy;
    tl_loop *loop;
    const char *report;
    tl_addr addr;
    if (argc != 3 || tl_trace_reader_open(argv[1], &reader, &problem) < 0) {
        fprintf(stderr, "trace_replay: %s\n", problem.message);
        return 2;
    }
    check("policy", tl_replay_policy_new(reader, &policy));
    check("policy", tl_set_event_loop_policy(policy));
    check("loop", tl_new_event_loop(&loop));
    int64_t start = cpu_ns();
    run(loop, serve(loop, &connection_ops, &addr));
    int64_t took = cpu_ns() - start;
    tl_loop_free(loop);
    if (tl_replay_result(reader, &report) != TL_REPLAY_COMPLETE) {
        fprintf(stderr, "trace_replay: %s\n", report);
        return 8;
    }
    sample("strict replay of echoes", "messages/s", strtod(argv[2], NULL) * 1e9 / (double)took);
    check("policy", tl_set_event_loop_policy(NULL));
    tl_replay_policy_free(policy);
    tl_trace_reader_close(reader);
    return 0;
}
