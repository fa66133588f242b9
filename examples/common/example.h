/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every example shares: one main for both worlds, and its options.
 *
 * An example is a program: a function with main's signature that parses its own options, makes a
 * loop with tl_new_event_loop and returns an exit code. It keeps no mutable statics and never calls
 * exit, so that it can also be run as a process of a simulated world. example_main gives it the
 * options that have nothing to do with what it does:
 *
 *     --help           says what there is
 *     --sim [SEED]     runs it twice in a simulated world: as a server, and as the client of that
 *     --record FILE    writes down what its loop's kernel answers
 *     --replay FILE    answers from such a file, and says whether the program did the same
 *
 * Linked with libtwinloop alone an example serves, connects and records; what simulates and replays
 * is in sim_example.c, which only the link with libtwinloop-sim has.
 */
#ifndef EXAMPLES_COMMON_EXAMPLE_H
#define EXAMPLES_COMMON_EXAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <twinloop.h>

/* Exit codes, as everywhere in Twinloop. */
enum {
    EXAMPLE_OK = 0,
    EXAMPLE_FAILED = 1,
    EXAMPLE_USAGE = 2,
    EXAMPLE_DIVERGED = 8,
};

enum example_option_kind {
    EXAMPLE_FLAG,   /* a bool, set to true */
    EXAMPLE_TEXT,   /* a const char *, borrowed from argv */
    EXAMPLE_NUMBER, /* a uint64_t, written in decimal */
};

/* One option of a program: --name VALUE or --name=VALUE. */
struct example_option {
    const char *name; /* without the dashes; NULL ends a table */
    enum example_option_kind kind;
    size_t offset;        /* of the member in the program's own struct */
    uint64_t least, most; /* EXAMPLE_NUMBER: what is allowed */
    const char *value;    /* what the value is called in the usage text; NULL for a flag */
    const char *about;    /* a phrase for the usage text */
};

struct example {
    const char *name;  /* of the program */
    const char *about; /* a sentence for the usage text */
    int (*program)(int argc, char **argv);
    const struct example_option *options;
    const char *const *server_args; /* --sim: arguments on the host "server", ended by NULL;
                                       NULL: it needs no server, and runs once, on "client" */
    const char *const *client_args; /* --sim: on the host "client"; --host is added */
    int signal;                     /* --sim: what "client" is sent after 1 s; 0: nothing */
};

/* What a program's main returns. */
int example_main(int argc, char **argv, const struct example *example);

/* Parses a program's own options into its struct, which holds the defaults. 0; or prints what is
 * wrong and returns EXAMPLE_USAGE. With ret NULL it only checks. */
int example_parse(const struct example *example, int argc, char **argv, void *ret);

/* Where and how to serve. */
struct example_listen {
    const char *name; /* of the program, for messages */
    const char *host; /* numeric */
    uint64_t port;    /* 0: a free one */
    bool quiet;       /* do not say where it listens */
};

/* A server's whole life: a loop, a listener with factory(farg) for its connections, the line
 * "listening on ADDRESS:PORT", SIGTERM or SIGINT, the end of the connections. Returns an exit code,
 * having printed what went wrong. */
int example_serve(const struct example_listen *listen, tl_protocol_factory factory, void *farg);

/* Closes a server and every connection of it: flushed if its peer takes it within a short grace, else
 * aborted. Runs the loop until then. */
int example_close_server(tl_loop *loop, tl_server *server);

/* Runs program with its loop recorded to a file. Returns what the program did, or EXAMPLE_FAILED
 * when the file could not be written. */
int example_record(const struct example *example, const char *path, int argc, char **argv);

/* In sim_example.c: absent from a link without the simulator. Both return an exit code. record is
 * where the server is recorded, or NULL. */
int example_simulate(const struct example *example, uint64_t seed, const char *record, int argc,
                     char **argv);
int example_replay(const struct example *example, const char *path, int argc, char **argv);

#endif
