/* SPDX-License-Identifier: Apache-2.0 */
/*
 * getaddrinfo and getnameinfo: results, errors, being called off, and what debug mode logs. Nothing
 * here asks a server of names.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <twinloop.h>
#include <cmocka.h>
#include "support/answers.h"
#include "support/contract.h"
#include "support/ladder.h"

static const tl_addr loopback = {.family = TL_FAMILY_INET, .port = 80, .data = {127, 0, 0, 1}};

static int run(tl_loop *loop, tl_future *future, tl_value *ret)
{
    return tl_loop_run_until_complete(loop, future, ret);
}

static void the_list_is_the_result(struct contract *contract)
{
    static const tl_addrinfo_hints hints = {.family = TL_FAMILY_INET, .flags = TL_AI_CANONNAME};
    tl_loop *loop = contract_loop(contract);
    tl_value value = tl_value_none();
    size_t count = 99;

    tl_future *future = tl_loop_getaddrinfo(loop, "localhost", "80", &hints);
    assert_false(tl_future_done(future));
    assert_int_equal(run(loop, future, &value), 0);
    const tl_addrinfo *infos = tl_value_addrinfo(&value, &count);
    assert_int_equal(count, 3);
    for (size_t i = 0; i < count; i++) {
        static const int types[] = {TL_STREAM, TL_DATAGRAM, TL_RAW};
        static const int protocols[] = {6, 17, 0};
        assert_true(tl_addr_equal(&infos[i].addr, &loopback));
        assert_int_equal(infos[i].type, types[i]);
        assert_int_equal(infos[i].protocol, protocols[i]);
        assert_string_equal(infos[i].canonname, i == 0 ? "localhost" : "");
    }
    assert_null(tl_value_nameinfo(&value));
    assert_null(tl_value_pair(&value));
    tl_value_finish(&value);
    assert_null(tl_value_addrinfo(&value, &count));
    assert_int_equal(count, 0);
    assert_null(tl_value_addrinfo(NULL, NULL));
    tl_loop_close(loop);
    tl_loop_free(loop);
}

static void both_names_are_the_result(struct contract *contract)
{
    tl_loop *loop = contract_loop(contract);
    tl_value value = tl_value_none();

    assert_int_equal(run(loop, tl_loop_getnameinfo(loop, &loopback, 0), &value), 0);
    assert_string_equal(tl_value_nameinfo(&value)->host, "localhost");
    assert_string_equal(tl_value_nameinfo(&value)->service, "http");
    assert_null(tl_value_addrinfo(&value, NULL));
    tl_value_finish(&value);
    assert_int_equal(
        run(loop, tl_loop_getnameinfo(loop, &loopback, TL_NI_NUMERICHOST | TL_NI_NUMERICSERV),
            &value),
        0);
    assert_string_equal(tl_value_nameinfo(&value)->host, "127.0.0.1");
    assert_string_equal(tl_value_nameinfo(&value)->service, "80");
    tl_value_finish(&value);
    assert_null(tl_value_nameinfo(&value));
    assert_null(tl_value_nameinfo(NULL));
    tl_loop_close(loop);
    tl_loop_free(loop);
}

static void errors_are_the_resolvers(struct contract *contract)
{
    static const tl_addrinfo_hints numeric = {.flags = TL_AI_NUMERICHOST};
    static const tl_addrinfo_hints odd = {.family = TL_FAMILY_UNIX};
    static const tl_addr unix_addr = {.family = TL_FAMILY_UNIX, .len = 1, .data = "x"};
    tl_loop *loop = contract_loop(contract);

    tl_future *future = tl_loop_getaddrinfo(loop, "localhost", "80", &numeric);
    assert_int_equal(run(loop, tl_future_ref(future), NULL), TL_EAI_NONAME);
    assert_string_equal(tl_future_exception(future)->message, tl_strerror(TL_EAI_NONAME));
    tl_future_unref(future);
    assert_int_equal(run(loop, tl_loop_getaddrinfo(loop, NULL, NULL, NULL), NULL), TL_EAI_NONAME);
    assert_int_equal(run(loop, tl_loop_getaddrinfo(loop, "::1", "80", &odd), NULL), TL_EAI_FAMILY);
    assert_int_equal(run(loop, tl_loop_getnameinfo(loop, &unix_addr, 0), NULL), TL_EAI_FAMILY);
    assert_int_equal(run(loop, tl_loop_getnameinfo(loop, NULL, 0), NULL), -EINVAL);
    assert_null(tl_loop_getaddrinfo(NULL, "localhost", NULL, NULL));
    assert_null(tl_loop_getnameinfo(NULL, &loopback, 0));
    assert_null(tl_loop_getnameinfo(NULL, NULL, 0));
    assert_string_equal(tl_err_name(TL_EAI_NONAME), "TL_EAI_NONAME");
    assert_int_equal(tl_err_from_index(tl_err_index(TL_EAI_SYSTEM)), TL_EAI_SYSTEM);
    tl_loop_close(loop);

    future = tl_loop_getaddrinfo(loop, "localhost", NULL, NULL);
    assert_int_equal(tl_future_result(future, NULL), TL_ECLOSED);
    tl_future_unref(future);
    tl_loop_free(loop);
}

static void the_default_executor_has_to_be_there(struct contract *contract)
{
    tl_loop *loop = contract_loop(contract);

    assert_int_equal(run(loop, tl_loop_shutdown_default_executor(loop), NULL), 0);
    tl_future *future = tl_loop_getaddrinfo(loop, "localhost", NULL, NULL);
    assert_int_equal(tl_future_result(future, NULL), TL_ESTATE);
    assert_string_equal(tl_future_exception(future)->message, "Executor shutdown has been called");
    tl_future_unref(future);
    tl_loop_close(loop);
    tl_loop_free(loop);
}

static void note_done(tl_future *future, void *arg)
{
    char *log = arg;

    (void)future;
    strcat(log, tl_future_cancelled(future) ? "cancelled " : "done ");
}

static void a_lookup_can_be_cancelled(struct contract *contract)
{
    tl_loop *loop = contract_loop(contract);
    char log[64] = "";
    struct answers answers;

    answers_apply(&answers, tl_loop_kernel(loop));
    answers.real = true;
    tl_future *first = tl_loop_getaddrinfo(loop, "localhost", "80", NULL);
    tl_future *second = tl_loop_getnameinfo(loop, &loopback, 0);
    assert_int_equal(tl_future_add_done_callback(first, note_done, log), 0);
    assert_true(tl_future_cancel(first));
    assert_false(tl_future_cancel(first));
    assert_int_equal(answers.given_up, 1);
    assert_int_equal(run(loop, second, NULL), 0);
    assert_string_equal(log, "cancelled ");
    tl_future_unref(first);
    tl_loop_close(loop);
    tl_loop_free(loop);
}

/* The answer has come, and waits in the ready queue. */
static void cancelled_when_it_is_there(struct contract *contract)
{
    tl_loop *loop = contract_loop(contract);
    struct answers answers;

    answers_apply(&answers, tl_loop_kernel(loop));
    answers.real = true;
    tl_future *future = tl_loop_getaddrinfo(loop, "127.0.0.1", "80", NULL);
    tl_future_unref(tl_future_ref(future));
    while (!tl_future_done(future)) {
        tl_loop_stop(loop);
        assert_int_equal(tl_loop_run_forever(loop), 0);
    }
    assert_false(tl_future_cancel(future));
    tl_future_unref(future);
    /* And one that the program has finished itself. */
    future = tl_loop_getaddrinfo(loop, "127.0.0.1", "80", NULL);
    assert_int_equal(tl_future_set_result(future, tl_value_int(1)), 0);
    tl_future *other = tl_loop_getaddrinfo(loop, "127.0.0.1", "81", NULL);
    assert_int_equal(run(loop, other, NULL), 0);
    tl_future_unref(future);
    tl_loop_close(loop);
    tl_loop_free(loop);
}

static void pending_when_the_loop_is_closed(struct contract *contract)
{
    tl_loop *loop = contract_loop(contract);
    tl_future *future = tl_loop_getaddrinfo(loop, "localhost", "80", NULL);

    tl_future_unref(tl_loop_getaddrinfo(loop, "localhost", "81", NULL));
    tl_loop_close(loop);
    assert_false(tl_future_done(future));
    assert_true(tl_future_cancel(future));
    tl_future_unref(future);
    tl_loop_free(loop);
}

/* --- Debug mode --- */

struct heard {
    char text[512];
    enum tl_log_level level;
    unsigned count;
};

static void hear(enum tl_log_level level, const char *text, void *arg)
{
    struct heard *heard = arg;

    if (strstr(text, "Getting ") == NULL)
        return;
    snprintf(heard->text, sizeof heard->text, "%s", text);
    heard->level = level;
    heard->count++;
}

static void debug_mode_tells_how_long_it_took(struct contract *contract)
{
    tl_loop *loop = contract_loop(contract);
    struct heard heard = {.count = 0};

    tl_set_log_handler(hear, &heard);
    assert_int_equal(run(loop, tl_loop_getaddrinfo(loop, "127.0.0.1", "80", NULL), NULL), 0);
    assert_int_equal(heard.count, 0);
    tl_loop_set_debug(loop, true);
    assert_int_equal(tl_loop_set_slow_callback_duration(loop, 3600 * TL_SECOND), 0);
    assert_int_equal(run(loop, tl_loop_getaddrinfo(loop, "127.0.0.1", "80", NULL), NULL), 0);
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.level, TL_LOG_DEBUG);
    assert_non_null(strstr(heard.text, "Getting the addresses of 127.0.0.1, service 80 took "));
    assert_non_null(strstr(heard.text, " ms: found"));
    assert_int_equal(tl_loop_set_slow_callback_duration(loop, 0), 0);
    assert_int_equal(run(loop, tl_loop_getnameinfo(loop, &loopback, 1), NULL), 0);
    assert_int_equal(heard.level, TL_LOG_INFO);
    assert_non_null(strstr(heard.text, "Getting the names of 127.0.0.1:80 took "));
    tl_set_log_handler(NULL, NULL);
    tl_loop_close(loop);
    tl_loop_free(loop);
}

/* --- Memory runs out --- */

static void lookups(struct contract *contract)
{
    struct tl_kernel *kernel = contract_kernel(contract);
    tl_loop *loop;

    ladder_arm(contract->ladder);
    if (tl_loop_new(kernel, &loop) < 0) {
        kernel->ops->destroy(kernel);
        return;
    }
    int named = run(loop, tl_loop_getnameinfo(loop, &loopback, 0), NULL);
    tl_future *future = tl_loop_getaddrinfo(loop, "localhost", "80", NULL);
    int found = run(loop, tl_loop_getaddrinfo(loop, "127.0.0.1", "80", NULL), NULL);
    (void)tl_future_exception(future);
    tl_future_unref(future);
    tl_loop_close(loop);
    tl_loop_free(loop);
    ladder_disarm(contract->ladder);
    if (!contract->ladder->hit)
        assert_int_equal(named | found, 0);
    assert_true(named == 0 || named == -ENOMEM || named == TL_EAI_MEMORY);
    assert_true(found == 0 || found == -ENOMEM || found == TL_EAI_MEMORY);
}

static const struct contract_case cases[] = {
    CONTRACT(the_list_is_the_result),
    CONTRACT(both_names_are_the_result),
    CONTRACT(errors_are_the_resolvers),
    CONTRACT(the_default_executor_has_to_be_there),
    CONTRACT(a_lookup_can_be_cancelled),
    CONTRACT(cancelled_when_it_is_there),
    CONTRACT(pending_when_the_loop_is_closed),
    CONTRACT(debug_mode_tells_how_long_it_took),
    CONTRACT_LADDER(lookups, 8),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "getaddrinfo", cases, sizeof cases / sizeof *cases);
}
