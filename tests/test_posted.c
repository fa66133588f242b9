/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of callbacks that other threads hand over: it goes round between them and the loop,
 * what is kept is bounded, and nothing is left when both are gone.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <twinloop.h>
#include <cmocka.h>
#include "support/memory.h"

enum { FLOOD = 20000, KEPT_MAX = 1200, ROUNDS = 200, EACH_ROUND = 100 };

struct posting {
    struct memory memory;
    tl_loop *loop;
    pthread_barrier_t turn; /* of the poster and the loop */
    unsigned ran;
};

static void posting_open(struct posting *posting)
{
    *posting = (struct posting){.ran = 0};
    memory_install(&posting->memory);
    assert_int_equal(pthread_barrier_init(&posting->turn, NULL, 2), 0);
    assert_int_equal(tl_new_event_loop(&posting->loop), 0);
}

static void posting_close(struct posting *posting)
{
    tl_loop_free(posting->loop);
    pthread_barrier_destroy(&posting->turn);
    assert_int_equal(posting->memory.blocks, 0);
    memory_remove();
}

static void count(void *arg)
{
    struct posting *posting = arg;
    posting->ran++;
}

static void count_and_stop(void *arg)
{
    struct posting *posting = arg;
    posting->ran++;
    tl_loop_stop(posting->loop);
}

static int post_many(struct posting *posting, int number)
{
    for (int i = 1; i < number; i++)
        if (tl_loop_call_soon_threadsafe(posting->loop, count, posting, NULL) < 0)
            return -1;
    return tl_loop_call_soon_threadsafe(posting->loop, count_and_stop, posting, NULL);
}

/* Joins with whether all could be posted. */
static void *post_rounds(void *arg)
{
    struct posting *posting = arg;
    int r = 0;
    for (unsigned i = 0; i < ROUNDS; i++) {
        r |= post_many(posting, EACH_ROUND);
        (void)pthread_barrier_wait(&posting->turn);
    }
    return r < 0 ? arg : NULL;
}

static void start(struct posting *posting, pthread_t *thread, void *(*poster)(void *arg))
{
    assert_int_equal(pthread_create(thread, NULL, poster, posting), 0);
}

static void join(pthread_t thread)
{
    void *failed;
    assert_int_equal(pthread_join(thread, &failed), 0);
    assert_null(failed);
}

static void memory_goes_round(void **state)
{
    struct posting posting;
    pthread_t poster;
    (void)state;
    posting_open(&posting);
    start(&posting, &poster, post_rounds);
    for (unsigned i = 0; i < ROUNDS; i++) {
        assert_int_equal(tl_loop_run_forever(posting.loop), 0);
        (void)pthread_barrier_wait(&posting.turn);
    }
    join(poster);
    assert_int_equal(posting.ran, ROUNDS * EACH_ROUND);
    /* A few rounds' worth, not a piece for each. */
    assert_true(posting.memory.requests < 5 * EACH_ROUND);
    posting_close(&posting);
}

static void *post_a_flood(void *arg)
{
    return post_many(arg, FLOOD) < 0 ? arg : NULL;
}

static void a_flood_is_given_back(void **state)
{
    struct posting posting;
    pthread_t poster;
    (void)state;
    posting_open(&posting);
    for (int i = 0; i < 3; i++) {
        start(&posting, &poster, post_a_flood);
        join(poster);
        assert_int_equal(tl_loop_run_forever(posting.loop), 0);
        assert_true(posting.memory.blocks < KEPT_MAX);
    }
    assert_int_equal(posting.ran, 3 * FLOOD);
    posting_close(&posting);
}

/* What is posted is freed by whoever is the last to have it: here the poster, after the loop. */
static void *post_and_keep(void *arg)
{
    struct posting *posting = arg;
    tl_handle *kept[2];
    for (int i = 0; i < 2; i++)
        if (tl_loop_call_soon_threadsafe(posting->loop, i == 0 ? count : count_and_stop, posting,
                                         &kept[i]) < 0)
            return arg;
    (void)pthread_barrier_wait(&posting->turn);
    (void)pthread_barrier_wait(&posting->turn);
    bool cancelled = tl_handle_cancelled(kept[0]);
    tl_handle_unref(kept[0]);
    tl_handle_unref(kept[1]);
    return cancelled ? arg : NULL;
}

static void a_handle_outlives_its_loop(void **state)
{
    struct posting posting;
    pthread_t poster;
    (void)state;
    posting_open(&posting);
    start(&posting, &poster, post_and_keep);
    (void)pthread_barrier_wait(&posting.turn);
    assert_int_equal(tl_loop_run_forever(posting.loop), 0);
    assert_int_equal(posting.ran, 2);
    assert_int_equal(tl_loop_close(posting.loop), 0);
    (void)pthread_barrier_wait(&posting.turn);
    join(poster);
    posting_close(&posting);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_goes_round),
        cmocka_unit_test(a_flood_is_given_back),
        cmocka_unit_test(a_handle_outlives_its_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
