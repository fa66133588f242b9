/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flow control: water marks, and the two callbacks that go with them.
 *
 * The calls alternate strictly: writing_paused is which of the two came last. It is set before the
 * protocol is called, so a write from inside pause_writing does not pause again; an error from
 * either callback is reported and changes nothing else.
 */
#include "core/flow.h"

#include <errno.h>
#include <limits.h>

#include "core/loop.h"
#include "core/protocol.h"
#include "core/transport.h"

#define HIGH_DEFAULT ((size_t)64 * 1024)

void tl_flow_init(struct tl_flow *flow)
{
    *flow = (struct tl_flow){.high = HIGH_DEFAULT, .low = HIGH_DEFAULT / 4};
}

int tl_flow_set_limits(struct tl_flow *flow, ssize_t high, ssize_t low)
{
    if (low < 0 && low != TL_UNSET)
        return -EINVAL;
    if (high == TL_UNSET && low == TL_UNSET)
        high = (ssize_t)HIGH_DEFAULT;
    else if (high == TL_UNSET)
        high = low <= SSIZE_MAX / 4 ? 4 * low : SSIZE_MAX;
    if (low == TL_UNSET)
        low = high / 4;
    if (low < 0 || high < low)
        return -EINVAL;
    flow->high = (size_t)high;
    flow->low = (size_t)low;
    return 0;
}

/* Calls one of the two with protocol and transport kept alive. */
static void tell(tl_transport *transport, int (*callback)(tl_protocol *protocol),
                 const char *complaint)
{
    tl_protocol *protocol = transport->protocol;
    if (callback == NULL)
        return;
    tl_transport_ref(transport);
    tl_protocol_hold(protocol);
    int r = callback(protocol);
    if (r < 0)
        tl_loop_report(transport->loop, complaint, r, protocol, transport);
    tl_protocol_unhold(protocol);
    tl_transport_unref(transport);
}

void tl_flow_grown(tl_transport *transport, struct tl_flow *flow)
{
    /* asyncio: strictly more than high, and once until resumed. */
    if (flow->size <= flow->high || transport->writing_paused)
        return;
    transport->writing_paused = true;
    tell(transport, transport->protocol->ops->pause_writing, "protocol.pause_writing() failed");
}

void tl_flow_shrunk(tl_transport *transport, struct tl_flow *flow)
{
    if (flow->size > flow->low || !transport->writing_paused)
        return;
    transport->writing_paused = false;
    tell(transport, transport->protocol->ops->resume_writing, "protocol.resume_writing() failed");
}
