/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait_for, shield and sleep on every kernel, a case for each rule of asyncio's documentation. What
 * they do when the loop is closed, or memory is out, is in contract_gather.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <twinloop.h>

#include "support/contract.h"
#include "support/stage.h"

/* --- wait_for --------------------------------------------------------------------------------- */

static void wait_for(struct stage *stage, tl_time timeout)
{
    stage->outer = tl_wait_for(stage->loop, stage_child(stage, 0), timeout);
    stage_watch(stage);
}

static void wait_for_what_comes_in_time(struct contract *contract)
{
    struct stage stage;
    stage_open(&stage, contract);
    wait_for(&stage, TL_SECOND);
    stage_succeed(&stage, 0);
    tl_value value;
    assert_int_equal(stage_run(&stage, &value), 0);
    assert_int_equal(value.integer, 1);
    stage_close(&stage, "d");
}

static void wait_for_an_error(struct contract *contract)
{
    struct stage stage;
    stage_open(&stage, contract);
    wait_for(&stage, TL_SECOND);
    stage_fail_with(&stage, 0, -EIO);
    assert_int_equal(stage_run(&stage, NULL), -EIO);
    assert_string_equal(tl_future_exception(stage.outer)->message, "a child's own words");
    stage_close(&stage, "d");
}

static void wait_for_too_long(struct contract *contract)
{
    struct stage stage;
    stage_open(&stage, contract);
    tl_time start = tl_loop_time(stage.loop);
    wait_for(&stage, TL_SECOND);
    assert_int_equal(stage_run(&stage, NULL), -ETIMEDOUT);
    assert_int_equal(tl_future_exception(stage.outer)->cause->code, -ECANCELED);
    assert_true(tl_loop_time(stage.loop) - start >= TL_SECOND);
    assert_true(tl_future_cancelled(stage.child[0]));
    stage_close(&stage, "d");
}

static void wait_for_without_a_limit(struct contract *contract)
{
    struct stage stage;
    stage_open(&stage, contract);
    stage.outer = tl_wait_for(stage.loop, tl_sleep(stage.loop, 3 * TL_SECOND), TL_TIME_NEVER);
    assert_int_equal(stage_run(&stage, NULL), 0);
    stage_close(&stage, "");
}

static void wait_for_no_time_at_all(struct contract *contract)
{
    struct stage stage;
    stage_open(&stage, contract);
    wait_for(&stage, 0);
    assert_true(tl_future_cancelled(stage.child[0]));
    assert_int_equal(stage_run(&stage, NULL), -ETIMEDOUT);
    tl_future_unref(stage.outer);

    stage_succeed(&stage, 1);
    stage.outer = tl_wait_for(stage.loop, stage_child(&stage, 1), -TL_SECOND);
    assert_int_equal(stage_run(&stage, NULL), 0); /* what is done is in time */
    stage_close(&stage, "d");
}

/* A future that takes its time to be cancelled: a gathering ends an iteration after its futures. */
static tl_future *reluctant(struct stage *stage)
{
    tl_future *futures[2] = {stage_child(stage, 0), stage_child(stage, 1)};
    return tl_gather(stage->loop, futures, 2, TL_GATHER_RETURN_EXCEPTIONS);
}

static void wait_for_the_end_of_a_cancellation(struct contract *contract)
{
    struct stage stage;
    stage_open(&stage, contract);
    tl_future *inner = reluctant(&stage);
    stage.outer = tl_wait_for(stage.loop, tl_future_ref(inner), 0);
    stage_watch(&stage);
    assert_false(tl_future_done(inner));
    assert_false(tl_future_done(stage.outer));
    assert_int_equal(stage_run(&stage, NULL), -ETIMEDOUT);
    assert_true(tl_future_cancelled(inner));
    tl_future_unref(inner);
    stage_close(&stage, "d");
}

static void wait_for_what_ends_otherwise_after_all(struct contract *contract)
{
    struct stage stage;
    stage_open(&stage, contract);
    tl_future *futures[2] = {stage_child(&stage, 0), stage_child(&stage, 1)};
    tl_future *inner = tl_gather(stage.loop, futures, 2, 0);
    stage_fail_with(&stage, 0, -EIO); /* it has failed, and does not know it yet */
    stage.outer = tl_wait_for(stage.loop, inner, 0);
    assert_int_equal(stage_run(&stage, NULL), -EIO);
    stage_close(&stage, "");
}

static void wait_for_cancelled_cancels(struct contract *contract)
{
    struct stage stage;
    stage_open(&stage, contract);
    wait_for(&stage, TL_SECOND);
    assert_true(tl_future_cancel(stage.outer));
    assert_true(tl_future_cancelled(stage.child[0]));
    assert_false(tl_future_done(stage.outer));
    assert_int_equal(stage_run(&stage, NULL), -ECANCELED);
    assert_true(tl_future_cancelled(stage.outer));
    stage_close(&stage, "d");
}

static void wait_for_cancelled_when_it_was_in_time(struct contract *contract)
{
    struct stage stage;
    stage_open(&stage, contract);
    wait_for(&stage, TL_SECOND);
    stage_succeed(&stage, 0);
    assert_true(tl_future_cancel(stage.outer));
    assert_true(tl_future_cancelled(stage.outer));
    assert_int_equal(stage_run(&stage, NULL), -ECANCELED);
    stage_close(&stage, "d");
}

static void wait_for_what_somebody_else_cancels(struct contract *contract)
{
    struct stage stage;
    stage_open(&stage, contract);
    wait_for(&stage, TL_SECOND);
    assert_true(tl_future_cancel(stage.child[0]));
    assert_int_equal(stage_run(&stage, NULL), -ECANCELED);
    stage_close(&stage, "d");
}

static void wait_for_dropped_still_cancels(struct contract *contract)
{
    struct stage stage;
    stage_open(&stage, contract);
    tl_future_detach(tl_wait_for(stage.loop, stage_child(&stage, 0), TL_SECOND));
    stage.outer = tl_sleep(stage.loop, 2 * TL_SECOND);
    assert_int_equal(stage_run(&stage, NULL), 0);
    assert_true(tl_future_cancelled(stage.child[0]));
    assert_int_equal(stage.diary.code, -ETIMEDOUT);
    stage_close(&stage, "!"); /* nobody fetched the timeout */
}

/* --- shield ----------------------------------------------------------------------------------- */

static void shield(struct stage *stage)
{
    stage->outer = tl_shield(stage->loop, stage_child(stage, 0));
    stage_watch(stage);
}

static void shield_passes_the_outcome_on(struct contract *contract)
{
    struct stage stage;
    stage_open(&stage, contract);
    shield(&stage);
    stage_succeed(&stage, 0);
    tl_value value;
    assert_int_equal(stage_run(&stage, &value), 0);
    assert_int_equal(value.integer, 1);
    tl_future_unref(stage.outer);

    stage.outer = tl_shield(stage.loop, stage_child(&stage, 1));
    stage_fail_with(&stage, 1, -EIO);
    assert_int_equal(stage_run(&stage, NULL), -EIO);
    stage_close(&stage, "d");
}

static void shield_of_what_is_done_is_that(struct contract *contract)
{
    struct stage stage;
    stage_open(&stage, contract);
    stage_succeed(&stage, 0);
    stage.outer = tl_shield(stage.loop, stage_child(&stage, 0));
    assert_ptr_equal(stage.outer, stage.child[0]);
    stage_close(&stage, "");
}

static void shield_protects_from_cancelling(struct contract *contract)
{
    struct stage stage;
    stage_open(&stage, contract);
    shield(&stage);
    assert_true(tl_future_cancel(stage.outer));
    assert_true(tl_future_cancelled(stage.outer));
    assert_false(tl_future_done(stage.child[0]));
    stage_succeed(&stage, 0);
    stage_turn(&stage);
    tl_value value;
    assert_int_equal(tl_future_result(stage.child[0], &value), 0);
    assert_int_equal(value.integer, 1); /* not taken by the shield */
    stage_close(&stage, "d");
}

static void shield_is_cancelled_with_its_future(struct contract *contract)
{
    struct stage stage;
    stage_open(&stage, contract);
    shield(&stage);
    assert_true(tl_future_cancel(stage.child[0]));
    assert_int_equal(stage_run(&stage, NULL), -ECANCELED);
    assert_true(tl_future_cancelled(stage.outer));
    stage_close(&stage, "d");
}

static void shield_leaves_a_late_error_to_the_handler(struct contract *contract)
{
    struct stage stage;
    stage_open(&stage, contract);
    shield(&stage);
    assert_true(tl_future_cancel(stage.outer));
    stage_fail_with(&stage, 0, -EIO);
    stage_turn(&stage);
    assert_string_equal(stage.diary.word, "d");
    stage_close(&stage, "d!");
    assert_int_equal(stage.diary.code, -EIO);
}

/* --- sleep ------------------------------------------------------------------------------------ */

static void sleep_passes_time(struct contract *contract)
{
    struct stage stage;
    stage_open(&stage, contract);
    tl_time start = tl_loop_time(stage.loop);
    stage.outer = tl_sleep(stage.loop, 2 * TL_SECOND);
    tl_value value;
    assert_int_equal(stage_run(&stage, &value), 0);
    assert_int_equal(value.kind, TL_VALUE_NONE);
    assert_true(tl_loop_time(stage.loop) - start >= 2 * TL_SECOND);
    stage_close(&stage, "");
}

static void count_free(void *pointer)
{
    ++*(int *)pointer;
}

static void sleep_with_a_result(struct contract *contract)
{
    struct stage stage;
    int frees = 0;
    stage_open(&stage, contract);
    stage.outer = tl_sleep_result(stage.loop, TL_SECOND, tl_value_pointer(&frees, count_free));
    tl_value value;
    assert_int_equal(stage_run(&stage, &value), 0);
    assert_ptr_equal(value.pointer, &frees);
    tl_value_finish(&value);
    assert_int_equal(frees, 1);

    /* Cancelled, refused and abandoned it frees its result. */
    tl_future *sleep = tl_sleep_result(stage.loop, TL_SECOND, tl_value_pointer(&frees, count_free));
    assert_true(tl_future_cancel(sleep));
    assert_int_equal(frees, 2);
    tl_future_unref(sleep);
    tl_future_unref(tl_sleep_result(stage.loop, TL_SECOND, tl_value_pointer(&frees, count_free)));
    assert_int_equal(frees, 2);
    stage_close(&stage, "");
    assert_int_equal(frees, 3);
    assert_null(tl_sleep_result(NULL, 1, tl_value_pointer(&frees, count_free)));
    assert_int_equal(frees, 4);
}

static void sleep_zero_lets_an_iteration_pass(struct contract *contract)
{
    struct stage stage;
    stage_open(&stage, contract);
    stage.outer = tl_sleep(stage.loop, 0);
    stage_watch(&stage);
    assert_false(tl_future_done(stage.outer));
    assert_int_equal(tl_loop_call_soon(stage.loop, diary_note_x, &stage.diary, NULL), 0);
    stage_turn(&stage);
    assert_true(tl_future_done(stage.outer));
    stage_turn(&stage);
    stage_close(&stage, "xd");
}

static void sleep_can_be_cancelled(struct contract *contract)
{
    struct stage stage;
    stage_open(&stage, contract);
    stage.outer = tl_sleep(stage.loop, TL_TIME_NEVER);
    stage_watch(&stage);
    stage_turn(&stage);
    assert_true(tl_future_cancel(stage.outer));
    assert_false(tl_future_cancel(stage.outer));
    assert_int_equal(stage_run(&stage, NULL), -ECANCELED);
    stage_close(&stage, "d");
}

static const struct contract_case cases[] = {
    CONTRACT(wait_for_what_comes_in_time),
    CONTRACT(wait_for_an_error),
    CONTRACT(wait_for_too_long),
    CONTRACT(wait_for_without_a_limit),
    CONTRACT(wait_for_no_time_at_all),
    CONTRACT(wait_for_the_end_of_a_cancellation),
    CONTRACT(wait_for_what_ends_otherwise_after_all),
    CONTRACT(wait_for_cancelled_cancels),
    CONTRACT(wait_for_cancelled_when_it_was_in_time),
    CONTRACT(wait_for_what_somebody_else_cancels),
    CONTRACT(wait_for_dropped_still_cancels),
    CONTRACT(shield_passes_the_outcome_on),
    CONTRACT(shield_of_what_is_done_is_that),
    CONTRACT(shield_protects_from_cancelling),
    CONTRACT(shield_is_cancelled_with_its_future),
    CONTRACT(shield_leaves_a_late_error_to_the_handler),
    CONTRACT(sleep_passes_time),
    CONTRACT(sleep_with_a_result),
    CONTRACT(sleep_zero_lets_an_iteration_pass),
    CONTRACT(sleep_can_be_cancelled),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "wait_for", cases, sizeof cases / sizeof cases[0]);
}
