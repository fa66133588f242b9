/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gather on every kernel, a case for each rule of asyncio's documentation; what all of gather,
 * wait_for, shield and sleep do when the loop is closed; and the allocation ladder over all four.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <twinloop.h>

#include "support/contract.h"
#include "support/stage.h"

/* --- gather ----------------------------------------------------------------------------------- */

static void gather(struct stage *stage, unsigned flags)
{
    tl_future *futures[3] = {stage_child(stage, 0), stage_child(stage, 1), stage_child(stage, 2)};
    stage->outer = tl_gather(stage->loop, futures, 3, flags);
    stage_watch(stage);
}

static void gather_results_in_order(struct contract *contract)
{
    struct stage stage;
    stage_open(&stage, contract);
    gather(&stage, 0);
    stage_succeed(&stage, 2);
    stage_succeed(&stage, 0);
    stage_turn(&stage);
    assert_false(tl_future_done(stage.outer));
    stage_succeed(&stage, 1);
    tl_value all;
    assert_int_equal(stage_run(&stage, &all), 0);
    assert_int_equal(tl_gathered_count(&all), 3);
    for (size_t i = 0; i < 3; i++) {
        tl_value value;
        assert_int_equal(tl_gathered_result(&all, i, &value), 0);
        assert_int_equal(value.integer, i + 1);
        assert_null(tl_gathered_exception(&all, i));
    }
    assert_int_equal(tl_gathered_result(&all, 3, NULL), -EINVAL);
    assert_null(tl_gathered_exception(&all, 3));
    tl_value_finish(&all);
    stage_close(&stage, "d");
}

static void gather_of_nothing_is_done_at_once(struct contract *contract)
{
    struct stage stage;
    stage_open(&stage, contract);
    stage.outer = tl_gather(stage.loop, NULL, 0, 0);
    assert_true(tl_future_done(stage.outer));
    tl_value all;
    assert_int_equal(stage_run(&stage, &all), 0);
    assert_int_equal(all.kind, TL_VALUE_OBJECT);
    assert_int_equal(tl_gathered_count(&all), 0);
    tl_value_finish(&all);
    stage_close(&stage, "");
}

static void gather_of_what_is_done(struct contract *contract)
{
    struct stage stage;
    stage_open(&stage, contract);
    for (int i = 0; i < 3; i++)
        stage_succeed(&stage, i);
    gather(&stage, 0);
    assert_int_equal(stage_run(&stage, NULL), 0);
    stage_close(&stage, "d");
}

static void gather_fails_with_the_first_error(struct contract *contract)
{
    struct stage stage;
    stage_open(&stage, contract);
    gather(&stage, 0);
    stage_fail_with(&stage, 1, -EIO);
    assert_int_equal(stage_run(&stage, NULL), -EIO);
    assert_string_equal(tl_future_exception(stage.outer)->message, "a child's own words");
    assert_false(tl_future_done(stage.child[0])); /* the others go on */
    stage_succeed(&stage, 0);
    stage_fail_with(&stage, 2, -ENXIO); /* and are no news any more */
    stage_turn(&stage);
    stage_close(&stage, "d");
}

static void gather_failed_and_unfetched_is_reported_once(struct contract *contract)
{
    struct stage stage;
    stage_open(&stage, contract);
    gather(&stage, 0);
    stage_fail_with(&stage, 1, -EIO);
    stage_fail_with(&stage, 2, -ENXIO);
    stage_succeed(&stage, 0);
    stage_turn(&stage);
    stage_turn(&stage);
    assert_string_equal(stage.diary.word, "d");
    tl_future_unref(stage.outer);
    stage.outer = NULL;
    assert_int_equal(stage.diary.code, -EIO);
    stage_close(&stage, "d!");
}

static void gather_a_cancelled_child_is_an_error(struct contract *contract)
{
    struct stage stage;
    stage_open(&stage, contract);
    gather(&stage, 0);
    assert_true(tl_future_cancel(stage.child[0]));
    assert_int_equal(stage_run(&stage, NULL), -ECANCELED);
    assert_false(tl_future_cancelled(stage.outer));
    assert_false(tl_future_done(stage.child[1]));
    stage_close(&stage, "d");
}

static void gather_exceptions_as_results(struct contract *contract)
{
    struct stage stage;
    stage_open(&stage, contract);
    gather(&stage, TL_GATHER_RETURN_EXCEPTIONS);
    stage_fail_with(&stage, 0, -EIO);
    assert_true(tl_future_cancel(stage.child[1]));
    stage_turn(&stage);
    assert_false(tl_future_done(stage.outer));
    stage_succeed(&stage, 2);
    tl_value all;
    assert_int_equal(stage_run(&stage, &all), 0);
    assert_int_equal(tl_gathered_result(&all, 0, NULL), -EIO);
    assert_string_equal(tl_gathered_exception(&all, 0)->message, "a child's own words");
    assert_int_equal(tl_gathered_result(&all, 1, NULL), -ECANCELED);
    assert_null(tl_gathered_exception(&all, 1));
    assert_int_equal(tl_gathered_result(&all, 2, NULL), 0);
    tl_value_finish(&all);
    stage_close(&stage, "d");
}

static void gather_cancelled_cancels_its_children(struct contract *contract)
{
    struct stage stage;
    stage_open(&stage, contract);
    gather(&stage, 0);
    stage_succeed(&stage, 0);
    assert_true(tl_future_cancel(stage.outer));
    assert_false(tl_future_done(stage.outer)); /* not before they are */
    assert_true(tl_future_cancelled(stage.child[1]));
    assert_true(tl_future_cancelled(stage.child[2]));
    assert_int_equal(stage_run(&stage, NULL), -ECANCELED);
    assert_true(tl_future_cancelled(stage.outer));
    assert_false(tl_future_cancel(stage.outer));
    stage_close(&stage, "d");
}

static void gather_cancelled_with_exceptions_as_results(struct contract *contract)
{
    struct stage stage;
    stage_open(&stage, contract);
    gather(&stage, TL_GATHER_RETURN_EXCEPTIONS);
    assert_true(tl_future_cancel(stage.outer));
    assert_int_equal(stage_run(&stage, NULL), -ECANCELED);
    stage_close(&stage, "d");
}

static void gather_with_nothing_pending_cannot_be_cancelled(struct contract *contract)
{
    struct stage stage;
    stage_open(&stage, contract);
    gather(&stage, 0);
    for (int i = 0; i < 3; i++)
        stage_succeed(&stage, i);
    assert_false(tl_future_cancel(stage.outer));
    assert_int_equal(stage_run(&stage, NULL), 0);
    stage_close(&stage, "d");
}

static void gather_one_several_times(struct contract *contract)
{
    struct stage stage;
    stage_open(&stage, contract);
    tl_future *futures[3] = {stage_child(&stage, 0), stage_child(&stage, 0),
                             stage_child(&stage, 1)};
    stage.outer = tl_gather(stage.loop, futures, 3, 0);
    stage_succeed(&stage, 0);
    stage_succeed(&stage, 1);
    tl_value all;
    tl_value value;
    assert_int_equal(stage_run(&stage, &all), 0);
    assert_int_equal(tl_gathered_result(&all, 1, &value), 0);
    assert_int_equal(value.integer, 1);
    assert_int_equal(tl_gathered_result(&all, 0, &value), 0);
    assert_int_equal(value.kind, TL_VALUE_NONE);
    tl_value_finish(&all);
    stage_close(&stage, "");
}

static void gather_of_gathers(struct contract *contract)
{
    struct stage stage;
    stage_open(&stage, contract);
    tl_future *inner[2] = {stage_child(&stage, 0), stage_child(&stage, 1)};
    tl_future *outer[2] = {tl_gather(stage.loop, inner, 2, 0), stage_child(&stage, 2)};
    stage.outer = tl_gather(stage.loop, outer, 2, 0);
    for (int i = 0; i < 3; i++)
        stage_succeed(&stage, i);
    tl_value all;
    tl_value part;
    tl_value value;
    assert_int_equal(stage_run(&stage, &all), 0);
    assert_int_equal(tl_gathered_result(&all, 0, &part), 0);
    assert_int_equal(tl_gathered_result(&part, 1, &value), 0);
    assert_int_equal(value.integer, 2);
    tl_value_finish(&part);
    tl_value_finish(&all);
    stage_close(&stage, "");
}

static void gather_dropped_goes_on(struct contract *contract)
{
    struct stage stage;
    stage_open(&stage, contract);
    gather(&stage, 0);
    tl_future_detach(stage.outer);
    stage.outer = NULL;
    for (int i = 0; i < 3; i++)
        stage_succeed(&stage, i);
    stage_turn(&stage);
    stage_turn(&stage);
    stage_close(&stage, "d");
}

static void gather_refuses(struct contract *contract)
{
    struct stage stage;
    stage_open(&stage, contract);
    stage.diary.skipping.skipped = TL_SECOND; /* a clock that has started */
    tl_loop *other = contract_loop(contract);
    tl_future *mixed[2] = {stage_child(&stage, 0), tl_loop_create_future(other)};
    tl_future *hole[2] = {stage_child(&stage, 0), NULL};
    tl_future *one[1] = {stage_child(&stage, 0)};
    tl_future *none[1] = {stage_child(&stage, 0)};
    tl_future *refused[] = {tl_gather(stage.loop, mixed, 2, 0), tl_gather(stage.loop, hole, 2, 0),
                            tl_gather(stage.loop, one, 1, 2),   tl_gather(stage.loop, NULL, 1, 0),
                            tl_wait_for(stage.loop, NULL, 1),   tl_shield(stage.loop, NULL),
                            tl_sleep(stage.loop, INT64_MAX - 1)};
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(tl_future_result(refused[i], NULL), -EINVAL);
    assert_int_equal(tl_future_result(refused[6], NULL), -ERANGE);
    for (size_t i = 0; i < 7; i++)
        tl_future_unref(refused[i]);
    assert_null(tl_gather(NULL, none, 1, 0));
    assert_null(tl_sleep(NULL, 1));
    assert_int_equal(tl_gathered_count(NULL), 0);
    assert_int_equal(tl_gathered_result(&(tl_value){.kind = TL_VALUE_INT}, 0, NULL), -EINVAL);
    tl_loop_free(other);
    stage_close(&stage, "");
}

/* --- The loop's end --------------------------------------------------------------------------- */

static void closing_leaves_them_pending(struct contract *contract)
{
    struct stage stage;
    stage_open(&stage, contract);
    tl_future *two[2] = {tl_wait_for(stage.loop, stage_child(&stage, 1), TL_SECOND),
                         tl_shield(stage.loop, stage_child(&stage, 2))};
    tl_future *inner = tl_gather(stage.loop, two, 2, 0);
    tl_future_detach(tl_sleep(stage.loop, TL_SECOND));
    tl_future_detach(tl_sleep(stage.loop, 0));
    stage.outer = tl_wait_for(stage.loop, tl_future_ref(inner), TL_SECOND);
    stage_watch(&stage);
    stage_succeed(&stage, 2); /* its callback is queued and will not run */
    assert_int_equal(tl_loop_close(stage.loop), 0);
    assert_false(tl_future_done(stage.outer));
    assert_false(tl_future_done(inner));
    assert_int_equal(tl_future_remove_done_callback(stage.outer, stage_note_done, &stage.diary), 1);
    tl_future_unref(inner);
    stage_close(&stage, "");
}

/* Nobody is left to ask, so they are cancelled at once. */
static void closed_and_then_cancelled(struct contract *contract)
{
    struct stage stage;
    stage_open(&stage, contract);
    tl_future *one[1] = {stage_child(&stage, 0)};
    tl_future *each[] = {tl_gather(stage.loop, one, 1, 0),
                         tl_wait_for(stage.loop, stage_child(&stage, 1), TL_SECOND),
                         tl_shield(stage.loop, stage_child(&stage, 2)),
                         tl_sleep(stage.loop, TL_SECOND)};
    for (size_t i = 0; i < 3; i++) { /* what they waited for is gone for good */
        tl_future_unref(stage.child[i]);
        stage.child[i] = NULL;
    }
    assert_int_equal(tl_loop_close(stage.loop), 0);
    for (size_t i = 0; i < sizeof each / sizeof each[0]; i++) {
        assert_true(tl_future_cancel(each[i]));
        assert_true(tl_future_cancelled(each[i]));
        assert_false(tl_future_cancel(each[i]));
        tl_future_unref(each[i]);
    }
    stage_close(&stage, "");
}

static void a_closed_loop_refuses(struct contract *contract)
{
    struct stage stage;
    stage_open(&stage, contract);
    assert_int_equal(tl_loop_close(stage.loop), 0);
    tl_future *one[1] = {stage_child(&stage, 0)};
    tl_future *refused[] = {tl_gather(stage.loop, one, 1, 0),
                            tl_wait_for(stage.loop, stage_child(&stage, 1), TL_SECOND),
                            tl_shield(stage.loop, stage_child(&stage, 2)), tl_sleep(stage.loop, 0)};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(tl_future_result(refused[i], NULL), TL_ECLOSED);
        tl_future_unref(refused[i]);
    }
    stage_close(&stage, "");
}

/* --- The allocation ladder -------------------------------------------------------------------- */

static void free_bytes(void *bytes)
{
    free(bytes);
}

/* Every kind inside every other: whichever fails, the outer one ends. */
static void build_and_run(tl_loop *loop, struct ladder *ladder)
{
    tl_future *futures[4] = {
        tl_sleep_result(loop, TL_SECOND, tl_value_pointer(malloc(1), free_bytes)),
        tl_wait_for(loop, tl_sleep(loop, 2 * TL_SECOND), TL_SECOND),
        tl_shield(loop, tl_sleep(loop, 0)),
        tl_loop_create_future(loop),
    };
    (void)tl_future_set_exception(futures[3], -EIO, "a sentence that is copied");
    tl_future *all = tl_gather(loop, futures, 4, TL_GATHER_RETURN_EXCEPTIONS);
    tl_value value = tl_value_none();
    int r = tl_loop_run_until_complete(loop, tl_wait_for(loop, all, 10 * TL_SECOND), &value);
    ladder_disarm(ladder);
    assert_true(r == 0 || r == -ENOMEM);
    if (r == 0 && !ladder->hit) {
        assert_int_equal(tl_gathered_result(&value, 0, NULL), 0);
        assert_int_equal(tl_gathered_result(&value, 1, NULL), -ETIMEDOUT);
        assert_int_equal(tl_gathered_result(&value, 2, NULL), 0);
        assert_int_equal(tl_gathered_result(&value, 3, NULL), -EIO);
    }
    tl_value_finish(&value);
}

static void ignore(tl_loop *loop, const tl_exc_context *context, void *arg)
{
    (void)loop, (void)context, (void)arg;
}

static void whichever_allocation_fails(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    struct skipping skipping;
    tl_loop *loop;
    skipping_apply(&skipping, kernel);
    assert_int_equal(tl_loop_new(kernel, &loop), 0);
    tl_loop_set_exception_handler(loop, ignore, NULL);
    ladder_arm(contract->ladder);
    build_and_run(loop, contract->ladder);
    tl_loop_free(loop);
}

static const struct contract_case cases[] = {
    CONTRACT(gather_results_in_order),
    CONTRACT(gather_of_nothing_is_done_at_once),
    CONTRACT(gather_of_what_is_done),
    CONTRACT(gather_fails_with_the_first_error),
    CONTRACT(gather_failed_and_unfetched_is_reported_once),
    CONTRACT(gather_a_cancelled_child_is_an_error),
    CONTRACT(gather_exceptions_as_results),
    CONTRACT(gather_cancelled_cancels_its_children),
    CONTRACT(gather_cancelled_with_exceptions_as_results),
    CONTRACT(gather_with_nothing_pending_cannot_be_cancelled),
    CONTRACT(gather_one_several_times),
    CONTRACT(gather_of_gathers),
    CONTRACT(gather_dropped_goes_on),
    CONTRACT(gather_refuses),
    CONTRACT(closing_leaves_them_pending),
    CONTRACT(closed_and_then_cancelled),
    CONTRACT(a_closed_loop_refuses),
    CONTRACT_LADDER(whichever_allocation_fails, 9),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "gather", cases, sizeof cases / sizeof cases[0]);
}
