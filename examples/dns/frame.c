/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking messages out of a stream: see frame.h. There is memory for a message as soon as its length
 * is known, and never for two.
 */
#include "frame.h"

#include <errno.h>
#include <stdlib.h>

void dns_frame_room(struct dns_frame *frame, void **ret_room, size_t *ret_len)
{
    if (frame->message == NULL) {
        *ret_room = frame->head + frame->got;
        *ret_len = sizeof frame->head - frame->got;
    } else {
        size_t got = frame->got - sizeof frame->head;
        *ret_room = frame->message + got;
        *ret_len = frame->len - got;
    }
}

/* The length is known. */
static int begin(struct dns_frame *frame)
{
    frame->len = (size_t)frame->head[0] << 8 | frame->head[1];
    if (frame->len == 0)
        return -EBADMSG;
    frame->message = malloc(frame->len);
    return frame->message != NULL ? 0 : -ENOMEM;
}

int dns_frame_took(struct dns_frame *frame, size_t len)
{
    frame->got += len;
    if (frame->got < sizeof frame->head)
        return 0;
    if (frame->message == NULL)
        return begin(frame);
    return frame->got == sizeof frame->head + frame->len;
}

void dns_frame_clear(struct dns_frame *frame)
{
    free(frame->message);
    *frame = (struct dns_frame){.got = 0};
}
