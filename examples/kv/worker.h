/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One of a client's connections: keeps a number of commands under way, and compares each answer
 * with the model's.
 *
 * Embedded in the client's memory, which lives as long as the loop.
 */
#ifndef EXAMPLES_KV_WORKER_H
#define EXAMPLES_KV_WORKER_H

#include "link.h"
#include "model.h"

struct kv_worker_options {
    tl_loop *loop;
    uint64_t commands; /* how many */
    uint64_t depth;    /* how many at a time */
    uint64_t think_ms; /* how long it sometimes waits before it goes on, at most */
    uint64_t seed;
    const char *prefix;
    uint64_t client, connection; /* whose keys */
};

struct kv_worker {
    struct kv_link link;
    struct kv_model model;
    struct kv_worker_options options;
    uint64_t sent, answered;
    struct tl_timer pause;               /* active: it is thinking */
    struct kv_expectation *expectations; /* a ring of depth, from answered % depth on */
    struct kv_buffer expected;           /* the bytes of those, in order */
    size_t expected_begin;
    struct kv_buffer commands; /* what is to be written next */

    /* All answers have come and were right (NULL), or what went wrong. Called once. */
    void (*done)(void *arg, const char *problem);
    void (*down)(void *arg); /* the link is gone; after done */
    void *arg;
    bool over; /* done has been called */
};

/* 0 or -ENOMEM; kv_worker_finish in either case. */
int kv_worker_init(struct kv_worker *worker, const struct kv_worker_options *options,
                   void (*done)(void *arg, const char *problem), void (*down)(void *arg),
                   void *arg);
void kv_worker_finish(struct kv_worker *worker);

/* Sends the first commands. Its link is up. */
void kv_worker_start(struct kv_worker *worker);

#endif
