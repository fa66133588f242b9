/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys and their values; see store.h. Chains, doubled in number when there are as many entries.
 */
#include "store.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHAINS_MIN 16
#define SPARE_MAX ((size_t)1 << 20) /* bytes that appending keeps to spare, at most */

/* FNV-1a, with its upper half folded in, since the low bits pick the chain. */
static uint64_t hash_of(const char *key, size_t len)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)key[i]) * 0x100000001b3;
    return hash ^ hash >> 32;
}

static struct kv_entry **chain_of(const struct kv_store *store, uint64_t hash)
{
    return &store->chains[hash & (store->chains_count - 1)];
}

/* The link that leads to a key's entry, or to the end of its chain. The table is not empty. */
static struct kv_entry **find(const struct kv_store *store, uint64_t hash, const char *key,
                              size_t len)
{
    struct kv_entry **link = chain_of(store, hash);
    while (*link != NULL && ((*link)->hash != hash || (*link)->key_len != len ||
                             (len > 0 && memcmp((*link)->key, key, len) != 0)))
        link = &(*link)->next;
    return link;
}

/* What an entry and its value are in entries_bytes. */
static size_t bytes_of(const struct kv_entry *entry)
{
    return sizeof *entry + entry->key_len + entry->value_capacity;
}

static void free_entry(struct kv_entry *entry)
{
    free(entry->value);
    free(entry);
}

void kv_store_finish(struct kv_store *store)
{
    for (size_t i = 0; i < store->chains_count; i++)
        while (store->chains[i] != NULL) {
            struct kv_entry *entry = store->chains[i];
            store->chains[i] = entry->next;
            free_entry(entry);
        }
    free(store->chains);
    kv_deadlines_finish(&store->deadlines);
    *store = (struct kv_store){.expired = store->expired};
}

/* --- Deadlines -------------------------------------------------------------------------------- */

tl_time kv_store_deadline(const struct kv_store *store, const struct kv_entry *entry)
{
    return entry->place > 0 ? store->deadlines.heap[entry->place - 1].when : TL_TIME_NEVER;
}

int kv_store_set_deadline(struct kv_store *store, struct kv_entry *entry, tl_time deadline)
{
    if (deadline == TL_TIME_NEVER) {
        kv_deadlines_remove(&store->deadlines, entry);
        return 0;
    }
    int r = entry->place > 0 ? 0 : kv_deadlines_reserve(&store->deadlines);
    if (r == 0)
        kv_deadlines_put(&store->deadlines, entry, deadline);
    return r;
}

tl_time kv_store_next_deadline(const struct kv_store *store)
{
    return store->deadlines.count > 0 ? store->deadlines.heap[0].when : TL_TIME_NEVER;
}

size_t kv_store_expire(struct kv_store *store, tl_time now, size_t max)
{
    size_t removed = 0;
    for (; removed < max && kv_store_next_deadline(store) <= now; removed++)
        kv_store_remove(store, store->deadlines.heap[0].entry);
    store->expired += removed;
    return removed;
}

/* --- Keys and values -------------------------------------------------------------------------- */

struct kv_entry *kv_store_find(struct kv_store *store, const char *key, size_t key_len, tl_time now)
{
    if (store->chains_count == 0)
        return NULL;
    struct kv_entry *entry = *find(store, hash_of(key, key_len), key, key_len);
    if (entry == NULL || kv_store_deadline(store, entry) > now)
        return entry;
    kv_store_remove(store, entry);
    store->expired++;
    return NULL;
}

/* Doubles the chains. Not being able to is no error once there are some. */
static void grow(struct kv_store *store)
{
    size_t count = store->chains_count > 0 ? store->chains_count * 2 : CHAINS_MIN;
    struct kv_store wider = *store;
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): chains are pointers, and meant to be. */
    wider.chains = calloc(count, sizeof *wider.chains);
    wider.chains_count = count;
    if (wider.chains == NULL)
        return;
    for (size_t i = 0; i < store->chains_count; i++)
        while (store->chains[i] != NULL) {
            struct kv_entry *entry = store->chains[i];
            struct kv_entry **chain = chain_of(&wider, entry->hash);
            store->chains[i] = entry->next;
            entry->next = *chain;
            *chain = entry;
        }
    free(store->chains);
    *store = wider;
}

static struct kv_entry *new_entry(uint64_t hash, const char *key, size_t len)
{
    struct kv_entry *entry = malloc(sizeof *entry + len);
    if (entry == NULL)
        return NULL;
    *entry = (struct kv_entry){.hash = hash, .key_len = len};
    if (len > 0)
        memcpy(entry->key, key, len);
    return entry;
}

/* Makes value the entry's, in the memory it has if that fits without much to spare. */
static int set_value(struct kv_entry *entry, const char *value, size_t len)
{
    if (len > entry->value_capacity || entry->value_capacity > 2 * len) {
        char *memory = len > 0 ? malloc(len) : NULL;
        if (len > 0 && memory == NULL)
            return -ENOMEM;
        free(entry->value);
        entry->value = memory;
        entry->value_capacity = len;
    }
    entry->value_len = len;
    if (len > 0)
        memcpy(entry->value, value, len);
    return 0;
}

int kv_store_append(struct kv_store *store, struct kv_entry *entry, const char *data, size_t len)
{
    size_t wanted = entry->value_len + len;
    if (wanted > entry->value_capacity) {
        size_t capacity = wanted + (wanted < SPARE_MAX ? wanted : SPARE_MAX);
        char *value = realloc(entry->value, capacity);
        if (value == NULL)
            return -ENOMEM;
        store->entries_bytes += capacity - entry->value_capacity;
        entry->value = value;
        entry->value_capacity = capacity;
    }
    if (len > 0)
        memcpy(entry->value + entry->value_len, data, len);
    entry->value_len = wanted;
    return 0;
}

/* A new entry with its value, at the end of its chain. */
static int add_entry(struct kv_store *store, struct kv_entry **link, struct kv_entry *entry,
                     const char *value, size_t value_len)
{
    if (entry == NULL)
        return -ENOMEM;
    if (set_value(entry, value, value_len) < 0) {
        free_entry(entry);
        return -ENOMEM;
    }
    *link = entry;
    store->entries_count++;
    store->entries_bytes += bytes_of(entry);
    return 0;
}

/* The same for one that is there. */
static int change_entry(struct kv_store *store, struct kv_entry *entry, const char *value,
                        size_t value_len)
{
    size_t before = bytes_of(entry);
    if (set_value(entry, value, value_len) < 0)
        return -ENOMEM;
    store->entries_bytes += bytes_of(entry) - before;
    return 0;
}

int kv_store_set(struct kv_store *store, const char *key, size_t key_len, const char *value,
                 size_t value_len, tl_time deadline)
{
    uint64_t hash = hash_of(key, key_len);
    if (store->entries_count >= store->chains_count)
        grow(store);
    if (store->chains_count == 0)
        return -ENOMEM;
    if (deadline != TL_TIME_NEVER && kv_deadlines_reserve(&store->deadlines) < 0)
        return -ENOMEM;
    struct kv_entry **link = find(store, hash, key, key_len);
    int r = *link != NULL ? change_entry(store, *link, value, value_len)
                          : add_entry(store, link, new_entry(hash, key, key_len), value, value_len);
    if (r < 0)
        return r;
    r = kv_store_set_deadline(store, *link, deadline);
    assert(r == 0 && "there is room: it was reserved above");
    return r;
}

void kv_store_remove(struct kv_store *store, struct kv_entry *entry)
{
    struct kv_entry **link = chain_of(store, entry->hash);
    while (*link != entry)
        link = &(*link)->next;
    *link = entry->next;
    kv_deadlines_remove(&store->deadlines, entry);
    store->entries_count--;
    store->entries_bytes -= bytes_of(entry);
    free_entry(entry);
}

size_t kv_store_bytes(const struct kv_store *store)
{
    return store->entries_bytes + store->chains_count * sizeof(struct kv_entry *) +
           store->deadlines.capacity * sizeof(struct kv_deadline);
}
