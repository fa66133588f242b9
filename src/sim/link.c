/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links: how long bytes are on their way between two hosts, and how many may be.
 *
 * A connection takes its link's numbers when it is made. Only links that a scenario has set are
 * kept; a world has few, and they are looked up once per connection.
 */
#include <errno.h>

#include "core/alloc.h"
#include "sim/host.h"
#include "sim/world.h"

#define LATENCY_BETWEEN (200 * TL_MICROSECOND)
#define LATENCY_WITHIN (10 * TL_MICROSECOND)

enum { BUFFER_BYTES = 212992 };

static struct tl_link *find_link(const tl_world *world, const tl_host *a, const tl_host *b)
{
    for (struct tl_link *link = world->links; link != NULL; link = link->next)
        if ((link->a == a && link->b == b) || (link->a == b && link->b == a))
            return link;
    return NULL;
}

static struct tl_link link_of(const tl_host *a, const tl_host *b,
                              const struct tl_link_options *options)
{
    tl_time latency = options->latency;
    if (latency == 0)
        latency = a == b ? LATENCY_WITHIN : LATENCY_BETWEEN;
    return (struct tl_link){
        .a = a,
        .b = b,
        .latency = latency > 0 ? latency : 0,
        .buffer_bytes = options->buffer_bytes > 0 ? options->buffer_bytes : BUFFER_BYTES,
    };
}

struct tl_link tl_link_between(const tl_world *world, const tl_host *a, const tl_host *b)
{
    static const struct tl_link_options defaults;
    const struct tl_link *link = find_link(world, a, b);
    return link != NULL ? *link : link_of(a, b, &defaults);
}

int tl_world_set_link(tl_world *world, tl_host *a, tl_host *b,
                      const struct tl_link_options *options)
{
    static const struct tl_link_options defaults;
    if (world == NULL || a == NULL || b == NULL || a->world != world || b->world != world)
        return -EINVAL;
    struct tl_link *link = find_link(world, a, b);
    if (link == NULL) {
        link = tl_allocator_calloc(&world->allocator, sizeof *link);
        if (link == NULL)
            return -ENOMEM;
        link->next = world->links;
        world->links = link;
    }
    struct tl_link *next = link->next;
    *link = link_of(a, b, options != NULL ? options : &defaults);
    link->next = next;
    return 0;
}
