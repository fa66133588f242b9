/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watch a file descriptor for read events: one end of a pair of sockets is written to from a
 * callback, the other has a reader. A stream may come in pieces: the reader is called until it has
 * the whole message.
 */
#include "index.h"

#include <stdio.h>
#include <string.h>
#include <twinloop.h>

struct watch {
    tl_loop *loop;
    tl_socket reads;
    tl_socket writes;
    char received[8];
    size_t len;
    size_t sent;
};

static const char message[] = "abc";

static void reader(void *arg)
{
    struct watch *watch = arg;
    ssize_t n = tl_socket_read(watch->loop, watch->reads, watch->received + watch->len,
                               sizeof watch->received - watch->len);
    watch->len += n > 0 ? (size_t)n : 0;
    if (n > 0 && watch->len < strlen(message))
        return;
    printf("Received: %.*s\n", (int)watch->len, watch->received);
    /* We are done: unregister the descriptor, and stop the loop. */
    (void)tl_loop_remove_reader(watch->loop, watch->reads);
    tl_loop_stop(watch->loop);
}

/* Simulates the reception of data from the network. */
static void write_message(void *arg)
{
    struct watch *watch = arg;
    ssize_t n = tl_socket_write(watch->loop, watch->writes, message + watch->sent,
                                strlen(message) - watch->sent);
    if (n < 0) {
        tl_loop_stop(watch->loop);
        return;
    }
    watch->sent += (size_t)n;
    if (watch->sent < strlen(message))
        (void)tl_loop_call_soon(watch->loop, write_message, watch, NULL);
}

int index_watch_fd(int argc, char **argv)
{
    struct watch watch = {.len = 0};
    (void)argc;
    (void)argv;
    if (tl_new_event_loop(&watch.loop) < 0)
        return 1;
    int r = tl_socket_pair(watch.loop, &watch.reads, &watch.writes);
    if (r == 0)
        r = tl_loop_add_reader(watch.loop, watch.reads, reader, &watch);
    if (r == 0)
        r = tl_loop_call_soon(watch.loop, write_message, &watch, NULL);
    if (r == 0)
        r = tl_loop_run_forever(watch.loop);
    tl_loop_free(watch.loop); /* and closes the sockets */
    return r < 0 || watch.len != strlen(message);
}
