/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The echo server as libevent's book writes it: a bufferevent per connection, its input moved to
 * its output without a copy.
 */
#include "server.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

static void readable(struct bufferevent *connection, void *arg)
{
    (void)arg;
    evbuffer_add_buffer(bufferevent_get_output(connection), bufferevent_get_input(connection));
}

static void ended(struct bufferevent *connection, short what, void *arg)
{
    (void)arg;
    if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
        bufferevent_free(connection);
}

static void accept_all(evutil_socket_t listener, short events, void *arg)
{
    int fd;
    (void)events;
    while ((fd = server_accept(listener)) >= 0) {
        struct bufferevent *connection = bufferevent_socket_new(arg, fd, BEV_OPT_CLOSE_ON_FREE);
        if (connection == NULL)
            die("bufferevent_socket_new");
        bufferevent_setcb(connection, readable, NULL, ended, NULL);
        bufferevent_enable(connection, EV_READ | EV_WRITE);
    }
}

int main(void)
{
    struct event_base *base = event_base_new();
    struct event *listener =
        event_new(base, server_listen(0), EV_READ | EV_PERSIST, accept_all, base);
    event_add(listener, NULL);
    return event_base_dispatch(base) != 0;
}
