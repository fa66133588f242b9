/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time and values: the two small types that everything else passes around.
 *
 * Time is one type in the whole tree: int64 nanoseconds. A value is what a future carries from who
 * produces it to who awaits it: nothing, a number, a pointer with the function that frees it,
 * bytes, or a counted object of this library. A value owns what it holds; it is moved, not copied,
 * and the last taker finishes it.
 */
#ifndef TWINLOOP_VALUE_H
#define TWINLOOP_VALUE_H

#include <stddef.h>
#include <stdint.h>

/* Nanoseconds. A duration, or an instant of a loop's clock, which starts anywhere. */
typedef int64_t tl_time;

#define TL_MICROSECOND ((tl_time)1000)
#define TL_MILLISECOND ((tl_time)1000000)
#define TL_SECOND ((tl_time)1000000000)
#define TL_TIME_NEVER INT64_MAX /* a deadline that is never reached */

/* "Use the default", where negative numbers are errors and 0 means something. */
#define TL_UNSET (-2147483647L - 1)

typedef struct tl_object tl_object;

/* What every counted object starts with: a table of what it is, and how many hold it. Futures,
 * handles, transports and servers are objects; each has tl_x_ref and tl_x_unref of its own type. */
struct tl_object {
    const struct tl_object_type *type;
    uint32_t refs;
};

struct tl_object_type {
    const char *name;                   /* "future", for reports */
    void (*destroy)(tl_object *object); /* called by the last unref */
};

enum tl_value_kind {
    TL_VALUE_NONE,
    TL_VALUE_INT,
    TL_VALUE_POINTER,
    TL_VALUE_BYTES,
    TL_VALUE_OBJECT,
};

typedef struct tl_value {
    enum tl_value_kind kind;
    union {
        int64_t integer;
        struct {
            void *pointer;
            void (*free_fn)(void *pointer); /* NULL: nobody frees it */
        };
        struct {
            void *data; /* of the library's allocator; freed by tl_value_finish */
            size_t len;
        };
        tl_object *object; /* one reference */
    };
} tl_value;

static inline tl_value tl_value_none(void)
{
    return (tl_value){.kind = TL_VALUE_NONE};
}

static inline tl_value tl_value_int(int64_t integer)
{
    return (tl_value){.kind = TL_VALUE_INT, .integer = integer};
}

/* The value takes the pointer: free_fn(pointer) is called when the value is finished. */
static inline tl_value tl_value_pointer(void *pointer, void (*free_fn)(void *))
{
    return (tl_value){.kind = TL_VALUE_POINTER, .pointer = pointer, .free_fn = free_fn};
}

/* The value takes the caller's reference. */
static inline tl_value tl_value_object(tl_object *object)
{
    return (tl_value){.kind = TL_VALUE_OBJECT, .object = object};
}

/* A value that owns a copy of len bytes. 0, or -ENOMEM with *ret untouched. */
int tl_value_bytes(const void *data, size_t len, tl_value *ret);

/* Frees what the value holds and makes it none. NULL is allowed. */
void tl_value_finish(tl_value *value);

/* Moves: the value is returned and *value becomes none. */
static inline tl_value tl_value_take(tl_value *value)
{
    tl_value taken = *value;
    *value = tl_value_none();
    return taken;
}

#endif
