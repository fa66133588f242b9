/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Comparing what the program sends with what the recorded one sent; see stream_replay.c.
 *
 * The output of a connection is one stream of bytes. Where the trace has the bytes, the first that
 * differs is named; where it has hashes, each of them covers everything up to the end of a write of
 * the recorded program, so a difference lies between two such ends. Datagrams are compared one by
 * one with their addresses, and counted where bytes are otherwise.
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
};

static const char *bytes(const void *data, size_t len, char text[SHOWN_TEXT])
{
    return tl_trace_format_bytes(data, len, SHOWN, text, SHOWN_TEXT);
}

const char *tl_play_peer_name(const struct tl_play_peer *peer, char text[TL_PEER_NAME_MAX])
{
    char remote[TL_ADDR_TEXT_MAX], local[TL_ADDR_TEXT_MAX];

    tl_addr_format(&peer->remote, remote, sizeof remote);
    switch (peer->role) {
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
                           mark->bytes != NULL ? bytes(mark->bytes + peer->mark_used,
                                                       mark->len - peer->mark_used, trace)
                                               : "bytes of which it has only the hash");
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
            return differs(replay, peer, mark, peer->mark_used + at, ours + at, len - at);
        peer->mark_used += len;
        return 0;
    }
    size_t room = sizeof peer->recent - peer->recent_len;
    size_t part = len < room ? len : room;
    if (part > 0)
        memcpy(peer->recent + peer->recent_len, ours, part);
    peer->recent_len += part;
    tl_trace_hash_add(&peer->hash, ours, len);
    return 0;
}

/* When the program has sent what belongs to the mark. */
static int end_mark(struct tl_stream_replay *replay, struct tl_play_peer *peer,
                    const struct tl_play_mark *mark)
{
    if (mark->bytes == NULL && tl_trace_hash_value(&peer->hash) != mark->hash)
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
        peer->produced += part;
        replay->counts.output += part;
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
