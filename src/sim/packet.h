/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagrams as such: their memory, and queues of them.
 */
#ifndef TL_SIM_PACKET_H
#define TL_SIM_PACKET_H

#include <stdbool.h>
#include <stdint.h>
#include <twinloop/value.h>
#include <twinloop/world.h>
#include "sim/address.h"
#include "sim/pool.h"

enum { TL_DATAGRAM_CLASSES = 5 };

/* One datagram, or the refusal of one. */
struct tl_datagram {
    struct tl_datagram *next;
    tl_time arrival; /* when it is there */
    tl_host *target; /* where it arrives */
    struct tl_ip source;
    struct tl_ip dest;
    uint16_t source_port;
    uint16_t dest_port;
    uint32_t len;
    uint8_t pool; /* which one it came from */
    bool refusal; /* says that nobody received what went from source to dest */
    bool to_many; /* a broadcast */
    bool paged;   /* its bytes are pages of a file */
    unsigned char data[];
};

struct tl_datagram_queue {
    struct tl_datagram *head;
    struct tl_datagram *tail;
    uint32_t count;
    uint32_t used; /* what keeping them costs, in bytes */
};

/* Datagrams by size, so that one allocates nothing once the pools are warm. */
struct tl_datagram_pools {
    struct tl_pool pools[TL_DATAGRAM_CLASSES];
};

void tl_datagram_pools_init(struct tl_datagram_pools *pools, const tl_allocator *allocator);
void tl_datagram_pools_finish(struct tl_datagram_pools *pools);

/* One with room for len bytes; NULL when memory is out. */
struct tl_datagram *tl_datagram_new(struct tl_datagram_pools *pools, uint32_t len);

static inline void tl_datagram_free(struct tl_datagram_pools *pools, struct tl_datagram *datagram)
{
    tl_pool_put(&pools->pools[datagram->pool], datagram);
}

/* One that is the same; NULL when memory is out. */
struct tl_datagram *tl_datagram_copy(struct tl_datagram_pools *pools,
                                     const struct tl_datagram *datagram);

/* What keeping one costs of a receive buffer. */
uint32_t tl_datagram_cost(const struct tl_datagram *datagram);

/* Puts a datagram at the end; where its arrival belongs, behind those of the same instant. */
void tl_datagram_push(struct tl_datagram_queue *queue, struct tl_datagram *datagram);
void tl_datagram_insert(struct tl_datagram_queue *queue, struct tl_datagram *datagram);

/* Takes out the first of a queue, which is not empty. */
struct tl_datagram *tl_datagram_pop(struct tl_datagram_queue *queue);
void tl_datagrams_drop(struct tl_datagram_pools *pools, struct tl_datagram_queue *queue);

#endif
