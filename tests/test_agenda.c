/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agenda: order of time, first come first served at one instant, cancelling and moving, and
 * that only initialising an event can fail. There are enough events for all of its parts.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/alloc.h"
#include "sim/agenda.h"

enum { COUNT = 1500 };

struct fixture {
    struct tl_agenda agenda;
    struct tl_agenda_event events[COUNT];
};

static void fire(struct tl_agenda_event *event)
{
    (void)event;
}

static int setup(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof *fixture);
    tl_agenda_init(&fixture->agenda, tl_get_allocator());
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(tl_agenda_event_init(&fixture->agenda, &fixture->events[i], fire), 0);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < COUNT; i++)
        tl_agenda_event_finish(&fixture->agenda, &fixture->events[i]);
    assert_int_equal(fixture->agenda.count, 0);
    assert_int_equal(fixture->agenda.reserved, 0);
    tl_agenda_finish(&fixture->agenda);
    test_free(fixture);
    return 0;
}

static int pop(struct fixture *fixture)
{
    return (int)(tl_agenda_pop(&fixture->agenda) - fixture->events);
}

static void add(struct fixture *fixture, int event, tl_time time)
{
    tl_agenda_add(&fixture->agenda, &fixture->events[event], time);
}

static void empty_is_never(void **state)
{
    struct fixture *fixture = *state;
    assert_true(tl_agenda_next(&fixture->agenda) == TL_TIME_NEVER);
}

static void earlier_goes_first(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < COUNT; i++)
        add(fixture, i, (i * 7919) % COUNT);
    for (int time = 0; time < COUNT; time++) {
        assert_int_equal(tl_agenda_next(&fixture->agenda), time);
        assert_int_equal((pop(fixture) * 7919) % COUNT, time);
    }
}

static void far_apart_is_in_order(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < COUNT; i++)
        add(fixture, i, i * 7919 % COUNT * (TL_TIME_NEVER / (COUNT - 1)));
    for (int i = 0; i < COUNT; i++)
        assert_int_equal((pop(fixture) * 7919) % COUNT, i);
}

/* Nothing is near but what is next, then much is added before the rest. */
static void a_burst_goes_before_what_is_far(void **state)
{
    struct fixture *fixture = *state;
    int far = 2 * COUNT / 5;
    for (int i = 0; i < far; i++)
        add(fixture, i, 3600 * TL_SECOND + i);
    add(fixture, COUNT - 1, 1);
    assert_int_equal(pop(fixture), COUNT - 1);
    for (int i = COUNT - 1; i >= far; i--)
        add(fixture, i, i * TL_MICROSECOND);
    for (int i = far; i < COUNT; i++)
        assert_int_equal(pop(fixture), i);
    for (int i = 0; i < far; i++)
        assert_int_equal(pop(fixture), i);
}

static void the_end_of_time_is_an_instant(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < COUNT; i++)
        add(fixture, i, i % 2 == 0 ? TL_TIME_NEVER : TL_TIME_NEVER - 1);
    for (int i = 1; i < COUNT; i += 2)
        assert_int_equal(pop(fixture), i);
    for (int i = 0; i < COUNT; i += 2)
        assert_int_equal(pop(fixture), i);
}

static void one_instant_is_first_come_first_served(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < COUNT; i++)
        add(fixture, (i * 7) % COUNT, 5);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(pop(fixture), (i * 7) % COUNT);
}

static void moving_goes_to_the_end_of_its_instant(void **state)
{
    struct fixture *fixture = *state;
    add(fixture, 0, 5);
    add(fixture, 1, 5);
    add(fixture, 2, 9);
    add(fixture, 0, 5);
    add(fixture, 2, 5);
    assert_int_equal(pop(fixture), 1);
    assert_int_equal(pop(fixture), 0);
    assert_int_equal(pop(fixture), 2);
}

static void cancelled_is_gone(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < COUNT; i++)
        add(fixture, i, i);
    for (int i = 0; i < COUNT; i++)
        if (i % 3 != 0)
            tl_agenda_cancel(&fixture->agenda, &fixture->events[i]);
    tl_agenda_cancel(&fixture->agenda, &fixture->events[1]);
    assert_false(tl_agenda_added(&fixture->events[1]));
    assert_true(tl_agenda_added(&fixture->events[3]));
    for (int i = 0; i < COUNT; i += 3)
        assert_int_equal(pop(fixture), i);
    assert_true(tl_agenda_next(&fixture->agenda) == TL_TIME_NEVER);
}

/* --- Against a plain list --------------------------------------------------------------------- */

enum { PHASES = 50, STEPS = 1000 };

struct plain {
    tl_time time[COUNT];
    uint64_t turn[COUNT]; /* 0: not added */
    uint64_t turns;
    uint64_t random;
    tl_time now; /* when the last event was taken */
};

static int plain_first(const struct plain *plain)
{
    int first = -1;
    for (int i = 0; i < COUNT; i++)
        if (plain->turn[i] != 0 &&
            (first < 0 || plain->time[i] < plain->time[first] ||
             (plain->time[i] == plain->time[first] && plain->turn[i] < plain->turn[first])))
            first = i;
    return first;
}

static uint64_t draw(struct plain *plain, uint64_t end)
{
    plain->random ^= plain->random << 13;
    plain->random ^= plain->random >> 7;
    plain->random ^= plain->random << 17;
    return plain->random % end;
}

/* Mostly within so many bits from now. */
static tl_time draw_time(struct plain *plain, uint64_t bits)
{
    switch (draw(plain, 16)) {
    case 0:
        return plain->now;
    case 1:
        return plain->time[draw(plain, COUNT)];
    case 2:
        return draw(plain, 8) == 0 ? TL_TIME_NEVER : (tl_time)draw(plain, (uint64_t)plain->now + 1);
    case 3:
        bits = draw(plain, 64);
        break;
    }
    uint64_t later = draw(plain, UINT64_C(1) << bits);
    uint64_t most = (uint64_t)(TL_TIME_NEVER - plain->now);
    return plain->now + (tl_time)(later < most ? later : most);
}

static void check_first(struct fixture *fixture, const struct plain *plain)
{
    int first = plain_first(plain);
    assert_true(tl_agenda_next(&fixture->agenda) ==
                (first < 0 ? TL_TIME_NEVER : plain->time[first]));
}

static void pop_both(struct fixture *fixture, struct plain *plain)
{
    int first = plain_first(plain);
    if (first < 0)
        return;
    assert_int_equal(pop(fixture), first);
    plain->turn[first] = 0;
    plain->now = plain->time[first] < TL_TIME_NEVER ? plain->time[first] : 0;
}

/* Adds, or moves, and cancels, in shares of eight; else takes the first. */
static void step_both(struct fixture *fixture, struct plain *plain, uint64_t adds, uint64_t bits)
{
    int event = (int)draw(plain, COUNT);
    uint64_t share = draw(plain, 8);
    if (share < adds) {
        plain->time[event] = draw_time(plain, bits);
        plain->turn[event] = ++plain->turns;
        add(fixture, event, plain->time[event]);
    } else if (share == adds) {
        plain->turn[event] = 0;
        tl_agenda_cancel(&fixture->agenda, &fixture->events[event]);
    } else {
        pop_both(fixture, plain);
    }
    assert_int_equal(tl_agenda_added(&fixture->events[event]), plain->turn[event] != 0);
    check_first(fixture, plain);
}

static void same_as_a_plain_list(void **state)
{
    struct fixture *fixture = *state;
    struct plain *plain = test_calloc(1, sizeof *plain);
    plain->random = 1;
    for (int phase = 0; phase < PHASES; phase++) {
        uint64_t adds = 1 + draw(plain, 7), bits = draw(plain, 64);
        for (int i = 0; i < STEPS; i++)
            step_both(fixture, plain, adds, bits);
    }
    while (plain_first(plain) >= 0)
        pop_both(fixture, plain);
    check_first(fixture, plain);
    test_free(plain);
}

/* --- Memory is out ---------------------------------------------------------------------------- */

/* Gives as many times as its context says. */
static void *refuse(void *ctx, void *ptr, size_t size)
{
    int *left = ctx;
    if (size == 0) {
        test_free(ptr);
        return NULL;
    }
    return (*left)-- > 0 ? test_realloc(ptr, size) : NULL;
}

/* Initialises events until the memory allowed is used up; those are as good as ever. */
static int use_up(struct tl_agenda *agenda, struct tl_agenda_event *events)
{
    int count = 0;
    while (count < COUNT && tl_agenda_event_init(agenda, &events[count], fire) == 0)
        count++;
    for (int i = 0; i < count; i++)
        tl_agenda_add(agenda, &events[i], i * TL_MILLISECOND);
    for (int i = 0; i < count; i++)
        assert_ptr_equal(tl_agenda_pop(agenda), &events[i]);
    return count;
}

static void only_initialising_can_fail(void **state)
{
    (void)state;
    struct tl_agenda_event *events = test_calloc(COUNT, sizeof *events);
    int count = 0;
    for (int allowed = 0; count < COUNT; allowed++) {
        struct tl_agenda agenda;
        int left = allowed;
        tl_allocator allocator = {.realloc = refuse, .ctx = &left};
        tl_agenda_init(&agenda, &allocator);
        count = use_up(&agenda, events);
        if (count < COUNT) {
            assert_int_equal(tl_agenda_event_init(&agenda, &events[count], fire), -ENOMEM);
            left = 2; /* the most that one event asks for */
            assert_int_equal(tl_agenda_event_init(&agenda, &events[count], fire), 0);
        }
        for (int i = 0; i < COUNT; i++)
            tl_agenda_event_finish(&agenda, &events[i]);
        assert_int_equal(agenda.reserved, 0);
        tl_agenda_finish(&agenda);
    }
    test_free(events);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(empty_is_never),
        TEST(earlier_goes_first),
        TEST(far_apart_is_in_order),
        TEST(a_burst_goes_before_what_is_far),
        TEST(the_end_of_time_is_an_instant),
        TEST(one_instant_is_first_come_first_served),
        TEST(moving_goes_to_the_end_of_its_instant),
        TEST(cancelled_is_gone),
        TEST(same_as_a_plain_list),
        cmocka_unit_test(only_initialising_can_fail),
    };
    return !!cmocka_run_group_tests(tests, NULL, NULL);
}
