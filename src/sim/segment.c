/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pools of segments: small ones by the dozen, large ones one by one.
 */
#include "sim/segment.h"

static const struct {
    uint32_t room;
    uint32_t slab_count;
} classes[TL_SEGMENT_CLASSES] = {
    {96, 32},
    {2016, 8},
    {16352, 2},
    {65504, 1},
};

void tl_segments_init(struct tl_segments *segments, const tl_allocator *allocator)
{
    for (unsigned i = 0; i < TL_SEGMENT_CLASSES; i++)
        tl_pool_init(&segments->pools[i], allocator, sizeof(struct tl_segment) + classes[i].room,
                     classes[i].slab_count);
}

void tl_segments_finish(struct tl_segments *segments)
{
    for (unsigned i = 0; i < TL_SEGMENT_CLASSES; i++)
        tl_pool_finish(&segments->pools[i]);
}

struct tl_segment *tl_segment_new(struct tl_segments *segments, size_t len)
{
    uint32_t pool = 0;
    while (pool < TL_SEGMENT_CLASSES - 1 && classes[pool].room < len)
        pool++;
    struct tl_segment *segment = tl_pool_get(&segments->pools[pool]);
    if (segment == NULL)
        return NULL;
    segment->next = NULL;
    segment->arrival = 0;
    segment->start = 0;
    segment->len = 0;
    segment->room = classes[pool].room;
    segment->pool = pool;
    return segment;
}

void tl_segments_drop(struct tl_segments *segments, struct tl_segment_queue *queue)
{
    while (queue->head != NULL)
        tl_segment_free(segments, tl_segment_pop(queue));
}
