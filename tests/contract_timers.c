/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call_later, call_at and embedded timers on every kernel: by deadline and turn, never early,
 * whatever is done to them while others run; and what call_soon, call_later and call_at refuse.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/patch.h"
#include "support/scene.h"
#include "support/step.h"

/* --- call_later and call_at ------------------------------------------------------------------- */

static void no_delay_is_behind_what_is_queued(struct contract *contract)
{
    struct diary diary;
    struct step steps[3];
    diary_open(&diary, contract);
    STEPS(steps, &diary);
    step_later(&steps[2], 0);
    step_soon(&steps[0]);
    step_soon(&steps[1]);
    diary_turn(&diary);
    DROP(steps);
    diary_close(&diary, "abc");
}

static void past_deadlines_sort(struct contract *contract)
{
    struct diary diary;
    struct step steps[6];
    diary_open(&diary, contract);
    STEPS(steps, &diary);
    tl_time now = tl_loop_time(diary.loop);
    step_later(&steps[5], 0);
    step_at(&steps[4], now - 1);
    step_later(&steps[3], -TL_SECOND);
    step_later(&steps[2], -2 * TL_SECOND);
    step_at(&steps[1], INT64_MIN + 1);
    step_at(&steps[0], INT64_MIN);
    diary_turn(&diary);
    DROP(steps);
    diary_close(&diary, "abcdef");
}

static void then_stop(struct step *step)
{
    tl_loop_stop(step->diary->loop);
}

static void equal_deadlines_by_turn(struct contract *contract)
{
    struct diary diary;
    struct step steps[26];
    diary_open(&diary, contract);
    STEPS(steps, &diary);
    tl_time when = tl_loop_time(diary.loop) + TL_MILLISECOND;
    for (int i = 0; i < 26; i++)
        step_at(&steps[i], when);
    steps[25].then = then_stop;
    assert_int_equal(tl_loop_run_forever(diary.loop), 0);
    assert_true(tl_loop_iteration_time(diary.loop) >= when);
    DROP(steps);
    diary_close(&diary, "abcdefghijklmnopqrstuvwxyz");
}

static void then_at(struct step *step)
{
    step_at(step->other, step->other->when);
}

/* A deadline that has passed is for the next iteration, where it comes behind what is queued. */
static void the_past_is_the_next_iteration(struct contract *contract)
{
    struct diary diary;
    struct step steps[5];
    diary_open(&diary, contract);
    STEPS(steps, &diary);
    tl_time now = tl_loop_time(diary.loop);
    steps[0].then = then_at; /* from call_soon, to before another one that is due */
    steps[0].other = &steps[4];
    steps[4].when = now - TL_SECOND;
    steps[1].then = then_at; /* from a timer, to before itself */
    steps[1].other = &steps[3];
    steps[3].when = now - 2 * TL_SECOND;
    step_soon(&steps[0]);
    step_at(&steps[1], now);
    step_at(&steps[2], now);
    diary_turn(&diary);
    assert_string_equal(diary.word, "abc");
    diary_turn(&diary);
    DROP(steps);
    diary_close(&diary, "abcde");
}

static void never_fires(struct contract *contract)
{
    struct diary diary;
    struct step steps[3];
    diary_open(&diary, contract);
    STEPS(steps, &diary);
    step_at(&steps[0], TL_TIME_NEVER);
    step_at(&steps[1], TL_TIME_NEVER - 1);
    steps[2].then = then_stop;
    step_later(&steps[2], TL_MILLISECOND);
    assert_int_equal(tl_loop_run_forever(diary.loop), 0);
    assert_int_equal(tl_timer_handle_when(steps[0].timer), TL_TIME_NEVER);
    tl_timer_handle_cancel(steps[0].timer);
    assert_true(tl_timer_handle_cancelled(steps[0].timer));
    DROP(steps);
    diary_close(&diary, "c");
}

/* What poll was asked for; it does not wait. */
struct waiting {
    struct kernel_patch patch;
    tl_loop *loop;
    tl_time timeout;
};

static int note_wait(struct tl_kernel *kernel, tl_time timeout, struct tl_event *events, int count)
{
    struct waiting *waiting = tl_container_of(kernel_patch(kernel), struct waiting, patch);
    waiting->timeout = timeout;
    tl_loop_stop(waiting->loop);
    return waiting->patch.inner->poll(kernel, 0, events, count);
}

/* asyncio: however far the next timer is, a wait takes a day at most. */
static void a_wait_is_at_most_a_day(struct contract *contract)
{
    static const tl_time day = 86400 * TL_SECOND;
    static const tl_time delays[] = {TL_SECOND, 86399 * TL_SECOND, 86401 * TL_SECOND,
                                     INT64_MAX / 2};
    struct diary diary = {.loop = contract_loop(contract)};
    struct waiting waiting = {.loop = diary.loop};
    struct step steps[4];
    STEPS(steps, &diary);
    kernel_patch_apply(&waiting.patch, tl_loop_kernel(diary.loop));
    waiting.patch.ops.poll = note_wait;
    assert_int_equal(tl_loop_run_forever(diary.loop), 0);
    assert_true(waiting.timeout < 0);
    for (int i = 3; i >= 0; i--) {
        step_later(&steps[i], delays[i]);
        assert_int_equal(tl_loop_run_forever(diary.loop), 0);
        tl_time most = delays[i] < day ? delays[i] : day;
        assert_in_range(waiting.timeout, most - 500 * TL_SECOND < 0 ? 0 : most - 500 * TL_SECOND,
                        most);
    }
    DROP(steps);
    diary_close(&diary, "");
}

static void when_stays(struct contract *contract)
{
    struct diary diary;
    struct step steps[3];
    diary_open(&diary, contract);
    STEPS(steps, &diary);
    tl_time before = tl_loop_time(diary.loop);
    step_later(&steps[0], 5);
    tl_time after = tl_loop_time(diary.loop);
    step_at(&steps[1], before - 3);
    step_at(&steps[2], before - 2);
    assert_in_range(tl_timer_handle_when(steps[0].timer), before + 5, after + 5);
    tl_timer_handle_cancel(steps[2].timer);
    steps[0].then = then_stop;
    assert_int_equal(tl_loop_run_forever(diary.loop), 0);
    assert_in_range(tl_timer_handle_when(steps[0].timer), before + 5, after + 5);
    assert_int_equal(tl_timer_handle_when(steps[1].timer), before - 3);
    assert_false(tl_timer_handle_cancelled(steps[1].timer));
    tl_timer_handle_cancel(steps[1].timer); /* too late */
    assert_true(tl_timer_handle_cancelled(steps[1].timer));
    assert_int_equal(tl_timer_handle_when(steps[1].timer), before - 3);
    assert_int_equal(tl_timer_handle_when(steps[2].timer), before - 2);
    DROP(steps);
    diary_close(&diary, "ba");
}

/* Timers in no order, many of them equal, must come in the order of (deadline, turn). */
struct unordered {
    tl_time when;
    int turn;
    struct unordered **last;
    int *ran;
};

static void expect_order(void *arg)
{
    struct unordered *one = arg;
    const struct unordered *last = *one->last;
    assert_true(last == NULL || last->when < one->when ||
                (last->when == one->when && last->turn < one->turn));
    *one->last = one;
    ++*one->ran;
}

static void many_in_no_order(struct contract *contract)
{
    enum { TOTAL = 2000 };
    tl_loop *loop = contract_loop(contract);
    tl_time now = tl_loop_time(loop);
    struct unordered *timers = calloc(TOTAL, sizeof *timers);
    struct unordered *last = NULL;
    tl_timer_handle *handle;
    uint64_t random = 1;
    int ran = 0, expected = 0;
    assert_non_null(timers);
    for (int i = 0; i < TOTAL; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        timers[i] = (struct unordered){now - (tl_time)((random >> 33) % 300), i, &last, &ran};
        assert_int_equal(tl_loop_call_at(loop, timers[i].when, expect_order, &timers[i], &handle),
                         0);
        if (random >> 62 == 0)
            tl_timer_handle_cancel(handle);
        else
            expected++;
        tl_timer_handle_unref(handle);
    }
    tl_loop_stop(loop);
    assert_int_equal(tl_loop_run_forever(loop), 0);
    assert_int_equal(ran, expected);
    tl_loop_free(loop);
    free(timers);
}

/* asyncio's hygiene: nearly all are cancelled, and those that are left keep their order. */
static void many_are_cancelled(struct contract *contract)
{
    enum { TOTAL = 5000 };
    struct diary diary;
    struct step steps[3];
    tl_timer_handle **handles = calloc(TOTAL, sizeof *handles);
    assert_non_null(handles);
    diary_open(&diary, contract);
    STEPS(steps, &diary);
    steps[2].then = then_stop;
    tl_time now = tl_loop_time(diary.loop);
    for (int i = 0; i < TOTAL; i++) {
        if (i % 2000 == 0)
            step_at(&steps[2 - i / 2000], now + (3 - i / 2000) * TL_MILLISECOND);
        assert_int_equal(tl_loop_call_at(diary.loop, now + i, diary_note_x, &diary, &handles[i]),
                         0);
    }
    for (int i = 0; i < TOTAL; i++) {
        tl_timer_handle_cancel(handles[i]);
        tl_timer_handle_unref(handles[i]);
    }
    assert_int_equal(tl_loop_run_forever(diary.loop), 0);
    free(handles);
    DROP(steps);
    diary_close(&diary, "abc");
}

/* --- Embedded timers -------------------------------------------------------------------------- */

static void embed(struct step *step)
{
    step->embedded = malloc(sizeof *step->embedded);
    assert_non_null(step->embedded);
    tl_timer_init(step->embedded, step->diary->loop, step_run, step);
}

static void start(struct step *step, tl_time when)
{
    assert_int_equal(tl_timer_start(step->embedded, when), 0);
    assert_true(tl_timer_active(step->embedded));
}

static void then_free(struct step *step)
{
    tl_timer_stop(step->other->embedded);
    free(step->other->embedded);
    step->other->embedded = NULL;
}

/* In the batch in which all of them are due. */
static void timers_are_freed_in_callbacks(struct contract *contract)
{
    struct diary diary;
    struct step steps[6];
    diary_open(&diary, contract);
    STEPS(steps, &diary);
    tl_time now = tl_loop_time(diary.loop);
    for (int i = 1; i < 6; i++) {
        embed(&steps[i]);
        start(&steps[i], now);
        steps[i].then = then_free; /* itself */
        steps[i].other = &steps[i];
    }
    steps[0].then = then_free; /* one that is due, from before the timers */
    steps[0].other = &steps[2];
    steps[3].other = &steps[4]; /* the next one */
    step_soon(&steps[0]);
    diary_turn(&diary);
    diary_turn(&diary);
    assert_null(steps[1].embedded);
    assert_false(tl_timer_active(steps[3].embedded));
    free(steps[3].embedded);
    DROP(steps);
    diary_close(&diary, "abdf");
}

static void then_start(struct step *step)
{
    if (step->left-- > 0)
        start(step->other, step->other->when);
}

/* A timer that is started again for the past runs once in an iteration, no more. */
static void started_again_in_callbacks(struct contract *contract)
{
    struct diary diary;
    struct step steps[3];
    diary_open(&diary, contract);
    STEPS(steps, &diary);
    tl_time now = tl_loop_time(diary.loop);
    for (int i = 0; i < 3; i++) {
        embed(&steps[i]);
        start(&steps[i], now);
        steps[i].when = now;
        steps[i].then = then_start;
        steps[i].other = &steps[i];
    }
    steps[0].left = 2; /* itself, again and again */
    steps[1].left = 1; /* the next one, which is due, and is put off by that */
    steps[1].other = &steps[2];
    diary_turn(&diary);
    assert_string_equal(diary.word, "ab");
    diary_turn(&diary);
    assert_string_equal(diary.word, "abac");
    diary_turn(&diary);
    diary_turn(&diary);
    for (int i = 0; i < 3; i++)
        free(steps[i].embedded);
    DROP(steps);
    diary_close(&diary, "abaca");
}

/* Later is lazy inside, earlier is not; what comes out is the same. */
static void moved_before_they_are_due(struct contract *contract)
{
    struct diary diary;
    struct step steps[5];
    diary_open(&diary, contract);
    STEPS(steps, &diary);
    tl_time now = tl_loop_time(diary.loop);
    for (int i = 0; i < 5; i++) {
        embed(&steps[i]);
        start(&steps[i], now + (5 - i) * TL_MILLISECOND);
    }
    start(&steps[4], now + 6 * TL_MILLISECOND); /* later */
    start(&steps[4], now + 5 * TL_MILLISECOND); /* and some of that back, behind its equal */
    start(&steps[0], now + 4 * TL_MILLISECOND); /* earlier, behind its equal */
    start(&steps[3], now + 4 * TL_MILLISECOND); /* later, behind both */
    start(&steps[2], now + 3 * TL_MILLISECOND); /* where it is */
    steps[4].then = then_stop;
    assert_int_equal(tl_loop_run_forever(diary.loop), 0);
    assert_true(tl_loop_iteration_time(diary.loop) >= now + 5 * TL_MILLISECOND);
    for (int i = 0; i < 5; i++) {
        assert_false(tl_timer_active(steps[i].embedded));
        free(steps[i].embedded);
    }
    DROP(steps);
    diary_close(&diary, "cbade");
}

/* --- Refusals --------------------------------------------------------------------------------- */

static void expect_refused(tl_loop *loop, tl_callback callback, int r)
{
    tl_handle *const no_handle = (tl_handle *)&diary_note_x;
    tl_timer_handle *const no_timer = (tl_timer_handle *)&diary_note_x;
    tl_handle *handle = no_handle;
    tl_timer_handle *timer = no_timer;
    assert_int_equal(tl_loop_call_soon(loop, callback, NULL, &handle), r);
    assert_int_equal(tl_loop_call_soon_threadsafe(loop, callback, NULL, &handle), r);
    assert_int_equal(tl_loop_call_later(loop, 1, callback, NULL, &timer), r);
    assert_int_equal(tl_loop_call_later(loop, -1, callback, NULL, &timer), r);
    assert_int_equal(tl_loop_call_at(loop, 1, callback, NULL, &timer), r);
    assert_ptr_equal(handle, no_handle);
    assert_ptr_equal(timer, no_timer);
}

static void what_is_refused(struct contract *contract)
{
    struct diary diary;
    struct step steps[2];
    diary_open(&diary, contract);
    STEPS(steps, &diary);
    expect_refused(NULL, diary_note_x, -EINVAL);
    expect_refused(diary.loop, NULL, -EINVAL);
    /* The clock may have started at 0, but after this it is past that. */
    step_later(&steps[0], TL_MILLISECOND);
    steps[0].then = then_stop;
    assert_int_equal(tl_loop_run_forever(diary.loop), 0);
    tl_timer_handle *timer = NULL;
    assert_int_equal(tl_loop_call_later(diary.loop, INT64_MAX, diary_note_x, &diary, &timer),
                     -ERANGE);
    assert_null(timer);
    embed(&steps[1]);
    assert_int_equal(tl_loop_close(diary.loop), 0);
    expect_refused(diary.loop, diary_note_x, TL_ECLOSED);
    assert_int_equal(tl_timer_start(steps[1].embedded, 1), TL_ECLOSED);
    assert_false(tl_timer_active(steps[1].embedded));
    tl_timer_stop(steps[1].embedded);
    free(steps[1].embedded);
    DROP(steps);
    diary_close(&diary, "a");
}

/* --- Without memory --------------------------------------------------------------------------- */

static void count_one(void *arg)
{
    ++*(int *)arg;
}

/* What could be scheduled runs, and nothing else. */
static void whichever_allocation_fails(struct contract *contract)
{
    tl_loop *loop = contract_loop(contract);
    tl_time now = tl_loop_time(loop);
    int accepted = 0, ran = 0;
    ladder_arm(contract->ladder);
    for (int i = 0; i < 60; i++) {
        accepted += tl_loop_call_soon(loop, count_one, &ran, NULL) == 0;
        accepted += tl_loop_call_at(loop, now - i, count_one, &ran, NULL) == 0;
    }
    ladder_disarm(contract->ladder);
    assert_true(accepted == 120 || contract->ladder->hit);
    tl_loop_stop(loop);
    assert_int_equal(tl_loop_run_forever(loop), 0);
    assert_int_equal(ran, accepted);
    tl_loop_free(loop);
}

static const struct contract_case cases[] = {
    CONTRACT(no_delay_is_behind_what_is_queued),
    CONTRACT(past_deadlines_sort),
    CONTRACT(equal_deadlines_by_turn),
    CONTRACT(the_past_is_the_next_iteration),
    CONTRACT(never_fires),
    CONTRACT(a_wait_is_at_most_a_day),
    CONTRACT(when_stays),
    CONTRACT(many_in_no_order),
    CONTRACT(many_are_cancelled),
    CONTRACT(timers_are_freed_in_callbacks),
    CONTRACT(started_again_in_callbacks),
    CONTRACT(moved_before_they_are_due),
    CONTRACT(what_is_refused),
    CONTRACT_LADDER(whichever_allocation_fails, 120),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "timers", cases, sizeof cases / sizeof cases[0]);
}
