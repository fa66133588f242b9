/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Twinloop at bench/posts.h: call_soon_threadsafe. How many writes it takes to wake the loop is
 * counted from outside.
 */
#include "posts.h"

#include <twinloop.h>

static tl_loop *loop;

static void open_loop(void)
{
    check("tl_new_event_loop", tl_new_event_loop(&loop));
}

static void post(void (*callback)(void *arg), void *arg)
{
    check("tl_loop_call_soon_threadsafe", tl_loop_call_soon_threadsafe(loop, callback, arg, NULL));
}

static void run(void)
{
    check("tl_loop_run_forever", tl_loop_run_forever(loop));
}

static void stop(void)
{
    tl_loop_stop(loop);
}

static void close_loop(void)
{
    tl_loop_free(loop);
}

int main(int argc, char **argv)
{
    const struct posts_contender contender = {open_loop, post, run, stop, close_loop};
    return posts_main(argc, argv, &contender);
}
