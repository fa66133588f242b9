/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Servers: binding, listening, and factories that do odd things. Closing is in
 * contract_server_close.c, accepting many and under shortage in contract_accept.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "support/patch.h"
#include "support/scene.h"

static const char *const loopback[] = {"127.0.0.1"};

static tl_future *create_server(struct scene *scene, const char *const *hosts, size_t count,
                                const char *port, const tl_server_opts *opts)
{
    return tl_loop_create_server(scene->loop, scene_peer_factory, scene, hosts, count, port, opts);
}

/* A server that is wanted; fails the test when it cannot be made. */
static tl_server *server_on(struct scene *scene, const char *const *hosts, size_t count,
                            const char *port, const tl_server_opts *opts)
{
    tl_value value = tl_value_none();
    tl_future *future = create_server(scene, hosts, count, port, opts);
    assert_int_equal(tl_loop_run_until_complete(scene->loop, future, &value), 0);
    tl_server *server = tl_server_ref(tl_value_server(&value));
    tl_value_finish(&value);
    return server;
}

static tl_addr address_of(const tl_server *server, size_t index)
{
    tl_addr address;
    assert_int_equal(tl_server_address(server, index, &address), 0);
    return address;
}

static const char *port_of(const tl_server *server, size_t index, char *text)
{
    (void)snprintf(text, 8, "%u", address_of(server, index).port);
    return text;
}

/* Runs one connection to a port from connection_made to connection_lost; the error otherwise. */
static int visit(struct scene *scene, const char *port)
{
    tl_future *future = tl_loop_create_connection(scene->loop, scene_client_factory, scene,
                                                  "127.0.0.1", port, NULL);
    int lost = scene->lost;
    side_init(&scene->client, scene, TL_PROTOCOL_STREAM, &(struct hooks){.made = hook_close});
    int r = tl_loop_run_until_complete(scene->loop, future, NULL);
    if (r == 0)
        scene_await(scene, lost + 2);
    return r;
}

/* --- A kernel whose descriptors are counted --- */

struct counted {
    struct kernel_patch patch;
    int sockets;   /* made by socket, not yet closed */
    bool no_ipv6;  /* not in this kernel at all */
    bool ipv6_off; /* its addresses are not there */
    int last;      /* socket's last answer */
};

static struct counted *counted_of(struct tl_kernel *kernel)
{
    return tl_container_of(kernel_patch(kernel), struct counted, patch);
}

static int counted_socket(struct tl_kernel *kernel, enum tl_family family, enum tl_socket_type type)
{
    struct counted *counted = counted_of(kernel);
    if (counted->no_ipv6 && family == TL_FAMILY_INET6)
        return -EAFNOSUPPORT;
    int fd = counted->patch.inner->socket(kernel, family, type);
    counted->sockets += fd >= 0;
    return fd;
}

static int counted_bind(struct tl_kernel *kernel, int fd, const tl_addr *addr)
{
    struct counted *counted = counted_of(kernel);
    if (counted->ipv6_off && addr->family == TL_FAMILY_INET6)
        return -EADDRNOTAVAIL;
    return counted->patch.inner->bind(kernel, fd, addr);
}

static int counted_close(struct tl_kernel *kernel, int fd)
{
    counted_of(kernel)->sockets--;
    return counted_of(kernel)->patch.inner->close(kernel, fd);
}

static void count(struct counted *counted, struct scene *scene)
{
    memset(counted, 0, sizeof *counted);
    kernel_patch_apply(&counted->patch, tl_loop_kernel(scene->loop));
    counted->patch.ops.socket = counted_socket;
    counted->patch.ops.bind = counted_bind;
    counted->patch.ops.close = counted_close;
}

/* --- Binding --- */

static void every_interface(struct contract *contract)
{
    static const char *const empty[] = {"", NULL, "0.0.0.0"};
    struct scene scene;
    char port[8];
    scene_open(&scene, contract);
    tl_server *server = server_on(&scene, NULL, 0, "0", NULL);
    size_t count = tl_server_sockets_count(server);
    assert_true(count == 1 || count == 2); /* a machine without IPv6 has one */
    assert_int_equal(address_of(server, 0).family, TL_FAMILY_INET);
    assert_true(address_of(server, 0).port != 0);
    if (count == 2) {
        /* asyncio: each socket has a free port of its own. */
        assert_int_equal(address_of(server, 1).family, TL_FAMILY_INET6);
        assert_true(address_of(server, 1).port != 0);
    }
    assert_int_equal(visit(&scene, port_of(server, 0, port)), 0);
    assert_log(&scene.peer, "made eof lost released");
    tl_server_close(server);
    tl_server_unref(server);

    /* Three ways to say the same are bound once. */
    server = server_on(&scene, empty, 3, "0", NULL);
    assert_int_equal(tl_server_sockets_count(server), count);
    tl_server_close(server);
    tl_server_unref(server);
    scene_close(&scene);
}

/* A server on a port that one family has just had; fails the test when that is refused for another
 * reason than that somebody else on this machine has the port of the other family. */
static int serve_on_one_port(struct scene *scene, size_t *ret_count, tl_value *ret)
{
    char port[8];
    tl_server *probe = server_on(scene, NULL, 0, "0", NULL);
    *ret_count = tl_server_sockets_count(probe);
    port_of(probe, 0, port);
    tl_server_close(probe);
    tl_server_unref(probe);
    return tl_loop_run_until_complete(scene->loop, create_server(scene, NULL, 0, port, NULL), ret);
}

static void both_families_can_have_one_port(struct contract *contract)
{
    struct scene scene;
    tl_value value = tl_value_none();
    size_t count;
    int r = -EADDRINUSE;
    scene_open(&scene, contract);
    for (int i = 0; r == -EADDRINUSE && i < 20; i++)
        r = serve_on_one_port(&scene, &count, &value);
    assert_int_equal(r, 0);
    tl_server *server = tl_server_ref(tl_value_server(&value));
    tl_value_finish(&value);
    assert_int_equal(tl_server_sockets_count(server), count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(address_of(server, i).port, address_of(server, 0).port);
    tl_server_close(server);
    tl_server_unref(server);
    scene_close(&scene);
}

static void a_missing_family_is_skipped(struct contract *contract)
{
    static const char *const six[] = {"::1"};
    struct scene scene;
    struct counted counted;
    scene_open(&scene, contract);
    count(&counted, &scene);
    counted.no_ipv6 = true;
    tl_server *server = server_on(&scene, NULL, 0, "0", NULL);
    assert_int_equal(tl_server_sockets_count(server), 1);
    tl_server_close(server);
    assert_int_equal(counted.sockets, 0);
    tl_server_unref(server);
    /* But there must be one. */
    int r = tl_loop_run_until_complete(scene.loop, create_server(&scene, six, 1, "0", NULL), NULL);
    assert_int_equal(r, -EAFNOSUPPORT);
    scene_close(&scene);
}

/* As with net.ipv6.conf.all.disable_ipv6: there are sockets, and nothing to bind them to. */
static void a_family_that_is_off_is_skipped(struct contract *contract)
{
    static const char *const both[] = {"127.0.0.1", "::1"};
    static const char *const six[] = {"::1"};
    static const char *const elsewhere[] = {"127.0.0.1", "2001:db8::1"};
    struct scene scene;
    struct counted counted;
    scene_open(&scene, contract);
    count(&counted, &scene);
    counted.ipv6_off = true;
    for (int i = 0; i < 2; i++) {
        tl_server *server = server_on(&scene, i > 0 ? both : NULL, i > 0 ? 2 : 0, "0", NULL);
        assert_int_equal(tl_server_sockets_count(server), 1);
        tl_server_close(server);
        assert_int_equal(counted.sockets, 0);
        tl_server_unref(server);
    }
    /* But there must be one, and an address of one host's own is missed. */
    int r = tl_loop_run_until_complete(scene.loop, create_server(&scene, six, 1, "0", NULL), NULL);
    assert_int_equal(r, -EADDRNOTAVAIL);
    tl_future *future = create_server(&scene, elsewhere, 2, "0", NULL);
    assert_int_equal(tl_loop_run_until_complete(scene.loop, future, NULL), -EADDRNOTAVAIL);
    assert_int_equal(counted.sockets, 0);
    scene_close(&scene);
}

static void a_port_in_use_is_named(struct contract *contract)
{
    static const char *const hosts[] = {"127.0.0.2", "127.0.0.1"};
    struct scene scene;
    struct counted counted;
    char message[100];
    scene_open(&scene, contract);
    count(&counted, &scene);
    tl_future *future = create_server(&scene, hosts, 2, scene.port, NULL);
    int r = tl_loop_run_until_complete(scene.loop, tl_future_ref(future), NULL);
    assert_int_equal(r, -EADDRINUSE);
    (void)snprintf(message, sizeof message,
                   "error while attempting to bind on address 127.0.0.1:%s: %s", scene.port,
                   tl_strerror(-EADDRINUSE));
    assert_string_equal(tl_future_exception(future)->message, message);
    tl_future_unref(future);
    assert_int_equal(counted.sockets, 0); /* the first host's socket included */
    scene_close(&scene);
}

static void two_servers_share_a_port(struct contract *contract)
{
    static const tl_server_opts opts = {.reuse_port = true};
    struct scene scene;
    char port[8];
    scene_open(&scene, contract);
    tl_server *first = server_on(&scene, loopback, 1, "0", &opts);
    tl_server *second = server_on(&scene, loopback, 1, port_of(first, 0, port), &opts);
    assert_int_equal(address_of(first, 0).port, address_of(second, 0).port);
    tl_server_close(first);
    tl_server_close(second);
    tl_server_unref(first);
    tl_server_unref(second);
    scene_close(&scene);
}

static void refuse(struct scene *scene, tl_future *future, int code)
{
    int r = tl_future_result(future, NULL);
    assert_int_equal(r, code);
    tl_future_unref(future);
    assert_string_equal(scene->errors, "");
}

static void arguments(struct contract *contract)
{
    static const tl_server_opts odd = {.family = TL_FAMILY_UNIX};
    static const tl_server_opts negative = {.backlog = -1};
    struct scene scene;
    struct counted counted;
    scene_open(&scene, contract);
    count(&counted, &scene);
    assert_null(tl_loop_create_server(NULL, scene_peer_factory, NULL, NULL, 0, "0", NULL));
    refuse(&scene, tl_loop_create_server(scene.loop, NULL, NULL, NULL, 0, "0", NULL), -EINVAL);
    refuse(&scene, create_server(&scene, NULL, 1, "0", NULL), -EINVAL);
    refuse(&scene, create_server(&scene, NULL, 0, NULL, NULL), -EINVAL);
    refuse(&scene, create_server(&scene, loopback, 1, "65536", NULL), -EINVAL);
    refuse(&scene, create_server(&scene, loopback, 1, "0", &negative), -EINVAL);
    refuse(&scene, create_server(&scene, loopback, 1, "0", &odd), -EINVAL);
    assert_int_equal(counted.sockets, 0);

    tl_addr address;
    assert_int_equal(tl_server_address(NULL, 0, &address), -EINVAL);
    assert_int_equal(tl_server_address(scene.server, 1, &address), -EINVAL);
    assert_int_equal(tl_server_address(scene.server, 0, NULL), -EINVAL);
    assert_int_equal(tl_server_start_serving(NULL), -EINVAL);
    assert_int_equal(tl_server_sockets_count(NULL), 0);
    assert_false(tl_server_is_serving(NULL));
    assert_null(tl_server_wait_closed(NULL));
    assert_null(tl_server_serve_forever(NULL));
    assert_null(tl_server_get_loop(NULL));
    assert_ptr_equal(tl_server_get_loop(scene.server), scene.loop);
    tl_server_close(NULL);
    tl_server_close_clients(NULL);
    tl_server_abort_clients(NULL);
    tl_server_unref(NULL);
    const tl_value number = tl_value_int(1);
    assert_null(tl_value_server(NULL));
    assert_null(tl_value_server(&number));
    assert_null(tl_value_pair(NULL));
    assert_null(tl_value_pair(&number));
    scene_close(&scene);
}

/* --- Serving --- */

static void the_result_comes_one_turn_later(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    tl_future *future = create_server(&scene, loopback, 1, "0", NULL);
    assert_false(tl_future_done(future));
    tl_loop_stop(scene.loop);
    scene_run(&scene);
    assert_true(tl_future_done(future));
    /* Nobody takes it, and the server goes on serving all the same. */
    tl_future_unref(future);
    scene_close(&scene);
}

static void creation_cancelled(struct contract *contract)
{
    struct scene scene;
    struct counted counted;
    scene_open(&scene, contract);
    count(&counted, &scene);
    tl_future *future = create_server(&scene, loopback, 1, "0", NULL);
    assert_int_equal(counted.sockets, 1);
    assert_true(tl_future_cancel(future));
    assert_int_equal(counted.sockets, 0);
    tl_future_unref(future);
    scene_close(&scene);
}

static void serving_may_be_deferred(struct contract *contract)
{
    static const tl_server_opts defer = {.defer_serving = true};
    struct scene scene;
    char port[8];
    scene_open(&scene, contract);
    tl_server *server = server_on(&scene, loopback, 1, "0", &defer);
    port_of(server, 0, port);
    assert_false(tl_server_is_serving(server));
    assert_int_equal(visit(&scene, port), -ECONNREFUSED);
    assert_int_equal(tl_server_start_serving(server), 0);
    assert_int_equal(tl_server_start_serving(server), 0);
    assert_true(tl_server_is_serving(server));
    assert_int_equal(visit(&scene, port), 0);
    assert_log(&scene.peer, "made eof lost released");
    tl_server_close(server);
    assert_false(tl_server_is_serving(server));
    assert_int_equal(tl_server_start_serving(server), TL_ECLOSED);
    tl_server_unref(server);
    scene_close(&scene);
}

/* --- Factories --- */

static tl_protocol *no_protocol(void *arg)
{
    (void)arg;
    return NULL;
}

static void the_factory_has_none(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    scene_serve(&scene, no_protocol);
    scene_connect(&scene);
    scene_await(&scene, 1);
    assert_string_equal(scene.errors, "");
    assert_log(&scene.client, "made eof lost released");

    /* In debug mode it is reported. */
    tl_loop_set_debug(scene.loop, true);
    side_init(&scene.client, &scene, TL_PROTOCOL_STREAM, NULL);
    scene_connect(&scene);
    scene_await(&scene, 2);
    scene_close(&scene);
    assert_string_equal(scene.errors,
                        "Error on transport creation for incoming connection: ENOMEM\n");
}

static tl_protocol *datagram_protocol(void *arg)
{
    static const struct tl_protocol_ops ops = {.kind = TL_PROTOCOL_DATAGRAM};
    struct scene *scene = arg;
    scene->peer.protocol.ops = &ops;
    return &scene->peer.protocol;
}

static void the_factory_has_another_kind(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    scene_serve(&scene, datagram_protocol);
    tl_loop_set_debug(scene.loop, true);
    scene_connect(&scene);
    scene_await(&scene, 1);
    scene_close(&scene);
    assert_log(&scene.client, "made eof lost released");
    assert_int_equal(scene.peer.protocol.holds, 0);
    assert_string_equal(scene.errors,
                        "Error on transport creation for incoming connection: EINVAL\n");
}

static tl_protocol *closing_factory(void *arg)
{
    struct scene *scene = arg;
    tl_server_close(scene->server);
    tl_server_unref(scene->server);
    scene->server = NULL;
    return scene_peer_factory(scene);
}

/* The connection it was called for is made all the same, and keeps the server. */
static void the_factory_closes_the_server(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    scene_serve(&scene, closing_factory);
    scene.client.hooks = (struct hooks){.made = hook_write_hello, .data = hook_close_when_whole};
    scene.peer.hooks.data = hook_echo;
    scene_play(&scene);
    scene_close(&scene);
    assert_log(&scene.client, "made data(hello) lost released");
    assert_log(&scene.peer, "made data(hello) eof lost released");
}

static void note_closed(tl_future *future, void *arg)
{
    struct scene *scene = arg;
    (void)future;
    side_log(&scene->peer, "closed");
}

static tl_protocol *waiting_factory(void *arg)
{
    struct scene *scene = arg;
    tl_server_close(scene->server);
    tl_future *future = tl_server_wait_closed(scene->server);
    assert_false(tl_future_done(future));
    assert_int_equal(tl_future_add_done_callback(future, note_closed, scene), 0);
    tl_future_unref(future);
    return scene_peer_factory(scene);
}

/* So the server is not at its end before that connection is. */
static void the_factory_closes_the_server_and_waits(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    scene_serve(&scene, waiting_factory);
    scene.client.hooks = (struct hooks){.made = hook_write_hello, .data = hook_close_when_whole};
    scene.peer.hooks.data = hook_echo;
    scene_play(&scene);
    tl_loop_stop(scene.loop);
    scene_run(&scene);
    assert_log(&scene.peer, "made data(hello) eof lost released closed");
    scene_close(&scene);
}

/* Nor does it last for ever when nothing comes of the connection. */
static void the_factory_closes_the_server_and_fails(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    scene_serve(&scene, waiting_factory);
    scene.accepted = true;
    scene_connect(&scene);
    scene_await(&scene, 1);
    tl_loop_stop(scene.loop);
    scene_run(&scene);
    assert_log(&scene.peer, "closed");
    scene_close(&scene);
}

static const struct contract_case cases[] = {
    CONTRACT(every_interface),
    CONTRACT(both_families_can_have_one_port),
    CONTRACT(a_missing_family_is_skipped),
    CONTRACT(a_family_that_is_off_is_skipped),
    CONTRACT(a_port_in_use_is_named),
    CONTRACT(two_servers_share_a_port),
    CONTRACT(arguments),
    CONTRACT(the_result_comes_one_turn_later),
    CONTRACT(creation_cancelled),
    CONTRACT(serving_may_be_deferred),
    CONTRACT(the_factory_has_none),
    CONTRACT(the_factory_has_another_kind),
    CONTRACT(the_factory_closes_the_server),
    CONTRACT(the_factory_closes_the_server_and_waits),
    CONTRACT(the_factory_closes_the_server_and_fails),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "server", cases, sizeof cases / sizeof *cases);
}
