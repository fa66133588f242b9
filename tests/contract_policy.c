/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies and the functions that obtain a loop, by the default policy's rules, in every world: a
 * policy of the test's own makes each world's loops and delegates everything else. The policies
 * that the library brings are at the end.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <twinloop.h>
#include <twinloop/real.h>
#include <twinloop/sim.h>
#include <unistd.h>
#include <cmocka.h>
#include "support/contract.h"

struct world_policy {
    tl_policy base;
    struct contract *contract;
    int made;
    int set;
};

static struct world_policy *policy_of(tl_policy *policy)
{
    return tl_container_of(policy, struct world_policy, base);
}

static int make_loop(tl_policy *policy, tl_loop **ret)
{
    policy_of(policy)->made++;
    *ret = contract_loop(policy_of(policy)->contract);
    return 0;
}

static int count_and_set(tl_policy *policy, tl_loop *loop)
{
    policy_of(policy)->set++;
    return tl_default_set_event_loop(policy, loop);
}

static const struct tl_policy_ops ops = {
    .get_event_loop = tl_default_get_event_loop,
    .set_event_loop = count_and_set,
    .new_event_loop = make_loop,
    .get_child_watcher = tl_default_get_child_watcher,
    .set_child_watcher = tl_default_set_child_watcher,
};

static void begin(struct world_policy *policy, struct contract *contract)
{
    *policy = (struct world_policy){.base.ops = &ops, .contract = contract};
    assert_int_equal(tl_set_event_loop_policy(&policy->base), 0);
}

static void end(void)
{
    assert_int_equal(tl_set_event_loop_policy(NULL), 0);
}

static tl_loop *current(void)
{
    tl_loop *loop = NULL;
    int r = tl_get_event_loop(&loop);
    assert_true(r == 0 || (r == TL_ENOLOOP && loop == NULL));
    return loop;
}

/* --- Current loops ---------------------------------------------------------------------------- */

/* asyncio: made and set by the policy's own operations. */
static void the_first_question_makes_a_loop(struct contract *contract)
{
    struct world_policy policy;
    begin(&policy, contract);
    tl_loop *loop = current();
    assert_non_null(loop);
    assert_ptr_equal(current(), loop);
    assert_int_equal(policy.made, 1);
    assert_int_equal(policy.set, 1);
    assert_int_equal(tl_loop_close(loop), 0);
    assert_ptr_equal(current(), loop); /* as it is */
    tl_loop_free(loop);
    assert_null(current()); /* set was called */
    end();
}

static void null_is_remembered(struct contract *contract)
{
    struct world_policy policy;
    begin(&policy, contract);
    assert_int_equal(tl_set_event_loop(NULL), 0);
    assert_null(current());
    assert_int_equal(policy.made, 0);
    end();
}

static void new_loops_are_independent_and_not_current(struct contract *contract)
{
    struct world_policy policy;
    tl_loop *one;
    tl_loop *two;
    begin(&policy, contract);
    assert_int_equal(tl_new_event_loop(&one), 0);
    assert_int_equal(tl_new_event_loop(&two), 0);
    assert_ptr_not_equal(one, two);
    assert_false(tl_loop_is_running(one));
    assert_false(tl_loop_is_closed(one));
    assert_int_equal(policy.set, 0);
    assert_int_equal(tl_set_event_loop(two), 0);
    assert_ptr_equal(current(), two);
    tl_loop_free(one);
    assert_ptr_equal(current(), two);
    tl_loop_free(two);
    end();
}

/* --- The running loop ------------------------------------------------------------------------- */

struct look {
    tl_loop *loop;
    tl_loop *other;
    bool looked;
};

static void look_around(void *arg)
{
    struct look *look = arg;
    tl_loop *loop = NULL;
    look->looked = true;
    assert_ptr_equal(tl_get_running_loop(), look->loop);
    assert_int_equal(tl_get_event_loop(&loop), 0);
    assert_ptr_equal(loop, look->loop); /* whatever is current, and whatever the policy says */
    assert_int_equal(tl_set_event_loop(look->other), 0);
    assert_int_equal(tl_get_event_loop(&loop), 0);
    assert_ptr_equal(loop, look->loop);
    assert_int_equal(tl_set_event_loop_policy(NULL), 0);
    assert_ptr_equal(tl_get_running_loop(), look->loop);
    tl_loop_stop(look->loop);
}

static void the_running_loop_is_the_current_one(struct contract *contract)
{
    struct world_policy policy;
    begin(&policy, contract);
    struct look look = {.loop = contract_loop(contract), .other = contract_loop(contract)};
    assert_null(tl_get_running_loop());
    assert_int_equal(tl_loop_call_soon(look.loop, look_around, &look, NULL), 0);
    assert_int_equal(tl_loop_run_forever(look.loop), 0);
    assert_true(look.looked);
    assert_null(tl_get_running_loop());
    tl_loop_free(look.loop);
    tl_loop_free(look.other);
    end();
}

static void fork_and_look(void *arg)
{
    struct look *look = arg;
    int status = -1;
    look->looked = true;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(tl_get_running_loop() == NULL ? 0 : 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_ptr_equal(tl_get_running_loop(), look->loop);
    tl_loop_stop(look->loop);
}

/* Not in the simulator, whose processes do not fork. */
static void a_forked_child_runs_no_loop(struct contract *contract)
{
    struct look look = {.loop = contract_loop(contract)};
    assert_int_equal(tl_loop_call_soon(look.loop, fork_and_look, &look, NULL), 0);
    assert_int_equal(tl_loop_run_forever(look.loop), 0);
    assert_true(look.looked);
    tl_loop_free(look.loop);
}

static void *ask_elsewhere(void *arg)
{
    tl_loop *loop = arg;
    assert_null(tl_get_running_loop());
    assert_null(current());
    assert_int_equal(tl_set_event_loop(loop), 0);
    assert_ptr_equal(current(), loop);
    return NULL;
}

static void each_thread_has_a_loop_of_its_own(struct contract *contract)
{
    struct world_policy policy;
    pthread_t thread;
    begin(&policy, contract);
    tl_loop *mine = current();
    tl_loop *its = contract_loop(contract);
    assert_int_equal(pthread_create(&thread, NULL, ask_elsewhere, its), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_ptr_equal(current(), mine);
    assert_int_equal(policy.made, 1);
    tl_loop_free(mine);
    tl_loop_free(its);
    end();
}

/* --- Policies --------------------------------------------------------------------------------- */

static void a_policy_is_replaced_and_forgotten(struct contract *contract)
{
    struct world_policy policy;
    struct world_policy second;
    begin(&policy, contract);
    assert_ptr_equal(tl_get_event_loop_policy(), &policy.base);
    tl_loop *loop = current();
    begin(&second, contract);
    tl_loop *other = current();
    assert_ptr_not_equal(loop, other);
    end();
    tl_policy *plain = tl_get_event_loop_policy();
    assert_non_null(plain);
    assert_ptr_equal(tl_get_event_loop_policy(), plain);
    tl_policy without = {0};
    assert_int_equal(tl_set_event_loop_policy(&without), -EINVAL);
    assert_ptr_equal(tl_get_event_loop_policy(), plain);
    tl_loop_free(loop);
    tl_loop_free(other);
}

static void missing_operations_are_enosys(struct contract *contract)
{
    static const struct tl_policy_ops nothing = {0};
    static const struct tl_child_watcher_ops idle = {0};
    tl_policy policy = {.ops = &nothing};
    tl_child_watcher watcher = {.ops = &idle};
    tl_child_watcher *found;
    tl_loop *loop = contract_loop(contract);
    assert_int_equal(tl_set_event_loop_policy(&policy), 0);
    assert_int_equal(tl_get_event_loop(&loop), -ENOSYS);
    assert_int_equal(tl_set_event_loop(loop), -ENOSYS);
    assert_int_equal(tl_new_event_loop(&loop), -ENOSYS);
    assert_int_equal(tl_get_child_watcher(&found), -ENOSYS);
    assert_int_equal(tl_set_child_watcher(&watcher), -ENOSYS);
    end();
    assert_int_equal(tl_child_watcher_add_child_handler(&watcher, 1, NULL, NULL), -EINVAL);
    assert_int_equal(tl_child_watcher_remove_child_handler(&watcher, 1), -ENOSYS);
    assert_int_equal(tl_child_watcher_attach_loop(&watcher, NULL), -ENOSYS);
    assert_int_equal(tl_child_watcher_enter(&watcher), 0);
    assert_false(tl_child_watcher_is_active(&watcher));
    tl_child_watcher_exit(&watcher);
    tl_child_watcher_close(&watcher);
    tl_loop_free(loop);
}

/* --- Child watchers --------------------------------------------------------------------------- */

struct counting_watcher {
    tl_child_watcher base;
    tl_loop *attached;
    int attachments;
    int closed;
};

static int count_attachment(tl_child_watcher *watcher, tl_loop *loop)
{
    struct counting_watcher *self = tl_container_of(watcher, struct counting_watcher, base);
    self->attached = loop;
    self->attachments++;
    return 0;
}

static void count_close(tl_child_watcher *watcher)
{
    tl_container_of(watcher, struct counting_watcher, base)->closed++;
}

static void a_watcher_follows_the_main_threads_loop(struct contract *contract)
{
    static const struct tl_child_watcher_ops watcher_ops = {.attach_loop = count_attachment,
                                                            .close = count_close};
    struct counting_watcher watcher = {.base.ops = &watcher_ops};
    struct world_policy policy;
    tl_child_watcher *found;
    pthread_t thread;
    begin(&policy, contract);
    tl_loop *loop = contract_loop(contract);
    tl_child_watcher without = {0};
    assert_int_equal(tl_set_child_watcher(&without), -EINVAL);
    assert_int_equal(tl_set_child_watcher(&watcher.base), 0);
    assert_int_equal(tl_get_child_watcher(&found), 0);
    assert_ptr_equal(found, &watcher.base);
    assert_int_equal(watcher.attachments, 0);
    assert_int_equal(tl_set_event_loop(loop), 0);
    assert_ptr_equal(watcher.attached, loop);
    assert_int_equal(pthread_create(&thread, NULL, ask_elsewhere, loop), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(watcher.attachments, 1);
    assert_int_equal(tl_set_event_loop(NULL), 0);
    assert_null(watcher.attached);
    assert_int_equal(watcher.attachments, 2);
    assert_int_equal(tl_set_child_watcher(&watcher.base), 0);
    assert_int_equal(watcher.closed, 0);
    assert_int_equal(tl_set_child_watcher(NULL), 0);
    assert_int_equal(watcher.closed, 1);
    assert_int_equal(tl_get_child_watcher(&found), 0);
    assert_ptr_not_equal(found, &watcher.base);
    tl_loop_free(loop);
    end();
}

/* --- The library's own policies --------------------------------------------------------------- */

static void a_policy_for_linux(struct contract *contract)
{
    (void)contract;
    tl_child_watcher *watcher;
    assert_int_equal(tl_set_event_loop_policy(tl_real_policy()), 0);
    tl_loop *loop = current();
    assert_non_null(loop);
    assert_string_equal(tl_loop_kernel(loop)->ops->name, "real");
    assert_int_equal(tl_get_child_watcher(&watcher), 0);
    tl_loop_free(loop);
    end();
}

static void *make_elsewhere(void *arg)
{
    tl_loop *loop;
    *(int *)arg = tl_new_event_loop(&loop);
    return NULL;
}

static void a_policy_for_the_simulator(struct contract *contract)
{
    (void)contract;
    tl_policy *policy;
    tl_loop *other;
    pthread_t thread;
    int answer = 0;
    assert_int_equal(tl_sim_policy_new(NULL, &policy), 0);
    assert_int_equal(tl_set_event_loop_policy(policy), 0);
    tl_loop *loop = current();
    assert_non_null(loop);
    assert_int_equal(tl_new_event_loop(&other), 0);
    assert_string_equal(tl_loop_kernel(loop)->ops->name, "sim");
    assert_ptr_equal(tl_sim_kernel_world(tl_loop_kernel(loop)),
                     tl_sim_kernel_world(tl_loop_kernel(other)));
    assert_int_equal(pthread_create(&thread, NULL, make_elsewhere, &answer), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(answer, TL_ETHREAD);
    tl_loop_free(loop);
    tl_loop_free(other);
    end();
    tl_sim_policy_free(policy);
    tl_sim_policy_free(NULL);
    assert_int_equal(tl_sim_policy_new(NULL, NULL), -EINVAL);
}

static void memory_runs_out(struct contract *contract)
{
    tl_policy *policy;
    tl_loop *loop;
    ladder_arm(contract->ladder);
    assert_int_equal(tl_set_event_loop_policy(tl_real_policy()), 0);
    int r = tl_get_event_loop(&loop);
    assert_true(r == 0 || r == -ENOMEM);
    if (r == 0)
        tl_loop_free(loop);
    r = tl_sim_policy_new(NULL, &policy);
    assert_true(r == 0 || r == -ENOMEM);
    if (r == 0) {
        assert_int_equal(tl_set_event_loop_policy(policy), 0);
        r = tl_get_event_loop(&loop);
        assert_true(r == 0 || r == -ENOMEM);
        if (r == 0)
            tl_loop_free(loop);
        end();
        tl_sim_policy_free(policy);
    }
    ladder_disarm(contract->ladder);
    end();
}

int main(int argc, char **argv)
{
    static const struct contract_case cases[] = {
        CONTRACT(the_first_question_makes_a_loop),
        CONTRACT(null_is_remembered),
        CONTRACT(new_loops_are_independent_and_not_current),
        CONTRACT(the_running_loop_is_the_current_one),
        CONTRACT_ONLY(a_forked_child_runs_no_loop, CONTRACT_REAL | CONTRACT_REPLAY_REAL),
        CONTRACT(each_thread_has_a_loop_of_its_own),
        CONTRACT(a_policy_is_replaced_and_forgotten),
        CONTRACT(missing_operations_are_enosys),
        CONTRACT(a_watcher_follows_the_main_threads_loop),
        CONTRACT_ONLY(a_policy_for_linux, CONTRACT_REAL),
        CONTRACT_ONLY(a_policy_for_the_simulator, CONTRACT_SIM),
        CONTRACT_LADDER_ONLY(memory_runs_out, CONTRACT_REAL, 6),
    };

    return contract_main(argc, argv, "policy", cases, sizeof cases / sizeof *cases);
}
