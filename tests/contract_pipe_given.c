/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connect_read_pipe and connect_write_pipe on descriptors that the program got without the loop:
 * pipes in blocking mode, FIFOs, sockets, terminals and files. On the real kernel, and replayed.
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
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>
#include <cmocka.h>
#include "support/scene.h"

enum { ONLY_REAL = CONTRACT_REAL | CONTRACT_REPLAY_REAL };

static bool blocks(int fd)
{
    return (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void connect_reader(struct scene *scene, int fd)
{
    tl_future_detach(tl_loop_connect_read_pipe(scene->loop, scene_peer_factory, scene, fd));
}

static void connect_writer(struct scene *scene, int fd)
{
    tl_future_detach(tl_loop_connect_write_pipe(scene->loop, scene_client_factory, scene, fd));
}

static int write_hello_and_close(struct side *side)
{
    int r = tl_transport_write(side->transport, "hello", 5);
    tl_transport_close(side->transport);
    return r;
}

static void play(struct scene *scene, int reads, int writes)
{
    scene->client.hooks.made = write_hello_and_close;
    connect_reader(scene, reads);
    connect_writer(scene, writes);
    scene_await(scene, 2);
    scene_close(scene);
    assert_log(&scene->client, "made lost released");
    assert_log(&scene->peer, "made data(hello) eof lost released");
    assert_false(is_open(reads));
    assert_false(is_open(writes));
}

/* A replay reads and writes nothing itself, so there the mode does not matter. */
static void check_mode(const struct contract *contract, int fd)
{
    if (strcmp(contract->world, "real") == 0)
        assert_false(blocks(fd));
}

static void a_pipe_in_blocking_mode(struct contract *contract)
{
    static struct scene scene;
    int fds[2];
    scene_open(&scene, contract);
    assert_int_equal(pipe(fds), 0);
    tl_future *future = tl_loop_connect_read_pipe(scene.loop, scene_peer_factory, &scene, fds[0]);
    check_mode(contract, fds[0]);
    tl_future_detach(future);
    scene.client.hooks.made = write_hello_and_close;
    connect_writer(&scene, fds[1]);
    check_mode(contract, fds[1]);
    scene_await(&scene, 2);
    scene_close(&scene);
    assert_log(&scene.client, "made lost released");
    assert_log(&scene.peer, "made data(hello) eof lost released");
    assert_false(is_open(fds[0]));
    assert_false(is_open(fds[1]));
}

static void a_pair_of_sockets(struct contract *contract)
{
    static struct scene scene;
    int fds[2];
    scene_open(&scene, contract);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    play(&scene, fds[0], fds[1]);
}

/* Any other type of socket, too. */
static void a_pair_of_sockets_of_packets(struct contract *contract)
{
    static struct scene scene;
    int fds[2];
    scene_open(&scene, contract);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
    play(&scene, fds[0], fds[1]);
}

static void a_fifo_in_a_directory(struct contract *contract)
{
    static struct scene scene;
    char folder[] = "/tmp/twinloop-fifo-XXXXXX";
    char path[64];
    scene_open(&scene, contract);
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/fifo", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    int reads = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    int writes = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
    assert_true(reads >= 0 && writes >= 0);
    play(&scene, reads, writes);
}

/* --- Terminals -------------------------------------------------------------------------------- */

/* The two sides of a terminal that passes bytes on as they are. */
static void open_terminal(int *ret_master, int *ret_slave)
{
    struct termios mode;
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(master >= 0);
    assert_int_equal(grantpt(master), 0);
    assert_int_equal(unlockpt(master), 0);
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(slave >= 0);
    assert_int_equal(tcgetattr(slave, &mode), 0);
    cfmakeraw(&mode);
    assert_int_equal(tcsetattr(slave, TCSANOW, &mode), 0);
    *ret_master = master;
    *ret_slave = slave;
}

/* asyncio's test_read_pty_output: the other side's end is EIO, which nobody is told of. */
static void a_terminals_output_is_read(struct contract *contract)
{
    static struct scene scene;
    int master, slave;
    scene_open(&scene, contract);
    open_terminal(&master, &slave);
    assert_int_equal(write(slave, "hello", 5), 5);
    close(slave);
    connect_reader(&scene, master);
    scene_await(&scene, 1);
    assert_log(&scene.peer, "made data(hello) lost(EIO) released");
    assert_string_equal(scene.errors, "");
    scene_close(&scene);
}

static int close_when_hello(struct side *side, const char *data, size_t len)
{
    (void)data;
    (void)len;
    if (side->received == 5)
        tl_transport_close(side->transport);
    return 0;
}

static int write_hello(struct side *side)
{
    return tl_transport_write(side->transport, "hello", 5);
}

/* asyncio's test_bidirectional_pty, where each side reads and writes; and what the writer could
 * read does not end it. */
static void a_terminal_is_written_to(struct contract *contract)
{
    static struct scene scene;
    int master, slave;
    scene_open(&scene, contract);
    open_terminal(&master, &slave);
    assert_int_equal(write(slave, "unread", 6), 6);
    scene.client.hooks.made = write_hello;
    scene.peer.hooks.data = close_when_hello;
    connect_writer(&scene, master);
    connect_reader(&scene, slave);
    scene_await(&scene, 1);
    assert_log(&scene.peer, "made data(hello) lost released");
    assert_log(&scene.client, "made");
    tl_transport_close(scene.client.transport);
    scene_await(&scene, 2);
    assert_log(&scene.client, "made lost released");
    scene_close(&scene);
}

/* epoll knows no readiness of it. */
static void a_device_that_is_always_ready(struct contract *contract)
{
    static struct scene scene;
    scene_open(&scene, contract);
    scene.client.hooks.made = write_hello_and_close;
    connect_reader(&scene, open("/dev/null", O_RDONLY | O_CLOEXEC));
    connect_writer(&scene, open("/dev/null", O_WRONLY | O_CLOEXEC));
    scene_await(&scene, 2);
    assert_log(&scene.peer, "made lost(EPERM) released");
    assert_log(&scene.client, "made lost released");
    assert_string_equal(scene.errors, "");
    scene_close(&scene);
}

/* --- What is no pipe -------------------------------------------------------------------------- */

static void expect_refusal(tl_loop *loop, tl_future *future, int code, const char *message)
{
    (void)loop;
    assert_true(tl_future_done(future));
    const tl_error *error = tl_future_exception(future);
    assert_non_null(error);
    assert_int_equal(error->code, code);
    assert_string_equal(error->message, message);
    tl_future_unref(future);
}

static void a_file_is_refused(struct contract *contract)
{
    static const char refusal[] = "Pipe transport is for pipes/sockets only.";
    static struct scene scene;
    FILE *file = tmpfile();
    assert_non_null(file);
    int fd = fileno(file);
    scene_open(&scene, contract);
    expect_refusal(scene.loop,
                   tl_loop_connect_read_pipe(scene.loop, scene_peer_factory, &scene, fd), -EINVAL,
                   refusal);
    expect_refusal(scene.loop,
                   tl_loop_connect_write_pipe(scene.loop, scene_peer_factory, &scene, fd), -EINVAL,
                   refusal);
    int folder = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(folder >= 0);
    expect_refusal(scene.loop,
                   tl_loop_connect_read_pipe(scene.loop, scene_peer_factory, &scene, folder),
                   -EINVAL, refusal);
    close(folder);
    scene_close(&scene);
    assert_true(is_open(fd));
    assert_true(blocks(fd));
    fclose(file);
}

static tl_protocol *no_protocol(void *farg)
{
    (void)farg;
    return NULL;
}

/* It stays the caller's, and can be connected again. */
static void a_failure_gives_the_descriptor_back(struct contract *contract)
{
    static struct scene scene;
    int fds[2];
    scene_open(&scene, contract);
    assert_int_equal(pipe(fds), 0);
    tl_future *future = tl_loop_connect_read_pipe(scene.loop, no_protocol, NULL, fds[0]);
    assert_int_equal(tl_loop_run_until_complete(scene.loop, future, NULL), -ENOMEM);
    assert_true(is_open(fds[0]));
    play(&scene, fds[0], fds[1]);
}

static void memory_runs_out(struct contract *contract)
{
    static struct scene scene;
    int fds[2];
    scene_open(&scene, contract);
    assert_int_equal(pipe(fds), 0);
    ladder_arm(contract->ladder);
    tl_future *future = tl_loop_connect_read_pipe(scene.loop, scene_peer_factory, &scene, fds[0]);
    int r = tl_loop_run_until_complete(scene.loop, future, NULL);
    ladder_disarm(contract->ladder);
    assert_true(r == 0 || r == -ENOMEM);
    assert_true(is_open(fds[0]));
    scene_close(&scene);
    if (r < 0)
        close(fds[0]);
    else
        assert_false(is_open(fds[0]));
    close(fds[1]);
}

static const struct contract_case cases[] = {
    CONTRACT_ONLY(a_pipe_in_blocking_mode, ONLY_REAL),
    CONTRACT_ONLY(a_pair_of_sockets, ONLY_REAL),
    CONTRACT_ONLY(a_pair_of_sockets_of_packets, ONLY_REAL),
    CONTRACT_ONLY(a_fifo_in_a_directory, ONLY_REAL),
    CONTRACT_ONLY(a_terminals_output_is_read, ONLY_REAL),
    CONTRACT_ONLY(a_terminal_is_written_to, ONLY_REAL),
    CONTRACT_ONLY(a_device_that_is_always_ready, ONLY_REAL),
    CONTRACT_ONLY(a_file_is_refused, ONLY_REAL),
    CONTRACT_ONLY(a_failure_gives_the_descriptor_back, ONLY_REAL),
    CONTRACT_LADDER_ONLY(memory_runs_out, CONTRACT_REAL, 3),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "pipe_given", cases, sizeof cases / sizeof *cases);
}
