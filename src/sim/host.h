/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hosts: their addresses, who holds which of their ports, and the links between them.
 */
#ifndef TL_SIM_HOST_H
#define TL_SIM_HOST_H

#include <stdbool.h>
#include <stdint.h>
#include <twinloop/world.h>
#include "sim/address.h"
#include "sim/list.h"

struct tl_endpoint;
struct tl_file;

/* A port that somebody holds. */
struct tl_port {
    struct tl_port *next; /* in its bucket */
    uint16_t number;
    struct tl_list holders;   /* every socket bound to it, accepted ones included */
    struct tl_list listeners; /* of these, the ones that listen; first the one that has longest */
};

/* The ports of one kind that are held on a host. */

struct tl_ports {
    struct tl_port **buckets; /* a hash table with chains; NULL: none held yet */
    size_t buckets_count;
    size_t count;
    uint16_t next_ephemeral;
};

struct tl_host {
    tl_world *world;
    tl_host *next;
    char *name;
    char text[64]; /* its address */
    struct tl_ip ip;
    struct tl_ip other; /* of the other family, if has_other */
    bool has_other;
    uint64_t entity;
    unsigned processes_count;       /* ever made */
    struct tl_ports ports;          /* TCP's */
    struct tl_ports datagram_ports; /* UDP's */
    uint64_t datagram_changes;      /* counts what may change who gets a datagram */
    struct tl_list unix_names;      /* sockets with abstract names */
    uint32_t next_unix_name;        /* of those that the system makes up */
    struct tl_file *root;           /* of its files; NULL: never looked at */
    uint64_t files_count;           /* ever made */
};

/* How bytes travel between two hosts, or within one. */
struct tl_link {
    struct tl_link *next;
    const tl_host *a;
    const tl_host *b;
    tl_time latency;
    uint32_t buffer_bytes;
};

/* As they were when they were added, in a world without processes and sockets. */
void tl_hosts_reset(tl_world *world);
void tl_hosts_finish(tl_world *world);

/* The host that a connect from this host to ip reaches, or NULL. */
tl_host *tl_host_find(tl_host *host, const struct tl_ip *ip);

/* This host's own address of a family, or NULL. */
const struct tl_ip *tl_host_own(const tl_host *host, bool v4);

/* Whether ip is one of this host's own, the loopback not counted. */
bool tl_host_owns(const tl_host *host, const struct tl_ip *ip);

/* Whether ip is here: this host's own, of its loopback, or nowhere in particular. */
bool tl_host_has(const tl_host *host, const struct tl_ip *ip);

/* Whether a socket of this host may be bound to an IP address. Linux lets it be bound to one that
 * is nobody's in particular, where it hears nothing else. -EADDRNOTAVAIL; -EINVAL, -ENODEV for a
 * scope that is missing or names nothing. */
int tl_host_check_local(const tl_host *host, const tl_addr *addr, bool stream);

/* Whether an IP address's scope is one through which it can be reached: -ENETUNREACH. That there is
 * none keeps nobody from sending there, but from connecting: -EINVAL. */
int tl_host_check_scope(const tl_addr *addr, bool connect);

/* Whether what goes from source to ip would leave this host from an address of its loopback, which
 * IPv4 refuses and IPv6 loses. */
bool tl_host_confines(const tl_host *host, const struct tl_ip *source, const struct tl_ip *ip);

/* Where what is sent to an address goes by a socket that is bound to local: nowhere in particular
 * means here, in IPv4 also for who is bound to an address of IPv4 in IPv6's clothes; in IPv4's own
 * words, the very address that it is bound to. */
struct tl_ip tl_host_destination(const struct tl_ip *local, const tl_addr *addr);

/* The address from which a socket of this host that is bound to local sends to ip: its host's, if
 * that is everybody's. -ENETUNREACH; -EAFNOSUPPORT to IPv6 from IPv4 in its clothes. */
int tl_host_source(const tl_host *host, const struct tl_ip *local, const struct tl_ip *ip,
                   struct tl_ip *ret);

/* The link in force between two hosts, by value. */
struct tl_link tl_link_between(const tl_world *world, const tl_host *a, const tl_host *b);

/* --- Ports (port.c) --- */

/* The record of a port that somebody holds, or NULL. */
struct tl_port *tl_port_find(const struct tl_ports *ports, uint16_t number);

/* The same, made if there is none; NULL when memory is out. */
struct tl_port *tl_port_get(tl_host *host, struct tl_ports *ports, uint16_t number);

/* Frees the record if nobody holds the port any more. */
void tl_port_put(tl_host *host, struct tl_ports *ports, struct tl_port *port);

/* Makes a socket a holder of the port, its local one. 0 or -ENOMEM. */
int tl_port_hold(struct tl_endpoint *endpoint, uint16_t number);

/* Gives the port up; a no-op for one that holds none. */
void tl_port_release(struct tl_endpoint *endpoint);

/* Picks a port that nobody holds. -EADDRINUSE. */
int tl_port_pick(struct tl_ports *ports);

/* Whether somebody's hold of the port forbids this socket to be bound to its local address there.
 */
bool tl_port_conflicts(const struct tl_endpoint *endpoint, uint16_t number);

/* The socket that listens for connections to this address, or NULL. */
struct tl_endpoint *tl_port_listener(tl_host *host, const struct tl_ip *ip, uint16_t number);

#endif
