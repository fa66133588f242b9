/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heads and tails of chunks, byte by byte; see format.h.
 *
 *     85                       array of 5
 *     48 'TWINLOOP'            the marker
 *     1a kkkkkkkk              format major (8 bits), flags (8), kind (16)
 *     1b nnnnnnnnnnnnnnnn      stream (16 bits), number of the first event (48)
 *     5a llllllll payload      byte string
 *     1a cccccccc              CRC-32 of everything before it in the chunk
 */
#include "trace/format.h"

#include <string.h>

#include "trace/encode.h"

const uint8_t tl_chunk_mark[TL_CHUNK_MARK_SIZE] = {0x85, 0x48, 'T', 'W', 'I', 'N',
                                                   'L',  'O',  'O', 'P', 0x1a};

enum {
    AT_KIND = TL_CHUNK_MARK_SIZE,
    AT_FIRST = 16,
    AT_LENGTH = 25,
};

_Static_assert(AT_LENGTH + 4 == TL_CHUNK_HEAD_SIZE, "the payload follows its length");

void tl_chunk_put_head(uint8_t *head, const struct tl_chunk *chunk)
{
    memcpy(head, tl_chunk_mark, TL_CHUNK_MARK_SIZE);
    tl_put_be32(head + AT_KIND,
                (uint32_t)chunk->major << 24 | (uint32_t)chunk->flags << 16 | chunk->kind);
    head[AT_FIRST - 1] = 0x1b;
    tl_put_be64(head + AT_FIRST, (uint64_t)chunk->stream << 48 | chunk->first);
    head[AT_LENGTH - 1] = 0x5a;
    tl_put_be32(head + AT_LENGTH, chunk->length);
}

bool tl_chunk_get_head(const uint8_t *head, struct tl_chunk *ret)
{
    if (memcmp(head, tl_chunk_mark, TL_CHUNK_MARK_SIZE) != 0 || head[AT_FIRST - 1] != 0x1b ||
        head[AT_LENGTH - 1] != 0x5a)
        return false;
    uint32_t kind = tl_get_be32(head + AT_KIND);
    uint64_t first = tl_get_be64(head + AT_FIRST);
    *ret = (struct tl_chunk){
        .kind = (uint16_t)kind,
        .flags = (uint8_t)(kind >> 16),
        .major = (uint8_t)(kind >> 24),
        .stream = (uint16_t)(first >> 48),
        .first = first & (TL_EVENTS_MAX - 1),
        .length = tl_get_be32(head + AT_LENGTH),
    };
    return true;
}

void tl_chunk_put_tail(uint8_t *tail, uint32_t checksum)
{
    tail[0] = 0x1a;
    tl_put_be32(tail + 1, checksum);
}

bool tl_chunk_check_tail(const uint8_t *tail, uint32_t checksum)
{
    return tail[0] == 0x1a && tl_get_be32(tail + 1) == checksum;
}
