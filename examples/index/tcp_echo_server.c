/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP echo server: sends back the line that it gets, and closes the connection. A stream may be cut
 * anywhere, so what has come is kept until there is a whole line.
 */
#include "index.h"

#include <stdio.h>
#include <stdlib.h>
#include <twinloop.h>

#include "../common/example.h"

struct connection {
    tl_protocol protocol;
    tl_transport *transport;
    char line[256];
    size_t len;
};

static struct connection *connection_of(tl_protocol *protocol)
{
    return tl_container_of(protocol, struct connection, protocol);
}

static int connection_made(tl_protocol *protocol, tl_transport *transport)
{
    puts("Connection made");
    connection_of(protocol)->transport = transport;
    return 0;
}

static int answer(struct connection *connection)
{
    printf("Server received: %.*s", (int)connection->len, connection->line);
    printf("Server sends: %.*s", (int)connection->len, connection->line);
    int r = tl_transport_write(connection->transport, connection->line, connection->len);
    puts("Server closes the client's socket");
    tl_transport_close(connection->transport);
    return r;
}

static int data_received(tl_protocol *protocol, const void *data, size_t len)
{
    struct connection *connection = connection_of(protocol);
    const char *bytes = data;
    for (size_t i = 0; i < len; i++) {
        if (connection->len == sizeof connection->line)
            return TL_EPROTOCOL; /* closes the connection, too */
        connection->line[connection->len++] = bytes[i];
        if (bytes[i] == '\n')
            return answer(connection);
    }
    return 0;
}

static void release(tl_protocol *protocol)
{
    free(connection_of(protocol));
}

static const struct tl_protocol_ops connection_ops = {
    .kind = TL_PROTOCOL_STREAM,
    .connection_made = connection_made,
    .data_received = data_received,
    .release = release,
};

static tl_protocol *make_connection(void *farg)
{
    struct connection *connection = calloc(1, sizeof *connection);
    (void)farg;
    if (connection == NULL)
        return NULL;
    connection->protocol = TL_PROTOCOL_INIT(&connection_ops);
    return &connection->protocol;
}

int index_tcp_echo_server(const struct index_peer *peer)
{
    const struct example_listen listen = {
        .name = "tcp_echo", .host = peer->host, .port = peer->port};
    return example_serve(&listen, make_connection, NULL);
}
