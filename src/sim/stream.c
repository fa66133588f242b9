/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes of a stream: write puts them into segments, read takes them out.
 *
 * A write takes what the send buffer has room for, a read what is there and fits; either may be
 * cut shorter by a choice. The order of checks is that of Linux, since it decides which of two
 * errors a program sees.
 */
#include <errno.h>

#include "sim/endpoint.h"
#include "sim/iov.h"
#include "sim/mix.h"
#include "sim/world.h"

/* --- Reading ---------------------------------------------------------------------------------- */

/* What a read says that finds nothing to read. */
static ssize_t read_nothing(struct tl_endpoint *endpoint)
{
    if (endpoint->fin_received)
        return 0;
    if (endpoint->error != 0)
        return tl_endpoint_take_error(endpoint);
    if (endpoint->shut & TL_SHUT_READ)
        return 0;
    return endpoint->state == TL_TCP_CLOSED ? -ENOTCONN : -EAGAIN;
}

/* Copies len bytes, which are there, out of the unread ones. */
static void take_bytes(struct tl_endpoint *endpoint, const struct iovec *iov, size_t len)
{
    struct tl_segments *segments = &tl_endpoint_world(endpoint)->segments;
    struct tl_segment_queue *unread = &endpoint->traffic->unread;
    struct tl_iov_cursor cursor = {.iov = iov};
    while (len > 0) {
        struct tl_segment *segment = unread->head;
        size_t part = segment->len < len ? segment->len : len;
        tl_iov_scatter(&cursor, segment->data + segment->start, part);
        len -= part;
        if (part == segment->len) {
            tl_segment_free(segments, tl_segment_pop(unread));
            continue;
        }
        segment->start += (uint32_t)part;
        segment->len -= (uint32_t)part;
        unread->bytes -= (uint32_t)part;
    }
}

ssize_t tl_endpoint_read(struct tl_descriptor *descriptor, struct tl_message *messages,
                         size_t count)
{
    struct tl_endpoint *endpoint = tl_endpoint_of(descriptor);
    if (count != 1)
        return -EINVAL;
    if (endpoint->state == TL_TCP_LISTENING)
        return -ENOTCONN;
    uint32_t unread = tl_endpoint_unread(endpoint);
    if (unread == 0)
        return read_nothing(endpoint);
    size_t len = tl_iov_total(&messages[0]);
    if (len > unread)
        len = unread;
    len -= tl_endpoint_ask(endpoint, TL_AT_STREAM_READ, TL_DRAW_READ, (uint32_t)len);
    take_bytes(endpoint, messages[0].iov, len);
    if (endpoint->traffic->unsent.head != NULL && endpoint->peer != NULL)
        tl_travel_send(endpoint->peer);
    tl_traffic_settle(endpoint);
    messages[0].len = len;
    return (ssize_t)len;
}

/* --- Writing ---------------------------------------------------------------------------------- */

static uint32_t send_room(const struct tl_endpoint *endpoint)
{
    return endpoint->send_room > 0 ? endpoint->send_room : endpoint->link_room;
}

bool tl_endpoint_writable(const struct tl_endpoint *endpoint)
{
    uint32_t room = send_room(endpoint);
    uint32_t used = tl_endpoint_unsent(endpoint);
    return used <= room && room - used >= used / 2;
}

static int may_write(struct tl_endpoint *endpoint)
{
    bool open = endpoint->state == TL_TCP_ESTABLISHED || endpoint->state == TL_TCP_CLOSE_WAIT;
    if (open && endpoint->error == 0 && !(endpoint->shut & TL_SHUT_WRITE))
        return 0;
    if (endpoint->error != 0)
        return tl_endpoint_take_error(endpoint);
    bool coming = endpoint->state == TL_TCP_SYN_SENT || endpoint->state == TL_TCP_SYN_RECEIVED;
    return coming ? -EAGAIN : -EPIPE;
}

/* The segment that the next bytes go to: the last unsent one, if it has room, or a new one. */
static struct tl_segment *segment_for(struct tl_segments *segments, struct tl_segment_queue *unsent,
                                      size_t len)
{
    struct tl_segment *segment = unsent->tail;
    if (segment != NULL && segment->start + segment->len < segment->room)
        return segment;
    segment = tl_segment_new(segments, len);
    if (segment != NULL)
        tl_segment_push(unsent, segment);
    return segment;
}

/* Fills the rest of a segment with at most len bytes and returns how many that were. */
static size_t fill(struct tl_segment *segment, struct tl_iov_cursor *cursor, size_t len)
{
    size_t room = segment->room - segment->start - segment->len;
    size_t filled = len < room ? len : room;
    tl_iov_gather(cursor, segment->data + segment->start + segment->len, filled);
    segment->len += (uint32_t)filled;
    return filled;
}

/* Copies up to len bytes behind the unsent ones; how many, and a hash of them. */
static size_t put_bytes(struct tl_segments *segments, struct tl_segment_queue *unsent,
                        const struct iovec *iov, size_t len, uint64_t *ret_content)
{
    struct tl_iov_cursor cursor = {.iov = iov};
    size_t put = 0;
    uint64_t content = 0;
    while (put < len) {
        struct tl_segment *segment = segment_for(segments, unsent, len - put);
        if (segment == NULL)
            break;
        const unsigned char *start = segment->data + segment->start + segment->len;
        size_t filled = fill(segment, &cursor, len - put);
        unsent->bytes += (uint32_t)filled;
        content = tl_mix(content, tl_mix_bytes(start, filled));
        put += filled;
    }
    *ret_content = content;
    return put;
}

ssize_t tl_endpoint_write(struct tl_descriptor *descriptor, struct tl_message *messages,
                          size_t count, uint64_t *ret_content)
{
    struct tl_endpoint *endpoint = tl_endpoint_of(descriptor);
    if (count != 1)
        return -EINVAL;
    int r = may_write(endpoint);
    if (r < 0)
        return r;
    size_t len = tl_iov_total(&messages[0]);
    uint32_t room = send_room(endpoint);
    struct tl_endpoint *receiver = tl_endpoint_receiver(endpoint);
    struct tl_segment_queue *unsent = &tl_endpoint_traffic(receiver)->unsent;
    uint32_t used = unsent->bytes;
    if (len > 0 && used >= room)
        return -EAGAIN;
    if (used < room && len > room - used)
        len = room - used;
    len -= tl_endpoint_ask(endpoint, TL_AT_STREAM_WRITE, TL_DRAW_WRITE, (uint32_t)len);
    size_t put = put_bytes(&tl_endpoint_world(endpoint)->segments, unsent, messages[0].iov, len,
                           ret_content);
    if (put > 0)
        tl_travel_send(endpoint);
    else
        tl_traffic_settle(receiver);
    if (put == 0 && len > 0)
        return -ENOBUFS;
    messages[0].len = put;
    return (ssize_t)put;
}
