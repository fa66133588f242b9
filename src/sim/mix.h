/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mixing of 64-bit words, in pure integer arithmetic: the same on every machine.
 *
 * Answers of a seed, names of things that decide, and the event hash are all made of these. One
 * step is a 64 by 64 multiplication whose two halves are folded together, which spreads every bit
 * of both operands over the result; bytes are taken eight at a time, lowest first.
 */
#ifndef TL_SIM_MIX_H
#define TL_SIM_MIX_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Odd constants without structure: digits of pi, e, the golden ratio and the root of two. */
#define TL_MIX_PI UINT64_C(0x243f6a8885a308d3)
#define TL_MIX_E UINT64_C(0xb7e151628aed2a6b)
#define TL_MIX_PHI UINT64_C(0x9e3779b97f4a7c15)
#define TL_MIX_ROOT UINT64_C(0x6a09e667f3bcc909)

/* High half xor low half of a * b. */
static inline uint64_t tl_fold(uint64_t a, uint64_t b)
{
#ifdef __SIZEOF_INT128__
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
#else
    uint64_t low = (a & 0xffffffff) * (b & 0xffffffff);
    uint64_t middle = (a >> 32) * (b & 0xffffffff) + (low >> 32);
    uint64_t other = (a & 0xffffffff) * (b >> 32) + (middle & 0xffffffff);
    uint64_t high = (a >> 32) * (b >> 32) + (middle >> 32) + (other >> 32);
    return high ^ (other << 32 | (low & 0xffffffff));
#endif
}

static inline uint64_t tl_mix(uint64_t a, uint64_t b)
{
    return tl_fold(a ^ TL_MIX_PI, b ^ TL_MIX_E);
}

/* Spreads a word once more, so that its lowest bits are as good as any. */
static inline uint64_t tl_scramble(uint64_t word)
{
    word ^= word >> 32;
    word *= TL_MIX_PHI;
    word ^= word >> 29;
    word *= TL_MIX_ROOT;
    return word ^ word >> 32;
}

/* Eight bytes, lowest first. */
static inline uint64_t tl_load(const unsigned char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/* The last len (below 8) bytes, lowest first. */
static inline uint64_t tl_load_tail(const unsigned char *bytes, size_t len)
{
    uint64_t word = 0;
    while (len-- > 0)
        word = word << 8 | bytes[len];
    return word;
}

/* A hash of bytes. Long ones go through three chains at once, for speed. */
static inline uint64_t tl_mix_bytes(const void *data, size_t len)
{
    const unsigned char *at = data;
    uint64_t hash = tl_mix(len, TL_MIX_PHI);
    if (len >= 48) {
        uint64_t second = hash ^ TL_MIX_PHI;
        uint64_t third = hash ^ TL_MIX_ROOT;
        for (; len >= 48; at += 48, len -= 48) {
            hash = tl_fold(tl_load(at) ^ TL_MIX_PI, tl_load(at + 8) ^ hash);
            second = tl_fold(tl_load(at + 16) ^ TL_MIX_E, tl_load(at + 24) ^ second);
            third = tl_fold(tl_load(at + 32) ^ TL_MIX_PHI, tl_load(at + 40) ^ third);
        }
        hash ^= tl_mix(second, third);
    }
    for (; len >= 16; at += 16, len -= 16)
        hash = tl_fold(tl_load(at) ^ TL_MIX_PI, tl_load(at + 8) ^ hash);
    uint64_t first = len >= 8 ? tl_load(at) : tl_load_tail(at, len);
    uint64_t last = len >= 8 ? tl_load_tail(at + 8, len - 8) : 0;
    return tl_fold(first ^ TL_MIX_ROOT, last ^ hash);
}

#endif
