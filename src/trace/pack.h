/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blobs that are put together from several things: strings, addresses, messages.
 *
 * A pack is a buffer that grows as needed and is used again and again. The recorder packs what an
 * operation was given or answered; the replayer packs what the program gives, to compare, and
 * unpacks what the trace answers. Both therefore agree on the layout, which docs/trace-format.md
 * describes:
 *
 *     address   a length byte, then family, tl_addr's len, port, scope, data; none: one zero byte
 *     message   the address, whether the message was longer, length (32 bits), bytes
 *     lookup    the canonical name with its NUL, and for each answer its address, type (8 bits) and
 *               protocol (16 bits)
 *
 * with integers in network byte order.
 */
#ifndef TL_TRACE_PACK_H
#define TL_TRACE_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>
#include <twinloop/alloc.h>
#include <twinloop/net.h>
#include <twinloop/resolve.h>

struct tl_message;
struct tl_query;
struct tl_spawn;
struct tl_trace_event;

struct tl_trace_pack {
    const tl_allocator *allocator;
    uint8_t *data;
    size_t len;
    size_t capacity;
    bool failed; /* memory ran out since begin; what is in data is not all */
};

void tl_trace_pack_init(struct tl_trace_pack *pack, const tl_allocator *allocator);
void tl_trace_pack_finish(struct tl_trace_pack *pack);

/* Empties the pack. */
void tl_trace_pack_begin(struct tl_trace_pack *pack);

void tl_trace_pack_bytes(struct tl_trace_pack *pack, const void *data, size_t len);

/* The string with its NUL; NULL is "". */
void tl_trace_pack_text(struct tl_trace_pack *pack, const char *text);

/* NULL is no address. */
void tl_trace_pack_addr(struct tl_trace_pack *pack, const tl_addr *addr);

/* The first len bytes of what iov points at. */
void tl_trace_pack_iov(struct tl_trace_pack *pack, const struct iovec *iov, size_t len);

/* What was transferred of an array of messages: result is what read (received) or write returned.
 * Of a write that failed, whom the first one was for. */
void tl_trace_pack_messages(struct tl_trace_pack *pack, const struct tl_message *messages,
                            size_t count, int64_t result, bool received);

/* Everything about a child that is to be started but its descriptors. Begins the pack. */
void tl_trace_pack_spawn(struct tl_trace_pack *pack, const struct tl_spawn *spawn);

/* Flags of a resolve beside those that it was asked with: its host, its service are empty strings;
 * without them one of no bytes is missing. */
#define TL_TRACE_EMPTY_HOST ((int64_t)1 << 32)
#define TL_TRACE_EMPTY_SERVICE ((int64_t)1 << 33)

/* The row and the arguments of a query, as a trace of that minor version of the format has them. */
void tl_trace_query_event(struct tl_trace_event *event, const struct tl_query *query,
                          int64_t minor);

/* What a query asks for, and what it was answered. Each begins the pack. */
void tl_trace_pack_question(struct tl_trace_pack *pack, const struct tl_query *query);
void tl_trace_pack_answer(struct tl_trace_pack *pack, const struct tl_query *query);

/* Takes an address from the bytes at *p, which is moved on. False when there is none. */
bool tl_trace_unpack_addr(const uint8_t **p, const uint8_t *end, tl_addr *ret);

/* Takes a message from the bytes at *p, where its own bytes stay. False when there is none. */
bool tl_trace_unpack_message(const uint8_t **p, const uint8_t *end, tl_addr *ret_addr,
                             bool *ret_truncated, const uint8_t **ret_data, size_t *ret_len);

/* Gives back what a read transferred: the inverse of tl_trace_pack_messages. False when the blob is
 * no such thing, or does not fit. */
bool tl_trace_unpack_messages(const uint8_t *blob, size_t len, struct tl_message *messages,
                              size_t count, int64_t result);

/* Takes one answer of a lookup from the bytes at *p; it has no canonical name. */
bool tl_trace_unpack_info(const uint8_t **p, const uint8_t *end, tl_addrinfo *ret);

/* The inverse of tl_trace_pack_answer: puts it into the query. addresses alone: the blob of a
 * resolved. 0; -EINVAL when it is no such thing; -ENOMEM. */
int tl_trace_unpack_answer(const uint8_t *blob, size_t len, bool addresses_alone,
                           struct tl_query *query);

/* Bytes that all of iov's pieces have room for. */
size_t tl_trace_iov_size(const struct iovec *iov, size_t count);

/* Copies len bytes to the pieces of iov. */
void tl_trace_scatter(const struct iovec *iov, const uint8_t *data, size_t len);

#endif
