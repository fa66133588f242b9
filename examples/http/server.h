/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server half: files of a folder over HTTP/1.1, by GET and HEAD, whole or a range of them.
 *
 * A connection answers its requests in order, one at a time; what a client sends ahead waits. A
 * file's bytes are never seen: the head is written, and tl_loop_sendfile sends the rest. Symbolic
 * links are followed wherever they lead; targets with ".." in them are not.
 */
#ifndef EXAMPLES_HTTP_SERVER_H
#define EXAMPLES_HTTP_SERVER_H

#include <stdint.h>
#include <twinloop.h>

struct http_server {
    const char *root;  /* the folder, without a slash at the end; "" is the root itself */
    tl_time idle;      /* how long a connection may be silent */
    tl_loop *loop;     /* NULL before the first connection */
    uint64_t requests; /* answered */
};

/* A connection's protocol, for tl_loop_create_server; farg is the struct http_server. */
tl_protocol *http_server_factory(void *farg);

#endif
