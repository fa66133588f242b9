/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps: callbacks for tests of scheduling. Each writes its letter into a diary, does what else it
 * is told, and keeps the handles of what it was scheduled by.
 */
#ifndef TL_TESTS_STEP_H
#define TL_TESTS_STEP_H

#include "support/diary.h"

/* One callback: its letter, and what else it does. */
struct step {
    struct diary *diary;
    char letter;
    void (*then)(struct step *step);
    struct step *other;
    tl_handle *handle;
    tl_timer_handle *timer;
    struct tl_timer *embedded;
    tl_time when;
    int left;
};

/* The callback; its argument is the step. */
void step_run(void *arg);

/* Schedule a step, which must work, and keep the handle in it. */
void step_soon(struct step *step);
void step_at(struct step *step, tl_time when);
void step_later(struct step *step, tl_time delay);

/* Gives the references of steps back. */
void steps_drop(struct step *steps, size_t count);

#define DROP(steps) steps_drop(steps, sizeof(steps) / sizeof(steps)[0])

/* Steps "a", "b", ... of a diary. */
void steps_make(struct step *steps, size_t count, struct diary *diary);

#define STEPS(steps, diary) steps_make(steps, sizeof(steps) / sizeof(steps)[0], diary)

#endif
