/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counted objects: the common head of futures, handles, transports, servers and loops.
 *
 * Counts are plain integers: an object is used on its loop's thread.
 */
#ifndef TL_CORE_OBJECT_H
#define TL_CORE_OBJECT_H

#include <twinloop/value.h>

static inline void tl_object_init(tl_object *object, const struct tl_object_type *type)
{
    object->type = type;
    object->refs = 1;
}

static inline void tl_object_ref(tl_object *object)
{
    object->refs++;
}

static inline void tl_object_unref(tl_object *object)
{
    if (--object->refs == 0)
        object->type->destroy(object);
}

#endif
