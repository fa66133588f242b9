/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agenda: order of time, first come first served at one instant, cancelling and moving, and
 * that only initialising an event can fail.
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

enum { COUNT = 300 };

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

struct plain {
    tl_time time[COUNT]; /* TL_TIME_NEVER: not added */
    uint64_t turn[COUNT];
};

static int plain_first(const struct plain *plain)
{
    int first = 0;
    for (int i = 1; i < COUNT; i++)
        if (plain->time[i] < plain->time[first] ||
            (plain->time[i] == plain->time[first] && plain->turn[i] < plain->turn[first]))
            first = i;
    return first;
}

static void same_as_a_plain_list(void **state)
{
    struct fixture *fixture = *state;
    static struct plain plain;
    uint32_t random = 1;
    for (int i = 0; i < COUNT; i++)
        plain.time[i] = TL_TIME_NEVER;
    for (uint64_t turn = 0; turn < 20000; turn++) {
        random = random * 1664525 + 1013904223;
        int event = (int)(random >> 8) % COUNT;
        int first = plain_first(&plain);
        assert_int_equal(tl_agenda_next(&fixture->agenda), plain.time[first]);
        if (random >> 30 == 0 && plain.time[first] != TL_TIME_NEVER) {
            assert_int_equal(pop(fixture), first);
            plain.time[first] = TL_TIME_NEVER;
        } else if (random >> 30 == 1) {
            tl_agenda_cancel(&fixture->agenda, &fixture->events[event]);
            plain.time[event] = TL_TIME_NEVER;
        } else {
            plain.time[event] = random % 50;
            plain.turn[event] = turn;
            add(fixture, event, plain.time[event]);
        }
    }
}

/* --- Memory is out ---------------------------------------------------------------------------- */

static void *refuse(void *ctx, void *ptr, size_t size)
{
    const bool *refusing = ctx;
    if (size == 0) {
        test_free(ptr);
        return NULL;
    }
    return *refusing ? NULL : test_realloc(ptr, size);
}

static void only_initialising_can_fail(void **state)
{
    (void)state;
    bool refusing = true;
    tl_allocator allocator = {.realloc = refuse, .ctx = &refusing};
    struct tl_agenda agenda;
    struct tl_agenda_event events[COUNT];
    tl_agenda_init(&agenda, &allocator);
    assert_int_equal(tl_agenda_event_init(&agenda, &events[0], fire), -ENOMEM);
    tl_agenda_event_finish(&agenda, &events[0]);
    refusing = false;
    int count = 0;
    assert_int_equal(tl_agenda_event_init(&agenda, &events[count++], fire), 0);
    refusing = true;
    while (tl_agenda_event_init(&agenda, &events[count], fire) == 0)
        count++;
    for (int i = 0; i < count; i++)
        tl_agenda_add(&agenda, &events[i], i);
    for (int i = 0; i < count; i++)
        assert_ptr_equal(tl_agenda_pop(&agenda), &events[i]);
    for (int i = 0; i <= count; i++)
        tl_agenda_event_finish(&agenda, &events[i]);
    tl_agenda_finish(&agenda);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(empty_is_never),
        TEST(earlier_goes_first),
        TEST(one_instant_is_first_come_first_served),
        TEST(moving_goes_to_the_end_of_its_instant),
        TEST(cancelled_is_gone),
        TEST(same_as_a_plain_list),
        cmocka_unit_test(only_initialising_can_fail),
    };
    return !!cmocka_run_group_tests(tests, NULL, NULL);
}
