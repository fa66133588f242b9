/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sock_ operations: what each results in, at once and later, and being called off.
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

/* More than any socket's buffers hold. */
#define LARGE ((size_t)8 << 20)

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

static void pair_close(struct pair *pair)
{
    assert_int_equal(tl_socket_close(pair->loop, pair->one), 0);
    assert_int_equal(tl_socket_close(pair->loop, pair->other), 0);
    diary_close(&pair->diary, "");
}

static void say(struct pair *pair, const char *text)
{
    assert_int_equal(tl_socket_write(pair->loop, pair->other, text, strlen(text)), strlen(text));
}

/* Takes the future, which is awaited. */
static int await(tl_loop *loop, tl_future *future, tl_value *ret)
{
    return tl_loop_run_until_complete(loop, future, ret);
}

static void expect_done(tl_future *future, int code)
{
    assert_true(tl_future_done(future));
    assert_int_equal(tl_future_result(future, NULL), code);
    tl_future_unref(future);
}

static void expect_bytes(tl_value *value, const char *text)
{
    assert_int_equal(value->kind, TL_VALUE_BYTES);
    assert_int_equal(value->len, strlen(text));
    if (value->len > 0)
        assert_memory_equal(value->data, text, value->len);
    tl_value_finish(value);
}

/* --- Receiving -------------------------------------------------------------------------------- */

static void recv_at_once_and_later(struct contract *contract)
{
    struct pair pair;
    tl_value value;
    pair_open(&pair, contract);
    say(&pair, "now");
    tl_future *future = tl_loop_sock_recv(pair.loop, pair.one, 100);
    assert_true(tl_future_done(future));
    assert_int_equal(tl_future_result(future, &value), 0);
    expect_bytes(&value, "now");
    tl_future_unref(future);

    future = tl_loop_sock_recv(pair.loop, pair.one, 3);
    assert_false(tl_future_done(future));
    diary_turn(&pair.diary);
    assert_false(tl_future_done(future));
    say(&pair, "later");
    assert_int_equal(await(pair.loop, future, &value), 0);
    expect_bytes(&value, "lat");
    pair_close(&pair);
}

static void recv_of_the_end_is_no_bytes(struct contract *contract)
{
    struct pair pair;
    tl_value value;
    pair_open(&pair, contract);
    tl_future *future = tl_loop_sock_recv(pair.loop, pair.one, 100);
    assert_int_equal(tl_socket_shutdown(pair.loop, pair.other, TL_SHUTDOWN_WRITE), 0);
    assert_int_equal(await(pair.loop, future, &value), 0);
    expect_bytes(&value, "");
    pair_close(&pair);
}

static void recv_of_nothing_is_done_at_once(struct contract *contract)
{
    struct pair pair;
    pair_open(&pair, contract);
    expect_done(tl_loop_sock_recv(pair.loop, pair.one, 0), 0);
    expect_done(tl_loop_sock_recv_into(pair.loop, pair.one, NULL, 0), 0);
    pair_close(&pair);
}

static void recv_into_the_callers_memory(struct contract *contract)
{
    struct pair pair;
    tl_value value;
    char buf[8] = "--------";
    pair_open(&pair, contract);
    tl_future *future = tl_loop_sock_recv_into(pair.loop, pair.one, buf, 6);
    say(&pair, "ab");
    assert_int_equal(await(pair.loop, future, &value), 0);
    assert_int_equal(value.integer, 2);
    assert_memory_equal(buf, "ab------", 8);
    pair_close(&pair);
}

static void recvfrom_a_datagram_socket(struct contract *contract)
{
    tl_loop *loop = contract_loop(contract);
    tl_socket one, other;
    tl_addr addr, from;
    tl_value value;
    char buf[4];
    assert_int_equal(tl_addr_parse("127.0.0.1", 0, &addr), 0);
    assert_int_equal(tl_socket_open(loop, TL_FAMILY_INET, TL_DATAGRAM, &one), 0);
    assert_int_equal(tl_socket_open(loop, TL_FAMILY_INET, TL_DATAGRAM, &other), 0);
    assert_int_equal(tl_socket_bind(loop, one, &addr), 0);
    assert_int_equal(tl_socket_bind(loop, other, &addr), 0);
    assert_int_equal(tl_socket_address(loop, one, TL_ADDRESS_LOCAL, &addr), 0);
    assert_int_equal(tl_socket_address(loop, other, TL_ADDRESS_LOCAL, &from), 0);

    tl_future *future = tl_loop_sock_recvfrom(loop, one, 100);
    assert_int_equal(await(loop, tl_loop_sock_sendto(loop, other, "hello", 5, &addr), &value), 0);
    assert_int_equal(value.integer, 5);
    assert_int_equal(await(loop, future, &value), 0);
    const tl_received *received = tl_value_received(&value);
    assert_int_equal(received->len, 5);
    assert_memory_equal(received->data, "hello", 5);
    assert_true(tl_addr_equal(&received->from, &from));
    assert_false(received->truncated);
    tl_value_finish(&value);

    future = tl_loop_sock_recvfrom_into(loop, one, buf, sizeof buf);
    assert_int_equal(await(loop, tl_loop_sock_sendto(loop, other, "hello", 5, &addr), NULL), 0);
    assert_int_equal(await(loop, future, &value), 0);
    received = tl_value_received(&value);
    assert_ptr_equal(received->data, buf);
    assert_int_equal(received->len, 4);
    assert_true(received->truncated);
    tl_value_finish(&value);
    assert_null(tl_value_received(&value));
    tl_loop_free(loop);
}

/* --- Sending ---------------------------------------------------------------------------------- */

static void sendall_sends_all(struct contract *contract)
{
    struct pair pair;
    char *data = calloc(1, LARGE), *copy = malloc(LARGE);
    size_t received = 0;
    pair_open(&pair, contract);
    for (size_t i = 0; i < LARGE; i++)
        data[i] = (char)(i * 31 >> 7);
    tl_future *sent = tl_loop_sock_sendall(pair.loop, pair.one, data, LARGE);
    assert_false(tl_future_done(sent));
    while (received < LARGE) {
        tl_value value;
        tl_future *future =
            tl_loop_sock_recv_into(pair.loop, pair.other, copy + received, LARGE - received);
        assert_int_equal(await(pair.loop, future, &value), 0);
        assert_true(value.integer > 0);
        received += (size_t)value.integer;
    }
    assert_int_equal(await(pair.loop, sent, NULL), 0);
    assert_memory_equal(data, copy, LARGE);
    expect_done(tl_loop_sock_sendall(pair.loop, pair.one, "", 0), 0);
    expect_done(tl_loop_sock_sendall(pair.loop, pair.one, NULL, 0), 0);
    pair_close(&pair);
    free(data);
    free(copy);
}

static void sendall_to_nobody_fails(struct contract *contract)
{
    struct pair pair;
    pair_open(&pair, contract);
    assert_int_equal(tl_socket_close(pair.loop, pair.other), 0);
    expect_done(tl_loop_sock_sendall(pair.loop, pair.one, "x", 1), -EPIPE);
    assert_int_equal(tl_socket_pair(pair.loop, &pair.other, &pair.other), 0);
    diary_close(&pair.diary, "");
}

/* --- Connections ------------------------------------------------------------------------------ */

static tl_socket listener_at(tl_loop *loop, tl_addr *ret_addr)
{
    tl_socket listener;
    assert_int_equal(tl_addr_parse("127.0.0.1", 0, ret_addr), 0);
    assert_int_equal(tl_socket_open(loop, TL_FAMILY_INET, TL_STREAM, &listener), 0);
    assert_int_equal(tl_socket_bind(loop, listener, ret_addr), 0);
    assert_int_equal(tl_socket_listen(loop, listener, 10), 0);
    assert_int_equal(tl_socket_address(loop, listener, TL_ADDRESS_LOCAL, ret_addr), 0);
    return listener;
}

static tl_socket stream_socket(tl_loop *loop)
{
    tl_socket socket;
    assert_int_equal(tl_socket_open(loop, TL_FAMILY_INET, TL_STREAM, &socket), 0);
    return socket;
}

static void connect_and_accept(struct contract *contract)
{
    tl_loop *loop = contract_loop(contract);
    tl_addr addr, mine;
    tl_value value;
    tl_accepted accepted;
    tl_socket listener = listener_at(loop, &addr), socket = stream_socket(loop);
    tl_future *accepting = tl_loop_sock_accept(loop, listener);
    assert_false(tl_future_done(accepting));
    assert_int_equal(await(loop, tl_loop_sock_connect(loop, socket, &addr), &value), 0);
    assert_int_equal(value.kind, TL_VALUE_NONE);
    assert_int_equal(await(loop, accepting, &value), 0);
    assert_int_equal(tl_value_take_accepted(&value, &accepted), 0);
    assert_int_equal(value.kind, TL_VALUE_NONE);
    assert_int_equal(tl_value_take_accepted(&value, &accepted), -EINVAL);
    assert_int_equal(tl_socket_address(loop, socket, TL_ADDRESS_LOCAL, &mine), 0);
    assert_true(tl_addr_equal(&mine, &accepted.addr));

    expect_done(tl_loop_sock_sendall(loop, socket, "hi", 2), 0);
    assert_int_equal(await(loop, tl_loop_sock_recv(loop, accepted.socket, 9), &value), 0);
    expect_bytes(&value, "hi");
    assert_int_equal(tl_socket_close(loop, accepted.socket), 0);
    assert_int_equal(await(loop, tl_loop_sock_recv(loop, socket, 9), &value), 0);
    expect_bytes(&value, "");
    tl_loop_free(loop);
}

static void an_accepted_one_that_nobody_takes_is_closed(struct contract *contract)
{
    tl_loop *loop = contract_loop(contract);
    tl_addr addr;
    tl_value value;
    tl_socket listener = listener_at(loop, &addr), socket = stream_socket(loop);
    assert_int_equal(await(loop, tl_loop_sock_connect(loop, socket, &addr), NULL), 0);
    assert_int_equal(await(loop, tl_loop_sock_accept(loop, listener), NULL), 0);
    assert_int_equal(await(loop, tl_loop_sock_recv(loop, socket, 9), &value), 0);
    expect_bytes(&value, "");
    tl_loop_free(loop);
}

static void connect_is_refused(struct contract *contract)
{
    tl_loop *loop = contract_loop(contract);
    tl_addr addr;
    char text[TL_ADDR_TEXT_MAX];
    tl_socket listener = listener_at(loop, &addr), socket = stream_socket(loop);
    assert_int_equal(tl_socket_close(loop, listener), 0);
    tl_future *future = tl_future_ref(tl_loop_sock_connect(loop, socket, &addr));
    assert_int_equal(await(loop, future, NULL), -ECONNREFUSED);
    const tl_error *error = tl_future_exception(future);
    assert_non_null(strstr(error->message, "Connect call failed "));
    assert_non_null(strstr(error->message, tl_addr_format(&addr, text, sizeof text)));
    tl_future_unref(future);
    tl_loop_free(loop);
}

/* Called off, and called again: the attempt goes on. */
static void connect_again_after_cancelling(struct contract *contract)
{
    tl_loop *loop = contract_loop(contract);
    tl_addr addr;
    tl_socket listener = listener_at(loop, &addr), socket = stream_socket(loop);
    tl_future *future = tl_loop_sock_connect(loop, socket, &addr);
    bool cancelled = tl_future_cancel(future); /* it may have connected at once */
    tl_future_unref(future);
    int r = await(loop, tl_loop_sock_connect(loop, socket, &addr), NULL);
    assert_true(cancelled ? r == 0 || r == -EISCONN : r == -EISCONN);
    assert_int_equal(await(loop, tl_loop_sock_accept(loop, listener), NULL), 0);
    tl_loop_free(loop);
}

/* --- Being called off, and getting in each other's way ---------------------------------------- */

static void cancelled_and_begun_again(struct contract *contract)
{
    struct pair pair;
    tl_value value;
    pair_open(&pair, contract);
    tl_future *first = tl_loop_sock_recv(pair.loop, pair.one, 10);
    assert_true(tl_future_cancel(first));
    tl_future *second = tl_loop_sock_recv(pair.loop, pair.one, 10);
    assert_false(tl_future_done(second));
    say(&pair, "second");
    assert_int_equal(await(pair.loop, second, &value), 0);
    expect_bytes(&value, "second");
    assert_true(tl_future_cancelled(first));
    tl_future_unref(first);
    pair_close(&pair);
}

/* What was ready for the cancelled one is not lost. */
static void cancelled_when_it_was_ready(struct contract *contract)
{
    struct pair pair;
    tl_value value;
    pair_open(&pair, contract);
    tl_future *first = tl_loop_sock_recv(pair.loop, pair.one, 10);
    say(&pair, "x");
    assert_true(tl_future_cancel(first));
    diary_turn(&pair.diary);
    tl_future *second = tl_loop_sock_recv(pair.loop, pair.one, 10);
    assert_int_equal(tl_future_result(second, &value), 0);
    expect_bytes(&value, "x");
    tl_future_unref(first);
    tl_future_unref(second);
    pair_close(&pair);
}

static void one_of_each_direction_at_a_time(struct contract *contract)
{
    struct pair pair;
    char *data = calloc(1, LARGE);
    pair_open(&pair, contract);
    tl_future *reading = tl_loop_sock_recv(pair.loop, pair.one, 10);
    tl_future *writing = tl_loop_sock_sendall(pair.loop, pair.one, data, LARGE);
    expect_done(tl_loop_sock_recv_into(pair.loop, pair.one, data, 1), -EBUSY);
    expect_done(tl_loop_sock_sendall(pair.loop, pair.one, "x", 1), -EBUSY);
    assert_int_equal(tl_loop_add_reader(pair.loop, pair.one, diary_note_x, NULL), -EBUSY);
    assert_int_equal(tl_loop_add_writer(pair.loop, pair.one, diary_note_x, NULL), -EBUSY);
    assert_int_equal(tl_loop_remove_reader(pair.loop, pair.one), -EBUSY);
    assert_int_equal(tl_socket_release(pair.loop, pair.one), -EBUSY);
    assert_true(tl_future_cancel(reading));
    assert_true(tl_future_cancel(writing));
    assert_int_equal(tl_loop_add_reader(pair.loop, pair.one, diary_note_x, NULL), 0);
    expect_done(tl_loop_sock_recv(pair.loop, pair.one, 10), -EBUSY);
    assert_int_equal(tl_loop_remove_reader(pair.loop, pair.one), 1);
    tl_future_unref(reading);
    tl_future_unref(writing);
    pair_close(&pair);
    free(data);
}

/* A connection that has come is the next one's. */
static void a_cancelled_accept_takes_nothing(struct contract *contract)
{
    tl_loop *loop = contract_loop(contract);
    tl_addr addr;
    tl_value value;
    tl_accepted accepted;
    tl_socket listener = listener_at(loop, &addr), socket = stream_socket(loop);
    tl_future *first = tl_loop_sock_accept(loop, listener);
    tl_future *connecting = tl_loop_sock_connect(loop, socket, &addr);
    assert_true(tl_future_cancel(first));
    tl_future_unref(first);
    tl_future *second = tl_loop_sock_accept(loop, listener);
    assert_int_equal(await(loop, connecting, NULL), 0);
    assert_int_equal(await(loop, second, &value), 0);
    assert_int_equal(tl_value_take_accepted(&value, &accepted), 0);
    assert_int_equal(tl_socket_close(loop, accepted.socket), 0);
    assert_int_equal(tl_socket_close(loop, socket), 0);
    assert_int_equal(tl_socket_close(loop, listener), 0);
    tl_loop_free(loop);
}

/* A prefix has been sent; what is sent then comes after it. */
static void a_cancelled_sendall_has_sent_a_prefix(struct contract *contract)
{
    struct pair pair;
    char *data = calloc(1, LARGE), *copy = malloc(LARGE);
    size_t received = 0;
    tl_value value;
    pair_open(&pair, contract);
    tl_future *first = tl_loop_sock_sendall(pair.loop, pair.one, data, LARGE);
    assert_true(tl_future_cancel(first));
    tl_future_unref(first);
    tl_future *second = tl_loop_sock_sendall(pair.loop, pair.one, "end", 3);
    do {
        tl_future *future =
            tl_loop_sock_recv_into(pair.loop, pair.other, copy + received, LARGE - received);
        assert_int_equal(await(pair.loop, future, &value), 0);
        assert_true(value.integer > 0);
        received += (size_t)value.integer;
    } while (received < 3 || memcmp(copy + received - 3, "end", 3) != 0);
    assert_true(received < LARGE);
    assert_memory_equal(copy, data, received - 3);
    assert_int_equal(await(pair.loop, second, NULL), 0);
    pair_close(&pair);
    free(data);
    free(copy);
}

static void finish_itself(void *future)
{
    assert_int_equal(tl_future_set_result(future, tl_value_int(7)), 0);
}

/* The program finishes the operation's future by itself: the operation is over. */
static void a_future_that_is_finished_by_others(struct contract *contract)
{
    struct pair pair;
    tl_value value;
    pair_open(&pair, contract);
    tl_future *future = tl_loop_sock_recv(pair.loop, pair.one, 10);
    assert_int_equal(tl_loop_call_soon(pair.loop, finish_itself, future, NULL), 0);
    assert_int_equal(await(pair.loop, tl_future_ref(future), &value), 0);
    assert_int_equal(value.integer, 7);
    say(&pair, "x");
    diary_turn(&pair.diary);
    tl_future_unref(future);
    pair_close(&pair);
}

static void closing_the_socket_fails_them(struct contract *contract)
{
    struct pair pair;
    pair_open(&pair, contract);
    tl_future *reading = tl_loop_sock_recv(pair.loop, pair.one, 10);
    pair_close(&pair);
    expect_done(reading, -EBADF);
}

static void closing_the_loop_leaves_them_pending(struct contract *contract)
{
    struct pair pair;
    pair_open(&pair, contract);
    tl_future *reading = tl_loop_sock_recv(pair.loop, pair.one, 10);
    assert_int_equal(tl_loop_close(pair.loop), 0);
    assert_false(tl_future_done(reading));
    expect_done(tl_loop_sock_recv(pair.loop, pair.one, 10), TL_ECLOSED);
    assert_true(tl_future_cancel(reading));
    tl_future_unref(reading);
    diary_close(&pair.diary, "");
}

static void bad_arguments(struct contract *contract)
{
    tl_loop *loop = contract_loop(contract);
    tl_socket socket = stream_socket(loop);
    const tl_socket none = {-1};
    tl_addr addr = {.family = TL_FAMILY_INET};
    char byte;
    assert_null(tl_loop_sock_recv(NULL, socket, 1));
    assert_null(tl_loop_sock_accept(NULL, socket));
    expect_done(tl_loop_sock_recv(loop, none, 1), -EBADF);
    expect_done(tl_loop_sock_recv_into(loop, socket, NULL, 1), -EINVAL);
    expect_done(tl_loop_sock_recvfrom_into(loop, socket, NULL, 1), -EINVAL);
    expect_done(tl_loop_sock_sendall(loop, socket, NULL, 1), -EINVAL);
    expect_done(tl_loop_sock_sendto(loop, socket, &byte, 1, NULL), -EINVAL);
    expect_done(tl_loop_sock_connect(loop, socket, NULL), -EINVAL);
    expect_done(tl_loop_sock_connect(loop, none, &addr), -EBADF);
    expect_done(tl_loop_sock_recv(loop, socket, 1), -ENOTCONN);
    expect_done(tl_loop_sock_accept(loop, socket), -EINVAL);
    tl_loop_free(loop);
}

static void a_blocking_socket_is_refused(struct contract *contract)
{
    tl_loop *loop = contract_loop(contract);
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    tl_loop_set_debug(loop, true);
    tl_future *future = tl_loop_sock_recv(loop, (tl_socket){fds[0]}, 1);
    assert_string_equal(tl_future_exception(future)->message, "the socket must be non-blocking");
    expect_done(future, -EINVAL);
    tl_loop_set_debug(loop, false);
    future = tl_loop_sock_recv(loop, (tl_socket){fds[0]}, 1);
    assert_false(tl_future_done(future));
    tl_future_unref(future);
    assert_int_equal(tl_loop_close(loop), 0);
    tl_loop_free(loop);
    close(fds[0]);
    close(fds[1]);
}

static void one_that_blocks_no_more_is_not(struct contract *contract)
{
    tl_loop *loop = contract_loop(contract);
    tl_socket socket;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    tl_loop_set_debug(loop, true);
    assert_int_equal(tl_socket_adopt(loop, fds[0], &socket), 0);
    expect_done(tl_loop_sock_recv(loop, socket, 1), -EINVAL);
    assert_int_equal(tl_socket_set_option(loop, socket, TL_OPTION_NONBLOCK, 1), 0);
    tl_future *future = tl_loop_sock_recv(loop, socket, 1);
    assert_true(tl_future_cancel(future));
    tl_future_unref(future);
    assert_int_equal(tl_socket_set_option(loop, socket, TL_OPTION_NONBLOCK, 0), 0);
    expect_done(tl_loop_sock_recv(loop, socket, 1), -EINVAL);
    assert_int_equal(tl_loop_close(loop), 0);
    tl_loop_free(loop);
    close(fds[0]);
    close(fds[1]);
}

/* --- Memory ----------------------------------------------------------------------------------- */

/* A simulated network that is out of memory drops what it should carry: then nobody ever comes. */
static bool has_memory(int r)
{
    if (r != 0 && r != -ENOMEM && r != -ENOBUFS && r != TL_EDEADLOCK)
        fail_msg("%s", tl_strerror(r));
    return r == 0;
}

static void memory_runs_out(struct contract *contract)
{
    tl_loop *loop = contract_loop(contract);
    tl_addr addr;
    tl_value value;
    tl_accepted accepted;
    tl_socket listener = listener_at(loop, &addr), socket = stream_socket(loop);
    ladder_arm(contract->ladder);
    tl_future *accepting = tl_loop_sock_accept(loop, listener);
    if (has_memory(await(loop, tl_loop_sock_connect(loop, socket, &addr), NULL)) &&
        has_memory(await(loop, tl_future_ref(accepting), &value)) &&
        tl_value_take_accepted(&value, &accepted) == 0) {
        tl_future *receiving = tl_loop_sock_recvfrom(loop, accepted.socket, 10);
        if (has_memory(await(loop, tl_loop_sock_sendall(loop, socket, "hi", 2), NULL)) &&
            has_memory(await(loop, tl_future_ref(receiving), &value)))
            tl_value_finish(&value);
        (void)tl_future_cancel(receiving);
        (void)tl_future_exception(receiving);
        tl_future_unref(receiving);
        assert_int_equal(tl_socket_close(loop, accepted.socket), 0);
    }
    (void)tl_future_cancel(accepting);
    (void)tl_future_exception(accepting);
    tl_future_unref(accepting);
    ladder_disarm(contract->ladder);
    tl_loop_free(loop);
}

/* Each way of waiting, called off when it has begun. */
static void memory_for_waiting_runs_out(struct contract *contract)
{
    struct pair pair;
    char *data = calloc(1, LARGE);
    char byte;
    pair_open(&pair, contract);
    ladder_arm(contract->ladder);
    tl_future *futures[] = {
        tl_loop_sock_recv(pair.loop, pair.one, 10),
        tl_loop_sock_sendall(pair.loop, pair.one, data, LARGE),
        tl_loop_sock_recv_into(pair.loop, pair.other, &byte, 1),
    };
    for (unsigned i = 0; i < 3; i++) {
        (void)has_memory(tl_future_cancel(futures[i]) ? 0 : tl_future_result(futures[i], NULL));
        tl_future_unref(futures[i]);
    }
    ladder_disarm(contract->ladder);
    pair_close(&pair);
    free(data);
}

static const struct contract_case cases[] = {
    CONTRACT(recv_at_once_and_later),
    CONTRACT(recv_of_the_end_is_no_bytes),
    CONTRACT(recv_of_nothing_is_done_at_once),
    CONTRACT(recv_into_the_callers_memory),
    CONTRACT(recvfrom_a_datagram_socket),
    CONTRACT(sendall_sends_all),
    CONTRACT(sendall_to_nobody_fails),
    CONTRACT(connect_and_accept),
    CONTRACT(an_accepted_one_that_nobody_takes_is_closed),
    CONTRACT(connect_is_refused),
    CONTRACT(connect_again_after_cancelling),
    CONTRACT(cancelled_and_begun_again),
    CONTRACT(cancelled_when_it_was_ready),
    CONTRACT(a_cancelled_accept_takes_nothing),
    CONTRACT(a_cancelled_sendall_has_sent_a_prefix),
    CONTRACT(a_future_that_is_finished_by_others),
    CONTRACT(one_of_each_direction_at_a_time),
    CONTRACT(closing_the_socket_fails_them),
    CONTRACT(closing_the_loop_leaves_them_pending),
    CONTRACT(bad_arguments),
    CONTRACT_ONLY(a_blocking_socket_is_refused, CONTRACT_REAL | CONTRACT_REPLAY_REAL),
    CONTRACT_ONLY(one_that_blocks_no_more_is_not, CONTRACT_REAL | CONTRACT_REPLAY_REAL),
    CONTRACT_LADDER(memory_runs_out, 10),
    CONTRACT_LADDER(memory_for_waiting_runs_out, 5),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "sock", cases, sizeof cases / sizeof cases[0]);
}
