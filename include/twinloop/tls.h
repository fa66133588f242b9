/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS: what a program says of it to the calls that open streams (the ssl parameters of Python's
 * loop.create_connection, loop.create_server and their like).
 *
 * This version is built without TLS. The options have their place already, so that a program need
 * not change when it is there; who asks for TLS gets a future that has failed with -ENOSYS, "TLS is
 * not built into this version". A connection is never plain where TLS was asked for.
 */
#ifndef TWINLOOP_TLS_H
#define TWINLOOP_TLS_H

#include <stdbool.h>
#include <twinloop/loop.h>

/* Certificates, keys and rules, shared by any number of connections. */
typedef struct tl_tls_context tl_tls_context;

/* Zero is the default of every member, and all zero is a plain connection. A member without a
 * context is -EINVAL; so is a negative time. */
typedef struct tl_tls_opts {
    tl_tls_context *context;     /* NULL: no TLS, or the default context */
    bool default_context;        /* for clients, with context NULL: trust what this host trusts, and
                                verify */
    const char *server_hostname; /* for clients: whom to ask for and to verify; NULL: the host that
                                    is connected to; "": do not verify the name */
    tl_time handshake_timeout;   /* 0: 60 s */
    tl_time shutdown_timeout;    /* for the peer's part of the closing exchange; 0: 30 s */
} tl_tls_opts;

#endif
