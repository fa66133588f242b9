/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A gate that holds a job up while the test looks: the job waits in gate_pass until the test opens
 * it, and the test in gate_await until the job has arrived there.
 *
 * Where jobs run inline there is nothing to hold up, and neither waits.
 */
#ifndef TL_TESTS_GATE_H
#define TL_TESTS_GATE_H

#include <pthread.h>
#include <stdbool.h>
#include "support/contract.h"

struct gate {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool threaded; /* jobs have threads here */
    bool open;
    unsigned arrived;
};

/* Whether jobs run on threads of their own in this run of the body. */
bool gate_threaded(const struct contract *contract);

void gate_init(struct gate *gate, const struct contract *contract);
void gate_finish(struct gate *gate);

/* In the job. */
void gate_pass(struct gate *gate);

/* In the test: waits until so many have arrived in all. */
void gate_await(struct gate *gate, unsigned arrived);
void gate_open(struct gate *gate);

#endif
