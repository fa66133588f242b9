/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Debug mode in a simulated world: neither lane of the event hash notices it, and the way up a
 * process's own stack ends where the process begins.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <twinloop.h>
#include <twinloop/assert.h>
#include <twinloop/world.h>
#include <cmocka.h>
#include "examples/echo/echo.h"
#include "support/simulated.h"

enum { CLIENTS = 4, SEEDS = 20 };

/* --- Two programs ----------------------------------------------------------------------------- */

static tl_loop *new_loop(void)
{
    tl_loop *loop = NULL;
    TL_ASSERT(tl_new_event_loop(&loop) == 0, "a process has a loop");
    tl_loop_set_debug(loop, program_notes()->count > 0);
    return loop;
}

static void stop(void *loop)
{
    tl_loop_stop(loop);
}

static int serve(int argc, char **argv)
{
    static const char *const hosts[] = {"10.0.0.1"};
    tl_value server = tl_value_none();
    (void)argc, (void)argv;
    tl_loop *loop = new_loop();
    tl_future *future = tl_loop_create_server(loop, echo_server_factory, NULL, hosts, 1, "7", NULL);
    TL_ASSERT(tl_loop_run_until_complete(loop, future, &server) == 0, "it listens");
    TL_ASSERT(tl_loop_add_signal_handler(loop, SIGTERM, stop, loop) == 0, "it can be ended");
    (void)tl_loop_run_forever(loop);
    tl_value_finish(&server);
    TL_ASSERT(tl_loop_close(loop) == 0, "it can be closed");
    tl_loop_free(loop);
    return 0;
}

struct clients {
    tl_loop *loop;
    int running;
    struct echo_client each[CLIENTS];
};

static void one_is_done(void *arg)
{
    struct clients *clients = arg;
    if (--clients->running == 0)
        tl_loop_stop(clients->loop);
}

static void connect_one(struct clients *clients, int i)
{
    const struct echo_client_options options = {
        .messages = 5, .size = 3000, .ending = (enum echo_ending)(i % 3)};
    echo_client_init(&clients->each[i], &options, one_is_done, clients);
    tl_future_detach(tl_loop_create_connection(clients->loop, echo_client_factory,
                                               &clients->each[i], "10.0.0.1", "7", NULL));
}

static int ask(int argc, char **argv)
{
    struct clients clients = {.running = CLIENTS};
    tl_future *naps[CLIENTS];
    (void)argc, (void)argv;
    clients.loop = new_loop();
    for (int i = 0; i < CLIENTS; i++)
        naps[i] = tl_sleep(clients.loop, (i + 1) * TL_MILLISECOND);
    tl_future *all = tl_gather(clients.loop, naps, CLIENTS, 0);
    TL_ASSERT(tl_loop_run_until_complete(clients.loop, all, NULL) == 0, "time passes");
    for (int i = 0; i < CLIENTS; i++)
        connect_one(&clients, i);
    TL_ASSERT(tl_loop_run_forever(clients.loop) == 0, "everything comes back");
    for (int i = 0; i < CLIENTS; i++)
        TL_ASSERT(clients.each[i].finished, "every client has succeeded");
    TL_ASSERT(tl_loop_close(clients.loop) == 0, "it can be closed");
    tl_loop_free(clients.loop);
    return 0;
}

/* --- The tests -------------------------------------------------------------------------------- */

struct hashes {
    uint64_t schedule;
    uint64_t content;
    uint64_t events;
};

static struct hashes run(uint64_t seed, bool debug)
{
    struct notes notes;
    struct hashes hashes;
    notes_open(&notes, (struct tl_world_options){.seed = seed});
    notes.count = debug;
    notes_spawn_daemon(&notes, serve);
    notes_spawn(&notes, ask, "client");
    notes_expect(&notes, TL_OUTCOME_HELD, "");
    tl_world_hashes(notes.world, &hashes.schedule, &hashes.content);
    hashes.events = tl_world_events(notes.world);
    tl_world_free(notes.world);
    return hashes;
}

static void debug_mode_changes_no_hash(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct hashes plain = run(seed, false);
        struct hashes debug = run(seed, true);
        assert_true(plain.events > 20);
        assert_int_equal(plain.events, debug.events);
        assert_int_equal(plain.schedule, debug.schedule);
        assert_int_equal(plain.content, debug.content);
    }
}

static void note_origin(tl_loop *loop, const tl_exc_context *context, void *arg)
{
    char frame[128];
    struct notes *notes = arg;
    (void)loop;
    unsigned depth = tl_traceback_depth(context->source_traceback);
    for (unsigned i = 0; i < depth; i++) {
        TL_ASSERT(tl_traceback_frame(context->source_traceback, i, frame, sizeof frame) == 0,
                  "every frame can be named");
        if (strncmp(frame, "fail_in_a_process+", 18) == 0)
            notes_leave(notes, "found ");
    }
}

static __attribute__((noinline, used)) int fail_in_a_process(int argc, char **argv)
{
    (void)argc, (void)argv;
    tl_loop *loop = new_loop();
    tl_loop_set_exception_handler(loop, note_origin, program_notes());
    tl_future *future = tl_loop_create_future(loop);
    (void)tl_future_set_exception(future, TL_ESTATE, NULL);
    tl_future_unref(future);
    tl_loop_free(loop);
    return 0;
}

static void ignore(enum tl_log_level level, const char *text, void *arg)
{
    (void)level, (void)text, (void)arg;
}

static void a_process_knows_where_it_made_a_future(void **state)
{
    (void)state;
    struct notes notes;
    notes_open(&notes, (struct tl_world_options){.seed = 1});
    notes.count = 1;
    tl_set_log_handler(ignore, NULL);
    notes_spawn(&notes, fail_in_a_process, "process");
    notes_expect(&notes, TL_OUTCOME_HELD, "");
    tl_set_log_handler(NULL, NULL);
    assert_string_equal(notes.trail, "found ");
    tl_world_free(notes.world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(debug_mode_changes_no_hash),
        cmocka_unit_test(a_process_knows_where_it_made_a_future),
    };
    return !!cmocka_run_group_tests_name("debug", tests, NULL, NULL);
}
