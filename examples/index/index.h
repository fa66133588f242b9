/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The small programs of Python's asyncio pages, in C: each is one function with main's signature,
 * as a user would write it, that runs on the real loop and, unchanged, in a simulated world. They
 * are linked into one program, examples/index.c, which runs the one it is told.
 */
#ifndef EXAMPLES_INDEX_INDEX_H
#define EXAMPLES_INDEX_INDEX_H

#include <stdint.h>

struct example;

int index_hello_world(int argc, char **argv);  /* Event Loop: Hello World with call_soon() */
int index_display_date(int argc, char **argv); /* Event Loop: Display the current date */
int index_future(int argc, char **argv);       /* Futures: a task that sets a future's result */
int index_coroutine(int argc, char **argv);    /* Coroutines: hello, one second, world */
int index_gather(int argc, char **argv);       /* Running Tasks Concurrently: factorials */
int index_watch_fd(int argc, char **argv);     /* Event Loop: Watch a file descriptor */
int index_signals(int argc, char **argv);      /* Event Loop: Set signal handlers */

/* Transports and Protocols: Connecting existing sockets */
int index_existing_socket(int argc, char **argv);

/* Transports and Protocols: TCP and UDP echo; each is a server and its client. */
extern const struct example index_tcp_echo;
extern const struct example index_udp_echo;

/* Where to serve, or whom to connect to. */
struct index_peer {
    const char *host; /* numeric */
    uint64_t port;
};

int index_tcp_echo_server(const struct index_peer *peer);
int index_tcp_echo_client(const struct index_peer *peer);
int index_udp_echo_server(const struct index_peer *peer);
int index_udp_echo_client(const struct index_peer *peer);

#endif
