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
 *   - files: each open is a peer too, whose output is what was written to it; with it is kept what
 *     was read;
 *   - requests: jobs and look-ups, with their answers;
 *   - facts and questions: what was asked of the kernel by name, of the file system by path.
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
    TL_STEP_CHILD,     /* it has ended; value: how */
    TL_STEP_SIGNAL,    /* value: the number */
    TL_STEP_POSTED,    /* data: the producer's name */
    TL_STEP_MESSAGE,   /* data; value: the tag */
    TL_STEP_ANSWER,    /* of the request */
};

struct tl_play_step {
    uint64_t number; /* of the event in the trace */
    uint64_t output; /* what the peer had been sent by then, in bytes */
    uint64_t caused; /* likewise the other end of a pair */
    size_t nows;     /* readings of the clocks before it */
    size_t walls;
    struct tl_play_peer *peer;
    struct tl_play_peer *other;
    struct tl_play_request *request;
    struct tl_play_child *child;
    const uint8_t *data;
    size_t len;
    const tl_addr *addr;
    int64_t value;
    struct tl_play_step *next; /* in the queue of its peer, while the program has not taken it */
    uint32_t kind;             /* enum tl_play_kind */
    bool waited;               /* of an instant: the poll would have waited */
};

/* What one write, pwrite or sendfile handed over. */
struct tl_play_mark {
    uint64_t number;      /* of the event in the trace */
    uint64_t end;         /* of the peer's output with this write */
    const uint8_t *bytes; /* NULL: only hash, of all output up to end */
    size_t len;           /* of bytes; of a pwrite or sendfile always how many they were */
    uint64_t hash;        /* of a sendfile: of its bytes alone; 0: not known */
    const struct tl_play_peer *file; /* of a sendfile: whose bytes they were */
    int64_t offset;                  /* to or of a file: where in it they begin */
    bool packed;                     /* datagrams: in the form that has addresses */
    bool cut;                        /* to a file: it was offered more */
    int error;                       /* nothing was taken: what the write returned */
};

enum tl_play_role {
    TL_PEER_NONE, /* a stream socket that never came to anything */
    TL_PEER_LISTENER,
    TL_PEER_ACCEPTED,
    TL_PEER_OUTGOING,
    TL_PEER_DATAGRAM,
    TL_PEER_GIVEN, /* connected from the first: of a socket pair, or made elsewhere */
    TL_PEER_PIPE,  /* no socket: an end of a pipe, or something else made elsewhere */
    TL_PEER_FILE,  /* no socket: what one open has opened, or made elsewhere */
};

/* Where a file made elsewhere stood is not known: its position is counted from here on, which is
 * beyond all offsets that a file can have. */
#define TL_PLAY_STOOD (INT64_MAX / 2)

/* What a read of the recorded program brought, and where in the file that was. */
struct tl_play_part {
    int64_t offset;
    size_t room;
    int64_t result;
    const uint8_t *bytes;
    uint64_t written; /* how much the program had written to the file by then */
    bool used;
};

/* A file that the recorded program opened. */
struct tl_play_file {
    const uint8_t *path;
    size_t path_len;
    unsigned flags;
    bool fresh;        /* opening it made or emptied it: all that is in it the program wrote */
    uint64_t identity; /* as stat told it last before; 0: it was not asked */
    int64_t size;      /* as far as the trace tells, then as the program writes; -1: not known */
    int64_t end;       /* the same, counted from where it stood */
    int64_t position;  /* while the script is made: that of the next read or write without offset */
    int read_error;    /* what such a read met; 0: there was none */
    struct tl_play_part *parts;
    size_t parts_count;
    size_t parts_capacity;

    /* The replay's state. */
    size_t part;   /* that is probably asked for next */
    uint8_t *data; /* all that is in it, while it is known; grows */
    size_t data_capacity;
    bool forgotten; /* it is not known any more */
};

/* Its size, in the way in which that offset is counted. */
static inline int64_t *tl_play_size_of(struct tl_play_file *file, int64_t offset)
{
    return offset >= TL_PLAY_STOOD ? &file->end : &file->size;
}

/* One connect of a stream socket that had not been connected, or had failed to be. */
struct tl_play_attempt {
    tl_addr addr;
    int result;
    struct tl_play_attempt *next;
};

/* A socket of the recorded program: to this one, the other side. */
struct tl_play_peer {
    uint64_t ordinal;
    uint8_t role; /* enum tl_play_role */
    uint8_t family;
    uint8_t type;
    bool reset;                          /* ended by an error: what was sent need not be all */
    bool closed;                         /* the recorded program was done with it */
    bool given;                          /* it came to be by pipe or adopt */
    bool no_read;                        /* the end of a pipe that only writes, */
    bool no_write;                       /* and that only reads */
    bool no_watch;                       /* a device that tells nobody when it is ready */
    bool elsewhere;                      /* it was brought in */
    const struct tl_play_peer *partner;  /* the other end of a pipe or socket pair */
    struct tl_adopted adopted;           /* what it was when it was brought in */
    tl_addr bound;                       /* the address asked for; none: no bind */
    tl_addr remote;                      /* of accept or connect */
    const struct tl_play_peer *listener; /* that accepted it */
    int listen_result;
    int connect_result;               /* of datagrams: the last one */
    struct tl_play_attempt *attempts; /* of a stream; while it is replayed, those to come */
    struct tl_play_attempt *attempt;  /* the last one */
    int shutdown_result;              /* an error that it met, the last one */
    int refusal; /* what a sendfile that cannot send it was answered; 0: there was none */
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
    uint64_t total;            /* bytes of output; of datagrams, how many */
    struct tl_play_file *file; /* of TL_PEER_FILE */
    bool blocked;              /* while the script is made */
    bool unsure; /* likewise: blocked for a sendfile that may as well have met the file's end */
    size_t connected; /* likewise: 1 + the index of its attempt's TL_STEP_CONNECTED */
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
    struct tl_trace_hash instead; /* of what was sent instead of the part of a file at the mark */
    uint8_t recent[64];           /* the first bytes since the last mark, for reports */
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

/* A child of the recorded program. */
struct tl_play_child {
    int64_t pid;    /* then its number for the program, which may adopt another one */
    int64_t status; /* as its end told it */
    uint64_t kills; /* signals that it was sent */

    /* The replay's state. */
    bool taken;      /* the program has, or had, it */
    bool due;        /* its end has come, and the program does not know yet */
    bool gone;       /* the program knows, or has given it back */
    uint64_t killed; /* signals that the program has sent it */
    void *token;
};

/* Something asked of the kernel by name: info, entropy. */
struct tl_play_fact {
    struct tl_trace_event event;
    bool used;
};

/* One answer to a question. */
struct tl_play_told {
    int64_t result;
    int64_t arg[4];
    struct tl_play_peer *peer;   /* that was opened, made or brought in */
    struct tl_play_peer *other;  /* the other end */
    struct tl_play_child *child; /* that was started or brought in */
    struct tl_play_told *next;
};

/* Something asked of the file system, or for a descriptor, with every answer in turn. */
struct tl_play_question {
    uint32_t kind; /* row */
    int64_t arg;   /* of open: the flags; of fsync: the file's ordinal; of pipe: the kind; of
                    signal: the number; name is a path, or of bind the address */
    const uint8_t *name;
    size_t name_len;
    struct tl_play_told *last;
    struct tl_play_told *next; /* to be given; the last one again and again */
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
    struct tl_play_child **children; /* likewise */
    size_t children_count;
    size_t children_capacity;
    struct tl_play_fact *facts;
    size_t facts_count;
    size_t facts_capacity;
    struct tl_play_question **questions;
    size_t questions_count;
    size_t questions_capacity;
    tl_time *nows; /* readings of the clocks */
    size_t nows_count;
    size_t nows_capacity;
    tl_time *walls;
    size_t walls_count;
    size_t walls_capacity;
    int64_t pid;                 /* -1: not said */
    bool closed;                 /* it ends with the loop's closing; otherwise it was cut off */
    bool stuck;                  /* its last poll could tell that nothing will ever happen */
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

/* The question, or NULL when it was never asked. */
struct tl_play_question *tl_play_script_question(const struct tl_play_script *script, uint32_t kind,
                                                 int64_t arg, const void *name, size_t len);

/* Takes an event of the trace in (stream_replay_load.c). */
int tl_play_script_take(struct tl_play_script *script, const struct tl_trace_event *event);

/* The recorded descriptor with that ordinal, or NULL. */
struct tl_play_peer *tl_play_script_peer(const struct tl_play_script *script, uint64_t ordinal);

/* Adds a peer, whose ordinal has to be the next one; NULL with the error in *r. */
struct tl_play_peer *tl_play_script_add_peer(struct tl_play_script *script, uint64_t ordinal,
                                             int *r);

/* A copy of bytes that lives as long as the script. */
int tl_play_script_keep(struct tl_play_script *script, const void *data, size_t len,
                        const uint8_t **ret);

/* Adds a step: its place is filled in, the rest is the caller's. NULL when memory is out. */
struct tl_play_step *tl_play_script_add_step(struct tl_play_script *script,
                                             const struct tl_trace_event *event,
                                             enum tl_play_kind kind, struct tl_play_peer *peer);

/* Adds a step with a value, and one with the event's bytes as well. */
int tl_play_script_add_value(struct tl_play_script *script, const struct tl_trace_event *event,
                             enum tl_play_kind kind, struct tl_play_peer *peer, int64_t value);
int tl_play_script_add_data(struct tl_play_script *script, const struct tl_trace_event *event,
                            enum tl_play_kind kind, struct tl_play_peer *peer, int64_t value);

/* Adds an error that a connection met. Its output may end anywhere before, and no more of it is
 * taken: whoever always has more to send would never be told. */
int tl_play_script_add_error(struct tl_play_script *script, const struct tl_trace_event *event,
                             struct tl_play_peer *peer, int64_t error);

/* Adds a mark for len bytes that a peer was given; it is the last of the peer's marks. */
int tl_play_script_add_mark(struct tl_play_script *script, const struct tl_trace_event *event,
                            struct tl_play_peer *peer, size_t len);

/* Notes that a peer takes no more, and that it has taken something again. */
int tl_play_script_block(struct tl_play_script *script, struct tl_play_peer *peer);
int tl_play_script_unblock(struct tl_play_script *script, const struct tl_trace_event *event,
                           struct tl_play_peer *peer);

/* Takes in the making of a socket, an operation on a socket, and its readiness
 * (stream_replay_load_sockets.c). */
int tl_play_script_take_socket(struct tl_play_script *script, const struct tl_trace_event *event);
int tl_play_script_take_socket_event(struct tl_play_script *script,
                                     const struct tl_trace_event *event);
int tl_play_script_take_ready(struct tl_play_script *script, const struct tl_trace_event *event);

/* Takes in a connect (stream_replay_load_connects.c). */
int tl_play_script_take_connect(struct tl_play_script *script, const struct tl_trace_event *event,
                                struct tl_play_peer *peer);

/* Takes in a pipe, a descriptor that was brought in, and that there is nothing to watch about one
 * (stream_replay_load_given.c). */
int tl_play_script_take_pipe(struct tl_play_script *script, const struct tl_trace_event *event);
int tl_play_script_take_adopt(struct tl_play_script *script, const struct tl_trace_event *event);
void tl_play_script_take_watch(struct tl_play_script *script, const struct tl_trace_event *event);

/* Takes in what is about a child (stream_replay_load_children.c). */
int tl_play_script_take_child(struct tl_play_script *script, const struct tl_trace_event *event);

/* Adds the event's answer, a descriptor where it is one, to its question: arg and the blob
 * (stream_replay_load_files.c). NULL when memory is out. */
struct tl_play_told *tl_play_script_tell(struct tl_play_script *script,
                                         const struct tl_trace_event *event, int64_t arg,
                                         struct tl_play_peer *peer);

/* Makes a peer that of a file, which stands at that position: 0 or -ENOMEM. */
int tl_play_script_make_file(struct tl_play_script *script, struct tl_play_peer *peer,
                             unsigned flags, int64_t position);

/* Takes in an operation on files, or a sendfile (stream_replay_load_files.c). */
int tl_play_script_take_file(struct tl_play_script *script, const struct tl_trace_event *event);

#endif
