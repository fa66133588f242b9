/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sock_connect to a host by name: what is looked up, what is connected to, and everything that may
 * happen to the socket, the future and the loop while the resolver is being asked.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "support/answers.h"
#include "support/contract.h"
#include "support/ladder.h"
#include "support/party.h"

/* A loop whose resolver answers what the test says, a listener, and a socket to connect. */
struct scene {
    struct answers answers;
    tl_loop *loop;
    tl_socket listener, socket;
    tl_addr addr; /* the listener's */
    char port[8];
};

static tl_socket stream_socket(tl_loop *loop)
{
    tl_socket socket = {-1};
    assert_int_equal(tl_socket_open(loop, TL_FAMILY_INET, TL_STREAM, &socket), 0);
    return socket;
}

static void open_scene(struct scene *scene, struct contract *contract)
{
    tl_addr local = numeric("127.0.0.1", 0);
    memset(scene, 0, sizeof *scene);
    scene->loop = contract_loop(contract);
    answers_apply(&scene->answers, tl_loop_kernel(scene->loop));
    scene->listener = stream_socket(scene->loop);
    scene->socket = stream_socket(scene->loop);
    assert_int_equal(tl_socket_bind(scene->loop, scene->listener, &local), 0);
    assert_int_equal(tl_socket_listen(scene->loop, scene->listener, 8), 0);
    assert_int_equal(
        tl_socket_address(scene->loop, scene->listener, TL_ADDRESS_LOCAL, &scene->addr), 0);
    snprintf(scene->port, sizeof scene->port, "%u", scene->addr.port);
}

/* Starts to connect, which takes a lookup. */
static tl_future *start(struct scene *scene)
{
    tl_future *future =
        tl_loop_sock_connect_host(scene->loop, scene->socket, "localhost", scene->port);
    assert_false(tl_future_done(future));
    assert_int_equal(scene->answers.lookups, 1);
    return future;
}

/* Takes the future, which fails. */
static void expect(struct scene *scene, tl_future *future, int code, const char *message)
{
    assert_int_equal(tl_loop_run_until_complete(scene->loop, tl_future_ref(future), NULL), code);
    if (message != NULL)
        assert_string_equal(tl_future_exception(future)->message, message);
    tl_future_unref(future);
}

static void expect_connected(struct scene *scene)
{
    tl_addr peer;
    assert_int_equal(tl_socket_address(scene->loop, scene->socket, TL_ADDRESS_PEER, &peer), 0);
    assert_true(tl_addr_equal(&peer, &scene->addr));
}

/* --- Connecting ------------------------------------------------------------------------------- */

static void the_first_address_is_connected_to(struct contract *contract)
{
    struct scene scene;
    open_scene(&scene, contract);
    answers_add(&scene.answers, 0, scene.addr);
    answers_add(&scene.answers, 0, numeric("192.0.2.1", 9));
    assert_int_equal(tl_loop_run_until_complete(scene.loop, start(&scene), NULL), 0);
    expect_connected(&scene);
    assert_int_equal(scene.answers.connects_count, 1);
    tl_loop_free(scene.loop);
}

static void numbers_are_not_looked_up(struct contract *contract)
{
    struct scene scene;
    open_scene(&scene, contract);
    tl_future *future =
        tl_loop_sock_connect_host(scene.loop, scene.socket, "127.0.0.1", scene.port);
    assert_int_equal(tl_loop_run_until_complete(scene.loop, future, NULL), 0);
    assert_int_equal(scene.answers.lookups, 0);
    expect_connected(&scene);
    tl_loop_free(scene.loop);
}

/* As every kernel knows it; no host is the loopback. */
static void localhost_is_known(struct contract *contract)
{
    static const char *const hosts[] = {"localhost", NULL};
    struct scene scene;
    for (int i = 0; i < 2; i++) {
        open_scene(&scene, contract);
        scene.answers.real = true;
        tl_future *future =
            tl_loop_sock_connect_host(scene.loop, scene.socket, hosts[i], scene.port);
        assert_int_equal(tl_loop_run_until_complete(scene.loop, future, NULL), 0);
        assert_int_equal(scene.answers.lookups, 1);
        expect_connected(&scene);
        tl_loop_free(scene.loop);
    }
}

/* Its family, and its type, decide what is asked. */
static void the_resolver_is_told_of_the_socket(struct contract *contract)
{
    struct scene scene;
    tl_socket six;
    open_scene(&scene, contract);
    answers_add(&scene.answers, 0, scene.addr);
    assert_int_equal(tl_loop_run_until_complete(scene.loop, start(&scene), NULL), 0);
    assert_int_equal(scene.answers.hints.family, TL_FAMILY_INET);
    assert_int_equal(scene.answers.hints.type, TL_STREAM);
    assert_string_equal(scene.answers.service, scene.port);
    assert_int_equal(tl_socket_open(scene.loop, TL_FAMILY_INET6, TL_DATAGRAM, &six), 0);
    answers_add(&scene.answers, 1, numeric("::1", 9));
    tl_future *future = tl_loop_sock_connect_host(scene.loop, six, "127.0.0.1", "9");
    assert_int_equal(tl_loop_run_until_complete(scene.loop, future, NULL), 0);
    assert_int_equal(scene.answers.hints.family, TL_FAMILY_INET6);
    assert_int_equal(scene.answers.hints.type, TL_DATAGRAM);
    tl_loop_free(scene.loop);
}

static void errors_are_explained(struct contract *contract)
{
    char message[128];
    struct scene scene;
    tl_socket other;
    open_scene(&scene, contract);
    scene.answers.answers[0].result = TL_EAI_AGAIN;
    snprintf(message, sizeof message, "looking up \"localhost\", service \"%s\": %s", scene.port,
             tl_strerror(TL_EAI_AGAIN));
    expect(&scene, start(&scene), TL_EAI_AGAIN, message);
    scene.answers.answers[0].result = 0;
    scene.answers.lookups = 0;
    expect(&scene, start(&scene), TL_EAI_NODATA, NULL);
    /* After that the socket is as before. */
    assert_int_equal(tl_socket_close(scene.loop, scene.listener), 0);
    answers_add(&scene.answers, 0, scene.addr);
    scene.answers.lookups = 0;
    snprintf(message, sizeof message, "Connect call failed 127.0.0.1:%s: %s", scene.port,
             tl_strerror(-ECONNREFUSED));
    expect(&scene, start(&scene), -ECONNREFUSED, message);
    expect(&scene, tl_loop_sock_connect_host(scene.loop, scene.socket, "localhost", "65536"),
           -EINVAL, "the port is not a number from 0 to 65535, nor a name");
    expect(&scene, tl_loop_sock_connect_host(scene.loop, scene.socket, NULL, NULL), -EINVAL,
           "host and port was not specified");
    expect(&scene, tl_loop_sock_connect_host(scene.loop, (tl_socket){-1}, "localhost", "9"), -EBADF,
           NULL);
    assert_int_equal(tl_socket_open(scene.loop, TL_FAMILY_UNIX, TL_STREAM, &other), 0);
    expect(&scene, tl_loop_sock_connect_host(scene.loop, other, "localhost", "9"), -EINVAL,
           "a socket of the Unix domain has a path, no host and port");
    tl_future *gone = tl_loop_shutdown_default_executor(scene.loop);
    assert_int_equal(tl_loop_run_until_complete(scene.loop, gone, NULL), 0);
    expect(&scene, tl_loop_sock_connect_host(scene.loop, scene.socket, "localhost", "9"), TL_ESTATE,
           "Executor shutdown has been called");
    tl_loop_free(scene.loop);
}

/* --- Meanwhile -------------------------------------------------------------------------------- */

static void cancelled_and_begun_again(struct contract *contract)
{
    struct scene scene;
    open_scene(&scene, contract);
    answers_add(&scene.answers, 0, numeric("192.0.2.1", 9));
    answers_add(&scene.answers, 1, scene.addr);
    tl_future *first = start(&scene);
    assert_true(tl_future_cancel(first));
    assert_int_equal(scene.answers.given_up, 1);
    tl_future *second =
        tl_loop_sock_connect_host(scene.loop, scene.socket, "localhost", scene.port);
    assert_int_equal(tl_loop_run_until_complete(scene.loop, second, NULL), 0);
    expect_connected(&scene);
    assert_int_equal(scene.answers.connects_count, 1);
    tl_future_unref(first);
    tl_loop_free(scene.loop);
}

/* It counts as the operation that writes. */
static void no_other_write_may_begin(struct contract *contract)
{
    struct scene scene;
    open_scene(&scene, contract);
    answers_add(&scene.answers, 0, scene.addr);
    tl_future *future = start(&scene);
    expect(&scene, tl_loop_sock_connect(scene.loop, scene.socket, &scene.addr), -EBUSY, NULL);
    assert_int_equal(tl_socket_release(scene.loop, scene.socket), -EBUSY);
    assert_int_equal(tl_loop_run_until_complete(scene.loop, future, NULL), 0);
    expect_connected(&scene);
    tl_loop_free(scene.loop);
}

static void closing_the_socket_fails_it(struct contract *contract)
{
    struct scene scene;
    open_scene(&scene, contract);
    tl_future *future = start(&scene);
    assert_int_equal(tl_socket_close(scene.loop, scene.socket), 0);
    assert_int_equal(scene.answers.given_up, 1);
    expect(&scene, future, -EBADF, NULL);
    tl_loop_free(scene.loop);
}

static void closing_the_loop_leaves_it_pending(struct contract *contract)
{
    struct scene scene;
    open_scene(&scene, contract);
    tl_future *future = start(&scene);
    assert_int_equal(tl_loop_close(scene.loop), 0);
    assert_false(tl_future_done(future));
    assert_true(tl_future_cancel(future));
    tl_future_unref(future);
    tl_loop_free(scene.loop);
}

/* The loop, which knows it for its use alone, does not forget it meanwhile. */
static void a_socket_made_elsewhere(struct contract *contract)
{
    struct scene scene;
    open_scene(&scene, contract);
    answers_add(&scene.answers, 0, scene.addr);
    assert_int_equal(tl_socket_release(scene.loop, scene.socket), 0);
    tl_future *future = start(&scene);
    int value;
    assert_int_equal(tl_socket_get_option(scene.loop, scene.socket, TL_OPTION_KEEPALIVE, &value),
                     0);
    assert_int_equal(tl_loop_run_until_complete(scene.loop, future, NULL), 0);
    expect_connected(&scene);
    assert_int_equal(tl_socket_close(scene.loop, scene.socket), 0);
    tl_loop_free(scene.loop);
}

/* --- Memory ----------------------------------------------------------------------------------- */

static void memory_runs_out(struct contract *contract)
{
    static struct scene scene;
    open_scene(&scene, contract);
    answers_add(&scene.answers, 0, scene.addr);
    ladder_arm(contract->ladder);
    tl_future *future =
        tl_loop_sock_connect_host(scene.loop, scene.socket, "localhost", scene.port);
    int r = tl_loop_run_until_complete(scene.loop, future, NULL);
    ladder_disarm(contract->ladder);
    if (!contract->ladder->hit)
        assert_int_equal(r, 0);
    else if (r < 0)
        assert_true(r == -ENOMEM || r == TL_EAI_MEMORY);
    /* Nothing of it is left at the socket. */
    assert_int_equal(tl_socket_release(scene.loop, scene.socket), 0);
    assert_int_equal(tl_socket_adopt(scene.loop, scene.socket.fd, &scene.socket), 0);
    assert_int_equal(tl_socket_close(scene.loop, scene.socket), 0);
    tl_loop_free(scene.loop);
}

static const struct contract_case cases[] = {
    CONTRACT(the_first_address_is_connected_to),
    CONTRACT(numbers_are_not_looked_up),
    CONTRACT(localhost_is_known),
    CONTRACT(the_resolver_is_told_of_the_socket),
    CONTRACT(errors_are_explained),
    CONTRACT(cancelled_and_begun_again),
    CONTRACT(no_other_write_may_begin),
    CONTRACT(closing_the_socket_fails_it),
    CONTRACT(closing_the_loop_leaves_it_pending),
    CONTRACT(a_socket_made_elsewhere),
    CONTRACT_LADDER(memory_runs_out, 5),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "sock by name", cases, sizeof cases / sizeof *cases);
}
