/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flow control: when a transport's queue is so long that its protocol is told to pause, and when it
 * may go on. Embedded in transports that write.
 */
#ifndef TL_CORE_FLOW_H
#define TL_CORE_FLOW_H

#include <stddef.h>
#include <sys/types.h>
#include <twinloop/transport.h>

struct tl_flow {
    size_t size; /* bytes queued */
    size_t high; /* more than this pauses */
    size_t low;  /* this or less resumes */
};

void tl_flow_init(struct tl_flow *flow);

/* Sets the water marks as tl_transport_set_write_buffer_limits does. 0 or -EINVAL. */
int tl_flow_set_limits(struct tl_flow *flow, ssize_t high, ssize_t low);

/* After the queue has grown, or the marks have moved: calls pause_writing if it is due. That is the
 * program's code, inside the program's own call: the caller touches nothing of the transport
 * afterwards. */
void tl_flow_grown(tl_transport *transport, struct tl_flow *flow);

/* After the queue has shrunk: calls resume_writing if it is due, which may write, close and abort.
 * From the loop only, so the transport stays. */
void tl_flow_shrunk(tl_transport *transport, struct tl_flow *flow);

#endif
