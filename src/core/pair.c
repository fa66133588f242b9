/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pairs of a transport and its protocol. One is made before the operation begins, so that success
 * needs no memory.
 */
#include "core/pair.h"

#include <assert.h>

#include "core/alloc.h"
#include "core/protocol.h"
#include "core/transport.h"

tl_pair *tl_pair_new(void)
{
    return tl_calloc(sizeof(tl_pair));
}

void tl_pair_fill(tl_pair *pair, tl_transport *transport)
{
    assert(pair->transport == NULL && transport->protocol != NULL);
    pair->transport = tl_transport_ref(transport);
    pair->protocol = transport->protocol;
    tl_protocol_hold(pair->protocol);
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

static void free_value(void *pointer)
{
    tl_pair_free(pointer);
}

tl_value tl_value_from_pair(tl_pair *pair)
{
    return tl_value_pointer(pair, free_value);
}

const tl_pair *tl_value_pair(const tl_value *value)
{
    if (value == NULL || value->kind != TL_VALUE_POINTER || value->free_fn != free_value)
        return NULL;
    return value->pointer;
}
