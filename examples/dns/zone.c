/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a zone answers to a question.
 */
#include <string.h>

#include "dns.h"
#include "frame.h"
#include "zone.h"

enum { CHAIN_MAX = 8 };

static void add_entry(struct dns_writer *writer, const char *owner, const struct dns_record *record)
{
    dns_writer_record(writer, owner, record->type, record->ttl, record->data, record->len,
                      record->target[0] != '\0' ? record->target : NULL);
}

static void add_soa(struct dns_writer *writer, const struct dns_zone *zone, bool as_answer)
{
    const struct dns_record *soa = zone->soa;
    if (as_answer)
        dns_writer_record(writer, soa->name, DNS_SOA, soa->ttl, soa->data, soa->len, NULL);
    else
        dns_writer_soa(writer, soa->name, soa->data, soa->len, soa->ttl);
}

/* Whether a record's name is this one, or below it: then the name is there. */
static bool is_below(const char *text, const uint8_t *name)
{
    for (;; text++) {
        if (dns_name_is(name, text))
            return true;
        text = strchr(text, '.');
        if (text == NULL)
            return false;
    }
}

static bool is_there(const struct dns_zone *zone, const uint8_t *name)
{
    for (const struct dns_record *record = zone->records; record != NULL; record = record->next)
        if (is_below(record->name, name))
            return true;
    return dns_name_is(name, zone->soa->name);
}

/* The record that makes a name an alias, or NULL. */
static const struct dns_record *alias_of(const struct dns_zone *zone, const uint8_t *name)
{
    for (const struct dns_record *record = zone->records; record != NULL; record = record->next)
        if (record->type == DNS_CNAME && dns_name_is(name, record->name))
            return record;
    return NULL;
}

static void add_type(struct dns_writer *writer, const struct dns_zone *zone, const uint8_t *name,
                     const char *owner, uint16_t type)
{
    for (const struct dns_record *record = zone->records; record != NULL; record = record->next)
        if ((record->type == type || type == DNS_ANY) && dns_name_is(name, record->name))
            add_entry(writer, owner, record);
    if (dns_name_is(name, zone->soa->name) && (type == DNS_SOA || type == DNS_ANY))
        add_soa(writer, zone, true);
}

/* Adds what there is of a type at the question's name; an alias is followed, within the zone. */
static void add_answers(struct dns_writer *writer, const struct dns_zone *zone,
                        const struct dns_query *query)
{
    uint8_t name[DNS_NAME_MAX];
    const char *owner = NULL; /* the question's name */
    const struct dns_record *alias;
    memcpy(name, query->name, query->name_len);
    for (unsigned i = 0; i < CHAIN_MAX && query->type != DNS_CNAME && query->type != DNS_ANY; i++) {
        alias = alias_of(zone, name);
        if (alias == NULL)
            break;
        add_entry(writer, owner, alias);
        owner = alias->target;
        (void)dns_name_write(name, owner);
    }
    add_type(writer, zone, name, owner, query->type);
}

size_t dns_answer(const struct dns_zone *zone, uint8_t *answer, enum dns_way way,
                  const uint8_t *query, size_t len)
{
    struct dns_query asked;
    struct dns_writer writer;
    int rcode = dns_query_parse(&asked, query, len);
    if (rcode < 0)
        return 0;
    size_t most = way == DNS_OVER_TCP ? DNS_STREAM_MAX : dns_query_room(&asked);
    dns_writer_begin(&writer, answer, most, &asked);
    if (rcode != DNS_NOERROR)
        return dns_writer_end(&writer, &asked, rcode, false);
    bool ours = dns_name_within(asked.name, zone->soa->name) &&
                (asked.class == DNS_IN || asked.class == DNS_CLASS_ANY);
    if (!ours)
        return dns_writer_end(&writer, &asked, DNS_REFUSED, false);
    add_answers(&writer, zone, &asked);
    if (writer.answers == 0 && !writer.truncated)
        add_soa(&writer, zone, false);
    rcode = is_there(zone, asked.name) ? DNS_NOERROR : DNS_NXDOMAIN;
    return dns_writer_end(&writer, &asked, rcode, true);
}
