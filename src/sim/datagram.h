/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UDP: sockets, and the datagrams between them.
 *
 * A datagram belongs to its sender's socket while it is on its way, and to the receiver's once it
 * has arrived; who receives it is found out then, by port and address, as a host does. What nobody
 * receives comes back to the sender as a refusal, for a socket that is connected to hear of. A
 * socket that is closed stays in the world until what it sent has arrived.
 *
 * Between two hosts datagrams may get lost, come twice, or overtake each other, by choices; within
 * a host they do none of that, as on a real loopback. Wherever they come from, what the receiver
 * has no room for is dropped without a word.
 */
#ifndef TL_SIM_DATAGRAM_H
#define TL_SIM_DATAGRAM_H

#include <stdbool.h>
#include <stdint.h>
#include "sim/address.h"
#include "sim/agenda.h"
#include "sim/fd.h"
#include "sim/host.h"
#include "sim/kernel.h"
#include "sim/packet.h"

/* The choices that a socket makes, by its own counts. */
enum tl_datagram_draw {
    TL_DATAGRAM_LOSS,
    TL_DATAGRAM_DUPLICATE,
    TL_DATAGRAM_DELAY,
    TL_DATAGRAM_BUSY,
    TL_DATAGRAM_SHARE,
    TL_DATAGRAM_DRAWS,
};

/* Who got a datagram, which holds for others with these addresses as long as nothing has changed
 * by which that is found out. */
struct tl_datagram_route {
    struct tl_datagram_socket *receiver; /* NULL: look again */
    const tl_host *target;
    uint64_t changes; /* the target's */
    struct tl_ip source;
    struct tl_ip dest;
    uint16_t source_port;
    uint16_t dest_port;
};

struct tl_datagram_socket {
    struct tl_descriptor descriptor; /* its item's id is the entity of all its choices */
    struct tl_list place;            /* in the world's datagram sockets */
    tl_host *host;
    uint32_t draws[TL_DATAGRAM_DRAWS];

    uint8_t family; /* enum tl_family */
    uint8_t shut;   /* TL_SHUT_* */
    bool connected;
    bool port_locked;    /* the program chose its port: it keeps it */
    bool address_locked; /* the same for its address */
    bool reuse_address;
    bool reuse_port;
    bool v6only;
    bool keepalive;
    bool broadcast;
    bool share_drawn;
    uint32_t share;        /* which of several sockets that share a port gets what it sends */
    int error;             /* pending, negative; 0: none */
    uint32_t send_room;    /* as SO_SNDBUF was set; 0: never */
    uint32_t receive_room; /* as SO_RCVBUF was set; 0: never */

    struct tl_ip local_ip;
    struct tl_ip peer_ip;
    uint16_t local_port; /* 0: not bound */
    uint16_t peer_port;
    struct tl_port *port;
    struct tl_list holder; /* in the port's holders */

    struct tl_ip last_ip; /* where it sent to last, and whose that is */
    tl_host *last_target;

    struct tl_datagram_route last_route; /* of what arrived last */

    struct tl_agenda_event event;    /* the next arrival of what it sent, or the end of busy */
    tl_time busy_until;              /* until then the send buffer is full */
    tl_time last_arrival;            /* within its host, what is sent later arrives no earlier */
    struct tl_datagram_queue flight; /* sent, in the order of arrival */
    struct tl_datagram_queue unread;
    uint32_t batch; /* how many of these a read takes before it gives room back at the latest */
    uint32_t owed;  /* what was read costs, which has not given its room back yet */
};

extern const struct tl_descriptor_ops tl_datagram_ops;

static inline tl_world *tl_datagram_world(const struct tl_datagram_socket *socket)
{
    return socket->host->world;
}

static inline struct tl_datagram_socket *tl_datagram_socket_of(struct tl_descriptor *descriptor)
{
    return tl_listed(descriptor, struct tl_datagram_socket, descriptor);
}

static inline uint32_t tl_datagram_ask(struct tl_datagram_socket *socket, enum tl_sim_site at,
                                       enum tl_datagram_draw draw, uint32_t bound)
{
    return tl_choices_ask(tl_datagram_world(socket), at, socket->descriptor.item.id,
                          &socket->draws[draw], bound);
}

/* --- Sockets (datagram.c) --- */

/* A socket on a host; NULL when memory is out. */
struct tl_datagram_socket *tl_datagram_socket_new(tl_host *host, uint8_t family, uint64_t entity);

/* Frees one that is closed, unless something it sent is on its way. */
void tl_datagram_socket_release(struct tl_datagram_socket *socket);

/* Frees every socket of a world whose processes are gone. */
void tl_datagram_sockets_drop(tl_world *world);

/* Something has changed by which it is found out who gets a datagram. */
static inline void tl_datagram_changed(const struct tl_datagram_socket *socket)
{
    socket->host->datagram_changes++;
}

/* Takes the pending error; 0: none. */
int tl_datagram_take_error(struct tl_datagram_socket *socket);

/* --- Ports and routes (datagram_port.c) --- */

/* Binds to the local address, whose port may be 0: any. */
int tl_datagram_hold(struct tl_datagram_socket *socket, uint16_t number);
void tl_datagram_let_go(struct tl_datagram_socket *socket);

/* Where a datagram to addr goes and which address it comes from. */
int tl_datagram_find_route(const struct tl_datagram_socket *socket, const tl_addr *addr,
                           struct tl_ip *ret_dest, struct tl_ip *ret_source);

/* The socket that a datagram is for, or NULL. */
struct tl_datagram_socket *tl_datagram_receiver(struct tl_datagram_socket *sender,
                                                const struct tl_datagram *datagram);

/* Of the sockets that a broadcast is for, the one after at, or the first after NULL; or NULL. */
struct tl_datagram_socket *tl_datagram_next_receiver(const struct tl_datagram *datagram,
                                                     struct tl_datagram_socket *at);

/* --- What is on its way (datagram_travel.c) --- */

/* Sends a datagram, all of whose members but target and arrival are set; takes it. */
void tl_datagram_send(struct tl_datagram_socket *socket, struct tl_datagram *datagram);

void tl_datagram_fired(struct tl_agenda_event *event);

/* --- Bytes (datagram_bytes.c) --- */

ssize_t tl_datagram_read(struct tl_descriptor *descriptor, struct tl_message *messages,
                         size_t count);
ssize_t tl_datagram_write(struct tl_descriptor *descriptor, struct tl_message *messages,
                          size_t count, uint64_t *ret_content);
ssize_t tl_datagram_write_pages(struct tl_descriptor *descriptor, const struct iovec *bytes,
                                size_t place, uint64_t *ret_content);

#endif
