/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Debug mode on every kernel: who switches it on, calls from the wrong thread, slow callbacks,
 * where things were made, what is left open.
 *
 * No test takes time: a callback that is to be slow moves the clock of its kernel (skip.h). That is
 * above the recorder, so what is recorded and replayed is a loop in debug mode, and the replay must
 * match as ever.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <twinloop.h>

#include "support/contract.h"
#include "support/diary.h"
#include "support/scene.h"
#include "support/traceback.h"

static void open_debugging(struct diary *diary, struct contract *contract)
{
    diary_open(diary, contract);
    diary_hear(diary);
    tl_loop_set_debug(diary->loop, true);
}

/* Closes first: to free an open loop is something debug mode has an opinion about. */
static void close_debugging(struct diary *diary, const char *word)
{
    assert_int_equal(tl_loop_close(diary->loop), 0);
    diary_close(diary, word);
}

/* --- Switching it on -------------------------------------------------------------------------- */

static bool debug_with(struct contract *contract, const char *value)
{
    assert_int_equal(setenv("TWINLOOP_DEBUG", value, 1), 0);
    tl_loop *loop = contract_loop(contract);
    assert_int_equal(unsetenv("TWINLOOP_DEBUG"), 0);
    bool debug = tl_loop_get_debug(loop);
    assert_int_equal(tl_loop_close(loop), 0);
    tl_loop_free(loop);
    return debug;
}

static void the_environment_sets_it(struct contract *contract)
{
    const char *before = getenv("TWINLOOP_DEBUG");
    char *kept = before != NULL ? strdup(before) : NULL;
    assert_true(debug_with(contract, "1"));
    assert_false(debug_with(contract, ""));
    if (kept != NULL)
        assert_int_equal(setenv("TWINLOOP_DEBUG", kept, 1), 0);
    free(kept);
}

static void it_can_be_switched(struct contract *contract)
{
    struct diary diary;
    diary_open(&diary, contract);
    tl_loop_set_debug(diary.loop, false);
    assert_false(tl_loop_get_debug(diary.loop));
    tl_loop_set_debug(diary.loop, true);
    assert_true(tl_loop_get_debug(diary.loop));
    assert_int_equal(tl_loop_close(diary.loop), 0);
    assert_true(tl_loop_get_debug(diary.loop));
    diary_close(&diary, "");
}

/* --- The wrong thread ------------------------------------------------------------------------- */

static void *call_from_elsewhere(void *arg)
{
    struct diary *diary = arg;
    int *results = calloc(3, sizeof *results);
    results[0] = tl_loop_call_soon(diary->loop, diary_note_x, diary, NULL);
    results[1] = tl_loop_call_later(diary->loop, 0, diary_note_x, diary, NULL);
    results[2] = tl_loop_call_at(diary->loop, 0, diary_note_x, diary, NULL);
    return results;
}

static void expect_from_elsewhere(struct diary *diary, int expected)
{
    pthread_t thread;
    void *results;
    assert_int_equal(pthread_create(&thread, NULL, call_from_elsewhere, diary), 0);
    assert_int_equal(pthread_join(thread, &results), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(((int *)results)[i], expected);
    free(results);
}

static void refused_while_it_runs(void *arg)
{
    struct diary *diary = arg;
    diary_note(diary, 'r');
    expect_from_elsewhere(diary, TL_ETHREAD);
    assert_int_equal(tl_loop_call_soon(diary->loop, diary_note_y, diary, NULL), 0);
}

static void calls_from_the_wrong_thread_are_refused(struct contract *contract)
{
    struct diary diary;
    open_debugging(&diary, contract);
    assert_int_equal(tl_loop_call_soon(diary.loop, refused_while_it_runs, &diary, NULL), 0);
    diary_turn(&diary);
    diary_turn(&diary);
    close_debugging(&diary, "ry");
}

static void a_loop_that_does_not_run_has_no_wrong_thread(struct contract *contract)
{
    struct diary diary;
    open_debugging(&diary, contract);
    expect_from_elsewhere(&diary, 0);
    diary_turn(&diary);
    close_debugging(&diary, "xxx");
}

/* --- Slow callbacks --------------------------------------------------------------------------- */

static NAMED void slow_one(void *arg)
{
    struct diary *diary = arg;
    diary->skipping.skipped += 250 * TL_MILLISECOND;
    diary_note(diary, 's');
}

static NAMED void slow_done(tl_future *future, void *arg)
{
    (void)future;
    slow_one(arg);
    diary_note(arg, 'd');
}

static NAMED void just_slow(void *arg)
{
    struct diary *diary = arg;
    diary->skipping.skipped += 100 * TL_MILLISECOND;
    diary_note(diary, 'j');
}

static void expect_slow(struct diary *diary, const char *name)
{
    char line[128];
    (void)snprintf(line, sizeof line, "Executing %s took 0.25", name);
    if (strncmp(diary->log, line, strlen(line)) != 0 || strstr(diary->log, " seconds\n") == NULL)
        fail_msg("\"%s\" does not begin with \"%s\"", diary->log, line);
    diary->log[0] = '\0';
}

static void a_slow_callback_is_logged_by_name(struct contract *contract)
{
    struct diary diary;
    open_debugging(&diary, contract);
    assert_int_equal(tl_loop_call_soon(diary.loop, slow_one, &diary, NULL), 0);
    diary_turn(&diary);
    expect_slow(&diary, "slow_one");
    close_debugging(&diary, "s");
}

static void a_slow_timer_is_logged_by_name(struct contract *contract)
{
    struct diary diary;
    struct tl_timer timer;
    open_debugging(&diary, contract);
    assert_int_equal(tl_loop_call_later(diary.loop, 0, slow_one, &diary, NULL), 0);
    diary_turn(&diary);
    expect_slow(&diary, "slow_one");
    tl_timer_init(&timer, diary.loop, slow_one, &diary);
    assert_int_equal(tl_timer_start(&timer, 0), 0);
    diary_turn(&diary);
    expect_slow(&diary, "slow_one");
    close_debugging(&diary, "ss");
}

static void a_slow_done_callback_is_logged_by_name(struct contract *contract)
{
    struct diary diary;
    open_debugging(&diary, contract);
    tl_future *future = tl_loop_create_future(diary.loop);
    assert_int_equal(tl_future_add_done_callback(future, slow_done, &diary), 0);
    assert_true(tl_future_cancel(future));
    tl_future_unref(future);
    diary_turn(&diary);
    expect_slow(&diary, "slow_done");
    close_debugging(&diary, "sd");
}

static void what_counts_as_slow_can_be_set(struct contract *contract)
{
    struct diary diary;
    open_debugging(&diary, contract);
    assert_int_equal(tl_loop_get_slow_callback_duration(diary.loop), 100 * TL_MILLISECOND);
    assert_int_equal(tl_loop_set_slow_callback_duration(diary.loop, -1), -EINVAL);
    assert_int_equal(tl_loop_set_slow_callback_duration(NULL, 1), -EINVAL);
    assert_int_equal(tl_loop_call_soon(diary.loop, just_slow, &diary, NULL), 0);
    diary_turn(&diary);
    assert_non_null(strstr(diary.log, "just_slow took 0.1"));
    diary.log[0] = '\0';

    /* Hours, so that no machine is too busy for it. */
    assert_int_equal(tl_loop_set_slow_callback_duration(diary.loop, 10000 * TL_SECOND), 0);
    assert_int_equal(tl_loop_call_soon(diary.loop, just_slow, &diary, NULL), 0);
    diary_turn(&diary);
    assert_string_equal(diary.log, "");
    assert_int_equal(tl_loop_set_slow_callback_duration(diary.loop, 0), 0);
    assert_int_equal(tl_loop_call_soon(diary.loop, diary_note_x, &diary, NULL), 0);
    diary_turn(&diary);
    assert_non_null(strstr(diary.log, "diary_note_x took 0."));
    close_debugging(&diary, "jjx");
}

static void without_debug_mode_nothing_is_slow(struct contract *contract)
{
    struct diary diary;
    open_debugging(&diary, contract);
    tl_loop_set_debug(diary.loop, false);
    assert_int_equal(tl_loop_call_soon(diary.loop, slow_one, &diary, NULL), 0);
    diary_turn(&diary);
    assert_string_equal(diary.log, "");
    diary_close(&diary, "s");
    assert_string_equal(diary.log, "");
}

/* --- Where things were made ------------------------------------------------------------------- */

static void expect_origin(tl_loop *loop, const tl_exc_context *context, void *arg)
{
    (void)loop;
    diary_note(arg, 'o');
    assert_true(traceback_leads_through(context->source_traceback, "fail_here"));
    assert_null(context->handle_traceback);
    assert_in_range(tl_traceback_depth(context->source_traceback), 1, 10);
    assert_int_equal(tl_traceback_frame(context->source_traceback, 10, NULL, 0), -EINVAL);
    tl_loop_default_exception_handler(loop, context);
}

static NAMED tl_future *fail_here(tl_loop *loop)
{
    tl_future *future = tl_loop_create_future(loop);
    assert_int_equal(tl_future_set_exception(future, -EIO, NULL), 0);
    return future;
}

static void a_leaked_future_knows_where_it_was_made(struct contract *contract)
{
    struct diary diary;
    open_debugging(&diary, contract);
    assert_int_equal(tl_loop_set_exception_handler(diary.loop, expect_origin, &diary), 0);
    tl_future_unref(fail_here(diary.loop));
    assert_non_null(strstr(diary.log, "\nsource_traceback:\n  "));
    assert_non_null(strstr(diary.log, "\n  fail_here+0x"));
    close_debugging(&diary, "o");
}

static void expect_scheduler(tl_loop *loop, const tl_exc_context *context, void *arg)
{
    (void)loop;
    diary_note(arg, 'h');
    assert_true(traceback_leads_through(context->handle_traceback, "schedule_here"));
}

static void report(void *arg)
{
    struct diary *diary = arg;
    tl_loop_call_exception_handler(diary->loop, &(tl_exc_context){.message = "trouble"});
}

static NAMED void schedule_here(struct diary *diary)
{
    assert_int_equal(tl_loop_call_soon(diary->loop, report, diary, NULL), 0);
    assert_int_equal(tl_loop_call_later(diary->loop, 0, report, diary, NULL), 0);
}

static void a_report_knows_where_its_callback_was_scheduled(struct contract *contract)
{
    struct diary diary;
    open_debugging(&diary, contract);
    assert_int_equal(tl_loop_set_exception_handler(diary.loop, expect_scheduler, &diary), 0);
    schedule_here(&diary);
    diary_turn(&diary);
    close_debugging(&diary, "hh");
}

static void report_and_stop(void *arg)
{
    struct diary *diary = arg;
    report(diary);
    tl_loop_stop(diary->loop);
}

static NAMED int schedule_here_in_a_job(void *arg, tl_value *result)
{
    struct diary *diary = arg;
    (void)result;
    int r = tl_loop_call_soon_threadsafe(diary->loop, report_and_stop, diary, NULL);
    return r == 0 ? 0 : -EIO; /* a tail call would leave no frame of this function */
}

static void expect_job(tl_loop *loop, const tl_exc_context *context, void *arg)
{
    (void)loop;
    diary_note(arg, 'j');
    assert_true(traceback_leads_through(context->handle_traceback, "schedule_here_in_a_job"));
}

static void so_does_one_that_a_job_scheduled(struct contract *contract)
{
    struct diary diary;
    open_debugging(&diary, contract);
    assert_int_equal(tl_loop_set_exception_handler(diary.loop, expect_job, &diary), 0);
    tl_future *job = tl_loop_run_in_executor(diary.loop, NULL, schedule_here_in_a_job, &diary);
    assert_int_equal(tl_loop_run_forever(diary.loop), 0);
    tl_future_unref(job);
    close_debugging(&diary, "j");
}

static void expect_no_origin(tl_loop *loop, const tl_exc_context *context, void *arg)
{
    (void)loop;
    diary_note(arg, 'n');
    assert_null(context->source_traceback);
    assert_null(context->handle_traceback);
    assert_int_equal(tl_traceback_depth(context->source_traceback), 0);
}

static void without_debug_mode_nothing_is_noted(struct contract *contract)
{
    struct diary diary;
    diary_open(&diary, contract);
    tl_loop_set_debug(diary.loop, false);
    assert_int_equal(tl_loop_set_exception_handler(diary.loop, expect_no_origin, &diary), 0);
    tl_future_unref(fail_here(diary.loop));
    schedule_here(&diary);
    diary_turn(&diary);
    diary_close(&diary, "nnn");
}

/* --- What is left open ------------------------------------------------------------------------ */

static int stop_it(struct side *side)
{
    if (++side->scene->client.count == 2)
        tl_loop_stop(side->scene->loop);
    return 0;
}

static void connect_and_stop(struct scene *scene, struct contract *contract)
{
    static const struct hooks hooks = {.made = stop_it};
    scene_open(scene, contract);
    side_init(&scene->client, scene, TL_PROTOCOL_STREAM, &hooks);
    side_init(&scene->peer, scene, TL_PROTOCOL_STREAM, &hooks);
    scene_connect(scene);
    scene_run(scene);
}

static void transports_left_open_are_reported(struct contract *contract)
{
    struct scene scene;
    connect_and_stop(&scene, contract);
    tl_loop_set_debug(scene.loop, true);
    assert_int_equal(tl_loop_close(scene.loop), 0);
    assert_string_equal(scene.errors,
                        "unclosed server: \nunclosed transport: \nunclosed transport: \n");
    scene_close(&scene);
    assert_log(&scene.client, "made released");
    assert_log(&scene.peer, "made released");
}

static void without_debug_mode_they_are_not(struct contract *contract)
{
    struct scene scene;
    connect_and_stop(&scene, contract);
    tl_loop_set_debug(scene.loop, false);
    scene_close(&scene);
    assert_string_equal(scene.errors, "");
}

struct meddler {
    struct scene scene;
    int reports;
};

/* Does what a handler should not while a loop is being closed. */
static void meddle(tl_loop *loop, const tl_exc_context *context, void *arg)
{
    struct meddler *meddler = arg;
    meddler->reports++;
    assert_int_equal(tl_loop_close(loop), -EBUSY);
    assert_int_equal(tl_loop_run_forever(loop), -EBUSY);
    tl_loop_free(loop); /* refused */
    assert_ptr_equal(context->server, meddler->scene.server);
    (void)tl_transport_write(meddler->scene.peer.transport, "late", 4);
    tl_transport_abort(meddler->scene.client.transport);
    tl_transport_close(meddler->scene.peer.transport);
    tl_server_close(meddler->scene.server);
    scene_connect(&meddler->scene);
}

static void a_handler_may_meddle_with_a_loop_that_is_closed(struct contract *contract)
{
    struct meddler meddler = {.reports = 0};
    connect_and_stop(&meddler.scene, contract);
    tl_loop_set_debug(meddler.scene.loop, true);
    assert_int_equal(tl_loop_set_exception_handler(meddler.scene.loop, meddle, &meddler), 0);
    scene_close(&meddler.scene);
    assert_int_equal(meddler.reports, 1); /* all others were closed by then */
    assert_log(&meddler.scene.client, "made released");
    assert_log(&meddler.scene.peer, "made released");
}

static void a_loop_freed_unclosed_is_logged(struct contract *contract)
{
    struct diary diary;
    open_debugging(&diary, contract);
    diary_close(&diary, "");
    assert_string_equal(diary.log, "unclosed event loop\n");
    open_debugging(&diary, contract);
    close_debugging(&diary, "");
    assert_string_equal(diary.log, "");
}

static const struct contract_case cases[] = {
    CONTRACT_ONLY(the_environment_sets_it, CONTRACT_REAL | CONTRACT_REPLAY_REAL),
    CONTRACT(it_can_be_switched),
    CONTRACT(calls_from_the_wrong_thread_are_refused),
    CONTRACT(a_loop_that_does_not_run_has_no_wrong_thread),
    CONTRACT(a_slow_callback_is_logged_by_name),
    CONTRACT(a_slow_timer_is_logged_by_name),
    CONTRACT(a_slow_done_callback_is_logged_by_name),
    CONTRACT(what_counts_as_slow_can_be_set),
    CONTRACT(without_debug_mode_nothing_is_slow),
    CONTRACT(a_leaked_future_knows_where_it_was_made),
    CONTRACT(a_report_knows_where_its_callback_was_scheduled),
    CONTRACT(so_does_one_that_a_job_scheduled),
    CONTRACT(without_debug_mode_nothing_is_noted),
    CONTRACT(transports_left_open_are_reported),
    CONTRACT(without_debug_mode_they_are_not),
    CONTRACT(a_handler_may_meddle_with_a_loop_that_is_closed),
    CONTRACT(a_loop_freed_unclosed_is_logged),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "debug", cases, sizeof cases / sizeof cases[0]);
}
