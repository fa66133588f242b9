/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The public functions of transports: each checks what it was given and goes on to the kind's own.
 *
 * A transport is made by a factory function of its kind (core/stream.h) with one reference, the
 * loop's, which goes after connection_lost has returned or when the loop is closed. Every function
 * here may be called for as long as the caller may use the pointer: what came too late does nothing
 * and says TL_ECLOSED.
 */
#include "core/transport.h"

#include <errno.h>
#include <string.h>

#include "core/alloc.h"
#include "core/debug.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/protocol.h"

/* --- Making --- */

tl_transport *tl_transport_alloc(const struct tl_transport_type *type, tl_loop *loop,
                                 const tl_traceback *origin)
{
    tl_transport *transport = tl_calloc(type->size + (origin != NULL ? sizeof *origin : 0));
    if (transport == NULL)
        return NULL;
    tl_object_init(&transport->object, &type->object);
    transport->loop = tl_loop_ref(loop);
    if (origin != NULL) {
        transport->traced = true;
        memcpy((char *)transport + type->size, origin, sizeof *origin);
    }
    return transport;
}

const tl_traceback *tl_transport_origin(const tl_transport *transport)
{
    if (transport == NULL || !transport->traced)
        return NULL;
    const char *behind = (const char *)transport + tl_transport_type(transport)->size;
    return (const tl_traceback *)(const void *)behind;
}

tl_transport *tl_transport_ref(tl_transport *transport)
{
    tl_object_ref(&transport->object);
    return transport;
}

void tl_transport_unref(tl_transport *transport)
{
    if (transport != NULL)
        tl_object_unref(&transport->object);
}

/* --- Base transport --- */

void tl_transport_close(tl_transport *transport)
{
    if (transport != NULL && transport->phase == TL_TRANSPORT_OPEN && tl_loop_open(transport->loop))
        tl_transport_type(transport)->close(transport);
}

void tl_transport_abort(tl_transport *transport)
{
    if (transport != NULL && transport->phase < TL_TRANSPORT_ENDING &&
        tl_loop_open(transport->loop))
        tl_transport_type(transport)->abort(transport);
}

bool tl_transport_is_closing(const tl_transport *transport)
{
    return transport == NULL || transport->phase != TL_TRANSPORT_OPEN;
}

const tl_value *tl_transport_get_extra_info(tl_transport *transport, const char *name,
                                            const tl_value *dflt)
{
    if (transport == NULL || name == NULL)
        return dflt;
    const tl_value *value = tl_transport_type(transport)->extra_info(transport, name);
    return value != NULL ? value : dflt;
}

int tl_transport_set_protocol(tl_transport *transport, tl_protocol *protocol)
{
    if (transport == NULL || protocol == NULL)
        return -EINVAL;
    if (transport->phase == TL_TRANSPORT_ENDED || !tl_loop_open(transport->loop))
        return TL_ECLOSED;
    if (!tl_transport_type(transport)->accepts(protocol))
        return -EINVAL;
    tl_protocol *old = transport->protocol;
    tl_protocol_hold(protocol);
    transport->protocol = protocol;
    tl_protocol_unhold(old);
    return 0;
}

tl_protocol *tl_transport_get_protocol(const tl_transport *transport)
{
    return transport != NULL ? transport->protocol : NULL;
}

/* --- Read transport --- */

/* Whether a call may act; what it returns otherwise. */
static int check_open(const tl_transport *transport)
{
    if (transport == NULL)
        return -EINVAL;
    if (transport->phase != TL_TRANSPORT_OPEN || !tl_loop_open(transport->loop))
        return TL_ECLOSED;
    return 0;
}

bool tl_transport_is_reading(const tl_transport *transport)
{
    return !tl_transport_is_closing(transport) && !transport->reading_paused &&
           tl_transport_type(transport)->pause_reading != NULL;
}

int tl_transport_pause_reading(tl_transport *transport)
{
    int r = check_open(transport);
    if (r < 0)
        return r;
    int (*pause)(tl_transport *) = tl_transport_type(transport)->pause_reading;
    return pause != NULL ? pause(transport) : -EOPNOTSUPP;
}

int tl_transport_resume_reading(tl_transport *transport)
{
    int r = check_open(transport);
    if (r < 0)
        return r;
    int (*resume)(tl_transport *) = tl_transport_type(transport)->resume_reading;
    return resume != NULL ? resume(transport) : -EOPNOTSUPP;
}

/* --- Write transport --- */

void tl_transport_ignore_write(tl_transport *transport, const char *warning)
{
    if (transport->ignored < TL_IGNORED_QUIETLY)
        transport->ignored++;
    else
        tl_log(TL_LOG_WARNING, "%s", warning);
}

int tl_transport_write(tl_transport *transport, const void *data, size_t len)
{
    if (transport == NULL || (data == NULL && len > 0))
        return -EINVAL;
    return tl_transport_type(transport)->write(transport, data, len);
}

int tl_transport_writelines(tl_transport *transport, const tl_buf *bufs, size_t count)
{
    if (transport == NULL || (bufs == NULL && count > 0))
        return -EINVAL;
    for (size_t i = 0; i < count; i++)
        if (bufs[i].data == NULL && bufs[i].len > 0)
            return -EINVAL;
    int (*writelines)(tl_transport *, const tl_buf *, size_t) =
        tl_transport_type(transport)->writelines;
    return writelines != NULL ? writelines(transport, bufs, count) : -EOPNOTSUPP;
}

bool tl_transport_can_write_eof(const tl_transport *transport)
{
    return transport != NULL && tl_transport_type(transport)->write_eof != NULL;
}

int tl_transport_write_eof(tl_transport *transport)
{
    int r = check_open(transport);
    if (r < 0)
        return r;
    int (*write_eof)(tl_transport *) = tl_transport_type(transport)->write_eof;
    return write_eof != NULL ? write_eof(transport) : -EOPNOTSUPP;
}

/* The flow of what the transport queues; NULL for a kind that writes nothing. */
static struct tl_flow *flow_of(const tl_transport *transport)
{
    if (transport == NULL || tl_transport_type(transport)->flow == NULL)
        return NULL;
    return tl_transport_type(transport)->flow((tl_transport *)transport);
}

size_t tl_transport_get_write_buffer_size(const tl_transport *transport)
{
    const struct tl_flow *flow = flow_of(transport);
    return flow != NULL ? flow->size : 0;
}

void tl_transport_get_write_buffer_limits(const tl_transport *transport, size_t *ret_low,
                                          size_t *ret_high)
{
    const struct tl_flow *flow = flow_of(transport);
    if (transport == NULL)
        return;
    if (ret_low != NULL)
        *ret_low = flow != NULL ? flow->low : 0;
    if (ret_high != NULL)
        *ret_high = flow != NULL ? flow->high : 0;
}

int tl_transport_set_write_buffer_limits(tl_transport *transport, ssize_t high, ssize_t low)
{
    int r = check_open(transport);
    if (r < 0)
        return r;
    struct tl_flow *flow = flow_of(transport);
    if (flow == NULL)
        return -EOPNOTSUPP;
    r = tl_flow_set_limits(flow, high, low);
    if (r < 0)
        return r;
    tl_flow_grown(transport, flow);
    return 0;
}
