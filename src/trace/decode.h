/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking payloads apart: CBOR items, maps of facts, events.
 *
 * Everything here reads bytes that somebody else may have written, so nothing is believed: a
 * function takes bytes from *p up to end, moves *p behind what it has understood, and returns false
 * for what it cannot.
 */
#ifndef TL_TRACE_DECODE_H
#define TL_TRACE_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "trace/event.h"

enum tl_trace_item_type {
    TL_ITEM_NONE,
    TL_ITEM_INT,   /* integer, when it fits in an int64 */
    TL_ITEM_UINT,  /* number, when it does not */
    TL_ITEM_BYTES, /* bytes, number of them */
    TL_ITEM_TEXT,  /* the same */
    TL_ITEM_ARRAY, /* number of items that follow */
    TL_ITEM_MAP,   /* number of pairs that follow */
    TL_ITEM_TAG,   /* number; one item follows */
    TL_ITEM_OTHER, /* what traces have no use for, but nothing that is wrong */
};

struct tl_trace_item {
    enum tl_trace_item_type type;
    int64_t integer;
    uint64_t number;
    const uint8_t *bytes;
};

/* The next item; of an array, map or tag only its head. */
bool tl_trace_next_item(const uint8_t **p, const uint8_t *end, struct tl_trace_item *ret);

/* Skips what follows the head of an item that was not wanted. */
bool tl_trace_skip_rest(const uint8_t **p, const uint8_t *end, const struct tl_trace_item *head);

/* Calls each(key, value, arg) for the pairs of a map whose key is a text. The items of an array are
 * the value's integer bytes at bytes. */
bool tl_trace_each_fact(const uint8_t **p, const uint8_t *end,
                        void (*each)(const struct tl_trace_item *key,
                                     const struct tl_trace_item *value, void *arg),
                        void *arg);

/* Whether an item is a text equal to a string. */
bool tl_trace_item_is(const struct tl_trace_item *item, const char *text);

/* The next event, or reading of a clock: the fields that its row has, the others zero. The blob
 * stays where it is. */
bool tl_trace_next_event(const uint8_t **p, const uint8_t *end, struct tl_trace_event *ret);

#endif
