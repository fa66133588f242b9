/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies and the functions that obtain a loop: the default one's rules, and one of the user's
 * own.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <twinloop.h>
#include <twinloop/real.h>

static int forget_loops(void **state)
{
    (void)state;
    return tl_set_event_loop_policy(NULL);
}

static void main_thread_gets_a_loop(void **state)
{
    (void)state;
    tl_loop *loop = NULL;
    tl_loop *again = NULL;
    assert_int_equal(tl_get_event_loop(&loop), 0);
    assert_int_equal(tl_get_event_loop(&again), 0);
    assert_ptr_equal(loop, again);
    assert_int_equal(tl_loop_close(loop), 0);
    /* A closed loop that is still set is given as it is. */
    assert_int_equal(tl_get_event_loop(&again), 0);
    assert_ptr_equal(loop, again);
    tl_loop_free(loop);
}

static void set_to_null_is_remembered(void **state)
{
    (void)state;
    tl_loop *loop = NULL;
    assert_int_equal(tl_set_event_loop(NULL), 0);
    assert_int_equal(tl_get_event_loop(&loop), TL_ENOLOOP);
    assert_null(loop);
    assert_int_equal(tl_new_event_loop(&loop), 0);
    assert_int_equal(tl_set_event_loop(loop), 0);
    tl_loop *current = NULL;
    assert_int_equal(tl_get_event_loop(&current), 0);
    assert_ptr_equal(current, loop);
    tl_loop_free(loop);
    assert_int_equal(tl_get_event_loop(&current), TL_ENOLOOP);
}

static void *ask_in_a_thread(void *arg)
{
    tl_loop *loop;
    *(int *)arg = tl_get_event_loop(&loop);
    return NULL;
}

static void other_threads_get_none(void **state)
{
    (void)state;
    int answer = 0;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, ask_in_a_thread, &answer), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(answer, TL_ENOLOOP);
}

static void a_new_policy_forgets_the_old_loops(void **state)
{
    (void)state;
    tl_loop *old;
    tl_loop *fresh;
    assert_int_equal(tl_get_event_loop(&old), 0);
    tl_policy *policy = tl_get_event_loop_policy();
    assert_ptr_equal(tl_get_event_loop_policy(), policy);
    assert_int_equal(tl_set_event_loop_policy(NULL), 0);
    assert_int_equal(tl_get_event_loop(&fresh), 0);
    assert_ptr_not_equal(old, fresh);
    tl_loop_free(old);
    tl_loop_free(fresh);
}

struct counting_policy {
    tl_policy base;
    unsigned made;
};

static int count_and_make(tl_policy *policy, tl_loop **ret)
{
    tl_container_of(policy, struct counting_policy, base)->made++;
    return tl_default_new_event_loop(policy, ret);
}

static void a_policy_of_ones_own(void **state)
{
    (void)state;
    static const struct tl_policy_ops ops = {
        .get_event_loop = tl_default_get_event_loop,
        .set_event_loop = tl_default_set_event_loop,
        .new_event_loop = count_and_make,
    };
    struct counting_policy policy = {.base.ops = &ops};
    assert_int_equal(tl_set_event_loop_policy(&policy.base), 0);
    tl_loop *loop;
    assert_int_equal(tl_get_event_loop(&loop), 0);
    assert_int_equal(policy.made, 1);
    tl_loop_free(loop);

    static const struct tl_policy_ops nothing = {0};
    struct counting_policy empty = {.base.ops = &nothing};
    assert_int_equal(tl_set_event_loop_policy(&empty.base), 0);
    assert_int_equal(tl_get_event_loop(&loop), -ENOSYS);
    assert_int_equal(tl_new_event_loop(&loop), -ENOSYS);
    assert_int_equal(tl_set_event_loop(NULL), -ENOSYS);
    tl_policy without_ops = {0};
    assert_int_equal(tl_set_event_loop_policy(&without_ops), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(main_thread_gets_a_loop, forget_loops, forget_loops),
        cmocka_unit_test_setup_teardown(set_to_null_is_remembered, forget_loops, forget_loops),
        cmocka_unit_test_setup_teardown(other_threads_get_none, forget_loops, forget_loops),
        cmocka_unit_test_setup_teardown(a_new_policy_forgets_the_old_loops, forget_loops,
                                        forget_loops),
        cmocka_unit_test_setup_teardown(a_policy_of_ones_own, forget_loops, forget_loops),
    };
    return !!cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
