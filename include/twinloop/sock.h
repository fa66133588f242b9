/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations on sockets of the program's own, each a future (Python's loop.sock_recv and its kin).
 *
 * An operation is tried at once; only if it would block does the loop watch the socket, so one that
 * succeeds at once costs no turn. One operation may read (recv, accept) and one may write (send,
 * connect) at a time; a second one of the same direction fails with -EBUSY, and so does one where
 * tl_loop_add_reader or add_writer has a callback. Cancelling the future calls the operation off
 * and leaves the socket as it is: what was read or written before stays so, and another operation
 * may begin at once.
 *
 * Errors are the system's; also -EBUSY for a socket that a transport has, -EINVAL for one in
 * blocking mode (in debug mode alone), TL_ECLOSED. A future whose loop is closed stays pending.
 */
#ifndef TWINLOOP_SOCK_H
#define TWINLOOP_SOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <twinloop/fd.h>
#include <twinloop/future.h>
#include <twinloop/protocol.h>
#include <twinloop/tls.h>

/* Row loop.sock_recv. Results in up to count bytes (a value of kind TL_VALUE_BYTES); none at the
 * end of the stream. */
tl_future *tl_loop_sock_recv(tl_loop *loop, tl_socket socket, size_t count);

/* Row loop.sock_recv_into. The same into buf, which stays the caller's and must be there until the
 * future is done; results in how many bytes. */
tl_future *tl_loop_sock_recv_into(tl_loop *loop, tl_socket socket, void *buf, size_t len);

/* A datagram, or a piece of a stream, and where it came from. */
typedef struct tl_received {
    void *data; /* recvfrom's own; recvfrom_into's buf */
    size_t len;
    bool truncated; /* the datagram was longer */
    tl_addr from;   /* TL_FAMILY_NONE where nobody is named */
} tl_received;

/* loop.sock_recvfrom and sock_recvfrom_into of later Pythons: result in a tl_received. */
tl_future *tl_loop_sock_recvfrom(tl_loop *loop, tl_socket socket, size_t count);
tl_future *tl_loop_sock_recvfrom_into(tl_loop *loop, tl_socket socket, void *buf, size_t len);

/* What those two resulted in, or NULL; borrowed from the value, freed with it. */
const tl_received *tl_value_received(const tl_value *value);

/* Row loop.sock_sendall. Sends all of data, which must be there until the future is done; results
 * in nothing. After an error or a cancellation a part may have been sent. */
tl_future *tl_loop_sock_sendall(tl_loop *loop, tl_socket socket, const void *data, size_t len);

/* loop.sock_sendto of later Pythons. Sends one datagram to addr; data must be there until the
 * future is done. Results in how many bytes were sent. */
tl_future *tl_loop_sock_sendto(tl_loop *loop, tl_socket socket, const void *data, size_t len,
                               const tl_addr *addr);

/* Row loop.sock_connect. Results in nothing; the error's sentence names the address. After it was
 * cancelled it may be called again, and goes on with the attempt. An address of TL_FAMILY_NONE
 * parts a socket of datagrams from its peer, and is refused for any other. */
tl_future *tl_loop_sock_connect(tl_loop *loop, tl_socket socket, const tl_addr *addr);

/* The same to a host by name (NULL is the loopback) and a port, a number or a service: where they
 * are not numeric they are looked up for the socket's family and type, and the first address is
 * connected to. No other write operation may begin meanwhile, and cancelling calls the lookup off.
 * -EINVAL for a socket of the Unix domain; TL_EAI_* for a name that cannot be looked up. */
tl_future *tl_loop_sock_connect_host(tl_loop *loop, tl_socket socket, const char *host,
                                     const char *port);

/* Row loop.sock_accept. Results in the next connection and its peer, taken with
 * tl_value_take_accepted; a result that nobody takes closes it. */
tl_future *tl_loop_sock_accept(tl_loop *loop, tl_socket socket);

typedef struct tl_accepted {
    tl_socket socket;
    tl_addr addr;
} tl_accepted;

/* Moves what accept resulted in out of the value, which becomes none: 0 with *ret, whose socket is
 * the program's; -EINVAL for any other value. */
int tl_value_take_accepted(tl_value *value, tl_accepted *ret);

/* Row loop.connect_accepted_socket. Makes a transport of a stream socket that the program has
 * accepted by itself, as a server would: calls factory(farg) in the next iteration, then the
 * protocol's connection_made; results in a tl_pair, as create_connection does. Sets TCP_NODELAY.
 * tls may be NULL. The connection is no server's.
 *
 * From the call on the socket is refused to other uses (-EBUSY), does not block, and has no
 * callbacks any more. The transport closes it. If the future fails, or is cancelled before the
 * factory has been called, the socket is the program's again. -EINVAL "A Stream Socket was
 * expected" for anything else. */
tl_future *tl_loop_connect_accepted_socket(tl_loop *loop, tl_protocol_factory factory, void *farg,
                                           tl_socket socket, const tl_tls_opts *tls);

#endif
