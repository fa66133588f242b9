/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names and addresses (Python's loop.getaddrinfo and loop.getnameinfo).
 *
 * Lookups go to the system's resolver on threads of their own, in the simulator to the world's
 * table of names (tl_world_name_add), in a replay to the trace. They fail with TL_EAI_* codes.
 */
#ifndef TWINLOOP_RESOLVE_H
#define TWINLOOP_RESOLVE_H

#include <stddef.h>
#include <twinloop/future.h>
#include <twinloop/net.h>
#include <twinloop/value.h>

/* Flags of getaddrinfo, with the meaning of AI_PASSIVE and so on. */
enum {
    TL_AI_PASSIVE = 1, /* no host: every interface, instead of the loopback */
    TL_AI_CANONNAME = 2,
    TL_AI_NUMERICHOST = 4,
    TL_AI_V4MAPPED = 8, /* TL_FAMILY_INET6: without addresses of IPv6, those of IPv4 mapped */
    TL_AI_ALL = 16,     /* with V4MAPPED: both */
    TL_AI_ADDRCONFIG = 32,
    TL_AI_NUMERICSERV = 64,
};

/* Flags of getnameinfo, with the meaning of NI_NUMERICHOST and so on. */
enum {
    TL_NI_NUMERICHOST = 1,
    TL_NI_NUMERICSERV = 2,
    TL_NI_NOFQDN = 4,
    TL_NI_NAMEREQD = 8,
    TL_NI_DGRAM = 16,
};

/* Types of sockets as lookups name them: enum tl_socket_type, and one that no kernel makes. */
enum { TL_RAW = 3 };

/* What getaddrinfo is to restrict its answers to; zero is no restriction. */
typedef struct tl_addrinfo_hints {
    int family;     /* enum tl_family */
    int type;       /* enum tl_socket_type, TL_RAW */
    int protocol;   /* 6 is TCP, 17 is UDP */
    unsigned flags; /* TL_AI_* */
} tl_addrinfo_hints;

/* One answer. */
typedef struct tl_addrinfo {
    tl_addr addr; /* with the port that the service stands for */
    int type;
    int protocol;
    const char *canonname; /* "" where there is none, as in all but the first */
} tl_addrinfo;

typedef struct tl_nameinfo {
    const char *host;
    const char *service;
} tl_nameinfo;

/* Row loop.getaddrinfo. What host and service stand for, in the resolver's order. service is a
 * decimal number or a name; either may be NULL, not both. hints may be NULL. Fails with TL_EAI_*;
 * cancelling gives the lookup up. In debug mode the log is told how long it took. */
tl_future *tl_loop_getaddrinfo(tl_loop *loop, const char *host, const char *service,
                               const tl_addrinfo_hints *hints);

/* The answers in a finished getaddrinfo's result; borrowed from the value, freed with it. NULL, and
 * a count of 0, for another value. */
const tl_addrinfo *tl_value_addrinfo(const tl_value *value, size_t *ret_count);

/* Row loop.getnameinfo. The names of an address (IPv4 or IPv6) and its port. flags: TL_NI_*. */
tl_future *tl_loop_getnameinfo(tl_loop *loop, const tl_addr *addr, unsigned flags);

/* The names in a finished getnameinfo's result, or NULL; borrowed from the value. */
const tl_nameinfo *tl_value_nameinfo(const tl_value *value);

#endif
