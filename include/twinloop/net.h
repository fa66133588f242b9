/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses, servers and connections (Python's loop.create_server, loop.create_connection).
 *
 * Both calls return a future. A connection's result is a tl_pair; a server's is a tl_server. What
 * is not numeric of hosts and ports is looked up as tl_loop_getaddrinfo does, so that a lookup's
 * error (TL_EAI_*) may be the future's.
 */
#ifndef TWINLOOP_NET_H
#define TWINLOOP_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <twinloop/loop.h>
#include <twinloop/protocol.h>
#include <twinloop/tls.h>
#include <twinloop/transport.h>

/* --- Addresses
 * ------------------------------------------------------------------------------------- */

enum tl_family {
    TL_FAMILY_NONE = 0,
    TL_FAMILY_INET = 4,
    TL_FAMILY_INET6 = 6,
    TL_FAMILY_UNIX = 1,
};

/* An address in one form for every family and CPU. Unused bytes are zero, so two equal addresses
 * are equal memory. */
typedef struct tl_addr {
    uint8_t family; /* enum tl_family */
    uint8_t len; /* TL_FAMILY_UNIX: bytes of data in use, an abstract name's leading NUL included */
    uint16_t port;     /* host byte order */
    uint32_t scope;    /* TL_FAMILY_INET6: the interface, 0 for none */
    uint8_t data[108]; /* 4, 16 or len bytes */
} tl_addr;

#define TL_ADDR_TEXT_MAX 128

/* Parses "127.0.0.1", "::1", "fe80::1%2" (a numeric scope). 0, or -EINVAL with *ret untouched. */
int tl_addr_parse(const char *host, uint16_t port, tl_addr *ret);

/* Writes "127.0.0.1:80", "[::1]:80", "unix:/path" or "unix:@name", cut to fit; returns text. */
const char *tl_addr_format(const tl_addr *addr, char *text, size_t size);

bool tl_addr_equal(const tl_addr *a, const tl_addr *b);

/* --- Servers
 * --------------------------------------------------------------------------------------- */

typedef struct tl_server tl_server;
struct tl_socket;

/* Zero is the default of every member. */
typedef struct tl_server_opts {
    int family;            /* enum tl_family: what hosts are restricted to */
    unsigned flags;        /* TL_AI_*, for looking hosts up; TL_AI_PASSIVE always is one */
    int backlog;           /* listen's, and the accepts per readiness; 0 is 100 */
    bool no_reuse_address; /* SO_REUSEADDR is set unless this is */
    bool reuse_port;       /* SO_REUSEPORT, off by default */
    bool defer_serving;    /* do not listen until tl_server_start_serving */
    tl_tls_opts tls;       /* of every connection; see tls.h */

    /* A bound stream socket of the program's own (fd.h) to serve on, instead of hosts and port. It
     * is the server's from the call on, closed with it, also when the future is cancelled; unless
     * the future fails. */
    const struct tl_socket *sock;
} tl_server_opts;

/* Row loop.create_server. Looks the hosts up, unless they are numeric (NULL or "" is every
 * interface, IPv4 and IPv6, and so is no host at all), binds a socket to each of their addresses,
 * once, and to port, a decimal number or a service's name (NULL, "" or "0": each socket gets a free
 * one of its own), listens, and calls factory(farg) for every connection accepted. Sockets of IPv6
 * are for IPv6 alone; a family that this host does not have, or has turned off, is left out if
 * another address remains. The result is a tl_server object, an iteration later. What fails, a
 * lookup or a bind, closes what was made; bind's message names the address. Neither host nor port
 * nor opts->sock is -EINVAL, and so is that with either of these. opts may be NULL.
 *
 * Connections have TCP_NODELAY. One whose factory returns NULL is closed, of which the exception
 * handler hears in debug mode alone. When accept fails for want of descriptors or memory, or for a
 * reason that will not go away by itself, the handler is told, with the listener's address, and the
 * listener rests for a second. */
tl_future *tl_loop_create_server(tl_loop *loop, tl_protocol_factory factory, void *farg,
                                 const char *const *hosts, size_t hosts_count, const char *port,
                                 const tl_server_opts *opts);

/* The server in a finished create_server's result, or NULL; borrowed from the value. */
tl_server *tl_value_server(const tl_value *value);

/* Starts listening; 0 also when it already does; TL_ECLOSED after close. */
int tl_server_start_serving(tl_server *server);

/* Stops listening and closes the listeners. Connections stay as they are. Idempotent. */
void tl_server_close(tl_server *server);

/* Closes (tl_transport_close), or aborts, every connection of this server. */
void tl_server_close_clients(tl_server *server);
void tl_server_abort_clients(tl_server *server);

/* A future that is done when the server is closed and its last connection lost. Pending for ever
 * when its loop is closed first. */
tl_future *tl_server_wait_closed(tl_server *server);

/* Starts serving, and returns a future that only ends by being cancelled: cancelling it closes the
 * server. It is cancelled, also when the server is closed otherwise, once the last connection is
 * lost; at once if it is cancelled when the server is closed already. Fails with -EALREADY while
 * there is another one, with TL_ECLOSED after close. */
tl_future *tl_server_serve_forever(tl_server *server);

tl_loop *tl_server_get_loop(const tl_server *server); /* borrowed */
bool tl_server_is_serving(const tl_server *server);
size_t tl_server_sockets_count(const tl_server *server); /* 0 after close */

/* The address that listener number index is bound to. 0, or -EINVAL beyond the last. */
int tl_server_address(const tl_server *server, size_t index, tl_addr *ret);

tl_server *tl_server_ref(tl_server *server);
void tl_server_unref(tl_server *server); /* NULL is allowed; the loop keeps an open server */

/* --- Connections
 * ----------------------------------------------------------------------------------- */

/* Zero is the default of every member. */
typedef struct tl_connection_opts {
    /* What the host's addresses are restricted to, as for tl_loop_getaddrinfo. */
    int family; /* enum tl_family */
    int protocol;
    unsigned flags; /* TL_AI_* */

    /* Bind to an address of this host or port first; NULL and 0: do not. Of several addresses the
     * first one of the same family that can be bound to. NULL with a port is the loopback. */
    const char *local_host;
    uint16_t local_port;

    /* "Happy eyeballs", RFC 8305: the next address is tried when the last one has failed, or when
     * it has been tried for this long; 250 ms is recommended. 0: only when it has failed. */
    tl_time happy_eyeballs_delay;

    /* "First address family count": how many addresses of the first family come first, before the
     * families take turns. 0: 1 with happy eyeballs, otherwise the resolver's order. Negative: the
     * resolver's order. */
    int interleave;

    /* When no address could be connected to, the future's error is "create_connection failed" with
     * the first one's code, and has every attempt's error behind it in a chain of causes. Otherwise
     * a single error, or the first when all say the same, is the future's; of others one that
     * quotes them all, in the order in which the attempts began, with the first one's code. */
    bool all_errors;

    tl_tls_opts tls; /* see tls.h */

    /* A connected stream socket of the program's own (fd.h), instead of host and port: what comes
     * then, and whose it is, is as for tl_loop_connect_accepted_socket (sock.h). */
    const struct tl_socket *sock;
} tl_connection_opts;

/* What a connection's future results in. Holds a reference of the transport and keeps the protocol
 * from being released. */
typedef struct tl_pair {
    tl_transport *transport;
    tl_protocol *protocol;
} tl_pair;

/* Row loop.create_connection. Looks up host (NULL is the loopback) and port (a decimal number or a
 * service's name; NULL or "" is 0), one of which is needed, unless both are numeric; connects to
 * the first of the addresses that can be connected to; sets TCP_NODELAY, then calls factory(farg)
 * and the protocol's connection_made; the future is done after that. Cancelling the future closes
 * every socket. A factory that returns NULL fails it with -ENOMEM. Host or port together with
 * opts->sock is -EINVAL. opts may be NULL. */
tl_future *tl_loop_create_connection(tl_loop *loop, tl_protocol_factory factory, void *farg,
                                     const char *host, const char *port,
                                     const tl_connection_opts *opts);

/* The pair in a finished create_connection's result, or NULL; borrowed from the value, freed with
 * it. */
const tl_pair *tl_value_pair(const tl_value *value);

#endif
