/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sizes of a socket's buffers, as SO_SNDBUF and SO_RCVBUF set and report them.
 *
 * What is asked for is kept, reported is twice as much: Linux counts what keeping bytes costs too.
 */
#ifndef TL_SIM_BUFFER_H
#define TL_SIM_BUFFER_H

#include <stdint.h>

enum {
    TL_BUFFER_DEFAULT =
        212992, /* what an option that was never set reports, and the most to ask for */
    TL_SEND_BUFFER_MIN = 4608,
    TL_RECEIVE_BUFFER_MIN = 2304,
};

/* Sets a size, kept in *room, to value, but not below what is reported as least. */
static inline void tl_buffer_set(uint32_t *room, int value, uint32_t least)
{
    uint32_t wanted = (uint32_t)value < TL_BUFFER_DEFAULT ? (uint32_t)value : TL_BUFFER_DEFAULT;
    *room = wanted < least / 2 ? least / 2 : wanted;
}

/* What is reported of a size that was kept; of 0, which was never set, too. */
static inline int tl_buffer_get(uint32_t room)
{
    return room > 0 ? (int)(2 * room) : TL_BUFFER_DEFAULT;
}

#endif
