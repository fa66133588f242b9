/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Comparing what the program sends with what the recorded one sent; see stream_replay.c.
 *
 * The output of a connection is one stream of bytes. Where the trace has the bytes, the first that
 * differs is named; where it has hashes, each of them covers everything up to the end of a write of
 * the recorded program, so a difference lies between two such ends. Datagrams are compared one by
 * one with their addresses, and counted where bytes are otherwise. Of a part of a file that was
 * sent as such it has only which part that is and the hash of its bytes: the program sends the same
 * part, or the same bytes. What is written to a file is compared like what is sent, and where it
 * goes.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "trace/print.h"
#include "trace/stream_replay.h"

enum {
    SHOWN = 64,                  /* bytes in a report */
    SHOWN_TEXT = 4 * SHOWN + 16, /* and characters that they may take */
    SHOWN_PATH = 40,             /* of a path that says which file it is */
};

static const char *bytes(const void *data, size_t len, char text[SHOWN_TEXT])
{
    return tl_trace_format_bytes(data, len, SHOWN, text, SHOWN_TEXT);
}

static const char *path_of(const struct tl_play_peer *file, char text[SHOWN_TEXT])
{
    return tl_trace_format_bytes(file->file->path, file->file->path_len, SHOWN_PATH, text,
                                 SHOWN_TEXT);
}

/* Which part of a file it is. */
static const char *part_of_file(const struct tl_play_peer *file, int64_t offset, size_t len,
                                char text[SHOWN_TEXT])
{
    char path[SHOWN_TEXT];

    (void)snprintf(text, SHOWN_TEXT, "%zu bytes from byte %" PRId64 " on of the file %s", len,
                   offset, path_of(file, path));
    return text;
}

const char *tl_play_peer_name(const struct tl_play_peer *peer, char text[TL_PEER_NAME_MAX])
{
    char remote[TL_ADDR_TEXT_MAX], local[TL_ADDR_TEXT_MAX], path[SHOWN_TEXT];

    tl_addr_format(&peer->remote, remote, sizeof remote);
    switch (peer->role) {
    case TL_PEER_FILE:
        (void)snprintf(text, TL_PEER_NAME_MAX, "the file %s (fd:%" PRIu64 " of the trace)",
                       path_of(peer, path), peer->ordinal);
        break;
    case TL_PEER_ACCEPTED:
        tl_addr_format(&peer->listener->bound, local, sizeof local);
        (void)snprintf(text, TL_PEER_NAME_MAX,
                       "the connection from %s accepted on %s (fd:%" PRIu64 " of the trace)",
                       remote, local, peer->ordinal);
        break;
    case TL_PEER_OUTGOING:
        (void)snprintf(text, TL_PEER_NAME_MAX, "the connection to %s (fd:%" PRIu64 " of the trace)",
                       remote, peer->ordinal);
        break;
    default:
        tl_addr_format(&peer->bound, local, sizeof local);
        (void)snprintf(text, TL_PEER_NAME_MAX, "the %s at %s (fd:%" PRIu64 " of the trace)",
                       peer->role == TL_PEER_LISTENER ? "listener" : "socket",
                       peer->bound.family != TL_FAMILY_NONE ? local : "no address", peer->ordinal);
        break;
    }
    return text;
}

/* Whether the trace tells how the peer's output ended. */
static bool is_whole(const struct tl_stream_replay *replay, const struct tl_play_peer *peer)
{
    return !peer->reset && (peer->closed || replay->script.closed);
}

/* Where in the file the next byte is that belongs to the mark, of a sendfile or pwrite. */
static int64_t place_of(const struct tl_play_peer *peer, const struct tl_play_mark *mark)
{
    return mark->offset + (int64_t)(mark->len - (mark->end - peer->produced));
}

/* --- Reports --- */

static int report(struct tl_stream_replay *replay, const struct tl_play_peer *peer,
                  const char *what, const char *trace, const char *program)
{
    char name[TL_PEER_NAME_MAX];

    return tl_play_diverge(replay,
                           "diverged: %s: %s\n"
                           "  the trace has      %s\n"
                           "  the program sends  %s\n",
                           tl_play_peer_name(peer, name), what, trace, program);
}

/* Byte number at of the mark differs; ours is what the program sends from there on. */
static int differs(struct tl_stream_replay *replay, const struct tl_play_peer *peer,
                   const struct tl_play_mark *mark, size_t at, const uint8_t *ours, size_t len)
{
    char what[120], trace[SHOWN_TEXT], program[SHOWN_TEXT];

    if (peer->type == TL_DATAGRAM)
        (void)snprintf(what, sizeof what, "datagram %" PRIu64 " that it is sent differs",
                       peer->produced);
    else
        (void)snprintf(what, sizeof what, "byte %" PRIu64 " of what it is sent differs",
                       mark->end - mark->len + at);
    return report(replay, peer, what, bytes(mark->bytes + at, mark->len - at, trace),
                  bytes(ours, len, program));
}

/* Something since the mark before differs. */
static int hash_differs(struct tl_stream_replay *replay, const struct tl_play_peer *peer,
                        const struct tl_play_mark *mark)
{
    bool messages = peer->type == TL_DATAGRAM;
    uint64_t begin = mark > peer->marks ? mark[-1].end : 0;
    char what[160], trace[60], program[SHOWN_TEXT];

    (void)snprintf(
        what, sizeof what, "what it is sent differs from %s %" PRIu64 " on, before %s %" PRIu64,
        messages ? "datagram" : "byte", begin, messages ? "datagram" : "byte", mark->end);
    (void)snprintf(trace, sizeof trace, "only the hash, %016" PRIx64, mark->hash);
    return report(replay, peer, what, trace,
                  bytes(peer->recent,
                        (size_t)(peer->recent_len < sizeof peer->recent ? peer->recent_len
                                                                        : sizeof peer->recent),
                        program));
}

static int too_much(struct tl_stream_replay *replay, const struct tl_play_peer *peer,
                    const uint8_t *ours, size_t len)
{
    char what[120], program[SHOWN_TEXT];

    (void)snprintf(what, sizeof what, "it is sent more than %" PRIu64 " %s", peer->total,
                   peer->type == TL_DATAGRAM ? "datagrams" : "bytes");
    return report(replay, peer, what, "no more", bytes(ours, len, program));
}

/* What the mark has that was not sent. */
static const char *rest_of(const struct tl_play_peer *peer, const struct tl_play_mark *mark,
                           char text[SHOWN_TEXT])
{
    if (mark->bytes != NULL)
        return bytes(mark->bytes + peer->mark_used, mark->len - peer->mark_used, text);
    if (mark->file != NULL)
        return part_of_file(mark->file, place_of(peer, mark), (size_t)(mark->end - peer->produced),
                            text);
    return "bytes of which it has only the hash";
}

int tl_play_compare_end(struct tl_stream_replay *replay, struct tl_play_peer *peer,
                        const char *what)
{
    char name[TL_PEER_NAME_MAX], trace[SHOWN_TEXT];

    if (peer->produced >= peer->total || !is_whole(replay, peer))
        return 0;
    const struct tl_play_mark *mark = &peer->marks[peer->mark];
    return tl_play_diverge(replay,
                           "diverged: %s: %s after %" PRIu64 " of %" PRIu64 " %s\n"
                           "  the trace has      event %" PRIu64 ": %s\n"
                           "  the program sends  no more\n",
                           tl_play_peer_name(peer, name), what, peer->produced, peer->total,
                           peer->type == TL_DATAGRAM ? "datagrams" : "bytes", mark->number,
                           rest_of(peer, mark, trace));
}

/* --- Bytes --- */

/* The mark that the next byte belongs to; NULL behind the last one. */
static const struct tl_play_mark *mark_of(const struct tl_play_peer *peer)
{
    return peer->mark < peer->marks_count ? &peer->marks[peer->mark] : NULL;
}

static void pass_mark(struct tl_play_peer *peer)
{
    peer->mark++;
    peer->mark_used = 0;
    peer->recent_len = 0;
    peer->instead = (struct tl_trace_hash)TL_TRACE_HASH_INIT;
}

/* The program sends so many bytes that belong to the mark, which were compared. */
static void pass_bytes(struct tl_stream_replay *replay, struct tl_play_peer *peer, size_t len)
{
    peer->produced += len;
    replay->counts.output += len;
}

static size_t first_difference(const uint8_t *a, const uint8_t *b, size_t len)
{
    size_t at = 0;

    if (len == 0 || memcmp(a, b, len) == 0)
        return len;
    while (a[at] == b[at])
        at++;
    return at;
}

/* Keeps the first bytes of what is compared by its hash, for a report. */
static void remember(struct tl_play_peer *peer, const uint8_t *ours, size_t len)
{
    size_t room = sizeof peer->recent - peer->recent_len;
    size_t part = len < room ? len : room;

    if (part > 0)
        memcpy(peer->recent + peer->recent_len, ours, part);
    peer->recent_len += part;
}

/* Bytes where the recorded program sent a part of a file as such. */
static int compare_with_file(struct tl_stream_replay *replay, struct tl_play_peer *peer,
                             const struct tl_play_mark *mark, const uint8_t *ours, size_t len)
{
    char trace[SHOWN_TEXT], program[SHOWN_TEXT];
    int64_t offset = place_of(peer, mark);

    remember(peer, ours, len);
    tl_trace_hash_add(&peer->instead, ours, len);
    for (size_t done = 0; done < len;) {
        size_t part = len - done;
        const uint8_t *theirs = tl_play_file_bytes(mark->file, offset + (int64_t)done, &part);
        if (theirs == NULL && mark->hash != 0)
            return 0; /* the hash will tell */
        if (theirs == NULL)
            return report(replay, peer, "it is sent bytes for a part of a file that is not known",
                          part_of_file(mark->file, offset, mark->len, trace),
                          bytes(ours, len, program));
        if (memcmp(theirs, ours + done, part) != 0)
            return report(replay, peer, "it is sent other bytes than the file has",
                          bytes(theirs, part, trace), bytes(ours + done, len - done, program));
        done += part;
    }
    return 0;
}

/* Takes len bytes that belong to a mark in, all of which the program sends: 0 or the end of the
 * replay. */
static int take_in(struct tl_stream_replay *replay, struct tl_play_peer *peer,
                   const struct tl_play_mark *mark, const uint8_t *ours, size_t len)
{
    if (mark->bytes != NULL) {
        size_t left = mark->len - peer->mark_used;
        size_t part = len < left ? len : left; /* of a datagram there may be more */
        size_t at = first_difference(ours, mark->bytes + peer->mark_used, part);
        if (at < len)
            return differs(replay, peer, mark, peer->mark_used + at, ours + at, len - at);
        peer->mark_used += len;
        return 0;
    }
    if (mark->file != NULL)
        return compare_with_file(replay, peer, mark, ours, len);
    remember(peer, ours, len);
    tl_trace_hash_add(&peer->hash, ours, len);
    return 0;
}

/* Whether bytes were sent for all of a part of a file, and are not those. Of a part that was sent
 * as such only in part nothing can be told. */
static bool is_other_part(const struct tl_play_peer *peer, const struct tl_play_mark *mark)
{
    return mark->hash != 0 && peer->instead.length == mark->len &&
           tl_trace_hash_value(&peer->instead) != mark->hash;
}

static int part_differs(struct tl_stream_replay *replay, const struct tl_play_peer *peer,
                        const struct tl_play_mark *mark)
{
    char trace[SHOWN_TEXT], program[SHOWN_TEXT];
    size_t shown = peer->recent_len < mark->len ? peer->recent_len : mark->len;

    return report(replay, peer, "it is sent other bytes than the file had",
                  part_of_file(mark->file, mark->offset, mark->len, trace),
                  bytes(peer->recent, shown, program));
}

/* When the program has sent what belongs to the mark. */
static int end_mark(struct tl_stream_replay *replay, struct tl_play_peer *peer,
                    const struct tl_play_mark *mark)
{
    if (mark->file != NULL && is_other_part(peer, mark))
        return part_differs(replay, peer, mark);
    if (mark->bytes == NULL && mark->file == NULL && tl_trace_hash_value(&peer->hash) != mark->hash)
        return hash_differs(replay, peer, mark);
    pass_mark(peer);
    return 0;
}

/* One piece of a connection's output. */
static int compare_piece(struct tl_stream_replay *replay, struct tl_play_peer *peer,
                         const uint8_t *ours, size_t len)
{
    while (len > 0) {
        const struct tl_play_mark *mark = mark_of(peer);
        if (mark == NULL) {
            if (is_whole(replay, peer))
                return too_much(replay, peer, ours, len);
            peer->produced += len;
            return 0;
        }
        uint64_t left = mark->end - peer->produced;
        size_t part = len < left ? len : (size_t)left;
        int r = take_in(replay, peer, mark, ours, part);
        if (r < 0)
            return r;
        pass_bytes(replay, peer, part);
        if (peer->produced == mark->end && (r = end_mark(replay, peer, mark)) < 0)
            return r;
        ours += part;
        len -= part;
    }
    return 0;
}

int tl_play_compare(struct tl_stream_replay *replay, struct tl_play_peer *peer,
                    const struct iovec *iov, size_t len)
{
    for (; len > 0; iov++) {
        size_t part = iov->iov_len < len ? iov->iov_len : len;
        int r = compare_piece(replay, peer, iov->iov_base, part);
        if (r < 0)
            return r;
        len -= part;
    }
    return 0;
}

/* --- Files --- */

/* Whether two opens have opened the same: stat may tell, otherwise the path does. */
static bool is_same_file(const struct tl_play_peer *a, const struct tl_play_peer *b)
{
    return a == b ||
           (!a->file->fresh && !b->file->fresh && a->produced == 0 && b->produced == 0 &&
            a->file->identity == b->file->identity && a->file->path_len == b->file->path_len &&
            memcmp(a->file->path, b->file->path, a->file->path_len) == 0);
}

bool tl_play_sends_next(const struct tl_play_peer *peer, const struct tl_play_peer *file,
                        int64_t offset)
{
    const struct tl_play_mark *mark = mark_of(peer);

    return mark != NULL && mark->file != NULL && is_same_file(mark->file, file) &&
           place_of(peer, mark) == offset;
}

/* Part of a file where the recorded program sent something else, or in another way. */
static ssize_t compare_known(struct tl_stream_replay *replay, struct tl_play_peer *peer,
                             struct tl_play_peer *file, int64_t offset, size_t len)
{
    char trace[SHOWN_TEXT], program[SHOWN_TEXT];
    const struct tl_play_mark *mark = mark_of(peer);
    size_t part = len;
    const uint8_t *ours = tl_play_file_bytes(file, offset, &part);

    if (ours == NULL)
        return report(replay, peer, "it is sent a part of a file that is not known",
                      mark != NULL ? rest_of(peer, mark, trace) : "no more",
                      part_of_file(file, offset, len, program));
    int r = compare_piece(replay, peer, ours, part);
    return r < 0 ? r : (ssize_t)part;
}

ssize_t tl_play_compare_file(struct tl_stream_replay *replay, struct tl_play_peer *peer,
                             struct tl_play_peer *file, int64_t offset, size_t len)
{
    const struct tl_play_mark *mark = mark_of(peer);
    int64_t size = file->file->size;

    if (mark != NULL && tl_play_sends_next(peer, file, offset)) {
        uint64_t left = mark->end - peer->produced;
        size_t part = len < left ? len : (size_t)left;
        pass_bytes(replay, peer, part);
        if (part == left)
            pass_mark(peer);
        return (ssize_t)part;
    }
    if (size >= 0 && offset >= size)
        return 0;
    if (size >= 0 && (uint64_t)(size - offset) < len)
        len = (size_t)(size - offset);
    if (mark != NULL || is_whole(replay, peer) || (size < 0 && replay->script.closed))
        return compare_known(replay, peer, file, offset, len);
    if (size < 0) /* the trace was cut off, and does not say where the file ends */
        return tl_play_run_out(replay);
    peer->produced += len;
    return (ssize_t)len;
}

static int written_elsewhere(struct tl_stream_replay *replay, const struct tl_play_peer *file,
                             const struct tl_play_mark *mark, int64_t offset)
{
    char name[TL_PEER_NAME_MAX];

    return tl_play_diverge(replay,
                           "diverged: %s: byte %" PRIu64 " of what is written goes elsewhere\n"
                           "  the trace has       byte %" PRId64 " of the file, event %" PRIu64 "\n"
                           "  the program writes  byte %" PRId64 "\n",
                           tl_play_peer_name(file, name), file->produced, place_of(file, mark),
                           mark->number, offset);
}

int tl_play_compare_written(struct tl_stream_replay *replay, struct tl_play_peer *file,
                            const void *buf, size_t len, int64_t offset)
{
    const uint8_t *ours = buf;

    while (len > 0) {
        const struct tl_play_mark *mark = mark_of(file);
        uint64_t left = mark != NULL ? mark->end - file->produced : len;
        if (left == 0) {
            pass_mark(file);
            if (ours == buf)
                return mark->error;
            continue;
        }
        if (mark != NULL && place_of(file, mark) != offset)
            return written_elsewhere(replay, file, mark, offset);
        size_t part = len < left ? len : (size_t)left;
        int r = compare_piece(replay, file, ours, part);
        if (r < 0)
            return r;
        ours += part;
        offset += (int64_t)part;
        len -= part;
    }
    return 0;
}

/* --- Datagrams --- */

/* The form in which the recorder put the datagram that belongs to the mark. */
static int pack(struct tl_stream_replay *replay, const struct tl_play_mark *mark,
                const struct tl_message *message, size_t len)
{
    tl_trace_pack_begin(&replay->pack);
    if (mark->packed)
        tl_trace_pack_messages(&replay->pack, message, 1, (int64_t)len, false);
    else
        tl_trace_pack_iov(&replay->pack, message->iov, len);
    return replay->pack.failed ? -ENOMEM : 0;
}

/* Passes what was not sent: the hash has whom it was for. 0, or what the program is to be told of
 * its datagram. */
static int pass_failures(struct tl_stream_replay *replay, struct tl_play_peer *peer,
                         const struct tl_message *message)
{
    const struct tl_play_mark *mark;

    while ((mark = mark_of(peer)) != NULL && mark->error != 0) {
        int error = mark->error;
        if (mark->packed && mark->bytes == NULL) {
            tl_trace_pack_begin(&replay->pack);
            tl_trace_pack_addr(&replay->pack, message->addr);
            if (replay->pack.failed)
                return -ENOMEM;
            tl_trace_hash_add(&peer->hash, replay->pack.data, replay->pack.len);
        }
        pass_mark(peer);
        if (error != -EAGAIN)
            return error;
    }
    return 0;
}

bool tl_play_fails_next(const struct tl_play_peer *peer)
{
    const struct tl_play_mark *mark = mark_of(peer);

    return mark != NULL && mark->error != 0 && mark->error != -EAGAIN;
}

/* A connected socket need not say where to; whoever says it anyway has to mean the same place. */
static bool goes_elsewhere(const struct tl_play_handle *handle, const struct tl_play_mark *mark,
                           const struct tl_message *message)
{
    return !mark->packed && message->addr != NULL && !tl_addr_equal(message->addr, &handle->remote);
}

ssize_t tl_play_compare_message(struct tl_stream_replay *replay,
                                const struct tl_play_handle *handle,
                                const struct tl_message *message)
{
    struct tl_play_peer *peer = handle->peer;
    size_t len = tl_trace_iov_size(message->iov, message->iov_count);
    char name[TL_PEER_NAME_MAX], addr[TL_ADDR_TEXT_MAX];

    int r = pass_failures(replay, peer, message);
    if (r < 0)
        return r;
    const struct tl_play_mark *mark = mark_of(peer);
    if (mark == NULL && !is_whole(replay, peer))
        return (ssize_t)len;
    if (mark == NULL)
        return too_much(replay, peer, message->iov->iov_base, message->iov->iov_len);
    if (goes_elsewhere(handle, mark, message))
        return tl_play_diverge(replay, "diverged: %s: datagram %" PRIu64 " goes to %s\n",
                               tl_play_peer_name(peer, name), peer->produced,
                               tl_addr_format(message->addr, addr, sizeof addr));
    r = pack(replay, mark, message, len);
    if (r == 0)
        r = take_in(replay, peer, mark, replay->pack.data, replay->pack.len);
    if (r < 0)
        return r;
    peer->produced++;
    replay->counts.output += len;
    if (peer->produced < mark->end)
        return (ssize_t)len;
    if (mark->bytes != NULL && peer->mark_used < mark->len)
        return differs(replay, peer, mark, peer->mark_used, (const uint8_t *)"", 0);
    r = end_mark(replay, peer, mark);
    return r < 0 ? r : (ssize_t)len;
}
