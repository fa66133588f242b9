/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pipes as transports (Python's loop.connect_read_pipe, loop.connect_write_pipe).
 *
 * What is read or written is a FIFO or an end of a pipe, a socket, of streams as a rule, or a
 * character device such as a terminal; one that tells nobody when it is ready, such as /dev/null,
 * can be written to, and reading from it ends with -EPERM at once. Both calls return a future that
 * results in a tl_pair, as create_connection's does, and both give the descriptor to the transport,
 * which closes it after connection_lost. From the call on it is refused to other uses (-EBUSY),
 * does not block, and has no callbacks any more; if the future fails, or is cancelled before the
 * factory has been called in the next iteration, it is the program's again.
 *
 * The descriptor is one of the program's own (see fd.h): what tl_pipe_open made, or one that it got
 * elsewhere, such as 0.
 */
#ifndef TWINLOOP_PIPE_H
#define TWINLOOP_PIPE_H

#include <twinloop/net.h>

/* Row loop.connect_read_pipe. Calls factory(farg) for a streaming or buffered protocol and reads
 * for it. At the end of the pipe the transport is closing at once; in the next iteration
 * eof_received is called, whose answer means nothing here, and then connection_lost(NULL). A read
 * error is told the exception handler (but not EIO, by which a terminal says that its other side
 * has gone) and connection_lost.
 *
 * get_extra_info knows "pipe" (the descriptor as an integer, -1 once closed). Writing to such a
 * transport is -EOPNOTSUPP.
 *
 * Fails with -EINVAL "Pipe transport is for pipes/sockets only." for a regular file and whatever
 * else this is not for, -EBADF for what is no open descriptor, -EBUSY for a transport's and for one
 * with a sock_ operation pending, -ENOMEM also when the factory returns NULL. */
tl_future *tl_loop_connect_read_pipe(tl_loop *loop, tl_protocol_factory factory, void *farg,
                                     int fd);

/* Row loop.connect_write_pipe. As above, for writing, and for a protocol of any kind: only
 * connection_made, connection_lost, pause_writing and resume_writing are called.
 *
 * A pipe's or socket's reading side is watched: what is to be read there (or the peer's end) means
 * that the peer has closed. Then connection_lost is told -EPIPE if data was queued, and nothing
 * otherwise. A character device is not watched.
 *
 * There is no half-closing: write_eof is close, and after it the transport is closing. */
tl_future *tl_loop_connect_write_pipe(tl_loop *loop, tl_protocol_factory factory, void *farg,
                                      int fd);

#endif
