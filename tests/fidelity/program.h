/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs of kernel operations: what the fidelity test makes at random, runs on two kernels,
 * shortens and prints.
 *
 * A program has eight places for descriptors and up to forty operations, each on one place, some
 * with a second one. Everything a kernel may pick freely is symbolic: a place instead of a
 * descriptor, "@2" for the address that place 2 has or had last, "/a" for a path in a directory of
 * the run's own. An operation on a place that is empty, or one that would fill a place that is not,
 * is skipped in both worlds, so every list of operations is a program and any operation may be
 * deleted.
 *
 * As text a program is a line for each operation, as `write 3 70000 2`: the name, then what the
 * table in program.c says. A line that begins with '#' is ignored.
 */
#ifndef TL_TESTS_FIDELITY_PROGRAM_H
#define TL_TESTS_FIDELITY_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { PLACES = 8, PATHS = 10, OPS_MAX = 40, SIZE_MAX_BYTES = 200000, PIECES_MAX = 5 };

enum op_kind {
    OP_SOCKET,
    OP_BIND,
    OP_LISTEN,
    OP_CONNECT,
    OP_ACCEPT,
    OP_WRITE,
    OP_READ,
    OP_SEND_TO,
    OP_SHUTDOWN,
    OP_SET,
    OP_GET,
    OP_LOCAL,
    OP_PEER,
    OP_WATCH,
    OP_CLOSE,
    OP_PIPE,
    OP_PAIR,
    OP_DISCONNECT, /* connect, to nobody */
    OP_SEND_MANY,  /* several datagrams in a call */
    OP_READ_MANY,
    OP_OPEN,
    OP_PREAD,
    OP_PWRITE,
    OP_FSYNC,
    OP_STAT,
    OP_UNLINK,
    OP_RENAME,
    OP_SENDFILE,
    OP_KINDS,
};

/* What a place can hold. */
enum sort {
    SORT_TCP,
    SORT_TCP6,
    SORT_UDP,
    SORT_UDP6,
    SORT_UNIX,
    SORT_UNIX_DATAGRAM,
    SORT_PIPE, /* only by OP_PIPE */
    SORT_FILE, /* only by OP_OPEN */
    SORTS,
};

enum bind_to {
    BIND_LOOPBACK,
    BIND_ANY,
    BIND_MAPPED,     /* a socket of IPv6: to a loopback address of IPv4 */
    BIND_SCOPED,     /* a socket of IPv6: to its loopback, with a scope that means nothing */
    BIND_EVERYBODY,  /* a socket of IPv4: to its loopback's broadcast address */
    BIND_MAPPED_ANY, /* a socket of IPv6: to any address of IPv4 */
    BINDS,
};

/* A path as what an operation is with is PATH + its number. */
enum { PATH = PLACES };

struct op {
    uint8_t kind;  /* enum op_kind */
    uint8_t place; /* on which it is */
    uint8_t other; /* the second place, or a path; BIND: its own stands for a free port */
    uint8_t what;  /* SOCKET: enum sort; BIND: enum bind_to; SHUTDOWN: enum tl_shutdown; SET, GET:
                       enum tl_option; WATCH: TL_READABLE | TL_WRITABLE; OPEN: TL_OPEN_*; RENAME:
                       PATH + what it is called then */
    uint8_t
        pieces;    /* READ, WRITE, SEND_TO: how many buffers, from 1; SEND_MANY, READ_MANY: how many
                       datagrams */
    int32_t value; /* LISTEN: backlog; SET: value; what moves bytes: how many */
    int32_t offset; /* PREAD, PWRITE, SENDFILE */
};

struct program {
    struct op ops[OPS_MAX];
    size_t count;
};

/* Paths within a run's directory, each with its slash: some of them name one file twice, or lead
 * nowhere. Directories at the start are "/sub" and its own. */
extern const char *const program_paths[PATHS];

const char *op_name(enum op_kind kind);

/* Whether it is on a place at all. */
bool op_has_place(enum op_kind kind);

/* One line without its end; returns text. */
const char *op_format(const struct op *op, char *text, size_t size);

/* 0, or -EINVAL with *ret_line the number of the line that makes no sense. */
int program_parse(FILE *file, struct program *ret, unsigned *ret_line);

/* --- generate.c --- */

/* The program of a number under a seed, always the same one. */
void program_generate(uint64_t seed, uint64_t number, struct program *ret);

#endif
