/* SPDX-License-Identifier: Apache-2.0 */
/*
 * create_datagram_endpoint's insides: what was asked for (datagram_endpoint.c), names that are
 * looked up first (datagram_names.c), and the socket that is made of addresses (datagram_socket.c).
 */
#ifndef TL_CORE_DATAGRAM_ENDPOINT_H
#define TL_CORE_DATAGRAM_ENDPOINT_H

#include "core/datagram.h"
#include "core/resolve.h"

/* One side of an endpoint: nobody, or one of these addresses. Must not move. */
struct tl_datagram_side {
    bool wanted;
    struct tl_addresses addresses;
};

/* An endpoint that was asked for. */
struct tl_datagram_request {
    tl_loop *loop;     /* borrowed from the future */
    tl_future *future; /* borrowed */
    tl_protocol_factory factory;
    void *farg;
    enum tl_family family; /* TL_FAMILY_NONE: that of the addresses */
    bool reuse_port;
    bool allow_broadcast;
    struct tl_datagram_plan plan;
    struct tl_datagram_side local;
    struct tl_datagram_side remote;
};

/* Makes the endpoint, now that all addresses are known. Errors are the future's. */
void tl_datagram_endpoint_make(const struct tl_datagram_request *request);

/* A socket for a request, bound and connected as it wants, which is then described in *ret. Of the
 * families that have an address for each wanted side the first that will do; negative when the
 * future has been failed, by what the first one came to. */
int tl_datagram_socket(const struct tl_datagram_request *request, struct tl_datagram_plan *ret);

/* Looks up the names that these options have, then makes the endpoint; at once where they are
 * numbers. A side that has no name has the address local or remote, which may be NULL. The sides of
 * request are not looked at. Errors are the future's. */
void tl_datagram_names_start(const struct tl_datagram_request *request, const tl_addr *local,
                             const tl_addr *remote, const tl_datagram_opts *opts);

/* A side that has one address: a copy of addr, which may be NULL for none. */
void tl_datagram_side_set(struct tl_datagram_side *side, const tl_addr *addr);

#endif
