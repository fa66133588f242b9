/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connect_read_pipe and connect_write_pipe on pipes and socket pairs of the loop's kernel: a scene
 * in which the client writes and the peer reads.
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
#include "support/patch.h"
#include "support/scene.h"
#include "support/seam.h"

/* More than a pipe holds. */
#define LARGE ((size_t)1 << 20)

struct ends {
    struct scene scene;
    struct side *writer; /* the scene's client */
    struct side *reader; /* the scene's peer */
    struct tl_kernel *kernel;
    int fds[2]; /* to read, to write */
};

static struct ends *ends_of(struct side *side)
{
    return tl_container_of(side->scene, struct ends, scene);
}

static void open_ends(struct ends *ends, struct contract *contract, enum tl_pipe_kind kind)
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

static void connect_reader(struct ends *ends)
{
    tl_future_detach(tl_loop_connect_read_pipe(ends->scene.loop, scene_peer_factory, &ends->scene,
                                               ends->fds[0]));
}

static void connect_writer(struct ends *ends)
{
    tl_future_detach(tl_loop_connect_write_pipe(ends->scene.loop, scene_client_factory,
                                                &ends->scene, ends->fds[1]));
}

/* Connects both ends, runs until both are lost, and closes. */
static void play(struct ends *ends)
{
    connect_reader(ends);
    connect_writer(ends);
    scene_await(&ends->scene, 2);
    scene_close(&ends->scene);
}

/* Runs until the loop has had its chance to do everything it could. */
static void settle(struct ends *ends)
{
    tl_future *future = tl_sleep(ends->scene.loop, 10 * TL_MILLISECOND);
    assert_int_equal(tl_loop_run_until_complete(ends->scene.loop, future, NULL), 0);
}

/* --- Both ways to an end ---------------------------------------------------------------------- */

static int write_hello_and_close(struct side *side)
{
    int r = tl_transport_write(side->transport, "hello", 5);
    tl_transport_close(side->transport);
    return r;
}

static void bytes_and_then_the_end(struct contract *contract)
{
    static struct ends ends;
    open_ends(&ends, contract, TL_PIPE_ONE_WAY);
    ends.writer->hooks.made = write_hello_and_close;
    play(&ends);
    assert_log(ends.writer, "made lost released");
    assert_log(ends.reader, "made data(hello) eof lost released");
    assert_string_equal(ends.scene.errors, "");
}

static void the_same_on_a_pair(struct contract *contract)
{
    static struct ends ends;
    open_ends(&ends, contract, TL_PIPE_STREAM_PAIR);
    ends.writer->hooks.made = write_hello_and_close;
    play(&ends);
    assert_log(ends.writer, "made lost released");
    assert_log(ends.reader, "made data(hello) eof lost released");
}

static void the_same_with_buffers(struct contract *contract)
{
    static struct ends ends;
    open_ends(&ends, contract, TL_PIPE_ONE_WAY);
    side_init(ends.reader, &ends.scene, TL_PROTOCOL_BUFFERED, NULL);
    ends.writer->hooks.made = write_hello_and_close;
    play(&ends);
    assert_log(ends.reader, "made data(hello) eof lost released");
}

/* asyncio: there is no half-open pipe. */
static void what_eof_received_answers_means_nothing(struct contract *contract)
{
    static struct ends ends;
    open_ends(&ends, contract, TL_PIPE_ONE_WAY);
    ends.writer->hooks.made = hook_close;
    ends.reader->hooks.eof = hook_keep_open;
    play(&ends);
    assert_log(ends.reader, "made eof lost released");
}

static int complain(struct side *side)
{
    (void)side;
    return -EDOM;
}

static void an_error_of_eof_received_is_reported(struct contract *contract)
{
    static struct ends ends;
    open_ends(&ends, contract, TL_PIPE_ONE_WAY);
    ends.writer->hooks.made = hook_close;
    ends.reader->hooks.eof = complain;
    play(&ends);
    assert_log(ends.reader, "made eof lost released");
    assert_string_equal(ends.scene.errors, "Exception in callback protocol.eof_received(): EDOM\n");
}

static int log_closing(struct side *side)
{
    side_log(side, tl_transport_is_closing(side->transport) ? "closing" : "open");
    return 0;
}

static void a_pipe_is_closing_from_its_end_on(struct contract *contract)
{
    static struct ends ends;
    open_ends(&ends, contract, TL_PIPE_ONE_WAY);
    ends.writer->hooks.made = hook_close;
    ends.reader->hooks.made = log_closing;
    ends.reader->hooks.eof = log_closing;
    play(&ends);
    assert_log(ends.reader, "made open eof closing lost released");
}

static void a_reader_that_closes(struct contract *contract)
{
    static struct ends ends;
    open_ends(&ends, contract, TL_PIPE_ONE_WAY);
    ends.reader->hooks.made = hook_close;
    play(&ends);
    assert_log(ends.reader, "made lost released");
    assert_log(ends.writer, "made lost released");
}

static void a_reader_that_closes_a_pair(struct contract *contract)
{
    static struct ends ends;
    open_ends(&ends, contract, TL_PIPE_STREAM_PAIR);
    ends.reader->hooks.made = hook_close;
    play(&ends);
    assert_log(ends.reader, "made lost released");
    assert_log(ends.writer, "made lost released");
}

/* --- Writing more than there is room for ------------------------------------------------------ */

static void everything_arrives(struct contract *contract)
{
    static struct ends ends;
    open_ends(&ends, contract, TL_PIPE_ONE_WAY);
    ends.writer->hooks = (struct hooks){.made = hook_send_and_close, .resume = hook_send_and_close};
    ends.writer->quiet = true;
    ends.writer->total = LARGE;
    ends.reader->quiet = true;
    play(&ends);
    assert_int_equal(ends.reader->received, LARGE);
    assert_int_equal(ends.reader->wrong, 0);
    assert_log(ends.reader, "made eof lost released");
    assert_log(ends.writer, "made lost released");
}

static int send_large_and_eof(struct side *side)
{
    int r = hook_send_at_once(side);
    assert_true(tl_transport_get_write_buffer_size(side->transport) > 0);
    assert_int_equal(tl_transport_write_eof(side->transport), 0);
    assert_true(tl_transport_is_closing(side->transport));
    assert_int_equal(tl_transport_write(side->transport, "more", 4), TL_ECLOSED);
    return r;
}

static void write_eof_closes_when_all_is_written(struct contract *contract)
{
    static struct ends ends;
    open_ends(&ends, contract, TL_PIPE_ONE_WAY);
    ends.writer->hooks.made = send_large_and_eof;
    ends.writer->quiet = true;
    ends.writer->total = LARGE;
    ends.reader->quiet = true;
    play(&ends);
    assert_int_equal(ends.reader->received, LARGE);
    assert_int_equal(ends.reader->wrong, 0);
    assert_log(ends.reader, "made eof lost released");
    assert_log(ends.writer, "made lost released");
}

static int send_large(struct side *side)
{
    side->total = LARGE;
    return hook_send_at_once(side);
}

static void the_reader_goes_with_data_queued(struct contract *contract)
{
    static struct ends ends;
    open_ends(&ends, contract, TL_PIPE_ONE_WAY);
    ends.writer->hooks.made = send_large;
    connect_writer(&ends);
    settle(&ends);
    assert_log(ends.writer, "made pause");
    assert_int_equal(tl_socket_close(ends.scene.loop, (tl_socket){ends.fds[0]}), 0);
    scene_await(&ends.scene, 1);
    assert_log(ends.writer, "made pause lost(EPIPE) released");
    assert_string_equal(ends.scene.errors, "");
    scene_close(&ends.scene);
}

static int send_large_and_close(struct side *side)
{
    int r = send_large(side);
    tl_transport_close(side->transport);
    return r;
}

static void the_reader_goes_while_it_is_flushed(struct contract *contract)
{
    static struct ends ends;
    open_ends(&ends, contract, TL_PIPE_ONE_WAY);
    ends.writer->hooks.made = send_large_and_close;
    connect_writer(&ends);
    settle(&ends);
    assert_log(ends.writer, "made pause");
    assert_int_equal(tl_socket_close(ends.scene.loop, (tl_socket){ends.fds[0]}), 0);
    scene_await(&ends.scene, 1);
    assert_log(ends.writer, "made pause lost(EPIPE) released");
    scene_close(&ends.scene);
}

static int send_large_and_abort(struct side *side)
{
    int r = send_large(side);
    tl_transport_abort(side->transport);
    assert_int_equal(tl_transport_get_write_buffer_size(side->transport), 0);
    return r;
}

static void abort_drops_what_is_queued(struct contract *contract)
{
    static struct ends ends;
    open_ends(&ends, contract, TL_PIPE_ONE_WAY);
    ends.writer->hooks.made = send_large_and_abort;
    ends.reader->quiet = true;
    play(&ends);
    assert_log(ends.writer, "made pause lost released");
    assert_log(ends.reader, "made eof lost released");
    assert_in_range(ends.reader->received, 1, LARGE - 1);
}

static int write_to_nobody(struct side *side)
{
    struct ends *ends = ends_of(side);
    assert_int_equal(tl_socket_close(ends->scene.loop, (tl_socket){ends->fds[0]}), 0);
    return tl_transport_write(side->transport, "x", 1);
}

/* asyncio: an error of write is connection_lost's to tell. */
static void a_write_that_fails(struct contract *contract)
{
    static struct ends ends;
    open_ends(&ends, contract, TL_PIPE_ONE_WAY);
    ends.writer->hooks.made = write_to_nobody;
    connect_writer(&ends);
    scene_await(&ends.scene, 1);
    assert_log(ends.writer, "made lost(EPIPE) released");
    scene_close(&ends.scene);
}

/* asyncio: whatever there is to read at an end for writing, it is taken for the peer's end. */
static void what_a_peer_says_ends_the_writing(struct contract *contract)
{
    static struct ends ends;
    open_ends(&ends, contract, TL_PIPE_STREAM_PAIR);
    connect_writer(&ends);
    settle(&ends);
    assert_log(ends.writer, "made");
    seam_write_all(ends.kernel, ends.fds[0], "x", 1);
    scene_await(&ends.scene, 1);
    assert_log(ends.writer, "made lost released");
    scene_close(&ends.scene);
}

struct warnings {
    int count;
    char last[96];
};

static void note_warning(enum tl_log_level level, const char *text, void *arg)
{
    struct warnings *warnings = arg;
    if (level != TL_LOG_WARNING)
        return;
    warnings->count++;
    (void)snprintf(warnings->last, sizeof warnings->last, "%s", text);
}

static int close_and_write(struct side *side)
{
    tl_transport_close(side->transport);
    for (int i = 0; i < 7; i++)
        assert_int_equal(tl_transport_write(side->transport, "x", 1), TL_ECLOSED);
    return 0;
}

static void late_writes_are_counted(struct contract *contract)
{
    static struct ends ends;
    struct warnings warnings = {.count = 0};
    open_ends(&ends, contract, TL_PIPE_ONE_WAY);
    ends.writer->hooks.made = close_and_write;
    tl_set_log_handler(note_warning, &warnings);
    play(&ends);
    tl_set_log_handler(NULL, NULL);
    assert_int_equal(warnings.count, 3); /* from the fifth on */
    assert_string_equal(warnings.last,
                        "pipe closed by peer or os.write(pipe, data) raised exception.");
    assert_log(ends.reader, "made eof lost released");
}

/* --- Pausing ---------------------------------------------------------------------------------- */

static int pause(struct side *side)
{
    return tl_transport_pause_reading(side->transport);
}

static void a_paused_reader_hears_nothing(struct contract *contract)
{
    static struct ends ends;
    open_ends(&ends, contract, TL_PIPE_ONE_WAY);
    ends.reader->hooks.made = pause;
    ends.writer->hooks.made = write_hello_and_close;
    connect_reader(&ends);
    connect_writer(&ends);
    scene_await(&ends.scene, 1);
    settle(&ends);
    assert_log(ends.reader, "made");
    assert_false(tl_transport_is_reading(ends.reader->transport));
    assert_int_equal(tl_transport_resume_reading(ends.reader->transport), 0);
    assert_true(tl_transport_is_reading(ends.reader->transport));
    scene_await(&ends.scene, 2);
    assert_log(ends.reader, "made data(hello) eof lost released");
    scene_close(&ends.scene);
}

/* --- What each kind can do -------------------------------------------------------------------- */

static int ask_reader(struct side *side)
{
    tl_transport *transport = side->transport;
    const tl_buf buf = {"x", 1};
    assert_int_equal(tl_transport_write(transport, "x", 1), -EOPNOTSUPP);
    assert_int_equal(tl_transport_writelines(transport, &buf, 1), -EOPNOTSUPP);
    assert_false(tl_transport_can_write_eof(transport));
    assert_int_equal(tl_transport_write_eof(transport), -EOPNOTSUPP);
    assert_int_equal(tl_transport_set_write_buffer_limits(transport, 1, 0), -EOPNOTSUPP);
    assert_int_equal(tl_transport_get_write_buffer_size(transport), 0);
    assert_true(tl_transport_is_reading(transport));
    return 0;
}

static int ask_writer(struct side *side)
{
    tl_transport *transport = side->transport;
    assert_int_equal(tl_transport_pause_reading(transport), -EOPNOTSUPP);
    assert_int_equal(tl_transport_resume_reading(transport), -EOPNOTSUPP);
    assert_false(tl_transport_is_reading(transport));
    assert_true(tl_transport_can_write_eof(transport));
    tl_transport_close(transport);
    return 0;
}

static void each_goes_one_way(struct contract *contract)
{
    static struct ends ends;
    open_ends(&ends, contract, TL_PIPE_ONE_WAY);
    ends.reader->hooks.made = ask_reader;
    ends.writer->hooks.made = ask_writer;
    play(&ends);
    assert_log(ends.writer, "made lost released");
}

static int ask_for_names(struct side *side)
{
    struct ends *ends = ends_of(side);
    const tl_value none = tl_value_int(-7);
    tl_transport *transport = side->transport;
    const tl_value *value = tl_transport_get_extra_info(transport, "pipe", NULL);
    assert_int_equal(value->kind, TL_VALUE_INT);
    assert_int_equal(value->integer, ends->fds[side == ends->writer]);
    assert_ptr_equal(tl_transport_get_extra_info(transport, "socket", &none), &none);
    assert_ptr_equal(tl_transport_get_extra_info(transport, "sockname", &none), &none);
    assert_ptr_equal(tl_transport_get_extra_info(transport, "peername", NULL), NULL);
    side->user = tl_transport_ref(transport);
    if (side == ends->writer)
        tl_transport_close(transport);
    return 0;
}

static void a_pipe_is_known_as_such(struct contract *contract)
{
    static struct ends ends;
    open_ends(&ends, contract, TL_PIPE_ONE_WAY);
    ends.reader->hooks.made = ask_for_names;
    ends.writer->hooks.made = ask_for_names;
    play(&ends);
    tl_transport *transport = ends.reader->user;
    assert_int_equal(tl_transport_get_extra_info(transport, "pipe", NULL)->integer, -1);
    assert_null(tl_transport_get_protocol(transport));
    tl_transport_unref(transport);
    tl_transport_unref(ends.writer->user);
}

/* --- Failing ---------------------------------------------------------------------------------- */

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
    open_ends(&ends, contract, TL_PIPE_ONE_WAY);
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
    connect_reader(&ends);
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
    open_ends(&ends, contract, TL_PIPE_ONE_WAY);
    tl_future *future =
        tl_loop_connect_read_pipe(ends.scene.loop, scene_peer_factory, &ends.scene, ends.fds[0]);
    assert_int_equal(tl_future_cancel(future), 1);
    tl_future_unref(future);
    settle(&ends);
    assert_log(ends.reader, "");
    /* The descriptor is still the caller's. */
    assert_int_equal(tl_socket_close(ends.scene.loop, (tl_socket){ends.fds[0]}), 0);
    scene_close(&ends.scene);
}

static void closing_before_the_factory_is_called(struct contract *contract)
{
    static struct ends ends;
    open_ends(&ends, contract, TL_PIPE_ONE_WAY);
    connect_reader(&ends);
    assert_int_equal(tl_socket_close(ends.scene.loop, (tl_socket){ends.fds[0]}), -EBUSY);
    ends.writer->hooks.made = hook_close;
    connect_writer(&ends);
    scene_await(&ends.scene, 2);
    assert_log(ends.reader, "made eof lost released");
    scene_close(&ends.scene);
}

static void a_descriptor_in_use_is_refused(struct contract *contract)
{
    static struct ends ends;
    open_ends(&ends, contract, TL_PIPE_STREAM_PAIR);
    tl_loop *loop = ends.scene.loop;
    tl_future *received = tl_loop_sock_recv(loop, (tl_socket){ends.fds[0]}, 1);
    assert_int_equal(
        result_of(&ends, tl_loop_connect_read_pipe(loop, no_protocol, NULL, ends.fds[0])), -EBUSY);
    assert_int_equal(tl_future_cancel(received), 1);
    tl_future_unref(received);
    connect_reader(&ends);
    settle(&ends);
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
    open_ends(&ends, contract, TL_PIPE_ONE_WAY);
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
    open_ends(&ends, contract, TL_PIPE_ONE_WAY);
    ends.writer->hooks.made = send_large;
    connect_writer(&ends);
    settle(&ends);
    connect_reader(&ends); /* and the loop is closed before the factory is called */
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
    open_ends(&ends, contract, TL_PIPE_ONE_WAY);
    faulty = (struct faulty){.fd = ends.fds[0], .error = error};
    kernel_patch_apply(&faulty.patch, ends.kernel);
    faulty.patch.ops.read = faulty_read;
    ends.writer->hooks.made = hook_write_hello;
    play(&ends);
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
    open_ends(&ends, contract, TL_PIPE_ONE_WAY);
    ends.writer->hooks.made = write_hello_and_close;
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
    CONTRACT(bytes_and_then_the_end),
    CONTRACT(the_same_on_a_pair),
    CONTRACT(the_same_with_buffers),
    CONTRACT(what_eof_received_answers_means_nothing),
    CONTRACT(an_error_of_eof_received_is_reported),
    CONTRACT(a_pipe_is_closing_from_its_end_on),
    CONTRACT(a_reader_that_closes),
    CONTRACT(a_reader_that_closes_a_pair),
    CONTRACT(everything_arrives),
    CONTRACT(write_eof_closes_when_all_is_written),
    CONTRACT(the_reader_goes_with_data_queued),
    CONTRACT(the_reader_goes_while_it_is_flushed),
    CONTRACT(abort_drops_what_is_queued),
    CONTRACT(a_write_that_fails),
    CONTRACT(what_a_peer_says_ends_the_writing),
    CONTRACT(late_writes_are_counted),
    CONTRACT(a_paused_reader_hears_nothing),
    CONTRACT(each_goes_one_way),
    CONTRACT(a_pipe_is_known_as_such),
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
    return contract_main(argc, argv, "pipe_transport", cases, sizeof cases / sizeof *cases);
}
