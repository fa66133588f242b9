/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending a file to a descriptor, piece by piece as it becomes writable: the part that a
 * transport's sendfile (sendfile.c) and a socket's (sock_sendfile.c) have in common.
 */
#ifndef TL_CORE_SENDFILE_H
#define TL_CORE_SENDFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <twinloop/future.h>
#include <twinloop/sendfile.h>
#include "core/fd.h"

struct tl_stream;

/* What tl_file_send returns besides 0 and errors: once more when the target is writable. */
#define TL_FILE_SEND_WAIT 1

/* How far a file has been sent. */
struct tl_file_sender {
    int number;        /* the file's descriptor */
    bool fallback;     /* allowed */
    bool reads;        /* the system cannot: pieces are read and written */
    struct tl_fd *fd;  /* held; NULL: not yet */
    int64_t offset;    /* of the next byte */
    int64_t left;      /* bytes to be sent; -1: up to the end */
    int64_t sent;      /* bytes */
    size_t piece_size; /* of what is read at a time */
    char *piece;       /* NULL: none was read yet */
    size_t start;      /* piece[start .. end) is to be written */
    size_t end;
};

/* A sender of what the program asked for; nothing is held yet. -EINVAL. */
int tl_file_sender_init(struct tl_file_sender *sender, int file, int64_t offset, int64_t count,
                        bool fallback, size_t piece_size);

/* Holds on to the file: from then on it cannot be closed. Otherwise the first tl_file_send does. */
int tl_file_sender_hold(struct tl_file_sender *sender, tl_loop *loop);

/* Sends what fd takes now: 0 when everything has been sent, TL_FILE_SEND_WAIT, or an error. */
int tl_file_send(struct tl_file_sender *sender, tl_loop *loop, int fd);

/* Gives up what is held; a no-op the second time. */
void tl_file_sender_finish(struct tl_file_sender *sender);

/* The same once the loop is closed, where nothing is held any more. */
void tl_file_sender_abandon(struct tl_file_sender *sender);

/* Whether an error of tl_file_send is the connection's, and not the file's. */
bool tl_file_send_lost(int error);

/* --- Of a transport (sendfile.c), for stream.c: only while transport.sending_file --- */

/* The stream is over, with this error or 0: fails the future, and the stream has its watch back. */
void tl_sendfile_end(struct tl_stream *stream, int error);

/* The loop is closed: the future stays pending. */
void tl_sendfile_abandon(struct tl_stream *stream);

#endif
