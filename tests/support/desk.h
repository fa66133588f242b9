/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the tests of executors: a loop, jobs that do the usual things, and what is to be seen of
 * them.
 *
 * Where jobs have threads a gate holds some of them up while the test looks; where they run inline,
 * which is in the simulator and in replays, it lets them through. Those that wait behind a single
 * worker which is held are the ones that have not begun.
 */
#ifndef TL_TESTS_DESK_H
#define TL_TESTS_DESK_H

#include <twinloop/executor.h>
#include "support/contract.h"
#include "support/gate.h"

#define JOBS 20

/* What a test and its jobs know of each other. Members that jobs write are looked at when they are
 * over. */
struct desk {
    struct contract *contract;
    tl_loop *loop;
    struct gate gate;
    int number;     /* what a job is told */
    int ran;        /* jobs, one at a time */
    int released;   /* on the loop's thread */
    int freed;      /* results */
    int posted;     /* callbacks from jobs that have run */
    int found;      /* of a job that looks around */
    int stop_after; /* releases after which the loop is stopped; 0: never */
    char thread_name[16];
    char order[JOBS + 1];
};

void desk_open(struct desk *desk, struct contract *contract);
void desk_close(struct desk *desk);

/* --- Jobs; arg is the desk --- */

int desk_answer(void *arg, tl_value *ret);            /* results in desk->number */
int desk_pass_gate(void *arg, tl_value *ret);         /* the same, behind the gate */
int desk_refuse(void *arg, tl_value *ret);            /* fails with -EDOM */
int desk_give_pointer(void *arg, tl_value *ret);      /* behind the gate: freeing it is counted */
int desk_fail_with_pointer(void *arg, tl_value *ret); /* both */
int desk_give_bytes(void *arg, tl_value *ret);        /* a sentence */

/* --- Steps --- */

tl_future *desk_run(struct desk *desk, tl_executor *executor, tl_job_fn fn);

/* The same with a release that is counted. */
tl_future *desk_run_job(struct desk *desk, tl_executor *executor, tl_job_fn fn);

/* Takes the future, runs the loop until it is done. */
int desk_wait(struct desk *desk, tl_future *future, tl_value *ret);

/* The same for one that must result in a number, which is returned. */
int64_t desk_number_of(struct desk *desk, tl_future *future);

/* Runs until that many jobs in all have been released. */
void desk_await_released(struct desk *desk, int count);

/* Takes the future, which must have failed so; message may be NULL. */
void desk_expect_failed(tl_future *future, int code, const char *message);

#endif
