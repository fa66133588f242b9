/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DNS messages (RFC 1035, EDNS of RFC 6891) as bytes: a query taken apart, an answer put together.
 * Pure functions over memory of the caller's: nothing here knows of sockets or time.
 */
#ifndef EXAMPLES_DNS_MESSAGE_H
#define EXAMPLES_DNS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dns_type {
    DNS_A = 1,
    DNS_NS = 2,
    DNS_CNAME = 5,
    DNS_SOA = 6,
    DNS_TXT = 16,
    DNS_AAAA = 28,
    DNS_OPT = 41,
    DNS_ANY = 255,
};

enum dns_class { DNS_IN = 1, DNS_CLASS_ANY = 255 };

enum dns_rcode {
    DNS_NOERROR = 0,
    DNS_FORMERR = 1,
    DNS_NXDOMAIN = 3,
    DNS_NOTIMP = 4,
    DNS_REFUSED = 5,
    DNS_BADVERS = 16, /* needs EDNS to be said */
};

enum {
    DNS_HEADER = 12,     /* bytes */
    DNS_NAME_MAX = 255,  /* bytes of a name, the last empty label included */
    DNS_PLAIN_MAX = 512, /* of an answer over UDP to who does not say that it takes more */
    DNS_EDNS_MAX = 1232, /* and to who does: what surely travels in one piece */
};

/* A question, and what else matters in its message. */
struct dns_query {
    uint16_t id;
    uint16_t flags;
    uint16_t type;
    uint16_t class;
    uint8_t name[DNS_NAME_MAX]; /* labels, each behind its length, an empty one at the end */
    size_t name_len;            /* 0: there is no question that could be repeated */
    bool edns;
    uint8_t edns_version;
    uint16_t edns_size; /* of answers that the asker takes */
};

/* Takes a query apart. An enum dns_rcode to answer with, DNS_NOERROR when all is well; negative:
 * this is no query, and nothing must be answered. */
int dns_query_parse(struct dns_query *query, const uint8_t *data, size_t len);

/* Writes a query with an id for a name in text ("www.example", "." for the root). Its length, or 0
 * for what is no name. size is at least DNS_PLAIN_MAX; edns_size 0: without EDNS. */
size_t dns_query_write(uint8_t *data, uint16_t id, const char *name, uint16_t type,
                       uint16_t edns_size);

/* Whether a name in labels is this one in text, letters of both cases being the same. */
bool dns_name_is(const uint8_t *name, const char *text);

/* Whether it is this one, or below it. */
bool dns_name_within(const uint8_t *name, const char *text);

/* An answer being written. What does not fit is left out as a whole, and the answer says so. */
struct dns_writer {
    uint8_t *data;
    size_t len;
    size_t most; /* bytes it may have */
    uint16_t answers;
    uint16_t authorities;
    bool truncated;
    size_t question_end; /* what is truncated is cut back to */
};

/* How long an answer over UDP may be. */
size_t dns_query_room(const struct dns_query *query);

/* Begins an answer to a query, in data of so many bytes. */
void dns_writer_begin(struct dns_writer *writer, uint8_t *data, size_t most,
                      const struct dns_query *query);

/* Adds a record in front of whose data goes its length; owner NULL: the question's name. name, in
 * text, follows the data if it is not NULL. */
void dns_writer_record(struct dns_writer *writer, const char *owner, uint16_t type, uint32_t ttl,
                       const void *data, size_t len, const char *name);

/* The zone's SOA, in the authority section. */
void dns_writer_soa(struct dns_writer *writer, const char *zone, const void *data, size_t len,
                    uint32_t ttl);

/* Completes the answer; its length. */
size_t dns_writer_end(struct dns_writer *writer, const struct dns_query *query, int rcode,
                      bool authoritative);

/* --- For who asks --- */

/* What an answer says. */
struct dns_reply {
    struct dns_query query; /* its question, and its flags */
    int rcode;
    bool truncated;
    bool authoritative;
    uint16_t answers;
    uint16_t first_type;      /* of the first answer; 0: there is none */
    uint16_t last_type;       /* of the last */
    const uint8_t *last_data; /* the last answer's, inside the message */
    uint16_t last_len;
};

/* 0, or -1 for what is no whole answer to one question. */
int dns_reply_parse(struct dns_reply *reply, const uint8_t *data, size_t len);

/* Names in text become labels: how many bytes, at most DNS_NAME_MAX, or 0 for what is none. */
size_t dns_name_write(uint8_t *name, const char *text);

#endif
