/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The examples that are a server and a client: their options, and which half they ask for.
 * asyncio's pages have the address in the program; here tests choose it.
 */
#include <stddef.h>

#include "../common/example.h"
#include "index.h"

struct arguments {
    struct index_peer peer;
    bool client;
};

static const struct example_option options[] = {
    {"host", EXAMPLE_TEXT, offsetof(struct arguments, peer.host), 0, 0, "ADDRESS",
     "serve on, or connect to, this numeric address (127.0.0.1)"},
    {"port", EXAMPLE_NUMBER, offsetof(struct arguments, peer.port), 0, 65535, "PORT",
     "and this port (8888); 0 serves on a free one"},
    {"client", EXAMPLE_FLAG, offsetof(struct arguments, client), 0, 0, NULL,
     "be the client instead of the server"},
    {0},
};

static const char *const server_args[] = {"--host", "0.0.0.0", NULL};
static const char *const client_args[] = {"--client", NULL};

typedef int (*half)(const struct index_peer *peer);

static int run(const struct example *example, int argc, char **argv, half server, half client)
{
    struct arguments arguments = {.peer = {.host = "127.0.0.1", .port = 8888}};
    int r = example_parse(example, argc, argv, &arguments);
    if (r != 0)
        return r;
    return arguments.client ? client(&arguments.peer) : server(&arguments.peer);
}

static int tcp_echo_main(int argc, char **argv)
{
    return run(&index_tcp_echo, argc, argv, index_tcp_echo_server, index_tcp_echo_client);
}

static int udp_echo_main(int argc, char **argv)
{
    return run(&index_udp_echo, argc, argv, index_udp_echo_server, index_udp_echo_client);
}

const struct example index_tcp_echo = {
    .name = "tcp_echo",
    .about = "Transports and Protocols: TCP echo server, and with --client its client.",
    .program = tcp_echo_main,
    .options = options,
    .server_args = server_args,
    .client_args = client_args,
};

const struct example index_udp_echo = {
    .name = "udp_echo",
    .about = "Transports and Protocols: UDP echo server, and with --client its client.",
    .program = udp_echo_main,
    .options = options,
    .server_args = server_args,
    .client_args = client_args,
};
