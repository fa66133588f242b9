/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that talk over a Unix-domain socket, in a world and outside.
 *
 * The server and the client below are ordinary programs: a main each, with arguments, that knows of
 * no simulator. They are run as processes of one simulated host under many seeds, and once as
 * processes of this system.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <twinloop.h>
#include <twinloop/world.h>
#include <unistd.h>
#include <cmocka.h>
#include "support/simulated.h"

enum { CLIENTS = 3, SEEDS = 40, REFUSED = 7, CUT_OFF = 8 };

/* More than the buffers on the way hold. */
#define LENGTH ((size_t)600000)

/* --- The programs: `server NAME COUNT`, `client NAME [once|idle]`; "@x" is abstract -------- */

struct name {
    char bytes[108];
    size_t len;
};

static struct name name_from(const char *text)
{
    struct name name = {.len = strlen(text)};
    memcpy(name.bytes, text, name.len);
    if (name.bytes[0] == '@')
        name.bytes[0] = '\0';
    return name;
}

struct service;

struct echo {
    tl_protocol protocol;
    tl_transport *transport;
    struct service *service;
};

/* A process that is killed leaves nothing on the heap that anybody would free. */
struct service {
    tl_loop *loop;
    int left; /* connections that are still to come and go */
    struct echo echoes[CLIENTS];
    int made;
};

static struct echo *echo_of(tl_protocol *protocol)
{
    return tl_container_of(protocol, struct echo, protocol);
}

static int echo_made(tl_protocol *protocol, tl_transport *transport)
{
    echo_of(protocol)->transport = transport;
    return 0;
}

static int echo_data(tl_protocol *protocol, const void *data, size_t len)
{
    return tl_transport_write(echo_of(protocol)->transport, data, len);
}

static int echo_pause(tl_protocol *protocol)
{
    return tl_transport_pause_reading(echo_of(protocol)->transport);
}

static int echo_resume(tl_protocol *protocol)
{
    return tl_transport_resume_reading(echo_of(protocol)->transport);
}

static void echo_lost(tl_protocol *protocol, const tl_error *error)
{
    struct service *service = echo_of(protocol)->service;
    (void)error;
    if (--service->left == 0)
        tl_loop_stop(service->loop);
}

static tl_protocol *make_echo(void *arg)
{
    static const struct tl_protocol_ops ops = {
        .kind = TL_PROTOCOL_STREAM,
        .connection_made = echo_made,
        .data_received = echo_data,
        .pause_writing = echo_pause,
        .resume_writing = echo_resume,
        .connection_lost = echo_lost,
    };
    struct service *service = arg;
    if (service->made == CLIENTS)
        return NULL;
    struct echo *echo = &service->echoes[service->made++];
    *echo = (struct echo){.protocol = TL_PROTOCOL_INIT(&ops), .service = service};
    return &echo->protocol;
}

static int server(int argc, char **argv)
{
    struct service service = {.left = argc > 2 ? atoi(argv[2]) : 1};
    struct name name = name_from(argv[1]);
    if (tl_new_event_loop(&service.loop) < 0)
        return 1;
    tl_future *future =
        tl_loop_create_unix_server(service.loop, make_echo, &service, name.bytes, name.len, NULL);
    int r = tl_loop_run_until_complete(service.loop, future, NULL);
    if (r == 0)
        r = tl_loop_run_forever(service.loop);
    (void)tl_loop_close(service.loop);
    tl_loop_free(service.loop);
    return r < 0 ? 1 : 0;
}

struct client {
    tl_protocol protocol;
    tl_loop *loop;
    tl_transport *transport;
    struct name name;
    bool patient; /* waits for the server to come up */
    bool idle;    /* sends nothing, and waits for the end */
    int result;
    size_t sent;
    size_t received;
    bool wrong;
};

static char pattern(size_t n)
{
    return (char)(n * 31 + n / 257);
}

static struct client *client_of(tl_protocol *protocol)
{
    return tl_container_of(protocol, struct client, protocol);
}

static int client_send(tl_protocol *protocol)
{
    struct client *client = client_of(protocol);
    while (client->sent < LENGTH && tl_transport_get_write_buffer_size(client->transport) == 0) {
        char chunk[5000];
        size_t len = LENGTH - client->sent < sizeof chunk ? LENGTH - client->sent : sizeof chunk;
        for (size_t i = 0; i < len; i++)
            chunk[i] = pattern(client->sent + i);
        client->sent += len;
        int r = tl_transport_write(client->transport, chunk, len);
        if (r < 0)
            return r;
    }
    return client->sent == LENGTH ? tl_transport_write_eof(client->transport) : 0;
}

static int client_made(tl_protocol *protocol, tl_transport *transport)
{
    client_of(protocol)->transport = transport;
    (void)tl_transport_set_write_buffer_limits(transport, 0, 0);
    return client_of(protocol)->idle ? 0 : client_send(protocol);
}

static int client_data(tl_protocol *protocol, const void *data, size_t len)
{
    struct client *client = client_of(protocol);
    const char *bytes = data;
    for (size_t i = 0; i < len; i++)
        client->wrong |= bytes[i] != pattern(client->received + i);
    client->received += len;
    return 0;
}

static void client_lost(tl_protocol *protocol, const tl_error *error)
{
    struct client *client = client_of(protocol);
    bool whole = client->received == LENGTH && !client->wrong && error == NULL;
    client->result = whole || client->idle ? 0 : CUT_OFF;
    tl_loop_stop(client->loop);
}

static tl_protocol *make_client(void *client)
{
    return &((struct client *)client)->protocol;
}

static void try_to_connect(void *arg);

/* A server that has not come up yet is waited for. */
static void connected(tl_future *future, void *arg)
{
    struct client *client = arg;
    tl_value value = tl_value_none();
    int r = tl_future_result(future, &value);
    tl_value_finish(&value);
    if (r == 0)
        return;
    if (client->patient && (r == -ECONNREFUSED || r == -ENOENT || r == -EAGAIN)) {
        (void)tl_loop_call_later(client->loop, 10 * TL_MILLISECOND, try_to_connect, client, NULL);
        return;
    }
    client->result = REFUSED;
    tl_loop_stop(client->loop);
}

static void try_to_connect(void *arg)
{
    struct client *client = arg;
    tl_future *future = tl_loop_create_unix_connection(client->loop, make_client, client,
                                                       client->name.bytes, client->name.len, NULL);
    (void)tl_future_add_done_callback(future, connected, client);
    tl_future_unref(future);
}

static int client(int argc, char **argv)
{
    static const struct tl_protocol_ops ops = {
        .kind = TL_PROTOCOL_STREAM,
        .connection_made = client_made,
        .data_received = client_data,
        .resume_writing = client_send,
        .connection_lost = client_lost,
    };
    struct client client = {
        .protocol = TL_PROTOCOL_INIT(&ops),
        .name = name_from(argv[1]),
        .patient = argc < 3 || strcmp(argv[2], "once") != 0,
        .idle = argc > 2 && strcmp(argv[2], "idle") == 0,
        .result = 1,
    };
    if (tl_new_event_loop(&client.loop) < 0)
        return 1;
    try_to_connect(&client);
    (void)tl_loop_run_forever(client.loop);
    (void)tl_loop_close(client.loop);
    tl_loop_free(client.loop);
    return client.result;
}

/* --- In a world ------------------------------------------------------------------------------- */

static tl_process *spawn(tl_host *host, tl_program program, const char *name, const char *more)
{
    const char *const argv[] = {program == server ? "server" : "client", name, more, NULL};
    tl_process *process =
        tl_host_spawn(host, &(struct tl_process_options){.program = program, .argv = argv});
    assert_non_null(process);
    return process;
}

static void expect(tl_world *world, enum tl_outcome outcome)
{
    enum tl_outcome ended = tl_world_run(world);
    if (ended != outcome)
        fail_msg("outcome %d: %s", (int)ended, tl_world_report(world));
}

static void run_seed(const char *name, uint64_t seed, uint64_t hashes[2])
{
    tl_world *world = tl_world_new(&(struct tl_world_options){.seed = seed});
    assert_non_null(world);
    tl_host *host = tl_world_add_host(world, "one", NULL);
    for (int i = 0; i < CLIENTS; i++)
        spawn(host, client, name, NULL);
    spawn(host, server, name, "3");
    expect(world, TL_OUTCOME_HELD);
    tl_world_hashes(world, &hashes[0], &hashes[1]);
    tl_world_free(world);
}

static void clients_and_a_server_on_one_host(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        uint64_t once[2], again[2];
        const char *name = seed % 2 == 0 ? "@echo" : "/tmp/echo";
        run_seed(name, seed, once);
        run_seed(name, seed, again);
        assert_memory_equal(once, again, sizeof once);
    }
}

static void another_host_does_not_know_the_name(void **state)
{
    (void)state;
    int status = 0;
    tl_world *world = tl_world_new(&(struct tl_world_options){.seed = 1});
    tl_host *one = tl_world_add_host(world, "one", NULL);
    tl_host *two = tl_world_add_host(world, "two", NULL);
    spawn(one, server, "@echo", "1");
    spawn(one, client, "@echo", NULL);
    tl_process *stranger = spawn(two, client, "@echo", "once");
    expect(world, TL_OUTCOME_FAILED);
    assert_true(tl_process_exited(stranger, &status));
    assert_int_equal(status, REFUSED);
    tl_world_free(world);
}

static void kill_it(tl_world *world, void *process)
{
    (void)world;
    assert_int_equal(tl_process_kill(process, SIGKILL), 0);
}

static tl_process *spawn_at(tl_host *host, tl_program program, tl_time start, bool daemon,
                            const char *more)
{
    const char *const argv[] = {program == server ? "server" : "client", "/tmp/echo", more, NULL};
    const struct tl_process_options options = {
        .program = program, .argv = argv, .start = start, .daemon = daemon};
    tl_process *process = tl_host_spawn(host, &options);
    assert_non_null(process);
    return process;
}

/* Whoever is connected to a process that is killed hears of it, and the socket that it leaves in
 * its directory is in nobody's way. */
static void a_server_is_killed(void **state)
{
    (void)state;
    int status = 0;
    tl_world *world = tl_world_new(&(struct tl_world_options){.seed = 1});
    tl_host *host = tl_world_add_host(world, "one", NULL);
    tl_process *first = spawn_at(host, server, 0, true, "2");
    tl_process *cut_off = spawn_at(host, client, 0, false, "idle");
    assert_int_equal(tl_world_at(world, TL_SECOND, kill_it, first), 0);
    spawn_at(host, server, 2 * TL_SECOND, false, "1");
    spawn_at(host, client, 2 * TL_SECOND, false, NULL);
    expect(world, TL_OUTCOME_HELD);
    assert_true(tl_process_exited(first, &status));
    assert_int_equal(status, -SIGKILL);
    assert_true(tl_process_exited(cut_off, &status));
    assert_int_equal(status, 0);
    tl_world_free(world);
}

/* --- Outside ---------------------------------------------------------------------------------- */

static pid_t start(tl_program program, const char *name, const char *more)
{
    char *argv[] = {(char *)(program == server ? "server" : "client"), (char *)name, (char *)more,
                    NULL};
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        alarm(60);
        _exit(program(more != NULL ? 3 : 2, argv));
    }
    return pid;
}

static void expect_success(pid_t pid)
{
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void run_outside(const char *name)
{
    pid_t pids[CLIENTS + 1];
    for (int i = 0; i < CLIENTS; i++)
        pids[i] = start(client, name, NULL);
    pids[CLIENTS] = start(server, name, "3");
    for (int i = 0; i <= CLIENTS; i++)
        expect_success(pids[i]);
}

static void the_same_programs_outside(void **state)
{
    (void)state;
    char name[64];
    (void)snprintf(name, sizeof name, "@twinloop-%d-world", (int)getpid());
    run_outside(name);
    (void)snprintf(name, sizeof name, "/tmp/twinloop-%d-world", (int)getpid());
    run_outside(name);
    assert_int_equal(unlink(name), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_and_a_server_on_one_host),
        cmocka_unit_test(another_host_does_not_know_the_name),
        cmocka_unit_test(a_server_is_killed),
        cmocka_unit_test(the_same_programs_outside),
    };
    return cmocka_run_group_tests_name("world_unix", tests, NULL, NULL);
}
