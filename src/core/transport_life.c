/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What streams and datagram transports do alike between their first step and their last.
 */
#include "core/transport_life.h"

#include <assert.h>
#include <errno.h>

#include "core/alloc.h"
#include "core/protocol.h"

int tl_transport_protocol(const struct tl_transport_type *type, tl_protocol_factory factory,
                          void *farg, tl_protocol **ret)
{
    tl_protocol *protocol = factory(farg);
    if (protocol == NULL)
        return -ENOMEM;
    tl_protocol_hold(protocol);
    if (!type->accepts(protocol)) {
        tl_protocol_unhold(protocol);
        return -EINVAL;
    }
    *ret = protocol;
    return 0;
}

bool tl_transport_made(tl_transport *transport, struct tl_watch *watch, tl_callback ready)
{
    tl_protocol *protocol = transport->protocol;
    bool closed_before = transport->phase == TL_TRANSPORT_ENDING;
    transport->made = true;
    watch->place.callback = ready;
    tl_protocol_hold(protocol);
    int r = 0;
    if (protocol->ops->connection_made != NULL)
        r = protocol->ops->connection_made(protocol, transport);
    if (r < 0)
        tl_loop_report(transport->loop, "Exception in callback protocol.connection_made()", r,
                       protocol, transport);
    tl_protocol_unhold(protocol);
    return closed_before;
}

void tl_transport_queue_lost(tl_transport *transport, struct tl_watch *watch, tl_callback lost)
{
    assert(watch->wanted == 0 && !tl_ready_queued(&watch->place) && "the watch's place is free");
    watch->place.callback = lost;
    tl_loop_queue(transport->loop, &watch->place);
}

void tl_transport_ending(tl_transport *transport, struct tl_watch *watch, tl_callback lost)
{
    if (!transport->made)
        return; /* the place is still connection_made's, which goes on from here */
    (void)tl_watch_want(watch, transport->loop, 0);
    tl_transport_queue_lost(transport, watch, lost);
}

void tl_transport_lost(tl_transport *transport)
{
    const struct tl_protocol_ops *ops = transport->protocol->ops;
    const tl_error error = {.code = transport->error, .message = tl_strerror(transport->error)};
    assert(transport->made && transport->phase != TL_TRANSPORT_ENDED);
    transport->phase = TL_TRANSPORT_ENDED;
    if (ops->connection_lost != NULL)
        ops->connection_lost(transport->protocol, error.code < 0 ? &error : NULL);
}

void tl_transport_leave(tl_transport *transport, struct tl_live *live)
{
    tl_protocol *protocol = transport->protocol;
    transport->protocol = NULL;
    tl_live_remove(live);
    tl_protocol_unhold(protocol);
}

const tl_value *tl_transport_name(tl_transport *transport, const struct tl_watch *watch,
                                  union tl_extra_info *info, const char *name)
{
    struct tl_kernel *kernel = watch->fd >= 0 ? transport->loop->kernel : NULL;
    return tl_extra_info_get(info, &transport->info, name, kernel, watch->fd);
}

void tl_transport_latch(tl_transport *transport, const struct tl_watch *watch,
                        union tl_extra_info *info)
{
    if (transport->object.refs > 1)
        tl_extra_info_latch(info, &transport->info, transport->loop->kernel, watch->fd);
}

void tl_transport_free(tl_transport *transport, union tl_extra_info *info)
{
    tl_loop *loop = transport->loop;
    assert(transport->phase == TL_TRANSPORT_ENDED && "the loop holds it until then");
    tl_extra_info_finish(info, transport->info);
    tl_free(transport);
    tl_loop_unref(loop);
}
