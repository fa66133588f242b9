/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages on a stream (RFC 1035, 4.2.2): each behind its length in two bytes. A frame says where
 * the next bytes of a stream go, and knows when a message is whole.
 */
#ifndef EXAMPLES_DNS_FRAME_H
#define EXAMPLES_DNS_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DNS_STREAM_MAX = 65535 }; /* bytes of a message there */

/* All zero: at the beginning of a message. */
struct dns_frame {
    uint8_t head[2];
    size_t got;       /* bytes, those of the length included */
    size_t len;       /* the message's, once the head is there */
    uint8_t *message; /* of so many bytes; NULL until then */
};

/* Where the next bytes go, and how many are wanted: at least one, at most the rest of a message. */
void dns_frame_room(struct dns_frame *frame, void **ret_room, size_t *ret_len);

/* So many bytes have come, no more than were wanted: 1 when the message is whole, until it is
 * cleared; 0 when it is not; -EBADMSG for one of no bytes, -ENOMEM. */
int dns_frame_took(struct dns_frame *frame, size_t len);

/* Frees what is there of a message: another one begins. */
void dns_frame_clear(struct dns_frame *frame);

#endif
