/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop.sendfile that ends early: by the peer, by the program, or with its loop.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "support/show.h"

static int abort_on_data(struct side *side, const char *data, size_t len)
{
    (void)data;
    (void)len;
    tl_transport_abort(side->transport);
    return 0;
}

static void expect_lost(struct contract *contract, bool native)
{
    struct show show;
    show_open_large(&show, contract);
    if (!native)
        show_without_system(&show);
    show.scene.peer.hooks.data = abort_on_data;
    show_play(&show, hook_send_file);
    char log[96];
    snprintf(log, sizeof log, "made lost(%s) released", tl_err_name(show.code));
    assert_true(show.code == -ECONNRESET || show.code == -EPIPE);
    assert_log(&show.scene.client, log);
}

static void the_peer_goes(struct contract *contract)
{
    expect_lost(contract, true);
}

static void the_peer_goes_during_the_fallback(struct contract *contract)
{
    expect_lost(contract, false);
}

static int send_and_close(struct side *side)
{
    hook_send_file(side);
    tl_transport_close(side->transport);
    return 0;
}

static int send_and_abort(struct side *side)
{
    hook_send_file(side);
    tl_transport_abort(side->transport);
    return 0;
}

static int queue_send_and_close(struct side *side)
{
    side->total = LARGE;
    assert_int_equal(hook_send_at_once(side), 0);
    return send_and_close(side);
}

static void expect_closed(struct contract *contract, int (*made)(struct side *side),
                          const char *log)
{
    struct show show;
    show_open_large(&show, contract);
    show_play(&show, made);
    assert_true(show.done);
    assert_int_equal(show.code, TL_ECLOSED);
    assert_log(&show.scene.client, log);
    assert_int_equal(show.scene.peer.wrong, 0);
    assert_true(show.scene.peer.received <= LARGE);
}

static void closing_ends_it(struct contract *contract)
{
    expect_closed(contract, send_and_close, "made lost released");
    expect_closed(contract, send_and_abort, "made lost released");
}

static void closing_before_its_turn_flushes(struct contract *contract)
{
    expect_closed(contract, queue_send_and_close, "made pause resume lost released");
}

/* What was sent stays sent; the transport goes on. */
static int cancel_and_write(struct side *side)
{
    struct show *show = show_of(side);
    hook_send_file(side);
    assert_true(tl_future_cancel(show->future));
    assert_int_equal(tl_loop_close_file(show->scene.loop, show->file), 0);
    show->file = 0;
    side->sent = 0;
    assert_int_equal(tl_transport_write(side->transport, "!", 1), 0);
    tl_transport_close(side->transport);
    return 0;
}

static void cancelling_leaves_the_transport(struct contract *contract)
{
    struct show show;
    show_open_large(&show, contract);
    show_play(&show, cancel_and_write);
    assert_int_equal(show.code, -ECANCELED);
    assert_true(show.scene.peer.received > 0 && show.scene.peer.received < LARGE);
    assert_true(show.scene.peer.wrong <= 1); /* the "!" */
    assert_log(&show.scene.peer, "made eof lost released");
}

static int stop_on_data(struct side *side, const char *data, size_t len)
{
    (void)data;
    (void)len;
    tl_loop_stop(side->scene->loop);
    return tl_transport_pause_reading(side->transport);
}

static void a_closed_loop_forgets_it(struct contract *contract)
{
    struct show show;
    show_open_large(&show, contract);
    show.scene.client.hooks.made = hook_send_file;
    show.scene.peer.hooks.data = stop_on_data;
    scene_connect(&show.scene);
    scene_run(&show.scene);
    tl_future *future = show.future;
    assert_non_null(future);
    scene_close(&show.scene);
    assert_false(tl_future_done(future));
    tl_future_unref(future);
}

static const struct contract_case cases[] = {
    CONTRACT(the_peer_goes),
    CONTRACT(the_peer_goes_during_the_fallback),
    CONTRACT(closing_ends_it),
    CONTRACT(closing_before_its_turn_flushes),
    CONTRACT(cancelling_leaves_the_transport),
    CONTRACT(a_closed_loop_forgets_it),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "sendfile_end", cases, sizeof cases / sizeof *cases);
}
