/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scenarios with a planted bug each. The programs are ordinary ones: an event loop, a server, a few
 * clients; each is wrong in one way.
 */
#include "support/planted.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <twinloop.h>

#define PORT "7000"
#define START (10 * TL_MILLISECOND) /* of the first client: the server listens by then */

/* --- A client: connects, sends one byte and waits for the server to close --------------------- */

struct client {
    tl_protocol protocol;
    tl_loop *loop;
    char byte;
};

static int client_made(tl_protocol *protocol, tl_transport *transport)
{
    struct client *client = tl_container_of(protocol, struct client, protocol);
    return tl_transport_write(transport, &client->byte, 1);
}

static void client_lost(tl_protocol *protocol, const tl_error *exc)
{
    struct client *client = tl_container_of(protocol, struct client, protocol);
    (void)exc;
    tl_loop_stop(client->loop);
}

static void client_release(tl_protocol *protocol)
{
    (void)protocol; /* on the stack of client_program */
}

static const struct tl_protocol_ops client_ops = {
    .kind = TL_PROTOCOL_STREAM,
    .connection_made = client_made,
    .connection_lost = client_lost,
    .release = client_release,
};

static tl_protocol *client_factory(void *farg)
{
    struct client *client = farg;
    return &client->protocol;
}

/* argv: the server's address, the byte. */
static int client_program(int argc, char **argv)
{
    struct client client = {.protocol = TL_PROTOCOL_INIT(&client_ops)};
    if (argc != 3 || tl_new_event_loop(&client.loop) < 0)
        return 1;
    client.byte = argv[2][0];
    int r = tl_loop_run_until_complete(
        client.loop,
        tl_loop_create_connection(client.loop, client_factory, &client, argv[1], PORT, NULL), NULL);
    if (r == 0)
        r = tl_loop_run_forever(client.loop);
    tl_loop_free(client.loop);
    return r < 0;
}

/* --- A server: what it does with the bytes is the bug ----------------------------------------- */

#define PEERS_MAX 8

struct peer {
    tl_protocol protocol;
    struct server *server;
    tl_transport *transport;
};

struct server {
    void (*got)(struct server *server, struct peer *peer, char byte);
    bool open;                       /* of order */
    struct peer *waiting[PEERS_MAX]; /* of pointer */
    size_t waiting_count;
};

static int peer_made(tl_protocol *protocol, tl_transport *transport)
{
    tl_container_of(protocol, struct peer, protocol)->transport = transport;
    return 0;
}

static int peer_data(tl_protocol *protocol, const void *data, size_t len)
{
    struct peer *peer = tl_container_of(protocol, struct peer, protocol);
    (void)len;
    peer->server->got(peer->server, peer, *(const char *)data);
    return 0;
}

static void peer_release(tl_protocol *protocol)
{
    free(tl_container_of(protocol, struct peer, protocol));
}

static const struct tl_protocol_ops peer_ops = {
    .kind = TL_PROTOCOL_STREAM,
    .connection_made = peer_made,
    .data_received = peer_data,
    .release = peer_release,
};

static tl_protocol *peer_factory(void *farg)
{
    struct peer *peer = malloc(sizeof *peer);
    if (peer == NULL)
        return NULL;
    *peer = (struct peer){.protocol = TL_PROTOCOL_INIT(&peer_ops), .server = farg};
    return &peer->protocol;
}

static void stop(void *loop)
{
    tl_loop_stop(loop);
}

static int serve(struct server *server)
{
    static const char *const hosts[] = {"0.0.0.0"};
    tl_loop *loop;
    if (tl_new_event_loop(&loop) < 0)
        return 1;
    int r = tl_loop_run_until_complete(
        loop, tl_loop_create_server(loop, peer_factory, server, hosts, 1, PORT, NULL), NULL);
    if (r == 0)
        r = tl_loop_add_signal_handler(loop, SIGTERM, stop, loop);
    if (r == 0)
        r = tl_loop_run_forever(loop);
    tl_loop_free(loop);
    return r < 0;
}

/* The bug: 'o' was sent a millisecond before 'u', and will surely be here before it. */
static void got_in_order(struct server *server, struct peer *peer, char byte)
{
    if (byte == 'o')
        server->open = true;
    TL_ASSERT(server->open, "it is used before it is open");
    tl_transport_close(peer->transport);
}

static int order_server(int argc, char **argv)
{
    struct server server = {.got = got_in_order};
    (void)argc;
    (void)argv;
    return serve(&server);
}

static int compare_addresses(const void *a, const void *b)
{
    struct peer *const *one = a, *const *other = b;
    return (*one > *other) - (*one < *other);
}

/* The bug: once all are here they are answered in an order that is not the seed's. */
static void got_by_pointer(struct server *server, struct peer *peer, char byte)
{
    (void)byte;
    server->waiting[server->waiting_count++] = peer;
    if (server->waiting_count < PEERS_MAX)
        return;
    qsort(server->waiting, PEERS_MAX, sizeof(struct peer *), compare_addresses);
    for (size_t i = 0; i < PEERS_MAX; i++) {
        (void)tl_transport_write(server->waiting[i]->transport, "!", 1);
        tl_transport_close(server->waiting[i]->transport);
    }
}

static int pointer_server(int argc, char **argv)
{
    struct server server = {.got = got_by_pointer};
    (void)argc;
    (void)argv;
    return serve(&server);
}

/* --- Worlds of a server and clients ----------------------------------------------------------- */

static tl_host *add_server(tl_world *world, tl_program program)
{
    static const char *const argv[] = {"server", NULL};
    const struct tl_process_options options = {.argv = argv, .program = program, .daemon = true};
    tl_host *host = tl_world_add_host(world, "server", NULL);
    return host != NULL && tl_host_spawn(host, &options) != NULL ? host : NULL;
}

static int add_client(tl_world *world, const char *name, const tl_host *server, const char *byte,
                      tl_time start)
{
    const char *const argv[] = {"client", tl_host_address(server), byte, NULL};
    const struct tl_process_options options = {
        .name = name, .argv = argv, .program = client_program, .start = start};
    tl_host *host = tl_world_add_host(world, name, NULL);
    return host != NULL && tl_host_spawn(host, &options) != NULL ? 0 : -ENOMEM;
}

static int build_order(tl_world *world)
{
    const tl_host *server = add_server(world, order_server);
    tl_time between = tl_parameter(world, "between", 1, 3) * TL_MILLISECOND;
    int r = server != NULL ? add_client(world, "opener", server, "o", START) : -ENOMEM;
    return r < 0 ? r : add_client(world, "user", server, "u", START + between);
}

static int build_pointer(tl_world *world)
{
    const tl_host *server = add_server(world, pointer_server);
    int r = server != NULL ? 0 : -ENOMEM;
    for (int i = 0; r == 0 && i < PEERS_MAX; i++) {
        char name[24];
        (void)snprintf(name, sizeof name, "client-%d", i);
        r = add_client(world, name, server, "x", START);
    }
    return r;
}

/* --- Programs on their own -------------------------------------------------------------------- */

static int crash_program(int argc, char **argv)
{
    (void)argc;
    printf("%s is about to crash\n", argv[0]);
    return raise(SIGSEGV);
}

static int exit_program(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return 5;
}

static int well_program(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return 0;
}

static int stuck_program(int argc, char **argv)
{
    tl_loop *loop;
    (void)argc;
    (void)argv;
    if (tl_new_event_loop(&loop) < 0)
        return 1;
    (void)tl_loop_run_until_complete(loop, tl_loop_create_future(loop), NULL);
    tl_loop_free(loop);
    return 0;
}

struct repeat {
    tl_loop *loop;
    tl_time interval;
};

static void again(void *arg)
{
    struct repeat *repeat = arg;
    if (repeat->interval > 0)
        (void)tl_loop_call_later(repeat->loop, repeat->interval, again, repeat, NULL);
    else
        (void)tl_loop_call_soon(repeat->loop, again, repeat, NULL);
}

static int repeat_for_ever(tl_time interval)
{
    struct repeat repeat = {.interval = interval};
    if (tl_new_event_loop(&repeat.loop) < 0)
        return 1;
    again(&repeat);
    int r = tl_loop_run_forever(repeat.loop);
    tl_loop_free(repeat.loop);
    return r < 0;
}

static int deadline_program(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return repeat_for_ever(7 * TL_SECOND);
}

static int livelock_program(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return repeat_for_ever(0);
}

static int slow_program(int argc, char **argv)
{
    volatile unsigned count = 0;
    (void)argv;
    while (argc > 0)
        count++;
    return 0;
}

static int garbage_program(int argc, char **argv)
{
    tl_loop *loop;
    unsigned char *volatile memory = malloc(100);
    (void)argc;
    (void)argv;
    if (memory == NULL || tl_new_event_loop(&loop) < 0) {
        free(memory);
        return 1;
    }
    int r = tl_loop_call_later(loop, memory[50] * TL_MICROSECOND, stop, loop, NULL);
    if (r == 0)
        r = tl_loop_run_forever(loop);
    tl_loop_free(loop);
    free(memory);
    return r < 0;
}

static int loud_program(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    for (int i = 1; i <= 1000; i++)
        printf("line %d\n", i);
    return 1;
}

static int leak_program(int argc, char **argv)
{
    (void)argc;
    char *volatile forgotten = strdup(argv[0]);
    forgotten = NULL; // cppcheck-suppress memleak ; it is the planted bug
    return forgotten != NULL;
}

static int debug_program(int argc, char **argv)
{
    tl_loop *loop;
    (void)argc;
    (void)argv;
    if (tl_new_event_loop(&loop) < 0)
        return 2;
    bool debug = tl_loop_get_debug(loop);
    tl_loop_free(loop);
    return debug;
}

static int add_lonely(tl_world *world, tl_program program)
{
    static const char *const argv[] = {"lonely", NULL};
    const struct tl_process_options options = {.argv = argv, .program = program};
    tl_host *host = tl_world_add_host(world, "here", NULL);
    return host != NULL && tl_host_spawn(host, &options) != NULL ? 0 : -ENOMEM;
}

#define LONELY(name)                                                                               \
    static int build_##name(tl_world *world)                                                       \
    {                                                                                              \
        return add_lonely(world, name##_program);                                                  \
    }
LONELY(garbage)
LONELY(crash)
LONELY(exit)
LONELY(well)
LONELY(stuck)
LONELY(deadline)
LONELY(livelock)
LONELY(slow)
LONELY(loud)
LONELY(leak)
LONELY(debug)
#undef LONELY

static void never_content(tl_world *world)
{
    tl_world_fail(world, "it did well, but not well enough");
}

static const struct tl_scenario scenarios[] = {
    {.name = "order", .about = "Two messages, taken to be in order.", .build = build_order},
    {.name = "pointer", .about = "Answers in the order of addresses.", .build = build_pointer},
    {.name = "garbage", .about = "Uses memory as it comes.", .build = build_garbage},
    {.name = "crash", .about = "Raises SIGSEGV.", .build = build_crash},
    {.name = "exit", .about = "Returns 5.", .build = build_exit},
    {.name = "check", .about = "Is checked.", .build = build_well, .check = never_content},
    {.name = "stuck", .about = "Waits for nothing.", .build = build_stuck},
    {.name = "deadline", .about = "Goes on for ever.", .build = build_deadline},
    {.name = "livelock", .about = "Goes on without rest.", .build = build_livelock},
    {.name = "slow", .about = "Computes for ever.", .build = build_slow},
    {.name = "loud", .about = "Prints much.", .build = build_loud},
    {.name = "debug", .about = "Fails in debug mode.", .build = build_debug},
    {.name = "leak", .about = "Forgets memory.", .build = build_leak},
};

const struct tl_scenario *planted_scenario(const char *name)
{
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
        if (strcmp(scenarios[i].name, name) == 0)
            return &scenarios[i];
    return NULL;
}
