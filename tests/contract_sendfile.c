/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop.sendfile: files over stream transports, by the system and by the fallback; what goes before
 * and after, and what is refused meanwhile. How it ends early is in contract_sendfile_end.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "support/files.h"
#include "support/show.h"

/* Writes and closes once the file has been sent. */
static void write_after(tl_future *future, void *arg)
{
    struct side *side = arg;
    (void)future;
    assert_int_equal(tl_transport_write(side->transport, " tail", 5), 0);
    tl_transport_close(side->transport);
}

static int send_between(struct side *side)
{
    struct show *show = show_of(side);
    assert_int_equal(tl_transport_write(side->transport, "head ", 5), 0);
    show_send(show, 0, -1);
    assert_int_equal(tl_future_add_done_callback(show->future, write_after, side), 0);
    return 0;
}

static void between_what_is_written(struct contract *contract)
{
    struct show show;
    show_open_text(&show, contract, "body");
    show_play(&show, send_between);
    assert_int_equal(show.code, 0);
    assert_int_equal(show.sent, 4);
    assert_log(&show.scene.client, "made lost released");
    assert_log(&show.scene.peer, "made data(head body tail) eof lost released");
}

/* --- Parts ------------------------------------------------------------------------------------ */

/* One part after the other, each as soon as the last has been sent. */
static const struct {
    int64_t offset, count, sent;
} parts[] = {
    {0, -1, 10}, {2, 3, 3},    {7, 100, 3}, {10, -1, 0},
    {10, 5, 0},  {500, -1, 0}, {0, 1, 1},   {9, 1, 1},
};

static void next_part(tl_future *future, void *arg)
{
    struct show *show = arg;
    struct side *side = &show->scene.client;
    if (future != NULL) {
        assert_int_equal(show->code, 0);
        assert_int_equal(show->sent, parts[side->count].sent);
        side->count++;
    }
    if (side->count == sizeof parts / sizeof *parts) {
        tl_transport_close(side->transport);
        return;
    }
    show_send(show, parts[side->count].offset, parts[side->count].count);
    assert_int_equal(tl_future_add_done_callback(show->future, next_part, show), 0);
}

static int send_parts(struct side *side)
{
    next_part(NULL, show_of(side));
    return 0;
}

static void parts_of_a_file(struct contract *contract)
{
    struct show show;
    show_open_text(&show, contract, "0123456789");
    show_play(&show, send_parts);
    assert_int_equal(show.scene.client.count, sizeof parts / sizeof *parts);
    assert_log(&show.scene.peer, "made data(012345678923478909) eof lost released");
}

/* --- Large files ------------------------------------------------------------------------------ */

static void close_after(tl_future *future, void *arg)
{
    struct side *side = arg;
    (void)future;
    if (side->transport != NULL)
        tl_transport_close(side->transport);
}

static int send_whole(struct side *side)
{
    struct show *show = show_of(side);
    show_send(show, 0, -1);
    assert_int_equal(tl_future_add_done_callback(show->future, close_after, side), 0);
    return 0;
}

static void check_whole(struct show *show)
{
    assert_int_equal(show->code, 0);
    assert_int_equal(show->sent, LARGE);
    assert_int_equal(show->scene.peer.received, LARGE);
    assert_int_equal(show->scene.peer.wrong, 0);
    assert_log(&show->scene.client, "made lost released");
    assert_log(&show->scene.peer, "made eof lost released");
}

static void a_large_file(struct contract *contract)
{
    struct show show;
    show_open_large(&show, contract);
    show_play(&show, send_whole);
    check_whole(&show);
}

/* What is queued goes first, however much it is; resume_writing comes in between. */
static int queue_and_send(struct side *side)
{
    struct show *show = show_of(side);
    side->total = LARGE / 2;
    assert_int_equal(hook_send_at_once(side), 0);
    assert_true(tl_transport_get_write_buffer_size(side->transport) > 0);
    show_send(show, (int64_t)LARGE / 2, (int64_t)LARGE / 2);
    assert_int_equal(tl_future_add_done_callback(show->future, close_after, side), 0);
    return 0;
}

static void after_what_is_queued(struct contract *contract)
{
    struct show show;
    show_open_large(&show, contract);
    show_play(&show, queue_and_send);
    assert_int_equal(show.sent, LARGE / 2);
    assert_int_equal(show.scene.peer.received, LARGE);
    assert_int_equal(show.scene.peer.wrong, 0);
    assert_log(&show.scene.client, "made pause resume lost released");
}

/* Begun by data_received, when the same event has said that the queue can go on. */
static int send_on_data(struct side *side, const char *data, size_t len)
{
    struct show *show = show_of(side);
    (void)data;
    (void)len;
    if (side->count++ == 0)
        show_send(show, (int64_t)LARGE / 2, (int64_t)LARGE / 2);
    return 0;
}

static int send_half(struct side *side)
{
    side->total = LARGE / 2;
    return hook_send_at_once(side);
}

static int nudge(struct side *side, const char *data, size_t len)
{
    (void)data;
    (void)len;
    if (side->received < LARGE)
        return tl_transport_write(side->transport, "x", 1);
    tl_transport_close(side->transport);
    return 0;
}

static void begun_while_both_are_ready(struct contract *contract)
{
    struct show show;
    show_open_large(&show, contract);
    show.scene.client.hooks = (struct hooks){.made = send_half, .data = send_on_data};
    show.scene.client.quiet = true;
    show.scene.peer.hooks.data = nudge;
    scene_play(&show.scene);
    show_close(&show);
    assert_int_equal(show.sent, LARGE / 2);
    assert_int_equal(show.scene.peer.received, LARGE);
    assert_int_equal(show.scene.peer.wrong, 0);
}

/* --- The fallback ----------------------------------------------------------------------------- */

static void where_the_system_cannot(struct contract *contract)
{
    struct show show;
    show_open_large(&show, contract);
    show_without_system(&show);
    show_play(&show, send_whole);
    check_whole(&show);
    assert_int_equal(show.calls, 1);
}

static void parts_where_the_system_cannot(struct contract *contract)
{
    struct show show;
    show_open_text(&show, contract, "0123456789");
    show_without_system(&show);
    show_play(&show, send_parts);
    assert_int_equal(show.calls, sizeof parts / sizeof *parts);
    assert_log(&show.scene.peer, "made data(012345678923478909) eof lost released");
}

static void without_the_fallback(struct contract *contract)
{
    struct show show;
    show_open_text(&show, contract, "text");
    show_without_system(&show);
    show.fallback = false;
    show_play(&show, send_between);
    assert_int_equal(show.code, TL_ENOSENDFILE);
    assert_log(&show.scene.peer, "made data(head  tail) eof lost released");
}

/* A directory can be opened, sent by neither way, and that is told by the second. */
static void what_is_no_file(struct contract *contract)
{
    struct show show;
    show_open(&show, contract);
    show.file = tl_loop_open_file(show.scene.loop, "/tmp", TL_OPEN_READ, 0);
    assert_true(show.file >= 0);
    show_play(&show, send_between);
    assert_int_equal(show.code, -EISDIR);
    assert_log(&show.scene.peer, "made data(head  tail) eof lost released");
}

/* --- Refusals --------------------------------------------------------------------------------- */

static int ask_wrongly(struct side *side)
{
    struct show *show = show_of(side);
    tl_loop *loop = show->scene.loop;
    tl_transport *transport = side->transport;
    int file = show->file;
#define ASK(t, f, o, c) tl_loop_sendfile(loop, t, f, o, c, true)
    assert_null(tl_loop_sendfile(NULL, transport, file, 0, -1, true));
    scene_expect_failed(ASK(NULL, file, 0, -1), -EINVAL, NULL);
    scene_expect_failed(ASK(transport, file, -1, -1), -EINVAL, "offset must not be negative");
    scene_expect_failed(ASK(transport, file, 0, 0), -EINVAL, "count must be positive");
    scene_expect_failed(ASK(transport, file, 0, -2), -EINVAL, "count must be positive");
    scene_expect_failed(ASK(transport, -1, 0, -1), -EBADF, NULL);
    scene_expect_failed(ASK(transport, 99999, 0, -1), -EBADF, NULL);
    assert_int_equal(tl_transport_write_eof(transport), 0);
    scene_expect_failed(ASK(transport, file, 0, -1), TL_ESTATE, NULL);
    tl_transport_close(transport);
    scene_expect_failed(ASK(transport, file, 0, -1), TL_ECLOSED, "Transport is closing");
#undef ASK
    return 0;
}

static void what_is_refused(struct contract *contract)
{
    struct show show;
    show_open_text(&show, contract, "text");
    show_play(&show, ask_wrongly);
    assert_log(&show.scene.peer, "made eof lost released");
}

static int write_meanwhile(struct side *side)
{
    struct show *show = show_of(side);
    const tl_buf bufs[] = {{"x", 1}};
    send_whole(side);
    assert_false(tl_future_done(show->future));
    assert_int_equal(tl_transport_write(side->transport, "x", 1), -EBUSY);
    assert_int_equal(tl_transport_writelines(side->transport, bufs, 1), -EBUSY);
    assert_int_equal(tl_loop_close_file(show->scene.loop, show->file), -EBUSY);
    assert_int_equal(tl_transport_get_write_buffer_size(side->transport), 0);
    scene_expect_failed(
        tl_loop_sendfile(show->scene.loop, side->transport, show->file, 0, -1, true), -EBUSY,
        "sendfile is in progress");
    return 0;
}

static void what_is_refused_meanwhile(struct contract *contract)
{
    struct show show;
    show_open_large(&show, contract);
    show_play(&show, write_meanwhile);
    check_whole(&show);
}

/* The file is held from the call on, also while it waits for what was queued: another one that gets
 * its number must not be sent. */
static int close_while_it_waits(struct side *side)
{
    struct show *show = show_of(side);
    tl_loop *loop = show->scene.loop;
    side->total = LARGE / 2;
    (void)hook_send_at_once(side);
    assert_true(tl_transport_get_write_buffer_size(side->transport) > 0);
    scene_expect_failed(tl_loop_sendfile(loop, side->transport, 99999, 0, -1, true), -EBADF, NULL);
    show_send(show, (int64_t)LARGE / 2, (int64_t)LARGE / 2);
    assert_int_equal(tl_loop_close_file(loop, show->file), -EBUSY);
    assert_int_equal(tl_future_add_done_callback(show->future, close_after, side), 0);
    return 0;
}

static void what_waits_cannot_be_closed(struct contract *contract)
{
    struct show show;
    show_open_large(&show, contract);
    show_play(&show, close_while_it_waits);
    assert_int_equal(show.sent, LARGE / 2);
    assert_int_equal(show.scene.peer.received, LARGE);
    assert_int_equal(show.scene.peer.wrong, 0);
}

/* --- Reading and the end-of-file -------------------------------------------------------------- */

/* The peer greets at once; the client hears of it only when its file has gone. */
static int log_sent(struct side *side, const char *data, size_t len)
{
    (void)data;
    (void)len;
    side_log(side, show_of(side)->done ? "after" : "during");
    tl_transport_close(side->transport);
    return 0;
}

static void nothing_is_read_meanwhile(struct contract *contract)
{
    struct show show;
    show_open_large(&show, contract);
    show.scene.client.hooks.data = log_sent;
    show.scene.peer.hooks.made = hook_write_hello;
    show_play(&show, hook_send_file);
    assert_int_equal(show.scene.peer.received, LARGE);
    assert_non_null(strstr(show.scene.client.log, "after"));
    assert_null(strstr(show.scene.client.log, "during"));
}

static void resume_at_last(struct side *side)
{
    side_log(side, "resumed");
    assert_int_equal(tl_transport_resume_reading(side->transport), 0);
}

static void resume_later(tl_future *future, void *arg)
{
    struct side *side = arg;
    struct show *show = show_of(side);
    (void)future;
    show->later = (struct later){.side = side, .callback = resume_at_last};
    later_start(&show->later);
}

/* Paused while it is sent, or before: afterwards it is still paused. */
static int send_paused(struct side *side)
{
    struct show *show = show_of(side);
    show_send(show, 0, -1);
    assert_int_equal(tl_transport_pause_reading(side->transport), 0);
    assert_int_equal(tl_transport_resume_reading(side->transport), 0);
    assert_int_equal(tl_transport_pause_reading(side->transport), 0);
    assert_int_equal(tl_future_add_done_callback(show->future, resume_later, side), 0);
    return 0;
}

static int close_on_data(struct side *side, const char *data, size_t len)
{
    (void)data;
    (void)len;
    tl_transport_close(side->transport);
    return 0;
}

static void paused_reading_stays_paused(struct contract *contract)
{
    struct show show;
    show_open_large(&show, contract);
    show.scene.client.hooks.data = close_on_data;
    show.scene.peer.hooks.made = hook_write_hello;
    show_play(&show, send_paused);
    assert_log(&show.scene.client, "made resumed data(hello) lost released");
}

static int send_and_eof(struct side *side)
{
    hook_send_file(side);
    assert_int_equal(tl_transport_write_eof(side->transport), 0);
    assert_int_equal(tl_transport_write(side->transport, "x", 1), TL_ESTATE);
    return 0;
}

static void the_end_of_file_comes_after_it(struct contract *contract)
{
    struct show show;
    show_open_large(&show, contract);
    show_play(&show, send_and_eof);
    assert_int_equal(show.sent, LARGE);
    assert_int_equal(show.scene.peer.received, LARGE);
    assert_log(&show.scene.peer, "made eof lost released");
}

/* --- Descriptors that the program opened by itself -------------------------------------------- */

static void a_file_opened_elsewhere(struct contract *contract)
{
    struct show show;
    show_open(&show, contract);
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(fwrite("body", 1, 4, file), 4);
    assert_int_equal(fflush(file), 0);
    show.file = fileno(file);
    show.scene.client.hooks.made = send_between;
    scene_play(&show.scene);
    assert_int_equal(show.code, 0);
    /* The loop does not know it any more, and its position is where it was. */
    assert_int_equal(lseek(show.file, 0, SEEK_CUR), 4);
    assert_int_equal(fclose(file), 0);
    show.file = 0;
    show_close(&show);
    assert_log(&show.scene.peer, "made data(head body tail) eof lost released");
}

static const struct contract_case cases[] = {
    CONTRACT(between_what_is_written),
    CONTRACT(parts_of_a_file),
    CONTRACT(a_large_file),
    CONTRACT(after_what_is_queued),
    CONTRACT(begun_while_both_are_ready),
    CONTRACT(where_the_system_cannot),
    CONTRACT(parts_where_the_system_cannot),
    CONTRACT(without_the_fallback),
    CONTRACT(what_is_no_file),
    CONTRACT(what_is_refused),
    CONTRACT(what_is_refused_meanwhile),
    CONTRACT(what_waits_cannot_be_closed),
    CONTRACT(nothing_is_read_meanwhile),
    CONTRACT(paused_reading_stays_paused),
    CONTRACT(the_end_of_file_comes_after_it),
    CONTRACT_ONLY(a_file_opened_elsewhere, CONTRACT_REAL | CONTRACT_REPLAY_REAL),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "sendfile", cases, sizeof cases / sizeof *cases);
}
