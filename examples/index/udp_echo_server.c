/* SPDX-License-Identifier: Apache-2.0 */
/* UDP echo server: sends each datagram back to where it came from, until a signal ends it. */
#include "index.h"

#include <signal.h>
#include <stdio.h>
#include <twinloop.h>

struct server {
    tl_protocol protocol;
    tl_transport *transport;
};

static int connection_made(tl_protocol *protocol, tl_transport *transport)
{
    tl_container_of(protocol, struct server, protocol)->transport = transport;
    return 0;
}

static int datagram_received(tl_protocol *protocol, const void *data, size_t len,
                             const tl_addr *from)
{
    const struct server *server = tl_container_of(protocol, struct server, protocol);
    printf("Server received: %.*s\n", (int)len, (const char *)data);
    printf("Server sends: %.*s\n", (int)len, (const char *)data);
    return tl_datagram_transport_sendto(server->transport, data, len, from);
}

static void release(tl_protocol *protocol)
{
    (void)protocol; /* part of what the program's own function has */
}

static tl_protocol *make_server(void *server)
{
    return &((struct server *)server)->protocol;
}

static void stop(void *loop)
{
    tl_loop_stop(loop);
}

static void announce(const struct server *server)
{
    char text[TL_ADDR_TEXT_MAX];
    const tl_value *name = tl_transport_get_extra_info(server->transport, "sockname", NULL);
    if (name != NULL)
        printf("listening on %s\n", tl_addr_format(name->data, text, sizeof text));
    (void)fflush(stdout);
}

static int run(tl_loop *loop, struct server *server, const struct index_peer *peer)
{
    tl_addr local;
    int r = tl_addr_parse(peer->host, (uint16_t)peer->port, &local);
    if (r == 0)
        r = tl_loop_add_signal_handler(loop, SIGTERM, stop, loop);
    if (r < 0)
        return r;
    r = tl_loop_run_until_complete(
        loop, tl_loop_create_datagram_endpoint(loop, make_server, server, &local, NULL, NULL),
        NULL);
    if (r < 0)
        return r;
    announce(server);
    r = tl_loop_run_forever(loop);
    tl_transport_close(server->transport);
    return r;
}

int index_udp_echo_server(const struct index_peer *peer)
{
    static const struct tl_protocol_ops ops = {
        .kind = TL_PROTOCOL_DATAGRAM,
        .connection_made = connection_made,
        .datagram_received = datagram_received,
        .release = release,
    };
    struct server server = {.protocol = TL_PROTOCOL_INIT(&ops)};
    tl_loop *loop;
    if (tl_new_event_loop(&loop) < 0)
        return 1;
    int r = run(loop, &server, peer);
    if (r < 0)
        fprintf(stderr, "udp_echo: %s\n", tl_strerror(r));
    tl_loop_free(loop);
    return r < 0;
}
