/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files in a stream replay; see stream_replay.c.
 *
 * There is no file system: what is asked by path is answered by the next recorded answer to the
 * same question, and when there is none by the last one again. A descriptor is what the recorded
 * open of that path has opened. What is in it is known as far as the recorded program read it, at
 * the stage of writing at which it did; or wholly, when opening it made or emptied it, since then
 * the program itself has written all of it. What is written is compared, as one stream of bytes
 * with their places. A sendfile need not be recorded as one, but what it sends has to be either the
 * same part of the same file or known.
 */
#include <errno.h>
#include <string.h>
#include "core/alloc.h"
#include "trace/print.h"
#include "trace/stream_replay.h"

/* A file with a larger hole in it is not kept in memory. */
enum { HOLE_MAX = 64 << 20 };

/* --- Questions --- */

/* Where the trace was cut off it may have been asked behind that. */
int tl_play_unknown(struct tl_stream_replay *replay, const struct tl_trace_event *asked)
{
    char text[640];

    if (!replay->script.closed && replay->step == replay->script.steps_count)
        return tl_play_run_out(replay);
    return tl_play_diverge(replay,
                           "diverged: the program asks for what the trace does not have\n  %s\n",
                           tl_trace_format_event(asked, TL_SIDE_PROGRAM, 64, text, sizeof text));
}

static struct tl_play_question *find(const struct tl_stream_replay *replay,
                                     const struct tl_trace_event *asked, int64_t arg)
{
    return tl_play_script_question(&replay->script, asked->kind, arg, asked->blob, asked->blob_len);
}

const struct tl_play_told *tl_play_take_told(struct tl_play_question *question)
{
    const struct tl_play_told *told = question->next;

    if (told->next != NULL)
        question->next = told->next;
    return told;
}

/* Asks what has no more to it than a name. */
static int ask(struct tl_stream_replay *replay, const struct tl_trace_event *asked,
               const struct tl_play_told **ret)
{
    if (replay->fate != 0)
        return replay->fate;
    struct tl_play_question *question = find(replay, asked, 0);
    if (question == NULL)
        return tl_play_unknown(replay, asked);
    *ret = tl_play_take_told(question);
    return (int)(*ret)->result;
}

int tl_play_stat(struct tl_kernel *kernel, const char *path, struct tl_stat *ret)
{
    struct tl_trace_event asked = {
        .kind = TL_TRACE_STAT, .blob = (const uint8_t *)path, .blob_len = strlen(path)};
    const struct tl_play_told *told = NULL;

    int r = ask(tl_stream_replay_of(kernel), &asked, &told);
    if (r >= 0 && told != NULL)
        *ret = (struct tl_stat){
            .size = told->arg[0],
            .modified = told->arg[1],
            .kind = (uint32_t)told->arg[2],
            .identity = (uint64_t)told->arg[3],
        };
    return r;
}

int tl_play_unlink(struct tl_kernel *kernel, const char *path)
{
    struct tl_trace_event asked = {
        .kind = TL_TRACE_UNLINK, .blob = (const uint8_t *)path, .blob_len = strlen(path)};
    const struct tl_play_told *told;

    return ask(tl_stream_replay_of(kernel), &asked, &told);
}

int tl_play_rename(struct tl_kernel *kernel, const char *source, const char *target)
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);
    struct tl_trace_event asked = {.kind = TL_TRACE_RENAME};
    const struct tl_play_told *told;

    tl_trace_pack_begin(&replay->pack);
    tl_trace_pack_text(&replay->pack, source);
    tl_trace_pack_bytes(&replay->pack, target, strlen(target));
    if (replay->pack.failed)
        return -ENOMEM;
    asked.blob = replay->pack.data;
    asked.blob_len = replay->pack.len;
    return ask(replay, &asked, &told);
}

/* --- Opening --- */

int tl_play_open(struct tl_kernel *kernel, const char *path, unsigned flags, unsigned mode)
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);
    struct tl_trace_event asked = {
        .kind = TL_TRACE_OPEN,
        .arg = {flags, mode},
        .blob = (const uint8_t *)path,
        .blob_len = strlen(path),
    };

    if (replay->fate != 0)
        return replay->fate;
    struct tl_play_question *question = find(replay, &asked, flags);
    if (question == NULL)
        return tl_play_unknown(replay, &asked);
    struct tl_play_peer *peer = question->next->peer;
    if (peer == NULL)
        return (int)tl_play_take_told(question)->result;
    struct tl_play_handle *handle = tl_play_new_handle(replay, TL_FAMILY_NONE, TL_STREAM);
    if (handle == NULL)
        return -ENOMEM;
    handle->file = peer;
    (void)tl_play_take_told(question);
    peer->taken = true;
    if (peer->file->fresh) {
        peer->file->size = 0;
        if (peer->file->data != NULL)
            memset(peer->file->data, 0, peer->file->data_capacity);
    }
    return handle->fd;
}

/* What an operation on a descriptor that is no file answers. */
static int no_file(const struct tl_stream_replay *replay, int fd, int error)
{
    return tl_play_handle_of(replay, fd) != NULL ? error : -EBADF;
}

/* A file may always be synced once more. */
int tl_play_fsync(struct tl_kernel *kernel, int fd)
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);
    const struct tl_play_peer *peer = tl_play_file_of(replay, fd);

    if (replay->fate != 0 || peer == NULL)
        return replay->fate != 0 ? replay->fate : no_file(replay, fd, -EINVAL);
    struct tl_play_question *question =
        find(replay, &(struct tl_trace_event){.kind = TL_TRACE_FSYNC}, (int64_t)peer->ordinal);
    return question != NULL ? (int)tl_play_take_told(question)->result : 0;
}

/* The file that a pread or pwrite of so many bytes there is about, opened for that. NULL, and the
 * error, when there is none. */
static struct tl_play_peer *get_file(const struct tl_stream_replay *replay, int fd, unsigned access,
                                     int64_t offset, size_t len, int *ret_error)
{
    struct tl_play_peer *peer = tl_play_file_of(replay, fd);
    int64_t end;

    *ret_error = 0;
    if (replay->fate != 0)
        *ret_error = replay->fate;
    else if (offset < 0 || __builtin_add_overflow(offset, len, &end))
        *ret_error = -EINVAL;
    else if (peer == NULL)
        *ret_error = no_file(replay, fd, -ESPIPE);
    else if ((peer->file->flags & access) == 0)
        *ret_error = -EBADF;
    return *ret_error == 0 ? peer : NULL;
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
    int64_t size = peer->file->size;
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

ssize_t tl_play_pread(struct tl_kernel *kernel, int fd, void *buf, size_t len, int64_t offset)
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);
    int r;

    struct tl_play_peer *peer = get_file(replay, fd, TL_OPEN_READ, offset, len, &r);
    if (peer == NULL)
        return r;
    const struct tl_play_part *part = find_part(peer, len, offset);
    if (part != NULL) {
        if (part->result > 0)
            memcpy(buf, part->bytes, (size_t)part->result);
        return (ssize_t)part->result;
    }
    ssize_t n = read_known(peer, buf, len, offset);
    if (n >= 0)
        return n;
    return tl_play_unknown(replay, &(struct tl_trace_event){
                                       .kind = TL_TRACE_PREAD,
                                       .object = peer->ordinal,
                                       .arg = {(int64_t)len, offset},
                                   });
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

ssize_t tl_play_pwrite(struct tl_kernel *kernel, int fd, const void *buf, size_t len,
                       int64_t offset)
{
    struct tl_stream_replay *replay = tl_stream_replay_of(kernel);
    int r;

    struct tl_play_peer *peer = get_file(replay, fd, TL_OPEN_WRITE, offset, len, &r);
    if (peer == NULL)
        return r;
    if (len == 0)
        return 0;
    struct tl_play_file *file = peer->file;
    int64_t end = offset + (int64_t)len;
    r = reserve(replay, file, end);
    if (r == 0)
        r = tl_play_compare_written(replay, peer, buf, len, offset);
    if (r < 0)
        return r;
    if (is_whole(file))
        memcpy(file->data + offset, buf, len);
    if (file->size >= 0 && file->size < end)
        file->size = end;
    return (ssize_t)len;
}

/* --- Sending --- */

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
