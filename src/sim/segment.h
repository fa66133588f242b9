/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments: pieces of a byte stream, from write to read.
 *
 * A segment belongs to one queue at a time: not sent yet, on its way, or arrived and unread. They
 * come from pools by size, so that a message allocates nothing once the pools are warm.
 */
#ifndef TL_SIM_SEGMENT_H
#define TL_SIM_SEGMENT_H

#include <stddef.h>
#include <stdint.h>
#include <twinloop/value.h>
#include "sim/pool.h"

enum { TL_SEGMENT_CLASSES = 4 };

struct tl_segment {
    struct tl_segment *next;
    union {
        tl_time arrival; /* when it is on its way: the instant at which it is there */
        uint32_t charge; /* what it counts in its writer's buffer, for a Unix-domain socket */
    };
    uint32_t start; /* of the bytes not taken yet */
    uint32_t len;   /* how many there are */
    uint32_t room;  /* bytes that data has room for */
    uint32_t pool;  /* which one it came from */
    unsigned char data[];
};

struct tl_segment_queue {
    struct tl_segment *head;
    struct tl_segment *tail;
    uint32_t bytes;
};

struct tl_segments {
    struct tl_pool pools[TL_SEGMENT_CLASSES];
};

void tl_segments_init(struct tl_segments *segments, const tl_allocator *allocator);
void tl_segments_finish(struct tl_segments *segments);

/* An empty segment with room for len bytes, or as many as any has; NULL when memory is out. */
struct tl_segment *tl_segment_new(struct tl_segments *segments, size_t len);

static inline void tl_segment_free(struct tl_segments *segments, struct tl_segment *segment)
{
    tl_pool_put(&segments->pools[segment->pool], segment);
}

static inline void tl_segment_push(struct tl_segment_queue *queue, struct tl_segment *segment)
{
    segment->next = NULL;
    if (queue->tail != NULL)
        queue->tail->next = segment;
    else
        queue->head = segment;
    queue->tail = segment;
    queue->bytes += segment->len;
}

/* Takes out the first segment, of which there must be one. */
static inline struct tl_segment *tl_segment_pop(struct tl_segment_queue *queue)
{
    struct tl_segment *segment = queue->head;
    queue->head = segment->next;
    if (queue->head == NULL)
        queue->tail = NULL;
    queue->bytes -= segment->len;
    return segment;
}

/* Frees every segment of a queue. */
void tl_segments_drop(struct tl_segments *segments, struct tl_segment_queue *queue);

#endif
