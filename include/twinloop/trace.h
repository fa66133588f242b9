/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Traces: what a kernel answered, written down and answered again.
 *
 * A recorder is a kernel around a kernel: each operation is passed on, the answer is written and
 * returned. The file is a CBOR sequence of chunks, each with a sequence number and a checksum
 * (docs/trace-format.md); it is readable up to the last whole chunk whenever the program ends. A
 * replayer is a kernel that answers from such a file and checks that the program asks the same
 * questions: the first difference ends the replay, with the event's number and both sides.
 *
 * A chunk is written when a loop is closed or the writer is, when 512 KiB have come together, and
 * when a loop goes to sleep: ten times in a row, and once a second on average. So a program that
 * ends without closing, by exit or by a crash, may lose what a busy loop did in its last second.
 *
 * A trace holds what the program read and wrote: treat it as the data itself. Files are created
 * with mode 0600.
 */
#ifndef TWINLOOP_TRACE_H
#define TWINLOOP_TRACE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <twinloop/kernel.h>
#include <twinloop/policy.h>

/* --- Recording (libtwinloop)
 * ----------------------------------------------------------------------- */

typedef struct tl_trace_writer tl_trace_writer;

/* Zero is the default of every member. */
struct tl_record_options {
    bool full_output;    /* keep what the program wrote; default: its length and hash */
    const char *program; /* for the header; NULL: none */
};

/* Opens a new trace file; an existing one is replaced. 0 or what open said. options may be NULL. */
int tl_trace_writer_open(const char *path, const struct tl_record_options *options,
                         tl_trace_writer **ret);

/* Writes what is buffered and an end mark, and closes the file. 0, or the first error that writing
 * met: a trace whose writing failed ends at the last whole chunk and says nothing of what came
 * after. Recorders that still use the writer keep it alive, but record nothing more; no other
 * thread may be using one of them at that moment. NULL is allowed. */
int tl_trace_writer_close(tl_trace_writer *writer);

/* A kernel that records inner. Takes inner when it succeeds. 0 or -ENOMEM; -EOVERFLOW when the
 * trace has 65,536 loops already. */
int tl_record_kernel_new(struct tl_kernel *inner, tl_trace_writer *writer, struct tl_kernel **ret);

/* A policy whose loops are those of the default policy, recorded to writer, which must stay open
 * while loops are made. The caller frees it with tl_record_policy_free once its loops are closed.
 */
int tl_record_policy_new(tl_trace_writer *writer, tl_policy **ret);
void tl_record_policy_free(tl_policy *policy);

/* --- Reading and replaying (libtwinloop-sim)
 * ------------------------------------------------------- */

typedef struct tl_trace_reader tl_trace_reader;

/* A trace that was read, or why it could not be. */
struct tl_trace_problem {
    uint64_t offset;   /* the byte of the file where the problem lies */
    char message[200]; /* one line: what was expected there */
};

/* Opens a trace. 0; TL_ETRACE with *ret_problem filled when it is no trace, of another version or
 * broken at its start; what open said otherwise, and then the problem has the sentence as well. A
 * torn tail is no error: see tl_trace_reader_torn. */
int tl_trace_reader_open(const char *path, tl_trace_reader **ret,
                         struct tl_trace_problem *ret_problem);
void tl_trace_reader_close(tl_trace_reader *reader); /* NULL is allowed */

/* Whether the file ends before its end mark, and where and how. */
bool tl_trace_reader_torn(const tl_trace_reader *reader, struct tl_trace_problem *ret_problem);

/* A kernel that answers from stream number index of the trace (0: the first loop). The reader must
 * outlive it. 0, -ENOMEM, -ENOENT when the trace has no such stream. */
int tl_replay_kernel_new(tl_trace_reader *reader, unsigned index, struct tl_kernel **ret);

/* A policy whose n-th loop replays stream n of the trace. */
int tl_replay_policy_new(tl_trace_reader *reader, tl_policy **ret);
void tl_replay_policy_free(tl_policy *policy);

/* Stream replay, which tolerates that the program has been refactored: the trace plays the other
 * side. A program may ask other questions than were recorded, in another order and other sizes;
 * what it is compared by is what it sends: of each connection the bytes, however they are cut, with
 * parts of files as such, of datagram sockets the datagrams, of files what is written. Its inputs
 * come in the recorded order, each when the program is quiet and its connection has been sent what
 * it had been sent then; one for which that does not come about is given all the same, and counted
 * as early. docs/trace-format.md has the rules.
 *
 * The kernel and the policy are used as those above. A stream with something in it that cannot be
 * played (sendfile from one file to another) is refused: -ENOTSUP, with TL_REPLAY_REFUSED and a
 * report that names the event. The script is kept in memory, with all inputs in it. */
int tl_stream_replay_kernel_new(tl_trace_reader *reader, unsigned index, struct tl_kernel **ret);
int tl_stream_replay_policy_new(tl_trace_reader *reader, tl_policy **ret); /* tl_replay_policy_free
                                                                            */

/* What the stream replays of a reader have done, all together. */
struct tl_stream_replay_counts {
    uint64_t inputs; /* given */
    uint64_t output; /* bytes that the program sent and that were compared */
    uint64_t early;  /* inputs given before the program had sent what it had sent then */
    uint64_t unused; /* inputs for what the program had closed, called off or not asked for */
};

void tl_stream_replay_count(const tl_trace_reader *reader, struct tl_stream_replay_counts *ret);

/* How a replay ended. */
enum tl_replay_end {
    TL_REPLAY_RUNNING,  /* there is more, and nothing has differed */
    TL_REPLAY_COMPLETE, /* every event was matched */
    TL_REPLAY_DIVERGED, /* the program did something else */
    TL_REPLAY_SHORT,    /* a torn trace ran out: everything in it was matched */
    TL_REPLAY_REFUSED,  /* a stream replay cannot play this trace */
};

/* The state of a reader's replays taken together, with a report of several lines: for a divergence
 * the event's number, what the trace has and what the program did. The report is the reader's. */
enum tl_replay_end tl_replay_result(const tl_trace_reader *reader, const char **ret_report);

#endif
