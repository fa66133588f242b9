/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list of chunks filled with records, one for each datagram. A chunk has room for many short
 * datagrams and is freed with its last one, but for the one that a busy queue keeps.
 */
#include "core/send_queue.h"

#include <assert.h>
#include <errno.h>
#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#include "core/alloc.h"

struct record {
    tl_addr addr; /* family TL_FAMILY_NONE: none */
    size_t len;
    unsigned char data[];
};

struct tl_send_chunk {
    struct tl_send_chunk *next;
    size_t start; /* the records in bytes[start .. end) wait */
    size_t end;
    size_t room; /* size of bytes */
    alignas(struct record) unsigned char bytes[];
};

/* Of a chunk made for less. */
#define ROOM_MIN ((size_t)16 * 1024 - sizeof(struct tl_send_chunk))

/* What a datagram takes, with what follows it aligned. */
static size_t record_size(size_t len)
{
    const size_t mask = alignof(struct record) - 1;
    return (sizeof(struct record) + len + mask) & ~mask;
}

static struct record *record_at(const struct tl_send_chunk *chunk, size_t at)
{
    return (struct record *)(void *)(chunk->bytes + at);
}

static struct tl_send_chunk *chunk_new(struct tl_send_queue *queue, size_t size)
{
    size_t room = size > ROOM_MIN ? size : ROOM_MIN;
    struct tl_send_chunk *chunk = queue->spare;
    if (chunk != NULL && chunk->room >= room)
        queue->spare = NULL;
    else
        chunk = tl_alloc(sizeof *chunk + room);
    if (chunk == NULL)
        return NULL;
    chunk->next = NULL;
    chunk->start = 0;
    chunk->end = 0;
    chunk->room = room;
    if (queue->tail != NULL)
        queue->tail->next = chunk;
    else
        queue->head = chunk;
    queue->tail = chunk;
    return chunk;
}

int tl_send_queue_append(struct tl_send_queue *queue, const void *data, size_t len,
                         const tl_addr *addr)
{
    struct tl_send_chunk *chunk = queue->tail;
    if (len > SIZE_MAX / 2)
        return -ENOMEM;
    size_t size = record_size(len);
    if (chunk == NULL || chunk->room - chunk->end < size)
        chunk = chunk_new(queue, size);
    if (chunk == NULL)
        return -ENOMEM;
    struct record *record = record_at(chunk, chunk->end);
    if (addr != NULL)
        record->addr = *addr;
    else
        record->addr.family = TL_FAMILY_NONE;
    record->len = len;
    if (len > 0)
        memcpy(record->data, data, len);
    chunk->end += size;
    return 0;
}

size_t tl_send_queue_gather(const struct tl_send_queue *queue, struct tl_message *messages,
                            struct iovec *iov, size_t count)
{
    size_t n = 0;
    for (struct tl_send_chunk *chunk = queue->head; chunk != NULL && n < count;
         chunk = chunk->next) {
        for (size_t at = chunk->start; at < chunk->end && n < count; n++) {
            struct record *record = record_at(chunk, at);
            bool addressed = record->addr.family != TL_FAMILY_NONE;
            iov[n] = (struct iovec){record->data, record->len};
            messages[n] = (struct tl_message){
                .iov = &iov[n], .iov_count = 1, .addr = addressed ? &record->addr : NULL};
            at += record_size(record->len);
        }
    }
    return n;
}

/* The first chunk is empty. */
static void free_head(struct tl_send_queue *queue)
{
    struct tl_send_chunk *head = queue->head;
    queue->head = head->next;
    if (queue->head == NULL)
        queue->tail = NULL;
    if (!queue->keep || queue->spare != NULL || head->room > ROOM_MIN)
        tl_free(head);
    else
        queue->spare = head;
}

size_t tl_send_queue_consume(struct tl_send_queue *queue, size_t count)
{
    size_t bytes = 0;
    for (; count > 0; count--) {
        assert(queue->head != NULL && "the caller consumes what gather gave");
        struct tl_send_chunk *head = queue->head;
        size_t len = record_at(head, head->start)->len;
        bytes += len;
        head->start += record_size(len);
        if (head->start == head->end)
            free_head(queue);
    }
    return bytes;
}

void tl_send_queue_clear(struct tl_send_queue *queue)
{
    queue->keep = false;
    while (queue->head != NULL)
        free_head(queue);
    tl_free(queue->spare);
    queue->spare = NULL;
}
