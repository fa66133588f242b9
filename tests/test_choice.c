/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Choices: what an answer depends on and what not, the three strategies, odds, scripts.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <twinloop/world.h>

#include <cmocka.h>

#include "core/alloc.h"
#include "sim/sites.h"
#include "sim/world.h"

static const tl_site user_site = {
    .name = "test.user", .kind = TL_SITE_USER, .meaning = "any number"};
static const tl_site fault_site = {
    .name = "test.fault", .kind = TL_SITE_FAULT, .odds = 32768, .meaning = "0: none"};
static const tl_site order_site = {
    .name = "test.order", .kind = TL_SITE_ORDER, .odds = 65536, .meaning = "0: the first"};

static tl_world *world_with(struct tl_world_options options)
{
    tl_world *world = tl_world_new(&options);
    assert_non_null(world);
    return world;
}

/* --- Identity --------------------------------------------------------------------------------- */

static void an_answer_depends_on_its_identity_alone(void **state)
{
    (void)state;
    uint32_t answers[2][3];
    tl_world *world = world_with((struct tl_world_options){.seed = 5});
    for (uint64_t entity = 0; entity < 2; entity++)
        for (int draw = 0; draw < 3; draw++)
            answers[entity][draw] = tl_choose(world, &user_site, entity, 1u << 30);
    tl_world_free(world);
    assert_int_not_equal(answers[0][0], answers[1][0]);
    assert_int_not_equal(answers[0][0], answers[0][1]);

    /* The other way round, with other choices in between, at another address of the site. */
    tl_site copy = user_site;
    char name[16] = "test.user";
    copy.name = name;
    world = world_with((struct tl_world_options){.seed = 5});
    for (int draw = 0; draw < 3; draw++)
        for (uint64_t entity = 2; entity-- > 0;) {
            tl_choose(world, &fault_site, entity, 7);
            assert_int_equal(tl_choose(world, &copy, entity, 1u << 30), answers[entity][draw]);
        }
    tl_world_free(world);
}

static void seeds_differ(void **state)
{
    (void)state;
    uint32_t answers[64];
    for (uint64_t seed = 0; seed < 64; seed++) {
        tl_world *world = world_with((struct tl_world_options){.seed = seed});
        answers[seed] = tl_choose(world, &user_site, 1, 1u << 30);
        for (uint64_t other = 0; other < seed; other++)
            assert_int_not_equal(answers[seed], answers[other]);
        tl_world_free(world);
    }
}

/* The answers are part of what a seed means: they must not change from build to build. */
static void a_seed_is_the_same_for_ever(void **state)
{
    (void)state;
    tl_world *world = world_with((struct tl_world_options){.seed = 42});
    uint32_t first = tl_choose(world, &user_site, tl_entity(0, "a", 1), 1000000);
    uint32_t second = tl_choose(world, &user_site, tl_entity(0, "a", 1), 1000000);
    uint64_t entity = tl_entity(tl_entity(0, "host", 0), "process", 3);
    tl_world_free(world);
    assert_int_equal(first, 737757);
    assert_int_equal(second, 32521);
    assert_int_equal(entity, UINT64_C(0x701d3644c82cef18));
}

static void bounds_of_none_are_no_decision(void **state)
{
    (void)state;
    tl_world *world = world_with((struct tl_world_options){.seed = 1});
    uint32_t before = tl_choose(world, &user_site, 9, 1u << 30);
    tl_world_free(world);
    world = world_with((struct tl_world_options){.seed = 1});
    assert_int_equal(tl_choose(world, &user_site, 9, 0), 0);
    assert_int_equal(tl_choose(world, &user_site, 9, 1), 0);
    assert_int_equal(tl_choose_among(world, &user_site, NULL, 0), 0);
    assert_int_equal(tl_choose(world, &user_site, 9, 1u << 30), before);
    tl_world_free(world);
}

/* --- Seeds ------------------------------------------------------------------------------------ */

static unsigned count_nonzero(tl_world *world, const tl_site *site, uint32_t bound, unsigned draws)
{
    unsigned nonzero = 0;
    for (unsigned i = 0; i < draws; i++) {
        uint32_t answer = tl_choose(world, site, 3, bound);
        assert_true(answer < bound);
        nonzero += answer != 0;
    }
    return nonzero;
}

static void odds_are_kept(void **state)
{
    (void)state;
    tl_world *world = world_with((struct tl_world_options){.seed = 1});
    assert_in_range(count_nonzero(world, &fault_site, 2, 4000), 1800, 2200);
    assert_in_range(count_nonzero(world, &order_site, 2, 1000), 1000, 1000);
    assert_in_range(count_nonzero(world, &user_site, 4, 4000), 2800, 3200);
    assert_int_equal(tl_world_set_odds(world, "test.fault", 0), 0);
    assert_int_equal(count_nonzero(world, &fault_site, 2, 1000), 0);
    assert_int_equal(tl_world_set_odds(world, "test.fault", 6554), 0);
    assert_in_range(count_nonzero(world, &fault_site, 2, 4000), 300, 500);
    assert_int_equal(tl_world_set_odds(world, "stream.reset", 1), 0);
    assert_int_equal(tl_world_set_odds(world, "no.site", 1), -ENOENT);
    tl_world_free(world);
}

static void answers_are_even(void **state)
{
    (void)state;
    unsigned counts[8] = {0};
    tl_world *world = world_with((struct tl_world_options){.seed = 9});
    for (int i = 0; i < 8000; i++)
        counts[tl_choose(world, &user_site, (uint64_t)i / 10, 8)]++;
    for (int i = 0; i < 8; i++)
        assert_in_range(counts[i], 850, 1150);
    tl_world_free(world);
}

static void faults_can_be_off_and_count_all_the_same(void **state)
{
    (void)state;
    uint32_t answers[20];
    tl_world *world = world_with((struct tl_world_options){.seed = 1});
    for (int i = 0; i < 20; i++)
        answers[i] = tl_choose(world, &fault_site, 1, 1000);
    tl_world_free(world);
    world = world_with((struct tl_world_options){.seed = 1, .quiet = true});
    assert_int_equal(count_nonzero(world, &order_site, 3, 100), 100);
    for (int i = 0; i < 10; i++)
        assert_int_equal(tl_choose(world, &fault_site, 1, 1000), 0);
    tl_world_set_faults(world, true);
    for (int i = 10; i < 20; i++)
        assert_int_equal(tl_choose(world, &fault_site, 1, 1000), answers[i]);
    tl_world_free(world);
}

/* --- Scripts ---------------------------------------------------------------------------------- */

static void a_run_becomes_a_script(void **state)
{
    (void)state;
    uint32_t answers[300];
    tl_world *seeded = world_with((struct tl_world_options){.seed = 3, .keep_choices = true});
    for (uint32_t i = 0; i < 300; i++)
        answers[i] = tl_choose(seeded, &fault_site, i % 7, 50);
    size_t count;
    const struct tl_script_entry *script = tl_world_script(seeded, &count);
    assert_in_range(count, 100, 200);
    tl_world *scripted = world_with((struct tl_world_options){
        .strategy = TL_STRATEGY_SCRIPT, .script = script, .script_count = count});
    for (uint32_t i = 0; i < 300; i++)
        assert_int_equal(tl_choose(scripted, &fault_site, i % 7, 50), answers[i]);
    assert_int_equal(tl_world_script_unused(scripted), 0);
    tl_world_free(scripted);
    tl_world_free(seeded);
}

static void scripts_are_clamped_and_counted(void **state)
{
    (void)state;
    uint64_t site = tl_entity(0, "test.fault", 0);
    const struct tl_script_entry script[] = {
        {site, 1, 2, 9}, {site, 1, 0, 5}, {site, 2, 0, 1}, {site, 1, 50, 1}};
    tl_world *world = world_with((struct tl_world_options){
        .strategy = TL_STRATEGY_SCRIPT, .script = script, .script_count = 4});
    assert_int_equal(tl_choose(world, &fault_site, 1, 8), 5);
    assert_int_equal(tl_choose(world, &fault_site, 1, 8), 0);
    assert_int_equal(tl_choose(world, &fault_site, 1, 8), 7);
    assert_int_equal(tl_choose(world, &fault_site, 1, 8), 0);
    assert_int_equal(tl_world_script_unused(world), 2);
    tl_world_set_faults(world, false);
    assert_int_equal(tl_choose(world, &fault_site, 2, 8), 0);
    assert_int_equal(tl_world_script_unused(world), 2);
    tl_world_free(world);

    world = world_with((struct tl_world_options){.strategy = TL_STRATEGY_SCRIPT});
    assert_int_equal(tl_choose(world, &fault_site, 1, 8), 0);
    assert_int_equal(tl_world_script_unused(world), 0);
    tl_world_free(world);
}

/* --- Bytes ------------------------------------------------------------------------------------ */

static void bytes_come_off_a_tape(void **state)
{
    (void)state;
    static const uint8_t tape[] = {3, 0x34, 0x12, 255, 7};
    tl_world *world = world_with((struct tl_world_options){
        .strategy = TL_STRATEGY_BYTES, .bytes = tape, .bytes_count = sizeof tape});
    assert_int_equal(tl_choose(world, &fault_site, 1, 5), 3);
    assert_int_equal(tl_choose(world, &fault_site, 1, 1), 0);
    assert_int_equal(tl_choose(world, &fault_site, 1, 65536), 0x1234);
    tl_world_set_faults(world, false);
    assert_int_equal(tl_choose(world, &fault_site, 1, 5), 0);
    tl_world_set_faults(world, true);
    assert_int_equal(tl_choose(world, &fault_site, 1, 100), 55);
    assert_int_equal(tl_choose(world, &fault_site, 1, 1000), 7);
    assert_int_equal(tl_choose(world, &fault_site, 1, 5), 0);
    assert_int_equal(tl_choose(world, &user_site, 1, 5), 0);
    tl_world_free(world);
}

/* --- Magnitudes and sites --------------------------------------------------------------------- */

static void magnitudes_grow(void **state)
{
    (void)state;
    assert_int_equal(tl_magnitude(0), 0);
    assert_int_equal(tl_magnitude(1), 6500);
    for (uint32_t i = 1; i < TL_MAGNITUDES; i++)
        assert_true(tl_magnitude(i) > tl_magnitude(i - 1));
    assert_in_range(tl_magnitude(TL_MAGNITUDES - 1), 400 * TL_MILLISECOND, 420 * TL_MILLISECOND);
}

static void sites_are_described_and_differ(void **state)
{
    (void)state;
    for (size_t i = 0; tl_sim_sites[i] != NULL; i++) {
        const tl_site *site = tl_sim_sites[i];
        assert_non_null(strstr(site->meaning, "; 0: "));
        assert_non_null(strchr(site->name, '.'));
        assert_true(site->odds <= 65536);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(site->name, tl_sim_sites[j]->name);
    }
}

static void *make_a_world(void *arg)
{
    uint64_t *hash = arg;
    const struct tl_world_options options = {.seed = 1};
    tl_world *world = tl_world_new(&options);
    for (unsigned i = 0; i < 100; i++)
        (void)tl_choose(world, &order_site, i, 8);
    if (tl_world_set_odds(world, "poll.order", 1) == 0)
        tl_world_hashes(world, hash, &(uint64_t){0});
    tl_world_free(world);
    return NULL;
}

static void worlds_of_several_threads_share_their_sites(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    uint64_t hashes[THREADS] = {0};
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make_a_world, &hashes[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_not_equal(hashes[0], 0);
    for (int i = 1; i < THREADS; i++)
        assert_int_equal(hashes[i], hashes[0]);
}

/* Odds that were given in one world are neither the next one's nor those of the next run. */
static void odds_go_with_their_run(void **state)
{
    (void)state;
    tl_world *world = world_with((struct tl_world_options){.seed = 1});
    const uint32_t odds = world->choices.sites[TL_AT_STREAM_RESET].odds;
    assert_int_equal(tl_world_set_odds(world, "stream.reset", 65536), 0);
    assert_false(world->choices.sites[TL_AT_STREAM_RESET].plain);
    tl_world *other = world_with((struct tl_world_options){.seed = 1});
    assert_int_equal(other->choices.sites[TL_AT_STREAM_RESET].odds, odds);
    assert_true(other->choices.sites[TL_AT_STREAM_RESET].plain);
    assert_int_equal(tl_world_reset(world, NULL), 0);
    assert_int_equal(world->choices.sites[TL_AT_STREAM_RESET].odds, odds);
    assert_true(world->choices.sites[TL_AT_STREAM_RESET].plain);
    tl_world_free(other);
    tl_world_free(world);
}

/* --- Memory is out ---------------------------------------------------------------------------- */

static void *refuse_nth(void *ctx, void *ptr, size_t size)
{
    int *left = ctx;
    if (size == 0) {
        test_free(ptr);
        return NULL;
    }
    return *left > 0 && (*left)-- > 0 ? test_realloc(ptr, size) : NULL;
}

static void no_memory_is_told(void **state)
{
    (void)state;
    static const struct tl_script_entry script[] = {{1, 2, 3, 4}};
    struct tl_world_options options = {
        .strategy = TL_STRATEGY_SCRIPT, .script = script, .script_count = 1};
    int left = 0;
    tl_allocator allocator = {.realloc = refuse_nth, .ctx = &left};
    tl_set_allocator(&allocator);
    tl_world *world = NULL;
    for (int n = 0; world == NULL; n++) {
        left = n;
        world = tl_world_new(&options);
        assert_true(n < 20);
    }
    left = 0;
    assert_int_equal(tl_choose(world, &fault_site, 1, 8), 0);
    assert_non_null(strstr(tl_world_report(world), "no memory"));
    tl_world_free(world);
    tl_set_allocator(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_depends_on_its_identity_alone),
        cmocka_unit_test(seeds_differ),
        cmocka_unit_test(a_seed_is_the_same_for_ever),
        cmocka_unit_test(bounds_of_none_are_no_decision),
        cmocka_unit_test(odds_are_kept),
        cmocka_unit_test(answers_are_even),
        cmocka_unit_test(faults_can_be_off_and_count_all_the_same),
        cmocka_unit_test(a_run_becomes_a_script),
        cmocka_unit_test(scripts_are_clamped_and_counted),
        cmocka_unit_test(bytes_come_off_a_tape),
        cmocka_unit_test(magnitudes_grow),
        cmocka_unit_test(sites_are_described_and_differ),
        cmocka_unit_test(worlds_of_several_threads_share_their_sites),
        cmocka_unit_test(odds_go_with_their_run),
        cmocka_unit_test(no_memory_is_told),
    };
    return !!cmocka_run_group_tests(tests, NULL, NULL);
}
