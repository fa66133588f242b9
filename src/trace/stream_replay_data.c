/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes in a stream replay; see stream_replay.c.
 *
 * What has been given to a connection lies in its queue until the program reads it, in pieces of
 * whatever size it likes. What it writes is taken as long as the recorded kernel took it: where
 * that said that there was no room, so does this one, until the script has room again.
 */
#include <errno.h>
#include <string.h>
#include "trace/stream_replay.h"

/* --- Reading --- */

/* Copies what is queued to the message, as far as there is room: how much. */
static size_t read_queue(struct tl_play_peer *peer, struct tl_message *message)
{
    size_t len = 0;

    for (size_t i = 0; i < message->iov_count; i++) {
        uint8_t *to = message->iov[i].iov_base;
        size_t room = message->iov[i].iov_len;
        while (room > 0 && peer->queue != NULL) {
            size_t left = peer->queue->len - peer->queue_used;
            size_t part = left < room ? left : room;
            memcpy(to, peer->queue->data + peer->queue_used, part);
            peer->queue_used += part;
            to += part;
            room -= part;
            len += part;
            if (part == left)
                (void)tl_play_unqueue(peer);
        }
    }
    return len;
}

static ssize_t read_stream(struct tl_stream_replay *replay, struct tl_play_handle *handle,
                           struct tl_message *message)
{
    struct tl_play_peer *peer = handle->peer;
    ssize_t result = 0;

    if (handle->connecting)
        return -EAGAIN;
    if (peer == NULL || (!peer->established && !peer->broken))
        return -ENOTCONN;
    message->truncated = 0;
    peer->stirred = 0;
    if (peer->given && peer->queue == NULL && !peer->ended && !peer->broken)
        tl_play_give_at_once(replay, peer);
    if (peer->queue != NULL) {
        result = (ssize_t)read_queue(peer, message);
    } else if (peer->error != 0) {
        result = peer->error;
        peer->error = 0;
    } else if (!peer->ended && !peer->broken && !handle->shut_read) {
        result = -EAGAIN;
    }
    if (result >= 0)
        message->len = (size_t)result;
    tl_play_update(replay, handle);
    return result;
}

static void read_datagram(struct tl_play_peer *peer, struct tl_message *message)
{
    size_t room = tl_trace_iov_size(message->iov, message->iov_count);
    const struct tl_play_step *step = tl_play_unqueue(peer);

    message->len = step->len < room ? step->len : room;
    message->truncated = step->value != 0 || step->len > room;
    tl_trace_scatter(message->iov, step->data, message->len);
    if (message->addr != NULL)
        *message->addr = step->addr != NULL ? *step->addr : peer->remote;
}

static ssize_t read_datagrams(struct tl_stream_replay *replay, struct tl_play_handle *handle,
                              struct tl_message *messages, size_t count)
{
    struct tl_play_peer *peer = handle->peer;
    size_t n = 0;

    if (peer != NULL)
        peer->stirred = 0;
    if (peer != NULL && peer->error != 0) {
        int error = peer->error;
        peer->error = 0;
        tl_play_update(replay, handle);
        return error;
    }
    while (n < count && peer != NULL && peer->queue != NULL)
        read_datagram(peer, &messages[n++]);
    tl_play_update(replay, handle);
    if (n == 0)
        return -EAGAIN;
    return count == 1 ? (ssize_t)messages->len : (ssize_t)n;
}

ssize_t tl_play_read(struct tl_kernel *kernel, int fd, struct tl_message *messages, size_t count)
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);
    struct tl_play_handle *handle = tl_play_any_handle_of(replay, fd);

    if (replay->fate != 0 || handle == NULL)
        return replay->fate != 0 ? replay->fate : -EBADF;
    if (handle->file != NULL)
        return tl_play_read_file(replay, handle, messages, count);
    if (handle->pipe && handle->peer->no_read)
        return -EBADF;
    if (handle->type == TL_DATAGRAM)
        return read_datagrams(replay, handle, messages, count);
    return count == 1 ? read_stream(replay, handle, messages) : -EINVAL;
}

/* --- Writing --- */

/* How many bytes a connection takes before it is full, or has met its error. */
static uint64_t room_of(const struct tl_play_peer *peer)
{
    uint64_t room = peer->block < peer->blocks_count ? peer->blocks[peer->block] : UINT64_MAX;

    return room > peer->produced ? room - peer->produced : 0;
}

ssize_t tl_play_room(struct tl_stream_replay *replay, struct tl_play_handle *handle, size_t len)
{
    struct tl_play_peer *peer = handle->peer;

    if (handle->connecting)
        return -EAGAIN;
    if (peer == NULL || handle->shut_write || (!peer->established && !peer->broken))
        return -EPIPE;
    if (peer->given && len > 0 && room_of(peer) == 0)
        tl_play_give_at_once(replay, peer);
    if (peer->broken) {
        int error = peer->error;
        peer->error = 0;
        tl_play_update(replay, handle);
        return error != 0 ? error : -EPIPE;
    }
    uint64_t room = room_of(peer);
    if (room == 0 && len > 0)
        return -EAGAIN;
    return (ssize_t)(len < room ? len : room);
}

static ssize_t write_stream(struct tl_stream_replay *replay, struct tl_play_handle *handle,
                            struct tl_message *message)
{
    size_t len = tl_trace_iov_size(message->iov, message->iov_count);
    ssize_t n = tl_play_room(replay, handle, len);

    if (n < 0)
        return n;
    int r = tl_play_compare(replay, handle->peer, message->iov, (size_t)n);
    if (r < 0)
        return r;
    message->len = (size_t)n;
    tl_play_update(replay, handle);
    return n;
}

static ssize_t write_datagrams(struct tl_stream_replay *replay, struct tl_play_handle *handle,
                               struct tl_message *messages, size_t count)
{
    if (count == 0)
        return 0;
    tl_play_take_datagram(replay, handle);
    if (handle->peer == NULL)
        return tl_play_diverge(replay,
                               "diverged: the program sends from more sockets than the trace\n");
    size_t sent = 0;
    do {
        ssize_t n = tl_play_compare_message(replay, handle, &messages[sent]);
        if (n < 0)
            return n;
        messages[sent++].len = (size_t)n;
    } while (sent < count && !tl_play_fails_next(handle->peer));
    return count == 1 ? (ssize_t)messages->len : (ssize_t)sent;
}

ssize_t tl_play_write(struct tl_kernel *kernel, int fd, struct tl_message *messages, size_t count)
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);
    struct tl_play_handle *handle = tl_play_any_handle_of(replay, fd);

    if (replay->fate != 0 || handle == NULL)
        return replay->fate != 0 ? replay->fate : -EBADF;
    if (handle->file != NULL)
        return tl_play_write_file(replay, handle, messages, count);
    if (handle->pipe && handle->peer->no_write)
        return -EBADF;
    if (handle->type == TL_DATAGRAM)
        return write_datagrams(replay, handle, messages, count);
    return count == 1 ? write_stream(replay, handle, messages) : -EINVAL;
}
