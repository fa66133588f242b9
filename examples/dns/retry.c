/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection for one question: see retry.h. It is over when the connection is, which this side
 * ends as soon as the answer is there.
 */
#include "retry.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct dns_retry *retry_of(tl_protocol *protocol)
{
    return tl_container_of(protocol, struct dns_retry, protocol);
}

static void tell(struct dns_retry *retry)
{
    if (!retry->asking)
        return;
    retry->asking = false;
    retry->told(retry, retry->answered ? retry->frame.message : NULL, retry->frame.len);
    dns_frame_clear(&retry->frame);
}

/* --- The connection --------------------------------------------------------------------------- */

static int connection_made(tl_protocol *protocol, tl_transport *transport)
{
    struct dns_retry *retry = retry_of(protocol);
    retry->transport = transport;
    if (retry->asking)
        return tl_transport_write(transport, retry->query, retry->len);
    tl_transport_abort(transport);
    return 0;
}

static int get_buffer(tl_protocol *protocol, ssize_t hint, void **ret_buffer, size_t *ret_len)
{
    (void)hint;
    dns_frame_room(&retry_of(protocol)->frame, ret_buffer, ret_len);
    return 0;
}

static int buffer_updated(tl_protocol *protocol, size_t len)
{
    struct dns_retry *retry = retry_of(protocol);
    int r = dns_frame_took(&retry->frame, len);
    if (r != 0)
        tl_transport_close(retry->transport);
    retry->answered = r > 0;
    return 0;
}

static void connection_lost(tl_protocol *protocol, const tl_error *exc)
{
    (void)exc;
    retry_of(protocol)->transport = NULL;
    tell(retry_of(protocol));
}

static const struct tl_protocol_ops retry_ops = {
    .kind = TL_PROTOCOL_BUFFERED,
    .connection_made = connection_made,
    .get_buffer = get_buffer,
    .buffer_updated = buffer_updated,
    .connection_lost = connection_lost,
};

static tl_protocol *retry_factory(void *retry)
{
    return &((struct dns_retry *)retry)->protocol;
}

static void connected(tl_future *future, void *retry)
{
    if (tl_future_exception(future) != NULL)
        tell(retry);
}

/* --- The question ----------------------------------------------------------------------------- */

int dns_retry_start(struct dns_retry *retry, const uint8_t *query, size_t len)
{
    char port[8];
    retry->protocol = TL_PROTOCOL_INIT(&retry_ops);
    retry->query[0] = (uint8_t)(len >> 8);
    retry->query[1] = (uint8_t)len;
    memcpy(retry->query + 2, query, len);
    retry->len = 2 + len;
    retry->answered = false;
    (void)snprintf(port, sizeof port, "%" PRIu16, retry->port);
    tl_future *future =
        tl_loop_create_connection(retry->loop, retry_factory, retry, retry->host, port, NULL);
    int r = tl_future_add_done_callback(future, connected, retry);
    retry->asking = r == 0;
    if (r < 0)
        (void)tl_future_cancel(future);
    tl_future_unref(future);
    return r;
}

void dns_retry_stop(struct dns_retry *retry)
{
    retry->asking = false;
    if (retry->transport != NULL)
        tl_transport_abort(retry->transport);
    dns_frame_clear(&retry->frame);
}
