/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The allocation ladder over a whole life of connections: a loop, a server, a connection with a
 * full queue in one direction and an answer in the other, and the end. Whichever request for memory
 * fails, everything is told once and nothing is left.
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

/* More than any kernel here takes off a writer's hands before a reader reads. */
#define LARGE ((size_t)8 << 20)

/* Ends a run in which memory stays short for ever; not waited for, see skip.h. */
#define PATIENCE (4 * TL_SECOND)

struct climb {
    struct skipping skipping;
    struct scene scene;
    struct tl_timer patience;
};

static char large[LARGE];

static int send_large_and_eof(struct side *side)
{
    const tl_buf bufs[2] = {{large, LARGE / 2}, {large + LARGE / 2, LARGE / 2}};
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
    tl_future *future = tl_loop_create_connection(scene->loop, scene_client_factory, scene,
                                                  "127.0.0.1", scene->port, NULL);
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

static void connections(struct contract *contract)
{
    static struct climb climb;
    struct scene *scene = &climb.scene;
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_loop *loop;
    memset(&climb, 0, sizeof climb);
    skipping_apply(&climb.skipping, kernel);
    ladder_arm(contract->ladder);
    if (tl_loop_new(kernel, &loop) < 0) {
        kernel->ops->destroy(kernel);
        return;
    }
    int r = scene_open_on(scene, loop);
    if (r == 0)
        act(&climb);
    scene_close(scene);
    ladder_disarm(contract->ladder);
    tl_transport_unref(scene->peer.user);
    if (r < 0)
        return;
    check_side(&scene->client);
    check_side(&scene->peer);
    if (contract->ladder->hit)
        return;
    assert_log(&scene->client, "made pause resume data(answer) eof lost released");
    assert_log(&scene->peer, "made eof lost released");
    assert_int_equal(scene->peer.received, LARGE);
}

static const struct contract_case cases[] = {
    CONTRACT_LADDER(connections, 10),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "ladder", cases, sizeof cases / sizeof *cases);
}
