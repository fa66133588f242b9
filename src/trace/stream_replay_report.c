/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a stream replay says where the program's output differs; see stream_replay_output.h.
 */
#include <inttypes.h>
#include <stdio.h>
#include "trace/print.h"
#include "trace/stream_replay_output.h"

enum {
    SHOWN = 64,      /* bytes in a report */
    SHOWN_PATH = 40, /* of a path that says which file it is */
};

const char *tl_play_show_bytes(const void *data, size_t len, char text[TL_SHOWN_TEXT])
{
    return tl_trace_format_bytes(data, len, SHOWN, text, TL_SHOWN_TEXT);
}

static const char *path_of(const struct tl_play_peer *file, char text[TL_SHOWN_TEXT])
{
    return tl_trace_format_bytes(file->file->path, file->file->path_len, SHOWN_PATH, text,
                                 TL_SHOWN_TEXT);
}

const char *tl_play_show_place(int64_t offset, char text[TL_PLACE_TEXT_MAX])
{
    bool stood = offset >= TL_PLAY_STOOD;

    (void)snprintf(text, TL_PLACE_TEXT_MAX, "byte %" PRId64 " %s",
                   stood ? offset - TL_PLAY_STOOD : offset,
                   stood ? "from where the file stood" : "of the file");
    return text;
}

/* Which part of a file it is. */
const char *tl_play_show_part(const struct tl_play_peer *file, int64_t offset, size_t len,
                              char text[TL_SHOWN_TEXT])
{
    char path[TL_SHOWN_TEXT];

    (void)snprintf(text, TL_SHOWN_TEXT, "%zu bytes from byte %" PRId64 " on of the file %s", len,
                   offset, path_of(file, path));
    return text;
}

const char *tl_play_peer_name(const struct tl_play_peer *peer, char text[TL_PEER_NAME_MAX])
{
    char remote[TL_ADDR_TEXT_MAX], local[TL_ADDR_TEXT_MAX], path[TL_SHOWN_TEXT];

    tl_addr_format(&peer->remote, remote, sizeof remote);
    switch (peer->role) {
    case TL_PEER_PIPE:
    case TL_PEER_GIVEN:
        (void)snprintf(text, TL_PEER_NAME_MAX, "the %s (fd:%" PRIu64 " of the trace)",
                       peer->elsewhere              ? "descriptor made elsewhere"
                       : peer->role == TL_PEER_PIPE ? "pipe"
                                                    : "socket pair",
                       peer->ordinal);
        break;
    case TL_PEER_FILE:
        (void)snprintf(text, TL_PEER_NAME_MAX, "the file %s (fd:%" PRIu64 " of the trace)",
                       peer->elsewhere ? "made elsewhere" : path_of(peer, path), peer->ordinal);
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

/* --- Reports --- */

int tl_play_report(struct tl_stream_replay *replay, const struct tl_play_peer *peer,
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
int tl_play_report_byte(struct tl_stream_replay *replay, const struct tl_play_peer *peer,
                        const struct tl_play_mark *mark, size_t at, const uint8_t *ours, size_t len)
{
    char what[120], trace[TL_SHOWN_TEXT], program[TL_SHOWN_TEXT];

    if (peer->type == TL_DATAGRAM)
        (void)snprintf(what, sizeof what, "datagram %" PRIu64 " that it is sent differs",
                       peer->produced);
    else
        (void)snprintf(what, sizeof what, "byte %" PRIu64 " of what it is sent differs",
                       mark->end - mark->len + at);
    return tl_play_report(replay, peer, what,
                          tl_play_show_bytes(mark->bytes + at, mark->len - at, trace),
                          tl_play_show_bytes(ours, len, program));
}

/* Something since the mark before differs. */
int tl_play_report_hash(struct tl_stream_replay *replay, const struct tl_play_peer *peer,
                        const struct tl_play_mark *mark)
{
    bool messages = peer->type == TL_DATAGRAM;
    uint64_t begin = mark > peer->marks ? mark[-1].end : 0;
    char what[160], trace[60], program[TL_SHOWN_TEXT];

    (void)snprintf(
        what, sizeof what, "what it is sent differs from %s %" PRIu64 " on, before %s %" PRIu64,
        messages ? "datagram" : "byte", begin, messages ? "datagram" : "byte", mark->end);
    (void)snprintf(trace, sizeof trace, "only the hash, %016" PRIx64, mark->hash);
    return tl_play_report(
        replay, peer, what, trace,
        tl_play_show_bytes(peer->recent,
                           (size_t)(peer->recent_len < sizeof peer->recent ? peer->recent_len
                                                                           : sizeof peer->recent),
                           program));
}

int tl_play_report_part(struct tl_stream_replay *replay, const struct tl_play_peer *peer,
                        const struct tl_play_mark *mark)
{
    char trace[TL_SHOWN_TEXT], program[TL_SHOWN_TEXT];
    size_t shown = peer->recent_len < mark->len ? peer->recent_len : mark->len;

    return tl_play_report(replay, peer, "it is sent other bytes than the file had",
                          tl_play_show_part(mark->file, mark->offset, mark->len, trace),
                          tl_play_show_bytes(peer->recent, shown, program));
}

int tl_play_report_too_much(struct tl_stream_replay *replay, const struct tl_play_peer *peer,
                            const uint8_t *ours, size_t len)
{
    char what[120], program[TL_SHOWN_TEXT];

    (void)snprintf(what, sizeof what, "it is sent more than %" PRIu64 " %s", peer->total,
                   peer->type == TL_DATAGRAM ? "datagrams" : "bytes");
    return tl_play_report(replay, peer, what, "no more", tl_play_show_bytes(ours, len, program));
}

/* What the mark has that was not sent. */
const char *tl_play_show_rest(const struct tl_play_peer *peer, const struct tl_play_mark *mark,
                              char text[TL_SHOWN_TEXT])
{
    if (mark->bytes != NULL)
        return tl_play_show_bytes(mark->bytes + peer->mark_used, mark->len - peer->mark_used, text);
    if (mark->file != NULL)
        return tl_play_show_part(mark->file, tl_play_place_of(peer, mark),
                                 (size_t)(mark->end - peer->produced), text);
    return "bytes of which it has only the hash";
}
