/* SPDX-License-Identifier: Apache-2.0 */
/*
 * create_unix_server and create_unix_connection under abstract names: what they make, and the ways
 * in which they fail. The same under paths is in contract_unix_path.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "support/patch.h"
#include "support/scene.h"

/* More than a socket's buffers hold. */
#define LARGE ((size_t)1 << 20)

/* An abstract name that is this program's own, and the same in every run of a body. */
struct name {
    char bytes[64];
    size_t len;
};

static struct name named(const char *what)
{
    struct name name = {.len = 0};
    int len =
        snprintf(name.bytes + 1, sizeof name.bytes - 1, "twinloop-%d-%s", (int)getpid(), what);
    name.len = 1 + (size_t)len;
    return name;
}

/* A scene whose server listens under a name. */
static void open_scene(struct scene *scene, struct contract *contract, const struct name *name,
                       const tl_server_opts *opts)
{
    tl_value value = tl_value_none();
    scene_open(scene, contract);
    tl_server_close(scene->server);
    tl_server_unref(scene->server);
    tl_future *future = tl_loop_create_unix_server(scene->loop, scene_peer_factory, scene,
                                                   name->bytes, name->len, opts);
    assert_int_equal(tl_loop_run_until_complete(scene->loop, future, &value), 0);
    scene->server = tl_server_ref(tl_value_server(&value));
    tl_value_finish(&value);
}

static tl_future *start_connect(struct scene *scene, const struct name *name)
{
    return tl_loop_create_unix_connection(scene->loop, scene_client_factory, scene, name->bytes,
                                          name->len, NULL);
}

static void play(struct scene *scene, const struct name *name)
{
    tl_future_detach(start_connect(scene, name));
    scene_await(scene, 2);
}

static void settle(struct scene *scene)
{
    tl_future *future = tl_sleep(scene->loop, 10 * TL_MILLISECOND);
    assert_int_equal(tl_loop_run_until_complete(scene->loop, future, NULL), 0);
}

/* --- Connections ------------------------------------------------------------------------------ */

static void a_connection_under_a_name(struct contract *contract)
{
    static struct scene scene;
    struct name name = named("echo");
    open_scene(&scene, contract, &name, NULL);
    scene.client.hooks.made = hook_write_hello_and_eof;
    scene.peer.hooks.data = hook_echo;
    play(&scene, &name);
    scene_close(&scene);
    assert_log(&scene.client, "made data(hello) eof lost released");
    assert_log(&scene.peer, "made data(hello) eof lost released");
}

static void everything_arrives(struct contract *contract)
{
    static struct scene scene;
    struct name name = named("large");
    open_scene(&scene, contract, &name, NULL);
    scene.client.hooks = (struct hooks){.made = hook_send_and_close, .resume = hook_send_and_close};
    scene.client.quiet = true;
    scene.client.total = LARGE;
    scene.peer.quiet = true;
    play(&scene, &name);
    scene_close(&scene);
    assert_int_equal(scene.peer.received, LARGE);
    assert_int_equal(scene.peer.wrong, 0);
    assert_log(&scene.client, "made lost released");
    assert_log(&scene.peer, "made eof lost released");
}

static const tl_addr *name_of(struct side *side, const char *which)
{
    const tl_value *value = tl_transport_get_extra_info(side->user, which, NULL);
    assert_non_null(value);
    assert_int_equal(value->kind, TL_VALUE_POINTER);
    return value->pointer;
}

static void each_side_knows_the_names(struct contract *contract)
{
    static struct scene scene;
    static const tl_addr nobody = {.family = TL_FAMILY_UNIX};
    struct name name = named("names");
    tl_addr where, bound;
    open_scene(&scene, contract, &name, NULL);
    assert_int_equal(tl_addr_unix(name.bytes, name.len, &where), 0);
    assert_int_equal(tl_server_sockets_count(scene.server), 1);
    assert_int_equal(tl_server_address(scene.server, 0, &bound), 0);
    assert_true(tl_addr_equal(&bound, &where));
    scene.client.hooks.made = hook_ref;
    scene.peer.hooks.made = hook_ref;
    tl_future_detach(start_connect(&scene, &name));
    settle(&scene);
    assert_true(tl_addr_equal(name_of(&scene.client, "peername"), &where));
    assert_true(tl_addr_equal(name_of(&scene.client, "sockname"), &nobody));
    assert_true(tl_addr_equal(name_of(&scene.peer, "sockname"), &where));
    assert_true(tl_addr_equal(name_of(&scene.peer, "peername"), &nobody));
    tl_transport_close(scene.client.transport);
    scene_await(&scene, 2);
    assert_true(tl_addr_equal(name_of(&scene.client, "peername"), &where));
    assert_true(tl_addr_equal(name_of(&scene.peer, "sockname"), &where));
    scene_close(&scene);
    tl_transport_unref(scene.client.user);
    tl_transport_unref(scene.peer.user);
}

static void connection_made_comes_before_the_result(struct contract *contract)
{
    static struct scene scene;
    struct name name = named("result");
    tl_value value = tl_value_none();
    open_scene(&scene, contract, &name, NULL);
    tl_future *future = start_connect(&scene, &name);
    assert_log(&scene.client, ""); /* nothing is called inside the call */
    assert_int_equal(tl_loop_run_until_complete(scene.loop, future, &value), 0);
    const tl_pair *pair = tl_value_pair(&value);
    assert_non_null(pair);
    assert_ptr_equal(pair->protocol, &scene.client.protocol);
    assert_ptr_equal(pair->transport, scene.client.transport);
    assert_true(strncmp(scene.client.log, "made", 4) == 0);
    tl_transport_abort(pair->transport);
    scene_await(&scene, 1);
    assert_false(scene.client.is_released); /* the result holds it */
    tl_value_finish(&value);
    assert_true(scene.client.is_released);
    scene_close(&scene);
}

/* --- Servers ---------------------------------------------------------------------------------- */

static void a_server_that_does_not_serve_yet(struct contract *contract)
{
    static struct scene scene;
    const tl_server_opts opts = {.defer_serving = true};
    struct name name = named("deferred");
    open_scene(&scene, contract, &name, &opts);
    assert_false(tl_server_is_serving(scene.server));
    scene_expect_failed(start_connect(&scene, &name), -ECONNREFUSED, NULL);
    assert_int_equal(tl_server_start_serving(scene.server), 0);
    scene.client.hooks.made = hook_close;
    play(&scene, &name);
    scene_close(&scene);
    assert_log(&scene.client, "made lost released");
}

static int close_server(struct side *side)
{
    tl_server_close(side->scene->server);
    return tl_transport_write(side->transport, "bye", 3);
}

static int close_when_bye(struct side *side, const char *data, size_t len)
{
    (void)data;
    (void)len;
    if (side->received == 3)
        tl_transport_close(side->transport);
    return 0;
}

static void connections_outlive_their_server(struct contract *contract)
{
    static struct scene scene;
    struct name name = named("closed");
    open_scene(&scene, contract, &name, NULL);
    scene.peer.hooks.made = close_server;
    scene.client.hooks.data = close_when_bye;
    play(&scene, &name);
    scene_expect_failed(start_connect(&scene, &name), -ECONNREFUSED, NULL);
    tl_future *closed = tl_server_wait_closed(scene.server);
    assert_int_equal(tl_loop_run_until_complete(scene.loop, closed, NULL), 0);
    scene_close(&scene);
    assert_log(&scene.client, "made data(bye) lost released");
    assert_log(&scene.peer, "made eof lost released");
}

static void a_full_queue_is_told_at_once(struct contract *contract)
{
    static struct scene scene;
    const tl_server_opts opts = {.backlog = 1};
    struct name name = named("full");
    open_scene(&scene, contract, &name, &opts);
    struct tl_kernel *kernel = tl_loop_kernel(scene.loop);
    tl_addr where;
    assert_int_equal(tl_addr_unix(name.bytes, name.len, &where), 0);
    int r = 0;
    for (int i = 0; i < 3 && r == 0; i++) {
        int fd = kernel->ops->socket(kernel, TL_FAMILY_UNIX, TL_STREAM);
        assert_true(fd >= 0);
        r = kernel->ops->connect(kernel, fd, &where);
    }
    assert_int_equal(r, -EAGAIN);
    scene_expect_failed(start_connect(&scene, &name), -EAGAIN, NULL);
    scene_close(&scene);
}

static void a_name_that_somebody_has(struct contract *contract)
{
    static struct scene scene;
    struct name name = named("taken");
    char message[128];
    open_scene(&scene, contract, &name, NULL);
    (void)snprintf(message, sizeof message, "Address '@%s' is already in use", name.bytes + 1);
    scene_expect_failed(tl_loop_create_unix_server(scene.loop, scene_peer_factory, &scene,
                                                   name.bytes, name.len, NULL),
                        -EADDRINUSE, message);
    tl_server_close(scene.server);
    tl_future *future = tl_loop_create_unix_server(scene.loop, scene_peer_factory, &scene,
                                                   name.bytes, name.len, NULL);
    assert_int_equal(tl_loop_run_until_complete(scene.loop, future, NULL), 0);
    scene_close(&scene);
}

static int no_listen(struct tl_kernel *kernel, int fd, int backlog)
{
    (void)kernel;
    (void)fd;
    (void)backlog;
    return -EOPNOTSUPP;
}

static void a_failed_listen_names_the_address(struct contract *contract)
{
    static struct scene scene;
    struct kernel_patch patch;
    struct name name = named("listen");
    char message[160];
    scene_open(&scene, contract);
    kernel_patch_apply(&patch, tl_loop_kernel(scene.loop));
    patch.ops.listen = no_listen;
    (void)snprintf(message, sizeof message,
                   "error while attempting to listen on address unix:@%s: %s", name.bytes + 1,
                   tl_strerror(-EOPNOTSUPP));
    scene_expect_failed(tl_loop_create_unix_server(scene.loop, scene_peer_factory, &scene,
                                                   name.bytes, name.len, NULL),
                        -EOPNOTSUPP, message);
    scene_close(&scene);
}

/* --- Failing ---------------------------------------------------------------------------------- */

static void nobody_listens(struct contract *contract)
{
    static struct scene scene;
    struct name name = named("none");
    char message[160];
    scene_open(&scene, contract);
    (void)snprintf(message, sizeof message, "Connect call failed unix:@%s: %s", name.bytes + 1,
                   tl_strerror(-ECONNREFUSED));
    scene_expect_failed(start_connect(&scene, &name), -ECONNREFUSED, message);
    scene_close(&scene);
    assert_log(&scene.client, "");
}

static void what_is_no_name(struct contract *contract)
{
    static const char nuls[109];
    char path[108];
    memset(path, 'p', sizeof path);
    const struct {
        const char *path;
        size_t len;
        int code;
        const char *message;
    } wrong[] = {
        {NULL, 0, -EINVAL, "no path was specified"},
        {NULL, 5, -EINVAL, "no path was specified"},
        {"", 0, -EINVAL, "no path was specified"},
        {"/tmp/a\0b", 8, -EINVAL, "embedded null byte"},
        {nuls, sizeof nuls, -ENAMETOOLONG, "AF_UNIX path too long"},
        {path, sizeof path, -ENAMETOOLONG, "AF_UNIX path too long"},
    };
    static struct scene scene;
    scene_open(&scene, contract);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        scene_expect_failed(tl_loop_create_unix_connection(scene.loop, scene_client_factory, &scene,
                                                           wrong[i].path, wrong[i].len, NULL),
                            wrong[i].code, wrong[i].message);
        scene_expect_failed(tl_loop_create_unix_server(scene.loop, scene_peer_factory, &scene,
                                                       wrong[i].path, wrong[i].len, NULL),
                            wrong[i].code, wrong[i].message);
    }
    scene_close(&scene);
}

static void other_arguments(struct contract *contract)
{
    static struct scene scene;
    struct name name = named("arguments");
    const tl_connection_opts local_host = {.local_host = "127.0.0.1"};
    const tl_connection_opts local_port = {.local_port = 80};
    const tl_connection_opts hostname = {.tls = {.server_hostname = "here"}};
    const tl_connection_opts no_hostname = {.tls = {.default_context = true}};
    const tl_connection_opts tls = {.tls = {.default_context = true, .server_hostname = "here"}};
    const tl_server_opts backlog = {.backlog = -1};
    const tl_server_opts reuse_port = {.reuse_port = true};
    const tl_server_opts timeout = {.tls = {.handshake_timeout = TL_SECOND}};
    const struct {
        const tl_connection_opts *opts;
        int code;
    } connections[] = {{&local_host, -EINVAL},
                       {&local_port, -EINVAL},
                       {&hostname, -EINVAL},
                       {&no_hostname, -EINVAL},
                       {&tls, -ENOSYS}};
    const tl_server_opts *servers[] = {&backlog, &reuse_port, &timeout};
    scene_open(&scene, contract);
    for (size_t i = 0; i < sizeof connections / sizeof *connections; i++)
        scene_expect_failed(tl_loop_create_unix_connection(scene.loop, scene_client_factory, &scene,
                                                           name.bytes, name.len,
                                                           connections[i].opts),
                            connections[i].code, NULL);
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++)
        scene_expect_failed(tl_loop_create_unix_server(scene.loop, scene_peer_factory, &scene,
                                                       name.bytes, name.len, servers[i]),
                            -EINVAL, NULL);
    scene_expect_failed(
        tl_loop_create_unix_connection(scene.loop, NULL, NULL, name.bytes, name.len, NULL), -EINVAL,
        NULL);
    scene_expect_failed(
        tl_loop_create_unix_server(scene.loop, NULL, NULL, name.bytes, name.len, NULL), -EINVAL,
        NULL);
    assert_null(tl_loop_create_unix_connection(NULL, scene_client_factory, NULL, "x", 1, NULL));
    assert_null(tl_loop_create_unix_server(NULL, scene_client_factory, NULL, "x", 1, NULL));
    scene_close(&scene);
}

static tl_protocol *no_protocol(void *farg)
{
    (void)farg;
    return NULL;
}

static void a_factory_without_a_protocol(struct contract *contract)
{
    static struct scene scene;
    struct name name = named("factory");
    open_scene(&scene, contract, &name, NULL);
    tl_future *future =
        tl_loop_create_unix_connection(scene.loop, no_protocol, NULL, name.bytes, name.len, NULL);
    assert_int_equal(tl_loop_run_until_complete(scene.loop, future, NULL), -ENOMEM);
    /* The server saw a connection come and go. */
    scene_await(&scene, 1);
    assert_log(&scene.peer, "made eof lost released");
    scene_close(&scene);
}

static void cancelling_closes_the_socket(struct contract *contract)
{
    static struct scene scene;
    struct name name = named("cancelled");
    open_scene(&scene, contract, &name, NULL);
    tl_future *future = start_connect(&scene, &name);
    assert_int_equal(tl_future_cancel(future), 1);
    tl_future_unref(future);
    scene_await(&scene, 1);
    assert_log(&scene.client, "");
    assert_log(&scene.peer, "made eof lost released");
    scene_close(&scene);
}

static void a_loop_closed_under_it(struct contract *contract)
{
    static struct scene scene;
    struct name name = named("loop");
    open_scene(&scene, contract, &name, NULL);
    tl_future_detach(start_connect(&scene, &name));
    settle(&scene);
    tl_future_detach(start_connect(&scene, &name));
    scene_close(&scene);
    assert_log(&scene.client, "made released");
    assert_log(&scene.peer, "made released");
}

static void memory_runs_out(struct contract *contract)
{
    static struct scene scene;
    struct name name = named("ladder");
    scene_open(&scene, contract);
    scene.client.hooks.made = hook_close;
    ladder_arm(contract->ladder);
    tl_future *server = tl_loop_create_unix_server(scene.loop, scene_peer_factory, &scene,
                                                   name.bytes, name.len, NULL);
    int r = tl_loop_run_until_complete(scene.loop, server, NULL);
    assert_true(r == 0 || r == -ENOMEM);
    if (r == 0) {
        r = tl_loop_run_until_complete(scene.loop, start_connect(&scene, &name), NULL);
        assert_true(r == 0 || r == -ENOMEM);
    }
    ladder_disarm(contract->ladder);
    if (r == 0)
        scene_await(&scene, 1);
    scene_close(&scene);
}

static const struct contract_case cases[] = {
    CONTRACT(a_connection_under_a_name),
    CONTRACT(everything_arrives),
    CONTRACT(each_side_knows_the_names),
    CONTRACT(connection_made_comes_before_the_result),
    CONTRACT(a_server_that_does_not_serve_yet),
    CONTRACT(connections_outlive_their_server),
    CONTRACT(a_full_queue_is_told_at_once),
    CONTRACT(a_name_that_somebody_has),
    CONTRACT(a_failed_listen_names_the_address),
    CONTRACT(nobody_listens),
    CONTRACT(what_is_no_name),
    CONTRACT(other_arguments),
    CONTRACT(a_factory_without_a_protocol),
    CONTRACT(cancelling_closes_the_socket),
    CONTRACT(a_loop_closed_under_it),
    CONTRACT_LADDER(memory_runs_out, 6),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "unix_transport", cases, sizeof cases / sizeof *cases);
}
