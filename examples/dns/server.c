/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server: a protocol that answers each datagram by itself, and the life around it.
 */
#include <signal.h>
#include <stdio.h>

#include "../common/example.h"
#include "dns.h"

struct server {
    tl_protocol protocol;
    tl_transport *transport;
    tl_loop *loop;
};

static struct server *server_of(tl_protocol *protocol)
{
    return tl_container_of(protocol, struct server, protocol);
}

static int connection_made(tl_protocol *protocol, tl_transport *transport)
{
    server_of(protocol)->transport = transport;
    return 0;
}

static int datagram_received(tl_protocol *protocol, const void *data, size_t len,
                             const tl_addr *from)
{
    uint8_t answer[DNS_EDNS_MAX];
    size_t answer_len = dns_answer(answer, data, len);
    if (answer_len == 0 || from == NULL)
        return 0;
    return tl_datagram_transport_sendto(server_of(protocol)->transport, answer, answer_len, from);
}

static void connection_lost(tl_protocol *protocol, const tl_error *exc)
{
    (void)exc;
    server_of(protocol)->transport = NULL;
    tl_loop_stop(server_of(protocol)->loop);
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

static void stop(void *arg)
{
    struct server *server = arg;
    tl_transport_close(server->transport);
}

static int run(struct server *server)
{
    char text[TL_ADDR_TEXT_MAX];
    int r = tl_loop_add_signal_handler(server->loop, SIGTERM, stop, server);
    if (r == 0)
        r = tl_loop_add_signal_handler(server->loop, SIGINT, stop, server);
    if (r < 0)
        return r;
    const tl_value *name = tl_transport_get_extra_info(server->transport, "sockname", NULL);
    if (name != NULL && name->kind == TL_VALUE_POINTER)
        printf("listening on %s\n", tl_addr_format(name->pointer, text, sizeof text));
    (void)fflush(stdout);
    return tl_loop_run_forever(server->loop);
}

static int serve_on(struct server *server, const tl_addr *addr)
{
    static const tl_datagram_opts opts = {.batch_sends = true};
    tl_future *made =
        tl_loop_create_datagram_endpoint(server->loop, server_factory, server, addr, NULL, &opts);
    int r = tl_loop_run_until_complete(server->loop, tl_future_ref(made), NULL);
    if (r < 0) {
        const tl_error *error = tl_future_exception(made);
        fprintf(stderr, "dns: %s\n", error != NULL ? error->message : tl_strerror(r));
        tl_future_unref(made);
        return r;
    }
    tl_future_unref(made);
    r = run(server);
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
    int r = tl_new_event_loop(&server.loop);
    if (r < 0) {
        fprintf(stderr, "dns: no loop: %s\n", tl_strerror(r));
        return EXAMPLE_FAILED;
    }
    r = serve_on(&server, &addr);
    tl_loop_free(server.loop);
    return r < 0 ? EXAMPLE_FAILED : EXAMPLE_OK;
}
