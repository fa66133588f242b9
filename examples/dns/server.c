/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server: a protocol that answers each datagram by itself, connections over TCP at the same
 * port (stream.c), and the life around both.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "../common/example.h"
#include "dns.h"
#include "frame.h"

/* How often a free port is looked for that is free for both. */
enum { TRIES_MAX = 16 };

struct server {
    tl_protocol protocol;
    tl_transport *transport; /* of the datagrams */
    tl_loop *loop;
    struct dns_streams streams;
};

static struct server *server_of(tl_protocol *protocol)
{
    return tl_container_of(protocol, struct server, protocol);
}

/* --- Datagrams -------------------------------------------------------------------------------- */

static int connection_made(tl_protocol *protocol, tl_transport *transport)
{
    server_of(protocol)->transport = transport;
    return 0;
}

static int datagram_received(tl_protocol *protocol, const void *data, size_t len,
                             const tl_addr *from)
{
    uint8_t answer[DNS_EDNS_MAX];
    size_t answer_len = dns_answer(answer, DNS_OVER_UDP, data, len);
    if (answer_len == 0 || from == NULL)
        return 0;
    return tl_datagram_transport_sendto(server_of(protocol)->transport, answer, answer_len, from);
}

static void connection_lost(tl_protocol *protocol, const tl_error *exc)
{
    (void)exc;
    server_of(protocol)->transport = NULL;
}

static const struct tl_protocol_ops server_ops = {
    .kind = TL_PROTOCOL_DATAGRAM,
    .connection_made = connection_made,
    .connection_lost = connection_lost,
    .datagram_received = datagram_received,
};

static tl_protocol *server_factory(void *farg)
{
    struct server *server = farg;
    server->protocol = TL_PROTOCOL_INIT(&server_ops);
    return &server->protocol;
}

/* --- Life ------------------------------------------------------------------------------------- */

/* Waits for what is being made. Says what went wrong, unless that is for the caller to judge. */
static int await(struct server *server, tl_future *made, bool quiet, tl_value *ret)
{
    int r = tl_loop_run_until_complete(server->loop, tl_future_ref(made), ret);
    if (r < 0 && !quiet) {
        const tl_error *error = tl_future_exception(made);
        fprintf(stderr, "dns: %s\n", error != NULL ? error->message : tl_strerror(r));
    }
    tl_future_unref(made);
    return r;
}

static int open_datagrams(struct server *server, const tl_addr *addr, tl_addr *ret_bound)
{
    static const tl_datagram_opts opts = {.batch_sends = true};
    int r = await(
        server,
        tl_loop_create_datagram_endpoint(server->loop, server_factory, server, addr, NULL, &opts),
        false, NULL);
    if (r < 0)
        return r;
    const tl_value *name = tl_transport_get_extra_info(server->transport, "sockname", NULL);
    if (name == NULL || name->kind != TL_VALUE_POINTER)
        return -EADDRNOTAVAIL;
    *ret_bound = *(const tl_addr *)name->pointer;
    return 0;
}

static int open_streams(struct server *server, const char *host, uint16_t port, bool quiet,
                        tl_value *ret)
{
    char text[8];
    (void)snprintf(text, sizeof text, "%" PRIu16, port);
    return await(server,
                 tl_loop_create_server(server->loop, dns_stream_factory, &server->streams, &host, 1,
                                       text, NULL),
                 quiet, ret);
}

/* Both at one port; one that the system picks for datagrams may be somebody else's over TCP. */
static int open_both(struct server *server, const char *host, const tl_addr *addr,
                     tl_addr *ret_bound, tl_value *ret)
{
    for (int i = 1;; i++) {
        bool last = addr->port != 0 || i == TRIES_MAX;
        int r = open_datagrams(server, addr, ret_bound);
        if (r < 0)
            return r;
        r = open_streams(server, host, ret_bound->port, !last, ret);
        if (r == 0 || last)
            return r;
        tl_transport_abort(server->transport);
        r = tl_loop_run_until_complete(server->loop, tl_sleep(server->loop, 0), NULL);
        if (r < 0)
            return r;
    }
}

static void stop(void *loop)
{
    tl_loop_stop(loop);
}

static int run(struct server *server, const tl_addr *bound)
{
    char text[TL_ADDR_TEXT_MAX];
    int r = tl_loop_add_signal_handler(server->loop, SIGTERM, stop, server->loop);
    if (r == 0)
        r = tl_loop_add_signal_handler(server->loop, SIGINT, stop, server->loop);
    if (r < 0)
        return r;
    printf("listening on %s\n", tl_addr_format(bound, text, sizeof text));
    (void)fflush(stdout);
    return tl_loop_run_forever(server->loop);
}

static int serve_on(struct server *server, const char *host, const tl_addr *addr)
{
    tl_addr bound;
    tl_value listening = tl_value_none();
    int r = open_both(server, host, addr, &bound, &listening);
    if (r < 0)
        return r;
    r = run(server, &bound);
    tl_transport_close(server->transport);
    int closed = example_close_server(server->loop, tl_value_server(&listening));
    tl_value_finish(&listening);
    if (r == 0)
        r = closed;
    if (r < 0)
        fprintf(stderr, "dns: %s\n", tl_strerror(r));
    return r;
}

int dns_serve(const char *host, uint16_t port)
{
    tl_addr addr;
    struct server server = {.loop = NULL}; /* outlives its loop, which holds the protocol */
    if (tl_addr_parse(host, port, &addr) < 0) {
        fprintf(stderr, "dns: '%s' is not a numeric address\n", host);
        return EXAMPLE_USAGE;
    }
    server.streams.answer = malloc(2 + DNS_STREAM_MAX);
    int r = server.streams.answer != NULL ? tl_new_event_loop(&server.loop) : -ENOMEM;
    if (r < 0) {
        fprintf(stderr, "dns: no loop: %s\n", tl_strerror(r));
        free(server.streams.answer);
        return EXAMPLE_FAILED;
    }
    server.streams.loop = server.loop;
    r = serve_on(&server, host, &addr);
    tl_loop_free(server.loop);
    free(server.streams.answer);
    return r < 0 ? EXAMPLE_FAILED : EXAMPLE_OK;
}
