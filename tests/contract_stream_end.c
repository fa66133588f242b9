/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stream transports, the ways to end: closing, aborting, failing and dropping references inside
 * every callback, the peer's reset, a loop closed under open connections, and calls that come too
 * late.
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
#include "support/scene.h"

/* More than any kernel here takes off a writer's hands before a reader reads. */
#define LARGE ((size_t)8 << 20)

/* --- A client that meets every callback, and does one thing in one of them --- */

enum where { IN_MADE, IN_DATA, IN_EOF, IN_PAUSE, IN_RESUME, IN_LOST, IN_BUFFER, IN_UPDATED };

struct trial {
    struct scene scene;
    enum where where;
    int (*act)(struct side *side);
    tl_transport *kept; /* for acts that drop a reference */
};

static struct trial *trial_of(struct side *side)
{
    return tl_container_of(side->scene, struct trial, scene);
}

/* asyncio's data_received and eof_received are told apart by what the peer does: it says hello,
 * reads what the client sends, and ends. */
static int act_if(struct side *side, enum where where)
{
    struct trial *trial = trial_of(side);
    return trial->where == where ? trial->act(side) : 0;
}

static int send_large(struct side *side)
{
    char *bytes = calloc(1, LARGE);
    int r = tl_transport_write(side->transport, bytes, LARGE);
    free(bytes);
    return r;
}

static int trial_made(struct side *side)
{
    trial_of(side)->kept = tl_transport_ref(side->transport);
    int r = act_if(side, IN_MADE);
    if (!tl_transport_is_closing(side->transport))
        (void)send_large(side);
    return r;
}

static int trial_data(struct side *side, const char *data, size_t len)
{
    (void)data;
    (void)len;
    return act_if(side, IN_DATA);
}

static int trial_eof(struct side *side)
{
    return act_if(side, IN_EOF);
}

static int trial_pause(struct side *side)
{
    return act_if(side, IN_PAUSE);
}

static int trial_resume(struct side *side)
{
    int r = act_if(side, IN_RESUME);
    (void)tl_transport_write(side->transport, "!", 1);
    return r;
}

static int trial_lost(struct side *side, int code)
{
    (void)code;
    return act_if(side, IN_LOST);
}

static int trial_buffer(struct side *side, void **ret_buffer, size_t *ret_len)
{
    *ret_buffer = side->buffer;
    *ret_len = sizeof side->buffer;
    return act_if(side, IN_BUFFER);
}

static int trial_updated(struct side *side, size_t len)
{
    (void)len;
    side_log(side, "updated");
    return act_if(side, IN_UPDATED);
}

static const struct hooks trial_hooks = {
    .made = trial_made,
    .data = trial_data,
    .eof = trial_eof,
    .pause = trial_pause,
    .resume = trial_resume,
    .lost = trial_lost,
};

static const struct hooks buffered_trial_hooks = {
    .made = trial_made,
    .eof = trial_eof,
    .pause = trial_pause,
    .resume = trial_resume,
    .lost = trial_lost,
    .get_buffer = trial_buffer,
    .updated = trial_updated,
};

/* The peer: hello once everything has come, and the end. So a client that lives through it logs
 * made, pause, resume, data, eof, lost. */
static int answer_when_whole(struct side *side, const char *data, size_t len)
{
    (void)data;
    (void)len;
    if (side->received < LARGE || side->count++ > 0)
        return 0;
    int r = tl_transport_write(side->transport, "hello", 5);
    return r < 0 ? r : tl_transport_write_eof(side->transport);
}

static void try(struct contract *contract, enum where where, int (*act)(struct side *),
                const char *expected, const char *errors)
{
    bool buffered = where == IN_BUFFER || where == IN_UPDATED;
    struct trial *trial = calloc(1, sizeof *trial);
    struct scene *scene = &trial->scene;
    scene_open(scene, contract);
    trial->where = where;
    trial->act = act;
    side_init(&scene->client, scene, buffered ? TL_PROTOCOL_BUFFERED : TL_PROTOCOL_STREAM,
              buffered ? &buffered_trial_hooks : &trial_hooks);
    scene->peer.hooks.data = answer_when_whole;
    scene->peer.quiet = true;
    scene_play(scene);
    tl_transport_unref(trial->kept);
    trial->kept = NULL;
    scene_close(scene);
    assert_log(&scene->client, expected);
    assert_string_equal(scene->errors, errors);
    assert_true(scene->peer.is_lost && scene->peer.is_released);
    free(trial);
}

static void the_whole_life(struct contract *contract)
{
    try(contract, IN_MADE, hook_keep_open, "made pause resume data(hello) eof lost released", "");
    try(contract, IN_UPDATED, hook_keep_open, "made pause resume updated eof lost released", "");
}

static int close_twice(struct side *side)
{
    tl_transport_close(side->transport);
    tl_transport_close(side->transport);
    side_log(side, tl_transport_is_closing(side->transport) ? "closing" : "open");
    return 0;
}

static void close_inside_callbacks(struct contract *contract)
{
    try(contract, IN_MADE, close_twice, "made closing lost released", "");
    try(contract, IN_PAUSE, close_twice, "made pause closing resume lost released", "");
    try(contract, IN_RESUME, close_twice, "made pause resume closing lost released", "");
    try(contract, IN_DATA, close_twice, "made pause resume data(hello) closing lost released", "");
    try(contract, IN_EOF, close_twice, "made pause resume data(hello) eof closing lost released",
        "");
    try(contract, IN_LOST, close_twice, "made pause resume data(hello) eof lost closing released",
        "");
    try(contract, IN_BUFFER, close_twice, "made pause resume closing lost released", "");
    try(contract, IN_UPDATED, close_twice, "made pause resume updated closing lost released", "");
}

static int abort_twice(struct side *side)
{
    tl_transport_abort(side->transport);
    tl_transport_abort(side->transport);
    tl_transport_close(side->transport);
    side_log(side, tl_transport_is_closing(side->transport) ? "closing" : "open");
    return 0;
}

static void abort_inside_callbacks(struct contract *contract)
{
    try(contract, IN_MADE, abort_twice, "made closing lost released", "");
    try(contract, IN_PAUSE, abort_twice, "made pause closing lost released", "");
    try(contract, IN_RESUME, abort_twice, "made pause resume closing lost released", "");
    try(contract, IN_DATA, abort_twice, "made pause resume data(hello) closing lost released", "");
    try(contract, IN_EOF, abort_twice, "made pause resume data(hello) eof closing lost released",
        "");
    try(contract, IN_LOST, abort_twice, "made pause resume data(hello) eof lost closing released",
        "");
    try(contract, IN_BUFFER, abort_twice, "made pause resume closing lost released", "");
    try(contract, IN_UPDATED, abort_twice, "made pause resume updated closing lost released", "");
}

static int return_error(struct side *side)
{
    (void)side;
    return -EBADMSG;
}

/* What the program's callbacks return is always reported; which of them end the connection is
 * asyncio's choice. */
static void errors_from_callbacks(struct contract *contract)
{
    try(contract, IN_MADE, return_error, "made pause resume data(hello) eof lost released",
        "Exception in callback protocol.connection_made(): EBADMSG\n");
    try(contract, IN_PAUSE, return_error, "made pause resume data(hello) eof lost released",
        "protocol.pause_writing() failed: EBADMSG\n");
    try(contract, IN_RESUME, return_error, "made pause resume data(hello) eof lost released",
        "protocol.resume_writing() failed: EBADMSG\n");
    try(contract, IN_DATA, return_error, "made pause resume data(hello) lost(EBADMSG) released",
        "Fatal error: protocol.data_received() call failed.: EBADMSG\n");
    try(contract, IN_EOF, return_error, "made pause resume data(hello) eof lost(EBADMSG) released",
        "Fatal error: protocol.eof_received() call failed.: EBADMSG\n");
    try(contract, IN_LOST, return_error, "made pause resume data(hello) eof lost released", "");
    try(contract, IN_BUFFER, return_error, "made pause resume lost(EBADMSG) released",
        "Fatal error: protocol.get_buffer() call failed.: EBADMSG\n");
    try(contract, IN_UPDATED, return_error, "made pause resume updated lost(EBADMSG) released",
        "Fatal error: protocol.buffer_updated() call failed.: EBADMSG\n");
}

static int drop(struct side *side)
{
    struct trial *trial = trial_of(side);
    tl_transport_unref(trial->kept);
    trial->kept = NULL;
    return 0;
}

static int abort_and_drop(struct side *side)
{
    tl_transport_abort(side->transport);
    return drop(side);
}

static void dropping_references_inside_callbacks(struct contract *contract)
{
    static const char whole[] = "made pause resume data(hello) eof lost released";
    try(contract, IN_MADE, drop, whole, "");
    try(contract, IN_PAUSE, drop, whole, "");
    try(contract, IN_RESUME, drop, whole, "");
    try(contract, IN_DATA, drop, whole, "");
    try(contract, IN_EOF, drop, whole, "");
    try(contract, IN_LOST, drop, whole, "");
    try(contract, IN_BUFFER, drop, "made pause resume updated eof lost released", "");
    try(contract, IN_PAUSE, abort_and_drop, "made pause lost released", "");
    try(contract, IN_RESUME, abort_and_drop, "made pause resume lost released", "");
    try(contract, IN_DATA, abort_and_drop, "made pause resume data(hello) lost released", "");
    try(contract, IN_EOF, abort_and_drop, "made pause resume data(hello) eof lost released", "");
    try(contract, IN_LOST, abort_and_drop, "made pause resume data(hello) eof lost released", "");
}

/* --- Too late --- */

static void call_everything(struct side *side, tl_transport *transport)
{
    static const tl_buf piece = {"x", 1};
    side_log(side, "%s", tl_err_name(tl_transport_write(transport, "x", 1)));
    side_log(side, "%s", tl_err_name(tl_transport_writelines(transport, &piece, 1)));
    side_log(side, "%s", tl_err_name(tl_transport_write_eof(transport)));
    side_log(side, "%s", tl_err_name(tl_transport_pause_reading(transport)));
    side_log(side, "%s", tl_err_name(tl_transport_resume_reading(transport)));
    side_log(side, "%s", tl_err_name(tl_transport_set_protocol(transport, &side->protocol)));
    tl_transport_close(transport);
    tl_transport_abort(transport);
    side_log(side, "%d%d%zu", tl_transport_is_closing(transport),
             tl_transport_is_reading(transport), tl_transport_get_write_buffer_size(transport));
}

#define TOO_LATE "TL_ECLOSED TL_ECLOSED TL_ECLOSED TL_ECLOSED TL_ECLOSED TL_ECLOSED 100"

static int call_everything_in_lost(struct side *side, int code)
{
    (void)code;
    call_everything(side, side->transport);
    side_log(side, tl_transport_get_protocol(side->transport) != NULL ? "mine" : "none");
    return 0;
}

static void calls_after_the_end(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    scene.client.hooks = (struct hooks){.made = hook_ref, .lost = call_everything_in_lost};
    scene.peer.hooks.made = hook_close;
    scene_play(&scene);
    assert_log(&scene.client, "made eof lost " TOO_LATE " mine released");
    scene.client.log[0] = '\0';
    call_everything(&scene.client, scene.client.user);
    assert_log(&scene.client, TOO_LATE);
    assert_null(tl_transport_get_protocol(scene.client.user));
    scene_close(&scene);
    tl_transport_unref(scene.client.user);
}

static void no_transport(struct contract *contract)
{
    const tl_value dflt = tl_value_int(3);
    size_t low = 7;
    (void)contract;
    tl_transport_unref(NULL);
    tl_transport_close(NULL);
    tl_transport_abort(NULL);
    assert_true(tl_transport_is_closing(NULL));
    assert_false(tl_transport_is_reading(NULL));
    assert_false(tl_transport_can_write_eof(NULL));
    assert_null(tl_transport_get_protocol(NULL));
    assert_ptr_equal(tl_transport_get_extra_info(NULL, "socket", &dflt), &dflt);
    assert_int_equal(tl_transport_get_write_buffer_size(NULL), 0);
    tl_transport_get_write_buffer_limits(NULL, &low, NULL);
    assert_int_equal(low, 7);
    assert_int_equal(tl_transport_set_write_buffer_limits(NULL, 1, 1), -EINVAL);
    assert_int_equal(tl_transport_write_eof(NULL), -EINVAL);
    assert_int_equal(tl_transport_pause_reading(NULL), -EINVAL);
    assert_int_equal(tl_transport_resume_reading(NULL), -EINVAL);
}

/* --- The peer's reset --- */

static int abort_now(struct side *side, size_t len)
{
    (void)len;
    tl_transport_abort(side->transport);
    return 0;
}

/* Ends the connection with bytes unread, which is told to the other side as a reset. */
static void reset_by_the_peer(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    side_init(&scene.client, &scene, TL_PROTOCOL_BUFFERED, &(struct hooks){.updated = abort_now});
    scene.client.buffer_size = 1;
    scene.peer.hooks.made = hook_write_hello;
    scene_play(&scene);
    scene_close(&scene);
    assert_log(&scene.client, "made lost released");
    assert_log(&scene.peer, "made lost(ECONNRESET) released");
    assert_string_equal(scene.errors, "");
}

static void write_on(struct side *side)
{
    struct later *later = side->user;
    if (side->transport == NULL || tl_transport_is_closing(side->transport))
        return;
    side->wrong += tl_transport_write(side->transport, "x", 1) != 0;
    later->turns = 1;
    later_start(later);
}

static int hello_then_write_on(struct side *side)
{
    int r = tl_transport_pause_reading(side->transport);
    if (r == 0)
        r = hook_write_hello(side);
    later_start(side->user);
    return r;
}

/* It does not read, so it is a write that meets the reset: quietly, and once. */
static void reset_met_by_a_write(struct contract *contract)
{
    struct scene scene;
    struct later later = {.turns = 1, .side = &scene.peer, .callback = write_on};
    scene_open(&scene, contract);
    side_init(&scene.client, &scene, TL_PROTOCOL_BUFFERED, &(struct hooks){.updated = abort_now});
    scene.client.buffer_size = 1;
    scene.peer.hooks.made = hello_then_write_on;
    scene.peer.user = &later;
    scene_play(&scene);
    scene_close(&scene);
    assert_int_equal(scene.peer.wrong, 0);
    assert_string_equal(scene.errors, "");
    if (strcmp(scene.peer.log, "made lost(EPIPE) released") != 0)
        assert_log(&scene.peer, "made lost(ECONNRESET) released");
}

static void end_late(struct side *side)
{
    if (side->transport != NULL)
        side_log(side, "%d", tl_transport_write_eof(side->transport));
}

static int silent_hello_then_later(struct side *side)
{
    int r = tl_transport_pause_reading(side->transport);
    (void)hook_later(side);
    return r < 0 ? r : hook_write_hello(side);
}

/* It neither reads nor writes: the end that it sends finds no connection, and is told why there is
 * none. */
static void reset_met_by_write_eof(struct contract *contract)
{
    struct scene scene;
    struct later later = {.turns = 20, .side = &scene.peer, .callback = end_late};
    scene_open(&scene, contract);
    side_init(&scene.client, &scene, TL_PROTOCOL_BUFFERED, &(struct hooks){.updated = abort_now});
    scene.client.buffer_size = 1;
    scene.peer.hooks.made = silent_hello_then_later;
    scene.peer.user = &later;
    scene_play(&scene);
    scene_close(&scene);
    assert_log(&scene.peer, "made 0 lost(ECONNRESET) released");
    assert_string_equal(scene.errors, "");
}

/* --- A loop that is closed first --- */

static int stop(struct side *side, const char *data, size_t len)
{
    (void)data;
    (void)len;
    tl_loop_stop(side->scene->loop);
    return 0;
}

static int ref_and_send_large(struct side *side)
{
    (void)hook_ref(side);
    return send_large(side);
}

static void loop_closed_under_open_connections(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    scene.client.hooks.made = ref_and_send_large;
    scene.peer.hooks.data = stop;
    scene.peer.quiet = true;
    scene_connect(&scene);
    scene_run(&scene);
    scene_close(&scene);
    assert_log(&scene.client, "made pause released");
    assert_log(&scene.peer, "made released");
    scene.client.log[0] = '\0';
    call_everything(&scene.client, scene.client.user);
    assert_log(&scene.client, TOO_LATE);
    tl_transport_unref(scene.client.user);
}

static int close_loop(struct side *side)
{
    side_log(side, "%d", tl_loop_close(side->scene->loop));
    return -EBADMSG; /* the report must cope as well */
}

/* Between runs the program may close the loop, even in a callback of its own write. The protocol
 * stays until that has returned. */
static void loop_closed_inside_pause_writing(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    scene.client.hooks = (struct hooks){.made = hook_write_hello, .pause = close_loop};
    scene.peer.hooks.data = stop;
    scene_connect(&scene);
    scene_run(&scene);
    assert_int_equal(send_large(&scene.client), 0);
    scene_close(&scene);
    assert_log(&scene.client, "made pause 0 released");
    assert_string_equal(scene.errors, "protocol.pause_writing() failed: EBADMSG\n");
}

/* A release that reaches for another connection of the closed loop, which has its own still to
 * come. Which of the two is first is no promise. */
static void touch_other(struct side *side)
{
    struct side *other = side->user;
    if (!other->is_released)
        call_everything(other, other->transport);
}

static void releases_may_touch_what_is_not_released_yet(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    scene.client.hooks = (struct hooks){.made = hook_write_hello, .released = touch_other};
    scene.client.user = &scene.peer;
    scene.peer.hooks = (struct hooks){.data = stop, .released = touch_other};
    scene.peer.user = &scene.client;
    scene_connect(&scene);
    scene_run(&scene);
    scene_close(&scene);
    bool client_first = strcmp(scene.client.log, "made released") == 0;
    struct side *second = client_first ? &scene.peer : &scene.client;
    assert_non_null(
        strstr(second->log, " TL_ECLOSED TL_ECLOSED TL_ECLOSED TL_ECLOSED TL_ECLOSED TL_ECLOSED "));
    assert_non_null(strstr(second->log, " released"));
}

static void loop_closed_before_connection_made(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    scene_connect(&scene);
    scene_close(&scene);
    assert_log(&scene.client, "");
    assert_log(&scene.peer, "");
}

/* --- Who holds a protocol --- */

static void results_keep_the_protocol(struct contract *contract)
{
    struct scene scene;
    tl_value value = tl_value_none();
    scene_open(&scene, contract);
    tl_future *future = tl_loop_create_connection(scene.loop, scene_client_factory, &scene,
                                                  "127.0.0.1", scene.port, NULL);
    assert_int_equal(tl_loop_run_until_complete(scene.loop, future, &value), 0);
    const tl_pair *pair = tl_value_pair(&value);
    assert_non_null(pair);
    assert_ptr_equal(pair->protocol, &scene.client.protocol);
    assert_ptr_equal(pair->transport, scene.client.transport);
    assert_ptr_equal(tl_transport_get_protocol(pair->transport), pair->protocol);
    tl_transport_close(pair->transport);
    scene_await(&scene, 2);
    assert_log(&scene.client, "made lost");
    tl_value_finish(&value);
    assert_log(&scene.client, "made lost released");
    scene_close(&scene);
}

static void results_outlive_the_loop(struct contract *contract)
{
    struct scene scene;
    tl_value value = tl_value_none();
    scene_open(&scene, contract);
    tl_future *future = tl_loop_create_connection(scene.loop, scene_client_factory, &scene,
                                                  "127.0.0.1", scene.port, NULL);
    assert_int_equal(tl_loop_run_until_complete(scene.loop, future, &value), 0);
    scene_close(&scene);
    assert_log(&scene.client, "made");
    tl_value_finish(&value);
    assert_log(&scene.client, "made released");
}

static const struct contract_case cases[] = {
    CONTRACT(the_whole_life),
    CONTRACT(close_inside_callbacks),
    CONTRACT(abort_inside_callbacks),
    CONTRACT(errors_from_callbacks),
    CONTRACT(dropping_references_inside_callbacks),
    CONTRACT(calls_after_the_end),
    CONTRACT_ONLY(no_transport, CONTRACT_REAL), /* it needs no kernel */
    CONTRACT(reset_by_the_peer),
    CONTRACT(reset_met_by_a_write),
    CONTRACT(reset_met_by_write_eof),
    CONTRACT(loop_closed_under_open_connections),
    CONTRACT(loop_closed_inside_pause_writing),
    CONTRACT(releases_may_touch_what_is_not_released_yet),
    CONTRACT(loop_closed_before_connection_made),
    CONTRACT(results_keep_the_protocol),
    CONTRACT(results_outlive_the_loop),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "stream_end", cases, sizeof cases / sizeof *cases);
}
