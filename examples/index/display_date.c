/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Display the current date with call_later: every second for five seconds. The date is the loop's
 * time since the program began, so that it reads the same in every world. An argument says how many
 * milliseconds a second has.
 */
#include "index.h"

#include <stdio.h>
#include <stdlib.h>
#include <twinloop.h>

struct display {
    tl_loop *loop;
    tl_time second;
    tl_time begin;
    int shown;
};

static void display_date(void *arg)
{
    struct display *display = arg;
    tl_time passed = tl_loop_time(display->loop) - display->begin;
    /* A timer is never early. */
    if (passed < display->shown * display->second)
        puts("too early");
    printf("%d s\n", display->shown++);
    if (display->shown == 5)
        tl_loop_stop(display->loop);
    else if (tl_loop_call_at(display->loop, display->begin + display->shown * display->second,
                             display_date, display, NULL) < 0)
        tl_loop_stop(display->loop);
}

int index_display_date(int argc, char **argv)
{
    struct display display = {.second = TL_SECOND};
    if (argc > 1)
        display.second = strtol(argv[1], NULL, 10) * TL_MILLISECOND;
    if (tl_new_event_loop(&display.loop) < 0)
        return 1;
    display.begin = tl_loop_time(display.loop);
    int r = tl_loop_call_soon(display.loop, display_date, &display, NULL);
    if (r == 0)
        r = tl_loop_run_forever(display.loop);
    tl_loop_free(display.loop);
    return r < 0 || display.shown != 5;
}
