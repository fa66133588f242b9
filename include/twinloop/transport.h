/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transports: the library's end of a connection (Python's "Transports" page).
 *
 * A transport writes at once what the kernel takes and queues the rest; it stops its protocol with
 * pause_writing when the queue grows above the high water mark. Closing flushes the queue first,
 * aborting drops it; either way connection_lost comes later, from the loop. Calls on a transport
 * that is closing are no-ops that return TL_ECLOSED.
 *
 * A transport is counted. The loop keeps it until connection_lost has returned; a protocol may use
 * the pointer it got in connection_made until then without taking a reference.
 */
#ifndef TWINLOOP_TRANSPORT_H
#define TWINLOOP_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <twinloop/protocol.h>
#include <twinloop/value.h>

struct tl_addr;

/* One piece of a gathered write. */
typedef struct tl_buf {
    const void *data;
    size_t len;
} tl_buf;

tl_transport *tl_transport_ref(tl_transport *transport);
void tl_transport_unref(tl_transport *transport); /* NULL is allowed */

/* --- Base transport
 * -------------------------------------------------------------------------------- */

/* Row BaseTransport.close. Stops reading, writes out what is queued, then connection_lost(NULL).
 * That may take for ever when the peer does not read: abort ends it. Idempotent. */
void tl_transport_close(tl_transport *transport);

/* Row BaseTransport.is_closing. True from close, abort, a fatal error or the peer's EOF on. */
bool tl_transport_is_closing(const tl_transport *transport);

/* Row BaseTransport.get_extra_info. What is known under a name: "sockname" and "peername" (a const
 * tl_addr in the value's pointer), "socket" (the descriptor as an integer, -1 once closed). dflt
 * for a name that transports of this kind do not have; a value of kind none for one that they have
 * and this one has not, such as the peer of a socket that was never connected. Borrowed from the
 * transport, valid while it lives; still answers after close. */
const tl_value *tl_transport_get_extra_info(tl_transport *transport, const char *name,
                                            const tl_value *dflt);

/* Row BaseTransport.set_protocol. Later callbacks go to protocol, which the transport now holds,
 * without connection_made or word of a pause that was; the old one is let go without
 * connection_lost, but not before its callback has returned. Streaming and buffered protocols may
 * follow each other in mid-stream. 0; TL_ECLOSED from connection_lost on; -EINVAL for one that is
 * not of the transport's kind. */
int tl_transport_set_protocol(tl_transport *transport, tl_protocol *protocol);

/* Row BaseTransport.get_protocol. Borrowed; NULL after connection_lost. */
tl_protocol *tl_transport_get_protocol(const tl_transport *transport);

/* --- Read transport
 * -------------------------------------------------------------------------------- */

/* Row ReadTransport.is_reading. Neither paused nor closing; an end-of-file that was kept open
 * changes nothing. Never for what is not a stream to be read. */
bool tl_transport_is_reading(const tl_transport *transport);

/* Rows ReadTransport.pause_reading, resume_reading. Between them no data_received, buffer_updated
 * or eof_received is called, from inside one of them on. Idempotent. 0, or TL_ECLOSED when closing.
 */
int tl_transport_pause_reading(tl_transport *transport);
int tl_transport_resume_reading(tl_transport *transport);

/* --- Write transport
 * ------------------------------------------------------------------------------- */

/* Row WriteTransport.write. Sends data, or queues a copy of what the kernel does not take now. 0;
 * TL_ECLOSED when closing: the data is dropped, from the fifth time on with a warning in the log;
 * TL_ESTATE after write_eof; -EBUSY while tl_loop_sendfile sends; -ENOMEM when it cannot
 * be queued, and then the connection is aborted with that error, since part may have been sent. An
 * error of the connection is not returned here: it ends the transport. */
int tl_transport_write(tl_transport *transport, const void *data, size_t len);

/* Row WriteTransport.writelines. As one write of the pieces in order. */
int tl_transport_writelines(tl_transport *transport, const tl_buf *bufs, size_t count);

/* Row WriteTransport.can_write_eof. True of stream sockets and of pipes that are written to. */
bool tl_transport_can_write_eof(const tl_transport *transport);

/* Row WriteTransport.write_eof. Sends end-of-file after what is queued; reading goes on.
 * Idempotent; TL_ECLOSED when closing. A pipe that is written to is closed by it: see pipe.h. */
int tl_transport_write_eof(tl_transport *transport);

/* Row WriteTransport.abort. Closes without writing what is queued; connection_lost(NULL) follows,
 * and no resume_writing. Also ends a close that is under way. Idempotent. */
void tl_transport_abort(tl_transport *transport);

/* Row WriteTransport.get_write_buffer_size. Bytes queued here, not counting the kernel's. */
size_t tl_transport_get_write_buffer_size(const tl_transport *transport);

/* The water marks in force, in bytes; 0 and 0 of a transport that is only read from. */
void tl_transport_get_write_buffer_limits(const tl_transport *transport, size_t *ret_low,
                                          size_t *ret_high);

/* Row WriteTransport.set_write_buffer_limits. pause_writing is called when more than high is
 * queued, resume_writing when at most low. TL_UNSET: high defaults to 4 x low or 64 KiB, low to
 * high / 4. May call pause_writing at once; never resumes. -EINVAL unless high >= low >= 0, with
 * nothing changed. */
int tl_transport_set_write_buffer_limits(tl_transport *transport, ssize_t high, ssize_t low);

#endif
