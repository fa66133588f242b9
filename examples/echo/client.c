/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The echo client: sends messages one at a time and checks every byte that comes back, however it
 * is cut.
 *
 * Each byte of each message is a function of its place, so that nothing has to be kept to compare
 * with.
 */
#include "echo.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct echo_client *client_of(tl_protocol *protocol)
{
    return tl_container_of(protocol, struct echo_client, protocol);
}

static uint8_t byte_at(unsigned message, size_t place)
{
    return (uint8_t)(message * 31 + place * 7 + (place >> 8));
}

static int send_message(struct echo_client *client)
{
    uint8_t bytes[4096];
    size_t size = client->options.size;
    client->received = 0;
    for (size_t start = 0; start < size; start += sizeof bytes) {
        size_t len = size - start < sizeof bytes ? size - start : sizeof bytes;
        for (size_t i = 0; i < len; i++)
            bytes[i] = byte_at(client->sent, start + i);
        int r = tl_transport_write(client->transport, bytes, len);
        if (r < 0)
            return r;
    }
    client->sent++;
    return 0;
}

static int finish(struct echo_client *client)
{
    client->finished = true;
    switch (client->options.ending) {
    case ECHO_CLOSE:
        tl_transport_close(client->transport);
        return 0;
    case ECHO_WRITE_EOF:
        return tl_transport_write_eof(client->transport);
    case ECHO_ABORT:
        tl_transport_abort(client->transport);
        return 0;
    }
    return -EINVAL;
}

static int go_on(struct echo_client *client)
{
    return client->sent < client->options.messages ? send_message(client) : finish(client);
}

static int connection_made(tl_protocol *protocol, tl_transport *transport)
{
    struct echo_client *client = client_of(protocol);
    client->transport = transport;
    return go_on(client);
}

static int data_received(tl_protocol *protocol, const void *data, size_t len)
{
    struct echo_client *client = client_of(protocol);
    const uint8_t *bytes = data;
    for (size_t i = 0; i < len; i++)
        if (client->finished || bytes[i] != byte_at(client->sent - 1, client->received + i)) {
            client->error = TL_EPROTOCOL;
            return TL_EPROTOCOL;
        }
    client->received += len;
    return client->received == client->options.size ? go_on(client) : 0;
}

static void connection_lost(tl_protocol *protocol, const tl_error *exc)
{
    struct echo_client *client = client_of(protocol);
    client->transport = NULL;
    if (client->error == 0 && !client->finished)
        client->error = exc != NULL ? exc->code : TL_EEOF;
}

static void release(tl_protocol *protocol)
{
    struct echo_client *client = client_of(protocol);
    client->done(client->arg);
}

static const struct tl_protocol_ops client_ops = {
    .kind = TL_PROTOCOL_STREAM,
    .connection_made = connection_made,
    .data_received = data_received,
    .connection_lost = connection_lost,
    .release = release,
};

void echo_client_init(struct echo_client *client, const struct echo_client_options *options,
                      void (*done)(void *arg), void *arg)
{
    *client = (struct echo_client){
        .protocol = TL_PROTOCOL_INIT(&client_ops),
        .options = *options,
        .done = done,
        .arg = arg,
    };
}

tl_protocol *echo_client_factory(void *farg)
{
    struct echo_client *client = farg;
    return &client->protocol;
}

/* --- A program of it -------------------------------------------------------------------------- */

struct clients {
    tl_loop *loop;
    unsigned running;
    struct echo_client each[];
};

static void one_is_over(void *arg)
{
    struct clients *clients = arg;
    if (--clients->running == 0)
        tl_loop_stop(clients->loop);
}

/* A connection that was never made has no protocol to be released. */
static void connected(tl_future *future, void *arg)
{
    struct echo_client *client = arg;
    int r = tl_future_result(future, NULL);
    if (r < 0) {
        fprintf(stderr, "echo: %s\n", tl_future_exception(future)->message);
        client->error = r;
        client->done(client->arg);
    }
}

static void start(struct clients *clients, struct echo_client *client, const char *host,
                  const char *port)
{
    tl_future *future =
        tl_loop_create_connection(clients->loop, echo_client_factory, client, host, port, NULL);
    clients->running++;
    if (tl_future_add_done_callback(future, connected, client) < 0) {
        client->error = -ENOMEM;
        clients->running--;
    }
    tl_future_detach(future);
}

int echo_run_clients(const char *host, const char *port, unsigned count,
                     const struct echo_client_options *options)
{
    struct clients *clients = calloc(1, sizeof *clients + count * sizeof clients->each[0]);
    if (clients == NULL || tl_new_event_loop(&clients->loop) < 0) {
        free(clients);
        return 1;
    }
    for (unsigned i = 0; i < count; i++) {
        echo_client_init(&clients->each[i], options, one_is_over, clients);
        start(clients, &clients->each[i], host, port);
    }
    int r = clients->running > 0 ? tl_loop_run_forever(clients->loop) : 0;
    unsigned failed = 0;
    for (unsigned i = 0; i < count; i++)
        failed += clients->each[i].error != 0 || !clients->each[i].finished;
    tl_loop_free(clients->loop);
    free(clients);
    if (r < 0 || failed > 0)
        fprintf(stderr, "echo: %u of %u clients failed\n", failed, count);
    return r < 0 || failed > 0 ? 1 : 0;
}
