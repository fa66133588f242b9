/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asynchronous generators on every kernel: values, closing, what closing meets, and shutting all of
 * a loop's down.
 *
 * A body follows a script, a letter a step: y yields the next number, w waits a millisecond, f
 * fails. When it is told to close it notes c and does what its closing letter says: nothing, w
 * waits first, i ignores it and yields, f fails. Its end is noted as /.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <twinloop.h>

#include "support/contract.h"
#include "support/warnings.h"

struct stage {
    tl_loop *loop;
    char word[64];
    char message[80]; /* the last report to the exception handler */
    int code;
    int reports;
    tl_asyncgen *reported;
};

struct body {
    struct stage *stage;
    const char *script;
    char closing;
    int64_t number;
};

static void note(struct stage *stage, char letter)
{
    size_t len = strlen(stage->word);
    assert_true(len + 1 < sizeof stage->word);
    stage->word[len] = letter;
}

static void keep_report(tl_loop *loop, const tl_exc_context *context, void *arg)
{
    struct stage *stage = arg;
    (void)loop;
    strncpy(stage->message, context->message, sizeof stage->message - 1);
    stage->code = context->exception != NULL ? context->exception->code : 0;
    stage->reported = context->asyncgen;
    stage->reports++;
}

static void open_stage(struct stage *stage, struct contract *contract)
{
    *stage = (struct stage){.loop = contract_loop(contract)};
    assert_int_equal(tl_loop_set_exception_handler(stage->loop, keep_report, stage), 0);
}

static int pause_a_little(tl_loop *loop)
{
    return tl_await(tl_sleep(loop, TL_MILLISECOND), NULL);
}

static int close_body(tl_asyncgen *gen, struct body *body)
{
    note(body->stage, 'c');
    switch (body->closing) {
    case 'w':
        (void)pause_a_little(body->stage->loop);
        note(body->stage, 'w');
        return -ECANCELED;
    case 'i':
        return tl_asyncgen_yield(gen, tl_value_int(-1));
    case 'f':
        return -EPROTO;
    default:
        return -ECANCELED;
    }
}

static int step_body(tl_asyncgen *gen, struct body *body, char step)
{
    switch (step) {
    case 'y':
        return tl_asyncgen_yield(gen, tl_value_int(body->number++));
    case 'w':
        return pause_a_little(body->stage->loop);
    default:
        return -EIO;
    }
}

static int run_body(tl_asyncgen *gen, void *arg)
{
    struct body *body = arg;
    for (const char *step = body->script; *step != '\0'; step++) {
        int r = step_body(gen, body, *step);
        if (r == -ECANCELED)
            return close_body(gen, body);
        if (r < 0)
            return r;
    }
    return 0;
}

static void dispose_body(void *arg)
{
    struct body *body = arg;
    note(body->stage, '/');
}

static tl_asyncgen *new_gen(struct body *body)
{
    const tl_asyncgen_body given = {run_body, body, dispose_body};
    tl_asyncgen *gen;
    assert_int_equal(tl_asyncgen_new(body->stage->loop, &given, &gen), 0);
    return gen;
}

/* The next value, or the negative error. */
static int64_t next(struct stage *stage, tl_asyncgen *gen)
{
    tl_value value;
    int r = tl_loop_run_until_complete(stage->loop, tl_asyncgen_next(gen), &value);
    return r < 0 ? r : value.integer;
}

static int aclose(struct stage *stage, tl_asyncgen *gen)
{
    return tl_loop_run_until_complete(stage->loop, tl_asyncgen_aclose(gen), NULL);
}

/* --- Values ----------------------------------------------------------------------------------- */

static void values_come_in_order(struct contract *contract)
{
    struct stage stage;
    open_stage(&stage, contract);
    struct body body = {&stage, "ywyy", 0, 10};
    tl_asyncgen *gen = new_gen(&body);
    assert_int_equal(body.number, 10); /* nothing runs before it is asked */
    assert_int_equal(next(&stage, gen), 10);
    assert_int_equal(next(&stage, gen), 11);
    assert_int_equal(next(&stage, gen), 12);
    assert_int_equal(next(&stage, gen), TL_EEOF);
    assert_string_equal(stage.word, "/");
    assert_int_equal(next(&stage, gen), TL_EEOF);
    tl_asyncgen_unref(gen);
    tl_loop_free(stage.loop);
    assert_int_equal(stage.reports, 0);
}

static int sum_up(void *arg, tl_value *ret)
{
    tl_value value;
    int64_t sum = 0;
    int r;
    while ((r = tl_await(tl_asyncgen_next(arg), &value)) == 0)
        sum += value.integer;
    *ret = tl_value_int(sum);
    return r == TL_EEOF ? 0 : r;
}

static void a_task_takes_them(struct contract *contract)
{
    struct stage stage;
    open_stage(&stage, contract);
    struct body body = {&stage, "yywyy", 0, 1};
    tl_asyncgen *gen = new_gen(&body);
    const tl_coro coro = {sum_up, gen, NULL};
    tl_task *task;
    tl_value value;
    assert_int_equal(tl_loop_create_task(stage.loop, &coro, NULL, &task), 0);
    assert_int_equal(tl_loop_run_until_complete(stage.loop, tl_task_future(task), &value), 0);
    assert_int_equal(value.integer, 1 + 2 + 3 + 4);
    tl_asyncgen_unref(gen);
    tl_loop_free(stage.loop);
}

static void one_asks_at_a_time(struct contract *contract)
{
    struct stage stage;
    open_stage(&stage, contract);
    struct body body = {&stage, "wyy", 0, 0};
    tl_asyncgen *gen = new_gen(&body);
    tl_future *first = tl_asyncgen_next(gen);
    assert_int_equal(next(&stage, gen), -EBUSY);
    assert_int_equal(aclose(&stage, gen), -EBUSY);
    assert_int_equal(tl_loop_run_until_complete(stage.loop, first, NULL), 0);
    assert_int_equal(aclose(&stage, gen), 0);
    tl_asyncgen_unref(gen);
    tl_loop_free(stage.loop);
    assert_string_equal(stage.word, "c/");
}

static void an_error_ends_it(struct contract *contract)
{
    struct stage stage;
    open_stage(&stage, contract);
    struct body body = {&stage, "yf", 0, 0};
    tl_asyncgen *gen = new_gen(&body);
    assert_int_equal(next(&stage, gen), 0);
    assert_int_equal(next(&stage, gen), -EIO);
    assert_int_equal(next(&stage, gen), TL_EEOF);
    tl_asyncgen_unref(gen);
    tl_loop_free(stage.loop);
    assert_int_equal(stage.reports, 0);
}

static void cancelling_a_next_cancels_the_wait(struct contract *contract)
{
    struct stage stage;
    open_stage(&stage, contract);
    struct body body = {&stage, "wy", 0, 0};
    tl_asyncgen *gen = new_gen(&body);
    tl_future *future = tl_asyncgen_next(gen);
    assert_int_equal(tl_loop_run_until_complete(stage.loop, tl_sleep(stage.loop, 0), NULL), 0);
    assert_true(tl_future_cancel(future));
    assert_int_equal(tl_loop_run_until_complete(stage.loop, future, NULL), -ECANCELED);
    assert_int_equal(tl_loop_run_until_complete(stage.loop, tl_sleep(stage.loop, 0), NULL), 0);
    assert_string_equal(stage.word, "c/");
    assert_int_equal(next(&stage, gen), TL_EEOF);
    tl_asyncgen_unref(gen);
    tl_loop_free(stage.loop);
}

static void yielding_elsewhere_is_refused(struct contract *contract)
{
    struct stage stage;
    open_stage(&stage, contract);
    struct body body = {&stage, "y", 0, 0};
    tl_asyncgen *gen = new_gen(&body);
    assert_int_equal(tl_asyncgen_yield(gen, tl_value_int(1)), TL_ENOTASK);
    assert_int_equal(next(&stage, gen), 0);
    assert_int_equal(tl_asyncgen_yield(gen, tl_value_int(1)), TL_ENOTASK);
    assert_int_equal(aclose(&stage, gen), 0);
    tl_asyncgen_unref(gen);
    tl_loop_free(stage.loop);
}

static void wrong_arguments_dispose(struct contract *contract)
{
    struct stage stage;
    open_stage(&stage, contract);
    struct body body = {&stage, "", 0, 0};
    tl_asyncgen_body given = {run_body, &body, dispose_body};
    tl_asyncgen *gen = NULL;
    assert_int_equal(tl_asyncgen_new(stage.loop, NULL, &gen), -EINVAL);
    assert_int_equal(tl_asyncgen_new(NULL, &given, &gen), -EINVAL);
    assert_int_equal(tl_asyncgen_new(stage.loop, &given, NULL), -EINVAL);
    given.run = NULL;
    assert_int_equal(tl_asyncgen_new(stage.loop, &given, &gen), -EINVAL);
    assert_string_equal(stage.word, "///");
    tl_asyncgen_unref(NULL);
    assert_int_equal(tl_loop_close(stage.loop), 0);
    given.run = run_body;
    assert_int_equal(tl_asyncgen_new(stage.loop, &given, &gen), TL_ECLOSED);
    assert_null(gen);
    tl_loop_free(stage.loop);
}

/* --- Closing ---------------------------------------------------------------------------------- */

static void closing_lets_the_body_clean_up(struct contract *contract)
{
    struct stage stage;
    open_stage(&stage, contract);
    struct body body = {&stage, "yy", 'w', 0};
    tl_asyncgen *gen = new_gen(&body);
    assert_int_equal(next(&stage, gen), 0);
    tl_future *closed = tl_asyncgen_aclose(gen);
    assert_string_equal(stage.word, ""); /* not inside the call */
    assert_int_equal(tl_loop_run_until_complete(stage.loop, closed, NULL), 0);
    assert_string_equal(stage.word, "cw/");
    assert_int_equal(next(&stage, gen), TL_EEOF);
    assert_int_equal(aclose(&stage, gen), 0);
    tl_asyncgen_unref(gen);
    tl_loop_free(stage.loop);
    assert_int_equal(stage.reports, 0);
}

static void a_fresh_one_never_runs(struct contract *contract)
{
    struct stage stage;
    open_stage(&stage, contract);
    struct body body = {&stage, "y", 0, 0};
    tl_asyncgen *gen = new_gen(&body);
    assert_int_equal(aclose(&stage, gen), 0);
    assert_string_equal(stage.word, "/");
    assert_int_equal(next(&stage, gen), TL_EEOF);
    tl_asyncgen_unref(gen);
    tl_asyncgen_unref(new_gen(&body)); /* nor one that is dropped */
    assert_string_equal(stage.word, "//");
    assert_int_equal(body.number, 0);
    tl_loop_free(stage.loop);
}

static void what_closing_can_fail_with(struct contract *contract)
{
    struct stage stage;
    open_stage(&stage, contract);
    struct body ignores = {&stage, "yy", 'i', 0};
    struct body fails = {&stage, "yy", 'f', 0};
    tl_asyncgen *gen = new_gen(&ignores);
    assert_int_equal(next(&stage, gen), 0);
    assert_int_equal(aclose(&stage, gen), TL_ESTATE);
    tl_asyncgen_unref(gen);
    gen = new_gen(&fails);
    assert_int_equal(next(&stage, gen), 0);
    assert_int_equal(aclose(&stage, gen), -EPROTO);
    tl_asyncgen_unref(gen);
    tl_loop_free(stage.loop);
    assert_string_equal(stage.word, "c/c/");
    assert_int_equal(stage.reports, 0);
}

/* asyncio: one that nobody can go on with is closed by its loop. */
static void the_last_reference_closes(struct contract *contract)
{
    struct stage stage;
    open_stage(&stage, contract);
    struct body body = {&stage, "yy", 0, 0};
    struct body fails = {&stage, "wy", 'f', 0};
    tl_asyncgen *gen = new_gen(&body);
    assert_int_equal(next(&stage, gen), 0);
    tl_asyncgen_unref(gen);
    assert_int_equal(tl_loop_run_until_complete(stage.loop, tl_sleep(stage.loop, 1), NULL), 0);
    assert_string_equal(stage.word, "c/");

    /* Dropped while it works on a value: that one is still given. */
    gen = new_gen(&fails);
    tl_future *future = tl_asyncgen_next(gen);
    tl_asyncgen_unref(gen);
    assert_int_equal(tl_loop_run_until_complete(stage.loop, future, NULL), 0);
    assert_int_equal(tl_loop_run_until_complete(stage.loop, tl_sleep(stage.loop, 1), NULL), 0);
    assert_string_equal(stage.word, "c/c/");
    assert_int_equal(stage.reports, 1);
    assert_int_equal(stage.code, -EPROTO);
    tl_loop_free(stage.loop);
}

static void a_loop_closed_under_them(struct contract *contract)
{
    struct stage stage;
    open_stage(&stage, contract);
    struct body standing = {&stage, "y", 0, 0};
    struct body running = {&stage, "wy", 0, 0};
    tl_asyncgen *a = new_gen(&standing);
    tl_asyncgen *b = new_gen(&running);
    assert_int_equal(next(&stage, a), 0);
    tl_future *pending = tl_asyncgen_next(b);
    assert_int_equal(tl_loop_close(stage.loop), 0);
    assert_string_equal(stage.word, "//");
    assert_false(tl_future_done(pending));
    tl_future_unref(pending);
    tl_asyncgen_unref(a);
    tl_asyncgen_unref(b);
    tl_loop_free(stage.loop);
}

/* --- Shutting down ---------------------------------------------------------------------------- */

static int shut_down(struct stage *stage)
{
    return tl_loop_run_until_complete(stage->loop, tl_loop_shutdown_asyncgens(stage->loop), NULL);
}

static void shutting_down_closes_all(struct contract *contract)
{
    struct stage stage;
    open_stage(&stage, contract);
    struct body bodies[4] = {
        {&stage, "yy", 0, 0}, {&stage, "yy", 'f', 0}, {&stage, "yy", 0, 0}, {&stage, "yy", 0, 0}};
    tl_asyncgen *gens[4];
    assert_int_equal(shut_down(&stage), 0); /* there is none */
    for (int i = 0; i < 4; i++)
        gens[i] = new_gen(&bodies[i]);
    for (int i = 0; i < 3; i++)
        assert_int_equal(next(&stage, gens[i]), 0);
    assert_int_equal(shut_down(&stage), 0);
    assert_string_equal(stage.word, "ccc///"); /* not the one that has not begun */
    assert_int_equal(stage.reports, 1);
    assert_int_equal(stage.code, -EPROTO);
    assert_ptr_equal(stage.reported, gens[1]);
    assert_string_equal(stage.message,
                        "an error occurred during closing of asynchronous generator");
    for (int i = 0; i < 4; i++)
        tl_asyncgen_unref(gens[i]);
    assert_int_equal(tl_loop_close(stage.loop), 0);
    assert_int_equal(shut_down(&stage), TL_ECLOSED);
    tl_loop_free(stage.loop);
}

static void one_that_begins_later_is_warned_of(struct contract *contract)
{
    struct stage stage;
    struct warnings warnings;
    open_stage(&stage, contract);
    struct body body = {&stage, "y", 0, 5};
    assert_int_equal(shut_down(&stage), 0);
    tl_asyncgen *gen = new_gen(&body);
    warnings_start(&warnings);
    assert_int_equal(next(&stage, gen), 5);
    warnings_stop();
    assert_int_equal(warnings.count, 1);
    assert_non_null(strstr(warnings.last, "tl_loop_shutdown_asyncgens"));
    assert_int_equal(shut_down(&stage), 0);
    assert_string_equal(stage.word, "c/");
    tl_asyncgen_unref(gen);
    tl_loop_free(stage.loop);
}

static void shutting_down_meets_one_at_work(struct contract *contract)
{
    struct stage stage;
    open_stage(&stage, contract);
    struct body body = {&stage, "wy", 0, 0};
    tl_asyncgen *gen = new_gen(&body);
    tl_future *future = tl_asyncgen_next(gen);
    assert_int_equal(shut_down(&stage), 0);
    assert_int_equal(stage.reports, 1);
    assert_int_equal(stage.code, -EBUSY);
    assert_int_equal(tl_loop_run_until_complete(stage.loop, future, NULL), 0);
    assert_int_equal(aclose(&stage, gen), 0);
    tl_asyncgen_unref(gen);
    tl_loop_free(stage.loop);
}

/* --- The allocation ladder -------------------------------------------------------------------- */

static void make_and_shut_down(struct stage *stage, struct body *body)
{
    const tl_asyncgen_body given = {run_body, body, dispose_body};
    tl_asyncgen *gen;
    int r = tl_asyncgen_new(stage->loop, &given, &gen);
    if (r == 0) {
        int64_t value = next(stage, gen);
        assert_true(value == 0 || value == -ENOMEM);
        r = shut_down(stage);
        tl_asyncgen_unref(gen);
    }
    assert_true(r == 0 || r == -ENOMEM);
}

static void every_allocation_may_fail(struct contract *contract)
{
    struct stage stage;
    open_stage(&stage, contract);
    struct body body = {&stage, "wyy", 0, 0};
    ladder_arm(contract->ladder);
    make_and_shut_down(&stage, &body);
    ladder_disarm(contract->ladder);
    tl_loop_free(stage.loop);
    /* Whatever failed, the body is disposed of once. */
    assert_ptr_equal(strchr(stage.word, '/'), strrchr(stage.word, '/'));
    assert_non_null(strchr(stage.word, '/'));
}

static const struct contract_case cases[] = {
    CONTRACT(values_come_in_order),
    CONTRACT(a_task_takes_them),
    CONTRACT(one_asks_at_a_time),
    CONTRACT(an_error_ends_it),
    CONTRACT(cancelling_a_next_cancels_the_wait),
    CONTRACT(yielding_elsewhere_is_refused),
    CONTRACT(wrong_arguments_dispose),
    CONTRACT(closing_lets_the_body_clean_up),
    CONTRACT(a_fresh_one_never_runs),
    CONTRACT(what_closing_can_fail_with),
    CONTRACT(the_last_reference_closes),
    CONTRACT(a_loop_closed_under_them),
    CONTRACT(shutting_down_closes_all),
    CONTRACT(one_that_begins_later_is_warned_of),
    CONTRACT(shutting_down_meets_one_at_work),
    CONTRACT_LADDER(every_allocation_may_fail, 8),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "asyncgen", cases, sizeof cases / sizeof cases[0]);
}
