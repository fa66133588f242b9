/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queries of the resolver as rows and blobs: what was asked and what was answered; see pack.h.
 *
 * A row has no field for what is no string or number, so the address whose names are asked for, and
 * the answers, are the blob.
 */
#include <errno.h>
#include <string.h>
#include <twinloop/kernel.h>

#include "core/alloc.h"
#include "trace/encode.h"
#include "trace/event.h"
#include "trace/pack.h"

enum { INFO_TAIL = 3 }; /* type, protocol */

/* --- Packing --- */

static bool is_empty(const char *text)
{
    return text != NULL && *text == '\0';
}

void tl_trace_query_event(struct tl_trace_event *event, const struct tl_query *query, int64_t minor)
{
    const tl_addrinfo_hints *hints = &query->hints;
    int64_t empty = (is_empty(query->host) ? TL_TRACE_EMPTY_HOST : 0) |
                    (is_empty(query->service) ? TL_TRACE_EMPTY_SERVICE : 0);

    *event = (struct tl_trace_event){.kind = TL_TRACE_NAME_OF, .arg = {query->flags}};
    if (query->kind == TL_QUERY_ADDRESSES)
        *event = (struct tl_trace_event){
            .kind = TL_TRACE_RESOLVE,
            .arg = {hints->family, hints->type, hints->protocol,
                    hints->flags | (minor > 0 ? empty : 0)},
        };
}

void tl_trace_pack_question(struct tl_trace_pack *pack, const struct tl_query *query)
{
    tl_trace_pack_begin(pack);
    if (query->kind == TL_QUERY_NAMES) {
        tl_trace_pack_addr(pack, &query->addr);
        return;
    }
    tl_trace_pack_text(pack, query->host);
    if (query->service != NULL)
        tl_trace_pack_bytes(pack, query->service, strlen(query->service));
}

static void pack_info(struct tl_trace_pack *pack, const tl_addrinfo *info)
{
    uint8_t tail[INFO_TAIL] = {(uint8_t)info->type};

    tl_put_be16(tail + 1, (uint16_t)info->protocol);
    tl_trace_pack_addr(pack, &info->addr);
    tl_trace_pack_bytes(pack, tail, sizeof tail);
}

void tl_trace_pack_answer(struct tl_trace_pack *pack, const struct tl_query *query)
{
    tl_trace_pack_begin(pack);
    if (query->result != 0)
        return;
    if (query->kind == TL_QUERY_NAMES) {
        tl_trace_pack_text(pack, query->names->host);
        tl_trace_pack_bytes(pack, query->names->service, strlen(query->names->service));
        return;
    }
    tl_trace_pack_text(pack, query->infos_count > 0 ? query->infos->canonname : "");
    for (size_t i = 0; i < query->infos_count; i++)
        pack_info(pack, &query->infos[i]);
}

/* --- Unpacking --- */

bool tl_trace_unpack_info(const uint8_t **p, const uint8_t *end, tl_addrinfo *ret)
{
    const uint8_t *from = *p;
    tl_addr addr;

    if (!tl_trace_unpack_addr(&from, end, &addr) || end - from < INFO_TAIL)
        return false;
    *ret = (tl_addrinfo){
        .addr = addr, .type = from[0], .protocol = tl_get_be16(from + 1), .canonname = ""};
    *p = from + INFO_TAIL;
    return true;
}

static bool next(const uint8_t **p, const uint8_t *end, bool addresses_alone, tl_addrinfo *ret)
{
    if (!addresses_alone)
        return tl_trace_unpack_info(p, end, ret);
    *ret = (tl_addrinfo){.canonname = ""};
    return tl_trace_unpack_addr(p, end, &ret->addr);
}

static int unpack_addresses(const uint8_t *blob, size_t len, bool addresses_alone,
                            struct tl_query *query)
{
    const uint8_t *end = blob + len;
    const uint8_t *first = addresses_alone ? blob : memchr(blob, '\0', len);
    tl_addrinfo info;
    size_t count = 0;

    if (first == NULL)
        return -EINVAL;
    size_t name = addresses_alone ? 0 : (size_t)(++first - blob);
    for (const uint8_t *p = first; p < end; count++)
        if (!next(&p, end, addresses_alone, &info))
            return -EINVAL;
    tl_addrinfo *infos = tl_alloc(count * sizeof *infos + name);
    if (infos == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        (void)next(&first, end, addresses_alone, &infos[i]);
    if (name > 1 && count > 0)
        infos->canonname = memcpy(infos + count, blob, name);
    query->infos = infos;
    query->infos_count = count;
    return 0;
}

static int unpack_names(const uint8_t *blob, size_t len, struct tl_query *query)
{
    const uint8_t *nul = memchr(blob, '\0', len);

    if (nul == NULL)
        return -EINVAL;
    tl_nameinfo *names = tl_alloc(sizeof *names + len + 1);
    if (names == NULL)
        return -ENOMEM;
    char *text = memcpy(names + 1, blob, len);
    text[len] = '\0';
    names->host = text;
    names->service = text + (nul - blob) + 1;
    query->names = names;
    return 0;
}

int tl_trace_unpack_answer(const uint8_t *blob, size_t len, bool addresses_alone,
                           struct tl_query *query)
{
    if (len == 0 && !addresses_alone)
        return -EINVAL;
    return query->kind == TL_QUERY_NAMES ? unpack_names(blob, len, query)
                                         : unpack_addresses(blob, len, addresses_alone, query);
}
