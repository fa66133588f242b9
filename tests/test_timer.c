/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The timers behind their four functions, held against the simplest structure that can be right: a
 * list that is searched. Thousands of adds, moves, cancels and expiries from a fixed generator must
 * agree at every step.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/alloc.h"
#include "core/timer.h"

enum { COUNT_MAX = 9000 };

struct model {
    struct tl_timers timers;
    int count;
    struct tl_timer timer[COUNT_MAX];
    bool running[COUNT_MAX];
    tl_time when[COUNT_MAX];
    uint64_t turn[COUNT_MAX];
    uint64_t turns;
    uint64_t random;
};

static uint32_t draw(struct model *model, uint32_t bound)
{
    model->random = model->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(model->random >> 33) % bound;
}

/* The one that is due first, TL_TIME_NEVER apart; -1 for none. */
static int first(const struct model *model)
{
    int found = -1;
    for (int i = 0; i < model->count; i++) {
        if (!model->running[i] || model->when[i] == TL_TIME_NEVER)
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
    model->running[i] = true;
    model->when[i] = when;
    model->turn[i] = model->turns++;
}

static void stop(struct model *model, int i)
{
    if (!model->running[i])
        return;
    tl_timers_cancel(&model->timers, &model->timer[i]);
    model->running[i] = false;
}

static void expire(struct model *model, tl_time now)
{
    tl_timers_expire(&model->timers, now);
    for (int i = first(model); i >= 0 && model->when[i] <= now; i = first(model)) {
        assert_ptr_equal(tl_timers_due(&model->timers), &model->timer[i]);
        assert_int_equal(model->timer[i].slot, 0);
        model->running[i] = false;
        /* What one callback does to those after it. */
        int other = (int)draw(model, (uint32_t)model->count);
        if (draw(model, 4) == 0 && model->running[other] && model->when[other] <= now)
            stop(model, other);
        else if (draw(model, 4) == 0 && model->running[other] && model->when[other] <= now)
            start(model, other, now + 1 + draw(model, 100));
    }
    assert_null(tl_timers_due(&model->timers));
}

static void check_next(struct model *model)
{
    int next = first(model);
    assert_int_equal(tl_timers_next(&model->timers), next < 0 ? TL_TIME_NEVER : model->when[next]);
}

static struct model *model_new(int count, uint64_t seed)
{
    static struct model model;
    tl_timers_finish(&model.timers);
    memset(&model, 0, sizeof model);
    model.count = count;
    model.random = seed;
    return &model;
}

/* How far ahead a deadline is: each spread has its own. */
typedef tl_time (*spread)(struct model *model);

static tl_time soon(struct model *model)
{
    return draw(model, 50);
}

static tl_time of_every_size(struct model *model)
{
    return (tl_time)draw(model, 1 << 20) << draw(model, 40);
}

static tl_time mostly_soon(struct model *model)
{
    static const tl_time odd[] = {TL_TIME_NEVER / 2, -TL_TIME_NEVER / 2, 1 << 30, -1};
    return draw(model, 50) == 0 ? odd[draw(model, 4)] : (tl_time)draw(model, 5000);
}

/* Steps of all kinds. After each the next deadline agrees; time moves as far as pace says. */
static void play(struct model *model, spread ahead, tl_time pace, int steps)
{
    tl_time now = 0;
    for (int step = 0; step < steps; step++) {
        int i = (int)draw(model, (uint32_t)model->count);
        switch (draw(model, 8)) {
        case 0: /* started, or moved later or earlier */
        case 1:
        case 2:
            start(model, i, now + ahead(model));
            break;
        case 3: /* pushed on, as idle timeouts are */
            if (model->running[i] && model->when[i] < TL_TIME_NEVER / 4)
                start(model, i, model->when[i] + draw(model, 1000));
            break;
        case 4:
            start(model, i, draw(model, 8) == 0 ? TL_TIME_NEVER : now + ahead(model));
            break;
        case 5:
        case 6:
            stop(model, i);
            break;
        default:
            now += pace;
            expire(model, now);
        }
        check_next(model);
    }
}

static void agrees_with_a_list(void **state)
{
    (void)state;
    play(model_new(200, 1), soon, 1, 20000);
    play(model_new(200, 2), of_every_size, 1 << 20, 20000);
    play(model_new(200, 3), mostly_soon, 100, 20000);
}

/* So many that far deadlines are kept apart. */
static void many_agree_with_a_list(void **state)
{
    static const spread spreads[] = {soon, of_every_size, mostly_soon};
    static const tl_time paces[] = {1, 1 << 24, 20};
    (void)state;
    for (int s = 0; s < 3; s++) {
        struct model *model = model_new(COUNT_MAX, (uint64_t)s + 10);
        for (int i = 0; i < model->count; i++)
            start(model, i, spreads[s](model));
        check_next(model);
        play(model, spreads[s], paces[s], 1500);
        for (int i = 0; i < model->count; i += 3)
            stop(model, i);
        check_next(model);
        for (int i = 0; i < 200; i++) {
            int next = first(model);
            expire(model, next < 0 ? 0 : model->when[next]);
        }
        for (int i = 0; i < model->count; i++)
            stop(model, i);
        assert_true(tl_timers_empty(&model->timers));
        assert_int_equal(tl_timers_next(&model->timers), TL_TIME_NEVER);
    }
}

/* Nine thousand for one instant, one of them pushed on: a bucket that cannot be divided. */
static void equal_deadlines_keep_their_turns(void **state)
{
    struct model *model = model_new(COUNT_MAX, 1);
    (void)state;
    for (int i = 0; i < model->count; i++)
        start(model, i, i == 0 ? 999 : 1000);
    start(model, 0, 1000);
    tl_timers_expire(&model->timers, 999);
    assert_null(tl_timers_due(&model->timers));
    tl_timers_expire(&model->timers, 1000);
    for (int i = 1; i <= model->count; i++)
        assert_ptr_equal(tl_timers_due(&model->timers), &model->timer[i % model->count]);
    assert_null(tl_timers_due(&model->timers));
}

/* asyncio: cancelled timers are not kept when they are many. */
static void stopped_timers_leave_nothing_behind(void **state)
{
    struct model *model = model_new(2, 1);
    (void)state;
    start(model, 0, 1000000);
    for (int i = 0; i < 100000; i++) {
        start(model, 1, 1000 + i);
        stop(model, 1);
    }
    assert_true(model->timers.capacity <= 512);
    check_next(model);
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
        cmocka_unit_test(many_agree_with_a_list),
        cmocka_unit_test(equal_deadlines_keep_their_turns),
        cmocka_unit_test(stopped_timers_leave_nothing_behind),
        cmocka_unit_test(no_memory_changes_nothing),
    };
    return !!cmocka_run_group_tests_name("timer", tests, NULL, NULL);
}
