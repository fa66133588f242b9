/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UDP echo client: sends a message, and closes when it has come back. A datagram may be lost, so
 * the message is sent again every ten seconds until then.
 */
#include "index.h"

#include <stdio.h>
#include <string.h>
#include <twinloop.h>

static const char message[] = "Hello World!";

struct client {
    tl_protocol protocol;
    tl_transport *transport;
    tl_loop *loop;
    struct tl_timer again;
    tl_future *on_lost; /* a reference */
};

static struct client *client_of(tl_protocol *protocol)
{
    return tl_container_of(protocol, struct client, protocol);
}

static void send_message(void *arg)
{
    struct client *client = arg;
    (void)tl_datagram_transport_sendto(client->transport, message, strlen(message), NULL);
    (void)tl_timer_start(&client->again, tl_loop_time(client->loop) + 10 * TL_SECOND);
}

static int connection_made(tl_protocol *protocol, tl_transport *transport)
{
    struct client *client = client_of(protocol);
    client->transport = transport;
    printf("Client sends: %s\n", message);
    send_message(client);
    return 0;
}

static int datagram_received(tl_protocol *protocol, const void *data, size_t len,
                             const tl_addr *from)
{
    struct client *client = client_of(protocol);
    (void)from;
    printf("Client received: %.*s\n", (int)len, (const char *)data);
    puts("Close the socket");
    tl_timer_stop(&client->again);
    tl_transport_close(client->transport);
    return 0;
}

static void connection_lost(tl_protocol *protocol, const tl_error *exc)
{
    (void)exc;
    puts("Connection closed");
    (void)tl_future_set_result(client_of(protocol)->on_lost, tl_value_none());
}

static void release(tl_protocol *protocol)
{
    (void)protocol; /* part of what the program's own function has */
}

static tl_protocol *make_client(void *client)
{
    return &((struct client *)client)->protocol;
}

static int run(struct client *client, const struct index_peer *peer)
{
    tl_loop *loop = client->loop;
    char port[8];
    (void)snprintf(port, sizeof port, "%u", (unsigned)peer->port);
    const tl_datagram_opts opts = {.remote_host = peer->host, .remote_port = port};
    tl_timer_init(&client->again, loop, send_message, client);
    int r = tl_loop_run_until_complete(
        loop, tl_loop_create_datagram_endpoint(loop, make_client, client, NULL, NULL, &opts), NULL);
    if (r == 0)
        r = tl_loop_run_until_complete(loop, tl_future_ref(client->on_lost), NULL);
    return r;
}

int index_udp_echo_client(const struct index_peer *peer)
{
    static const struct tl_protocol_ops ops = {
        .kind = TL_PROTOCOL_DATAGRAM,
        .connection_made = connection_made,
        .datagram_received = datagram_received,
        .connection_lost = connection_lost,
        .release = release,
    };
    struct client client = {.protocol = TL_PROTOCOL_INIT(&ops)};
    if (tl_new_event_loop(&client.loop) < 0)
        return 1;
    client.on_lost = tl_loop_create_future(client.loop);
    int r = run(&client, peer);
    if (r < 0)
        fprintf(stderr, "udp_echo: %s\n", tl_strerror(r));
    tl_loop_free(client.loop);
    tl_future_unref(client.on_lost);
    return r < 0;
}
