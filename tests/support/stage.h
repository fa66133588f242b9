/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of futures made of futures: a loop with a diary, three futures that the body holds
 * beside whoever takes them, and the one that is made of them.
 */
#ifndef TL_TESTS_STAGE_H
#define TL_TESTS_STAGE_H

#include "support/diary.h"

struct stage {
    struct diary diary;
    tl_loop *loop; /* the diary's */
    tl_future *child[3];
    tl_future *outer; /* the body's to make; or NULL */
};

void stage_open(struct stage *stage, struct contract *contract);

/* Drops everything, frees the loop and expects the diary to read so. */
void stage_close(struct stage *stage, const char *word);

/* A reference for somebody to take. */
tl_future *stage_child(struct stage *stage, int i);

/* Child i's result is i + 1; its error says "a child's own words". */
void stage_succeed(struct stage *stage, int i);
void stage_fail_with(struct stage *stage, int i, int code);

/* A done-callback that writes 'd'; and one on the outer future. */
void stage_note_done(tl_future *future, void *diary);
void stage_watch(struct stage *stage);

/* One iteration; as many as it takes for the outer future to be done, which stays the body's. */
void stage_turn(struct stage *stage);
int stage_run(struct stage *stage, tl_value *ret);

#endif
