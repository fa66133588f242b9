/* SPDX-License-Identifier: Apache-2.0 */
/* A future: one task makes it and waits, another one sets its result after a while. */
#include "index.h"

#include <stdio.h>
#include <twinloop.h>

struct set_after {
    tl_future *future; /* a reference */
    tl_time delay;
    const char *text;
};

static int set_after(void *arg, tl_value *ret)
{
    const struct set_after *set = arg;
    int r = tl_await(tl_sleep(tl_future_get_loop(set->future), set->delay), NULL);
    (void)ret;
    return r < 0 ? r : tl_future_set_result(set->future, tl_value_pointer((void *)set->text, NULL));
}

static int wait_for_it(void *arg, tl_value *ret)
{
    tl_loop *loop = arg;
    struct set_after set = {tl_loop_create_future(loop), TL_SECOND, "... world"};
    const tl_coro coro = {set_after, &set, NULL};
    tl_value value;
    (void)ret;
    int r = tl_loop_create_task(loop, &coro, NULL, NULL);
    puts("hello ...");
    if (r == 0)
        r = tl_await(tl_future_ref(set.future), &value);
    if (r == 0)
        puts(value.pointer);
    tl_future_unref(set.future);
    return r;
}

int index_future(int argc, char **argv)
{
    tl_loop *loop;
    tl_task *task;
    (void)argc;
    (void)argv;
    if (tl_new_event_loop(&loop) < 0)
        return 1;
    const tl_coro coro = {wait_for_it, loop, NULL};
    int r = tl_loop_create_task(loop, &coro, NULL, &task);
    if (r == 0)
        r = tl_loop_run_until_complete(loop, tl_task_future(task), NULL);
    tl_loop_free(loop);
    return r < 0;
}
