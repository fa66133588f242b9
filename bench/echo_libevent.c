/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The echo server on libevent's bare events: its best form. The event for writing is added only
 * while something is left to send.
 */
#include "server.h"

#include <errno.h>
#include <event2/event.h>

struct connection {
    int fd;
    struct event *reader;
    struct event *writer;
    size_t len;  /* bytes at rest */
    size_t sent; /* of them */
    char *rest;  /* what the last write did not take */
};

static char buffer[READ_BUFFER_SIZE];

static void close_connection(struct connection *connection)
{
    event_free(connection->reader);
    if (connection->writer != NULL)
        event_free(connection->writer);
    close(connection->fd);
    free(connection->rest);
    free(connection);
}

static void writable(evutil_socket_t fd, short events, void *arg)
{
    struct connection *connection = arg;
    (void)events;
    ssize_t sent = send(fd, connection->rest + connection->sent, connection->len - connection->sent,
                        MSG_NOSIGNAL);
    if (sent < 0) {
        if (errno != EAGAIN)
            close_connection(connection);
        return;
    }
    connection->sent += (size_t)sent;
    if (connection->sent < connection->len)
        return;
    free(connection->rest);
    connection->rest = NULL;
    event_del(connection->writer);
    event_add(connection->reader, NULL);
}

static void keep(struct connection *connection, const char *data, size_t len)
{
    connection->rest = malloc(len);
    if (connection->writer == NULL)
        connection->writer = event_new(event_get_base(connection->reader), connection->fd,
                                       EV_WRITE | EV_PERSIST, writable, connection);
    if (connection->rest == NULL || connection->writer == NULL)
        die("malloc");
    memcpy(connection->rest, data, len);
    connection->len = len;
    connection->sent = 0;
    event_del(connection->reader);
    event_add(connection->writer, NULL);
}

static void readable(evutil_socket_t fd, short events, void *arg)
{
    struct connection *connection = arg;
    (void)events;
    ssize_t len = recv(fd, buffer, sizeof buffer, 0);
    if (len <= 0) {
        if (len == 0 || errno != EAGAIN)
            close_connection(connection);
        return;
    }
    ssize_t sent = send(fd, buffer, (size_t)len, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN)
        close_connection(connection);
    else if (sent < len)
        keep(connection, buffer + (sent < 0 ? 0 : sent), (size_t)(len - (sent < 0 ? 0 : sent)));
}

static void accept_all(evutil_socket_t listener, short events, void *arg)
{
    struct event_base *base = arg;
    int fd;
    (void)events;
    while ((fd = server_accept(listener)) >= 0) {
        struct connection *connection = calloc(1, sizeof *connection);
        if (connection == NULL)
            die("calloc");
        connection->fd = fd;
        connection->reader = event_new(base, fd, EV_READ | EV_PERSIST, readable, connection);
        if (connection->reader == NULL)
            die("event_new");
        event_add(connection->reader, NULL);
    }
}

int main(void)
{
    struct event_base *base = event_base_new();
    struct event *listener = event_new(base, server_listen(sizeof(struct connection)),
                                       EV_READ | EV_PERSIST, accept_all, base);
    event_add(listener, NULL);
    return event_base_dispatch(base) != 0;
}
