/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A queue of datagrams waiting to be sent: copies, each with its address.
 */
#ifndef TL_CORE_SEND_QUEUE_H
#define TL_CORE_SEND_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <twinloop/kernel.h>

struct tl_send_chunk;

/* Empty is all zero, but for keep. */
struct tl_send_queue {
    struct tl_send_chunk *head;
    struct tl_send_chunk *tail;
    struct tl_send_chunk *spare; /* an empty one */
    bool keep;                   /* the last chunk, for later: the queue is in use all the time */
};

static inline bool tl_send_queue_empty(const struct tl_send_queue *queue)
{
    return queue->head == NULL;
}

/* Adds a copy; addr may be NULL. 0, or -ENOMEM with the queue as it was. */
int tl_send_queue_append(struct tl_send_queue *queue, const void *data, size_t len,
                         const tl_addr *addr);

/* Makes up to count messages of the first datagrams, each with its iovec; returns how many. */
size_t tl_send_queue_gather(const struct tl_send_queue *queue, struct tl_message *messages,
                            struct iovec *iov, size_t count);

/* Drops the first count datagrams, which are there; returns how many bytes they had together. */
size_t tl_send_queue_consume(struct tl_send_queue *queue, size_t count);

/* Empties it, and gives back what was kept. */
void tl_send_queue_clear(struct tl_send_queue *queue);

#endif
