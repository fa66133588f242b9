/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of tasks: a loop with a diary, and tasks whose bodies are little scripts, one letter a
 * step, written down as they go:
 *
 *     a to o   written down
 *     0 to 3   waits for that future of the play; writes '.' when it is back, having kept the code
 *     *        waits for the actor's inner task
 *     ~        asks the task that runs this to end
 *     p, P     passes on the last code, if it was an error; whatever it was
 *     r        returns 7
 *     e        returns -EIO
 *     q        returns -ECANCELED
 *
 * The end of the script returns 0 without a result. dispose writes a '/'.
 */
#ifndef TL_TESTS_PLAY_H
#define TL_TESTS_PLAY_H

#include "support/diary.h"

enum { PLAY_FUTURES = 4 };

struct play;

struct actor {
    struct play *play;
    const char *script;
    tl_task *task;       /* the play's reference */
    struct actor *inner; /* whose task '*' waits for */
    int code;            /* of the last wait */
    int64_t value;       /* its result, if it was a number */
};

struct play {
    struct diary diary;
    tl_loop *loop; /* the diary's */
    tl_future *future[PLAY_FUTURES];
};

void play_open(struct play *play, struct contract *contract);

/* Drops the futures, frees the loop and expects the diary to read so. */
void play_close(struct play *play, const char *word);

/* Makes a task that acts by this script. The second does not check that it can be made. */
void play_start(struct play *play, struct actor *actor, const char *script);
int play_try(struct play *play, struct actor *actor, const char *script, const char *name);

/* An actor's coroutine. */
tl_coro play_coro(struct play *play, struct actor *actor, const char *script);

/* Drops the play's reference to the task. */
void play_drop(struct actor *actor);

void play_turn(struct play *play);

/* The code of a task that is done, its result in *ret if that is not NULL. */
int play_result(struct actor *actor, tl_value *ret);

#endif
