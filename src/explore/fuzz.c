/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a fuzzer, and of one input: the world is reset, a server is made in it, the
 * conversation runs, and nothing may be left of it but the world.
 */
#include "explore/fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <twinloop/assert.h>
#include <twinloop/error.h>
#include <twinloop/net.h>
#include <twinloop/sim.h>

#include "core/alloc.h"
#include "core/log.h"
#include "sim/host.h"

enum { BUFFER_BYTES = 4096 };

/* --- The process that the library sees -------------------------------------------------------- */

static void enter(tl_fuzzer *fuzzer)
{
    fuzzer->outside = tl_thread_self();
    tl_self = &fuzzer->thread;
}

static void leave(tl_fuzzer *fuzzer)
{
    tl_self = fuzzer->outside;
}

static tl_fuzzer *fuzzer_of(struct tl_context *context)
{
    return tl_listed(context, tl_fuzzer, context);
}

static int no_kernel(struct tl_context *context, struct tl_kernel **ret)
{
    (void)context;
    (void)ret;
    return -ENOSYS;
}

static __attribute__((noreturn)) void assertion_failed(struct tl_context *context, const char *text)
{
    leave(fuzzer_of(context));
    tl_self->context->ops->assertion_failed(tl_self->context, text);
    __builtin_unreachable();
}

static void no_lock(struct tl_context *context)
{
    (void)context;
}

static void log_text(struct tl_context *context, enum tl_log_level level, const char *text)
{
    leave(fuzzer_of(context));
    tl_log(level, "%s", text);
    enter(fuzzer_of(context));
}

static const struct tl_context_ops fuzz_context_ops = {
    .new_kernel = no_kernel,
    .assertion_failed = assertion_failed,
    .lock = no_lock,
    .unlock = no_lock,
    .log = log_text,
    .backtrace = tl_native_backtrace,
    .symbol = tl_native_symbol,
};

/* --- Life ------------------------------------------------------------------------------------- */

static void make_process(tl_fuzzer *fuzzer)
{
    tl_fuzz_memory_init(&fuzzer->memory, tl_get_allocator());
    tl_fuzz_memory_init(&fuzzer->kept, tl_get_allocator());
    fuzzer->context.ops = &fuzz_context_ops;
    fuzzer->context.allocator = tl_fuzz_memory_allocator(&fuzzer->kept);
    fuzzer->thread.context = &fuzzer->context;
    fuzzer->thread.is_main = true;
    memcpy(fuzzer->thread.name, "main", sizeof "main");
}

/* The world, and what the library would otherwise make when it first needs it. */
static int make_world(tl_fuzzer *fuzzer)
{
    const struct tl_fuzz_target *target = fuzzer->target;
    struct tl_link_options link = {.buffer_bytes = BUFFER_BYTES};
    if (target->buffer_bytes > 0)
        link.buffer_bytes = target->buffer_bytes;
    fuzzer->thread.read_buffer = tl_alloc(TL_READ_BUFFER_SIZE);
    fuzzer->states = tl_calloc(TL_FUZZ_CONNECTIONS * target->state_size + 1);
    fuzzer->world = tl_world_new(NULL);
    if (fuzzer->thread.read_buffer == NULL || fuzzer->states == NULL || fuzzer->world == NULL)
        return -ENOMEM;
    fuzzer->host = tl_world_add_host(fuzzer->world, "local", NULL);
    if (fuzzer->host == NULL)
        return -ENOMEM;
    int r = tl_world_set_link(fuzzer->world, fuzzer->host, fuzzer->host, &link);
    fuzzer->latency = tl_link_between(fuzzer->world, fuzzer->host, fuzzer->host).latency;
    return r;
}

tl_fuzzer *tl_fuzzer_new(const struct tl_fuzz_target *target)
{
    if (target == NULL || target->factory == NULL)
        return NULL;
    tl_fuzzer *fuzzer = tl_calloc(sizeof *fuzzer);
    if (fuzzer == NULL)
        return NULL;
    fuzzer->target = target;
    make_process(fuzzer);
    enter(fuzzer);
    int r = make_world(fuzzer);
    fuzzer->context.allocator = tl_fuzz_memory_allocator(&fuzzer->memory);
    leave(fuzzer);
    if (r == 0)
        r = tl_addr_parse("127.0.0.1", TL_FUZZ_PORT, &fuzzer->address);
    if (r < 0) {
        tl_fuzzer_free(fuzzer);
        return NULL;
    }
    for (unsigned i = 0; i < TL_FUZZ_CONNECTIONS; i++) {
        fuzzer->client[i].fd = -1;
        fuzzer->client[i].connection.number = i;
        fuzzer->client[i].connection.state = fuzzer->states + i * target->state_size;
    }
    return fuzzer;
}

void tl_fuzzer_free(tl_fuzzer *fuzzer)
{
    if (fuzzer == NULL)
        return;
    enter(fuzzer);
    fuzzer->context.allocator = tl_fuzz_memory_allocator(&fuzzer->kept);
    tl_world_free(fuzzer->world);
    tl_free(fuzzer->states);
    tl_thread_finish(&fuzzer->thread);
    leave(fuzzer);
    tl_fuzz_memory_finish(&fuzzer->memory);
    tl_fuzz_memory_finish(&fuzzer->kept);
    tl_free(fuzzer);
}

void tl_fuzzer_set_log(tl_fuzzer *fuzzer, FILE *log)
{
    fuzzer->log = log;
}

void tl_fuzzer_hashes(const tl_fuzzer *fuzzer, uint64_t *ret_schedule, uint64_t *ret_content)
{
    *ret_schedule = fuzzer->schedule;
    *ret_content = fuzzer->content;
}

/* --- The server ------------------------------------------------------------------------------- */

static int join(tl_fuzzer *fuzzer, struct tl_sim_kernel **ret)
{
    struct tl_kernel *kernel;
    int r = tl_sim_kernel_join(fuzzer->host, &kernel);
    if (r == 0)
        *ret = (struct tl_sim_kernel *)kernel;
    return r;
}

static void part(struct tl_sim_kernel *kernel)
{
    if (kernel != NULL)
        kernel->base.ops->destroy(&kernel->base);
}

static void on_exception(tl_loop *loop, const tl_exc_context *context, void *arg)
{
    const tl_fuzzer *fuzzer = arg;
    int code = context->exception != NULL ? context->exception->code : 0;
    (void)loop;
    tl_fuzz_log(fuzzer, "are told: %s: %s", context->message, tl_err_name(code));
    TL_ASSERT(!fuzzer->target->no_errors, "nothing reaches the exception handler, but: %s: %s",
              context->message, tl_err_name(code));
}

/* Takes the future of create_server: the server is there when it has not failed. */
static int start_server(tl_fuzzer *fuzzer, tl_future **ret)
{
    static const char *const host[] = {"127.0.0.1"};
    const struct tl_fuzz_target *target = fuzzer->target;
    tl_future *future =
        tl_loop_create_server(fuzzer->loop, target->factory, target->farg, host, 1, "7", NULL);
    if (tl_future_done(future)) {
        tl_future_unref(future);
        return -ENOMEM;
    }
    *ret = future;
    return 0;
}

/* Runs the conversation on the loop that is there. */
static int converse(tl_fuzzer *fuzzer)
{
    tl_future *created;
    int r = start_server(fuzzer, &created);
    if (r < 0)
        return r;
    tl_loop_set_exception_handler(fuzzer->loop, on_exception, fuzzer);
    r = tl_agenda_event_init(&fuzzer->world->agenda, &fuzzer->turn, tl_fuzz_turn);
    if (r == 0) {
        tl_agenda_add(&fuzzer->world->agenda, &fuzzer->turn, 0);
        r = tl_loop_run_forever(fuzzer->loop);
        tl_agenda_event_finish(&fuzzer->world->agenda, &fuzzer->turn);
        tl_world_hashes(fuzzer->world, &fuzzer->schedule, &fuzzer->content);
    }
    tl_future_unref(created);
    return r;
}

static int serve(tl_fuzzer *fuzzer)
{
    fuzzer->clients = NULL;
    int r = join(fuzzer, &fuzzer->server);
    if (r < 0)
        return r;
    r = tl_loop_new(&fuzzer->server->base, &fuzzer->loop);
    if (r < 0) {
        part(fuzzer->server);
        return r;
    }
    r = join(fuzzer, &fuzzer->clients);
    if (r == 0)
        r = converse(fuzzer);
    tl_loop_free(fuzzer->loop);
    part(fuzzer->clients);
    return r;
}

int tl_fuzzer_run(tl_fuzzer *fuzzer, const uint8_t *data, size_t size)
{
    const struct tl_fuzz_target *target = fuzzer->target;
    struct tl_world_options options = {.log = fuzzer->log};
    tl_fuzz_steps_begin(fuzzer, data, size, &options);
    enter(fuzzer);
    int r = tl_world_reset(fuzzer->world, &options);
    if (target->begin != NULL)
        target->begin(target->farg);
    if (r == 0)
        r = serve(fuzzer);
    if (target->end != NULL)
        target->end(target->farg);
    TL_ASSERT(fuzzer->memory.in_use == 0, "no object of the library is left, but %zu are",
              fuzzer->memory.in_use);
    leave(fuzzer);
    return r;
}

int tl_fuzz_input(tl_fuzzer **fuzzer, const struct tl_fuzz_target *target, const uint8_t *data,
                  size_t size)
{
    if (*fuzzer == NULL) {
        *fuzzer = tl_fuzzer_new(target);
        if (*fuzzer == NULL)
            return 0;
        if (getenv("TWINLOOP_FUZZ_LOG") != NULL)
            tl_fuzzer_set_log(*fuzzer, stderr);
    }
    int r = tl_fuzzer_run(*fuzzer, data, size);
    TL_ASSERT(r == 0 || r == -ENOMEM, "the loop runs until it is stopped, but: %s", tl_err_name(r));
    return 0;
}
