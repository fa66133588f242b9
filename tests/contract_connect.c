/* SPDX-License-Identifier: Apache-2.0 */
/*
 * create_connection: how it succeeds, how it fails, and being called off at every stage.
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

/* --- A kernel that counts what is open --- */

/* For struct counted's connect: in progress counts as done. */
enum { CONNECT_IS_DONE = 1 };

struct counted {
    struct kernel_patch patch;
    int fd;      /* the client's socket, made by socket and not yet closed; -1: none */
    int nodelay; /* times the option was set */
    int connect; /* an error that connect gives; 0: the kernel's own answer */
};

static struct counted *counted_of(struct tl_kernel *kernel)
{
    return tl_container_of(kernel_patch(kernel), struct counted, patch);
}

static int counted_socket(struct tl_kernel *kernel, enum tl_family family, enum tl_socket_type type)
{
    struct counted *counted = counted_of(kernel);
    counted->fd = counted->patch.inner->socket(kernel, family, type);
    return counted->fd;
}

static int counted_close(struct tl_kernel *kernel, int fd)
{
    struct counted *counted = counted_of(kernel);
    if (fd == counted->fd)
        counted->fd = -1;
    return counted->patch.inner->close(kernel, fd);
}

static int counted_option(struct tl_kernel *kernel, int fd, enum tl_option option, const int *set,
                          int *ret)
{
    struct counted *counted = counted_of(kernel);
    counted->nodelay += option == TL_OPTION_NODELAY && set != NULL && *set == 1;
    return counted->patch.inner->option(kernel, fd, option, set, ret);
}

static int counted_connect(struct tl_kernel *kernel, int fd, const tl_addr *addr)
{
    struct counted *counted = counted_of(kernel);
    if (counted->connect < 0)
        return counted->connect;
    int r = counted->patch.inner->connect(kernel, fd, addr);
    return r == -EINPROGRESS && counted->connect == CONNECT_IS_DONE ? 0 : r;
}

static void count(struct counted *counted, struct scene *scene)
{
    memset(counted, 0, sizeof *counted);
    counted->fd = -1;
    kernel_patch_apply(&counted->patch, tl_loop_kernel(scene->loop));
    counted->patch.ops.socket = counted_socket;
    counted->patch.ops.close = counted_close;
    counted->patch.ops.option = counted_option;
    counted->patch.ops.connect = counted_connect;
}

/* --- Success --- */

static tl_future *connect_to(struct scene *scene, const char *host, const char *port,
                             const tl_connection_opts *opts)
{
    return tl_loop_create_connection(scene->loop, scene_client_factory, scene, host, port, opts);
}

static void nodelay_is_set(struct contract *contract)
{
    struct scene scene;
    struct counted counted;
    tl_value value = tl_value_none();
    scene_open(&scene, contract);
    count(&counted, &scene);
    tl_future *future = connect_to(&scene, NULL, scene.port, NULL);
    assert_false(tl_future_done(future));
    assert_int_equal(counted.nodelay, 0);
    assert_int_equal(tl_loop_run_until_complete(scene.loop, future, &value), 0);
    assert_int_equal(counted.nodelay, 1);
    assert_log(&scene.client, "made");
    assert_non_null(tl_value_pair(&value));
    assert_null(tl_value_server(&value));
    tl_value_finish(&value);
    scene_close(&scene);
}

static int hook_close_eof(struct side *side, const char *data, size_t len)
{
    (void)data;
    (void)len;
    tl_transport_close(side->transport);
    return 0;
}

static int write_peername(struct side *side)
{
    char text[TL_ADDR_TEXT_MAX];
    const tl_value *peer = tl_transport_get_extra_info(side->transport, "peername", NULL);
    tl_addr_format(peer->pointer, text, sizeof text);
    *strrchr(text, ':') = '\0';
    return tl_transport_write(side->transport, text, strlen(text));
}

static void the_local_address_can_be_chosen(struct contract *contract)
{
    struct scene scene;
    const tl_connection_opts opts = {.local_host = "127.0.0.2"};
    scene_open(&scene, contract);
    scene.client.hooks.data = hook_close_eof;
    scene.peer.hooks.made = write_peername;
    tl_future_detach(connect_to(&scene, "127.0.0.1", scene.port, &opts));
    scene_await(&scene, 2);
    scene_close(&scene);
    assert_log(&scene.client, "made data(127.0.0.2) lost released");
}

static void connect_over_ipv6(struct contract *contract)
{
    static const char *const hosts[] = {"::1"};
    struct scene scene;
    tl_value value = tl_value_none();
    tl_addr address;
    char port[8];
    scene_open(&scene, contract);
    tl_future *future =
        tl_loop_create_server(scene.loop, scene_peer_factory, &scene, hosts, 1, "0", NULL);
    if (tl_loop_run_until_complete(scene.loop, future, &value) < 0) {
        scene_close(&scene); /* this machine has no IPv6 */
        return;
    }
    assert_int_equal(tl_server_address(tl_value_server(&value), 0, &address), 0);
    assert_int_equal(address.family, TL_FAMILY_INET6);
    (void)snprintf(port, sizeof port, "%u", address.port);
    scene.client.hooks = (struct hooks){.made = hook_write_hello, .data = hook_close_eof};
    scene.peer.hooks.data = hook_echo;
    tl_future_detach(connect_to(&scene, "::1", port, NULL));
    scene_await(&scene, 2);
    tl_value_finish(&value);
    scene_close(&scene);
    assert_log(&scene.client, "made data(hello) lost released");
}

/* A kernel may say that a connection stands at once: the result comes from the loop even so. */
static void connected_at_once(struct contract *contract)
{
    struct scene scene;
    struct counted counted;
    scene_open(&scene, contract);
    count(&counted, &scene);
    counted.connect = CONNECT_IS_DONE;
    tl_future *future = connect_to(&scene, "127.0.0.1", scene.port, NULL);
    assert_false(tl_future_done(future));
    assert_int_equal(tl_loop_run_until_complete(scene.loop, future, NULL), 0);
    assert_log(&scene.client, "made");
    scene_close(&scene);
}

/* --- Failure --- */

/* Fails with code and a message, and leaves no socket behind. */
static void fails(struct scene *scene, struct counted *counted, tl_future *future, int code,
                  const char *message)
{
    int r = tl_loop_run_until_complete(scene->loop, tl_future_ref(future), NULL);
    assert_int_equal(r, code);
    if (message != NULL)
        assert_string_equal(tl_future_exception(future)->message, message);
    tl_future_unref(future);
    assert_int_equal(counted->fd, -1);
}

static void refused_names_the_address(struct contract *contract)
{
    static const char *const hosts[] = {"127.0.0.1"};
    static const tl_server_opts defer = {.defer_serving = true};
    struct scene scene;
    struct counted counted;
    tl_value value = tl_value_none();
    tl_addr address;
    char port[8];
    char message[100];
    scene_open(&scene, contract);
    /* Bound, so that the port is nobody else's, but not listening. */
    tl_future *future =
        tl_loop_create_server(scene.loop, scene_peer_factory, &scene, hosts, 1, "0", &defer);
    assert_int_equal(tl_loop_run_until_complete(scene.loop, future, &value), 0);
    assert_int_equal(tl_server_address(tl_value_server(&value), 0, &address), 0);
    (void)snprintf(port, sizeof port, "%u", address.port);
    (void)snprintf(message, sizeof message, "Connect call failed 127.0.0.1:%s: %s", port,
                   tl_strerror(-ECONNREFUSED));
    count(&counted, &scene);
    fails(&scene, &counted, connect_to(&scene, "127.0.0.1", port, NULL), -ECONNREFUSED, message);
    tl_value_finish(&value);
    scene_close(&scene);
    assert_log(&scene.client, "");
}

static void refused_at_once(struct contract *contract)
{
    struct scene scene;
    struct counted counted;
    char message[100];
    scene_open(&scene, contract);
    count(&counted, &scene);
    counted.connect = -ENETUNREACH;
    (void)snprintf(message, sizeof message, "Connect call failed 127.0.0.1:%s: %s", scene.port,
                   tl_strerror(-ENETUNREACH));
    fails(&scene, &counted, connect_to(&scene, "127.0.0.1", scene.port, NULL), -ENETUNREACH,
          message);
    scene_close(&scene);
}

static tl_protocol *no_protocol(void *arg)
{
    (void)arg;
    return NULL;
}

static tl_protocol *datagram_protocol(void *arg)
{
    static const struct tl_protocol_ops ops = {.kind = TL_PROTOCOL_DATAGRAM};
    tl_protocol *protocol = arg;
    *protocol = TL_PROTOCOL_INIT(&ops);
    return protocol;
}

static tl_protocol *blank_protocol(void *arg)
{
    tl_protocol *protocol = arg;
    *protocol = TL_PROTOCOL_INIT(NULL);
    return protocol;
}

static void factories_that_disappoint(struct contract *contract)
{
    struct scene scene;
    struct counted counted;
    tl_protocol protocol;
    scene_open(&scene, contract);
    count(&counted, &scene);
    fails(&scene, &counted,
          tl_loop_create_connection(scene.loop, no_protocol, NULL, NULL, scene.port, NULL), -ENOMEM,
          NULL);
    fails(
        &scene, &counted,
        tl_loop_create_connection(scene.loop, datagram_protocol, &protocol, NULL, scene.port, NULL),
        -EINVAL, NULL);
    assert_int_equal(protocol.holds, 0);
    fails(&scene, &counted,
          tl_loop_create_connection(scene.loop, blank_protocol, &protocol, NULL, scene.port, NULL),
          -EINVAL, NULL);
    assert_int_equal(protocol.holds, 0);
    scene_close(&scene);
}

static void local_address_in_use(struct contract *contract)
{
    struct scene scene;
    struct counted counted;
    char message[100];
    tl_addr address;
    scene_open(&scene, contract);
    count(&counted, &scene);
    assert_int_equal(tl_server_address(scene.server, 0, &address), 0);
    const tl_connection_opts opts = {.local_host = "127.0.0.1", .local_port = address.port};
    (void)snprintf(message, sizeof message,
                   "error while attempting to bind on address 127.0.0.1:%s: %s", scene.port,
                   tl_strerror(-EADDRINUSE));
    fails(&scene, &counted, connect_to(&scene, "127.0.0.1", scene.port, &opts), -EADDRINUSE,
          message);
    scene_close(&scene);
}

static void arguments(struct contract *contract)
{
    static const tl_connection_opts six = {.local_host = "::1"};
    static const tl_connection_opts named = {.tls = {.server_hostname = "x"}};
    static const tl_connection_opts hasty = {.happy_eyeballs_delay = -1};
    struct scene scene;
    struct counted counted;
    scene_open(&scene, contract);
    count(&counted, &scene);
    assert_null(tl_loop_create_connection(NULL, scene_client_factory, NULL, NULL, "1", NULL));
    fails(&scene, &counted,
          tl_loop_create_connection(scene.loop, NULL, NULL, "127.0.0.1", "1", NULL), -EINVAL, NULL);
    fails(&scene, &counted, connect_to(&scene, NULL, NULL, &named), -EINVAL,
          "server_hostname needs TLS");
    fails(&scene, &counted, connect_to(&scene, NULL, NULL, NULL), -EINVAL,
          "host and port was not specified and no sock specified");
    fails(&scene, &counted, connect_to(&scene, "127.0.0.1", "65536", NULL), -EINVAL,
          "the port is not a number from 0 to 65535, nor a name");
    fails(&scene, &counted, connect_to(&scene, "localhost", "65536", NULL), -EINVAL, NULL);
    fails(&scene, &counted, connect_to(&scene, "127.0.0.1", "1", &hasty), -EINVAL,
          "the happy eyeballs delay is negative");
    fails(&scene, &counted, connect_to(&scene, "127.0.0.1", "1", &six), -EADDRNOTAVAIL,
          "no matching local address with family=AF_INET found");
    scene_close(&scene);
}

/* --- Called off --- */

static void cancelled_while_connecting(struct contract *contract)
{
    struct scene scene;
    struct counted counted;
    scene_open(&scene, contract);
    count(&counted, &scene);
    tl_future *future = connect_to(&scene, "127.0.0.1", scene.port, NULL);
    assert_true(counted.fd >= 0);
    assert_true(tl_future_cancel(future));
    assert_int_equal(counted.fd, -1);
    assert_false(tl_future_cancel(future));
    assert_int_equal(tl_loop_run_until_complete(scene.loop, future, NULL), -ECANCELED);
    scene_close(&scene);
    assert_log(&scene.client, "");
}

static tl_protocol *cancelling_factory(void *arg)
{
    struct scene *scene = arg;
    side_log(&scene->client, "factory(%d)", tl_future_cancel(scene->client.user));
    return &scene->client.protocol;
}

/* The connection exists by then: it comes to life and is closed. */
static void cancelled_by_the_factory(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    scene.client.user = tl_loop_create_connection(scene.loop, cancelling_factory, &scene,
                                                  "127.0.0.1", scene.port, NULL);
    (void)tl_loop_run_until_complete(scene.loop, tl_future_ref(scene.client.user), NULL);
    scene_await(&scene, 2);
    assert_true(tl_future_cancelled(scene.client.user));
    tl_future_unref(scene.client.user);
    scene_close(&scene);
    assert_log(&scene.client, "factory(1) made lost released");
    assert_log(&scene.peer, "made eof lost released");
}

static void cancel_now(void *arg)
{
    struct scene *scene = arg;
    side_log(&scene->client, "cancel(%d)", tl_future_cancel(scene->client.user));
}

static tl_protocol *factory_then_cancel(void *arg)
{
    struct scene *scene = arg;
    (void)tl_loop_call_soon(scene->loop, cancel_now, scene, NULL);
    return &scene->client.protocol;
}

/* Queued before connection_made, so the cancellation comes between the two. */
static void cancelled_before_connection_made(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    scene.client.user = tl_loop_create_connection(scene.loop, factory_then_cancel, &scene,
                                                  "127.0.0.1", scene.port, NULL);
    scene_await(&scene, 2);
    assert_true(tl_future_cancelled(scene.client.user));
    tl_future_unref(scene.client.user);
    scene_close(&scene);
    assert_log(&scene.client, "cancel(1) made lost released");
    assert_log(&scene.peer, "made eof lost released");
}

/* If the program finishes the future itself, the connection is its protocol's all the same. */
static void finished_by_somebody_else(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    scene.client.hooks.made = hook_close;
    tl_future *future = connect_to(&scene, "127.0.0.1", scene.port, NULL);
    assert_int_equal(tl_future_set_result(future, tl_value_int(1)), 0);
    scene_await(&scene, 2);
    tl_future_unref(future);
    scene_close(&scene);
    assert_log(&scene.client, "made lost released");
}

static void nobody_waits_for_the_result(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    scene.client.hooks.made = hook_close;
    tl_future_unref(connect_to(&scene, "127.0.0.1", scene.port, NULL));
    scene_await(&scene, 2);
    scene_close(&scene);
    assert_log(&scene.client, "made lost released");
}

/* --- A loop that is closed first --- */

static void loop_closed_while_connecting(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    tl_future *future = connect_to(&scene, "127.0.0.1", scene.port, NULL);
    scene_close(&scene);
    assert_false(tl_future_done(future));
    assert_true(tl_future_cancel(future));
    tl_future_unref(future);
    assert_log(&scene.client, "");
}

static tl_protocol *stopping_factory(void *arg)
{
    struct scene *scene = arg;
    tl_loop_stop(scene->loop);
    return &scene->client.protocol;
}

static void loop_closed_before_connection_made(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    tl_future *future =
        tl_loop_create_connection(scene.loop, stopping_factory, &scene, NULL, scene.port, NULL);
    scene_run(&scene);
    scene_close(&scene);
    assert_false(tl_future_done(future));
    tl_future_unref(future);
    assert_log(&scene.client, "released");
}

static void a_closed_loop_refuses(struct contract *contract)
{
    tl_loop *loop = contract_loop(contract);
    assert_int_equal(tl_loop_close(loop), 0);
    tl_future *future =
        tl_loop_create_connection(loop, scene_client_factory, NULL, NULL, "1", NULL);
    assert_int_equal(tl_future_result(future, NULL), TL_ECLOSED);
    tl_future_unref(future);
    tl_loop_free(loop);
}

static const struct contract_case cases[] = {
    CONTRACT(nodelay_is_set),
    CONTRACT(the_local_address_can_be_chosen),
    CONTRACT(connect_over_ipv6),
    CONTRACT_ONLY(connected_at_once, CONTRACT_REAL | CONTRACT_REPLAY_REAL),
    CONTRACT(refused_names_the_address),
    CONTRACT(refused_at_once),
    CONTRACT(factories_that_disappoint),
    CONTRACT(local_address_in_use),
    CONTRACT(arguments),
    CONTRACT(cancelled_while_connecting),
    CONTRACT(cancelled_by_the_factory),
    CONTRACT(cancelled_before_connection_made),
    CONTRACT(finished_by_somebody_else),
    CONTRACT(nobody_waits_for_the_result),
    CONTRACT(loop_closed_while_connecting),
    CONTRACT(loop_closed_before_connection_made),
    CONTRACT(a_closed_loop_refuses),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "connect", cases, sizeof cases / sizeof *cases);
}
