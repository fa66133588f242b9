/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The DNS server under clients on hosts of their own, over a network that loses datagrams, brings
 * them twice, and lets them overtake each other: a scenario, and the program to explore it with.
 * What is too long for a datagram is asked for again over TCP.
 *
 * However many get lost, every question is answered in the end, every answer is the right one, and
 * one that comes twice or late is taken for what it is. How bad the network is, is drawn for each
 * seed; the worst loses a datagram in four.
 *
 *     ./dns_scenario explore --seeds 1:10000
 *     ./dns_scenario run --seed 42 --log -
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <twinloop/explore.h>
#include "common/example.h"
#include "dns/dns.h"

#define PORT "5300"

/* What a client's host runs: it keeps asking, since for it every answer matters. */
static int client_program(int argc, char **argv)
{
    if (argc != 3)
        return EXAMPLE_USAGE;
    const struct dns_client_options options = {
        .host = argv[1],
        .port = 5300,
        .rounds = (unsigned)strtoul(argv[2], NULL, 10),
        .tries = 40,
        .quiet = true,
    };
    return dns_ask(&options);
}

static int add_client(tl_world *world, unsigned number, const tl_host *server)
{
    char name[32], rounds[16];
    (void)snprintf(name, sizeof name, "client-%u", number);
    (void)snprintf(rounds, sizeof rounds, "%u", tl_parameter(world, "rounds", 1, 3));
    tl_host *host = tl_world_add_host(world, name, NULL);
    const char *const argv[] = {"client", tl_host_address(server), rounds, NULL};
    const struct tl_process_options options = {
        .name = name,
        .argv = argv,
        .program = client_program,
        /* Some begin before the server does: they are refused, and ask again. */
        .start = tl_parameter(world, "start", 0, 20) * TL_MILLISECOND,
    };
    return host != NULL && tl_host_spawn(host, &options) != NULL ? 0 : -ENOMEM;
}

/* In 65,536ths: up to a quarter lost, as many twice, half of them late. */
static int spoil(tl_world *world)
{
    static const struct {
        const char *parameter;
        const char *site;
        uint32_t most;
    } ways[] = {
        {"loss", "datagram.loss", 16},
        {"twice", "datagram.duplicate", 16},
        {"late", "datagram.delay", 32},
        {"busy", "datagram.busy", 16},
    };
    int r = 0;
    for (unsigned i = 0; r == 0 && i < sizeof ways / sizeof *ways; i++)
        r = tl_world_set_odds(world, ways[i].site,
                              tl_parameter(world, ways[i].parameter, 0, ways[i].most) * 1024);
    return r;
}

static int build(tl_world *world)
{
    static const char *const argv[] = {"dns", "--host", "0.0.0.0", "--port", PORT, NULL};
    const struct tl_process_options server_options = {
        .name = "server",
        .argv = argv,
        .program = dns_example.program,
        .daemon = true,
        .start = 5 * TL_MILLISECOND,
    };
    int r = spoil(world);
    tl_host *server = tl_world_add_host(world, "server", NULL);
    if (r < 0 || server == NULL || tl_host_spawn(server, &server_options) == NULL)
        return r < 0 ? r : -ENOMEM;
    uint32_t clients = tl_parameter(world, "clients", 1, 4);
    for (uint32_t i = 0; r == 0 && i < clients; i++)
        r = add_client(world, i, server);
    return r;
}

static const struct tl_scenario scenario = {
    .name = "dns",
    .about = "Clients ask a DNS server over a bad network and check what comes back.",
    .build = build,
};

int main(int argc, char **argv)
{
    return tl_explore_main(argc, argv, &scenario);
}
