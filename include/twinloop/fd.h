/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors that are the program's own: making them, asking them, and being called when they are
 * ready (Python's loop.add_reader and its kin; the sock_ operations are in twinloop/sock.h).
 *
 * A transport owns its descriptor and has everything done. What is here is for programs that drive
 * a socket themselves. Every function goes through the kernel of its loop, so a program that makes
 * its sockets here runs in the simulator and is recorded like any other.
 *
 * Whose a descriptor is. One that was made here is the program's, until tl_socket_close, until it
 * is given to a transport (which then closes it), or until its loop is closed, which closes it too.
 * One that the program got elsewhere (from socket(2), from a library) is known to the loop only
 * while it is used here, so that the program may close it by itself as soon as it has no callback
 * and no operation pending any more; each use looks at it anew, unless tl_socket_adopt has made it
 * known for longer. It keeps its number, and stays open when the loop is closed. A descriptor that
 * a transport or server of the loop has is refused everywhere: -EBUSY.
 *
 * Errors are the system's, negative; also TL_ECLOSED when the loop is closed, -EINVAL for NULL
 * where something is required, and -ENOMEM.
 */
#ifndef TWINLOOP_FD_H
#define TWINLOOP_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <twinloop/loop.h>
#include <twinloop/net.h>

/* A descriptor of a loop: a struct, so that a stray number does not compile. */
typedef struct tl_socket {
    int fd;
} tl_socket;

enum tl_socket_type {
    TL_STREAM = 1,
    TL_DATAGRAM = 2,
};

enum tl_shutdown {
    TL_SHUTDOWN_READ = 0,
    TL_SHUTDOWN_WRITE = 1,
    TL_SHUTDOWN_BOTH = 2,
};

enum tl_address_side {
    TL_ADDRESS_LOCAL = 0, /* getsockname */
    TL_ADDRESS_PEER = 1,  /* getpeername */
};

/* Options of sockets, all of one int; the last one is of every descriptor. */
enum tl_option {
    TL_OPTION_ERROR, /* get: the pending error as a positive errno, which is thereby cleared */
    TL_OPTION_REUSEADDR,
    TL_OPTION_REUSEPORT,
    TL_OPTION_V6ONLY,
    TL_OPTION_NODELAY,
    TL_OPTION_KEEPALIVE,
    TL_OPTION_BROADCAST,
    TL_OPTION_SNDBUF, /* as Linux does: the value set is doubled */
    TL_OPTION_RCVBUF,
    TL_OPTION_NONBLOCK, /* whether read and write answer -EAGAIN instead of waiting: may be 0 only
                           of what was made elsewhere */
    TL_OPTION_COUNT,
};

/* What a descriptor that was made elsewhere turned out to be. */
enum tl_adopted_kind {
    TL_ADOPTED_STREAM,   /* a stream socket */
    TL_ADOPTED_LISTENER, /* a listening stream socket */
    TL_ADOPTED_DATAGRAM,
    TL_ADOPTED_FIFO,
    TL_ADOPTED_CHARDEV,
    TL_ADOPTED_FILE,
    TL_ADOPTED_OTHER,
    TL_ADOPTED_SOCKET, /* a socket of another type; of a path, a Unix-domain socket's of any */
};

/* --- Making and ending
 * ----------------------------------------------------------------------------- */

/* socket(2): a non-blocking one, closed on exec. */
int tl_socket_open(tl_loop *loop, enum tl_family family, enum tl_socket_type type, tl_socket *ret);

/* socketpair(2): two connected Unix-domain stream sockets. */
int tl_socket_pair(tl_loop *loop, tl_socket *ret_one, tl_socket *ret_other);

/* pipe(2): what is written to one end is read from the other. */
int tl_pipe_open(tl_loop *loop, tl_socket *ret_reader, tl_socket *ret_writer);

/* close(2), after dropping its callbacks; a sock_ operation that is pending fails with -EBADF. */
int tl_socket_close(tl_loop *loop, tl_socket socket);

/* Makes known what was made elsewhere, a socket or another descriptor, until it is released or
 * closed here: then it costs no more to use than what was made here. Its mode stays. -EBADF; -EBUSY
 * for a transport's. */
int tl_socket_adopt(tl_loop *loop, int fd, tl_socket *ret);

/* The loop forgets the descriptor, which stays open and is used by other means from here on: what
 * is made of it then is not recorded. -EBUSY while a sock_ operation is pending. */
int tl_socket_release(tl_loop *loop, tl_socket socket);

/* --- Asking and setting
 * ---------------------------------------------------------------------------- */

int tl_socket_bind(tl_loop *loop, tl_socket socket, const tl_addr *addr);
int tl_socket_listen(tl_loop *loop, tl_socket socket, int backlog);
int tl_socket_shutdown(tl_loop *loop, tl_socket socket, enum tl_shutdown how);

/* getsockname, getpeername. */
int tl_socket_address(tl_loop *loop, tl_socket socket, enum tl_address_side side, tl_addr *ret);

int tl_socket_set_option(tl_loop *loop, tl_socket socket, enum tl_option option, int value);
int tl_socket_get_option(tl_loop *loop, tl_socket socket, enum tl_option option, int *ret);

/* read(2) and write(2), or recv and send, at once: the bytes transferred, 0 at the end of what can
 * be read, -EAGAIN when nothing could be. For callbacks of readers and writers. */
ssize_t tl_socket_read(tl_loop *loop, tl_socket socket, void *buf, size_t len);
ssize_t tl_socket_write(tl_loop *loop, tl_socket socket, const void *data, size_t len);

/* --- Being called
 * ---------------------------------------------------------------------------------- */

/* Row loop.add_reader. callback(arg) is called in every iteration in which something can be read
 * from the descriptor, its end and its errors included, until it is removed. Another reader is
 * replaced, and does not run even if its turn in this iteration was fixed already; a writer stays.
 * A callback that reads by other means than tl_socket_read runs in the real world alone: what it
 * reads is not recorded.
 * -EPERM for what can always be read (a regular file), -EBUSY while a sock_ operation reads. */
int tl_loop_add_reader(tl_loop *loop, tl_socket socket, tl_callback callback, void *arg);

/* Row loop.remove_reader. 1 when there was one, which does not run any more, also when the program
 * has closed the descriptor meanwhile; 0 when there was none, also when the loop is closed; -EBUSY
 * for a transport's descriptor. */
int tl_loop_remove_reader(tl_loop *loop, tl_socket socket);

/* Rows loop.add_writer, loop.remove_writer: the same for what can be written to. */
int tl_loop_add_writer(tl_loop *loop, tl_socket socket, tl_callback callback, void *arg);
int tl_loop_remove_writer(tl_loop *loop, tl_socket socket);

#endif
