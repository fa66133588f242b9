/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protocols seen from the library: when one is released, and which can read a stream.
 *
 * A protocol is the user's memory. Transports hold it from the factory's return until
 * connection_lost has returned, results (tl_pair) until they are freed, and a transport once more
 * around each callback, so that a protocol which replaces itself in a callback stays until that has
 * returned.
 */
#include "core/protocol.h"

void tl_protocol_release(tl_protocol *protocol)
{
    if (protocol->ops != NULL && protocol->ops->release != NULL)
        protocol->ops->release(protocol);
}

bool tl_protocol_reads_stream(const tl_protocol *protocol)
{
    const struct tl_protocol_ops *ops = protocol->ops;
    if (ops == NULL)
        return false;
    if (ops->kind == TL_PROTOCOL_BUFFERED)
        return ops->get_buffer != NULL && ops->buffer_updated != NULL;
    return ops->kind == TL_PROTOCOL_STREAM;
}
