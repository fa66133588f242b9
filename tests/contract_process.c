/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seam itself, part four: what the system brings beside sockets. Pipes, children, signals.
 *
 * In a replay no child is started and no signal is caught.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <twinloop/error.h>
#include <unistd.h>
#include <cmocka.h>
#include "support/contract.h"
#include "support/seam.h"

/* What the simulator does not have yet. */
#define NOT_SIMULATED (CONTRACT_REAL | CONTRACT_REPLAY_REAL)

/* --- Pipes --- */

static void a_pipe_goes_one_way(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    char data[8];
    int fds[2];

    assert_int_equal(kernel->ops->pipe(kernel, TL_PIPE_ONE_WAY, fds), 0);
    assert_int_equal(seam_read(kernel, fds[0], data, 8), -EAGAIN);
    seam_write_all(kernel, fds[1], "through", 7);
    assert_int_equal(seam_read_all(kernel, fds[0], data, 7), 7);
    assert_memory_equal(data, "through", 7);
    assert_int_equal(seam_read(kernel, fds[1], data, 8), -EBADF);
    assert_int_equal(seam_write(kernel, fds[0], "x", 1), -EBADF);
    seam_close(kernel, fds[1]);
    assert_int_equal(seam_await(kernel, fds[0], TL_READABLE) & TL_HANGUP, TL_HANGUP);
    assert_int_equal(seam_read(kernel, fds[0], data, 8), 0);
    kernel->ops->destroy(kernel);
}

static void a_pipe_without_a_reader_is_epipe(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int fds[2];

    assert_int_equal(kernel->ops->pipe(kernel, TL_PIPE_ONE_WAY, fds), 0);
    seam_close(kernel, fds[0]);
    assert_int_equal(seam_write(kernel, fds[1], "x", 1), -EPIPE);
    assert_int_equal(seam_await(kernel, fds[1], TL_WRITABLE) & TL_FAULT, TL_FAULT);
    kernel->ops->destroy(kernel);
}

static void a_full_pipe_is_eagain(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    static char block[4096];
    ssize_t n;
    int fds[2];

    assert_int_equal(kernel->ops->pipe(kernel, TL_PIPE_ONE_WAY, fds), 0);
    while ((n = seam_write(kernel, fds[1], block, sizeof block)) > 0)
        ;
    assert_int_equal(n, -EAGAIN);
    assert_int_equal(seam_read_all(kernel, fds[0], block, sizeof block), sizeof block);
    assert_int_equal(seam_await(kernel, fds[1], TL_WRITABLE), TL_WRITABLE);
    kernel->ops->destroy(kernel);
}

static void a_stream_pair_goes_both_ways(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    char data[4];
    int fds[2];

    assert_int_equal(kernel->ops->pipe(kernel, TL_PIPE_STREAM_PAIR, fds), 0);
    for (int i = 0; i < 2; i++) {
        seam_write_all(kernel, fds[i], "ping", 4);
        assert_int_equal(seam_read_all(kernel, fds[!i], data, 4), 4);
        assert_memory_equal(data, "ping", 4);
    }
    assert_int_equal(kernel->ops->shutdown(kernel, fds[0], TL_SHUTDOWN_WRITE), 0);
    assert_int_equal(seam_read_error(kernel, fds[1]), 0);
    seam_close(kernel, fds[1]);
    assert_int_equal(seam_write(kernel, fds[0], "x", 1), -EPIPE);
    kernel->ops->destroy(kernel);
}

/* --- Children --- */

static char child_token;

static int64_t start_shell(struct tl_kernel *kernel, const char *script)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    struct tl_spawn spawn = {
        .program = "sh",
        .argv = argv,
        .fds = {TL_FD_NULL, TL_FD_NULL, TL_FD_INHERIT},
        .token = &child_token,
    };
    int64_t pid = kernel->ops->spawn(kernel, &spawn);

    assert_true(pid > 0);
    return pid;
}

static int64_t await_child(struct tl_kernel *kernel)
{
    struct tl_event event = seam_event(kernel);

    assert_int_equal(event.kind, TL_EVENT_CHILD);
    assert_ptr_equal(event.token, &child_token);
    return event.value;
}

static void a_child_ends_with_its_exit_code(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);

    start_shell(kernel, "exit 0");
    assert_int_equal(await_child(kernel), 0);
    start_shell(kernel, "exit 7");
    assert_int_equal(await_child(kernel), 7);
    start_shell(kernel, "kill -KILL $$");
    assert_int_equal(await_child(kernel), -SIGKILL);
    seam_expect_nothing(kernel, TL_MILLISECOND);
    kernel->ops->destroy(kernel);
}

static void a_child_reads_and_writes_pipes(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    const char *const argv[] = {"cat", NULL};
    int in[2], out[2];
    char data[16];

    assert_int_equal(kernel->ops->pipe(kernel, TL_PIPE_STREAM_PAIR, in), 0);
    assert_int_equal(kernel->ops->pipe(kernel, TL_PIPE_ONE_WAY, out), 0);
    struct tl_spawn spawn = {
        .program = "cat",
        .argv = argv,
        .fds = {in[1], out[1], TL_FD_INHERIT},
        .token = &child_token,
    };
    assert_true(kernel->ops->spawn(kernel, &spawn) > 0);
    seam_close(kernel, in[1]);
    seam_close(kernel, out[1]);
    seam_write_all(kernel, in[0], "to and fro", 10);
    assert_int_equal(seam_read_all(kernel, out[0], data, 10), 10);
    assert_memory_equal(data, "to and fro", 10);
    seam_close(kernel, in[0]);
    assert_int_equal(await_child(kernel), 0);
    assert_int_equal(seam_read_error(kernel, out[0]), 0);
    kernel->ops->destroy(kernel);
}

static void a_child_has_the_given_surroundings(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    const char *const argv[] = {"any name", "-c", "printf '%s %s %s' \"$0\" \"$PWD\" \"$GREETING\"",
                                NULL};
    const char *const envp[] = {"GREETING=hello", NULL};
    static const char expected[] = "any name / hello";
    char data[64] = "";
    int out[2];

    assert_int_equal(kernel->ops->pipe(kernel, TL_PIPE_ONE_WAY, out), 0);
    struct tl_spawn spawn = {
        .program = "/bin/sh",
        .argv = argv,
        .envp = envp,
        .cwd = "/",
        .fds = {TL_FD_NULL, out[1], out[1]},
        .new_session = true,
        .token = &child_token,
    };
    assert_true(kernel->ops->spawn(kernel, &spawn) > 0);
    seam_close(kernel, out[1]);
    assert_int_equal(seam_read_all(kernel, out[0], data, sizeof data - 1), strlen(expected));
    assert_string_equal(data, expected);
    assert_int_equal(await_child(kernel), 0);
    kernel->ops->destroy(kernel);
}

static void a_spawn_that_fails_leaves_nothing(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    const char *const argv[] = {"sh", NULL};
    struct tl_spawn spawn = {
        .program = "/twinloop-no-such-program",
        .argv = argv,
        .fds = {TL_FD_NULL, TL_FD_NULL, TL_FD_NULL},
    };

    assert_int_equal(kernel->ops->spawn(kernel, &spawn), -ENOENT);
    spawn.program = "sh";
    spawn.cwd = "/twinloop/no/such/directory";
    assert_int_equal(kernel->ops->spawn(kernel, &spawn), -ENOENT);
    spawn.cwd = NULL;
    spawn.program = "/etc/passwd";
    assert_int_equal(kernel->ops->spawn(kernel, &spawn), -EACCES);
    spawn.program = "sh";
    spawn.fds[1] = 999999;
    assert_int_equal(kernel->ops->spawn(kernel, &spawn), -EBADF);
    seam_expect_nothing(kernel, TL_MILLISECOND);
    kernel->ops->destroy(kernel);
}

static void kill_reaches_only_living_children(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    int64_t pid = start_shell(kernel, "exec sleep 1000");

    assert_int_equal(kernel->ops->kill(kernel, pid, SIGTERM), 0);
    assert_int_equal(await_child(kernel), -SIGTERM);
    assert_int_equal(kernel->ops->kill(kernel, pid, SIGTERM), -ESRCH);
    /* Not a child of this kernel, though a process. */
    assert_int_equal(kernel->ops->kill(kernel, 1, 0), -ESRCH);
    kernel->ops->destroy(kernel);
}

/* --- Signals --- */

static void a_signal_is_an_event(struct contract *contract)
{
    /* A replay catches nothing, so the program must survive its own signals without. */
    void (*before)(int) = signal(SIGUSR1, SIG_IGN);
    struct tl_kernel *kernel = contract_kernel(contract);

    assert_int_equal(kernel->ops->signal(kernel, SIGUSR1, true), 0);
    for (int i = 0; i < 3; i++) {
        raise(SIGUSR1);
        struct tl_event event = seam_event(kernel);
        assert_int_equal(event.kind, TL_EVENT_SIGNAL);
        assert_int_equal(event.value, SIGUSR1);
    }
    assert_int_equal(kernel->ops->signal(kernel, SIGUSR1, false), 0);
    raise(SIGUSR1);
    seam_expect_nothing(kernel, TL_MILLISECOND);
    kernel->ops->destroy(kernel);
    assert_true(signal(SIGUSR1, before) == SIG_IGN);
}

static void some_numbers_cannot_be_caught(struct contract *contract)
{
    static const int impossible[] = {0, -1, SIGKILL, SIGSTOP, 65, 1000};
    struct tl_kernel *kernel = contract_kernel(contract);

    for (size_t i = 0; i < sizeof impossible / sizeof *impossible; i++)
        assert_int_equal(kernel->ops->signal(kernel, impossible[i], true), -EINVAL);
    /* One that can: taken twice, given up twice. */
    for (int i = 0; i < 4; i++)
        assert_int_equal(kernel->ops->signal(kernel, SIGUSR1, i < 2), 0);
    kernel->ops->destroy(kernel);
}

static void a_signal_belongs_to_one_kernel(struct contract *contract)
{
    struct tl_kernel *one = contract_kernel(contract);
    struct tl_kernel *two = contract_kernel(contract);

    assert_int_equal(one->ops->signal(one, SIGUSR2, false), 0);
    assert_int_equal(one->ops->signal(one, SIGUSR2, true), 0);
    assert_int_equal(two->ops->signal(two, SIGUSR2, true), -EBUSY);
    assert_int_equal(one->ops->signal(one, SIGUSR2, false), 0);
    assert_int_equal(two->ops->signal(two, SIGUSR2, true), 0);
    two->ops->destroy(two);
    assert_int_equal(one->ops->signal(one, SIGUSR2, true), 0);
    one->ops->destroy(one);
}

static void *signal_elsewhere(void *arg)
{
    static int answer;
    struct tl_kernel *kernel = arg;

    answer = kernel->ops->signal(kernel, SIGUSR1, true);
    return &answer;
}

static void signals_belong_to_the_main_thread(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    pthread_t thread;
    void *answer;

    assert_int_equal(pthread_create(&thread, NULL, signal_elsewhere, kernel), 0);
    assert_int_equal(pthread_join(thread, &answer), 0);
    assert_int_equal(*(int *)answer, TL_ETHREAD);
    kernel->ops->destroy(kernel);
}

int main(int argc, char **argv)
{
    static const struct contract_case cases[] = {
        CONTRACT_ONLY(a_pipe_goes_one_way, NOT_SIMULATED),
        CONTRACT_ONLY(a_pipe_without_a_reader_is_epipe, NOT_SIMULATED),
        CONTRACT_ONLY(a_full_pipe_is_eagain, NOT_SIMULATED),
        CONTRACT_ONLY(a_stream_pair_goes_both_ways, NOT_SIMULATED),
        CONTRACT_ONLY(a_child_ends_with_its_exit_code, NOT_SIMULATED),
        CONTRACT_ONLY(a_child_reads_and_writes_pipes, NOT_SIMULATED),
        CONTRACT_ONLY(a_child_has_the_given_surroundings, NOT_SIMULATED),
        CONTRACT_ONLY(a_spawn_that_fails_leaves_nothing, NOT_SIMULATED),
        CONTRACT_ONLY(kill_reaches_only_living_children, NOT_SIMULATED),
        CONTRACT_ONLY(a_signal_is_an_event, NOT_SIMULATED),
        CONTRACT(some_numbers_cannot_be_caught),
        CONTRACT_ONLY(a_signal_belongs_to_one_kernel, NOT_SIMULATED),
        CONTRACT_ONLY(signals_belong_to_the_main_thread, NOT_SIMULATED),
    };

    return contract_main(argc, argv, "process", cases, sizeof cases / sizeof *cases);
}
