/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Comparing what the program sends with what the recorded one sent; see stream_replay.c.
 *
 * The output of a connection is one stream of bytes. Where the trace has the bytes, the first that
 * differs is named; where it has hashes, each of them covers everything up to the end of a write of
 * the recorded program, so a difference lies between two such ends. Datagrams are compared one by
 * one with their addresses, and counted where bytes are otherwise. What files have to do with it is
 * in stream_replay_output_files.c.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include "trace/stream_replay_output.h"

/* Whether the trace tells how the peer's output ended. */
bool tl_play_is_whole(const struct tl_stream_replay *replay, const struct tl_play_peer *peer)
{
    return !peer->reset && (peer->closed || replay->script.closed);
}

/* Where in the file the next byte is that belongs to the mark, of a sendfile or pwrite. */
int64_t tl_play_place_of(const struct tl_play_peer *peer, const struct tl_play_mark *mark)
{
    return mark->offset + (int64_t)(mark->len - (mark->end - peer->produced));
}

/* --- Bytes --- */

/* The mark that the next byte belongs to; NULL behind the last one. */
const struct tl_play_mark *tl_play_mark_of(const struct tl_play_peer *peer)
{
    return peer->mark < peer->marks_count ? &peer->marks[peer->mark] : NULL;
}

void tl_play_pass_mark(struct tl_play_peer *peer)
{
    peer->mark++;
    peer->mark_used = 0;
    peer->recent_len = 0;
    peer->instead = (struct tl_trace_hash)TL_TRACE_HASH_INIT;
}

void tl_play_remember(struct tl_play_peer *peer, const uint8_t *ours, size_t len)
{
    size_t room = sizeof peer->recent - peer->recent_len;
    size_t part = len < room ? len : room;

    if (part > 0)
        memcpy(peer->recent + peer->recent_len, ours, part);
    peer->recent_len += part;
}

/* The program sends so many bytes that belong to the mark, which were compared. */
void tl_play_pass_bytes(struct tl_stream_replay *replay, struct tl_play_peer *peer, size_t len)
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
            return tl_play_report_byte(replay, peer, mark, peer->mark_used + at, ours + at,
                                       len - at);
        peer->mark_used += len;
        return 0;
    }
    if (mark->file != NULL)
        return tl_play_compare_with_file(replay, peer, mark, ours, len);
    tl_play_remember(peer, ours, len);
    tl_trace_hash_add(&peer->hash, ours, len);
    return 0;
}

/* When the program has sent what belongs to the mark. */
static int end_mark(struct tl_stream_replay *replay, struct tl_play_peer *peer,
                    const struct tl_play_mark *mark)
{
    if (mark->file != NULL && tl_play_is_other_part(peer, mark))
        return tl_play_report_part(replay, peer, mark);
    if (mark->bytes == NULL && mark->file == NULL && tl_trace_hash_value(&peer->hash) != mark->hash)
        return tl_play_report_hash(replay, peer, mark);
    tl_play_pass_mark(peer);
    return 0;
}

/* One piece of a connection's output. */
int tl_play_compare_piece(struct tl_stream_replay *replay, struct tl_play_peer *peer,
                          const uint8_t *ours, size_t len)
{
    while (len > 0) {
        const struct tl_play_mark *mark = tl_play_mark_of(peer);
        if (mark == NULL) {
            if (tl_play_is_whole(replay, peer))
                return tl_play_report_too_much(replay, peer, ours, len);
            peer->produced += len;
            return 0;
        }
        uint64_t left = mark->end - peer->produced;
        size_t part = len < left ? len : (size_t)left;
        int r = take_in(replay, peer, mark, ours, part);
        if (r < 0)
            return r;
        tl_play_pass_bytes(replay, peer, part);
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
        int r = tl_play_compare_piece(replay, peer, iov->iov_base, part);
        if (r < 0)
            return r;
        len -= part;
    }
    return 0;
}

/* --- The end --- */

int tl_play_compare_end(struct tl_stream_replay *replay, struct tl_play_peer *peer,
                        const char *what)
{
    char name[TL_PEER_NAME_MAX], trace[TL_SHOWN_TEXT];

    if (peer->produced >= peer->total || !tl_play_is_whole(replay, peer))
        return 0;
    const struct tl_play_mark *mark = &peer->marks[peer->mark];
    return tl_play_diverge(replay,
                           "diverged: %s: %s after %" PRIu64 " of %" PRIu64 " %s\n"
                           "  the trace has      event %" PRIu64 ": %s\n"
                           "  the program sends  no more\n",
                           tl_play_peer_name(peer, name), what, peer->produced, peer->total,
                           peer->type == TL_DATAGRAM ? "datagrams" : "bytes", mark->number,
                           tl_play_show_rest(peer, mark, trace));
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

    while ((mark = tl_play_mark_of(peer)) != NULL && mark->error != 0) {
        int error = mark->error;
        if (mark->packed && mark->bytes == NULL) {
            tl_trace_pack_begin(&replay->pack);
            tl_trace_pack_addr(&replay->pack, message->addr);
            if (replay->pack.failed)
                return -ENOMEM;
            tl_trace_hash_add(&peer->hash, replay->pack.data, replay->pack.len);
        }
        tl_play_pass_mark(peer);
        if (error != -EAGAIN)
            return error;
    }
    return 0;
}

bool tl_play_fails_next(const struct tl_play_peer *peer)
{
    const struct tl_play_mark *mark = tl_play_mark_of(peer);

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
    const struct tl_play_mark *mark = tl_play_mark_of(peer);
    if (mark == NULL && !tl_play_is_whole(replay, peer))
        return (ssize_t)len;
    if (mark == NULL)
        return tl_play_report_too_much(replay, peer, message->iov->iov_base, message->iov->iov_len);
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
        return tl_play_report_byte(replay, peer, mark, peer->mark_used, (const uint8_t *)"", 0);
    r = end_mark(replay, peer, mark);
    return r < 0 ? r : (ssize_t)len;
}
