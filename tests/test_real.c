/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What only the real kernel has: rounding of timeouts, descriptors that must not leak, blocking
 * descriptors, datagrams, forked children, limits of the process, allocations that fail. What every
 * kernel has is in contract_*.c; SIGPIPE, signals, threads and children are in test_real_process.c.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <twinloop/alloc.h>
#include <twinloop/error.h>
#include <twinloop/real.h>
#include <unistd.h>
#include <cmocka.h>
#include "real/real.h"
#include "support/seam.h"

static struct tl_kernel *real_kernel(void)
{
    struct tl_kernel *kernel;

    assert_int_equal(tl_real_kernel_new(&kernel), 0);
    return kernel;
}

static unsigned open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    unsigned count = 0;

    assert_non_null(folder);
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

/* --- Waiting --- */

static void coarse_timeouts_are_rounded_up(void **state)
{
    static const tl_time timeouts[] = {1, 1000, 999999, 1000000, 1000001, 2500000};
    struct tl_kernel *kernel = real_kernel();
    struct tl_event event;

    (void)state;
    tl_real_of(kernel)->coarse = true;
    for (size_t i = 0; i < sizeof timeouts / sizeof *timeouts; i++) {
        tl_time start = kernel->ops->now(kernel);
        assert_int_equal(kernel->ops->poll(kernel, timeouts[i], &event, 1), 0);
        assert_true(kernel->ops->now(kernel) - start >= timeouts[i]);
    }
    kernel->ops->destroy(kernel);
}

/* The array must be able to hold something, or nothing could ever be told. */
static void poll_wants_room(void **state)
{
    struct tl_kernel *kernel = real_kernel();
    struct tl_event event;

    (void)state;
    assert_int_equal(kernel->ops->poll(kernel, 0, &event, 0), -EINVAL);
    assert_int_equal(kernel->ops->poll(kernel, 0, &event, -1), -EINVAL);
    kernel->ops->destroy(kernel);
}

/* A duplicate keeps the open file, and would keep an epoll registration that nobody removed. */
static void a_duplicate_elsewhere_reports_nothing(void **state)
{
    struct tl_kernel *kernel = real_kernel();
    struct tl_event event;
    int fds[2], token;

    (void)state;
    seam_connection(kernel, fds);
    int duplicate = dup(fds[0]);
    assert_int_equal(kernel->ops->watch(kernel, fds[0], TL_WRITABLE, &token), 0);
    seam_close(kernel, fds[0]);
    /* Nor does it wake poll for nothing, over and over. */
    tl_time start = kernel->ops->now(kernel);
    assert_int_equal(kernel->ops->poll(kernel, 5 * TL_MILLISECOND, &event, 1), 0);
    assert_true(kernel->ops->now(kernel) - start >= 5 * TL_MILLISECOND);
    close(duplicate);
    kernel->ops->destroy(kernel);
}

/* A flood of posts has half of the array at most. */
static void posts_do_not_starve_descriptors(void **state)
{
    static struct tl_post posts[50];
    struct tl_kernel *kernel = real_kernel();
    struct tl_event events[4];
    int fds[2], token;

    (void)state;
    seam_connection(kernel, fds);
    assert_int_equal(kernel->ops->watch(kernel, fds[0], TL_WRITABLE, &token), 0);
    for (int i = 0; i < 50; i++)
        kernel->ops->post(kernel, &posts[i]);
    for (int round = 0; round < 4; round++) {
        int n = kernel->ops->poll(kernel, 0, events, 4), told = 0;
        for (int i = 0; i < n; i++)
            told += events[i].token == &token;
        assert_int_equal(n, 4);
        assert_int_equal(told, 1);
    }
    kernel->ops->destroy(kernel);
}

/* --- Descriptors --- */

static void nothing_stays_open(void **state)
{
    const char *const argv[] = {"sleep", "1000", NULL};
    struct tl_spawn spawn = {
        .program = "sleep",
        .argv = argv,
        .fds = {TL_FD_NULL, TL_FD_NULL, TL_FD_NULL},
    };
    struct tl_adopted adopted;
    unsigned before = open_descriptors();
    struct tl_kernel *kernel = real_kernel();
    int fds[2], pipes[2], mine[2];
    tl_addr addr;

    (void)state;
    seam_listen(kernel, 1, &addr);
    seam_connection(kernel, fds);
    assert_int_equal(kernel->ops->pipe(kernel, TL_PIPE_ONE_WAY, pipes), 0);
    assert_int_equal(kernel->ops->watch(kernel, pipes[0], TL_READABLE, &addr), 0);
    int64_t pid = kernel->ops->spawn(kernel, &spawn);
    assert_true(pid > 0);

    /* An adopted descriptor is the kernel's until it is released. */
    assert_int_equal(pipe2(mine, O_CLOEXEC), 0);
    assert_int_equal(kernel->ops->adopt(kernel, mine[0], &adopted), 0);
    assert_int_equal(kernel->ops->adopt(kernel, mine[1], &adopted), 0);
    assert_int_equal(kernel->ops->release(kernel, mine[1]), 0);
    kernel->ops->destroy(kernel);
    assert_int_equal(close(mine[0]), -1);
    assert_int_equal(close(mine[1]), 0);
    assert_int_equal(open_descriptors(), before);
    assert_int_equal(kill((pid_t)pid, SIGKILL), 0);
    assert_int_equal(waitpid((pid_t)pid, NULL, 0), pid);
}

static void descriptors_are_private_and_nonblocking(void **state)
{
    struct tl_kernel *kernel = real_kernel();
    int fds[6];

    (void)state;
    seam_connection(kernel, fds);
    assert_int_equal(kernel->ops->pipe(kernel, TL_PIPE_ONE_WAY, &fds[2]), 0);
    assert_int_equal(kernel->ops->pipe(kernel, TL_PIPE_STREAM_PAIR, &fds[4]), 0);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(fcntl(fds[i], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        assert_int_equal(fcntl(fds[i], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    }
    /* Nor can the program reach the kernel's own descriptors by their numbers. */
    assert_int_equal(kernel->ops->close(kernel, tl_real_of(kernel)->wake), -EBADF);
    assert_int_equal(kernel->ops->close(kernel, tl_real_of(kernel)->epoll), -EBADF);
    kernel->ops->destroy(kernel);
}

static void a_blocking_socket_does_not_block(void **state)
{
    struct tl_kernel *kernel = real_kernel();
    struct tl_adopted adopted;
    int fds[2];
    char byte;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(kernel->ops->adopt(kernel, fds[0], &adopted), 0);
    assert_false(adopted.nonblocking);
    assert_int_equal(seam_read(kernel, fds[0], &byte, 1), -EAGAIN);
    assert_int_equal(fcntl(fds[0], F_GETFL) & O_NONBLOCK, 0);
    close(fds[1]);
    kernel->ops->destroy(kernel);
}

static void many_descriptors_make_the_table_grow(void **state)
{
    struct tl_kernel *kernel = real_kernel();
    static int fds[300];
    int token;

    (void)state;
    for (int i = 0; i < 300; i += 2)
        assert_int_equal(kernel->ops->pipe(kernel, TL_PIPE_ONE_WAY, &fds[i]), 0);
    assert_int_equal(kernel->ops->watch(kernel, fds[1], TL_WRITABLE, &token), 0);
    assert_ptr_equal(seam_event(kernel).token, &token);
    assert_int_equal(kernel->ops->watch(kernel, fds[299], TL_WRITABLE, &token), 0);
    kernel->ops->destroy(kernel);
}

static void no_more_descriptors_is_emfile(void **state)
{
    struct rlimit before, none;
    struct tl_kernel *kernel = real_kernel(), *another;
    tl_addr where, peer;
    int fds[2];

    (void)state;
    int listener = seam_listen(kernel, 1, &where);
    seam_start_connect(kernel, &where);
    seam_await(kernel, listener, TL_READABLE);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){.rlim_cur = 3, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int socket_error = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
    int pipe_error = kernel->ops->pipe(kernel, TL_PIPE_ONE_WAY, fds);
    int accept_error = kernel->ops->accept(kernel, listener, &peer);
    int kernel_error = tl_real_kernel_new(&another);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);

    assert_int_equal(socket_error, -EMFILE);
    assert_int_equal(pipe_error, -EMFILE);
    assert_int_equal(accept_error, -EMFILE);
    assert_int_equal(kernel_error, -EMFILE);
    /* The connection was not lost. */
    assert_true(kernel->ops->accept(kernel, listener, &peer) >= 0);
    kernel->ops->destroy(kernel);
}

/* --- Addresses --- */

static void unix_sockets_have_names(void **state)
{
    struct tl_kernel *kernel = real_kernel();
    tl_addr name = {.family = TL_FAMILY_UNIX}, got;
    int listener = kernel->ops->socket(kernel, TL_FAMILY_UNIX, TL_STREAM);
    int client = kernel->ops->socket(kernel, TL_FAMILY_UNIX, TL_STREAM);
    tl_addr peer;

    (void)state;
    /* An abstract one, which needs no folder: a NUL, then anything. */
    memcpy(name.data, "\0twinloop", 9);
    memcpy(name.data + 9, &(pid_t){getpid()}, sizeof(pid_t));
    name.len = 9 + sizeof(pid_t);
    assert_int_equal(kernel->ops->bind(kernel, listener, &name), 0);
    assert_int_equal(kernel->ops->listen(kernel, listener, 1), 0);
    assert_int_equal(kernel->ops->address(kernel, listener, TL_ADDRESS_LOCAL, &got), 0);
    assert_true(tl_addr_equal(&got, &name));
    assert_int_equal(kernel->ops->connect(kernel, client, &name), 0);
    assert_true(seam_accept(kernel, listener, &peer) >= 0);
    assert_int_equal(peer.family, TL_FAMILY_UNIX);
    assert_int_equal(peer.len, 0);
    assert_int_equal(kernel->ops->address(kernel, client, TL_ADDRESS_PEER, &got), 0);
    assert_true(tl_addr_equal(&got, &name));
    kernel->ops->destroy(kernel);
}

static void unix_paths_keep_their_length(void **state)
{
    struct tl_kernel *kernel = real_kernel();
    tl_addr name = {.family = TL_FAMILY_UNIX}, got;
    char path[] = "/tmp/twinloop-test-XXXXXX";
    int fd = kernel->ops->socket(kernel, TL_FAMILY_UNIX, TL_STREAM);

    (void)state;
    assert_non_null(mkdtemp(path));
    assert_int_equal(rmdir(path), 0);
    name.len = (uint8_t)strlen(path);
    memcpy(name.data, path, name.len);
    assert_int_equal(kernel->ops->bind(kernel, fd, &name), 0);
    assert_int_equal(kernel->ops->address(kernel, fd, TL_ADDRESS_LOCAL, &got), 0);
    unlink(path);
    assert_true(tl_addr_equal(&got, &name));
    kernel->ops->destroy(kernel);
}

/* --- Datagrams --- */

static int datagram_socket(struct tl_kernel *kernel, tl_addr *ret_addr)
{
    int fd = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_DATAGRAM);

    assert_true(fd >= 0);
    assert_int_equal(tl_addr_parse("127.0.0.1", 0, ret_addr), 0);
    assert_int_equal(kernel->ops->bind(kernel, fd, ret_addr), 0);
    assert_int_equal(kernel->ops->address(kernel, fd, TL_ADDRESS_LOCAL, ret_addr), 0);
    return fd;
}

static void one_datagram_has_its_source(void **state)
{
    struct tl_kernel *kernel = real_kernel();
    char data[8] = "????????", six[] = "sixsix";
    struct iovec out = {six, 6}, in = {data, 4};
    tl_addr from, to, source;
    int sender = datagram_socket(kernel, &from), receiver = datagram_socket(kernel, &to);
    struct tl_message message = {.iov = &out, .iov_count = 1, .addr = &to};

    (void)state;
    assert_int_equal(kernel->ops->write(kernel, sender, &message, 1), 6);
    assert_int_equal(kernel->ops->write(kernel, sender, &message, 1), 6);
    seam_await(kernel, receiver, TL_READABLE);
    message = (struct tl_message){.iov = &in, .iov_count = 1, .addr = &source};
    assert_int_equal(kernel->ops->read(kernel, receiver, &message, 1), 4);
    assert_int_equal(message.truncated, 1);
    assert_true(tl_addr_equal(&source, &from));
    assert_memory_equal(data, "sixs????", 8);
    in.iov_len = 8;
    message.addr = NULL;
    assert_int_equal(kernel->ops->read(kernel, receiver, &message, 1), 6);
    assert_int_equal(message.truncated, 0);
    assert_int_equal(kernel->ops->read(kernel, receiver, &message, 1), -EAGAIN);
    kernel->ops->destroy(kernel);
}

static void many_datagrams_go_at_once(void **state)
{
    enum { COUNT = 5 };
    struct tl_kernel *kernel = real_kernel();
    struct tl_message messages[COUNT];
    struct iovec iov[COUNT];
    char data[COUNT][4];
    tl_addr from, to, sources[COUNT];
    int sender = datagram_socket(kernel, &from), receiver = datagram_socket(kernel, &to);

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        memset(data[i], 'a' + i, 4);
        iov[i] = (struct iovec){data[i], (size_t)i};
        messages[i] = (struct tl_message){.iov = &iov[i], .iov_count = 1, .addr = &to};
    }
    assert_int_equal(kernel->ops->write(kernel, sender, messages, COUNT), COUNT);
    seam_await(kernel, receiver, TL_READABLE);
    memset(data, '?', sizeof data);
    for (int i = 0; i < COUNT; i++) {
        iov[i].iov_len = 3;
        messages[i].addr = &sources[i];
    }
    assert_int_equal(kernel->ops->read(kernel, receiver, messages, COUNT), COUNT);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(messages[i].len, i < 3 ? i : 3);
        assert_int_equal(messages[i].truncated, i > 3);
        assert_true(tl_addr_equal(&sources[i], &from));
        if (i > 0)
            assert_int_equal(data[i][0], 'a' + i);
    }
    assert_int_equal(kernel->ops->read(kernel, receiver, messages, COUNT), -EAGAIN);
    kernel->ops->destroy(kernel);
}

/* --- Several kernels --- */

/* One side of a conversation, on a thread and a kernel of its own. */
struct side {
    tl_addr where;
    int listener; /* -1: connects */
    struct tl_kernel *kernel;
    bool ok;
};

static void *side_main(void *arg)
{
    struct side *side = arg;
    struct tl_kernel *kernel = side->kernel;
    struct tl_event event;
    struct iovec iov = {(char[4]){"ping"}, 4};
    struct tl_message message = {.iov = &iov, .iov_count = 1};
    tl_addr peer;
    int fd, token;

    /* CMocka's assertions are for the main thread only. */
    if (side->listener >= 0) {
        kernel->ops->watch(kernel, side->listener, TL_READABLE, &token);
        kernel->ops->poll(kernel, SEAM_PATIENCE, &event, 1);
        kernel->ops->watch(kernel, side->listener, 0, NULL);
        fd = kernel->ops->accept(kernel, side->listener, &peer);
    } else {
        fd = kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM);
        kernel->ops->connect(kernel, fd, &side->where);
    }
    kernel->ops->watch(kernel, fd, TL_WRITABLE, &token);
    kernel->ops->poll(kernel, SEAM_PATIENCE, &event, 1);
    side->ok = kernel->ops->write(kernel, fd, &message, 1) == 4;
    kernel->ops->watch(kernel, fd, TL_READABLE, &token);
    kernel->ops->poll(kernel, SEAM_PATIENCE, &event, 1);
    side->ok = side->ok && kernel->ops->read(kernel, fd, &message, 1) == 4;
    kernel->ops->destroy(kernel);
    return NULL;
}

static void two_kernels_talk_on_two_threads(void **state)
{
    struct side server = {.kernel = real_kernel()}, client = {.kernel = real_kernel()};
    unsigned before = open_descriptors();
    pthread_t thread;

    (void)state;
    server.listener = seam_listen(server.kernel, 1, &server.where);
    client.listener = -1;
    client.where = server.where;
    assert_int_equal(pthread_create(&thread, NULL, side_main, &server), 0);
    side_main(&client);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(server.ok && client.ok);
    assert_int_equal(open_descriptors(), before - 2); /* their epoll instances */
}

/* --- Forked children --- */

static void do_nothing(struct tl_work *work)
{
    (void)work;
}

/* A child shares the epoll instance: destroying its copy of the kernel, or just ending, must not
 * take anything away from the parent. It has none of the worker threads either, and must not wait
 * for them. */
static void a_forked_child_leaves_the_parents_kernel_alone(void **state)
{
    struct tl_kernel *kernel = real_kernel();
    struct tl_work work = {.run = do_nothing};
    int fds[2], token, status;

    (void)state;
    seam_connection(kernel, fds);
    assert_int_equal(kernel->ops->work(kernel, &work), 0);
    assert_ptr_equal(seam_event(kernel).token, &work);
    assert_int_equal(kernel->ops->watch(kernel, fds[0], TL_READABLE, &token), 0);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(20);
        kernel->ops->destroy(kernel);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    seam_write_all(kernel, fds[1], "x", 1);
    assert_ptr_equal(seam_event(kernel).token, &token);
    kernel->ops->destroy(kernel);
}

/* --- Allocations that fail --- */

struct refusals {
    int countdown; /* allocations that still succeed; negative: all */
    int refused;
};

static void *refusing_realloc(void *ctx, void *ptr, size_t size)
{
    struct refusals *refusals = ctx;

    if (size == 0) {
        free(ptr);
        return NULL;
    }
    if (refusals->countdown == 0) {
        refusals->refused++;
        return NULL;
    }
    if (refusals->countdown > 0)
        refusals->countdown--;
    return realloc(ptr, size);
}

/* One use of everything that allocates; the first error, or 0. */
static int use_everything(void)
{
    const char *const argv[] = {"true", NULL};
    struct tl_spawn spawn = {
        .program = "true",
        .argv = argv,
        .fds = {TL_FD_NULL, TL_FD_NULL, TL_FD_NULL},
    };
    struct tl_kernel *kernel;
    struct tl_event event;
    int fds[20][2], r;

    r = tl_real_kernel_new(&kernel);
    if (r < 0)
        return r;
    for (int i = 0; i < 20 && r == 0; i++)
        r = kernel->ops->pipe(kernel, TL_PIPE_ONE_WAY, fds[i]);
    if (r == 0) {
        int64_t pid = kernel->ops->spawn(kernel, &spawn);
        r = pid < 0 ? (int)pid : 0;
    }
    if (r == 0)
        r = kernel->ops->poll(kernel, SEAM_PATIENCE, &event, 1) == 1 ? 0 : -EIO;
    kernel->ops->destroy(kernel);
    return r;
}

static void every_failed_allocation_is_clean(void **state)
{
    struct refusals refusals = {0};
    tl_allocator allocator = {.realloc = refusing_realloc, .ctx = &refusals};
    unsigned before = open_descriptors();
    int r = -ENOMEM, failures = 0;

    (void)state;
    tl_set_allocator(&allocator);
    for (int n = 0; r != 0; n++) {
        refusals = (struct refusals){.countdown = n};
        r = use_everything();
        if (r != 0) {
            failures++;
            assert_int_equal(r, -ENOMEM);
            assert_int_equal(refusals.refused, 1);
        }
        assert_int_equal(open_descriptors(), before);
    }
    tl_set_allocator(NULL);
    /* The kernel, its table twice, the child. */
    assert_int_equal(failures, 4);
}

static void a_failed_allocation_loses_no_connection(void **state)
{
    struct refusals refusals = {.countdown = -1};
    tl_allocator allocator = {.realloc = refusing_realloc, .ctx = &refusals};
    struct tl_kernel *kernel;
    tl_addr where, peer;
    int accepted;

    (void)state;
    tl_set_allocator(&allocator);
    kernel = real_kernel();
    int listener = seam_listen(kernel, 4, &where);
    seam_start_connect(kernel, &where);
    seam_await(kernel, listener, TL_READABLE);
    /* Other descriptors, until the table has to grow for the next. */
    refusals.countdown = 0;
    while (kernel->ops->socket(kernel, TL_FAMILY_INET, TL_STREAM) >= 0)
        ;
    assert_int_equal(kernel->ops->accept(kernel, listener, &peer), -ENOMEM);
    refusals.countdown = -1;
    accepted = kernel->ops->accept(kernel, listener, &peer);
    assert_true(accepted >= 0);
    kernel->ops->destroy(kernel);
    tl_set_allocator(NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(coarse_timeouts_are_rounded_up),
        cmocka_unit_test(poll_wants_room),
        cmocka_unit_test(a_duplicate_elsewhere_reports_nothing),
        cmocka_unit_test(posts_do_not_starve_descriptors),
        cmocka_unit_test(nothing_stays_open),
        cmocka_unit_test(descriptors_are_private_and_nonblocking),
        cmocka_unit_test(a_blocking_socket_does_not_block),
        cmocka_unit_test(many_descriptors_make_the_table_grow),
        cmocka_unit_test(no_more_descriptors_is_emfile),
        cmocka_unit_test(unix_sockets_have_names),
        cmocka_unit_test(unix_paths_keep_their_length),
        cmocka_unit_test(one_datagram_has_its_source),
        cmocka_unit_test(many_datagrams_go_at_once),
        cmocka_unit_test(two_kernels_talk_on_two_threads),
        cmocka_unit_test(a_forked_child_leaves_the_parents_kernel_alone),
        cmocka_unit_test(every_failed_allocation_is_clean),
        cmocka_unit_test(a_failed_allocation_loses_no_connection),
    };

    return !!cmocka_run_group_tests_name("real", tests, NULL, NULL);
}
