/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop on every kernel: the order inside an iteration, stop's one-iteration rule, timers,
 * handles that are cancelled in their own batch, futures and their deferred callbacks, other
 * threads, signals, closing.
 *
 * Each body writes one letter per thing that happened and compares the whole word at the end.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <twinloop.h>

#include "support/diary.h"

static void at(struct diary *diary, tl_time when, tl_callback callback)
{
    assert_int_equal(tl_loop_call_at(diary->loop, when, callback, diary, NULL), 0);
}

/* --- The iteration ---------------------------------------------------------------------------- */

static void soon_before_timers(struct contract *contract)
{
    struct diary diary;
    diary_begin(&diary, contract);
    assert_int_equal(tl_loop_call_later(diary.loop, 0, diary_note_c, &diary, NULL), 0);
    diary_soon(&diary, diary_note_a);
    diary_soon(&diary, diary_note_b);
    diary_turn(&diary);
    diary_close(&diary, "abc");
}

static void requeue(void *arg)
{
    struct diary *diary = arg;
    diary_note(diary, 'r');
    diary_soon(diary, diary_note_a);
}

static void queued_by_the_batch_runs_in_the_next(struct contract *contract)
{
    struct diary diary;
    diary_begin(&diary, contract);
    diary_soon(&diary, requeue);
    diary_turn(&diary);
    assert_string_equal(diary.word, "r");
    diary_turn(&diary);
    diary_close(&diary, "ra");
}

static void stop_finishes_the_batch(struct contract *contract)
{
    struct diary diary;
    diary_begin(&diary, contract);
    diary_soon(&diary, diary_note_a);
    diary_soon(&diary, diary_note_stop);
    diary_soon(&diary, diary_note_b);
    diary_soon(&diary, requeue);
    diary_run(&diary);
    diary_close(&diary, "a.br");
}

static void timers_by_deadline_then_turn(struct contract *contract)
{
    struct diary diary;
    diary_begin(&diary, contract);
    tl_time now = tl_loop_time(diary.loop);
    at(&diary, now + 3 * TL_MILLISECOND, diary_note_stop);
    at(&diary, now + 2 * TL_MILLISECOND, diary_note_b);
    at(&diary, now + 2 * TL_MILLISECOND, diary_note_c);
    at(&diary, now + 1 * TL_MILLISECOND, diary_note_a);
    at(&diary, now + 2 * TL_MILLISECOND, diary_note_b);
    diary_run(&diary);
    diary_close(&diary, "abcb.");
}

static void timer_is_never_early(struct contract *contract)
{
    struct diary diary;
    diary_begin(&diary, contract);
    tl_time when = tl_loop_time(diary.loop) + 1234567;
    at(&diary, when, diary_note_stop);
    diary_run(&diary);
    assert_true(tl_loop_iteration_time(diary.loop) >= when);
    assert_true(tl_loop_time(diary.loop) >= tl_loop_iteration_time(diary.loop));
    tl_loop_free(diary.loop);
}

static void negative_delays_sort_by_deadline(struct contract *contract)
{
    struct diary diary;
    diary_begin(&diary, contract);
    assert_int_equal(tl_loop_call_later(diary.loop, -TL_SECOND, diary_note_a, &diary, NULL), 0);
    assert_int_equal(tl_loop_call_later(diary.loop, -2 * TL_SECOND, diary_note_b, &diary, NULL), 0);
    diary_turn(&diary);
    diary_close(&diary, "ba");
}

static void far_deadlines(struct contract *contract)
{
    struct diary diary;
    diary_begin(&diary, contract);
    at(&diary, TL_TIME_NEVER, diary_note_a);
    at(&diary, TL_TIME_NEVER - 1, diary_note_a);
    at(&diary, INT64_MIN, diary_note_stop);
    diary_run(&diary);
    at(&diary, tl_loop_time(diary.loop) + 1, diary_note_stop);
    diary_run(&diary);
    assert_string_equal(diary.word, "..");
    /* The clock may have started at 0, but by now it is past that. */
    assert_int_equal(tl_loop_call_later(diary.loop, INT64_MAX, diary_note_a, &diary, NULL),
                     -ERANGE);
    tl_loop_free(diary.loop);
}

/* --- Handles ---------------------------------------------------------------------------------- */

/* What the first callback of a batch cancels. */
struct batch {
    struct diary diary;
    tl_handle *handle;
    tl_timer_handle *timer;
};

static void cancel_the_other(void *arg)
{
    struct batch *batch = tl_container_of(arg, struct batch, diary);
    diary_note(&batch->diary, 'x');
    tl_handle_cancel(batch->handle);
}

static void cancelled_inside_its_own_batch(struct contract *contract)
{
    struct batch batch;
    struct diary *diary = &batch.diary;
    diary_begin(diary, contract);
    diary_soon(diary, cancel_the_other);
    assert_int_equal(tl_loop_call_soon(diary->loop, diary_note_a, diary, &batch.handle), 0);
    diary_soon(diary, diary_note_b);
    diary_turn(diary);
    assert_true(tl_handle_cancelled(batch.handle));
    tl_handle_cancel(batch.handle);
    tl_handle_unref(batch.handle);
    diary_close(diary, "xb");
}

static void cancel_after_running(struct contract *contract)
{
    struct diary diary;
    tl_handle *handle;
    diary_begin(&diary, contract);
    assert_int_equal(tl_loop_call_soon(diary.loop, diary_note_a, &diary, &handle), 0);
    diary_turn(&diary);
    assert_false(tl_handle_cancelled(handle));
    tl_handle_cancel(handle);
    assert_true(tl_handle_cancelled(handle));
    tl_handle_unref(handle);
    diary_close(&diary, "a");
}

static void cancel_the_timer(void *arg)
{
    struct batch *batch = tl_container_of(arg, struct batch, diary);
    diary_note(&batch->diary, 'x');
    tl_timer_handle_cancel(batch->timer);
}

static void timer_cancelled_inside_its_own_batch(struct contract *contract)
{
    struct batch batch;
    struct diary *diary = &batch.diary;
    diary_begin(diary, contract);
    tl_time now = tl_loop_time(diary->loop);
    at(diary, now, cancel_the_timer);
    assert_int_equal(tl_loop_call_at(diary->loop, now, diary_note_a, diary, &batch.timer), 0);
    diary_turn(diary);
    assert_true(tl_timer_handle_cancelled(batch.timer));
    assert_int_equal(tl_timer_handle_when(batch.timer), now);
    tl_timer_handle_unref(batch.timer);
    diary_close(diary, "x");
}

static void embedded_timer_moves(struct contract *contract)
{
    struct diary diary;
    struct tl_timer timer;
    diary_begin(&diary, contract);
    tl_time now = tl_loop_time(diary.loop);
    tl_timer_init(&timer, diary.loop, diary_note_a, &diary);
    assert_int_equal(tl_timer_start(&timer, now + TL_MILLISECOND), 0);
    assert_int_equal(tl_timer_start(&timer, now + 3 * TL_MILLISECOND), 0);
    at(&diary, now + 2 * TL_MILLISECOND, diary_note_b);
    at(&diary, now + 3 * TL_MILLISECOND, diary_note_stop);
    assert_true(tl_timer_active(&timer));
    diary_run(&diary);
    assert_string_equal(diary.word, "ba.");
    assert_false(tl_timer_active(&timer));
    assert_int_equal(tl_timer_start(&timer, TL_TIME_NEVER - 1), 0);
    tl_timer_stop(&timer);
    assert_false(tl_timer_active(&timer));
    diary_close(&diary, "ba.");
}

/* --- Futures ---------------------------------------------------------------------------------- */

static void future_noter_a(tl_future *future, void *arg)
{
    assert_true(tl_future_done(future));
    diary_note(arg, 'a');
}

static void future_noter_b(tl_future *future, void *arg)
{
    (void)future;
    diary_note(arg, 'b');
}

static void callbacks_are_deferred_and_in_order(struct contract *contract)
{
    struct diary diary;
    diary_begin(&diary, contract);
    tl_future *future = tl_loop_create_future(diary.loop);
    assert_int_equal(tl_future_add_done_callback(future, future_noter_a, &diary), 0);
    assert_int_equal(tl_future_add_done_callback(future, future_noter_b, &diary), 0);
    assert_int_equal(tl_future_set_result(future, tl_value_int(7)), 0);
    assert_int_equal(tl_future_add_done_callback(future, future_noter_a, &diary), 0);
    assert_string_equal(diary.word, "");
    diary_turn(&diary);
    assert_string_equal(diary.word, "aba");
    tl_future_unref(future);
    tl_loop_free(diary.loop);
}

static void finish_future(void *arg)
{
    struct diary *diary = arg;
    diary_note(diary, 'f');
    assert_int_equal(tl_future_set_result(diary->future, tl_value_int(42)), 0);
}

static void run_until_complete(struct contract *contract)
{
    struct diary diary;
    diary_begin(&diary, contract);
    diary.future = tl_loop_create_future(diary.loop);
    assert_int_equal(tl_loop_call_later(diary.loop, TL_MILLISECOND, finish_future, &diary, NULL),
                     0);
    tl_value value = tl_value_none();
    assert_int_equal(tl_loop_run_until_complete(diary.loop, tl_future_ref(diary.future), &value),
                     0);
    assert_int_equal(value.integer, 42);
    /* A future that is done still costs one iteration, in which everything ready runs. */
    diary_soon(&diary, diary_note_a);
    assert_int_equal(tl_loop_run_until_complete(diary.loop, diary.future, NULL), 0);
    diary_close(&diary, "fa");
}

static void run_until_complete_stopped(struct contract *contract)
{
    struct diary diary;
    diary_begin(&diary, contract);
    diary.future = tl_loop_create_future(diary.loop);
    diary_soon(&diary, diary_note_stop);
    assert_int_equal(tl_loop_run_until_complete(diary.loop, tl_future_ref(diary.future), NULL),
                     TL_ESTOPPED);
    assert_false(tl_future_done(diary.future));
    diary_soon(&diary, finish_future);
    assert_int_equal(tl_loop_run_until_complete(diary.loop, diary.future, NULL), 0);
    diary_close(&diary, ".f");
}

static void try_nested(void *arg)
{
    struct diary *diary = arg;
    diary_note(diary, 'n');
    assert_ptr_equal(tl_get_running_loop(), diary->loop);
    assert_true(tl_loop_is_running(diary->loop));
    assert_int_equal(tl_loop_run_forever(diary->loop), -EALREADY);
    assert_int_equal(tl_loop_close(diary->loop), -EBUSY);
    tl_loop *current = NULL;
    assert_int_equal(tl_get_event_loop(&current), 0);
    assert_ptr_equal(current, diary->loop);
}

static void nesting_is_refused(struct contract *contract)
{
    struct diary diary;
    diary_begin(&diary, contract);
    diary_soon(&diary, try_nested);
    diary_turn(&diary);
    assert_string_equal(diary.word, "n");
    assert_null(tl_get_running_loop());
    assert_int_equal(tl_last_error(), TL_ENORUNNING);
    tl_loop_free(diary.loop);
}

/* --- Other threads ---------------------------------------------------------------------------- */

static void *producer(void *arg)
{
    struct diary *diary = arg;
    (void)tl_loop_call_soon_threadsafe(diary->loop, diary_note_a, diary, NULL);
    (void)tl_loop_call_soon_threadsafe(diary->loop, diary_note_b, diary, NULL);
    (void)tl_loop_call_soon_threadsafe(diary->loop, diary_note_stop, diary, NULL);
    return NULL;
}

static void another_thread_wakes_the_loop(struct contract *contract)
{
    struct diary diary;
    diary_begin(&diary, contract);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, producer, &diary), 0);
    diary_run(&diary);
    assert_int_equal(pthread_join(thread, NULL), 0);
    diary_close(&diary, "ab.");
}

/* --- Signals ---------------------------------------------------------------------------------- */

static void raise_it(void *arg)
{
    struct diary *diary = arg;
    diary_note(diary, 'r');
    assert_int_equal(raise(SIGUSR1), 0);
}

static void signals_become_callbacks(struct contract *contract)
{
    /* On a replay nothing catches the signal that the body raises; ignored, it does no harm there.
     */
    void (*before)(int) = signal(SIGUSR1, SIG_IGN);
    struct diary diary;
    diary_begin(&diary, contract);
    assert_int_equal(tl_loop_add_signal_handler(diary.loop, SIGUSR1, diary_note_stop, &diary), 0);
    diary_soon(&diary, raise_it);
    diary_run(&diary);
    assert_string_equal(diary.word, "r.");
    assert_int_equal(tl_loop_remove_signal_handler(diary.loop, SIGUSR1), 1);
    assert_int_equal(tl_loop_remove_signal_handler(diary.loop, SIGUSR1), 0);
    tl_loop_free(diary.loop);
    assert_ptr_equal(signal(SIGUSR1, before), SIG_IGN);
}

static void bad_signal_numbers(struct contract *contract)
{
    struct diary diary;
    diary_begin(&diary, contract);
    assert_int_equal(tl_loop_add_signal_handler(diary.loop, 0, diary_note_a, &diary), -EINVAL);
    assert_int_equal(tl_loop_add_signal_handler(diary.loop, 65, diary_note_a, &diary), -EINVAL);
    assert_int_equal(tl_loop_add_signal_handler(diary.loop, SIGKILL, diary_note_a, &diary),
                     -EINVAL);
    assert_int_equal(tl_loop_remove_signal_handler(diary.loop, SIGKILL), 0);
    tl_loop_free(diary.loop);
}

/* --- Closing ---------------------------------------------------------------------------------- */

static void close_discards(struct contract *contract)
{
    struct diary diary;
    tl_timer_handle *timer;
    diary_begin(&diary, contract);
    diary_soon(&diary, diary_note_a);
    assert_int_equal(tl_loop_call_later(diary.loop, 0, diary_note_b, &diary, &timer), 0);
    diary.future = tl_loop_create_future(diary.loop);
    assert_int_equal(tl_future_add_done_callback(diary.future, future_noter_a, &diary), 0);
    tl_future *finished = tl_loop_create_future(diary.loop);
    assert_int_equal(tl_future_add_done_callback(finished, future_noter_b, &diary), 0);
    assert_int_equal(tl_future_set_result(finished, tl_value_none()), 0);
    tl_future_unref(finished);

    assert_int_equal(tl_loop_close(diary.loop), 0);
    assert_int_equal(tl_loop_close(diary.loop), 0);
    assert_true(tl_loop_is_closed(diary.loop));
    assert_int_equal(tl_loop_call_soon(diary.loop, diary_note_a, &diary, NULL), TL_ECLOSED);
    assert_int_equal(tl_loop_call_soon_threadsafe(diary.loop, diary_note_a, &diary, NULL),
                     TL_ECLOSED);
    assert_int_equal(tl_loop_call_later(diary.loop, 1, diary_note_a, &diary, NULL), TL_ECLOSED);
    assert_int_equal(tl_loop_run_forever(diary.loop), TL_ECLOSED);
    assert_int_equal(tl_loop_add_signal_handler(diary.loop, SIGUSR1, diary_note_a, &diary),
                     TL_ECLOSED);
    assert_int_equal(tl_loop_remove_signal_handler(diary.loop, SIGUSR1), 0);
    assert_int_equal(tl_future_set_result(diary.future, tl_value_none()), TL_ECLOSED);
    tl_loop_stop(diary.loop);
    (void)tl_loop_time(diary.loop);

    assert_int_equal(tl_future_remove_done_callback(diary.future, future_noter_a, &diary), 1);
    assert_int_equal(tl_future_set_result(diary.future, tl_value_none()), 0);
    tl_future_unref(diary.future);
    tl_timer_handle_unref(timer);
    diary_close(&diary, "");
}

static const struct contract_case cases[] = {
    CONTRACT(soon_before_timers),
    CONTRACT(queued_by_the_batch_runs_in_the_next),
    CONTRACT(stop_finishes_the_batch),
    CONTRACT(timers_by_deadline_then_turn),
    CONTRACT(timer_is_never_early),
    CONTRACT(negative_delays_sort_by_deadline),
    CONTRACT(far_deadlines),
    CONTRACT(cancelled_inside_its_own_batch),
    CONTRACT(cancel_after_running),
    CONTRACT(timer_cancelled_inside_its_own_batch),
    CONTRACT(embedded_timer_moves),
    CONTRACT(callbacks_are_deferred_and_in_order),
    CONTRACT(run_until_complete),
    CONTRACT(run_until_complete_stopped),
    CONTRACT(nesting_is_refused),
    CONTRACT_ONLY(another_thread_wakes_the_loop, CONTRACT_REAL | CONTRACT_REPLAY_REAL),
    CONTRACT_ONLY(signals_become_callbacks, CONTRACT_REAL | CONTRACT_REPLAY_REAL),
    CONTRACT(bad_signal_numbers),
    CONTRACT(close_discards),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "loop", cases, sizeof cases / sizeof cases[0]);
}
