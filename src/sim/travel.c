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

/* When something that is sent now will be at the peer. */
static tl_time arrival_of_next(struct tl_endpoint *sender, struct tl_traffic *traffic)
{
    uint32_t longer = tl_endpoint_ask(sender, TL_AT_LINK_DELAY, TL_DRAW_DELAY, TL_MAGNITUDES);
    tl_time arrival = tl_endpoint_world(sender)->now + sender->latency + tl_magnitude(longer);
    if (arrival < traffic->last_arrival)
        arrival = traffic->last_arrival;
    traffic->last_arrival = arrival;
    return arrival;
}

void tl_travel_schedule(struct tl_endpoint *receiver)
{
    struct tl_traffic *traffic = receiver->traffic;
    if (traffic == NULL || tl_agenda_added(&traffic->arrival))
        return; /* what was sent before arrives before */
    tl_time next = traffic->flight.head != NULL ? traffic->flight.head->arrival : TL_TIME_NEVER;
    for (unsigned i = 0; traffic->flags != 0 && i < TL_FLAGS; i++)
        if (tl_traffic_has(traffic, i) && traffic->flag_at[i] < next)
            next = traffic->flag_at[i];
    if (next != TL_TIME_NEVER)
        tl_agenda_add(&tl_endpoint_world(receiver)->agenda, &traffic->arrival, next);
}

void tl_travel_flag(struct tl_endpoint *sender, enum tl_flag flag)
{
    struct tl_traffic *traffic = tl_endpoint_traffic(sender->peer);
    traffic->flags |= (uint8_t)(1u << flag);
    traffic->flag_at[flag] = arrival_of_next(sender, traffic);
}

/* How many of len bytes the receiver lets come now: like TCP it does not open its window by a
 * trifle. */
static uint32_t window(const struct tl_traffic *traffic, uint32_t len)
{
    const struct tl_endpoint *receiver = traffic->endpoint;
    uint32_t most = receiver->receive_room > 0 ? receiver->receive_room : receiver->link_room;
    uint32_t used = traffic->flight.bytes + traffic->unread.bytes;
    uint32_t room = used < most ? most - used : 0;
    if (room >= len)
        return len;
    return room >= most / 4 ? room : 0;
}

/* Takes the first len bytes off the unsent ones as a segment of their own; all of the first segment
 * when memory is out. */
static struct tl_segment *cut(struct tl_segments *segments, struct tl_segment_queue *unsent,
                              uint32_t len)
{
    struct tl_segment *first = unsent->head;
    struct tl_segment *part = NULL;
    if (len < first->len)
        part = tl_segment_new(segments, len);
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
static bool send_segment(struct tl_endpoint *sender, struct tl_traffic *traffic, uint32_t len)
{
    if (tl_endpoint_ask(sender, TL_AT_STREAM_RESET, TL_DRAW_RESET, 2) != 0) {
        reset_in_flight(sender);
        return false;
    }
    uint32_t later = tl_endpoint_ask(sender, TL_AT_STREAM_SEGMENT, TL_DRAW_SEGMENT, len);
    struct tl_segment *segment =
        cut(&tl_endpoint_world(sender)->segments, &traffic->unsent, len - later);
    segment->arrival = arrival_of_next(sender, traffic);
    if (later > 0)
        traffic->last_arrival += CUT_GAP;
    tl_segment_push(&traffic->flight, segment);
    return true;
}

/* What follows a segment that got lost with the connection gets lost too: no stream has a hole. */
static void lose_unsent(struct tl_endpoint *sender)
{
    struct tl_traffic *traffic = tl_endpoint_receiver(sender)->traffic;
    if (traffic != NULL)
        tl_segments_drop(&tl_endpoint_world(sender)->segments, &traffic->unsent);
    sender->fin_wanted = false;
}

void tl_travel_send(struct tl_endpoint *sender)
{
    struct tl_endpoint *receiver = sender->peer;
    if (receiver == NULL)
        return; /* the other side has parted: a reset is on its way here */
    struct tl_traffic *traffic = tl_endpoint_traffic(receiver);
    if (tl_traffic_has(traffic, TL_FLAG_RST)) {
        lose_unsent(sender);
        return;
    }
    while (traffic->unsent.head != NULL) {
        uint32_t len = window(traffic, traffic->unsent.head->len);
        if (len == 0)
            break;
        if (!send_segment(sender, traffic, len))
            return;
    }
    if (sender->fin_wanted && traffic->unsent.head == NULL) {
        sender->fin_wanted = false;
        tl_travel_flag(sender, TL_FLAG_FIN);
    }
    tl_travel_schedule(receiver);
    if (sender->descriptor.item.wanted & TL_WRITABLE)
        tl_endpoint_touch(sender);
}

void tl_travel_reset(struct tl_endpoint *sender)
{
    struct tl_endpoint *receiver = sender->peer;
    lose_unsent(sender);
    if (receiver == NULL)
        return;
    if (!tl_traffic_has(tl_endpoint_traffic(receiver), TL_FLAG_RST))
        tl_travel_flag(sender, TL_FLAG_RST);
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
    struct tl_segment *segment = tl_segment_pop(&receiver->traffic->flight);
    bool gone = receiver->state == TL_TCP_FIN_WAIT && receiver->shut & TL_SHUT_READ;
    if (gone)
        refuse_data(receiver);
    if (receiver->state == TL_TCP_CLOSED)
        tl_segment_free(&tl_endpoint_world(receiver)->segments, segment);
    else
        tl_segment_push(&receiver->traffic->unread, segment);
}

static void receive_fin(struct tl_endpoint *receiver)
{
    struct tl_endpoint *peer = receiver->peer;
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
    if (receiver->state == TL_TCP_CLOSED)
        return;
    receiver->error = receiver->state == TL_TCP_CLOSE_WAIT ? -EPIPE : -ECONNRESET;
    lose_unsent(receiver);
    tl_endpoint_set_closed(receiver);
}

/* Whether a flag has arrived, which it has once. */
static bool take_flag(struct tl_traffic *traffic, enum tl_flag flag, tl_time now)
{
    if (!tl_traffic_has(traffic, flag) || traffic->flag_at[flag] > now)
        return false;
    traffic->flags &= (uint8_t) ~(1u << flag);
    return true;
}

/* Has polls see what arrived. That bytes are what is waited for goes without asking. */
static void show(struct tl_endpoint *receiver)
{
    struct tl_ready_item *item = &receiver->descriptor.item;
    if (item->wanted & TL_READABLE && !item->queued && tl_endpoint_unread(receiver) > 0)
        tl_ready_touch(receiver->descriptor.kernel, item);
    else
        tl_endpoint_touch(receiver);
}

static void receive(struct tl_endpoint *receiver)
{
    tl_time now = tl_endpoint_world(receiver)->now;
    struct tl_traffic *traffic = receiver->traffic;
    if (take_flag(traffic, TL_FLAG_ACK, now))
        tl_handshake_acknowledged(receiver);
    while (traffic->flight.head != NULL && traffic->flight.head->arrival <= now)
        receive_segment(receiver);
    if (take_flag(traffic, TL_FLAG_FIN, now))
        receive_fin(receiver);
    if (take_flag(traffic, TL_FLAG_RST, now))
        receive_reset(receiver);
    if (traffic->flight.head != NULL || traffic->flags != 0)
        tl_travel_schedule(receiver);
    tl_traffic_settle(receiver);
    show(receiver);
    tl_endpoint_release(receiver);
}

/* With many connections the end that is next to receive is in no cache: fetches it meanwhile. */
static void prefetch_next(const tl_world *world)
{
    const struct tl_agenda_event *next = tl_agenda_first(&world->agenda);
    if (next != NULL && next->fire == tl_travel_fired) {
        const struct tl_traffic *traffic = tl_listed(next, const struct tl_traffic, arrival);
        __builtin_prefetch(traffic->endpoint);
        __builtin_prefetch(&traffic->endpoint->traffic);
        __builtin_prefetch(traffic->flight.head);
    }
}

void tl_travel_fired(struct tl_agenda_event *event)
{
    struct tl_endpoint *endpoint = tl_listed(event, struct tl_traffic, arrival)->endpoint;
    prefetch_next(tl_endpoint_world(endpoint));
    if (endpoint->state != TL_TCP_SYN_SENT) {
        receive(endpoint);
        return;
    }
    tl_handshake_fired(endpoint);
    tl_traffic_settle(endpoint);
}
