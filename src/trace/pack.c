/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Putting blobs together and taking them apart; see pack.h.
 */
#include "trace/pack.h"

#include <string.h>
#include <twinloop/kernel.h>

#include "core/alloc.h"
#include "trace/encode.h"

enum {
    ADDR_HEAD = 8, /* family, len, port, scope */
    MESSAGE_HEAD = 5,
    CAPACITY_MIN = 256,
};

void tl_trace_pack_init(struct tl_trace_pack *pack, const tl_allocator *allocator)
{
    *pack = (struct tl_trace_pack){.allocator = allocator};
}

void tl_trace_pack_finish(struct tl_trace_pack *pack)
{
    tl_allocator_free(pack->allocator, pack->data);
    *pack = (struct tl_trace_pack){.allocator = pack->allocator};
}

void tl_trace_pack_begin(struct tl_trace_pack *pack)
{
    pack->len = 0;
    pack->failed = false;
}

/* --- Packing --- */

/* Where the next size bytes go, or NULL. */
static uint8_t *extend(struct tl_trace_pack *pack, size_t size)
{
    size_t capacity = pack->capacity != 0 ? pack->capacity : CAPACITY_MIN;

    if (pack->failed)
        return NULL;
    while (capacity < pack->len + size)
        capacity *= 2;
    if (capacity != pack->capacity) {
        uint8_t *data = tl_allocator_realloc(pack->allocator, pack->data, capacity);
        if (data == NULL) {
            pack->failed = true;
            return NULL;
        }
        pack->data = data;
        pack->capacity = capacity;
    }
    pack->len += size;
    return pack->data + pack->len - size;
}

void tl_trace_pack_bytes(struct tl_trace_pack *pack, const void *data, size_t len)
{
    uint8_t *p = extend(pack, len);

    if (p != NULL && len > 0)
        memcpy(p, data, len);
}

void tl_trace_pack_text(struct tl_trace_pack *pack, const char *text)
{
    if (text == NULL)
        text = "";
    tl_trace_pack_bytes(pack, text, strlen(text) + 1);
}

/* How many bytes of data are in use; more than there are when the family is none we know. */
static size_t data_size(uint8_t family, uint8_t len)
{
    switch (family) {
    case TL_FAMILY_NONE:
        return 0;
    case TL_FAMILY_INET:
        return 4;
    case TL_FAMILY_INET6:
        return 16;
    case TL_FAMILY_UNIX:
        return len;
    }
    return SIZE_MAX;
}

void tl_trace_pack_addr(struct tl_trace_pack *pack, const tl_addr *addr)
{
    size_t size = addr != NULL ? data_size(addr->family, addr->len) : 0;
    uint8_t head[1 + ADDR_HEAD] = {0};

    if (addr == NULL || size > sizeof addr->data) {
        tl_trace_pack_bytes(pack, head, 1);
        return;
    }
    head[0] = (uint8_t)(ADDR_HEAD + size);
    head[1] = addr->family;
    head[2] = addr->len;
    tl_put_be16(head + 3, addr->port);
    tl_put_be32(head + 5, addr->scope);
    tl_trace_pack_bytes(pack, head, sizeof head);
    tl_trace_pack_bytes(pack, addr->data, size);
}

void tl_trace_pack_iov(struct tl_trace_pack *pack, const struct iovec *iov, size_t len)
{
    for (; len > 0; iov++) {
        size_t part = iov->iov_len < len ? iov->iov_len : len;
        tl_trace_pack_bytes(pack, iov->iov_base, part);
        len -= part;
    }
}

static void pack_message(struct tl_trace_pack *pack, const struct tl_message *message, size_t len,
                         bool received)
{
    uint8_t head[MESSAGE_HEAD];

    tl_trace_pack_addr(pack, message->addr);
    head[0] = received && message->truncated != 0;
    tl_put_be32(head + 1, (uint32_t)len);
    tl_trace_pack_bytes(pack, head, sizeof head);
    tl_trace_pack_iov(pack, message->iov, len);
}

void tl_trace_pack_messages(struct tl_trace_pack *pack, const struct tl_message *messages,
                            size_t count, int64_t result, bool received)
{
    if (result < 0) {
        if (!received && count > 0)
            tl_trace_pack_addr(pack, messages->addr);
        return;
    }
    if (count == 1) {
        pack_message(pack, messages, (size_t)result, received);
        return;
    }
    for (int64_t i = 0; i < result; i++)
        pack_message(pack, &messages[i], messages[i].len, received);
}

void tl_trace_pack_spawn(struct tl_trace_pack *pack, const struct tl_spawn *spawn)
{
    tl_trace_pack_begin(pack);
    tl_trace_pack_text(pack, spawn->program);
    tl_trace_pack_text(pack, spawn->cwd);
    for (const char *const *arg = spawn->argv; arg != NULL && *arg != NULL; arg++)
        tl_trace_pack_text(pack, *arg);
    if (spawn->envp == NULL)
        return;
    /* An environment of its own comes behind an empty string. */
    tl_trace_pack_text(pack, "");
    for (const char *const *variable = spawn->envp; *variable != NULL; variable++)
        tl_trace_pack_text(pack, *variable);
}

/* --- Unpacking --- */

bool tl_trace_unpack_addr(const uint8_t **p, const uint8_t *end, tl_addr *ret)
{
    const uint8_t *from = *p;
    tl_addr addr = {0};

    if (from == end || end - from < 1 + from[0])
        return false;
    size_t size = *from++;
    if (size > 0) {
        if (size < ADDR_HEAD || size - ADDR_HEAD > sizeof addr.data ||
            data_size(from[0], from[1]) != size - ADDR_HEAD)
            return false;
        addr.family = from[0];
        addr.len = from[1];
        addr.port = tl_get_be16(from + 2);
        addr.scope = tl_get_be32(from + 4);
        memcpy(addr.data, from + ADDR_HEAD, size - ADDR_HEAD);
    }
    *ret = addr;
    *p = from + size;
    return true;
}

size_t tl_trace_iov_size(const struct iovec *iov, size_t count)
{
    size_t size = 0;

    for (size_t i = 0; i < count; i++)
        size += iov[i].iov_len;
    return size;
}

void tl_trace_scatter(const struct iovec *iov, const uint8_t *data, size_t len)
{
    for (; len > 0; iov++) {
        size_t part = iov->iov_len < len ? iov->iov_len : len;
        if (part > 0)
            memcpy(iov->iov_base, data, part);
        data += part;
        len -= part;
    }
}

bool tl_trace_unpack_message(const uint8_t **p, const uint8_t *end, tl_addr *ret_addr,
                             bool *ret_truncated, const uint8_t **ret_data, size_t *ret_len)
{
    const uint8_t *from = *p;

    if (!tl_trace_unpack_addr(&from, end, ret_addr) || end - from < MESSAGE_HEAD)
        return false;
    size_t len = tl_get_be32(from + 1);
    if (len > (size_t)(end - from) - MESSAGE_HEAD)
        return false;
    *ret_truncated = *from != 0;
    *ret_data = from + MESSAGE_HEAD;
    *ret_len = len;
    *p = *ret_data + len;
    return true;
}

static bool unpack_message(const uint8_t **p, const uint8_t *end, struct tl_message *message)
{
    const uint8_t *data;
    bool truncated;
    tl_addr addr;
    size_t len;

    if (!tl_trace_unpack_message(p, end, &addr, &truncated, &data, &len) ||
        len > tl_trace_iov_size(message->iov, message->iov_count))
        return false;
    if (message->addr != NULL)
        *message->addr = addr;
    message->truncated = truncated;
    message->len = len;
    tl_trace_scatter(message->iov, data, len);
    return true;
}

bool tl_trace_unpack_messages(const uint8_t *blob, size_t len, struct tl_message *messages,
                              size_t count, int64_t result)
{
    const uint8_t *end = blob + len;
    size_t received = count == 1 ? 1 : (size_t)result;

    if (received > count)
        return false;
    for (size_t i = 0; i < received; i++)
        if (!unpack_message(&blob, end, &messages[i]))
            return false;
    return count != 1 || (int64_t)messages[0].len == result;
}
