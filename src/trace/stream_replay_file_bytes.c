/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is in files in a stream replay; see stream_replay.c.
 *
 * It is known as far as the recorded program read it, at the stage of writing at which it did; or
 * wholly, when opening the file made or emptied it, since then the program itself has written all
 * of it. What is written is compared, as one stream of bytes with their places.
 *
 * Reads and writes without an offset are those at the file's own position, which they move; each
 * descriptor has one. Where a file made elsewhere stood nobody knows, so its position is counted
 * from there, apart from offsets.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "core/alloc.h"
#include "trace/stream_replay.h"

/* A file with a larger hole in it is not kept in memory. */
enum { HOLE_MAX = 64 << 20 };

/* Checks an operation on so many bytes of a file, opened for that. 0 or its error. */
static int check(const struct tl_stream_replay *replay, int fd, unsigned access, int64_t offset,
                 size_t len)
{
    const struct tl_play_peer *peer = tl_play_file_of(replay, fd);
    int64_t end;

    if (replay->fate != 0)
        return replay->fate;
    if (offset < 0 || __builtin_add_overflow(offset, len, &end))
        return -EINVAL;
    if (peer == NULL)
        return tl_play_any_handle_of(replay, fd) != NULL ? -ESPIPE : -EBADF;
    return (peer->file->flags & access) == 0 ? -EBADF : 0;
}

/* --- Reading --- */

/* Whether all that is in the file is in data. */
static bool is_whole(const struct tl_play_file *file)
{
    return file->fresh && !file->forgotten;
}

const uint8_t *tl_play_file_bytes(const struct tl_play_peer *peer, int64_t offset, size_t *len)
{
    const struct tl_play_file *file = peer->file;
    int64_t left;

    if (is_whole(file)) {
        left = file->size - offset;
        *len = left > 0 && (uint64_t)left < *len ? (size_t)left : *len;
        return left > 0 ? file->data + offset : NULL;
    }
    for (size_t i = 0; i < file->parts_count; i++) {
        const struct tl_play_part *part = &file->parts[i];
        if (part->result <= 0 || part->written != peer->produced || offset < part->offset)
            continue;
        left = part->result - (offset - part->offset);
        if (left <= 0)
            continue;
        *len = (uint64_t)left < *len ? (size_t)left : *len;
        return part->bytes + (offset - part->offset);
    }
    return NULL;
}

/* What the recorded program read with the same arguments, when it had written as much: the next
 * time that it did, or the last. */
static struct tl_play_part *find_part(struct tl_play_peer *peer, size_t room, int64_t offset)
{
    struct tl_play_file *file = peer->file;
    size_t last = 0; /* from 1 */

    for (size_t i = 0; i < file->parts_count; i++) {
        size_t at = (file->part + i) % file->parts_count;
        struct tl_play_part *part = &file->parts[at];
        if (part->offset != offset || part->room != room || part->written != peer->produced)
            continue;
        if (!part->used) {
            part->used = true;
            file->part = at + 1;
            return part;
        }
        last = at + 1 > last ? at + 1 : last;
    }
    return last > 0 ? &file->parts[last - 1] : NULL;
}

/* Copies what is known of the file: how much, which is as much as there is room for unless the file
 * ends; or -1. */
static ssize_t read_known(const struct tl_play_peer *peer, uint8_t *buf, size_t len, int64_t offset)
{
    int64_t size = *tl_play_size_of(peer->file, offset);
    size_t done = 0;

    if (size >= 0 && offset >= size)
        return 0;
    if (size >= 0 && (uint64_t)(size - offset) < len)
        len = (size_t)(size - offset);
    while (done < len) {
        size_t part = len - done;
        const uint8_t *bytes = tl_play_file_bytes(peer, offset + (int64_t)done, &part);
        if (bytes == NULL)
            return -1;
        memcpy(buf + done, bytes, part);
        done += part;
    }
    return (ssize_t)done;
}

/* The same for pieces. */
static ssize_t read_known_pieces(const struct tl_play_peer *peer, const struct iovec *iov,
                                 size_t count, int64_t offset)
{
    ssize_t done = 0;

    for (size_t i = 0; i < count; i++) {
        ssize_t n = read_known(peer, iov[i].iov_base, iov[i].iov_len, offset + done);
        if (n < 0)
            return -1;
        done += n;
        if ((size_t)n < iov[i].iov_len)
            break;
    }
    return done;
}

/* What a read of so many pieces returns, if the trace tells: *ret. */
static bool read_at(struct tl_play_peer *peer, const struct iovec *iov, size_t count,
                    int64_t offset, ssize_t *ret)
{
    const struct tl_play_part *part = find_part(peer, tl_trace_iov_size(iov, count), offset);

    if (part == NULL) {
        *ret = read_known_pieces(peer, iov, count, offset);
        return *ret >= 0;
    }
    if (part->result > 0)
        tl_trace_scatter(iov, part->bytes, (size_t)part->result);
    *ret = (ssize_t)part->result;
    return true;
}

ssize_t tl_play_pread(struct tl_kernel *kernel, int fd, void *buf, size_t len, int64_t offset)
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);
    struct tl_play_peer *peer = tl_play_file_of(replay, fd);
    struct iovec iov = {buf, len};
    ssize_t n = check(replay, fd, TL_OPEN_READ, offset, len);

    if (n < 0 || peer == NULL || read_at(peer, &iov, 1, offset, &n))
        return n;
    return tl_play_unknown(replay, &(struct tl_trace_event){
                                       .kind = TL_TRACE_PREAD,
                                       .object = peer->ordinal,
                                       .arg = {(int64_t)len, offset},
                                   });
}

static int unknown_at_position(struct tl_stream_replay *replay, const struct tl_play_peer *peer,
                               size_t room, int64_t position)
{
    char place[TL_PLACE_TEXT_MAX], where[TL_PLACE_TEXT_MAX + 8];

    (void)snprintf(where, sizeof where, ", at %s", tl_play_show_place(position, place));
    return tl_play_unknown_there(replay,
                                 &(struct tl_trace_event){
                                     .kind = TL_TRACE_READ,
                                     .object = peer->ordinal,
                                     .arg = {(int64_t)room, 1},
                                 },
                                 where);
}

ssize_t tl_play_read_file(struct tl_stream_replay *replay, struct tl_play_handle *handle,
                          struct tl_message *messages, size_t count)
{
    struct tl_play_peer *peer = handle->file;
    size_t room = count == 1 ? tl_trace_iov_size(messages->iov, messages->iov_count) : 0;
    ssize_t n =
        count == 1 ? check(replay, handle->fd, TL_OPEN_READ, handle->position, room) : -EINVAL;

    if (n < 0)
        return n;
    if (!read_at(peer, messages->iov, messages->iov_count, handle->position, &n)) {
        if (peer->file->read_error == 0)
            return unknown_at_position(replay, peer, room, handle->position);
        n = peer->file->read_error;
    }
    if (n < 0)
        return n;
    handle->position += n;
    messages->len = (size_t)n;
    messages->truncated = 0;
    return n;
}

/* --- Writing --- */

static void forget(struct tl_stream_replay *replay, struct tl_play_file *file)
{
    tl_allocator_free(&replay->allocator, file->data);
    file->data = NULL;
    file->data_capacity = 0;
    file->forgotten = true;
}

/* Makes room for what is in a file that is known wholly, up to end. 0 or -ENOMEM. */
static int reserve(struct tl_stream_replay *replay, struct tl_play_file *file, int64_t end)
{
    size_t capacity = file->data_capacity;

    if (!is_whole(file) || (uint64_t)end <= capacity)
        return 0;
    if (end - file->size > HOLE_MAX) {
        forget(replay, file);
        return 0;
    }
    size_t larger = capacity > 0 ? 2 * capacity : 4096;
    larger = (uint64_t)end > larger ? (size_t)end : larger;
    uint8_t *data = tl_allocator_realloc(&replay->allocator, file->data, larger);
    if (data == NULL)
        return -ENOMEM;
    memset(data + capacity, 0, larger - capacity);
    file->data = data;
    file->data_capacity = larger;
    return 0;
}

/* Writes bytes that lie together: how many, or an error. */
static ssize_t write_at(struct tl_stream_replay *replay, struct tl_play_peer *peer, const void *buf,
                        size_t len, int64_t offset)
{
    struct tl_play_file *file = peer->file;

    if (len == 0)
        return 0;
    int r = reserve(replay, file, offset + (int64_t)len);
    if (r < 0)
        return r;
    ssize_t n = tl_play_compare_written(replay, peer, buf, len, offset);
    if (n < 0)
        return n;
    if (is_whole(file))
        memcpy(file->data + offset, buf, (size_t)n);
    int64_t *size = tl_play_size_of(file, offset);
    if (*size >= 0 && *size < offset + n)
        *size = offset + n;
    return n;
}

ssize_t tl_play_pwrite(struct tl_kernel *kernel, int fd, const void *buf, size_t len,
                       int64_t offset)
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);
    struct tl_play_peer *peer = tl_play_file_of(replay, fd);
    int r = check(replay, fd, TL_OPEN_WRITE, offset, len);

    return r < 0 || peer == NULL ? r : write_at(replay, peer, buf, len, offset);
}

ssize_t tl_play_write_file(struct tl_stream_replay *replay, struct tl_play_handle *handle,
                           struct tl_message *messages, size_t count)
{
    size_t len = count == 1 ? tl_trace_iov_size(messages->iov, messages->iov_count) : 0;
    const void *data = len > 0 ? messages->iov->iov_base : NULL;
    ssize_t n =
        count == 1 ? check(replay, handle->fd, TL_OPEN_WRITE, handle->position, len) : -EINVAL;

    if (n < 0)
        return n;
    if (len > 0 && messages->iov_count > 1) {
        tl_trace_pack_begin(&replay->pack);
        tl_trace_pack_iov(&replay->pack, messages->iov, len);
        if (replay->pack.failed)
            return -ENOMEM;
        data = replay->pack.data;
    }
    n = write_at(replay, handle->file, data, len, handle->position);
    if (n < 0)
        return n;
    handle->position += n;
    messages->len = (size_t)n;
    return n;
}
