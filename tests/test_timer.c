/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The timers behind their four functions, held against the simplest structure that can be right: a
 * list that is searched. Thousands of adds, moves, cancels and expiries from a fixed generator must
 * agree at every step.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/alloc.h"
#include "core/timer.h"

enum { COUNT = 200, STEPS = 20000 };

struct model {
    struct tl_timers timers;
    struct tl_timer timer[COUNT];
    tl_time when[COUNT]; /* TL_TIME_NEVER: stopped */
    uint64_t turn[COUNT];
    uint64_t turns;
    uint64_t random;
};

static uint32_t draw(struct model *model, uint32_t bound)
{
    model->random = model->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(model->random >> 33) % bound;
}

static int first(const struct model *model)
{
    int found = -1;
    for (int i = 0; i < COUNT; i++) {
        if (model->when[i] == TL_TIME_NEVER)
            continue;
        if (found < 0 || model->when[i] < model->when[found] ||
            (model->when[i] == model->when[found] && model->turn[i] < model->turn[found]))
            found = i;
    }
    return found;
}

static void start(struct model *model, int i, tl_time when)
{
    assert_int_equal(tl_timers_add(&model->timers, &model->timer[i], when), 0);
    model->when[i] = when;
    model->turn[i] = model->turns++;
}

static void expire(struct model *model, tl_time now)
{
    struct tl_ready_queue queue;
    tl_ready_queue_init(&queue);
    tl_timers_expire(&model->timers, now, &queue);
    for (int i = first(model); i >= 0 && model->when[i] <= now; i = first(model)) {
        assert_ptr_equal(tl_ready_queue_pop(&queue), &model->timer[i].ready);
        assert_int_equal(model->timer[i].slot, 0);
        model->when[i] = TL_TIME_NEVER;
    }
    assert_true(tl_ready_queue_empty(&queue));
}

static void agrees_with_a_list(void **state)
{
    (void)state;
    struct model model = {.random = 1};
    for (int i = 0; i < COUNT; i++)
        model.when[i] = TL_TIME_NEVER;
    for (tl_time step = 0; step < STEPS; step++) {
        int i = (int)draw(&model, COUNT);
        switch (draw(&model, 4)) {
        case 0: /* started, or moved later or earlier */
        case 1:
            start(&model, i, step + draw(&model, 50));
            break;
        case 2:
            if (model.when[i] != TL_TIME_NEVER) {
                tl_timers_cancel(&model.timers, &model.timer[i]);
                model.when[i] = TL_TIME_NEVER;
            }
            break;
        default:
            expire(&model, step);
        }
        int next = first(&model);
        assert_int_equal(tl_timers_next(&model.timers),
                         next < 0 ? TL_TIME_NEVER : model.when[next]);
    }
    tl_timers_finish(&model.timers);
}

static void *refuse(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)ptr;
    (void)size;
    return NULL;
}

static void no_memory_changes_nothing(void **state)
{
    (void)state;
    static struct tl_timer timer[17];
    struct tl_timers timers = {0};
    for (int i = 0; i < 16; i++)
        assert_int_equal(tl_timers_add(&timers, &timer[i], i), 0);
    tl_set_allocator(&(tl_allocator){.realloc = refuse});
    assert_int_equal(tl_timers_add(&timers, &timer[16], 3), -ENOMEM);
    assert_int_equal(tl_timers_add(&timers, &timer[0], 100), 0);
    tl_set_allocator(NULL);
    assert_int_equal(timer[16].slot, 0);
    assert_int_equal(tl_timers_next(&timers), 1);
    tl_timers_finish(&timers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_a_list),
        cmocka_unit_test(no_memory_changes_nothing),
    };
    return !!cmocka_run_group_tests_name("timer", tests, NULL, NULL);
}
