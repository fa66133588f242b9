/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending a file: one sendfile for each time that the target is writable, as asyncio does; or,
 * where the system has none for this file, pieces that are read and written.
 *
 * The system's way is given up only before the first byte. An error of the target is an error
 * either way, so it is told at once; any other then means that it cannot be done like this, and the
 * fallback finds out whether it can be done at all.
 */
#include <errno.h>

#include "core/alloc.h"
#include "core/sendfile.h"

/* Pieces written for one readiness, at most. */
enum { PIECES_MAX = 8 };

/* What one call is asked to send when there is no count. */
enum { CALL_MAX = 1 << 30 };

int tl_file_sender_init(struct tl_file_sender *sender, int file, int64_t offset, int64_t count,
                        bool fallback, size_t piece_size)
{
    if (offset < 0 || (count != -1 && count <= 0))
        return -EINVAL;
    *sender = (struct tl_file_sender){.number = file,
                                      .fallback = fallback,
                                      .offset = offset,
                                      .left = count,
                                      .piece_size = piece_size};
    return 0;
}

bool tl_file_send_lost(int error)
{
    switch (error) {
    case -EPIPE:
    case -ECONNRESET:
    case -ECONNABORTED:
    case -ETIMEDOUT:
    case -ENOTCONN:
    case -EHOSTUNREACH:
    case -ENETUNREACH:
    case -ENETDOWN:
        return true;
    default:
        return false;
    }
}

static size_t at_most(const struct tl_file_sender *sender, size_t size)
{
    if (sender->left < 0 || (uint64_t)sender->left > size)
        return size;
    return (size_t)sender->left;
}

/* That many bytes more have been sent, the file's offset included. */
static void count_sent(struct tl_file_sender *sender, ssize_t n)
{
    sender->sent += n;
    if (sender->left > 0)
        sender->left -= n;
}

/* --- The system's way ------------------------------------------------------------------------- */

static int send_native(struct tl_file_sender *sender, struct tl_kernel *kernel, int fd)
{
    size_t count = at_most(sender, CALL_MAX);
    ssize_t n = kernel->ops->sendfile(kernel, fd, sender->number, &sender->offset, count, NULL);
    if (n == -EAGAIN)
        return TL_FILE_SEND_WAIT;
    if (n < 0)
        return (int)n;
    count_sent(sender, n);
    return n == 0 || sender->left == 0 ? 0 : TL_FILE_SEND_WAIT;
}

/* --- Pieces ----------------------------------------------------------------------------------- */

/* Reads the next piece: 1, 0 at the end, or an error. */
static int read_piece(struct tl_file_sender *sender, struct tl_kernel *kernel)
{
    if (sender->piece == NULL)
        sender->piece = tl_alloc(sender->piece_size);
    if (sender->piece == NULL)
        return -ENOMEM;
    size_t size = at_most(sender, sender->piece_size);
    ssize_t n = kernel->ops->pread(kernel, sender->number, sender->piece, size, sender->offset);
    if (n <= 0)
        return (int)n;
    sender->start = 0;
    sender->end = (size_t)n;
    sender->offset += n;
    return 1;
}

/* Writes what is left of the piece: 1 when all of it went, TL_FILE_SEND_WAIT is said by 0. */
static int write_piece(struct tl_file_sender *sender, struct tl_kernel *kernel, int fd)
{
    struct iovec iov = {sender->piece + sender->start, sender->end - sender->start};
    struct tl_message message = {.iov = &iov, .iov_count = 1};
    ssize_t n = kernel->ops->write(kernel, fd, &message, 1);
    if (n < 0)
        return n == -EAGAIN ? 0 : (int)n;
    sender->start += (size_t)n;
    count_sent(sender, n);
    return sender->start == sender->end;
}

static int send_pieces(struct tl_file_sender *sender, struct tl_kernel *kernel, int fd)
{
    for (int i = 0; i < PIECES_MAX; i++) {
        if (sender->start == sender->end) {
            int r = sender->left == 0 ? 0 : read_piece(sender, kernel);
            if (r <= 0)
                return r;
        }
        int r = write_piece(sender, kernel, fd);
        if (r < 0)
            return r;
        if (r == 0)
            break;
    }
    return TL_FILE_SEND_WAIT;
}

/* --- Both ------------------------------------------------------------------------------------- */

int tl_file_sender_hold(struct tl_file_sender *sender, tl_loop *loop)
{
    return sender->fd == NULL ? tl_fd_hold(loop, sender->number, &sender->fd) : 0;
}

int tl_file_send(struct tl_file_sender *sender, tl_loop *loop, int fd)
{
    struct tl_kernel *kernel = loop->kernel;
    int held = tl_file_sender_hold(sender, loop);
    if (held < 0)
        return held;
    if (!sender->reads) {
        int r = send_native(sender, kernel, fd);
        if (r >= 0 || sender->sent > 0 || tl_file_send_lost(r))
            return r;
        if (!sender->fallback)
            return TL_ENOSENDFILE;
        sender->reads = true;
    }
    return send_pieces(sender, kernel, fd);
}

void tl_file_sender_finish(struct tl_file_sender *sender)
{
    struct tl_fd *fd = sender->fd;
    sender->fd = NULL;
    if (fd != NULL)
        tl_fd_unhold(fd);
    tl_file_sender_abandon(sender);
}

void tl_file_sender_abandon(struct tl_file_sender *sender)
{
    sender->fd = NULL;
    tl_free(sender->piece);
    sender->piece = NULL;
}
