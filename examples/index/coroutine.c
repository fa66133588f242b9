/* SPDX-License-Identifier: Apache-2.0 */
/* A coroutine: says hello, lets a second pass without keeping the loop from anything, goes on. */
#include "index.h"

#include <stdio.h>
#include <twinloop.h>

static int say_hello(void *arg, tl_value *ret)
{
    (void)ret;
    puts("hello");
    int r = tl_await(tl_sleep(arg, TL_SECOND), NULL);
    puts("world");
    return r;
}

int index_coroutine(int argc, char **argv)
{
    tl_loop *loop;
    tl_task *task;
    (void)argc;
    (void)argv;
    if (tl_new_event_loop(&loop) < 0)
        return 1;
    const tl_coro coro = {say_hello, loop, NULL};
    int r = tl_loop_create_task(loop, &coro, NULL, &task);
    if (r == 0)
        r = tl_loop_run_until_complete(loop, tl_task_future(task), NULL);
    tl_loop_free(loop);
    return r < 0;
}
