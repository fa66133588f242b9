/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two kv servers of one program on two hosts, each with clients on hosts of their own.
 *
 * Every client checks every answer against its model, and at the end the shared counters. Some
 * commands are sent when a key's deadline is near; some clients do not read what they ask for. The
 * clients of both servers use the same keys with other values: were anything of the program shared
 * between its processes, the models would notice. The servers are kv's own program, arguments and
 * all; so are the clients, except that what they find wrong is told to the world.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <twinloop/explore.h>
#include "kv/program.h"

#define SERVERS 2
#define CLIENT_START (10 * TL_MILLISECOND) /* the servers listen by then */
#define SLOW_LINK_BYTES 16384              /* what a slow client's network holds */
#define SLOW_REPLIES 4                     /* and what it asks for, more than that and a queue */
#define WORD_MAX 32
#define WORDS_MAX 28

/* An argv being put together; tl_host_spawn copies it. */
struct words {
    char text[WORDS_MAX][WORD_MAX];
    const char *argv[WORDS_MAX + 1];
    unsigned count;
};

static void add(struct words *words, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct words *words, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(words->text[words->count], WORD_MAX, format, args);
    va_end(args);
    words->argv[words->count] = words->text[words->count];
    words->argv[++words->count] = NULL;
}

static void add_number(struct words *words, const char *option, uint64_t number)
{
    add(words, "--%s", option);
    add(words, "%" PRIu64, number);
}

/* kv --client, with its problem as the world's report. */
static int client_program(int argc, char **argv)
{
    struct kv_options wanted;
    struct kv_client_report report;
    int r = kv_parse(argc, argv, &wanted);
    if (r == 0 && kv_client_run(&wanted.client, &report) < 0) {
        tl_world_fail(tl_world_current(), "%s", report.problem);
        return EXAMPLE_FAILED;
    }
    return r;
}

static tl_host *add_server(tl_world *world, unsigned number)
{
    char name[WORD_MAX];
    struct words words = {.count = 0};
    (void)snprintf(name, sizeof name, "server-%u", number);
    tl_host *host = tl_world_add_host(world, name, NULL);
    add(&words, "kv");
    add(&words, "--quiet");
    add(&words, "--host");
    add(&words, "0.0.0.0");
    const struct tl_process_options options = {
        .name = name, .argv = words.argv, .program = kv_program, .daemon = true};
    return host != NULL && tl_host_spawn(host, &options) != NULL ? host : NULL;
}

/* How much the clients do; the same for all of them. */
struct load {
    uint32_t clients; /* of each server */
    uint32_t connections, commands, depth, think_ms, seed;
    uint32_t slow; /* whether one client does not read what it asks for at first */
};

static int add_client(tl_world *world, tl_host *server, unsigned server_number, unsigned number,
                      const struct load *load)
{
    char name[WORD_MAX];
    struct words words = {.count = 0};
    (void)snprintf(name, sizeof name, "client-%u-%u", server_number, number);
    tl_host *host = tl_world_add_host(world, name, NULL);
    bool slow = load->slow != 0 && server_number == 0 && number == 0;
    const struct tl_link_options narrow = {.buffer_bytes = SLOW_LINK_BYTES};
    add(&words, "kv");
    add(&words, "--client");
    add(&words, "--host");
    add(&words, "%s", tl_host_address(server));
    add_number(&words, "clients", load->clients);
    add_number(&words, "number", number);
    add_number(&words, "connections", load->connections);
    add_number(&words, "commands", load->commands);
    add_number(&words, "depth", load->depth);
    add_number(&words, "think", load->think_ms);
    add_number(&words, "slow", slow ? SLOW_REPLIES : 0);
    add_number(&words, "seed", (uint64_t)load->seed * SERVERS + server_number);
    const struct tl_process_options options = {
        .name = name, .argv = words.argv, .program = client_program, .start = CLIENT_START};
    if (host == NULL || (slow && tl_world_set_link(world, host, server, &narrow) < 0))
        return -ENOMEM;
    return tl_host_spawn(host, &options) != NULL ? 0 : -ENOMEM;
}

static int build(tl_world *world)
{
    const struct load load = {
        .clients = tl_parameter(world, "clients", 1, 3),
        .connections = tl_parameter(world, "connections", 1, 3),
        .commands = tl_parameter(world, "commands", 5, 60),
        .depth = tl_parameter(world, "depth", 1, 12),
        .think_ms = tl_parameter(world, "think", 0, 50),
        .slow = tl_parameter(world, "slow", 0, 1),
        .seed = tl_parameter(world, "seed", 0, 65535),
    };
    int r = 0;
    for (unsigned s = 0; r == 0 && s < SERVERS; s++) {
        tl_host *server = add_server(world, s);
        r = server != NULL ? 0 : -ENOMEM;
        for (unsigned c = 0; r == 0 && c < load.clients; c++)
            r = add_client(world, server, s, c, &load);
    }
    return r;
}

static const struct tl_scenario scenario = {
    .name = "kv",
    .about = "Clients pipeline commands to two key-value servers and check every answer.",
    .build = build,
};

int main(int argc, char **argv)
{
    return tl_explore_main(argc, argv, &scenario);
}
