/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kv example's server on every kernel: a client that asks for much and reads nothing, a client
 * that ends in the middle, and keys that expire.
 *
 * The client here is a protocol of its own, which writes raw requests and counts what comes back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "examples/kv/buffer.h"
#include "examples/kv/commands.h"
#include "examples/kv/number.h"
#include "examples/kv/reply.h"
#include "examples/kv/resp.h"
#include "examples/kv/split.h"
#include "examples/kv/store.h"

#include "examples/kv/server.c" /* to look into a connection */

#include <cmocka.h> /* after them: it takes the word fail for itself */

#include <twinloop.h>

#include "support/contract.h"

enum {
    VALUE = 64 << 10, /* bytes of the value asked for */
};

struct scene {
    tl_loop *loop;
    struct kv_server server;
    tl_protocol *serving; /* the server's end of the one connection */
    tl_server *listener;
    tl_value listener_value;
    tl_protocol client;
    tl_transport *transport; /* the client's; NULL once its connection is lost */
    size_t received;         /* bytes */
    char last;               /* the last byte but two: of a number, its last digit */
    size_t wanted;           /* stop the loop once that many have been */
};

static struct scene *scene_of(tl_protocol *client)
{
    return tl_container_of(client, struct scene, client);
}

static int client_made(tl_protocol *client, tl_transport *transport)
{
    scene_of(client)->transport = transport;
    return 0;
}

static int client_received(tl_protocol *client, const void *data, size_t len)
{
    struct scene *scene = scene_of(client);
    const char *bytes = data;
    scene->received += len;
    if (len > 2)
        scene->last = bytes[len - 3];
    if (scene->received >= scene->wanted)
        tl_loop_stop(scene->loop);
    return 0;
}

static void client_lost(tl_protocol *client, const tl_error *exc)
{
    struct scene *scene = scene_of(client);
    (void)exc;
    scene->transport = NULL;
    tl_loop_stop(scene->loop);
}

static const struct tl_protocol_ops client_ops = {
    .kind = TL_PROTOCOL_STREAM,
    .connection_made = client_made,
    .data_received = client_received,
    .connection_lost = client_lost,
};

static tl_protocol *client_factory(void *farg)
{
    struct scene *scene = farg;
    scene->client = TL_PROTOCOL_INIT(&client_ops);
    return &scene->client;
}

static tl_protocol *server_factory(void *farg)
{
    struct scene *scene = farg;
    return scene->serving = kv_server_factory(&scene->server);
}

static struct kv_connection *served(const struct scene *scene)
{
    return connection_of(scene->serving);
}

static void wake(void *arg)
{
    struct scene *scene = arg;
    tl_loop_stop(scene->loop);
}

/* Lets the loop run for a moment of its time. */
static void run_a_moment(struct scene *scene)
{
    assert_int_equal(tl_loop_call_later(scene->loop, TL_MILLISECOND, wake, scene, NULL), 0);
    assert_int_equal(tl_loop_run_forever(scene->loop), 0);
}

static void set_up(struct contract *contract, struct scene *scene)
{
    const char *host = "127.0.0.1";
    char port[16];
    tl_addr addr;
    *scene = (struct scene){.wanted = SIZE_MAX, .listener_value = tl_value_none()};
    kv_server_init(&scene->server);
    scene->loop = contract_loop(contract);
    assert_int_equal(tl_loop_run_until_complete(scene->loop,
                                                tl_loop_create_server(scene->loop, server_factory,
                                                                      scene, &host, 1, "0", NULL),
                                                &scene->listener_value),
                     0);
    scene->listener = tl_value_server(&scene->listener_value);
    assert_int_equal(tl_server_address(scene->listener, 0, &addr), 0);
    (void)snprintf(port, sizeof port, "%u", addr.port);
    assert_int_equal(
        tl_loop_run_until_complete(
            scene->loop,
            tl_loop_create_connection(scene->loop, client_factory, scene, host, port, NULL), NULL),
        0);
    while (scene->serving == NULL || served(scene)->transport == NULL)
        run_a_moment(scene);
}

static void tear_down(struct scene *scene)
{
    tl_transport_abort(scene->transport);
    while (scene->transport != NULL)
        assert_int_equal(tl_loop_run_forever(scene->loop), 0);
    tl_server_close(scene->listener);
    assert_int_equal(
        tl_loop_run_until_complete(scene->loop, tl_server_wait_closed(scene->listener), NULL), 0);
    tl_value_finish(&scene->listener_value);
    tl_loop_free(scene->loop);
    kv_server_finish(&scene->server);
}

static void send_text(struct scene *scene, const char *text)
{
    assert_int_equal(tl_transport_write(scene->transport, text, strlen(text)), 0);
}

static void receive(struct scene *scene, size_t wanted)
{
    scene->wanted = wanted;
    while (scene->received < wanted && scene->transport != NULL)
        assert_int_equal(tl_loop_run_forever(scene->loop), 0);
    assert_int_equal(scene->received, wanted);
    scene->wanted = SIZE_MAX;
}

/* What the server holds for its connection: replies queued and commands not run. */
static size_t held(const struct scene *scene)
{
    return tl_transport_get_write_buffer_size(served(scene)->transport) +
           served(scene)->parser.kept.capacity + scene->server.reply.capacity;
}

/* A client that asks for more than the network holds, and reads none of it, costs the server its
 * high water mark, the replies of one turn and what one read brought; later it gets everything. */
static void a_client_that_does_not_read(struct contract *contract)
{
    enum { ASKED = 400 };
    static char value[VALUE];
    struct scene scene;
    set_up(contract, &scene);
    assert_int_equal(
        kv_store_set(&scene.server.databases[0], "k", 1, value, sizeof value, TL_TIME_NEVER), 0);
    assert_int_equal(tl_transport_pause_reading(scene.transport), 0);
    for (unsigned i = 0; i < ASKED; i++)
        send_text(&scene, "GET k\r\n");
    while (!served(&scene)->paused)
        run_a_moment(&scene);
    for (unsigned i = 0; i < 10; i++) {
        assert_true(served(&scene)->paused);
        assert_false(tl_transport_is_reading(served(&scene)->transport));
        assert_true(scene.server.figures.output_peak <= KV_SERVER_QUEUE_MAX + VALUE + 16);
        assert_int_equal(scene.server.figures.connections_paused, 1);
        assert_true(held(&scene) <= KV_SERVER_QUEUE_MAX + 2 * VALUE + REPLY_KEEP_MAX);
        run_a_moment(&scene);
    }
    assert_int_equal(tl_transport_resume_reading(scene.transport), 0);
    receive(&scene, ASKED * (strlen("$65536\r\n") + VALUE + 2));
    send_text(&scene, "PING\r\n");
    receive(&scene, scene.received + strlen("+PONG\r\n"));
    tear_down(&scene);
}

/* Commands and pieces of commands: each is answered as soon as it is whole. */
static void a_client_that_stops_half_way(struct contract *contract)
{
    struct scene scene;
    set_up(contract, &scene);
    send_text(&scene, "PING\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$5\r\nab");
    receive(&scene, 2 * strlen("+PONG\r\n"));
    assert_int_equal(resp_parser_pending(&served(&scene)->parser),
                     strlen("*2\r\n$4\r\nECHO\r\n$5\r\nab"));
    send_text(&scene, "cde\r\nPING");
    receive(&scene, scene.received + strlen("$5\r\nabcde\r\n"));
    tear_down(&scene);
}

/* After QUIT, and after what is no request, nothing more is run and the server closes. */
static void the_end_of_a_session(struct contract *contract)
{
    static const struct {
        const char *request, *reply;
    } endings[] = {
        {"PING\r\nQUIT\r\nSET k v\r\n", "+PONG\r\n+OK\r\n"},
        {"*1\r\n$-5\r\nSET k v\r\n", "-ERR Protocol error: invalid bulk length\r\n"},
    };
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        struct scene scene;
        set_up(contract, &scene);
        send_text(&scene, endings[i].request);
        while (scene.transport != NULL)
            assert_int_equal(tl_loop_run_forever(scene.loop), 0);
        assert_int_equal(scene.received, strlen(endings[i].reply));
        assert_int_equal(scene.server.databases[0].entries_count, 0);
        tear_down(&scene);
    }
}

/* Nobody asks for them: the server's timer finds them, also more than it removes at a time. */
static void keys_expire_by_themselves(struct contract *contract)
{
    enum { KEYS = 2 * EXPIRE_MAX + 10, TTL_MS = 5 };
    struct kv_buffer requests = {0};
    struct scene scene;
    char request[64];
    set_up(contract, &scene);
    const struct kv_store *store = &scene.server.databases[0];
    for (unsigned i = 0; i < KEYS; i++) {
        (void)snprintf(request, sizeof request, "SET %u v PX %d\r\n", i, TTL_MS);
        kv_buffer_append_text(&requests, request);
    }
    tl_time start = tl_loop_time(scene.loop);
    assert_int_equal(tl_transport_write(scene.transport, requests.data, requests.len), 0);
    receive(&scene, KEYS * strlen("+OK\r\n"));
    while (store->entries_count > 0)
        run_a_moment(&scene);
    assert_true(tl_loop_time(scene.loop) - start >= TTL_MS * TL_MILLISECOND);
    assert_int_equal(store->expired, KEYS);
    assert_int_equal(scene.server.expiry_when, TL_TIME_NEVER);
    assert_false(tl_timer_active(&scene.server.expiry));
    kv_buffer_finish(&requests);
    tear_down(&scene);
}

/* Seen from the client alone: not gone before the deadline can have come, gone once it must. */
static void a_key_lives_as_long_as_it_was_told_to(struct contract *contract)
{
    static const char exists[] = "EXISTS k\r\n";
    const tl_time ttl = 7 * TL_MILLISECOND;
    struct scene scene;
    set_up(contract, &scene);
    tl_time sent = tl_loop_time(scene.loop);
    send_text(&scene, "SET k v PX 7\r\n");
    receive(&scene, strlen("+OK\r\n"));
    tl_time answered = tl_loop_time(scene.loop), asked, told;
    do {
        asked = tl_loop_time(scene.loop);
        send_text(&scene, exists);
        receive(&scene, scene.received + strlen(":1\r\n"));
        told = tl_loop_time(scene.loop);
        assert_true(scene.last == '0' || asked < answered + ttl);
        assert_true(scene.last == '1' || told >= sent + ttl);
    } while (scene.last == '1');
    tear_down(&scene);
}

/* A deadline that goes away, or further away, takes the timer along. */
static void the_timer_follows_the_earliest_deadline(struct contract *contract)
{
    static const struct {
        const char *request;
        tl_time ttl; /* of the earliest key then; 0: none */
    } rows[] = {
        {"SET a v PX 500000\r\n", 500},
        {"SET b v PX 100000\r\n", 100},
        {"SELECT 5\r\n", 100},
        {"SET c v PX 50000\r\n", 50},
        {"PEXPIRE c 700000\r\n", 100},
        {"SELECT 0\r\n", 100},
        {"PERSIST b\r\n", 500},
        {"DEL a\r\n", 700},
        {"FLUSHALL\r\n", 0},
    };
    struct scene scene;
    set_up(contract, &scene);
    tl_time start = tl_loop_time(scene.loop);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        send_text(&scene, rows[i].request);
        receive(&scene,
                scene.received + (strchr("PD", rows[i].request[0]) != NULL ? strlen(":1\r\n")
                                                                           : strlen("+OK\r\n")));
        tl_time when = scene.server.expiry_when;
        assert_int_equal(tl_timer_active(&scene.server.expiry), rows[i].ttl != 0);
        if (rows[i].ttl == 0)
            assert_int_equal(when, TL_TIME_NEVER);
        else
            assert_true(when >= start + rows[i].ttl * TL_SECOND &&
                        when <= tl_loop_time(scene.loop) + rows[i].ttl * TL_SECOND);
    }
    tear_down(&scene);
}

static const struct contract_case cases[] = {
    CONTRACT_ONLY(a_client_that_does_not_read, CONTRACT_REAL | CONTRACT_SIM),
    CONTRACT(a_client_that_stops_half_way),
    CONTRACT(the_end_of_a_session),
    CONTRACT(keys_expire_by_themselves),
    CONTRACT(a_key_lives_as_long_as_it_was_told_to),
    CONTRACT(the_timer_follows_the_earliest_deadline),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "kv", cases, sizeof cases / sizeof *cases);
}
