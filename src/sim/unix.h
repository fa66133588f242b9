/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Unix-domain stream socket: unconnected, listening, or one end of a connection within a host.
 *
 * Nothing travels: connect makes both ends at once, what is written can be read at once, and what
 * one end does to itself (shutdown, close) the other knows at once. So an end outlives its
 * descriptor in one case only, while it waits in a listener's queue to be accepted. The visible
 * behaviour follows Linux step by step, also in what a message costs of the writer's buffer.
 */
#ifndef TL_SIM_UNIX_H
#define TL_SIM_UNIX_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include "sim/fd.h"
#include "sim/file.h"
#include "sim/host.h"
#include "sim/packet.h"
#include "sim/segment.h"
#include "sim/world.h"

enum tl_unix_state {
    TL_UNIX_CLOSED,
    TL_UNIX_LISTENING,
    TL_UNIX_CONNECTED, /* for good, also when the peer has gone */
};

struct tl_unix {
    struct tl_descriptor descriptor; /* its item's id is the entity of all its choices */
    tl_host *host;
    uint32_t read_draws; /* of each site that it asks, the count of its own */
    uint32_t write_draws;

    uint8_t state; /* enum tl_unix_state */
    uint8_t shut;  /* TL_SHUT_*: which halves are over */
    bool reuse_address;
    bool keepalive;
    bool broadcast;
    int error;             /* pending, negative; 0: none */
    uint32_t send_room;    /* as tl_buffer_set keeps them */
    uint32_t receive_room; /* means nothing: the writer's buffer is what fills */
    uint32_t charged;      /* what is written and not read costs of the send buffer */

    struct tl_unix *peer; /* NULL also once it has gone */
    struct tl_segment_queue unread;

    bool bound;
    tl_addr name;         /* of family UNIX; without a name its len is 0 */
    tl_addr peer_name;    /* the peer's last, once it has gone */
    struct tl_list named; /* in the host's list of sockets with abstract names */
    struct tl_file *file; /* a reference of the one at its path; NULL: it has none */

    /* Listening. */
    unsigned backlog;
    unsigned waiting;         /* in the queue */
    struct tl_list queue;     /* to be accepted */
    struct tl_unix *listener; /* in whose queue it is; NULL: in none */
    struct tl_list turn;      /* its place there */

    /* Of datagrams (unix_datagram.c): peer is whom it is connected to, which may know nothing of
     * that; NULL in state CONNECTED: it has gone. */
    bool datagrams;
    struct tl_datagram_queue packets; /* unread */
    struct tl_list senders;           /* those that are connected to it */
    struct tl_list sends;             /* its place among its peer's senders */
};

static inline struct tl_unix *tl_unix_of(struct tl_descriptor *descriptor)
{
    return tl_listed(descriptor, struct tl_unix, descriptor);
}

static inline tl_world *tl_unix_world(const struct tl_unix *socket)
{
    return socket->host->world;
}

/* --- Life and bytes (unix.c) --- */

/* What they are made of; part of a world. */
void tl_unix_pool_init(struct tl_pool *pool, const tl_allocator *allocator);

/* A socket on a host; NULL when memory is out. */
struct tl_unix *tl_unix_new(tl_host *host, uint64_t entity);

/* Two that are connected and have no name. 0 or -ENOMEM. */
int tl_unix_pair_new(tl_host *host, const uint64_t entities[2], struct tl_descriptor *ret[2]);

/* Frees one that nobody has a descriptor for, without telling anybody. */
void tl_unix_free(struct tl_unix *socket);

void tl_unix_join(struct tl_unix *a, struct tl_unix *b);

/* Ends an end of a connection: the peer hears nothing more from it and can send it nothing more. If
 * it is so abrupt, or leaves something unread, the peer's next read says ECONNRESET. */
void tl_unix_part(struct tl_unix *socket, bool abrupt);

/* What a message of so many bytes costs its writer, of which some are in pages; these are full but
 * for the last one, which counts as if it were. */
uint32_t tl_unix_cost(uint32_t len, uint32_t paged);

/* --- Calls that move no bytes (unix_socket.c) --- */

extern const struct tl_socket_ops tl_unix_socket_ops;

void tl_unix_close(struct tl_descriptor *descriptor);

/* --- Datagrams (unix_datagram.c) --- */

/* A socket of datagrams on a host; NULL when memory is out. */
struct tl_unix *tl_unix_datagram_new(tl_host *host, uint64_t entity);

/* --- Names (unix_name.c) --- */

/* Gives a socket this name, or with a length of 0 an abstract one that nobody has. */
int tl_unix_name_take(struct tl_unix *socket, const tl_addr *addr);

/* The socket of the asker's kind that has this name. -ECONNREFUSED: nobody has; -EPROTOTYPE: one of
 * the other kind has, which can be of a path alone; or why the path leads nowhere. */
int tl_unix_name_find(const struct tl_unix *asker, const tl_addr *addr, struct tl_unix **ret);

/* Nobody finds the socket by its name any more. What is left of a path stays. */
void tl_unix_name_leave(struct tl_unix *socket);

#endif
