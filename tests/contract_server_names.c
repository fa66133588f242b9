/* SPDX-License-Identifier: Apache-2.0 */
/*
 * create_server on names: several hosts, addresses that are the same, both families on one port,
 * lookups that fail, and being called off.
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
#include "support/answers.h"
#include "support/scene.h"

static const char *const named[] = {"localhost"};
static const char *const both[] = {"localhost", "127.0.0.1", "localhost"};

static tl_future *create(struct scene *scene, const char *const *hosts, size_t count,
                         const char *port, const tl_server_opts *opts)
{
    return tl_loop_create_server(scene->loop, scene_peer_factory, scene, hosts, count, port, opts);
}

/* The server; a reference of the caller's. */
static tl_server *finish(struct scene *scene, tl_future *future)
{
    tl_value value = tl_value_none();

    assert_int_equal(tl_loop_run_until_complete(scene->loop, future, &value), 0);
    tl_server *server = tl_server_ref(tl_value_server(&value));
    tl_value_finish(&value);
    return server;
}

static void end(tl_server *server)
{
    tl_server_close(server);
    tl_server_unref(server);
}

static void expect(struct scene *scene, struct answers *answers, tl_future *future, int code,
                   const char *message)
{
    int r = tl_loop_run_until_complete(scene->loop, tl_future_ref(future), NULL);

    assert_int_equal(r, code);
    if (message != NULL)
        assert_string_equal(tl_future_exception(future)->message, message);
    tl_future_unref(future);
    assert_int_equal(answers->sockets_count, 0);
}

/* A port that is free now, and that nobody else gets while the test has it bound elsewhere. */
static unsigned port_of(const tl_server *server)
{
    tl_addr addr;

    assert_int_equal(tl_server_address(server, 0, &addr), 0);
    return addr.port;
}

static void a_name_is_served(struct contract *contract)
{
    static const tl_server_opts opts = {.family = TL_FAMILY_INET};
    struct scene scene;
    char port[8];

    scene_open(&scene, contract);
    tl_server *server = finish(&scene, create(&scene, named, 1, "0", &opts));
    assert_true(tl_server_is_serving(server));
    assert_int_equal(tl_server_sockets_count(server), 1);
    snprintf(port, sizeof port, "%u", port_of(server));
    scene.client.hooks.made = hook_close;
    tl_future_detach(tl_loop_create_connection(scene.loop, scene_client_factory, &scene,
                                               "127.0.0.1", port, NULL));
    scene_await(&scene, 2);
    end(server);
    scene_close(&scene);
    assert_log(&scene.client, "made lost released");
}

static void an_address_is_bound_once(struct contract *contract)
{
    struct answers answers;
    struct scene scene;

    scene_open(&scene, contract);
    answers_apply(&answers, tl_loop_kernel(scene.loop));
    answers_add(&answers, 0, answers_loopback(0));
    answers_add(&answers, 0, answers_loopback(0));
    for (unsigned turn = 0; turn < 2; turn++)
        answers_add(&answers, 1, answers_loopback(0));
    tl_server *server = finish(&scene, create(&scene, both, 3, "0", NULL));
    assert_int_equal(answers.lookups, 2);
    assert_int_equal(answers.sockets_count, 1);
    assert_int_equal(tl_server_sockets_count(server), 1);
    end(server);
    assert_int_equal(answers.sockets_count, 0);
    scene_close(&scene);
}

static void every_address_is_bound(struct contract *contract)
{
    struct answers answers;
    struct scene scene;
    tl_addr addr;

    scene_open(&scene, contract);
    answers_apply(&answers, tl_loop_kernel(scene.loop));
    for (unsigned i = 1; i < 5; i++) {
        addr = answers_loopback(0);
        addr.data[3] = (uint8_t)i;
        answers_add(&answers, 0, addr);
    }
    tl_server *server = finish(&scene, create(&scene, named, 1, NULL, NULL));
    assert_int_equal(tl_server_sockets_count(server), 4);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(tl_server_address(server, i, &addr), 0);
        assert_int_equal(addr.data[3], i + 1);
        assert_int_not_equal(addr.port, 0);
    }
    end(server);
    scene_close(&scene);
}

/* An IPv6 socket is for IPv6 alone, so the two get on; where there is no IPv6 there is one less. */
static void both_families_share_a_port(struct contract *contract)
{
    static const char *const every[] = {NULL};
    static const char *const six[] = {"::1"};
    static const tl_server_opts four = {.family = TL_FAMILY_INET};
    struct scene scene;
    char port[8];
    tl_addr addr;

    scene_open(&scene, contract);
    tl_server *server = finish(&scene, create(&scene, every, 1, "0", &four));
    assert_int_equal(tl_server_sockets_count(server), 1);
    assert_int_equal(tl_server_address(server, 0, &addr), 0);
    assert_int_equal(addr.family, TL_FAMILY_INET);
    snprintf(port, sizeof port, "%u", addr.port);
    tl_future *future = create(&scene, six, 1, port, NULL);
    tl_value value = tl_value_none();
    int r = tl_loop_run_until_complete(scene.loop, future, &value);
    assert_true(r == 0 || r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL);
    tl_server_close(tl_value_server(&value));
    tl_value_finish(&value);
    end(server);
    scene_close(&scene);
}

static void a_service_has_a_port(struct contract *contract)
{
    static const char *const hosts[] = {"127.0.0.1"};
    struct answers answers;
    struct scene scene;

    scene_open(&scene, contract);
    answers_apply(&answers, tl_loop_kernel(scene.loop));
    answers_add(&answers, 0, answers_loopback(0));
    answers_add(&answers, 1, answers_loopback(0));
    tl_server *server = finish(&scene, create(&scene, hosts, 1, "http", NULL));
    assert_int_equal(answers.lookups, 1);
    assert_string_equal(answers.service, "http");
    assert_int_equal(answers.hints.type, TL_STREAM);
    assert_int_equal(answers.hints.flags, TL_AI_PASSIVE);
    end(server);
    /* Every interface, too. */
    server = finish(&scene, create(&scene, NULL, 0, "http", NULL));
    assert_int_equal(answers.lookups, 2);
    end(server);
    scene_close(&scene);
}

static void names_that_cannot_be_looked_up(struct contract *contract)
{
    struct answers answers;
    struct scene scene;
    char message[128];

    scene_open(&scene, contract);
    answers_apply(&answers, tl_loop_kernel(scene.loop));
    answers.answers[0].result = TL_EAI_NONAME;
    snprintf(message, sizeof message, "looking up \"localhost\", service \"7\": %s",
             tl_strerror(TL_EAI_NONAME));
    expect(&scene, &answers, create(&scene, named, 1, "7", NULL), TL_EAI_NONAME, message);
    answers.lookups = 0;
    answers.answers[0].result = 0;
    expect(&scene, &answers, create(&scene, named, 1, "7", NULL), TL_EAI_NODATA, NULL);
    /* One of several. */
    answers.lookups = 0;
    answers.answers[0].result = TL_EAI_AGAIN;
    answers_add(&answers, 1, answers_loopback(0));
    answers.answers[1].result = TL_EAI_AGAIN;
    expect(&scene, &answers, create(&scene, both, 3, "0", NULL), TL_EAI_AGAIN, NULL);
    assert_string_equal(scene.errors, "");
    scene_close(&scene);
}

static void a_bind_that_fails_undoes_the_others(struct contract *contract)
{
    struct answers answers;
    struct scene scene;
    char message[128];

    scene_open(&scene, contract);
    answers_apply(&answers, tl_loop_kernel(scene.loop));
    unsigned taken = (unsigned)atoi(scene.port);
    answers_add(&answers, 0, answers_loopback(0));
    answers_add(&answers, 0, answers_loopback(taken));
    snprintf(message, sizeof message, "error while attempting to bind on address 127.0.0.1:%u: %s",
             taken, tl_strerror(-EADDRINUSE));
    expect(&scene, &answers, create(&scene, named, 1, "0", NULL), -EADDRINUSE, message);
    scene_close(&scene);
}

static void cancelled_while_looking_up(struct contract *contract)
{
    struct answers answers;
    struct scene scene;

    scene_open(&scene, contract);
    answers_apply(&answers, tl_loop_kernel(scene.loop));
    tl_future *future = create(&scene, both, 3, "0", NULL);
    assert_int_equal(answers.lookups, 2);
    assert_true(tl_future_cancel(future));
    assert_int_equal(answers.given_up, 2);
    assert_int_equal(tl_loop_run_until_complete(scene.loop, future, NULL), -ECANCELED);
    assert_int_equal(answers.sockets_count, 0);
    scene_close(&scene);
}

static void finished_by_somebody_else(struct contract *contract)
{
    struct answers answers;
    struct scene scene;

    scene_open(&scene, contract);
    answers_apply(&answers, tl_loop_kernel(scene.loop));
    answers_add(&answers, 0, answers_loopback(0));
    answers_add(&answers, 1, answers_loopback(0));
    tl_future *future = create(&scene, named, 1, "0", NULL);
    assert_int_equal(tl_future_set_result(future, tl_value_int(1)), 0);
    tl_server *server = finish(&scene, create(&scene, named, 1, "0", NULL));
    assert_int_equal(answers.sockets_count, 1);
    end(server);
    tl_future_unref(future);
    scene_close(&scene);
}

static void pending_when_the_loop_is_closed(struct contract *contract)
{
    struct scene scene;

    scene_open(&scene, contract);
    tl_future *future = create(&scene, both, 3, "0", NULL);
    scene_close(&scene);
    assert_false(tl_future_done(future));
    assert_true(tl_future_cancel(future));
    tl_future_unref(future);
}

static const struct contract_case cases[] = {
    CONTRACT(a_name_is_served),
    CONTRACT(an_address_is_bound_once),
    CONTRACT(every_address_is_bound),
    CONTRACT(both_families_share_a_port),
    CONTRACT(a_service_has_a_port),
    CONTRACT(names_that_cannot_be_looked_up),
    CONTRACT(a_bind_that_fails_undoes_the_others),
    CONTRACT(cancelled_while_looking_up),
    CONTRACT(finished_by_somebody_else),
    CONTRACT(pending_when_the_loop_is_closed),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "server names", cases, sizeof cases / sizeof *cases);
}
