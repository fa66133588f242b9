/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What operations that open a transport result in: the transport and its protocol.
 */
#ifndef TL_CORE_PAIR_H
#define TL_CORE_PAIR_H

#include <twinloop/net.h>

/* An empty one; NULL when memory is out. */
tl_pair *tl_pair_new(void);

/* Fills an empty one: takes a reference of the transport and holds its protocol. */
void tl_pair_fill(tl_pair *pair, tl_transport *transport);

/* Lets go of both, which may run the program's code. NULL is allowed. */
void tl_pair_free(tl_pair *pair);

/* The value that owns a filled one. */
tl_value tl_value_from_pair(tl_pair *pair);

#endif
