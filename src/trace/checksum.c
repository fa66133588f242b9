/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRC-32 of chunks: zlib's, and the same number faster where the processor can multiply
 * polynomials.
 *
 * A recording pays for its checksum byte by byte, and most of what recording costs would be that.
 * The fast way folds 64 bytes at a time: a 128-bit remainder times x^512 modulo the polynomial is
 * added to the 128 bits that are 64 bytes further on, which leaves the checksum of the whole as it
 * was. What is left after that is a few bytes that zlib is given.
 */
#include <zlib.h>
#include "trace/format.h"

#if defined(__x86_64__)
#include <emmintrin.h>
#include <string.h>
#include <wmmintrin.h>

/* With AVX's form of the instructions an operand may come straight from memory, at any address:
 * four instructions for 16 bytes instead of six. */
#define CAN_FOLD __attribute__((target("avx,pclmul")))

/* Powers of x modulo the polynomial, bits reflected: what multiplies the lower and the upper half
 * of a remainder that moves on by 512 or by 128 bits. */
#define FOLD_512 _mm_set_epi64x(0x1c6e41596, 0x154442bd4)
#define FOLD_128 _mm_set_epi64x(0x0ccaa009e, 0x1751997d0)

static inline CAN_FOLD __m128i fold(__m128i remainder, __m128i by, const uint8_t *onto)
{
    __m128i lower = _mm_clmulepi64_si128(remainder, by, 0x00);
    __m128i upper = _mm_clmulepi64_si128(remainder, by, 0x11);

    return _mm_xor_si128(_mm_xor_si128(lower, upper), _mm_loadu_si128((const __m128i *)onto));
}

/* For 64 bytes and more. */
static CAN_FOLD uint32_t checksum_folding(uint32_t before, const uint8_t *p, size_t len)
{
    __m128i a = _mm_loadu_si128((const __m128i *)p);
    __m128i b = _mm_loadu_si128((const __m128i *)(p + 16));
    __m128i c = _mm_loadu_si128((const __m128i *)(p + 32));
    __m128i d = _mm_loadu_si128((const __m128i *)(p + 48));
    uint8_t bytes[4][16];

    a = _mm_xor_si128(a, _mm_cvtsi32_si128((int)~before));
    /* Twice 64 bytes each time around. */
    for (p += 64, len -= 64; len >= 128; p += 128, len -= 128) {
        a = fold(fold(a, FOLD_512, p), FOLD_512, p + 64);
        b = fold(fold(b, FOLD_512, p + 16), FOLD_512, p + 80);
        c = fold(fold(c, FOLD_512, p + 32), FOLD_512, p + 96);
        d = fold(fold(d, FOLD_512, p + 48), FOLD_512, p + 112);
    }
    _mm_storeu_si128((__m128i *)bytes[1], b);
    _mm_storeu_si128((__m128i *)bytes[2], c);
    _mm_storeu_si128((__m128i *)bytes[3], d);
    for (int i = 1; i < 4; i++)
        a = fold(a, FOLD_128, bytes[i]);
    for (; len >= 16; p += 16, len -= 16)
        a = fold(a, FOLD_128, p);
    _mm_storeu_si128((__m128i *)bytes[0], a);
    /* zlib inverts before and after; the remainder begins with nothing before it. */
    uint32_t folded = (uint32_t)crc32_z(UINT32_MAX, bytes[0], 16);
    return (uint32_t)crc32_z(folded, p, len);
}

uint32_t tl_chunk_checksum(uint32_t before, const uint8_t *data, size_t len)
{
    if (len >= 64 && __builtin_cpu_supports("avx") && __builtin_cpu_supports("pclmul"))
        return checksum_folding(before, data, len);
    return (uint32_t)crc32_z(before, data, len);
}

#else

uint32_t tl_chunk_checksum(uint32_t before, const uint8_t *data, size_t len)
{
    return (uint32_t)crc32_z(before, data, len);
}

#endif
