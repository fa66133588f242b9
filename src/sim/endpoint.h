/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TCP socket: unconnected, listening, or one end of a connection.
 *
 * The two ends of a connection know each other. What is written to one is kept with it until it is
 * read, in a part that an idle end does without: its traffic. Closing the descriptor leaves the end
 * to the world, as an operating system's kernel finishes a connection for a program that has gone:
 * what was written is still delivered, what arrives is answered by a reset. Both ends are freed
 * together, once nobody has a descriptor for either. A socket that is connected to itself is both.
 *
 * The visible behaviour follows Linux step by step; names of states are TCP's, with those that a
 * program cannot tell apart made one. Acknowledgements take no time: bytes leave the send buffer as
 * soon as the receiver has room for them.
 */
#ifndef TL_SIM_ENDPOINT_H
#define TL_SIM_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>
#include "sim/address.h"
#include "sim/agenda.h"
#include "sim/fd.h"
#include "sim/host.h"
#include "sim/kernel.h"
#include "sim/segment.h"
#include "sim/traffic.h"
#include "sim/world.h"

enum tl_tcp_state {
    TL_TCP_CLOSED,
    TL_TCP_LISTENING,
    TL_TCP_SYN_SENT,
    TL_TCP_SYN_RECEIVED,
    TL_TCP_ESTABLISHED,
    TL_TCP_FIN_WAIT,   /* has shut down, the peer has not */
    TL_TCP_CLOSE_WAIT, /* the peer has shut down */
    TL_TCP_CLOSING,    /* both have, but its own FIN has not arrived yet */
};

/* What connect was last asked. */
enum tl_connect_state {
    TL_UNCONNECTED,
    TL_CONNECTING, /* nobody has asked yet how it went */
    TL_CONNECTED,
    TL_DISCONNECTING, /* shut down after a connect that failed: of no use any more */
};

/* What the event of an end in SYN_SENT will be. */
enum tl_handshake {
    TL_SYN_ARRIVES,
    TL_SYN_ANSWERED,
    TL_SYN_REFUSED,
    TL_SYN_TIMED_OUT,
};

/* The choices that an end makes, by its own counts. */
enum tl_endpoint_draw {
    TL_DRAW_SEGMENT,
    TL_DRAW_READ,
    TL_DRAW_WRITE,
    TL_DRAW_DELAY,
    TL_DRAW_RESET,
    TL_DRAW_CONNECT,
    TL_DRAWS,
};

/* What a socket has from the first listen on. */
struct tl_listening {
    int backlog;
    unsigned children;    /* half open ones and queued ones */
    struct tl_list place; /* in the port's listeners */
    struct tl_list half_open;
    struct tl_list queue;  /* to be accepted */
    uint32_t accept_draws; /* counts of choices, as draws below */
    uint32_t order_draws;
    struct tl_endpoint *endpoint; /* whose it is */
};

struct tl_endpoint {
    struct tl_descriptor descriptor; /* its item's id is the entity of all its choices */

    uint8_t family;        /* enum tl_family */
    uint8_t state;         /* enum tl_tcp_state */
    uint8_t connect_state; /* enum tl_connect_state */
    uint8_t shut;          /* TL_SHUT_*: which halves are over */
    bool fin_received;
    bool fin_wanted;     /* to be sent after what is unsent */
    bool port_locked;    /* the program chose its port: it keeps it until it is closed */
    bool address_locked; /* the same for its address */
    bool reuse_address;
    bool reuse_port;
    bool v6only;
    bool nodelay;
    bool keepalive;
    bool broadcast;
    uint16_t local_port; /* 0: not bound */
    uint16_t peer_port;  /* 0: not connected */
    int error;           /* pending, negative; 0: none */

    struct tl_traffic *traffic; /* NULL: nothing is on its way here, nor waits */
    struct tl_endpoint *peer;
    tl_host *host;
    uint32_t send_room;    /* bytes that the peer has no room for; 0: its link's number */
    uint32_t receive_room; /* bytes on their way to here or unread; 0: its link's number */
    uint32_t link_room;
    uint32_t draws[TL_DRAWS];
    tl_time latency; /* of the link, from connect on */

    /* From here on, nothing that a message needs. */
    struct tl_list place; /* in the world's sockets */
    struct tl_ip local_ip;
    struct tl_ip peer_ip;
    struct tl_port *port;
    struct tl_list holder;          /* in the port's holders */
    struct tl_listening *listening; /* NULL: it never did */
};

/* The figure to watch: what an idle connection costs, twice. */
_Static_assert(sizeof(void *) != 8 || sizeof(struct tl_endpoint) <= 240,
               "what an idle end does not need is in its traffic");

extern const struct tl_descriptor_ops tl_endpoint_ops;

static inline tl_world *tl_endpoint_world(const struct tl_endpoint *endpoint)
{
    return endpoint->host->world;
}

static inline struct tl_endpoint *tl_endpoint_of(struct tl_descriptor *descriptor)
{
    return tl_listed(descriptor, struct tl_endpoint, descriptor);
}

static inline void tl_endpoint_touch(struct tl_endpoint *endpoint)
{
    tl_descriptor_touch(&endpoint->descriptor);
}

/* Whose child it is, until it is accepted; NULL: nobody's. */
static inline struct tl_endpoint *tl_endpoint_listener(const struct tl_endpoint *endpoint)
{
    return endpoint->traffic != NULL ? endpoint->traffic->listener : NULL;
}

/* How many connections wait for it to accept them, half open ones too. */
static inline unsigned tl_endpoint_children(const struct tl_endpoint *endpoint)
{
    return endpoint->listening != NULL ? endpoint->listening->children : 0;
}

/* Whether nobody has or can get a descriptor for it. */
static inline bool tl_endpoint_orphaned(const struct tl_endpoint *endpoint)
{
    return endpoint->descriptor.fd < 0 && tl_endpoint_listener(endpoint) == NULL;
}

static inline uint32_t tl_endpoint_unread(const struct tl_endpoint *endpoint)
{
    return endpoint->traffic != NULL ? endpoint->traffic->unread.bytes : 0;
}

/* With whom the bytes that it could not send wait: with its peer, or here if that has parted. */
static inline struct tl_endpoint *tl_endpoint_receiver(const struct tl_endpoint *endpoint)
{
    return endpoint->peer != NULL ? endpoint->peer : (struct tl_endpoint *)endpoint;
}

static inline uint32_t tl_endpoint_unsent(const struct tl_endpoint *endpoint)
{
    const struct tl_traffic *traffic = tl_endpoint_receiver(endpoint)->traffic;
    return traffic != NULL ? traffic->unsent.bytes : 0;
}

/* The end's traffic, which it has from now on. */
static inline struct tl_traffic *tl_endpoint_traffic(struct tl_endpoint *endpoint)
{
    if (endpoint->traffic == NULL) {
        endpoint->traffic = tl_traffic_lend(&tl_endpoint_world(endpoint)->traffics);
        endpoint->traffic->endpoint = endpoint;
        endpoint->traffic->last_arrival = 0;
    }
    return endpoint->traffic;
}

/* Takes the traffic back if there is nothing in it, which nobody may still be looking at. */
static inline void tl_traffic_settle(struct tl_endpoint *endpoint)
{
    const struct tl_traffic *traffic = endpoint->traffic;
    if (traffic == NULL || traffic->unread.head != NULL || traffic->flight.head != NULL ||
        traffic->unsent.head != NULL || traffic->flags != 0 || traffic->listener != NULL ||
        tl_agenda_added(&traffic->arrival) ||
        traffic->last_arrival > tl_endpoint_world(endpoint)->now)
        return;
    tl_traffic_take_back(&tl_endpoint_world(endpoint)->traffics, endpoint->traffic);
    endpoint->traffic = NULL;
}

static inline uint32_t tl_endpoint_ask(struct tl_endpoint *endpoint, enum tl_sim_site at,
                                       enum tl_endpoint_draw draw, uint32_t bound)
{
    return tl_choices_ask(tl_endpoint_world(endpoint), at, endpoint->descriptor.item.id,
                          &endpoint->draws[draw], bound);
}

/* --- Life (endpoint.c) --- */

/* A socket on a host; NULL when memory is out. */
struct tl_endpoint *tl_endpoint_new(tl_host *host, uint8_t family, uint64_t entity);

/* Frees an orphaned end, and its peer, if the peer is orphaned too. */
void tl_endpoint_release(struct tl_endpoint *endpoint);

/* Frees every socket of a world whose processes are gone. */
void tl_endpoints_drop(tl_world *world);

/* To state CLOSED: neither half goes on, and a port that the system picked is free again. */
void tl_endpoint_set_closed(struct tl_endpoint *endpoint);

/* Takes the pending error; 0: none. */
int tl_endpoint_take_error(struct tl_endpoint *endpoint);

/* Back to unconnected. */
void tl_endpoint_disconnect(struct tl_endpoint *endpoint);

/* --- Bytes (stream.c) --- */

ssize_t tl_endpoint_read(struct tl_descriptor *descriptor, struct tl_message *messages,
                         size_t count);
ssize_t tl_endpoint_write(struct tl_descriptor *descriptor, struct tl_message *messages,
                          size_t count, uint64_t *ret_content);

/* Whether poll calls it writable: a third of the send buffer is free. */
bool tl_endpoint_writable(const struct tl_endpoint *endpoint);

/* --- What travels (segment arrival, FIN, RST: travel.c) --- */

/* Sends an ACK, FIN or RST, which is not on its way yet. */
void tl_travel_flag(struct tl_endpoint *sender, enum tl_flag flag);

/* Has the peer's next arrival fire in time. */
void tl_travel_schedule(struct tl_endpoint *receiver);

/* Sends what is unsent as far as the peer has room, then the FIN, if there is to be one. */
void tl_travel_send(struct tl_endpoint *sender);

/* Drops what is unsent and tells the peer that the connection is reset. */
void tl_travel_reset(struct tl_endpoint *sender);

void tl_travel_fired(struct tl_agenda_event *event);

/* --- Connections (connect.c) --- */

int tl_endpoint_connect(struct tl_descriptor *descriptor, const tl_addr *addr);
void tl_handshake_fired(struct tl_endpoint *endpoint);

/* The last step of the handshake has arrived at the listening side. */
void tl_handshake_acknowledged(struct tl_endpoint *child);

/* --- Sockets (socket.c) --- */

extern const struct tl_socket_ops tl_endpoint_socket_ops;

void tl_endpoint_close(struct tl_endpoint *endpoint);

/* Sends the FIN, if this end has not yet, after what is unsent. */
void tl_endpoint_finish_sending(struct tl_endpoint *endpoint);

/* A child is not the listener's any more; a no-op for what is nobody's child. */
void tl_endpoint_leave_listener(struct tl_endpoint *child);

#endif
