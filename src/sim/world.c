/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Worlds: making and freeing one, and the callbacks and stacks that belong to it as a whole.
 *
 * Everything a world holds comes from the allocator of who made it and is given back with it,
 * whatever state its processes were in.
 */
#include "sim/world.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <twinloop/guard.h>

#include "core/alloc.h"
#include "sim/datagram.h"
#include "sim/endpoint.h"
#include "sim/host.h"
#include "sim/pipe.h"
#include "sim/process.h"
#include "sim/unix.h"

enum {
    FDS_MAX = 1024,
    ENDPOINTS_IN_SLAB = 16,
    PORTS_IN_SLAB = 32,
};

#define DEADLINE (600 * TL_SECOND)
#define GRACE TL_SECOND
#define STEPS_MAX 1000000

static const struct tl_world_options default_options;

/* --- Life ------------------------------------------------------------------------------------- */

/* What every run begins with, but the choices. */
static void set_up(tl_world *world, const struct tl_world_options *options)
{
    world->now = 0;
    world->deadline = options->deadline > 0 ? options->deadline : DEADLINE;
    world->grace = options->grace > 0 ? options->grace : GRACE;
    world->grace_end = 0;
    world->steps = 0;
    world->steps_max = options->instant_steps_max > 0 ? options->instant_steps_max : STEPS_MAX;
    world->envp = options->envp;
    world->fds_max = options->fds_max > 0 ? options->fds_max : FDS_MAX;
    world->hash = (struct tl_event_hash){.words = options->words, .log = options->log};
    world->foreground_ever = false;
    world->phase = TL_WORLD_BUILT;
    world->outcome = TL_OUTCOME_HELD;
    world->decided = false;
    world->guard = (struct tl_guard){0};
    world->report.len = 0;
    world->report.messages_count = 0;
    world->report.text[0] = '\0';
}

tl_world *tl_world_new(const struct tl_world_options *options)
{
    (void)tl_guard_check(); /* says so itself */
    tl_world *world = tl_alloc(sizeof *world);
    if (world == NULL)
        return NULL;
    memset(world, 0, offsetof(tl_world, report));
    world->allocator = *tl_get_allocator();
    world->thread = pthread_self();
    tl_agenda_init(&world->agenda, &world->allocator);
    tl_segments_init(&world->segments, &world->allocator);
    tl_list_init(&world->sockets);
    tl_pool_init(&world->endpoints, &world->allocator, sizeof(struct tl_endpoint),
                 ENDPOINTS_IN_SLAB);
    tl_unix_pool_init(&world->unixes, &world->allocator);
    tl_pipe_pools_init(&world->pipes, &world->allocator);
    tl_list_init(&world->datagrams);
    tl_pool_init(&world->datagram_sockets, &world->allocator, sizeof(struct tl_datagram_socket),
                 ENDPOINTS_IN_SLAB);
    tl_datagram_pools_init(&world->datagram_pools, &world->allocator);
    tl_pool_init(&world->ports, &world->allocator, sizeof(struct tl_port), PORTS_IN_SLAB);
    world->hosts_end = &world->hosts;
    tl_list_init(&world->processes);
    tl_list_init(&world->runnable);
    tl_errands_init(world);
    if (options == NULL)
        options = &default_options;
    set_up(world, options);
    if (tl_choices_init(&world->choices, options, &world->allocator) < 0) {
        tl_world_free(world);
        return NULL;
    }
    return world;
}

static void free_processes(tl_world *world)
{
    while (!tl_list_empty(&world->processes)) {
        tl_process *process = tl_listed(world->processes.next, tl_process, place);
        if (!process->exited)
            tl_process_end(process, 0, true);
        tl_process_free(process);
    }
}

static void free_stacks(tl_world *world)
{
    struct tl_stacks *next;
    for (struct tl_stacks *stacks = world->stacks; stacks != NULL; stacks = next) {
        next = stacks->next;
        tl_fiber_pool_free(stacks->pool);
        tl_allocator_free(&world->allocator, stacks);
    }
}

void tl_world_free(tl_world *world)
{
    if (world == NULL)
        return;
    assert(world->current == NULL && "a world is not freed from within");
    world->phase = TL_WORLD_OVER;
    free_processes(world);
    tl_endpoints_drop(world);
    tl_errands_finish(world);
    free_stacks(world);
    tl_hosts_finish(world);
    tl_pool_finish(&world->endpoints);
    tl_traffics_finish(&world->traffics, &world->allocator);
    tl_pool_finish(&world->ports);
    tl_pool_finish(&world->unixes);
    tl_pipe_pools_finish(&world->pipes);
    tl_pool_finish(&world->datagram_sockets);
    tl_datagram_pools_finish(&world->datagram_pools);
    tl_segments_finish(&world->segments);
    tl_choices_finish(&world->choices);
    tl_agenda_finish(&world->agenda);
    tl_allocator allocator = world->allocator;
    tl_allocator_free(&allocator, world);
}

int tl_world_reset(tl_world *world, const struct tl_world_options *options)
{
    if (world == NULL)
        return -EINVAL;
    assert(world->current == NULL && "a world is not reset from within");
    world->phase = TL_WORLD_OVER;
    free_processes(world);
    tl_errands_drop(world);
    tl_endpoints_drop(world);
    tl_datagram_sockets_drop(world);
    tl_hosts_reset(world);
    if (options != NULL && options->forget_hosts)
        tl_hosts_finish(world);
    tl_agenda_finish(&world->agenda); /* it never goes back in time */
    tl_agenda_init(&world->agenda, &world->allocator);
    assert(world->alive == 0 && world->foreground == 0 && world->napping == 0);
    if (options == NULL)
        options = &default_options;
    set_up(world, options);
    return tl_choices_reset(&world->choices, options);
}

tl_world *tl_world_current(void)
{
    const struct tl_thread *self = tl_thread_self();
    const tl_process *process = tl_context_process(self->context);
    return process != NULL ? process->world : tl_errand_world(self->context);
}

/* --- Stacks ----------------------------------------------------------------------------------- */

static struct tl_fiber_pool *add_stacks(tl_world *world, size_t stack_size)
{
    struct tl_stacks *stacks = tl_allocator_alloc(&world->allocator, sizeof *stacks);
    if (stacks == NULL)
        return NULL;
    /* In the world's name, not in that of the process that may be running: it is the world's. */
    struct tl_thread *saved = tl_self;
    tl_self = &world->runner.thread;
    stacks->pool = tl_fiber_pool_new(stack_size);
    tl_self = saved;
    if (stacks->pool == NULL) {
        tl_allocator_free(&world->allocator, stacks);
        return NULL;
    }
    stacks->stack_size = stack_size;
    stacks->next = world->stacks;
    world->stacks = stacks;
    return stacks->pool;
}

struct tl_fiber_pool *tl_world_stacks(tl_world *world, size_t stack_size)
{
    for (struct tl_stacks *stacks = world->stacks; stacks != NULL; stacks = stacks->next)
        if (stacks->stack_size == stack_size)
            return stacks->pool;
    return add_stacks(world, stack_size);
}
