/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signal handlers of loops: what asyncio's rows loop.add_signal_handler and
 * loop.remove_signal_handler promise, in every world.
 *
 * A replay catches nothing, and a test must survive its own signals, so what the program itself
 * would do about them is to ignore them.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <twinloop.h>
#include <cmocka.h>
#include "support/diary.h"
#include "support/raise.h"

/* What the program does about the signals that most bodies send. */
static void (*before[2])(int);

static void open_diary(struct diary *diary, struct contract *contract)
{
    diary_begin(diary, contract);
    before[0] = signal(SIGUSR1, SIG_IGN);
    before[1] = signal(SIGUSR2, SIG_IGN);
}

static void close_diary(struct diary *diary, const char *word)
{
    diary_close(diary, word);
    assert_true(signal(SIGUSR1, before[0]) == SIG_IGN);
    assert_true(signal(SIGUSR2, before[1]) == SIG_IGN);
}

static void send(struct diary *diary, int signum)
{
    raise_at(tl_loop_kernel(diary->loop), signum);
}

static int add(struct diary *diary, int signum, tl_callback callback)
{
    return tl_loop_add_signal_handler(diary->loop, signum, callback, diary);
}

static int take_away(struct diary *diary, int signum)
{
    return tl_loop_remove_signal_handler(diary->loop, signum);
}

/* --- Delivery --------------------------------------------------------------------------------- */

static void each_delivery_is_a_callback(struct contract *contract)
{
    struct diary diary;
    open_diary(&diary, contract);
    assert_int_equal(add(&diary, SIGUSR1, diary_note_a), 0);
    for (int i = 0; i < 3; i++)
        send(&diary, SIGUSR1);
    assert_string_equal(diary.word, ""); /* never from inside the signal */
    diary_turn(&diary);
    close_diary(&diary, "aaa");
}

static void a_signal_ends_a_wait(struct contract *contract)
{
    struct diary diary;
    open_diary(&diary, contract);
    assert_int_equal(add(&diary, SIGUSR1, diary_note_stop), 0);
    raise_later(tl_loop_kernel(diary.loop), SIGUSR1);
    assert_int_equal(tl_loop_run_forever(diary.loop), 0);
    raise_done();
    close_diary(&diary, ".");
}

static void several_come_by_number(struct contract *contract)
{
    struct diary diary;
    open_diary(&diary, contract);
    assert_int_equal(add(&diary, SIGUSR1, diary_note_a), 0);
    assert_int_equal(add(&diary, SIGUSR2, diary_note_b), 0);
    send(&diary, SIGUSR2);
    send(&diary, SIGUSR1);
    diary_turn(&diary);
    close_diary(&diary, "ab");
}

static void sigchld_may_be_handled(struct contract *contract)
{
    struct diary diary;
    open_diary(&diary, contract);
    assert_int_equal(add(&diary, SIGCHLD, diary_note_a), 0);
    send(&diary, SIGCHLD);
    diary_turn(&diary);
    assert_string_equal(diary.word, "a");
    assert_int_equal(take_away(&diary, SIGCHLD), 1);
    send(&diary, SIGCHLD); /* ignored by default */
    diary_turn(&diary);
    close_diary(&diary, "a");
}

/* --- Replacing and removing ------------------------------------------------------------------- */

static void a_second_handler_replaces_the_first(struct contract *contract)
{
    struct diary diary;
    open_diary(&diary, contract);
    assert_int_equal(add(&diary, SIGUSR1, diary_note_a), 0);
    assert_int_equal(add(&diary, SIGUSR1, diary_note_b), 0);
    send(&diary, SIGUSR1);
    diary_turn(&diary);
    assert_int_equal(take_away(&diary, SIGUSR1), 1);
    assert_int_equal(take_away(&diary, SIGUSR1), 0);
    close_diary(&diary, "b");
}

static void remove_both(void *arg)
{
    struct diary *diary = arg;
    diary_note(diary, 'r');
    assert_int_equal(take_away(diary, SIGUSR1), 1);
    assert_int_equal(take_away(diary, SIGUSR2), 1);
}

/* asyncio: the handle was queued by call_soon, and removing the handler does not cancel it. */
static void what_was_delivered_runs_though_removed(struct contract *contract)
{
    struct diary diary;
    open_diary(&diary, contract);
    assert_int_equal(add(&diary, SIGUSR1, remove_both), 0);
    assert_int_equal(add(&diary, SIGUSR2, diary_note_b), 0);
    send(&diary, SIGUSR1);
    send(&diary, SIGUSR2);
    send(&diary, SIGUSR2);
    diary_turn(&diary);
    assert_string_equal(diary.word, "rbb");
    send(&diary, SIGUSR1);
    send(&diary, SIGUSR2);
    diary_turn(&diary);
    close_diary(&diary, "rbb");
}

static void replace_second(void *arg)
{
    struct diary *diary = arg;
    diary_note(diary, 'r');
    assert_int_equal(add(diary, SIGUSR2, diary_note_a), 0);
    assert_int_equal(add(diary, SIGUSR1, diary_note_a), 0);
}

static void what_was_delivered_runs_though_replaced(struct contract *contract)
{
    struct diary diary;
    open_diary(&diary, contract);
    assert_int_equal(add(&diary, SIGUSR1, replace_second), 0);
    assert_int_equal(add(&diary, SIGUSR2, diary_note_b), 0);
    send(&diary, SIGUSR1);
    send(&diary, SIGUSR2);
    diary_turn(&diary);
    assert_string_equal(diary.word, "rb");
    send(&diary, SIGUSR2);
    send(&diary, SIGUSR1);
    diary_turn(&diary);
    close_diary(&diary, "rbaa");
}

/* asyncio: a wake byte that has not been read when the handler goes is dropped. */
static void what_was_not_delivered_is_dropped(struct contract *contract)
{
    struct diary diary;
    open_diary(&diary, contract);
    assert_int_equal(add(&diary, SIGUSR1, diary_note_a), 0);
    send(&diary, SIGUSR1);
    assert_int_equal(take_away(&diary, SIGUSR1), 1);
    assert_int_equal(add(&diary, SIGUSR1, diary_note_b), 0);
    diary_turn(&diary);
    close_diary(&diary, "");
}

static void remove_and_stop(void *arg)
{
    remove_both(arg);
    tl_loop_stop(((struct diary *)arg)->loop);
}

/* Handlers that wait in the ready queue when their loop is closed are given back with it. */
static void closing_removes_all(struct contract *contract)
{
    struct diary diary;
    open_diary(&diary, contract);
    assert_int_equal(add(&diary, SIGUSR1, remove_and_stop), 0);
    assert_int_equal(add(&diary, SIGUSR2, diary_note_b), 0);
    send(&diary, SIGUSR1);
    assert_int_equal(tl_loop_run_forever(diary.loop), 0);
    assert_string_equal(diary.word, "r");
    assert_int_equal(add(&diary, SIGUSR1, diary_note_a), 0);
    send(&diary, SIGUSR1);
    assert_int_equal(tl_loop_close(diary.loop), 0);
    assert_int_equal(take_away(&diary, SIGUSR1), 0);
    assert_int_equal(add(&diary, SIGUSR1, diary_note_a), TL_ECLOSED);
    close_diary(&diary, "r");
}

/* --- Refusals --------------------------------------------------------------------------------- */

static void some_numbers_are_refused(struct contract *contract)
{
    static const int impossible[] = {-1, 0, 65, 1000};
    struct diary diary;
    open_diary(&diary, contract);
    for (size_t i = 0; i < sizeof impossible / sizeof *impossible; i++) {
        assert_int_equal(add(&diary, impossible[i], diary_note_a), -EINVAL);
        assert_int_equal(take_away(&diary, impossible[i]), -EINVAL);
    }
    assert_int_equal(add(&diary, SIGKILL, diary_note_a), -EINVAL);
    assert_int_equal(add(&diary, SIGSTOP, diary_note_a), -EINVAL);
    /* The C library keeps the first real-time signals to itself. */
    for (int signum = 32; signum < SIGRTMIN; signum++) {
        assert_int_equal(add(&diary, signum, diary_note_a), -EINVAL);
        assert_int_equal(take_away(&diary, signum), 0);
    }
    assert_int_equal(add(&diary, SIGRTMIN, diary_note_a), 0);
    assert_int_equal(take_away(&diary, SIGRTMIN), 1);
    assert_int_equal(take_away(&diary, SIGKILL), 0);
    assert_int_equal(add(&diary, SIGUSR1, NULL), -EINVAL);
    assert_int_equal(tl_loop_add_signal_handler(NULL, SIGUSR1, diary_note_a, NULL), -EINVAL);
    close_diary(&diary, "");
}

struct elsewhere {
    tl_loop *loop;
    int answer;
};

static void *add_elsewhere(void *arg)
{
    struct elsewhere *elsewhere = arg;
    elsewhere->answer = tl_loop_add_signal_handler(elsewhere->loop, SIGUSR1, diary_note_a, NULL);
    return NULL;
}

static void only_the_main_thread_may(struct contract *contract)
{
    struct diary diary;
    pthread_t thread;
    open_diary(&diary, contract);
    struct elsewhere elsewhere = {.loop = diary.loop};
    assert_int_equal(pthread_create(&thread, NULL, add_elsewhere, &elsewhere), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(elsewhere.answer, TL_ETHREAD);
    send(&diary, SIGUSR1);
    diary_turn(&diary);
    close_diary(&diary, "");
}

static void a_signal_has_one_loop(struct contract *contract)
{
    struct diary diary;
    open_diary(&diary, contract);
    tl_loop *other = contract_loop(contract);
    assert_int_equal(add(&diary, SIGUSR1, diary_note_a), 0);
    assert_int_equal(tl_loop_add_signal_handler(other, SIGUSR1, diary_note_b, &diary), -EBUSY);
    assert_int_equal(tl_loop_remove_signal_handler(other, SIGUSR1), 0);
    send(&diary, SIGUSR1);
    diary_turn(&diary);
    tl_loop_free(other);
    close_diary(&diary, "a");
}

/* --- Memory ----------------------------------------------------------------------------------- */

static void memory_runs_out(struct contract *contract)
{
    struct diary diary;
    open_diary(&diary, contract);
    ladder_arm(contract->ladder);
    int first = add(&diary, SIGUSR1, diary_note_a);
    int second = add(&diary, SIGUSR1, diary_note_b);
    ladder_disarm(contract->ladder);
    assert_true(first == 0 || first == -ENOMEM);
    assert_true(second == 0 || second == -ENOMEM);
    send(&diary, SIGUSR1);
    diary_turn(&diary);
    /* A handler that could not be replaced is still there. */
    close_diary(&diary, second == 0 ? "b" : first == 0 ? "a" : "");
}

int main(int argc, char **argv)
{
    static const struct contract_case cases[] = {
        CONTRACT(each_delivery_is_a_callback),
        CONTRACT(a_signal_ends_a_wait),
        CONTRACT(several_come_by_number),
        CONTRACT(sigchld_may_be_handled),
        CONTRACT(a_second_handler_replaces_the_first),
        CONTRACT(what_was_delivered_runs_though_removed),
        CONTRACT(what_was_delivered_runs_though_replaced),
        CONTRACT(what_was_not_delivered_is_dropped),
        CONTRACT(closing_removes_all),
        CONTRACT(some_numbers_are_refused),
        CONTRACT(only_the_main_thread_may),
        /* In the simulator each loop of a contract has a process of its own. */
        CONTRACT_ONLY(a_signal_has_one_loop, CONTRACT_REAL | CONTRACT_REPLAY_REAL),
        CONTRACT_LADDER(memory_runs_out, 3),
    };

    return contract_main(argc, argv, "signal", cases, sizeof cases / sizeof *cases);
}
