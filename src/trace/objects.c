/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of objects: hash tables with linear probing whose slots point at the objects; see
 * objects.h.
 *
 * An object is allocated in advance of the operation that makes it: when that operation has
 * succeeded it is too late for saying that memory is out.
 */
#include "trace/objects.h"

#include <assert.h>
#include <errno.h>
#include "core/alloc.h"

enum {
    CAPACITY_MIN = 16,
    SPARES_MAX = 64, /* kept for the next objects */
};

/* Empties a place of the cache: what stands there then has a key that is looked up elsewhere. */
static void empty_place(struct tl_trace_objects *objects, size_t place)
{
    objects->recent[place] = &objects->absent[place == 0];
}

void tl_trace_objects_init(struct tl_trace_objects *objects, const tl_allocator *allocator,
                           bool by_ordinal)
{
    *objects = (struct tl_trace_objects){.allocator = allocator, .indexes = by_ordinal ? 2 : 1};
    for (uint64_t i = 0; i < 2; i++)
        objects->absent[i].key = i;
    for (size_t i = 0; i < TL_OBJECTS_RECENT; i++)
        empty_place(objects, i);
}

void tl_trace_objects_finish(struct tl_trace_objects *objects)
{
    for (size_t i = 0; i < objects->capacity; i++)
        tl_allocator_free(objects->allocator, objects->slots[TL_BY_KEY][i]);
    while (objects->spare != NULL) {
        struct tl_trace_object *next = objects->spare->token;
        tl_allocator_free(objects->allocator, objects->spare);
        objects->spare = next;
    }
    for (unsigned by = 0; by < objects->indexes; by++)
        tl_allocator_free(objects->allocator, objects->slots[by]);
    tl_trace_objects_init(objects, objects->allocator, objects->indexes > 1);
}

/* --- Slots --- */

static uint64_t number_of(const struct tl_trace_object *object, unsigned by)
{
    return by == TL_BY_KEY ? object->key : object->ordinal;
}

static size_t home(const struct tl_trace_objects *objects, uint64_t number)
{
    return (size_t)((number * TL_HASH_K0) >> 32) & (objects->capacity - 1);
}

/* The slot of a number: where its object is, or the free one where it would go. */
static size_t slot_of(const struct tl_trace_objects *objects, unsigned by, uint64_t number)
{
    struct tl_trace_object **slots = objects->slots[by];
    size_t i = home(objects, number);

    while (slots[i] != NULL && number_of(slots[i], by) != number)
        i = (i + 1) & (objects->capacity - 1);
    return i;
}

static void empty_slot(struct tl_trace_objects *objects, unsigned by,
                       const struct tl_trace_object *object)
{
    struct tl_trace_object **slots = objects->slots[by];
    size_t mask = objects->capacity - 1;
    size_t hole = slot_of(objects, by, number_of(object, by));

    /* What was pushed past the hole moves back into it, so that no search ends there too early. */
    for (size_t i = (hole + 1) & mask; slots[i] != NULL; i = (i + 1) & mask) {
        size_t distance = (i - home(objects, number_of(slots[i], by))) & mask;
        if (distance >= ((i - hole) & mask)) {
            slots[hole] = slots[i];
            hole = i;
        }
    }
    slots[hole] = NULL;
}

/* --- Room --- */

/* Moves the objects to larger indexes. */
static void rehash(struct tl_trace_objects *objects, struct tl_trace_object **slots[TL_BY_COUNT],
                   size_t capacity)
{
    struct tl_trace_objects old = *objects;

    objects->capacity = capacity;
    for (unsigned by = 0; by < objects->indexes; by++) {
        objects->slots[by] = slots[by];
        for (size_t i = 0; i < old.capacity; i++) {
            struct tl_trace_object *object = old.slots[by][i];
            if (object != NULL)
                slots[by][slot_of(objects, by, number_of(object, by))] = object;
        }
        tl_allocator_free(objects->allocator, old.slots[by]);
    }
}

static int grow(struct tl_trace_objects *objects, size_t capacity)
{
    struct tl_trace_object **slots[TL_BY_COUNT] = {NULL};

    for (unsigned by = 0; by < objects->indexes; by++) {
        slots[by] = tl_allocator_calloc(objects->allocator, capacity * sizeof(void *));
        if (slots[by] == NULL) {
            tl_allocator_free(objects->allocator, slots[TL_BY_KEY]);
            return -ENOMEM;
        }
    }
    rehash(objects, slots, capacity);
    return 0;
}

static void put_spare(struct tl_trace_objects *objects, struct tl_trace_object *object)
{
    object->token = objects->spare;
    objects->spare = object;
    objects->spare_count++;
}

int tl_trace_objects_reserve(struct tl_trace_objects *objects, unsigned count)
{
    /* At most half full, so that searches stay short. */
    size_t capacity = objects->capacity != 0 ? objects->capacity : CAPACITY_MIN;
    while (capacity < 2 * (objects->count + count))
        capacity *= 2;
    if (capacity != objects->capacity) {
        int r = grow(objects, capacity);
        if (r < 0)
            return r;
    }
    while (objects->spare_count < count) {
        struct tl_trace_object *object = tl_allocator_alloc(objects->allocator, sizeof *object);
        if (object == NULL)
            return -ENOMEM;
        put_spare(objects, object);
    }
    return 0;
}

/* --- Objects --- */

struct tl_trace_object *tl_trace_objects_search(struct tl_trace_objects *objects, int by,
                                                uint64_t number)
{
    if (objects->capacity == 0)
        return NULL;
    struct tl_trace_object *found = objects->slots[by][slot_of(objects, by, number)];
    if (found != NULL)
        *tl_trace_objects_place(objects, found->key) = found;
    return found;
}

/* Whatever has that name gives it up. */
static void clear_name(struct tl_trace_objects *objects, int by, uint64_t number)
{
    struct tl_trace_object *object = tl_trace_objects_search(objects, by, number);

    if (object != NULL)
        tl_trace_objects_remove(objects, object);
}

struct tl_trace_object *tl_trace_objects_add(struct tl_trace_objects *objects, uint64_t key,
                                             uint64_t ordinal)
{
    struct tl_trace_object *object = objects->spare;

    assert(object != NULL && "the caller has reserved");
    objects->spare = object->token;
    objects->spare_count--;
    clear_name(objects, TL_BY_KEY, key);
    if (objects->indexes > 1)
        clear_name(objects, TL_BY_ORDINAL, ordinal);
    *object =
        (struct tl_trace_object){.key = key, .ordinal = ordinal, .written = TL_TRACE_HASH_INIT};
    for (unsigned by = 0; by < objects->indexes; by++)
        objects->slots[by][slot_of(objects, by, number_of(object, by))] = object;
    objects->count++;
    *tl_trace_objects_place(objects, key) = object;
    return object;
}

void tl_trace_objects_remove(struct tl_trace_objects *objects, struct tl_trace_object *object)
{
    for (unsigned by = 0; by < objects->indexes; by++)
        empty_slot(objects, by, object);
    objects->count--;
    struct tl_trace_object **place = tl_trace_objects_place(objects, object->key);
    if (*place == object)
        empty_place(objects, (size_t)(place - objects->recent));
    if (objects->spare_count < SPARES_MAX)
        put_spare(objects, object);
    else
        tl_allocator_free(objects->allocator, object);
}
