/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve_forever: it starts serving, and ends by being cancelled, or because the server was closed.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "support/scene.h"

static void note_end(tl_future *future, void *arg)
{
    struct scene *scene = arg;

    side_log(&scene->client, tl_future_cancelled(future) ? "ended" : "finished");
    tl_loop_stop(scene->loop);
}

/* Runs until a future of the scene has ended. */
static void await_end(struct scene *scene, tl_future *future)
{
    assert_int_equal(tl_future_add_done_callback(future, note_end, scene), 0);
    scene_run(scene);
}

static void cancelling_closes_the_server(struct contract *contract)
{
    struct scene scene;

    scene_open(&scene, contract);
    tl_future *future = tl_server_serve_forever(scene.server);
    assert_false(tl_future_done(future));
    assert_true(tl_server_is_serving(scene.server));
    assert_true(tl_future_cancel(future));
    assert_false(tl_server_is_serving(scene.server));
    assert_int_equal(tl_server_sockets_count(scene.server), 0);
    assert_true(tl_future_cancelled(future));
    assert_int_equal(tl_loop_run_until_complete(scene.loop, future, NULL), -ECANCELED);
    scene_close(&scene);
}

static int cancel_forever(struct side *side, const char *data, size_t len)
{
    (void)data;
    (void)len;
    side_log(&side->scene->client, "cancel(%d)", tl_future_cancel(side->user));
    side_log(&side->scene->client, "%s", tl_future_done(side->user) ? "done" : "waits");
    tl_transport_close(side->transport);
    return 0;
}

/* The end comes when the last connection is lost. */
static void connections_are_waited_for(struct contract *contract)
{
    struct scene scene;

    scene_open(&scene, contract);
    tl_future *future = tl_server_serve_forever(scene.server);
    scene.client.hooks.made = hook_write_hello;
    scene.peer.hooks.data = cancel_forever;
    scene.peer.user = future;
    scene_connect(&scene);
    await_end(&scene, future);
    scene_await(&scene, 2);
    tl_future_unref(future);
    scene_close(&scene);
    assert_log(&scene.peer, "made data(hello) lost released");
    assert_non_null(strstr(scene.client.log, "cancel(1) waits"));
    assert_non_null(strstr(scene.client.log, "ended"));
}

static int cancel_twice(struct side *side, const char *data, size_t len)
{
    (void)data;
    (void)len;
    assert_true(tl_future_cancel(side->user));
    assert_false(tl_future_done(side->user));
    assert_true(tl_future_cancel(side->user));
    assert_true(tl_future_cancelled(side->user));
    assert_false(tl_future_cancel(side->user));
    tl_transport_close(side->transport);
    return 0;
}

/* Who does not want to wait for peers that stay cancels it again. */
static void cancelled_again_it_ends_at_once(struct contract *contract)
{
    struct scene scene;

    scene_open(&scene, contract);
    tl_future *future = tl_server_serve_forever(scene.server);
    scene.client.hooks.made = hook_write_hello;
    scene.peer.hooks.data = cancel_twice;
    scene.peer.user = future;
    scene_play(&scene);
    tl_future_unref(future);
    /* The server is closed all the same, and waited for by whoever does. */
    assert_int_equal(
        tl_loop_run_until_complete(scene.loop, tl_server_wait_closed(scene.server), NULL), 0);
    scene_close(&scene);
    assert_log(&scene.peer, "made data(hello) lost released");
}

static void closing_the_server_ends_it(struct contract *contract)
{
    struct scene scene;

    scene_open(&scene, contract);
    tl_future *future = tl_server_serve_forever(scene.server);
    tl_server_close(scene.server);
    assert_true(tl_future_cancelled(future));
    tl_future_unref(future);
    future = tl_server_serve_forever(scene.server);
    assert_int_equal(tl_future_result(future, NULL), TL_ECLOSED);
    assert_string_equal(tl_future_exception(future)->message, "the server is closed");
    tl_future_unref(future);
    scene_close(&scene);
}

static void there_is_one_at_a_time(struct contract *contract)
{
    struct scene scene;

    scene_open(&scene, contract);
    tl_future *first = tl_server_serve_forever(scene.server);
    tl_future *second = tl_server_serve_forever(scene.server);
    assert_int_equal(tl_future_result(second, NULL), -EALREADY);
    tl_future_unref(second);
    /* Nobody holds it, and it goes on. */
    tl_future_unref(first);
    second = tl_server_serve_forever(scene.server);
    assert_int_equal(tl_future_result(second, NULL), -EALREADY);
    tl_future_unref(second);
    scene_close(&scene);
}

static void it_starts_to_serve(struct contract *contract)
{
    static const char *const hosts[] = {"127.0.0.1"};
    static const tl_server_opts defer = {.defer_serving = true};
    struct scene scene;
    tl_value value = tl_value_none();

    scene_open(&scene, contract);
    tl_future *future =
        tl_loop_create_server(scene.loop, scene_peer_factory, &scene, hosts, 1, "0", &defer);
    assert_int_equal(tl_loop_run_until_complete(scene.loop, future, &value), 0);
    tl_server *server = tl_value_server(&value);
    assert_false(tl_server_is_serving(server));
    future = tl_server_serve_forever(server);
    assert_true(tl_server_is_serving(server));
    assert_true(tl_future_cancel(future));
    tl_future_unref(future);
    tl_value_finish(&value);
    scene_close(&scene);
}

static void it_can_be_limited_in_time(struct contract *contract)
{
    struct scene scene;

    scene_open(&scene, contract);
    tl_future *future = tl_server_serve_forever(scene.server);
    tl_future *limited = tl_wait_for(scene.loop, future, TL_MILLISECOND);
    assert_int_equal(tl_loop_run_until_complete(scene.loop, limited, NULL), -ETIMEDOUT);
    assert_false(tl_server_is_serving(scene.server));
    scene_close(&scene);
}

static void pending_when_the_loop_is_closed(struct contract *contract)
{
    struct scene scene;

    scene_open(&scene, contract);
    tl_server *server = tl_server_ref(scene.server);
    tl_future *future = tl_server_serve_forever(server);
    tl_loop_close(scene.loop);
    assert_false(tl_future_done(future));
    assert_true(tl_future_cancel(future));
    assert_true(tl_future_cancelled(future));
    tl_future_unref(future);
    tl_server_unref(server);
    scene_close(&scene);
}

static const struct contract_case cases[] = {
    CONTRACT(cancelling_closes_the_server),    CONTRACT(connections_are_waited_for),
    CONTRACT(cancelled_again_it_ends_at_once), CONTRACT(closing_the_server_ends_it),
    CONTRACT(there_is_one_at_a_time),          CONTRACT(it_starts_to_serve),
    CONTRACT(it_can_be_limited_in_time),       CONTRACT(pending_when_the_loop_is_closed),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "serve_forever", cases, sizeof cases / sizeof *cases);
}
