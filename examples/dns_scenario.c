/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The DNS server under clients on hosts of their own, over a network that loses datagrams, brings
 * them twice, and lets them overtake each other: a scenario, and the program to explore it with.
 * What is too long for a datagram is asked for again over TCP. Who connects there and asks nothing
 * is cut off in time.
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
#include <string.h>
#include <twinloop/assert.h>
#include <twinloop/explore.h>
#include "common/example.h"
#include "dns/dns.h"
#include "dns/zone.h"

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

/* --- Who connects and asks nothing ------------------------------------------------------------ */

struct idler {
    tl_protocol protocol;
    tl_loop *loop;
    tl_time connected;
    tl_time lost;
};

static struct idler *idler_of(tl_protocol *protocol)
{
    return tl_container_of(protocol, struct idler, protocol);
}

/* Half of a length is no question. */
static int idler_made(tl_protocol *protocol, tl_transport *transport)
{
    idler_of(protocol)->connected = tl_loop_time(idler_of(protocol)->loop);
    return tl_transport_write(transport, "", 1);
}

static void idler_lost(tl_protocol *protocol, const tl_error *exc)
{
    (void)exc;
    idler_of(protocol)->lost = tl_loop_time(idler_of(protocol)->loop);
    tl_loop_stop(idler_of(protocol)->loop);
}

static tl_protocol *idler_factory(void *idler)
{
    static const struct tl_protocol_ops ops = {
        .kind = TL_PROTOCOL_STREAM, .connection_made = idler_made, .connection_lost = idler_lost};
    ((struct idler *)idler)->protocol = TL_PROTOCOL_INIT(&ops);
    return &((struct idler *)idler)->protocol;
}

static int idler_program(int argc, char **argv)
{
    struct idler idler = {.connected = 0};
    if (argc != 2)
        return EXAMPLE_USAGE;
    int r = tl_new_event_loop(&idler.loop);
    if (r < 0)
        return EXAMPLE_FAILED;
    tl_future_detach(
        tl_loop_create_connection(idler.loop, idler_factory, &idler, argv[1], PORT, NULL));
    r = tl_loop_run_forever(idler.loop);
    tl_loop_free(idler.loop);
    tl_time took = idler.lost - idler.connected;
    TL_ASSERT(r < 0 || (took >= 9 * TL_SECOND && took <= 12 * TL_SECOND),
              "who asks nothing is cut off after ten seconds");
    return r < 0 ? EXAMPLE_FAILED : EXAMPLE_OK;
}

static int add_idler(tl_world *world, const tl_host *server)
{
    tl_host *host = tl_world_add_host(world, "idler", NULL);
    const char *const argv[] = {"idler", tl_host_address(server), NULL};
    const struct tl_process_options options = {
        .name = "idler",
        .argv = argv,
        .program = idler_program,
        .start = 50 * TL_MILLISECOND, /* the server is there by then */
    };
    return host != NULL && tl_host_spawn(host, &options) != NULL ? 0 : -ENOMEM;
}

/* --- The world -------------------------------------------------------------------------------- */

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

/* The zone is built in, or the same from a file of the server's host. */
static int build(tl_world *world)
{
    bool from_file = tl_parameter(world, "file", 0, 1) == 1;
    const char *const argv[] = {
        "dns", "--host", "0.0.0.0", "--port", PORT, from_file ? "--zone" : NULL, "zone", NULL};
    const struct tl_process_options server_options = {
        .name = "server",
        .argv = argv,
        .program = dns_example.program,
        .daemon = true,
        .start = 5 * TL_MILLISECOND,
    };
    int r = spoil(world);
    tl_host *server = tl_world_add_host(world, "server", NULL);
    if (r == 0 && server != NULL && from_file)
        r = tl_host_write_file(server, "zone", dns_zone_text, strlen(dns_zone_text));
    if (r < 0 || server == NULL || tl_host_spawn(server, &server_options) == NULL)
        return r < 0 ? r : -ENOMEM;
    uint32_t clients = tl_parameter(world, "clients", 1, 4);
    for (uint32_t i = 0; r == 0 && i < clients; i++)
        r = add_client(world, i, server);
    if (r == 0 && tl_parameter(world, "idler", 0, 3) == 0)
        r = add_idler(world, server);
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
