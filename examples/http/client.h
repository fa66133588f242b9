/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client half: connections that ask for files and parts of files, several requests ahead, and
 * check every answer against what must be in it, byte for byte.
 *
 * The server must have the files of files.h (its option --make-files). A connection that breaks is
 * made again, if that is allowed, and goes on with the first request that was not answered in full;
 * what had come of the answer must have been right too.
 */
#ifndef EXAMPLES_HTTP_CLIENT_H
#define EXAMPLES_HTTP_CLIENT_H

#include <stdint.h>

struct http_client_options {
    const char *host; /* numeric */
    uint64_t port;
    uint64_t connections; /* at least 1 */
    uint64_t requests;    /* of each */
    uint64_t depth;       /* requests under way on each, at least 1 */
    uint64_t tries;       /* how often a connection may break */
    uint64_t seed;        /* which requests */
};

struct http_client_report {
    char problem[256]; /* what was wrong first; "": nothing */
    uint64_t answers;  /* checked */
    uint64_t bytes;    /* of files, checked */
};

/* Runs a client on a loop of its own. 0, or -1 with a problem in the report. */
int http_client_run(const struct http_client_options *options, struct http_client_report *ret);

#endif
