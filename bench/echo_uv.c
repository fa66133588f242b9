/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The echo server on libuv in its best form: one buffer for all reads, uv_try_write, and uv_write
 * with a copy only for what that did not take. Reading goes on meanwhile, which is libuv's way, so
 * memory is bounded by the clients alone.
 */
#include "server.h"

#include <uv.h>

struct rest {
    uv_write_t request;
    char data[];
};

static char buffer[READ_BUFFER_SIZE];

static void get_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    (void)handle;
    (void)suggested;
    *ret = uv_buf_init(buffer, sizeof buffer);
}

static void freed(uv_handle_t *handle)
{
    free(handle);
}

static void written(uv_write_t *request, int status)
{
    (void)status;
    free(request); /* the first member of its struct rest */
}

static void readable(uv_stream_t *stream, ssize_t len, const uv_buf_t *ret)
{
    if (len < 0)
        uv_close((uv_handle_t *)stream, freed);
    if (len <= 0)
        return;
    uv_buf_t all = uv_buf_init(ret->base, (unsigned)len);
    int sent = uv_try_write(stream, &all, 1);
    if (sent == len)
        return;
    size_t done = sent < 0 ? 0 : (size_t)sent;
    struct rest *rest = malloc(sizeof *rest + (size_t)len - done);
    if (rest == NULL)
        die("malloc");
    memcpy(rest->data, ret->base + done, (size_t)len - done);
    uv_buf_t left = uv_buf_init(rest->data, (unsigned)((size_t)len - done));
    uv_write(&rest->request, stream, &left, 1, written);
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
