/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an idle connection costs in the simulator, both ends and everything in between together: a
 * server, and clients on hosts of their own that connect and say nothing. Memory is what the
 * process has written to; what the world takes before the first connection is not counted, the
 * structs of the program are.
 *
 *     sim_idle [CONNECTIONS]
 */
#include "sample.h"

#include <string.h>
#include <twinloop.h>
#include <twinloop/world.h>

enum { CLIENTS = 4, WAVE = 64 };

static const char SERVER_PORT[] = "7";

/* What each of the clients is told. */
struct client {
    tl_loop *loop;
    const char *server;
    unsigned size; /* connections that it is to make */
    unsigned begun;
    unsigned made;
};

struct end {
    tl_protocol protocol;
    struct client *client; /* NULL in the server */
};

static void connect_more(struct client *client);

static int connection_made(tl_protocol *protocol, tl_transport *transport)
{
    struct client *client = tl_container_of(protocol, struct end, protocol)->client;
    (void)transport;
    if (client == NULL)
        return 0;
    if (++client->made == client->size)
        tl_loop_stop(client->loop);
    else if (client->made == client->begun)
        connect_more(client);
    return 0;
}

static void release(tl_protocol *protocol)
{
    free(tl_container_of(protocol, struct end, protocol));
}

static const struct tl_protocol_ops end_ops = {
    .kind = TL_PROTOCOL_STREAM,
    .connection_made = connection_made,
    .release = release,
};

static tl_protocol *end_new(void *farg)
{
    struct end *end = malloc(sizeof *end);
    if (end == NULL)
        return NULL;
    end->protocol = TL_PROTOCOL_INIT(&end_ops);
    end->client = farg;
    return &end->protocol;
}

static void connect_more(struct client *client)
{
    for (unsigned i = 0; i < WAVE && client->begun < client->size; i++, client->begun++)
        tl_future_detach(tl_loop_create_connection(client->loop, end_new, client, client->server,
                                                   SERVER_PORT, NULL));
}

static int serve(int argc, char **argv)
{
    const tl_server_opts opts = {.backlog = CLIENTS * WAVE};
    tl_loop *loop;
    (void)argc;
    (void)argv;
    check("tl_new_event_loop", tl_new_event_loop(&loop));
    tl_future_detach(tl_loop_create_server(loop, end_new, NULL, NULL, 0, SERVER_PORT, &opts));
    check("the server", tl_loop_run_forever(loop));
    tl_loop_free(loop);
    return 0;
}

/* Of this process, in bytes: what it has written to and not given back. */
static double memory(void)
{
    char line[256];
    double kib = 0;
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "Anonymous:", 10) == 0)
            kib = strtod(line + 10, NULL);
    if (file != NULL)
        (void)fclose(file);
    return kib * 1024;
}

static unsigned idle; /* clients that have all their connections */
static double before, after;

static int come(int argc, char **argv)
{
    struct client *client = tl_process_arg(tl_process_current());
    (void)argc;
    (void)argv;
    check("tl_new_event_loop", tl_new_event_loop(&client->loop));
    if (before == 0)
        before = memory();
    connect_more(client);
    check("the client", tl_loop_run_forever(client->loop));
    if (++idle == CLIENTS)
        after = memory();
    /* The others are still coming: this one's connections stay until they are there. */
    while (idle < CLIENTS)
        check("the wait",
              tl_loop_run_until_complete(client->loop, tl_sleep(client->loop, TL_SECOND), NULL));
    tl_loop_free(client->loop);
    return 0;
}

int main(int argc, char **argv)
{
    unsigned connections = (unsigned)amount(argc, argv, 100000);
    const struct tl_world_options options = {
        .seed = 1, .quiet = true, .deadline = TL_TIME_NEVER, .fds_max = 2 * connections + 1024};
    tl_world *world = tl_world_new(&options);
    tl_host *server = tl_world_add_host(world, "server", NULL);
    struct client clients[CLIENTS];
    const char *const server_argv[] = {"server", NULL}, *const client_argv[] = {"client", NULL};
    const struct tl_process_options server_options = {
        .argv = server_argv, .program = serve, .daemon = true};
    tl_host_spawn(server, &server_options);
    for (int i = 0; i < CLIENTS; i++) {
        char name[16];
        snprintf(name, sizeof name, "client-%d", i);
        clients[i] =
            (struct client){.server = tl_host_address(server), .size = connections / CLIENTS};
        const struct tl_process_options client_options = {
            .argv = client_argv, .program = come, .arg = &clients[i], .start = 10 * TL_MILLISECOND};
        tl_host_spawn(tl_world_add_host(world, name, NULL), &client_options);
    }
    if (tl_world_run(world) != TL_OUTCOME_HELD) {
        fprintf(stderr, "sim_idle: %s\n", tl_world_report(world));
        return 1;
    }
    tl_world_free(world);
    sample("memory of an idle connection, both ends", "bytes",
           (after - before) / (connections / CLIENTS * CLIENTS));
    return 0;
}
