/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connect_read_pipe and connect_write_pipe, the ways to fail: arguments, descriptors in use,
 * cancelling, loops that are closed, read errors, and no memory.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "support/ends.h"
#include "support/patch.h"
#include "support/seam.h"

static tl_protocol *no_protocol(void *farg)
{
    (void)farg;
    return NULL;
}

static int result_of(struct ends *ends, tl_future *future)
{
    return tl_loop_run_until_complete(ends->scene.loop, future, NULL);
}

static void what_cannot_be_connected(struct contract *contract)
{
    static struct ends ends;
    ends_open(&ends, contract, TL_PIPE_ONE_WAY);
    tl_loop *loop = ends.scene.loop;
    struct scene *scene = &ends.scene;
    assert_int_equal(
        result_of(&ends, tl_loop_connect_read_pipe(loop, scene_peer_factory, scene, -1)), -EBADF);
    assert_int_equal(
        result_of(&ends, tl_loop_connect_write_pipe(loop, scene_peer_factory, scene, 12345)),
        -EBADF);
    assert_int_equal(result_of(&ends, tl_loop_connect_read_pipe(loop, NULL, NULL, ends.fds[0])),
                     -EINVAL);
    assert_int_equal(
        result_of(&ends, tl_loop_connect_write_pipe(loop, no_protocol, NULL, ends.fds[1])),
        -ENOMEM);
    assert_null(tl_loop_connect_read_pipe(NULL, scene_peer_factory, scene, ends.fds[0]));
    /* The descriptors are still the caller's. */
    seam_write_all(ends.kernel, ends.fds[1], "x", 1);
    assert_int_equal(tl_socket_close(ends.scene.loop, (tl_socket){ends.fds[1]}), 0);
    ends_connect_reader(&ends);
    scene_await(scene, 1);
    assert_log(ends.reader, "made data(x) eof lost released");
    scene_close(scene);
}

static void a_loop_that_is_closed(struct contract *contract)
{
    tl_loop *loop = contract_loop(contract);
    tl_value value = tl_value_none();
    assert_int_equal(tl_loop_close(loop), 0);
    tl_future *future = tl_loop_connect_read_pipe(loop, no_protocol, NULL, 0);
    assert_int_equal(tl_future_result(future, &value), TL_ECLOSED);
    tl_future_unref(future);
    tl_loop_free(loop);
}

static void cancelling_before_the_factory_is_called(struct contract *contract)
{
    static struct ends ends;
    ends_open(&ends, contract, TL_PIPE_ONE_WAY);
    tl_future *future =
        tl_loop_connect_read_pipe(ends.scene.loop, scene_peer_factory, &ends.scene, ends.fds[0]);
    assert_int_equal(tl_future_cancel(future), 1);
    tl_future_unref(future);
    ends_settle(&ends);
    assert_log(ends.reader, "");
    /* The descriptor is still the caller's. */
    assert_int_equal(tl_socket_close(ends.scene.loop, (tl_socket){ends.fds[0]}), 0);
    scene_close(&ends.scene);
}

static void closing_before_the_factory_is_called(struct contract *contract)
{
    static struct ends ends;
    ends_open(&ends, contract, TL_PIPE_ONE_WAY);
    ends_connect_reader(&ends);
    assert_int_equal(tl_socket_close(ends.scene.loop, (tl_socket){ends.fds[0]}), -EBUSY);
    ends.writer->hooks.made = hook_close;
    ends_connect_writer(&ends);
    scene_await(&ends.scene, 2);
    assert_log(ends.reader, "made eof lost released");
    scene_close(&ends.scene);
}

static void a_descriptor_in_use_is_refused(struct contract *contract)
{
    static struct ends ends;
    ends_open(&ends, contract, TL_PIPE_STREAM_PAIR);
    tl_loop *loop = ends.scene.loop;
    tl_future *received = tl_loop_sock_recv(loop, (tl_socket){ends.fds[0]}, 1);
    assert_int_equal(
        result_of(&ends, tl_loop_connect_read_pipe(loop, no_protocol, NULL, ends.fds[0])), -EBUSY);
    assert_int_equal(tl_future_cancel(received), 1);
    tl_future_unref(received);
    ends_connect_reader(&ends);
    ends_settle(&ends);
    assert_int_equal(
        result_of(&ends, tl_loop_connect_write_pipe(loop, no_protocol, NULL, ends.fds[0])), -EBUSY);
    scene_close(&ends.scene);
}

static void cancel(void *future)
{
    assert_int_equal(tl_future_cancel(future), 1);
}

static void cancelling_closes_the_transport(struct contract *contract)
{
    static struct ends ends;
    ends_open(&ends, contract, TL_PIPE_ONE_WAY);
    tl_future *future =
        tl_loop_connect_read_pipe(ends.scene.loop, scene_peer_factory, &ends.scene, ends.fds[0]);
    assert_int_equal(tl_loop_call_soon(ends.scene.loop, cancel, future, NULL), 0);
    scene_await(&ends.scene, 1);
    tl_future_unref(future);
    assert_log(ends.reader, "made lost released");
    assert_int_equal(ends.kernel->ops->close(ends.kernel, ends.fds[0]), -EBADF);
    scene_close(&ends.scene);
}

static void a_loop_closed_under_pipes(struct contract *contract)
{
    static struct ends ends;
    ends_open(&ends, contract, TL_PIPE_ONE_WAY);
    ends.writer->hooks.made = ends_send_large;
    ends_connect_writer(&ends);
    ends_settle(&ends);
    ends_connect_reader(&ends); /* and the loop is closed before the factory is called */
    scene_close(&ends.scene);
    assert_log(ends.writer, "made pause released");
    assert_log(ends.reader, "");
}

struct faulty {
    struct kernel_patch patch;
    int fd;
    int error;
};

static ssize_t faulty_read(struct tl_kernel *kernel, int fd, struct tl_message *messages,
                           size_t count)
{
    struct faulty *faulty = tl_container_of(kernel_patch(kernel), struct faulty, patch);
    return fd == faulty->fd ? faulty->error
                            : faulty->patch.inner->read(kernel, fd, messages, count);
}

static void fail_reading(struct contract *contract, int error, const char *log, const char *errors)
{
    static struct ends ends;
    static struct faulty faulty;
    ends_open(&ends, contract, TL_PIPE_ONE_WAY);
    faulty = (struct faulty){.fd = ends.fds[0], .error = error};
    kernel_patch_apply(&faulty.patch, ends.kernel);
    faulty.patch.ops.read = faulty_read;
    ends.writer->hooks.made = hook_write_hello;
    ends_play(&ends);
    assert_log(ends.reader, log);
    assert_string_equal(ends.scene.errors, errors);
}

static void a_read_error_is_reported(struct contract *contract)
{
    fail_reading(contract, -EFAULT, "made lost(EFAULT) released",
                 "Fatal read error on pipe transport: EFAULT\n");
}

static void but_not_a_terminals(struct contract *contract)
{
    fail_reading(contract, -EIO, "made lost(EIO) released", "");
}

/* --- The allocation ladder -------------------------------------------------------------------- */

static void memory_runs_out(struct contract *contract)
{
    static struct ends ends;
    ends_open(&ends, contract, TL_PIPE_ONE_WAY);
    ends.writer->hooks.made = ends_write_hello_and_close;
    ladder_arm(contract->ladder);
    tl_future *futures[] = {
        tl_loop_connect_read_pipe(ends.scene.loop, scene_peer_factory, &ends.scene, ends.fds[0]),
        tl_loop_connect_write_pipe(ends.scene.loop, scene_client_factory, &ends.scene, ends.fds[1]),
    };
    int connected = 0;
    for (size_t i = 0; i < 2; i++) {
        int r = tl_loop_run_until_complete(ends.scene.loop, futures[i], NULL);
        assert_true(r == 0 || r == -ENOMEM);
        connected += r == 0;
    }
    ladder_disarm(contract->ladder);
    if (connected == 2)
        scene_await(&ends.scene, 2);
    scene_close(&ends.scene);
    if (!contract->ladder->hit)
        assert_log(ends.reader, "made data(hello) eof lost released");
}

static const struct contract_case cases[] = {
    CONTRACT(what_cannot_be_connected),
    CONTRACT(a_loop_that_is_closed),
    CONTRACT(cancelling_before_the_factory_is_called),
    CONTRACT(closing_before_the_factory_is_called),
    CONTRACT(a_descriptor_in_use_is_refused),
    CONTRACT(cancelling_closes_the_transport),
    CONTRACT(a_loop_closed_under_pipes),
    CONTRACT(a_read_error_is_reported),
    CONTRACT(but_not_a_terminals),
    CONTRACT_LADDER(memory_runs_out, 6),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "pipe_fail", cases, sizeof cases / sizeof *cases);
}
