/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Executors, row loop.run_in_executor: what a job's future comes to, in which order, and what
 * cancelling does.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <twinloop.h>
#include <cmocka.h>
#include "support/desk.h"

/* --- Results --- */

static void the_result_comes_back(struct contract *contract)
{
    struct desk desk;

    desk_open(&desk, contract);
    desk.number = 42;
    tl_future *future = desk_run(&desk, NULL, desk_answer);
    assert_false(tl_future_done(future));
    assert_ptr_equal(tl_future_get_loop(future), desk.loop);
    assert_int_equal(desk_number_of(&desk, future), 42);
    assert_int_equal(desk.ran, 1);
    if (desk.gate.threaded)
        assert_string_equal(desk.thread_name, "tl-worker");
    desk_close(&desk);
}

static void the_error_comes_back(struct contract *contract)
{
    struct desk desk;

    desk_open(&desk, contract);
    tl_future *future = tl_future_ref(desk_run(&desk, NULL, desk_refuse));
    assert_int_equal(desk_wait(&desk, future, NULL), -EDOM);
    desk_expect_failed(future, -EDOM, tl_strerror(-EDOM));
    future = desk_run(&desk, NULL, desk_fail_with_pointer);
    gate_open(&desk.gate);
    assert_int_equal(desk_wait(&desk, future, NULL), -EDOM);
    assert_int_equal(desk.freed, 1);
    desk_close(&desk);
}

static void a_value_is_moved_across(struct contract *contract)
{
    struct desk desk;
    tl_value value;

    desk_open(&desk, contract);
    gate_open(&desk.gate);
    assert_int_equal(desk_wait(&desk, desk_run(&desk, NULL, desk_give_bytes), &value), 0);
    assert_int_equal(value.kind, TL_VALUE_BYTES);
    assert_string_equal(value.data, "a result from elsewhere");
    tl_value_finish(&value);
    assert_int_equal(desk_wait(&desk, desk_run(&desk, NULL, desk_give_pointer), &value), 0);
    assert_ptr_equal(value.pointer, &desk);
    assert_int_equal(desk.freed, 0);
    tl_value_finish(&value);
    assert_int_equal(desk.freed, 1);
    assert_int_equal(desk_wait(&desk, desk_run(&desk, NULL, desk_give_pointer), NULL), 0);
    assert_int_equal(desk.freed, 2);
    desk_close(&desk);
}

static int look_around(void *arg, tl_value *ret)
{
    struct desk *desk = arg;
    tl_loop *loop = NULL;

    desk->found = tl_get_running_loop() != NULL;
    desk->found += tl_get_event_loop(&loop) != TL_ENOLOOP;
    (void)ret;
    return 0;
}

static void no_loop_runs_where_a_job_does(struct contract *contract)
{
    struct desk desk;

    desk_open(&desk, contract);
    assert_int_equal(tl_set_event_loop(desk.loop), 0);
    assert_int_equal(desk_wait(&desk, desk_run(&desk, NULL, look_around), NULL), 0);
    assert_int_equal(desk.found, 0);
    tl_loop *current;
    assert_int_equal(tl_get_event_loop(&current), 0);
    assert_ptr_equal(current, desk.loop);
    desk_close(&desk);
}

/* A second run would desk_answer differently. */
static int64_t runs;

static int count_runs(void *arg, tl_value *ret)
{
    *(int64_t *)arg = ++runs;
    *ret = tl_value_int(-runs);
    return 0;
}

static void an_out_buffer_is_recorded(struct contract *contract)
{
    static int64_t recorded;
    struct desk desk;
    int64_t out = 0;
    const tl_job job = {.fn = count_runs, .arg = &out, .out = &out, .out_len = sizeof out};

    desk_open(&desk, contract);
    int64_t number = desk_number_of(&desk, tl_loop_run_job(desk.loop, NULL, &job));
    assert_true(out > 0);
    assert_int_equal(number, -out);
    if (contract->reader != NULL)
        assert_int_equal(out, recorded);
    recorded = out;
    desk_close(&desk);
}

static void an_out_buffer_comes_with_none_or_a_number(struct contract *contract)
{
    struct desk desk;
    tl_job job = {.fn = desk_refuse, .arg = &desk, .out = desk.order, .out_len = 1};

    desk_open(&desk, contract);
    gate_open(&desk.gate);
    assert_int_equal(desk_wait(&desk, tl_loop_run_job(desk.loop, NULL, &job), NULL), -EDOM);
    job.fn = desk_give_pointer;
    assert_int_equal(desk_wait(&desk, tl_loop_run_job(desk.loop, NULL, &job), NULL), -EINVAL);
    assert_int_equal(desk.freed, contract->reader == NULL ? 1 : 0);
    job.out_len = 0; /* not pure, and nothing but the number */
    job.fn = desk_answer;
    assert_int_equal(desk_number_of(&desk, tl_loop_run_job(desk.loop, NULL, &job)), 0);
    desk_close(&desk);
}

/* --- Order --- */

static void count_posted(void *arg)
{
    ((struct desk *)arg)->posted++;
}

static int post_two(void *arg, tl_value *ret)
{
    struct desk *desk = arg;

    (void)ret;
    int r = tl_loop_call_soon_threadsafe(desk->loop, count_posted, desk, NULL);
    return r < 0 ? r : tl_loop_call_soon_threadsafe(desk->loop, count_posted, desk, NULL);
}

static void see_posted(tl_future *future, void *arg)
{
    struct desk *desk = arg;

    (void)future;
    desk->found = desk->posted;
}

static void what_a_job_posts_runs_before_its_future_is_done(struct contract *contract)
{
    struct desk desk;

    desk_open(&desk, contract);
    for (int i = 1; i <= JOBS; i++) {
        tl_future *future = desk_run(&desk, NULL, post_two);
        assert_int_equal(tl_future_add_done_callback(future, see_posted, &desk), 0);
        assert_int_equal(desk_wait(&desk, future, NULL), 0);
        assert_int_equal(desk.found, 2 * i);
    }
    desk_close(&desk);
}

static void several_jobs_post(struct contract *contract)
{
    struct desk desk;
    tl_future *futures[JOBS];

    desk_open(&desk, contract);
    for (int i = 0; i < JOBS; i++)
        futures[i] = desk_run(&desk, NULL, post_two);
    for (int i = 0; i < JOBS; i++)
        assert_int_equal(desk_wait(&desk, futures[i], NULL), 0);
    assert_int_equal(desk.posted, 2 * JOBS);
    desk_close(&desk);
}

struct numbered {
    struct desk *desk;
    int number;
};

static int note_order(void *arg, tl_value *ret)
{
    struct numbered *numbered = arg;
    struct desk *desk = numbered->desk;

    desk->order[desk->ran++] = (char)('a' + numbered->number);
    *ret = tl_value_int(numbered->number);
    return 0;
}

static void one_worker_keeps_the_order(struct contract *contract)
{
    tl_executor *executor = tl_thread_pool_executor_new(1, "single-and-much-too-long");
    struct numbered numbered[JOBS];
    tl_future *futures[JOBS];
    struct desk desk;

    desk_open(&desk, contract);
    for (int i = 0; i < JOBS; i++) {
        numbered[i] = (struct numbered){&desk, i};
        futures[i] = tl_loop_run_in_executor(desk.loop, executor, note_order, &numbered[i]);
    }
    tl_executor_unref(executor); /* its jobs keep it */
    for (int i = 0; i < JOBS; i++)
        assert_int_equal(desk_number_of(&desk, futures[i]), i);
    assert_string_equal(desk.order, "abcdefghijklmnopqrst");
    desk_close(&desk);
}

static void threads_have_the_prefix(struct contract *contract)
{
    tl_executor *executor = tl_thread_pool_executor_new(2, "single-and-much-too-long");
    struct desk desk;

    desk_open(&desk, contract);
    assert_int_equal(desk_number_of(&desk, desk_run(&desk, executor, desk_answer)), 0);
    assert_string_equal(desk.thread_name, "single-and-much");
    tl_executor_unref(executor);
    desk_close(&desk);
}

static void it_is_handed_over_at_once(struct contract *contract)
{
    struct desk desk;

    /* Nobody runs the loop, and yet the job begins. */
    desk_open(&desk, contract);
    tl_future *future = desk_run(&desk, NULL, desk_pass_gate);
    gate_await(&desk.gate, 1);
    gate_open(&desk.gate);
    assert_false(tl_future_done(future));
    assert_int_equal(desk_number_of(&desk, future), 0);
    desk_close(&desk);
}

/* --- Cancelling --- */

static void a_cancelled_job_that_has_not_begun_never_runs(struct contract *contract)
{
    tl_executor *executor = tl_thread_pool_executor_new(1, NULL);
    struct desk desk;

    desk_open(&desk, contract);
    tl_future *held = desk_run_job(&desk, executor, desk_pass_gate);
    gate_await(&desk.gate, 1);
    tl_future *queued = desk_run_job(&desk, executor, desk_answer);
    tl_future *last = desk_run_job(&desk, executor, desk_answer);
    assert_true(tl_future_cancel(queued));
    assert_true(tl_future_cancelled(queued));
    assert_false(tl_future_cancel(queued));
    assert_int_equal(desk.released, 0); /* not inside the call */
    assert_int_equal(desk_wait(&desk, queued, NULL), -ECANCELED);
    gate_open(&desk.gate);
    assert_int_equal(desk_number_of(&desk, held), 0);
    assert_int_equal(desk_number_of(&desk, last), 0);
    assert_int_equal(desk.ran, 2);
    assert_int_equal(desk.released, 3);
    tl_executor_unref(executor);
    desk_close(&desk);
}

static void a_cancelled_job_that_has_begun_goes_on(struct contract *contract)
{
    struct desk desk;

    desk_open(&desk, contract);
    tl_future *future = desk_run_job(&desk, NULL, desk_give_pointer);
    gate_await(&desk.gate, 1);
    assert_true(tl_future_cancel(future));
    assert_int_equal(desk_wait(&desk, future, NULL), -ECANCELED);
    assert_int_equal(desk.released, 0);
    gate_open(&desk.gate);
    desk_await_released(&desk, 1);
    assert_int_equal(desk.ran, 1);
    assert_int_equal(desk.freed, 1);
    desk_close(&desk);
}

static void cancelled_once_its_end_is_queued(struct contract *contract)
{
    tl_executor *executor = tl_thread_pool_executor_new(1, NULL);
    struct desk desk;

    desk_open(&desk, contract);
    gate_open(&desk.gate);
    /* The done-callback of the first runs when the second's end may be queued already. */
    tl_future *first = desk_run_job(&desk, executor, desk_give_pointer);
    tl_future *second = desk_run_job(&desk, executor, desk_give_pointer);
    tl_executor_unref(executor);
    assert_int_equal(desk_wait(&desk, first, NULL), 0);
    bool pending = !tl_future_done(second);
    assert_int_equal(tl_future_cancel(second), pending);
    tl_future_unref(second);
    desk_await_released(&desk, 2);
    assert_int_equal(desk.freed, desk.ran);
    desk_close(&desk);
}

static void finished_by_somebody_else(struct contract *contract)
{
    struct desk desk;

    desk_open(&desk, contract);
    tl_future *future = desk_run_job(&desk, NULL, desk_give_pointer);
    assert_int_equal(tl_future_set_result(future, tl_value_int(7)), 0);
    gate_open(&desk.gate);
    desk_await_released(&desk, 1);
    assert_int_equal(desk.freed, 1);
    assert_int_equal(desk_number_of(&desk, future), 7);
    desk_close(&desk);
}

static void an_abandoned_future_leaves_the_job_alone(struct contract *contract)
{
    struct desk desk;

    desk_open(&desk, contract);
    tl_future_detach(desk_run_job(&desk, NULL, desk_give_pointer));
    gate_open(&desk.gate);
    desk_await_released(&desk, 1);
    assert_int_equal(desk.ran, 1);
    assert_int_equal(desk.freed, 1);
    desk_close(&desk);
}

/* --- All at once --- */

enum { STORM = 90 };

struct storm {
    struct desk *desk;
    struct drop {
        struct storm *storm;
        tl_future *future;
        bool ran;
        int posted;
        int released;
    } drops[STORM];
    int ran;
    int released;
};

static void drop_posted(void *arg)
{
    ((struct drop *)arg)->posted++;
}

static int fall(void *arg, tl_value *ret)
{
    struct drop *drop = arg;

    drop->ran = true;
    (void)ret;
    return tl_loop_call_soon_threadsafe(drop->storm->desk->loop, drop_posted, drop, NULL);
}

/* Cancels one that was given much later. */
static void drop_released(void *arg)
{
    struct drop *drop = arg;
    struct storm *storm = drop->storm;
    ptrdiff_t later = drop - storm->drops + 40;

    assert_int_equal(drop->released++, 0);
    assert_int_equal(drop->posted, drop->ran);
    storm->ran += drop->ran;
    if (later < STORM)
        (void)tl_future_cancel(storm->drops[later].future);
    if (++storm->released == STORM)
        tl_loop_stop(storm->desk->loop);
}

/* Which of them run is chance; a replay repeats it. */
static void a_storm_of_jobs_and_cancels(struct contract *contract)
{
    static int recorded;
    tl_executor *executor = tl_thread_pool_executor_new(3, NULL);
    struct storm storm = {.released = 0};
    struct desk desk;

    desk_open(&desk, contract);
    storm.desk = &desk;
    for (int i = 0; i < STORM; i++) {
        struct drop *drop = &storm.drops[i];
        const tl_job job = {.fn = fall, .arg = drop, .release = drop_released};
        drop->storm = &storm;
        drop->future = tl_loop_run_job(desk.loop, i % 4 == 0 ? NULL : executor, &job);
        if (i % 3 == 1)
            assert_true(tl_future_cancel(drop->future));
    }
    assert_int_equal(tl_loop_run_forever(desk.loop), 0);
    assert_true(storm.ran >= 27); /* that many of the first 40 are cancelled by nobody */
    if (contract->reader != NULL)
        assert_int_equal(storm.ran, recorded);
    recorded = storm.ran;
    for (int i = 0; i < STORM; i++)
        tl_future_unref(storm.drops[i].future);
    tl_executor_unref(executor);
    desk_close(&desk);
}

int main(int argc, char **argv)
{
    static const struct contract_case cases[] = {
        CONTRACT(the_result_comes_back),
        CONTRACT(the_error_comes_back),
        CONTRACT(a_value_is_moved_across),
        CONTRACT(no_loop_runs_where_a_job_does),
        CONTRACT(an_out_buffer_is_recorded),
        CONTRACT(an_out_buffer_comes_with_none_or_a_number),
        CONTRACT(what_a_job_posts_runs_before_its_future_is_done),
        CONTRACT(several_jobs_post),
        CONTRACT(one_worker_keeps_the_order),
        CONTRACT_ONLY(threads_have_the_prefix, CONTRACT_REAL),
        CONTRACT(it_is_handed_over_at_once),
        CONTRACT(a_cancelled_job_that_has_not_begun_never_runs),
        CONTRACT(a_cancelled_job_that_has_begun_goes_on),
        CONTRACT(cancelled_once_its_end_is_queued),
        CONTRACT(finished_by_somebody_else),
        CONTRACT(an_abandoned_future_leaves_the_job_alone),
        CONTRACT(a_storm_of_jobs_and_cancels),
    };

    return contract_main(argc, argv, "executor", cases, sizeof cases / sizeof *cases);
}
