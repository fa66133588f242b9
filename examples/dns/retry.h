/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking a question over TCP, on a connection of its own: what is done when the answer that came in
 * a datagram was cut.
 */
#ifndef EXAMPLES_DNS_RETRY_H
#define EXAMPLES_DNS_RETRY_H

#include <twinloop.h>

#include "frame.h"
#include "message.h"

/* Outlives its loop, and asks one question at a time. */
struct dns_retry {
    /* Set by who asks. told is called once, from the loop, when the connection is over: with the
     * answer, or with NULL when it came to nothing. It must not ask again at once. */
    tl_loop *loop;
    const char *host;
    uint16_t port;
    void (*told)(struct dns_retry *retry, const uint8_t *answer, size_t len);

    tl_protocol protocol;
    tl_transport *transport; /* while it is connected; or NULL */
    bool asking;             /* told is still to be called */
    bool answered;           /* the frame has the answer */
    struct dns_frame frame;
    size_t len;
    uint8_t query[2 + DNS_PLAIN_MAX]; /* behind its length */
};

/* Asks; query is copied. told is not called before this has returned. 0 or a negative error. */
int dns_retry_start(struct dns_retry *retry, const uint8_t *query, size_t len);

/* Nobody wants to know any more: ends what is under way, and frees what there is of an answer. */
void dns_retry_stop(struct dns_retry *retry);

#endif
