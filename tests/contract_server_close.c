/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Servers: what closing does to listeners and connections, when it is over, and a loop that is
 * closed first.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "support/scene.h"

/* --- Closing --- */

static int stop_on_data(struct side *side, const char *data, size_t len)
{
    (void)data;
    (void)len;
    tl_loop_stop(side->scene->loop);
    return 0;
}

/* Connects and runs until the peer has got the client's hello. */
static void connect_and_greet(struct scene *scene)
{
    scene->client.hooks.made = hook_write_hello;
    scene->peer.hooks.data = stop_on_data;
    scene_connect(scene);
    scene_run(scene);
    scene->peer.hooks.data = NULL;
    assert_log(&scene->peer, "made data(hello)");
}

static void close_leaves_connections_alone(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    connect_and_greet(&scene);
    tl_server_close(scene.server);
    tl_server_close(scene.server);
    assert_int_equal(tl_server_sockets_count(scene.server), 0);
    assert_false(tl_server_is_serving(scene.server));
    tl_future *refused =
        tl_loop_create_connection(scene.loop, scene_client_factory, &scene, NULL, scene.port, NULL);
    assert_int_equal(tl_loop_run_until_complete(scene.loop, refused, NULL), -ECONNREFUSED);
    (void)tl_transport_write(scene.client.transport, "more", 4);
    tl_transport_close(scene.client.transport);
    scene_await(&scene, 2);
    scene_close(&scene);
    assert_log(&scene.peer, "made data(hellomore) eof lost released");
}

static void log_closed(tl_future *future, void *arg)
{
    side_log(arg, "closed(%s)", tl_err_name(tl_future_result(future, NULL)));
}

static void wait_closed(struct scene *scene, tl_future **ret)
{
    tl_future *future = tl_server_wait_closed(scene->server);
    assert_int_equal(tl_future_add_done_callback(future, log_closed, &scene->peer), 0);
    if (ret != NULL)
        *ret = future;
    else
        tl_future_unref(future);
}

/* asyncio 3.12.1: whenever it is called, it waits for close and for the last connection. */
static void wait_closed_waits_for_connections(struct contract *contract)
{
    struct scene scene;
    tl_future *cancelled;
    scene_open(&scene, contract);
    wait_closed(&scene, NULL);
    connect_and_greet(&scene);
    wait_closed(&scene, &cancelled);
    tl_server_close(scene.server);
    wait_closed(&scene, NULL);
    assert_true(tl_future_cancel(cancelled));
    tl_future_unref(cancelled);
    tl_loop_stop(scene.loop);
    scene_run(&scene);
    assert_log(&scene.peer, "made data(hello) closed(ECANCELED)");
    tl_transport_close(scene.client.transport);
    scene_await(&scene, 2);
    wait_closed(&scene, &cancelled);
    assert_true(tl_future_done(cancelled));
    tl_future_unref(cancelled);
    tl_loop_stop(scene.loop);
    scene_run(&scene);
    scene_close(&scene);
    assert_log(&scene.peer, "made data(hello) closed(ECANCELED) eof lost released closed(OK) "
                            "closed(OK) closed(OK)");
}

static void wait_closed_without_connections(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    tl_future *future = tl_server_wait_closed(scene.server);
    assert_false(tl_future_done(future));
    tl_server_close(scene.server);
    assert_true(tl_future_done(future));
    assert_int_equal(tl_future_result(future, NULL), 0);
    tl_future_unref(future);
    scene_close(&scene);
}

static void cancelled_waits_leave_the_others(struct contract *contract)
{
    enum { COUNT = 5 };
    struct scene scene;
    tl_future *waits[COUNT];
    scene_open(&scene, contract);
    for (int i = 0; i < 3; i++)
        waits[i] = tl_server_wait_closed(scene.server);
    assert_true(tl_future_cancel(waits[2])); /* the last, */
    waits[3] = tl_server_wait_closed(scene.server);
    assert_true(tl_future_cancel(waits[0])); /* the first, */
    assert_true(tl_future_cancel(waits[3])); /* the last again, */
    assert_true(tl_future_cancel(waits[1])); /* and the only one. */
    waits[4] = tl_server_wait_closed(scene.server);
    tl_server_close(scene.server);
    assert_true(tl_future_done(waits[4]));
    assert_int_equal(tl_future_result(waits[4], NULL), 0);
    for (int i = 0; i < COUNT; i++)
        tl_future_unref(waits[i]);
    scene_close(&scene);
}

static void close_clients(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    connect_and_greet(&scene);
    tl_server_close_clients(scene.server);
    tl_server_close_clients(scene.server);
    assert_true(tl_transport_is_closing(scene.peer.transport));
    assert_false(tl_transport_is_closing(scene.client.transport)); /* not this server's */
    scene_await(&scene, 2);
    scene_close(&scene);
    assert_log(&scene.peer, "made data(hello) lost released");
    assert_log(&scene.client, "made eof lost released");
}

static void abort_clients(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    connect_and_greet(&scene);
    tl_server_close_clients(scene.server);
    tl_server_abort_clients(scene.server);
    scene_await(&scene, 2);
    assert_true(tl_server_is_serving(scene.server));
    scene_close(&scene);
    assert_log(&scene.peer, "made data(hello) lost released");
}

static void abort_clients_now(void *arg)
{
    tl_server_abort_clients(arg);
}

static tl_protocol *factory_then_abort(void *arg)
{
    struct scene *scene = arg;
    (void)tl_loop_call_soon(scene->loop, abort_clients_now, scene->server, NULL);
    return scene_peer_factory(scene);
}

/* The abort's turn comes before connection_made's. */
static void aborted_before_connection_made(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    scene_serve(&scene, factory_then_abort);
    scene.peer.hooks.made = hook_write_hello; /* too late: an error, and no more */
    scene_play(&scene);
    scene_close(&scene);
    assert_log(&scene.peer, "made lost released");
    assert_log(&scene.client, "made eof lost released");
    assert_string_equal(scene.errors,
                        "Exception in callback protocol.connection_made(): TL_ECLOSED\n");
}

/* --- A loop that is closed first --- */

static tl_future *create_another(struct scene *scene)
{
    return tl_loop_create_server(scene->loop, scene_peer_factory, scene, NULL, 0, "0", NULL);
}

static void loop_closed_under_a_server(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    connect_and_greet(&scene);
    tl_server *server = tl_server_ref(scene.server);
    tl_future *waiting = tl_server_wait_closed(server);
    tl_future *creating = create_another(&scene);
    tl_loop *loop = scene.loop;
    tl_server_unref(scene.server);
    scene.server = NULL;
    assert_int_equal(tl_loop_close(loop), 0);
    assert_false(tl_future_done(waiting));
    assert_false(tl_future_done(creating));
    assert_int_equal(tl_server_sockets_count(server), 0);
    assert_int_equal(tl_server_start_serving(server), TL_ECLOSED);
    tl_server_close(server);
    tl_server_close_clients(server);
    tl_server_abort_clients(server);
    tl_future *late = tl_server_wait_closed(server);
    assert_int_equal(tl_future_result(late, NULL), TL_ECLOSED);
    tl_future_unref(late);
    late = create_another(&scene);
    assert_int_equal(tl_future_result(late, NULL), TL_ECLOSED);
    tl_future_unref(late);
    assert_true(tl_future_cancel(waiting));
    scene_close(&scene);
    tl_future_unref(waiting);
    tl_future_unref(creating);
    tl_server_unref(server);
}

/* Closed already, and waiting for its last connection: the abandoned connections end no wait. */
static void loop_closed_under_a_closed_server(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    connect_and_greet(&scene);
    tl_future *waiting = tl_server_wait_closed(scene.server);
    tl_server_close(scene.server);
    scene_close(&scene);
    assert_false(tl_future_done(waiting));
    tl_future_unref(waiting);
    assert_log(&scene.peer, "made data(hello) released");
}

static const struct contract_case cases[] = {
    CONTRACT(close_leaves_connections_alone),
    CONTRACT(wait_closed_waits_for_connections),
    CONTRACT(wait_closed_without_connections),
    CONTRACT(cancelled_waits_leave_the_others),
    CONTRACT(close_clients),
    CONTRACT(abort_clients),
    CONTRACT(aborted_before_connection_made),
    CONTRACT(loop_closed_under_a_server),
    CONTRACT(loop_closed_under_a_closed_server),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "server_close", cases, sizeof cases / sizeof *cases);
}
