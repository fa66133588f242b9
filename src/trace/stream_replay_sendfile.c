/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sendfile in a stream replay; see stream_replay.c.
 *
 * It need not be recorded as one, but what it sends has to be either the same part of the same file
 * or known.
 */
#include <errno.h>
#include "trace/stream_replay.h"

/* Sends what a connection has room for, up to where the recorded program went on with something
 * else, if it did: how much, or the end of the replay. */
static ssize_t send_file(struct tl_stream_replay *replay, struct tl_play_peer *peer,
                         struct tl_play_peer *file, int64_t offset, size_t room)
{
    size_t sent = 0;

    do {
        ssize_t n = tl_play_compare_file(replay, peer, file, offset, room - sent);
        if (n < 0)
            return n;
        sent += (size_t)n;
        offset += n;
    } while (sent < room && tl_play_sends_next(peer, file, offset));
    return (ssize_t)sent;
}

/* What sendfile answers for what is no file. */
static int no_source(const struct tl_stream_replay *replay, int fd)
{
    const struct tl_play_handle *handle = tl_play_handle_of(replay, fd);

    if (handle == NULL)
        return -EBADF;
    return handle->peer != NULL && handle->peer->refusal != 0 ? handle->peer->refusal : -EINVAL;
}

ssize_t tl_play_sendfile(struct tl_kernel *kernel, int fd, int source, int64_t *offset,
                         size_t count, struct tl_witness *witness)
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);
    struct tl_play_handle *handle = tl_play_handle_of(replay, fd);
    struct tl_play_peer *file = tl_play_file_of(replay, source);

    (void)witness; /* of what it sends not even the replay sees the bytes */
    if (replay->fate != 0 || handle == NULL)
        return replay->fate != 0 ? replay->fate : -EBADF;
    if (file == NULL)
        return no_source(replay, source);
    if (file->refusal != 0)
        return file->refusal;
    if ((file->file->flags & TL_OPEN_READ) == 0)
        return -EBADF;
    if (*offset < 0 || handle->type == TL_DATAGRAM)
        return -EINVAL;
    if (count == 0)
        return 0;
    ssize_t n = tl_play_room(replay, handle, count);
    if (n > 0)
        n = send_file(replay, handle->peer, file, *offset, (size_t)n);
    if (n < 0 && (n != -EAGAIN || file->file->size < 0 || *offset < file->file->size))
        return n;
    if (n <= 0) /* at the end, whether or not there is room */
        return file->file->size >= 0 && *offset >= file->file->size ? 0 : -EAGAIN;
    *offset += n;
    tl_play_update(replay, handle);
    return n;
}
