/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two datagram endpoints in one loop, for tests of datagram transports.
 *
 * Each is a struct party: a protocol that writes down what it is told, in a log of its own ("made
 * (hello) error:EMSGSIZE lost released"), and does what the test's deeds say. They send to each
 * other on 127.0.0.1, where nothing is lost as long as few datagrams are under way.
 */
#ifndef TL_TESTS_PARTY_H
#define TL_TESTS_PARTY_H

#include <stdbool.h>
#include <twinloop.h>
#include "support/contract.h"

struct party;

/* What a party does besides logging. NULL: nothing. */
struct deeds {
    int (*made)(struct party *party);
    int (*received)(struct party *party, const char *data, size_t len, const tl_addr *from);
    int (*error)(struct party *party, int code);
    int (*resume)(struct party *party);
};

struct party {
    tl_protocol protocol;
    tl_loop *loop;
    struct deeds deeds;
    tl_transport *transport; /* a reference, from connection_made on */
    tl_addr addr;            /* its own */
    char log[2048];
    int received; /* datagrams */
    int awaited;  /* the loop stops when received comes to this; 0: it does not */
    bool stop_at_end;
    int counted; /* of those received, up to the end of the last batch */
    bool in_batch;
};

/* Its farg is the party, all zero but for the deeds. */
tl_protocol *party_factory(void *farg);

/* Adds to the log, separated by a space. */
void party_note(struct party *party, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Makes an endpoint and waits for it: what the future said. */
int party_open(struct party *party, tl_loop *loop, const tl_addr *local, const tl_addr *remote,
               const tl_datagram_opts *opts);

int party_send(struct party *party, const char *text, const tl_addr *addr);

/* Runs until a party has received so many. */
void party_await(struct party *party, int count);

/* Runs until connection_lost. */
void party_await_end(struct party *party);

struct parties {
    tl_loop *loop;
    struct party one;
    struct party two;
    char errors[1024]; /* what the exception handler was told: "message: CODE" one a line */
    tl_timer_handle *guard;
};

/* A loop without parties yet. */
void parties_open_loop(struct parties *parties, struct contract *contract);

/* A loop with two endpoints on free ports of 127.0.0.1; the first has these options. */
void parties_open(struct parties *parties, struct contract *contract, const tl_datagram_opts *opts);

void parties_close(struct parties *parties);

/* One iteration; false when memory is out. */
void loop_turn(tl_loop *loop);
bool loop_try_turn(tl_loop *loop);

/* An address in digits. */
tl_addr numeric(const char *host, uint16_t port);

#endif
