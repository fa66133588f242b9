/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The places of a run: each operation as a call on the kernel, and what is known of each place in
 * the world that it is in.
 */
#ifndef TL_TESTS_FIDELITY_PLACE_H
#define TL_TESTS_FIDELITY_PLACE_H

#include <twinloop/world.h>

#include "tests/fidelity/flow.h"
#include "tests/fidelity/run.h"

enum { FLOWS_MAX = 2 * OPS_MAX };

struct place {
    int fd;           /* -1: empty */
    uint8_t sort;     /* enum sort */
    uint8_t watched;  /* TL_READABLE | TL_WRITABLE */
    bool listening;   /* as far as its calls tell */
    bool deaf;        /* was shut before it listens: what it accepts will read nothing */
    bool shares;      /* SO_REUSEPORT */
    bool reuses;      /* SO_REUSEADDR */
    bool rebound;     /* some connection may linger where it is bound */
    bool port_used;   /* there has been a connection to or from where it is bound */
    tl_addr local;    /* where it is or was bound; family TL_FAMILY_NONE: nowhere yet */
    size_t send_room; /* what surely fits: the least that was ever set */
    struct flow *out; /* what it writes */
    struct flow *in;  /* what it reads */
    uint8_t ready;    /* by the last look */
    uint32_t number;  /* another one each time that a place is filled */
    uint64_t file;    /* what was at the path to which it is bound then; 0: it has none */
};

/* A connection that nobody has accepted. */
struct waiting {
    tl_addr client;
    uint32_t target;  /* the number of who listens */
    struct flow *out; /* of the client */
    struct flow *in;
    bool over;
};

struct run {
    const struct manner *manner;
    struct tl_kernel *kernel;
    struct tl_kernel *clock; /* simulated: lets time pass */
    tl_time settle;
    tl_addr loopback; /* this run's own */
    uint32_t unique;
    uint32_t numbers;   /* of the places that were filled */
    char directory[32]; /* for paths */
    uint8_t
        taken[65536 / 8]; /* by port: there was a connection of somebody who does not reuse it */
    bool reading_out;     /* the program is over */
    uint32_t op;          /* the index of the operation under way */
    struct place places[PLACES];
    struct flow flows[FLOWS_MAX];
    unsigned flows_count;
    struct waiting waiting[OPS_MAX];
    unsigned waiting_count;
};

/* How much is where, by what the real kernel says. */
struct stillness {
    bool moving; /* bytes that must arrive have not left yet */
    int out[PLACES];
    int in[PLACES];
    uint8_t ready[PLACES];
};

static inline bool sort_is_datagram(uint8_t sort)
{
    return sort == SORT_UDP || sort == SORT_UDP6 || sort == SORT_UNIX_DATAGRAM;
}

static inline bool sort_is_unix(uint8_t sort)
{
    return sort == SORT_UNIX || sort == SORT_UNIX_DATAGRAM;
}

/* Does one operation, or skips it. */
void place_do(struct run *run, const struct op *op, struct answer *answer);

/* Puts a descriptor into an empty place. */
void place_fill(struct run *run, int index, int fd, uint8_t sort);

/* Whether anything is on its way. */
struct stillness places_stillness(struct run *run);

/* What poll says of each place, READY_NONE for an empty one. */
void places_look(struct run *run, uint8_t ready[PLACES]);

/* --- Bytes (transfer.c) --- */

void place_read(struct run *run, const struct op *op, struct answer *answer);
void place_write(struct run *run, const struct op *op, struct answer *answer);

/* Several datagrams, skipped for who has none (datagram.c). */
void place_send_to(struct run *run, const struct op *op, struct answer *answer);
void place_receive(struct run *run, const struct op *op, struct answer *answer);
void place_send_many(struct run *run, const struct op *op, struct answer *answer);
void place_read_many(struct run *run, const struct op *op, struct answer *answer);

/* Cuts a buffer into pieces, of which the first ones are small. Returns how many there are. */
size_t cut_bytes(const unsigned char *bytes, size_t len, unsigned pieces, struct iovec *iov);

uint32_t hash_bytes(const unsigned char *bytes, size_t len);

/* --- By way of a file (sendfile.c) --- */

/* Sends so many bytes with sendfile; as that says. */
int64_t sendfile_bytes(struct run *run, const struct op *op, const unsigned char *bytes,
                       size_t len);

/* Whether one call to the socket is made of it: what goes beyond may be lost for good where each is
 * a datagram. */
bool sendfile_is_one_piece(const struct op *op);

/* --- Names (name.c) --- */

/* Another place's address, or a path, as one to connect or bind to; false: there is none. */
bool name_of(const struct run *run, const struct op *op, tl_addr *ret);

/* One that nobody has. */
tl_addr name_fresh(const struct run *run, const struct op *op, uint8_t sort);

/* Whether two addresses have the same port, or are the same name. */
bool name_same(const tl_addr *one, const tl_addr *two);

/* An address in words that are the same in both worlds: its port or name is the first place's that
 * has it. */
void name_note(const struct run *run, uint8_t sort, const tl_addr *addr, char *note, size_t size);

/* Learns where a place is bound, if it is. */
void name_learn(struct run *run, int index);

/* The place that listens at a Unix-domain socket's name; -1: none. */
int name_listener(struct run *run, const tl_addr *addr);

/* --- Paths (path.c) --- */

struct path {
    char text[64];
};

/* A path of the program in full. */
struct path path_of(const struct run *run, uint8_t door);

/* Makes the directory with what it begins with; host NULL: the real one. False when it cannot. */
bool paths_make(struct run *run, tl_host *host);

/* Removes the real one. */
bool paths_remove(struct run *run);

/* --- Files (file.c) --- */

void file_open(struct run *run, const struct op *op, struct answer *answer);
void file_pread(struct run *run, const struct op *op, struct answer *answer);
void file_pwrite(struct run *run, const struct op *op, struct answer *answer);
void file_fsync(struct run *run, const struct op *op, struct answer *answer);
void file_stat(struct run *run, const struct op *op, struct answer *answer);
void file_unlink(struct run *run, const struct op *op, struct answer *answer);
void file_rename(struct run *run, const struct op *op, struct answer *answer);
void file_read(struct run *run, const struct op *op, struct answer *answer);
void file_write(struct run *run, const struct op *op, struct answer *answer);

#endif
