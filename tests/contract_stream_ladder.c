/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The allocation ladder over the paths of streams that the plain life in contract_ladder.c does not
 * take: names of IPv6, changing protocols, many short writes behind a full kernel, a connection
 * that is cancelled, a server that ends its clients. Whichever request for memory fails, every
 * protocol is told of its end if it was told of its beginning, is released once, and nothing is
 * left.
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

/* Ends a run in which memory stays short for ever; not waited for, see skip.h. */
#define PATIENCE (4 * TL_SECOND)

struct climb {
    struct skipping skipping;
    struct scene scene;
    struct side next;
    struct tl_timer patience;
    int writes; /* that the kernel was asked for */
};

static struct climb *climb_of(struct side *side)
{
    return tl_container_of(side->scene, struct climb, scene);
}

static void patience_ends(void *arg)
{
    tl_loop_stop(arg);
}

/* A protocol was released once if it was ever held, told of its end if of its beginning. */
static void check_side(struct side *side)
{
    const char *released = strstr(side->log, "released");
    assert_int_equal(side->protocol.holds, 0);
    assert_true(released == NULL || strstr(released + 1, "released") == NULL);
    assert_true(strstr(side->log, "made") == NULL || released != NULL);
}

/* Runs act on a loop with a server, under the ladder. Whether nothing has failed. */
static bool climb(struct contract *contract, struct climb *climb, void (*act)(struct climb *))
{
    struct scene *scene = &climb->scene;
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_loop *loop;
    memset(climb, 0, sizeof *climb);
    skipping_apply(&climb->skipping, kernel);
    ladder_arm(contract->ladder);
    if (tl_loop_new(kernel, &loop) < 0) {
        kernel->ops->destroy(kernel);
        return false;
    }
    int r = scene_open_on(scene, loop);
    side_init(&climb->next, scene, TL_PROTOCOL_BUFFERED, NULL);
    tl_timer_init(&climb->patience, loop, patience_ends, loop);
    if (r == 0 && tl_timer_start(&climb->patience, tl_loop_time(loop) + PATIENCE) == 0) {
        act(climb);
        tl_timer_stop(&climb->patience);
    }
    scene_close(scene);
    ladder_disarm(contract->ladder);
    tl_transport_unref(scene->client.user);
    tl_transport_unref(scene->peer.user);
    check_side(&scene->client);
    check_side(&scene->peer);
    check_side(&climb->next);
    return !contract->ladder->hit;
}

/* Connects, and runs until both ends are lost, or for as long as there is patience. */
static void connect_and_run(struct climb *climb, const char *host)
{
    struct scene *scene = &climb->scene;
    scene->awaited = 2;
    tl_future_detach(tl_loop_create_connection(scene->loop, scene_client_factory, scene, host,
                                               scene->port, NULL));
    (void)tl_loop_run_forever(scene->loop);
}

/* --- Names --- */

static int ask_all(struct side *side)
{
    static const char *const names[] = {"peername", "socket", "sockname"};
    for (size_t i = 0; i < 3; i++) {
        const tl_value *value = tl_transport_get_extra_info(side->transport, names[i], NULL);
        assert_non_null(value);
        side->count += value->kind != TL_VALUE_NONE;
    }
    return hook_ref(side);
}

static int ask_all_and_close(struct side *side)
{
    (void)ask_all(side);
    return hook_close(side);
}

static void serve_six(struct climb *climb)
{
    static const char *const hosts[] = {"::1"};
    struct scene *scene = &climb->scene;
    tl_value value = tl_value_none();
    tl_addr address;
    tl_server_close(scene->server);
    tl_server_unref(scene->server);
    scene->server = NULL;
    tl_future *future =
        tl_loop_create_server(scene->loop, scene_peer_factory, scene, hosts, 1, "0", NULL);
    if (tl_loop_run_until_complete(scene->loop, future, &value) < 0)
        return;
    scene->server = tl_server_ref(tl_value_server(&value));
    tl_value_finish(&value);
    assert_int_equal(tl_server_address(scene->server, 0, &address), 0);
    (void)snprintf(scene->port, sizeof scene->port, "%u", address.port);
}

static void ask_for_names(struct climb *climb)
{
    struct scene *scene = &climb->scene;
    serve_six(climb);
    if (scene->server == NULL)
        return;
    scene->client.hooks.made = ask_all;
    scene->peer.hooks.made = ask_all_and_close;
    connect_and_run(climb, "::1");
}

/* A name that there is no memory for is one that has no value, and nothing worse. */
static void names(struct contract *contract)
{
    static struct climb state;
    /* A host without IPv6 has nothing to climb. */
    if (!climb(contract, &state, ask_for_names) || state.scene.client.log[0] == '\0')
        return;
    assert_log(&state.scene.client, "made eof lost released");
    assert_int_equal(state.scene.client.count, 3);
    assert_int_equal(state.scene.peer.count, 3);
}

/* --- The queue --- */

static ssize_t full_at_first(struct tl_kernel *kernel, int fd, struct tl_message *messages,
                             size_t count)
{
    struct climb *climb = tl_container_of(kernel_patch(kernel), struct climb, skipping.patch);
    if (climb->writes++ < 1)
        return -EAGAIN;
    return climb->skipping.patch.inner->write(kernel, fd, messages, count);
}

/* Short ones and long ones by turns, so that several pieces of the queue are asked for. */
static int write_many(struct side *side)
{
    static const char bytes[5000];
    int r = tl_transport_set_write_buffer_limits(side->transport, 100, TL_UNSET);
    for (int i = 0; i < 10 && r == 0; i++)
        r = tl_transport_write(side->transport, bytes, i % 2 == 0 ? 3 : sizeof bytes);
    side_log(side, "%s", tl_err_name(r));
    return r == 0 ? tl_transport_write_eof(side->transport) : 0;
}

static void fill_the_queue(struct climb *climb)
{
    climb->skipping.patch.ops.write = full_at_first;
    climb->scene.client.hooks.made = write_many;
    climb->scene.peer.quiet = true;
    connect_and_run(climb, "127.0.0.1");
}

/* What cannot be queued ends the connection, and both ends hear of it. */
static void queues(struct contract *contract)
{
    static struct climb state;
    if (climb(contract, &state, fill_the_queue)) {
        assert_log(&state.scene.client, "made pause OK resume eof lost released");
        assert_int_equal(state.scene.peer.received, 5 * 3 + 5 * 5000);
    } else if (strstr(state.scene.client.log, "ENOMEM") != NULL) {
        assert_non_null(strstr(state.scene.client.log, "lost(ENOMEM) released"));
        assert_string_equal(state.scene.errors, "");
    }
}

/* --- Changing protocols --- */

static int hand_over(struct side *side)
{
    struct side *next = &climb_of(side)->next;
    next->transport = side->transport;
    int r = tl_transport_set_protocol(side->transport, &next->protocol);
    return r < 0 ? r : hook_write_hello_and_eof(side);
}

static void change_protocols(struct climb *climb)
{
    climb->scene.client.hooks.made = hand_over;
    climb->scene.peer.hooks.data = hook_echo;
    connect_and_run(climb, "127.0.0.1");
}

static void protocols(struct contract *contract)
{
    static struct climb state;
    if (!climb(contract, &state, change_protocols))
        return;
    assert_log(&state.scene.client, "made released");
    assert_log(&state.next, "data(hello) eof lost released");
}

/* --- Ends --- */

static void cancel_connecting(struct climb *climb)
{
    struct scene *scene = &climb->scene;
    tl_future *future = tl_loop_create_connection(scene->loop, scene_client_factory, scene,
                                                  "127.0.0.1", scene->port, NULL);
    (void)tl_future_cancel(future);
    (void)tl_future_exception(future);
    tl_future_unref(future);
    tl_server_close(scene->server);
    (void)tl_loop_run_until_complete(scene->loop, tl_server_wait_closed(scene->server), NULL);
}

static void cancelled(struct contract *contract)
{
    static struct climb state;
    if (climb(contract, &state, cancel_connecting))
        assert_log(&state.scene.client, "");
}

static int end_clients(struct side *side)
{
    tl_server_abort_clients(side->scene->server);
    return 0;
}

static void end_all_clients(struct climb *climb)
{
    climb->scene.peer.hooks.made = end_clients;
    connect_and_run(climb, "127.0.0.1");
}

static void ended_by_the_server(struct contract *contract)
{
    static struct climb state;
    if (!climb(contract, &state, end_all_clients))
        return;
    assert_log(&state.scene.client, "made eof lost released");
    assert_log(&state.scene.peer, "made lost released");
}

static const struct contract_case cases[] = {
    CONTRACT_LADDER(names, 10),
    CONTRACT_LADDER(queues, 12),
    CONTRACT_LADDER(protocols, 8),
    CONTRACT_LADDER(cancelled, 6),
    CONTRACT_LADDER(ended_by_the_server, 8),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "stream_ladder", cases, sizeof cases / sizeof *cases);
}
