/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client half: connections that pipeline commands and check every answer against a model.
 *
 * Several clients may work on one server at once; each says how many there are. When all of them
 * are done, each checks that the shared counters hold the sum of what all of them did.
 */
#ifndef EXAMPLES_KV_CLIENT_H
#define EXAMPLES_KV_CLIENT_H

#include <stddef.h>
#include <stdint.h>

struct kv_client_options {
    const char *host; /* numeric */
    uint64_t port;
    uint64_t connections; /* at least 1 */
    uint64_t commands;    /* of each connection */
    uint64_t depth;       /* commands under way on each connection, at least 1 */
    uint64_t think_ms;    /* how long a connection sometimes waits in between, at most; 0: never */
    uint64_t slow;      /* large replies that one more connection does not read; 0: there is none */
    uint64_t seed;      /* which commands */
    const char *prefix; /* of every key; at most KV_PREFIX_MAX characters */
    uint64_t client;    /* this one's number, below clients */
    uint64_t clients;   /* with 1 it first deletes what an earlier run left under the prefix */
};

/* How it went. */
struct kv_client_report {
    char problem[400]; /* what was wrong first; "": nothing */
    uint64_t answers;  /* checked */
};

/* Runs a client on a loop of its own, from connecting to the end of the last connection. 0, or -1
 * with a problem in the report. */
int kv_client_run(const struct kv_client_options *options, struct kv_client_report *ret);

#endif
