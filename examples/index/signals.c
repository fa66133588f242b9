/* SPDX-License-Identifier: Apache-2.0 */
/* Set signal handlers for SIGINT and SIGTERM: the loop runs until one of them comes. */
#include "index.h"

#include <signal.h>
#include <stdio.h>
#include <twinloop.h>

struct handler {
    tl_loop *loop;
    const char *name;
    bool called;
};

static void ask_exit(void *arg)
{
    struct handler *handler = arg;
    printf("got signal %s: exit\n", handler->name);
    handler->called = true;
    tl_loop_stop(handler->loop);
}

int index_signals(int argc, char **argv)
{
    tl_loop *loop;
    (void)argc;
    (void)argv;
    if (tl_new_event_loop(&loop) < 0)
        return 1;
    struct handler interrupt = {loop, "SIGINT", false}, terminate = {loop, "SIGTERM", false};
    int r = tl_loop_add_signal_handler(loop, SIGINT, ask_exit, &interrupt);
    if (r == 0)
        r = tl_loop_add_signal_handler(loop, SIGTERM, ask_exit, &terminate);
    if (r == 0) {
        puts("Event loop running, press Ctrl+C to interrupt.");
        (void)fflush(stdout);
        r = tl_loop_run_forever(loop);
    }
    tl_loop_free(loop);
    return r < 0 || !(interrupt.called || terminate.called);
}
