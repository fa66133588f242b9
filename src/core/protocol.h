/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the library refers to a program's protocols: every transport and every result that names one
 * holds it, and the last to let go calls its release.
 */
#ifndef TL_CORE_PROTOCOL_H
#define TL_CORE_PROTOCOL_H

#include <stdbool.h>
#include <twinloop/protocol.h>

static inline void tl_protocol_hold(tl_protocol *protocol)
{
    protocol->holds++;
}

/* Calls the protocol's release; for tl_protocol_unhold. */
void tl_protocol_release(tl_protocol *protocol);

/* The protocol may be freed memory afterwards. */
static inline void tl_protocol_unhold(tl_protocol *protocol)
{
    if (--protocol->holds == 0)
        tl_protocol_release(protocol);
}

/* Whether it has what it takes to read a stream. */
bool tl_protocol_reads_stream(const tl_protocol *protocol);

#endif
