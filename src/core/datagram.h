/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagram transports: a socket of datagrams of the loop's kernel. Made by
 * tl_loop_create_datagram_endpoint; everything else reaches them through twinloop/transport.h and
 * twinloop/datagram.h.
 */
#ifndef TL_CORE_DATAGRAM_H
#define TL_CORE_DATAGRAM_H

#include <twinloop/datagram.h>
#include "core/loop.h"
#include "core/send_queue.h"
#include "core/transport_life.h"

struct tl_datagram_transport;

/* Who makes a transport and waits for it to be made. */
struct tl_datagram_owner {
    /* connection_made has been called, the reader registered; or the loop was closed before that
     * (abandoned). The last word to the owner. */
    void (*made)(struct tl_datagram_owner *owner, bool abandoned);

    const tl_traceback *origin; /* in debug mode, where it was asked for; or NULL */
};

/* What a transport is made of, besides a socket. */
struct tl_datagram_plan {
    tl_addr remote; /* family TL_FAMILY_NONE: none */
    bool connected; /* the kernel knows the remote address */
    bool batch_sends;
    uint8_t family; /* the socket's */
    uint8_t read_batch;
};

struct tl_datagram_transport {
    tl_transport transport;
    struct tl_live live;
    struct tl_watch watch; /* its place also carries connection_made and connection_lost */
    struct tl_ready batch; /* sends what is queued, at the end of the iteration */
    struct tl_datagram_owner *owner; /* until connection_made; or NULL */
    struct tl_datagram_plan plan;
    bool flushing; /* sending what is queued: what is added has its turn later */
    struct tl_send_queue queue;
    struct tl_flow flow;      /* its size is 0 exactly while the queue is empty */
    union tl_extra_info info; /* transport.info tells of what kind */
};

/* What a queued datagram counts besides its bytes, so that empty ones count. */
enum { TL_DATAGRAM_OVERHEAD = 8 };

extern const struct tl_transport_type tl_datagram_transport_type;

static inline struct tl_datagram_transport *tl_datagram_transport_of(tl_transport *transport)
{
    return tl_container_of(transport, struct tl_datagram_transport, transport);
}

/* A transport on the socket fd, with a protocol made by factory(farg); queues connection_made.
 * Takes fd when it succeeds. *ret is borrowed from the loop. 0; -ENOMEM, also when the factory
 * returned NULL; -EINVAL when its protocol is none of datagrams. */
int tl_datagram_transport_open(tl_loop *loop, int fd, tl_protocol_factory factory, void *farg,
                               const struct tl_datagram_plan *plan, struct tl_datagram_owner *owner,
                               struct tl_datagram_transport **ret);

/* Before the loop is closed, as tl_streams_closing does. */
void tl_datagrams_closing(tl_loop *loop);

/* The transport whose place among the loop's live objects this is, or NULL. */
tl_transport *tl_datagram_transport_living(struct tl_live *live);

/* --- Between datagram.c and datagram_send.c --- */

/* Drops what is queued and queues connection_lost(error). A no-op when that has happened. */
void tl_datagram_transport_end(struct tl_datagram_transport *datagram, int error);

/* Calls connection_lost, closes the descriptor and lets go of everything. From the loop; the
 * transport may be freed memory afterwards. */
void tl_datagram_transport_finish(struct tl_datagram_transport *datagram);

/* What the kernel said against sending or receiving: an errno is told to the protocol, anything
 * else ends the transport. The caller keeps the transport alive. */
void tl_datagram_transport_failed(struct tl_datagram_transport *datagram, int error);

/* Sends what is queued, as much as the kernel takes. From the loop; the transport may be freed
 * memory afterwards. */
void tl_datagram_transport_flush(struct tl_datagram_transport *datagram);

#endif
