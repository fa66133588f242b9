/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A queue of bytes waiting to be written: copies of what the kernel did not take at once.
 */
#ifndef TL_CORE_WRITE_QUEUE_H
#define TL_CORE_WRITE_QUEUE_H

#include <stddef.h>
#include <sys/uio.h>

struct tl_chunk;

/* Empty is all zero, and then it owns nothing. */
struct tl_write_queue {
    struct tl_chunk *tail; /* of a circular list, so its next is the head; NULL: empty */
};

/* Adds a copy of len > 0 bytes. 0, or -ENOMEM with the queue as it was. */
int tl_write_queue_append(struct tl_write_queue *queue, const void *data, size_t len);

/* Points up to count iovecs at the first bytes; returns how many. */
size_t tl_write_queue_gather(const struct tl_write_queue *queue, struct iovec *iov, size_t count);

/* Drops the first len bytes, which are there. */
void tl_write_queue_consume(struct tl_write_queue *queue, size_t len);

void tl_write_queue_clear(struct tl_write_queue *queue);

#endif
