/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A key with a deadline, as a client sees it: what the server may answer, and when.
 *
 * A client cannot know at which instant the server ran a command, only that it lies between its own
 * sending of the command and the coming of the answer. So of a deadline it knows two bounds: a key
 * set to live n expires no earlier than n after SET was sent, and no later than n after SET was
 * answered. From these follows when it must be told that the key is there (the answer has come
 * before the earlier bound), when that it is gone (the command was sent after the later one), and
 * when either is right. Each answer narrows the bounds for those to come. No latency is assumed,
 * and of the two clocks only that they go equally fast.
 *
 * The values are numbers of at least 100, so that INCR of a key that has expired, which gives 1,
 * cannot be taken for one of a key that has not.
 */
#ifndef EXAMPLES_KV_VOLATILE_H
#define EXAMPLES_KV_VOLATILE_H

#include "buffer.h"

#include <stdbool.h>
#include <stdint.h>
#include <twinloop/value.h>

enum kv_volatile_op {
    KV_VOLATILE_SET,     /* SET key value PX ttl, or EX */
    KV_VOLATILE_SET_NX,  /* SET key value NX PX ttl */
    KV_VOLATILE_SET_GET, /* SET key value KEEPTTL GET */
    KV_VOLATILE_GET,
    KV_VOLATILE_EXISTS,
    KV_VOLATILE_DEL,
    KV_VOLATILE_INCR,
    KV_VOLATILE_PTTL,
    KV_VOLATILE_PERSIST,
    KV_VOLATILE_PEXPIRE,
    KV_VOLATILE_OPS,
};

/* One command on such a key. */
struct kv_volatile_step {
    enum kv_volatile_op op;
    unsigned key;   /* which of the connection's */
    int64_t value;  /* of the SETs, at least 100 */
    int64_t ttl_ms; /* of SET, SET_NX and PEXPIRE */
};

/* What is known of one key from the answers so far; zero-initialised it is not there. */
struct kv_volatile {
    bool exists; /* it was there, and may have expired since */
    int64_t value;
    tl_time earliest, latest; /* bounds of its deadline, both included; TL_TIME_NEVER: none */
};

/* Appends a step's command. */
void kv_volatile_command(const struct kv_volatile_step *step, const char *key,
                         struct kv_buffer *command);

/* Whether an answer to a step, sent and answered at those instants, is right; takes note of it. */
bool kv_volatile_check(struct kv_volatile *key, const struct kv_volatile_step *step, tl_time sent,
                       tl_time answered, const char *answer, size_t len);

/* For reports: what a step is called, and what was to be expected of a key, in text, which is
 * returned and has room for KV_VOLATILE_TEXT_MAX. */
#define KV_VOLATILE_TEXT_MAX 160
const char *kv_volatile_name(enum kv_volatile_op op);
const char *kv_volatile_wanted(const struct kv_volatile *key, tl_time sent, tl_time answered,
                               char *text);

#endif
