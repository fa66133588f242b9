/* SPDX-License-Identifier: Apache-2.0 */
/* Hello World with call_soon: a callback that says so and stops the loop. */
#include "index.h"

#include <stdio.h>
#include <twinloop.h>

static void hello_world(void *arg)
{
    tl_loop *loop = arg;
    puts("Hello World");
    tl_loop_stop(loop);
}

int index_hello_world(int argc, char **argv)
{
    tl_loop *loop;
    (void)argc;
    (void)argv;
    if (tl_new_event_loop(&loop) < 0)
        return 1;
    int r = tl_loop_call_soon(loop, hello_world, loop, NULL);
    if (r == 0)
        r = tl_loop_run_forever(loop);
    tl_loop_free(loop);
    return r < 0;
}
