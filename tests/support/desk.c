/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The desk of desk.h.
 */
#include "support/desk.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <twinloop.h>
#include <cmocka.h>

void desk_open(struct desk *desk, struct contract *contract)
{
    memset(desk, 0, sizeof *desk);
    desk->contract = contract;
    desk->loop = contract_loop(contract);
    gate_init(&desk->gate, contract);
}

void desk_close(struct desk *desk)
{
    tl_loop_free(desk->loop);
    gate_finish(&desk->gate);
}

/* --- What jobs do --- */

int desk_answer(void *arg, tl_value *ret)
{
    struct desk *desk = arg;

    desk->ran++;
    pthread_getname_np(pthread_self(), desk->thread_name, sizeof desk->thread_name);
    *ret = tl_value_int(desk->number);
    return 0;
}

int desk_pass_gate(void *arg, tl_value *ret)
{
    struct desk *desk = arg;

    gate_pass(&desk->gate);
    return desk_answer(arg, ret);
}

int desk_refuse(void *arg, tl_value *ret)
{
    ((struct desk *)arg)->ran++;
    (void)ret;
    return -EDOM;
}

static void count_freed(void *pointer)
{
    ((struct desk *)pointer)->freed++;
}

int desk_give_pointer(void *arg, tl_value *ret)
{
    struct desk *desk = arg;

    gate_pass(&desk->gate);
    desk->ran++;
    *ret = tl_value_pointer(desk, count_freed);
    return 0;
}

int desk_fail_with_pointer(void *arg, tl_value *ret)
{
    (void)desk_give_pointer(arg, ret);
    return -EDOM;
}

int desk_give_bytes(void *arg, tl_value *ret)
{
    (void)arg;
    return tl_value_bytes("a result from elsewhere", 24, ret);
}

static void released(void *arg)
{
    struct desk *desk = arg;

    if (++desk->released == desk->stop_after)
        tl_loop_stop(desk->loop);
}

/* --- What tests do --- */

tl_future *desk_run(struct desk *desk, tl_executor *executor, tl_job_fn fn)
{
    return tl_loop_run_in_executor(desk->loop, executor, fn, desk);
}

tl_future *desk_run_job(struct desk *desk, tl_executor *executor, tl_job_fn fn)
{
    return tl_loop_run_job(desk->loop, executor,
                           &(tl_job){.fn = fn, .arg = desk, .release = released});
}

int desk_wait(struct desk *desk, tl_future *future, tl_value *ret)
{
    return tl_loop_run_until_complete(desk->loop, future, ret);
}

int64_t desk_number_of(struct desk *desk, tl_future *future)
{
    tl_value value = tl_value_none();

    assert_int_equal(desk_wait(desk, future, &value), 0);
    assert_int_equal(value.kind, TL_VALUE_INT);
    return value.integer;
}

/* Runs until that many jobs in all have been released. */
void desk_await_released(struct desk *desk, int count)
{
    if (desk->released >= count)
        return;
    desk->stop_after = count;
    assert_int_equal(tl_loop_run_forever(desk->loop), 0);
    assert_int_equal(desk->released, count);
}

void desk_expect_failed(tl_future *future, int code, const char *message)
{
    assert_true(tl_future_done(future));
    const tl_error *error = tl_future_exception(future);
    assert_non_null(error);
    assert_int_equal(error->code, code);
    if (message != NULL)
        assert_string_equal(error->message, message);
    tl_future_unref(future);
}
