/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is left open when a loop in debug mode is closed, of every kind: it is told to the exception
 * handler, with the place where the program made it. What happens when the handler meddles is in
 * contract_debug.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <twinloop.h>

#include "support/contract.h"
#include "support/traceback.h"

enum { PROTOCOLS = 8 };

struct room {
    tl_loop *loop;
    tl_server *server;
    const char *maker; /* the function that every origin must lead through */
    char told[512];    /* the messages, without "unclosed ", and '?' behind one without a place */
    int socks;         /* reports that name an address */
    bool closes;       /* the handler closes the program's descriptor that it was told of */
    tl_socket socket;
    size_t protocols_count;
    tl_protocol protocols[PROTOCOLS];
};

/* Connection_made stops the loop when as many as wanted have been made. */
static int wanted;

static int stop_when_all_are_made(tl_protocol *protocol, tl_transport *transport)
{
    (void)protocol;
    struct tl_loop *loop = tl_get_running_loop();
    (void)transport;
    if (--wanted == 0)
        tl_loop_stop(loop);
    return 0;
}

static tl_protocol *make_protocol(struct room *room, const struct tl_protocol_ops *ops)
{
    assert_true(room->protocols_count < PROTOCOLS);
    tl_protocol *protocol = &room->protocols[room->protocols_count++];
    *protocol = TL_PROTOCOL_INIT(ops);
    return protocol;
}

static tl_protocol *stream_factory(void *room)
{
    static const struct tl_protocol_ops ops = {.kind = TL_PROTOCOL_STREAM,
                                               .connection_made = stop_when_all_are_made};
    return make_protocol(room, &ops);
}

static tl_protocol *datagram_factory(void *room)
{
    static const struct tl_protocol_ops ops = {.kind = TL_PROTOCOL_DATAGRAM,
                                               .connection_made = stop_when_all_are_made};
    return make_protocol(room, &ops);
}

static void hear(tl_loop *loop, const tl_exc_context *context, void *arg)
{
    struct room *room = arg;
    size_t len = strlen(room->told);
    bool placed = traceback_leads_through(context->source_traceback, room->maker);
    assert_ptr_equal(loop, room->loop);
    assert_int_equal(strncmp(context->message, "unclosed ", 9), 0);
    (void)snprintf(room->told + len, sizeof room->told - len, "%s%s ", context->message + 9,
                   placed ? "" : "?");
    if (context->socket != NULL)
        room->socks++;
    if (room->closes)
        assert_int_equal(tl_socket_close(loop, room->socket), 0);
    /* The context is whole after that, too. */
    assert_int_equal(traceback_leads_through(context->source_traceback, room->maker), placed);
}

static void room_open(struct room *room, struct contract *contract, const char *maker)
{
    *room = (struct room){.loop = contract_loop(contract), .maker = maker};
    tl_loop_set_debug(room->loop, true);
    assert_int_equal(tl_loop_set_exception_handler(room->loop, hear, room), 0);
}

/* Closes the loop and expects to be told of these. */
static void room_close(struct room *room, const char *told)
{
    assert_int_equal(tl_loop_close(room->loop), 0);
    tl_server_unref(room->server);
    tl_loop_free(room->loop);
    assert_string_equal(room->told, told);
}

static void run_until_made(struct room *room, int count)
{
    wanted = count;
    assert_int_equal(tl_loop_run_forever(room->loop), 0);
}

/* --- Transports and servers ------------------------------------------------------------------- */

static NAMED tl_future *serve_here(struct room *room)
{
    static const char *const hosts[] = {"127.0.0.1"};
    return tl_loop_create_server(room->loop, stream_factory, room, hosts, 1, "0", NULL);
}

static void serve(struct room *room, tl_future *future)
{
    tl_value value;
    assert_int_equal(tl_loop_run_until_complete(room->loop, future, &value), 0);
    room->server = tl_server_ref(tl_value_server(&value));
    tl_value_finish(&value);
}

static void a_server_is_told(struct contract *contract)
{
    struct room room;
    room_open(&room, contract, "serve_here");
    serve(&room, serve_here(&room));
    room_close(&room, "server ");
    assert_int_equal(room.socks, 1);
}

static NAMED void connect_here(struct room *room)
{
    char port[8];
    tl_addr addr;
    assert_int_equal(tl_server_address(room->server, 0, &addr), 0);
    (void)snprintf(port, sizeof port, "%u", addr.port);
    tl_future_unref(
        tl_loop_create_connection(room->loop, stream_factory, room, "127.0.0.1", port, NULL));
}

/* Of a connection's two ends one has its place here, the other one elsewhere. */
static void expect_one_with_its_place(struct contract *contract, const char *maker)
{
    struct room room;
    room_open(&room, contract, maker);
    serve(&room, serve_here(&room));
    connect_here(&room);
    run_until_made(&room, 2);
    tl_server_close(room.server);
    assert_int_equal(tl_loop_close(room.loop), 0);
    assert_true(strcmp(room.told, "transport transport? ") == 0 ||
                strcmp(room.told, "transport? transport ") == 0);
    room.told[0] = '\0';
    room_close(&room, "");
}

static void a_connection_has_the_place_of_the_call(struct contract *contract)
{
    expect_one_with_its_place(contract, "connect_here");
}

static void an_accepted_connection_has_its_servers_place(struct contract *contract)
{
    expect_one_with_its_place(contract, "serve_here");
}

static NAMED void connect_unix_here(struct room *room, tl_socket one, tl_socket other)
{
    tl_future_unref(tl_loop_create_unix_connection(room->loop, stream_factory, room, NULL, 0,
                                                   &(tl_connection_opts){.sock = &one}));
    tl_future_unref(tl_loop_connect_accepted_socket(room->loop, stream_factory, room, other, NULL));
}

static void unix_connections_are_told(struct contract *contract)
{
    struct room room;
    tl_socket one, other;
    room_open(&room, contract, "connect_unix_here");
    assert_int_equal(tl_socket_pair(room.loop, &one, &other), 0);
    connect_unix_here(&room, one, other);
    run_until_made(&room, 2);
    room_close(&room, "transport transport ");
}

static NAMED void connect_pipes_here(struct room *room, tl_socket reader, tl_socket writer)
{
    tl_future_unref(tl_loop_connect_read_pipe(room->loop, stream_factory, room, reader.fd));
    tl_future_unref(tl_loop_connect_write_pipe(room->loop, stream_factory, room, writer.fd));
}

static void both_ends_of_a_pipe_are_told(struct contract *contract)
{
    struct room room;
    tl_socket reader, writer;
    room_open(&room, contract, "connect_pipes_here");
    assert_int_equal(tl_pipe_open(room.loop, &reader, &writer), 0);
    connect_pipes_here(&room, reader, writer);
    run_until_made(&room, 2);
    room_close(&room, "transport transport ");
}

static NAMED void make_endpoint_here(struct room *room)
{
    tl_addr local;
    assert_int_equal(tl_addr_parse("127.0.0.1", 0, &local), 0);
    tl_future_unref(
        tl_loop_create_datagram_endpoint(room->loop, datagram_factory, room, &local, NULL, NULL));
}

static void an_endpoint_of_datagrams_is_told(struct contract *contract)
{
    struct room room;
    room_open(&room, contract, "make_endpoint_here");
    make_endpoint_here(&room);
    run_until_made(&room, 1);
    room_close(&room, "transport ");
}

/* --- Closed, but not in time ------------------------------------------------------------------ */

static int write_much_and_close(tl_protocol *protocol, tl_transport *transport)
{
    static const char much[1 << 20];
    (void)protocol;
    assert_int_equal(tl_transport_write(transport, much, sizeof much), 0);
    assert_true(tl_transport_get_write_buffer_size(transport) > 0);
    tl_transport_close(transport);
    tl_loop_stop(tl_get_running_loop());
    return 0;
}

static tl_protocol *flushing_factory(void *room)
{
    static const struct tl_protocol_ops ops = {.kind = TL_PROTOCOL_STREAM,
                                               .connection_made = write_much_and_close};
    return make_protocol(room, &ops);
}

static NAMED void connect_flushing_here(struct room *room, tl_socket writer)
{
    tl_future_unref(tl_loop_connect_write_pipe(room->loop, flushing_factory, room, writer.fd));
}

static void one_that_is_flushed_is_told(struct contract *contract)
{
    struct room room;
    tl_socket reader, writer;
    room_open(&room, contract, "connect_flushing_here");
    assert_int_equal(tl_pipe_open(room.loop, &reader, &writer), 0);
    connect_flushing_here(&room, writer);
    assert_int_equal(tl_loop_run_forever(room.loop), 0);
    assert_int_equal(tl_loop_close(room.loop), 0);
    assert_string_equal(room.told, "transport pipe? ");
    room.told[0] = '\0';
    room_close(&room, "");
}

static int abort_and_stop(tl_protocol *protocol, tl_transport *transport)
{
    (void)protocol;
    tl_transport_abort(transport);
    tl_loop_stop(tl_get_running_loop());
    return 0;
}

static tl_protocol *aborting_factory(void *room)
{
    static const struct tl_protocol_ops ops = {.kind = TL_PROTOCOL_STREAM,
                                               .connection_made = abort_and_stop};
    return make_protocol(room, &ops);
}

static void one_whose_end_is_due_is_not(struct contract *contract)
{
    struct room room;
    tl_socket reader, writer;
    room_open(&room, contract, "");
    assert_int_equal(tl_pipe_open(room.loop, &reader, &writer), 0);
    tl_future_unref(tl_loop_connect_write_pipe(room.loop, aborting_factory, &room, writer.fd));
    assert_int_equal(tl_loop_run_forever(room.loop), 0);
    assert_int_equal(tl_socket_close(room.loop, reader), 0);
    room_close(&room, "");
}

/* --- Descriptors ------------------------------------------------------------------------------ */

static NAMED void open_here(struct room *room)
{
    tl_socket reader, writer;
    tl_addr any;
    assert_int_equal(tl_socket_open(room->loop, TL_FAMILY_INET, TL_DATAGRAM, &room->socket), 0);
    assert_int_equal(tl_addr_parse("127.0.0.1", 0, &any), 0);
    assert_int_equal(tl_socket_bind(room->loop, room->socket, &any), 0);
    assert_int_equal(tl_pipe_open(room->loop, &reader, &writer), 0);
}

static void the_programs_descriptors_are_told(struct contract *contract)
{
    struct room room;
    room_open(&room, contract, "open_here");
    open_here(&room);
    room_close(&room, "socket pipe pipe ");
    assert_int_equal(room.socks, 1);
}

static NAMED void open_in_turn_here(struct room *room)
{
    tl_socket socket, reader, writer;
    assert_int_equal(tl_socket_open(room->loop, TL_FAMILY_INET, TL_STREAM, &socket), 0);
    assert_int_equal(tl_socket_open(room->loop, TL_FAMILY_INET, TL_STREAM, &room->socket), 0);
    assert_int_equal(tl_socket_close(room->loop, socket), 0);
    /* One of these has the number that is free again. */
    assert_int_equal(tl_pipe_open(room->loop, &reader, &writer), 0);
}

/* Not by number: what else the process opens would decide, and a replay counts for itself. */
static void they_are_told_in_the_order_of_their_making(struct contract *contract)
{
    struct room room;
    room_open(&room, contract, "open_in_turn_here");
    open_in_turn_here(&room);
    room_close(&room, "socket pipe pipe ");
}

static void one_that_is_closed_is_not(struct contract *contract)
{
    struct room room;
    room_open(&room, contract, "open_here");
    open_here(&room);
    assert_int_equal(tl_socket_close(room.loop, room.socket), 0);
    room_close(&room, "pipe pipe ");
}

static NAMED void open_one_here(struct room *room)
{
    assert_int_equal(tl_socket_open(room->loop, TL_FAMILY_INET, TL_STREAM, &room->socket), 0);
}

static void the_handler_may_close_it(struct contract *contract)
{
    struct room room;
    room_open(&room, contract, "open_one_here");
    open_one_here(&room);
    room.closes = true;
    room_close(&room, "socket ");
}

/* Stores the future: a call that comes last may leave no frame of its caller. */
static NAMED void accept_here(struct room *room, tl_socket listener, tl_future **ret)
{
    *ret = tl_loop_sock_accept(room->loop, listener);
}

static void an_accepted_one_has_the_place_of_accept(struct contract *contract)
{
    struct room room;
    tl_socket listener, client;
    tl_addr addr;
    room_open(&room, contract, "accept_here");
    assert_int_equal(tl_socket_open(room.loop, TL_FAMILY_INET, TL_STREAM, &listener), 0);
    assert_int_equal(tl_socket_open(room.loop, TL_FAMILY_INET, TL_STREAM, &client), 0);
    assert_int_equal(tl_addr_parse("127.0.0.1", 0, &addr), 0);
    assert_int_equal(tl_socket_bind(room.loop, listener, &addr), 0);
    assert_int_equal(tl_socket_listen(room.loop, listener, 1), 0);
    assert_int_equal(tl_socket_address(room.loop, listener, TL_ADDRESS_LOCAL, &addr), 0);
    tl_future *accepted;
    accept_here(&room, listener, &accepted);
    tl_future_unref(tl_loop_sock_connect(room.loop, client, &addr));
    tl_value value;
    assert_int_equal(tl_loop_run_until_complete(room.loop, accepted, &value), 0);
    assert_int_equal(tl_socket_close(room.loop, client), 0);
    assert_int_equal(tl_socket_close(room.loop, listener), 0);
    room_close(&room, "socket ");
    tl_value_finish(&value);
}

/* --- Not in debug mode ------------------------------------------------------------------------ */

static void without_debug_mode_nothing_is_told(struct contract *contract)
{
    struct room room;
    room_open(&room, contract, "");
    tl_loop_set_debug(room.loop, false);
    serve(&room, serve_here(&room));
    open_here(&room);
    room_close(&room, "");
}

/* What was made before nobody noted. */
static void nor_where_what_was_made_before(struct contract *contract)
{
    struct room room;
    room_open(&room, contract, "nowhere");
    tl_loop_set_debug(room.loop, false);
    make_endpoint_here(&room);
    run_until_made(&room, 1);
    open_one_here(&room);
    tl_loop_set_debug(room.loop, true);
    room_close(&room, "transport? socket? ");
}

static const struct contract_case cases[] = {
    CONTRACT(a_server_is_told),
    CONTRACT(a_connection_has_the_place_of_the_call),
    CONTRACT(an_accepted_connection_has_its_servers_place),
    CONTRACT(unix_connections_are_told),
    CONTRACT(both_ends_of_a_pipe_are_told),
    CONTRACT(an_endpoint_of_datagrams_is_told),
    CONTRACT(one_that_is_flushed_is_told),
    CONTRACT(one_whose_end_is_due_is_not),
    CONTRACT(the_programs_descriptors_are_told),
    CONTRACT(they_are_told_in_the_order_of_their_making),
    CONTRACT(one_that_is_closed_is_not),
    CONTRACT(the_handler_may_close_it),
    CONTRACT(an_accepted_one_has_the_place_of_accept),
    CONTRACT(without_debug_mode_nothing_is_told),
    CONTRACT(nor_where_what_was_made_before),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "unclosed", cases, sizeof cases / sizeof cases[0]);
}
