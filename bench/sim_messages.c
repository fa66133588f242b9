/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a message costs in the simulator, end to end through the public API: two processes on two
 * hosts, 1,000 connections between them, on each of them 64 bytes that go back and forth; the event
 * hash of every step included. A message is one way: a write, and the data_received it leads to.
 * Measured as the difference between a short and a long run, so that connecting does not count.
 * The last figure is how much more it costs over 10,000 connections than over 10.
 *
 *     sim_messages [MESSAGES]
 */
#include "sample.h"

#include <twinloop.h>
#include <twinloop/world.h>

enum { CONNECTIONS = 1000, FEW = 10, MANY = 10000, SIZE = 64, WAVE = 64 };

static const char SERVER_PORT[] = "7";

/* Either end of a connection. */
struct end {
    tl_protocol protocol;
    tl_transport *transport;
    struct client *client; /* NULL in the server */
    size_t received;
    uint64_t left; /* messages to come, in the client */
};

struct client {
    tl_loop *loop;
    uint64_t each;        /* messages of a connection, back and forth */
    unsigned connections; /* in all */
    unsigned begun;
    unsigned made;
    unsigned open;
    const char *server;
};

static struct end *end_of(tl_protocol *protocol)
{
    return tl_container_of(protocol, struct end, protocol);
}

static int send_message(struct end *end)
{
    static const char message[SIZE];
    return tl_transport_write(end->transport, message, SIZE);
}

static void connect_more(struct client *client);

/* No more at a time than wait in the listener's queue. */
static int connection_made(tl_protocol *protocol, tl_transport *transport)
{
    struct end *end = end_of(protocol);
    struct client *client = end->client;
    end->transport = transport;
    if (client == NULL)
        return 0;
    if (++client->made == client->begun)
        connect_more(client);
    return send_message(end);
}

/* The server sends back what it gets, the client a message for each whole one. */
static int data_received(tl_protocol *protocol, const void *data, size_t len)
{
    struct end *end = end_of(protocol);
    if (end->client == NULL)
        return tl_transport_write(end->transport, data, len);
    end->received += len;
    if (end->received < SIZE)
        return 0;
    end->received = 0;
    if (--end->left > 0)
        return send_message(end);
    tl_transport_close(end->transport);
    return 0;
}

static void connection_lost(tl_protocol *protocol, const tl_error *exc)
{
    struct client *client = end_of(protocol)->client;
    check("a connection", exc != NULL ? exc->code : 0);
    if (client != NULL && --client->open == 0)
        tl_loop_stop(client->loop);
}

static void release(tl_protocol *protocol)
{
    free(end_of(protocol));
}

static const struct tl_protocol_ops end_ops = {
    .kind = TL_PROTOCOL_STREAM,
    .connection_made = connection_made,
    .data_received = data_received,
    .connection_lost = connection_lost,
    .release = release,
};

static tl_protocol *end_new(void *farg)
{
    struct end *end = calloc(1, sizeof *end);
    if (end == NULL)
        return NULL;
    end->protocol = TL_PROTOCOL_INIT(&end_ops);
    end->client = farg;
    end->left = farg != NULL ? end->client->each : 0;
    return &end->protocol;
}

static void connect_more(struct client *client)
{
    for (int i = 0; i < WAVE && client->begun < client->connections; i++, client->begun++) {
        client->open++;
        tl_future_detach(tl_loop_create_connection(client->loop, end_new, client, client->server,
                                                   SERVER_PORT, NULL));
    }
}

static int serve(int argc, char **argv)
{
    const tl_server_opts opts = {.backlog = 2 * WAVE};
    tl_loop *loop;
    (void)argc;
    (void)argv;
    check("tl_new_event_loop", tl_new_event_loop(&loop));
    tl_future_detach(tl_loop_create_server(loop, end_new, NULL, NULL, 0, SERVER_PORT, &opts));
    check("the server", tl_loop_run_forever(loop));
    tl_loop_free(loop);
    return 0;
}

static int converse(int argc, char **argv)
{
    struct client *client = tl_process_arg(tl_process_current());
    (void)argc;
    (void)argv;
    check("tl_new_event_loop", tl_new_event_loop(&client->loop));
    connect_more(client);
    check("the client", tl_loop_run_forever(client->loop));
    tl_loop_free(client->loop);
    return 0;
}

/* The processor time of a world in which each connection carries so many messages. */
static int64_t run(bool quiet, unsigned connections, uint64_t each)
{
    const struct tl_world_options options = {
        .seed = 1, .quiet = quiet, .deadline = TL_TIME_NEVER, .fds_max = 2 * MANY};
    tl_world *world = tl_world_new(&options);
    tl_host *hosts[] = {tl_world_add_host(world, "server", NULL),
                        tl_world_add_host(world, "client", NULL)};
    struct client client = {
        .each = each / 2, .connections = connections, .server = tl_host_address(hosts[0])};
    const char *const server_argv[] = {"server", NULL}, *const client_argv[] = {"client", NULL};
    const struct tl_process_options server_options = {
        .argv = server_argv, .program = serve, .daemon = true};
    const struct tl_process_options client_options = {
        .argv = client_argv, .program = converse, .arg = &client, .start = 10 * TL_MILLISECOND};
    tl_host_spawn(hosts[0], &server_options);
    tl_host_spawn(hosts[1], &client_options);
    int64_t start = cpu_ns();
    if (tl_world_run(world) != TL_OUTCOME_HELD) {
        fprintf(stderr, "sim_messages: %s\n", tl_world_report(world));
        exit(1);
    }
    int64_t took = cpu_ns() - start;
    tl_world_free(world);
    return took;
}

static double measure(bool quiet, unsigned connections, uint64_t messages)
{
    uint64_t few = 20, many = few + messages / connections;
    int64_t base = run(quiet, connections, few);
    return (double)(run(quiet, connections, many) - base) / (double)((many - few) * connections);
}

int main(int argc, char **argv)
{
    uint64_t messages = amount(argc, argv, 500000);
    sample("64 B message, plain answers", "ns/message", measure(true, CONNECTIONS, messages));
    sample("64 B message, answers of a seed", "ns/message", measure(false, CONNECTIONS, messages));
    sample("64 B message, 10,000 connections over 10", "times",
           measure(true, MANY, messages) / measure(true, FEW, messages));
    return 0;
}
