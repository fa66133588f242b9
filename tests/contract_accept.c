/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Servers that accept: bursts, many connections, and accept failing in each of its ways.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "support/scene.h"
#include "support/skip.h"

/* --- A kernel whose accept fails --- */

struct failing {
    struct skipping skipping;
    struct scene scene;
    int code;    /* what accept says */
    int fails;   /* how many more times it does */
    int accepts; /* calls since the last poll */
    int most;    /* of those */
};

static struct failing *failing_of(struct tl_kernel *kernel)
{
    struct skipping *skipping = tl_container_of(kernel_patch(kernel), struct skipping, patch);
    return tl_container_of(skipping, struct failing, skipping);
}

static int failing_accept(struct tl_kernel *kernel, int fd, tl_addr *ret_peer)
{
    struct failing *failing = failing_of(kernel);
    if (++failing->accepts > failing->most)
        failing->most = failing->accepts;
    if (failing->fails > 0) {
        failing->fails--;
        return failing->code;
    }
    return failing->skipping.patch.inner->accept(kernel, fd, ret_peer);
}

static struct failing *failing_open(struct contract *contract, int code, int fails)
{
    struct failing *failing = calloc(1, sizeof *failing);
    scene_open(&failing->scene, contract);
    skipping_apply(&failing->skipping, tl_loop_kernel(failing->scene.loop));
    failing->skipping.patch.ops.accept = failing_accept;
    failing->code = code;
    failing->fails = fails;
    return failing;
}

static void failing_close(struct failing *failing)
{
    scene_close(&failing->scene);
    free(failing);
}

/* A connection comes to a server whose accept fails first; how long that holds it up. */
static tl_time hold_up(struct contract *contract, int code, int fails, const char *errors)
{
    struct failing *failing = failing_open(contract, code, fails);
    struct scene *scene = &failing->scene;
    tl_time start = tl_loop_time(scene->loop);
    scene->client.hooks = (struct hooks){.made = hook_write_hello, .data = hook_close_when_whole};
    scene->client.total = 5;
    scene->peer.hooks.data = hook_echo;
    scene_play(scene);
    tl_time end = tl_loop_time(scene->loop);
    assert_log(&scene->peer, "made data(hello) eof lost released");
    assert_log(&scene->client, "made data(hello) lost released");
    assert_string_equal(scene->errors, errors);
    assert_int_equal(failing->fails, 0);
    failing_close(failing);
    return end - start;
}

/* asyncio: reported, and the listener is left alone for a second. */
static void shortage_pauses_the_listener(struct contract *contract)
{
    static const int codes[] = {-EMFILE, -ENFILE, -ENOBUFS, -ENOMEM};
    char errors[200];
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        (void)snprintf(errors, sizeof errors, "socket.accept() out of system resource: %s\n",
                       tl_err_name(codes[i]));
        tl_time took = hold_up(contract, codes[i], 1, errors);
        assert_true(took >= TL_SECOND);
        assert_true(took < 2 * TL_SECOND);
    }
}

static void shortage_that_lasts(struct contract *contract)
{
    tl_time took = hold_up(contract, -EMFILE, 3,
                           "socket.accept() out of system resource: EMFILE\n"
                           "socket.accept() out of system resource: EMFILE\n"
                           "socket.accept() out of system resource: EMFILE\n");
    assert_true(took >= 3 * TL_SECOND);
}

static void unknown_errors_pause_too(struct contract *contract)
{
    tl_time took = hold_up(contract, -EPERM, 1, "socket.accept() failed: EPERM\n");
    assert_true(took >= TL_SECOND);
}

static void aborted_connections_only_end_the_burst(struct contract *contract)
{
    tl_time took = hold_up(contract, -ECONNABORTED, 2, "");
    assert_true(took < TL_SECOND);
    took = hold_up(contract, -EAGAIN, 2, "");
    assert_true(took < TL_SECOND);
}

/* accept(2): errors that were waiting on the new socket are that connection's. */
static void errors_of_one_connection_only_end_the_burst(struct contract *contract)
{
    static const int codes[] = {-ENETDOWN, -EPROTO,       -ENOPROTOOPT, -EHOSTDOWN,
                                -ENONET,   -EHOSTUNREACH, -ENETUNREACH};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        assert_true(hold_up(contract, codes[i], 1, "") < TL_SECOND);
}

static void close_on_report(tl_loop *loop, const tl_exc_context *context, void *arg)
{
    struct scene *scene = arg;
    if (scene->server == NULL)
        return; /* the client's disappointment */
    side_log(&scene->peer, "%s", context->message);
    side_log(&scene->peer, context->server == scene->server ? "here" : "elsewhere");
    tl_addr address;
    assert_int_equal(tl_server_address(scene->server, 0, &address), 0);
    tl_server_close(scene->server);
    tl_server_unref(scene->server);
    scene->server = NULL;
    /* The listener's, and still there. */
    assert_true(tl_addr_equal(context->socket, &address));
    tl_loop_stop(loop);
}

static void the_handler_closes_the_server(struct contract *contract)
{
    struct failing *failing = failing_open(contract, -EMFILE, 1);
    struct scene *scene = &failing->scene;
    (void)tl_loop_set_exception_handler(scene->loop, close_on_report, scene);
    scene_connect(scene);
    scene_run(scene);
    assert_log(&scene->peer, "socket.accept() out of system resource here");
    failing_close(failing);
}

static void stop_on_report(tl_loop *loop, const tl_exc_context *context, void *arg)
{
    (void)context;
    (void)arg;
    tl_loop_stop(loop);
}

static void closed_while_paused(struct contract *contract)
{
    struct failing *failing = failing_open(contract, -EMFILE, 1);
    struct scene *scene = &failing->scene;
    (void)tl_loop_set_exception_handler(scene->loop, stop_on_report, NULL);
    scene_connect(scene);
    scene_run(scene);
    tl_server_close(scene->server);
    tl_server_close(scene->server);
    failing_close(failing);

    /* The same, with the loop closed instead. */
    failing = failing_open(contract, -EMFILE, 1);
    scene = &failing->scene;
    (void)tl_loop_set_exception_handler(scene->loop, stop_on_report, NULL);
    scene_connect(scene);
    scene_run(scene);
    assert_true(tl_server_is_serving(scene->server));
    failing_close(failing);
}

/* --- Many --- */

enum { CROWD = 40, BACKLOG = 8 };

struct crowd {
    struct failing failing;
    struct side clients[CROWD];
    struct side peers[CROWD];
    int connected;
    int accepted;
};

static struct crowd *crowd_of(void *arg)
{
    struct failing *failing = tl_container_of(arg, struct failing, scene);
    return tl_container_of(failing, struct crowd, failing);
}

static tl_protocol *crowd_client(void *arg)
{
    struct crowd *crowd = crowd_of(arg);
    return &crowd->clients[crowd->connected++].protocol;
}

static tl_protocol *crowd_peer(void *arg)
{
    struct crowd *crowd = crowd_of(arg);
    return &crowd->peers[crowd->accepted++].protocol;
}

static int counting_poll(struct tl_kernel *kernel, tl_time timeout, struct tl_event *events,
                         int count)
{
    struct failing *failing = failing_of(kernel);
    failing->accepts = 0;
    return failing->skipping.patch.inner->poll(kernel, timeout, events, count);
}

static tl_server *crowd_serve(struct scene *scene)
{
    static const char *const hosts[] = {"127.0.0.1"};
    static const tl_server_opts opts = {.backlog = BACKLOG};
    tl_value value = tl_value_none();
    tl_addr address;
    tl_future *future = tl_loop_create_server(scene->loop, crowd_peer, scene, hosts, 1, "0", &opts);
    assert_int_equal(tl_loop_run_until_complete(scene->loop, future, &value), 0);
    tl_server *server = tl_server_ref(tl_value_server(&value));
    tl_value_finish(&value);
    assert_int_equal(tl_server_address(server, 0, &address), 0);
    (void)snprintf(scene->port, sizeof scene->port, "%u", address.port);
    return server;
}

static void crowd_come_and_go(struct crowd *crowd)
{
    static const struct hooks client = {.made = hook_write_hello, .data = hook_close_when_whole};
    static const struct hooks peer = {.data = hook_echo};
    struct scene *scene = &crowd->failing.scene;
    for (int i = 0; i < CROWD; i++) {
        side_init(&crowd->clients[i], scene, TL_PROTOCOL_STREAM, &client);
        crowd->clients[i].total = 5;
        side_init(&crowd->peers[i], scene, TL_PROTOCOL_STREAM, &peer);
    }
    for (int i = 0; i < CROWD; i++)
        tl_future_detach(
            tl_loop_create_connection(scene->loop, crowd_client, scene, NULL, scene->port, NULL));
    scene_await(scene, 2 * CROWD);
    for (int i = 0; i < CROWD; i++) {
        assert_log(&crowd->clients[i], "made data(hello) lost released");
        assert_log(&crowd->peers[i], "made data(hello) eof lost released");
    }
}

/* More connections than one readiness may accept; the server is over when the last is lost. */
static void a_crowd(struct contract *contract)
{
    struct crowd *crowd = calloc(1, sizeof *crowd);
    struct scene *scene = &crowd->failing.scene;
    scene_open(scene, contract);
    kernel_patch_apply(&crowd->failing.skipping.patch, tl_loop_kernel(scene->loop));
    crowd->failing.skipping.patch.ops.accept = failing_accept;
    crowd->failing.skipping.patch.ops.poll = counting_poll;
    tl_server *server = crowd_serve(scene);
    tl_future *closed = tl_server_wait_closed(server);
    crowd_come_and_go(crowd);
    assert_true(crowd->failing.most > 0 && crowd->failing.most <= BACKLOG);
    assert_false(tl_future_done(closed));
    tl_server_close(server);
    assert_true(tl_future_done(closed));
    tl_future_unref(closed);
    tl_server_unref(server);
    scene_close(scene);
    free(crowd);
}

static const struct contract_case cases[] = {
    CONTRACT(shortage_pauses_the_listener),
    CONTRACT(shortage_that_lasts),
    CONTRACT(unknown_errors_pause_too),
    CONTRACT(aborted_connections_only_end_the_burst),
    CONTRACT(errors_of_one_connection_only_end_the_burst),
    CONTRACT(the_handler_closes_the_server),
    CONTRACT(closed_while_paused),
    CONTRACT(a_crowd),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "accept", cases, sizeof cases / sizeof *cases);
}
