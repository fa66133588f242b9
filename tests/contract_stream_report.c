/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stream transports, what they tell: the exception handler of a protocol's errors, the log of
 * writes that come too late, and the program of names. Which errors end a connection is in
 * contract_stream_end.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "support/patch.h"
#include "support/scene.h"
#include "support/warnings.h"

/* --- The exception handler --- */

/* asyncio's keys of such a report, and no others: message, exception, transport, protocol. */
static void check_keys(tl_loop *loop, const tl_exc_context *context, void *arg)
{
    struct scene *scene = arg;
    struct side *client = &scene->client;
    (void)loop;
    assert_non_null(context->exception);
    assert_non_null(context->exception->message);
    assert_ptr_equal(context->protocol, &client->protocol);
    assert_ptr_equal(context->transport, client->transport);
    assert_null(context->future);
    assert_null(context->server);
    assert_null(context->task);
    side_log(client, "[%s %s]", context->message, tl_err_name(context->exception->code));
}

static int fail_made(struct side *side)
{
    (void)tl_transport_set_write_buffer_limits(side->transport, 0, TL_UNSET);
    (void)tl_transport_write(side->transport, "x", 1);
    return -EBADMSG;
}

static int fail_either(struct side *side)
{
    (void)side;
    return -ENOLINK;
}

static int fail_data(struct side *side, const char *data, size_t len)
{
    (void)data;
    (void)len;
    return side->count++ == 0 ? TL_ESTATE : 0;
}

/* A kernel that finds no room for the first write of all. */
struct full_once {
    struct kernel_patch patch;
    int writes;
};

static ssize_t full_once_write(struct tl_kernel *kernel, int fd, struct tl_message *messages,
                               size_t count)
{
    struct full_once *full = tl_container_of(kernel_patch(kernel), struct full_once, patch);
    if (full->writes++ == 0)
        return -EAGAIN;
    return full->patch.inner->write(kernel, fd, messages, count);
}

static void errors_are_told_with_their_keys(struct contract *contract)
{
    struct scene scene;
    struct full_once full = {.writes = 0};
    scene_open(&scene, contract);
    kernel_patch_apply(&full.patch, tl_loop_kernel(scene.loop));
    full.patch.ops.write = full_once_write;
    (void)tl_loop_set_exception_handler(scene.loop, check_keys, &scene);
    scene.client.hooks = (struct hooks){
        .made = fail_made, .pause = fail_either, .resume = fail_either, .data = fail_data};
    scene.peer.hooks.data = hook_echo;
    scene_play(&scene);
    scene_close(&scene);
    assert_log(&scene.client, "made pause [protocol.pause_writing() failed ENOLINK] "
                              "[Exception in callback protocol.connection_made() EBADMSG] "
                              "resume [protocol.resume_writing() failed ENOLINK] data(x) "
                              "[Fatal error: protocol.data_received() call failed. TL_ESTATE] "
                              "lost(TL_ESTATE) released");
}

/* connection_lost is told the error with a sentence. */
static void note_sentence(tl_protocol *protocol, const tl_error *exc)
{
    struct side *side = tl_container_of(protocol, struct side, protocol);
    assert_non_null(exc);
    assert_string_equal(exc->message, tl_strerror(exc->code));
    assert_null(exc->cause);
    side_log(side, "lost(%s)", tl_err_name(exc->code));
    tl_loop_stop(side->scene->loop);
}

static void connection_lost_is_told_why(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    struct tl_protocol_ops ops = *scene.client.protocol.ops;
    ops.connection_lost = note_sentence;
    scene.client.protocol.ops = &ops;
    scene.client.hooks = (struct hooks){.made = hook_write_hello, .data = fail_data};
    scene.peer.hooks.data = hook_echo;
    scene_connect(&scene);
    scene_run(&scene);
    scene_close(&scene);
    assert_log(&scene.client, "made data(hello) lost(TL_ESTATE) released");
    assert_string_equal(scene.errors,
                        "Fatal error: protocol.data_received() call failed.: TL_ESTATE\n");
}

/* --- Protocols with nothing in them --- */

static void stop_when_lost(struct tl_future *future, void *arg)
{
    struct scene *scene = arg;
    assert_int_equal(tl_future_result(future, NULL), 0);
    tl_loop_stop(scene->loop);
}

static tl_protocol *bare_factory(void *farg)
{
    static const struct tl_protocol_ops nothing = {.kind = TL_PROTOCOL_STREAM};
    static tl_protocol bare;
    (void)farg;
    bare = TL_PROTOCOL_INIT(&nothing);
    return &bare;
}

/* asyncio: BaseProtocol's methods do nothing. The peer's end-of-file closes. */
static void every_callback_may_be_missing(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    scene_serve(&scene, bare_factory);
    scene.client.hooks.made = hook_write_hello_and_eof;
    scene_connect(&scene);
    scene_await(&scene, 1);
    tl_future *closed = tl_server_wait_closed(scene.server);
    tl_server_close(scene.server);
    assert_int_equal(tl_future_add_done_callback(closed, stop_when_lost, &scene), 0);
    scene_run(&scene);
    tl_future_unref(closed);
    scene_close(&scene);
    assert_log(&scene.client, "made eof lost released");
    assert_string_equal(scene.errors, "");
}

/* --- Writes that come too late --- */

static void write_too_late(tl_transport *transport, struct warnings *warnings, int quiet, int loud)
{
    static const tl_buf pieces[] = {{"", 0}, {"x", 1}, {"y", 1}};
    warnings->count = 0;
    for (int i = 0; i < quiet; i++) {
        int r = i % 2 == 0 ? tl_transport_write(transport, "x", 1)
                           : tl_transport_writelines(transport, pieces, 3);
        assert_int_equal(r, TL_ECLOSED);
        /* Nothing is not a write. */
        assert_int_equal(tl_transport_write(transport, "x", 0), TL_ECLOSED);
        assert_int_equal(tl_transport_writelines(transport, pieces, 1), TL_ECLOSED);
        assert_int_equal(tl_transport_writelines(transport, NULL, 0), TL_ECLOSED);
    }
    assert_int_equal(warnings->count, 0);
    for (int i = 0; i < loud; i++)
        assert_int_equal(tl_transport_write(transport, "x", 1), TL_ECLOSED);
    assert_int_equal(warnings->count, loud);
    if (loud > 0)
        assert_string_equal(warnings->last, "socket.send() raised exception.");
}

/* asyncio: silently ignored and counted, a warning each time from the fifth on; here also while
 * what came before is still being flushed. */
static void late_writes_are_counted(struct contract *contract)
{
    struct scene scene;
    struct warnings warnings;
    struct full_once full = {.writes = 0};
    scene_open(&scene, contract);
    kernel_patch_apply(&full.patch, tl_loop_kernel(scene.loop));
    full.patch.ops.write = full_once_write;
    warnings_start(&warnings);
    scene.client.hooks.made = hook_ref;
    tl_value value = tl_value_none();
    tl_future *future = tl_loop_create_connection(scene.loop, scene_client_factory, &scene,
                                                  "127.0.0.1", scene.port, NULL);
    assert_int_equal(tl_loop_run_until_complete(scene.loop, future, &value), 0);
    tl_transport *transport = scene.client.user;
    assert_int_equal(tl_transport_write(transport, "whole", 5), 0);
    tl_transport_close(transport);
    write_too_late(transport, &warnings, 2, 0);
    scene_await(&scene, 2);
    write_too_late(transport, &warnings, 2, 3);
    scene_close(&scene);
    write_too_late(transport, &warnings, 0, 1);
    warnings_stop();
    tl_value_finish(&value);
    tl_transport_unref(transport);
    assert_log(&scene.peer, "made data(whole) eof lost released");
}

/* After write_eof a write is the program's mistake, and not ignored. */
static int write_after_eof(struct side *side)
{
    (void)tl_transport_write_eof(side->transport);
    for (int i = 0; i < 7; i++)
        assert_int_equal(tl_transport_write(side->transport, "x", 1), TL_ESTATE);
    return 0;
}

static void writes_after_eof_are_not_ignored(struct contract *contract)
{
    struct scene scene;
    struct warnings warnings;
    scene_open(&scene, contract);
    warnings_start(&warnings);
    scene.client.hooks.made = write_after_eof;
    scene_play(&scene);
    warnings_stop();
    scene_close(&scene);
    assert_int_equal(warnings.count, 0);
    assert_log(&scene.peer, "made eof lost released");
}

/* --- Names --- */

struct nameless {
    struct kernel_patch patch;
    int asked;
};

static int no_address(struct tl_kernel *kernel, int fd, enum tl_address_side side, tl_addr *ret)
{
    struct nameless *nameless = tl_container_of(kernel_patch(kernel), struct nameless, patch);
    (void)fd;
    (void)side;
    (void)ret;
    nameless->asked++;
    return -ENOTCONN;
}

static int ask_in_vain(struct side *side)
{
    const tl_value dflt = tl_value_int(7);
    tl_transport *transport = side->transport;
    const tl_value *own = tl_transport_get_extra_info(transport, "sockname", &dflt);
    assert_ptr_not_equal(own, &dflt);
    assert_int_equal(own->kind, TL_VALUE_NONE);
    /* What accept or connect said needs no asking. */
    const tl_value *peer = tl_transport_get_extra_info(transport, "peername", &dflt);
    assert_int_equal(peer->kind, TL_VALUE_POINTER);
    assert_int_equal(((const tl_addr *)peer->pointer)->family, TL_FAMILY_INET);
    static const char *const unknown[] = {"",       "pipe",     "subprocess", "sslcontext",
                                          "cipher", "peercert", "Socket",     "sockname "};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        assert_ptr_equal(tl_transport_get_extra_info(transport, unknown[i], &dflt), &dflt);
        assert_null(tl_transport_get_extra_info(transport, unknown[i], NULL));
    }
    assert_ptr_equal(tl_transport_get_extra_info(transport, NULL, &dflt), &dflt);
    tl_transport_close(transport);
    return 0;
}

/* asyncio: a key that is there and has no value is None, and not the default. */
static void a_name_without_a_value_is_none(struct contract *contract)
{
    struct scene scene;
    struct nameless nameless = {.asked = 0};
    scene_open(&scene, contract);
    kernel_patch_apply(&nameless.patch, tl_loop_kernel(scene.loop));
    nameless.patch.ops.address = no_address;
    scene.client.hooks.made = ask_in_vain;
    scene.peer.hooks.made = ask_in_vain;
    scene_play(&scene);
    scene_close(&scene);
    assert_log(&scene.client, "made lost released");
    assert_log(&scene.peer, "made lost released");
    assert_int_equal(nameless.asked, 2);
}

static int ref_and_stop(struct side *side)
{
    (void)hook_ref(side);
    if (side->scene->client.user != NULL && side->scene->peer.user != NULL)
        tl_loop_stop(side->scene->loop);
    return 0;
}

static tl_addr name_of(tl_transport *transport, const char *name)
{
    const tl_value *value = tl_transport_get_extra_info(transport, name, NULL);
    assert_non_null(value);
    assert_int_equal(value->kind, TL_VALUE_POINTER);
    return *(const tl_addr *)value->pointer;
}

/* Nobody has asked before the loop was closed under the connection. */
static void names_stay_when_the_loop_is_closed(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    scene.client.hooks.made = ref_and_stop;
    scene.peer.hooks.made = ref_and_stop;
    scene_connect(&scene);
    scene_run(&scene);
    scene_close(&scene);
    tl_transport *client = scene.client.user;
    tl_transport *peer = scene.peer.user;
    tl_addr own = name_of(client, "sockname");
    tl_addr other = name_of(peer, "peername");
    assert_true(own.port != 0);
    assert_true(tl_addr_equal(&own, &other));
    own = name_of(peer, "sockname");
    other = name_of(client, "peername");
    assert_true(tl_addr_equal(&own, &other));
    assert_int_equal(tl_transport_get_extra_info(client, "socket", NULL)->integer, -1);
    tl_transport_unref(client);
    tl_transport_unref(peer);
}

static const struct contract_case cases[] = {
    CONTRACT(errors_are_told_with_their_keys),    CONTRACT(connection_lost_is_told_why),
    CONTRACT(every_callback_may_be_missing),      CONTRACT(late_writes_are_counted),
    CONTRACT(writes_after_eof_are_not_ignored),   CONTRACT(a_name_without_a_value_is_none),
    CONTRACT(names_stay_when_the_loop_is_closed),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "stream_report", cases, sizeof cases / sizeof *cases);
}
