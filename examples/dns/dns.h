/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small authoritative DNS server over UDP and TCP, with a built-in zone, and a client that asks
 * it.
 *
 * What is answered is a pure function of the question (zone.c), so that it can be tested and fuzzed
 * by itself; the rest moves datagrams, and asks again for those that got lost.
 */
#ifndef EXAMPLES_DNS_H
#define EXAMPLES_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <twinloop.h>

#include "message.h"

/* The zone that is served. */
#define DNS_ZONE "twinloop.example"

/* How a query came, and an answer goes: that decides how long it may be. */
enum dns_way {
    DNS_OVER_UDP, /* DNS_EDNS_MAX bytes at the most */
    DNS_OVER_TCP, /* DNS_STREAM_MAX */
};

/* Writes the answer to a query into answer, which has room for as many bytes. Its length; 0 when
 * nothing is to be answered. */
size_t dns_answer(uint8_t *answer, enum dns_way way, const uint8_t *query, size_t len);

/* What the connections of a server share. */
struct dns_streams {
    tl_loop *loop;
    uint8_t *answer; /* room for one, behind its length */
};

/* A protocol for one connection; farg is a struct dns_streams. */
tl_protocol *dns_stream_factory(void *streams);

/* A whole server: serves on a numeric address until SIGTERM or SIGINT. What main should return. */
int dns_serve(const char *host, uint16_t port);

/* What a client does. */
struct dns_client_options {
    const char *host;
    uint16_t port;
    unsigned rounds; /* how often it asks everything there is to ask */
    unsigned tries;  /* how often it asks one thing before it gives up */
    bool quiet;      /* does not say how it went */
};

/* A whole client: asks, checks every answer, asks again when none comes. What main should return.
 */
int dns_ask(const struct dns_client_options *options);

/* Both in one program, as dns.c runs it and a simulated process can. */
struct example;
extern const struct example dns_example;

#endif
