/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop.sock_sendfile: a file sent over a socket of the program's own, as one of the operations of
 * sock.c.
 */
#include <errno.h>

#include "core/sendfile.h"
#include "core/sock.h"

/* What asyncio reads at a time for a socket. */
enum { PIECE_SIZE = 256 * 1024 };

_Static_assert(TL_FILE_SEND_WAIT == TL_SOCK_WAIT, "one word for what both say");

static bool is_stream(const struct tl_sock_op *op)
{
    return op->fd->kind == TL_ADOPTED_STREAM || op->fd->kind == TL_ADOPTED_LISTENER;
}

static int send_file(struct tl_sock_op *op, tl_value *ret)
{
    if (!is_stream(op))
        return -EINVAL;
    int r = tl_file_send(&op->file, op->fd->loop, op->fd->watch.fd);
    if (r == 0)
        *ret = tl_value_int(op->file.sent);
    return r;
}

static void explain(struct tl_sock_op *op, int code)
{
    const char *message = is_stream(op) ? NULL : "only SOCK_STREAM type sockets are supported";
    (void)tl_future_set_exception(op->future, code, message);
}

tl_future *tl_loop_sock_sendfile(tl_loop *loop, tl_socket socket, int file, int64_t offset,
                                 int64_t count, bool fallback)
{
    struct tl_sock_op op = {.attempt = send_file, .explain = explain, .direction = TL_WRITING};
    if (loop == NULL)
        return NULL;
    int r = tl_file_sender_init(&op.file, file, offset, count, fallback, PIECE_SIZE);
    if (r < 0)
        return tl_loop_failed_future(
            loop, r, offset < 0 ? "offset must not be negative" : "count must be positive");
    return tl_sock_op_start(loop, socket, &op);
}
