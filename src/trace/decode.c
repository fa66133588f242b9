/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CBOR, from libcbor's streaming decoder, and events, by their rows; see decode.h.
 */
#include "trace/decode.h"

#include <cbor.h>
#include <string.h>

/* --- Items --- */

static void got(void *context, enum tl_trace_item_type type, uint64_t number, const uint8_t *bytes)
{
    *(struct tl_trace_item *)context = (struct tl_trace_item){
        .type = type,
        .integer = (int64_t)number,
        .number = number,
        .bytes = bytes,
    };
}

static void got_uint64(void *context, uint64_t value)
{
    got(context, value <= INT64_MAX ? TL_ITEM_INT : TL_ITEM_UINT, value, NULL);
}

static void got_uint32(void *context, uint32_t value)
{
    got_uint64(context, value);
}

static void got_uint16(void *context, uint16_t value)
{
    got_uint64(context, value);
}

static void got_uint8(void *context, uint8_t value)
{
    got_uint64(context, value);
}

/* libcbor hands out the number n of a negative integer, which is -1 - n. */
static void got_negint64(void *context, uint64_t value)
{
    if (value <= INT64_MAX)
        got(context, TL_ITEM_INT, ~value, NULL);
    else
        got(context, TL_ITEM_OTHER, 0, NULL);
}

static void got_negint32(void *context, uint32_t value)
{
    got_negint64(context, value);
}

static void got_negint16(void *context, uint16_t value)
{
    got_negint64(context, value);
}

static void got_negint8(void *context, uint8_t value)
{
    got_negint64(context, value);
}

static void got_bytes(void *context, cbor_data data, size_t len)
{
    got(context, TL_ITEM_BYTES, len, data);
}

static void got_text(void *context, cbor_data data, size_t len)
{
    got(context, TL_ITEM_TEXT, len, data);
}

static void got_array(void *context, size_t count)
{
    got(context, TL_ITEM_ARRAY, count, NULL);
}

static void got_map(void *context, size_t count)
{
    got(context, TL_ITEM_MAP, count, NULL);
}

static void got_tag(void *context, uint64_t value)
{
    got(context, TL_ITEM_TAG, value, NULL);
}

static void got_float(void *context, float value)
{
    (void)value;
    got(context, TL_ITEM_OTHER, 0, NULL);
}

static void got_double(void *context, double value)
{
    (void)value;
    got(context, TL_ITEM_OTHER, 0, NULL);
}

static void got_bool(void *context, bool value)
{
    (void)value;
    got(context, TL_ITEM_OTHER, 0, NULL);
}

static void got_simple(void *context)
{
    got(context, TL_ITEM_OTHER, 0, NULL);
}

/* Traces have no items of indefinite length. */
static void got_indefinite(void *context)
{
    got(context, TL_ITEM_NONE, 0, NULL);
}

static const struct cbor_callbacks callbacks = {
    .uint8 = got_uint8,
    .uint16 = got_uint16,
    .uint32 = got_uint32,
    .uint64 = got_uint64,
    .negint64 = got_negint64,
    .negint32 = got_negint32,
    .negint16 = got_negint16,
    .negint8 = got_negint8,
    .byte_string_start = got_indefinite,
    .byte_string = got_bytes,
    .string = got_text,
    .string_start = got_indefinite,
    .indef_array_start = got_indefinite,
    .array_start = got_array,
    .indef_map_start = got_indefinite,
    .map_start = got_map,
    .tag = got_tag,
    .float2 = got_float,
    .float4 = got_float,
    .float8 = got_double,
    .undefined = got_simple,
    .null = got_simple,
    .boolean = got_bool,
    .indef_break = got_indefinite,
};

bool tl_trace_next_item(const uint8_t **p, const uint8_t *end, struct tl_trace_item *ret)
{
    struct cbor_decoder_result result;

    *ret = (struct tl_trace_item){.type = TL_ITEM_NONE};
    if (*p == end)
        return false;
    result = cbor_stream_decode(*p, (size_t)(end - *p), &callbacks, ret);
    if (result.status != CBOR_DECODER_FINISHED || ret->type == TL_ITEM_NONE)
        return false;
    *p += result.read;
    return true;
}

bool tl_trace_skip_rest(const uint8_t **p, const uint8_t *end, const struct tl_trace_item *head)
{
    struct tl_trace_item item = *head;
    uint64_t left = 1;

    /* Every item takes a byte at least, so more items than bytes cannot be meant. */
    for (;;) {
        uint64_t inside = item.type == TL_ITEM_ARRAY ? item.number
                          : item.type == TL_ITEM_MAP ? 2 * item.number
                          : item.type == TL_ITEM_TAG ? 1
                                                     : 0;
        if (item.number > (uint64_t)(end - *p) && inside > 1)
            return false;
        left += inside - 1;
        if (left == 0)
            return true;
        if (left > (uint64_t)(end - *p) || !tl_trace_next_item(p, end, &item))
            return false;
    }
}

bool tl_trace_each_fact(const uint8_t **p, const uint8_t *end,
                        void (*each)(const struct tl_trace_item *key,
                                     const struct tl_trace_item *value, void *arg),
                        void *arg)
{
    struct tl_trace_item map, key, value;

    if (!tl_trace_next_item(p, end, &map) || map.type != TL_ITEM_MAP)
        return false;
    for (uint64_t i = 0; i < map.number; i++) {
        if (!tl_trace_next_item(p, end, &key) || !tl_trace_skip_rest(p, end, &key) ||
            !tl_trace_next_item(p, end, &value))
            return false;
        const uint8_t *inside = *p;
        if (!tl_trace_skip_rest(p, end, &value))
            return false;
        if (value.type == TL_ITEM_ARRAY) {
            value.bytes = inside;
            value.integer = *p - inside;
        }
        if (key.type == TL_ITEM_TEXT)
            each(&key, &value, arg);
    }
    return true;
}

bool tl_trace_item_is(const struct tl_trace_item *item, const char *text)
{
    return item->type == TL_ITEM_TEXT && item->number == strlen(text) &&
           memcmp(item->bytes, text, item->number) == 0;
}

/* --- Events --- */

static bool next_int(const uint8_t **p, const uint8_t *end, int64_t *ret)
{
    struct tl_trace_item item;

    if (!tl_trace_next_item(p, end, &item) || item.type != TL_ITEM_INT)
        return false;
    *ret = item.integer;
    return true;
}

static bool next_blob(const uint8_t **p, const uint8_t *end, struct tl_trace_event *event)
{
    struct tl_trace_item item;

    if (!tl_trace_next_item(p, end, &item))
        return false;
    if (item.type == TL_ITEM_BYTES) {
        event->blob = item.bytes;
        event->blob_len = (size_t)item.number;
        return true;
    }
    /* Only output may be there as a hash. */
    event->blob_is = TL_BLOB_HASH;
    event->blob_hash = item.number;
    return strncmp(tl_trace_rows[event->kind].blob, "out:", 4) == 0 &&
           (item.type == TL_ITEM_UINT || (item.type == TL_ITEM_INT && item.integer >= 0));
}

/* The length of the array and the number of the row, which must belong together: to the row as it
 * is, or as it was before it had its later arguments, which are 0 then. How many there are goes to
 * *ret_args. */
static bool next_row(const uint8_t **p, const uint8_t *end, struct tl_trace_event *event,
                     uint64_t *ret_args)
{
    struct tl_trace_item array;
    int64_t kind;

    if (!tl_trace_next_item(p, end, &array) || array.type != TL_ITEM_ARRAY)
        return false;
    if (!next_int(p, end, &kind) || kind < 0 || kind >= TL_TRACE_KINDS ||
        tl_trace_rows[kind].name == NULL)
        return false;
    unsigned fields = tl_trace_rows[kind].fields;
    uint64_t others = 1 + !!(fields & TL_FIELD_OBJECT) + !!(fields & TL_FIELD_RESULT) +
                      !!(fields & TL_FIELD_BLOB);
    event->kind = (uint32_t)kind;
    *ret_args = array.number - others;
    return *ret_args == fields / TL_FIELD_ARG || (kind == TL_TRACE_RESOLVE && *ret_args == 1) ||
           (kind == TL_TRACE_SENDFILE && *ret_args == 3);
}

bool tl_trace_next_event(const uint8_t **p, const uint8_t *end, struct tl_trace_event *ret)
{
    struct tl_trace_event event = {0};
    const uint8_t *from = *p;
    uint64_t args;
    int64_t number;

    if (!next_row(&from, end, &event, &args))
        return false;
    unsigned fields = tl_trace_rows[event.kind].fields;
    if (fields & TL_FIELD_OBJECT) {
        if (!next_int(&from, end, &number) || number < 0)
            return false;
        event.object = (uint64_t)number;
    }
    if (fields & TL_FIELD_RESULT) {
        if (!next_int(&from, end, &number))
            return false;
        bool clock = event.kind == TL_TRACE_NOW || event.kind == TL_TRACE_WALL;
        event.result = clock ? number : tl_trace_result_in(number);
    }
    for (uint64_t i = 0; i < args; i++)
        if (!next_int(&from, end, &event.arg[i]))
            return false;
    if ((fields & TL_FIELD_BLOB) && !next_blob(&from, end, &event))
        return false;
    *ret = event;
    *p = from;
    return true;
}
