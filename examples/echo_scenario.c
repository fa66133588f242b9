/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The echo server under many clients on hosts of their own: a scenario, and the program to explore
 * it with.
 *
 * Every host runs a few programs; each opens connections to the server, sends messages, checks
 * every byte that comes back, and ends its connections in its own way. How many of everything, and
 * how large, is drawn for each seed. The server is echo's own program, arguments and all. Nothing
 * here is lost or refused by the network, so every client has to succeed, whatever is delayed, cut
 * or reordered.
 *
 *     ./echo_scenario explore --seeds 1:10000
 *     ./echo_scenario run --seed 42 --log -
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <twinloop/explore.h>
#include "common/example.h"
#include "echo/echo.h"

#define PORT "7000"
#define CLIENT_START (10 * TL_MILLISECOND) /* the server listens by then */

/* Of a message: a byte, less and more than a segment, more than the buffers on the way hold. */
static const unsigned sizes[] = {1, 100, 1500, 20000, 300000};
#define SIZES (sizeof sizes / sizeof *sizes)

enum client_argument {
    PROGRAM,
    HOST,
    CONNECTIONS,
    MESSAGES,
    SIZE,
    ENDING,
    ARGUMENTS,
};

static unsigned number_in(const char *text)
{
    return (unsigned)strtoul(text, NULL, 10);
}

/* What runs on a client's host. */
static int client_program(int argc, char **argv)
{
    if (argc != ARGUMENTS)
        return EXAMPLE_USAGE;
    const struct echo_client_options options = {
        .messages = number_in(argv[MESSAGES]),
        .size = number_in(argv[SIZE]),
        .ending = (enum echo_ending)number_in(argv[ENDING]),
    };
    return echo_run_clients(argv[HOST], PORT, number_in(argv[CONNECTIONS]), &options);
}

static int add_client(tl_world *world, tl_host *host, const tl_host *server)
{
    uint32_t size = sizes[tl_parameter(world, "size", 0, SIZES - 1)];
    /* The large ones are there for their size, not for their number. */
    uint32_t messages = tl_parameter(world, "messages", 0, size > 10000 ? 1 : 6);
    uint32_t connections = tl_parameter(world, "connections", 1, size > 100000 ? 1 : 4);
    char text[ARGUMENTS][16];
    (void)snprintf(text[CONNECTIONS], sizeof text[0], "%u", connections);
    (void)snprintf(text[MESSAGES], sizeof text[0], "%u", messages);
    (void)snprintf(text[SIZE], sizeof text[0], "%u", size);
    (void)snprintf(text[ENDING], sizeof text[0], "%u", tl_parameter(world, "ending", 0, 2));
    const char *const argv[] = {
        "client",
        tl_host_address(server),
        text[CONNECTIONS],
        text[MESSAGES],
        text[SIZE],
        text[ENDING],
        NULL,
    };
    const struct tl_process_options options = {
        .name = tl_host_name(host),
        .argv = argv,
        .program = client_program,
        .start = CLIENT_START,
    };
    return tl_host_spawn(host, &options) != NULL ? 0 : -ENOMEM;
}

static int add_client_host(tl_world *world, unsigned number, const tl_host *server)
{
    char name[32];
    (void)snprintf(name, sizeof name, "client-%u", number);
    tl_host *host = tl_world_add_host(world, name, NULL);
    uint32_t programs = tl_parameter(world, "programs", 1, 2);
    int r = host != NULL ? 0 : -ENOMEM;
    for (uint32_t i = 0; r == 0 && i < programs; i++)
        r = add_client(world, host, server);
    return r;
}

static int build(tl_world *world)
{
    static const char *const argv[] = {"echo", "--host", "0.0.0.0", "--port", PORT, NULL};
    const struct tl_process_options server_options = {
        .name = "server",
        .argv = argv,
        .program = echo_example.program,
        .daemon = true,
    };
    tl_host *server = tl_world_add_host(world, "server", NULL);
    if (server == NULL || tl_host_spawn(server, &server_options) == NULL)
        return -ENOMEM;
    uint32_t clients = tl_parameter(world, "clients", 1, 4);
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < clients; i++)
        r = add_client_host(world, i, server);
    return r;
}

static const struct tl_scenario scenario = {
    .name = "echo",
    .about = "Clients on several hosts send to an echo server and check what comes back.",
    .build = build,
};

int main(int argc, char **argv)
{
    return tl_explore_main(argc, argv, &scenario);
}
