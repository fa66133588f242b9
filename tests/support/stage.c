/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stage of stage.h.
 */
#include "support/stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

void stage_note_done(tl_future *future, void *arg)
{
    (void)future;
    diary_note(arg, 'd');
}

void stage_open(struct stage *stage, struct contract *contract)
{
    diary_open(&stage->diary, contract);
    stage->loop = stage->diary.loop;
    stage->outer = NULL;
    for (int i = 0; i < 3; i++)
        stage->child[i] = tl_loop_create_future(stage->loop);
}

void stage_close(struct stage *stage, const char *word)
{
    tl_future_unref(stage->outer);
    for (int i = 0; i < 3; i++)
        tl_future_unref(stage->child[i]);
    diary_close(&stage->diary, word);
}

tl_future *stage_child(struct stage *stage, int i)
{
    return tl_future_ref(stage->child[i]);
}

void stage_watch(struct stage *stage)
{
    assert_int_equal(tl_future_add_done_callback(stage->outer, stage_note_done, &stage->diary), 0);
}

void stage_succeed(struct stage *stage, int i)
{
    assert_int_equal(tl_future_set_result(stage->child[i], tl_value_int(i + 1)), 0);
}

void stage_fail_with(struct stage *stage, int i, int code)
{
    assert_int_equal(tl_future_set_exception(stage->child[i], code, "a child's own words"), 0);
}

void stage_turn(struct stage *stage)
{
    diary_turn(&stage->diary);
}

int stage_run(struct stage *stage, tl_value *ret)
{
    return tl_loop_run_until_complete(stage->loop, tl_future_ref(stage->outer), ret);
}
