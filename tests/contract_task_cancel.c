/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cancelling tasks on every kernel: before the first step, while waiting, while running, from
 * outside and from within; what cannot be cancelled; counts; circles; all at once.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/play.h"

static void before_the_first_step_the_body_never_runs(struct contract *contract)
{
    struct play play;
    struct actor a;
    play_open(&play, contract);
    play_start(&play, &a, "a");
    assert_true(tl_task_cancel(a.task));
    assert_false(tl_future_done(tl_task_future(a.task))); /* at its first step */
    play_turn(&play);
    assert_true(tl_future_cancelled(tl_task_future(a.task)));
    assert_int_equal(play_result(&a, NULL), -ECANCELED);
    assert_false(tl_task_cancel(a.task));
    play_drop(&a);
    play_close(&play, "/");
}

static void a_waiting_task_cancels_what_it_waits_for(struct contract *contract)
{
    struct play play;
    struct actor a;
    play_open(&play, contract);
    play_start(&play, &a, "0aP");
    play_turn(&play);
    assert_true(tl_future_cancel(tl_task_future(a.task))); /* as tl_task_cancel */
    assert_true(tl_future_cancelled(play.future[0]));
    assert_string_equal(play.diary.word, "");
    play_turn(&play);
    assert_int_equal(a.code, -ECANCELED);
    assert_true(tl_future_cancelled(tl_task_future(a.task)));
    play_drop(&a);
    play_close(&play, ".a/");
}

static void a_task_may_go_on(struct contract *contract)
{
    struct play play;
    struct actor a;
    play_open(&play, contract);
    play_start(&play, &a, "0a1br");
    play_turn(&play);
    assert_true(tl_task_cancel(a.task));
    assert_int_equal(tl_task_cancelling(a.task), 1);
    play_turn(&play);
    assert_int_equal(tl_task_uncancel(a.task), 0);
    assert_int_equal(tl_task_uncancel(a.task), 0);
    tl_future_set_result(play.future[1], tl_value_none());
    play_turn(&play);
    assert_int_equal(play_result(&a, NULL), 0);
    play_drop(&a);
    play_close(&play, ".a.b/");
}

static void a_task_can_be_asked_again(struct contract *contract)
{
    struct play play;
    struct actor a;
    play_open(&play, contract);
    play_start(&play, &a, "0a1bP");
    play_turn(&play);
    assert_true(tl_task_cancel(a.task));
    play_turn(&play);
    assert_true(tl_task_cancel(a.task));
    assert_int_equal(tl_task_cancelling(a.task), 2);
    play_turn(&play);
    assert_true(tl_future_cancelled(play.future[1]));
    assert_int_equal(play_result(&a, NULL), -ECANCELED);
    play_drop(&a);
    play_close(&play, ".a.b/");
}

/* Twice before it runs: the second finds nothing to cancel, and is told at the next wait. */
static void two_requests_in_one_turn_are_two(struct contract *contract)
{
    struct play play;
    struct actor a;
    play_open(&play, contract);
    play_start(&play, &a, "0a1b");
    play_turn(&play);
    assert_true(tl_task_cancel(a.task));
    assert_true(tl_task_cancel(a.task));
    play_turn(&play);
    assert_int_equal(a.code, -ECANCELED);
    assert_string_equal(play.diary.word, ".a");
    tl_future_set_result(play.future[1], tl_value_none());
    play_turn(&play);
    assert_int_equal(a.code, 0);
    assert_int_equal(play_result(&a, NULL), 0);
    play_drop(&a);
    play_close(&play, ".a.b/");
}

static void cancelling_beats_a_result_on_its_way(struct contract *contract)
{
    struct play play;
    struct actor a;
    play_open(&play, contract);
    play_start(&play, &a, "0aP");
    play_turn(&play);
    tl_future_set_exception(play.future[0], -EIO, NULL);
    assert_true(tl_task_cancel(a.task));
    play_turn(&play);
    assert_int_equal(a.code, -ECANCELED);
    assert_true(tl_future_cancelled(tl_task_future(a.task)));
    play_drop(&a);
    play_close(&play, ".a/"); /* and the error counts as fetched */
}

static void from_within_the_next_wait_is_told(struct contract *contract)
{
    struct play play;
    struct actor a;
    play_open(&play, contract);
    tl_future_set_result(play.future[0], tl_value_none());
    play_start(&play, &a, "~0a1bP"); /* the first one does not wait */
    play_turn(&play);
    assert_int_equal(a.code, 0);
    assert_true(tl_future_cancelled(play.future[1]));
    play_turn(&play);
    assert_int_equal(a.code, -ECANCELED);
    play_drop(&a);
    play_close(&play, ".a.b/");
}

static void a_result_after_a_request_is_cancelled(struct contract *contract)
{
    struct play play;
    struct actor a, b;
    play_open(&play, contract);
    play_start(&play, &a, "~r");
    play_start(&play, &b, "~e");
    play_turn(&play);
    assert_int_equal(play_result(&a, NULL), -ECANCELED);
    assert_int_equal(play_result(&b, NULL), -EIO);
    play_drop(&a);
    play_drop(&b);
    play_close(&play, "//");
}

static void returning_ecanceled_is_being_cancelled(struct contract *contract)
{
    struct play play;
    struct actor a;
    play_open(&play, contract);
    play_start(&play, &a, "q");
    play_turn(&play);
    assert_true(tl_future_cancelled(tl_task_future(a.task)));
    play_drop(&a); /* and no error that somebody has to fetch */
    play_close(&play, "/");
}

static void a_request_goes_down_a_chain(struct contract *contract)
{
    struct play play;
    struct actor a, b, c;
    play_open(&play, contract);
    a.inner = &b;
    b.inner = &c;
    play_start(&play, &a, "*aP");
    play_start(&play, &b, "*bP");
    play_start(&play, &c, "0cP");
    play_turn(&play);
    assert_true(tl_task_cancel(a.task));
    assert_true(tl_future_cancelled(play.future[0]));
    assert_int_equal(tl_task_cancelling(a.task), 1);
    assert_int_equal(tl_task_cancelling(c.task), 1);
    for (int i = 0; i < 3; i++)
        play_turn(&play);
    assert_true(tl_future_cancelled(tl_task_future(a.task)));
    play_drop(&a);
    play_drop(&b);
    play_drop(&c);
    play_close(&play, ".c/.b/.a/");
}

static void a_swallowed_request_stays_swallowed(struct contract *contract)
{
    struct play play;
    struct actor a, b;
    play_open(&play, contract);
    a.inner = &b;
    play_start(&play, &a, "*aP");
    play_start(&play, &b, "0br");
    play_turn(&play);
    assert_true(tl_task_cancel(a.task));
    play_turn(&play);
    play_turn(&play);
    assert_int_equal(play_result(&a, NULL), 0);
    assert_int_equal(a.value, 7);
    play_drop(&a);
    play_drop(&b);
    play_close(&play, ".b/.a/");
}

static void a_shield_holds(struct contract *contract)
{
    struct play play;
    struct actor a;
    play_open(&play, contract);
    play.future[1] =
        (tl_future_unref(play.future[1]), tl_shield(play.loop, tl_future_ref(play.future[0])));
    play_start(&play, &a, "1P");
    play_turn(&play);
    assert_true(tl_task_cancel(a.task));
    play_turn(&play);
    assert_int_equal(play_result(&a, NULL), -ECANCELED);
    assert_false(tl_future_done(play.future[0]));
    play_drop(&a);
    play_close(&play, "./");
}

static void gathered_tasks_are_cancelled(struct contract *contract)
{
    struct play play;
    struct actor a, b;
    play_open(&play, contract);
    play_start(&play, &a, "0P");
    play_start(&play, &b, "1P");
    tl_future *both[2] = {tl_task_future(a.task), tl_task_future(b.task)};
    tl_future *all = tl_wait_for(play.loop, tl_gather(play.loop, both, 2, 0), TL_SECOND);
    assert_int_equal(tl_loop_run_until_complete(play.loop, all, NULL), -ETIMEDOUT);
    assert_true(tl_future_cancelled(play.future[0]));
    assert_true(tl_future_cancelled(play.future[1]));
    play_close(&play, "././");
}

static void circles_are_released(struct contract *contract)
{
    struct play play;
    struct actor a, b, c;
    play_open(&play, contract);
    a.inner = &b;
    b.inner = &a;
    c.inner = &a;
    play_start(&play, &a, "*aP");
    play_start(&play, &b, "*bP");
    play_start(&play, &c, "*cP"); /* waits for the circle, is not in it */
    play_turn(&play);
    assert_true(tl_task_cancel(c.task));
    play_turn(&play);
    assert_int_equal(play_result(&c, NULL), -ECANCELED);
    assert_string_equal(play.diary.word, ".c/");
    assert_true(tl_task_cancel(a.task));
    assert_true(tl_task_cancel(a.task)); /* it is released, and has not run yet */
    play_turn(&play);
    play_turn(&play);
    assert_int_equal(play_result(&a, NULL), -ECANCELED);
    assert_int_equal(play_result(&b, NULL), -ECANCELED);
    play_drop(&a);
    play_drop(&b);
    play_drop(&c);
    play_close(&play, ".c/.a/.b/");
}

static int cancel_others(void *arg, tl_value *ret)
{
    struct play *play = arg;
    *ret = tl_value_int((int64_t)tl_loop_cancel_tasks(play->loop));
    return tl_task_cancelling(tl_task_current()) == 0 ? 0 : -EIO;
}

static void all_but_the_running_one(struct contract *contract)
{
    struct play play;
    struct actor a, b, c;
    tl_task *task;
    tl_value count;
    play_open(&play, contract);
    a.inner = &b;
    play_start(&play, &a, "*aP");
    play_start(&play, &b, "0bP");
    const tl_coro coro = {.run = cancel_others, .arg = &play};
    assert_int_equal(tl_loop_create_task(play.loop, &coro, NULL, &task), 0);
    play_start(&play, &c, "c");
    tl_future *future = tl_task_future(task);
    assert_int_equal(tl_loop_run_until_complete(play.loop, future, &count), 0);
    assert_int_equal(count.integer, 3);
    assert_int_equal(tl_loop_cancel_tasks(play.loop), 1); /* a, whose turn is next */
    play_turn(&play);
    assert_int_equal(tl_loop_cancel_tasks(play.loop), 0);
    assert_int_equal(tl_loop_cancel_tasks(NULL), 0);
    play_drop(&a);
    play_drop(&b);
    play_drop(&c);
    play_close(&play, "/.b/.a/");
}

static const struct contract_case cases[] = {
    CONTRACT(before_the_first_step_the_body_never_runs),
    CONTRACT(a_waiting_task_cancels_what_it_waits_for),
    CONTRACT(a_task_may_go_on),
    CONTRACT(a_task_can_be_asked_again),
    CONTRACT(two_requests_in_one_turn_are_two),
    CONTRACT(cancelling_beats_a_result_on_its_way),
    CONTRACT(from_within_the_next_wait_is_told),
    CONTRACT(a_result_after_a_request_is_cancelled),
    CONTRACT(returning_ecanceled_is_being_cancelled),
    CONTRACT(a_request_goes_down_a_chain),
    CONTRACT(a_swallowed_request_stays_swallowed),
    CONTRACT(a_shield_holds),
    CONTRACT(gathered_tasks_are_cancelled),
    CONTRACT(circles_are_released),
    CONTRACT(all_but_the_running_one),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "task_cancel", cases, sizeof cases / sizeof cases[0]);
}
