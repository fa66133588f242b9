/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One process of the pool.
 *
 * The child keeps nothing of the parent's but what it is given: its standard input is /dev/null, it
 * writes no core file, Ctrl-C is the parent's to handle, and it dies with the parent.
 */
#include "explore/slot.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "core/alloc.h"

/* How long a process may take to end after SIGTERM, in milliseconds. */
#define POLITE_MS 1000

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* --- In the child ----------------------------------------------------------------------------- */

static void settle_signals(const struct tl_slot_world *world, pid_t parent)
{
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it died before the line above */
        _exit(1);
    sigprocmask(SIG_UNBLOCK, world->signals, NULL);
}

static void settle_output(const struct tl_slot_world *world, int output_fd)
{
    dup2(world->null_fd, STDIN_FILENO);
    if (output_fd >= 0) {
        struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        dup2(output_fd, STDOUT_FILENO);
        dup2(output_fd, STDERR_FILENO);
    }
    /* Line by line, so that a crash leaves what was printed before it. */
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
}

static void run_child(const struct tl_slot_world *world, uint64_t item, int data_fd, int output_fd,
                      pid_t parent)
{
    settle_signals(world, parent);
    settle_output(world, output_fd);
    int code = world->ops->work(world->arg, item, data_fd);
    if (world->options->ordinary_exit)
        exit(code);
    (void)fflush(NULL);
    _exit(code);
}

/* --- In the parent ---------------------------------------------------------------------------- */

/* A pipe whose reading end does not block. */
static int make_pipe(int ret[2])
{
    if (pipe2(ret, O_CLOEXEC) < 0)
        return -errno;
    if (fcntl(ret[0], F_SETFL, O_NONBLOCK) == 0)
        return 0;
    int r = -errno;
    close_fd(&ret[0]);
    close_fd(&ret[1]);
    return r;
}

int tl_slot_start(struct tl_slot *slot, const struct tl_slot_world *world, uint64_t item)
{
    int data[2] = {-1, -1}, output[2] = {-1, -1};
    pid_t parent = getpid();
    int r = make_pipe(data);
    if (r == 0 && world->options->capture)
        r = make_pipe(output);
    if (r < 0)
        goto done;

    (void)fflush(NULL); /* or the child would print it again */
    slot->pid = fork();
    if (slot->pid == 0)
        run_child(world, item, data[1], output[1], parent);
    if (slot->pid < 0) {
        r = -errno;
        slot->pid = 0;
        goto done;
    }
    slot->item = item;
    slot->data_fd = data[0];
    slot->output_fd = output[0];
    slot->timed_out = false;
    data[0] = output[0] = -1;
done:
    close_fd(&data[0]);
    close_fd(&data[1]);
    close_fd(&output[0]);
    close_fd(&output[1]);
    return r;
}

/* Reads until nothing is there; closes at the end of the file. output says which of the two. */
static int drain(struct tl_slot *slot, int *fd, bool output)
{
    uint8_t bytes[16384];
    while (*fd >= 0) {
        ssize_t n = read(*fd, bytes, sizeof bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return 0;
        if (n <= 0) {
            close_fd(fd);
            return 0;
        }
        int r = output ? tl_tail_append(&slot->output, bytes, (size_t)n)
                       : tl_bytes_append(&slot->data, bytes, (size_t)n);
        if (r < 0)
            return r;
        if ((size_t)n < sizeof bytes)
            return 0; /* the others have their turn first */
    }
    return 0;
}

int tl_slot_listen(struct tl_slot *slot)
{
    int r = drain(slot, &slot->data_fd, false);
    return r < 0 ? r : drain(slot, &slot->output_fd, true);
}

/* What is left in the pipes of a process that has ended; another process may hold them open. */
static int drain_rest(struct tl_slot *slot)
{
    int r = 0;
    for (int which = 0; which < 2; which++) {
        int *fd = which == 0 ? &slot->data_fd : &slot->output_fd;
        struct pollfd ready = {.fd = *fd, .events = POLLIN};
        while (r == 0 && *fd >= 0 && poll(&ready, 1, 0) == 1)
            r = drain(slot, fd, which == 1);
        close_fd(fd);
    }
    return r;
}

int tl_slot_reap(struct tl_slot *slot)
{
    pid_t pid = waitpid(slot->pid, &slot->status, WNOHANG);
    if (pid == 0)
        return 0;
    if (pid < 0 && errno == EINTR)
        return 0;
    int r = pid < 0 ? -errno : 1;
    slot->pid = 0;
    int drained = drain_rest(slot);
    return drained < 0 ? drained : r;
}

void tl_slot_kill(struct tl_slot *slot)
{
    if (slot->pid <= 0)
        return;
    kill(slot->pid, SIGTERM);
    for (int ms = 0; ms < POLITE_MS; ms++) {
        /* Reading is what lets a process that is in the middle of a write see its signal. */
        (void)tl_slot_listen(slot);
        int r = tl_slot_reap(slot);
        if (r != 0)
            return;
        poll(NULL, 0, 1);
    }
    kill(slot->pid, SIGKILL);
    while (waitpid(slot->pid, &slot->status, 0) < 0 && errno == EINTR)
        ;
    slot->pid = 0;
    (void)drain_rest(slot);
}

void tl_slot_clear(struct tl_slot *slot)
{
    close_fd(&slot->data_fd);
    close_fd(&slot->output_fd);
    tl_bytes_finish(&slot->data);
    tl_tail_finish(&slot->output);
}
