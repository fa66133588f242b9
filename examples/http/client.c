/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client half; see client.h.
 *
 * Each connection goes through its row of wishes: those between answered and asked are under way.
 * An answer's head is gathered up to its empty line, then its content is compared as it comes.
 */
#include "client.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <twinloop.h>

#include "files.h"
#include "wish.h"

enum { HEAD_MAX = 1024 };

struct client {
    const struct http_client_options *options;
    struct http_client_report *report;
    tl_loop *loop;
    uint64_t running; /* connections that are not done */
    char port[24];
};

struct link {
    tl_protocol protocol;
    struct client *client;
    tl_transport *transport; /* NULL while there is none */
    uint64_t seed;
    uint64_t asked;
    uint64_t answered;
    uint64_t broken; /* times */
    char head[HEAD_MAX];
    size_t head_len;
    bool in_content;
    struct http_wish wish; /* that the answer at hand is to */
    int64_t length;        /* of its content, as the head says */
    int64_t at;            /* bytes of it that have come */
};

static void start(struct link *link);

static void fail(struct client *client, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void fail(struct client *client, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (client->report->problem[0] == '\0')
        (void)vsnprintf(client->report->problem, sizeof client->report->problem, format, args);
    va_end(args);
    tl_loop_stop(client->loop);
}

/* What is wrong with the answer at hand. */
static int wrong(struct link *link, const char *what)
{
    const char *request = link->wish.request;
    fail(link->client, "answer %" PRIu64 " to \"%.*s\": %s", link->answered,
         (int)strcspn(request, "\r"), request, what);
    return TL_EPROTOCOL;
}

/* --- Asking ----------------------------------------------------------------------------------- */

static void ask(struct link *link)
{
    const struct http_client_options *options = link->client->options;
    struct http_wish wish;
    while (link->asked < options->requests && link->asked - link->answered < options->depth) {
        http_wish_make(&wish, link->seed, link->asked);
        if (tl_transport_write(link->transport, wish.request, strlen(wish.request)) < 0)
            return; /* connection_lost follows */
        link->asked++;
    }
}

/* --- Answers ---------------------------------------------------------------------------------- */

/* The number behind a field's name, or -1. */
static int64_t field(const char *head, const char *name)
{
    const char *at = strstr(head, name);
    return at != NULL ? strtoll(at + strlen(name), NULL, 10) : -1;
}

static int check_range(struct link *link)
{
    char wanted[96];
    (void)snprintf(
        wanted, sizeof wanted, "\r\nContent-Range: bytes %" PRId64 "-%" PRId64 "/%" PRId64 "\r\n",
        link->wish.first, link->wish.first + link->wish.count - 1, http_file_size(link->wish.file));
    return strstr(link->head, wanted) != NULL ? 0 : wrong(link, "another range");
}

static int head_is_whole(struct link *link)
{
    http_wish_make(&link->wish, link->seed, link->answered);
    const struct http_wish *wish = &link->wish;
    if (strncmp(link->head, "HTTP/1.1 ", 9) != 0)
        return wrong(link, "no head");
    if (strtol(link->head + 9, NULL, 10) != wish->status)
        return wrong(link, "another status");
    link->length = field(link->head, "\r\nContent-Length: ");
    if (wish->status == 304)
        link->length = 0;
    if (link->length < 0 || (wish->is_file && link->length != wish->count))
        return wrong(link, "another length");
    if (wish->is_head)
        link->length = 0;
    link->at = 0;
    link->in_content = true;
    return wish->status == 206 ? check_range(link) : 0;
}

/* Gathers a head: how many bytes it took, or an error. */
static ssize_t take_head(struct link *link, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (link->head_len == HEAD_MAX - 1)
            return wrong(link, "a head without an end");
        link->head[link->head_len++] = data[i];
        link->head[link->head_len] = '\0';
        if (link->head_len >= 4 && memcmp(link->head + link->head_len - 4, "\r\n\r\n", 4) == 0) {
            int r = head_is_whole(link);
            return r < 0 ? r : (ssize_t)i + 1;
        }
    }
    return (ssize_t)len;
}

/* The same for content. */
static ssize_t take_content(struct link *link, const char *data, size_t len)
{
    int64_t left = link->length - link->at;
    size_t part = (int64_t)len < left ? len : (size_t)left;
    if (link->wish.is_file)
        for (size_t i = 0; i < part; i++) {
            int64_t at = link->wish.first + link->at + (int64_t)i;
            if ((uint8_t)data[i] != http_file_byte(link->wish.file, at))
                return wrong(link, "another byte");
        }
    link->at += (int64_t)part;
    if (link->wish.is_file)
        link->client->report->bytes += part;
    return (ssize_t)part;
}

static void answer_is_whole(struct link *link)
{
    link->client->report->answers++;
    link->answered++;
    link->in_content = false;
    link->head_len = 0;
    if (link->answered == link->client->options->requests)
        tl_transport_close(link->transport);
    else
        ask(link);
}

/* --- The protocol ----------------------------------------------------------------------------- */

static struct link *link_of(tl_protocol *protocol)
{
    return tl_container_of(protocol, struct link, protocol);
}

static int connection_made(tl_protocol *protocol, tl_transport *transport)
{
    struct link *link = link_of(protocol);
    link->transport = transport;
    link->asked = link->answered;
    link->head_len = 0;
    link->in_content = false;
    ask(link);
    return 0;
}

static int data_received(tl_protocol *protocol, const void *data, size_t len)
{
    struct link *link = link_of(protocol);
    const char *bytes = data;
    while (len > 0 || (link->in_content && link->at == link->length)) {
        if (link->answered == link->asked)
            return wrong(link, "more than was asked for");
        ssize_t n = link->in_content ? take_content(link, bytes, len) : take_head(link, bytes, len);
        if (n < 0)
            return (int)n;
        bytes += n;
        len -= (size_t)n;
        if (link->in_content && link->at == link->length)
            answer_is_whole(link);
    }
    return 0;
}

static void done(struct client *client)
{
    if (--client->running == 0)
        tl_loop_stop(client->loop);
}

/* A connection is over: done, or to be made again. */
static void broke(struct link *link, int code)
{
    const struct http_client_options *options = link->client->options;
    if (link->answered == options->requests)
        done(link->client);
    else if (link->broken++ < options->tries)
        start(link);
    else
        fail(link->client, "a connection broke after %" PRIu64 " answers: %s", link->answered,
             code < 0 ? tl_strerror(code) : "it was closed");
}

static void connection_lost(tl_protocol *protocol, const tl_error *exc)
{
    struct link *link = link_of(protocol);
    link->transport = NULL;
    if (link->client->report->problem[0] == '\0')
        broke(link, exc != NULL ? exc->code : 0);
}

static const struct tl_protocol_ops link_ops = {
    .kind = TL_PROTOCOL_STREAM,
    .connection_made = connection_made,
    .data_received = data_received,
    .connection_lost = connection_lost,
};

/* --- Running ---------------------------------------------------------------------------------- */

static tl_protocol *link_factory(void *farg)
{
    struct link *link = farg;
    link->protocol = TL_PROTOCOL_INIT(&link_ops);
    return &link->protocol;
}

static void connected(tl_future *future, void *arg)
{
    struct link *link = arg;
    int r = tl_future_result(future, NULL);
    const tl_error *error = tl_future_exception(future);
    if (r < 0 && link->broken < link->client->options->tries)
        broke(link, r);
    else if (r < 0)
        fail(link->client, "%s", error != NULL ? error->message : tl_strerror(r));
}

static void start(struct link *link)
{
    struct client *client = link->client;
    tl_future *future = tl_loop_create_connection(client->loop, link_factory, link,
                                                  client->options->host, client->port, NULL);
    if (tl_future_add_done_callback(future, connected, link) < 0)
        fail(client, "out of memory");
    tl_future_detach(future);
}

static int run(struct client *client, struct link *links)
{
    uint64_t count = client->options->connections;
    client->running = count;
    for (uint64_t i = 0; i < count; i++) {
        links[i].client = client;
        links[i].seed = client->options->seed * 10007 + i;
        start(&links[i]);
    }
    int r = tl_loop_run_forever(client->loop);
    if (r < 0)
        fail(client, "%s", tl_strerror(r));
    return client->report->problem[0] == '\0' ? 0 : -1;
}

int http_client_run(const struct http_client_options *options, struct http_client_report *ret)
{
    struct client client = {.options = options, .report = ret};
    *ret = (struct http_client_report){.problem = ""};
    (void)snprintf(client.port, sizeof client.port, "%" PRIu64, options->port);
    struct link *links = calloc(options->connections, sizeof *links);
    int r = links != NULL ? tl_new_event_loop(&client.loop) : -ENOMEM;
    if (r < 0) {
        (void)snprintf(ret->problem, sizeof ret->problem, "%s", tl_strerror(r));
        free(links);
        return -1;
    }
    r = run(&client, links);
    tl_loop_free(client.loop);
    free(links);
    return r;
}
