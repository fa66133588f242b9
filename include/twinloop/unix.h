/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Servers and connections on Unix-domain stream sockets (Python's loop.create_unix_server,
 * loop.create_unix_connection). What they result in is as for create_server and create_connection.
 *
 * A socket's name is a path, or with a NUL as its first byte an abstract name: one that exists
 * apart from every file and is gone with its socket. It is given with its length, as an abstract
 * name may have more NULs; a path may not. A path is of at most 107 bytes, an abstract name of at
 * most 108, its first NUL included; what is longer is -ENAMETOOLONG.
 */
#ifndef TWINLOOP_UNIX_H
#define TWINLOOP_UNIX_H

#include <stddef.h>
#include <twinloop/net.h>

/* The address of this name. 0; -EINVAL for an empty name and for a path with a NUL; -ENAMETOOLONG;
 * *ret is untouched then. */
int tl_addr_unix(const char *name, size_t len, tl_addr *ret);

/* Row loop.create_unix_connection. Connects to the socket that listens under this name, then calls
 * factory(farg) and the protocol's connection_made; the future is done after that.
 *
 * Connecting takes no time: that nobody listens (-ECONNREFUSED, also for a file that is no socket),
 * that there is no such path (-ENOENT, -ENOTDIR, -EACCES), that the socket there is of another type
 * (-EPROTOTYPE) is known when the call returns. -EAGAIN is that the server has as many connections
 * waiting as it lets wait: there is nothing to wait for by which one would know that it has fewer,
 * so trying again is the program's business.
 *
 * get_extra_info tells the server's name as "peername", and as "sockname" an address of family UNIX
 * and length 0, as the client has no name.
 *
 * path NULL with path_len 0 is no name: -EINVAL, unless opts->sock is a connected Unix-domain
 * socket; that with a path is -EINVAL. Of opts, which may be NULL, tls counts too; a local_host or
 * local_port is -EINVAL; what is about looking up and choosing addresses means nothing. */
tl_future *tl_loop_create_unix_connection(tl_loop *loop, tl_protocol_factory factory, void *farg,
                                          const char *path, size_t path_len,
                                          const tl_connection_opts *opts);

/* Row loop.create_unix_server. Binds a socket to this name, listens, and calls factory(farg) for
 * every connection accepted. The result is a tl_server with one socket.
 *
 * If there is a socket at the path already, nobody's any more or somebody's still, it is removed
 * first; who listens there is not found by that path from then on. If it cannot be removed, or what
 * is there cannot be looked at, the log is told (TL_LOG_ERROR). Any other file stays:
 * -EADDRINUSE "Address '/path' is already in use", as for an abstract name that somebody has. The
 * path is not removed when the server is closed.
 *
 * path NULL with path_len 0 is no name: -EINVAL, unless opts->sock is a bound Unix-domain socket;
 * that with a path is -EINVAL. Of opts, which may be NULL, backlog, defer_serving and tls count
 * too; reuse_port is -EINVAL, the rest means nothing. */
tl_future *tl_loop_create_unix_server(tl_loop *loop, tl_protocol_factory factory, void *farg,
                                      const char *path, size_t path_len,
                                      const tl_server_opts *opts);

#endif
