/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connecting existing sockets: wait with a protocol until there is something to be read from a
 * socket that is open already.
 */
#include "index.h"

#include <stdio.h>
#include <string.h>
#include <twinloop.h>

struct receiver {
    tl_protocol protocol;
    tl_transport *transport;
    tl_loop *loop;
    tl_socket writes;
    tl_future *on_lost; /* a reference */
    char received[8];
    size_t len;
};

static const char message[] = "abc";

static struct receiver *receiver_of(tl_protocol *protocol)
{
    return tl_container_of(protocol, struct receiver, protocol);
}

static int connection_made(tl_protocol *protocol, tl_transport *transport)
{
    receiver_of(protocol)->transport = transport;
    return 0;
}

static int data_received(tl_protocol *protocol, const void *data, size_t len)
{
    struct receiver *receiver = receiver_of(protocol);
    const char *bytes = data;
    for (size_t i = 0; i < len && receiver->len < sizeof receiver->received; i++)
        receiver->received[receiver->len++] = bytes[i];
    if (receiver->len < strlen(message)) /* a stream may come in pieces */
        return 0;
    printf("Received: %.*s\n", (int)receiver->len, receiver->received);
    /* We are done: close the transport; connection_lost will be called by itself. */
    tl_transport_close(receiver->transport);
    return 0;
}

static void connection_lost(tl_protocol *protocol, const tl_error *exc)
{
    (void)exc;
    puts("The socket has been closed");
    (void)tl_future_set_result(receiver_of(protocol)->on_lost, tl_value_none());
}

static void release(tl_protocol *protocol)
{
    (void)protocol; /* part of what the program's own function has */
}

static tl_protocol *make_protocol(void *receiver)
{
    return &((struct receiver *)receiver)->protocol;
}

static int receive(struct receiver *receiver)
{
    tl_loop *loop = receiver->loop;
    tl_socket reads;
    int r = tl_socket_pair(loop, &reads, &receiver->writes);
    if (r < 0)
        return r;
    const tl_connection_opts opts = {.sock = &reads};
    r = tl_loop_run_until_complete(
        loop, tl_loop_create_connection(loop, make_protocol, receiver, NULL, NULL, &opts), NULL);
    /* Simulates the reception of data from the network. */
    if (r == 0)
        r = tl_loop_run_until_complete(
            loop, tl_loop_sock_sendall(loop, receiver->writes, message, strlen(message)), NULL);
    if (r == 0)
        r = tl_loop_run_until_complete(loop, tl_future_ref(receiver->on_lost), NULL);
    return r;
}

int index_existing_socket(int argc, char **argv)
{
    static const struct tl_protocol_ops ops = {
        .kind = TL_PROTOCOL_STREAM,
        .connection_made = connection_made,
        .data_received = data_received,
        .connection_lost = connection_lost,
        .release = release,
    };
    struct receiver receiver = {.protocol = TL_PROTOCOL_INIT(&ops)};
    (void)argc;
    (void)argv;
    if (tl_new_event_loop(&receiver.loop) < 0)
        return 1;
    receiver.on_lost = tl_loop_create_future(receiver.loop);
    int r = receive(&receiver);
    tl_loop_free(receiver.loop);
    tl_future_unref(receiver.on_lost);
    return r < 0;
}
