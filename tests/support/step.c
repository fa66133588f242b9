/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of tests of scheduling; see step.h. */
#include "support/step.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

void step_run(void *arg)
{
    struct step *step = arg;
    diary_note(step->diary, step->letter);
    if (step->then != NULL)
        step->then(step);
}

void step_soon(struct step *step)
{
    assert_int_equal(tl_loop_call_soon(step->diary->loop, step_run, step, &step->handle), 0);
}

void step_at(struct step *step, tl_time when)
{
    assert_int_equal(tl_loop_call_at(step->diary->loop, when, step_run, step, &step->timer), 0);
}

void step_later(struct step *step, tl_time delay)
{
    assert_int_equal(tl_loop_call_later(step->diary->loop, delay, step_run, step, &step->timer), 0);
}

void steps_drop(struct step *steps, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        tl_handle_unref(steps[i].handle);
        tl_timer_handle_unref(steps[i].timer);
    }
}

void steps_make(struct step *steps, size_t count, struct diary *diary)
{
    for (size_t i = 0; i < count; i++)
        steps[i] = (struct step){.diary = diary, .letter = (char)('a' + i)};
}
