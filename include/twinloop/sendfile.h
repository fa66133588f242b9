/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending files (Python's loop.sendfile and loop.sock_sendfile): the system moves the bytes, the
 * program never sees them.
 *
 * file is a descriptor from tl_loop_open_file, or one that the program opened by itself; it must
 * stay open until the future is done. count bytes are sent from offset on, or with count -1 all up
 * to the end; a file that ends before that is sent as far as it goes. The result is how many bytes
 * were sent, an int. The file's own position is neither used nor moved: asyncio leaves it at offset
 * plus what was sent, which is what a program here adds itself.
 *
 * Where the system cannot do it (the file is no regular one, the file system has no sendfile),
 * fallback decides: true reads the file in pieces and writes these (what has no offsets, a pipe or
 * a socket, is -ESPIPE then), false fails with TL_ENOSENDFILE. Other errors: -EINVAL for a negative
 * offset, or a count that is neither -1 nor positive; TL_ECLOSED; what the connection met
 * (-ECONNRESET, -EPIPE, ...) or, from the file, -EIO and the like: then a part may have been sent.
 * Cancelling stops after what was sent.
 */
#ifndef TWINLOOP_SENDFILE_H
#define TWINLOOP_SENDFILE_H

#include <stdbool.h>
#include <stdint.h>
#include <twinloop/fd.h>
#include <twinloop/future.h>
#include <twinloop/transport.h>

/* Row loop.sendfile. Sends over a stream transport, after everything that was written before.
 * Until the future is done nothing is read from the transport (pause_reading and resume_reading
 * hold afterwards), and a write is refused with -EBUSY, as is a second sendfile; write_eof takes
 * effect afterwards. Closing the transport, by whoever it is, fails the future: TL_ECLOSED, or the
 * error of the connection, which connection_lost is told too. -EOPNOTSUPP for a transport that is
 * no socket's, TL_ESTATE after write_eof. */
tl_future *tl_loop_sendfile(tl_loop *loop, tl_transport *transport, int file, int64_t offset,
                            int64_t count, bool fallback);

/* Row loop.sock_sendfile. The same over a connected stream socket of the program's own; -EINVAL for
 * a socket of another type. One of the writing operations of twinloop/sock.h. */
tl_future *tl_loop_sock_sendfile(tl_loop *loop, tl_socket socket, int file, int64_t offset,
                                 int64_t count, bool fallback);

#endif
