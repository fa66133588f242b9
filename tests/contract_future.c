/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Futures on every kernel: states, who may finish one and when, the order and the deferral of
 * done-callbacks and what they may do to each other, failures that nobody fetched, a closed loop.
 *
 * Bodies write one letter per thing that happened and compare the whole word at the end.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <twinloop.h>

#include "support/contract.h"
#include "support/diary.h"

static void note_a(tl_future *future, void *arg)
{
    assert_true(tl_future_done(future));
    diary_note(arg, 'a');
}

static void note_b(tl_future *future, void *arg)
{
    (void)future;
    diary_note(arg, 'b');
}

static void add(tl_future *future, tl_future_callback callback, struct diary *diary)
{
    assert_int_equal(tl_future_add_done_callback(future, callback, diary), 0);
}

/* --- States ----------------------------------------------------------------------------------- */

static void a_pending_future_has_no_result(struct contract *contract)
{
    struct diary diary;
    diary_open(&diary, contract);
    tl_future *future = tl_loop_create_future(diary.loop);
    tl_value value = tl_value_int(5);
    assert_ptr_equal(tl_future_get_loop(future), diary.loop);
    assert_false(tl_future_done(future));
    assert_false(tl_future_cancelled(future));
    assert_int_equal(tl_future_result(future, &value), TL_ESTATE);
    assert_int_equal(value.integer, 5);
    assert_null(tl_future_exception(future));
    assert_int_equal(tl_last_error(), TL_ESTATE);
    tl_future_unref(future);
    diary_close(&diary, "");
}

static void a_result_ends_it(struct contract *contract)
{
    struct diary diary;
    diary_open(&diary, contract);
    tl_future *future = tl_loop_create_future(diary.loop);
    assert_int_equal(tl_future_set_result(future, tl_value_int(1)), 0);
    assert_int_equal(tl_future_set_result(future, tl_value_int(2)), TL_ESTATE);
    assert_int_equal(tl_future_set_exception(future, -EIO, NULL), TL_ESTATE);
    assert_false(tl_future_cancel(future));
    assert_null(tl_future_exception(future));
    assert_int_equal(tl_last_error(), 0);
    tl_value value;
    assert_int_equal(tl_future_result(future, &value), 0);
    assert_int_equal(value.integer, 1);
    tl_future_unref(future);
    diary_close(&diary, "");
}

static void an_error_ends_it(struct contract *contract)
{
    struct diary diary;
    diary_open(&diary, contract);
    tl_future *future = tl_loop_create_future(diary.loop);
    tl_value value = tl_value_int(5);
    assert_int_equal(tl_future_set_exception(future, 5, NULL), -EINVAL);
    assert_int_equal(tl_future_set_exception(future, -EIO, "the disk is gone"), 0);
    assert_int_equal(tl_future_set_result(future, tl_value_none()), TL_ESTATE);
    assert_false(tl_future_cancelled(future));
    assert_int_equal(tl_future_result(future, &value), -EIO);
    assert_int_equal(value.integer, 5);
    assert_string_equal(tl_future_exception(future)->message, "the disk is gone");
    tl_future_unref(future);
    diary_close(&diary, "");
}

static void cancelling_ends_it(struct contract *contract)
{
    struct diary diary;
    diary_open(&diary, contract);
    tl_future *future = tl_loop_create_future(diary.loop);
    assert_true(tl_future_cancel(future));
    assert_false(tl_future_cancel(future));
    assert_true(tl_future_cancelled(future));
    assert_int_equal(tl_future_result(future, NULL), -ECANCELED);
    assert_null(tl_future_exception(future));
    assert_int_equal(tl_last_error(), -ECANCELED);
    assert_int_equal(tl_future_set_result(future, tl_value_none()), TL_ESTATE);
    tl_future_unref(future);
    diary_close(&diary, ""); /* not reported */
}

static void an_error_keeps_its_causes(struct contract *contract)
{
    struct diary diary;
    diary_open(&diary, contract);
    char sentence[] = "disk";
    const tl_error last = {.code = -ENXIO};
    const tl_error middle = {.code = -EIO, .message = sentence, .cause = &last};
    const tl_error first = {.code = -ETIMEDOUT, .message = "no answer", .cause = &middle};
    tl_future *future = tl_loop_create_future(diary.loop);
    assert_int_equal(tl_future_set_error(future, NULL), -EINVAL);
    assert_int_equal(tl_future_set_error(future, &first), 0);
    memset(sentence, 'x', 4);
    const tl_error *error = tl_future_exception(future);
    assert_string_equal(error->message, "no answer");
    assert_int_equal(error->cause->code, -EIO);
    assert_string_equal(error->cause->message, "disk");
    assert_string_equal(error->cause->cause->message, tl_strerror(-ENXIO));
    assert_null(error->cause->cause->cause);
    tl_future_unref(future);

    /* A chain in a circle is cut. */
    tl_error circle = {.code = -EIO};
    circle.cause = &circle;
    future = tl_loop_create_future(diary.loop);
    assert_int_equal(tl_future_set_error(future, &circle), 0);
    int length = 0;
    for (error = tl_future_exception(future); error != NULL; error = error->cause)
        length++;
    assert_int_equal(length, 256);
    tl_future_unref(future);
    diary_close(&diary, "");
}

/* --- Done-callbacks --------------------------------------------------------------------------- */

static void callbacks_are_deferred_and_in_order(struct contract *contract)
{
    struct diary diary;
    diary_open(&diary, contract);
    tl_future *future = tl_loop_create_future(diary.loop);
    add(future, note_a, &diary);
    add(future, note_b, &diary);
    add(future, note_a, &diary);
    assert_int_equal(tl_future_set_result(future, tl_value_none()), 0);
    assert_string_equal(diary.word, "");
    diary_turn(&diary);
    assert_string_equal(diary.word, "aba");
    tl_future_unref(future);
    diary_close(&diary, "aba");
}

static void callbacks_queue_behind_what_is_ready(struct contract *contract)
{
    struct diary diary;
    diary_open(&diary, contract);
    tl_future *future = tl_loop_create_future(diary.loop);
    add(future, note_a, &diary);
    assert_int_equal(tl_loop_call_soon(diary.loop, diary_note_x, &diary, NULL), 0);
    assert_true(tl_future_cancel(future));
    assert_int_equal(tl_loop_call_soon(diary.loop, diary_note_y, &diary, NULL), 0);
    diary_turn(&diary);
    tl_future_unref(future);
    diary_close(&diary, "xay");
}

static void a_callback_on_a_done_future_is_deferred(struct contract *contract)
{
    struct diary diary;
    diary_open(&diary, contract);
    tl_future *future = tl_loop_create_future(diary.loop);
    assert_int_equal(tl_future_set_result(future, tl_value_none()), 0);
    add(future, note_a, &diary);
    assert_string_equal(diary.word, "");
    diary_turn(&diary);
    tl_future_unref(future);
    diary_close(&diary, "a");
}

static void removing_takes_all_equal_ones(struct contract *contract)
{
    struct diary diary;
    diary_open(&diary, contract);
    struct diary other = {.loop = NULL};
    tl_future *future = tl_loop_create_future(diary.loop);
    add(future, note_a, &diary);
    add(future, note_b, &diary);
    add(future, note_a, &other);
    add(future, note_a, &diary);
    assert_int_equal(tl_future_remove_done_callback(future, note_b, &other), 0);
    assert_int_equal(tl_future_remove_done_callback(future, note_a, &diary), 2);
    assert_int_equal(tl_future_remove_done_callback(future, note_a, &diary), 0);
    add(future, note_b, &diary);
    assert_int_equal(tl_future_set_result(future, tl_value_none()), 0);
    /* asyncio: what has been handed to the loop is not in the list any more. */
    assert_int_equal(tl_future_remove_done_callback(future, note_b, &diary), 0);
    diary_turn(&diary);
    assert_string_equal(other.word, "a");
    tl_future_unref(future);
    diary_close(&diary, "bb");
}

static void remove_b_and_add_a(tl_future *future, void *arg)
{
    diary_note(arg, 'r');
    assert_int_equal(tl_future_remove_done_callback(future, note_b, arg), 0);
    add(future, note_a, arg);
}

static void callbacks_may_add_and_remove(struct contract *contract)
{
    struct diary diary;
    diary_open(&diary, contract);
    tl_future *future = tl_loop_create_future(diary.loop);
    add(future, remove_b_and_add_a, &diary);
    add(future, note_b, &diary);
    assert_int_equal(tl_future_set_result(future, tl_value_none()), 0);
    diary_turn(&diary);
    assert_string_equal(diary.word, "rb"); /* what a callback adds comes an iteration later */
    diary_turn(&diary);
    tl_future_unref(future);
    diary_close(&diary, "rba");
}

static void drop_it(tl_future *future, void *arg)
{
    diary_note(arg, 'd');
    tl_future_unref(future); /* the test's reference; the callback still has one to look at */
    assert_true(tl_future_done(future));
}

static void a_callback_may_drop_its_future(struct contract *contract)
{
    struct diary diary;
    diary_open(&diary, contract);
    tl_future *future = tl_loop_create_future(diary.loop);
    add(future, drop_it, &diary);
    add(future, note_b, &diary);
    assert_int_equal(tl_future_set_exception(future, -EIO, NULL), 0);
    diary_turn(&diary);
    diary_close(&diary, "db!"); /* and then its failure is reported */
}

static void a_dropped_pending_future_takes_its_callbacks_along(struct contract *contract)
{
    struct diary diary;
    diary_open(&diary, contract);
    tl_future *future = tl_loop_create_future(diary.loop);
    add(future, note_a, &diary);
    add(future, note_b, &diary);
    tl_future_unref(future);
    diary_turn(&diary);
    diary_close(&diary, "");
}

static void bad_arguments(struct contract *contract)
{
    struct diary diary;
    diary_open(&diary, contract);
    tl_future *future = tl_loop_create_future(diary.loop);
    assert_int_equal(tl_future_add_done_callback(future, NULL, NULL), -EINVAL);
    assert_int_equal(tl_future_add_done_callback(NULL, note_a, &diary), -EINVAL);
    assert_int_equal(tl_future_remove_done_callback(NULL, note_a, &diary), 0);
    assert_int_equal(tl_future_set_result(NULL, tl_value_none()), -EINVAL);
    assert_int_equal(tl_future_set_exception(NULL, -EIO, NULL), -EINVAL);
    assert_int_equal(tl_future_result(NULL, NULL), -EINVAL);
    assert_null(tl_future_exception(NULL));
    assert_int_equal(tl_last_error(), -EINVAL);
    assert_false(tl_future_cancel(NULL));
    tl_future_unref(NULL);
    tl_future_detach(NULL);
    assert_null(tl_loop_create_future(NULL));
    tl_future_unref(future);
    diary_close(&diary, "");
}

/* --- Failures that nobody fetched ------------------------------------------------------------- */

static tl_future *failed(struct diary *diary)
{
    tl_future *future = tl_loop_create_future(diary->loop);
    assert_int_equal(tl_future_set_exception(future, -EIO, "the disk is gone"), 0);
    return future;
}

static void an_unfetched_failure_is_reported_once(struct contract *contract)
{
    struct diary diary;
    diary_open(&diary, contract);
    tl_future *future = tl_future_ref(failed(&diary));
    tl_future_unref(future);
    assert_string_equal(diary.word, "");
    tl_future_unref(future);
    assert_string_equal(diary.report, "Future exception was never retrieved");
    assert_int_equal(diary.code, -EIO);
    diary_close(&diary, "!");
}

static void a_fetched_failure_is_not_reported(struct contract *contract)
{
    struct diary diary;
    diary_open(&diary, contract);
    tl_future *future = failed(&diary);
    assert_int_equal(tl_future_result(future, NULL), -EIO);
    tl_future_unref(future);
    future = failed(&diary);
    assert_non_null(tl_future_exception(future));
    tl_future_unref(future);
    diary_close(&diary, "");
}

static void a_detached_failure_is_reported(struct contract *contract)
{
    struct diary diary;
    diary_open(&diary, contract);
    tl_future_detach(failed(&diary));
    assert_string_equal(diary.word, "!");
    tl_future *future = tl_loop_create_future(diary.loop);
    tl_future_detach(tl_future_ref(future));
    assert_int_equal(tl_future_set_exception(future, -EIO, NULL), 0);
    tl_future_unref(future);
    diary_close(&diary, "!!");
}

static void keep_it(tl_loop *loop, const tl_exc_context *context, void *arg)
{
    (void)loop;
    struct diary *diary = arg;
    diary_note(diary, 'k');
    diary->future = tl_future_ref(context->future);
}

static void the_handler_may_keep_the_future(struct contract *contract)
{
    struct diary diary;
    diary_open(&diary, contract);
    assert_int_equal(tl_loop_set_exception_handler(diary.loop, keep_it, &diary), 0);
    tl_future_unref(failed(&diary));
    assert_int_equal(tl_future_result(diary.future, NULL), -EIO);
    tl_future_unref(diary.future);
    diary_close(&diary, "k");
}

/* --- A closed loop ---------------------------------------------------------------------------- */

static void a_closed_loop_makes_futures(struct contract *contract)
{
    struct diary diary;
    diary_open(&diary, contract);
    assert_int_equal(tl_loop_close(diary.loop), 0);
    tl_future *future = tl_loop_create_future(diary.loop);
    assert_false(tl_future_done(future));
    assert_int_equal(tl_future_set_result(future, tl_value_none()), 0);
    assert_int_equal(tl_future_add_done_callback(future, note_a, &diary), TL_ECLOSED);
    tl_future_unref(future);
    diary_close(&diary, "");
}

static void a_closed_loop_cannot_finish_one_with_callbacks(struct contract *contract)
{
    struct diary diary;
    diary_open(&diary, contract);
    tl_future *future = tl_loop_create_future(diary.loop);
    add(future, note_a, &diary);
    assert_int_equal(tl_loop_close(diary.loop), 0);
    assert_int_equal(tl_future_set_result(future, tl_value_none()), TL_ECLOSED);
    assert_int_equal(tl_future_set_exception(future, -EIO, NULL), TL_ECLOSED);
    assert_false(tl_future_cancel(future));
    assert_int_equal(tl_future_remove_done_callback(future, note_a, &diary), 1);
    assert_true(tl_future_cancel(future));
    tl_future_unref(future);
    diary_close(&diary, "");
}

static void closing_drops_callbacks_that_are_queued(struct contract *contract)
{
    struct diary diary;
    diary_open(&diary, contract);
    tl_future *future = failed(&diary);
    add(future, note_a, &diary);
    tl_future_unref(future);
    assert_int_equal(tl_loop_close(diary.loop), 0);
    diary_close(&diary, "!"); /* the last who held it is gone, and nobody has seen the error */
}

static const struct contract_case cases[] = {
    CONTRACT(a_pending_future_has_no_result),
    CONTRACT(a_result_ends_it),
    CONTRACT(an_error_ends_it),
    CONTRACT(cancelling_ends_it),
    CONTRACT(an_error_keeps_its_causes),
    CONTRACT(callbacks_are_deferred_and_in_order),
    CONTRACT(callbacks_queue_behind_what_is_ready),
    CONTRACT(a_callback_on_a_done_future_is_deferred),
    CONTRACT(removing_takes_all_equal_ones),
    CONTRACT(callbacks_may_add_and_remove),
    CONTRACT(a_callback_may_drop_its_future),
    CONTRACT(a_dropped_pending_future_takes_its_callbacks_along),
    CONTRACT(bad_arguments),
    CONTRACT(an_unfetched_failure_is_reported_once),
    CONTRACT(a_fetched_failure_is_not_reported),
    CONTRACT(a_detached_failure_is_reported),
    CONTRACT(the_handler_may_keep_the_future),
    CONTRACT(a_closed_loop_makes_futures),
    CONTRACT(a_closed_loop_cannot_finish_one_with_callbacks),
    CONTRACT(closing_drops_callbacks_that_are_queued),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "future", cases, sizeof cases / sizeof cases[0]);
}
