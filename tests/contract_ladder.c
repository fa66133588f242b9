/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The allocation ladder over a whole life of connections: a loop, a server, a connection with a
 * full queue in one direction and an answer in the other, and the end. Whichever request for memory
 * fails, everything is told once and nothing is left.
 *
 * Not in the replay worlds: recorders and replayers ask for memory too, and not the same.
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
#include "support/ladder.h"
#include "support/scene.h"
#include "support/skip.h"

/* More than any kernel here takes off a writer's hands before a reader reads. */
#define LARGE ((size_t)8 << 20)

/* Ends a run in which memory stays short for ever; not waited for, see skip.h. */
#define PATIENCE (4 * TL_SECOND)

struct climb {
    struct contract *contract;
    struct ladder ladder;
    struct skipping skipping;
    struct scene scene;
    struct tl_timer patience;
    char *large;
    int made; /* protocols that the factories gave */
};

static struct climb *climb_of(struct side *side)
{
    return tl_container_of(side->scene, struct climb, scene);
}

static int send_large_and_eof(struct side *side)
{
    const tl_buf bufs[2] = {{climb_of(side)->large, LARGE / 2},
                            {climb_of(side)->large + LARGE / 2, LARGE / 2}};
    (void)tl_transport_get_extra_info(side->transport, "sockname", NULL);
    int r = tl_transport_writelines(side->transport, bufs, 2);
    return r < 0 ? r : tl_transport_write_eof(side->transport);
}

static int answer(struct side *side)
{
    return tl_transport_write(side->transport, "answer", 6);
}

static int keep_reference(struct side *side)
{
    side->user = tl_transport_ref(side->transport);
    return 0;
}

static void patience_ends(void *arg)
{
    tl_loop_stop(arg);
}

static void cast_sides(struct climb *climb)
{
    struct scene *scene = &climb->scene;
    static const struct hooks client = {.made = send_large_and_eof};
    static const struct hooks peer = {.made = keep_reference, .eof = answer};
    side_init(&scene->client, scene, TL_PROTOCOL_STREAM, &client);
    side_init(&scene->peer, scene, TL_PROTOCOL_BUFFERED, &peer);
    scene->peer.quiet = true;
}

static void act(struct climb *climb)
{
    struct scene *scene = &climb->scene;
    tl_timer_init(&climb->patience, scene->loop, patience_ends, scene->loop);
    if (tl_timer_start(&climb->patience, tl_loop_time(scene->loop) + PATIENCE) < 0)
        return;
    cast_sides(climb);
    tl_future *future = tl_loop_create_connection(scene->loop, scene_client_factory, scene, NULL,
                                                  scene->port, NULL);
    tl_future *closed = tl_server_wait_closed(scene->server);
    int r = tl_loop_run_until_complete(scene->loop, future, NULL);
    scene->awaited = 2;
    if (r == 0 && scene->lost < 2)
        (void)tl_loop_run_forever(scene->loop);
    tl_server_close(scene->server);
    (void)tl_future_exception(closed);
    tl_future_unref(closed);
    tl_timer_stop(&climb->patience);
}

/* A protocol was released once if it was ever given out, told of its end if of its beginning. */
static void check_side(struct side *side)
{
    const char *released = strstr(side->log, "released");
    const char *made = strstr(side->log, "made");
    assert_true(side->protocol.holds == 0);
    assert_true(released == NULL || strstr(released + 1, "released") == NULL);
    assert_true(made == NULL || released != NULL);
}

static void scenario(void *arg)
{
    struct climb *climb = arg;
    struct scene *scene = &climb->scene;
    struct tl_kernel *kernel = contract_kernel(climb->contract);
    tl_loop *loop;
    memset(scene, 0, sizeof *scene);
    skipping_apply(&climb->skipping, kernel);
    ladder_arm(&climb->ladder);
    if (tl_loop_new(kernel, &loop) < 0) {
        kernel->ops->destroy(kernel);
        return;
    }
    int r = scene_open_on(scene, loop);
    if (r == 0)
        act(climb);
    scene_close(scene);
    ladder_disarm(&climb->ladder);
    tl_transport_unref(scene->peer.user);
    if (r < 0)
        return;
    check_side(&scene->client);
    check_side(&scene->peer);
    if (climb->ladder.hit)
        return;
    assert_log(&scene->client, "made pause resume data(answer) eof lost released");
    assert_log(&scene->peer, "made eof lost released");
    assert_int_equal(scene->peer.received, LARGE);
}

static void connections(struct contract *contract)
{
    struct climb *climb = calloc(1, sizeof *climb);
    climb->contract = contract;
    climb->large = calloc(1, LARGE);
    ladder_install(&climb->ladder);
    ladder_climb(&climb->ladder, scenario, climb);
    ladder_remove(&climb->ladder);
    print_message("%zu rungs\n", climb->ladder.rungs);
    assert_true(climb->ladder.rungs >= 10);
    free(climb->large);
    free(climb);
}

static const struct contract_case cases[] = {
    CONTRACT_ONLY(connections, CONTRACT_REAL | CONTRACT_SIM),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "ladder", cases, sizeof cases / sizeof *cases);
}
