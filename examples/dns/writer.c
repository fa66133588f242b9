/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Putting messages together.
 *
 * The question's name is where every answer has it, so a record of that name refers there with two
 * bytes. Nothing else is abbreviated.
 */
#include <string.h>

#include "message.h"

enum {
    RESPONSE = 0x8000,
    AUTHORITATIVE = 0x0400,
    TRUNCATED = 0x0200,
    OPCODE = 0x7800,
    RECURSION_DESIRED = 0x0100,
    CHECKING_DISABLED = 0x0010,
    OPT_LEN = 11,
};

static void put16(uint8_t *p, unsigned value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static void add16(struct dns_writer *writer, unsigned value)
{
    put16(writer->data + writer->len, value);
    writer->len += 2;
}

static void add(struct dns_writer *writer, const void *data, size_t len)
{
    if (len > 0)
        memcpy(writer->data + writer->len, data, len);
    writer->len += len;
}

size_t dns_query_room(const struct dns_query *query)
{
    if (!query->edns || query->edns_size <= DNS_PLAIN_MAX)
        return DNS_PLAIN_MAX;
    return query->edns_size < DNS_EDNS_MAX ? query->edns_size : DNS_EDNS_MAX;
}

void dns_writer_begin(struct dns_writer *writer, uint8_t *data, size_t most,
                      const struct dns_query *query)
{
    *writer = (struct dns_writer){
        .data = data, .len = DNS_HEADER, .most = most - (query->edns ? OPT_LEN : 0)};
    if (query->name_len > 0) {
        add(writer, query->name, query->name_len);
        add16(writer, query->type);
        add16(writer, query->class);
    }
    writer->question_end = writer->len;
}

/* Whether there is room for so many bytes more; else the answer is cut. */
static bool has_room(struct dns_writer *writer, size_t len)
{
    if (!writer->truncated && writer->len + len <= writer->most)
        return true;
    writer->truncated = true;
    writer->len = writer->question_end;
    writer->answers = 0;
    writer->authorities = 0;
    return false;
}

/* What a record begins with: its owner in labels, or the question's name. */
static void add_head(struct dns_writer *writer, const uint8_t *owner, size_t owner_len,
                     uint16_t type, uint32_t ttl)
{
    if (owner_len > 0)
        add(writer, owner, owner_len);
    else
        add16(writer, 0xc000 | DNS_HEADER);
    add16(writer, type);
    add16(writer, DNS_IN);
    add16(writer, ttl >> 16);
    add16(writer, ttl & 0xffff);
}

void dns_writer_record(struct dns_writer *writer, const char *owner, uint16_t type, uint32_t ttl,
                       const void *data, size_t len, const char *name)
{
    uint8_t owner_labels[DNS_NAME_MAX], labels[DNS_NAME_MAX];
    size_t owner_len = owner != NULL ? dns_name_write(owner_labels, owner) : 0;
    size_t name_len = name != NULL ? dns_name_write(labels, name) : 0;
    size_t head = (owner_len > 0 ? owner_len : 2) + 10;
    if (!has_room(writer, head + len + name_len))
        return;
    add_head(writer, owner_labels, owner_len, type, ttl);
    add16(writer, (unsigned)(len + name_len));
    add(writer, data, len);
    add(writer, labels, name_len);
    writer->answers++;
}

void dns_writer_soa(struct dns_writer *writer, const char *zone, const void *data, size_t len,
                    uint32_t ttl)
{
    uint16_t answers = writer->answers;
    dns_writer_record(writer, zone, DNS_SOA, ttl, data, len, NULL);
    if (writer->truncated)
        return;
    writer->answers = answers;
    writer->authorities++;
}

size_t dns_writer_end(struct dns_writer *writer, const struct dns_query *query, int rcode,
                      bool authoritative)
{
    unsigned flags = RESPONSE | (query->flags & (OPCODE | RECURSION_DESIRED | CHECKING_DISABLED));
    flags |= (unsigned)rcode & 0xf;
    flags |= authoritative ? AUTHORITATIVE : 0;
    flags |= writer->truncated ? TRUNCATED : 0;
    put16(writer->data, query->id);
    put16(writer->data + 2, flags);
    put16(writer->data + 4, query->name_len > 0);
    put16(writer->data + 6, writer->answers);
    put16(writer->data + 8, writer->authorities);
    put16(writer->data + 10, query->edns);
    if (query->edns) {
        add(writer, "", 1); /* the root */
        add16(writer, DNS_OPT);
        add16(writer, DNS_EDNS_MAX);
        add16(writer, (unsigned)rcode >> 4 << 8); /* the rest of the rcode, version 0 */
        add16(writer, 0);
        add16(writer, 0);
    }
    return writer->len;
}

size_t dns_query_write(uint8_t *data, uint16_t id, const char *name, uint16_t type,
                       uint16_t edns_size)
{
    struct dns_writer writer = {.data = data, .len = DNS_HEADER};
    uint8_t labels[DNS_NAME_MAX];
    size_t len = dns_name_write(labels, name);
    if (len == 0)
        return 0;
    memset(data, 0, DNS_HEADER);
    put16(data, id);
    put16(data + 2, RECURSION_DESIRED);
    put16(data + 4, 1);
    put16(data + 10, edns_size > 0);
    add(&writer, labels, len);
    add16(&writer, type);
    add16(&writer, DNS_IN);
    if (edns_size > 0) {
        add(&writer, "", 1);
        add16(&writer, DNS_OPT);
        add16(&writer, edns_size);
        add16(&writer, 0);
        add16(&writer, 0);
        add16(&writer, 0);
    }
    return writer.len;
}
