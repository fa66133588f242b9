/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worlds of an example that only libtwinloop-sim knows: simulated, and replayed.
 *
 * The program is the one that production runs, object code and all. Simulated, it is started
 * twice, as a daemon on the host "server" and as a client on the host "client", or once if it needs
 * no server; replayed, it gets loops that answer from a file. Present in a link or not: nothing
 * else differs.
 */
#include "example.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <twinloop/trace.h>
#include <twinloop/world.h>

/* When the client starts: the server listens by then. */
#define CLIENT_START TL_SECOND

/* What the server's process needs to know beyond its arguments. */
struct server_run {
    const struct example *example;
    const char *record; /* NULL: not recorded */
};

static int server_program(int argc, char **argv)
{
    const struct server_run *run = tl_process_arg(tl_process_current());
    return run->record != NULL ? example_record(run->example, run->record, argc, argv)
                               : run->example->program(argc, argv);
}

static size_t count(const char *const *args)
{
    size_t n = 0;
    while (args != NULL && args[n] != NULL)
        n++;
    return n;
}

/* The program's name, the example's arguments, --host if there is one, the user's own arguments
 * from argv[1] on. The list is the caller's to free; NULL when memory is out. */
static const char **join(const struct example *example, const char *const *args, const char *host,
                         int argc, char **argv)
{
    const char **all = calloc(count(args) + (size_t)argc + 4, sizeof *all);
    size_t n = 0;
    if (all == NULL)
        return NULL;
    all[n++] = example->name;
    for (size_t i = 0; i < count(args); i++)
        all[n++] = args[i];
    if (host != NULL) {
        all[n++] = "--host";
        all[n++] = host;
    }
    for (int i = 1; i < argc; i++)
        all[n++] = argv[i];
    return all;
}

static bool spawn_server(tl_world *world, const struct server_run *run, int argc, char **argv)
{
    const char **args = join(run->example, run->example->server_args, NULL, argc, argv);
    const struct tl_process_options options = {
        .name = "server",
        .argv = args,
        .program = server_program,
        .daemon = true,
        .arg = (void *)run,
    };
    bool spawned =
        args != NULL && tl_host_spawn(tl_world_find_host(world, "server"), &options) != NULL;
    free(args);
    return spawned;
}

/* Somebody at the keyboard. */
struct keyboard {
    tl_process *client;
    int signal; /* 0: nobody is there */
};

static void press(tl_world *world, void *arg)
{
    const struct keyboard *keyboard = arg;
    (void)world;
    (void)tl_process_kill(keyboard->client, keyboard->signal);
}

/* The client of the server at this address; with NULL, a program that needs none. NULL when memory
 * is out. */
static tl_process *spawn_client(tl_world *world, const struct example *example, const char *address,
                                int argc, char **argv)
{
    const char **args = join(example, example->client_args, address, argc, argv);
    const struct tl_process_options options = {
        .name = "client",
        .argv = args,
        .program = example->program,
        .start = address != NULL ? CLIENT_START : 0,
    };
    tl_process *client = NULL;
    if (args != NULL)
        client = tl_host_spawn(tl_world_find_host(world, "client"), &options);
    free(args);
    return client;
}

/* Server and client, each on a host of its own. False when memory is out. */
static bool build(tl_world *world, const struct server_run *run, int argc, char **argv,
                  struct keyboard *keyboard)
{
    const struct example *example = run->example;
    const char *address = NULL;
    const tl_host *server = tl_world_add_host(world, "server", NULL);
    if (server == NULL || tl_world_add_host(world, "client", NULL) == NULL)
        return false;
    if (example->server_args != NULL) {
        address = tl_host_address(server);
        if (!spawn_server(world, run, argc, argv))
            return false;
    }
    keyboard->client = spawn_client(world, example, address, argc, argv);
    keyboard->signal = example->signal;
    return keyboard->client != NULL &&
           (keyboard->signal == 0 || tl_world_at(world, TL_SECOND, press, keyboard) == 0);
}

static const char *outcome_name(enum tl_outcome outcome)
{
    switch (outcome) {
    case TL_OUTCOME_HELD:
        return "held";
    case TL_OUTCOME_FAILED:
        return "failed";
    case TL_OUTCOME_CRASHED:
        return "crashed";
    case TL_OUTCOME_STUCK:
        return "stuck";
    case TL_OUTCOME_NOT_DETERMINISTIC:
        return "not deterministic";
    case TL_OUTCOME_NOT_RECOVERED:
        return "not recovered by the deadline";
    case TL_OUTCOME_LIMIT:
        return "past a limit";
    case TL_OUTCOME_DIVERGED:
        return "diverged";
    }
    return "unknown";
}

static void print_outcome(const tl_world *world, uint64_t seed, enum tl_outcome outcome)
{
    uint64_t schedule, content;
    tl_time time = tl_world_time(world);
    tl_world_hashes(world, &schedule, &content);
    printf("seed %" PRIu64 ": %s after %" PRId64 ".%09" PRId64 " s of virtual time, %" PRIu64
           " events\nschedule %016" PRIx64 " content %016" PRIx64 "\n",
           seed, outcome_name(outcome), time / TL_SECOND, time % TL_SECOND, tl_world_events(world),
           schedule, content);
    if (outcome != TL_OUTCOME_HELD)
        printf("%s\n", tl_world_report(world));
    (void)fflush(stdout);
}

int example_simulate(const struct example *example, uint64_t seed, const char *record, int argc,
                     char **argv)
{
    const struct server_run run = {.example = example, .record = record};
    const struct tl_world_options options = {.strategy = TL_STRATEGY_SEED, .seed = seed};
    struct keyboard keyboard;
    tl_world *world = tl_world_new(&options);
    if (world == NULL || !build(world, &run, argc, argv, &keyboard)) {
        fprintf(stderr, "%s: out of memory\n", example->name);
        tl_world_free(world);
        return EXAMPLE_FAILED;
    }
    enum tl_outcome outcome = tl_world_run(world);
    print_outcome(world, seed, outcome);
    tl_world_free(world);
    return (int)outcome;
}

/* Says how the replay ended; an exit code, status being the program's own. */
static int report_replay(const tl_trace_reader *reader, int status)
{
    const char *report;
    switch (tl_replay_result(reader, &report)) {
    case TL_REPLAY_COMPLETE:
        printf("replay complete: the program did what the trace has\n");
        return status;
    case TL_REPLAY_SHORT:
        printf("replay complete up to where the trace is torn\n");
        return EXAMPLE_OK;
    case TL_REPLAY_RUNNING:
        printf("replay diverged: the program ended before the trace\n");
        return EXAMPLE_DIVERGED;
    case TL_REPLAY_DIVERGED:
    case TL_REPLAY_REFUSED: /* only stream replays */
        break;
    }
    printf("replay diverged\n%s\n", report);
    return EXAMPLE_DIVERGED;
}

int example_replay(const struct example *example, const char *path, int argc, char **argv)
{
    tl_trace_reader *reader;
    struct tl_trace_problem problem;
    tl_policy *policy;
    int r = tl_trace_reader_open(path, &reader, &problem);
    if (r < 0) {
        fprintf(stderr, "%s: %s: byte %" PRIu64 ": %s\n", example->name, path, problem.offset,
                problem.message);
        return EXAMPLE_USAGE;
    }
    r = tl_replay_policy_new(reader, &policy);
    if (r < 0) {
        fprintf(stderr, "%s: %s\n", example->name, tl_strerror(r));
        tl_trace_reader_close(reader);
        return EXAMPLE_FAILED;
    }
    (void)tl_set_event_loop_policy(policy);
    int status = example->program(argc, argv);
    (void)tl_set_event_loop_policy(NULL);
    r = report_replay(reader, status);
    tl_replay_policy_free(policy);
    tl_trace_reader_close(reader);
    return r;
}
