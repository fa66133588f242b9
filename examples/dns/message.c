/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking messages apart. Whatever the bytes, nothing beyond their end is looked at.
 */
#include "message.h"

#include <string.h>

enum {
    RESPONSE = 0x8000,
    AUTHORITATIVE = 0x0400,
    TRUNCATED = 0x0200,
    OPCODE = 0x7800,
    LABEL_MAX = 63,
    POINTER = 0xc0,
};

/* Where reading has come to. */
struct cursor {
    const uint8_t *at;
    const uint8_t *end;
};

static bool take16(struct cursor *cursor, uint16_t *ret)
{
    if (cursor->end - cursor->at < 2)
        return false;
    *ret = (uint16_t)(cursor->at[0] << 8 | cursor->at[1]);
    cursor->at += 2;
    return true;
}

/* A name in full; one that is abbreviated is refused. */
static bool take_name(struct cursor *cursor, uint8_t *name, size_t *ret_len)
{
    size_t len = 0;
    for (;;) {
        if (cursor->at == cursor->end || *cursor->at > LABEL_MAX)
            return false;
        size_t part = (size_t)*cursor->at + 1;
        if ((size_t)(cursor->end - cursor->at) < part || len + part > DNS_NAME_MAX)
            return false;
        memcpy(name + len, cursor->at, part);
        cursor->at += part;
        len += part;
        if (part == 1)
            break;
    }
    *ret_len = len;
    return true;
}

/* A name that may be abbreviated, which nobody wants to know; whether it was the root. */
static bool skip_name(struct cursor *cursor, bool *ret_root)
{
    *ret_root = cursor->at < cursor->end && *cursor->at == 0;
    while (cursor->at < cursor->end) {
        size_t label = *cursor->at++;
        if (label == 0)
            return true;
        if ((label & POINTER) == POINTER) {
            cursor->at += cursor->at < cursor->end;
            return true;
        }
        if (label > LABEL_MAX || (size_t)(cursor->end - cursor->at) < label)
            return false;
        cursor->at += label;
    }
    return false;
}

/* A record, without its owner's name. */
struct record {
    bool root; /* the owner is the root */
    uint16_t type;
    uint16_t class;
    uint32_t ttl;
    const uint8_t *data;
    uint16_t len;
};

static bool take_record(struct cursor *cursor, struct record *record)
{
    uint16_t high, low;
    if (!skip_name(cursor, &record->root) || !take16(cursor, &record->type) ||
        !take16(cursor, &record->class) || !take16(cursor, &high) || !take16(cursor, &low) ||
        !take16(cursor, &record->len) || cursor->end - cursor->at < record->len)
        return false;
    record->ttl = (uint32_t)high << 16 | low;
    record->data = cursor->at;
    cursor->at += record->len;
    return true;
}

/* The counts of the four sections. */
struct counts {
    uint16_t questions;
    uint16_t answers;
    uint16_t authorities;
    uint16_t additional;
};

static bool take_header(struct cursor *cursor, struct dns_query *query, struct counts *counts)
{
    return take16(cursor, &query->id) && take16(cursor, &query->flags) &&
           take16(cursor, &counts->questions) && take16(cursor, &counts->answers) &&
           take16(cursor, &counts->authorities) && take16(cursor, &counts->additional);
}

static bool take_question(struct cursor *cursor, struct dns_query *query)
{
    size_t len;
    if (!take_name(cursor, query->name, &len) || !take16(cursor, &query->type) ||
        !take16(cursor, &query->class))
        return false;
    query->name_len = len;
    return true;
}

/* The additional records, of which only EDNS's is of interest, and there may be only one. */
static bool take_additional(struct cursor *cursor, struct dns_query *query, uint16_t count)
{
    struct record record;
    for (; count > 0; count--) {
        if (!take_record(cursor, &record))
            return false;
        if (record.type != DNS_OPT)
            continue;
        if (query->edns || !record.root)
            return false;
        query->edns = true;
        query->edns_version = (uint8_t)(record.ttl >> 16);
        query->edns_size = record.class; /* that is where it is */
    }
    return cursor->at == cursor->end;
}

int dns_query_parse(struct dns_query *query, const uint8_t *data, size_t len)
{
    struct cursor cursor = {data, data + len};
    struct counts counts;
    memset(query, 0, sizeof *query);
    if (!take_header(&cursor, query, &counts) || query->flags & RESPONSE)
        return -1;
    if ((query->flags & OPCODE) != 0)
        return DNS_NOTIMP;
    if (counts.questions != 1 || counts.answers != 0 || counts.authorities != 0)
        return DNS_FORMERR;
    if (!take_question(&cursor, query) || !take_additional(&cursor, query, counts.additional))
        return DNS_FORMERR;
    if (query->edns && query->edns_version > 0)
        return DNS_BADVERS;
    return DNS_NOERROR;
}

int dns_reply_parse(struct dns_reply *reply, const uint8_t *data, size_t len)
{
    struct cursor cursor = {data, data + len};
    struct counts counts;
    struct record record;
    memset(reply, 0, sizeof *reply);
    if (!take_header(&cursor, &reply->query, &counts) || !(reply->query.flags & RESPONSE))
        return -1;
    reply->rcode = reply->query.flags & 0xf;
    reply->truncated = (reply->query.flags & TRUNCATED) != 0;
    reply->authoritative = (reply->query.flags & AUTHORITATIVE) != 0;
    reply->answers = counts.answers;
    if (counts.questions > 1 || (counts.questions == 1 && !take_question(&cursor, &reply->query)))
        return -1;
    for (unsigned i = 0; i < counts.answers; i++) {
        if (!take_record(&cursor, &record))
            return -1;
        if (i == 0)
            reply->first_type = record.type;
        reply->last_type = record.type;
        reply->last_data = record.data;
        reply->last_len = record.len;
    }
    for (unsigned i = 0; i < counts.authorities; i++)
        if (!take_record(&cursor, &record))
            return -1;
    return take_additional(&cursor, &reply->query, counts.additional) ? 0 : -1;
}
