/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop with a diary of diary.h.
 */
#include "support/diary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

void diary_note(struct diary *diary, char letter)
{
    assert_true(diary->len + 1 < sizeof diary->word);
    diary->word[diary->len++] = letter;
}

#define NOTER(name, letter)                                                                        \
    void name(void *diary)                                                                         \
    {                                                                                              \
        diary_note(diary, letter);                                                                 \
    }

NOTER(diary_note_a, 'a')
NOTER(diary_note_b, 'b')
NOTER(diary_note_c, 'c')
NOTER(diary_note_x, 'x')
NOTER(diary_note_y, 'y')

void diary_note_stop(void *arg)
{
    struct diary *diary = arg;
    diary_note(diary, '.');
    tl_loop_stop(diary->loop);
}

void diary_soon(struct diary *diary, tl_callback callback)
{
    assert_int_equal(tl_loop_call_soon(diary->loop, callback, diary, NULL), 0);
}

static void note_report(tl_loop *loop, const tl_exc_context *context, void *arg)
{
    struct diary *diary = arg;
    (void)loop;
    diary_note(diary, '!');
    (void)snprintf(diary->report, sizeof diary->report, "%s", context->message);
    diary->code = context->exception != NULL ? context->exception->code : 0;
}

static void begin_on(struct diary *diary, struct tl_kernel *kernel)
{
    assert_int_equal(tl_loop_new(kernel, &diary->loop), 0);
    assert_int_equal(tl_loop_set_exception_handler(diary->loop, note_report, diary), 0);
}

void diary_open(struct diary *diary, struct contract *contract)
{
    *diary = (struct diary){.len = 0};
    struct tl_kernel *kernel = contract_kernel(contract);
    skipping_apply(&diary->skipping, kernel);
    begin_on(diary, kernel);
}

void diary_begin(struct diary *diary, struct contract *contract)
{
    *diary = (struct diary){.len = 0};
    begin_on(diary, contract_kernel(contract));
}

static void hear(enum tl_log_level level, const char *text, void *arg)
{
    struct diary *diary = arg;
    size_t len = strlen(diary->log);
    (void)level;
    (void)snprintf(diary->log + len, sizeof diary->log - len, "%s\n", text);
}

void diary_hear(struct diary *diary)
{
    diary->log[0] = '\0';
    tl_set_log_handler(hear, diary);
}

void diary_close(struct diary *diary, const char *word)
{
    tl_loop_free(diary->loop);
    tl_set_log_handler(NULL, NULL);
    assert_string_equal(diary->word, word);
}

void diary_run(struct diary *diary)
{
    assert_int_equal(tl_loop_run_forever(diary->loop), 0);
}

void diary_turn(struct diary *diary)
{
    tl_loop_stop(diary->loop);
    diary_run(diary);
}
