/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets that the program made, bound, connected or accepted by itself and gives away:
 * connect_accepted_socket, and the socks of the calls that make connections and servers.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include "support/scene.h"

enum { ONLY_REAL = CONTRACT_REAL | CONTRACT_REPLAY_REAL };

/* --- What a program does with sockets --------------------------------------------------------- */

static tl_socket open_socket(tl_loop *loop)
{
    tl_socket socket;
    assert_int_equal(tl_socket_open(loop, TL_FAMILY_INET, TL_STREAM, &socket), 0);
    return socket;
}

static tl_socket bound_socket(tl_loop *loop, tl_addr *ret_addr)
{
    tl_socket socket = open_socket(loop);
    assert_int_equal(tl_addr_parse("127.0.0.1", 0, ret_addr), 0);
    assert_int_equal(tl_socket_bind(loop, socket, ret_addr), 0);
    assert_int_equal(tl_socket_address(loop, socket, TL_ADDRESS_LOCAL, ret_addr), 0);
    return socket;
}

static tl_socket connected_socket(struct scene *scene)
{
    tl_socket socket = open_socket(scene->loop);
    tl_addr addr;
    assert_int_equal(tl_server_address(scene->server, 0, &addr), 0);
    tl_future *future = tl_loop_sock_connect(scene->loop, socket, &addr);
    assert_int_equal(tl_loop_run_until_complete(scene->loop, future, NULL), 0);
    return socket;
}

static tl_future *connect_with(struct scene *scene, const tl_socket *socket)
{
    return tl_loop_create_connection(scene->loop, scene_client_factory, scene, NULL, NULL,
                                     &(tl_connection_opts){.sock = socket});
}

static tl_future *accept_with(struct scene *scene, tl_socket socket)
{
    return tl_loop_connect_accepted_socket(scene->loop, scene_client_factory, scene, socket, NULL);
}

static tl_future *serve_with(struct scene *scene, const tl_socket *socket)
{
    return tl_loop_create_server(scene->loop, scene_peer_factory, scene, NULL, 0, NULL,
                                 &(tl_server_opts){.sock = socket});
}

/* Takes the future. */
static void expect(tl_future *future, int code, const char *message)
{
    assert_true(tl_future_done(future));
    assert_int_equal(tl_future_result(future, NULL), code);
    if (message != NULL)
        assert_string_equal(tl_future_exception(future)->message, message);
    tl_future_unref(future);
}

/* --- Connections ------------------------------------------------------------------------------ */

/* asyncio's example: a pair of sockets, one of which gets a protocol. */
static void an_end_of_a_pair(struct contract *contract)
{
    static struct scene scene;
    tl_socket one, other;
    char byte;
    scene_open(&scene, contract);
    assert_int_equal(tl_socket_pair(scene.loop, &one, &other), 0);
    scene.client.hooks.data = hook_close_when_whole;
    scene.client.total = 3;
    assert_int_equal(tl_socket_write(scene.loop, other, "abc", 3), 3);
    tl_value value;
    assert_int_equal(tl_loop_run_until_complete(scene.loop, connect_with(&scene, &one), &value), 0);
    const tl_pair *pair = tl_value_pair(&value);
    assert_ptr_equal(pair->protocol, &scene.client.protocol);
    assert_ptr_equal(pair->transport, scene.client.transport);
    tl_value_finish(&value);
    scene_await(&scene, 1);
    assert_log(&scene.client, "made data(abc) lost released");
    assert_int_equal(tl_socket_read(scene.loop, other, &byte, 1), 0);
    assert_int_equal(tl_socket_close(scene.loop, other), 0);
    scene_close(&scene);
}

static void expect_names(struct side *side, const tl_addr *expected)
{
    const tl_value *peer = tl_transport_get_extra_info(side->transport, "peername", NULL);
    assert_non_null(peer);
    assert_true(tl_addr_equal(peer->data, expected));
    assert_non_null(tl_transport_get_extra_info(side->transport, "sockname", NULL));
}

static int check_client(struct side *side)
{
    tl_loop *loop = side->scene->loop;
    const struct tl_kernel *kernel = tl_loop_kernel(loop);
    const tl_value *value = tl_transport_get_extra_info(side->transport, "socket", NULL);
    tl_addr addr;
    int on = 0;
    assert_int_equal(tl_server_address(side->scene->server, 0, &addr), 0);
    expect_names(side, &addr);
    assert_int_equal(kernel->ops->option(tl_loop_kernel(loop), (int)value->integer,
                                         TL_OPTION_NODELAY, NULL, &on),
                     0);
    assert_int_equal(on, 1);
    return hook_write_hello_and_eof(side);
}

static void a_connected_socket(struct contract *contract)
{
    static struct scene scene;
    scene_open(&scene, contract);
    tl_socket socket = connected_socket(&scene);
    scene.client.hooks.made = check_client;
    tl_future_detach(connect_with(&scene, &socket));
    scene_await(&scene, 2);
    assert_log(&scene.client, "made eof lost released");
    assert_log(&scene.peer, "made data(hello) eof lost released");
    assert_int_equal(tl_socket_close(scene.loop, socket), -EBADF);
    scene_close(&scene);
}

/* Not connected at all: asyncio finds out by reading. */
static void a_socket_that_is_not_connected(struct contract *contract)
{
    static struct scene scene;
    tl_addr addr;
    scene_open(&scene, contract);
    tl_socket socket = bound_socket(scene.loop, &addr);
    assert_int_equal(tl_socket_listen(scene.loop, socket, 1), 0);
    tl_future_detach(connect_with(&scene, &socket));
    scene.client.hooks.made = hook_write_hello;
    scene_await(&scene, 1);
    assert_memory_equal(scene.client.log, "made lost(", 10);
    scene_close(&scene);
}

/* The program's own listener, which is no server. */
static void an_accepted_socket(struct contract *contract)
{
    static struct scene scene;
    tl_addr addr;
    tl_value value;
    tl_accepted accepted;
    char port[8], bytes[8];
    scene_open(&scene, contract);
    tl_socket listener = bound_socket(scene.loop, &addr), socket = open_socket(scene.loop);
    assert_int_equal(tl_socket_listen(scene.loop, listener, 1), 0);
    (void)snprintf(port, sizeof port, "%u", addr.port);
    tl_future *future = tl_loop_sock_connect(scene.loop, socket, &addr);
    assert_int_equal(tl_loop_run_until_complete(scene.loop, future, NULL), 0);
    future = tl_loop_sock_accept(scene.loop, listener);
    assert_int_equal(tl_loop_run_until_complete(scene.loop, future, &value), 0);
    assert_int_equal(tl_value_take_accepted(&value, &accepted), 0);

    scene.client.hooks.made = hook_write_hello_and_eof;
    tl_future_detach(accept_with(&scene, accepted.socket));
    future = tl_loop_sock_recv_into(scene.loop, socket, bytes, sizeof bytes);
    assert_int_equal(tl_loop_run_until_complete(scene.loop, future, &value), 0);
    assert_int_equal(value.integer, 5);
    assert_memory_equal(bytes, "hello", 5);
    assert_true(
        tl_addr_equal(tl_transport_get_extra_info(scene.client.transport, "peername", NULL)->data,
                      &accepted.addr));
    assert_int_equal(tl_socket_close(scene.loop, socket), 0);
    scene_await(&scene, 1);
    assert_log(&scene.client, "made eof lost released");
    scene_close(&scene);
}

static void an_end_of_a_pair_by_create_unix_connection(struct contract *contract)
{
    static struct scene scene;
    tl_socket one, other, inet;
    tl_connection_opts opts = {.sock = &one};
    scene_open(&scene, contract);
    assert_int_equal(tl_socket_pair(scene.loop, &one, &other), 0);
    scene.client.hooks.made = hook_write_hello;
    tl_future_detach(
        tl_loop_create_unix_connection(scene.loop, scene_client_factory, &scene, NULL, 0, &opts));
    assert_int_equal(tl_socket_shutdown(scene.loop, other, TL_SHUTDOWN_WRITE), 0);
    scene_await(&scene, 1);
    assert_log(&scene.client, "made eof lost released");

    inet = open_socket(scene.loop);
    opts.sock = &inet;
    expect(tl_loop_create_unix_connection(scene.loop, scene_client_factory, &scene, NULL, 0, &opts),
           -EINVAL, "A UNIX Domain Stream Socket was expected");
    expect(tl_loop_create_unix_connection(scene.loop, scene_client_factory, &scene, "/a", 2, &opts),
           -EINVAL, "path and sock can not be specified at the same time");
    scene_close(&scene);
}

/* --- Servers ---------------------------------------------------------------------------------- */

/* The option of a connection's socket, for its side to log. */
static int log_nodelay(struct side *side)
{
    struct tl_kernel *kernel = tl_loop_kernel(side->scene->loop);
    const tl_value *socket = tl_transport_get_extra_info(side->transport, "socket", NULL);
    int on = -1;
    assert_int_equal(
        kernel->ops->option(kernel, (int)socket->integer, TL_OPTION_NODELAY, NULL, &on), 0);
    side_log(side, "nodelay(%d)", on);
    tl_transport_close(side->transport);
    return 0;
}

/* Also those that were there before the server was. */
static void connections_of_a_given_listener_do_not_delay(struct contract *contract)
{
    static struct scene scene;
    tl_addr addr;
    scene_open(&scene, contract);
    tl_socket socket = bound_socket(scene.loop, &addr);
    assert_int_equal(tl_socket_listen(scene.loop, socket, 1), 0);
    scene.peer.hooks.made = log_nodelay;
    tl_socket early = open_socket(scene.loop);
    tl_future *future = tl_loop_sock_connect(scene.loop, early, &addr);
    assert_int_equal(tl_loop_run_until_complete(scene.loop, future, NULL), 0);
    tl_value value;
    assert_int_equal(tl_loop_run_until_complete(scene.loop, serve_with(&scene, &socket), &value),
                     0);
    scene_await(&scene, 1);
    assert_log(&scene.peer, "made nodelay(1) lost released");
    assert_int_equal(tl_socket_close(scene.loop, early), 0);
    tl_server_close(tl_value_server(&value));
    tl_value_finish(&value);
    scene_close(&scene);
}

static void a_bound_socket_is_served_on(struct contract *contract)
{
    static struct scene scene;
    tl_addr addr, found;
    tl_value value;
    scene_open(&scene, contract);
    tl_socket socket = bound_socket(scene.loop, &addr);
    assert_int_equal(tl_loop_run_until_complete(scene.loop, serve_with(&scene, &socket), &value),
                     0);
    tl_server *server = tl_value_server(&value);
    assert_int_equal(tl_server_sockets_count(server), 1);
    assert_int_equal(tl_server_address(server, 0, &found), 0);
    assert_true(tl_addr_equal(&addr, &found));
    assert_int_equal(tl_socket_close(scene.loop, socket), -EBUSY);

    (void)snprintf(scene.port, sizeof scene.port, "%u", addr.port);
    scene.client.hooks.made = hook_write_hello_and_eof;
    scene_play(&scene);
    assert_log(&scene.peer, "made data(hello) eof lost released");
    tl_server_close(server);
    assert_int_equal(tl_socket_close(scene.loop, socket), -EBADF);
    tl_value_finish(&value);
    scene_close(&scene);
}

/* It serves by the time that the call returns, so there is no way back. */
static void a_given_listener_is_closed_when_cancelled(struct contract *contract)
{
    static struct scene scene;
    tl_addr addr;
    scene_open(&scene, contract);
    tl_socket socket = bound_socket(scene.loop, &addr);
    tl_future *future = serve_with(&scene, &socket);
    assert_true(tl_future_cancel(future));
    tl_future_unref(future);
    assert_int_equal(tl_socket_close(scene.loop, socket), -EBADF);
    scene_close(&scene);
}

static void a_bound_unix_socket_is_served_on(struct contract *contract)
{
    static struct scene scene;
    tl_addr addr;
    tl_value value;
    tl_socket socket;
    tl_server_opts opts = {.sock = &socket};
    scene_open(&scene, contract);
    tl_loop *loop = scene.loop;
    assert_int_equal(tl_addr_unix("\0twinloop-contract-given", 24, &addr), 0);
    assert_int_equal(tl_socket_open(loop, TL_FAMILY_UNIX, TL_STREAM, &socket), 0);
    int r = tl_socket_bind(loop, socket, &addr);
    assert_true(r == 0 || r == -EADDRINUSE); /* of another run of this test */
    if (r == 0) {
        tl_future *future =
            tl_loop_create_unix_server(loop, scene_peer_factory, &scene, NULL, 0, &opts);
        assert_int_equal(tl_loop_run_until_complete(loop, future, &value), 0);
        scene.client.hooks.made = hook_write_hello_and_eof;
        tl_future_detach(tl_loop_create_unix_connection(loop, scene_client_factory, &scene,
                                                        (const char *)addr.data, addr.len, NULL));
        scene_await(&scene, 2);
        assert_log(&scene.peer, "made data(hello) eof lost released");
        tl_value_finish(&value);
    }
    expect(tl_loop_create_unix_server(loop, scene_peer_factory, &scene, "/a", 2, &opts), -EINVAL,
           "path and sock can not be specified at the same time");
    socket = open_socket(loop);
    expect(tl_loop_create_unix_server(loop, scene_peer_factory, &scene, NULL, 0, &opts), -EINVAL,
           "A UNIX Domain Stream Socket was expected");
    scene_close(&scene);
}

/* A connected socket cannot listen; it is the program's as before. */
static void a_socket_that_cannot_listen_is_given_back(struct contract *contract)
{
    static struct scene scene;
    scene_open(&scene, contract);
    tl_socket socket = connected_socket(&scene);
    expect(serve_with(&scene, &socket), -EINVAL, NULL);
    assert_int_equal(tl_socket_write(scene.loop, socket, "hello", 5), 5);
    assert_int_equal(tl_socket_close(scene.loop, socket), 0);
    scene_await(&scene, 1);
    assert_log(&scene.peer, "made data(hello) eof lost released");
    scene_close(&scene);
}

static void never(void *arg)
{
    (void)arg;
    fail_msg("a callback of a socket that was given away");
}

/* --- Whose it is ------------------------------------------------------------------------------ */

static void refused_from_the_call_on(struct contract *contract)
{
    static struct scene scene;
    tl_socket one, other;
    scene_open(&scene, contract);
    assert_int_equal(tl_socket_pair(scene.loop, &one, &other), 0);
    tl_future *reading = tl_loop_sock_recv(scene.loop, one, 1);
    expect(accept_with(&scene, one), -EBUSY, NULL);
    assert_true(tl_future_cancel(reading));
    tl_future_unref(reading);
    assert_int_equal(tl_loop_add_reader(scene.loop, one, never, NULL), 0);
    assert_int_equal(tl_socket_write(scene.loop, other, "a", 1), 1);

    tl_future *future = accept_with(&scene, one);
    expect(accept_with(&scene, one), -EBUSY, NULL);
    expect(connect_with(&scene, &one), -EBUSY, NULL);
    expect(serve_with(&scene, &one), -EBUSY, NULL);
    expect(tl_loop_sock_recv(scene.loop, one, 1), -EBUSY, NULL);
    assert_int_equal(tl_loop_add_reader(scene.loop, one, never, NULL), -EBUSY);
    assert_int_equal(tl_loop_remove_reader(scene.loop, one), -EBUSY);
    assert_int_equal(tl_socket_close(scene.loop, one), -EBUSY);
    assert_int_equal(tl_socket_release(scene.loop, one), -EBUSY);
    scene.client.hooks.data = hook_close_when_whole;
    scene.client.total = 1;
    tl_future_detach(future);
    scene_await(&scene, 1);
    assert_log(&scene.client, "made data(a) lost released");
    scene_close(&scene);
}

static tl_protocol *no_protocol(void *farg)
{
    (void)farg;
    return NULL;
}

static void given_back_when_it_fails(struct contract *contract)
{
    static struct scene scene;
    tl_socket one, other;
    scene_open(&scene, contract);
    assert_int_equal(tl_socket_pair(scene.loop, &one, &other), 0);
    tl_future *future = tl_loop_connect_accepted_socket(scene.loop, no_protocol, NULL, one, NULL);
    assert_int_equal(tl_loop_run_until_complete(scene.loop, future, NULL), -ENOMEM);
    assert_int_equal(tl_socket_write(scene.loop, one, "a", 1), 1);
    assert_int_equal(tl_socket_close(scene.loop, one), 0);
    assert_int_equal(tl_socket_close(scene.loop, other), 0);
    scene_close(&scene);
}

static void given_back_when_cancelled_at_once(struct contract *contract)
{
    static struct scene scene;
    tl_socket one, other;
    scene_open(&scene, contract);
    assert_int_equal(tl_socket_pair(scene.loop, &one, &other), 0);
    tl_future *future = connect_with(&scene, &one);
    assert_true(tl_future_cancel(future));
    tl_future_unref(future);
    assert_int_equal(tl_socket_write(scene.loop, one, "a", 1), 1);
    assert_int_equal(tl_socket_close(scene.loop, one), 0);
    assert_int_equal(tl_socket_close(scene.loop, other), 0);
    assert_log(&scene.client, "");
    scene_close(&scene);
}

static void cancel(void *future)
{
    (void)tl_future_cancel(future);
}

static tl_protocol *cancelling_factory(void *arg)
{
    struct scene *scene = arg;
    assert_int_equal(tl_loop_call_soon(scene->loop, cancel, scene->client.user, NULL), 0);
    return &scene->client.protocol;
}

/* Whenever it is cancelled after the factory was called, the transport closes the socket. */
static void closed_when_cancelled_later(struct contract *contract)
{
    static struct scene scene;
    tl_socket one, other;
    char byte;
    scene_open(&scene, contract);
    assert_int_equal(tl_socket_pair(scene.loop, &one, &other), 0);
    tl_future *future =
        tl_loop_connect_accepted_socket(scene.loop, cancelling_factory, &scene, one, NULL);
    scene.client.user = future;
    scene_await(&scene, 1);
    assert_memory_equal(scene.client.log, "made ", 5);
    tl_future_unref(future);
    assert_int_equal(tl_socket_close(scene.loop, one), -EBADF);
    assert_int_equal(tl_socket_read(scene.loop, other, &byte, 1), 0);
    assert_int_equal(tl_socket_close(scene.loop, other), 0);
    scene_close(&scene);
}

static void closed_with_the_loop(struct contract *contract)
{
    static struct scene scene;
    tl_socket one, other;
    scene_open(&scene, contract);
    assert_int_equal(tl_socket_pair(scene.loop, &one, &other), 0);
    tl_future *future = accept_with(&scene, one);
    scene_close(&scene);
    assert_false(tl_future_done(future));
    tl_future_unref(future);
    assert_log(&scene.client, "");
}

/* What came from elsewhere, in blocking mode. */
static void from_elsewhere(struct contract *contract)
{
    static struct scene scene;
    int fds[2];
    scene_open(&scene, contract);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    scene.client.hooks.made = hook_write_hello_and_eof;
    tl_future_detach(accept_with(&scene, (tl_socket){fds[0]}));
    assert_int_equal(shutdown(fds[1], SHUT_WR), 0);
    scene_await(&scene, 1);
    assert_log(&scene.client, "made eof lost released");
    scene_close(&scene);
    close(fds[1]);
}

/* --- Bad arguments, in asyncio's order -------------------------------------------------------- */

static void bad_arguments(struct contract *contract)
{
    static struct scene scene;
    static const char *const hosts[] = {"127.0.0.1"};
    static const char both[] = "host/port and sock can not be specified at the same time";
    tl_socket datagrams, writer, reader;
    const tl_socket none = {-1}, closed = {900};
    scene_open(&scene, contract);
    tl_loop *loop = scene.loop;
    assert_int_equal(tl_socket_open(loop, TL_FAMILY_INET, TL_DATAGRAM, &datagrams), 0);
    assert_int_equal(tl_pipe_open(loop, &reader, &writer), 0);
    const tl_connection_opts connection = {.sock = &datagrams};
    const tl_server_opts server = {.sock = &datagrams};
    const tl_tls_opts timeout = {.handshake_timeout = TL_SECOND};

    expect(tl_loop_create_connection(loop, scene_client_factory, &scene, "127.0.0.1", NULL,
                                     &connection),
           -EINVAL, both);
    expect(tl_loop_create_connection(loop, scene_client_factory, &scene, NULL, "1", &connection),
           -EINVAL, both);
    expect(tl_loop_create_server(loop, scene_peer_factory, &scene, hosts, 1, NULL, &server),
           -EINVAL, both);
    expect(tl_loop_create_server(loop, scene_peer_factory, &scene, NULL, 0, "0", &server), -EINVAL,
           both);
    expect(connect_with(&scene, &datagrams), -EINVAL, "A Stream Socket was expected");
    expect(serve_with(&scene, &datagrams), -EINVAL, "A Stream Socket was expected");
    expect(accept_with(&scene, datagrams), -EINVAL, "A Stream Socket was expected");
    expect(accept_with(&scene, writer), -EINVAL, "A Stream Socket was expected");
    expect(accept_with(&scene, none), -EBADF, NULL);
    expect(connect_with(&scene, &closed), -EBADF, NULL);
    expect(serve_with(&scene, &none), -EBADF, NULL);
    expect(tl_loop_connect_accepted_socket(loop, NULL, NULL, none, NULL), -EINVAL, NULL);
    expect(tl_loop_connect_accepted_socket(loop, scene_client_factory, &scene, none, &timeout),
           -EINVAL, "the timeouts of TLS need TLS");
    assert_null(tl_loop_connect_accepted_socket(NULL, scene_client_factory, &scene, none, NULL));
    assert_int_equal(tl_loop_close(loop), 0);
    expect(accept_with(&scene, none), TL_ECLOSED, NULL);
    scene_close(&scene);
}

/* --- Memory ----------------------------------------------------------------------------------- */

/* Whoever has the socket in the end, it is closed once. */
static void memory_for_a_connection_runs_out(struct contract *contract)
{
    static struct scene scene;
    tl_socket one, other;
    scene_open(&scene, contract);
    assert_int_equal(tl_socket_pair(scene.loop, &one, &other), 0);
    ladder_arm(contract->ladder);
    int r = tl_loop_run_until_complete(scene.loop, connect_with(&scene, &one), NULL);
    ladder_disarm(contract->ladder);
    assert_true(r == 0 || r == -ENOMEM);
    assert_int_equal(tl_socket_close(scene.loop, one), r == 0 ? -EBUSY : 0);
    scene_close(&scene);
}

static void memory_for_a_server_runs_out(struct contract *contract)
{
    static struct scene scene;
    tl_addr addr;
    scene_open(&scene, contract);
    tl_socket socket = bound_socket(scene.loop, &addr);
    ladder_arm(contract->ladder);
    tl_value value = tl_value_none();
    int r = tl_loop_run_until_complete(scene.loop, serve_with(&scene, &socket), &value);
    ladder_disarm(contract->ladder);
    assert_true(r == 0 || r == -ENOMEM || r == -ENOBUFS);
    assert_int_equal(tl_socket_close(scene.loop, socket), r == 0 ? -EBUSY : 0);
    tl_value_finish(&value);
    scene_close(&scene);
}

static const struct contract_case cases[] = {
    CONTRACT(an_end_of_a_pair),
    CONTRACT(a_connected_socket),
    CONTRACT(a_socket_that_is_not_connected),
    CONTRACT(an_accepted_socket),
    CONTRACT(an_end_of_a_pair_by_create_unix_connection),
    CONTRACT(a_bound_socket_is_served_on),
    CONTRACT(a_given_listener_is_closed_when_cancelled),
    CONTRACT(connections_of_a_given_listener_do_not_delay),
    CONTRACT(a_bound_unix_socket_is_served_on),
    CONTRACT(a_socket_that_cannot_listen_is_given_back),
    CONTRACT(refused_from_the_call_on),
    CONTRACT(given_back_when_it_fails),
    CONTRACT(given_back_when_cancelled_at_once),
    CONTRACT(closed_when_cancelled_later),
    CONTRACT(closed_with_the_loop),
    CONTRACT_ONLY(from_elsewhere, ONLY_REAL),
    CONTRACT(bad_arguments),
    CONTRACT_LADDER(memory_for_a_connection_runs_out, 3),
    CONTRACT_LADDER(memory_for_a_server_runs_out, 2),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "given", cases, sizeof cases / sizeof *cases);
}
