/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The deadlines of a store's keys, the earliest first.
 *
 * A heap of {deadline, entry}: the entries know their places in it, so that a deadline can be moved
 * or taken out wherever it is, and comparing does not touch the entries. Keys without a deadline
 * are not in it and cost it nothing. It knows no loop: what time it is, its user says.
 */
#ifndef EXAMPLES_KV_DEADLINES_H
#define EXAMPLES_KV_DEADLINES_H

#include <stddef.h>
#include <twinloop/value.h>

struct kv_entry;

struct kv_deadline {
    tl_time when;
    struct kv_entry *entry;
};

/* Embedded in a store; zero-initialised is empty. */
struct kv_deadlines {
    struct kv_deadline *heap; /* each one's four children are not before it */
    size_t count;
    size_t capacity;
};

/* Frees the memory; the entries' places are no longer valid. */
void kv_deadlines_finish(struct kv_deadlines *deadlines);

/* Makes room for one more: 0 or -ENOMEM. */
int kv_deadlines_reserve(struct kv_deadlines *deadlines);

/* Gives an entry a deadline, or another one. There is room. */
void kv_deadlines_put(struct kv_deadlines *deadlines, struct kv_entry *entry, tl_time when);

/* Takes an entry's deadline away, if it has one. */
void kv_deadlines_remove(struct kv_deadlines *deadlines, struct kv_entry *entry);

#endif
