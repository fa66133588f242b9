/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream of a trace as a script: what the other sides of its conversations did, and what they
 * were told.
 *
 * Made once, when a stream replay begins, by walking over all events. What the recorded program
 * asked is forgotten but for what identifies its sockets; what it was answered becomes
 *
 *   - steps: every input, in the one order in which the recorded program took them, and between
 *     them the instants at which its polls returned;
 *   - peers: the recorded sockets, each with everything it was given to send, as marks: one for
 *     each write, with the bytes or their running hash;
 *   - requests: jobs and look-ups, with their answers;
 *   - facts: what was asked of the kernel by name.
 *
 * Everything lies in the script's own memory, blobs included, until the script is finished. The
 * replay keeps its state of a peer or request in the same struct.
 */
#ifndef TL_TRACE_STREAM_REPLAY_SCRIPT_H
#define TL_TRACE_STREAM_REPLAY_SCRIPT_H

#include <twinloop/kernel.h>
#include "trace/hash.h"
#include "trace/reader.h"

struct tl_play_handle;

enum tl_play_kind {
    TL_STEP_INSTANT,   /* a poll returned; value: until when it would have waited */
    TL_STEP_ACCEPT,    /* on the peer, which listens; other: the connection; or value: an errno */
    TL_STEP_CONNECTED, /* value: 0 or an errno */
    TL_STEP_BYTES,     /* data */
    TL_STEP_END,       /* no more bytes come */
    TL_STEP_ERROR,     /* value: an errno */
    TL_STEP_ROOM,      /* what is sent is taken again */
    TL_STEP_STIR,      /* there was something to read, and nobody has; value: the readiness */
    TL_STEP_DATAGRAM,  /* data; addr: from where; value: whether it was longer */
    TL_STEP_SIGNAL,    /* value: the number */
    TL_STEP_POSTED,    /* data: the producer's name */
    TL_STEP_MESSAGE,   /* data; value: the tag */
    TL_STEP_ANSWER,    /* of the request */
};

struct tl_play_step {
    uint64_t number; /* of the event in the trace */
    uint64_t output; /* what the peer had been sent by then, in bytes */
    size_t nows;     /* readings of the clocks before it */
    size_t walls;
    struct tl_play_peer *peer;
    struct tl_play_peer *other;
    struct tl_play_request *request;
    const uint8_t *data;
    size_t len;
    const tl_addr *addr;
    int64_t value;
    struct tl_play_step *next; /* in the queue of its peer, while the program has not taken it */
    uint32_t kind;             /* enum tl_play_kind */
    bool waited;               /* of an instant: the poll would have waited */
};

/* What one write handed over. */
struct tl_play_mark {
    uint64_t number;      /* of the event in the trace */
    uint64_t end;         /* of the peer's output with this write */
    const uint8_t *bytes; /* NULL: only hash, of all output up to end */
    size_t len;           /* of bytes */
    uint64_t hash;
    bool packed; /* datagrams: in the form that has addresses */
    int error;   /* nothing was taken: what the write returned */
};

enum tl_play_role {
    TL_PEER_NONE, /* a stream socket that never came to anything */
    TL_PEER_LISTENER,
    TL_PEER_ACCEPTED,
    TL_PEER_OUTGOING,
    TL_PEER_DATAGRAM,
};

/* A socket of the recorded program: to this one, the other side. */
struct tl_play_peer {
    uint64_t ordinal;
    uint8_t role; /* enum tl_play_role */
    uint8_t family;
    uint8_t type;
    bool reset;                          /* ended by an error: what was sent need not be all */
    bool closed;                         /* the recorded program was done with it */
    tl_addr bound;                       /* the address asked for; none: no bind */
    tl_addr remote;                      /* of accept or connect */
    const struct tl_play_peer *listener; /* that accepted it */
    int bind_result;
    int listen_result;
    int connect_result;
    int shutdown_result; /* an error that it met, the last one */
    struct {
        bool known;
        int result;
        tl_addr addr;
    } names[2]; /* by enum tl_address_side */
    struct {
        bool known;
        int result;
        int value;
    } options[TL_OPTION_COUNT];
    struct tl_play_mark *marks;
    size_t marks_count;
    size_t marks_capacity;
    uint64_t *blocks; /* how much had been sent when no more was taken, until a TL_STEP_ROOM */
    size_t blocks_count;
    size_t blocks_capacity;
    uint64_t total;   /* bytes of output; of datagrams, how many */
    bool blocked;     /* while the script is made */
    size_t connected; /* likewise: 1 + the index of its TL_STEP_CONNECTED */
    bool asked;       /* likewise: how that went is known */
    unsigned unread;  /* likewise: the readiness that was told since the last read */

    /* The replay's state. */
    struct tl_play_handle *handle; /* the program's socket; NULL: none, or not any more */
    bool taken;                    /* the program has, or had, a socket for it */
    bool by_order;                 /* a listener that was taken for want of a better one */
    bool established;
    bool ended;
    bool broken;                /* an error was given */
    int error;                  /* and not told yet */
    unsigned stirred;           /* readiness of which nothing is known, until the program reads */
    struct tl_play_step *queue; /* given, and not taken by the program */
    struct tl_play_step **queue_tail;
    size_t queue_used; /* bytes of the first that were read */
    uint64_t produced; /* the program's output, as total */
    size_t mark;       /* that the next byte belongs to */
    size_t mark_used;  /* bytes of that one, where they are known */
    size_t block;
    struct tl_trace_hash hash;
    uint8_t recent[64]; /* the first bytes since the last mark, for reports */
    size_t recent_len;
};

/* A job or a look-up. */
struct tl_play_request {
    struct tl_trace_event event; /* the question: row, arguments, blob */
    uint32_t answer_kind;        /* row of the answer; 0: none came */
    int64_t result;
    const uint8_t *answer;
    size_t answer_len;

    /* The replay's state. */
    bool taken;
    bool due;                 /* the answer's step has passed */
    struct tl_request *asker; /* the program's; NULL: none yet, or it has its answer */
};

/* Something asked of the kernel by name: info, entropy. */
struct tl_play_fact {
    struct tl_trace_event event;
    bool used;
};

struct tl_play_block; /* of memory */

struct tl_play_script {
    const tl_allocator *allocator;
    struct tl_play_block *memory;
    struct tl_play_step *steps;
    size_t steps_count;
    size_t steps_capacity;
    struct tl_play_peer **peers; /* by ordinal, from 1 */
    size_t peers_count;
    size_t peers_capacity;
    struct tl_play_request **requests; /* likewise */
    size_t requests_count;
    size_t requests_capacity;
    struct tl_play_fact *facts;
    size_t facts_count;
    size_t facts_capacity;
    tl_time *nows; /* readings of the clocks */
    size_t nows_count;
    size_t nows_capacity;
    tl_time *walls;
    size_t walls_count;
    size_t walls_capacity;
    int64_t pid;                 /* -1: not said */
    bool closed;                 /* it ends with the loop's closing; otherwise it was cut off */
    uint64_t events;             /* of the trace that are in it */
    char problem[TL_REPORT_MAX]; /* why it cannot be made: lines */
};

/* Makes the script of a stream. 0; -ENOMEM; TL_ETRACE or -ENOTSUP with the problem filled, when the
 * trace is broken, or has what no script can. The script is to be finished in any case. */
int tl_play_script_make(struct tl_play_script *script, const tl_allocator *allocator,
                        const tl_trace_reader *reader, unsigned index);
void tl_play_script_finish(struct tl_play_script *script);

/* --- For the making (stream_replay_script.c) --- */

/* size zeroed bytes that live as long as the script; NULL when memory is out. */
void *tl_play_script_alloc(struct tl_play_script *script, size_t size);

/* Room for one more element of an array: 0 or -ENOMEM. */
int tl_play_script_reserve(struct tl_play_script *script, void *array, size_t count,
                           size_t *capacity, size_t size);

/* Takes an event of the trace in (stream_replay_load.c). */
int tl_play_script_take(struct tl_play_script *script, const struct tl_trace_event *event);

#endif
