/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of rows, and the encoder for any of them; see event.h.
 */
#include "trace/event.h"

const struct tl_trace_row tl_trace_rows[TL_TRACE_KINDS] = {
#define TL_OP(number, NAME, name, object, arg0, arg1, arg2, arg3, blob)                            \
    [number] = {#name, object, {arg0, arg1, arg2, arg3}, blob, TL_FIELDS_##NAME},
#define TL_EVENT(number, NAME, name, object, value)                                                \
    [number] = {#name, object, {value, "", "", ""}, "", TL_FIELDS_##NAME},
#define TL_EVENT_BLOB(number, NAME, name, object, value, blob)                                     \
    [number] = {#name, object, {value, "", "", ""}, blob, TL_FIELDS_##NAME},
#include "trace/ops.def"
};

uint8_t *tl_trace_put_event(uint8_t *p, const struct tl_trace_event *event)
{
    enum tl_trace_fields fields = tl_trace_rows[event->kind].fields;

    p = tl_trace_put_fields(p, event, event->kind, fields);
    if (!(fields & TL_FIELD_BLOB))
        return p;
    if (event->blob_is == TL_BLOB_HASH)
        return tl_put_u64(p, event->blob_hash);
    return tl_put_string(p, TL_CBOR_BYTES, event->blob, event->blob_len);
}
