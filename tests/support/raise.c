/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends signals into whatever world a kernel is in; see raise.h. The one timer of the operating
 * system that this keeps lives from raise_later to raise_done.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "sim/kernel.h"
#include "support/raise.h"
#include "trace/record.h"

#define LATER (5 * TL_MILLISECOND)

static timer_t timer;
static bool timer_exists;

static struct tl_kernel *inside(struct tl_kernel *kernel)
{
    while (strcmp(kernel->ops->name, "record") == 0)
        kernel = tl_recorder_of(kernel)->inner;
    return kernel;
}

/* A test's own process cannot be ended; where nobody handles the signal it is as if ignored, which
 * is what the tests do about real ones. */
static void send_simulated(tl_process *process, int signum)
{
    int r = tl_signal_send(process, signum);
    assert_int_equal(r, process->signals[signum] != NULL || signum == SIGCHLD ? 0 : -EINVAL);
}

void raise_at(struct tl_kernel *kernel, int signum)
{
    kernel = inside(kernel);
    if (tl_sim_kernel_is(kernel))
        send_simulated(((struct tl_sim_kernel *)kernel)->process, signum);
    else if (strcmp(kernel->ops->name, "real") == 0)
        assert_int_equal(raise(signum), 0);
}

/* What the callback of the world is to send. */
static struct tl_kernel *later_kernel;
static int later_signum;

static void send_now(tl_world *world, void *arg)
{
    (void)world;
    (void)arg;
    raise_at(later_kernel, later_signum);
}

static void raise_by_timer(int signum)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = signum};
    struct itimerspec when = {.it_value.tv_nsec = LATER};

    assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    timer_exists = true;
    assert_int_equal(timer_settime(timer, 0, &when, NULL), 0);
}

void raise_later(struct tl_kernel *kernel, int signum)
{
    kernel = inside(kernel);
    later_kernel = kernel;
    later_signum = signum;
    if (tl_sim_kernel_is(kernel)) {
        tl_world *world = ((struct tl_sim_kernel *)kernel)->process->world;
        assert_int_equal(tl_world_at(world, tl_world_time(world) + LATER, send_now, NULL), 0);
    } else if (strcmp(kernel->ops->name, "real") == 0) {
        raise_by_timer(signum);
    }
}

void raise_done(void)
{
    if (timer_exists)
        timer_delete(timer);
    timer_exists = false;
}
