/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dns program's options, and which half they ask for.
 */
#include "../common/example.h"
#include "dns.h"

struct arguments {
    const char *host;
    uint64_t port;
    bool client;
    uint64_t rounds;
    uint64_t tries;
};

static const struct example_option options[] = {
    {"host", EXAMPLE_TEXT, offsetof(struct arguments, host), 0, 0, "ADDRESS",
     "serve on, or ask, this numeric address (127.0.0.1)"},
    {"port", EXAMPLE_NUMBER, offsetof(struct arguments, port), 0, 65535, "PORT",
     "and this port (5300); 0 serves on a free one"},
    {"client", EXAMPLE_FLAG, offsetof(struct arguments, client), 0, 0, NULL,
     "be the client instead of the server"},
    {"rounds", EXAMPLE_NUMBER, offsetof(struct arguments, rounds), 0, 1000000, "N",
     "client: ask everything so often (5)"},
    {"tries", EXAMPLE_NUMBER, offsetof(struct arguments, tries), 1, 16, "N",
     "client: ask one thing so often before giving up (8)"},
    {0},
};

static int dns_main(int argc, char **argv)
{
    struct arguments arguments = {.host = "127.0.0.1", .port = 5300, .rounds = 5, .tries = 8};
    int r = example_parse(&dns_example, argc, argv, &arguments);
    if (r != 0)
        return r;
    if (!arguments.client)
        return dns_serve(arguments.host, (uint16_t)arguments.port);
    const struct dns_client_options client = {
        .host = arguments.host,
        .port = (uint16_t)arguments.port,
        .rounds = (unsigned)arguments.rounds,
        .tries = (unsigned)arguments.tries,
    };
    return dns_ask(&client);
}

static const char *const server_args[] = {"--host", "0.0.0.0", NULL};
static const char *const client_args[] = {"--client", NULL};

const struct example dns_example = {
    .name = "dns",
    .about = "Answers questions about " DNS_ZONE " over UDP and TCP; with --client, asks them.",
    .program = dns_main,
    .options = options,
    .server_args = server_args,
    .client_args = client_args,
};
