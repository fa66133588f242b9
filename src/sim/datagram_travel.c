/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagrams on their way: how long they take, what becomes of them meanwhile, and who gets them.
 *
 * A socket keeps what it has sent in the order of arrival and has one event, for the first of them.
 */
#include <errno.h>

#include "sim/buffer.h"
#include "sim/datagram.h"
#include "sim/world.h"

/* --- Leaving ---------------------------------------------------------------------------------- */

/* Has the next thing that happens to a socket happen in time. */
static void schedule(struct tl_datagram_socket *socket)
{
    tl_world *world = tl_datagram_world(socket);
    tl_time next = socket->flight.head != NULL ? socket->flight.head->arrival : TL_TIME_NEVER;
    if (socket->busy_until > world->now && socket->busy_until < next)
        next = socket->busy_until;
    if (next == TL_TIME_NEVER)
        return;
    if (!tl_agenda_added(&socket->event) || socket->event.time != next)
        tl_agenda_add(&world->agenda, &socket->event, next);
}

/* When something that leaves now is at target. Within a host the order stays. */
static tl_time arrival_at(struct tl_datagram_socket *socket, const tl_host *target)
{
    tl_world *world = tl_datagram_world(socket);
    struct tl_link link = tl_link_between(world, socket->host, target);
    bool inside = target == socket->host;
    uint32_t longer = tl_datagram_ask(socket, inside ? TL_AT_LINK_DELAY : TL_AT_DATAGRAM_DELAY,
                                      TL_DATAGRAM_DELAY, TL_MAGNITUDES);
    tl_time arrival = world->now + link.latency + tl_magnitude(longer);
    if (!inside)
        return arrival;
    if (arrival < socket->last_arrival)
        arrival = socket->last_arrival;
    socket->last_arrival = arrival;
    return arrival;
}

static bool is_lost(struct tl_datagram_socket *socket, const tl_host *target)
{
    return target != socket->host &&
           tl_datagram_ask(socket, TL_AT_DATAGRAM_LOSS, TL_DATAGRAM_LOSS, 2) != 0;
}

static bool is_doubled(struct tl_datagram_socket *socket, const tl_host *target)
{
    return target != socket->host &&
           tl_datagram_ask(socket, TL_AT_DATAGRAM_DUPLICATE, TL_DATAGRAM_DUPLICATE, 2) != 0;
}

/* Sends a datagram to one host; takes it. */
static void send_to(struct tl_datagram_socket *socket, struct tl_datagram *datagram,
                    tl_host *target)
{
    struct tl_datagram_pools *pools = &tl_datagram_world(socket)->datagram_pools;
    datagram->target = target;
    if (is_lost(socket, target)) {
        tl_datagram_free(pools, datagram);
        return;
    }
    datagram->arrival = arrival_at(socket, target);
    struct tl_datagram *other =
        is_doubled(socket, target) ? tl_datagram_copy(pools, datagram) : NULL;
    tl_datagram_insert(&socket->flight, datagram);
    if (other == NULL)
        return;
    other->arrival = arrival_at(socket, target);
    tl_datagram_insert(&socket->flight, other);
}

/* Sends one to every host that can be reached by it; takes it. */
static void send_to_all(struct tl_datagram_socket *socket, struct tl_datagram *datagram)
{
    tl_world *world = tl_datagram_world(socket);
    bool inside = tl_ip_is_loopback(&datagram->dest);
    for (tl_host *host = world->hosts; host != NULL; host = host->next) {
        if (inside ? host != socket->host : tl_host_own(host, true) == NULL)
            continue;
        struct tl_datagram *one = tl_datagram_copy(&world->datagram_pools, datagram);
        if (one != NULL)
            send_to(socket, one, host);
    }
    tl_datagram_free(&world->datagram_pools, datagram);
}

/* The host that has an address. Who sends there again does not look again: hosts stay. */
static tl_host *target_of(struct tl_datagram_socket *socket, const struct tl_ip *ip)
{
    if (socket->last_target == NULL || !tl_ip_equal(&socket->last_ip, ip)) {
        socket->last_target = tl_host_find(socket->host, ip);
        socket->last_ip = *ip;
    }
    return socket->last_target;
}

void tl_datagram_send(struct tl_datagram_socket *socket, struct tl_datagram *datagram)
{
    tl_world *world = tl_datagram_world(socket);
    tl_host *target = datagram->to_many ? NULL : target_of(socket, &datagram->dest);
    if (datagram->to_many)
        send_to_all(socket, datagram);
    else if (target != NULL && !tl_host_confines(socket->host, &datagram->source, &datagram->dest))
        send_to(socket, datagram, target);
    else
        tl_datagram_free(&world->datagram_pools, datagram); /* nobody hears of it, or is there */
    uint32_t busy = tl_datagram_ask(socket, TL_AT_DATAGRAM_BUSY, TL_DATAGRAM_BUSY, TL_MAGNITUDES);
    if (busy > 0)
        socket->busy_until = world->now + tl_magnitude(busy);
    schedule(socket);
}

/* --- Arriving --------------------------------------------------------------------------------- */

/* A receiver takes a datagram if there is room, and one that is larger than its buffer if that is
 * empty. */
static void receive(struct tl_datagram_socket *socket, struct tl_datagram *datagram)
{
    uint32_t room = (uint32_t)tl_buffer_get(socket->receive_room);
    uint32_t used = socket->unread.used + socket->owed;
    if (socket->unread.head != NULL && used + tl_datagram_cost(datagram) > room) {
        tl_datagram_free(&tl_datagram_world(socket)->datagram_pools, datagram);
        return;
    }
    tl_datagram_push(&socket->unread, datagram);
    tl_descriptor_touch(&socket->descriptor);
}

static void arrive_at_many(struct tl_datagram_socket *sender, struct tl_datagram *datagram)
{
    struct tl_datagram_pools *pools = &tl_datagram_world(sender)->datagram_pools;
    struct tl_datagram_socket *socket = NULL;
    while ((socket = tl_datagram_next_receiver(datagram, socket)) != NULL) {
        struct tl_datagram *one = tl_datagram_copy(pools, datagram);
        if (one != NULL)
            receive(socket, one);
    }
    tl_datagram_free(pools, datagram);
}

/* Nobody receives it: the sender is told, unless that gets lost. */
static void refuse(struct tl_datagram_socket *sender, struct tl_datagram *datagram)
{
    if (is_lost(sender, datagram->target)) {
        tl_datagram_free(&tl_datagram_world(sender)->datagram_pools, datagram);
        return;
    }
    datagram->refusal = true;
    datagram->arrival = arrival_at(sender, datagram->target);
    tl_datagram_insert(&sender->flight, datagram);
}

/* Only who is connected to the place, and has the address that it came from, hears that nobody is
 * there: who kept one of IPv6 from an earlier connect does not hear what IPv4 says. */
static void refused(struct tl_datagram_socket *sender, struct tl_datagram *datagram)
{
    bool hears = sender->descriptor.kernel != NULL && sender->connected &&
                 sender->local_port == datagram->source_port &&
                 tl_ip_equal(&sender->local_ip, &datagram->source) &&
                 sender->peer_port == datagram->dest_port &&
                 tl_ip_equal(&sender->peer_ip, &datagram->dest);
    tl_datagram_free(&tl_datagram_world(sender)->datagram_pools, datagram);
    if (!hears)
        return;
    sender->error = -ECONNREFUSED;
    tl_descriptor_touch(&sender->descriptor);
}

static void arrive(struct tl_datagram_socket *sender, struct tl_datagram *datagram)
{
    if (datagram->refusal) {
        refused(sender, datagram);
    } else if (datagram->to_many) {
        arrive_at_many(sender, datagram);
    } else {
        struct tl_datagram_socket *socket = tl_datagram_receiver(sender, datagram);
        if (socket != NULL)
            receive(socket, datagram);
        else
            refuse(sender, datagram);
    }
}

void tl_datagram_fired(struct tl_agenda_event *event)
{
    struct tl_datagram_socket *sender = tl_listed(event, struct tl_datagram_socket, event);
    tl_time now = tl_datagram_world(sender)->now;
    while (sender->flight.head != NULL && sender->flight.head->arrival <= now)
        arrive(sender, tl_datagram_pop(&sender->flight));
    schedule(sender);
    if (sender->descriptor.item.wanted & TL_WRITABLE)
        tl_descriptor_touch(&sender->descriptor);
    tl_datagram_socket_release(sender);
}
