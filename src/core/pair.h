/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a call that makes a connection results in: a transport and its protocol.
 */
#ifndef TL_CORE_PAIR_H
#define TL_CORE_PAIR_H

#include <twinloop/net.h>

/* An empty one, to be filled when the connection is there; NULL when memory is out. */
tl_pair *tl_pair_new(void);

/* Has the pair refer to both. */
void tl_pair_fill(tl_pair *pair, tl_transport *transport, tl_protocol *protocol);

/* Frees it, also an empty one; NULL is allowed. The program's code may run, in release. */
void tl_pair_free(tl_pair *pair);

/* As a value, which takes the pair. */
tl_value tl_pair_value(tl_pair *pair);

#endif
