/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kv client's view of a key with a deadline: which answers it takes, and when.
 *
 * A dialogue is a list of steps with the milliseconds at which each was sent and answered; only its
 * last answer may be wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "examples/kv/volatile.h"

#include <cmocka.h> /* after it: it takes the word fail for itself */

struct row {
    enum kv_volatile_op op;
    int64_t sent, answered; /* milliseconds */
    const char *answer;
    int64_t ttl_ms;
};

/* clang-format off */
#define SET(sent, answered, ttl) {KV_VOLATILE_SET, sent, answered, "+OK\r\n", ttl}
#define SET_NX(sent, answered, ttl, answer) {KV_VOLATILE_SET_NX, sent, answered, answer, ttl}
#define PEXPIRE(sent, answered, ttl, answer) {KV_VOLATILE_PEXPIRE, sent, answered, answer, ttl}
#define DO(op, sent, answered, answer) {KV_VOLATILE_##op, sent, answered, answer, 1}
/* clang-format on */

#define THERE "$3\r\n500\r\n"
#define NIL "$-1\r\n"

/* Runs the rows; whether the last answer is taken. */
static bool is_taken(const struct row *rows, size_t count)
{
    struct kv_volatile key = {0};
    bool taken = true;
    for (size_t i = 0; i < count; i++) {
        assert_true(taken);
        const struct kv_volatile_step step = {
            .op = rows[i].op, .value = 500, .ttl_ms = rows[i].ttl_ms};
        taken = kv_volatile_check(&key, &step, rows[i].sent * TL_MILLISECOND,
                                  rows[i].answered * TL_MILLISECOND, rows[i].answer,
                                  strlen(rows[i].answer));
    }
    return taken;
}

#define TAKEN(...)                                                                                 \
    assert_true(is_taken((const struct row[]){__VA_ARGS__},                                        \
                         sizeof((const struct row[]){__VA_ARGS__}) / sizeof(struct row)))
#define REFUSED(...)                                                                               \
    assert_false(is_taken((const struct row[]){__VA_ARGS__},                                       \
                          sizeof((const struct row[]){__VA_ARGS__}) / sizeof(struct row)))

/* SET was run between 10 and 13, so the deadline of 100 lies between 110 and 113. */
static void it_is_there_then_maybe_then_gone(void **state)
{
    (void)state;
    TAKEN(SET(10, 13, 100), DO(GET, 20, 109, THERE));
    REFUSED(SET(10, 13, 100), DO(GET, 20, 109, NIL));
    TAKEN(SET(10, 13, 100), DO(GET, 20, 110, THERE));
    TAKEN(SET(10, 13, 100), DO(GET, 20, 110, NIL));
    TAKEN(SET(10, 13, 100), DO(GET, 112, 200, THERE));
    TAKEN(SET(10, 13, 100), DO(GET, 112, 200, NIL));
    TAKEN(SET(10, 13, 100), DO(GET, 113, 200, NIL));
    REFUSED(SET(10, 13, 100), DO(GET, 113, 200, THERE));
    REFUSED(SET(10, 13, 100), DO(GET, 20, 30, "$3\r\n501\r\n"));
}

/* What was seen once binds what comes after it. */
static void answers_narrow_the_bounds(void **state)
{
    (void)state;
    REFUSED(SET(10, 20, 100), DO(GET, 112, 118, NIL), DO(GET, 113, 119, THERE));
    TAKEN(SET(10, 20, 100), DO(GET, 115, 116, THERE), DO(GET, 115, 118, NIL));
    /* 95 left between 16 and 17: the deadline is after 110, and no later than 112. */
    REFUSED(SET(10, 20, 100), DO(PTTL, 16, 17, ":95\r\n"), DO(GET, 100, 110, NIL));
    REFUSED(SET(10, 20, 100), DO(PTTL, 16, 17, ":95\r\n"), DO(GET, 112, 113, THERE));
    TAKEN(SET(10, 20, 100), DO(PTTL, 16, 17, ":95\r\n"), DO(GET, 111, 113, THERE));
}

static void what_is_left(void **state)
{
    (void)state;
    TAKEN(SET(10, 12, 100), DO(PTTL, 20, 21, ":90\r\n"));
    TAKEN(SET(10, 12, 100), DO(PTTL, 20, 21, ":89\r\n"));
    TAKEN(SET(10, 12, 100), DO(PTTL, 20, 21, ":92\r\n"));
    REFUSED(SET(10, 12, 100), DO(PTTL, 20, 21, ":88\r\n"));
    REFUSED(SET(10, 12, 100), DO(PTTL, 20, 21, ":93\r\n"));
    REFUSED(SET(10, 12, 100), DO(PTTL, 20, 21, ":-1\r\n"));
    REFUSED(SET(10, 12, 100), DO(PTTL, 20, 21, ":-2\r\n"));
    TAKEN(SET(10, 12, 100), DO(PTTL, 112, 113, ":-2\r\n"));
    TAKEN(SET(10, 12, 100), DO(PERSIST, 20, 21, ":1\r\n"), DO(PTTL, 900, 901, ":-1\r\n"));
    REFUSED(SET(10, 12, 100), DO(PERSIST, 20, 21, ":1\r\n"), DO(PTTL, 900, 901, ":-2\r\n"));
    REFUSED(SET(10, 12, 100), DO(PERSIST, 20, 21, ":0\r\n"));
    REFUSED(SET(10, 12, 100), DO(PERSIST, 20, 21, ":1\r\n"), DO(PERSIST, 22, 23, ":1\r\n"));
    TAKEN(SET(10, 12, 100), PEXPIRE(20, 21, 50, ":1\r\n"), DO(GET, 71, 72, NIL));
    REFUSED(SET(10, 12, 100), PEXPIRE(20, 21, 50, ":1\r\n"), DO(GET, 71, 72, THERE));
    REFUSED(SET(10, 12, 10), PEXPIRE(22, 24, 50, ":1\r\n"));
}

/* Every other command also tells whether the key was there. */
static void every_command_is_a_look(void **state)
{
    (void)state;
    static const struct {
        enum kv_volatile_op op;
        const char *there, *gone;
    } looks[] = {
        {KV_VOLATILE_SET_NX, NIL, "+OK\r\n"},
        {KV_VOLATILE_SET_GET, THERE, NIL},
        {KV_VOLATILE_GET, THERE, NIL},
        {KV_VOLATILE_EXISTS, ":1\r\n", ":0\r\n"},
        {KV_VOLATILE_DEL, ":1\r\n", ":0\r\n"},
        {KV_VOLATILE_INCR, ":501\r\n", ":1\r\n"},
        {KV_VOLATILE_PERSIST, ":1\r\n", ":0\r\n"},
        {KV_VOLATILE_PEXPIRE, ":1\r\n", ":0\r\n"},
    };
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++) {
        TAKEN(SET(0, 1, 10), {looks[i].op, 2, 9, looks[i].there, 5});
        REFUSED(SET(0, 1, 10), {looks[i].op, 2, 9, looks[i].gone, 5});
        TAKEN(SET(0, 1, 10), {looks[i].op, 2, 10, looks[i].gone, 5});
        TAKEN(SET(0, 1, 10), {looks[i].op, 10, 20, looks[i].there, 5});
        TAKEN(SET(0, 1, 10), {looks[i].op, 11, 20, looks[i].gone, 5});
        REFUSED(SET(0, 1, 10), {looks[i].op, 11, 20, looks[i].there, 5});
        TAKEN({looks[i].op, 1, 2, looks[i].gone, 5});
        REFUSED({looks[i].op, 1, 2, looks[i].there, 5});
        REFUSED({looks[i].op, 1, 2, "+FROB\r\n", 5});
    }
}

/* A deadline goes with its key, stays with what changes the value, and comes anew with SET. */
static void what_becomes_of_the_deadline(void **state)
{
    (void)state;
    REFUSED(SET(0, 1, 10), DO(INCR, 2, 3, ":501\r\n"), DO(GET, 11, 12, "$3\r\n501\r\n"));
    TAKEN(SET(0, 1, 10), DO(INCR, 12, 13, ":1\r\n"), DO(INCR, 900, 901, ":2\r\n"));
    REFUSED(SET(0, 1, 10), DO(SET_GET, 2, 3, THERE), DO(GET, 11, 12, THERE));
    TAKEN(SET(0, 1, 10), DO(SET_GET, 12, 13, NIL), DO(GET, 900, 901, THERE));
    REFUSED(SET(0, 1, 10), SET_NX(2, 3, 90, NIL), DO(GET, 12, 13, THERE));
    REFUSED(SET(0, 1, 10), SET_NX(12, 13, 90, "+OK\r\n"), DO(GET, 14, 15, NIL));
    TAKEN(SET(0, 1, 10), SET(2, 3, 90), DO(GET, 91, 93, THERE));
    REFUSED(SET(0, 1, 90), DO(DEL, 2, 3, ":1\r\n"), DO(GET, 4, 5, THERE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_there_then_maybe_then_gone),
        cmocka_unit_test(answers_narrow_the_bounds),
        cmocka_unit_test(what_is_left),
        cmocka_unit_test(every_command_is_a_look),
        cmocka_unit_test(what_becomes_of_the_deadline),
    };
    int rc = cmocka_run_group_tests_name("kv volatile", tests, NULL, NULL);
    return !!rc;
}
