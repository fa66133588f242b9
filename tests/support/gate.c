/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate of gate.h: a mutex and a condition.
 */
#include "support/gate.h"

#include <string.h>

bool gate_threaded(const struct contract *contract)
{
    return strstr(contract->world, "real") != NULL && contract->reader == NULL;
}

void gate_init(struct gate *gate, const struct contract *contract)
{
    *gate = (struct gate){.threaded = gate_threaded(contract)};
    pthread_mutex_init(&gate->mutex, NULL);
    pthread_cond_init(&gate->changed, NULL);
}

void gate_finish(struct gate *gate)
{
    pthread_cond_destroy(&gate->changed);
    pthread_mutex_destroy(&gate->mutex);
}

void gate_pass(struct gate *gate)
{
    pthread_mutex_lock(&gate->mutex);
    gate->arrived++;
    pthread_cond_broadcast(&gate->changed);
    while (gate->threaded && !gate->open)
        pthread_cond_wait(&gate->changed, &gate->mutex);
    pthread_mutex_unlock(&gate->mutex);
}

void gate_await(struct gate *gate, unsigned arrived)
{
    pthread_mutex_lock(&gate->mutex);
    while (gate->threaded && gate->arrived < arrived)
        pthread_cond_wait(&gate->changed, &gate->mutex);
    pthread_mutex_unlock(&gate->mutex);
}

void gate_open(struct gate *gate)
{
    pthread_mutex_lock(&gate->mutex);
    gate->open = true;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->mutex);
}
