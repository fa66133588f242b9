/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which part is lent to whom.
 *
 * A part that is not lent is empty, save for the end that had it: lending one is a matter of two
 * pointers. Which one an end gets is no decision that anybody could see.
 */
#include "sim/traffic.h"

#include <assert.h>
#include <errno.h>

#include "core/alloc.h"
#include "core/poison.h"
#include "sim/endpoint.h"
#include "sim/world.h"

enum { SLAB_MIN = 32 };

static size_t slab_size(unsigned slab)
{
    return ((size_t)SLAB_MIN << slab) * sizeof(struct tl_traffic);
}

void tl_traffics_finish(struct tl_traffics *traffics, const tl_allocator *allocator)
{
    for (unsigned i = 0; i < traffics->slabs_count; i++) {
        TL_UNPOISON(traffics->slabs[i], slab_size(i));
        tl_allocator_free(allocator, traffics->slabs[i]);
    }
    *traffics = (struct tl_traffics){0};
}

/* --- Reserving -------------------------------------------------------------------------------- */

static int add_slab(struct tl_traffics *traffics, const tl_allocator *allocator)
{
    unsigned slab = traffics->slabs_count;
    if (slab == TL_TRAFFIC_SLABS)
        return -ENOMEM;
    traffics->slabs[slab] = tl_allocator_alloc(allocator, slab_size(slab));
    if (traffics->slabs[slab] == NULL)
        return -ENOMEM;
    TL_POISON(traffics->slabs[slab], slab_size(slab));
    traffics->slabs_count++;
    traffics->capacity += (unsigned)SLAB_MIN << slab;
    return 0;
}

int tl_traffic_reserve(tl_world *world)
{
    struct tl_traffics *traffics = &world->traffics;
    if (traffics->reserved == traffics->capacity && add_slab(traffics, &world->allocator) < 0)
        return -ENOMEM;
    int r = tl_agenda_reserve(&world->agenda);
    if (r == 0)
        traffics->reserved++;
    return r;
}

void tl_traffic_unreserve(tl_world *world)
{
    world->traffics.reserved--;
    tl_agenda_unreserve(&world->agenda);
}

/* --- Lending ---------------------------------------------------------------------------------- */

struct tl_traffic *tl_traffic_make(struct tl_traffics *traffics)
{
    assert(traffics->made < traffics->capacity && "each end has reserved one");
    unsigned index = traffics->made++;
    unsigned slab = 31 - (unsigned)__builtin_clz(index / SLAB_MIN + 1);
    struct tl_traffic *traffic = &traffics->slabs[slab][index - SLAB_MIN * ((1u << slab) - 1)];
    TL_UNPOISON(traffic, sizeof *traffic);
    *traffic = (struct tl_traffic){0};
    tl_agenda_event_prepare(&traffic->arrival, tl_travel_fired);
    return traffic;
}

void tl_traffic_drop(struct tl_endpoint *endpoint)
{
    tl_world *world = tl_endpoint_world(endpoint);
    struct tl_traffic *traffic = endpoint->traffic;
    if (traffic == NULL)
        return;
    tl_endpoint_leave_listener(endpoint);
    tl_agenda_cancel(&world->agenda, &traffic->arrival);
    tl_segments_drop(&world->segments, &traffic->unsent);
    tl_segments_drop(&world->segments, &traffic->flight);
    tl_segments_drop(&world->segments, &traffic->unread);
    traffic->flags = 0;
    tl_traffic_take_back(&world->traffics, traffic);
    endpoint->traffic = NULL;
}
