/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readiness in a stream replay: which of the program's descriptors poll has something to tell of;
 * see stream_replay.c.
 *
 * It follows from what has been given to each, and is looked at again whenever that changes. Those
 * with news are in one ring, in which everybody's turn comes.
 */
#include <errno.h>
#include "trace/stream_replay.h"

static unsigned readiness(const struct tl_play_handle *handle)
{
    const struct tl_play_peer *peer = handle->peer;

    if (handle->type == TL_DATAGRAM && peer == NULL)
        return TL_WRITABLE;
    if (handle->type == TL_DATAGRAM)
        return TL_WRITABLE | peer->stirred |
               (peer->queue != NULL || peer->error != 0 ? TL_READABLE : 0);
    if (peer == NULL || handle->connecting)
        return 0;
    if (handle->listening)
        return peer->stirred | (peer->queue != NULL ? TL_READABLE : 0);
    if (peer->broken)
        return TL_READABLE | TL_WRITABLE | TL_HANGUP | (peer->error != 0 ? TL_FAULT : 0);
    if (!peer->established)
        return 0;
    bool room = peer->block >= peer->blocks_count || peer->produced < peer->blocks[peer->block];
    bool end = peer->ended || handle->shut_read;
    bool hung_up = peer->ended && (handle->shut_write || handle->pipe);
    return (peer->queue != NULL || end ? TL_READABLE : 0) |
           (room && !peer->no_write ? TL_WRITABLE : 0) | peer->stirred | (hung_up ? TL_HANGUP : 0);
}

static unsigned news_of(const struct tl_play_handle *handle)
{
    return handle->interest != 0 ? readiness(handle) & (handle->interest | TL_HANGUP | TL_FAULT)
                                 : 0;
}

static void unlink_ready(struct tl_play_handle *handle)
{
    handle->prev->next = handle->next;
    handle->next->prev = handle->prev;
    handle->queued = false;
}

static void link_ready(struct tl_stream_replay *replay, struct tl_play_handle *handle)
{
    struct tl_play_handle *head = &replay->ready;

    handle->prev = head->prev;
    handle->next = head;
    head->prev->next = handle;
    head->prev = handle;
    handle->queued = true;
}

void tl_play_update(struct tl_stream_replay *replay, struct tl_play_handle *handle)
{
    bool news = news_of(handle) != 0;

    if (news && !handle->queued)
        link_ready(replay, handle);
    else if (!news && handle->queued)
        unlink_ready(handle);
}

int tl_play_watch(struct tl_kernel *kernel, int fd, unsigned events, void *token)
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);
    struct tl_play_handle *handle = tl_play_handle_of(replay, fd);

    if (replay->fate != 0 || handle == NULL)
        return replay->fate != 0 ? replay->fate : -EBADF;
    if (events != 0 && handle->peer != NULL && handle->peer->no_watch)
        return -EPERM;
    handle->interest = events;
    handle->token = token;
    tl_play_update(replay, handle);
    return 0;
}

int tl_play_collect_ready(struct tl_stream_replay *replay, struct tl_event *events, int count)
{
    struct tl_play_handle *last = replay->ready.prev;
    int n = 0;

    for (bool more = last != &replay->ready; more && n < count;) {
        struct tl_play_handle *handle = replay->ready.next;
        more = handle != last;
        events[n++] = (struct tl_event){
            .token = handle->token, .kind = TL_EVENT_FD, .ready = news_of(handle)};
        unlink_ready(handle); /* to the end, so that everybody's turn comes */
        link_ready(replay, handle);
    }
    return n;
}
