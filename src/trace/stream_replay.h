/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stream replayer's insides, for stream_replay*.c: the kernel that plays a script, and what its
 * operations share. stream_replay.c says how it goes.
 */
#ifndef TL_TRACE_STREAM_REPLAY_H
#define TL_TRACE_STREAM_REPLAY_H

#include <twinloop/trace.h>
#include "trace/pack.h"
#include "trace/replay_threads.h"
#include "trace/stream_replay_script.h"

/* A descriptor of the program. */
struct tl_play_handle {
    int fd;
    uint8_t family;
    uint8_t type;
    bool pipe; /* it is no socket, nor a file */
    bool real; /* it is to be closed in earnest */
    bool connecting;
    bool connected; /* as connect has said itself */
    bool tried;     /* to connect, as the peer that it is */
    bool listening;
    bool shut_read;
    bool shut_write;
    tl_addr bound;             /* none: no bind */
    tl_addr remote;            /* none: no connect */
    struct tl_play_peer *peer; /* the recorded socket that it is; NULL: none, or none yet */
    struct tl_play_peer *file; /* the recorded file that it is; NULL: it is none */
    int64_t position;          /* of a file: where the next read or write without offset is */
    struct {
        bool set;
        int value;
    } options[TL_OPTION_COUNT]; /* as the program set them */
    unsigned interest;          /* of watch */
    void *token;
    bool queued; /* in the list of those that poll has something to tell of */
    struct tl_play_handle *prev;
    struct tl_play_handle *next;
};

struct tl_stream_replay {
    struct tl_kernel kernel;
    tl_trace_reader *reader; /* borrowed */
    unsigned index;          /* of the stream */
    tl_allocator allocator;
    int fate; /* what every operation answers from now on: 0 go on, TL_EDIVERGED, TL_EOUTOFREACH */

    struct tl_play_script script;
    size_t step;       /* that comes next */
    size_t nows;       /* the reading of each clock that comes next, */
    size_t nows_limit; /* and that which has to wait for a step to pass */
    size_t walls;
    size_t walls_limit;
    tl_time now; /* the last readings */
    tl_time wall;
    tl_time wall_now; /* now when wall was read */
    bool header_now;  /* the next reading is a recorder's: see TL_NOTE_RECORDING */
    bool header_wall;
    unsigned spins;    /* polls in a row that did not wait and had nothing */
    unsigned overtime; /* polls that waited beyond the script's end */

    struct tl_play_handle **handles; /* by descriptor, from TL_REPLAY_FD_BASE on */
    size_t handles_count;            /* all of them but those in use are NULL */
    struct tl_play_handle **given;   /* likewise those that the program brought in, from 0 on */
    size_t given_count;
    struct tl_play_handle ready; /* head of a ring */
    size_t children_due;         /* ends of children that the program does not know of */
    size_t outgoing;             /* no peer before this one waits for a connect */
    uint64_t signals;            /* enabled, by number */

    struct tl_replay_posts posts;
    struct tl_request *jobs;  /* that have not been run */
    struct tl_request *added; /* jobs that the script does not know, the newest first */
    int64_t process;          /* the one that replays */
    uint64_t invented;        /* bytes of entropy that the script did not have */
    struct tl_trace_pack pack;
    struct tl_stream_replay_counts counts;
};

static inline struct tl_stream_replay *tl_stream_replay_of(struct tl_kernel *kernel)
{
    return (struct tl_stream_replay *)kernel;
}

/* Shortens how long a post is waited for, for tests. */
void tl_stream_replay_kernel_set_patience(struct tl_kernel *kernel, tl_time patience);

/* --- How it ends (stream_replay.c) --- */

/* Ends the replay with a report. Returns TL_EDIVERGED. */
int tl_play_diverge(struct tl_stream_replay *replay, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Ends the replay where a trace that was cut off does. Returns TL_EOUTOFREACH. */
int tl_play_run_out(struct tl_stream_replay *replay);

/* Notes that a step has passed. */
void tl_play_passed(struct tl_stream_replay *replay);

/* --- Readiness (stream_replay_ready.c) --- */

/* Looks again at what poll has to tell of a socket. */
void tl_play_update(struct tl_stream_replay *replay, struct tl_play_handle *handle);

/* Puts what is to be told of descriptors into events: how many. */
int tl_play_collect_ready(struct tl_stream_replay *replay, struct tl_event *events, int count);

int tl_play_watch(struct tl_kernel *kernel, int fd, unsigned events, void *token);

/* --- Giving an input (stream_replay_give.c) --- */

/* Gives an input: how many events that is by itself, or an error. */
int tl_play_give(struct tl_stream_replay *replay, struct tl_play_step *step, struct tl_event *ret);

/* Nobody will see these events. */
void tl_play_take_back(const struct tl_event *events, int count);

/* Whether the program wants to be told of a signal. */
bool tl_play_is_enabled(const struct tl_stream_replay *replay, int64_t signum);

/* --- Waiting (stream_replay_poll.c) --- */

/* Gives what is next if it is for this peer, and the recorded program had not waited for it: it may
 * have been the program itself that caused it, through the other end of a pair. */
void tl_play_give_at_once(struct tl_stream_replay *replay, const struct tl_play_peer *peer);

int tl_play_poll(struct tl_kernel *kernel, tl_time timeout, struct tl_event *events, int count);

/* --- The program's output (stream_replay_output.c, stream_replay_output_files.c) --- */

/* What a peer is called in reports. Returns text (stream_replay_report.c). */
enum { TL_PEER_NAME_MAX = 400 };
const char *tl_play_peer_name(const struct tl_play_peer *peer, char text[TL_PEER_NAME_MAX]);

/* What a place in a file is called in reports. Returns text (stream_replay_report.c). */
enum { TL_PLACE_TEXT_MAX = 64 };
const char *tl_play_show_place(int64_t offset, char text[TL_PLACE_TEXT_MAX]);

/* Compares the next len bytes that a peer was sent. 0 or the end of the replay. */
int tl_play_compare(struct tl_stream_replay *replay, struct tl_play_peer *peer,
                    const struct iovec *iov, size_t len);

/* Whether what a peer was sent next is that file from offset on. */
bool tl_play_sends_next(const struct tl_play_peer *peer, const struct tl_play_peer *file,
                        int64_t offset);

/* Compares up to len bytes of a file, from offset on, with the next that a peer was sent: how many
 * of them are no different, 0 at the end of the file or where nothing is known of it; or the end of
 * the replay. */
ssize_t tl_play_compare_file(struct tl_stream_replay *replay, struct tl_play_peer *peer,
                             struct tl_play_peer *file, int64_t offset, size_t len);

/* Compares bytes that the program writes to a file, at an offset: how many of them the recorded
 * kernel took, the error that it had instead of taking one, or the end of the replay. */
ssize_t tl_play_compare_written(struct tl_stream_replay *replay, struct tl_play_peer *file,
                                const void *buf, size_t len, int64_t offset);

/* Compares a datagram with the next that a peer was sent. Its length; what the recorded one met
 * instead of being sent; or the end of the replay. */
ssize_t tl_play_compare_message(struct tl_stream_replay *replay,
                                const struct tl_play_handle *handle,
                                const struct tl_message *message);

/* Whether the next datagram will meet an error. */
bool tl_play_fails_next(const struct tl_play_peer *peer);

/* Checks that a peer, which will be sent nothing more, was sent everything. 0 or the end of the
 * replay. */
int tl_play_compare_end(struct tl_stream_replay *replay, struct tl_play_peer *peer,
                        const char *what);

/* --- Descriptors by number (stream_replay_handles.c) --- */

/* The program's descriptor with that number, or NULL: any; one that is no file; a socket. */
struct tl_play_handle *tl_play_any_handle_of(const struct tl_stream_replay *replay, int fd);
struct tl_play_handle *tl_play_handle_of(const struct tl_stream_replay *replay, int fd);
struct tl_play_handle *tl_play_socket_of(const struct tl_stream_replay *replay, int fd);

/* What an operation on sockets answers when it is given none. */
int tl_play_no_socket(const struct tl_stream_replay *replay, int fd);

/* The recorded file that the program's descriptor is, or NULL. */
struct tl_play_peer *tl_play_file_of(const struct tl_stream_replay *replay, int fd);

/* Makes a handle with the next number, or for a number that the program has brought in; NULL when
 * memory is out. */
struct tl_play_handle *tl_play_new_handle(struct tl_stream_replay *replay, int family, int type);
struct tl_play_handle *tl_play_give_handle(struct tl_stream_replay *replay, int fd, int family,
                                           int type);

/* Frees a handle, whose number is free again. */
void tl_play_forget_handle(struct tl_stream_replay *replay, struct tl_play_handle *handle);

/* Frees those that the program has not closed. */
void tl_play_free_handles(struct tl_stream_replay *replay);

/* Puts a step at the end of its peer's queue, and takes the first one out. */
void tl_play_queue(struct tl_play_peer *peer, struct tl_play_step *step);
struct tl_play_step *tl_play_unqueue(struct tl_play_peer *peer);

/* --- Pipes and descriptors made elsewhere (stream_replay_given.c) --- */

int tl_play_pipe(struct tl_kernel *kernel, enum tl_pipe_kind kind, int ret_fds[2]);
int tl_play_adopt(struct tl_kernel *kernel, int fd, struct tl_adopted *ret);
int tl_play_release(struct tl_kernel *kernel, int fd);
int tl_play_close(struct tl_kernel *kernel, int fd);

/* --- Sockets (stream_replay_fds.c, stream_replay_connect.c, stream_replay_data.c) --- */

/* Whether a handle was a certain recorded one from the first. */
bool tl_play_is_given(const struct tl_play_handle *handle);

/* Lets a handle be a recorded one. */
void tl_play_attach(struct tl_play_handle *handle, struct tl_play_peer *peer);

/* How many of len bytes that are there to be sent a connection takes; or an error. */
ssize_t tl_play_room(struct tl_stream_replay *replay, struct tl_play_handle *handle, size_t len);

/* Lets a datagram socket that was never bound be one of the recorded ones, if it is none yet. */
void tl_play_take_datagram(struct tl_stream_replay *replay, struct tl_play_handle *handle);

int tl_play_socket(struct tl_kernel *kernel, enum tl_family family, enum tl_socket_type type);
int tl_play_bind(struct tl_kernel *kernel, int fd, const tl_addr *addr);
int tl_play_listen(struct tl_kernel *kernel, int fd, int backlog);
int tl_play_accept(struct tl_kernel *kernel, int fd, tl_addr *ret_peer);
int tl_play_connect(struct tl_kernel *kernel, int fd, const tl_addr *addr);
int tl_play_shutdown(struct tl_kernel *kernel, int fd, enum tl_shutdown how);
int tl_play_option(struct tl_kernel *kernel, int fd, enum tl_option option, const int *set,
                   int *ret);
int tl_play_address(struct tl_kernel *kernel, int fd, enum tl_address_side side, tl_addr *ret);
ssize_t tl_play_read(struct tl_kernel *kernel, int fd, struct tl_message *messages, size_t count);
ssize_t tl_play_write(struct tl_kernel *kernel, int fd, struct tl_message *messages, size_t count);

/* --- Files (stream_replay_files.c, stream_replay_file_bytes.c, stream_replay_sendfile.c) --- */

/* What the trace cannot answer: ends the replay, as a difference or where the trace was cut off.
 * where goes behind what was asked in the report. */
int tl_play_unknown(struct tl_stream_replay *replay, const struct tl_trace_event *asked);
int tl_play_unknown_there(struct tl_stream_replay *replay, const struct tl_trace_event *asked,
                          const char *where);

/* The answer that is due; the one behind it is the next. */
const struct tl_play_told *tl_play_take_told(struct tl_play_question *question);

/* The bytes of a file from offset on, as far as they are known and lie together, at most *len of
 * them: *len. NULL when the first is not known. */
const uint8_t *tl_play_file_bytes(const struct tl_play_peer *file, int64_t offset, size_t *len);

int tl_play_open(struct tl_kernel *kernel, const char *path, unsigned flags, unsigned mode);
ssize_t tl_play_pread(struct tl_kernel *kernel, int fd, void *buf, size_t len, int64_t offset);
ssize_t tl_play_pwrite(struct tl_kernel *kernel, int fd, const void *buf, size_t len,
                       int64_t offset);
/* Reads and writes at a file's own position. */
ssize_t tl_play_read_file(struct tl_stream_replay *replay, struct tl_play_handle *handle,
                          struct tl_message *messages, size_t count);
ssize_t tl_play_write_file(struct tl_stream_replay *replay, struct tl_play_handle *handle,
                           struct tl_message *messages, size_t count);
ssize_t tl_play_sendfile(struct tl_kernel *kernel, int fd, int source, int64_t *offset,
                         size_t count, struct tl_witness *witness);
int tl_play_stat(struct tl_kernel *kernel, const char *path, struct tl_stat *ret);
int tl_play_unlink(struct tl_kernel *kernel, const char *path);
int tl_play_rename(struct tl_kernel *kernel, const char *source, const char *target);
int tl_play_fsync(struct tl_kernel *kernel, int fd);

/* --- Children (stream_replay_children.c) --- */

/* A child ends, and poll tells of it; puts what is to be told into events: how many. */
void tl_play_end_child(struct tl_stream_replay *replay, struct tl_play_child *child,
                       int64_t status);
int tl_play_collect_children(struct tl_stream_replay *replay, struct tl_event *events, int count);

int64_t tl_play_spawn(struct tl_kernel *kernel, const struct tl_spawn *spawn);
int tl_play_kill(struct tl_kernel *kernel, int64_t pid, int signum);
int tl_play_adopt_child(struct tl_kernel *kernel, int64_t pid, void *token);
int tl_play_release_child(struct tl_kernel *kernel, int64_t pid);

/* --- Requests and facts (stream_replay_process.c) --- */

/* Lets the program have the answer to a request that it has made: an event. 0, -ENOMEM or the end
 * of the replay. */
int tl_play_answer(struct tl_stream_replay *replay, struct tl_play_request *request,
                   struct tl_event *ret);

/* The same for the oldest in a list of requests, which need not be in the script: 1, or an error.
 */
int tl_play_answer_added(struct tl_stream_replay *replay, struct tl_request **requests,
                         struct tl_event *ret);

int tl_play_signal(struct tl_kernel *kernel, int signum, bool enable);
int tl_play_resolve(struct tl_kernel *kernel, struct tl_query *query);
int tl_play_work(struct tl_kernel *kernel, struct tl_work *work);
int tl_play_cancel(struct tl_kernel *kernel, struct tl_request *request);
int64_t tl_play_info(struct tl_kernel *kernel, enum tl_info what, const char *name, char *text,
                     size_t size);
int tl_play_entropy(struct tl_kernel *kernel, void *buf, size_t len);

#endif
