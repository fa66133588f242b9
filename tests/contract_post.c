/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What other threads hand to a loop, on every kernel: callbacks and messages, their order, their
 * cost in wake-ups, and threads that are in the middle of it when the loop is closed.
 *
 * A simulated loop has one thread, so bodies with threads of their own run on the real kernel, its
 * recording and its replay.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <twinloop.h>

#include "support/diary.h"

#define THREADS (CONTRACT_REAL | CONTRACT_REPLAY_REAL)

static void run(tl_loop *loop)
{
    assert_int_equal(tl_loop_run_forever(loop), 0);
}

static void safely(struct diary *diary, tl_callback callback)
{
    assert_int_equal(tl_loop_call_soon_threadsafe(diary->loop, callback, diary, NULL), 0);
}

/* Whether the body is being replayed: then the trace makes the messages. */
static bool replayed(const struct contract *contract)
{
    return contract->reader != NULL;
}

/* --- On the loop's own thread ----------------------------------------------------------------- */

/* asyncio: test_call_soon_threadsafe_same_thread. */
static void one_queue_before_a_run(struct contract *contract)
{
    struct diary diary;
    diary_begin(&diary, contract);
    safely(&diary, diary_note_a);
    diary_soon(&diary, diary_note_b);
    safely(&diary, diary_note_c);
    diary_soon(&diary, diary_note_stop);
    diary_run(&diary);
    assert_string_equal(diary.word, "abc.");

    diary.len = 0;
    diary_soon(&diary, diary_note_c);
    safely(&diary, diary_note_b);
    diary_soon(&diary, diary_note_a);
    safely(&diary, diary_note_stop);
    diary_run(&diary);
    diary_close(&diary, "cba.");
}

static void from_a_callback(void *arg)
{
    struct diary *diary = arg;
    diary_soon(diary, diary_note_a);
    safely(diary, diary_note_b);
    diary_soon(diary, diary_note_c);
    diary_soon(diary, diary_note_stop);
}

static void one_queue_during_a_run(struct contract *contract)
{
    struct diary diary;
    diary_begin(&diary, contract);
    diary_soon(&diary, from_a_callback);
    diary_run(&diary);
    diary_close(&diary, "abc.");
}

static void a_handle_can_be_cancelled(struct contract *contract)
{
    struct diary diary;
    diary_begin(&diary, contract);
    tl_handle *handle;
    assert_int_equal(tl_loop_call_soon_threadsafe(diary.loop, diary_note_a, &diary, &handle), 0);
    safely(&diary, diary_note_stop);
    tl_handle_cancel(handle);
    assert_true(tl_handle_cancelled(handle));
    tl_handle_unref(handle);
    diary_run(&diary);
    diary_close(&diary, ".");
}

static void closed_and_wrong_arguments_are_refused(struct contract *contract)
{
    struct diary diary;
    diary_begin(&diary, contract);
    tl_handle *handle = NULL;
    assert_int_equal(tl_loop_call_soon_threadsafe(NULL, diary_note_a, NULL, NULL), -EINVAL);
    assert_int_equal(tl_loop_call_soon_threadsafe(diary.loop, NULL, NULL, NULL), -EINVAL);
    assert_int_equal(tl_loop_post_message(NULL, 1, "x", 1), -EINVAL);
    assert_int_equal(tl_loop_post_message(diary.loop, 1, NULL, 1), -EINVAL);
    assert_int_equal(tl_loop_post_message(diary.loop, 1, "x", SIZE_MAX), -ENOMEM);
    assert_int_equal(tl_loop_set_message_handler(NULL, NULL, NULL), -EINVAL);

    safely(&diary, diary_note_a); /* is dropped with the loop */
    assert_int_equal(tl_loop_post_message(diary.loop, 1, "x", 1), 0);
    assert_int_equal(tl_loop_close(diary.loop), 0);
    assert_int_equal(tl_loop_call_soon_threadsafe(diary.loop, diary_note_a, &diary, &handle),
                     TL_ECLOSED);
    assert_null(handle);
    assert_int_equal(tl_loop_post_message(diary.loop, 1, "x", 1), TL_ECLOSED);
    diary_close(&diary, "");
}

/* --- Other threads ---------------------------------------------------------------------------- */

enum { PRODUCERS = 4, EACH = 500 };

struct crowd {
    tl_loop *loop;
    int counts[PRODUCERS]; /* callbacks that ran, of each */
    int left;
    struct item {
        struct crowd *crowd;
        int producer;
        int turn;
    } items[PRODUCERS][EACH];
};

static void take_item(void *arg)
{
    struct item *item = arg;
    struct crowd *crowd = item->crowd;
    /* asyncio: the order of one thread is kept. */
    assert_int_equal(crowd->counts[item->producer]++, item->turn);
    if (--crowd->left == 0)
        tl_loop_stop(crowd->loop);
}

static void *produce(void *arg)
{
    struct item *items = arg;
    char name[16];
    snprintf(name, sizeof name, "producer-%d", items[0].producer);
    pthread_setname_np(pthread_self(), name);
    for (int i = 0; i < EACH; i++)
        if (tl_loop_call_soon_threadsafe(items[i].crowd->loop, take_item, &items[i], NULL) < 0)
            return items;
    return NULL;
}

static void producers_keep_their_order(struct contract *contract)
{
    static struct crowd crowd;
    pthread_t threads[PRODUCERS];
    crowd = (struct crowd){.loop = contract_loop(contract), .left = PRODUCERS * EACH};
    for (int p = 0; p < PRODUCERS; p++)
        for (int i = 0; i < EACH; i++)
            crowd.items[p][i] = (struct item){&crowd, p, i};
    for (int p = 0; p < PRODUCERS; p++)
        assert_int_equal(pthread_create(&threads[p], NULL, produce, crowd.items[p]), 0);
    run(crowd.loop);
    for (int p = 0; p < PRODUCERS; p++) {
        void *failed;
        assert_int_equal(pthread_join(threads[p], &failed), 0);
        assert_null(failed);
        assert_int_equal(crowd.counts[p], EACH);
    }
    tl_loop_free(crowd.loop);
}

static void *wake(void *arg)
{
    struct diary *diary = arg;
    (void)tl_loop_call_soon_threadsafe(diary->loop, diary_note_a, diary, NULL);
    (void)tl_loop_call_soon_threadsafe(diary->loop, diary_note_stop, diary, NULL);
    return NULL;
}

static void stop_once(void *arg)
{
    tl_loop_stop(arg);
}

/* A loop that was made here and runs there belongs to the other thread from then on. */
static void *run_elsewhere(void *arg)
{
    struct diary *diary = arg;
    return tl_loop_run_forever(diary->loop) == 0 ? NULL : arg;
}

static void the_maker_posts_to_who_runs_it(struct contract *contract)
{
    struct diary diary;
    diary_begin(&diary, contract);
    pthread_t thread;
    void *failed;
    safely(&diary, diary_note_b); /* still its own */
    assert_int_equal(pthread_create(&thread, NULL, run_elsewhere, &diary), 0);
    wake(&diary);
    assert_int_equal(pthread_join(thread, &failed), 0);
    assert_null(failed);
    diary_close(&diary, "ba.");
}

/* Sees a run begin, has it stopped, and sees it end. */
static void *watch_a_run(void *arg)
{
    tl_loop *loop = arg;
    while (!tl_loop_is_running(loop))
        (void)sched_yield();
    int r = tl_loop_call_soon_threadsafe(loop, stop_once, loop, NULL);
    while (r == 0 && tl_loop_is_running(loop))
        (void)sched_yield();
    return r == 0 ? NULL : arg;
}

static void a_run_is_seen_from_another_thread(struct contract *contract)
{
    tl_loop *loop = contract_loop(contract);
    pthread_t thread;
    void *failed;
    assert_int_equal(pthread_create(&thread, NULL, watch_a_run, loop), 0);
    run(loop);
    assert_int_equal(pthread_join(thread, &failed), 0);
    assert_null(failed);
    tl_loop_free(loop);
}

/* Posts until the loop is closed. */
static void *flood(void *arg)
{
    struct diary *diary = arg;
    int r;
    do
        r = tl_loop_call_soon_threadsafe(diary->loop, diary_note_stop, diary, NULL);
    while (r == 0);
    return r == TL_ECLOSED ? NULL : arg;
}

static void *flood_stops(void *arg)
{
    tl_loop *loop = arg;
    int r;
    do
        r = tl_loop_call_soon_threadsafe(loop, stop_once, loop, NULL);
    while (r == 0 || r == -ENOMEM);
    return r == TL_ECLOSED ? NULL : arg;
}

static void closing_races_with_posters(struct contract *contract)
{
    for (int i = 0; i < 20; i++) {
        tl_loop *loop = contract_loop(contract);
        pthread_t threads[2];
        for (int t = 0; t < 2; t++)
            assert_int_equal(pthread_create(&threads[t], NULL, flood_stops, loop), 0);
        run(loop);
        assert_int_equal(tl_loop_close(loop), 0);
        for (int t = 0; t < 2; t++) {
            void *failed;
            assert_int_equal(pthread_join(threads[t], &failed), 0);
            assert_null(failed);
        }
        tl_loop_free(loop);
    }
}

static void a_simulated_loop_refuses_other_threads(struct contract *contract)
{
    struct diary diary;
    diary_begin(&diary, contract);
    pthread_t thread;
    void *failed;
    assert_int_equal(pthread_create(&thread, NULL, flood, &diary), 0);
    assert_int_equal(pthread_join(thread, &failed), 0);
    assert_ptr_equal(failed, &diary); /* TL_ETHREAD ended it */
    diary_close(&diary, "");
}

/* --- Messages --------------------------------------------------------------------------------- */

struct mail {
    tl_loop *loop;
    char text[64]; /* "kind:bytes " of each message */
};

static void receive(tl_loop *loop, uint32_t kind, const void *data, size_t len, void *arg)
{
    struct mail *mail = arg;
    size_t used = strlen(mail->text);
    assert_ptr_equal(loop, mail->loop);
    snprintf(mail->text + used, sizeof mail->text - used, "%u:%.*s ", (unsigned)kind, (int)len,
             (const char *)data);
    if (kind == 0)
        tl_loop_stop(loop);
}

static void *send_mail(void *arg)
{
    struct mail *mail = arg;
    (void)tl_loop_post_message(mail->loop, 1, "first", 5);
    (void)tl_loop_post_message(mail->loop, 2, NULL, 0);
    (void)tl_loop_post_message(mail->loop, UINT32_MAX, "third", 5);
    (void)tl_loop_post_message(mail->loop, 0, "end", 3);
    return NULL;
}

static void mail_open(struct mail *mail, struct contract *contract)
{
    *mail = (struct mail){.loop = contract_loop(contract)};
    assert_int_equal(tl_loop_set_message_handler(mail->loop, receive, mail), 0);
}

/* A replay needs no thread for them. */
static void messages_of_a_thread_are_in_the_trace(struct contract *contract)
{
    struct mail mail;
    pthread_t thread;
    mail_open(&mail, contract);
    if (!replayed(contract))
        assert_int_equal(pthread_create(&thread, NULL, send_mail, &mail), 0);
    run(mail.loop);
    if (!replayed(contract))
        assert_int_equal(pthread_join(thread, NULL), 0);
    assert_string_equal(mail.text, "1:first 2: 4294967295:third 0:end ");
    tl_loop_free(mail.loop);
}

/* And when there is one, what it posts does not count. */
static void messages_of_a_replay_s_thread_are_dropped(struct contract *contract)
{
    struct mail mail;
    pthread_t thread;
    mail_open(&mail, contract);
    assert_int_equal(pthread_create(&thread, NULL, send_mail, &mail), 0);
    run(mail.loop);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_string_equal(mail.text, "1:first 2: 4294967295:third 0:end ");
    tl_loop_free(mail.loop);
}

static void messages_on_the_own_thread_keep_their_place(struct contract *contract)
{
    struct mail mail;
    mail_open(&mail, contract);
    send_mail(&mail);
    assert_string_equal(mail.text, ""); /* never inside the call */
    run(mail.loop);
    assert_string_equal(mail.text, "1:first 2: 4294967295:third 0:end ");
    tl_loop_free(mail.loop);
}

static void count_report(tl_loop *loop, const tl_exc_context *context, void *arg)
{
    int *reports = arg;
    assert_string_equal(context->message,
                        "A message was posted to a loop that has no message handler");
    ++*reports;
    tl_loop_stop(loop);
}

static void a_message_without_a_handler_is_reported(struct contract *contract)
{
    tl_loop *loop = contract_loop(contract);
    int reports = 0;
    assert_int_equal(tl_loop_set_exception_handler(loop, count_report, &reports), 0);
    assert_int_equal(tl_loop_post_message(loop, 7, "lost", 4), 0);
    run(loop);
    assert_int_equal(reports, 1);
    tl_loop_free(loop);
}

static const struct contract_case cases[] = {
    CONTRACT(one_queue_before_a_run),
    CONTRACT(one_queue_during_a_run),
    CONTRACT(a_handle_can_be_cancelled),
    CONTRACT(closed_and_wrong_arguments_are_refused),
    CONTRACT_ONLY(producers_keep_their_order, THREADS),
    CONTRACT_ONLY(the_maker_posts_to_who_runs_it, CONTRACT_REAL),
    CONTRACT_ONLY(a_run_is_seen_from_another_thread, CONTRACT_REAL),
    CONTRACT_ONLY(closing_races_with_posters, CONTRACT_REAL),
    CONTRACT_ONLY(a_simulated_loop_refuses_other_threads, CONTRACT_SIM),
    CONTRACT_ONLY(messages_of_a_thread_are_in_the_trace, THREADS),
    CONTRACT_ONLY(messages_of_a_replay_s_thread_are_dropped, THREADS),
    CONTRACT(messages_on_the_own_thread_keep_their_place),
    CONTRACT(a_message_without_a_handler_is_reported),
};

int main(int argc, char **argv)
{
    return contract_main(argc, argv, "post", cases, sizeof cases / sizeof cases[0]);
}
