/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The yardstick: an echo server on epoll itself, with nothing in between.
 *
 * Level-triggered, one registration for life, recv and send, one read per event into one buffer.
 * What a send does not take is copied aside, and the connection reads nothing more until it is
 * gone: the loop that a careful programmer writes first.
 */
#include "server.h"

#include <errno.h>
#include <sys/epoll.h>

enum { EVENTS_MAX = 256 };

struct connection {
    int fd;
    size_t len;  /* bytes at rest */
    size_t sent; /* of them */
    char *rest;  /* what the last send did not take; NULL: nothing */
};

static char buffer[READ_BUFFER_SIZE];

static void control(int epoll, int operation, struct connection *connection, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = connection};
    if (epoll_ctl(epoll, operation, connection->fd, &event) < 0)
        die("epoll_ctl");
}

static void close_connection(struct connection *connection)
{
    close(connection->fd);
    free(connection->rest);
    free(connection);
}

static void keep(int epoll, struct connection *connection, const char *data, size_t len)
{
    connection->rest = malloc(len);
    if (connection->rest == NULL)
        die("malloc");
    memcpy(connection->rest, data, len);
    connection->len = len;
    connection->sent = 0;
    control(epoll, EPOLL_CTL_MOD, connection, EPOLLOUT);
}

static void readable(int epoll, struct connection *connection)
{
    ssize_t len = recv(connection->fd, buffer, sizeof buffer, 0);
    if (len <= 0) {
        if (len == 0 || errno != EAGAIN)
            close_connection(connection);
        return;
    }
    ssize_t sent = send(connection->fd, buffer, (size_t)len, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN)
        close_connection(connection);
    else if (sent < len)
        keep(epoll, connection, buffer + (sent < 0 ? 0 : sent),
             (size_t)(len - (sent < 0 ? 0 : sent)));
}

static void writable(int epoll, struct connection *connection)
{
    ssize_t sent = send(connection->fd, connection->rest + connection->sent,
                        connection->len - connection->sent, MSG_NOSIGNAL);
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
    control(epoll, EPOLL_CTL_MOD, connection, EPOLLIN);
}

static void accept_all(int epoll, int listener)
{
    int fd;
    while ((fd = server_accept(listener)) >= 0) {
        struct connection *connection = calloc(1, sizeof *connection);
        if (connection == NULL)
            die("calloc");
        connection->fd = fd;
        control(epoll, EPOLL_CTL_ADD, connection, EPOLLIN);
    }
}

int main(void)
{
    struct epoll_event events[EVENTS_MAX];
    struct connection listener = {.fd = server_listen(sizeof listener)};
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        die("epoll_create1");
    control(epoll, EPOLL_CTL_ADD, &listener, EPOLLIN);
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS_MAX, -1);
        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;
            if (connection == &listener)
                accept_all(epoll, listener.fd);
            else if (connection->rest != NULL)
                writable(epoll, connection);
            else
                readable(epoll, connection);
        }
    }
}
