/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program's descriptors in a stream replay, by number; and what was given to each and not taken
 * yet. See stream_replay.c.
 *
 * Numbers are made up, from TL_REPLAY_FD_BASE on, the lowest free one first as systems do. A
 * descriptor that the program made elsewhere and brought in keeps its number, and stays real:
 * nothing is read from it or written to it, but who brought it in expects it to be closed.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "core/alloc.h"
#include "trace/replay.h"
#include "trace/stream_replay.h"

/* --- By number --- */

/* Where the handle of a descriptor is, or would be; NULL where there is no room for one. */
static struct tl_play_handle **place_of(const struct tl_stream_replay *replay, int fd)
{
    size_t slot = (size_t)fd - TL_REPLAY_FD_BASE;

    if (fd < 0)
        return NULL;
    if (fd < TL_REPLAY_FD_BASE)
        return (size_t)fd < replay->given_count ? &replay->given[fd] : NULL;
    return slot < replay->handles_count ? &replay->handles[slot] : NULL;
}

struct tl_play_handle *tl_play_any_handle_of(const struct tl_stream_replay *replay, int fd)
{
    struct tl_play_handle **place = place_of(replay, fd);

    return place != NULL ? *place : NULL;
}

struct tl_play_handle *tl_play_handle_of(const struct tl_stream_replay *replay, int fd)
{
    struct tl_play_handle *handle = tl_play_any_handle_of(replay, fd);

    return handle != NULL && handle->file == NULL ? handle : NULL;
}

struct tl_play_handle *tl_play_socket_of(const struct tl_stream_replay *replay, int fd)
{
    struct tl_play_handle *handle = tl_play_handle_of(replay, fd);

    return handle != NULL && !handle->pipe ? handle : NULL;
}

int tl_play_no_socket(const struct tl_stream_replay *replay, int fd)
{
    if (replay->fate != 0)
        return replay->fate;
    return tl_play_any_handle_of(replay, fd) != NULL ? -ENOTSOCK : -EBADF;
}

struct tl_play_peer *tl_play_file_of(const struct tl_stream_replay *replay, int fd)
{
    const struct tl_play_handle *handle = tl_play_any_handle_of(replay, fd);

    return handle != NULL ? handle->file : NULL;
}

/* --- Making and forgetting --- */

/* Room for a place more than count, in an array whose places beyond what is used are NULL: 0 or
 * -ENOMEM. */
static int reserve(struct tl_stream_replay *replay, struct tl_play_handle ***array, size_t *count,
                   size_t needed)
{
    size_t larger = *count != 0 ? 2 * *count : 64;

    if (needed < *count)
        return 0;
    larger = needed < larger ? larger : needed + 1;
    struct tl_play_handle **handles =
        tl_allocator_realloc(&replay->allocator, *array, larger * sizeof(struct tl_play_handle *));
    if (handles == NULL)
        return -ENOMEM;
    memset(handles + *count, 0, (larger - *count) * sizeof(struct tl_play_handle *));
    *array = handles;
    *count = larger;
    return 0;
}

static struct tl_play_handle *new_handle_at(struct tl_stream_replay *replay, int fd, int family,
                                            int type)
{
    struct tl_play_handle *handle = tl_allocator_calloc(&replay->allocator, sizeof *handle);

    if (handle == NULL)
        return NULL;
    handle->fd = fd;
    handle->family = (uint8_t)family;
    handle->type = (uint8_t)type;
    *place_of(replay, fd) = handle;
    return handle;
}

struct tl_play_handle *tl_play_new_handle(struct tl_stream_replay *replay, int family, int type)
{
    size_t slot = 0;

    while (slot < replay->handles_count && replay->handles[slot] != NULL)
        slot++;
    if (reserve(replay, &replay->handles, &replay->handles_count, slot) < 0)
        return NULL;
    return new_handle_at(replay, TL_REPLAY_FD_BASE + (int)slot, family, type);
}

struct tl_play_handle *tl_play_give_handle(struct tl_stream_replay *replay, int fd, int family,
                                           int type)
{
    if (fd < TL_REPLAY_FD_BASE &&
        reserve(replay, &replay->given, &replay->given_count, (size_t)fd) < 0)
        return NULL;
    if (place_of(replay, fd) == NULL) /* a number that nobody has made up */
        return NULL;
    struct tl_play_handle *handle = new_handle_at(replay, fd, family, type);
    if (handle != NULL)
        handle->real = fd < TL_REPLAY_FD_BASE && fcntl(fd, F_GETFD) >= 0;
    return handle;
}

void tl_play_forget_handle(struct tl_stream_replay *replay, struct tl_play_handle *handle)
{
    handle->interest = 0;
    if (handle->peer != NULL)
        handle->peer->handle = NULL;
    tl_play_update(replay, handle);
    *place_of(replay, handle->fd) = NULL;
    tl_allocator_free(&replay->allocator, handle);
}

static void free_all(struct tl_stream_replay *replay, struct tl_play_handle **handles, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (handles[i] != NULL && handles[i]->real)
            (void)close(handles[i]->fd);
        tl_allocator_free(&replay->allocator, handles[i]);
    }
    tl_allocator_free(&replay->allocator, handles);
}

void tl_play_free_handles(struct tl_stream_replay *replay)
{
    free_all(replay, replay->handles, replay->handles_count);
    free_all(replay, replay->given, replay->given_count);
}

/* --- Queues --- */

void tl_play_queue(struct tl_play_peer *peer, struct tl_play_step *step)
{
    step->next = NULL;
    *peer->queue_tail = step;
    peer->queue_tail = &step->next;
}

struct tl_play_step *tl_play_unqueue(struct tl_play_peer *peer)
{
    struct tl_play_step *step = peer->queue;

    peer->queue = step->next;
    if (peer->queue == NULL)
        peer->queue_tail = &peer->queue;
    peer->queue_used = 0;
    return step;
}
