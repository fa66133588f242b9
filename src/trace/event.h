/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A traced event in memory, and how one is put into bytes.
 *
 * An event is a row of ops.def with numbers in it. Every row has the same form (object, result, up
 * to four arguments, a blob), so the recorder fills in one struct for any operation, the reader
 * gives back the same struct, and the replayer compares two of them; only the operations know what
 * the numbers mean. In a file an event is a CBOR array of the fields that its row has, in the order
 * in which the struct has them.
 */
#ifndef TL_TRACE_EVENT_H
#define TL_TRACE_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <twinloop/error.h>
#include <twinloop/value.h>
#include "trace/encode.h"

/* Numbers of the rows: TL_TRACE_READ, TL_TRACE_FD, ... */
enum tl_trace_kind {
#define TL_OP(number, NAME, name, object, arg0, arg1, arg2, arg3, blob) TL_TRACE_##NAME = number,
#define TL_EVENT(number, NAME, name, object, value) TL_TRACE_##NAME = number,
#include "trace/ops.def"
    TL_TRACE_KINDS, /* one more than the last number */
};

/* Which fields a row has: these flags, and the number of its arguments in the bits above. */
enum {
    TL_FIELD_OBJECT = 1,
    TL_FIELD_RESULT = 2,
    TL_FIELD_BLOB = 4,
    TL_FIELD_ARG = 8,
};

#define TL_FIELD_IF(text, field) ((int)(sizeof(text) > 1) * (field))

/* The fields of each row: TL_FIELDS_READ, ... */
enum tl_trace_fields {
#define TL_OP(number, NAME, name, object, arg0, arg1, arg2, arg3, blob)                            \
    TL_FIELDS_##NAME = TL_FIELD_IF(object, TL_FIELD_OBJECT) + TL_FIELD_RESULT +                    \
                       TL_FIELD_IF(blob, TL_FIELD_BLOB) + TL_FIELD_IF(arg0, TL_FIELD_ARG) +        \
                       TL_FIELD_IF(arg1, TL_FIELD_ARG) + TL_FIELD_IF(arg2, TL_FIELD_ARG) +         \
                       TL_FIELD_IF(arg3, TL_FIELD_ARG),
#define TL_EVENT(number, NAME, name, object, value)                                                \
    TL_FIELDS_##NAME = TL_FIELD_IF(object, TL_FIELD_OBJECT) + TL_FIELD_ARG,
#define TL_EVENT_BLOB(number, NAME, name, object, value, blob)                                     \
    TL_FIELDS_##NAME = TL_FIELD_IF(object, TL_FIELD_OBJECT) + TL_FIELD_ARG + TL_FIELD_BLOB,
#include "trace/ops.def"
};

/* A row of ops.def. */
struct tl_trace_row {
    const char *name; /* NULL: there is no row of this number */
    const char *object;
    const char *arg[4]; /* with the "=" of answers */
    const char *blob;   /* with its prefix */
    uint8_t fields;     /* enum tl_trace_fields */
};

/* Indexed by enum tl_trace_kind. */
extern const struct tl_trace_row tl_trace_rows[TL_TRACE_KINDS];

/* What the blob of an event is. */
enum tl_trace_blob {
    TL_BLOB_BYTES,
    TL_BLOB_HASH, /* only blob_hash: out: bytes were not kept */
};

struct tl_trace_event {
    uint64_t number;  /* place in its stream, from 0 */
    tl_time time;     /* the last reading of now */
    uint32_t kind;    /* enum tl_trace_kind */
    uint32_t blob_is; /* enum tl_trace_blob */
    uint64_t object;
    int64_t result; /* of an operation: as it was returned; of now and wall: the clock's advance */
    int64_t arg[4];
    const uint8_t *blob;
    size_t blob_len;
    uint64_t blob_hash; /* of everything that the object has written so far (hash.h) */
};

/* Bytes that an event takes at most, without its blob's. */
#define TL_TRACE_EVENT_MAX 80

/* A result as a file has it: errors by their index, which is the same on every CPU. One that has no
 * index comes back as -EIO. */
static inline int64_t tl_trace_result_out(int64_t result)
{
    if (__builtin_expect(result >= 0, 1))
        return result;
    unsigned index = tl_err_index((int)result);
    return -(int64_t)(index != 0 ? index : UINT16_MAX);
}

/* The inverse. */
static inline int64_t tl_trace_result_in(int64_t result)
{
    if (result >= 0)
        return result;
    return tl_err_from_index(result >= -UINT16_MAX ? (unsigned)-result : UINT16_MAX);
}

/* The head of the array of an event with these fields. */
static inline uint8_t tl_trace_array(enum tl_trace_fields fields)
{
    return (uint8_t)(TL_CBOR_ARRAY |
                     (1 + !!(fields & TL_FIELD_OBJECT) + !!(fields & TL_FIELD_RESULT) +
                      !!(fields & TL_FIELD_BLOB) + fields / TL_FIELD_ARG));
}

/* Writes that head and the number of the event's row; what follows is the row's fields. For
 * operations that are recorded often, and know their row when they are compiled. */
static inline uint8_t *tl_trace_put_row(uint8_t *p, enum tl_trace_kind kind,
                                        enum tl_trace_fields fields)
{
    *p++ = tl_trace_array(fields);
    return tl_put_head(p, TL_CBOR_UINT, kind);
}

/* Frequent operations have a fixed form for numbers of up to 16 bits, in which every field has its
 * place: whether these are such numbers, and a field of that form. */
static inline bool tl_trace_is_narrow(uint64_t a, uint64_t b, uint64_t c)
{
    return (a | b | c) <= UINT16_MAX;
}

static inline uint8_t *tl_trace_put_narrow(uint8_t *p, uint8_t major, uint64_t number)
{
    *p = major | TL_CBOR_HEAD_16;
    tl_put_be16(p + 1, (uint16_t)number);
    return p + 3;
}

/* The same bytes as tl_trace_put_row, object and result put down one after the other, in one word.
 * For rows below 24. */
static inline uint8_t *tl_trace_put_narrow_row(uint8_t *p, enum tl_trace_kind kind,
                                               enum tl_trace_fields fields, uint64_t object,
                                               uint64_t result)
{
    const uint64_t head = TL_CBOR_UINT | TL_CBOR_HEAD_16;

    tl_put_be64(p, (uint64_t)tl_trace_array(fields) << 56 | (uint64_t)kind << 48 | head << 40 |
                       object << 24 | head << 16 | result);
    return p + 8;
}

/* Writes an event up to, and without, its blob. */
static inline uint8_t *tl_trace_put_fields(uint8_t *p, const struct tl_trace_event *event,
                                           enum tl_trace_kind kind, enum tl_trace_fields fields)
{
    int args = fields / TL_FIELD_ARG;

    p = tl_trace_put_row(p, kind, fields);
    if (fields & TL_FIELD_OBJECT)
        p = tl_put_head(p, TL_CBOR_UINT, event->object);
    if (fields & TL_FIELD_RESULT)
        p = tl_put_int(p, tl_trace_result_out(event->result));
    for (int i = 0; i < args; i++)
        p = tl_put_int(p, event->arg[i]);
    return p;
}

/* Writes any event but now and wall, the whole of it: at most TL_TRACE_EVENT_MAX + blob_len bytes.
 */
uint8_t *tl_trace_put_event(uint8_t *p, const struct tl_trace_event *event);

/* Writes a reading of now or wall, as the difference from the reading before. */
static inline uint8_t *tl_trace_put_clock(uint8_t *p, enum tl_trace_kind kind, tl_time advance)
{
    *p++ = TL_CBOR_ARRAY | 2;
    *p++ = (uint8_t)kind;
    return tl_put_int(p, advance);
}

#endif
