/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of files in a script; see stream_replay_script.h.
 *
 * What was asked by path becomes questions with their answers in turn. Each open that succeeded is
 * a peer: what the program wrote to the file is its output, in the order of the writes, and what
 * was read is kept with where it was and how much had been written by then. Of a sendfile the trace
 * has no bytes: its mark has the file, the place in it and their hash.
 */
#include <errno.h>
#include <string.h>
#include "trace/stream_replay_script.h"

/* --- Questions --- */

static struct tl_play_question *add_question(struct tl_play_script *script, uint32_t kind,
                                             int64_t arg, const void *name, size_t len)
{
    struct tl_play_question *question = tl_play_script_alloc(script, sizeof *question);
    const uint8_t *copy;

    if (question == NULL || tl_play_script_keep(script, name, len, &copy) < 0 ||
        tl_play_script_reserve(script, &script->questions, script->questions_count,
                               &script->questions_capacity, sizeof(struct tl_play_question *)) < 0)
        return NULL;
    *question = (struct tl_play_question){.kind = kind, .arg = arg, .name = copy, .name_len = len};
    script->questions[script->questions_count++] = question;
    return question;
}

struct tl_play_told *tl_play_script_tell(struct tl_play_script *script,
                                         const struct tl_trace_event *event, int64_t arg,
                                         struct tl_play_peer *peer)
{
    struct tl_play_question *question =
        tl_play_script_question(script, event->kind, arg, event->blob, event->blob_len);
    struct tl_play_told *told = tl_play_script_alloc(script, sizeof *told);

    if (question == NULL)
        question = add_question(script, event->kind, arg, event->blob, event->blob_len);
    if (question == NULL || told == NULL)
        return NULL;
    *told = (struct tl_play_told){.result = event->result, .peer = peer};
    memcpy(told->arg, event->arg, sizeof told->arg);
    if (question->last != NULL)
        question->last->next = told;
    else
        question->next = told;
    question->last = told;
    if (peer != NULL && peer->file != NULL) {
        peer->file->path = question->name;
        peer->file->path_len = question->name_len;
    }
    return told;
}

static int tell(struct tl_play_script *script, const struct tl_trace_event *event, int64_t arg,
                struct tl_play_peer *peer)
{
    return tl_play_script_tell(script, event, arg, peer) != NULL ? 0 : -ENOMEM;
}

/* --- Files --- */

/* What stat has told of the path shortly before is known of the file. */
static void take_status(const struct tl_play_script *script, const struct tl_trace_event *event,
                        struct tl_play_file *file)
{
    const struct tl_play_question *question =
        tl_play_script_question(script, TL_TRACE_STAT, 0, event->blob, event->blob_len);
    const struct tl_play_told *told = question != NULL ? question->last : NULL;

    if (told == NULL || told->result < 0 || told->arg[2] != TL_ADOPTED_FILE)
        return;
    file->size = told->arg[0];
    file->identity = (uint64_t)told->arg[3];
}

int tl_play_script_make_file(struct tl_play_script *script, struct tl_play_peer *peer,
                             unsigned flags, int64_t position)
{
    struct tl_play_file *file = tl_play_script_alloc(script, sizeof *file);

    if (file == NULL)
        return -ENOMEM;
    peer->role = TL_PEER_FILE;
    peer->type = TL_STREAM;
    peer->file = file;
    file->flags = flags;
    file->fresh = (flags & (TL_OPEN_TRUNCATE | TL_OPEN_EXCLUSIVE)) != 0;
    file->size = file->fresh ? 0 : -1;
    file->end = -1;
    file->position = position;
    return 0;
}

static int take_open(struct tl_play_script *script, const struct tl_trace_event *event)
{
    unsigned flags = (unsigned)event->arg[0];
    int r;

    if (event->result < 0)
        return tell(script, event, event->arg[0], NULL);
    struct tl_play_peer *peer = tl_play_script_add_peer(script, event->object, &r);
    if (peer == NULL)
        return r;
    r = tl_play_script_make_file(script, peer, flags, 0);
    if (r < 0)
        return r;
    if (!peer->file->fresh)
        take_status(script, event, peer->file);
    return tell(script, event, event->arg[0], peer);
}

/* Whether a file can have that many bytes there; a broken trace may say otherwise. */
static bool is_place(int64_t offset, int64_t len)
{
    return offset >= 0 && len <= INT64_MAX - offset;
}

/* Bytes of the file reach as far as that; it may have grown. */
static void note_bytes(struct tl_play_file *file, int64_t end)
{
    int64_t *size = tl_play_size_of(file, end);

    if (!file->fresh && *size >= 0 && *size < end)
        *size = end;
}

/* There are no bytes from there on. */
static void note_end(struct tl_play_file *file, int64_t end)
{
    int64_t *size = tl_play_size_of(file, end);

    if (!file->fresh && (*size < 0 || *size > end))
        *size = end;
}

/* A read at an offset. */
static int take_bytes(struct tl_play_script *script, const struct tl_trace_event *event,
                      const struct tl_play_peer *peer, int64_t offset)
{
    struct tl_play_file *file = peer->file;

    if (event->result > 0 && (event->blob_len != (uint64_t)event->result ||
                              event->result > event->arg[0] || !is_place(offset, event->result)))
        return -ENOTSUP;
    int r = tl_play_script_reserve(script, &file->parts, file->parts_count, &file->parts_capacity,
                                   sizeof *file->parts);
    if (r < 0)
        return r;
    struct tl_play_part *part = &file->parts[file->parts_count];
    *part = (struct tl_play_part){
        .offset = offset,
        .room = (size_t)event->arg[0],
        .result = event->result,
        .written = peer->total,
    };
    if (event->result > 0)
        r = tl_play_script_keep(script, event->blob, event->blob_len, &part->bytes);
    if (r < 0)
        return r;
    file->parts_count++;
    if (event->result > 0)
        note_bytes(file, offset + event->result);
    if (event->result >= 0 && event->result < event->arg[0])
        note_end(file, offset + event->result);
    return 0;
}

/* A write at an offset. One that failed is a mark of no bytes, where it was tried. */
static int take_written(struct tl_play_script *script, const struct tl_trace_event *event,
                        struct tl_play_peer *peer, int64_t offset)
{
    size_t len = event->result > 0 ? (size_t)event->result : 0;

    if (event->result == 0)
        return 0;
    if (len > 0 && (!is_place(offset, event->result) ||
                    (event->blob_is == TL_BLOB_BYTES && event->blob_len != len)))
        return -ENOTSUP;
    int r = tl_play_script_add_mark(script, event, peer, len);
    if (r < 0)
        return r;
    struct tl_play_mark *mark = &peer->marks[peer->marks_count - 1];
    mark->len = len;
    mark->packed = false;
    mark->cut = event->result > 0 && event->result < event->arg[0];
    mark->offset = offset;
    return 0;
}

/* A read or write at the file's own position, which it moves. */
static int take_at_position(struct tl_play_script *script, const struct tl_trace_event *event,
                            struct tl_play_peer *peer)
{
    struct tl_play_file *file = peer->file;

    if (event->arg[1] != 1 || event->arg[2] != 0)
        return -ENOTSUP;
    int r = event->kind == TL_TRACE_READ ? take_bytes(script, event, peer, file->position)
                                         : take_written(script, event, peer, file->position);
    if (r < 0)
        return r;
    if (event->result > 0)
        file->position += event->result;
    else if (event->result < 0 && event->kind == TL_TRACE_READ)
        file->read_error = (int)event->result;
    return 0;
}

/* --- Sendfile --- */

/* Whether an error says that this file cannot be sent, and nothing of the connection. */
static bool is_refusal(int64_t error)
{
    switch (error) {
    case -EBADF:
    case -EINVAL:
    case -EIO:
    case -EISDIR:
    case -ENOSYS:
    case -EOPNOTSUPP:
    case -EOVERFLOW:
    case -ESPIPE:
        return true;
    default:
        return false;
    }
}

static int add_sent(struct tl_play_script *script, const struct tl_trace_event *event,
                    struct tl_play_peer *peer, struct tl_play_peer *source)
{
    int r = tl_play_script_unblock(script, event, peer);

    if (r == 0)
        r = tl_play_script_add_mark(script, event, peer, (size_t)event->result);
    if (r < 0)
        return r;
    struct tl_play_mark *mark = &peer->marks[peer->marks_count - 1];
    mark->bytes = NULL;
    mark->len = (size_t)event->result;
    mark->hash = (uint64_t)event->arg[3];
    mark->packed = false;
    mark->file = source;
    mark->offset = event->arg[1];
    note_bytes(source->file, event->arg[1] + event->result);
    return 0;
}

static int take_sendfile(struct tl_play_script *script, const struct tl_trace_event *event,
                         struct tl_play_peer *peer)
{
    struct tl_play_peer *source = tl_play_script_peer(script, (uint64_t)event->arg[0]);
    bool is_file = source != NULL && source->role == TL_PEER_FILE;

    if (peer->type == TL_DATAGRAM || peer->role == TL_PEER_LISTENER || peer->role == TL_PEER_FILE)
        return event->result < 0 ? 0 : -ENOTSUP;
    if (event->result < 0 && event->result != -EAGAIN) {
        if (!is_refusal(event->result))
            return tl_play_script_add_error(script, event, peer, event->result);
        if (source != NULL)
            source->refusal = (int)event->result;
        return 0;
    }
    if (!is_file)
        return -ENOTSUP;
    if (event->result > 0) {
        if (!is_place(event->arg[1], event->result))
            return -ENOTSUP;
        int r = add_sent(script, event, peer, source);
        if (r < 0)
            return r;
    } else if (event->result == 0 && event->arg[2] > 0) {
        note_end(source->file, event->arg[1]);
        if (peer->unsure) /* so that was why it took no more before */
            return tl_play_script_unblock(script, event, peer);
    }
    if (event->result == 0 || event->result >= event->arg[2])
        return 0;
    peer->unsure = event->result > 0;
    return tl_play_script_block(script, peer);
}

/* --- Every event --- */

int tl_play_script_take_file(struct tl_play_script *script, const struct tl_trace_event *event)
{
    struct tl_play_peer *peer = tl_play_script_peer(script, event->object);

    switch (event->kind) {
    case TL_TRACE_OPEN:
        return take_open(script, event);
    case TL_TRACE_STAT:
    case TL_TRACE_UNLINK:
    case TL_TRACE_RENAME:
        return tell(script, event, 0, NULL);
    case TL_TRACE_SENDFILE:
        return peer != NULL ? take_sendfile(script, event, peer) : 0;
    default:
        break;
    }
    if (peer == NULL || peer->role != TL_PEER_FILE) /* an error, whose cause the replay knows */
        return event->result < 0 ? 0 : -ENOTSUP;
    switch (event->kind) {
    case TL_TRACE_PREAD:
        return take_bytes(script, event, peer, event->arg[1]);
    case TL_TRACE_PWRITE:
        return take_written(script, event, peer, event->arg[1]);
    case TL_TRACE_READ:
    case TL_TRACE_WRITE:
        return take_at_position(script, event, peer);
    default:
        return tell(script, event, (int64_t)peer->ordinal, NULL);
    }
}
