/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CBOR heads, written straight into a buffer whose room the caller has seen to.
 *
 * Recording happens inside every operation of a production loop, so the few shapes that traces use
 * (integers, byte and text strings, arrays, maps, a tag) are put down inline. Each function returns
 * the place behind what it wrote.
 */
#ifndef TL_TRACE_ENCODE_H
#define TL_TRACE_ENCODE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* CBOR's major types, in the upper three bits of a head. */
enum {
    TL_CBOR_UINT = 0x00,
    TL_CBOR_NINT = 0x20, /* of the number n: -1 - n */
    TL_CBOR_BYTES = 0x40,
    TL_CBOR_TEXT = 0x60,
    TL_CBOR_ARRAY = 0x80,
    TL_CBOR_MAP = 0xa0,
    TL_CBOR_TAG = 0xc0,
};

enum {
    TL_CBOR_HEAD_MAX = 9, /* bytes of a head */
    /* In the lower bits of a head's first byte: the number has the 1, 2, 4 or 8 next bytes. */
    TL_CBOR_HEAD_8 = 24,
    TL_CBOR_HEAD_16 = 25,
    TL_CBOR_HEAD_32 = 26,
    TL_CBOR_HEAD_64 = 27,
};

static inline void tl_put_be16(uint8_t *p, uint16_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static inline void tl_put_be32(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)(value >> 24);
    p[1] = (uint8_t)(value >> 16);
    p[2] = (uint8_t)(value >> 8);
    p[3] = (uint8_t)value;
}

static inline void tl_put_be64(uint8_t *p, uint64_t value)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    value = __builtin_bswap64(value); /* one store, also where parts of the value are constant */
#endif
    memcpy(p, &value, sizeof value);
}

static inline uint16_t tl_get_be16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t tl_get_be32(const uint8_t *p)
{
    return (uint32_t)tl_get_be16(p) << 16 | tl_get_be16(p + 2);
}

static inline uint64_t tl_get_be64(const uint8_t *p)
{
    return (uint64_t)tl_get_be32(p) << 32 | tl_get_be32(p + 4);
}

/* The head for a number beyond 255. Kept out of line so that the usual case stays small. */
static __attribute__((noinline, unused)) uint8_t *tl_put_wide_head(uint8_t *p, uint8_t major,
                                                                   uint64_t number)
{
    if (number <= UINT16_MAX) {
        p[0] = major | TL_CBOR_HEAD_16;
        tl_put_be16(p + 1, (uint16_t)number);
        return p + 3;
    }
    if (number <= UINT32_MAX) {
        p[0] = major | TL_CBOR_HEAD_32;
        tl_put_be32(p + 1, (uint32_t)number);
        return p + 5;
    }
    p[0] = major | TL_CBOR_HEAD_64;
    tl_put_be64(p + 1, number);
    return p + 9;
}

/* The shortest head of a major type with a number. */
static inline uint8_t *tl_put_head(uint8_t *p, uint8_t major, uint64_t number)
{
    if (number < 24) {
        *p = (uint8_t)(major | number);
        return p + 1;
    }
    if (number <= UINT8_MAX) {
        p[0] = major | TL_CBOR_HEAD_8;
        p[1] = (uint8_t)number;
        return p + 2;
    }
    return tl_put_wide_head(p, major, number);
}

/* An unsigned integer that uses all of its 64 bits, such as a hash. */
static inline uint8_t *tl_put_u64(uint8_t *p, uint64_t number)
{
    *p = TL_CBOR_UINT | TL_CBOR_HEAD_64;
    tl_put_be64(p + 1, number);
    return p + 9;
}

static inline uint8_t *tl_put_int(uint8_t *p, int64_t value)
{
    if (value >= 0)
        return tl_put_head(p, TL_CBOR_UINT, (uint64_t)value);
    return tl_put_head(p, TL_CBOR_NINT, ~(uint64_t)value);
}

static inline uint8_t *tl_put_string(uint8_t *p, uint8_t major, const void *data, size_t len)
{
    p = tl_put_head(p, major, len);
    if (len > 0)
        memcpy(p, data, len);
    return p + len;
}

static inline uint8_t *tl_put_text(uint8_t *p, const char *text)
{
    return tl_put_string(p, TL_CBOR_TEXT, text, strlen(text));
}

#endif
