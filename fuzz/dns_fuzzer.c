/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: the parsers of DNS messages and zones, and what is answered. Whatever a query is,
 * its answer can be read, repeats the question, and is no longer than the asker takes; an answer is
 * never answered.
 *
 * An input is a message, and a zone's text.
 */
#include "examples/dns/dns.h"
#include "examples/dns/frame.h"
#include "examples/dns/zone.h"

#include <stdlib.h>
#include <string.h>
#include <twinloop/assert.h>

static void check_answer(const struct dns_zone *zone, const uint8_t *answer, size_t len,
                         const struct dns_query *query)
{
    struct dns_reply reply;
    uint8_t again[DNS_EDNS_MAX];
    size_t most =
        query->edns && query->edns_size > DNS_PLAIN_MAX ? query->edns_size : DNS_PLAIN_MAX;
    TL_ASSERT(len <= most && len <= DNS_EDNS_MAX, "an answer is as short as was asked for");
    TL_ASSERT(dns_reply_parse(&reply, answer, len) == 0, "an answer can be read");
    TL_ASSERT(reply.query.id == query->id, "an answer has the query's id");
    TL_ASSERT(reply.query.name_len == query->name_len &&
                  memcmp(reply.query.name, query->name, query->name_len) == 0,
              "an answer has the query's name");
    TL_ASSERT(!reply.truncated || reply.answers == 0, "what is cut is cut off");
    TL_ASSERT(dns_answer(zone, again, DNS_OVER_UDP, answer, len) == 0, "an answer is not answered");
}

/* Over TCP there is room for everything. */
static void check_whole_answer(const struct dns_zone *zone, const uint8_t *message, size_t size,
                               const struct dns_query *query)
{
    struct dns_reply reply;
    uint8_t *answer = malloc(DNS_STREAM_MAX);
    TL_ASSERT(answer != NULL, "there is memory");
    size_t len = dns_answer(zone, answer, DNS_OVER_TCP, message, size);
    TL_ASSERT(len > 0 && dns_reply_parse(&reply, answer, len) == 0, "a whole answer can be read");
    TL_ASSERT(reply.query.id == query->id && !reply.truncated, "a whole answer is not cut");
    free(answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dns_query query;
    struct dns_reply reply;
    struct dns_zone zone;
    uint8_t answer[DNS_EDNS_MAX];
    char error[DNS_ERROR_MAX];
    /* In memory of its own, whose end is watched. */
    uint8_t *message = malloc(size > 0 ? size : 1);
    TL_ASSERT(message != NULL, "there is memory");
    if (size > 0)
        memcpy(message, data, size);
    (void)dns_reply_parse(&reply, message, size);
    if (dns_zone_parse(&zone, (const char *)message, size, error, sizeof error) == 0)
        dns_zone_finish(&zone);
    TL_ASSERT(dns_zone_parse(&zone, dns_zone_text, strlen(dns_zone_text), error, sizeof error) == 0,
              "the zone that is built in can be read");
    int rcode = dns_query_parse(&query, message, size);
    size_t len = dns_answer(&zone, answer, DNS_OVER_UDP, message, size);
    TL_ASSERT((len > 0) == (rcode >= 0), "a query is answered, and nothing else");
    if (len > 0) {
        check_answer(&zone, answer, len, &query);
        check_whole_answer(&zone, message, size, &query);
    }
    dns_zone_finish(&zone);
    free(message);
    return 0;
}
