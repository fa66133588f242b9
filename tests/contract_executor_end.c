/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Executors, row loop.set_default_executor and the end of things: loops that are closed under jobs,
 * the default executor and its shutdown, executors that are shut down.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <twinloop.h>
#include <unistd.h>
#include <cmocka.h>
#include "support/desk.h"

/* --- Closing the loop --- */

static void a_closed_loop_refuses(struct contract *contract)
{
    struct desk desk;

    desk_open(&desk, contract);
    assert_int_equal(tl_loop_close(desk.loop), 0);
    desk_expect_failed(desk_run_job(&desk, NULL, desk_answer), TL_ECLOSED, NULL);
    assert_int_equal(desk.released, 1);
    desk_expect_failed(tl_loop_shutdown_default_executor(desk.loop), TL_ECLOSED, NULL);
    desk_close(&desk);
}

static void closing_drops_what_has_not_begun(struct contract *contract)
{
    tl_executor *executor = tl_thread_pool_executor_new(1, NULL);
    struct desk desk;

    desk_open(&desk, contract);
    tl_future *held = desk_run_job(&desk, executor, desk_give_pointer);
    tl_future *queued = desk_run_job(&desk, executor, desk_give_pointer);
    gate_await(&desk.gate, 1);
    gate_open(&desk.gate);
    assert_int_equal(tl_loop_close(desk.loop), 0);
    assert_int_equal(desk.released, 2);
    assert_int_equal(desk.freed, desk.ran);
    if (desk.gate.threaded)
        assert_true(desk.ran >= 1);
    else
        assert_int_equal(desk.ran, 0);
    assert_false(tl_future_done(held));
    assert_false(tl_future_done(queued));
    assert_true(tl_future_cancel(queued));
    tl_future_unref(held);
    tl_future_unref(queued);
    tl_executor_unref(executor);
    desk_close(&desk);
}

static void closing_drops_an_end_that_is_queued(struct contract *contract)
{
    struct desk desk;
    tl_future *futures[JOBS];

    desk_open(&desk, contract);
    gate_open(&desk.gate);
    for (int i = 0; i < JOBS; i++)
        futures[i] = desk_run_job(&desk, NULL, desk_give_bytes);
    /* The first one's end stops the loop, others may be in any state. */
    assert_int_equal(desk_wait(&desk, futures[0], NULL), 0);
    assert_int_equal(tl_loop_close(desk.loop), 0);
    assert_int_equal(desk.released, JOBS);
    for (int i = 1; i < JOBS; i++)
        tl_future_unref(futures[i]);
    desk_close(&desk);
}

/* A forked child has the loop's memory and none of its threads. */
static void a_forked_child_can_close_the_loop(struct contract *contract)
{
    tl_executor *executor = tl_thread_pool_executor_new(2, NULL);
    struct desk desk;
    int status;

    desk_open(&desk, contract);
    assert_int_equal(desk_number_of(&desk, desk_run(&desk, executor, desk_answer)), 0);
    tl_future *held = desk_run_job(&desk, NULL, desk_pass_gate);
    gate_await(&desk.gate, 1);
    pid_t child = fork();
    if (child == 0) {
        tl_executor_unref(executor);
        _exit(tl_loop_close(desk.loop) == 0 && desk.released == 1 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    gate_open(&desk.gate);
    assert_int_equal(desk_number_of(&desk, held), 0);
    tl_executor_unref(executor);
    desk_close(&desk);
}

/* --- The default executor --- */

static void shutting_the_default_down_waits(struct contract *contract)
{
    tl_executor *explicit_one = tl_thread_pool_executor_new(1, NULL);
    tl_executor *executor = tl_thread_pool_executor_new(1, NULL);
    struct desk desk;

    desk_open(&desk, contract);
    assert_int_equal(tl_loop_set_default_executor(desk.loop, executor), 0);
    tl_future *held = desk_run(&desk, NULL, desk_pass_gate);
    tl_future *queued = desk_run(&desk, NULL, desk_answer);
    tl_future *shutdown = tl_loop_shutdown_default_executor(desk.loop);
    tl_future *again = tl_loop_shutdown_default_executor(desk.loop);
    assert_false(tl_future_done(shutdown));
    desk_expect_failed(desk_run_job(&desk, NULL, desk_answer), TL_ESTATE,
                       "Executor shutdown has been called");
    assert_int_equal(desk.released, 1);
    desk_expect_failed(desk_run(&desk, executor, desk_answer), TL_ESTATE,
                       "cannot schedule new futures after shutdown");
    assert_true(tl_future_cancel(again)); /* of one's own wait alone */
    tl_future_unref(again);
    gate_open(&desk.gate);
    assert_int_equal(desk_wait(&desk, shutdown, NULL), 0);
    assert_int_equal(desk.ran, 2);
    assert_int_equal(desk_number_of(&desk, held), 0);
    assert_int_equal(desk_number_of(&desk, queued), 0);

    assert_int_equal(desk_wait(&desk, tl_loop_shutdown_default_executor(desk.loop), NULL), 0);
    assert_int_equal(desk_number_of(&desk, desk_run(&desk, explicit_one, desk_answer)), 0);
    assert_int_equal(tl_loop_set_default_executor(desk.loop, explicit_one), 0);
    desk_expect_failed(desk_run(&desk, NULL, desk_answer), TL_ESTATE,
                       "Executor shutdown has been called");
    tl_executor_unref(explicit_one);
    tl_executor_unref(executor);
    desk_close(&desk);
}

static void shutting_down_what_never_was(struct contract *contract)
{
    struct desk desk;

    desk_open(&desk, contract);
    tl_future *future = tl_loop_shutdown_default_executor(desk.loop);
    assert_true(tl_future_done(future));
    assert_int_equal(desk_wait(&desk, future, NULL), 0);
    desk_expect_failed(desk_run(&desk, NULL, desk_answer), TL_ESTATE,
                       "Executor shutdown has been called");
    desk_close(&desk);
}

static void a_new_default_leaves_the_old_one_alone(struct contract *contract)
{
    tl_executor *first = tl_thread_pool_executor_new(1, "first");
    tl_executor *second = tl_thread_pool_executor_new(1, "second");
    struct desk desk;

    desk_open(&desk, contract);
    assert_int_equal(tl_loop_set_default_executor(desk.loop, NULL), -EINVAL);
    assert_int_equal(tl_loop_set_default_executor(desk.loop, first), 0);
    assert_int_equal(tl_loop_set_default_executor(desk.loop, first), 0);
    assert_int_equal(desk_number_of(&desk, desk_run(&desk, NULL, desk_answer)), 0);
    if (desk.gate.threaded)
        assert_string_equal(desk.thread_name, "first");
    assert_int_equal(tl_loop_set_default_executor(desk.loop, second), 0);
    assert_int_equal(desk_number_of(&desk, desk_run(&desk, NULL, desk_answer)), 0);
    if (desk.gate.threaded)
        assert_string_equal(desk.thread_name, "second");
    assert_int_equal(desk_number_of(&desk, desk_run(&desk, first, desk_answer)), 0);
    tl_executor_unref(first);
    tl_executor_unref(second);
    desk_close(&desk);
}

static void closing_shuts_the_default_down_alone(struct contract *contract)
{
    tl_executor *chosen = tl_thread_pool_executor_new(1, NULL);
    tl_executor *other = tl_thread_pool_executor_new(1, NULL);
    struct desk desk;

    desk_open(&desk, contract);
    assert_int_equal(tl_loop_set_default_executor(desk.loop, chosen), 0);
    assert_int_equal(desk_number_of(&desk, desk_run(&desk, NULL, desk_answer)), 0);
    assert_int_equal(desk_number_of(&desk, desk_run(&desk, other, desk_answer)), 0);
    tl_loop_free(desk.loop);
    desk.loop = contract_loop(contract);
    desk_expect_failed(desk_run(&desk, chosen, desk_answer), TL_ESTATE,
                       "cannot schedule new futures after shutdown");
    assert_int_equal(desk_number_of(&desk, desk_run(&desk, other, desk_answer)), 0);
    tl_executor_unref(chosen);
    tl_executor_unref(other);
    desk_close(&desk);
}

static void set_on_a_closed_loop(struct contract *contract)
{
    tl_executor *executor = tl_thread_pool_executor_new(1, NULL);
    struct desk desk;

    desk_open(&desk, contract);
    assert_int_equal(tl_loop_close(desk.loop), 0);
    assert_int_equal(tl_loop_set_default_executor(desk.loop, executor), 0);
    tl_executor_unref(executor);
    desk_expect_failed(desk_run(&desk, NULL, desk_answer), TL_ECLOSED, NULL);
    desk_close(&desk);
}

/* --- Executors by themselves --- */

static void one_loop_at_a_time(struct contract *contract)
{
    tl_executor *executor = tl_thread_pool_executor_new(1, NULL);
    tl_loop *other = contract_loop(contract);
    struct desk desk;

    desk_open(&desk, contract);
    assert_int_equal(desk_number_of(&desk, desk_run(&desk, executor, desk_answer)), 0);
    desk_expect_failed(tl_loop_run_in_executor(other, executor, desk_answer, &desk), -EBUSY,
                       "another loop uses this executor");
    desk_expect_failed(tl_executor_shutdown(executor, other), -EBUSY, NULL);
    desk_close(&desk);
    tl_value value;
    tl_future *future = tl_loop_run_in_executor(other, executor, desk_answer, &desk);
    assert_int_equal(tl_loop_run_until_complete(other, future, &value), 0);
    assert_int_equal(desk.ran, 2);
    tl_executor_unref(executor);
    tl_loop_free(other);
}

static void an_executor_is_shut_down(struct contract *contract)
{
    tl_executor *executor = tl_thread_pool_executor_new(1, NULL);
    tl_executor *unused = tl_thread_pool_executor_new(1, NULL);
    struct desk desk;

    desk_open(&desk, contract);
    tl_future *held = desk_run(&desk, executor, desk_pass_gate);
    tl_future_detach(tl_executor_shutdown(executor, desk.loop));
    tl_future *shutdown = tl_executor_shutdown(executor, desk.loop);
    desk_expect_failed(desk_run(&desk, executor, desk_answer), TL_ESTATE,
                       "cannot schedule new futures after shutdown");
    assert_false(tl_future_done(shutdown));
    gate_open(&desk.gate);
    assert_int_equal(desk_wait(&desk, shutdown, NULL), 0);
    assert_true(tl_future_done(held));
    assert_int_equal(desk_number_of(&desk, held), 0);
    assert_int_equal(desk_wait(&desk, tl_executor_shutdown(executor, desk.loop), NULL), 0);
    assert_int_equal(desk_wait(&desk, tl_executor_shutdown(unused, desk.loop), NULL), 0);
    tl_executor_unref(executor);
    tl_executor_unref(unused);
    desk_close(&desk);
}

static void closing_leaves_a_shutdown_pending(struct contract *contract)
{
    tl_executor *executor = tl_thread_pool_executor_new(1, NULL);
    struct desk desk;

    desk_open(&desk, contract);
    tl_future *held = desk_run(&desk, executor, desk_pass_gate);
    tl_future *shutdown = tl_executor_shutdown(executor, desk.loop);
    gate_open(&desk.gate);
    assert_int_equal(tl_loop_close(desk.loop), 0);
    assert_false(tl_future_done(shutdown));
    tl_future_unref(shutdown);
    tl_future_unref(held);
    tl_executor_unref(executor);
    desk_close(&desk);
}

static void nonsense_is_refused(struct contract *contract)
{
    struct desk desk;

    desk_open(&desk, contract);
    desk_expect_failed(desk_run_job(&desk, NULL, NULL), -EINVAL, NULL);
    assert_int_equal(desk.released, 1);
    desk_expect_failed(tl_loop_run_job(desk.loop, NULL, &(tl_job){.fn = desk_answer, .out_len = 1}),
                       -EINVAL, NULL);
    assert_null(tl_loop_run_in_executor(NULL, NULL, desk_answer, &desk));
    assert_null(tl_loop_run_job(desk.loop, NULL, NULL));
    assert_null(tl_loop_shutdown_default_executor(NULL));
    assert_null(tl_executor_shutdown(NULL, desk.loop));
    assert_int_equal(tl_loop_set_default_executor(NULL, NULL), -EINVAL);
    tl_executor_unref(NULL);
    tl_executor *executor = tl_thread_pool_executor_new(0, "");
    tl_executor_unref(tl_executor_ref(executor));
    tl_executor_unref(executor);
    desk_close(&desk);
}

int main(int argc, char **argv)
{
    static const struct contract_case cases[] = {
        CONTRACT(a_closed_loop_refuses),
        CONTRACT(closing_drops_what_has_not_begun),
        CONTRACT(closing_drops_an_end_that_is_queued),
        CONTRACT_ONLY(a_forked_child_can_close_the_loop, CONTRACT_REAL),
        CONTRACT(shutting_the_default_down_waits),
        CONTRACT(shutting_down_what_never_was),
        CONTRACT(a_new_default_leaves_the_old_one_alone),
        CONTRACT(closing_shuts_the_default_down_alone),
        CONTRACT(set_on_a_closed_loop),
        CONTRACT(one_loop_at_a_time),
        CONTRACT(an_executor_is_shut_down),
        CONTRACT(closing_leaves_a_shutdown_pending),
        CONTRACT(nonsense_is_refused),
    };

    return contract_main(argc, argv, "executor_end", cases, sizeof cases / sizeof *cases);
}
