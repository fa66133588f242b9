/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors of the program's own: making and asking them, add_reader and add_writer and their
 * removal, and telling them from those that a transport has.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include "support/diary.h"
#include "support/scene.h"

/* A loop with two sockets that are connected to each other. */
struct pair {
    struct diary diary;
    tl_loop *loop;
    tl_socket one, other;
};

static void pair_open(struct pair *pair, struct contract *contract)
{
    diary_open(&pair->diary, contract);
    pair->loop = pair->diary.loop;
    assert_int_equal(tl_socket_pair(pair->loop, &pair->one, &pair->other), 0);
}

static void pair_close(struct pair *pair, const char *word)
{
    assert_int_equal(tl_socket_close(pair->loop, pair->one), 0);
    assert_int_equal(tl_socket_close(pair->loop, pair->other), 0);
    diary_close(&pair->diary, word);
}

static void say(struct pair *pair, const char *text)
{
    assert_int_equal(tl_socket_write(pair->loop, pair->other, text, strlen(text)), strlen(text));
}

static void expect_to_read(struct pair *pair, const char *text)
{
    char buf[64];
    ssize_t n = tl_socket_read(pair->loop, pair->one, buf, sizeof buf);
    assert_int_equal(n, strlen(text));
    assert_memory_equal(buf, text, strlen(text));
}

/* --- Making and asking ------------------------------------------------------------------------ */

static void a_pair_carries_bytes(struct contract *contract)
{
    struct pair pair;
    char byte;
    pair_open(&pair, contract);
    assert_int_equal(tl_socket_read(pair.loop, pair.one, &byte, 1), -EAGAIN);
    say(&pair, "hello");
    expect_to_read(&pair, "hello");
    assert_int_equal(tl_socket_shutdown(pair.loop, pair.other, TL_SHUTDOWN_WRITE), 0);
    assert_int_equal(tl_socket_read(pair.loop, pair.one, &byte, 1), 0);
    pair_close(&pair, "");
}

static void a_pipe_carries_bytes(struct contract *contract)
{
    tl_loop *loop = contract_loop(contract);
    tl_socket reader, writer;
    char buf[8];
    assert_int_equal(tl_pipe_open(loop, &reader, &writer), 0);
    assert_int_equal(tl_socket_write(loop, writer, "pipe", 4), 4);
    assert_int_equal(tl_socket_read(loop, reader, buf, sizeof buf), 4);
    assert_memory_equal(buf, "pipe", 4);
    assert_int_equal(tl_socket_close(loop, writer), 0);
    assert_int_equal(tl_socket_read(loop, reader, buf, sizeof buf), 0);
    assert_int_equal(tl_socket_close(loop, reader), 0);
    tl_loop_free(loop);
}

static void names_and_options(struct contract *contract)
{
    tl_loop *loop = contract_loop(contract);
    tl_socket socket;
    tl_addr addr, found;
    int value = -1;
    assert_int_equal(tl_addr_parse("127.0.0.1", 0, &addr), 0);
    assert_int_equal(tl_socket_open(loop, TL_FAMILY_INET, TL_STREAM, &socket), 0);
    assert_int_equal(tl_socket_set_option(loop, socket, TL_OPTION_REUSEADDR, 1), 0);
    assert_int_equal(tl_socket_get_option(loop, socket, TL_OPTION_REUSEADDR, &value), 0);
    assert_int_equal(value, 1);
    assert_int_equal(tl_socket_bind(loop, socket, &addr), 0);
    assert_int_equal(tl_socket_listen(loop, socket, 1), 0);
    assert_int_equal(tl_socket_address(loop, socket, TL_ADDRESS_LOCAL, &found), 0);
    assert_true(found.port != 0);
    assert_int_equal(tl_socket_address(loop, socket, TL_ADDRESS_PEER, &found), -ENOTCONN);
    assert_int_equal(tl_socket_close(loop, socket), 0);
    tl_loop_free(loop);
}

static void closing_the_loop_closes_them(struct contract *contract)
{
    struct diary diary;
    tl_socket one, other;
    diary_open(&diary, contract);
    assert_int_equal(tl_socket_pair(diary.loop, &one, &other), 0);
    assert_int_equal(tl_loop_add_reader(diary.loop, one, diary_note_x, &diary), 0);
    assert_int_equal(tl_loop_close(diary.loop), 0);
    assert_int_equal(tl_loop_add_reader(diary.loop, one, diary_note_x, &diary), TL_ECLOSED);
    assert_int_equal(tl_loop_remove_reader(diary.loop, one), 0);
    assert_int_equal(tl_socket_close(diary.loop, one), TL_ECLOSED);
    assert_int_equal(tl_socket_pair(diary.loop, &one, &other), TL_ECLOSED);
    diary_close(&diary, "");
}

static void released_and_used_again(struct contract *contract)
{
    struct pair pair;
    pair_open(&pair, contract);
    assert_int_equal(tl_socket_release(pair.loop, pair.one), 0);
    assert_int_equal(tl_loop_add_reader(pair.loop, pair.one, diary_note_x, &pair.diary), 0);
    say(&pair, "again");
    diary_turn(&pair.diary);
    expect_to_read(&pair, "again");
    assert_int_equal(tl_loop_remove_reader(pair.loop, pair.one), 1);
    pair_close(&pair, "x");
}

static void bad_arguments(struct contract *contract)
{
    tl_loop *loop = contract_loop(contract);
    const tl_socket none = {-1}, closed = {900};
    tl_socket socket;
    assert_int_equal(tl_socket_open(NULL, TL_FAMILY_INET, TL_STREAM, &socket), -EINVAL);
    assert_int_equal(tl_socket_open(loop, TL_FAMILY_INET, TL_STREAM, NULL), -EINVAL);
    assert_int_equal(tl_socket_pair(loop, &socket, NULL), -EINVAL);
    assert_int_equal(tl_loop_add_reader(loop, none, diary_note_x, NULL), -EBADF);
    assert_int_equal(tl_loop_add_reader(loop, closed, diary_note_x, NULL), -EBADF);
    assert_int_equal(tl_loop_add_reader(loop, none, NULL, NULL), -EINVAL);
    assert_int_equal(tl_loop_add_writer(NULL, none, diary_note_x, NULL), -EINVAL);
    assert_int_equal(tl_loop_remove_reader(loop, none), 0);
    assert_int_equal(tl_loop_remove_writer(loop, closed), 0);
    assert_int_equal(tl_loop_remove_writer(NULL, none), -EINVAL);
    assert_int_equal(tl_socket_close(loop, closed), -EBADF);
    tl_loop_free(loop);
}

/* --- Readers and writers ---------------------------------------------------------------------- */

static void a_reader_is_called_until_removed(struct contract *contract)
{
    struct pair pair;
    pair_open(&pair, contract);
    assert_int_equal(tl_loop_add_reader(pair.loop, pair.one, diary_note_x, &pair.diary), 0);
    diary_turn(&pair.diary);
    assert_string_equal(pair.diary.word, "");
    say(&pair, "a");
    diary_turn(&pair.diary);
    diary_turn(&pair.diary);
    assert_string_equal(pair.diary.word, "xx");
    expect_to_read(&pair, "a");
    diary_turn(&pair.diary);
    say(&pair, "b");
    assert_int_equal(tl_loop_remove_reader(pair.loop, pair.one), 1);
    assert_int_equal(tl_loop_remove_reader(pair.loop, pair.one), 0);
    diary_turn(&pair.diary);
    pair_close(&pair, "xx");
}

static void the_reader_comes_before_the_writer(struct contract *contract)
{
    struct pair pair;
    pair_open(&pair, contract);
    assert_int_equal(tl_loop_add_writer(pair.loop, pair.one, diary_note_y, &pair.diary), 0);
    assert_int_equal(tl_loop_add_reader(pair.loop, pair.one, diary_note_x, &pair.diary), 0);
    diary_turn(&pair.diary);
    assert_string_equal(pair.diary.word, "y");
    say(&pair, "a");
    diary_turn(&pair.diary);
    assert_string_equal(pair.diary.word, "yxy");
    assert_int_equal(tl_loop_remove_writer(pair.loop, pair.one), 1);
    diary_turn(&pair.diary);
    assert_int_equal(tl_loop_remove_reader(pair.loop, pair.one), 1);
    pair_close(&pair, "yxyx");
}

static void the_end_counts_as_readable(struct contract *contract)
{
    struct pair pair;
    pair_open(&pair, contract);
    assert_int_equal(tl_loop_add_reader(pair.loop, pair.one, diary_note_x, &pair.diary), 0);
    assert_int_equal(tl_socket_shutdown(pair.loop, pair.other, TL_SHUTDOWN_WRITE), 0);
    diary_turn(&pair.diary);
    expect_to_read(&pair, "");
    assert_int_equal(tl_loop_remove_reader(pair.loop, pair.one), 1);
    pair_close(&pair, "x");
}

static void another_reader_replaces_the_first(struct contract *contract)
{
    struct pair pair;
    pair_open(&pair, contract);
    assert_int_equal(tl_loop_add_writer(pair.loop, pair.one, diary_note_y, &pair.diary), 0);
    assert_int_equal(tl_loop_add_reader(pair.loop, pair.one, diary_note_y, &pair.diary), 0);
    assert_int_equal(tl_loop_add_reader(pair.loop, pair.one, diary_note_x, &pair.diary), 0);
    say(&pair, "a");
    diary_turn(&pair.diary);
    assert_int_equal(tl_loop_remove_writer(pair.loop, pair.one), 1);
    pair_close(&pair, "xy");
}

static void remove_both(void *arg)
{
    struct pair *pair = arg;
    diary_note(&pair->diary, 'r');
    assert_int_equal(tl_loop_remove_reader(pair->loop, pair->one), 1);
    assert_int_equal(tl_loop_remove_writer(pair->loop, pair->one), 1);
}

static void a_reader_removes_itself_and_the_writer(struct contract *contract)
{
    struct pair pair;
    pair_open(&pair, contract);
    assert_int_equal(tl_loop_add_reader(pair.loop, pair.one, remove_both, &pair), 0);
    assert_int_equal(tl_loop_add_writer(pair.loop, pair.one, diary_note_y, &pair.diary), 0);
    say(&pair, "a");
    diary_turn(&pair.diary);
    diary_turn(&pair.diary);
    pair_close(&pair, "r");
}

static void replace_other(void *arg)
{
    struct pair *pair = arg;
    diary_note(&pair->diary, 'r');
    assert_int_equal(tl_loop_add_writer(pair->loop, pair->one, diary_note_x, &pair->diary), 0);
}

/* The old one does not run, though its turn was fixed; the new one has its first in the next
 * iteration. */
static void replaced_within_the_batch(struct contract *contract)
{
    struct pair pair;
    pair_open(&pair, contract);
    assert_int_equal(tl_loop_add_reader(pair.loop, pair.one, replace_other, &pair), 0);
    assert_int_equal(tl_loop_add_writer(pair.loop, pair.one, diary_note_y, &pair.diary), 0);
    say(&pair, "a");
    diary_turn(&pair.diary);
    assert_string_equal(pair.diary.word, "r");
    assert_int_equal(tl_loop_remove_reader(pair.loop, pair.one), 1);
    diary_turn(&pair.diary);
    pair_close(&pair, "rx");
}

static void close_both(void *arg)
{
    struct pair *pair = arg;
    diary_note(&pair->diary, 'c');
    assert_int_equal(tl_socket_close(pair->loop, pair->one), 0);
    assert_int_equal(tl_socket_close(pair->loop, pair->other), 0);
    assert_int_equal(tl_socket_pair(pair->loop, &pair->one, &pair->other), 0);
}

/* The numbers are used again at once, and nothing of the old ones is left. */
static void closed_in_its_own_callback(struct contract *contract)
{
    struct pair pair;
    pair_open(&pair, contract);
    assert_int_equal(tl_loop_add_reader(pair.loop, pair.one, close_both, &pair), 0);
    assert_int_equal(tl_loop_add_writer(pair.loop, pair.one, diary_note_y, &pair.diary), 0);
    assert_int_equal(tl_loop_add_writer(pair.loop, pair.other, diary_note_y, &pair.diary), 0);
    assert_int_equal(tl_loop_remove_writer(pair.loop, pair.other), 1);
    say(&pair, "a");
    diary_turn(&pair.diary);
    diary_turn(&pair.diary);
    assert_int_equal(tl_loop_remove_reader(pair.loop, pair.one), 0);
    pair_close(&pair, "c");
}

/* --- Whose it is ------------------------------------------------------------------------------ */

static int refuse_all(struct side *side)
{
    tl_loop *loop = side->scene->loop;
    const tl_value *value = tl_transport_get_extra_info(side->transport, "socket", NULL);
    const tl_socket socket = {(int)value->integer};
    assert_int_equal(tl_loop_add_reader(loop, socket, diary_note_x, NULL), -EBUSY);
    assert_int_equal(tl_loop_add_writer(loop, socket, diary_note_x, NULL), -EBUSY);
    assert_int_equal(tl_loop_remove_reader(loop, socket), -EBUSY);
    assert_int_equal(tl_loop_remove_writer(loop, socket), -EBUSY);
    assert_int_equal(tl_socket_close(loop, socket), -EBUSY);
    tl_future *future = tl_loop_sock_recv(loop, socket, 1);
    assert_int_equal(tl_future_result(future, NULL), -EBUSY);
    tl_future_unref(future);
    tl_transport_close(side->transport);
    return 0;
}

static void a_transports_descriptor_is_refused(struct contract *contract)
{
    struct scene scene;
    static const struct hooks hooks = {.made = refuse_all};
    scene_open(&scene, contract);
    side_init(&scene.client, &scene, TL_PROTOCOL_STREAM, &hooks);
    scene_play(&scene);
    scene_close(&scene);
    assert_log(&scene.client, "made lost released");
}

static void note_and_read(void *arg)
{
    struct pair *pair = arg;
    char byte;
    diary_note(&pair->diary, 'x');
    assert_int_equal(tl_socket_read(pair->loop, pair->one, &byte, 1), 1);
}

/* What came from pipe(2) is adopted, and the program closes it itself. */
static void from_elsewhere(struct contract *contract)
{
    struct pair pair;
    int fds[2];
    diary_open(&pair.diary, contract);
    pair.loop = pair.diary.loop;
    assert_int_equal(pipe(fds), 0);
    pair.one.fd = fds[0];
    assert_int_equal(tl_loop_add_reader(pair.loop, pair.one, note_and_read, &pair), 0);
    assert_int_equal(write(fds[1], "a", 1), 1);
    diary_turn(&pair.diary);
    assert_int_equal(tl_loop_remove_reader(pair.loop, pair.one), 1);
    assert_int_equal(tl_loop_remove_reader(pair.loop, pair.one), 0);
    close(fds[0]);
    close(fds[1]);
    assert_int_equal(tl_loop_remove_reader(pair.loop, pair.one), 0);
    diary_close(&pair.diary, "x");
}

/* asyncio's test_remove_fds_after_closing: too late, and without harm. */
static void removed_after_it_was_closed(struct contract *contract)
{
    struct pair pair;
    int fds[2];
    diary_open(&pair.diary, contract);
    pair.loop = pair.diary.loop;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    pair.one.fd = fds[0];
    assert_int_equal(tl_loop_add_reader(pair.loop, pair.one, note_and_read, &pair), 0);
    assert_int_equal(tl_loop_add_writer(pair.loop, pair.one, note_and_read, &pair), 0);
    close(fds[0]);
    close(fds[1]);
    assert_int_equal(tl_loop_remove_reader(pair.loop, pair.one), 1);
    assert_int_equal(tl_loop_remove_writer(pair.loop, pair.one), 1);
    assert_int_equal(tl_loop_remove_reader(pair.loop, pair.one), 0);
    assert_int_equal(tl_loop_remove_writer(pair.loop, pair.one), 0);
    diary_turn(&pair.diary);
    diary_close(&pair.diary, "");
}

/* Whether the kernel has a descriptor, which it does not then either. */
static bool is_known(tl_loop *loop, int fd)
{
    struct tl_kernel *kernel = tl_loop_kernel(loop);
    struct tl_adopted found;
    int r = kernel->ops->adopt(kernel, fd, &found);
    assert_true(r == 0 || r == -EEXIST);
    return r == -EEXIST || kernel->ops->release(kernel, fd) != 0;
}

/* What was released is from elsewhere from then on, in every world: known while it is used. */
static void released_and_known_while_it_is_used(struct contract *contract)
{
    struct pair pair;
    char byte;
    pair_open(&pair, contract);
    assert_int_equal(tl_socket_release(pair.loop, pair.one), 0);
    assert_false(is_known(pair.loop, pair.one.fd));
    say(&pair, "abc");
    assert_int_equal(tl_socket_read(pair.loop, pair.one, &byte, 1), 1);
    assert_false(is_known(pair.loop, pair.one.fd));
    tl_future *future = tl_loop_sock_recv(pair.loop, pair.one, 10);
    assert_true(tl_future_done(future));
    tl_future_unref(future);
    assert_false(is_known(pair.loop, pair.one.fd));

    future = tl_loop_sock_recv(pair.loop, pair.one, 10);
    assert_true(is_known(pair.loop, pair.one.fd));
    say(&pair, "d");
    assert_int_equal(tl_loop_run_until_complete(pair.loop, future, NULL), 0);
    assert_false(is_known(pair.loop, pair.one.fd));
    assert_int_equal(tl_socket_adopt(pair.loop, pair.one.fd, &pair.one), 0);
    assert_int_equal(tl_socket_read(pair.loop, pair.one, &byte, 1), -EAGAIN);
    assert_true(is_known(pair.loop, pair.one.fd));
    pair_close(&pair, "");
}

/* Known while a callback or an operation needs it, and no longer. */
static void known_while_it_is_used(struct contract *contract)
{
    tl_loop *loop = contract_loop(contract);
    int fds[2], value;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    const tl_socket socket = {fds[0]};
    assert_int_equal(tl_socket_write(loop, socket, "a", 1), 1);
    assert_int_equal(tl_socket_get_option(loop, socket, TL_OPTION_SNDBUF, &value), 0);
    assert_false(is_known(loop, socket.fd));

    assert_int_equal(tl_loop_add_writer(loop, socket, diary_note_x, NULL), 0);
    tl_future *future = tl_loop_sock_recv(loop, socket, 1);
    assert_true(is_known(loop, socket.fd));
    assert_int_equal(tl_loop_remove_writer(loop, socket), 1);
    assert_true(is_known(loop, socket.fd));
    assert_true(tl_future_cancel(future));
    tl_future_unref(future);
    assert_false(is_known(loop, socket.fd));

    assert_int_equal(send(fds[1], "b", 1, 0), 1);
    assert_int_equal(tl_loop_run_until_complete(loop, tl_loop_sock_recv(loop, socket, 1), NULL), 0);
    assert_false(is_known(loop, socket.fd));
    future = tl_loop_sock_recv(loop, socket, 1);
    assert_int_equal(tl_socket_close(loop, socket), 0);
    assert_int_equal(tl_future_result(future, NULL), -EBADF);
    tl_future_unref(future);
    assert_int_equal(close(fds[1]), 0);
    tl_loop_free(loop);
}

static void adopted_for_longer(struct contract *contract)
{
    tl_loop *loop = contract_loop(contract);
    tl_socket socket, none;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(tl_socket_adopt(loop, fds[1], &socket), 0);
    assert_int_equal(socket.fd, fds[1]);
    assert_int_equal(tl_socket_adopt(loop, fds[1], &socket), 0);
    assert_true(is_known(loop, fds[1]));
    assert_int_equal(tl_socket_write(loop, socket, "a", 1), 1);
    assert_true(is_known(loop, fds[1]));
    assert_int_equal(tl_socket_release(loop, socket), 0);
    assert_false(is_known(loop, fds[1]));
    assert_int_equal(tl_socket_adopt(loop, fds[0], &socket), 0);
    assert_int_equal(tl_socket_close(loop, socket), 0);
    assert_int_equal(tl_socket_adopt(loop, -1, &none), -EBADF);
    assert_int_equal(tl_socket_adopt(loop, fds[1], NULL), -EINVAL);
    assert_int_equal(tl_socket_adopt(NULL, fds[1], &none), -EINVAL);
    assert_int_equal(close(fds[1]), 0);
    tl_loop_free(loop);
}

static void stays_open_when_the_loop_is_closed(struct contract *contract)
{
    tl_loop *loop = contract_loop(contract);
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(tl_loop_add_writer(loop, (tl_socket){fds[1]}, diary_note_x, NULL), 0);
    tl_loop_free(loop);
    assert_int_equal(close(fds[0]), 0);
    assert_int_equal(close(fds[1]), 0);
}

static void a_regular_file_is_refused(struct contract *contract)
{
    tl_loop *loop = contract_loop(contract);
    char path[] = "/tmp/twinloop-fd-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    assert_int_equal(tl_loop_add_reader(loop, (tl_socket){fd}, diary_note_x, NULL), -EPERM);
    assert_int_equal(tl_loop_remove_reader(loop, (tl_socket){fd}), 0);
    tl_loop_free(loop);
    assert_int_equal(close(fd), 0);
}

/* --- Memory ----------------------------------------------------------------------------------- */

static void memory_runs_out(struct contract *contract)
{
    tl_loop *loop = contract_loop(contract);
    tl_socket one, other;
    int calls = 0;
    ladder_arm(contract->ladder);
    int r = tl_socket_pair(loop, &one, &other);
    assert_true(r == 0 || r == -ENOMEM);
    if (r == 0) {
        r = tl_loop_add_reader(loop, one, diary_note_x, &calls);
        assert_true(r == 0 || r == -ENOMEM);
        assert_int_equal(tl_socket_close(loop, one), 0);
        assert_int_equal(tl_socket_close(loop, other), 0);
    }
    ladder_disarm(contract->ladder);
    tl_loop_free(loop);
}

#define NATIVE (CONTRACT_REAL | CONTRACT_REPLAY_REAL)

static const struct contract_case cases[] = {
    CONTRACT(a_pair_carries_bytes),
    CONTRACT(a_pipe_carries_bytes),
    CONTRACT(names_and_options),
    CONTRACT(closing_the_loop_closes_them),
    CONTRACT(released_and_used_again),
    CONTRACT(bad_arguments),
    CONTRACT(a_reader_is_called_until_removed),
    CONTRACT(the_reader_comes_before_the_writer),
    CONTRACT(the_end_counts_as_readable),
    CONTRACT(another_reader_replaces_the_first),
    CONTRACT(a_reader_removes_itself_and_the_writer),
    CONTRACT(replaced_within_the_batch),
    CONTRACT(closed_in_its_own_callback),
    CONTRACT(a_transports_descriptor_is_refused),
    CONTRACT_ONLY(from_elsewhere, NATIVE),
    CONTRACT_ONLY(removed_after_it_was_closed, NATIVE),
    CONTRACT(released_and_known_while_it_is_used),
    CONTRACT_ONLY(known_while_it_is_used, NATIVE),
    CONTRACT_ONLY(adopted_for_longer, NATIVE),
    CONTRACT_ONLY(stays_open_when_the_loop_is_closed, NATIVE),
    CONTRACT_ONLY(a_regular_file_is_refused, NATIVE),
    CONTRACT_LADDER(memory_runs_out, 4),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "fd", cases, sizeof cases / sizeof cases[0]);
}
