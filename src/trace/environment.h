/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `twinloop replay` and the program that it runs have agreed on.
 *
 * The program finds the trace's name in the environment variable TWINLOOP_REPLAY, in
 * TWINLOOP_REPLAY_MODE how it is to be replayed (strictly, unless it says otherwise), and in
 * TWINLOOP_REPLAY_RESULT that of a file into which it writes how the replay went: one of the words
 * below on a line of its own, then the report.
 */
#ifndef TL_TRACE_ENVIRONMENT_H
#define TL_TRACE_ENVIRONMENT_H

struct tl_kernel;

#define TL_REPLAY_WORD_RUNNING "incomplete"
#define TL_REPLAY_WORD_COMPLETE "complete"
#define TL_REPLAY_WORD_DIVERGED "diverged"
#define TL_REPLAY_WORD_SHORT "short"
#define TL_REPLAY_WORD_REFUSED "refused"

#define TL_REPLAY_MODE_STRICT "strict"
#define TL_REPLAY_MODE_STREAM "stream"

/* A kernel for this process's next loop, from the trace that TWINLOOP_REPLAY names. */
int tl_replay_kernel_from_environment(struct tl_kernel **ret);

#endif
