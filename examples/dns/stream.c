/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server over TCP: connections on which one question comes after the other, and is answered
 * before the next is read. An answer has as much room as it needs.
 *
 * A connection may be slow for a while, but not for long: who has not asked a whole question in
 * time, or does not take the answers to the earlier ones, is cut off (RFC 7766, 6.2.3). So is who
 * sends what is no question.
 */
#include <stdlib.h>

#include "dns.h"
#include "frame.h"

#define PATIENCE (10 * TL_SECOND)

struct connection {
    tl_protocol protocol;
    tl_transport *transport;
    struct dns_streams *streams;
    struct tl_timer idle;
    struct dns_frame frame;
};

static struct connection *connection_of(tl_protocol *protocol)
{
    return tl_container_of(protocol, struct connection, protocol);
}

static void cut_off(void *arg)
{
    struct connection *connection = arg;
    tl_transport_abort(connection->transport);
}

static int wait_for_a_question(struct connection *connection)
{
    return tl_timer_start(&connection->idle, tl_loop_time(connection->streams->loop) + PATIENCE);
}

static int connection_made(tl_protocol *protocol, tl_transport *transport)
{
    connection_of(protocol)->transport = transport;
    return wait_for_a_question(connection_of(protocol));
}

static int get_buffer(tl_protocol *protocol, ssize_t hint, void **ret_buffer, size_t *ret_len)
{
    (void)hint;
    dns_frame_room(&connection_of(protocol)->frame, ret_buffer, ret_len);
    return 0;
}

/* A question is there as a whole. */
static int answer(struct connection *connection)
{
    uint8_t *room = connection->streams->answer;
    size_t len =
        dns_answer(room + 2, DNS_OVER_TCP, connection->frame.message, connection->frame.len);
    dns_frame_clear(&connection->frame);
    if (len == 0) {
        tl_transport_close(connection->transport);
        return 0;
    }
    room[0] = (uint8_t)(len >> 8);
    room[1] = (uint8_t)len;
    int r = tl_transport_write(connection->transport, room, 2 + len);
    return r < 0 ? r : wait_for_a_question(connection);
}

static int buffer_updated(tl_protocol *protocol, size_t len)
{
    struct connection *connection = connection_of(protocol);
    int r = dns_frame_took(&connection->frame, len);
    if (r < 0)
        tl_transport_close(connection->transport);
    return r > 0 ? answer(connection) : 0;
}

static int pause_writing(tl_protocol *protocol)
{
    return tl_transport_pause_reading(connection_of(protocol)->transport);
}

static int resume_writing(tl_protocol *protocol)
{
    (void)tl_transport_resume_reading(connection_of(protocol)->transport);
    return 0;
}

static void connection_lost(tl_protocol *protocol, const tl_error *exc)
{
    (void)exc;
    tl_timer_stop(&connection_of(protocol)->idle);
}

static void release(tl_protocol *protocol)
{
    struct connection *connection = connection_of(protocol);
    tl_timer_stop(&connection->idle);
    dns_frame_clear(&connection->frame);
    free(connection);
}

static const struct tl_protocol_ops connection_ops = {
    .kind = TL_PROTOCOL_BUFFERED,
    .connection_made = connection_made,
    .get_buffer = get_buffer,
    .buffer_updated = buffer_updated,
    .pause_writing = pause_writing,
    .resume_writing = resume_writing,
    .connection_lost = connection_lost,
    .release = release,
};

tl_protocol *dns_stream_factory(void *streams)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        return NULL;
    connection->protocol = TL_PROTOCOL_INIT(&connection_ops);
    connection->streams = streams;
    tl_timer_init(&connection->idle, connection->streams->loop, cut_off, connection);
    return &connection->protocol;
}
