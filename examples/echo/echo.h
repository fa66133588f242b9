/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Echo: a server that sends back what it gets, and a client that checks that it does.
 *
 * The smallest whole program on Twinloop, and the one to copy. Nothing here knows which loop it
 * runs on: echo.c makes a program of it, echo_scenario.c puts many of them into a simulated world.
 */
#ifndef EXAMPLES_ECHO_H
#define EXAMPLES_ECHO_H

#include <stdbool.h>
#include <twinloop.h>

/* Makes the protocol of one connection of the server; farg is not used. */
tl_protocol *echo_server_factory(void *farg);

/* How a client ends its connection once everything has come back. */
enum echo_ending {
    ECHO_CLOSE,     /* closes */
    ECHO_WRITE_EOF, /* half-closes, and waits for the server to close */
    ECHO_ABORT,     /* aborts */
};

/* What one client connection does. */
struct echo_client_options {
    unsigned messages; /* how many it sends, each once the one before has come back */
    unsigned size;     /* bytes of each */
    enum echo_ending ending;
};

/* One client connection: a protocol, and how it went. The caller's memory; must live until done is
 * called. */
struct echo_client {
    tl_protocol protocol;
    tl_transport *transport;
    struct echo_client_options options;
    unsigned sent;           /* messages */
    size_t received;         /* bytes of the message that is on its way back */
    bool finished;           /* everything came back */
    int error;               /* why it did not: 0 or a negative error */
    void (*done)(void *arg); /* called once, when the library has let go of it */
    void *arg;
};

/* Prepares a client; done(arg) is called when it is over. */
void echo_client_init(struct echo_client *client, const struct echo_client_options *options,
                      void (*done)(void *arg), void *arg);

/* For tl_loop_create_connection, with the client as farg. */
tl_protocol *echo_client_factory(void *farg);

/* A whole program: count clients at once on a loop of its own. Returns what main should. */
int echo_run_clients(const char *host, const char *port, unsigned count,
                     const struct echo_client_options *options);

/* Both halves in one program, as echo.c runs it and a simulated process can. */
struct example;
extern const struct example echo_example;

#endif
