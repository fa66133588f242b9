/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of sockets.
 *
 * Each kind of socket keeps its options where its own code wants them, and says here where that is;
 * what may be set and asked for, and with which errno Linux refuses it, is here for all of them.
 */
#ifndef TL_SIM_OPTION_H
#define TL_SIM_OPTION_H

#include <stdbool.h>
#include <stdint.h>
#include <twinloop/fd.h>

/* Where a socket keeps its options, and what setting them depends on. */
struct tl_option_places {
    bool *flags[TL_OPTION_COUNT]; /* NULL: the socket has no such flag */
    uint32_t *send_room;          /* as SO_SNDBUF was set; 0: never */
    uint32_t *receive_room;       /* as SO_RCVBUF was set; 0: never */
    int *error;                   /* pending, negative; 0: none */
    uint8_t family;               /* enum tl_family */
    bool bound;
};

/* Sets an option to *set, then reports it in *ret; either may be NULL. */
int tl_option(const struct tl_option_places *places, enum tl_option option, const int *set,
              int *ret);

#endif
