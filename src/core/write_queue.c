/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A circular list of chunks. What is appended fills the last chunk before a new one is made, and a
 * new one has room for more than a short write, so many short writes share an allocation. A chunk
 * is freed as soon as its last byte is consumed: an idle queue owns nothing.
 */
#include "core/write_queue.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "core/alloc.h"

struct tl_chunk {
    struct tl_chunk *next;
    size_t start; /* bytes[start .. end) wait to be written */
    size_t end;
    size_t room; /* size of bytes */
    unsigned char bytes[];
};

/* Of a chunk made for less: together with its head it fills a page or so. */
#define ROOM_MIN ((size_t)4000)

static struct tl_chunk *chunk_new(size_t len)
{
    size_t room = len > ROOM_MIN ? len : ROOM_MIN;
    if (room > SIZE_MAX - sizeof(struct tl_chunk))
        return NULL;
    struct tl_chunk *chunk = tl_alloc(sizeof *chunk + room);
    if (chunk != NULL)
        *chunk = (struct tl_chunk){.room = room};
    return chunk;
}

static void chunk_fill(struct tl_chunk *chunk, const void *data, size_t len)
{
    assert(len <= chunk->room - chunk->end && "the caller has measured the room");
    memcpy(chunk->bytes + chunk->end, data, len);
    chunk->end += len;
}

static void push(struct tl_write_queue *queue, struct tl_chunk *chunk)
{
    if (queue->tail != NULL) {
        chunk->next = queue->tail->next;
        queue->tail->next = chunk;
    } else {
        chunk->next = chunk;
    }
    queue->tail = chunk;
}

static void free_head(struct tl_write_queue *queue)
{
    struct tl_chunk *head = queue->tail->next;
    if (head == queue->tail)
        queue->tail = NULL;
    else
        queue->tail->next = head->next;
    tl_free(head);
}

int tl_write_queue_append(struct tl_write_queue *queue, const void *data, size_t len)
{
    struct tl_chunk *tail = queue->tail;
    size_t room = tail != NULL ? tail->room - tail->end : 0;
    size_t fits = len < room ? len : room;
    struct tl_chunk *fresh = NULL;
    if (fits < len) {
        fresh = chunk_new(len - fits);
        if (fresh == NULL)
            return -ENOMEM;
    }
    if (fits > 0)
        chunk_fill(tail, data, fits);
    if (fresh != NULL) {
        chunk_fill(fresh, (const char *)data + fits, len - fits);
        push(queue, fresh);
    }
    return 0;
}

size_t tl_write_queue_gather(const struct tl_write_queue *queue, struct iovec *iov, size_t count)
{
    size_t n = 0;
    if (queue->tail == NULL)
        return 0;
    struct tl_chunk *chunk = queue->tail->next;
    do {
        iov[n++] = (struct iovec){chunk->bytes + chunk->start, chunk->end - chunk->start};
        chunk = chunk->next;
    } while (n < count && chunk != queue->tail->next);
    return n;
}

void tl_write_queue_consume(struct tl_write_queue *queue, size_t len)
{
    while (len > 0) {
        assert(queue->tail != NULL && "the caller consumes what gather gave");
        struct tl_chunk *head = queue->tail->next;
        size_t held = head->end - head->start;
        if (len < held) {
            head->start += len;
            return;
        }
        len -= held;
        free_head(queue);
    }
}

void tl_write_queue_clear(struct tl_write_queue *queue)
{
    while (queue->tail != NULL)
        free_head(queue);
}
