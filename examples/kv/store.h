/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys of one database and their values: a hash table from bytes to bytes, and deadlines.
 *
 * The hash is a fixed function of the key: no seed, no address. Nothing walks over the table but to
 * free it, so its order cannot be observed in any case. A server of untrusted clients would want a
 * keyed hash, with its key from the loop's kernel.
 *
 * A key with a deadline is there before that instant and gone from it on. Whoever looks for a key
 * says what time it is, and is never shown one whose deadline has come: it is removed on the way.
 * What nobody looks for is removed by kv_store_expire.
 */
#ifndef EXAMPLES_KV_STORE_H
#define EXAMPLES_KV_STORE_H

#include "deadlines.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KV_DATABASES 16 /* stores of a server */

/* One key with its value, in an allocation of its own each. */
struct kv_entry {
    struct kv_entry *next; /* in its chain */
    uint64_t hash;
    char *value; /* value_capacity bytes; NULL when that is 0 */
    size_t value_len;
    size_t value_capacity;
    size_t place; /* among the deadlines, counted from 1; 0: it has none */
    size_t key_len;
    char key[];
};

/* Embedded in what uses it; zero-initialised is empty. */
struct kv_store {
    struct kv_entry **chains; /* chains_count of them */
    size_t chains_count;      /* 0 or a power of two */
    size_t entries_count;
    size_t entries_bytes; /* of memory asked for: the entries and their values */
    struct kv_deadlines deadlines;
    uint64_t expired; /* keys removed because of their deadlines */
};

/* Removes every key and frees all memory. It may be used on. */
void kv_store_finish(struct kv_store *store);

/* The entry of a key that is there at an instant, or NULL; the store's, until it is removed. */
struct kv_entry *kv_store_find(struct kv_store *store, const char *key, size_t key_len,
                               tl_time now);

/* Sets a key to a copy of value, which is not the store's own, until a deadline or TL_TIME_NEVER.
 * 0; -ENOMEM with nothing changed. */
int kv_store_set(struct kv_store *store, const char *key, size_t key_len, const char *value,
                 size_t value_len, tl_time deadline);

/* Appends bytes that are not the store's own to a value. 0; -ENOMEM with nothing changed. */
int kv_store_append(struct kv_store *store, struct kv_entry *entry, const char *data, size_t len);

void kv_store_remove(struct kv_store *store, struct kv_entry *entry);

/* When an entry will be gone; TL_TIME_NEVER. */
tl_time kv_store_deadline(const struct kv_store *store, const struct kv_entry *entry);

/* Changes that. 0; -ENOMEM with nothing changed, not for TL_TIME_NEVER. */
int kv_store_set_deadline(struct kv_store *store, struct kv_entry *entry, tl_time deadline);

/* The earliest deadline of all; TL_TIME_NEVER. */
tl_time kv_store_next_deadline(const struct kv_store *store);

/* Removes keys whose deadlines have come, at most max: how many. */
size_t kv_store_expire(struct kv_store *store, tl_time now, size_t max);

/* Bytes of memory asked for: keys, values and what finds them. */
size_t kv_store_bytes(const struct kv_store *store);

#endif
