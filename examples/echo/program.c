/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The echo program's options, and which half they ask for.
 */
#include <inttypes.h>
#include <stdio.h>

#include "../common/example.h"
#include "echo.h"

struct arguments {
    const char *host;
    uint64_t port;
    bool client;
    uint64_t connections;
    uint64_t messages;
    uint64_t size;
};

static const struct example_option options[] = {
    {"host", EXAMPLE_TEXT, offsetof(struct arguments, host), 0, 0, "ADDRESS",
     "serve on, or connect to, this numeric address (127.0.0.1)"},
    {"port", EXAMPLE_NUMBER, offsetof(struct arguments, port), 0, 65535, "PORT",
     "and this port (7000); 0 serves on a free one"},
    {"client", EXAMPLE_FLAG, offsetof(struct arguments, client), 0, 0, NULL,
     "be the client instead of the server"},
    {"connections", EXAMPLE_NUMBER, offsetof(struct arguments, connections), 1, 10000, "N",
     "client: so many at once (4)"},
    {"messages", EXAMPLE_NUMBER, offsetof(struct arguments, messages), 0, 1000000000, "N",
     "client: so many on each (100)"},
    {"size", EXAMPLE_NUMBER, offsetof(struct arguments, size), 1, 16777216, "BYTES",
     "client: of so many bytes each (64)"},
    {0},
};

static int echo_main(int argc, char **argv)
{
    struct arguments arguments = {
        .host = "127.0.0.1", .port = 7000, .connections = 4, .messages = 100, .size = 64};
    int r = example_parse(&echo_example, argc, argv, &arguments);
    if (r != 0)
        return r;
    if (!arguments.client) {
        const struct example_listen listen = {
            .name = "echo", .host = arguments.host, .port = arguments.port};
        return example_serve(&listen, echo_server_factory, NULL);
    }
    const struct echo_client_options client = {
        .messages = (unsigned)arguments.messages,
        .size = (unsigned)arguments.size,
        .ending = ECHO_CLOSE,
    };
    char port[24];
    (void)snprintf(port, sizeof port, "%" PRIu64, arguments.port);
    return echo_run_clients(arguments.host, port, (unsigned)arguments.connections, &client);
}

static const char *const server_args[] = {"--host", "0.0.0.0", NULL};
static const char *const client_args[] = {"--client", NULL};

const struct example echo_example = {
    .name = "echo",
    .about = "Sends back what it gets; with --client, checks that a server does.",
    .program = echo_main,
    .options = options,
    .server_args = server_args,
    .client_args = client_args,
};
