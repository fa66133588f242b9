/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values: making one of bytes, and giving back what one holds.
 */
#include <twinloop/value.h>

#include <errno.h>
#include <string.h>

#include "core/alloc.h"
#include "core/object.h"

int tl_value_bytes(const void *data, size_t len, tl_value *ret)
{
    void *copy = tl_alloc(len);
    if (copy == NULL)
        return -ENOMEM;
    if (len != 0)
        memcpy(copy, data, len);
    *ret = (tl_value){.kind = TL_VALUE_BYTES, .data = copy, .len = len};
    return 0;
}

void tl_value_finish(tl_value *value)
{
    if (value == NULL)
        return;
    tl_value held = tl_value_take(value);
    switch (held.kind) {
    case TL_VALUE_NONE:
    case TL_VALUE_INT:
        break;
    case TL_VALUE_POINTER:
        if (held.free_fn != NULL)
            held.free_fn(held.pointer);
        break;
    case TL_VALUE_BYTES:
        tl_free(held.data);
        break;
    case TL_VALUE_OBJECT:
        tl_object_unref(held.object);
        break;
    }
}
