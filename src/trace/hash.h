/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The running hash of what a descriptor was given to write.
 *
 * A trace that does not keep output keeps, with each write, the hash of all bytes that this
 * descriptor has taken so far. So the value does not depend on how the bytes were cut into writes,
 * and a comparison at any write covers everything before it. Blocks of 32 bytes are folded with a
 * 64 x 64 bit multiplication for each half, in two lanes that do not wait for each other; the
 * result is the same on every CPU. It finds differences, it does not resist an adversary.
 * docs/trace-format.md has the definition.
 */
#ifndef TL_TRACE_HASH_H
#define TL_TRACE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct tl_trace_hash {
    uint64_t lanes[2]; /* of the whole blocks so far */
    uint64_t length;   /* bytes so far */
    uint8_t rest[32];  /* those of the block that is not whole yet */
};

#define TL_HASH_K0 UINT64_C(0x9e3779b97f4a7c15)
#define TL_HASH_K1 UINT64_C(0xd1b54a32d192ed03)

/* The beginning: nothing was added yet. */
#define TL_TRACE_HASH_INIT                                                                         \
    {                                                                                              \
        .lanes = { TL_HASH_K1, ~TL_HASH_K1 }                                                       \
    }

static inline uint64_t tl_hash_fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t tl_hash_word(const uint8_t *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/* One lane's part of a block. */
static inline uint64_t tl_hash_half(uint64_t lane, const uint8_t *p)
{
    return tl_hash_fold(tl_hash_word(p) ^ TL_HASH_K0, tl_hash_word(p + 8) ^ lane);
}

/* Bytes that are whole blocks, at least one. */
static inline void tl_hash_blocks(struct tl_trace_hash *hash, const uint8_t *p, size_t len)
{
    uint64_t a = hash->lanes[0], b = hash->lanes[1];
    const uint8_t *end = p + len;

    do {
        a = tl_hash_half(a, p);
        b = tl_hash_half(b, p + 16);
        p += 32;
    } while (p != end);
    hash->lanes[0] = a;
    hash->lanes[1] = b;
}

static inline uint64_t tl_hash_end(const struct tl_trace_hash *hash)
{
    return tl_hash_fold(hash->lanes[0] ^ hash->length, hash->lanes[1] ^ TL_HASH_K0);
}

/* The hash of everything added so far. */
static inline uint64_t tl_trace_hash_value(const struct tl_trace_hash *hash)
{
    struct tl_trace_hash whole = *hash;
    size_t filled = hash->length & 31;

    if (filled != 0) {
        memset(whole.rest + filled, 0, 32 - filled);
        tl_hash_blocks(&whole, whole.rest, 32);
    }
    return tl_hash_end(&whole);
}

/* Adds bytes. */
static inline void tl_trace_hash_add(struct tl_trace_hash *hash, const void *data, size_t len)
{
    size_t filled = hash->length & 31;
    const uint8_t *p = data;

    hash->length += len;
    if (filled != 0 && len > 0) {
        size_t part = len < 32 - filled ? len : 32 - filled;
        memcpy(hash->rest + filled, p, part);
        if (filled + part < 32)
            return;
        tl_hash_blocks(hash, hash->rest, 32);
        p += part;
        len -= part;
    }
    size_t rest = len & 31;
    if (len > rest)
        tl_hash_blocks(hash, p, len - rest);
    if (rest > 0)
        memcpy(hash->rest, p + len - rest, rest);
}

/* Messages often are whole blocks, behind others that were: whether these len bytes, at least one,
 * are like that; and the addition of such bytes, which comes back with the value. */
static inline bool tl_trace_hash_is_even(const struct tl_trace_hash *hash, size_t len)
{
    return ((hash->length | len) & 31) == 0;
}

static inline uint64_t tl_trace_hash_add_even(struct tl_trace_hash *hash, const void *data,
                                              size_t len)
{
    hash->length += len;
    tl_hash_blocks(hash, data, len);
    return tl_hash_end(hash);
}

#endif
