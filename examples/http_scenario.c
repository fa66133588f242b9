/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An http server and clients on hosts of their own, which compare every byte of every answer with
 * the file it has to come from.
 *
 * The network cuts, delays and, where the scenario says so, resets: then a client goes on with what
 * was not answered in full. Server and clients are http's own program, arguments and all, except
 * that what a client finds wrong is told to the world, and that the files are put into the host's
 * memory by the scenario.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <twinloop/explore.h>
#include "http/files.h"
#include "http/program.h"

#define CLIENT_START (10 * TL_MILLISECOND) /* the server listens by then */
#define ROOT "/srv/www"
#define WORD_MAX 32
#define WORDS_MAX 20
#define RESET_ODDS 64    /* of 65,536 segments */
#define RESET_TRIES 1000 /* a client's patience */

/* An argv being put together; tl_host_spawn copies it. */
struct words {
    char text[WORDS_MAX][WORD_MAX];
    const char *argv[WORDS_MAX + 1];
    unsigned count;
};

static void add(struct words *words, const char *text)
{
    (void)snprintf(words->text[words->count], WORD_MAX, "%s", text);
    words->argv[words->count] = words->text[words->count];
    words->argv[++words->count] = NULL;
}

static void add_number(struct words *words, const char *option, uint64_t number)
{
    char text[WORD_MAX];
    add(words, option);
    (void)snprintf(text, sizeof text, "%" PRIu64, number);
    add(words, text);
}

/* http --client, with its problem as the world's report. */
static int client_program(int argc, char **argv)
{
    struct http_options wanted;
    struct http_client_report report;
    int r = http_parse(argc, argv, &wanted);
    if (r == 0 && http_client_run(&wanted.client, &report) < 0) {
        tl_world_fail(tl_world_current(), "%s", report.problem);
        return EXAMPLE_FAILED;
    }
    return r;
}

static int put_file(tl_host *host, unsigned number)
{
    char path[64];
    size_t size = (size_t)http_file_size(number);
    uint8_t *bytes = malloc(size + 1);
    if (bytes == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < size; i++)
        bytes[i] = http_file_byte(number, (int64_t)i);
    (void)snprintf(path, sizeof path, ROOT "/file-%u.bin", number);
    int r = tl_host_write_file(host, path, bytes, size);
    free(bytes);
    return r;
}

static tl_host *add_server(tl_world *world)
{
    struct words words = {.count = 0};
    tl_host *host = tl_world_add_host(world, "server", NULL);
    int r = host != NULL ? 0 : -ENOMEM;
    for (unsigned i = 0; r == 0 && i < HTTP_FILES; i++)
        r = put_file(host, i);
    add(&words, "http");
    add(&words, "--quiet");
    add(&words, "--host");
    add(&words, "0.0.0.0");
    add(&words, "--root");
    add(&words, ROOT);
    const struct tl_process_options options = {
        .name = "server", .argv = words.argv, .program = http_program, .daemon = true};
    return r == 0 && tl_host_spawn(host, &options) != NULL ? host : NULL;
}

/* How much the clients do; the same for all of them. */
struct load {
    uint32_t clients, connections, requests, depth, seed;
    uint32_t resets; /* whether connections break */
};

static int add_client(tl_world *world, const tl_host *server, unsigned number,
                      const struct load *load)
{
    char name[WORD_MAX];
    struct words words = {.count = 0};
    (void)snprintf(name, sizeof name, "client-%u", number);
    tl_host *host = tl_world_add_host(world, name, NULL);
    add(&words, "http");
    add(&words, "--client");
    add(&words, "--host");
    add(&words, tl_host_address(server));
    add_number(&words, "--connections", load->connections);
    add_number(&words, "--requests", load->requests);
    add_number(&words, "--depth", load->depth);
    add_number(&words, "--tries", load->resets != 0 ? RESET_TRIES : 0);
    add_number(&words, "--seed", (uint64_t)load->seed * 8 + number);
    const struct tl_process_options options = {
        .name = name, .argv = words.argv, .program = client_program, .start = CLIENT_START};
    return host != NULL && tl_host_spawn(host, &options) != NULL ? 0 : -ENOMEM;
}

static int build(tl_world *world)
{
    const struct load load = {
        .clients = tl_parameter(world, "clients", 1, 3),
        .connections = tl_parameter(world, "connections", 1, 3),
        .requests = tl_parameter(world, "requests", 1, 20),
        .depth = tl_parameter(world, "depth", 1, 8),
        .seed = tl_parameter(world, "seed", 0, 65535),
        .resets = tl_parameter(world, "resets", 0, 1),
    };
    if (load.resets != 0 && tl_world_set_odds(world, "stream.reset", RESET_ODDS) < 0)
        return -ENOENT;
    const tl_host *server = add_server(world);
    int r = server != NULL ? 0 : -ENOMEM;
    for (unsigned i = 0; r == 0 && i < load.clients; i++)
        r = add_client(world, server, i, &load);
    return r;
}

static const struct tl_scenario scenario = {
    .name = "http",
    .about = "Clients ask an HTTP server for files and parts of them, and check every byte.",
    .build = build,
};

int main(int argc, char **argv)
{
    return tl_explore_main(argc, argv, &scenario);
}
