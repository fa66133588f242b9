/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The echo server on Twinloop, as examples/echo writes it: one small struct per connection, and
 * reading stops while the client does not take what it gets. Included by the server that is
 * measured and by the program that replays its trace, so that both do the same.
 */
#ifndef BENCH_ECHO_TWINLOOP_H
#define BENCH_ECHO_TWINLOOP_H

#include "sample.h"
#include "server.h"

#include <twinloop.h>

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
    if (getenv("BENCH_SEND_BUFFER") != NULL)
        server_tune((int)tl_transport_get_extra_info(transport, "socket", NULL)->integer);
    return 0;
}

static int data_received(tl_protocol *protocol, const void *data, size_t len)
{
    (void)tl_transport_write(connection_of(protocol)->transport, data, len);
    return 0;
}

static char buffer[READ_BUFFER_SIZE];

static int get_buffer(tl_protocol *protocol, ssize_t hint, void **ret_buffer, size_t *ret_len)
{
    (void)protocol;
    (void)hint;
    *ret_buffer = buffer;
    *ret_len = sizeof buffer;
    return 0;
}

static int buffer_updated(tl_protocol *protocol, size_t len)
{
    (void)tl_transport_write(connection_of(protocol)->transport, buffer, len);
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

/* One buffer for all: what has come is gone again, or copied, before the next read. */
static const struct tl_protocol_ops buffered_ops = {
    .kind = TL_PROTOCOL_BUFFERED,
    .connection_made = connection_made,
    .get_buffer = get_buffer,
    .buffer_updated = buffer_updated,
    .pause_writing = pause_writing,
    .resume_writing = resume_writing,
    .release = release,
};

/* farg is the ops. */
static tl_protocol *connection_new(void *farg)
{
    struct connection *connection = malloc(sizeof *connection);
    if (connection == NULL)
        return NULL;
    connection->protocol = TL_PROTOCOL_INIT((const struct tl_protocol_ops *)farg);
    return &connection->protocol;
}

static void stop(void *loop)
{
    tl_loop_stop(loop);
}

/* Starts serving on a free port of the loopback. Told to the caller: the server, in a value, and
 * its address. */
static tl_value serve(tl_loop *loop, const struct tl_protocol_ops *ops, tl_addr *ret)
{
    const char *host = "127.0.0.1";
    const tl_server_opts opts = {.backlog = SERVER_BACKLOG};
    tl_future *made =
        tl_loop_create_server(loop, connection_new, (void *)ops, &host, 1, "0", &opts);
    tl_value value = tl_value_none();
    check("create_server", tl_loop_run_until_complete(loop, made, &value));
    check("address", tl_server_address(tl_value_server(&value), 0, ret));
    check("signal", tl_loop_add_signal_handler(loop, SIGTERM, stop, loop));
    return value;
}

/* Runs until SIGTERM, then ends every connection. Takes the server. */
static void run(tl_loop *loop, tl_value value)
{
    tl_server *server = tl_value_server(&value);
    check("run", tl_loop_run_forever(loop));
    tl_server_close(server);
    tl_server_abort_clients(server);
    check("end", tl_loop_run_until_complete(loop, tl_server_wait_closed(server), NULL));
    tl_value_finish(&value);
}

#endif
