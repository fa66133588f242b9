/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of one input: a world with a server in it, a run, and nothing left of it.
 */
#include "explore/fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <twinloop/assert.h>
#include <twinloop/error.h>
#include <twinloop/net.h>
#include <twinloop/sim.h>

#include "core/alloc.h"
#include "sim/host.h"

enum { BUFFER_BYTES = 4096 };

/* --- Life ------------------------------------------------------------------------------------- */

tl_fuzzer *tl_fuzzer_new(const struct tl_fuzz_target *target)
{
    if (target == NULL || target->factory == NULL)
        return NULL;
    tl_fuzzer *fuzzer = tl_calloc(sizeof *fuzzer);
    if (fuzzer == NULL)
        return NULL;
    fuzzer->target = target;
    fuzzer->states = tl_calloc(TL_FUZZ_CONNECTIONS * target->state_size + 1);
    if (fuzzer->states == NULL || tl_addr_parse("127.0.0.1", TL_FUZZ_PORT, &fuzzer->address) < 0) {
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
    tl_world_free(fuzzer->world);
    tl_free(fuzzer->states);
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

/* --- The world -------------------------------------------------------------------------------- */

static int make_world(tl_fuzzer *fuzzer, const struct tl_world_options *options)
{
    struct tl_link_options link = {.buffer_bytes = BUFFER_BYTES};
    if (fuzzer->target->buffer_bytes > 0)
        link.buffer_bytes = fuzzer->target->buffer_bytes;
    fuzzer->world = tl_world_new(options);
    if (fuzzer->world == NULL)
        return -ENOMEM;
    fuzzer->host = tl_world_add_host(fuzzer->world, "local", NULL);
    if (fuzzer->host == NULL)
        return -ENOMEM;
    return tl_world_set_link(fuzzer->world, fuzzer->host, fuzzer->host, &link);
}

static int join(tl_fuzzer *fuzzer, struct tl_sim_kernel **ret)
{
    struct tl_kernel *kernel;
    int r = tl_sim_kernel_join(fuzzer->host, &kernel);
    if (r == 0)
        *ret = (struct tl_sim_kernel *)kernel;
    return r;
}

static void leave(struct tl_sim_kernel *kernel)
{
    if (kernel != NULL)
        kernel->base.ops->destroy(&kernel->base);
}

/* --- The server ------------------------------------------------------------------------------- */

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
        leave(fuzzer->server);
        return r;
    }
    r = join(fuzzer, &fuzzer->clients);
    if (r == 0)
        r = converse(fuzzer);
    tl_loop_free(fuzzer->loop);
    leave(fuzzer->clients);
    return r;
}

int tl_fuzzer_run(tl_fuzzer *fuzzer, const uint8_t *data, size_t size)
{
    const struct tl_fuzz_target *target = fuzzer->target;
    struct tl_world_options options = {.log = fuzzer->log};
    tl_fuzz_steps_begin(fuzzer, data, size, &options);
    int r = make_world(fuzzer, &options);
    if (r == 0) {
        if (target->begin != NULL)
            target->begin(target->farg);
        r = serve(fuzzer);
        if (target->end != NULL)
            target->end(target->farg);
    }
    tl_world_free(fuzzer->world);
    fuzzer->world = NULL;
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
