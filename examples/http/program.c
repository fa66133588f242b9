/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http as a program; see program.h.
 */
#include "program.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "files.h"
#include "server.h"

enum { ROOT_MAX = 1000 };

static const struct http_options defaults = {
    .listen = {.name = "http", .host = "127.0.0.1", .port = 8080},
    .root = ".",
    .idle = 60,
    .client = {.connections = 4, .requests = 100, .depth = 8},
};

#define OPTION(option_name, option_kind, member, low, high, option_value, text)                    \
    {                                                                                              \
        .name = option_name, .kind = option_kind, .offset = offsetof(struct http_options, member), \
        .least = low, .most = high, .value = option_value, .about = text                           \
    }

static const struct example_option options[] = {
    OPTION("host", EXAMPLE_TEXT, listen.host, 0, 0, "HOST", "numeric address (127.0.0.1)"),
    OPTION("port", EXAMPLE_NUMBER, listen.port, 0, 65535, "N", "port (8080); 0: a free one"),
    OPTION("root", EXAMPLE_TEXT, root, 0, 0, "DIR", "the folder whose files are served (.)"),
    OPTION("idle", EXAMPLE_NUMBER, idle, 1, 86400, "SECONDS",
           "close connections that are silent for so long (60)"),
    OPTION("make-files", EXAMPLE_FLAG, make_files, 0, 0, NULL,
           "put the files that the client asks for into the folder first"),
    OPTION("quiet", EXAMPLE_FLAG, listen.quiet, 0, 0, NULL, "print errors only"),
    OPTION("client", EXAMPLE_FLAG, be_client, 0, 0, NULL, "check a server instead of being one"),
    OPTION("connections", EXAMPLE_NUMBER, client.connections, 1, 10000, "N",
           "client: connections (4)"),
    OPTION("requests", EXAMPLE_NUMBER, client.requests, 1, UINT32_MAX, "N",
           "client: requests on each of them (100)"),
    OPTION("depth", EXAMPLE_NUMBER, client.depth, 1, 1000, "N",
           "client: requests under way on each of them (8)"),
    OPTION("tries", EXAMPLE_NUMBER, client.tries, 0, UINT32_MAX, "N",
           "client: how often each may break and be made again (0)"),
    OPTION("seed", EXAMPLE_NUMBER, client.seed, 0, UINT32_MAX, "N", "client: which requests (0)"),
    {.name = NULL},
};

const struct example http_example = {
    .name = "http",
    .about = "serves the files of a folder over HTTP/1.1; with --client, checks that it does",
    .program = http_program,
    .options = options,
    .server_args =
        (const char *const[]){"--host", "0.0.0.0", "--root", "/tmp", "--make-files", NULL},
    .client_args = (const char *const[]){"--client", NULL},
};

int http_parse(int argc, char **argv, struct http_options *ret)
{
    *ret = defaults;
    int r = example_parse(&http_example, argc, argv, ret);
    ret->client.host = ret->listen.host;
    ret->client.port = ret->listen.port;
    if (r == 0 && strlen(ret->root) > ROOT_MAX) {
        fprintf(stderr, "http: --root is too long\n");
        return EXAMPLE_USAGE;
    }
    return r;
}

static int serve(const struct http_options *wanted)
{
    char root[ROOT_MAX + 1];
    size_t len = strlen(wanted->root);
    memcpy(root, wanted->root, len + 1);
    while (len > 0 && root[len - 1] == '/')
        root[--len] = '\0';
    if (wanted->make_files) {
        int r = http_files_make(root);
        if (r < 0) {
            fprintf(stderr, "http: no files in %s: %s\n", wanted->root, tl_strerror(r));
            return EXAMPLE_FAILED;
        }
    }
    struct http_server server = {.root = root, .idle = (tl_time)wanted->idle * TL_SECOND};
    return example_serve(&wanted->listen, http_server_factory, &server);
}

static int be_client(const struct http_options *wanted)
{
    struct http_client_report report;
    if (http_client_run(&wanted->client, &report) < 0) {
        fprintf(stderr, "http: %s\n", report.problem);
        return EXAMPLE_FAILED;
    }
    if (!wanted->listen.quiet)
        printf("%" PRIu64 " answers with %" PRIu64 " bytes of files on %" PRIu64
               " connections, all of them right\n",
               report.answers, report.bytes, wanted->client.connections);
    return EXAMPLE_OK;
}

int http_program(int argc, char **argv)
{
    struct http_options wanted;
    int r = http_parse(argc, argv, &wanted);
    if (r != 0)
        return r;
    return wanted.be_client ? be_client(&wanted) : serve(&wanted);
}
