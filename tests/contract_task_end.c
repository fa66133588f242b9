/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How tasks end, on every kernel: with a result, an error, or with their loop; and the allocation
 * ladder.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/play.h"

/* --- Ends ------------------------------------------------------------------------------------- */

static void an_error_is_the_tasks(struct contract *contract)
{
    struct play play;
    struct actor a, b;
    play_open(&play, contract);
    a.inner = &b;
    play_start(&play, &a, "*ap");
    play_start(&play, &b, "be");
    play_turn(&play);
    play_turn(&play);
    assert_int_equal(a.code, -EIO);
    assert_int_equal(play_result(&a, NULL), -EIO);
    play_drop(&a);
    play_drop(&b);
    play_close(&play, "b/.a/");
}

static void an_error_passed_on_keeps_its_words(struct contract *contract)
{
    struct play play;
    struct actor a;
    play_open(&play, contract);
    play_start(&play, &a, "0p");
    play_turn(&play);
    assert_int_equal(tl_future_set_exception(play.future[0], -ENXIO, "in its own words"), 0);
    play_turn(&play);
    const tl_error *error = tl_future_exception(tl_task_future(a.task));
    assert_int_equal(error->code, -ENXIO);
    assert_string_equal(error->message, "in its own words");
    play_drop(&a);
    play_close(&play, "./");
}

static int look_at_errors(void *arg, tl_value *ret)
{
    struct play *play = arg;
    (void)ret;
    assert_null(tl_await_error());
    assert_int_equal(tl_await(tl_future_ref(play->future[0]), NULL), -ENXIO);
    assert_string_equal(tl_await_error()->message, "in its own words");
    assert_int_equal(tl_await(tl_future_ref(play->future[1]), NULL), 0);
    assert_null(tl_await_error());
    assert_int_equal(tl_await(tl_future_ref(play->future[0]), NULL), -ENXIO);
    return -EIO; /* another one: the words do not fit */
}

static void the_last_error_can_be_asked_for(struct contract *contract)
{
    struct play play;
    play_open(&play, contract);
    tl_future_set_exception(play.future[0], -ENXIO, "in its own words");
    tl_future_set_result(play.future[1], tl_value_none());
    const tl_coro coro = {.run = look_at_errors, .arg = &play};
    tl_task *task;
    assert_int_equal(tl_loop_create_task(play.loop, &coro, NULL, &task), 0);
    play_turn(&play);
    assert_string_equal(tl_future_exception(tl_task_future(task))->message, tl_strerror(-EIO));
    tl_task_unref(task);
    play_close(&play, "");
}

static void an_unfetched_error_is_reported_once(struct contract *contract)
{
    struct play play;
    struct actor a, b;
    play_open(&play, contract);
    play_start(&play, &a, "e");
    play_turn(&play);
    assert_string_equal(play.diary.word, "/");
    play_drop(&a);
    assert_string_equal(play.diary.word, "/!");
    assert_string_equal(play.diary.report, "Task exception was never retrieved");
    assert_int_equal(play.diary.code, -EIO);
    const tl_coro coro = play_coro(&play, &b, "e");
    assert_int_equal(tl_loop_create_task(play.loop, &coro, NULL, NULL), 0);
    play_turn(&play);
    play_close(&play, "/!/!");
}

static void free_and_note(void *pointer)
{
    diary_note(pointer, 'f');
}

static int fail_with_a_result(void *arg, tl_value *ret)
{
    *ret = tl_value_pointer(arg, free_and_note);
    return -EIO;
}

static void a_failed_tasks_result_is_dropped(struct contract *contract)
{
    struct diary diary;
    tl_task *task;
    diary_open(&diary, contract);
    const tl_coro coro = {.run = fail_with_a_result, .arg = &diary};
    assert_int_equal(tl_loop_create_task(diary.loop, &coro, NULL, &task), 0);
    tl_future *future = tl_task_future(task);
    assert_int_equal(tl_loop_run_until_complete(diary.loop, future, NULL), -EIO);
    diary_close(&diary, "f");
}

static void nobody_else_finishes_a_task(struct contract *contract)
{
    struct play play;
    struct actor a;
    play_open(&play, contract);
    play_start(&play, &a, "ar");
    tl_future *future = tl_task_future(a.task);
    assert_int_equal(tl_future_set_result(future, tl_value_none()), TL_ESTATE);
    assert_int_equal(tl_future_set_exception(future, -EIO, NULL), TL_ESTATE);
    assert_ptr_equal(tl_future_task(future), a.task);
    assert_null(tl_future_task(play.future[0]));
    assert_null(tl_future_task(NULL));
    assert_null(tl_task_future(NULL));
    play_turn(&play);
    assert_int_equal(play_result(&a, NULL), 0);
    play_drop(&a);
    tl_task_unref(NULL);
    play_close(&play, "a/");
}

/* --- Closed loops ----------------------------------------------------------------------------- */

static void closing_ends_tasks_in_the_middle(struct contract *contract)
{
    struct play play;
    struct actor a, b, c, d;
    play_open(&play, contract);
    a.inner = &b;
    play_start(&play, &a, "*");
    play_start(&play, &b, "b0");
    play_start(&play, &c, "1");
    play_turn(&play);
    play_start(&play, &d, "d");                            /* has not begun */
    tl_future_set_result(play.future[1], tl_value_none()); /* c's next step is queued */
    play_drop(&a);
    play_drop(&c);
    play_drop(&d);
    assert_int_equal(tl_loop_close(play.loop), 0);
    assert_string_equal(play.diary.word, "b/!//!/!");
    assert_string_equal(play.diary.report, "Task was destroyed but it is pending!");
    assert_false(tl_future_done(tl_task_future(b.task)));
    assert_false(tl_task_cancel(b.task));
    assert_false(tl_future_cancel(tl_task_future(b.task)));
    assert_int_equal(tl_loop_cancel_tasks(play.loop), 0);
    play_drop(&b);
    play_close(&play, "b/!//!/!!");
}

static void keep_task(tl_loop *loop, const tl_exc_context *context, void *arg)
{
    (void)loop;
    assert_null(context->exception);
    assert_null(context->future);
    assert_string_equal(tl_task_get_name(context->task), "Task-1");
    *(tl_task **)arg = tl_task_ref(context->task);
}

static void the_handler_may_keep_the_task(struct contract *contract)
{
    struct play play;
    struct actor a;
    tl_task *kept = NULL;
    play_open(&play, contract);
    tl_loop_set_exception_handler(play.loop, keep_task, &kept);
    play_start(&play, &a, "0");
    play_turn(&play);
    play_drop(&a);
    assert_int_equal(tl_loop_close(play.loop), 0);
    assert_non_null(kept);
    tl_task_unref(kept); /* is not reported again */
    play_close(&play, "/");
}

static void the_default_handler_names_the_task(struct contract *contract)
{
    struct play play;
    struct actor a;
    play_open(&play, contract);
    tl_loop_set_exception_handler(play.loop, NULL, NULL);
    diary_hear(&play.diary);
    assert_int_equal(play_try(&play, &a, "0", "fetcher"), 0);
    play_drop(&a);
    assert_int_equal(tl_loop_close(play.loop), 0);
    assert_string_equal(play.diary.log,
                        "Task was destroyed but it is pending!\ntask: fetcher, pending\n");
    play_close(&play, "/");
}

static void a_stopped_run_leaves_tasks_suspended(struct contract *contract)
{
    struct play play;
    struct actor a;
    play_open(&play, contract);
    play_start(&play, &a, "0ar");
    tl_loop_stop(play.loop);
    tl_future *future = tl_task_future(tl_task_ref(a.task));
    assert_int_equal(tl_loop_run_until_complete(play.loop, future, NULL), TL_ESTOPPED);
    tl_future_set_result(play.future[0], tl_value_none());
    future = tl_task_future(a.task);
    tl_value value;
    assert_int_equal(tl_loop_run_until_complete(play.loop, future, &value), 0);
    assert_int_equal(value.integer, 7);
    play_close(&play, ".a/");
}

/* --- Memory is out ---------------------------------------------------------------------------- */

static int inner(void *arg, tl_value *ret)
{
    (void)arg;
    *ret = tl_value_int(3);
    return 0;
}

static int outer(void *arg, tl_value *ret)
{
    tl_loop *loop = tl_get_running_loop();
    const tl_coro coro = {.run = inner, .arg = arg};
    tl_task *task;
    int r = tl_await(tl_sleep(loop, 0), NULL);
    if (r < 0)
        return r;
    r = tl_loop_create_task(loop, &coro, "inner", &task);
    if (r < 0)
        return r;
    return tl_await_task(task, ret);
}

static void count_disposed(void *arg)
{
    ++*(int *)arg;
}

static void ignore(tl_loop *loop, const tl_exc_context *context, void *arg)
{
    (void)loop, (void)context, (void)arg;
}

static void whichever_allocation_fails(struct contract *contract)
{
    tl_loop *loop = contract_loop(contract);
    int disposed = 0;
    const tl_coro coro = {.run = outer, .arg = &disposed, .dispose = count_disposed};
    tl_task *task;
    tl_loop_set_exception_handler(loop, ignore, NULL);
    ladder_arm(contract->ladder);
    int r = tl_loop_create_task(loop, &coro, "outer", &task);
    if (r == 0) {
        tl_value value;
        r = tl_task_set_name(task, "renamed");
        assert_string_equal(tl_task_get_name(task), r == 0 ? "renamed" : "outer");
        r = tl_loop_run_until_complete(loop, tl_task_future(task), &value);
        assert_true(r == -ENOMEM || value.integer == 3);
    }
    ladder_disarm(contract->ladder);
    assert_true(r == 0 || r == -ENOMEM);
    assert_int_equal(disposed, 1);
    tl_loop_free(loop);
}

static const struct contract_case cases[] = {
    CONTRACT(an_error_is_the_tasks),
    CONTRACT(an_error_passed_on_keeps_its_words),
    CONTRACT(the_last_error_can_be_asked_for),
    CONTRACT(an_unfetched_error_is_reported_once),
    CONTRACT(a_failed_tasks_result_is_dropped),
    CONTRACT(nobody_else_finishes_a_task),
    CONTRACT(closing_ends_tasks_in_the_middle),
    CONTRACT(the_handler_may_keep_the_task),
    CONTRACT(the_default_handler_names_the_task),
    CONTRACT(a_stopped_run_leaves_tasks_suspended),
    CONTRACT_LADDER(whichever_allocation_fails, 8),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "task_end", cases, sizeof cases / sizeof cases[0]);
}
