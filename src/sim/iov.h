/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The buffers of a message as one run of bytes after the other.
 */
#ifndef TL_SIM_IOV_H
#define TL_SIM_IOV_H

#include <stddef.h>
#include <string.h>
#include <twinloop/kernel.h>

/* A place in an array of buffers; zeroed but for iov, its start. */
struct tl_iov_cursor {
    const struct iovec *iov;
    size_t offset;
};

static inline size_t tl_iov_total(const struct tl_message *message)
{
    size_t len = 0;
    for (size_t i = 0; i < message->iov_count; i++)
        len += message->iov[i].iov_len;
    return len;
}

/* The next run of bytes, cut to *len; there must be some. */
static inline unsigned char *tl_iov_run(struct tl_iov_cursor *cursor, size_t *len)
{
    while (cursor->offset == cursor->iov->iov_len) {
        cursor->iov++;
        cursor->offset = 0;
    }
    size_t left = cursor->iov->iov_len - cursor->offset;
    if (*len > left)
        *len = left;
    unsigned char *run = (unsigned char *)cursor->iov->iov_base + cursor->offset;
    cursor->offset += *len;
    return run;
}

/* Copies the next len bytes, which must be there, out of the buffers. */
static inline void tl_iov_gather(struct tl_iov_cursor *cursor, unsigned char *target, size_t len)
{
    while (len > 0) {
        size_t part = len;
        const unsigned char *run = tl_iov_run(cursor, &part);
        memcpy(target, run, part);
        target += part;
        len -= part;
    }
}

/* Copies len bytes into the buffers, which must have room for them. */
static inline void tl_iov_scatter(struct tl_iov_cursor *cursor, const unsigned char *source,
                                  size_t len)
{
    while (len > 0) {
        size_t part = len;
        unsigned char *run = tl_iov_run(cursor, &part);
        memcpy(run, source, part);
        source += part;
        len -= part;
    }
}

#endif
