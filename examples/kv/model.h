/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client expects: commands drawn from a seed, each with the answer it must get.
 *
 * A connection has keys of its own, which nobody else touches: a model of them gives the one right
 * answer to every command. Some more of them have deadlines, of which it knows bounds: what is
 * right about those depends on when the answer comes. And there are counters that all connections
 * of all clients increase: of those a connection knows that each answer is above the one before,
 * and how often it has increased each, so that the sum over all connections is known at the end.
 */
#ifndef EXAMPLES_KV_MODEL_H
#define EXAMPLES_KV_MODEL_H

#include "buffer.h"
#include "volatile.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KV_COUNTERS 3        /* shared by all */
#define KV_MODEL_NUMBERS 3   /* keys of a connection that hold numbers */
#define KV_MODEL_TEXTS 8     /* and that hold anything */
#define KV_MODEL_VOLATILES 2 /* and that have deadlines */
#define KV_KEY_MAX 96        /* characters of a key, with its NUL */
#define KV_PREFIX_MAX 32     /* of them the prefix, at most */

enum kv_expect_kind {
    KV_EXPECT_EXACT,     /* these bytes */
    KV_EXPECT_PREFIX,    /* these bytes, then anything */
    KV_EXPECT_INTEGER,   /* any number */
    KV_EXPECT_INCREASED, /* a number above the last one seen of this counter */
    KV_EXPECT_AT_LEAST,  /* a value not below the last one seen of this counter */
    KV_EXPECT_VOLATILE,  /* what volatile.h says */
};

struct kv_expectation {
    enum kv_expect_kind kind;
    const char *command;          /* what was asked, for reports */
    size_t len;                   /* bytes appended to the expected ones */
    unsigned counter;             /* INCREASED, AT_LEAST */
    struct kv_volatile_step step; /* VOLATILE */
    tl_time sent;                 /* when the command was written, or before that */
};

struct kv_model {
    uint64_t state; /* of the generator */
    const char *prefix;
    uint64_t client, connection; /* whose keys they are */
    struct {
        bool exists;
        int64_t value;
    } numbers[KV_MODEL_NUMBERS];
    struct {
        bool exists;
        struct kv_buffer value;
    } texts[KV_MODEL_TEXTS];
    struct kv_volatile volatiles[KV_MODEL_VOLATILES]; /* as of the last answer */
    int64_t seen[KV_COUNTERS];                        /* the last value this connection was told */
    int64_t increased[KV_COUNTERS]; /* how often it has increased it, answers having come */
};

/* prefix is borrowed. */
void kv_model_init(struct kv_model *model, uint64_t seed, const char *prefix, uint64_t client,
                   uint64_t connection);
void kv_model_finish(struct kv_model *model);

/* Appends a command that removes whatever an earlier run left of the connection's own keys. */
void kv_model_clean(struct kv_model *model, struct kv_buffer *command, struct kv_expectation *ret);

/* Appends a command, and the bytes that are expected in answer. A failure of either buffer, or of
 * the model's own memory (false), ends the client. */
bool kv_model_next(struct kv_model *model, struct kv_buffer *command, struct kv_buffer *expected,
                   struct kv_expectation *ret);

/* Whether an answer is right that came at an instant of the clock which sent is of; takes note of
 * what it says about a counter or a deadline. */
bool kv_model_check(struct kv_model *model, const struct kv_expectation *expectation,
                    tl_time answered, const char *expected, const char *answer, size_t answer_len);

/* How long to wait before the next command: 0, or once in so many times up to most. Often that is
 * until shortly before a deadline, where there is most to be seen. */
tl_time kv_model_pause(struct kv_model *model, tl_time now, tl_time most, unsigned once_in);

/* The key of a shared counter. text has room for KV_KEY_MAX; it is returned. */
const char *kv_counter_key(const char *prefix, unsigned counter, char *text);

/* Reads ":N" or "$len N": false if the answer is neither. */
bool kv_answer_number(const char *answer, size_t len, int64_t *ret);

#endif
