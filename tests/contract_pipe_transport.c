/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connect_read_pipe and connect_write_pipe on pipes and socket pairs of the loop's own: bytes,
 * ends, full pipes, pauses, and what each kind can do. What fails is in contract_pipe_fail.c.
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
#include "support/ends.h"
#include "support/seam.h"
#include "support/warnings.h"

/* --- Both ways to an end ---------------------------------------------------------------------- */

static void say_hello_and_close(struct contract *contract, enum tl_pipe_kind kind)
{
    static struct ends ends;
    ends_open(&ends, contract, kind);
    ends.writer->hooks.made = ends_write_hello_and_close;
    ends_play(&ends);
    assert_log(ends.writer, "made lost released");
    assert_log(ends.reader, "made data(hello) eof lost released");
    assert_string_equal(ends.scene.errors, "");
}

static void bytes_and_then_the_end(struct contract *contract)
{
    say_hello_and_close(contract, TL_PIPE_ONE_WAY);
}

static void the_same_on_a_pair(struct contract *contract)
{
    say_hello_and_close(contract, TL_PIPE_STREAM_PAIR);
}

static void the_same_with_buffers(struct contract *contract)
{
    static struct ends ends;
    ends_open(&ends, contract, TL_PIPE_ONE_WAY);
    side_init(ends.reader, &ends.scene, TL_PROTOCOL_BUFFERED, NULL);
    ends.writer->hooks.made = ends_write_hello_and_close;
    ends_play(&ends);
    assert_log(ends.reader, "made data(hello) eof lost released");
}

/* asyncio: there is no half-open pipe. */
static void what_eof_received_answers_means_nothing(struct contract *contract)
{
    static struct ends ends;
    ends_open(&ends, contract, TL_PIPE_ONE_WAY);
    ends.writer->hooks.made = hook_close;
    ends.reader->hooks.eof = hook_keep_open;
    ends_play(&ends);
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
    ends_open(&ends, contract, TL_PIPE_ONE_WAY);
    ends.writer->hooks.made = hook_close;
    ends.reader->hooks.eof = complain;
    ends_play(&ends);
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
    ends_open(&ends, contract, TL_PIPE_ONE_WAY);
    ends.writer->hooks.made = hook_close;
    ends.reader->hooks.made = log_closing;
    ends.reader->hooks.eof = log_closing;
    ends_play(&ends);
    assert_log(ends.reader, "made open eof closing lost released");
}

static void close_the_reader(struct contract *contract, enum tl_pipe_kind kind)
{
    static struct ends ends;
    ends_open(&ends, contract, kind);
    ends.reader->hooks.made = hook_close;
    ends_play(&ends);
    assert_log(ends.reader, "made lost released");
    assert_log(ends.writer, "made lost released");
}

static void a_reader_that_closes(struct contract *contract)
{
    close_the_reader(contract, TL_PIPE_ONE_WAY);
}

static void a_reader_that_closes_a_pair(struct contract *contract)
{
    close_the_reader(contract, TL_PIPE_STREAM_PAIR);
}

/* --- Writing more than there is room for ------------------------------------------------------ */

/* All of the pattern arrives, and then the end. */
static void send_all(struct contract *contract, const struct hooks *hooks)
{
    static struct ends ends;
    ends_open(&ends, contract, TL_PIPE_ONE_WAY);
    ends.writer->hooks = *hooks;
    ends.writer->quiet = true;
    ends.writer->total = ENDS_LARGE;
    ends.reader->quiet = true;
    ends_play(&ends);
    assert_int_equal(ends.reader->received, ENDS_LARGE);
    assert_int_equal(ends.reader->wrong, 0);
    assert_log(ends.reader, "made eof lost released");
    assert_log(ends.writer, "made lost released");
}

static void everything_arrives(struct contract *contract)
{
    send_all(contract, &(struct hooks){.made = hook_send_and_close, .resume = hook_send_and_close});
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
    send_all(contract, &(struct hooks){.made = send_large_and_eof});
}

static void take_the_reader_away(struct contract *contract, int (*made)(struct side *side))
{
    static struct ends ends;
    ends_open(&ends, contract, TL_PIPE_ONE_WAY);
    ends.writer->hooks.made = made;
    ends_connect_writer(&ends);
    ends_settle(&ends);
    assert_log(ends.writer, "made pause");
    assert_int_equal(tl_socket_close(ends.scene.loop, (tl_socket){ends.fds[0]}), 0);
    scene_await(&ends.scene, 1);
    assert_log(ends.writer, "made pause lost(EPIPE) released");
    assert_string_equal(ends.scene.errors, "");
    scene_close(&ends.scene);
}

static void the_reader_goes_with_data_queued(struct contract *contract)
{
    take_the_reader_away(contract, ends_send_large);
}

static int send_large_and_close(struct side *side)
{
    int r = ends_send_large(side);
    tl_transport_close(side->transport);
    return r;
}

static void the_reader_goes_while_it_is_flushed(struct contract *contract)
{
    take_the_reader_away(contract, send_large_and_close);
}

static int send_large_and_abort(struct side *side)
{
    int r = ends_send_large(side);
    tl_transport_abort(side->transport);
    assert_int_equal(tl_transport_get_write_buffer_size(side->transport), 0);
    return r;
}

static void abort_drops_what_is_queued(struct contract *contract)
{
    static struct ends ends;
    ends_open(&ends, contract, TL_PIPE_ONE_WAY);
    ends.writer->hooks.made = send_large_and_abort;
    ends.reader->quiet = true;
    ends_play(&ends);
    assert_log(ends.writer, "made pause lost released");
    assert_log(ends.reader, "made eof lost released");
    assert_in_range(ends.reader->received, 1, ENDS_LARGE - 1);
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
    ends_open(&ends, contract, TL_PIPE_ONE_WAY);
    ends.writer->hooks.made = write_to_nobody;
    ends_connect_writer(&ends);
    scene_await(&ends.scene, 1);
    assert_log(ends.writer, "made lost(EPIPE) released");
    scene_close(&ends.scene);
}

/* asyncio: whatever there is to read at an end for writing, it is taken for the peer's end. */
static void what_a_peer_says_ends_the_writing(struct contract *contract)
{
    static struct ends ends;
    ends_open(&ends, contract, TL_PIPE_STREAM_PAIR);
    ends_connect_writer(&ends);
    ends_settle(&ends);
    assert_log(ends.writer, "made");
    seam_write_all(ends.kernel, ends.fds[0], "x", 1);
    scene_await(&ends.scene, 1);
    assert_log(ends.writer, "made lost released");
    scene_close(&ends.scene);
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
    struct warnings warnings;
    ends_open(&ends, contract, TL_PIPE_ONE_WAY);
    ends.writer->hooks.made = close_and_write;
    warnings_start(&warnings);
    ends_play(&ends);
    warnings_stop();
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
    ends_open(&ends, contract, TL_PIPE_ONE_WAY);
    ends.reader->hooks.made = pause;
    ends.writer->hooks.made = ends_write_hello_and_close;
    ends_connect_reader(&ends);
    ends_connect_writer(&ends);
    scene_await(&ends.scene, 1);
    ends_settle(&ends);
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
    size_t low = 1, high = 1;
    tl_transport_get_write_buffer_limits(transport, &low, &high);
    assert_true(low == 0 && high == 0);
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
    ends_open(&ends, contract, TL_PIPE_ONE_WAY);
    ends.reader->hooks.made = ask_reader;
    ends.writer->hooks.made = ask_writer;
    ends_play(&ends);
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
    ends_open(&ends, contract, TL_PIPE_ONE_WAY);
    ends.reader->hooks.made = ask_for_names;
    ends.writer->hooks.made = ask_for_names;
    ends_play(&ends);
    tl_transport *transport = ends.reader->user;
    assert_int_equal(tl_transport_get_extra_info(transport, "pipe", NULL)->integer, -1);
    assert_null(tl_transport_get_protocol(transport));
    tl_transport_unref(transport);
    tl_transport_unref(ends.writer->user);
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
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "pipe_transport", cases, sizeof cases / sizeof *cases);
}
