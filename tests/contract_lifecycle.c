/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A loop's life on every kernel: running in its two ways with all their refusals, stopping, closing
 * and what a closed loop still answers, callbacks that do to their loop what they can.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <twinloop.h>
#include <twinloop/kernel.h>

#include "support/contract.h"

struct life {
    tl_loop *loop;
    tl_loop *other;
    tl_future *future;
    int turns;
    int results[8];
};

static void open_life(struct life *life, struct contract *contract)
{
    *life = (struct life){.loop = contract_loop(contract)};
}

static void soon(struct life *life, tl_callback callback)
{
    assert_int_equal(tl_loop_call_soon(life->loop, callback, life, NULL), 0);
}

static void count(void *arg)
{
    ((struct life *)arg)->turns++;
}

static void stop(void *arg)
{
    tl_loop_stop(((struct life *)arg)->loop);
}

/* Schedules itself for ever. */
static void for_ever(void *arg)
{
    count(arg);
    soon(arg, for_ever);
}

/* --- Running ---------------------------------------------------------------------------------- */

static void look_around(void *arg)
{
    struct life *life = arg;
    life->results[0] = tl_loop_is_running(life->loop);
    life->results[1] = tl_get_running_loop() == life->loop;
    life->results[2] = tl_loop_run_forever(life->loop);
    life->results[3] = tl_loop_run_forever(life->other);
    life->results[4] =
        tl_loop_run_until_complete(life->other, tl_loop_create_future(life->other), NULL);
    life->results[5] =
        tl_loop_run_until_complete(life->loop, tl_loop_create_future(life->loop), NULL);
    life->results[6] = tl_loop_close(life->loop);
    tl_loop_free(life->loop); /* refused as well, and without a word */
    life->results[7] = tl_loop_is_closed(life->loop);
    stop(life);
}

static void what_a_running_loop_says(struct contract *contract)
{
    static const int expected[8] = {1, 1, -EALREADY, -EBUSY, -EBUSY, -EALREADY, -EBUSY, 0};
    struct life life;
    open_life(&life, contract);
    life.other = contract_loop(contract);
    assert_false(tl_loop_is_running(life.loop));
    soon(&life, look_around);
    assert_int_equal(tl_loop_run_forever(life.loop), 0);
    assert_memory_equal(life.results, expected, sizeof expected);
    assert_false(tl_loop_is_running(life.loop));
    assert_false(tl_loop_is_closed(life.loop));
    tl_loop_free(life.other);
    tl_loop_free(life.loop);
}

static void running_refuses_in_order(struct contract *contract)
{
    struct life life;
    open_life(&life, contract);
    life.other = contract_loop(contract);
    assert_int_equal(tl_loop_run_forever(NULL), -EINVAL);
    assert_int_equal(tl_loop_run_until_complete(life.loop, NULL, NULL), -EINVAL);
    assert_int_equal(tl_loop_run_until_complete(life.loop, tl_loop_create_future(life.other), NULL),
                     -EINVAL);
    assert_int_equal(tl_loop_close(life.loop), 0);
    assert_int_equal(tl_loop_run_until_complete(life.loop, NULL, NULL), TL_ECLOSED);
    assert_int_equal(tl_loop_run_forever(life.loop), TL_ECLOSED);
    tl_loop_free(life.other);
    tl_loop_free(life.loop);
}

static void finish(void *arg)
{
    assert_int_equal(tl_future_set_result(((struct life *)arg)->future, tl_value_int(7)), 0);
}

/* asyncio: the batch in which the future's end stops the loop is completed. */
static void the_last_batch_is_completed(struct contract *contract)
{
    struct life life;
    tl_value value;
    open_life(&life, contract);
    life.future = tl_loop_create_future(life.loop);
    soon(&life, finish);
    soon(&life, count);
    assert_int_equal(tl_loop_run_until_complete(life.loop, life.future, &value), 0);
    assert_int_equal(value.integer, 7);
    assert_int_equal(life.turns, 1);
    tl_loop_free(life.loop);
}

/* asyncio: a future that is done costs an iteration all the same. */
static void a_done_future_costs_an_iteration(struct contract *contract)
{
    struct life life;
    open_life(&life, contract);
    tl_future *future = tl_loop_create_future(life.loop);
    assert_int_equal(tl_future_set_exception(future, -EIO, NULL), 0);
    soon(&life, count);
    assert_int_equal(tl_loop_run_until_complete(life.loop, future, NULL), -EIO);
    assert_int_equal(life.turns, 1);
    future = tl_loop_create_future(life.loop);
    assert_true(tl_future_cancel(future));
    assert_int_equal(tl_loop_run_until_complete(life.loop, future, NULL), -ECANCELED);
    tl_loop_free(life.loop);
}

/* asyncio: a run that was stopped leaves no trace on the future, which can be run again. */
static void a_stopped_run_can_be_repeated(struct contract *contract)
{
    struct life life;
    open_life(&life, contract);
    life.future = tl_loop_create_future(life.loop);
    soon(&life, stop);
    assert_int_equal(tl_loop_run_until_complete(life.loop, tl_future_ref(life.future), NULL),
                     TL_ESTOPPED);
    assert_false(tl_future_done(life.future));
    soon(&life, finish);
    soon(&life, count);
    assert_int_equal(tl_loop_run_until_complete(life.loop, life.future, NULL), 0);
    soon(&life, count);
    soon(&life, stop);
    assert_int_equal(tl_loop_run_forever(life.loop), 0); /* not stopped by what is left over */
    assert_int_equal(life.turns, 2);
    tl_loop_free(life.loop);
}

/* The real kernel would wait for ever, as asyncio does. */
static void nothing_can_ever_wake_it(struct contract *contract)
{
    struct life life;
    open_life(&life, contract);
    assert_int_equal(tl_loop_run_forever(life.loop), TL_EDEADLOCK);
    tl_future *future = tl_loop_create_future(life.loop);
    assert_int_equal(tl_loop_run_until_complete(life.loop, tl_future_ref(future), NULL),
                     TL_EDEADLOCK);
    assert_false(tl_future_done(future));
    tl_future_unref(future);
    tl_loop_free(life.loop);
}

/* --- Stopping --------------------------------------------------------------------------------- */

static void stopped_before_it_runs(struct contract *contract)
{
    struct life life;
    open_life(&life, contract);
    soon(&life, for_ever);
    tl_loop_stop(life.loop);
    tl_loop_stop(life.loop); /* several are one */
    assert_int_equal(tl_loop_run_forever(life.loop), 0);
    assert_int_equal(life.turns, 1); /* one iteration, which did not wait */
    soon(&life, stop);
    assert_int_equal(tl_loop_run_forever(life.loop), 0);
    assert_int_equal(life.turns, 2); /* and the stop was used up */
    tl_loop_free(life.loop);
}

static void what_is_queued_survives_between_runs(struct contract *contract)
{
    struct life life;
    open_life(&life, contract);
    soon(&life, stop);
    soon(&life, for_ever);
    for (int run = 1; run <= 3; run++) {
        assert_int_equal(tl_loop_run_forever(life.loop), 0);
        assert_int_equal(life.turns, run);
        tl_loop_stop(life.loop);
    }
    tl_loop_free(life.loop);
}

static void a_timer_ends_what_goes_on_for_ever(struct contract *contract)
{
    struct life life;
    open_life(&life, contract);
    soon(&life, for_ever);
    assert_int_equal(tl_loop_call_later(life.loop, 1000, stop, &life, NULL), 0);
    assert_int_equal(tl_loop_run_forever(life.loop), 0);
    assert_true(life.turns > 0);
    tl_loop_free(life.loop);
}

/* --- Closing ---------------------------------------------------------------------------------- */

static int never_run(void *arg, tl_value *ret)
{
    (void)ret;
    count(arg);
    return 0;
}

static void closed_loops_refuse(struct contract *contract)
{
    struct life life;
    open_life(&life, contract);
    tl_loop *loop = life.loop;
    tl_loop_set_debug(loop, false);
    tl_time now = tl_loop_time(loop);
    assert_int_equal(tl_loop_close(loop), 0);
    assert_int_equal(tl_loop_close(loop), 0); /* again does nothing */
    assert_true(tl_loop_is_closed(loop));
    assert_false(tl_loop_is_running(loop));
    assert_null(tl_loop_kernel(loop));

    const tl_coro coro = {.run = never_run, .arg = &life};
    assert_int_equal(tl_loop_call_soon(loop, count, &life, NULL), TL_ECLOSED);
    assert_int_equal(tl_loop_call_soon_threadsafe(loop, count, &life, NULL), TL_ECLOSED);
    assert_int_equal(tl_loop_call_later(loop, 1, count, &life, NULL), TL_ECLOSED);
    assert_int_equal(tl_loop_call_at(loop, 1, count, &life, NULL), TL_ECLOSED);
    assert_int_equal(tl_loop_create_task(loop, &coro, NULL, NULL), TL_ECLOSED);
    assert_int_equal(tl_loop_add_signal_handler(loop, SIGUSR1, count, &life), TL_ECLOSED);
    assert_int_equal(tl_loop_remove_signal_handler(loop, SIGUSR1), 0);

    tl_loop_stop(loop);
    assert_true(tl_loop_time(loop) >= now);
    assert_false(tl_loop_get_debug(loop));
    tl_future *future = tl_loop_create_future(loop);
    assert_false(tl_future_done(future));
    tl_future_unref(future);
    assert_int_equal(life.turns, 0);
    tl_loop_free(loop);
    tl_loop_free(NULL);
    assert_int_equal(tl_loop_close(NULL), -EINVAL);
}

static void closing_calls_nothing(struct contract *contract)
{
    struct life life;
    tl_handle *handle;
    tl_timer_handle *timer;
    open_life(&life, contract);
    life.future = tl_loop_create_future(life.loop);
    soon(&life, count);
    assert_int_equal(tl_loop_call_soon(life.loop, count, &life, &handle), 0);
    assert_int_equal(tl_loop_call_later(life.loop, 0, count, &life, &timer), 0);
    assert_int_equal(tl_loop_close(life.loop), 0);
    assert_int_equal(life.turns, 0);
    assert_false(tl_future_done(life.future)); /* pending futures stay pending */
    tl_handle_cancel(handle);
    tl_timer_handle_cancel(timer);
    assert_true(tl_handle_cancelled(handle));
    tl_handle_unref(handle);
    tl_timer_handle_unref(timer);
    tl_loop_free(life.loop); /* the memory stays while the future does */
    assert_ptr_equal(tl_future_get_loop(life.future), life.loop);
    tl_future_unref(life.future);
}

static const struct contract_case cases[] = {
    CONTRACT(what_a_running_loop_says),
    CONTRACT(running_refuses_in_order),
    CONTRACT(the_last_batch_is_completed),
    CONTRACT(a_done_future_costs_an_iteration),
    CONTRACT(a_stopped_run_can_be_repeated),
    CONTRACT_ONLY(nothing_can_ever_wake_it, CONTRACT_SIM | CONTRACT_REPLAY_SIM),
    CONTRACT(stopped_before_it_runs),
    CONTRACT(what_is_queued_survives_between_runs),
    CONTRACT(a_timer_ends_what_goes_on_for_ever),
    CONTRACT(closed_loops_refuse),
    CONTRACT(closing_calls_nothing),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "lifecycle", cases, sizeof cases / sizeof cases[0]);
}
