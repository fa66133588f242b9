/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The echo server as libuv's guide writes it: a buffer from malloc for every read, handed on to
 * uv_write and freed when that is done.
 */
#include "server.h"

#include <uv.h>

struct writing {
    uv_write_t request;
    char *data;
};

static void get_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    (void)handle;
    *ret = uv_buf_init(malloc(suggested), (unsigned)suggested);
}

static void freed(uv_handle_t *handle)
{
    free(handle);
}

static void written(uv_write_t *request, int status)
{
    struct writing *writing = (struct writing *)request; /* its first member */
    (void)status;
    free(writing->data);
    free(writing);
}

static void readable(uv_stream_t *stream, ssize_t len, const uv_buf_t *ret)
{
    if (len < 0)
        uv_close((uv_handle_t *)stream, freed);
    if (len <= 0) {
        free(ret->base);
        return;
    }
    struct writing *writing = malloc(sizeof *writing);
    if (writing == NULL)
        die("malloc");
    writing->data = ret->base;
    uv_buf_t all = uv_buf_init(ret->base, (unsigned)len);
    uv_write(&writing->request, stream, &all, 1, written);
}

static void accept_one(uv_stream_t *listener, int status)
{
    uv_tcp_t *connection = malloc(sizeof *connection);
    uv_os_fd_t fd;
    if (status < 0 || connection == NULL)
        die("uv_listen");
    uv_tcp_init(listener->loop, connection);
    uv_accept(listener, (uv_stream_t *)connection);
    uv_fileno((uv_handle_t *)connection, &fd);
    server_tune(fd);
    uv_read_start((uv_stream_t *)connection, get_buffer, readable);
}

int main(void)
{
    uv_loop_t *loop = uv_default_loop();
    uv_tcp_t listener;
    uv_tcp_init(loop, &listener);
    uv_tcp_open(&listener, server_listen(sizeof(uv_tcp_t)));
    if (uv_listen((uv_stream_t *)&listener, SERVER_BACKLOG, accept_one) < 0)
        die("uv_listen");
    return uv_run(loop, UV_RUN_DEFAULT);
}
