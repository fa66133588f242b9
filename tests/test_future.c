/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Futures for themselves: states, who owns the value, reports about failures that nobody fetched,
 * what happens when memory is out. Order and deferral, which need a running loop, are in
 * contract_loop.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <twinloop.h>
#include <twinloop/sim.h>

#include "core/loop.h"

struct reports {
    unsigned count;
    char message[128];
    int code;
};

static void count_report(tl_loop *loop, const tl_exc_context *context, void *arg)
{
    (void)loop;
    struct reports *reports = arg;
    reports->count++;
    strncpy(reports->message, context->message, sizeof reports->message - 1);
    reports->code = context->exception != NULL ? context->exception->code : 0;
}

static tl_loop *loop_with_reports(struct reports *reports)
{
    tl_loop *loop;
    assert_int_equal(tl_sim_loop_new(NULL, &loop), 0);
    assert_int_equal(tl_loop_set_exception_handler(loop, count_report, reports), 0);
    return loop;
}

static void states(void **state)
{
    (void)state;
    struct reports reports = {0};
    tl_loop *loop = loop_with_reports(&reports);
    tl_future *future = tl_loop_create_future(loop);
    assert_ptr_equal(tl_future_get_loop(future), loop);
    assert_false(tl_future_done(future));
    assert_int_equal(tl_future_result(future, NULL), TL_ESTATE);
    assert_null(tl_future_exception(future));
    assert_int_equal(tl_future_set_result(future, tl_value_int(1)), 0);
    assert_int_equal(tl_future_set_result(future, tl_value_int(2)), TL_ESTATE);
    assert_int_equal(tl_future_set_exception(future, -EIO, NULL), TL_ESTATE);
    assert_false(tl_future_cancel(future));
    tl_value value;
    assert_int_equal(tl_future_result(future, &value), 0);
    assert_int_equal(value.integer, 1);
    tl_future_unref(future);

    future = tl_loop_create_future(loop);
    assert_int_equal(tl_future_set_exception(future, 0, NULL), -EINVAL);
    assert_true(tl_future_cancel(future));
    assert_false(tl_future_cancel(future));
    assert_true(tl_future_cancelled(future));
    assert_int_equal(tl_future_result(future, &value), -ECANCELED);
    tl_future_unref(future);
    tl_loop_free(loop);
    assert_int_equal(reports.count, 0);
}

static void the_last_taker_gets_the_value(void **state)
{
    (void)state;
    struct reports reports = {0};
    tl_loop *loop = loop_with_reports(&reports);
    tl_future *future = tl_loop_create_future(loop);
    tl_value bytes;
    assert_int_equal(tl_value_bytes("hello", 5, &bytes), 0);
    assert_int_equal(tl_future_set_result(future, bytes), 0);
    tl_value taken;
    assert_int_equal(tl_future_result(future, NULL), 0);
    assert_int_equal(tl_future_result(future, &taken), 0);
    assert_memory_equal(taken.data, "hello", 5);
    tl_value_finish(&taken);
    assert_int_equal(tl_future_result(future, &taken), 0);
    assert_int_equal(taken.kind, TL_VALUE_NONE);
    tl_future_unref(future);
    tl_loop_free(loop);
}

static void unfetched_failures_are_reported_once(void **state)
{
    (void)state;
    struct reports reports = {0};
    tl_loop *loop = loop_with_reports(&reports);
    tl_future *future = tl_loop_create_future(loop);
    assert_int_equal(tl_future_set_exception(future, -EIO, "the disk is gone"), 0);
    tl_future_unref(future);
    assert_int_equal(reports.count, 1);
    assert_string_equal(reports.message, "Future exception was never retrieved");
    assert_int_equal(reports.code, -EIO);

    future = tl_loop_create_future(loop);
    assert_int_equal(tl_future_set_exception(future, -EIO, "the disk is gone"), 0);
    assert_string_equal(tl_future_exception(future)->message, "the disk is gone");
    tl_future_unref(future);
    assert_int_equal(reports.count, 1);

    future = tl_loop_create_future(loop);
    tl_future *kept = tl_future_ref(future);
    tl_future_detach(future);
    assert_int_equal(tl_future_set_exception(kept, -EIO, NULL), 0);
    tl_future_unref(kept);
    assert_int_equal(reports.count, 2);
    tl_loop_free(loop);
}

static void called_off(void *arg)
{
    (*(int *)arg)++;
}

static void cancelling_calls_the_operation_off(void **state)
{
    (void)state;
    struct reports reports = {0};
    tl_loop *loop = loop_with_reports(&reports);
    int calls = 0;
    tl_future *future = tl_loop_create_future(loop);
    tl_future_set_canceller(future, called_off, &calls);
    assert_true(tl_future_cancel(future));
    assert_int_equal(calls, 1);
    tl_future_unref(future);

    future = tl_loop_create_future(loop);
    tl_future_set_canceller(future, called_off, &calls);
    assert_int_equal(tl_future_set_result(future, tl_value_none()), 0);
    assert_false(tl_future_cancel(future));
    assert_int_equal(calls, 1);
    tl_future_unref(future);
    tl_loop_free(loop);
}

static void *refuse(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)ptr;
    (void)size;
    return NULL;
}

static void without_memory_there_is_the_reserve(void **state)
{
    (void)state;
    struct reports reports = {0};
    tl_loop *loop = loop_with_reports(&reports);
    tl_set_allocator(&(tl_allocator){.realloc = refuse});
    tl_future *first = tl_loop_create_future(loop);
    tl_future *second = tl_loop_failed_future(loop, -EINVAL, "no");
    tl_set_allocator(NULL);
    assert_int_equal(tl_future_result(first, NULL), -ENOMEM);
    assert_int_equal(tl_future_set_result(first, tl_value_none()), TL_ESTATE);
    /* A reference to the reserve keeps the loop's memory, like one to any other future. */
    tl_loop_free(loop);
    assert_int_equal(tl_future_result(second, NULL), -ENOMEM);
    tl_future_unref(first);
    tl_future_unref(second);
    assert_int_equal(reports.count, 0);
}

static void run_until_complete_refuses(void **state)
{
    (void)state;
    struct reports reports = {0};
    tl_loop *loop = loop_with_reports(&reports);
    tl_loop *other = loop_with_reports(&reports);
    assert_int_equal(tl_loop_run_until_complete(loop, NULL, NULL), -EINVAL);
    assert_int_equal(tl_loop_run_until_complete(loop, tl_loop_create_future(other), NULL), -EINVAL);
    assert_int_equal(tl_loop_close(other), 0);
    assert_int_equal(tl_loop_run_until_complete(other, tl_loop_create_future(other), NULL),
                     TL_ECLOSED);
    tl_loop_free(loop);
    tl_loop_free(other);
}

static void nothing_left_to_do_is_a_deadlock(void **state)
{
    (void)state;
    struct reports reports = {0};
    tl_loop *loop = loop_with_reports(&reports);
    assert_int_equal(tl_loop_run_forever(loop), TL_EDEADLOCK);
    tl_future *future = tl_loop_create_future(loop);
    assert_int_equal(tl_loop_run_until_complete(loop, future, NULL), TL_EDEADLOCK);
    tl_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states),
        cmocka_unit_test(the_last_taker_gets_the_value),
        cmocka_unit_test(unfetched_failures_are_reported_once),
        cmocka_unit_test(cancelling_calls_the_operation_off),
        cmocka_unit_test(without_memory_there_is_the_reserve),
        cmocka_unit_test(run_until_complete_refuses),
        cmocka_unit_test(nothing_left_to_do_is_a_deadlock),
    };
    return !!cmocka_run_group_tests_name("future", tests, NULL, NULL);
}
