/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kv example's store: against a plain array, with and without deadlines; large; and when memory
 * runs out, at every allocation in turn.
 *
 * The store and its buffers are compiled into this file, with an allocator that can be told to
 * fail. The commands come from the library of examples and use those of this file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned failing_in; /* allocations until one fails; 0: none does */

static int fails(void)
{
    return failing_in > 0 && --failing_in == 0;
}

static void *test_malloc(size_t size)
{
    return fails() ? NULL : malloc(size);
}

static void *test_calloc(size_t count, size_t size)
{
    return fails() ? NULL : calloc(count, size);
}

static void *test_realloc(void *memory, size_t size)
{
    return fails() ? NULL : realloc(memory, size);
}

#define malloc test_malloc
#define calloc test_calloc
#define realloc test_realloc
#include "examples/kv/buffer.c"
#include "examples/kv/deadlines.c"
#include "examples/kv/store.c"
#undef malloc
#undef calloc
#undef realloc

#include "support/kv_session.h"

#include <cmocka.h> /* after them: it takes the word fail for itself */

static uint32_t next_number(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

static size_t key_of(uint32_t i, char *key)
{
    return (size_t)sprintf(key, "key-%u", i);
}

/* --- A map ------------------------------------------------------------------------------------ */

enum { KEYS = 300, STEPS = 30000, TTL_MAX = 400 };

struct model {
    uint32_t values[KEYS]; /* lengths; 0: not there */
    tl_time deadlines[KEYS];
};

static bool is_there(const struct model *model, uint32_t i, tl_time now)
{
    return model->values[i] > 0 && model->deadlines[i] > now;
}

static size_t count_there(const struct model *model, tl_time now)
{
    size_t count = 0;
    for (uint32_t i = 0; i < KEYS; i++)
        count += is_there(model, i, now);
    return count;
}

/* Every deadline is where its entry says, and none is before the one above it. */
static void expect_heap(const struct kv_deadlines *deadlines)
{
    for (size_t i = 0; i < deadlines->count; i++) {
        assert_int_equal(deadlines->heap[i].entry->place, i + 1);
        assert_true(i == 0 || deadlines->heap[(i - 1) / ARITY].when <= deadlines->heap[i].when);
    }
}

static void change(struct kv_store *store, struct model *model, uint32_t i, tl_time now,
                   uint32_t *random)
{
    char key[16];
    size_t key_len = key_of(i, key);
    struct kv_entry *entry = kv_store_find(store, key, key_len, now);
    tl_time deadline =
        next_number(random) % 2 ? TL_TIME_NEVER : now + next_number(random) % TTL_MAX;
    uint32_t len = next_number(random) % 9 + 1;
    switch (next_number(random) % 5) {
    case 0:
        if (entry != NULL)
            kv_store_remove(store, entry);
        model->values[i] = 0;
        break;
    case 1:
        if (entry == NULL)
            break;
        assert_int_equal(kv_store_set_deadline(store, entry, deadline), 0);
        model->deadlines[i] = deadline;
        break;
    case 2:
        if (entry == NULL)
            break;
        assert_int_equal(kv_store_append(store, entry, "vvvvvvvvv", len), 0);
        model->values[i] += len;
        break;
    default:
        assert_int_equal(kv_store_set(store, key, key_len, "vvvvvvvvv", len, deadline), 0);
        model->values[i] = len;
        model->deadlines[i] = deadline;
        break;
    }
}

static void the_store_is_a_map(void **state)
{
    (void)state;
    static struct model model;
    struct kv_store store = {0};
    uint32_t random = 1;
    tl_time now = 0;
    char key[16];
    for (unsigned step = 0; step < STEPS; step++) {
        uint32_t i = next_number(&random) % KEYS;
        now += next_number(&random) % 3;
        const struct kv_entry *entry = kv_store_find(&store, key, key_of(i, key), now);
        assert_int_equal(entry != NULL, is_there(&model, i, now));
        if (entry != NULL) {
            assert_int_equal(entry->value_len, model.values[i]);
            for (size_t at = 0; at < entry->value_len; at++)
                assert_int_equal(entry->value[at], 'v');
            assert_true(kv_store_deadline(&store, entry) == model.deadlines[i]);
        }
        if (entry == NULL)
            model.values[i] = 0;
        change(&store, &model, i, now, &random);
        expect_heap(&store.deadlines);
        if (step % 100 == 0) {
            (void)kv_store_expire(&store, now, SIZE_MAX);
            assert_int_equal(store.entries_count, count_there(&model, now));
            assert_true(kv_store_next_deadline(&store) > now);
        }
    }
    assert_true(store.expired > 0);
    kv_store_finish(&store);
    assert_int_equal(kv_store_bytes(&store), 0);
}

/* Removing keys leaves no byte in the account. */
static void bytes_are_accounted_for(void **state)
{
    (void)state;
    struct kv_store store = {0};
    char key[16];
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(kv_store_set(&store, key, key_of(i, key), "value", i % 6, 1000 - i), 0);
    assert_true(kv_store_bytes(&store) > 1000 * sizeof(struct kv_entry));
    assert_int_equal(kv_store_expire(&store, 500, 100), 100);
    assert_int_equal(kv_store_expire(&store, 500, 1000), 400);
    assert_int_equal(kv_store_expire(&store, 1000, SIZE_MAX), 500);
    assert_int_equal(store.entries_bytes, 0);
    assert_int_equal(store.entries_count, 0);
    kv_store_finish(&store);
}

/* Memory that a value needed is given back with it, and what appending reserves is bounded. */
static void values_are_not_larger_than_needed(void **state)
{
    (void)state;
    struct kv_store store = {0};
    static char large[3 << 20];
    assert_int_equal(kv_store_set(&store, "k", 1, large, sizeof large, TL_TIME_NEVER), 0);
    struct kv_entry *entry = kv_store_find(&store, "k", 1, 0);
    assert_int_equal(kv_store_append(&store, entry, "x", 1), 0);
    assert_true(entry->value_capacity <= sizeof large + 1 + SPARE_MAX);
    assert_int_equal(kv_store_set(&store, "k", 1, "small", 5, TL_TIME_NEVER), 0);
    assert_int_equal(entry->value_capacity, 5);
    kv_store_finish(&store);
}

/* --- Memory that runs out --------------------------------------------------------------------- */

/* clang-format off */

static const char *const requests[] = {
    "SET b 2", "EXPIRE b 10", "SET a 1 PX 100", "INCRBY a 10", "APPEND b xyz", "SET a new EX 5 GET",
    "GETSET c 3", "APPEND fresh abc", "MGET a b c", "MSET d 4", "SET a 8 KEEPTTL",
    "CLIENT SETNAME me", "DECR n", "PEXPIRE d 7", "DBSIZE", "TTL b", "APPEND d longer-than-before",
    "INFO memory", "GET d", "SELECT 3", "SET x y PX 1", "INCR z", "DBSIZE",
};

/* clang-format on */

/* Runs one request while an allocation fails: true if it was refused for that. */
static bool is_refused(struct kv_test *t, const char *request, unsigned countdown)
{
    size_t argc = 0;
    struct kv_buffer line = {0};
    kv_buffer_append_text(&line, request);
    kv_buffer_append(&line, "\r\n", 2);
    resp_parser_feed(&t->parser, line.data, line.len);
    assert_int_equal(resp_parser_next(&t->parser, &argc), RESP_COMMAND);
    kv_buffer_clear(&t->reply, 0);
    failing_in = countdown;
    kv_command_run(&t->session, argc, t->parser.args);
    bool failed = countdown > 0 && failing_in == 0;
    failing_in = 0;
    bool refused = t->reply.failed ||
                   (t->reply.len == 20 && memcmp(t->reply.data, "-OOM out of memory\r\n", 20) == 0);
    assert_true(!refused || failed);
    resp_parser_keep(&t->parser);
    kv_buffer_finish(&line);
    return refused;
}

/* The requests, the nth allocation of one of them failing. What was refused without having lost its
 * reply has changed nothing: repeated, it is answered as if it had not been tried before. */
static bool run_with_failure(size_t failing, unsigned countdown)
{
    bool refused = false;
    struct kv_test t, untroubled;
    kv_test_init(&t);
    kv_test_init(&untroubled);
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        if (i == failing) {
            refused = is_refused(&t, requests[i], countdown) && !t.reply.failed;
            if (!refused)
                break;
        }
        kv_test_ask(&t, requests[i]);
        kv_test_ask(&untroubled, requests[i]);
        if (strstr(requests[i], "INFO") == NULL)
            assert_string_equal(t.reply.data, untroubled.reply.data);
        expect_heap(&t.session.store->deadlines);
    }
    kv_test_finish(&t);
    kv_test_finish(&untroubled);
    return refused;
}

static void memory_runs_out(void **state)
{
    (void)state;
    unsigned refusals = 0;
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
        for (unsigned countdown = 1; countdown < 12; countdown++)
            refusals += run_with_failure(i, countdown);
    assert_true(refusals >= 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_store_is_a_map),
        cmocka_unit_test(bytes_are_accounted_for),
        cmocka_unit_test(values_are_not_larger_than_needed),
        cmocka_unit_test(memory_runs_out),
    };
    int rc = cmocka_run_group_tests_name("kv store", tests, NULL, NULL);
    return !!rc;
}
