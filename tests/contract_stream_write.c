/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stream transports, writing: write-through, the queue, what close, abort and write_eof do to it,
 * and gathered writes. Flow control is in contract_stream_flow.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "support/scene.h"

/* More than any kernel here takes off a writer's hands before a reader reads. */
#define LARGE ((size_t)8 << 20)

/* --- Large transfers --- */

/* Whoever has sent everything and received everything closes. */
static int exchange_data(struct side *side, const char *data, size_t len)
{
    (void)data;
    (void)len;
    if (side->received == side->total && side->sent == side->total)
        tl_transport_close(side->transport);
    return 0;
}

static int exchange_resume(struct side *side)
{
    int r = side_send_pattern(side);
    if (side->received == side->total && side->sent == side->total)
        tl_transport_close(side->transport);
    return r;
}

static void large_in_both_directions(struct contract *contract)
{
    static const struct hooks hooks = {.made = side_send_pattern,
                                       .resume = exchange_resume,
                                       .data = exchange_data,
                                       .eof = hook_keep_open};
    struct scene scene;
    scene_open(&scene, contract);
    scene.client.hooks = hooks;
    scene.client.quiet = true;
    scene.client.total = LARGE;
    scene.peer.hooks = hooks;
    scene.peer.quiet = true;
    scene.peer.total = LARGE;
    scene_play(&scene);
    scene_close(&scene);
    assert_int_equal(scene.client.received, LARGE);
    assert_int_equal(scene.client.wrong, 0);
    assert_int_equal(scene.peer.received, LARGE);
    assert_int_equal(scene.peer.wrong, 0);
    assert_string_equal(scene.errors, "");
}

static int send_at_once_and_close(struct side *side)
{
    int r = hook_send_at_once(side);
    tl_transport_close(side->transport);
    side_log(side, tl_transport_is_closing(side->transport) ? "closing" : "open");
    side_log(side, tl_transport_get_write_buffer_size(side->transport) > 0 ? "queued" : "written");
    side_log(side, "%s", tl_err_name(tl_transport_write(side->transport, "x", 1)));
    return r;
}

static void close_writes_out_what_is_queued(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    scene.client.hooks.made = send_at_once_and_close;
    scene.client.total = LARGE;
    scene.peer.quiet = true;
    scene_play(&scene);
    scene_close(&scene);
    assert_log(&scene.client, "made pause closing queued TL_ECLOSED resume lost released");
    assert_log(&scene.peer, "made eof lost released");
    assert_int_equal(scene.peer.received, LARGE);
    assert_int_equal(scene.peer.wrong, 0);
}

static int send_at_once_and_abort(struct side *side)
{
    int r = hook_send_at_once(side);
    tl_transport_abort(side->transport);
    side_log(side, "%zu", tl_transport_get_write_buffer_size(side->transport));
    return r;
}

static void abort_drops_what_is_queued(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    scene.client.hooks.made = send_at_once_and_abort;
    scene.client.total = LARGE;
    scene.peer.quiet = true;
    scene_play(&scene);
    scene_close(&scene);
    assert_log(&scene.client, "made pause 0 lost released");
    assert_log(&scene.peer, "made eof lost released");
    assert_true(scene.peer.received < LARGE);
    assert_int_equal(scene.peer.wrong, 0);
}

static void abort_now(struct side *side)
{
    tl_transport_abort(side->transport);
    side_log(side, "%zu", tl_transport_get_write_buffer_size(side->transport));
}

static int send_close_and_abort_later(struct side *side)
{
    int r = hook_send_at_once(side);
    tl_transport_close(side->transport);
    (void)hook_later(side);
    return r;
}

static int pause_until_client_is_lost(struct side *side)
{
    return side->scene->client.is_lost ? 0 : tl_transport_pause_reading(side->transport);
}

static int stop(struct side *side, int code)
{
    (void)code;
    tl_loop_stop(side->scene->loop);
    return 0;
}

/* Flushing to a peer that does not read takes for ever, and abort ends it. */
static void abort_while_flushing(struct contract *contract)
{
    struct scene scene;
    struct later later = {.turns = 10, .side = &scene.client, .callback = abort_now};
    scene_open(&scene, contract);
    scene.client.hooks.made = send_close_and_abort_later;
    scene.client.total = LARGE;
    scene.client.user = &later;
    scene.peer.hooks.made = pause_until_client_is_lost;
    scene.peer.quiet = true;
    scene.client.hooks.lost = stop;
    scene_connect(&scene);
    scene_run(&scene);
    assert_log(&scene.client, "made pause 0 lost released");
    (void)tl_transport_resume_reading(scene.peer.transport);
    scene_await(&scene, 2);
    scene_close(&scene);
    assert_true(scene.peer.received < LARGE);
}

static int send_at_once_and_close_quietly(struct side *side)
{
    int r = hook_send_at_once(side);
    tl_transport_close(side->transport);
    return r;
}

static int abort_at_first(struct side *side, const char *data, size_t len)
{
    (void)data;
    (void)len;
    tl_transport_abort(side->transport);
    return 0;
}

/* The peer vanishes while what was queued is still being flushed: that is no regular end. */
static void peer_vanishes_while_flushing(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    scene.client.hooks.made = send_at_once_and_close_quietly;
    scene.client.total = LARGE;
    scene.peer.hooks.data = abort_at_first;
    scene.peer.quiet = true;
    scene_play(&scene);
    scene_close(&scene);
    if (strcmp(scene.client.log, "made pause lost(EPIPE) released") != 0)
        assert_log(&scene.client, "made pause lost(ECONNRESET) released");
    assert_string_equal(scene.errors, "");
}

/* --- End-of-file --- */

static int send_at_once_and_eof(struct side *side)
{
    int r = hook_send_at_once(side);
    side_log(side, "%d", tl_transport_can_write_eof(side->transport));
    side_log(side, "%d", tl_transport_write_eof(side->transport));
    side_log(side, "%d", tl_transport_write_eof(side->transport));
    side_log(side, "%s", tl_err_name(tl_transport_write(side->transport, "x", 1)));
    side_log(side, "%s", tl_err_name(tl_transport_writelines(side->transport, NULL, 0)));
    side_log(side, tl_transport_is_closing(side->transport) ? "closing" : "open");
    return r;
}

static void eof_follows_what_is_queued(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    scene.client.hooks.made = send_at_once_and_eof;
    scene.client.total = LARGE;
    scene.peer.quiet = true;
    scene_play(&scene);
    scene_close(&scene);
    assert_log(&scene.client, "made pause 1 0 0 TL_ESTATE TL_ESTATE open resume eof lost released");
    assert_log(&scene.peer, "made eof lost released");
    assert_int_equal(scene.peer.received, LARGE);
    assert_int_equal(scene.peer.wrong, 0);
}

/* The peer's end-of-file closes a transport with a full queue: the queue is written out first. */
static void peer_eof_flushes_first(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    scene.client.hooks.made = hook_write_hello_and_eof;
    scene.client.quiet = true;
    scene.peer.hooks.made = hook_send_at_once;
    scene.peer.total = LARGE;
    scene_play(&scene);
    scene_close(&scene);
    assert_int_equal(scene.client.received, LARGE);
    assert_int_equal(scene.client.wrong, 0);
    assert_string_equal(scene.client.log, "made eof lost released");
    assert_non_null(strstr(scene.peer.log, "resume"));
    assert_non_null(strstr(scene.peer.log, " lost released"));
}

static void write_hook_write_eof_writing(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    scene.client.hooks = (struct hooks){.made = hook_send_at_once, .resume = hook_write_eof};
    scene.client.total = LARGE;
    scene.peer.quiet = true;
    scene_play(&scene);
    scene_close(&scene);
    assert_log(&scene.client, "made pause resume 0 eof lost released");
    assert_int_equal(scene.peer.received, LARGE);
}

static void log_soon(void *arg)
{
    side_log(arg, "soon");
}

static int log_soon_in_resume(struct side *side)
{
    return tl_loop_call_soon(side->scene->loop, log_soon, side, NULL);
}

/* asyncio: a flush that completes calls connection_lost itself, being in the loop already. */
static void a_completed_flush_ends_at_once(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    scene.client.hooks =
        (struct hooks){.made = send_at_once_and_close, .resume = log_soon_in_resume};
    scene.client.total = LARGE;
    scene.peer.quiet = true;
    scene_play(&scene);
    scene_close(&scene);
    assert_log(&scene.client, "made pause closing queued TL_ECLOSED resume lost released soon");
}

/* --- Several pieces --- */

/* 200 pieces of lengths 0, 1, ... of the pattern, more than one gathered write takes. */
static int write_many_pieces(struct side *side)
{
    static char pattern[200 * 199 / 2];
    tl_buf bufs[200];
    size_t used = 0;
    for (size_t i = 0; i < 200; i++) {
        bufs[i] = (tl_buf){pattern + used, i};
        used += i;
    }
    for (size_t i = 0; i < used; i++)
        pattern[i] = pattern_byte(i);
    side->total = used;
    int r = tl_transport_writelines(side->transport, bufs, 200);
    if (r == 0)
        r = tl_transport_writelines(side->transport, NULL, 0);
    return r < 0 ? r : tl_transport_write_eof(side->transport);
}

static void writelines_is_one_write_of_many_pieces(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    scene.client.hooks.made = write_many_pieces;
    scene.peer.quiet = true;
    scene_play(&scene);
    scene_close(&scene);
    assert_log(&scene.client, "made eof lost released");
    assert_int_equal(scene.peer.received, scene.client.total);
    assert_int_equal(scene.peer.wrong, 0);
}

/* Three pieces, of which the kernel takes only a part; then three more behind them in the queue. */
static int writelines_beyond_the_kernel(struct side *side)
{
    size_t third = side->total / 6;
    char *pattern = malloc(side->total);
    tl_buf bufs[6];
    for (size_t i = 0; i < side->total; i++)
        pattern[i] = pattern_byte(i);
    for (size_t i = 0; i < 6; i++)
        bufs[i] = (tl_buf){pattern + i * third, i < 5 ? third : side->total - 5 * third};
    int r = tl_transport_writelines(side->transport, bufs, 3);
    if (r == 0)
        r = tl_transport_writelines(side->transport, bufs + 3, 3);
    free(pattern);
    tl_transport_close(side->transport);
    return r;
}

static void writelines_queues_the_rest(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    scene.client.hooks.made = writelines_beyond_the_kernel;
    scene.client.total = 2 * LARGE + 1;
    scene.peer.quiet = true;
    scene_play(&scene);
    scene_close(&scene);
    assert_log(&scene.client, "made pause resume lost released");
    assert_int_equal(scene.peer.received, 2 * LARGE + 1);
    assert_int_equal(scene.peer.wrong, 0);
}

/* --- Arguments --- */

static int write_nonsense(struct side *side)
{
    const tl_buf bad[] = {{"x", 1}, {NULL, 1}};
    const tl_buf empty[] = {{NULL, 0}, {"x", 0}};
    tl_transport *transport = side->transport;
    side_log(side, "%s", tl_err_name(tl_transport_write(NULL, "x", 1)));
    side_log(side, "%s", tl_err_name(tl_transport_write(transport, NULL, 1)));
    side_log(side, "%s", tl_err_name(tl_transport_writelines(transport, NULL, 1)));
    side_log(side, "%s", tl_err_name(tl_transport_writelines(transport, bad, 2)));
    side_log(side, "%s", tl_err_name(tl_transport_writelines(NULL, bad, 1)));
    side_log(side, "%d", tl_transport_write(transport, NULL, 0));
    side_log(side, "%d", tl_transport_writelines(transport, empty, 2));
    tl_transport_close(transport);
    return 0;
}

static void nonsense_is_refused(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    scene.client.hooks.made = write_nonsense;
    scene_play(&scene);
    scene_close(&scene);
    assert_log(&scene.client, "made EINVAL EINVAL EINVAL EINVAL EINVAL 0 0 lost released");
    assert_log(&scene.peer, "made eof lost released");
}

static const struct contract_case cases[] = {
    CONTRACT(large_in_both_directions),       CONTRACT(close_writes_out_what_is_queued),
    CONTRACT(abort_drops_what_is_queued),     CONTRACT(abort_while_flushing),
    CONTRACT(peer_vanishes_while_flushing),   CONTRACT(eof_follows_what_is_queued),
    CONTRACT(peer_eof_flushes_first),         CONTRACT(write_hook_write_eof_writing),
    CONTRACT(a_completed_flush_ends_at_once), CONTRACT(writelines_is_one_write_of_many_pieces),
    CONTRACT(writelines_queues_the_rest),     CONTRACT(nonsense_is_refused),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "stream_write", cases, sizeof cases / sizeof *cases);
}
