/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exception handler on every kernel: setting it, what the default one writes, and handlers that
 * do everything they had better not do.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <twinloop.h>

#include "support/contract.h"
#include "support/diary.h"

static const tl_exc_context trouble = {.message = "trouble"};

static void report(tl_loop *loop)
{
    tl_loop_call_exception_handler(loop, &trouble);
}

static void set_handler(struct diary *diary, tl_exception_handler handler)
{
    assert_int_equal(tl_loop_set_exception_handler(diary->loop, handler, diary), 0);
}

static size_t occurrences(const char *text, const char *word)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, word)) != NULL; at += strlen(word))
        count++;
    return count;
}

/* --- Setting one ------------------------------------------------------------------------------ */

static void note_h(tl_loop *loop, const tl_exc_context *context, void *arg)
{
    struct diary *diary = arg;
    assert_ptr_equal(loop, diary->loop);
    assert_string_equal(context->message, "trouble");
    diary_note(diary, 'h');
}

static void the_handler_that_is_set_is_called_at_once(struct contract *contract)
{
    struct diary diary;
    void *arg = NULL;
    diary_open(&diary, contract);
    set_handler(&diary, note_h);
    assert_true(tl_loop_get_exception_handler(diary.loop, &arg) == note_h);
    assert_ptr_equal(arg, &diary);
    report(diary.loop);
    assert_string_equal(diary.word, "h");
    assert_int_equal(tl_loop_close(diary.loop), 0);
    report(diary.loop); /* also when the loop is closed */
    diary_close(&diary, "hh");
}

static void none_is_the_default(struct contract *contract)
{
    struct diary diary;
    void *arg = &diary;
    diary_open(&diary, contract);
    diary_hear(&diary);
    set_handler(&diary, NULL);
    assert_null(tl_loop_get_exception_handler(diary.loop, &arg));
    assert_null(arg);
    report(diary.loop);
    assert_string_equal(diary.log, "trouble\n");
    diary_close(&diary, "");
}

static void bad_arguments(struct contract *contract)
{
    struct diary diary;
    diary_open(&diary, contract);
    diary_hear(&diary);
    assert_int_equal(tl_loop_set_exception_handler(NULL, note_h, NULL), -EINVAL);
    tl_loop_call_exception_handler(NULL, &trouble);
    tl_loop_call_exception_handler(diary.loop, NULL);
    tl_loop_default_exception_handler(NULL, &trouble);
    tl_loop_default_exception_handler(diary.loop, NULL);
    assert_string_equal(diary.log, "");
    diary_close(&diary, "");
}

/* --- The default one -------------------------------------------------------------------------- */

static int do_nothing(void *arg, tl_value *ret)
{
    (void)arg, (void)ret;
    return 0;
}

static void the_default_names_what_there_is_in_order(struct contract *contract)
{
    struct diary diary;
    diary_open(&diary, contract);
    diary_hear(&diary);
    tl_addr addr;
    tl_handle *handle;
    tl_task *task;
    const tl_coro coro = {.run = do_nothing};
    assert_int_equal(tl_loop_create_task(diary.loop, &coro, "worker", &task), 0);
    assert_int_equal(tl_addr_parse("127.0.0.1", 80, &addr), 0);
    assert_int_equal(tl_loop_call_soon(diary.loop, diary_note_x, &diary, &handle), 0);
    tl_future *future = tl_loop_create_future(diary.loop);
    const tl_error cause = {.code = -ENXIO, .message = "no disk"};
    const tl_error error = {.code = -EIO, .message = "no answer", .cause = &cause};
    const tl_exc_context context = {
        .message = "all at once",
        .exception = &error,
        .asyncgen = (void *)&diary,
        .future = future,
        .handle = handle,
        .protocol = (void *)&diary,
        .server = (void *)&diary,
        .socket = &addr,
        .task = task,
    };
    tl_loop_default_exception_handler(diary.loop, &context);
    assert_string_equal(diary.log, "all at once\n"
                                   "asyncgen: present\n"
                                   "exception: EIO: no answer\n"
                                   "  caused by: ENXIO: no disk\n"
                                   "future: pending\n"
                                   "handle: diary_note_x\n"
                                   "protocol: present\n"
                                   "server: present\n"
                                   "socket: 127.0.0.1:80\n"
                                   "task: worker, pending\n");
    tl_handle_cancel(handle);
    diary_turn(&diary);
    tl_task_unref(task);
    tl_handle_unref(handle);
    tl_future_unref(future);
    diary_close(&diary, "");
}

static void the_default_does_without_a_message(struct contract *contract)
{
    struct diary diary;
    diary_open(&diary, contract);
    diary_hear(&diary);
    tl_loop_default_exception_handler(diary.loop, &(tl_exc_context){.message = NULL});
    tl_loop_default_exception_handler(diary.loop, &(tl_exc_context){.message = ""});
    assert_string_equal(diary.log, "Unhandled exception in event loop\n"
                                   "Unhandled exception in event loop\n");
    diary_close(&diary, "");
}

static void an_endless_chain_of_causes_is_cut(struct contract *contract)
{
    struct diary diary;
    diary_open(&diary, contract);
    diary_hear(&diary);
    tl_error circle = {.code = -EIO};
    circle.cause = &circle;
    tl_loop_default_exception_handler(diary.loop, &(tl_exc_context){.exception = &circle});
    assert_in_range(strlen(diary.log), 100, 4096);
    diary_close(&diary, "");
}

/* --- Handlers that fail ----------------------------------------------------------------------- */

static void report_again(tl_loop *loop, const tl_exc_context *context, void *arg)
{
    (void)context;
    diary_note(arg, 'r');
    tl_loop_call_exception_handler(loop, &(tl_exc_context){.message = "more trouble"});
}

static void what_goes_wrong_in_the_handler_goes_to_the_default(struct contract *contract)
{
    struct diary diary;
    diary_open(&diary, contract);
    diary_hear(&diary);
    set_handler(&diary, report_again);
    report(diary.loop);
    assert_string_equal(diary.word, "r"); /* not called for its own report */
    assert_string_equal(diary.log, "Unhandled error in exception handler: more trouble\n");
    report(diary.loop);
    diary_close(&diary, "rr");
}

static void drop_a_failure(tl_loop *loop, const tl_exc_context *context, void *arg)
{
    (void)context;
    diary_note(arg, 'f');
    tl_future *future = tl_loop_create_future(loop);
    assert_int_equal(tl_future_set_exception(future, -EIO, NULL), 0);
    tl_future_unref(future);
}

static void a_failure_dropped_in_the_handler(struct contract *contract)
{
    struct diary diary;
    diary_open(&diary, contract);
    diary_hear(&diary);
    set_handler(&diary, drop_a_failure);
    report(diary.loop);
    assert_non_null(strstr(diary.log, "Unhandled error in exception handler: Future exception was "
                                      "never retrieved\nexception: EIO"));
    diary_close(&diary, "f");
}

static void pass_on(tl_loop *loop, const tl_exc_context *context, void *arg)
{
    diary_note(arg, 'p');
    tl_loop_default_exception_handler(loop, context);
}

static void the_handler_may_pass_on_to_the_default(struct contract *contract)
{
    struct diary diary;
    diary_open(&diary, contract);
    diary_hear(&diary);
    set_handler(&diary, pass_on);
    report(diary.loop);
    assert_string_equal(diary.log, "trouble\n");
    diary_close(&diary, "p");
}

static void replace_itself(tl_loop *loop, const tl_exc_context *context, void *arg)
{
    (void)context;
    diary_note(arg, 'o');
    assert_int_equal(tl_loop_set_exception_handler(loop, note_h, arg), 0);
}

static void the_handler_may_replace_itself(struct contract *contract)
{
    struct diary diary;
    diary_open(&diary, contract);
    set_handler(&diary, replace_itself);
    report(diary.loop);
    report(diary.loop);
    diary_close(&diary, "oh");
}

static void report_to_the_loop(enum tl_log_level level, const char *text, void *arg)
{
    struct diary *diary = arg;
    size_t len = strlen(diary->log);
    (void)level;
    (void)snprintf(diary->log + len, sizeof diary->log - len, "%s\n", text);
    report(diary->loop);
    tl_loop_default_exception_handler(diary->loop, &trouble);
}

static void a_log_handler_that_reports_does_not_go_round_in_circles(struct contract *contract)
{
    struct diary diary;
    diary_open(&diary, contract);
    tl_set_log_handler(report_to_the_loop, &diary);
    set_handler(&diary, NULL);
    report(diary.loop);
    assert_int_equal(occurrences(diary.log, "trouble"), 3);
    assert_int_equal(occurrences(diary.log, "Exception in default exception handler"), 2);
    set_handler(&diary, report_again);
    diary.log[0] = '\0';
    report(diary.loop);
    assert_int_equal(occurrences(diary.log, "trouble"), 3);
    tl_set_log_handler(NULL, NULL);
    diary_close(&diary, "r");
}

static void free_the_loop(tl_loop *loop, const tl_exc_context *context, void *arg)
{
    (void)context;
    diary_note(arg, 'f');
    tl_loop_free(loop);
}

static void the_handler_may_free_the_loop(struct contract *contract)
{
    struct diary diary;
    diary_open(&diary, contract);
    set_handler(&diary, free_the_loop);
    report(diary.loop);
    diary.loop = NULL;
    diary_close(&diary, "f");
}

/* Everything that needs an open loop, on one that is being closed. */
static void try_the_loop(tl_loop *loop, const tl_exc_context *context, void *arg)
{
    struct diary *diary = arg;
    (void)context;
    diary_note(diary, 't');
    assert_true(tl_loop_is_closed(loop));
    assert_int_equal(tl_loop_call_soon(loop, diary_note_x, diary, NULL), TL_ECLOSED);
    assert_int_equal(tl_loop_call_later(loop, 0, diary_note_x, diary, NULL), TL_ECLOSED);
    assert_int_equal(tl_loop_run_forever(loop), TL_ECLOSED);
    assert_int_equal(tl_loop_close(loop), 0);
    tl_loop_stop(loop);
    tl_future_unref(tl_loop_create_future(loop));
    report(loop);
}

static void ignore_done(tl_future *future, void *arg)
{
    (void)future, (void)arg;
}

static void the_handler_while_the_loop_is_closed(struct contract *contract)
{
    struct diary diary;
    diary_open(&diary, contract);
    diary_hear(&diary);
    set_handler(&diary, try_the_loop);
    tl_future *future = tl_loop_create_future(diary.loop);
    assert_int_equal(tl_future_add_done_callback(future, ignore_done, NULL), 0);
    assert_int_equal(tl_future_set_exception(future, -EIO, NULL), 0);
    tl_future_unref(future); /* now held by the callback that is queued */
    assert_int_equal(tl_loop_close(diary.loop), 0);
    assert_string_equal(diary.word, "t");
    assert_int_equal(occurrences(diary.log, "Unhandled error in exception handler"), 1);
    diary_close(&diary, "t");
}

static const struct contract_case cases[] = {
    CONTRACT(the_handler_that_is_set_is_called_at_once),
    CONTRACT(none_is_the_default),
    CONTRACT(bad_arguments),
    CONTRACT(the_default_names_what_there_is_in_order),
    CONTRACT(the_default_does_without_a_message),
    CONTRACT(an_endless_chain_of_causes_is_cut),
    CONTRACT(what_goes_wrong_in_the_handler_goes_to_the_default),
    CONTRACT(a_failure_dropped_in_the_handler),
    CONTRACT(the_handler_may_pass_on_to_the_default),
    CONTRACT(the_handler_may_replace_itself),
    CONTRACT(a_log_handler_that_reports_does_not_go_round_in_circles),
    CONTRACT(the_handler_may_free_the_loop),
    CONTRACT(the_handler_while_the_loop_is_closed),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "exception", cases, sizeof cases / sizeof cases[0]);
}
