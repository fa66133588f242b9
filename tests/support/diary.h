/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A loop with a diary: what happened, as a word of one letter each. Whatever reaches the exception
 * handler is written down as '!', with what it said.
 *
 *     struct diary diary;
 *     diary_open(&diary, contract);
 *     ... tl_loop_call_soon(diary.loop, diary_note_x, &diary, NULL) ...
 *     diary_turn(&diary);
 *     diary_close(&diary, "x");
 *
 * Time passes by itself, a second at a time: see skip.h. A callback that adds to
 * diary->skipping.skipped has taken that long. A diary that is begun instead of opened is on a
 * kernel as it is.
 */
#ifndef TL_TESTS_DIARY_H
#define TL_TESTS_DIARY_H

#include <twinloop.h>
#include "support/contract.h"
#include "support/skip.h"

struct diary {
    tl_loop *loop;
    size_t len;
    char word[64];
    char report[128];  /* the last report's message */
    int code;          /* and its error's code */
    tl_future *future; /* the test's own */
    char log[8192];    /* what the log handler was told, a line after the other */
    struct skipping skipping;
};

void diary_open(struct diary *diary, struct contract *contract);

/* The same without letting time pass by itself. */
void diary_begin(struct diary *diary, struct contract *contract);

/* Frees the loop and expects this word. */
void diary_close(struct diary *diary, const char *word);

void diary_note(struct diary *diary, char letter);

/* Callbacks that write a letter. */
void diary_note_a(void *diary);
void diary_note_b(void *diary);
void diary_note_c(void *diary);
void diary_note_x(void *diary);
void diary_note_y(void *diary);

/* One that writes '.' and stops the loop. */
void diary_note_stop(void *diary);

/* Has the loop call back soon, with the diary. */
void diary_soon(struct diary *diary, tl_callback callback);

/* Writes down in diary->log what the library logs, until the diary is closed. */
void diary_hear(struct diary *diary);

/* Until the loop is stopped. */
void diary_run(struct diary *diary);

/* One iteration that does not wait. */
void diary_turn(struct diary *diary);

#endif
