/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tasks on every kernel: making them, factories, waiting. How they end is in contract_task_end.c,
 * and by being cancelled in contract_task_cancel.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/play.h"

/* --- Making ----------------------------------------------------------------------------------- */

static void first_steps_are_deferred_and_in_order(struct contract *contract)
{
    struct play play;
    struct actor a, b;
    play_open(&play, contract);
    play_start(&play, &a, "a");
    tl_loop_call_soon(play.loop, diary_note_x, &play.diary, NULL);
    play_start(&play, &b, "b");
    assert_string_equal(play.diary.word, "");
    play_turn(&play);
    assert_true(tl_future_done(tl_task_future(a.task)));
    assert_int_equal(play_result(&a, NULL), 0);
    play_drop(&a);
    play_drop(&b);
    play_close(&play, "a/xb/");
}

static void names(struct contract *contract)
{
    struct play play;
    struct actor a, b, c;
    play_open(&play, contract);
    play_start(&play, &a, "");
    assert_int_equal(play_try(&play, &b, "", "worker"), 0);
    play_start(&play, &c, "");
    assert_string_equal(tl_task_get_name(a.task), "Task-1");
    assert_string_equal(tl_task_get_name(b.task), "worker");
    assert_string_equal(tl_task_get_name(c.task), "Task-2");
    char name[] = "other";
    assert_int_equal(tl_task_set_name(a.task, name), 0);
    memset(name, 'x', sizeof name - 1);
    assert_string_equal(tl_task_get_name(a.task), "other");
    assert_int_equal(tl_task_set_name(a.task, NULL), -EINVAL);
    assert_int_equal(tl_task_set_name(NULL, "x"), -EINVAL);
    assert_string_equal(tl_task_get_name(a.task), "other");
    play_turn(&play);
    play_drop(&a);
    play_drop(&b);
    play_drop(&c);
    play_close(&play, "///");
}

static void nobody_needs_to_hold_a_task(struct contract *contract)
{
    struct play play;
    struct actor a;
    play_open(&play, contract);
    const tl_coro coro = play_coro(&play, &a, "a0b");
    assert_int_equal(tl_loop_create_task(play.loop, &coro, NULL, NULL), 0);
    play_turn(&play);
    assert_int_equal(tl_future_set_result(play.future[0], tl_value_none()), 0);
    play_turn(&play);
    play_close(&play, "a.b/");
}

static void creating_refuses(struct contract *contract)
{
    struct play play;
    struct actor a;
    play_open(&play, contract);
    tl_task *task = NULL;
    tl_coro coro = play_coro(&play, &a, "a");
    assert_int_equal(tl_loop_create_task(play.loop, NULL, NULL, &task), -EINVAL);
    assert_int_equal(tl_loop_create_task(NULL, &coro, NULL, &task), -EINVAL);
    assert_string_equal(play.diary.word, "/");
    assert_int_equal(tl_task_new(NULL, &coro, &task), -EINVAL);
    assert_int_equal(tl_task_new(play.loop, NULL, &task), -EINVAL);
    coro.run = NULL;
    assert_int_equal(tl_loop_create_task(play.loop, &coro, NULL, &task), -EINVAL);
    assert_int_equal(tl_loop_close(play.loop), 0);
    coro = play_coro(&play, &a, "a");
    assert_int_equal(tl_loop_create_task(play.loop, &coro, "name", &task), TL_ECLOSED);
    assert_int_equal(tl_task_new(play.loop, &coro, &task), TL_ECLOSED);
    coro.dispose = NULL;
    assert_int_equal(tl_loop_create_task(play.loop, &coro, NULL, &task), TL_ECLOSED);
    assert_null(task);
    play_close(&play, "/////");
}

/* --- Factories -------------------------------------------------------------------------------- */

static int count_tasks(tl_loop *loop, const tl_coro *coro, void *arg, tl_task **ret)
{
    ++*(int *)arg;
    return tl_task_new(loop, coro, ret);
}

static int refuse_task(tl_loop *loop, const tl_coro *coro, void *arg, tl_task **ret)
{
    (void)loop, (void)arg, (void)ret;
    tl_coro_dispose(coro);
    return -EPERM;
}

static void a_factory_makes_later_tasks(struct contract *contract)
{
    struct play play;
    struct actor a, b, c;
    int made = 0;
    void *arg = &play;
    play_open(&play, contract);
    assert_null(tl_loop_get_task_factory(play.loop, &arg));
    assert_null(arg);
    play_start(&play, &a, "a");
    assert_int_equal(tl_loop_set_task_factory(play.loop, count_tasks, &made), 0);
    assert_ptr_equal(tl_loop_get_task_factory(play.loop, &arg), count_tasks);
    assert_ptr_equal(arg, &made);
    assert_int_equal(play_try(&play, &b, "b", "named afterwards"), 0);
    assert_string_equal(tl_task_get_name(b.task), "named afterwards");
    const tl_coro coro = play_coro(&play, &c, "c");
    assert_int_equal(tl_loop_create_task(play.loop, &coro, NULL, NULL), 0);
    assert_int_equal(made, 2);
    assert_int_equal(tl_loop_set_task_factory(play.loop, NULL, &made), 0);
    assert_null(tl_loop_get_task_factory(play.loop, NULL));
    assert_int_equal(tl_loop_set_task_factory(NULL, count_tasks, &made), -EINVAL);
    play_turn(&play);
    play_drop(&a);
    play_drop(&b);
    play_close(&play, "a/b/c/");
}

static void a_factory_may_refuse(struct contract *contract)
{
    struct play play;
    struct actor a;
    play_open(&play, contract);
    assert_int_equal(tl_loop_set_task_factory(play.loop, refuse_task, NULL), 0);
    a.task = NULL;
    assert_int_equal(play_try(&play, &a, "a", "never"), -EPERM);
    assert_null(a.task);
    play_close(&play, "/");
}

static void stack_sizes(struct contract *contract)
{
    struct play play;
    struct actor a;
    play_open(&play, contract);
    assert_int_equal(tl_loop_set_task_stack_size(NULL, 65536), -EINVAL);
    assert_int_equal(tl_loop_set_task_stack_size(play.loop, 100), -EINVAL);
    assert_int_equal(tl_loop_set_task_stack_size(play.loop, (size_t)1 << 31), -EINVAL);
    play_start(&play, &a, "0");
    assert_int_equal(tl_loop_set_task_stack_size(play.loop, 512 << 10), 0);
    play_turn(&play);
    assert_int_equal(tl_loop_set_task_stack_size(play.loop, 512 << 10), TL_ESTATE);
    tl_future_set_result(play.future[0], tl_value_none());
    play_turn(&play);
    play_drop(&a);
    play_close(&play, "./");
}

/* --- Waiting ---------------------------------------------------------------------------------- */

static void a_wait_costs_one_turn(struct contract *contract)
{
    struct play play;
    struct actor a;
    play_open(&play, contract);
    play_start(&play, &a, "a0bP");
    play_turn(&play);
    play_turn(&play);
    assert_string_equal(play.diary.word, "a");
    assert_int_equal(tl_future_set_result(play.future[0], tl_value_int(5)), 0);
    tl_loop_call_soon(play.loop, diary_note_x, &play.diary, NULL);
    assert_string_equal(play.diary.word, "a");
    play_turn(&play);
    assert_int_equal(a.value, 5);
    assert_int_equal(play_result(&a, NULL), 0);
    play_drop(&a);
    play_close(&play, "a.b/x");
}

static void a_future_that_is_done_is_answered_at_once(struct contract *contract)
{
    struct play play;
    struct actor a;
    play_open(&play, contract);
    assert_int_equal(tl_future_set_result(play.future[0], tl_value_int(5)), 0);
    assert_true(tl_future_cancel(play.future[1]));
    play_start(&play, &a, "0a1bP");
    play_turn(&play);
    assert_int_equal(a.value, 5);
    assert_int_equal(play_result(&a, NULL), -ECANCELED);
    assert_true(tl_future_cancelled(tl_task_future(a.task)));
    play_drop(&a);
    play_close(&play, ".a.b/");
}

static void several_tasks_wait_for_one_future(struct contract *contract)
{
    struct play play;
    struct actor a, b;
    play_open(&play, contract);
    play_start(&play, &a, "0a");
    play_start(&play, &b, "0b");
    play_turn(&play);
    assert_int_equal(tl_future_set_result(play.future[0], tl_value_int(5)), 0);
    play_turn(&play);
    play_drop(&a);
    play_drop(&b);
    play_close(&play, ".a/.b/");
}

static void tasks_wait_for_tasks(struct contract *contract)
{
    struct play play;
    struct actor a, b;
    tl_value value;
    play_open(&play, contract);
    a.inner = &b;
    play_start(&play, &a, "*ar");
    play_start(&play, &b, "0br");
    play_turn(&play);
    assert_int_equal(tl_future_set_result(play.future[0], tl_value_none()), 0);
    play_turn(&play);
    assert_string_equal(play.diary.word, ".b/");
    tl_future *outer = tl_task_future(tl_task_ref(a.task));
    assert_int_equal(tl_loop_run_until_complete(play.loop, outer, &value), 0);
    assert_int_equal(value.integer, 7);
    assert_int_equal(a.value, 7);
    play_drop(&a);
    play_drop(&b);
    play_close(&play, ".b/.a/");
}

static void try_to_wait(void *arg)
{
    struct diary *diary = arg;
    tl_future *future = tl_loop_create_future(diary->loop);
    assert_null(tl_task_current());
    assert_null(tl_await_error());
    assert_int_equal(tl_await(tl_future_ref(future), NULL), TL_ENOTASK);
    tl_future_unref(future); /* the last reference, or it is a leak */
    diary_note(diary, 'c');
}

static void waiting_outside_a_task_is_refused(struct contract *contract)
{
    struct diary diary;
    diary_open(&diary, contract);
    try_to_wait(&diary);
    assert_int_equal(tl_await(NULL, NULL), -EINVAL);
    tl_loop_call_soon(diary.loop, try_to_wait, &diary, NULL);
    diary_turn(&diary);
    diary_close(&diary, "cc");
}

struct refusal {
    struct contract *contract;
    tl_task *task;
};

static int wait_for_what_cannot_be(void *arg, tl_value *ret)
{
    struct refusal *refusal = arg;
    tl_loop *other = contract_loop(refusal->contract);
    (void)ret;
    assert_ptr_equal(tl_task_current(), refusal->task);
    assert_int_equal(tl_await(NULL, NULL), -EINVAL);
    assert_int_equal(tl_await(tl_loop_create_future(other), NULL), -EINVAL);
    assert_int_equal(tl_await_task(tl_task_ref(refusal->task), NULL), -EDEADLK);
    assert_int_equal(tl_loop_run_forever(other), -EBUSY);
    tl_loop_free(other);
    return 0;
}

static void waiting_refuses(struct contract *contract)
{
    struct refusal refusal = {.contract = contract};
    struct diary diary;
    diary_open(&diary, contract);
    const tl_coro coro = {.run = wait_for_what_cannot_be, .arg = &refusal};
    assert_int_equal(tl_loop_create_task(diary.loop, &coro, NULL, &refusal.task), 0);
    tl_future *future = tl_task_future(refusal.task);
    assert_int_equal(tl_loop_run_until_complete(diary.loop, future, NULL), 0);
    diary_close(&diary, "");
}

static const struct contract_case cases[] = {
    CONTRACT(first_steps_are_deferred_and_in_order),
    CONTRACT(names),
    CONTRACT(nobody_needs_to_hold_a_task),
    CONTRACT(creating_refuses),
    CONTRACT(a_factory_makes_later_tasks),
    CONTRACT(a_factory_may_refuse),
    CONTRACT(a_wait_costs_one_turn),
    CONTRACT(a_future_that_is_done_is_answered_at_once),
    CONTRACT(several_tasks_wait_for_one_future),
    CONTRACT(tasks_wait_for_tasks),
    CONTRACT(waiting_outside_a_task_is_refused),
    CONTRACT(waiting_refuses),
    CONTRACT(stack_sizes),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "task", cases, sizeof cases / sizeof cases[0]);
}
