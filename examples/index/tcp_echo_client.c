/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP echo client: sends a line, and waits until the connection is closed. What comes back may come
 * in pieces.
 */
#include "index.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <twinloop.h>

static const char message[] = "Hello World!\n";

struct client {
    tl_protocol protocol;
    tl_future *on_lost; /* a reference */
    char received[sizeof message];
    size_t len;
};

static int connection_made(tl_protocol *protocol, tl_transport *transport)
{
    (void)protocol;
    int r = tl_transport_write(transport, message, strlen(message));
    printf("Client sent: %s", message);
    return r;
}

static int data_received(tl_protocol *protocol, const void *data, size_t len)
{
    struct client *client = tl_container_of(protocol, struct client, protocol);
    const char *bytes = data;
    for (size_t i = 0; i < len && client->len < sizeof client->received; i++)
        client->received[client->len++] = bytes[i];
    if (client->len == strlen(message))
        printf("Client received: %.*s", (int)client->len, client->received);
    return 0;
}

static void connection_lost(tl_protocol *protocol, const tl_error *exc)
{
    const struct client *client = tl_container_of(protocol, struct client, protocol);
    puts("The server closed the connection");
    if (exc != NULL)
        (void)tl_future_set_exception(client->on_lost, exc->code, exc->message);
    else
        (void)tl_future_set_result(client->on_lost, tl_value_none());
}

static void release(tl_protocol *protocol)
{
    (void)protocol; /* part of what the program's own function has */
}

static tl_protocol *make_client(void *client)
{
    return &((struct client *)client)->protocol;
}

static int run(tl_loop *loop, struct client *client, const struct index_peer *peer)
{
    char port[24];
    (void)snprintf(port, sizeof port, "%" PRIu64, peer->port);
    int r = tl_loop_run_until_complete(
        loop, tl_loop_create_connection(loop, make_client, client, peer->host, port, NULL), NULL);
    if (r == 0)
        r = tl_loop_run_until_complete(loop, tl_future_ref(client->on_lost), NULL);
    return r;
}

int index_tcp_echo_client(const struct index_peer *peer)
{
    static const struct tl_protocol_ops ops = {
        .kind = TL_PROTOCOL_STREAM,
        .connection_made = connection_made,
        .data_received = data_received,
        .connection_lost = connection_lost,
        .release = release,
    };
    struct client client = {.protocol = TL_PROTOCOL_INIT(&ops)};
    tl_loop *loop;
    if (tl_new_event_loop(&loop) < 0)
        return 1;
    client.on_lost = tl_loop_create_future(loop);
    int r = run(loop, &client, peer);
    if (r < 0)
        fprintf(stderr, "tcp_echo: %s\n", tl_strerror(r));
    tl_loop_free(loop);
    tl_future_unref(client.on_lost);
    return r < 0;
}
