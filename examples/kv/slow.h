/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection that asks for much and reads nothing until it is told to.
 *
 * It sets a large value and asks for it many times over, more than the network holds, so that the
 * rest has to wait at the server: there it may cost no more than the server's bound. Once it reads
 * again it gets every byte.
 *
 * Embedded in the client's memory, which lives as long as the loop.
 */
#ifndef EXAMPLES_KV_SLOW_H
#define EXAMPLES_KV_SLOW_H

#include "link.h"

#include <stdint.h>

#define KV_SLOW_VALUE 48000 /* bytes of the value */
#define KV_SLOW_OVERHEAD 16 /* bytes around it in a reply */

struct kv_slow {
    struct kv_link link;
    uint64_t wanted;   /* times that the value is asked for */
    uint64_t answered; /* of wanted + 1: the first answer is SET's */
    struct kv_buffer value;

    /* All answers have come and were right (NULL), or what went wrong. Called once. */
    void (*done)(void *arg, const char *problem);
    void (*down)(void *arg); /* the link is gone; after done */
    void *arg;
    bool over; /* done has been called */
};

void kv_slow_init(struct kv_slow *slow, uint64_t wanted,
                  void (*done)(void *arg, const char *problem), void (*down)(void *arg), void *arg);
void kv_slow_finish(struct kv_slow *slow);

/* Sends everything and reads nothing. key is where the value goes. Its link is up. */
void kv_slow_start(struct kv_slow *slow, const char *key);

/* Reads on. */
void kv_slow_read(struct kv_slow *slow);

#endif
