/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop.sock_sendfile: files over sockets of the program's own; and the allocation ladders of both
 * ways of sending.
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
#include "support/diary.h"
#include "support/files.h"
#include "support/patch.h"
#include "support/scene.h"

/* More than any socket's buffers hold. */
#define LARGE ((size_t)8 << 20)

struct pair {
    struct diary diary;
    tl_loop *loop;
    tl_socket one, other;
    size_t received; /* by receive */
    size_t wrong;
};

static void pair_open(struct pair *pair, struct contract *contract)
{
    memset(pair, 0, sizeof *pair);
    diary_open(&pair->diary, contract);
    pair->loop = pair->diary.loop;
    assert_int_equal(tl_socket_pair(pair->loop, &pair->one, &pair->other), 0);
}

static void pair_close(struct pair *pair)
{
    assert_int_equal(tl_socket_close(pair->loop, pair->one), 0);
    assert_int_equal(tl_socket_close(pair->loop, pair->other), 0);
    diary_close(&pair->diary, "");
}

/* That a file ends where it did is only known a turn later. */
static void expect_sent(struct pair *pair, tl_future *future, int64_t count)
{
    tl_value value;
    assert_int_equal(tl_loop_run_until_complete(pair->loop, future, &value), 0);
    assert_int_equal(value.integer, count);
}

static void expect_failed(tl_future *future, int code)
{
    assert_true(tl_future_done(future));
    assert_int_equal(tl_future_result(future, NULL), code);
    tl_future_unref(future);
}

static void expect_text(struct pair *pair, const char *text)
{
    char data[64];
    assert_int_equal(tl_socket_read(pair->loop, pair->other, data, sizeof data), strlen(text));
    assert_memory_equal(data, text, strlen(text));
}

#define SEND(pair, file, offset, count, fallback)                                                  \
    tl_loop_sock_sendfile((pair)->loop, (pair)->one, file, offset, count, fallback)

static void small_files(struct contract *contract)
{
    struct pair pair;
    pair_open(&pair, contract);
    int file = files_text(pair.loop, "0123456789"), empty = files_text(pair.loop, "");
    tl_future *future = SEND(&pair, file, 6, 3, false);
    assert_true(tl_future_done(future));
    expect_sent(&pair, future, 3);
    expect_text(&pair, "678");
    expect_sent(&pair, SEND(&pair, empty, 0, -1, false), 0);
    expect_sent(&pair, SEND(&pair, file, 10, -1, false), 0);
    expect_sent(&pair, SEND(&pair, file, 8, 100, true), 2);
    expect_text(&pair, "89");
    assert_int_equal(tl_loop_close_file(pair.loop, file), 0);
    assert_int_equal(tl_loop_close_file(pair.loop, empty), 0);
    pair_close(&pair);
}

/* --- Large files ------------------------------------------------------------------------------ */

static void receive(void *arg)
{
    struct pair *pair = arg;
    char data[65536];
    ssize_t n = tl_socket_read(pair->loop, pair->other, data, sizeof data);
    for (ssize_t i = 0; i < n; i++)
        pair->wrong += data[i] != pattern_byte(pair->received + (size_t)i);
    if (n > 0)
        pair->received += (size_t)n;
    if (n == 0 || pair->received == LARGE)
        tl_loop_stop(pair->loop);
}

static void send_large(struct pair *pair)
{
    int file = files_pattern(pair->loop, LARGE);
    tl_value value;
    tl_future *future = SEND(pair, file, 0, -1, true);
    assert_false(tl_future_done(future));
    assert_int_equal(tl_loop_close_file(pair->loop, file), -EBUSY);
    expect_failed(SEND(pair, file, 0, -1, true), -EBUSY);
    assert_int_equal(tl_loop_add_reader(pair->loop, pair->other, receive, pair), 0);
    assert_int_equal(tl_loop_run_forever(pair->loop), 0);
    assert_int_equal(tl_loop_run_until_complete(pair->loop, future, &value), 0);
    assert_int_equal(value.integer, LARGE);
    assert_int_equal(pair->received, LARGE);
    assert_int_equal(pair->wrong, 0);
    assert_int_equal(tl_loop_close_file(pair->loop, file), 0);
    pair_close(pair);
}

static void a_large_file(struct contract *contract)
{
    struct pair pair;
    pair_open(&pair, contract);
    send_large(&pair);
}

static ssize_t no_sendfile(struct tl_kernel *kernel, int fd, int file, int64_t *offset,
                           size_t count, struct tl_witness *witness)
{
    (void)kernel, (void)fd, (void)file, (void)offset, (void)count, (void)witness;
    return -ENOSYS;
}

static void where_the_system_cannot(struct contract *contract)
{
    struct pair pair;
    pair_open(&pair, contract);
    pair.diary.skipping.patch.ops.sendfile = no_sendfile;
    int file = files_text(pair.loop, "text");
    expect_failed(SEND(&pair, file, 0, -1, false), TL_ENOSENDFILE);
    expect_sent(&pair, SEND(&pair, file, 1, 2, true), 2);
    expect_text(&pair, "ex");
    assert_int_equal(tl_loop_close_file(pair.loop, file), 0);
    send_large(&pair);
}

/* --- Refusals and early ends ------------------------------------------------------------------ */

static void what_is_refused(struct contract *contract)
{
    struct pair pair;
    tl_socket datagram, reader, writer;
    pair_open(&pair, contract);
    int file = files_text(pair.loop, "text");
    assert_null(tl_loop_sock_sendfile(NULL, pair.one, file, 0, -1, true));
    expect_failed(SEND(&pair, file, -1, -1, true), -EINVAL);
    expect_failed(SEND(&pair, file, 0, 0, true), -EINVAL);
    expect_failed(SEND(&pair, file, 0, -7, true), -EINVAL);
    expect_failed(SEND(&pair, -1, 0, -1, true), -EBADF);
    expect_failed(SEND(&pair, pair.other.fd, 0, -1, false), TL_ENOSENDFILE);
    expect_failed(SEND(&pair, pair.other.fd, 0, -1, true), -ESPIPE);
    assert_int_equal(tl_socket_open(pair.loop, TL_FAMILY_INET, TL_DATAGRAM, &datagram), 0);
    tl_future *future = tl_loop_sock_sendfile(pair.loop, datagram, file, 0, -1, true);
    assert_string_equal(tl_future_exception(future)->message,
                        "only SOCK_STREAM type sockets are supported");
    expect_failed(future, -EINVAL);
    assert_int_equal(tl_pipe_open(pair.loop, &reader, &writer), 0);
    expect_failed(tl_loop_sock_sendfile(pair.loop, writer, file, 0, -1, true), -EINVAL);
    expect_failed(tl_loop_sock_sendfile(pair.loop, (tl_socket){99999}, file, 0, -1, true), -EBADF);
    assert_int_equal(tl_socket_close(pair.loop, datagram), 0);
    assert_int_equal(tl_socket_close(pair.loop, reader), 0);
    assert_int_equal(tl_socket_close(pair.loop, writer), 0);
    assert_int_equal(tl_loop_close_file(pair.loop, file), 0);
    pair_close(&pair);
}

static void cancelling_leaves_the_socket(struct contract *contract)
{
    struct pair pair;
    pair_open(&pair, contract);
    int file = files_pattern(pair.loop, LARGE);
    tl_future *future = SEND(&pair, file, 0, -1, true);
    assert_false(tl_future_done(future));
    assert_true(tl_future_cancel(future));
    tl_future_unref(future);
    assert_int_equal(tl_loop_close_file(pair.loop, file), 0);
    assert_int_equal(tl_socket_shutdown(pair.loop, pair.one, TL_SHUTDOWN_WRITE), 0);
    assert_int_equal(tl_loop_add_reader(pair.loop, pair.other, receive, &pair), 0);
    assert_int_equal(tl_loop_run_forever(pair.loop), 0);
    assert_true(pair.received > 0 && pair.received < LARGE);
    assert_int_equal(pair.wrong, 0);
    pair_close(&pair);
}

static void the_peer_goes(struct contract *contract)
{
    struct pair pair;
    pair_open(&pair, contract);
    int file = files_pattern(pair.loop, LARGE);
    tl_future *future = SEND(&pair, file, 0, -1, true);
    assert_false(tl_future_done(future));
    assert_int_equal(tl_socket_close(pair.loop, pair.other), 0);
    int r = tl_loop_run_until_complete(pair.loop, future, NULL);
    assert_true(r == -EPIPE || r == -ECONNRESET);
    assert_int_equal(tl_loop_close_file(pair.loop, file), 0);
    assert_int_equal(tl_socket_close(pair.loop, pair.one), 0);
    diary_close(&pair.diary, "");
}

static void closing_the_socket_ends_it(struct contract *contract)
{
    struct pair pair;
    pair_open(&pair, contract);
    int file = files_pattern(pair.loop, LARGE);
    tl_future *future = SEND(&pair, file, 0, -1, true);
    assert_false(tl_future_done(future));
    assert_int_equal(tl_socket_close(pair.loop, pair.one), 0);
    expect_failed(future, -EBADF);
    assert_int_equal(tl_loop_close_file(pair.loop, file), 0);
    assert_int_equal(tl_socket_close(pair.loop, pair.other), 0);
    diary_close(&pair.diary, "");
}

static void a_closed_loop_forgets_it(struct contract *contract)
{
    struct pair pair;
    pair_open(&pair, contract);
    pair.diary.skipping.patch.ops.sendfile = no_sendfile;
    tl_future *future = SEND(&pair, files_pattern(pair.loop, LARGE), 0, -1, true);
    assert_false(tl_future_done(future));
    diary_close(&pair.diary, "");
    assert_false(tl_future_done(future));
    tl_future_unref(future);
}

/* --- Files by themselves ---------------------------------------------------------------------- */

static void files_of_a_loop(struct contract *contract)
{
    struct diary diary;
    struct tl_stat status;
    char one[96], other[96], data[8];
    diary_open(&diary, contract);
    tl_loop *loop = diary.loop;
    files_path(one, sizeof one, "one");
    files_path(other, sizeof other, "other");
    assert_int_equal(tl_loop_open_file(loop, one, TL_OPEN_READ, 0), -ENOENT);
    int file = tl_loop_open_file(loop, one, TL_OPEN_WRITE | TL_OPEN_CREATE, 0600);
    assert_true(file >= 0);
    assert_int_equal(tl_loop_write_file(loop, file, "text", 4, 0), 4);
    assert_int_equal(tl_loop_sync_file(loop, file), 0);
    assert_int_equal(tl_loop_read_file(loop, file, data, 4, 0), -EBADF);
    assert_int_equal(tl_loop_close_file(loop, file), 0);
    assert_int_equal(tl_loop_close_file(loop, file), -EBADF);
    assert_int_equal(tl_loop_rename_file(loop, one, other), 0);
    assert_int_equal(tl_loop_stat_file(loop, one, &status), -ENOENT);
    assert_int_equal(tl_loop_stat_file(loop, other, &status), 0);
    assert_int_equal(status.size, 4);
    assert_int_equal(status.kind, TL_ADOPTED_FILE);
    file = tl_loop_open_file(loop, other, TL_OPEN_READ, 0);
    assert_int_equal(tl_loop_read_file(loop, file, data, 8, 1), 3);
    assert_memory_equal(data, "ext", 3);
    assert_int_equal(tl_loop_add_reader(loop, (tl_socket){file}, receive, NULL), -EPERM);
    assert_int_equal(tl_loop_unlink_file(loop, other), 0);
    assert_int_equal(tl_loop_open_file(loop, NULL, TL_OPEN_READ, 0), -EINVAL);
    assert_int_equal(tl_loop_open_file(NULL, other, TL_OPEN_READ, 0), -EINVAL);
    assert_int_equal(tl_loop_stat_file(loop, other, NULL), -EINVAL);
    assert_int_equal(tl_loop_read_file(loop, file, NULL, 1, 0), -EINVAL);
    diary_close(&diary, ""); /* the open one is closed with it */
}

/* --- Ladders ---------------------------------------------------------------------------------- */

struct climb {
    struct scene scene;
    int file;
    int code;
    bool native;
    struct kernel_patch patch;
};

static void climb_end(tl_future *future, void *arg)
{
    struct climb *climb = arg;
    climb->code = tl_future_result(future, NULL);
    if (climb->scene.client.transport != NULL)
        tl_transport_close(climb->scene.client.transport);
}

static int climb_send(struct side *side)
{
    struct climb *climb = tl_container_of(side->scene, struct climb, scene);
    ladder_arm(climb->scene.contract->ladder);
    tl_future *future =
        tl_loop_sendfile(climb->scene.loop, side->transport, climb->file, 0, -1, true);
    assert_non_null(future);
    int r = tl_future_add_done_callback(future, climb_end, climb);
    if (r < 0) {
        ladder_disarm(climb->scene.contract->ladder);
        climb->code = r;
        tl_transport_abort(side->transport);
        (void)tl_future_exception(future);
    }
    tl_future_unref(future);
    return 0;
}

static void climb_transport(struct contract *contract, bool native)
{
    static struct climb climb;
    memset(&climb, 0, sizeof climb);
    scene_open(&climb.scene, contract);
    climb.file = files_pattern(climb.scene.loop, LARGE);
    climb.scene.client.hooks.made = climb_send;
    climb.scene.peer.quiet = true;
    if (!native) {
        kernel_patch_apply(&climb.patch, tl_loop_kernel(climb.scene.loop));
        climb.patch.ops.sendfile = no_sendfile;
    }
    scene_connect(&climb.scene);
    scene_await(&climb.scene, 1);
    ladder_disarm(contract->ladder);
    bool hit = contract->ladder->hit; /* then either side may be the one that is lost */
    if (!hit) {
        scene_await(&climb.scene, 2);
        assert_int_equal(tl_loop_close_file(climb.scene.loop, climb.file), 0);
        assert_int_equal(climb.code, 0);
        assert_int_equal(climb.scene.peer.received, LARGE);
    }
    scene_close(&climb.scene);
    assert_int_equal(climb.scene.peer.wrong, 0);
}

static void memory_runs_out(struct contract *contract)
{
    climb_transport(contract, true);
}

static void memory_runs_out_for_pieces(struct contract *contract)
{
    climb_transport(contract, false);
}

static void memory_runs_out_for_a_socket(struct contract *contract)
{
    struct pair pair;
    pair_open(&pair, contract);
    pair.diary.skipping.patch.ops.sendfile = no_sendfile;
    int file = files_pattern(pair.loop, LARGE);
    ladder_arm(contract->ladder);
    tl_future *future = SEND(&pair, file, 0, -1, true);
    ladder_disarm(contract->ladder);
    assert_non_null(future);
    int r = tl_future_done(future) ? tl_future_result(future, NULL) : 0;
    assert_true(r == -ENOMEM || r == -ENOBUFS || (r == 0 && tl_future_cancel(future)));
    tl_future_unref(future);
    assert_int_equal(tl_loop_close_file(pair.loop, file), 0);
    pair_close(&pair);
}

static const struct contract_case cases[] = {
    CONTRACT(small_files),
    CONTRACT(a_large_file),
    CONTRACT(where_the_system_cannot),
    CONTRACT(what_is_refused),
    CONTRACT(cancelling_leaves_the_socket),
    CONTRACT(the_peer_goes),
    CONTRACT(closing_the_socket_ends_it),
    CONTRACT(a_closed_loop_forgets_it),
    CONTRACT(files_of_a_loop),
    CONTRACT_LADDER(memory_runs_out, 2),
    CONTRACT_LADDER(memory_runs_out_for_pieces, 3),
    CONTRACT_LADDER(memory_runs_out_for_a_socket, 3),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "sock_sendfile", cases, sizeof cases / sizeof *cases);
}
