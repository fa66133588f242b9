/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call_soon on every kernel: what is scheduled runs once, in order, in the next iteration and not
 * before, unless it is cancelled. Timers are in contract_timers.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/scene.h"
#include "support/step.h"

/* --- call_soon -------------------------------------------------------------------------------- */

static void in_order_and_once(struct contract *contract)
{
    struct diary diary;
    struct step steps[26];
    diary_open(&diary, contract);
    STEPS(steps, &diary);
    for (int i = 0; i < 26; i++)
        step_soon(&steps[i]);
    assert_string_equal(diary.word, ""); /* never inside the call */
    diary_turn(&diary);
    assert_string_equal(diary.word, "abcdefghijklmnopqrstuvwxyz");
    diary_turn(&diary);
    DROP(steps);
    diary_close(&diary, "abcdefghijklmnopqrstuvwxyz");
}

struct tally {
    tl_loop *loop;
    int next;
    int total;
    int again; /* how many more to schedule */
};

struct numbered {
    struct tally *tally;
    int number;
};

static void count_in_order(void *arg)
{
    struct numbered *numbered = arg;
    struct tally *tally = numbered->tally;
    assert_int_equal(numbered->number, tally->next % tally->total);
    tally->next++;
    if (tally->again-- > 0)
        assert_int_equal(tl_loop_call_soon(tally->loop, count_in_order, numbered, NULL), 0);
    else if (tally->again < -tally->total)
        tl_loop_stop(tally->loop);
}

/* More than a loop keeps memory for, each of which schedules itself again. */
static void many_in_flight(struct contract *contract)
{
    enum { TOTAL = 3000, AGAIN = 10 * TOTAL };
    struct tally tally = {.loop = contract_loop(contract), .total = TOTAL, .again = AGAIN};
    struct numbered *numbered = calloc(TOTAL, sizeof *numbered);
    assert_non_null(numbered);
    for (int i = 0; i < TOTAL; i++) {
        numbered[i] = (struct numbered){&tally, i};
        assert_int_equal(tl_loop_call_soon(tally.loop, count_in_order, &numbered[i], NULL), 0);
    }
    tl_loop_stop(tally.loop);
    while (tally.next < TOTAL + AGAIN) {
        tl_loop_stop(tally.loop);
        assert_int_equal(tl_loop_run_forever(tally.loop), 0);
    }
    assert_int_equal(tally.next, TOTAL + AGAIN);
    tl_loop_free(tally.loop);
    free(numbered);
}

static void kept_until_a_run(struct contract *contract)
{
    struct diary diary;
    struct step steps[2];
    diary_open(&diary, contract);
    STEPS(steps, &diary);
    step_soon(&steps[0]);
    diary_turn(&diary);
    step_soon(&steps[1]); /* between two runs */
    assert_string_equal(diary.word, "a");
    diary_turn(&diary);
    DROP(steps);
    diary_close(&diary, "ab");
}

static void then_soon(struct step *step)
{
    step_soon(step->other);
}

/* What a callback schedules is for the next iteration: timers that are due come before it. */
static void from_a_callback(struct contract *contract)
{
    struct diary diary;
    struct step steps[4];
    diary_open(&diary, contract);
    STEPS(steps, &diary);
    steps[0].then = then_soon;
    steps[0].other = &steps[3];
    step_soon(&steps[0]);
    step_soon(&steps[1]);
    step_later(&steps[2], 0);
    diary_turn(&diary);
    assert_string_equal(diary.word, "abc");
    diary_turn(&diary);
    DROP(steps);
    diary_close(&diary, "abcd");
}

static void for_ever(void *arg)
{
    tl_loop *loop = arg;
    assert_int_equal(tl_loop_call_soon(loop, for_ever, loop, NULL), 0);
}

static int close_when_made(struct side *side)
{
    tl_transport_close(side->transport);
    return 0;
}

/* A callback that schedules itself for ever starves neither descriptors nor timers. */
static void for_ever_starves_nothing(struct contract *contract)
{
    struct scene scene;
    struct diary diary = {.len = 0};
    struct step timer = {.diary = &diary, .letter = 't'};
    scene_open(&scene, contract);
    diary.loop = scene.loop;
    for_ever(scene.loop);
    step_later(&timer, 1);
    scene.client.hooks.made = close_when_made;
    scene_play(&scene);
    assert_string_equal(diary.word, "t");
    assert_log(&scene.client, "made lost released");
    tl_timer_handle_unref(timer.timer);
    scene_close(&scene);
}

/* --- Cancelling ------------------------------------------------------------------------------- */

static void then_cancel(struct step *step)
{
    tl_handle_cancel(step->other->handle);
    tl_timer_handle_cancel(step->other->timer);
}

static void cancelled_before_its_turn(struct contract *contract)
{
    struct diary diary;
    struct step steps[5];
    diary_open(&diary, contract);
    STEPS(steps, &diary);
    for (int i = 0; i < 5; i++)
        step_soon(&steps[i]);
    steps[1].then = then_cancel; /* the next one, in the same batch */
    steps[1].other = &steps[2];
    steps[3].then = then_cancel; /* itself, too late */
    steps[3].other = &steps[3];
    steps[4].then = then_cancel; /* one that has run */
    steps[4].other = &steps[1];
    tl_handle_cancel(steps[0].handle);
    tl_handle_cancel(steps[0].handle);
    diary_turn(&diary);
    for (int i = 0; i < 4; i++)
        assert_true(tl_handle_cancelled(steps[i].handle));
    assert_false(tl_handle_cancelled(steps[4].handle));
    tl_handle_cancel(NULL);
    tl_timer_handle_cancel(NULL);
    diary_turn(&diary);
    DROP(steps);
    diary_close(&diary, "bde");
}

static void a_handle_may_outlive_everything(struct contract *contract)
{
    struct diary diary;
    struct step steps[4];
    diary_open(&diary, contract);
    STEPS(steps, &diary);
    step_soon(&steps[0]);
    diary_turn(&diary);
    step_soon(&steps[1]);
    step_later(&steps[2], 0);
    step_at(&steps[3], 7);
    assert_ptr_equal(tl_handle_ref(steps[1].handle), steps[1].handle);
    assert_ptr_equal(tl_timer_handle_ref(steps[3].timer), steps[3].timer);
    diary_close(&diary, "a");
    tl_handle_cancel(steps[0].handle);
    tl_handle_cancel(steps[1].handle);
    tl_timer_handle_cancel(steps[2].timer);
    assert_true(tl_handle_cancelled(steps[1].handle));
    assert_true(tl_timer_handle_cancelled(steps[2].timer));
    assert_int_equal(tl_timer_handle_when(steps[3].timer), 7);
    tl_handle_unref(steps[1].handle);
    tl_timer_handle_unref(steps[3].timer);
    DROP(steps);
}

static void try_call_soon(void *arg)
{
    tl_loop *loop = arg;
    assert_true(tl_loop_is_closed(loop));
    assert_int_equal(tl_loop_call_soon(loop, try_call_soon, loop, NULL), TL_ECLOSED);
}

static void ignore(tl_future *future, void *arg)
{
    (void)future;
    (void)arg;
}

/* What a closing loop lets go of finds it closed, also if it has kept memory of earlier handles. */
static void nothing_is_scheduled_on_a_closing_loop(struct contract *contract)
{
    struct diary diary;
    struct step steps[2];
    diary_open(&diary, contract);
    STEPS(steps, &diary);
    for (int i = 0; i < 2; i++)
        step_soon(&steps[i]);
    DROP(steps);
    diary_turn(&diary);
    tl_future *future = tl_loop_create_future(diary.loop);
    assert_int_equal(tl_future_add_done_callback(future, ignore, NULL), 0);
    tl_value value = tl_value_pointer(diary.loop, try_call_soon);
    assert_int_equal(tl_future_set_result(future, value), 0);
    tl_future_unref(future); /* the callback has the last reference, and will not run */
    diary_close(&diary, "ab");
}

/* By what comes before them in the batch in which they are due. */
static void due_timers_are_cancelled(struct contract *contract)
{
    struct diary diary;
    struct step steps[6];
    diary_open(&diary, contract);
    STEPS(steps, &diary);
    tl_time now = tl_loop_time(diary.loop);
    for (int i = 0; i < 2; i++) {
        steps[i].then = then_cancel;
        steps[i].other = &steps[i + 2];
        step_soon(&steps[i]);
    }
    steps[1].other = &steps[3];
    for (int i = 2; i < 6; i++)
        step_at(&steps[i], now);
    steps[4].then = then_cancel; /* its neighbour */
    steps[4].other = &steps[5];
    diary_turn(&diary);
    diary_turn(&diary);
    for (int i = 2; i < 6; i++) {
        assert_int_equal(tl_timer_handle_cancelled(steps[i].timer), i != 4);
        assert_int_equal(tl_timer_handle_when(steps[i].timer), now);
    }
    DROP(steps);
    diary_close(&diary, "abe");
}

/* Too late to matter, and its memory stays until it has returned. */
static void then_cancel_itself(struct step *step)
{
    then_cancel(step);
    tl_handle_unref(step->handle);
    tl_timer_handle_unref(step->timer);
    step->handle = NULL;
    step->timer = NULL;
}

static void a_callback_cancels_itself(struct contract *contract)
{
    struct diary diary;
    struct step steps[4];
    diary_open(&diary, contract);
    STEPS(steps, &diary);
    for (int i = 0; i < 4; i++) {
        steps[i].then = i % 2 == 0 ? then_cancel_itself : NULL;
        steps[i].other = &steps[i];
    }
    step_soon(&steps[0]);
    step_soon(&steps[1]);
    step_later(&steps[2], 0);
    step_later(&steps[3], 0);
    diary_turn(&diary);
    diary_turn(&diary);
    DROP(steps);
    diary_close(&diary, "abcd");
}

static const struct contract_case cases[] = {
    CONTRACT(in_order_and_once),
    CONTRACT(many_in_flight),
    CONTRACT(kept_until_a_run),
    CONTRACT(from_a_callback),
    CONTRACT(for_ever_starves_nothing),
    CONTRACT(cancelled_before_its_turn),
    CONTRACT(a_handle_may_outlive_everything),
    CONTRACT(nothing_is_scheduled_on_a_closing_loop),
    CONTRACT(due_timers_are_cancelled),
    CONTRACT(a_callback_cancels_itself),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "schedule", cases, sizeof cases / sizeof cases[0]);
}
