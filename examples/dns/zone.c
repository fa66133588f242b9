/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The zone, and what it answers to a question.
 */
#include <string.h>

#include "dns.h"
#include "frame.h"

enum { TTL = 300, CHAIN_MAX = 8 };

struct entry {
    const char *name;
    enum dns_type type;
    const void *data;
    uint16_t len;
    const char *target; /* of a CNAME or NS */
    uint16_t times;     /* so many records whose last byte counts up; 0: one */
};

#define TEXT(text) text, sizeof(text) - 1
#define LINE                                                                                       \
    "\x3f"                                                                                         \
    "A line of sixty-three characters, which is as many as fit in..."
#define LINES LINE LINE LINE LINE LINE LINE LINE LINE

/* Names and addresses are those that are set aside for examples (RFC 2606, 5737, 3849). */
static const struct entry entries[] = {
    {DNS_ZONE, DNS_NS, TEXT(""), "ns." DNS_ZONE, 0},
    {DNS_ZONE, DNS_A, TEXT("\xc0\x00\x02\x01"), NULL, 0},
    {DNS_ZONE, DNS_AAAA, TEXT("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"), NULL, 0},
    {DNS_ZONE, DNS_TXT,
     TEXT("\x13"
          "a loop and its twin"),
     NULL, 0},
    {"ns." DNS_ZONE, DNS_A, TEXT("\xc0\x00\x02\x35"), NULL, 0},
    {"www." DNS_ZONE, DNS_CNAME, TEXT(""), DNS_ZONE, 0},
    {"alias." DNS_ZONE, DNS_CNAME, TEXT(""), "www." DNS_ZONE, 0},
    {"outside." DNS_ZONE, DNS_CNAME, TEXT(""), "elsewhere.example", 0},
    {"circle." DNS_ZONE, DNS_CNAME, TEXT(""), "circle." DNS_ZONE, 0},
    {"many." DNS_ZONE, DNS_A, TEXT("\xc6\x33\x64\x00"), NULL, 40}, /* more than 512 bytes */
    {"long." DNS_ZONE, DNS_TXT, TEXT(LINES LINES LINES), NULL, 0}, /* more than a datagram has */
    {"deep.down." DNS_ZONE, DNS_A, TEXT("\xc0\x00\x02\x0a"), NULL, 0},
};

enum { ENTRIES = sizeof entries / sizeof *entries };

/* The names in labels, then serial, refresh, retry, expire and minimum. */
static const char soa[] = "\x02ns\x08twinloop\x07"
                          "example\0"
                          "\x0ahostmaster\x08twinloop\x07"
                          "example\0"
                          "\x78\xbf\x9a\x41"
                          "\0\0\x0e\x10"
                          "\0\0\x03\x84"
                          "\0\x09\x3a\x80"
                          "\0\0\x01\x2c";

static void add_entry(struct dns_writer *writer, const char *owner, const struct entry *entry)
{
    uint8_t data[4];
    if (entry->times == 0)
        dns_writer_record(writer, owner, entry->type, TTL, entry->data, entry->len, entry->target);
    for (uint16_t i = 0; i < entry->times; i++) {
        memcpy(data, entry->data, sizeof data);
        data[3] = (uint8_t)(data[3] + i + 1);
        dns_writer_record(writer, owner, entry->type, TTL, data, sizeof data, NULL);
    }
}

static void add_soa(struct dns_writer *writer, bool as_answer)
{
    if (as_answer)
        dns_writer_record(writer, DNS_ZONE, DNS_SOA, TTL, soa, sizeof soa - 1, NULL);
    else
        dns_writer_soa(writer, DNS_ZONE, soa, sizeof soa - 1, TTL);
}

/* Whether an entry's name is this one, or below it: then the name is there. */
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

static bool is_there(const uint8_t *name)
{
    for (unsigned i = 0; i < ENTRIES; i++)
        if (is_below(entries[i].name, name))
            return true;
    return false;
}

/* The entry that makes a name an alias, or NULL. */
static const struct entry *alias_of(const uint8_t *name)
{
    for (unsigned i = 0; i < ENTRIES; i++)
        if (entries[i].type == DNS_CNAME && dns_name_is(name, entries[i].name))
            return &entries[i];
    return NULL;
}

static void add_type(struct dns_writer *writer, const uint8_t *name, const char *owner,
                     uint16_t type)
{
    for (unsigned i = 0; i < ENTRIES; i++)
        if (dns_name_is(name, entries[i].name) && (entries[i].type == type || type == DNS_ANY))
            add_entry(writer, owner, &entries[i]);
    if (dns_name_is(name, DNS_ZONE) && (type == DNS_SOA || type == DNS_ANY))
        add_soa(writer, true);
}

/* Adds what there is of a type at the question's name; an alias is followed, within the zone. */
static void add_answers(struct dns_writer *writer, const struct dns_query *query)
{
    uint8_t name[DNS_NAME_MAX];
    const char *owner = NULL; /* the question's name */
    const struct entry *alias;
    memcpy(name, query->name, query->name_len);
    for (unsigned i = 0; i < CHAIN_MAX && query->type != DNS_CNAME && query->type != DNS_ANY; i++) {
        alias = alias_of(name);
        if (alias == NULL)
            break;
        add_entry(writer, owner, alias);
        owner = alias->target;
        (void)dns_name_write(name, owner);
    }
    add_type(writer, name, owner, query->type);
}

size_t dns_answer(uint8_t *answer, enum dns_way way, const uint8_t *query, size_t len)
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
    bool ours = dns_name_within(asked.name, DNS_ZONE) &&
                (asked.class == DNS_IN || asked.class == DNS_CLASS_ANY);
    if (!ours)
        return dns_writer_end(&writer, &asked, DNS_REFUSED, false);
    add_answers(&writer, &asked);
    if (writer.answers == 0 && !writer.truncated)
        add_soa(&writer, false);
    rcode = is_there(asked.name) ? DNS_NOERROR : DNS_NXDOMAIN;
    return dns_writer_end(&writer, &asked, rcode, true);
}
