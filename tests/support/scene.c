/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stage for tests of transports: see scene.h. A scene lives on the test's stack, or in memory
 * of the test's; its sides outlive the loop.
 */
#include "support/scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* No run of a test takes a tenth of this. */
#define GUARD_DELAY (60 * TL_SECOND)

/* Enough for bytes to cross a loopback, simulated ones too. */
#define TURN (100 * TL_MICROSECOND)

/* --- Logs --- */

static void append(char *text, size_t size, const char *piece)
{
    size_t used = strlen(text);
    size_t len = strlen(piece);
    if (len > size - used - 1)
        len = size - used - 1;
    memcpy(text + used, piece, len);
    text[used + len] = '\0';
}

void side_log(struct side *side, const char *format, ...)
{
    char entry[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(entry, sizeof entry, format, args);
    va_end(args);
    side->in_data = false;
    if (side->log[0] != '\0')
        append(side->log, sizeof side->log, " ");
    append(side->log, sizeof side->log, entry);
}

/* Where the bytes were cut is the kernel's affair: data after data joins the entry. */
static void log_data(struct side *side, const char *data, size_t len)
{
    char text[256];
    if (side->in_data)
        side->log[strlen(side->log) - 1] = '\0';
    else
        side_log(side, "data(");
    (void)snprintf(text, sizeof text, "%.*s)", (int)len, data);
    append(side->log, sizeof side->log, text);
    side->in_data = true;
}

char pattern_byte(size_t n)
{
    return (char)(n * 7 + n / 251);
}

static void check_pattern(struct side *side, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        side->wrong += data[i] != pattern_byte(side->received + i);
}

int side_send_pattern(struct side *side)
{
    char chunk[30000];
    while (side->sent < side->total && !side->paused) {
        size_t len = side->total - side->sent;
        if (len > sizeof chunk)
            len = sizeof chunk;
        for (size_t i = 0; i < len; i++)
            chunk[i] = pattern_byte(side->sent + i);
        side->sent += len;
        int r = tl_transport_write(side->transport, chunk, len);
        if (r < 0)
            return r;
    }
    return 0;
}

/* --- The protocol --- */

static struct side *side_of(tl_protocol *protocol)
{
    return tl_container_of(protocol, struct side, protocol);
}

static int on_made(tl_protocol *protocol, tl_transport *transport)
{
    struct side *side = side_of(protocol);
    side->transport = transport;
    side_log(side, "made");
    return side->hooks.made != NULL ? side->hooks.made(side) : 0;
}

static void on_lost(tl_protocol *protocol, const tl_error *exc)
{
    struct side *side = side_of(protocol);
    struct scene *scene = side->scene;
    if (exc != NULL)
        side_log(side, "lost(%s)", tl_err_name(exc->code));
    else
        side_log(side, "lost");
    if (side->hooks.lost != NULL)
        (void)side->hooks.lost(side, exc != NULL ? exc->code : 0);
    side->transport = NULL;
    side->is_lost = true;
    if (++scene->lost == scene->awaited)
        tl_loop_stop(scene->loop);
}

static int take_data(struct side *side, const char *data, size_t len)
{
    if (side->quiet)
        check_pattern(side, data, len);
    else
        log_data(side, data, len);
    side->received += len;
    return 0;
}

static int on_data(tl_protocol *protocol, const void *data, size_t len)
{
    struct side *side = side_of(protocol);
    (void)take_data(side, data, len);
    return side->hooks.data != NULL ? side->hooks.data(side, data, len) : 0;
}

static int on_get_buffer(tl_protocol *protocol, ssize_t hint, void **ret_buffer, size_t *ret_len)
{
    struct side *side = side_of(protocol);
    (void)hint;
    if (side->hooks.get_buffer != NULL)
        return side->hooks.get_buffer(side, ret_buffer, ret_len);
    *ret_buffer = side->buffer;
    *ret_len = side->buffer_size != 0 ? side->buffer_size : sizeof side->buffer;
    return 0;
}

static int on_updated(tl_protocol *protocol, size_t len)
{
    struct side *side = side_of(protocol);
    if (side->hooks.updated != NULL)
        return side->hooks.updated(side, len);
    (void)take_data(side, side->buffer, len);
    return side->hooks.data != NULL ? side->hooks.data(side, side->buffer, len) : 0;
}

static int on_eof(tl_protocol *protocol)
{
    struct side *side = side_of(protocol);
    side_log(side, "eof");
    return side->hooks.eof != NULL ? side->hooks.eof(side) : 0;
}

static int on_pause(tl_protocol *protocol)
{
    struct side *side = side_of(protocol);
    side->paused = true;
    if (!side->quiet)
        side_log(side, "pause");
    return side->hooks.pause != NULL ? side->hooks.pause(side) : 0;
}

static int on_resume(tl_protocol *protocol)
{
    struct side *side = side_of(protocol);
    side->paused = false;
    if (!side->quiet)
        side_log(side, "resume");
    return side->hooks.resume != NULL ? side->hooks.resume(side) : 0;
}

static void on_release(tl_protocol *protocol)
{
    struct side *side = side_of(protocol);
    side->is_released = true;
    side_log(side, "released");
    if (side->hooks.released != NULL)
        side->hooks.released(side);
}

static const struct tl_protocol_ops stream_ops = {
    .kind = TL_PROTOCOL_STREAM,
    .connection_made = on_made,
    .connection_lost = on_lost,
    .pause_writing = on_pause,
    .resume_writing = on_resume,
    .data_received = on_data,
    .eof_received = on_eof,
    .release = on_release,
};

static const struct tl_protocol_ops buffered_ops = {
    .kind = TL_PROTOCOL_BUFFERED,
    .connection_made = on_made,
    .connection_lost = on_lost,
    .pause_writing = on_pause,
    .resume_writing = on_resume,
    .get_buffer = on_get_buffer,
    .buffer_updated = on_updated,
    .eof_received = on_eof,
    .release = on_release,
};

void side_init(struct side *side, struct scene *scene, enum tl_protocol_kind kind,
               const struct hooks *hooks)
{
    const struct tl_protocol_ops *ops = kind == TL_PROTOCOL_BUFFERED ? &buffered_ops : &stream_ops;
    memset(side, 0, sizeof *side);
    side->protocol = TL_PROTOCOL_INIT(ops);
    side->scene = scene;
    if (hooks != NULL)
        side->hooks = *hooks;
}

/* --- The scene --- */

tl_protocol *scene_client_factory(void *arg)
{
    struct scene *scene = arg;
    return &scene->client.protocol;
}

tl_protocol *scene_peer_factory(void *arg)
{
    struct scene *scene = arg;
    if (scene->accepted)
        return NULL;
    scene->accepted = true;
    return &scene->peer.protocol;
}

static void note_error(tl_loop *loop, const tl_exc_context *context, void *arg)
{
    struct scene *scene = arg;
    char line[256];
    (void)loop;
    (void)snprintf(line, sizeof line, "%s: %s\n", context->message,
                   context->exception != NULL ? tl_err_name(context->exception->code) : "");
    append(scene->errors, sizeof scene->errors, line);
}

static void guard_fires(void *arg)
{
    struct scene *scene = arg;
    scene->guard_fired = true;
    tl_loop_stop(scene->loop);
}

static int serve(struct scene *scene, tl_protocol_factory factory)
{
    static const char *const hosts[] = {"127.0.0.1"};
    tl_value value = tl_value_none();
    tl_addr address;
    tl_future *future = tl_loop_create_server(scene->loop, factory, scene, hosts, 1, "0", NULL);
    int r = tl_loop_run_until_complete(scene->loop, future, &value);
    if (r < 0)
        return r;
    scene->server = tl_server_ref(tl_value_server(&value));
    tl_value_finish(&value);
    r = tl_server_address(scene->server, 0, &address);
    (void)snprintf(scene->port, sizeof scene->port, "%u", address.port);
    return r;
}

int scene_open_on(struct scene *scene, tl_loop *loop)
{
    memset(scene, 0, sizeof *scene);
    scene->loop = loop;
    side_init(&scene->client, scene, TL_PROTOCOL_STREAM, NULL);
    side_init(&scene->peer, scene, TL_PROTOCOL_STREAM, NULL);
    (void)tl_loop_set_exception_handler(loop, note_error, scene);
    return serve(scene, scene_peer_factory);
}

void scene_open(struct scene *scene, struct contract *contract)
{
    assert_int_equal(scene_open_on(scene, contract_loop(contract)), 0);
    scene->contract = contract;
    int r = tl_loop_call_later(scene->loop, GUARD_DELAY, guard_fires, scene, &scene->guard);
    assert_int_equal(r, 0);
}

void scene_serve(struct scene *scene, tl_protocol_factory factory)
{
    tl_server_close(scene->server);
    tl_server_unref(scene->server);
    scene->server = NULL;
    assert_int_equal(serve(scene, factory), 0);
}

void scene_connect(struct scene *scene)
{
    tl_future_detach(tl_loop_create_connection(scene->loop, scene_client_factory, scene,
                                               "127.0.0.1", scene->port, NULL));
}

void scene_run(struct scene *scene)
{
    int r = tl_loop_run_forever(scene->loop);
    if (scene->guard_fired || r < 0)
        fail_msg("the run did not end by itself (%s); client: %s; peer: %s; errors: %s",
                 tl_err_name(r), scene->client.log, scene->peer.log, scene->errors);
}

void scene_await(struct scene *scene, int lost)
{
    scene->awaited = lost;
    if (scene->lost < lost)
        scene_run(scene);
    scene->awaited = 0;
}

void scene_play(struct scene *scene)
{
    scene_connect(scene);
    scene_await(scene, 2);
}

void scene_close(struct scene *scene)
{
    if (scene->guard != NULL) {
        tl_timer_handle_cancel(scene->guard);
        tl_timer_handle_unref(scene->guard);
        scene->guard = NULL;
    }
    tl_server_close(scene->server);
    tl_server_unref(scene->server);
    scene->server = NULL;
    tl_loop_free(scene->loop);
    scene->loop = NULL;
}

void scene_expect_failed(tl_future *future, int code, const char *message)
{
    assert_true(tl_future_done(future));
    const tl_error *error = tl_future_exception(future);
    assert_non_null(error);
    assert_int_equal(error->code, code);
    if (message != NULL)
        assert_string_equal(error->message, message);
    tl_future_unref(future);
}

/* --- Hooks --- */

int hook_write_hello(struct side *side)
{
    return tl_transport_write(side->transport, "hello", 5);
}

int hook_write_hello_and_eof(struct side *side)
{
    int r = hook_write_hello(side);
    return r < 0 ? r : tl_transport_write_eof(side->transport);
}

int hook_send_and_close(struct side *side)
{
    int r = side_send_pattern(side);
    if (side->sent == side->total)
        tl_transport_close(side->transport);
    return r;
}

int hook_send_at_once(struct side *side)
{
    char *pattern = malloc(side->total);
    for (size_t i = 0; i < side->total; i++)
        pattern[i] = pattern_byte(i);
    int r = tl_transport_write(side->transport, pattern, side->total);
    free(pattern);
    side->sent = side->total;
    return r;
}

int hook_write_eof(struct side *side)
{
    side_log(side, "%d", tl_transport_write_eof(side->transport));
    return 0;
}

int hook_close(struct side *side)
{
    tl_transport_close(side->transport);
    return 0;
}

int hook_keep_open(struct side *side)
{
    (void)side;
    return 1;
}

int hook_ref(struct side *side)
{
    side->user = tl_transport_ref(side->transport);
    return 0;
}

int hook_echo(struct side *side, const char *data, size_t len)
{
    return tl_transport_write(side->transport, data, len);
}

int hook_close_when_whole(struct side *side, const char *data, size_t len)
{
    (void)data;
    (void)len;
    if (side->received >= side->total)
        tl_transport_close(side->transport);
    return 0;
}

static void later_turn(void *arg)
{
    struct later *later = arg;
    if (later->turns-- > 0)
        later_start(later);
    else
        later->callback(later->side);
}

void later_start(struct later *later)
{
    (void)tl_loop_call_later(later->side->scene->loop, TURN, later_turn, later, NULL);
}

int hook_later(struct side *side)
{
    later_start(side->user);
    return 1;
}
