/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes: made on a host, started at their time, ended by returning, by a signal or with their
 * world.
 *
 * What the core keeps per process and per thread lies in the process; the world points tl_self at
 * it while the process runs. Memory that the library asks for in a process comes from the world's
 * allocator through a list, as an operating system would know it: a process that returns from main
 * must have freed it, for one that is killed the world does.
 */
#include "sim/process.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "core/task.h"
#include "sim/host.h"
#include "sim/kernel.h"
#include "sim/world.h"

enum { STACK_SIZE = 256 * 1024, FIRST_PID = 100 };

/* --- Memory ----------------------------------------------------------------------------------- */

/* Before each block, 16 bytes: what follows is aligned as the world's allocator aligns. */
struct block {
    struct tl_list place;
};

static void *process_realloc(void *ctx, void *ptr, size_t size)
{
    tl_process *process = ctx;
    const tl_allocator *allocator = &process->world->allocator;
    struct block *block = ptr != NULL ? (struct block *)ptr - 1 : NULL;
    if (block != NULL)
        tl_list_remove(&block->place);
    if (size == 0) {
        tl_allocator_free(allocator, block);
        return NULL;
    }
    struct block *moved = NULL;
    if (size <= SIZE_MAX - sizeof *block)
        moved = tl_allocator_realloc(allocator, block, sizeof *block + size);
    if (moved != NULL)
        block = moved;
    if (block != NULL)
        tl_list_push(&process->blocks, &block->place);
    return moved != NULL ? moved + 1 : NULL;
}

static void free_blocks(tl_process *process)
{
    struct tl_list *place;
    while ((place = tl_list_pop(&process->blocks)) != NULL)
        tl_allocator_free(&process->world->allocator, tl_listed(place, struct block, place));
}

/* --- What the core asks of its process -------------------------------------------------------- */

static tl_process *process_of(struct tl_context *context)
{
    return tl_listed(context, tl_process, context);
}

static int new_kernel(struct tl_context *context, struct tl_kernel **ret)
{
    struct tl_sim_kernel *kernel;
    int r = tl_sim_kernel_make(process_of(context), &kernel);
    if (r == 0)
        *ret = &kernel->base;
    return r;
}

static __attribute__((noreturn)) void assertion_failed(struct tl_context *context, const char *text)
{
    tl_process *process = process_of(context);
    tl_world_decide(process->world, TL_OUTCOME_FAILED, "%s: %s", process->name, text);
    tl_world_leave(process);
    __builtin_unreachable();
}

static void no_lock(struct tl_context *context)
{
    (void)context;
}

static void log_text(struct tl_context *context, enum tl_log_level level, const char *text)
{
    tl_process *process = process_of(context);
    FILE *log = process->world->hash.log;
    if (log != NULL)
        fprintf(log, "%" PRId64 ".%09" PRId64 " %s says: %s\n", process->world->now / TL_SECOND,
                process->world->now % TL_SECOND, process->name, text);
    else if (level >= TL_LOG_WARNING)
        tl_report_message(process->world, process->name, text);
}

static const struct tl_context_ops process_context_ops = {
    .new_kernel = new_kernel,
    .assertion_failed = assertion_failed,
    .lock = no_lock,
    .unlock = no_lock,
    .give_way = no_lock,
    .log = log_text,
    .backtrace = tl_native_backtrace,
    .symbol = tl_native_symbol,
};

tl_process *tl_context_process(const struct tl_context *context)
{
    return context->ops == &process_context_ops ? process_of((struct tl_context *)context) : NULL;
}

tl_process *tl_process_current(void)
{
    return tl_context_process(tl_thread_self()->context);
}

/* --- Making ----------------------------------------------------------------------------------- */

static tl_process *process_new(tl_host *host)
{
    tl_world *world = host->world;
    tl_process *process = tl_pool_get(&world->process_pool);
    if (process == NULL)
        return NULL;
    *process = (tl_process){.world = world, .host = host};
    tl_list_init(&process->blocks);
    tl_list_init(&process->kernels);
    tl_fds_init(&process->fds, world->fds_max);
    process->pid = FIRST_PID + host->processes_count;
    process->entity = tl_entity(host->entity, "process", host->processes_count);
    host->processes_count++;
    tl_list_push(&world->processes, &process->place);
    return process;
}

void tl_process_free(tl_process *process)
{
    const tl_allocator *allocator = &process->world->allocator;
    tl_list_remove(&process->place);
    tl_agenda_event_finish(&process->world->agenda, &process->start);
    tl_fds_finish(&process->fds, allocator);
    tl_allocator_free(allocator, process->argv);
    tl_allocator_free(allocator, process->envp);
    tl_allocator_free(allocator, process->own_name);
    tl_pool_put(&process->world->process_pool, process);
}

static char *copy_text(const tl_allocator *allocator, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = tl_allocator_alloc(allocator, size);
    return copy != NULL ? memcpy(copy, text, size) : NULL;
}

/* Copies the pointers and the strings into one block. */
/* A copy of NULL-terminated strings in one allocation; NULL when memory is out. */
static char **copy_strings(const tl_allocator *allocator, const char *const *strings)
{
    size_t size = sizeof(char *);
    int count = 0;
    for (; strings != NULL && strings[count] != NULL; count++)
        size += sizeof(char *) + strlen(strings[count]) + 1;
    char **copy = tl_allocator_alloc(allocator, size);
    if (copy == NULL)
        return NULL;
    char *text = (char *)(copy + count + 1);
    for (int i = 0; i < count; i++) {
        size_t len = strlen(strings[i]) + 1;
        copy[i] = memcpy(text, strings[i], len);
        text += len;
    }
    copy[count] = NULL;
    return copy;
}

static int copy_arguments(tl_process *process, const struct tl_process_options *options)
{
    const tl_allocator *allocator = &process->world->allocator;
    process->argv = copy_strings(allocator, options->argv);
    if (process->argv == NULL)
        return -ENOMEM;
    while (process->argv[process->argc] != NULL)
        process->argc++;
    if (options->envp == NULL)
        return 0;
    process->envp = copy_strings(allocator, options->envp);
    return process->envp != NULL ? 0 : -ENOMEM;
}

const char *tl_process_getenv(const tl_process *process, const char *name)
{
    const char *const *envp =
        process->envp != NULL ? (const char *const *)process->envp : process->world->envp;
    size_t len = strlen(name);
    for (; envp != NULL && *envp != NULL; envp++)
        if (strncmp(*envp, name, len) == 0 && (*envp)[len] == '=')
            return *envp + len + 1;
    return NULL;
}

/* The process's own stack begins here. */
static void run_program(void *arg)
{
    tl_process *process = arg;
    process->status = process->program(process->argc, process->argv) & 0xff;
}

static void start_fired(struct tl_agenda_event *event)
{
    tl_process *process = tl_listed(event, tl_process, start);
    struct tl_event_words words = {
        .kind = TL_KIND_START, .actor = process->entity, .who = process->name};
    tl_event_hash_add(process->world, &words);
    tl_world_wake(process);
}

static int set_up(tl_process *process, const struct tl_process_options *options)
{
    tl_world *world = process->world;
    const char *name = options->name;
    int r = copy_arguments(process, options);
    if (r < 0)
        return r;
    if (name == NULL)
        name = options->argv != NULL && options->argv[0] != NULL ? options->argv[0] : "process";
    process->name = process->own_name = copy_text(&world->allocator, name);
    if (process->own_name == NULL)
        return -ENOMEM;
    r = tl_agenda_event_init(&world->agenda, &process->start, start_fired);
    if (r < 0)
        return r;
    size_t stack_size = options->stack_size > 0 ? options->stack_size : STACK_SIZE;
    struct tl_fiber_pool *pool = tl_world_stacks(world, stack_size);
    if (pool != NULL)
        process->fiber = tl_fiber_new(pool, run_program, process);
    return process->fiber != NULL ? 0 : -ENOMEM;
}

tl_process *tl_host_spawn(tl_host *host, const struct tl_process_options *options)
{
    if (host == NULL || options == NULL || options->program == NULL)
        return NULL;
    tl_world *world = host->world;
    tl_process *process = process_new(host);
    if (process == NULL)
        return NULL;
    if (set_up(process, options) < 0) {
        host->processes_count--;
        tl_process_free(process);
        return NULL;
    }
    process->program = options->program;
    process->arg = options->arg;
    process->daemon = options->daemon;
    process->context.ops = &process_context_ops;
    process->context.allocator = (tl_allocator){.realloc = process_realloc, .ctx = process};
    process->thread.context = &process->context;
    process->thread.is_main = true;
    snprintf(process->thread.name, sizeof process->thread.name, "%s", process->name);
    world->alive++;
    if (!process->daemon) {
        world->foreground++;
        world->foreground_ever = true;
    }
    tl_time start = options->start > world->now ? options->start : world->now;
    tl_agenda_add(&world->agenda, &process->start, start);
    return process;
}

tl_process *tl_process_new_guest(tl_host *host)
{
    tl_process *process = process_new(host);
    if (process != NULL)
        process->name = "main";
    return process;
}

/* --- Running and ending ----------------------------------------------------------------------- */

void tl_process_resume(tl_process *process)
{
    tl_world *world = process->world;
    tl_process *previous = world->current;
    struct tl_thread *saved = tl_self;
    world->current = process;
    tl_self = &process->thread;
    tl_fiber_resume(process->fiber);
    tl_self = saved;
    world->current = previous;
    if (tl_fiber_finished(process->fiber))
        tl_process_end(process, process->status, false);
    else if (process->leaving)
        tl_process_end(process, process->status, true);
}

void tl_process_set_napping(tl_process *process, bool napping)
{
    if (process->napping == napping)
        return;
    process->napping = napping;
    process->world->napping += napping ? 1 : -1u;
}

static void free_memory(tl_process *process, bool killed)
{
    struct tl_thread *saved = tl_self;
    if (process->context.ops == NULL)
        return; /* a guest's is its caller's */
    tl_self = &process->thread;
    tl_thread_finish(&process->thread);
    tl_self = saved;
    if (!killed)
        return;
    tl_task_pools_drop(&process->context);
    free_blocks(process);
}

/* What the end of a process means for the run. */
static void account(tl_process *process)
{
    tl_world *world = process->world;
    if (process->program == NULL)
        return;
    world->alive--;
    if (process->daemon)
        return;
    world->foreground--;
    if (world->phase == TL_WORLD_OVER || process->status == 0)
        return;
    if (process->status > 0)
        tl_world_decide(world, TL_OUTCOME_FAILED, "%s on %s ended with %d", process->name,
                        process->host->name, process->status);
    else
        tl_world_decide(world, TL_OUTCOME_FAILED, "%s on %s was ended by signal %d", process->name,
                        process->host->name, -process->status);
}

void tl_process_end(tl_process *process, int status, bool killed)
{
    tl_world *world = process->world;
    process->exited = true;
    process->waiting = NULL;
    process->status = status;
    tl_process_set_napping(process, false);
    tl_list_remove(&process->turn);
    tl_agenda_cancel(&world->agenda, &process->start);
    if (world->phase != TL_WORLD_OVER) {
        struct tl_event_words words = {.kind = TL_KIND_EXIT,
                                       .actor = process->entity,
                                       .who = process->name,
                                       .aux = (uint64_t)(int64_t)status};
        tl_event_hash_add(world, &words);
    }
    while (!tl_list_empty(&process->kernels))
        tl_sim_kernel_unmake(tl_listed(process->kernels.next, struct tl_sim_kernel, place));
    tl_sim_close_released(process);
    free_memory(process, killed);
    tl_fiber_free(process->fiber);
    process->fiber = NULL;
    account(process);
}

/* --- Asking ----------------------------------------------------------------------------------- */

void *tl_process_arg(const tl_process *process)
{
    return process->arg;
}

const char *tl_process_name(const tl_process *process)
{
    return process->name;
}

tl_host *tl_process_host(const tl_process *process)
{
    return process->host;
}

bool tl_process_exited(const tl_process *process, int *ret_status)
{
    if (process->exited && ret_status != NULL)
        *ret_status = process->status;
    return process->exited;
}
