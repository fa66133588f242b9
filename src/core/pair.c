/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pairs of transport and protocol: a reference of the one, a hold of the other.
 */
#include "core/pair.h"

#include "core/alloc.h"
#include "core/protocol.h"

tl_pair *tl_pair_new(void)
{
    return tl_calloc(sizeof(tl_pair));
}

void tl_pair_fill(tl_pair *pair, tl_transport *transport, tl_protocol *protocol)
{
    pair->transport = tl_transport_ref(transport);
    pair->protocol = protocol;
    tl_protocol_hold(protocol);
}

void tl_pair_free(tl_pair *pair)
{
    if (pair == NULL)
        return;
    if (pair->protocol != NULL)
        tl_protocol_unhold(pair->protocol);
    tl_transport_unref(pair->transport);
    tl_free(pair);
}

static void free_pointer(void *pointer)
{
    tl_pair_free(pointer);
}

tl_value tl_pair_value(tl_pair *pair)
{
    return tl_value_pointer(pair, free_pointer);
}

const tl_pair *tl_value_pair(const tl_value *value)
{
    if (value == NULL || value->kind != TL_VALUE_POINTER || value->free_fn != free_pointer)
        return NULL;
    return value->pointer;
}
