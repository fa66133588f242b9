/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of a stream's objects: descriptors, children, requests.
 *
 * A trace names objects by class and ordinal, the program by descriptor number, process id or
 * address. A recorder and a replayer keep one table for each class that leads from the program's
 * name (the key) to the object, and where events bring objects back, also from the ordinal. An
 * object does not move while it is in its table, so its address serves as the token of a watched
 * descriptor. Nothing ever walks over a table. In front of it stands a cache that has a place for
 * each value of a key's lower bits: descriptors are small and close together, so nearly every
 * operation finds its object there.
 */
#ifndef TL_TRACE_OBJECTS_H
#define TL_TRACE_OBJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <twinloop/alloc.h>
#include "trace/hash.h"

struct tl_trace_object {
    uint64_t key;
    uint64_t ordinal;             /* from 1 */
    void *token;                  /* the program's, for what has one */
    struct tl_trace_hash written; /* descriptors: what the program wrote */
};

/* The two names that an object can be found by. */
enum {
    TL_BY_KEY,
    TL_BY_ORDINAL, /* only in tables that were made with it */
    TL_BY_COUNT,
};

enum {
    TL_OBJECTS_RECENT = 256 /* places in a table's cache; a power of two */
};

struct tl_trace_objects {
    const tl_allocator *allocator;
    struct tl_trace_object **slots[TL_BY_COUNT]; /* open addressing; NULL: free */
    size_t capacity;                             /* of each index: a power of two, or 0 */
    size_t count;
    unsigned indexes;              /* 1, or 2 with TL_BY_ORDINAL */
    struct tl_trace_object *spare; /* made in advance; linked by token */
    unsigned spare_count;
    struct tl_trace_object
        *recent[TL_OBJECTS_RECENT];   /* found lately, by the place of their keys */
    struct tl_trace_object absent[2]; /* stand in places that are empty, and belong in others */
};

/* allocator must outlive the table. */
void tl_trace_objects_init(struct tl_trace_objects *objects, const tl_allocator *allocator,
                           bool by_ordinal);
void tl_trace_objects_finish(struct tl_trace_objects *objects);

/* Makes sure that count objects can be added without failing. 0 or -ENOMEM. */
int tl_trace_objects_reserve(struct tl_trace_objects *objects, unsigned count);

/* Adds an object that was reserved. What had its key, or its ordinal in a table with both, is
 * removed. */
struct tl_trace_object *tl_trace_objects_add(struct tl_trace_objects *objects, uint64_t key,
                                             uint64_t ordinal);

void tl_trace_objects_remove(struct tl_trace_objects *objects, struct tl_trace_object *object);

/* The object with that key or ordinal, or NULL. */
struct tl_trace_object *tl_trace_objects_search(struct tl_trace_objects *objects, int by,
                                                uint64_t number);

/* Where in the cache the object with a key may be. */
static inline struct tl_trace_object **tl_trace_objects_place(struct tl_trace_objects *objects,
                                                              uint64_t key)
{
    return &objects->recent[key % TL_OBJECTS_RECENT];
}

/* The object with a key if it is in the cache, or NULL. */
static inline struct tl_trace_object *tl_trace_objects_recent(struct tl_trace_objects *objects,
                                                              uint64_t key)
{
    struct tl_trace_object *object = *tl_trace_objects_place(objects, key);

    return __builtin_expect(object->key == key, 1) ? object : NULL;
}

/* The object with a key, or NULL. */
static inline struct tl_trace_object *tl_trace_objects_find(struct tl_trace_objects *objects,
                                                            uint64_t key)
{
    struct tl_trace_object *object = tl_trace_objects_recent(objects, key);

    return object != NULL ? object : tl_trace_objects_search(objects, TL_BY_KEY, key);
}

/* The ordinal of the object with a key, 0 for none. */
static inline uint64_t tl_trace_objects_ordinal(struct tl_trace_objects *objects, uint64_t key)
{
    struct tl_trace_object *object = tl_trace_objects_find(objects, key);
    return object != NULL ? object->ordinal : 0;
}

#endif
