/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory runs out while a program connects or serves by name: at every allocation there is a clean
 * error, nothing is left, and no socket stays open.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "support/answers.h"
#include "support/ladder.h"
#include "support/party.h"
#include "support/scene.h"

struct climb {
    struct scene scene;
    struct answers answers;
};

/* A loop with a server, and the resolver's answers; false when memory ran out. */
static bool open_climb(struct climb *climb, struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_loop *loop;

    memset(climb, 0, sizeof *climb);
    answers_apply(&climb->answers, kernel);
    if (tl_loop_new(kernel, &loop) < 0) {
        kernel->ops->destroy(kernel);
        return false;
    }
    if (scene_open_on(&climb->scene, loop) == 0) {
        ladder_arm(contract->ladder);
        return true;
    }
    scene_close(&climb->scene);
    return false;
}

/* Everything is given back before the ladder looks. */
static void close_climb(struct climb *climb, struct contract *contract, int result)
{
    size_t sockets = climb->answers.sockets_count;

    scene_close(&climb->scene);
    ladder_disarm(contract->ladder);
    if (result < 0)
        assert_int_equal(sockets, 1); /* the scene's own listener */
    assert_true(climb->scene.client.protocol.holds == 0);
}

static void connect_by_name(struct contract *contract, const tl_connection_opts *opts)
{
    static struct climb climb;
    struct scene *scene = &climb.scene;
    tl_value value = tl_value_none();

    assert_true(open_climb(&climb, contract));
    tl_addr good = answers_loopback((unsigned)atoi(scene->port));
    tl_addr bad = good;
    bad.data[3] = 2; /* where nobody listens */
    answers_add(&climb.answers, 0, bad);
    answers_add(&climb.answers, 0, good);
    answers_add(&climb.answers, 0, bad);
    answers_add(&climb.answers, 1, answers_loopback(0));
    tl_future *future = tl_loop_create_connection(scene->loop, scene_client_factory, scene,
                                                  "localhost", scene->port, opts);
    int r = tl_loop_run_until_complete(scene->loop, future, &value);
    tl_value_finish(&value);
    close_climb(&climb, contract, r);
    if (!contract->ladder->hit)
        assert_int_equal(r, 0);
    else if (r < 0 && r != -ECONNREFUSED)
        assert_true(r == -ENOMEM || r == TL_EAI_MEMORY);
}

static void one_after_the_other(struct contract *contract)
{
    static const tl_connection_opts opts = {.local_host = "localhost"};

    connect_by_name(contract, &opts);
}

static void happy_eyeballs(struct contract *contract)
{
    static const tl_connection_opts opts = {.happy_eyeballs_delay = 3600 * TL_SECOND};

    connect_by_name(contract, &opts);
}

static void nowhere_to_connect_to(struct contract *contract)
{
    static struct climb climb;
    struct scene *scene = &climb.scene;

    assert_true(open_climb(&climb, contract));
    for (uint8_t i = 2; i < 10; i++) {
        tl_addr addr = answers_loopback((unsigned)atoi(scene->port));
        addr.data[3] = i;
        answers_add(&climb.answers, 0, addr);
    }
    const tl_connection_opts opts = {.all_errors = contract->ladder->rung % 2 != 0};
    tl_future *future = tl_loop_create_connection(scene->loop, scene_client_factory, scene,
                                                  "localhost", scene->port, &opts);
    int r = tl_loop_run_until_complete(scene->loop, future, NULL);
    close_climb(&climb, contract, r);
    assert_true(r < 0);
    if (!contract->ladder->hit)
        assert_int_equal(r, -ECONNREFUSED);
}

static void servers(struct contract *contract)
{
    static const char *const hosts[] = {"localhost", "127.0.0.1", NULL, "localhost"};
    static struct climb climb;
    struct scene *scene = &climb.scene;
    tl_value value = tl_value_none();

    assert_true(open_climb(&climb, contract));
    answers_add(&climb.answers, 1, answers_loopback(0));
    answers_add(&climb.answers, 1, answers_loopback(0));
    tl_future *future = tl_loop_create_server(scene->loop, scene_peer_factory, scene, hosts, 4, "0",
                                              &(tl_server_opts){.family = TL_FAMILY_INET});
    int r = tl_loop_run_until_complete(scene->loop, future, &value);
    if (r == 0)
        tl_future_unref(tl_server_serve_forever(tl_value_server(&value)));
    tl_value_finish(&value);
    close_climb(&climb, contract, r);
    if (!contract->ladder->hit)
        assert_int_equal(r, 0);
    else if (r < 0)
        assert_true(r == -ENOMEM || r == TL_EAI_MEMORY);
}

static void datagrams(struct contract *contract)
{
    static const tl_datagram_opts opts = {.local_host = "localhost", .remote_host = "localhost"};
    static struct answers answers;
    static struct party party;
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_loop *loop;
    size_t sockets = 0;
    int r = -ENOMEM;

    answers = (struct answers){0};
    party = (struct party){0};
    answers_apply(&answers, kernel);
    answers_add(&answers, 0, numeric("2001:db8::1", 0));
    answers_add(&answers, 0, numeric("127.0.0.1", 0));
    answers_add(&answers, 1, numeric("127.0.0.1", 9));
    answers_add(&answers, 1, numeric("::1", 9));
    ladder_arm(contract->ladder);
    if (tl_loop_new(kernel, &loop) < 0) {
        kernel->ops->destroy(kernel);
    } else {
        r = party_open(&party, loop, NULL, NULL, &opts);
        ladder_disarm(contract->ladder);
        sockets = answers.sockets_count;
        tl_transport_unref(party.transport);
        tl_loop_free(loop);
    }
    ladder_disarm(contract->ladder);
    assert_int_equal(sockets, r == 0);
    if (!contract->ladder->hit)
        assert_int_equal(r, 0);
    else if (r < 0) /* or by what the first address came to */
        assert_true(r == -ENOMEM || r == TL_EAI_MEMORY || r == -EADDRNOTAVAIL);
}

static const struct contract_case cases[] = {
    CONTRACT_LADDER(one_after_the_other, 8),
    CONTRACT_LADDER(happy_eyeballs, 8),
    CONTRACT_LADDER(nowhere_to_connect_to, 8),
    CONTRACT_LADDER(servers, 8),
    CONTRACT_LADDER(datagrams, 8),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "names ladder", cases, sizeof cases / sizeof *cases);
}
