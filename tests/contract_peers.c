/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bad peers: one that sends garbage, one that leaves without a word, one that sends everything at
 * once and reads nothing meanwhile, one that never reads at all, and ten thousand that never speak.
 * Whatever they do, their own connection is told of it, and the server serves the next as before.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <cmocka.h>
#include "support/patch.h"
#include "support/scene.h"

#define MEBIBYTE ((size_t)1 << 20)

/* A server that gives each connection a side of its own. */
struct party {
    struct scene scene;
    struct side servers[3];
    size_t accepted;
    struct hooks hooks; /* of each of them */
    bool quiet;
};

static tl_protocol *next_server(void *farg)
{
    struct party *party = tl_container_of((struct scene *)farg, struct party, scene);
    if (party->accepted == sizeof party->servers / sizeof *party->servers)
        return NULL;
    struct side *side = &party->servers[party->accepted++];
    side_init(side, &party->scene, TL_PROTOCOL_STREAM, &party->hooks);
    side->quiet = party->quiet;
    return &side->protocol;
}

static struct party *party_open(struct contract *contract, struct hooks hooks)
{
    struct party *party = calloc(1, sizeof *party);
    scene_open(&party->scene, contract);
    party->hooks = hooks;
    scene_serve(&party->scene, next_server);
    return party;
}

/* A well-behaved client comes, and is served by the last server side: it gets its hello back. */
static void party_close(struct party *party)
{
    struct scene *scene = &party->scene;
    struct side *client = &scene->client;
    party->quiet = false;
    side_init(client, scene, TL_PROTOCOL_STREAM,
              &(struct hooks){.made = hook_write_hello, .data = hook_close_when_whole});
    client->total = 5;
    scene_connect(scene);
    scene_await(scene, scene->lost + 2);
    scene_close(scene);
    assert_log(client, "made data(hello) lost released");
    assert_log(&party->servers[party->accepted - 1], "made data(hello) eof lost released");
    free(party);
}

/* --- Garbage --- */

/* Takes "hello" and nothing else. */
static int strict_echo(struct side *side, const char *data, size_t len)
{
    if (data[0] == 'h')
        return hook_echo(side, data, len);
    side_log(side, "garbage");
    return TL_EPROTOCOL;
}

static int write_garbage(struct side *side)
{
    char garbage[3000];
    for (size_t i = 0; i < sizeof garbage; i++)
        garbage[i] = (char)(i * i % 97 + 128);
    return tl_transport_write(side->transport, garbage, sizeof garbage);
}

static void garbage(struct contract *contract)
{
    struct party *party = party_open(contract, (struct hooks){.data = strict_echo});
    party->quiet = true;
    party->scene.client.hooks.made = write_garbage;
    scene_play(&party->scene);
    assert_log(&party->servers[0], "made garbage lost(TL_EPROTOCOL) released");
    assert_string_equal(party->scene.errors,
                        "Fatal error: protocol.data_received() call failed.: TL_EPROTOCOL\n");
    party_close(party);
}

/* --- Not a word --- */

static void one_that_leaves(struct contract *contract, int (*leave)(struct side *))
{
    struct party *party = party_open(contract, (struct hooks){.data = strict_echo});
    party->scene.client.hooks.made = leave;
    scene_play(&party->scene);
    assert_log(&party->scene.client, "made lost released");
    assert_log(&party->servers[0], "made eof lost released");
    assert_string_equal(party->scene.errors, "");
    party_close(party);
}

static int hook_abort(struct side *side)
{
    tl_transport_abort(side->transport);
    return 0;
}

static void one_that_leaves_at_once(struct contract *contract)
{
    one_that_leaves(contract, hook_close);
    one_that_leaves(contract, hook_abort);
}

/* A kernel on which the first connections are accepted only when their clients are gone. */
struct slow {
    struct kernel_patch patch;
    struct side *client;
};

static int slow_accept(struct tl_kernel *kernel, int fd, tl_addr *ret_peer)
{
    struct slow *slow = tl_container_of(kernel_patch(kernel), struct slow, patch);
    if (!slow->client->is_lost)
        return -EAGAIN;
    return slow->patch.inner->accept(kernel, fd, ret_peer);
}

static int say_hello_and_leave(struct side *side)
{
    (void)hook_write_hello(side);
    return hook_close(side);
}

/* asyncio: connection_made comes also when the peer has closed by then, and what it sent is read.
 */
static void one_that_is_gone_before_it_is_accepted(struct contract *contract)
{
    static struct slow slow;
    struct party *party = party_open(contract, (struct hooks){.data = strict_echo});
    slow = (struct slow){.client = &party->scene.client};
    kernel_patch_apply(&slow.patch, tl_loop_kernel(party->scene.loop));
    slow.patch.ops.accept = slow_accept;
    party->scene.client.hooks.made = say_hello_and_leave;
    scene_play(&party->scene);
    assert_log(&party->scene.client, "made lost released");
    /* The echo finds nobody: how the server is told of it is the kernel's affair. */
    assert_memory_equal(party->servers[0].log, "made data(hello) ", 17);
    assert_non_null(strstr(party->servers[0].log, "lost"));
    assert_string_equal(party->scene.errors, "");
    slow.patch.ops.accept = slow.patch.inner->accept;
    party_close(party);
}

/* --- Everything at once --- */

/* An echo that reads no faster than its peer does. */
static int echo_in_step(struct side *side, const char *data, size_t len)
{
    return tl_transport_write(side->transport, data, len);
}

static int stop_reading(struct side *side)
{
    return tl_transport_pause_reading(side->transport);
}

static int go_on_reading(struct side *side)
{
    return tl_transport_resume_reading(side->transport);
}

static const struct hooks echo_hooks = {
    .data = echo_in_step,
    .pause = stop_reading,
    .resume = go_on_reading,
};

static int send_all_at_once(struct side *side)
{
    side->total = MEBIBYTE;
    int r = hook_send_at_once(side);
    return r < 0 ? r : tl_transport_write_eof(side->transport);
}

/* A mebibyte in one write, and the end: all of it comes back. */
static void everything_at_once(struct contract *contract)
{
    struct party *party = party_open(contract, echo_hooks);
    party->quiet = true;
    party->scene.client.quiet = true;
    party->scene.client.hooks.made = send_all_at_once;
    scene_play(&party->scene);
    assert_int_equal(party->servers[0].received, MEBIBYTE);
    assert_int_equal(party->servers[0].wrong, 0);
    assert_int_equal(party->scene.client.received, MEBIBYTE);
    assert_int_equal(party->scene.client.wrong, 0);
    assert_log(&party->scene.client, "made eof lost released");
    assert_log(&party->servers[0], "made eof lost released");
    assert_string_equal(party->scene.errors, "");
    party_close(party);
}

/* --- One that does not read --- */

static void give_up(struct side *side)
{
    tl_transport_abort(side->transport);
}

static int send_and_never_read(struct side *side)
{
    (void)tl_transport_pause_reading(side->transport);
    side->total = 16 * MEBIBYTE;
    return hook_send_at_once(side);
}

static int note_size(struct side *side)
{
    side->count = (int)tl_transport_get_write_buffer_size(side->transport);
    later_start(side->scene->client.user);
    return tl_transport_pause_reading(side->transport);
}

/* What the server keeps for it stays small: a high water mark, and what one readiness gave. */
static void one_that_never_reads(struct contract *contract)
{
    struct hooks hooks = echo_hooks;
    hooks.pause = note_size;
    struct party *party = party_open(contract, hooks);
    struct later later = {.turns = 20, .side = &party->scene.client, .callback = give_up};
    party->quiet = true;
    party->scene.client.hooks = (struct hooks){.made = send_and_never_read};
    party->scene.client.quiet = true;
    party->scene.client.user = &later;
    scene_play(&party->scene);
    assert_true(party->servers[0].count > 0);
    assert_true(party->servers[0].count <= (64 + 256) * 1024);
    assert_true(party->servers[0].received < 16 * MEBIBYTE);
    assert_string_equal(party->scene.errors, "");
    party_close(party);
}

/* --- A crowd --- */

enum { CROWD = 10000, WAVE = 64, SPARE_DESCRIPTORS = 100 };

struct crowd {
    struct scene scene;
    size_t size;    /* how many are to come */
    size_t started; /* connections */
    size_t made;    /* on the server's side */
    size_t spoken;
};

struct guest {
    tl_protocol protocol;
    struct crowd *crowd;
    bool server;
};

static void send_for_more(struct crowd *crowd);

static int guest_made(tl_protocol *protocol, tl_transport *transport)
{
    struct guest *guest = tl_container_of(protocol, struct guest, protocol);
    struct crowd *crowd = guest->crowd;
    (void)transport;
    if (!guest->server)
        return 0;
    if (++crowd->made == crowd->size)
        tl_loop_stop(crowd->scene.loop);
    else if (crowd->made == crowd->started)
        send_for_more(crowd);
    return 0;
}

static int guest_data(tl_protocol *protocol, const void *data, size_t len)
{
    (void)data;
    (void)len;
    tl_container_of(protocol, struct guest, protocol)->crowd->spoken++;
    return 0;
}

static void guest_release(tl_protocol *protocol)
{
    free(tl_container_of(protocol, struct guest, protocol));
}

static const struct tl_protocol_ops guest_ops = {
    .kind = TL_PROTOCOL_STREAM,
    .connection_made = guest_made,
    .data_received = guest_data,
    .release = guest_release,
};

static tl_protocol *guest_new(void *farg, bool server)
{
    struct guest *guest = calloc(1, sizeof *guest);
    guest->protocol = TL_PROTOCOL_INIT(&guest_ops);
    guest->crowd = tl_container_of((struct scene *)farg, struct crowd, scene);
    guest->server = server;
    return &guest->protocol;
}

static tl_protocol *guest_client(void *farg)
{
    return guest_new(farg, false);
}

/* The last to come is the one who speaks. */
static tl_protocol *guest_server(void *farg)
{
    struct crowd *crowd = tl_container_of((struct scene *)farg, struct crowd, scene);
    return crowd->made < crowd->size ? guest_new(farg, true) : scene_peer_factory(farg);
}

/* No more at a time than wait in a listener's queue. */
static void send_for_more(struct crowd *crowd)
{
    struct scene *scene = &crowd->scene;
    for (size_t i = 0; i < WAVE && crowd->started < crowd->size; i++, crowd->started++)
        tl_future_detach(tl_loop_create_connection(scene->loop, guest_client, scene, "127.0.0.1",
                                                   scene->port, NULL));
}

/* As many as there may be with both ends in this process; the simulator has no limit of its own. */
static size_t crowd_size(const struct contract *contract)
{
    struct rlimit limit;
    if (strstr(contract->world, "sim") != NULL)
        return CROWD;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur < 2 * WAVE + SPARE_DESCRIPTORS)
        skip();
    rlim_t room = (limit.rlim_cur - SPARE_DESCRIPTORS) / 2;
    return room < CROWD ? (size_t)room : CROWD;
}

static void a_crowd_that_never_speaks(struct contract *contract)
{
    struct crowd *crowd = calloc(1, sizeof *crowd);
    struct scene *scene = &crowd->scene;
    size_t size = crowd_size(contract);
    scene_open(scene, contract);
    scene_serve(scene, guest_server);
    crowd->size = size;
    send_for_more(crowd);
    scene_run(scene);
    assert_int_equal(crowd->made, crowd->size);
    scene->client.hooks = (struct hooks){.made = hook_write_hello, .data = hook_close_when_whole};
    scene->client.total = 5;
    scene->peer.hooks.data = hook_echo;
    scene_play(scene);
    assert_log(&scene->client, "made data(hello) lost released");
    assert_log(&scene->peer, "made data(hello) eof lost released");
    tl_server_close_clients(scene->server);
    tl_future *closed = tl_server_wait_closed(scene->server);
    tl_server_close(scene->server);
    assert_int_equal(tl_loop_run_until_complete(scene->loop, closed, NULL), 0);
    assert_int_equal(crowd->spoken, 0);
    assert_string_equal(scene->errors, "");
    scene_close(scene);
    free(crowd);
}

static const struct contract_case cases[] = {
    CONTRACT(garbage),
    CONTRACT(one_that_leaves_at_once),
    CONTRACT(one_that_is_gone_before_it_is_accepted),
    CONTRACT(everything_at_once),
    CONTRACT(one_that_never_reads),
    CONTRACT(a_crowd_that_never_speaks),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "peers", cases, sizeof cases / sizeof *cases);
}
