/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of simulated hosts: what scenarios put there and find there, what stays when, and what the
 * contract tests cannot do to a real /tmp.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <twinloop/file.h>
#include <twinloop/kernel.h>
#include <twinloop/policy.h>
#include <twinloop/world.h>
#include <cmocka.h>
#include "support/simulated.h"

enum { ALWAYS = 65536 };

static const struct tl_world_options quiet = {.quiet = true};

/* Reads "/srv/in", writes what it has twice to "/srv/out", leaves one more behind. */
static int copies(int argc, char **argv)
{
    char data[16];
    tl_loop *loop;
    (void)argc;
    (void)argv;
    if (tl_new_event_loop(&loop) < 0)
        return 1;
    int in = tl_loop_open_file(loop, "srv/../srv//in", TL_OPEN_READ, 0);
    int out = tl_loop_open_file(loop, "/srv/out", TL_OPEN_WRITE | TL_OPEN_CREATE, 0600);
    ssize_t n = in < 0 || out < 0 ? -1 : tl_loop_read_file(loop, in, data, sizeof data, 0);
    bool done = n > 0 && tl_loop_write_file(loop, out, data, (size_t)n, 0) == n &&
                tl_loop_write_file(loop, out, data, (size_t)n, n) == n &&
                tl_loop_unlink_file(loop, "/srv/in") == 0;
    tl_loop_free(loop); /* with both still open */
    return done ? 0 : 1;
}

static tl_world *world_with(tl_host **ret_host, tl_program program)
{
    static const char *const argv[] = {"program", NULL};
    const struct tl_process_options options = {.argv = argv, .program = program};
    tl_world *world = tl_world_new(&quiet);
    assert_non_null(world);
    *ret_host = tl_world_add_host(world, "host", NULL);
    assert_non_null(*ret_host);
    assert_non_null(tl_host_spawn(*ret_host, &options));
    return world;
}

static void scenarios_put_and_find_files(void **state)
{
    (void)state;
    tl_host *host;
    char data[16] = "";
    tl_world *world = world_with(&host, copies);
    const tl_host *other = tl_world_add_host(world, "other", NULL);
    assert_int_equal(tl_host_write_file(host, "/srv/in", "long before", 11), 0);
    assert_int_equal(tl_host_write_file(host, "/srv/in", "text", 4), 0);
    assert_int_equal(tl_world_run(world), TL_OUTCOME_HELD);
    assert_int_equal(tl_host_read_file(host, "/srv/out", data, 6), 8);
    assert_string_equal(data, "textte");
    assert_int_equal(tl_host_read_file(host, "/srv/in", data, 6), -ENOENT);
    assert_int_equal(tl_host_read_file((tl_host *)other, "/srv/out", data, 6), -ENOENT);
    assert_int_equal(tl_world_reset(world, &quiet), 0);
    assert_int_equal(tl_host_read_file(host, "/srv/out", data, 6), -ENOENT);
    tl_world_free(world);
}

static void scenarios_are_told_why_not(void **state)
{
    (void)state;
    char data[4];
    tl_world *world = tl_world_new(&quiet);
    tl_host *host = tl_world_add_host(world, "host", NULL);
    assert_int_equal(tl_host_write_file(host, "/a/b", "x", 1), 0);
    assert_int_equal(tl_host_write_file(host, "/a/b/c", "x", 1), -ENOTDIR);
    assert_int_equal(tl_host_write_file(host, "/a", "x", 1), -EISDIR);
    assert_int_equal(tl_host_write_file(host, "/c/", "x", 1), -EISDIR);
    assert_int_equal(tl_host_write_file(host, "/", "x", 1), -EISDIR);
    assert_int_equal(tl_host_write_file(host, "", "x", 1), -EINVAL);
    assert_int_equal(tl_host_write_file(host, "/x", NULL, 1), -EINVAL);
    assert_int_equal(tl_host_write_file(NULL, "/x", "x", 1), -EINVAL);
    assert_int_equal(tl_host_read_file(host, "/a", data, 4), -EISDIR);
    assert_int_equal(tl_host_read_file(host, "/a/b/", data, 4), -ENOTDIR);
    assert_int_equal(tl_host_read_file(host, "/a/b", NULL, 0), 1);
    tl_world_free(world);
}

/* --- Directories, which no real test may move ------------------------------------------------- */

#define RENAME(from, to) kernel->ops->rename(kernel, from, to)

static int moves_directories(int argc, char **argv)
{
    struct tl_kernel *kernel;
    struct tl_stat status;
    tl_loop *loop;
    (void)argc;
    (void)argv;
    assert_int_equal(tl_new_event_loop(&loop), 0);
    kernel = tl_loop_kernel(loop);
    assert_int_equal(RENAME("/d", "/f"), -ENOTDIR);
    assert_int_equal(RENAME("/f", "/d"), -EISDIR);
    assert_int_equal(RENAME("/e", "/d"), -ENOTEMPTY);
    assert_int_equal(RENAME("/d", "/d/x/y"), -EINVAL);
    assert_int_equal(RENAME("/d/x", "/d"), -ENOTEMPTY);
    assert_int_equal(RENAME("/d/x", "/tmp/"), 0);
    assert_int_equal(kernel->ops->stat(kernel, "/tmp/file", &status), 0);
    assert_int_equal(status.size, 1);
    assert_int_equal(RENAME("/tmp", "/d/new/"), 0);
    assert_int_equal(kernel->ops->stat(kernel, "/d/new/../new/./file", &status), 0);
    assert_int_equal(kernel->ops->stat(kernel, "/tmp", &status), -ENOENT);
    assert_int_equal(kernel->ops->open(kernel, "/tmp/x", TL_OPEN_WRITE | TL_OPEN_CREATE, 0600),
                     -ENOENT);
    tl_loop_free(loop);
    return 0;
}

static void directories_move_with_what_is_in_them(void **state)
{
    (void)state;
    tl_host *host;
    tl_world *world = world_with(&host, moves_directories);
    assert_int_equal(tl_host_write_file(host, "/d/x/file", "x", 1), 0);
    assert_int_equal(tl_host_write_file(host, "/e/file", "x", 1), 0);
    assert_int_equal(tl_host_write_file(host, "/f", "x", 1), 0);
    assert_int_equal(tl_world_run(world), TL_OUTCOME_HELD);
    tl_world_free(world);
}

static int writes_too_much(int argc, char **argv)
{
    tl_loop *loop;
    (void)argc;
    (void)argv;
    assert_int_equal(tl_new_event_loop(&loop), 0);
    int file = tl_loop_open_file(loop, "/tmp/x", TL_OPEN_WRITE | TL_OPEN_CREATE, 0600);
    assert_true(file >= 0);
    assert_int_equal(tl_loop_write_file(loop, file, "x", 1, (int64_t)1 << 40), -EFBIG);
    tl_loop_free(loop);
    return 0;
}

static void a_file_has_its_limit(void **state)
{
    (void)state;
    tl_host *host;
    tl_world *world = world_with(&host, writes_too_much);
    assert_int_equal(tl_world_run(world), TL_OUTCOME_HELD);
    tl_world_free(world);
}

/* Only what makes a file longer needs room; what was there stays as it was. */
static void a_disk_may_be_full(void **state)
{
    (void)state;
    struct tl_kernel *kernel = simulated_kernel((struct tl_world_options){.seed = 1});
    struct iovec pieces[] = {{"", 0}, {"ab", 2}};
    struct tl_message message = {.iov = pieces, .iov_count = 2};
    char data[8];
    int fd = kernel->ops->open(kernel, "/tmp/x", TL_OPEN_READ | TL_OPEN_WRITE | TL_OPEN_CREATE, 0);
    assert_true(fd >= 0);
    assert_int_equal(kernel->ops->pwrite(kernel, fd, "text", 4, 0), 4);
    simulated_only(kernel, "disk.full", ALWAYS);
    assert_int_equal(kernel->ops->pwrite(kernel, fd, "more", 4, 2), -ENOSPC);
    assert_int_equal(kernel->ops->pwrite(kernel, fd, "", 0, 100), 0);
    assert_int_equal(kernel->ops->pwrite(kernel, fd, "T", 1, (int64_t)1 << 40), -EFBIG);
    assert_int_equal(kernel->ops->pwrite(kernel, fd, "TEXT", 4, 0), 4);
    assert_int_equal(kernel->ops->write(kernel, fd, &message, 1), 2);
    assert_int_equal(kernel->ops->write(kernel, fd, &message, 1), 2);
    assert_int_equal(kernel->ops->write(kernel, fd, &message, 1), -ENOSPC);
    assert_int_equal(kernel->ops->pread(kernel, fd, data, sizeof data, 0), 4);
    assert_memory_equal(data, "abab", 4);
    simulated_only(kernel, "disk.full", 0);
    assert_int_equal(kernel->ops->write(kernel, fd, &message, 1), 2);
    assert_int_equal(kernel->ops->pread(kernel, fd, data, sizeof data, 0), 6);
    kernel->ops->destroy(kernel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scenarios_put_and_find_files),
        cmocka_unit_test(scenarios_are_told_why_not),
        cmocka_unit_test(directories_move_with_what_is_in_them),
        cmocka_unit_test(a_file_has_its_limit),
        cmocka_unit_test(a_disk_may_be_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
