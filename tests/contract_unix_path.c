/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unix-domain sockets with paths, at the seam and as servers and connections: what is found at a
 * path, what is in the way, and what stays behind. Every path is in /tmp, which every simulated
 * host has too.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "support/scene.h"
#include "support/seam.h"

enum { NEW = TL_OPEN_READ | TL_OPEN_WRITE | TL_OPEN_CREATE | TL_OPEN_EXCLUSIVE, MODE = 0600 };

/* A path of this process's own; the same for every run of a case. */
struct path {
    char text[96];
};

static struct path path_of(const char *name)
{
    struct path path;
    (void)snprintf(path.text, sizeof path.text, "/tmp/twinloop-%d-%s", (int)getpid(), name);
    return path;
}

static tl_addr at(const char *path)
{
    tl_addr addr;
    assert_int_equal(tl_addr_unix(path, strlen(path), &addr), 0);
    return addr;
}

/* --- The seam --------------------------------------------------------------------------------- */

static int new_socket(struct tl_kernel *kernel)
{
    int fd = kernel->ops->socket(kernel, TL_FAMILY_UNIX, TL_STREAM);
    assert_true(fd >= 0);
    return fd;
}

static int bind_to(struct tl_kernel *kernel, int fd, const char *path)
{
    tl_addr addr = at(path);
    return kernel->ops->bind(kernel, fd, &addr);
}

static int listener_at(struct tl_kernel *kernel, const char *path)
{
    int fd = new_socket(kernel);
    assert_int_equal(bind_to(kernel, fd, path), 0);
    assert_int_equal(kernel->ops->listen(kernel, fd, 5), 0);
    return fd;
}

/* Connects and closes again; what connect said. */
static int try_connect(struct tl_kernel *kernel, const char *path)
{
    tl_addr addr = at(path);
    int fd = new_socket(kernel);
    int r = kernel->ops->connect(kernel, fd, &addr);
    seam_close(kernel, fd);
    return r;
}

static bool waits(struct tl_kernel *kernel, int listener)
{
    tl_addr peer;
    int fd = kernel->ops->accept(kernel, listener, &peer);
    if (fd >= 0)
        seam_close(kernel, fd);
    else
        assert_int_equal(fd, -EAGAIN);
    return fd >= 0;
}

static void remove_path(struct tl_kernel *kernel, const char *path)
{
    assert_int_equal(kernel->ops->unlink(kernel, path), 0);
}

static void make_file(struct tl_kernel *kernel, const char *path)
{
    int fd = kernel->ops->open(kernel, path, NEW, MODE);
    assert_true(fd >= 0);
    seam_close(kernel, fd);
}

static void a_socket_is_found_by_its_path(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    struct path path = path_of("found");
    tl_addr where = at(path.text);
    tl_addr addr;
    struct tl_stat status;
    int listener = listener_at(kernel, path.text);

    assert_int_equal(kernel->ops->address(kernel, listener, TL_ADDRESS_LOCAL, &addr), 0);
    assert_true(tl_addr_equal(&addr, &where));
    assert_int_equal(kernel->ops->stat(kernel, path.text, &status), 0);
    assert_int_equal(status.kind, TL_ADOPTED_SOCKET);
    assert_int_equal(kernel->ops->open(kernel, path.text, TL_OPEN_READ, 0), -ENXIO);
    int client = new_socket(kernel);
    assert_int_equal(kernel->ops->connect(kernel, client, &where), 0);
    assert_int_equal(kernel->ops->address(kernel, client, TL_ADDRESS_PEER, &addr), 0);
    assert_true(tl_addr_equal(&addr, &where));
    assert_true(waits(kernel, listener));
    remove_path(kernel, path.text);
    kernel->ops->destroy(kernel);
}

static void a_path_outlives_its_socket(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    struct path path = path_of("stale");
    int other = new_socket(kernel);

    seam_close(kernel, listener_at(kernel, path.text));
    assert_int_equal(try_connect(kernel, path.text), -ECONNREFUSED);
    assert_int_equal(bind_to(kernel, other, path.text), -EADDRINUSE);
    remove_path(kernel, path.text);
    assert_int_equal(try_connect(kernel, path.text), -ENOENT);
    assert_int_equal(bind_to(kernel, other, path.text), 0);
    assert_int_equal(try_connect(kernel, path.text), -ECONNREFUSED); /* it does not listen */
    remove_path(kernel, path.text);
    kernel->ops->destroy(kernel);
}

static void a_socket_outlives_its_path(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    struct path path = path_of("unlinked");
    int first = listener_at(kernel, path.text);

    assert_int_equal(try_connect(kernel, path.text), 0);
    remove_path(kernel, path.text);
    assert_int_equal(try_connect(kernel, path.text), -ENOENT);
    assert_true(waits(kernel, first)); /* what had come before */
    int second = listener_at(kernel, path.text);
    assert_int_equal(try_connect(kernel, path.text), 0);
    assert_false(waits(kernel, first));
    assert_true(waits(kernel, second));
    seam_close(kernel, first);
    assert_int_equal(try_connect(kernel, path.text), 0);
    remove_path(kernel, path.text);
    kernel->ops->destroy(kernel);
}

static void a_path_may_be_renamed(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    struct path old = path_of("old");
    struct path new = path_of("new");
    int listener = listener_at(kernel, old.text);
    tl_addr where = at(old.text);
    tl_addr addr;

    assert_int_equal(kernel->ops->rename(kernel, old.text, new.text), 0);
    assert_int_equal(try_connect(kernel, old.text), -ENOENT);
    assert_int_equal(try_connect(kernel, new.text), 0);
    assert_true(waits(kernel, listener));
    assert_int_equal(kernel->ops->address(kernel, listener, TL_ADDRESS_LOCAL, &addr), 0);
    assert_true(tl_addr_equal(&addr, &where)); /* as it was bound */
    remove_path(kernel, new.text);
    kernel->ops->destroy(kernel);
}

static void what_is_no_socket_is_in_the_way(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    struct path path = path_of("file");
    struct path below, missing;
    int fd = new_socket(kernel);

    (void)snprintf(below.text, sizeof below.text, "/tmp/twinloop-%d-file/x", (int)getpid());
    (void)snprintf(missing.text, sizeof missing.text, "/tmp/twinloop-%d-none/x", (int)getpid());
    make_file(kernel, path.text);
    assert_int_equal(try_connect(kernel, path.text), -ECONNREFUSED);
    assert_int_equal(bind_to(kernel, fd, path.text), -EADDRINUSE);
    assert_int_equal(try_connect(kernel, below.text), -ENOTDIR);
    assert_int_equal(bind_to(kernel, fd, below.text), -ENOTDIR);
    assert_int_equal(try_connect(kernel, missing.text), -ENOENT);
    assert_int_equal(bind_to(kernel, fd, missing.text), -ENOENT);
    assert_int_equal(try_connect(kernel, "/tmp"), -ECONNREFUSED);
    assert_int_equal(bind_to(kernel, fd, "/tmp"), -EADDRINUSE);
    remove_path(kernel, path.text);
    kernel->ops->destroy(kernel);
}

static void a_bound_socket_gets_no_second_path(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    struct path path = path_of("first");
    struct path second = path_of("second");
    struct tl_stat status;
    int fd = new_socket(kernel);

    assert_int_equal(bind_to(kernel, fd, path.text), 0);
    assert_int_equal(bind_to(kernel, fd, path.text), -EADDRINUSE);
    assert_int_equal(bind_to(kernel, fd, second.text), -EINVAL);
    assert_int_equal(kernel->ops->stat(kernel, second.text, &status), -ENOENT);
    remove_path(kernel, path.text);
    kernel->ops->destroy(kernel);
}

static void binding_without_memory(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    struct path path = path_of("ladder");

    ladder_arm(contract->ladder);
    int fd = kernel->ops->socket(kernel, TL_FAMILY_UNIX, TL_STREAM);
    int r = fd < 0 ? fd : bind_to(kernel, fd, path.text);
    ladder_disarm(contract->ladder);
    assert_true(r == 0 || r == -ENOMEM);
    if (r == 0)
        remove_path(kernel, path.text);
    else
        assert_int_not_equal(kernel->ops->unlink(kernel, path.text), 0);
    kernel->ops->destroy(kernel);
}

/* --- Servers and connections ------------------------------------------------------------------ */

static tl_future *start_server(struct scene *scene, const char *path)
{
    return tl_loop_create_unix_server(scene->loop, scene_peer_factory, scene, path, strlen(path),
                                      NULL);
}

static tl_future *start_connect(struct scene *scene, const char *path)
{
    return tl_loop_create_unix_connection(scene->loop, scene_client_factory, scene, path,
                                          strlen(path), NULL);
}

/* Waits for a server, of which the caller gets a reference. */
static tl_server *serve(struct scene *scene, const char *path)
{
    tl_value value = tl_value_none();
    int r = tl_loop_run_until_complete(scene->loop, start_server(scene, path), &value);
    assert_int_equal(r, 0);
    tl_server *server = tl_server_ref(tl_value_server(&value));
    tl_value_finish(&value);
    return server;
}

static void end(struct scene *scene, tl_server *server)
{
    tl_server_close(server);
    tl_server_unref(server);
    scene_close(scene);
}

static void unlink_path(struct scene *scene, const char *path)
{
    remove_path(tl_loop_kernel(scene->loop), path);
}

static void echo(struct scene *scene, const char *path)
{
    scene->client.hooks.made = hook_write_hello_and_eof;
    scene->peer.hooks.data = hook_echo;
    tl_future_detach(start_connect(scene, path));
    scene_await(scene, 2);
    assert_log(&scene->client, "made data(hello) eof lost released");
    assert_log(&scene->peer, "made data(hello) eof lost released");
}

/* asyncio up to 3.12: the path stays when the server is closed. */
static void a_server_at_a_path(struct contract *contract)
{
    static struct scene scene;
    struct path path = path_of("server");
    tl_addr where = at(path.text);
    tl_addr bound;
    scene_open(&scene, contract);
    tl_server *server = serve(&scene, path.text);
    assert_int_equal(tl_server_address(server, 0, &bound), 0);
    assert_true(tl_addr_equal(&bound, &where));
    echo(&scene, path.text);
    tl_server_close(server);
    scene_expect_failed(start_connect(&scene, path.text), -ECONNREFUSED, NULL);
    unlink_path(&scene, path.text);
    end(&scene, server);
}

static void a_socket_that_nobody_has_is_removed(struct contract *contract)
{
    static struct scene scene;
    struct path path = path_of("nobody");
    scene_open(&scene, contract);
    struct tl_kernel *kernel = tl_loop_kernel(scene.loop);
    seam_close(kernel, listener_at(kernel, path.text));
    tl_server *server = serve(&scene, path.text);
    echo(&scene, path.text);
    unlink_path(&scene, path.text);
    end(&scene, server);
}

static void and_so_is_one_that_somebody_has(struct contract *contract)
{
    static struct scene scene;
    struct path path = path_of("somebody");
    scene_open(&scene, contract);
    struct tl_kernel *kernel = tl_loop_kernel(scene.loop);
    int other = listener_at(kernel, path.text);
    tl_server *server = serve(&scene, path.text);
    echo(&scene, path.text);
    assert_false(waits(kernel, other));
    unlink_path(&scene, path.text);
    end(&scene, server);
}

static void other_files_stay(struct contract *contract)
{
    static struct scene scene;
    struct path path = path_of("other");
    struct tl_stat status;
    char message[128];
    scene_open(&scene, contract);
    struct tl_kernel *kernel = tl_loop_kernel(scene.loop);
    make_file(kernel, path.text);
    (void)snprintf(message, sizeof message, "Address '%s' is already in use", path.text);
    scene_expect_failed(start_server(&scene, path.text), -EADDRINUSE, message);
    assert_int_equal(kernel->ops->stat(kernel, path.text, &status), 0);
    assert_int_equal(status.kind, TL_ADOPTED_FILE);
    unlink_path(&scene, path.text);
    scene_close(&scene);
}

struct logged {
    int errors;
    char last[256];
};

static void note_logged(enum tl_log_level level, const char *text, void *arg)
{
    struct logged *logged = arg;
    if (level != TL_LOG_ERROR)
        return;
    logged->errors++;
    (void)snprintf(logged->last, sizeof logged->last, "%s", text);
}

/* That it cannot even be looked at is logged; what matters of it bind says. */
static void what_cannot_be_looked_at_is_logged(struct contract *contract)
{
    static struct scene scene;
    struct path path = path_of("file");
    struct path below = path_of("file/below"), missing = path_of("missing/below");
    struct logged logged = {0};
    char message[256];
    scene_open(&scene, contract);
    make_file(tl_loop_kernel(scene.loop), path.text);
    tl_set_log_handler(note_logged, &logged);
    scene_expect_failed(start_server(&scene, missing.text), -ENOENT, NULL);
    assert_int_equal(logged.errors, 0);
    scene_expect_failed(start_server(&scene, below.text), -ENOTDIR, NULL);
    tl_set_log_handler(NULL, NULL);
    assert_int_equal(logged.errors, 1);
    (void)snprintf(message, sizeof message, "Unable to check or remove stale UNIX socket '%s': %s",
                   below.text, tl_strerror(-ENOTDIR));
    assert_string_equal(logged.last, message);
    unlink_path(&scene, path.text);
    scene_close(&scene);
}

static void there_is_no_such_path(struct contract *contract)
{
    static struct scene scene;
    struct path path = path_of("absent");
    struct path missing;
    (void)snprintf(missing.text, sizeof missing.text, "/tmp/twinloop-%d-none/x", (int)getpid());
    scene_open(&scene, contract);
    scene_expect_failed(start_connect(&scene, path.text), -ENOENT, NULL);
    scene_expect_failed(start_server(&scene, missing.text), -ENOENT, NULL);
    scene_close(&scene);
}

static void a_server_without_memory(struct contract *contract)
{
    static struct scene scene;
    struct path path = path_of("short");
    scene_open(&scene, contract);
    struct tl_kernel *kernel = tl_loop_kernel(scene.loop);
    seam_close(kernel, listener_at(kernel, path.text));
    ladder_arm(contract->ladder);
    int r = tl_loop_run_until_complete(scene.loop, start_server(&scene, path.text), NULL);
    ladder_disarm(contract->ladder);
    assert_true(r == 0 || r == -ENOMEM);
    (void)kernel->ops->unlink(kernel, path.text);
    scene_close(&scene);
}

static const struct contract_case cases[] = {
    CONTRACT(a_socket_is_found_by_its_path),
    CONTRACT(a_path_outlives_its_socket),
    CONTRACT(a_socket_outlives_its_path),
    CONTRACT(a_path_may_be_renamed),
    CONTRACT(what_is_no_socket_is_in_the_way),
    CONTRACT(a_bound_socket_gets_no_second_path),
    CONTRACT_LADDER(binding_without_memory, 1),
    CONTRACT(a_server_at_a_path),
    CONTRACT(a_socket_that_nobody_has_is_removed),
    CONTRACT(and_so_is_one_that_somebody_has),
    CONTRACT(other_files_stay),
    CONTRACT(what_cannot_be_looked_at_is_logged),
    CONTRACT(there_is_no_such_path),
    CONTRACT_LADDER(a_server_without_memory, 2),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "unix_path", cases, sizeof cases / sizeof *cases);
}
