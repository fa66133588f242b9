/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The timers behind their four functions, held against the simplest structure that can be right: a
 * list that is searched. Every short sequence of operations on a few timers, and thousands of
 * random ones on many, also from inside a round of expiries, must agree at every step. For hundreds
 * of thousands of timers, which a list is too slow for, the order that comes out is checked.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/alloc.h"
#include "core/timer.h"

enum { COUNT = 200, STEPS = 20000 };

/* --- A list ----------------------------------------------------------------------------------- */

struct model {
    struct tl_timers timers;
    struct tl_timer timer[COUNT];
    tl_time when[COUNT];  /* TL_TIME_NEVER: stopped */
    tl_time filed[COUNT]; /* where it was put; it may have been moved later since */
    uint64_t turn[COUNT];
    int count;
    uint64_t turns;
    uint64_t random;
};

static uint32_t draw(uint64_t *random, uint32_t bound)
{
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*random >> 33) % bound;
}

static void model_init(struct model *model, int count)
{
    *model = (struct model){.count = count, .random = 1};
    for (int i = 0; i < count; i++)
        model->when[i] = TL_TIME_NEVER;
}

static int first(const struct model *model, uint64_t turn)
{
    int found = -1;
    for (int i = 0; i < model->count; i++) {
        if (model->when[i] == TL_TIME_NEVER || model->turn[i] >= turn)
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
    if (model->when[i] == TL_TIME_NEVER || when < model->when[i])
        model->filed[i] = when;
    model->when[i] = when;
    model->turn[i] = model->turns++;
    assert_int_equal(model->timer[i].sequence, model->turn[i]);
}

static void cancel(struct model *model, int i)
{
    if (model->when[i] == TL_TIME_NEVER)
        return;
    tl_timers_cancel(&model->timers, &model->timer[i]);
    assert_int_equal(model->timer[i].slot, 0);
    model->when[i] = TL_TIME_NEVER;
    memset(&model->timer[i], 0xa5, sizeof model->timer[i]); /* it may be freed now */
    model->timer[i].slot = 0;
}

static void interfere(struct model *model, tl_time now)
{
    int i = (int)draw(&model->random, (uint32_t)model->count);
    if (draw(&model->random, 3) == 0)
        cancel(model, i);
    else
        start(model, i, now - 10 + draw(&model->random, 20));
}

/* A round, in which one in so many timers that fire does something; 0: none. */
static void expire(struct model *model, tl_time now, uint32_t one_in)
{
    uint64_t turn = model->turns;
    struct tl_timer *timer;
    while ((timer = tl_timers_expire(&model->timers, now, turn)) != NULL) {
        int i = first(model, turn);
        assert_true(i >= 0 && model->when[i] <= now);
        assert_ptr_equal(timer, &model->timer[i]);
        assert_int_equal(timer->slot, 0);
        model->when[i] = TL_TIME_NEVER;
        if (one_in > 0 && draw(&model->random, one_in) == 0)
            interfere(model, now);
    }
    int i = first(model, turn);
    assert_true(i < 0 || model->when[i] > now);
    for (i = 0; i < model->count; i++)
        if (model->filed[i] <= now && model->turn[i] < turn)
            model->filed[i] = model->when[i];
}

static void agrees(struct model *model)
{
    tl_time earliest = TL_TIME_NEVER;
    tl_time filed = TL_TIME_NEVER;
    for (int i = 0; i < model->count; i++) {
        if (model->when[i] == TL_TIME_NEVER)
            continue;
        filed = model->filed[i] < filed ? model->filed[i] : filed;
        earliest = model->when[i] < earliest ? model->when[i] : earliest;
    }
    tl_time next = tl_timers_next(&model->timers);
    assert_true(filed <= next && next <= earliest);
    assert_true((next == TL_TIME_NEVER) == tl_timers_empty(&model->timers));
}

static void agrees_with_a_list(void **state)
{
    (void)state;
    static struct model model;
    model_init(&model, COUNT);
    for (tl_time step = 0; step < STEPS; step++) {
        int i = (int)draw(&model.random, COUNT);
        switch (draw(&model.random, 5)) {
        case 0: /* started, or moved later or earlier */
        case 1:
        case 2:
            start(&model, i, step + draw(&model.random, 300));
            break;
        case 3:
            cancel(&model, i);
            break;
        default:
            if (draw(&model.random, 20) == 0)
                expire(&model, step, 3);
        }
        agrees(&model);
    }
    tl_timers_finish(&model.timers);
}

/* What is done by the number of an operation, on three timers and two deadlines. */
enum { FEW = 3, OPERATIONS = 11, LENGTH = 5 };

static void operate(struct model *model, unsigned operation)
{
    if (operation < 6)
        start(model, (int)(operation / 2), operation % 2);
    else if (operation < 9)
        cancel(model, (int)operation - 6);
    else
        expire(model, (tl_time)operation - 9, 0);
}

static void every_short_sequence(void **state)
{
    (void)state;
    static struct model model;
    unsigned sequences = 1;
    for (int i = 0; i < LENGTH; i++)
        sequences *= OPERATIONS;
    for (unsigned sequence = 0; sequence < sequences; sequence++) {
        model_init(&model, FEW);
        for (unsigned rest = sequence, i = 0; i < LENGTH; i++, rest /= OPERATIONS) {
            operate(&model, rest % OPERATIONS);
            agrees(&model);
        }
        expire(&model, 2, 0);
        assert_true(tl_timers_empty(&model.timers));
        tl_timers_finish(&model.timers);
    }
}

/* --- Many ------------------------------------------------------------------------------------- */

enum { MANY = 200000 };

static struct tl_timer *many_timers(void)
{
    struct tl_timer *timer = calloc(MANY, sizeof *timer);
    assert_non_null(timer);
    return timer;
}

/* Fires everything up to now, in order; how many they were. */
static uint32_t fire(struct tl_timers *timers, tl_time now)
{
    uint32_t fired = 0;
    uint64_t turn = timers->sequence;
    const struct tl_timer *last = NULL;
    struct tl_timer *timer;
    for (; (timer = tl_timers_expire(timers, now, turn)) != NULL; last = timer, fired++) {
        assert_true(timer->when <= now && timer->sequence < turn);
        assert_true(last == NULL || last->when < timer->when ||
                    (last->when == timer->when && last->sequence < timer->sequence));
    }
    assert_true(tl_timers_next(timers) > now);
    return fired;
}

static uint32_t running(const struct tl_timer *timer, tl_time now)
{
    uint32_t count = 0;
    for (int i = 0; i < MANY; i++)
        count += timer[i].slot != 0 && timer[i].when <= now;
    return count;
}

static void many_in_order(void **state)
{
    (void)state;
    static const uint32_t spreads[] = {1, 100, 1000000};
    struct tl_timer *timer = many_timers();
    uint64_t random = 1;
    for (size_t spread = 0; spread < sizeof spreads / sizeof spreads[0]; spread++) {
        struct tl_timers timers = {0};
        for (int round = 0; round < 10; round++) {
            for (int i = 0; i < MANY / 2; i++) {
                struct tl_timer *one = &timer[draw(&random, MANY)];
                if (draw(&random, 3) != 0)
                    assert_int_equal(tl_timers_add(&timers, one, draw(&random, spreads[spread])),
                                     0);
                else if (one->slot != 0)
                    tl_timers_cancel(&timers, one);
            }
            tl_time now = draw(&random, spreads[spread]);
            uint32_t due = running(timer, now);
            assert_int_equal(fire(&timers, now), due);
        }
        uint32_t due = running(timer, 1000000);
        assert_int_equal(fire(&timers, 1000000), due);
        assert_true(tl_timers_empty(&timers));
        tl_timers_finish(&timers);
    }
    free(timer);
}

/* Each is the next one, so those before it are put away again and again. */
static void each_before_all_others(void **state)
{
    (void)state;
    struct tl_timer *timer = many_timers();
    struct tl_timers timers = {0};
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(tl_timers_add(&timers, &timer[i], MANY - i), 0);
        assert_int_equal(tl_timers_next(&timers), MANY - i);
    }
    assert_int_equal(fire(&timers, MANY), MANY);
    tl_timers_finish(&timers);
    free(timer);
}

/* A queue as simulations have: the first goes, a later one comes. */
static void one_goes_one_comes(void **state)
{
    (void)state;
    struct tl_timer *timer = many_timers();
    struct tl_timers timers = {0};
    uint64_t random = 1;
    for (int i = 0; i < 5000; i++)
        assert_int_equal(tl_timers_add(&timers, &timer[i], draw(&random, 100000)), 0);
    for (int i = 0; i < MANY; i++) {
        tl_time now = tl_timers_next(&timers);
        struct tl_timer *one = tl_timers_expire(&timers, now, timers.sequence);
        assert_non_null(one);
        assert_int_equal(one->when, now);
        assert_int_equal(tl_timers_add(&timers, one, now + 1 + draw(&random, 100000)), 0);
    }
    assert_int_equal(fire(&timers, INT64_MAX - 1), 5000);
    tl_timers_finish(&timers);
    free(timer);
}

/* Some are due soon, again and again, while others are far off: new ones go before most. */
static void soon_or_much_later(void **state)
{
    (void)state;
    enum { TIMERS = 150 };
    static struct tl_timer timer[TIMERS];
    struct tl_timers timers = {0};
    uint64_t random = 1;
    tl_time last = 0;
    for (int i = 0; i < TIMERS; i++)
        assert_int_equal(tl_timers_add(&timers, &timer[i], draw(&random, 1000)), 0);
    for (int i = 0; i < MANY; i++) {
        tl_time now = tl_timers_next(&timers);
        struct tl_timer *one = tl_timers_expire(&timers, now, timers.sequence);
        assert_non_null(one);
        assert_true(one->when == now && last <= now);
        last = now;
        tl_time delay =
            draw(&random, 10) != 0 ? draw(&random, 1000) : 1000000 + draw(&random, 1 << 30);
        assert_int_equal(tl_timers_add(&timers, one, now + 1 + delay), 0);
    }
    assert_int_equal(fire(&timers, INT64_MAX - 1), TIMERS);
    tl_timers_finish(&timers);
}

/* Deadlines of all magnitudes and signs, many of them the same. */
static void unevenly_spread(void **state)
{
    (void)state;
    struct tl_timer *timer = many_timers();
    struct tl_timers timers = {0};
    uint64_t random = 1;
    for (int i = 0; i < MANY; i++) {
        tl_time when = (tl_time)1 << draw(&random, 63);
        when = draw(&random, 2) != 0 ? when - 1 - draw(&random, 2) : -when - draw(&random, 2);
        assert_int_equal(tl_timers_add(&timers, &timer[i], when), 0);
    }
    assert_int_equal(tl_timers_add(&timers, &timer[0], INT64_MIN), 0);
    assert_int_equal(tl_timers_add(&timers, &timer[1], INT64_MIN), 0);
    for (int i = 0; i < MANY; i += 5)
        tl_timers_cancel(&timers, &timer[i]);
    uint32_t due = running(timer, 0);
    assert_int_equal(fire(&timers, 0), due);
    assert_int_equal(fire(&timers, INT64_MAX - 1), MANY - MANY / 5 - due);
    tl_timers_finish(&timers);
    free(timer);
}

/* What a round of expiries starts for the past waits for the next one, however much it is. */
static void a_round_ends(void **state)
{
    (void)state;
    struct tl_timer *timer = many_timers();
    struct tl_timers timers = {0};
    assert_int_equal(tl_timers_add(&timers, &timer[0], 10), 0);
    assert_int_equal(tl_timers_add(&timers, &timer[1], 10), 0);
    uint64_t turn = timers.sequence;
    assert_ptr_equal(tl_timers_expire(&timers, 10, turn), &timer[0]);
    for (int i = 2; i < MANY; i++) {
        assert_int_equal(tl_timers_add(&timers, &timer[i], i % 10), 0);
        if (i == 5000)
            assert_ptr_equal(tl_timers_expire(&timers, 10, turn), &timer[1]);
        if (i % 3 != 0 || i < 10)
            continue;
        tl_timers_cancel(&timers, &timer[i / 2]); /* which may have been set aside */
        assert_int_equal(tl_timers_add(&timers, &timer[i / 2], 11), 0);
    }
    assert_null(tl_timers_expire(&timers, 10, turn));
    uint32_t due = running(timer, 10);
    assert_int_equal(fire(&timers, 10), due);
    assert_int_equal(fire(&timers, 11), MANY - 2 - due);
    tl_timers_finish(&timers);
    free(timer);
}

/* --- Memory ----------------------------------------------------------------------------------- */

struct memory {
    size_t used;
    unsigned requests; /* but for freeing */
    unsigned allowed;
};

static void *count_memory(void *ctx, void *ptr, size_t size)
{
    struct memory *memory = ctx;
    size_t *block = ptr != NULL ? (size_t *)ptr - 2 : NULL;
    if (size > 0 && memory->requests++ >= memory->allowed)
        return NULL;
    memory->used -= block != NULL ? block[0] : 0;
    memory->used += size;
    if (size == 0) {
        free(block);
        return NULL;
    }
    size_t *grown = realloc(block, size + 2 * sizeof *grown);
    assert_non_null(grown);
    grown[0] = size;
    return grown + 2;
}

static void begin_counting(struct memory *memory, unsigned allowed)
{
    *memory = (struct memory){.allowed = allowed};
    tl_set_allocator(&(tl_allocator){.realloc = count_memory, .ctx = memory});
}

static void no_memory_changes_nothing(void **state)
{
    (void)state;
    for (unsigned allowed = 0; allowed < 20; allowed++) {
        struct tl_timer *timer = many_timers();
        struct tl_timers timers = {0};
        struct memory memory;
        begin_counting(&memory, allowed);
        uint32_t started = 0;
        while (tl_timers_add(&timers, &timer[started], 1000 + started) == 0)
            started++;
        assert_int_equal(timer[started].slot, 0);
        if (started > 0) {
            /* To an earlier deadline takes an entry more: refused, it keeps the one it had. */
            assert_int_equal(tl_timers_add(&timers, &timer[started / 2], 3), -ENOMEM);
            assert_int_equal(timer[started / 2].when, 1000 + started / 2);
            assert_int_equal(tl_timers_add(&timers, &timer[0], 2000000), 0);
        }
        assert_int_equal(fire(&timers, 3000000), started);
        memory.allowed = UINT32_MAX;
        tl_timers_finish(&timers);
        assert_int_equal(memory.used, 0);
        tl_set_allocator(NULL);
        free(timer);
    }
}

static void stopping_and_moving_later_ask_for_nothing(void **state)
{
    (void)state;
    struct tl_timer *timer = many_timers();
    struct tl_timers timers = {0};
    struct memory memory;
    begin_counting(&memory, UINT32_MAX);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(tl_timers_add(&timers, &timer[i], i), 0);
    unsigned requests = memory.requests;
    memory.allowed = 0;
    for (int i = 0; i < MANY; i++) {
        if (i % 2 == 0)
            tl_timers_cancel(&timers, &timer[i]);
        else
            assert_int_equal(tl_timers_add(&timers, &timer[i], MANY + i), 0);
    }
    assert_int_equal(memory.requests, requests);
    assert_int_equal(fire(&timers, MANY), 0);
    assert_int_equal(fire(&timers, 2 * MANY), MANY / 2);
    tl_timers_finish(&timers);
    tl_set_allocator(NULL);
    free(timer);
}

/* asyncio: cancelled timers do not stay for as long as they would have run. */
static void cancelled_ones_do_not_hold_memory(void **state)
{
    (void)state;
    struct tl_timer *timer = many_timers();
    struct tl_timers timers = {0};
    struct memory memory;
    begin_counting(&memory, UINT32_MAX);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(tl_timers_add(&timers, &timer[i], 1 + i), 0);
    size_t most = memory.used;
    for (int i = 1; i < MANY - 1; i++)
        tl_timers_cancel(&timers, &timer[i]);
    for (int i = 0; i < 10; i++)
        assert_int_equal(fire(&timers, 0), 0);
    assert_true(memory.used < most / 50);
    assert_int_equal(tl_timers_next(&timers), 1);
    tl_timers_cancel(&timers, &timer[0]);
    assert_int_equal(fire(&timers, MANY), 1);
    assert_true(memory.used < 100000);

    /* In one callback, with no round in between; and moved earlier, again and again. */
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(tl_timers_add(&timers, &timer[0], 2 * MANY - i), 0);
        assert_int_equal(tl_timers_add(&timers, &timer[1], i), 0);
        tl_timers_cancel(&timers, &timer[1]);
    }
    assert_true(memory.used < 100000);
    tl_timers_finish(&timers);
    assert_int_equal(memory.used, 0);
    tl_set_allocator(NULL);
    free(timer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_a_list),
        cmocka_unit_test(every_short_sequence),
        cmocka_unit_test(many_in_order),
        cmocka_unit_test(each_before_all_others),
        cmocka_unit_test(one_goes_one_comes),
        cmocka_unit_test(soon_or_much_later),
        cmocka_unit_test(unevenly_spread),
        cmocka_unit_test(a_round_ends),
        cmocka_unit_test(no_memory_changes_nothing),
        cmocka_unit_test(stopping_and_moving_later_ask_for_nothing),
        cmocka_unit_test(cancelled_ones_do_not_hold_memory),
    };
    return !!cmocka_run_group_tests_name("timer", tests, NULL, NULL);
}
