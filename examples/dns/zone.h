/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Zones: the records of a domain and of what is below it, as they are read from a text
 * (zone_read.c) and looked through for each question (zone.c). Meant for hundreds of records, not
 * for millions.
 */
#ifndef EXAMPLES_DNS_ZONE_H
#define EXAMPLES_DNS_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <twinloop.h>

enum {
    DNS_TEXT_MAX = 256,    /* bytes of a name in text, its NUL included */
    DNS_DATA_MAX = 16384,  /* of a record */
    DNS_ERROR_MAX = 400,   /* of what is wrong with a text */
    DNS_FILE_MAX = 1 << 18 /* of a file */
};

/* Names are in text, without a dot at the end. */
struct dns_record {
    struct dns_record *next;
    uint32_t ttl;
    uint16_t type;
    uint16_t len;              /* of data */
    char name[DNS_TEXT_MAX];   /* whose record it is */
    char target[DNS_TEXT_MAX]; /* of a CNAME or NS, whose data it is; "" in others */
    uint8_t data[];
};

/* All zero: nothing is in it. */
struct dns_zone {
    struct dns_record *soa; /* whose name is the zone's */
    struct dns_record *records;
    struct dns_record **end;
};

/* Reads a zone from a text: 0; or a negative error, with a sentence that says in which line what is
 * wrong, and an empty zone. The text has a line for each record, as zone files have them:
 *
 *     ; what is behind a semicolon does not count
 *     $ORIGIN example.org.
 *     $TTL 300
 *     @      SOA    ns hostmaster 2026112600 3600 900 604800 300
 *     @      NS     ns
 *     ns     A      192.0.2.53
 *     www    60 IN CNAME @
 *            TXT    "of the name before" "and a second string"
 *
 * A name without a dot at the end is below the origin, which "@" stands for. The SOA comes first,
 * and says what the zone is. */
int dns_zone_parse(struct dns_zone *zone, const char *text, size_t len, char *error, size_t size);

/* The same from a file, whose name is in the sentence. */
int dns_zone_load(struct dns_zone *zone, tl_loop *loop, const char *path, char *error, size_t size);

/* The text of the zone that is built in. */
extern const char dns_zone_text[];

void dns_zone_finish(struct dns_zone *zone);

#endif
