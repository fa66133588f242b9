/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Children that the program started itself: the seam's adopt_child and release_child, and the
 * default child watcher above them, by pidfd and by SIGCHLD.
 *
 * In a replay the program forks as it did, and nobody but the test waits for what it forked. In the
 * simulator there are no children yet; asking for one is answered as Linux answers.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <twinloop.h>
#include <twinloop/real.h>
#include <unistd.h>
#include <cmocka.h>
#include "core/self.h"
#include "support/diary.h"
#include "support/seam.h"

#define REAL_WORLDS (CONTRACT_REAL | CONTRACT_REPLAY_REAL)

static int without_pidfd(struct tl_kernel **ret)
{
    return tl_real_kernel_new_with(&(struct tl_real_options){.no_pidfd = true}, ret);
}

/* Runs a body once with pidfds and once without. */
#define BOTH(name)                                                                                 \
    static void name(struct contract *contract)                                                    \
    {                                                                                              \
        int (*before)(struct tl_kernel **) = contract->base_kernel;                                \
        name##_body(contract);                                                                     \
        contract->base_kernel = without_pidfd;                                                     \
        name##_body(contract);                                                                     \
        contract->base_kernel = before;                                                            \
    }

/* A child that ends when the returned descriptor is closed. */
struct started {
    pid_t pid;
    int leash;
};

static struct started start(int status)
{
    struct started started;
    int fds[2];
    char byte;
    assert_int_equal(pipe(fds), 0);
    started.pid = fork();
    assert_true(started.pid >= 0);
    if (started.pid == 0) {
        close(fds[1]);
        while (read(fds[0], &byte, 1) < 0 && errno == EINTR)
            ;
        _exit(status);
    }
    close(fds[0]);
    started.leash = fds[1];
    return started;
}

/* Whether the child was still there to be waited for, as it is when no kernel has done so. */
static bool wait_for(const struct started *started)
{
    pid_t r;
    while ((r = waitpid(started->pid, NULL, 0)) < 0 && errno == EINTR)
        ;
    return r == started->pid;
}

/* In a replay nobody has. */
static void expect_reaped(struct contract *contract, const struct started *started)
{
    bool there = wait_for(started);
    assert_int_equal(there, contract->reader != NULL);
}

/* --- The seam --------------------------------------------------------------------------------- */

static void a_child_is_told_once_body(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    struct started child = start(7);
    int token;
    assert_int_equal(kernel->ops->adopt_child(kernel, child.pid, &token), 0);
    assert_int_equal(kernel->ops->adopt_child(kernel, child.pid, &token), -EEXIST);
    seam_expect_nothing(kernel, TL_MILLISECOND);
    close(child.leash);
    struct tl_event event = seam_event(kernel);
    assert_int_equal(event.kind, TL_EVENT_CHILD);
    assert_ptr_equal(event.token, &token);
    assert_int_equal(event.value, 7);
    expect_reaped(contract, &child);
    assert_int_equal(kernel->ops->release_child(kernel, child.pid), -ESRCH);
    seam_expect_nothing(kernel, TL_MILLISECOND);
    kernel->ops->destroy(kernel);
}

BOTH(a_child_is_told_once)

static void a_child_that_has_ended_can_be_adopted_body(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    struct started child = start(0);
    siginfo_t info;
    close(child.leash);
    assert_int_equal(waitid(P_PID, (id_t)child.pid, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(kernel->ops->adopt_child(kernel, child.pid, NULL), 0);
    assert_int_equal(seam_event(kernel).kind, TL_EVENT_CHILD);
    expect_reaped(contract, &child);
    kernel->ops->destroy(kernel);
}

BOTH(a_child_that_has_ended_can_be_adopted)

static void several_children_end_at_once_body(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    struct started child[5];
    bool told[5] = {false};
    for (int i = 0; i < 5; i++) {
        child[i] = start(i);
        assert_int_equal(kernel->ops->adopt_child(kernel, child[i].pid, &told[i]), 0);
    }
    assert_int_equal(kernel->ops->release_child(kernel, child[4].pid), 0);
    for (int i = 0; i < 5; i++)
        close(child[i].leash);
    for (int i = 0; i < 4; i++) {
        struct tl_event event = seam_event(kernel);
        assert_int_equal(event.kind, TL_EVENT_CHILD);
        assert_int_equal((bool *)event.token - told, event.value);
        assert_false(told[event.value]);
        told[event.value] = true;
    }
    for (int i = 0; i < 4; i++)
        expect_reaped(contract, &child[i]);
    assert_true(wait_for(&child[4])); /* somebody else's business */
    kernel->ops->destroy(kernel);
}

BOTH(several_children_end_at_once)

static void kill_reaches_an_adopted_child_body(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    struct started child = start(0);
    assert_int_equal(kernel->ops->kill(kernel, child.pid, 0), -ESRCH); /* not yet */
    assert_int_equal(kernel->ops->adopt_child(kernel, child.pid, NULL), 0);
    assert_int_equal(kernel->ops->kill(kernel, child.pid, SIGKILL), 0);
    struct tl_event event = seam_event(kernel);
    assert_int_equal(event.value, -SIGKILL);
    close(child.leash);
    expect_reaped(contract, &child);
    kernel->ops->destroy(kernel);
}

BOTH(kill_reaches_an_adopted_child)

static void a_spawned_child_is_told_body(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    const char *const argv[] = {"sh", "-c", "exit 5", NULL};
    int token;
    struct tl_spawn spawn = {
        .program = "sh",
        .argv = argv,
        .fds = {TL_FD_NULL, TL_FD_NULL, TL_FD_INHERIT},
        .token = &token,
    };
    for (int i = 0; i < 2; i++) {
        assert_true(kernel->ops->spawn(kernel, &spawn) > 0);
        struct tl_event event = seam_event(kernel);
        assert_int_equal(event.kind, TL_EVENT_CHILD);
        assert_ptr_equal(event.token, &token);
        assert_int_equal(event.value, 5);
    }
    spawn.program = "/twinloop-no-such-program";
    assert_int_equal(kernel->ops->spawn(kernel, &spawn), -ENOENT);
    kernel->ops->destroy(kernel);
}

BOTH(a_spawned_child_is_told)

static volatile sig_atomic_t heard;

static void hear(int signum)
{
    (void)signum;
    heard++;
}

/* The program's own handler of SIGCHLD hears what it heard before, is there again afterwards, and a
 * handler of the loop's beside it is no hindrance. */
static void sigchld_stays_the_programs(struct contract *contract)
{
    struct sigaction mine = {.sa_handler = hear};
    struct sigaction before, after;
    int (*base)(struct tl_kernel **) = contract->base_kernel;
    int seen = 0;
    sigaction(SIGCHLD, &mine, &before);
    contract->base_kernel = without_pidfd;
    struct tl_kernel *kernel = contract_kernel(contract);
    contract->base_kernel = base;
    heard = 0;
    struct started child = start(0);
    assert_int_equal(kernel->ops->adopt_child(kernel, child.pid, NULL), 0);
    assert_int_equal(kernel->ops->signal(kernel, SIGCHLD, true), 0);
    close(child.leash);
    while (seen != 3) {
        struct tl_event event = seam_event(kernel);
        seen |= event.kind == TL_EVENT_CHILD ? 1 : event.kind == TL_EVENT_SIGNAL ? 2 : 4;
    }
    expect_reaped(contract, &child);
    assert_int_equal(heard, 1);
    assert_int_equal(kernel->ops->signal(kernel, SIGCHLD, false), 0);
    child = start(0);
    assert_int_equal(kernel->ops->adopt_child(kernel, child.pid, NULL), 0);
    close(child.leash);
    assert_int_equal(seam_event(kernel).kind, TL_EVENT_CHILD);
    expect_reaped(contract, &child);
    assert_int_equal(heard, 2);
    kernel->ops->destroy(kernel);
    sigaction(SIGCHLD, &before, &after);
    assert_true(after.sa_handler == hear);
}

static void no_such_child_is_echild(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    static const int64_t none[] = {1, 0, -1, 4194305, INT64_MAX};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        assert_int_equal(kernel->ops->adopt_child(kernel, none[i], NULL), -ECHILD);
        assert_int_equal(kernel->ops->release_child(kernel, none[i]), -ESRCH);
    }
    kernel->ops->destroy(kernel);
}

/* --- The watcher ------------------------------------------------------------------------------ */

/* A loop, and the last child that it was told of. */
struct nursery {
    struct diary diary;
    int64_t pid;
    int status;
};

static void note_and_stop(int64_t pid, int status, void *arg)
{
    struct nursery *nursery = arg;
    nursery->pid = pid;
    nursery->status = status;
    diary_note_stop(&nursery->diary);
}

static void never(int64_t pid, int status, void *arg)
{
    (void)pid;
    (void)status;
    (void)arg;
    fail_msg("this handler was replaced or removed");
}

static tl_child_watcher *fresh_watcher(void)
{
    tl_child_watcher *watcher;
    assert_int_equal(tl_set_event_loop_policy(NULL), 0);
    assert_int_equal(tl_get_child_watcher(&watcher), 0);
    return watcher;
}

static void the_watcher_calls_back_body(struct contract *contract)
{
    struct nursery nursery;
    diary_begin(&nursery.diary, contract);
    tl_child_watcher *watcher = fresh_watcher();
    assert_int_equal(tl_child_watcher_add_child_handler(watcher, 1, never, NULL), TL_ENOLOOP);
    assert_int_equal(tl_set_event_loop(nursery.diary.loop), 0); /* attaches it */
    assert_int_equal(tl_child_watcher_enter(watcher), 0);
    struct started child = start(9);
    struct started other = start(1);
    assert_int_equal(tl_child_watcher_add_child_handler(watcher, child.pid, never, NULL), 0);
    assert_int_equal(
        tl_child_watcher_add_child_handler(watcher, child.pid, note_and_stop, &nursery), 0);
    assert_int_equal(tl_child_watcher_add_child_handler(watcher, other.pid, never, NULL), 0);
    tl_child_watcher_exit(watcher);
    assert_int_equal(tl_child_watcher_remove_child_handler(watcher, other.pid), 1);
    assert_int_equal(tl_child_watcher_remove_child_handler(watcher, other.pid), 0);
    assert_false(tl_child_watcher_is_active(watcher));
    close(child.leash);
    close(other.leash);
    diary_run(&nursery.diary);
    assert_int_equal(nursery.status, 9);
    assert_int_equal(nursery.pid, child.pid);
    expect_reaped(contract, &child);
    assert_true(wait_for(&other));
    assert_int_equal(tl_child_watcher_remove_child_handler(watcher, child.pid), 0);
    diary_close(&nursery.diary, ".");
    assert_int_equal(tl_set_event_loop_policy(NULL), 0);
}

BOTH(the_watcher_calls_back)

static void children_move_with_the_watcher_body(struct contract *contract)
{
    tl_loop *first = contract_loop(contract);
    struct nursery nursery;
    diary_begin(&nursery.diary, contract);
    tl_child_watcher *watcher = fresh_watcher();
    struct started child = start(2);
    assert_int_equal(tl_child_watcher_attach_loop(watcher, first), 0);
    assert_int_equal(
        tl_child_watcher_add_child_handler(watcher, child.pid, note_and_stop, &nursery), 0);
    assert_int_equal(tl_set_event_loop(NULL), 0);
    assert_int_equal(tl_child_watcher_attach_loop(watcher, first), 0);
    tl_loop_free(first); /* under it */
    assert_int_equal(tl_child_watcher_attach_loop(watcher, NULL), 0);
    close(child.leash);
    assert_int_equal(tl_set_event_loop(nursery.diary.loop), 0);
    diary_run(&nursery.diary);
    assert_int_equal(nursery.status, 2);
    expect_reaped(contract, &child);
    diary_close(&nursery.diary, ".");
    assert_int_equal(tl_set_event_loop_policy(NULL), 0);
}

BOTH(children_move_with_the_watcher)

static void closing_the_watcher_drops_its_handlers(struct contract *contract)
{
    tl_loop *loop = contract_loop(contract);
    tl_child_watcher *watcher = fresh_watcher();
    struct started child = start(0);
    assert_int_equal(tl_set_event_loop(loop), 0);
    assert_int_equal(tl_child_watcher_add_child_handler(watcher, child.pid, never, NULL), 0);
    assert_int_equal(tl_set_child_watcher(NULL), 0);
    close(child.leash);
    assert_true(wait_for(&child));
    tl_loop_stop(loop);
    assert_int_equal(tl_loop_run_forever(loop), 0);
    /* The next one is attached from its beginning. */
    assert_int_equal(tl_get_child_watcher(&watcher), 0);
    assert_int_equal(tl_child_watcher_add_child_handler(watcher, 1, never, NULL), -ECHILD);
    assert_int_equal(tl_child_watcher_remove_child_handler(watcher, 1), 0);
    tl_loop_free(loop);
    assert_int_equal(tl_set_event_loop_policy(NULL), 0);
}

static void look_active(void *arg)
{
    tl_child_watcher *watcher;
    assert_int_equal(tl_get_child_watcher(&watcher), 0);
    assert_true(tl_child_watcher_is_active(watcher));
    tl_loop_stop(arg);
}

static void an_unknown_child_is_refused(struct contract *contract)
{
    tl_loop *loop = contract_loop(contract);
    tl_child_watcher *watcher = fresh_watcher();
    assert_int_equal(tl_child_watcher_attach_loop(watcher, loop), 0);
    assert_int_equal(tl_child_watcher_add_child_handler(watcher, 1, never, NULL), -ECHILD);
    assert_int_equal(tl_child_watcher_add_child_handler(watcher, 1, NULL, NULL), -EINVAL);
    assert_int_equal(tl_loop_call_soon(loop, look_active, loop, NULL), 0);
    assert_int_equal(tl_loop_run_forever(loop), 0);
    assert_false(tl_child_watcher_is_active(watcher));
    tl_loop_close(loop);
    assert_int_equal(tl_child_watcher_attach_loop(watcher, loop), TL_ECLOSED);
    assert_int_equal(tl_child_watcher_add_child_handler(watcher, 1, never, NULL), TL_ENOLOOP);
    tl_loop_free(loop);
    assert_int_equal(tl_set_event_loop_policy(NULL), 0);
}

/* --- Memory ----------------------------------------------------------------------------------- */

static void memory_runs_out_body(struct contract *contract)
{
    struct nursery nursery;
    diary_begin(&nursery.diary, contract);
    tl_child_watcher *watcher = fresh_watcher();
    struct started child = start(4);
    assert_int_equal(tl_child_watcher_attach_loop(watcher, nursery.diary.loop), 0);
    ladder_arm(contract->ladder);
    int r = tl_child_watcher_add_child_handler(watcher, child.pid, note_and_stop, &nursery);
    ladder_disarm(contract->ladder);
    assert_true(r == 0 || r == -ENOMEM);
    close(child.leash);
    if (r == 0)
        diary_run(&nursery.diary);
    assert_int_equal(wait_for(&child), r != 0);
    diary_close(&nursery.diary, r == 0 ? "." : "");
    assert_int_equal(tl_set_event_loop_policy(NULL), 0);
}

BOTH(memory_runs_out)

int main(int argc, char **argv)
{
    static const struct contract_case cases[] = {
        CONTRACT_ONLY(a_child_is_told_once, REAL_WORLDS),
        CONTRACT_ONLY(a_child_that_has_ended_can_be_adopted, REAL_WORLDS),
        CONTRACT_ONLY(several_children_end_at_once, REAL_WORLDS),
        CONTRACT_ONLY(kill_reaches_an_adopted_child, REAL_WORLDS),
        CONTRACT_ONLY(a_spawned_child_is_told, REAL_WORLDS),
        CONTRACT_ONLY(sigchld_stays_the_programs, CONTRACT_REAL),
        CONTRACT(no_such_child_is_echild),
        CONTRACT_ONLY(the_watcher_calls_back, REAL_WORLDS),
        CONTRACT_ONLY(children_move_with_the_watcher, REAL_WORLDS),
        CONTRACT_ONLY(closing_the_watcher_drops_its_handlers, REAL_WORLDS),
        CONTRACT(an_unknown_child_is_refused),
        CONTRACT_LADDER_ONLY(memory_runs_out, CONTRACT_REAL, 2),
    };

    return contract_main(argc, argv, "child", cases, sizeof cases / sizeof *cases);
}
