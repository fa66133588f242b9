/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both ends of a pipe; see ends.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "support/ends.h"

struct ends *ends_of(struct side *side)
{
    return tl_container_of(side->scene, struct ends, scene);
}

void ends_open(struct ends *ends, struct contract *contract, enum tl_pipe_kind kind)
{
    scene_open(&ends->scene, contract);
    ends->writer = &ends->scene.client;
    ends->reader = &ends->scene.peer;
    ends->kernel = tl_loop_kernel(ends->scene.loop);
    tl_socket sockets[2];
    tl_loop *loop = ends->scene.loop;
    int r = kind == TL_PIPE_ONE_WAY ? tl_pipe_open(loop, &sockets[0], &sockets[1])
                                    : tl_socket_pair(loop, &sockets[0], &sockets[1]);
    assert_int_equal(r, 0);
    ends->fds[0] = sockets[0].fd;
    ends->fds[1] = sockets[1].fd;
}

void ends_connect_reader(struct ends *ends)
{
    tl_future_detach(tl_loop_connect_read_pipe(ends->scene.loop, scene_peer_factory, &ends->scene,
                                               ends->fds[0]));
}

void ends_connect_writer(struct ends *ends)
{
    tl_future_detach(tl_loop_connect_write_pipe(ends->scene.loop, scene_client_factory,
                                                &ends->scene, ends->fds[1]));
}

void ends_play(struct ends *ends)
{
    ends_connect_reader(ends);
    ends_connect_writer(ends);
    scene_await(&ends->scene, 2);
    scene_close(&ends->scene);
}

void ends_settle(struct ends *ends)
{
    tl_future *future = tl_sleep(ends->scene.loop, 10 * TL_MILLISECOND);
    assert_int_equal(tl_loop_run_until_complete(ends->scene.loop, future, NULL), 0);
}

int ends_write_hello_and_close(struct side *side)
{
    int r = tl_transport_write(side->transport, "hello", 5);
    tl_transport_close(side->transport);
    return r;
}

int ends_send_large(struct side *side)
{
    side->total = ENDS_LARGE;
    return hook_send_at_once(side);
}
