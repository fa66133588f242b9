/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One piece of bytes, laid out the way the kernel's read and write want it.
 *
 * A loop has three of them, so that the message need not be laid out anew for every call: one that
 * streams read into, one that they write from, whose bytes are set for each write, and one for what
 * buffered protocols offer to be read into. Every stream of the loop may use them, since a kernel
 * does not call back. Must not move: the message points
 * inside.
 */
#ifndef TL_CORE_PIECE_H
#define TL_CORE_PIECE_H

#include <twinloop/kernel.h>

struct tl_piece {
    struct iovec bytes;
    struct tl_message message; /* of bytes alone */
};

static inline void tl_piece_init(struct tl_piece *piece)
{
    piece->bytes = (struct iovec){NULL, 0};
    piece->message = (struct tl_message){.iov = &piece->bytes, .iov_count = 1};
}

#endif
