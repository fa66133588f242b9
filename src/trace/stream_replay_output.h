/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of comparing what the program sends, for stream_replay_output*.c and
 * stream_replay_report.c.
 *
 * What a peer was sent is a row of marks, one for each write of the recorded program; the program
 * goes along them however it cuts its own writes.
 */
#ifndef TL_TRACE_STREAM_REPLAY_OUTPUT_H
#define TL_TRACE_STREAM_REPLAY_OUTPUT_H

#include "trace/stream_replay.h"

/* --- Marks (stream_replay_output.c) --- */

/* The mark that the next byte belongs to; NULL behind the last one. */
const struct tl_play_mark *tl_play_mark_of(const struct tl_play_peer *peer);

/* The program has sent all of the mark. */
void tl_play_pass_mark(struct tl_play_peer *peer);

/* The program sends so many bytes that belong to the mark, which were compared. */
void tl_play_pass_bytes(struct tl_stream_replay *replay, struct tl_play_peer *peer, size_t len);

/* Whether the trace tells how the peer's output ended. */
bool tl_play_is_whole(const struct tl_stream_replay *replay, const struct tl_play_peer *peer);

/* Where in the file the next byte is that belongs to the mark, of a sendfile or pwrite. */
int64_t tl_play_place_of(const struct tl_play_peer *peer, const struct tl_play_mark *mark);

/* Compares one piece of a connection's output: 0 or the end of the replay. */
int tl_play_compare_piece(struct tl_stream_replay *replay, struct tl_play_peer *peer,
                          const uint8_t *ours, size_t len);

/* Keeps the first bytes of what is compared by its hash, for a report. */
void tl_play_remember(struct tl_play_peer *peer, const uint8_t *ours, size_t len);

/* Compares bytes where the recorded program sent a part of a file as such: 0 or the end of the
 * replay (stream_replay_output_files.c). */
int tl_play_compare_with_file(struct tl_stream_replay *replay, struct tl_play_peer *peer,
                              const struct tl_play_mark *mark, const uint8_t *ours, size_t len);

/* Whether bytes were sent for all of a part of a file, and are not those. */
bool tl_play_is_other_part(const struct tl_play_peer *peer, const struct tl_play_mark *mark);

/* --- Reports (stream_replay_report.c) --- */

enum { TL_SHOWN_TEXT = 272 }; /* characters that a part of a report may take */

/* Bytes, which part of a file it is, and what the mark has that was not sent. They return text. */
const char *tl_play_show_bytes(const void *data, size_t len, char text[TL_SHOWN_TEXT]);
const char *tl_play_show_part(const struct tl_play_peer *file, int64_t offset, size_t len,
                              char text[TL_SHOWN_TEXT]);
const char *tl_play_show_rest(const struct tl_play_peer *peer, const struct tl_play_mark *mark,
                              char text[TL_SHOWN_TEXT]);

/* These end the replay and return TL_EDIVERGED: what differs of a peer's output, with both sides;
 */
int tl_play_report(struct tl_stream_replay *replay, const struct tl_play_peer *peer,
                   const char *what, const char *trace, const char *program);

/* byte number at of the mark, ours being what the program sends from there on; */
int tl_play_report_byte(struct tl_stream_replay *replay, const struct tl_play_peer *peer,
                        const struct tl_play_mark *mark, size_t at, const uint8_t *ours,
                        size_t len);

/* something since the mark before; */
int tl_play_report_hash(struct tl_stream_replay *replay, const struct tl_play_peer *peer,
                        const struct tl_play_mark *mark);

/* something in the part of a file that the mark is; */
int tl_play_report_part(struct tl_stream_replay *replay, const struct tl_play_peer *peer,
                        const struct tl_play_mark *mark);

/* and that there is more of it. */
int tl_play_report_too_much(struct tl_stream_replay *replay, const struct tl_play_peer *peer,
                            const uint8_t *ours, size_t len);

#endif
