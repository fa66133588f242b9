/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzing a protocol: an input is a conversation of several clients with a server.
 *
 * A fuzz target names a protocol factory and what must hold. Each input gets a world of its own
 * with a fresh server in it, on a real loop with virtual time, and acts as its clients: it opens
 * connections, sends bytes cut anywhere, closes in every order, lets time pass. What the server
 * answers goes to the target's checks; one that fails with TL_ASSERT ends in abort(), which is what
 * makes a fuzzer keep the input. The whole target, for libFuzzer and for anything else that calls
 * LLVMFuzzerTestOneInput:
 *
 *     static const struct tl_fuzz_target echo = {.name = "echo", .factory = echo_server_factory};
 *     TL_FUZZ(echo)
 *
 * An input that is nothing but a client's text is sent in one write on one connection. The byte
 * 0xff begins an operation: with the next byte b it means, on the current connection,
 *
 *     b % 8 == 0   2^(b / 8) microseconds pass
 *              1   time passes until the world is quiet
 *              2   connection number b / 8 % 8 is the current one from now on; at first 0 is
 *              3   the client half-closes
 *              4   the client closes
 *              5   the client closes with a reset
 *              6   the client does not read
 *              7   the client reads again
 *     b == 0xff    none of these: the byte 0xff is sent
 *     b == 0xfe    nor this: the conversation ends here, the rest answers the world's choices
 *
 * A connection is opened when it is first sent to, and anew after it was closed. Sent bytes are
 * together in one write up to the next operation. Operations take no time but the first two; the
 * server runs while time passes. When the conversation is over, the world gets quiet, what is open
 * is half-closed, the world gets quiet again, and what is open is closed. Without choices nothing
 * is cut, delayed or reordered; docs/fuzzing.md tells how to find them in a file.
 */
#ifndef TWINLOOP_FUZZ_H
#define TWINLOOP_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <twinloop/protocol.h>

enum { TL_FUZZ_CONNECTIONS = 8 };

/* A client's end of a connection, as the checks see it. */
struct tl_fuzz_connection {
    unsigned number;  /* below TL_FUZZ_CONNECTIONS */
    void *state;      /* the target's state_size bytes, zeroed when it was opened */
    bool half_closed; /* the client has sent its end of file */
    bool reading;     /* the client reads what comes */
    bool ended;       /* the server has sent its end of file, and the client has read it */
    bool reset;       /* the connection was reset, or never came about */
};

/* What is fuzzed, and what must hold. Zero is the default of every member but factory. */
struct tl_fuzz_target {
    const char *name;
    tl_protocol_factory factory; /* of the server's protocols */
    void *farg;
    void (*begin)(void *farg); /* before each input */
    void (*end)(void *farg);   /* after it: every connection has been released, the loop is gone */
    bool no_errors;            /* what reaches the loop's exception handler is a failure */
    uint32_t buffer_bytes;     /* a connection's, each way, as in tl_link_options; 0: 4,096 */

    /* The checks, each of which may be NULL; called while the server waits. */
    size_t state_size;
    void (*sent)(struct tl_fuzz_connection *connection, const void *data, size_t len);
    void (*received)(struct tl_fuzz_connection *connection, const void *data, size_t len);

    /* Nothing is on its way, and the server has nothing to do before its next timer. For each
     * connection that the client has not closed; what is to come had to be here. */
    void (*quiet)(struct tl_fuzz_connection *connection);

    /* The client has closed: state is given up. */
    void (*closed)(struct tl_fuzz_connection *connection);
};

/* Runs one input after the other, with memory that is kept in between. */
typedef struct tl_fuzzer tl_fuzzer;

/* NULL when memory is out. The target is borrowed. */
tl_fuzzer *tl_fuzzer_new(const struct tl_fuzz_target *target);
void tl_fuzzer_free(tl_fuzzer *fuzzer); /* NULL is allowed */

/* One line for each step, choice and event of the inputs to come; NULL: none. */
void tl_fuzzer_set_log(tl_fuzzer *fuzzer, FILE *log);

/* Runs one input, of any length. 0; -ENOMEM. */
int tl_fuzzer_run(tl_fuzzer *fuzzer, const uint8_t *data, size_t size);

/* The two lanes of the last input's event hash, as tl_world_hashes has them. */
void tl_fuzzer_hashes(const tl_fuzzer *fuzzer, uint64_t *ret_schedule, uint64_t *ret_content);

/* For TL_FUZZ: makes *fuzzer when it is NULL, with a log on standard error if the environment has a
 * TWINLOOP_FUZZ_LOG, and runs an input. 0. */
int tl_fuzz_input(tl_fuzzer **fuzzer, const struct tl_fuzz_target *target, const uint8_t *data,
                  size_t size);

/* Defines what a fuzzer calls. */
#define TL_FUZZ(target)                                                                            \
    int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);                                  \
    int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)                                   \
    {                                                                                              \
        static tl_fuzzer *fuzzer;                                                                  \
        return tl_fuzz_input(&fuzzer, &(target), data, size);                                      \
    }

#endif
