/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a datagram costs in the simulator, end to end through the public API: 1,000 sockets of a
 * process on one host, each of which sends 64 bytes to a socket of its own on another, which come
 * back from there; the event hash of every step included. A datagram is one way: a sendto, and the
 * datagram_received it leads to. Measured as the difference between a short and a long run.
 *
 *     sim_datagrams [DATAGRAMS]
 */
#include "sample.h"

#include <twinloop.h>
#include <twinloop/world.h>

enum { SOCKETS = 1000, SIZE = 64, FIRST_PORT = 10000 };

/* Either end. */
struct end {
    tl_protocol protocol;
    tl_transport *transport;
    struct client *client; /* NULL in the server */
    uint64_t left;         /* answers to come, in the client */
};

struct client {
    tl_loop *loop;
    uint64_t each; /* answers of a socket */
    unsigned open; /* sockets */
    const char *server;
    struct end ends[SOCKETS];
};

static struct end *end_of(tl_protocol *protocol)
{
    return tl_container_of(protocol, struct end, protocol);
}

static int send_one(struct end *end)
{
    static const char message[SIZE];
    return tl_datagram_transport_sendto(end->transport, message, SIZE, NULL);
}

static int connection_made(tl_protocol *protocol, tl_transport *transport)
{
    struct end *end = end_of(protocol);
    end->transport = transport;
    return end->client != NULL ? send_one(end) : 0;
}

static int datagram_received(tl_protocol *protocol, const void *data, size_t len,
                             const tl_addr *from)
{
    struct end *end = end_of(protocol);
    if (end->client == NULL)
        return tl_datagram_transport_sendto(end->transport, data, len, from);
    if (--end->left > 0)
        return send_one(end);
    tl_transport_close(end->transport);
    return 0;
}

static void connection_lost(tl_protocol *protocol, const tl_error *exc)
{
    struct client *client = end_of(protocol)->client;
    check("an endpoint", exc != NULL ? exc->code : 0);
    if (client != NULL && --client->open == 0)
        tl_loop_stop(client->loop);
}

static const struct tl_protocol_ops end_ops = {
    .kind = TL_PROTOCOL_DATAGRAM,
    .connection_made = connection_made,
    .datagram_received = datagram_received,
    .connection_lost = connection_lost,
};

static tl_protocol *end_init(void *farg)
{
    struct end *end = farg;
    end->protocol = TL_PROTOCOL_INIT(&end_ops);
    return &end->protocol;
}

static int serve(int argc, char **argv)
{
    struct end *ends = calloc(SOCKETS, sizeof *ends);
    tl_addr addr;
    tl_loop *loop;
    (void)argc;
    (void)argv;
    check("memory", ends != NULL ? 0 : -1);
    check("address", tl_addr_parse("0.0.0.0", FIRST_PORT, &addr));
    check("tl_new_event_loop", tl_new_event_loop(&loop));
    for (unsigned i = 0; i < SOCKETS; i++, addr.port++)
        tl_future_detach(
            tl_loop_create_datagram_endpoint(loop, end_init, &ends[i], &addr, NULL, NULL));
    check("the server", tl_loop_run_forever(loop));
    tl_loop_free(loop);
    free(ends);
    return 0;
}

static int converse(int argc, char **argv)
{
    struct client *client = tl_process_arg(tl_process_current());
    tl_addr addr;
    (void)argc;
    (void)argv;
    check("address", tl_addr_parse(client->server, FIRST_PORT, &addr));
    check("tl_new_event_loop", tl_new_event_loop(&client->loop));
    for (client->open = 0; client->open < SOCKETS; client->open++, addr.port++) {
        struct end *end = &client->ends[client->open];
        *end = (struct end){.client = client, .left = client->each};
        tl_future_detach(
            tl_loop_create_datagram_endpoint(client->loop, end_init, end, NULL, &addr, NULL));
    }
    check("the client", tl_loop_run_forever(client->loop));
    tl_loop_free(client->loop);
    return 0;
}

/* The processor time of a world in which each socket gets so many answers. */
static int64_t run(bool quiet, uint64_t each)
{
    static struct client client;
    const struct tl_world_options options = {
        .seed = 1, .quiet = quiet, .deadline = TL_TIME_NEVER, .fds_max = 2 * SOCKETS};
    tl_world *world = tl_world_new(&options);
    tl_host *hosts[] = {tl_world_add_host(world, "server", NULL),
                        tl_world_add_host(world, "client", NULL)};
    const char *const server_argv[] = {"server", NULL}, *const client_argv[] = {"client", NULL};
    const struct tl_process_options server_options = {
        .argv = server_argv, .program = serve, .daemon = true};
    const struct tl_process_options client_options = {
        .argv = client_argv, .program = converse, .arg = &client, .start = 10 * TL_MILLISECOND};
    client.each = each;
    client.server = tl_host_address(hosts[0]);
    tl_host_spawn(hosts[0], &server_options);
    tl_host_spawn(hosts[1], &client_options);
    int64_t start = cpu_ns();
    if (tl_world_run(world) != TL_OUTCOME_HELD) {
        fprintf(stderr, "sim_datagrams: %s\n", tl_world_report(world));
        exit(1);
    }
    int64_t took = cpu_ns() - start;
    tl_world_free(world);
    return took;
}

static void measure(const char *name, bool quiet, uint64_t datagrams)
{
    uint64_t few = 10, many = few + datagrams / SOCKETS / 2;
    int64_t base = run(quiet, few);
    sample(name, "ns/datagram",
           (double)(run(quiet, many) - base) / (double)((many - few) * SOCKETS * 2));
}

int main(int argc, char **argv)
{
    uint64_t datagrams = amount(argc, argv, 500000);
    measure("64 B datagram, plain answers", true, datagrams);
    measure("64 B datagram, answers of a seed", false, datagrams);
    return 0;
}
