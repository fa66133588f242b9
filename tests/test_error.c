/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Error codes: names, sentences, and the index that traces and hashes rely on.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <twinloop/error.h>

static void names_and_sentences(void **state)
{
    (void)state;
    assert_string_equal(tl_err_name(-ECONNREFUSED), "ECONNREFUSED");
    assert_string_equal(tl_err_name(TL_ECLOSED), "TL_ECLOSED");
    assert_string_equal(tl_err_name(0), "OK");
    assert_string_equal(tl_err_name(-99999), "UNKNOWN");
    assert_string_equal(tl_strerror(0), "no error");
    assert_string_equal(tl_strerror(-ENOENT), strerror(ENOENT));
    assert_string_equal(tl_strerror(TL_ECLOSED), "the loop or the transport is closed");
    assert_string_equal(tl_strerror(-99999), "unknown error");
}

static void every_own_code_has_an_index(void **state)
{
    (void)state;
#define CHECK_INDEX(name, number, sentence)                                                        \
    assert_true(tl_err_index(name) >= 512);                                                        \
    assert_int_equal(tl_err_from_index(tl_err_index(name)), name);
    TL_ERRORS(CHECK_INDEX)
}

static void indexes_never_move(void **state)
{
    (void)state;
    /* These three are in traces that exist: whoever changes them breaks every trace. */
    assert_int_equal(tl_err_index(-EPERM), 1);
    assert_int_equal(tl_err_index(-EAGAIN), 11);
    assert_int_equal(tl_err_index(TL_ECLOSED), 512);
    assert_int_equal(tl_err_index(0), 0);
    assert_int_equal(tl_err_index(-99999), 0);
    assert_int_equal(tl_err_from_index(0), 0);
    assert_int_equal(tl_err_from_index(500), -EIO);
    assert_int_equal(tl_err_from_index(100000), -EIO);
}

static void every_index_leads_back(void **state)
{
    (void)state;
    for (unsigned index = 1; index < 512; index++) {
        int code = tl_err_from_index(index);
        if (code == -EIO && index != tl_err_index(-EIO))
            continue;
        assert_int_equal(tl_err_index(code), index);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_sentences),
        cmocka_unit_test(every_own_code_has_an_index),
        cmocka_unit_test(indexes_never_move),
        cmocka_unit_test(every_index_leads_back),
    };
    return !!cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
