/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stream transports, reading and half-closing: the order of callbacks, pausing, buffered protocols,
 * changing protocols, names. Writing is in contract_stream_write.c, the many ways to end in
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
#include "support/scene.h"

/* More than any kernel here takes off a writer's hands before a reader reads. */
#define LARGE ((size_t)8 << 20)

static void resume_reading(struct side *side)
{
    side_log(side, "go");
    (void)tl_transport_resume_reading(side->transport);
}

/* --- The plain exchange --- */

static void echo_once(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    scene.client.hooks = (struct hooks){.made = hook_write_hello, .data = hook_close_when_whole};
    scene.client.total = 5;
    scene.peer.hooks.data = hook_echo;
    scene_play(&scene);
    scene_close(&scene);
    assert_log(&scene.client, "made data(hello) lost released");
    assert_log(&scene.peer, "made data(hello) eof lost released");
    assert_string_equal(scene.errors, "");
}

static void hello_from_the_server(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    scene.peer.hooks.made = hook_write_hello_and_eof;
    scene_play(&scene);
    scene_close(&scene);
    assert_log(&scene.client, "made data(hello) eof lost released");
    assert_log(&scene.peer, "made eof lost released");
}

static void log_result(tl_future *future, void *arg)
{
    struct scene *scene = arg;
    side_log(&scene->client, "result(%s)", tl_err_name(tl_future_result(future, NULL)));
}

/* asyncio: connection_made, then who waits for the connection, then data. */
static void result_comes_between_made_and_data(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    scene.peer.hooks.made = hook_write_hello_and_eof;
    tl_future *future = tl_loop_create_connection(scene.loop, scene_client_factory, &scene,
                                                  "127.0.0.1", scene.port, NULL);
    assert_int_equal(tl_future_add_done_callback(future, log_result, &scene), 0);
    tl_future_detach(future);
    scene_await(&scene, 2);
    scene_close(&scene);
    assert_log(&scene.client, "made result(OK) data(hello) eof lost released");
}

/* --- End-of-file --- */

static int answer_and_keep_open(struct side *side)
{
    int r = tl_transport_write(side->transport, "answer", 6);
    tl_transport_close(side->transport);
    return r < 0 ? r : 1;
}

static void request_eof_answer(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    scene.client.hooks.made = hook_write_hello_and_eof;
    scene.peer.hooks.eof = answer_and_keep_open;
    scene_play(&scene);
    scene_close(&scene);
    assert_log(&scene.client, "made data(answer) eof lost released");
    assert_log(&scene.peer, "made data(hello) eof lost released");
}

static void answer_later(struct side *side)
{
    side_log(side, "%s", tl_transport_is_closing(side->transport) ? "closing" : "open");
    side_log(side, "%s", tl_transport_is_reading(side->transport) ? "reading" : "paused");
    (void)tl_transport_write(side->transport, "answer", 6);
    tl_transport_close(side->transport);
}

static int pause_and_resume(struct side *side)
{
    struct later *later = side->user;
    (void)tl_transport_pause_reading(side->transport);
    (void)tl_transport_resume_reading(side->transport);
    later_start(later);
    return 1;
}

/* Half-open, and asyncio's quirk of meeting the end again after pause and resume is not ours. */
static void eof_comes_once(struct contract *contract)
{
    struct scene scene;
    struct later later = {.turns = 5, .side = &scene.peer, .callback = answer_later};
    scene_open(&scene, contract);
    scene.client.hooks.made = hook_write_hello_and_eof;
    scene.peer.hooks.eof = pause_and_resume;
    scene.peer.user = &later;
    scene_play(&scene);
    scene_close(&scene);
    assert_log(&scene.client, "made data(answer) eof lost released");
    assert_log(&scene.peer, "made data(hello) eof open reading lost released");
}

static void close_both_halves(struct side *side)
{
    (void)tl_transport_write_eof(side->transport);
    side_log(side, "%s", tl_transport_is_closing(side->transport) ? "closing" : "open");
    tl_transport_close(side->transport);
}

/* Both directions have ended and both sides keep the connection: nothing happens to it. */
static void both_halves_closed_stays_open(struct contract *contract)
{
    struct scene scene;
    struct later client = {.turns = 8, .side = &scene.client, .callback = close_both_halves};
    struct later peer = {.turns = 3, .side = &scene.peer, .callback = close_both_halves};
    scene_open(&scene, contract);
    scene.client.hooks = (struct hooks){.made = hook_write_hello_and_eof, .eof = hook_later};
    scene.client.user = &client;
    scene.peer.hooks.eof = hook_later;
    scene.peer.user = &peer;
    scene_play(&scene);
    scene_close(&scene);
    assert_log(&scene.client, "made eof open lost released");
    assert_log(&scene.peer, "made data(hello) eof open lost released");
}

/* --- Pausing --- */

static int pause_then_later(struct side *side)
{
    int r = tl_transport_pause_reading(side->transport);
    if (tl_transport_is_reading(side->transport))
        side_log(side, "still reading");
    later_start(side->user);
    return r;
}

static void pause_in_connection_made_holds(struct contract *contract)
{
    struct scene scene;
    struct later later = {.turns = 10, .side = &scene.peer, .callback = resume_reading};
    scene_open(&scene, contract);
    scene.client.hooks.made = hook_write_hello_and_eof;
    scene.peer.hooks.made = pause_then_later;
    scene.peer.user = &later;
    scene_play(&scene);
    scene_close(&scene);
    assert_log(&scene.peer, "made go data(hello) eof lost released");
}

static int pause_at_first(struct side *side, const char *data, size_t len)
{
    (void)data;
    (void)len;
    side->count++;
    if (side->count > 1)
        return 0;
    side->total = side->received;
    return pause_then_later(side);
}

static void check_and_resume(struct side *side)
{
    side_log(side, side->received == side->total ? "held" : "leaked");
    resume_reading(side);
}

/* The whole buffer was filled and the kernel has more: pausing from inside stops the re-reading. */
static void pause_in_data_received_holds(struct contract *contract)
{
    struct scene scene;
    struct later later = {.turns = 10, .side = &scene.peer, .callback = check_and_resume};
    scene_open(&scene, contract);
    scene.client.hooks = (struct hooks){.made = hook_send_and_close, .resume = hook_send_and_close};
    scene.client.quiet = true;
    scene.client.total = LARGE;
    scene.peer.hooks.data = pause_at_first;
    scene.peer.user = &later;
    scene.peer.quiet = true;
    scene_play(&scene);
    scene_close(&scene);
    assert_log(&scene.peer, "made held go eof lost released");
    assert_int_equal(scene.peer.received, LARGE);
    assert_int_equal(scene.peer.wrong, 0);
}

static int pause_twice_resume_twice(struct side *side)
{
    tl_transport *transport = side->transport;
    int pauses = tl_transport_pause_reading(transport);
    pauses += tl_transport_pause_reading(transport);
    side_log(side, "%d", pauses + tl_transport_is_reading(transport));
    int resumes = tl_transport_resume_reading(transport);
    resumes += tl_transport_resume_reading(transport);
    side_log(side, "%d", resumes + tl_transport_is_reading(transport));
    return hook_write_hello_and_eof(side);
}

static void pausing_is_idempotent(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    scene.client.hooks.made = pause_twice_resume_twice;
    scene.peer.hooks.made = pause_twice_resume_twice;
    scene_play(&scene);
    scene_close(&scene);
    assert_log(&scene.client, "made 0 1 data(hello) eof lost released");
    assert_log(&scene.peer, "made 0 1 data(hello) eof lost released");
}

static int close_at_first(struct side *side, const char *data, size_t len)
{
    (void)data;
    (void)len;
    side->count++;
    tl_transport_close(side->transport);
    return 0;
}

static void no_data_after_close(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    scene.client.hooks = (struct hooks){.made = side_send_pattern, .resume = side_send_pattern};
    scene.client.quiet = true;
    scene.client.total = LARGE;
    scene.peer.hooks.data = close_at_first;
    scene.peer.quiet = true;
    scene_play(&scene);
    scene_close(&scene);
    assert_log(&scene.peer, "made lost released");
    assert_int_equal(scene.peer.count, 1);
}

/* --- Buffered protocols --- */

static void buffered_in_small_pieces(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    scene.client.hooks.made = hook_write_hello_and_eof;
    side_init(&scene.peer, &scene, TL_PROTOCOL_BUFFERED, NULL);
    scene.peer.buffer_size = 2;
    scene_play(&scene);
    scene_close(&scene);
    assert_log(&scene.peer, "made data(hello) eof lost released");
}

static void buffered_large(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    scene.client.hooks = (struct hooks){.made = hook_send_and_close, .resume = hook_send_and_close};
    scene.client.quiet = true;
    scene.client.total = LARGE;
    side_init(&scene.peer, &scene, TL_PROTOCOL_BUFFERED, NULL);
    scene.peer.buffer_size = 5000;
    scene.peer.quiet = true;
    scene_play(&scene);
    scene_close(&scene);
    assert_log(&scene.peer, "made eof lost released");
    assert_int_equal(scene.peer.received, LARGE);
    assert_int_equal(scene.peer.wrong, 0);
}

static int no_buffer(struct side *side, void **ret_buffer, size_t *ret_len)
{
    *ret_buffer = side->buffer;
    *ret_len = 0;
    return 0;
}

static int failing_buffer(struct side *side, void **ret_buffer, size_t *ret_len)
{
    (void)side;
    (void)ret_buffer;
    (void)ret_len;
    return -ENOBUFS;
}

static void play_get_buffer(struct contract *contract, struct scene *scene,
                            int (*get_buffer)(struct side *, void **, size_t *))
{
    scene_open(scene, contract);
    scene->client.hooks.made = hook_write_hello;
    side_init(&scene->peer, scene, TL_PROTOCOL_BUFFERED, &(struct hooks){.get_buffer = get_buffer});
    scene_play(scene);
    scene_close(scene);
}

static void empty_buffer_is_fatal(struct contract *contract)
{
    struct scene scene;
    play_get_buffer(contract, &scene, no_buffer);
    assert_log(&scene.peer, "made lost(TL_EPROTOCOL) released");
    assert_string_equal(scene.errors,
                        "Fatal error: protocol.get_buffer() call failed.: TL_EPROTOCOL\n");
}

static void failing_get_buffer_is_fatal(struct contract *contract)
{
    struct scene scene;
    play_get_buffer(contract, &scene, failing_buffer);
    assert_log(&scene.peer, "made lost(ENOBUFS) released");
    assert_string_equal(scene.errors, "Fatal error: protocol.get_buffer() call failed.: ENOBUFS\n");
}

static int close_in_get_buffer(struct side *side, void **ret_buffer, size_t *ret_len)
{
    tl_transport_close(side->transport);
    *ret_buffer = side->buffer;
    *ret_len = sizeof side->buffer;
    return 0;
}

static void closing_in_get_buffer_reads_no_more(struct contract *contract)
{
    struct scene scene;
    play_get_buffer(contract, &scene, close_in_get_buffer);
    assert_log(&scene.peer, "made lost released");
    assert_string_equal(scene.errors, "");
}

/* --- Changing protocols --- */

/* The peer's next protocol; the order in which they come is each one's count. */
struct relay {
    struct scene scene;
    struct side second;
    struct side third;
};

static int hand_over(struct side *side, const char *data, size_t len)
{
    struct side *next = side->user;
    (void)data;
    (void)len;
    next->transport = side->transport;
    int r = tl_transport_set_protocol(side->transport, &next->protocol);
    side_log(side, "handed");
    /* Still there, though nothing but this callback refers to it any more. */
    side_log(side, side->is_released ? "gone" : "alive");
    side->transport = NULL;
    return r < 0 ? r : tl_transport_write(next->transport, "next", 4);
}

static int write_back(struct side *side, const char *data, size_t len)
{
    (void)data;
    (void)len;
    return tl_transport_write(side->transport, side->count++ == 0 ? "two" : "three", 3);
}

static void protocols_change_in_mid_stream(struct contract *contract)
{
    struct relay relay;
    struct scene *scene = &relay.scene;
    scene_open(scene, contract);
    scene->client.hooks = (struct hooks){.made = hook_write_hello, .data = write_back};
    scene->peer.hooks.data = hand_over;
    scene->peer.user = &relay.second;
    side_init(&relay.second, scene, TL_PROTOCOL_BUFFERED, &(struct hooks){.data = hand_over});
    relay.second.user = &relay.third;
    side_init(&relay.third, scene, TL_PROTOCOL_STREAM, &(struct hooks){.data = close_at_first});
    scene_play(scene);
    scene_close(scene);
    assert_log(&scene->peer, "made data(hello) handed alive released");
    assert_log(&relay.second, "data(two) handed alive released");
    assert_log(&relay.third, "data(thr) lost released");
    assert_log(&scene->client, "made data(nextnext) eof lost released");
}

static int set_bad_protocols(struct side *side)
{
    static const struct tl_protocol_ops datagram = {.kind = TL_PROTOCOL_DATAGRAM};
    static const struct tl_protocol_ops half = {.kind = TL_PROTOCOL_BUFFERED};
    tl_protocol one = TL_PROTOCOL_INIT(&datagram);
    tl_protocol two = TL_PROTOCOL_INIT(&half);
    tl_protocol three = TL_PROTOCOL_INIT(NULL);
    side_log(side, "%d", tl_transport_set_protocol(side->transport, NULL) == -EINVAL);
    side_log(side, "%d", tl_transport_set_protocol(side->transport, &one) == -EINVAL);
    side_log(side, "%d", tl_transport_set_protocol(side->transport, &two) == -EINVAL);
    side_log(side, "%d", tl_transport_set_protocol(side->transport, &three) == -EINVAL);
    side_log(side, "%d", tl_transport_set_protocol(NULL, &side->protocol) == -EINVAL);
    side_log(side, "%d", tl_transport_get_protocol(side->transport) == &side->protocol);
    /* The one it has already is as good as another. */
    side_log(side, "%d", tl_transport_set_protocol(side->transport, &side->protocol));
    tl_transport_close(side->transport);
    return 0;
}

static void unsuitable_protocols_are_refused(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    scene.client.hooks.made = set_bad_protocols;
    scene_play(&scene);
    scene_close(&scene);
    assert_log(&scene.client, "made 1 1 1 1 1 1 0 lost released");
}

/* --- Names --- */

struct names {
    tl_addr sock;
    tl_addr peer;
    bool socket;
};

static void take_names(tl_transport *transport, struct names *names)
{
    const tl_value *sock = tl_transport_get_extra_info(transport, "sockname", NULL);
    const tl_value *peer = tl_transport_get_extra_info(transport, "peername", NULL);
    const tl_value *fd = tl_transport_get_extra_info(transport, "socket", NULL);
    assert_non_null(sock);
    assert_non_null(peer);
    assert_int_equal(fd->kind, TL_VALUE_INT);
    names->sock = *(const tl_addr *)sock->pointer;
    names->peer = *(const tl_addr *)peer->pointer;
    names->socket = fd->integer >= 0;
}

static int keep_and_close(struct side *side)
{
    side->user = tl_transport_ref(side->transport);
    return hook_write_hello_and_eof(side);
}

/* Both ends agree on the two names, and know them when the connection is gone. */
static void names_agree_and_stay(struct contract *contract)
{
    struct scene scene;
    struct names client;
    struct names peer;
    const tl_value unknown = tl_value_int(7);
    scene_open(&scene, contract);
    scene.client.hooks.made = keep_and_close;
    scene.peer.hooks.made = keep_and_close;
    scene_play(&scene);
    take_names(scene.client.user, &client);
    take_names(scene.peer.user, &peer);
    assert_true(tl_addr_equal(&client.sock, &peer.peer));
    assert_true(tl_addr_equal(&client.peer, &peer.sock));
    assert_int_equal(client.peer.family, TL_FAMILY_INET);
    assert_true(client.sock.port != 0 && client.sock.port != client.peer.port);
    assert_false(client.socket); /* the descriptor is closed */
    assert_ptr_equal(tl_transport_get_extra_info(scene.peer.user, "cipher", &unknown), &unknown);
    assert_null(tl_transport_get_extra_info(scene.peer.user, "cipher", NULL));
    tl_transport_unref(scene.client.user);
    scene_close(&scene);
    /* Also when the loop is. */
    take_names(scene.peer.user, &peer);
    tl_transport_unref(scene.peer.user);
}

static int ask_names(struct side *side)
{
    struct names names;
    take_names(side->transport, &names);
    side_log(side, names.socket ? "named" : "unnamed");
    tl_transport_close(side->transport);
    return 0;
}

static void names_are_known_while_open(struct contract *contract)
{
    struct scene scene;
    scene_open(&scene, contract);
    scene.client.hooks.made = ask_names;
    scene.peer.hooks.made = ask_names;
    scene_play(&scene);
    scene_close(&scene);
    assert_log(&scene.client, "made named lost released");
    assert_log(&scene.peer, "made named lost released");
}

static const struct contract_case cases[] = {
    CONTRACT(echo_once),
    CONTRACT(hello_from_the_server),
    CONTRACT(result_comes_between_made_and_data),
    CONTRACT(request_eof_answer),
    CONTRACT(eof_comes_once),
    CONTRACT(both_halves_closed_stays_open),
    CONTRACT(pause_in_connection_made_holds),
    CONTRACT(pause_in_data_received_holds),
    CONTRACT(pausing_is_idempotent),
    CONTRACT(no_data_after_close),
    CONTRACT(buffered_in_small_pieces),
    CONTRACT(buffered_large),
    CONTRACT(empty_buffer_is_fatal),
    CONTRACT(failing_get_buffer_is_fatal),
    CONTRACT(closing_in_get_buffer_reads_no_more),
    CONTRACT(protocols_change_in_mid_stream),
    CONTRACT(unsuitable_protocols_are_refused),
    CONTRACT(names_agree_and_stay),
    CONTRACT(names_are_known_while_open),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "stream", cases, sizeof cases / sizeof *cases);
}
