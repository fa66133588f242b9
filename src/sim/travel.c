/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What travels between the two ends of a connection: segments, FIN and RST, in order, each with the
 * instant at which it is there.
 *
 * Bytes leave when they are written, as far as the receiver has room for them, and whatever keeps
 * them (a delay, a lost packet) keeps what follows too: nothing overtakes and nothing is lost but
 * by a reset. Where a segment is cut and how long it takes are choices. The receiver's event is for
 * the first thing on its way; what arrives at one instant arrives together.
 */
#include <errno.h>
#include <string.h>

#include "sim/endpoint.h"
#include "sim/world.h"

/* Between the two parts of a segment that was cut. */
#define CUT_GAP TL_MICROSECOND

/* --- Sending ---------------------------------------------------------------------------------- */

tl_time tl_travel_arrival(struct tl_endpoint *sender)
{
    struct tl_endpoint *receiver = sender->peer;
    uint32_t longer = tl_endpoint_ask(sender, TL_AT_LINK_DELAY, TL_DRAW_DELAY, TL_MAGNITUDES);
    tl_time arrival = tl_endpoint_world(sender)->now + sender->latency + tl_magnitude(longer);
    if (arrival < receiver->last_arrival)
        arrival = receiver->last_arrival;
    receiver->last_arrival = arrival;
    return arrival;
}

void tl_travel_schedule(struct tl_endpoint *receiver)
{
    tl_time next = receiver->ack_at;
    if (tl_agenda_added(&receiver->arrival))
        return; /* what was sent before arrives before */
    if (receiver->flight.head != NULL && receiver->flight.head->arrival < next)
        next = receiver->flight.head->arrival;
    if (receiver->fin_at < next)
        next = receiver->fin_at;
    if (receiver->reset_at < next)
        next = receiver->reset_at;
    if (next != TL_TIME_NEVER)
        tl_agenda_add(&tl_endpoint_world(receiver)->agenda, &receiver->arrival, next);
}

static uint32_t receive_room(const struct tl_endpoint *receiver)
{
    uint32_t room = receiver->receive_room > 0 ? receiver->receive_room : receiver->link_room;
    uint32_t used = receiver->flight.bytes + receiver->unread.bytes;
    return used < room ? room - used : 0;
}

/* Whether the receiver lets more bytes come: like TCP it does not open its window by a trifle. */
static bool window_open(const struct tl_endpoint *receiver, uint32_t len)
{
    uint32_t room = receive_room(receiver);
    uint32_t most = receiver->receive_room > 0 ? receiver->receive_room : receiver->link_room;
    return room > 0 && (room >= len || room >= most / 4);
}

/* Takes the first len bytes off the unsent ones as a segment of their own; all of the first segment
 * when memory is out. */
static struct tl_segment *cut(struct tl_endpoint *sender, uint32_t len)
{
    struct tl_segment_queue *unsent = &sender->unsent;
    struct tl_segment *first = unsent->head;
    struct tl_segment *part = NULL;
    if (len < first->len)
        part = tl_segment_new(&tl_endpoint_world(sender)->segments, len);
    if (part == NULL)
        return tl_segment_pop(unsent);
    memcpy(part->data, first->data + first->start, len);
    part->len = len;
    first->start += len;
    first->len -= len;
    unsent->bytes -= len;
    return part;
}

/* The connection is reset from outside: neither end hears from the other again. */
static void reset_in_flight(struct tl_endpoint *sender)
{
    tl_travel_reset(sender);
    tl_travel_reset(sender->peer);
}

/* Sends one segment of at most len bytes. False when it got lost, and the connection with it. */
static bool send_segment(struct tl_endpoint *sender, uint32_t len)
{
    struct tl_endpoint *receiver = sender->peer;
    if (tl_endpoint_ask(sender, TL_AT_STREAM_RESET, TL_DRAW_RESET, 2) != 0) {
        reset_in_flight(sender);
        return false;
    }
    uint32_t later = tl_endpoint_ask(sender, TL_AT_STREAM_SEGMENT, TL_DRAW_SEGMENT, len);
    struct tl_segment *segment = cut(sender, len - later);
    segment->arrival = tl_travel_arrival(sender);
    if (later > 0)
        receiver->last_arrival += CUT_GAP;
    tl_segment_push(&receiver->flight, segment);
    return true;
}

/* What follows a segment that got lost with the connection gets lost too: no stream has a hole. */
static void lose_unsent(struct tl_endpoint *sender)
{
    tl_segments_drop(&tl_endpoint_world(sender)->segments, &sender->unsent);
    sender->fin_wanted = false;
}

void tl_travel_send(struct tl_endpoint *sender)
{
    struct tl_endpoint *receiver = sender->peer;
    if (receiver == NULL)
        return; /* the other side has parted: a reset is on its way here */
    if (receiver->reset_at != TL_TIME_NEVER) {
        lose_unsent(sender);
        return;
    }
    while (sender->unsent.head != NULL) {
        uint32_t len = sender->unsent.head->len;
        uint32_t room = receive_room(receiver);
        if (!window_open(receiver, len))
            break;
        if (!send_segment(sender, len < room ? len : room))
            return;
    }
    if (sender->fin_wanted && sender->unsent.head == NULL) {
        sender->fin_wanted = false;
        receiver->fin_at = tl_travel_arrival(sender);
    }
    tl_travel_schedule(receiver);
    if (sender->descriptor.wanted & TL_WRITABLE)
        tl_endpoint_touch(sender);
}

void tl_travel_reset(struct tl_endpoint *sender)
{
    struct tl_endpoint *receiver = sender->peer;
    tl_segments_drop(&tl_endpoint_world(sender)->segments, &sender->unsent);
    sender->fin_wanted = false;
    if (receiver == NULL)
        return;
    if (receiver->reset_at == TL_TIME_NEVER)
        receiver->reset_at = tl_travel_arrival(sender);
    tl_travel_schedule(receiver);
}

/* --- Receiving -------------------------------------------------------------------------------- */

/* Data for somebody who has gone: the connection is reset. */
static void refuse_data(struct tl_endpoint *receiver)
{
    receiver->error = -ECONNRESET;
    tl_endpoint_set_closed(receiver);
    tl_travel_reset(receiver);
}

static void receive_segment(struct tl_endpoint *receiver)
{
    struct tl_segment *segment = tl_segment_pop(&receiver->flight);
    bool gone = receiver->state == TL_TCP_FIN_WAIT && receiver->shut & TL_SHUT_READ;
    if (gone)
        refuse_data(receiver);
    if (receiver->state == TL_TCP_CLOSED)
        tl_segment_free(&tl_endpoint_world(receiver)->segments, segment);
    else
        tl_segment_push(&receiver->unread, segment);
}

static void receive_fin(struct tl_endpoint *receiver)
{
    struct tl_endpoint *peer = receiver->peer;
    receiver->fin_at = TL_TIME_NEVER;
    if (receiver->state == TL_TCP_CLOSED)
        return;
    receiver->shut |= TL_SHUT_READ;
    receiver->fin_received = true;
    if (receiver->state == TL_TCP_ESTABLISHED)
        receiver->state = TL_TCP_CLOSE_WAIT;
    else if (peer == NULL || peer->fin_received)
        tl_endpoint_set_closed(receiver);
    else
        receiver->state = TL_TCP_CLOSING;
    if (peer != NULL && peer->state == TL_TCP_CLOSING) {
        tl_endpoint_set_closed(peer);
        tl_endpoint_touch(peer);
    }
}

static void receive_reset(struct tl_endpoint *receiver)
{
    receiver->reset_at = TL_TIME_NEVER;
    if (receiver->state == TL_TCP_CLOSED)
        return;
    receiver->error = receiver->state == TL_TCP_CLOSE_WAIT ? -EPIPE : -ECONNRESET;
    tl_segments_drop(&tl_endpoint_world(receiver)->segments, &receiver->unsent);
    receiver->fin_wanted = false;
    tl_endpoint_set_closed(receiver);
}

static void receive(struct tl_endpoint *receiver)
{
    tl_time now = tl_endpoint_world(receiver)->now;
    if (receiver->ack_at <= now) {
        receiver->ack_at = TL_TIME_NEVER;
        tl_handshake_acknowledged(receiver);
    }
    while (receiver->flight.head != NULL && receiver->flight.head->arrival <= now)
        receive_segment(receiver);
    if (receiver->fin_at <= now)
        receive_fin(receiver);
    if (receiver->reset_at <= now)
        receive_reset(receiver);
    tl_travel_schedule(receiver);
    tl_endpoint_touch(receiver);
    tl_endpoint_release(receiver);
}

void tl_travel_fired(struct tl_agenda_event *event)
{
    struct tl_endpoint *endpoint = tl_listed(event, struct tl_endpoint, arrival);
    if (endpoint->state == TL_TCP_SYN_SENT)
        tl_handshake_fired(endpoint);
    else
        receive(endpoint);
}
