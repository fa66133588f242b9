/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The echo server on libev: one ev_io per direction, the writer started only while something is
 * left to send. libev leaves reading and writing to the program, so this is its best form.
 */
#include "server.h"

#include <errno.h>
#include <ev.h>

struct connection {
    ev_io reader;
    ev_io writer;
    size_t len;  /* bytes at rest */
    size_t sent; /* of them */
    char *rest;  /* what the last write did not take */
};

static char buffer[READ_BUFFER_SIZE];

static void close_connection(struct ev_loop *loop, struct connection *connection)
{
    ev_io_stop(loop, &connection->reader);
    ev_io_stop(loop, &connection->writer);
    close(connection->reader.fd);
    free(connection->rest);
    free(connection);
}

static void keep(struct ev_loop *loop, struct connection *connection, const char *data, size_t len)
{
    connection->rest = malloc(len);
    if (connection->rest == NULL)
        die("malloc");
    memcpy(connection->rest, data, len);
    connection->len = len;
    connection->sent = 0;
    ev_io_stop(loop, &connection->reader);
    ev_io_start(loop, &connection->writer);
}

static void readable(struct ev_loop *loop, ev_io *reader, int events)
{
    struct connection *connection = reader->data;
    (void)events;
    ssize_t len = recv(reader->fd, buffer, sizeof buffer, 0);
    if (len <= 0) {
        if (len == 0 || errno != EAGAIN)
            close_connection(loop, connection);
        return;
    }
    ssize_t sent = send(reader->fd, buffer, (size_t)len, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN)
        close_connection(loop, connection);
    else if (sent < len)
        keep(loop, connection, buffer + (sent < 0 ? 0 : sent),
             (size_t)(len - (sent < 0 ? 0 : sent)));
}

static void writable(struct ev_loop *loop, ev_io *writer, int events)
{
    struct connection *connection = writer->data;
    (void)events;
    ssize_t sent = send(writer->fd, connection->rest + connection->sent,
                        connection->len - connection->sent, MSG_NOSIGNAL);
    if (sent < 0) {
        if (errno != EAGAIN)
            close_connection(loop, connection);
        return;
    }
    connection->sent += (size_t)sent;
    if (connection->sent < connection->len)
        return;
    free(connection->rest);
    connection->rest = NULL;
    ev_io_stop(loop, &connection->writer);
    ev_io_start(loop, &connection->reader);
}

static void accept_all(struct ev_loop *loop, ev_io *listener, int events)
{
    int fd;
    (void)events;
    while ((fd = server_accept(listener->fd)) >= 0) {
        struct connection *connection = calloc(1, sizeof *connection);
        if (connection == NULL)
            die("calloc");
        ev_io_init(&connection->reader, readable, fd, EV_READ);
        ev_io_init(&connection->writer, writable, fd, EV_WRITE);
        connection->reader.data = connection->writer.data = connection;
        ev_io_start(loop, &connection->reader);
    }
}

int main(void)
{
    struct ev_loop *loop = ev_default_loop(EVBACKEND_EPOLL);
    ev_io listener;
    ev_io_init(&listener, accept_all, server_listen(sizeof(struct connection)), EV_READ);
    ev_io_start(loop, &listener);
    return ev_run(loop, 0);
}
