/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagrams (Python's loop.create_datagram_endpoint and DatagramTransport).
 *
 * An endpoint is a socket of datagrams with a transport and a protocol. It has no connection that
 * could be lost: connection_made comes first, then any number of datagram_received and
 * error_received, and connection_lost only after close, abort, or the end of the kernel's patience.
 *
 * Datagrams may get lost, come twice and overtake each other, and nobody says so.
 */
#ifndef TWINLOOP_DATAGRAM_H
#define TWINLOOP_DATAGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <twinloop/fd.h>
#include <twinloop/loop.h>
#include <twinloop/net.h>
#include <twinloop/protocol.h>
#include <twinloop/transport.h>

/* How many datagrams are asked of the kernel at once, at most, and so by default. */
#define TL_DATAGRAM_READ_BATCH_MAX 16

/* Zero is the default of every member. */
typedef struct tl_datagram_opts {
    enum tl_family family; /* of the socket, where no address says it; all addresses are of it */

    /* Names, as tl_loop_create_connection takes them, instead of the address of a side: either is
     * enough, the port may be a number or a service. The local side is looked up first. The socket
     * is of the first family in which both sides have an address (asked for ones, that is), and the
     * next one's when that one cannot be bound or connected; within a family the resolver's first
     * address is used. */
    const char *local_host;
    const char *local_port;
    const char *remote_host;
    const char *remote_port;
    unsigned flags; /* TL_AI_* (resolve.h), for these names */

    bool reuse_port;       /* SO_REUSEPORT */
    bool allow_broadcast;  /* SO_BROADCAST; a remote address is then where sendto goes by default,
                              and datagrams from everywhere are received */
    bool batch_sends;      /* what is sent leaves at the end of the loop's iteration, together */
    unsigned read_batch;   /* datagrams asked of the kernel at once; 0: TL_DATAGRAM_READ_BATCH_MAX
                            */
    const tl_socket *sock; /* a socket of datagrams to be used instead of a new one, which the
                              transport then closes; no address, nor any option above batch_sends,
                              may be given too */
} tl_datagram_opts;

/* Row loop.create_datagram_endpoint. A socket bound to local, if that is not NULL, and connected to
 * remote, if that is not NULL: then sendto needs no address, and only what comes from there is
 * received. Either side may be given by name in opts instead. Without any the family has to be
 * given, and the socket is bound when it first sends. A socket of the Unix domain that was left at
 * the local path is removed first.
 *
 * Unless a name has to be looked up first, the socket is made and factory(farg) called before this
 * returns. Then connection_made is called from the loop, and reading begins; then the future is
 * done, with a tl_pair. Errors: -EINVAL for arguments that do not fit together and for sides that
 * have no family in common, TL_EAI_* for names, -ENOMEM also when the factory returns NULL, else
 * the kernel's, with a message that names the address: the first family's, if several were tried.
 * Cancelling closes what there is. opts may be NULL. */
tl_future *tl_loop_create_datagram_endpoint(tl_loop *loop, tl_protocol_factory factory, void *farg,
                                            const tl_addr *local, const tl_addr *remote,
                                            const tl_datagram_opts *opts);

/* Row DatagramTransport.sendto. Sends one datagram, which may be empty, or queues a copy while the
 * kernel takes none: 8 bytes more than it has count for the water marks. addr is where to; NULL (or
 * one without a family, or the same) for an endpoint with a remote address. 0; TL_ECLOSED when
 * closing: the datagram is dropped, from the fifth time on with a warning in the log;
 * -EDESTADDRREQ without any address; -EINVAL for another than the remote one; -ENOMEM when it
 * cannot be queued. What the kernel says against it (-EMSGSIZE, -ECONNREFUSED for an earlier one,
 * ...) is not returned: error_received is called with it, inside this call, and the datagram is
 * dropped. */
int tl_datagram_transport_sendto(tl_transport *transport, const void *data, size_t len,
                                 const tl_addr *addr);

/* Row DatagramTransport.abort. Closes without sending what is queued; connection_lost(NULL)
 * follows. Idempotent. */
void tl_datagram_transport_abort(tl_transport *transport);

#endif
