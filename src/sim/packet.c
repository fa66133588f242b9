/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of datagrams, and queues of them.
 *
 * What a datagram counts in a receive buffer is what Linux counts on its loopback: the memory that
 * a packet takes, far more than its bytes when they are few.
 */
#include "sim/packet.h"

#include <string.h>

/* --- Memory ----------------------------------------------------------------------------------- */

static const struct {
    uint32_t room;
    uint32_t slab_count;
} classes[TL_DATAGRAM_CLASSES] = {
    {168, 32}, {1520, 8}, {9216, 2}, {65536, 1}, {426240, 1}, /* only those of unix sockets */
};

void tl_datagram_pools_init(struct tl_datagram_pools *pools, const tl_allocator *allocator)
{
    for (unsigned i = 0; i < TL_DATAGRAM_CLASSES; i++)
        tl_pool_init(&pools->pools[i], allocator, sizeof(struct tl_datagram) + classes[i].room,
                     classes[i].slab_count);
}

void tl_datagram_pools_finish(struct tl_datagram_pools *pools)
{
    for (unsigned i = 0; i < TL_DATAGRAM_CLASSES; i++)
        tl_pool_finish(&pools->pools[i]);
}

struct tl_datagram *tl_datagram_new(struct tl_datagram_pools *pools, uint32_t len)
{
    uint8_t pool = 0;
    while (pool < TL_DATAGRAM_CLASSES - 1 && classes[pool].room < len)
        pool++;
    struct tl_datagram *datagram = tl_pool_get(&pools->pools[pool]);
    if (datagram == NULL)
        return NULL;
    datagram->next = NULL;
    datagram->target = NULL;
    datagram->dest = (struct tl_ip){{0}};
    datagram->len = len;
    datagram->pool = pool;
    datagram->refusal = false;
    datagram->to_many = false;
    datagram->paged = false;
    return datagram;
}

struct tl_datagram *tl_datagram_copy(struct tl_datagram_pools *pools,
                                     const struct tl_datagram *datagram)
{
    struct tl_datagram *other = tl_datagram_new(pools, datagram->len);
    if (other != NULL)
        memcpy(other, datagram, sizeof *datagram + datagram->len);
    return other;
}

/* --- Queues ----------------------------------------------------------------------------------- */

/* As on a loopback interface, for which nothing is cut in pieces: short ones are in one block of
 * memory with their headers, of which there is a small size and then powers of two; of longer ones,
 * and of files, the bytes are in pages, which count by the byte. */
uint32_t tl_datagram_cost(const struct tl_datagram *datagram)
{
    enum { HEADERS = 59, HEADERS_V6 = 72, SMALL = 256, BLOCK = 1024, BLOCK_MAX = 16384 };
    enum { TAIL = 320, COST = 256, SMALL_COST = 832 };
    uint32_t len = datagram->len + (tl_ip_is_v4(&datagram->dest) ? HEADERS : HEADERS_V6);
    uint32_t block = BLOCK;
    if (datagram->paged || len + TAIL >= BLOCK_MAX)
        return SMALL_COST + datagram->len;
    if (len <= SMALL)
        return SMALL_COST;
    while (block < len + TAIL)
        block *= 2;
    return block + COST;
}

void tl_datagram_push(struct tl_datagram_queue *queue, struct tl_datagram *datagram)
{
    datagram->next = NULL;
    if (queue->tail != NULL)
        queue->tail->next = datagram;
    else
        queue->head = datagram;
    queue->tail = datagram;
    queue->count++;
    queue->used += tl_datagram_cost(datagram);
}

void tl_datagram_insert(struct tl_datagram_queue *queue, struct tl_datagram *datagram)
{
    struct tl_datagram **at = &queue->head;
    if (queue->tail == NULL || queue->tail->arrival <= datagram->arrival) {
        tl_datagram_push(queue, datagram);
        return;
    }
    while ((*at)->arrival <= datagram->arrival)
        at = &(*at)->next;
    datagram->next = *at;
    *at = datagram;
    queue->count++;
    queue->used += tl_datagram_cost(datagram);
}

struct tl_datagram *tl_datagram_pop(struct tl_datagram_queue *queue)
{
    struct tl_datagram *datagram = queue->head;
    queue->head = datagram->next;
    if (queue->head == NULL)
        queue->tail = NULL;
    queue->count--;
    queue->used -= tl_datagram_cost(datagram);
    return datagram;
}

void tl_datagrams_drop(struct tl_datagram_pools *pools, struct tl_datagram_queue *queue)
{
    while (queue->head != NULL)
        tl_datagram_free(pools, tl_datagram_pop(queue));
}
