/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errands: the callbacks that a scenario asks for at an instant (tl_world_at).
 *
 * They run outside every process, yet on a stack and with a context of the world's own: so an
 * assertion that fails in one can leave it for good, and what the library asks there is answered by
 * the world.
 */
#include <errno.h>

#include "core/alloc.h"
#include "sim/process.h"
#include "sim/world.h"

enum { STACK_SIZE = 256 * 1024 };

/* --- The world's own context ------------------------------------------------------------------ */

static tl_world *world_of(struct tl_context *context)
{
    struct tl_errand_runner *runner = tl_listed(context, struct tl_errand_runner, context);
    return tl_listed(runner, tl_world, runner);
}

static int no_kernel(struct tl_context *context, struct tl_kernel **ret)
{
    (void)context;
    (void)ret;
    return -ENOSYS;
}

static __attribute__((noreturn)) void assertion_failed(struct tl_context *context, const char *text)
{
    tl_world *world = world_of(context);
    tl_world_decide(world, TL_OUTCOME_FAILED, "%s", text);
    for (;;)
        tl_fiber_suspend(world->runner.fiber);
}

static void no_lock(struct tl_context *context)
{
    (void)context;
}

static void log_text(struct tl_context *context, enum tl_log_level level, const char *text)
{
    if (level >= TL_LOG_WARNING)
        tl_report_message(world_of(context), "world", text);
}

static const struct tl_context_ops errand_context_ops = {
    .new_kernel = no_kernel,
    .assertion_failed = assertion_failed,
    .lock = no_lock,
    .unlock = no_lock,
    .give_way = no_lock,
    .log = log_text,
    .backtrace = tl_native_backtrace,
    .symbol = tl_native_symbol,
};

tl_world *tl_errand_world(struct tl_context *context)
{
    return context->ops == &errand_context_ops ? world_of(context) : NULL;
}

/* --- Running ---------------------------------------------------------------------------------- */

static void errand_free(struct tl_errand *errand)
{
    tl_world *world = errand->world;
    tl_list_remove(&errand->place);
    tl_agenda_event_finish(&world->agenda, &errand->event);
    tl_allocator_free(&world->allocator, errand);
}

/* The runner's stack: one errand after the other. */
static void run(void *arg)
{
    tl_world *world = arg;
    for (;;) {
        struct tl_errand *errand = world->runner.errand;
        errand->callback(world, errand->arg);
        tl_fiber_suspend(world->runner.fiber);
    }
}

static struct tl_fiber *runner_stack(tl_world *world)
{
    if (world->runner.fiber == NULL) {
        struct tl_fiber_pool *pool = tl_world_stacks(world, STACK_SIZE);
        if (pool != NULL)
            world->runner.fiber = tl_fiber_new(pool, run, world);
    }
    return world->runner.fiber;
}

void tl_errand_fire(struct tl_agenda_event *event)
{
    struct tl_errand *errand = tl_listed(event, struct tl_errand, event);
    tl_world *world = errand->world;
    tl_world_count_step(world);
    struct tl_event_words words = {.kind = TL_KIND_CALLBACK};
    tl_event_hash_add(world, &words);
    if (runner_stack(world) == NULL) {
        tl_world_fail(world, "no memory for a stack");
        return;
    }
    struct tl_thread *saved = tl_self;
    tl_self = &world->runner.thread;
    world->runner.errand = errand;
    tl_fiber_resume(world->runner.fiber);
    tl_self = saved;
    errand_free(errand);
}

int tl_world_at(tl_world *world, tl_time when, void (*callback)(tl_world *world, void *arg),
                void *arg)
{
    struct tl_errand *errand = tl_allocator_calloc(&world->allocator, sizeof *errand);
    if (errand == NULL)
        return -ENOMEM;
    int r = tl_agenda_event_init(&world->agenda, &errand->event, tl_errand_fire);
    if (r < 0) {
        tl_allocator_free(&world->allocator, errand);
        return r;
    }
    errand->world = world;
    errand->callback = callback;
    errand->arg = arg;
    tl_list_push(&world->errands, &errand->place);
    tl_agenda_add(&world->agenda, &errand->event, when > world->now ? when : world->now);
    return 0;
}

/* --- Life ------------------------------------------------------------------------------------- */

void tl_errands_init(tl_world *world)
{
    tl_list_init(&world->errands);
    world->runner.context.ops = &errand_context_ops;
    world->runner.context.allocator = world->allocator;
    world->runner.thread.context = &world->runner.context;
}

void tl_errands_drop(tl_world *world)
{
    while (!tl_list_empty(&world->errands))
        errand_free(tl_listed(world->errands.next, struct tl_errand, place));
    tl_fiber_free(world->runner.fiber);
    world->runner.fiber = NULL;
}

void tl_errands_finish(tl_world *world)
{
    tl_errands_drop(world);
    struct tl_thread *saved = tl_self;
    tl_self = &world->runner.thread;
    tl_thread_finish(tl_self);
    tl_self = saved;
}
