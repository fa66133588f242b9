/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The echo server: one small struct per connection, freed in release, and back-pressure in two
 * lines: while the client does not read what it gets, nothing more is read from it.
 */
#include "echo.h"

#include <stdlib.h>

struct connection {
    tl_protocol protocol;
    tl_transport *transport;
};

static struct connection *connection_of(tl_protocol *protocol)
{
    return tl_container_of(protocol, struct connection, protocol);
}

static int connection_made(tl_protocol *protocol, tl_transport *transport)
{
    connection_of(protocol)->transport = transport;
    return 0;
}

static int data_received(tl_protocol *protocol, const void *data, size_t len)
{
    (void)tl_transport_write(connection_of(protocol)->transport, data, len);
    return 0;
}

static int pause_writing(tl_protocol *protocol)
{
    return tl_transport_pause_reading(connection_of(protocol)->transport);
}

static int resume_writing(tl_protocol *protocol)
{
    (void)tl_transport_resume_reading(connection_of(protocol)->transport);
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
    .pause_writing = pause_writing,
    .resume_writing = resume_writing,
    .release = release,
};

tl_protocol *echo_server_factory(void *farg)
{
    (void)farg;
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        return NULL;
    connection->protocol = TL_PROTOCOL_INIT(&connection_ops);
    return &connection->protocol;
}
