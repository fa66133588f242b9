/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ready queue: callbacks whose turn has come, in order.
 *
 * A place in the queue (struct tl_ready) is embedded in what owns it, so queueing allocates nothing
 * and cannot fail, and leaving the queue is immediate: whoever frees an object takes it out first,
 * also in the middle of a batch.
 */
#ifndef TL_CORE_READY_H
#define TL_CORE_READY_H

#include <stdbool.h>
#include <stddef.h>
#include <twinloop/handle.h>

/* A circular list; the head is a place that never runs. */
struct tl_ready_queue {
    struct tl_ready head;
};

static inline void tl_ready_queue_init(struct tl_ready_queue *queue)
{
    queue->head.next = &queue->head;
    queue->head.prev = &queue->head;
}

static inline bool tl_ready_queue_empty(const struct tl_ready_queue *queue)
{
    return queue->head.next == &queue->head;
}

static inline void tl_ready_init(struct tl_ready *ready, tl_callback callback, void *arg)
{
    *ready = (struct tl_ready){.callback = callback, .arg = arg};
}

static inline bool tl_ready_queued(const struct tl_ready *ready)
{
    return ready->next != NULL;
}

/* Puts an unqueued place at the tail. */
static inline void tl_ready_queue_push(struct tl_ready_queue *queue, struct tl_ready *ready)
{
    struct tl_ready *last = queue->head.prev;
    ready->prev = last;
    last->next = ready;
    ready->next = &queue->head;
    queue->head.prev = ready;
}

/* Puts an unqueued place behind last, the queue's tail, and returns it: the new tail. For several
 * in a row: the queue itself hears of its tail by tl_ready_queue_end, before anything else is done.
 */
static inline struct tl_ready *tl_ready_queue_extend(struct tl_ready_queue *queue,
                                                     struct tl_ready *last, struct tl_ready *ready)
{
    ready->prev = last;
    last->next = ready;
    ready->next = &queue->head;
    return ready;
}

static inline struct tl_ready *tl_ready_queue_tail(const struct tl_ready_queue *queue)
{
    return queue->head.prev;
}

static inline void tl_ready_queue_end(struct tl_ready_queue *queue, struct tl_ready *last)
{
    queue->head.prev = last;
}

/* Makes a place, of which nothing is said before, and puts it at the tail. */
static inline void tl_ready_queue_add(struct tl_ready_queue *queue, struct tl_ready *ready,
                                      tl_callback callback, void *arg)
{
    ready->callback = callback;
    ready->arg = arg;
    tl_ready_queue_push(queue, ready);
}

/* Puts an unqueued place in front of a queued one. */
static inline void tl_ready_insert(struct tl_ready *ready, struct tl_ready *next)
{
    ready->prev = next->prev;
    ready->next = next;
    next->prev->next = ready;
    next->prev = ready;
}

/* Takes a place out of whichever queue it is in; a no-op when it is in none. */
static inline void tl_ready_remove(struct tl_ready *ready)
{
    if (ready->next == NULL)
        return;
    ready->prev->next = ready->next;
    ready->next->prev = ready->prev;
    ready->next = NULL;
}

/* Takes out and returns the first place, which there is. */
static inline struct tl_ready *tl_ready_queue_pop(struct tl_ready_queue *queue)
{
    struct tl_ready *ready = queue->head.next;
    queue->head.next = ready->next;
    ready->next->prev = &queue->head;
    ready->next = NULL;
    return ready;
}

#endif
