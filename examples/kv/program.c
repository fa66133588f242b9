/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kv as a program; see program.h. Everything lives on kv_program's stack, so that as many servers
 * and clients as one likes can run in one simulated world.
 */
#include "program.h"

#include "model.h"
#include "server.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct kv_options defaults = {
    .listen = {.name = "kv", .host = "127.0.0.1", .port = 6379},
    .client = {.connections = 4, .commands = 1000, .depth = 16, .prefix = "kv:", .clients = 1},
};

#define OPTION(option_name, option_kind, member, low, high, option_value, text)                    \
    {                                                                                              \
        .name = option_name, .kind = option_kind, .offset = offsetof(struct kv_options, member),   \
        .least = low, .most = high, .value = option_value, .about = text                           \
    }

static const struct example_option options[] = {
    OPTION("host", EXAMPLE_TEXT, listen.host, 0, 0, "HOST", "numeric address (127.0.0.1)"),
    OPTION("port", EXAMPLE_NUMBER, listen.port, 0, 65535, "N", "port (6379); 0: a free one"),
    OPTION("quiet", EXAMPLE_FLAG, listen.quiet, 0, 0, NULL, "print errors only"),
    OPTION("client", EXAMPLE_FLAG, be_client, 0, 0, NULL, "check a server instead of being one"),
    OPTION("connections", EXAMPLE_NUMBER, client.connections, 1, 10000, "N",
           "client: connections (4)"),
    OPTION("commands", EXAMPLE_NUMBER, client.commands, 0, UINT32_MAX, "N",
           "client: commands on each of them (1000)"),
    OPTION("depth", EXAMPLE_NUMBER, client.depth, 1, 100000, "N",
           "client: commands under way on each of them (16)"),
    OPTION("think", EXAMPLE_NUMBER, client.think_ms, 0, 60000, "MS",
           "client: wait that long now and then, at most (0)"),
    OPTION("slow", EXAMPLE_NUMBER, client.slow, 0, 10000, "N",
           "client: ask for N large values, and read them last (0)"),
    OPTION("seed", EXAMPLE_NUMBER, client.seed, 0, UINT64_MAX, "N", "client: which commands (0)"),
    OPTION("prefix", EXAMPLE_TEXT, client.prefix, 0, 0, "TEXT", "client: of every key (kv:)"),
    OPTION("clients", EXAMPLE_NUMBER, client.clients, 1, 1000, "N",
           "client: how many work together (1)"),
    OPTION("number", EXAMPLE_NUMBER, client.client, 0, 999, "N",
           "client: which of them this one is (0)"),
    {.name = NULL},
};

const struct example kv_example = {
    .name = "kv",
    .about = "a key-value server for Redis clients, and a client that checks one",
    .program = kv_program,
    .options = options,
    .server_args = (const char *const[]){"--host", "0.0.0.0", NULL},
    .client_args = (const char *const[]){"--client", NULL},
};

int kv_parse(int argc, char **argv, struct kv_options *ret)
{
    *ret = defaults;
    int r = example_parse(&kv_example, argc, argv, ret);
    ret->client.host = ret->listen.host;
    ret->client.port = ret->listen.port;
    if (r != 0)
        return r;
    if (strlen(ret->client.prefix) > KV_PREFIX_MAX || ret->client.client >= ret->client.clients) {
        fprintf(stderr, "kv: --prefix is too long, or --number is not below --clients\n");
        return EXAMPLE_USAGE;
    }
    return 0;
}

static int serve(const struct kv_options *wanted)
{
    struct kv_server server;
    kv_server_init(&server);
    int status = example_serve(&wanted->listen, kv_server_factory, &server);
    kv_server_finish(&server);
    return status;
}

static int be_client(const struct kv_options *wanted)
{
    struct kv_client_report report;
    if (kv_client_run(&wanted->client, &report) < 0) {
        fprintf(stderr, "kv: %s\n", report.problem);
        return EXAMPLE_FAILED;
    }
    if (!wanted->listen.quiet)
        printf("%" PRIu64 " answers on %" PRIu64 " connections, all of them right\n",
               report.answers, wanted->client.connections);
    return EXAMPLE_OK;
}

int kv_program(int argc, char **argv)
{
    struct kv_options wanted;
    int r = kv_parse(argc, argv, &wanted);
    if (r != 0)
        return r;
    return wanted.be_client ? be_client(&wanted) : serve(&wanted);
}
