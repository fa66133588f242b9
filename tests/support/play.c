/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plays of play.h.
 */
#include "support/play.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void await_future(struct actor *actor, tl_future *future)
{
    tl_value value = tl_value_none();
    actor->code = tl_await(future, &value);
    if (actor->code == 0 && value.kind == TL_VALUE_INT)
        actor->value = value.integer;
    tl_value_finish(&value);
    diary_note(&actor->play->diary, '.');
}

/* One letter; whether the script goes on. */
static bool act(struct actor *actor, char letter, tl_value *ret, int *code)
{
    switch (letter) {
    case '0':
    case '1':
    case '2':
    case '3':
        await_future(actor, tl_future_ref(actor->play->future[letter - '0']));
        return true;
    case '*':
        await_future(actor, tl_future_ref(tl_task_future(actor->inner->task)));
        return true;
    case '~':
        tl_task_cancel(actor->task);
        return true;
    case 'p':
    case 'P':
        *code = actor->code;
        return actor->code == 0 && letter == 'p';
    case 'r':
        *ret = tl_value_int(7);
        return false;
    case 'e':
        *code = -EIO;
        return false;
    case 'q':
        *code = -ECANCELED;
        return false;
    default:
        diary_note(&actor->play->diary, letter);
        return true;
    }
}

static int perform(void *arg, tl_value *ret)
{
    struct actor *actor = arg;
    int code = 0;
    for (const char *at = actor->script; *at != '\0'; at++)
        if (!act(actor, *at, ret, &code))
            break;
    return code;
}

static void leave(void *arg)
{
    struct actor *actor = arg;
    diary_note(&actor->play->diary, '/');
}

tl_coro play_coro(struct play *play, struct actor *actor, const char *script)
{
    actor->play = play;
    actor->script = script;
    actor->code = 0;
    actor->value = 0;
    return (tl_coro){.run = perform, .arg = actor, .dispose = leave};
}

int play_try(struct play *play, struct actor *actor, const char *script, const char *name)
{
    const tl_coro coro = play_coro(play, actor, script);
    return tl_loop_create_task(play->loop, &coro, name, &actor->task);
}

void play_start(struct play *play, struct actor *actor, const char *script)
{
    assert_int_equal(play_try(play, actor, script, NULL), 0);
}

void play_open(struct play *play, struct contract *contract)
{
    diary_open(&play->diary, contract);
    play->loop = play->diary.loop;
    for (int i = 0; i < PLAY_FUTURES; i++)
        play->future[i] = tl_loop_create_future(play->loop);
}

void play_close(struct play *play, const char *word)
{
    for (int i = 0; i < PLAY_FUTURES; i++)
        tl_future_unref(play->future[i]);
    diary_close(&play->diary, word);
}

void play_drop(struct actor *actor)
{
    tl_task *task = actor->task;
    actor->task = NULL;
    tl_task_unref(task);
}

void play_turn(struct play *play)
{
    diary_turn(&play->diary);
}

int play_result(struct actor *actor, tl_value *ret)
{
    return tl_future_result(tl_task_future(actor->task), ret);
}
