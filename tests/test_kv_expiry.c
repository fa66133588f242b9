/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kv example's deadlines: when exactly a key is gone, what moves a deadline and what leaves it.
 *
 * A row gives the time that has passed since the dialogue began, in milliseconds and nanoseconds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "support/kv_session.h"

#include <cmocka.h> /* after it: it takes the word fail for itself */

struct row {
    int64_t ms, ns;
    struct exchange exchange;
};

static void run_rows(const struct row *rows, size_t count)
{
    struct kv_test t;
    kv_test_init(&t);
    tl_time start = t.session.now;
    for (size_t i = 0; i < count; i++) {
        t.session.now = start + rows[i].ms * TL_MILLISECOND + rows[i].ns;
        kv_test_exchange(&t, &rows[i].exchange);
    }
    kv_test_finish(&t);
}

#define ROWS(...)                                                                                  \
    static const struct row rows[] = {__VA_ARGS__};                                                \
    (void)state;                                                                                   \
    run_rows(rows, sizeof rows / sizeof *rows)

/* clang-format off */

static void a_key_is_there_until_its_deadline(void **state)
{
    ROWS(
        {0, 0, {"SET k v PX 10", "+OK\r\n"}},
        {9, 999999, {"GET k", "$1\r\nv\r\n"}},
        {9, 999999, {"EXISTS k", ":1\r\n"}},
        {9, 999999, {"DBSIZE", ":1\r\n"}},
        {10, 0, {"GET k", "$-1\r\n"}},
        {10, 0, {"SET k v EX 1", "+OK\r\n"}},
        {1009, 999999, {"GET k", "$1\r\nv\r\n"}},
        {1010, 0, {"GET k", "$-1\r\n"}},
    );
}

/* The first command to come in that instant, whichever it is, does not see the key. */
static void no_command_sees_an_expired_key(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {"GET k", "$-1\r\n"},
        {"MGET k", "*1\r\n$-1\r\n"},
        {"EXISTS k", ":0\r\n"},
        {"DEL k", ":0\r\n"},
        {"DBSIZE", ":0\r\n"},
        {"TYPE k", "+none\r\n"},
        {"STRLEN k", ":0\r\n"},
        {"TTL k", ":-2\r\n"},
        {"PTTL k", ":-2\r\n"},
        {"PERSIST k", ":0\r\n"},
        {"EXPIRE k 5", ":0\r\n"},
        {"PEXPIRE k -5", ":0\r\n"},
        {"SET k new XX", "$-1\r\n"},
        {"SET k new NX", "+OK\r\n"},
        {"SET k new GET", "$-1\r\n"},
        {"GETSET k new", "$-1\r\n"},
        {"APPEND k new", ":3\r\n"},
        {"INCR k", ":1\r\n"},
        {"DECRBY k 5", ":-5\r\n"},
        {"INFO keyspace", "$12\r\n# Keyspace\r\n\r\n"},
    };
    for (size_t i = 0; i < sizeof exchanges / sizeof *exchanges; i++) {
        struct kv_test t;
        kv_test_init(&t);
        kv_test_ask(&t, "SET k 41 PX 3");
        t.session.now += 3 * TL_MILLISECOND;
        kv_test_exchange(&t, &exchanges[i]);
        kv_test_finish(&t);
    }
}

/* What makes a key anew makes it without the deadline it had. */
static void a_new_key_has_no_old_deadline(void **state)
{
    ROWS(
        {0, 0, {"SET k 1 PX 10", "+OK\r\n"}},
        {10, 0, {"INCR k", ":1\r\n"}},
        {10, 0, {"PTTL k", ":-1\r\n"}},
        {10, 0, {"PEXPIRE k 10", ":1\r\n"}},
        {20, 0, {"APPEND k x", ":1\r\n"}},
        {99, 0, {"PTTL k", ":-1\r\n"}},
        {99, 0, {"PEXPIRE k 10", ":1\r\n"}},
        {109, 0, {"SET k 1 KEEPTTL", "+OK\r\n"}},
        {999, 0, {"PTTL k", ":-1\r\n"}},
    );
}

static void what_moves_a_deadline(void **state)
{
    ROWS(
        {0, 0, {"SET k 1 PX 10", "+OK\r\n"}},
        {5, 0, {"INCR k", ":2\r\n"}},
        {5, 0, {"APPEND k 0", ":2\r\n"}},
        {5, 0, {"SET k 7 KEEPTTL", "+OK\r\n"}},
        {5, 0, {"SET k 8 KEEPTTL GET", "$1\r\n7\r\n"}},
        {5, 0, {"SET k 9 NX PX 50", "$-1\r\n"}},
        {5, 0, {"PTTL k", ":5\r\n"}},
        {9, 0, {"PEXPIRE k 10", ":1\r\n"}},
        {18, 999999, {"GET k", "$1\r\n8\r\n"}},
        {18, 999999, {"PEXPIRE k 2", ":1\r\n"}},
        {20, 999998, {"PERSIST k", ":1\r\n"}},
        {900, 0, {"GET k", "$1\r\n8\r\n"}},
        {900, 0, {"SET k 1 PX 10", "+OK\r\n"}},
        {905, 0, {"GETSET k 2", "$1\r\n1\r\n"}},
        {910, 0, {"GET k", "$1\r\n2\r\n"}},
        {910, 0, {"SET k 1 PX 10", "+OK\r\n"}},
        {911, 0, {"MSET k 2", "+OK\r\n"}},
        {920, 0, {"GET k", "$1\r\n2\r\n"}},
    );
}

/* What is left is rounded up to milliseconds, and of those to the nearest second. */
static void what_is_left(void **state)
{
    ROWS(
        {0, 0, {"SET k v PX 1500", "+OK\r\n"}},
        {0, 0, {"PTTL k", ":1500\r\n"}},
        {0, 0, {"TTL k", ":2\r\n"}},
        {0, 1, {"PTTL k", ":1500\r\n"}},
        {1, 0, {"PTTL k", ":1499\r\n"}},
        {1, 0, {"TTL k", ":1\r\n"}},
        {1000, 0, {"TTL k", ":1\r\n"}},
        {1001, 0, {"TTL k", ":0\r\n"}},
        {1499, 999999, {"PTTL k", ":1\r\n"}},
        {1500, 0, {"PTTL k", ":-2\r\n"}},
    );
}

/* Far times are kept as far as the clock goes, some 292 years. */
static void far_deadlines(void **state)
{
    ROWS(
        {0, 0, {"SET k v EX 3153600000", "+OK\r\n"}},
        {0, 0, {"TTL k", ":3153600000\r\n"}},
        {0, 0, {"SET k v EX 9000000000000000", "+OK\r\n"}},
        {0, 0, {"TTL k", ":9223372037\r\n"}},
        {4000000000000, 0, {"GET k", "$1\r\nv\r\n"}},
        {4000000000000, 0, {"PEXPIRE k 9000000000000000 GT", ":0\r\n"}},
    );
}

static void databases_expire_apart(void **state)
{
    ROWS(
        {0, 0, {"SET k v PX 10", "+OK\r\n"}},
        {0, 0, {"SELECT 9", "+OK\r\n"}},
        {0, 0, {"SET k v PX 20", "+OK\r\n"}},
        {10, 0, {"DBSIZE", ":1\r\n"}},
        {10, 0, {"SELECT 0", "+OK\r\n"}},
        {10, 0, {"DBSIZE", ":0\r\n"}},
        {10, 0, {"FLUSHALL", "+OK\r\n"}},
        {10, 0, {"SELECT 9", "+OK\r\n"}},
        {10, 0, {"DBSIZE", ":0\r\n"}},
    );
}

/* clang-format on */

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_there_until_its_deadline),
        cmocka_unit_test(no_command_sees_an_expired_key),
        cmocka_unit_test(a_new_key_has_no_old_deadline),
        cmocka_unit_test(what_moves_a_deadline),
        cmocka_unit_test(what_is_left),
        cmocka_unit_test(far_deadlines),
        cmocka_unit_test(databases_expire_apart),
    };
    int rc = cmocka_run_group_tests_name("kv expiry", tests, NULL, NULL);
    return !!rc;
}
